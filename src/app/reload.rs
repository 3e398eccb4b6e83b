//! Puts changed policies in force: whole or not at all, and the last good ones stay.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::app::follow::Change;
use crate::app::follow::Follower;
use crate::authorizer::snapshot::SnapshotCell;
use crate::fault::Fault;
use crate::policy::Compiler;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::source::Clock;
use crate::source::settling::Watched;
use crate::telemetry::metrics::Metrics;

/// What became of the last reload.
#[derive(Clone, Debug)]
pub(super) struct LastReload {
    /// When, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// Digest of the policies in force.
    pub(super) digest: String,
    /// The faults that kept a newer state of the directory out of force.
    pub(super) faults: Vec<String>,
}

/// The last reload, shared with the status document.
#[derive(Debug)]
pub(super) struct Reloads(Mutex<LastReload>);

impl Reloads {
    pub(super) fn new(digest: &str, at_ms: i64) -> Self {
        Self(Mutex::new(LastReload {
            at_ms,
            digest: digest.to_owned(),
            faults: Vec::new(),
        }))
    }

    pub(super) fn last(&self) -> LastReload {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, at_ms: i64, digest: Option<&str>, faults: &[Fault]) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.at_ms = at_ms;
        if let Some(digest) = digest {
            digest.clone_into(&mut last.digest);
        }
        last.faults = faults.iter().map(ToString::to_string).collect();
    }
}

/// What a reload needs.
pub(super) struct Wiring {
    pub(super) snapshot: Arc<SnapshotCell>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) reloads: Arc<Reloads>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Puts what `follower` finds in force until the end, wherever it finds it. Compiling happens on a
/// thread of its own, by `compiler`, which remembers what it has compiled.
pub(super) async fn watch<W: Watched<Found = PolicyFiles>>(
    wiring: Wiring,
    mut compiler: Compiler,
    mut follower: Follower<W>,
) {
    // What keeps the state of the files out of force.
    let mut refused: Vec<Fault> = Vec::new();
    while let Some(change) = follower.next().await {
        match change {
            Change::Failed(faults) => refused = wiring.keep(faults),
            Change::Recovered => {
                refused.clear();
                wiring.recovered();
            }
            Change::Nothing if refused.is_empty() => wiring.unchanged(),
            Change::Nothing => refused = wiring.keep(refused),
            Change::Restless => {
                tracing::warn!("the policy files do not come to rest; the last good ones stay");
            }
            Change::To(files) => {
                let generation = wiring.next_generation();
                let Some((back, result)) = compile(compiler, files, generation).await else {
                    return wiring.give_up();
                };
                compiler = back;
                refused = match result {
                    Ok(policies) => wiring.publish(policies),
                    Err(faults) => wiring.keep(faults),
                };
            }
        }
    }
}

/// Compiles off the threads that answer checks; absent when that panicked.
async fn compile(
    mut compiler: Compiler,
    files: PolicyFiles,
    generation: u64,
) -> Option<(Compiler, Result<PolicySnapshot, Vec<Fault>>)> {
    let work = move || {
        let result = compiler.compile(&files, generation);
        (compiler, result)
    };
    tokio::task::spawn_blocking(work).await.ok()
}

impl Wiring {
    fn next_generation(&self) -> u64 {
        self.snapshot.load().policies.generation().saturating_add(1)
    }

    /// What is refused then: nothing.
    fn publish(&self, policies: PolicySnapshot) -> Vec<Fault> {
        for warning in policies.warnings() {
            tracing::warn!(%warning, "a policy is probably not meant so");
        }
        self.reloads
            .note(self.clock.now_ms(), Some(policies.digest()), &[]);
        let generation = policies.generation();
        self.metrics.policy_reload("ok");
        self.metrics.policy_generation(generation);
        let count = policies.policy_count();
        self.snapshot.publish_policies(Arc::new(policies));
        tracing::info!(generation, policies = count, "policies reloaded");
        Vec::new()
    }

    /// What is refused then: all of it.
    fn keep(&self, faults: Vec<Fault>) -> Vec<Fault> {
        self.metrics.policy_reload("failed");
        self.reloads.note(self.clock.now_ms(), None, &faults);
        for fault in &faults {
            tracing::error!(%fault, "the policies were not reloaded; the last good ones stay");
        }
        faults
    }

    fn recovered(&self) {
        self.reloads.note(self.clock.now_ms(), None, &[]);
        let generation = self.snapshot.load().policies.generation();
        tracing::info!(
            generation,
            "the policies in force are those of the files again"
        );
    }

    fn unchanged(&self) {
        let generation = self.snapshot.load().policies.generation();
        tracing::info!(
            generation,
            "nothing changed: the policies in force are those of the files"
        );
    }

    fn give_up(&self) {
        self.metrics.policy_reload("failed");
        tracing::error!("compiling the policies panicked; nothing is reloaded any more");
    }
}
