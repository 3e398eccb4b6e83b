//! Looking again and again: what is new must be seen twice in a row before it is offered, and what is
//! wrong is told once.
//!
//! Twice the same bytes are not enough: the [stamp](Stamp) must be the same too, so that nobody has
//! written in between. That is all that looking can tell. A writer who stops for longer than the pause
//! between two looks is not told from one who has finished.

use std::fs::Metadata;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;

use crate::fault::Fault;

/// The SHA-256 of what was read.
pub type Digest = [u8; 32];

/// Stands for which files and folders were read, and when each was last written to.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp(DefaultHasher);

impl Stamp {
    /// Takes in a file or a folder; best before its content is read, so that what is written
    /// meanwhile shows at the next look.
    pub(super) fn add(&mut self, metadata: &Metadata) {
        let place = (metadata.dev(), metadata.ino(), metadata.size());
        let written = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (place, written, changed).hash(&mut self.0);
    }

    fn value(&self) -> u64 {
        self.0.finish()
    }
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll<T> {
    /// The same as what was offered, or told, last.
    Unchanged,
    /// What was offered last is there again, after a failure that was told.
    Recovered,
    /// Something else, but not yet twice the same.
    Settling,
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
}

/// What has been seen so far.
#[derive(Debug)]
pub(super) struct Settling {
    /// What was offered last, or was in force at the start.
    current: Digest,
    /// What was told last, as long as it holds.
    failing: Option<Seen>,
    /// What the last look found, if that was new, and its stamp.
    pending: Option<(Seen, u64)>,
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

    /// Takes what a look found, with its stamp. Once it has settled, `accept` says whether it is any good.
    pub(super) fn look<T, U>(
        &mut self,
        stamp: &Stamp,
        found: Result<(Digest, T), Vec<Fault>>,
        accept: impl FnOnce(T) -> Result<U, Vec<Fault>>,
    ) -> Poll<U> {
        let (seen, found) = match found {
            Ok((digest, found)) => (Seen::Content(digest), Ok((digest, found))),
            Err(faults) => (Seen::Failure(faults.clone()), Err(faults)),
        };
        if seen == Seen::Content(self.current) {
            self.pending = None;
            return match self.failing.take() {
                Some(_) => Poll::Recovered,
                None => Poll::Unchanged,
            };
        }
        if self.failing.as_ref() == Some(&seen) {
            self.pending = None;
            return Poll::Unchanged;
        }
        let now = (seen, stamp.value());
        if self.pending.as_ref() != Some(&now) {
            self.pending = Some(now);
            return Poll::Settling;
        }
        self.pending = None;
        let (seen, _) = now;
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
