//! Keeps the policies of `policies.shadow_dir` tried: whole or not at all, and the last good ones stay.
//! They are read when everything else stands, so that no fault of theirs can keep it from standing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::follow::Follower;
use crate::app::follow::Orders;
use crate::app::reload;
use crate::app::reload::Publish;
use crate::app::reload::Reloads;
use crate::authorizer::snapshot::SnapshotCell;
use crate::fault::Fault;
use crate::policy::Compiler;
use crate::policy::PolicySnapshot;
use crate::source::Clock;
use crate::source::policy_files::PolicyWatcher;
use crate::telemetry::metrics::Metrics;

/// The digest of no files: whatever there is, is new.
const NOTHING: [u8; 32] = [0; 32];

/// What a reload needs.
pub(super) struct Wiring {
    pub(super) snapshot: Arc<SnapshotCell>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) reloads: Arc<Reloads>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Tries what is in the directory, until the end.
pub(super) async fn follow(
    wiring: Wiring,
    compiler: Compiler,
    (dir, interval): (PathBuf, Duration),
    orders: Orders,
) {
    let watcher = PolicyWatcher::new(dir, NOTHING);
    let follower = Follower::new(watcher, interval, orders).at_once();
    reload::watch(wiring, compiler, follower).await;
}

/// Takes the counters of policies away that are neither in force nor tried any more.
pub(super) fn forget_differences(metrics: &Metrics, snapshot: &SnapshotCell) {
    let now = snapshot.load();
    metrics.forget_shadow_differences(|policy| {
        let tried = now.shadow.as_ref();
        !now.policies.has(policy) && !tried.is_some_and(|tried| tried.has(policy))
    });
}

impl Publish for Wiring {
    fn next_generation(&self) -> u64 {
        let now = self.snapshot.load();
        let generation = now.shadow.as_ref().map_or(0, |shadow| shadow.generation());
        generation.saturating_add(1)
    }

    fn publish(&self, policies: PolicySnapshot) -> Vec<Fault> {
        for warning in policies.warnings() {
            tracing::warn!(%warning, "a policy of the shadow directory is probably not meant so");
        }
        let digest = Some(policies.digest());
        self.reloads.note(self.clock.now_ms(), digest, &[]);
        self.metrics.shadow_reload("ok");
        let (generation, count) = (policies.generation(), policies.policy_count());
        self.snapshot.publish_shadow(Arc::new(policies));
        forget_differences(&self.metrics, &self.snapshot);
        tracing::info!(generation, policies = count, "shadow policies loaded");
        Vec::new()
    }

    fn keep(&self, faults: Vec<Fault>) -> Vec<Fault> {
        self.metrics.shadow_reload("failed");
        self.reloads.note(self.clock.now_ms(), None, &faults);
        for fault in &faults {
            tracing::error!(%fault, "the shadow policies were not loaded; the last good ones stay, if any");
        }
        faults
    }

    fn recovered(&self) {
        self.reloads.note(self.clock.now_ms(), None, &[]);
        tracing::info!("the shadow policies in use are those of the files again");
    }

    fn unchanged(&self) {
        tracing::info!("nothing changed: the shadow policies in use are those of the files");
    }

    fn give_up(&self) {
        self.metrics.shadow_reload("failed");
        tracing::error!("compiling the shadow policies panicked; they are not reloaded any more");
    }
}
