//! Puts a changed list of what has been revoked in force; the last good one stays.

use std::sync::Arc;

use crate::app::follow::Change;
use crate::app::follow::Follower;
use crate::authorizer::snapshot::SnapshotCell;
use crate::source::revocation_file::RevocationWatcher;
use crate::telemetry::metrics::Metrics;

/// Follows the file until the end.
pub(super) async fn watch(
    mut follower: Follower<RevocationWatcher>,
    snapshot: Arc<SnapshotCell>,
    metrics: Arc<Metrics>,
) {
    while let Some(change) = follower.next().await {
        match change {
            Change::Failed(faults) => {
                metrics.revocation_reload("failed");
                for fault in faults {
                    tracing::error!(%fault, "revocations were not reloaded; the last good ones stay");
                }
            }
            Change::Recovered => {}
            Change::To(list) => {
                metrics.revocation_reload("ok");
                let entries = list.len();
                snapshot.publish_revocations(Arc::new(list));
                tracing::info!(entries, "revocations reloaded");
            }
        }
    }
}
