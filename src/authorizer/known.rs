//! What is worked out once about a caller, and kept beside the proof for as long as the policies stay.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::authorizer::shadow::TriedFacts;
use crate::authorizer::snapshot::Snapshot;
use crate::config::IdentityHeaders;
use crate::decision::headers;
use crate::decision::headers::Obligation;
use crate::identity::Identity;
use crate::identity::cache::CachedToken;
use crate::identity::session::SessionOwner;
use crate::policy::PrincipalFacts;
use crate::telemetry::record;

/// A caller in the forms that each step of a check needs.
#[derive(Debug)]
pub(super) struct Known {
    /// The caller, with the facts that the policies' own files add.
    pub(super) identity: Identity,
    /// For the policies.
    pub(super) facts: PrincipalFacts,
    /// For the policies that are only tried.
    pub(super) tried: TriedFacts,
    /// For the upstream.
    pub(super) headers: Arc<[Obligation]>,
    /// For the sessions that are his; none of a stranger.
    pub(super) owner: Option<SessionOwner>,
    /// For the record.
    pub(super) record: Option<Box<RawValue>>,
}

impl Known {
    /// Works everything out.
    pub(super) fn of(own: &Identity, snapshot: &Snapshot, sent: &IdentityHeaders) -> Arc<Self> {
        let policies = &snapshot.policies;
        let identity = policies.enrich_identity(own);
        Arc::new(Self {
            facts: policies.facts(&identity),
            tried: TriedFacts::of(own, &identity, snapshot),
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
        snapshot: &Snapshot,
        sent: &IdentityHeaders,
    ) -> Arc<Self> {
        if let Some(known) = entry.facts.load_full()
            && snapshot.policies.made(&known.facts)
            && known.tried.are_current(snapshot)
        {
            return known;
        }
        let identity = Identity::Verified(Arc::clone(&entry.token.principal));
        let known = Self::of(&identity, snapshot, sent);
        entry.facts.store(Some(Arc::clone(&known)));
        known
    }
}
