//! Puts a changed list of what has been revoked in force; the last good one stays.

use std::sync::Arc;

use crate::app::follow::Change;
use crate::app::follow::Follower;
use crate::authorizer::snapshot::SnapshotCell;
use crate::fault::Fault;
use crate::source::revocation_file::RevocationWatcher;
use crate::telemetry::metrics::Metrics;

/// Follows the file until the end.
pub(super) async fn watch(
    mut follower: Follower<RevocationWatcher>,
    snapshot: Arc<SnapshotCell>,
    metrics: Arc<Metrics>,
) {
    let mut failing: Vec<Fault> = Vec::new();
    while let Some(change) = follower.next().await {
        match change {
            Change::Failed(faults) => {
                tell(&faults, &metrics);
                failing = faults;
            }
            Change::Recovered => {
                failing.clear();
                tracing::info!("the revocations in force are those of the file again");
            }
            Change::Nothing if failing.is_empty() => {
                tracing::info!("nothing changed: the revocations in force are those of the file");
            }
            Change::Nothing => tell(&failing, &metrics),
            Change::Restless => {
                tracing::warn!(
                    "the file of revocations does not come to rest; the last list stays"
                );
            }
            Change::To(list) => {
                failing.clear();
                metrics.revocation_reload("ok");
                let entries = list.len();
                snapshot.publish_revocations(Arc::new(list));
                tracing::info!(entries, "revocations reloaded");
            }
        }
    }
}

fn tell(faults: &[Fault], metrics: &Metrics) {
    metrics.revocation_reload("failed");
    for fault in faults {
        tracing::error!(%fault, "revocations were not reloaded; the last good ones stay");
    }
}
