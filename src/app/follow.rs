//! Follows what may change on disk: it is looked at until the end, on a thread of its own, so that no
//! check waits for a file system.

use std::mem;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::source::settling::Poll;
use crate::source::settling::Watched;

/// How soon to look again at a state that was seen for the first time.
const SETTLE: Duration = Duration::from_millis(250);
/// The same where someone has asked for a look: he says that he is done.
const SETTLE_ASKED: Duration = Duration::from_millis(100);
/// What goes on changing for longer is told.
const RESTLESS: Duration = Duration::from_secs(30);

/// What has become of something that is followed.
pub(super) enum Change<T> {
    /// It has changed, and settled.
    To(T),
    /// It is no good; told once.
    Failed(Vec<Fault>),
    /// It was no good, and is again what was in force all the time.
    Recovered,
    /// Someone has asked, and nothing has changed since the last change or failure.
    Nothing,
    /// It has not come to rest for a long time; told once, until it does.
    Restless,
}

/// What a follower obeys.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    /// The end, when true.
    pub(super) stop: watch::Receiver<bool>,
    /// Look now, at each change.
    pub(super) look: watch::Receiver<u64>,
}

/// Follows one thing.
pub(super) struct Follower<W> {
    /// Absent while a look is under way, and for ever after one that panicked.
    watched: Option<W>,
    interval: Duration,
    wait: Duration,
    /// Whether the last look found something that must be seen once more.
    settling: bool,
    /// Whether someone waits for an answer.
    asked: bool,
    /// For how long the looks have found something else each time.
    restless: Duration,
    orders: Orders,
}

impl<W: Watched> Follower<W> {
    /// Looks every `interval`, and whenever it is asked to, until the end.
    pub(super) fn new(watched: W, interval: Duration, orders: Orders) -> Self {
        Self {
            watched: Some(watched),
            interval,
            wait: interval,
            settling: false,
            asked: false,
            restless: Duration::ZERO,
            orders,
        }
    }

    /// The next change; absent at the end.
    pub(super) async fn next(&mut self) -> Option<Change<W::Found>> {
        loop {
            self.rest().await?;
            let poll = self.look().await?;
            if let Some(change) = self.judge(poll) {
                return Some(change);
            }
        }
    }

    /// Waits until it is time to look.
    async fn rest(&mut self) -> Option<()> {
        let mut wait = pin!(sleep(self.wait));
        loop {
            tokio::select! {
                _ = self.orders.stop.wait_for(|stop| *stop) => return None,
                Ok(()) = self.orders.look.changed() => {
                    self.asked = true;
                    if !self.settling {
                        return Some(());
                    }
                    // Between two looks that must find the same there is always a pause, however
                    // often someone asks.
                    let soon = sleep(SETTLE_ASKED).deadline();
                    if soon < wait.deadline() {
                        wait.as_mut().reset(soon);
                    }
                }
                () = &mut wait => return Some(()),
            }
        }
    }

    fn judge(&mut self, poll: Poll<W::Found>) -> Option<Change<W::Found>> {
        self.settling = matches!(poll, Poll::Settling);
        if self.settling {
            let pause = if self.asked { SETTLE_ASKED } else { SETTLE };
            self.wait = self.interval.min(pause);
            let before = self.restless;
            self.restless = before.saturating_add(self.wait);
            let is_told = before < RESTLESS && self.restless >= RESTLESS;
            return is_told.then_some(Change::Restless);
        }
        self.wait = self.interval;
        self.restless = Duration::ZERO;
        let asked = mem::take(&mut self.asked);
        match poll {
            Poll::Unchanged => asked.then_some(Change::Nothing),
            Poll::Recovered => Some(Change::Recovered),
            Poll::Changed(found) => Some(Change::To(found)),
            Poll::Failed(faults) => Some(Change::Failed(faults)),
            Poll::Settling => None,
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
            _ = self.orders.stop.wait_for(|stop| *stop) => return None,
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
