//! Puts a changed list of what has been revoked in force; the last good one stays.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::authorizer::snapshot::SnapshotCell;
use crate::source::revocation_file::Poll;
use crate::source::revocation_file::RevocationWatcher;
use crate::telemetry::metrics::Metrics;

/// How soon to look again at a state that was seen for the first time.
const SETTLE: Duration = Duration::from_millis(250);

/// Looks at the file until `stop` turns true, on a thread of its own.
pub(super) async fn watch(
    mut watcher: RevocationWatcher,
    interval: Duration,
    snapshot: Arc<SnapshotCell>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let mut wait = interval;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
        let polled = tokio::task::spawn_blocking(move || {
            let poll = watcher.poll();
            (watcher, poll)
        });
        let polled = tokio::select! {
            // A file system that hangs must not hold up the end.
            _ = stop.wait_for(|stop| *stop) => return,
            polled = polled => polled,
        };
        let poll = match polled {
            Ok((back, poll)) => {
                watcher = back;
                poll
            }
            Err(error) => {
                tracing::error!(%error, "the watcher of revocations ended; they are no longer reloaded");
                return;
            }
        };
        wait = if matches!(poll, Poll::Settling) {
            interval.min(SETTLE)
        } else {
            interval
        };
        match poll {
            Poll::Unchanged | Poll::Settling => {}
            Poll::Failed(faults) => {
                metrics.revocation_reload("failed");
                for fault in faults {
                    tracing::error!(%fault, "revocations were not reloaded; the last good ones stay");
                }
            }
            Poll::Changed(list) => {
                metrics.revocation_reload("ok");
                let entries = list.len();
                snapshot.publish_revocations(Arc::new(list));
                tracing::info!(entries, "revocations reloaded");
            }
        }
    }
}
