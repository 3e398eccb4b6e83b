//! Follows what may change on disk: it is looked at until the end, on a thread of its own, so that no
//! check waits for a file system.

use std::time::Duration;

use tokio::sync::watch;

use crate::fault::Fault;
use crate::source::settling::Poll;
use crate::source::settling::Watched;

/// How soon to look again at a state that was seen for the first time.
const SETTLE: Duration = Duration::from_millis(250);

/// What has become of something that is followed.
pub(super) enum Change<T> {
    /// It has changed, and settled.
    To(T),
    /// It is no good; told once.
    Failed(Vec<Fault>),
}

/// Follows one thing.
pub(super) struct Follower<W> {
    /// Absent while a look is under way, and for ever after one that panicked.
    watched: Option<W>,
    interval: Duration,
    wait: Duration,
    stop: watch::Receiver<bool>,
}

impl<W: Watched> Follower<W> {
    /// Looks every `interval` until `stop` turns true.
    pub(super) fn new(watched: W, interval: Duration, stop: watch::Receiver<bool>) -> Self {
        Self {
            watched: Some(watched),
            interval,
            wait: interval,
            stop,
        }
    }

    /// Looks for the first time at once: for what nothing was read of yet.
    pub(super) fn at_once(mut self) -> Self {
        self.wait = Duration::ZERO;
        self
    }

    /// The next change; absent at the end.
    pub(super) async fn next(&mut self) -> Option<Change<W::Found>> {
        loop {
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep(self.wait) => {}
            }
            let poll = self.look().await?;
            self.wait = self.interval;
            match poll {
                Poll::Unchanged => {}
                Poll::Settling => self.wait = self.interval.min(SETTLE),
                Poll::Changed(found) => return Some(Change::To(found)),
                Poll::Failed(faults) => return Some(Change::Failed(faults)),
            }
        }
    }

    async fn look(&mut self) -> Option<Poll<W::Found>> {
        let mut watched = self.watched.take()?;
        let polled = tokio::task::spawn_blocking(move || {
            let poll = watched.poll();
            (watched, poll)
        });
        let polled = tokio::select! {
            // A file system that hangs must not hold up the end.
            _ = self.stop.wait_for(|stop| *stop) => return None,
            polled = polled => polled,
        };
        match polled {
            Ok((watched, poll)) => {
                self.watched = Some(watched);
                Some(poll)
            }
            Err(error) => {
                tracing::error!(%error, "looking for changes panicked; nothing is reloaded any more");
                None
            }
        }
    }
}
