//! Everything that one check reads, published together.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use arc_swap::ArcSwap;
use arc_swap::Guard;

use crate::identity::key_set::KeySet;
use crate::identity::revocation::Revocations;
use crate::policy::PolicySnapshot;

/// The keys and policies that hold at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The policies.
    pub policies: Arc<PolicySnapshot>,
    /// Those of `policies.shadow_dir`, which are tried beside them; absent where there are none, or
    /// none that could be used.
    pub shadow: Option<Arc<PolicySnapshot>>,
    /// For each authenticator, in the configuration's order, its keys; absent when it has none or
    /// they are not to be had.
    pub keys: Vec<Option<Arc<KeySet>>>,
    /// Counts the changes of any key set.
    pub key_generation: u64,
    /// What has been revoked.
    pub revocations: Arc<Revocations>,
}

/// The one place that checks load from and publishers write to.
#[derive(Debug)]
pub struct SnapshotCell {
    current: ArcSwap<Snapshot>,
    writing: Mutex<()>,
}

impl SnapshotCell {
    /// Starts with these policies and no keys.
    pub fn new(policies: Arc<PolicySnapshot>, authenticators: usize) -> Self {
        let keys = vec![None; authenticators];
        let first = Snapshot {
            policies,
            shadow: None,
            keys,
            key_generation: 0,
            revocations: Arc::default(),
        };
        Self {
            current: ArcSwap::from_pointee(first),
            writing: Mutex::new(()),
        }
    }

    /// What holds now.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Puts other policies in force.
    pub fn publish_policies(&self, policies: Arc<PolicySnapshot>) {
        self.change(|snapshot| snapshot.policies = policies);
    }

    /// Tries other policies beside those in force.
    pub fn publish_shadow(&self, policies: Arc<PolicySnapshot>) {
        self.change(|snapshot| snapshot.shadow = Some(policies));
    }

    /// Puts another list of what has been revoked in force.
    pub fn publish_revocations(&self, revocations: Arc<Revocations>) {
        self.change(|snapshot| snapshot.revocations = revocations);
    }

    /// Puts another key set in force for one authenticator, or withdraws the one it has.
    pub fn publish_keys(&self, authenticator: usize, keys: Option<Arc<KeySet>>) {
        self.change(|snapshot| {
            if let Some(slot) = snapshot.keys.get_mut(authenticator) {
                *slot = keys;
                snapshot.key_generation = snapshot.key_generation.saturating_add(1);
            }
        });
    }

    fn change(&self, edit: impl FnOnce(&mut Snapshot)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.current.load());
        edit(&mut next);
        self.current.store(Arc::new(next));
    }
}
