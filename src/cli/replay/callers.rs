//! The callers of a log, each made ready once.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::config::Config;
use crate::identity::Identity;
use crate::identity::PrincipalKind;
use crate::policy::PolicySnapshot;
use crate::policy::PrincipalFacts;
use crate::telemetry::recorded;

/// Most callers that are remembered; then all are forgotten.
const MOST_CALLERS: usize = 8_192;

/// A caller, ready to be decided about.
pub(super) struct Caller {
    /// Tells him from all others.
    pub(super) number: u64,
    pub(super) identity: Identity,
    pub(super) facts: PrincipalFacts,
    /// Absent where the configuration does not know who vouched for him.
    pub(super) has_issuer: Option<bool>,
    /// For people.
    pub(super) shown: String,
}

/// Callers by what a record says of them.
#[derive(Default)]
pub(super) struct Callers {
    found: HashMap<Box<str>, Arc<Caller>>,
    next: u64,
}

impl Callers {
    /// The caller, with what the policies' own files add to him; absent where the record does not
    /// describe one.
    pub(super) fn find(
        &mut self,
        principal: &RawValue,
        config: &Config,
        policies: &PolicySnapshot,
    ) -> Option<Arc<Caller>> {
        if let Some(caller) = self.found.get(principal.get()) {
            return Some(Arc::clone(caller));
        }
        let identity = policies.enrich_identity(&recorded::caller(principal).ok()?);
        let caller = Arc::new(Caller {
            number: self.next,
            facts: policies.facts(&identity),
            has_issuer: recorded::has_issuer(&identity, config),
            shown: shown(&identity),
            identity,
        });
        self.next = self.next.saturating_add(1);
        if self.found.len() >= MOST_CALLERS {
            self.found.clear();
        }
        self.found
            .insert(principal.get().into(), Arc::clone(&caller));
        Some(caller)
    }
}

fn shown(identity: &Identity) -> String {
    match identity {
        Identity::Anonymous => "Anonymous".to_owned(),
        Identity::Verified(principal) => {
            let kind = match principal.kind {
                PrincipalKind::User => "User",
                PrincipalKind::Client => "Client",
                PrincipalKind::ApiKey => "ApiKey",
            };
            format!("{kind} {}", principal.id)
        }
    }
}
