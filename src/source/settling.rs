//! Looking again and again: what is new must be seen twice in a row before it is offered, and what is
//! wrong is told once.

use std::time::Duration;

use crate::fault::Fault;

/// The SHA-256 of what was read.
pub type Digest = [u8; 32];

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll<T> {
    /// The same as what was offered, or told, last.
    Unchanged,
    /// Something else, but not yet twice the same.
    Settling,
    /// What was wrong is over, and what is in force is what is there again.
    Recovered,
    /// Something new, offered once: whoever takes it keeps what he has if it is no good.
    Changed(T),
    /// It cannot be read, or is faulty; the last good state stays in force. Told once, until it is
    /// good again or faulty in another way.
    Failed(Vec<Fault>),
}

/// What can be looked at again and again.
pub trait Watched: Send + 'static {
    /// What is offered.
    type Found: Send + 'static;

    /// Looks once. It may block on the file system.
    fn poll(&mut self) -> Poll<Self::Found>;

    /// How long to wait for the next look, where `usual` is what was configured.
    fn wait(&self, usual: Duration) -> Duration {
        usual
    }

    /// What was offered last is in force. It may block on the file system.
    fn accepted(&mut self) {}
}

/// What has been seen so far.
#[derive(Debug)]
pub(super) struct Settling {
    /// What was offered last, or was in force at the start.
    current: Digest,
    /// What was told last, as long as it holds.
    failing: Option<Seen>,
    /// What the last look found, if that was new.
    pending: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Content(Digest),
    Failure(Vec<Fault>),
}

impl Settling {
    /// Waits for anything but `current`.
    pub(super) fn new(current: Digest) -> Self {
        Self {
            current,
            failing: None,
            pending: None,
        }
    }

    /// Takes what a look found. Once it has settled, `accept` says whether it is any good.
    pub(super) fn look<T, U>(
        &mut self,
        found: Result<(Digest, T), Vec<Fault>>,
        accept: impl FnOnce(T) -> Result<U, Vec<Fault>>,
    ) -> Poll<U> {
        let (seen, found) = match found {
            Ok((digest, found)) => (Seen::Content(digest), Ok((digest, found))),
            Err(faults) => (Seen::Failure(faults.clone()), Err(faults)),
        };
        if seen == Seen::Content(self.current) {
            self.failing = None;
            self.pending = None;
            return Poll::Unchanged;
        }
        if self.failing.as_ref() == Some(&seen) {
            self.pending = None;
            return Poll::Unchanged;
        }
        if self.pending.as_ref() != Some(&seen) {
            self.pending = Some(seen);
            return Poll::Settling;
        }
        self.pending = None;
        let accepted = found.and_then(|(digest, found)| Ok((digest, accept(found)?)));
        match accepted {
            Ok((digest, accepted)) => {
                self.current = digest;
                self.failing = None;
                Poll::Changed(accepted)
            }
            Err(faults) => {
                self.failing = Some(seen);
                Poll::Failed(faults)
            }
        }
    }
}
