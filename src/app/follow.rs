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
    /// What was no good is over, and nothing has changed.
    Recovered,
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

    /// The next change; absent at the end.
    pub(super) async fn next(&mut self) -> Option<Change<W::Found>> {
        loop {
            tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return None,
                () = tokio::time::sleep(self.wait) => {}
            }
            let poll = self.look().await?;
            self.wait = self.watched.as_ref().map_or(self.interval, |watched| {
                // What fails may want to be looked at less often.
                watched.wait(self.interval)
            });
            match poll {
                Poll::Unchanged => {}
                Poll::Settling => self.wait = self.interval.min(SETTLE),
                Poll::Changed(found) => return Some(Change::To(found)),
                Poll::Failed(faults) => return Some(Change::Failed(faults)),
                Poll::Recovered => return Some(Change::Recovered),
            }
        }
    }

    /// What was found last is in force.
    pub(super) async fn accepted(&mut self) {
        self.off_the_loop(W::accepted).await;
    }

    async fn look(&mut self) -> Option<Poll<W::Found>> {
        self.off_the_loop(W::poll).await
    }

    /// Does something that may block.
    async fn off_the_loop<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut W) -> T + Send + 'static,
    ) -> Option<T> {
        let mut watched = self.watched.take()?;
        let polled = tokio::task::spawn_blocking(move || {
            let done = work(&mut watched);
            (watched, done)
        });
        let polled = tokio::select! {
            // A file system that hangs must not hold up the end.
            _ = self.stop.wait_for(|stop| *stop) => return None,
            polled = polled => polled,
        };
        match polled {
            Ok((watched, done)) => {
                self.watched = Some(watched);
                Some(done)
            }
            Err(error) => {
                tracing::error!(%error, "looking for changes panicked; nothing is reloaded any more");
                None
            }
        }
    }
}
