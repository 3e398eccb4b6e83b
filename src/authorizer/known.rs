//! What is worked out once about a caller, and kept beside the proof for as long as the policies stay.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::config::IdentityHeaders;
use crate::decision::headers;
use crate::decision::headers::Obligation;
use crate::identity::Identity;
use crate::identity::cache::CachedToken;
use crate::identity::session::SessionOwner;
use crate::policy::PolicySnapshot;
use crate::policy::PrincipalFacts;
use crate::telemetry::record;

/// A caller in the forms that each step of a check needs.
#[derive(Debug)]
pub(super) struct Known {
    /// The caller, with the facts that the policies' own files add.
    pub(super) identity: Identity,
    /// For the policies.
    pub(super) facts: PrincipalFacts,
    /// For the upstream.
    pub(super) headers: Arc<[Obligation]>,
    /// For the sessions that are his; none of a stranger.
    pub(super) owner: Option<SessionOwner>,
    /// For the record.
    pub(super) record: Option<Box<RawValue>>,
}

impl Known {
    /// Works everything out.
    pub(super) fn of(
        own: &Identity,
        policies: &PolicySnapshot,
        sent: &IdentityHeaders,
    ) -> Arc<Self> {
        let identity = policies.enrich_identity(own);
        Arc::new(Self {
            facts: policies.facts(&identity),
            headers: headers::identity(&identity, sent),
            owner: match &identity {
                Identity::Anonymous => None,
                Identity::Verified(principal) => Some(SessionOwner::of(principal)),
            },
            record: record::principal(&identity, own),
            identity,
        })
    }

    /// What is kept beside the proof, made anew after a change of the policies.
    pub(super) fn kept(
        entry: &CachedToken<Self>,
        policies: &PolicySnapshot,
        sent: &IdentityHeaders,
    ) -> Arc<Self> {
        if let Some(known) = entry.facts.load_full()
            && policies.made(&known.facts)
        {
            return known;
        }
        let identity = Identity::Verified(Arc::clone(&entry.token.principal));
        let known = Self::of(&identity, policies, sent);
        entry.facts.store(Some(Arc::clone(&known)));
        known
    }
}
