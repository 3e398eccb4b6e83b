//! Looking again and again: what is new must be seen twice in a row before it is offered, and what is
//! wrong is told once.
//!
//! Twice the same bytes are not enough: the stamp must be the same too, so that nobody has
//! written in between. That is all that looking can tell. A writer who stops for longer than the pause
//! between two looks is not told from one who has finished.

use std::fs::Metadata;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::fault::Fault;

/// The SHA-256 of what was read.
pub type Digest = [u8; 32];

/// Stands for which files and folders were read, and when each was last written to.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp {
    all: DefaultHasher,
    /// When the last of them was, in seconds since 1970.
    newest: Option<i64>,
}

impl Stamp {
    /// Takes in a file or a folder; best before its content is read, so that what is written
    /// meanwhile shows at the next look.
    pub(super) fn add(&mut self, metadata: &Metadata) {
        let place = (metadata.dev(), metadata.ino(), metadata.size());
        let written = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (place, written, changed).hash(&mut self.all);
        let newest = metadata.mtime().max(metadata.ctime());
        self.newest = self.newest.max(Some(newest));
    }

    /// Whether nothing was written to in the last second or two before `now_ms`, as far as the clock of
    /// the file system can be believed.
    pub(super) fn is_old(&self, now_ms: i64) -> bool {
        let now = now_ms.div_euclid(1_000);
        self.newest
            .is_some_and(|newest| newest < now.saturating_sub(1))
    }

    fn value(&self) -> u64 {
        self.all.finish()
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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A stamp that differs with the number.
    fn stamp(number: u64) -> Stamp {
        let mut stamp = Stamp::default();
        number.hash(&mut stamp.all);
        stamp
    }

    fn fault() -> Vec<Fault> {
        let source = crate::fault::Source {
            name: "a".into(),
            text: "".into(),
        };
        vec![Fault::error(&source, None, "bad")]
    }

    /// What is in force is 0, what is bad is 9, and what no accepting helps is 8.
    fn look(seen: &mut Settling, written: u64, content: u8) -> Poll<u8> {
        let found = match content {
            9 => Err(fault()),
            content => Ok(([content; 32], content)),
        };
        let accept = |content| match content {
            8 => Err(fault()),
            content => Ok(content),
        };
        seen.look(&stamp(written), found, accept)
    }

    #[test]
    fn looks_lead_to_what_they_should() {
        use Poll::Changed;
        use Poll::Failed;
        use Poll::Recovered;
        use Poll::Settling as Unsettled;
        use Poll::Unchanged;
        let cases: [(&str, Vec<(u64, u8, Poll<u8>)>); 7] = [
            (
                "twice the same in a row",
                vec![(1, 1, Unsettled), (1, 1, Changed(1)), (1, 1, Unchanged)],
            ),
            (
                "written to in between, with the same content",
                vec![(1, 1, Unsettled), (2, 1, Unsettled), (2, 1, Changed(1))],
            ),
            (
                "back and forth",
                vec![
                    (1, 1, Unsettled),
                    (2, 0, Unchanged),
                    (1, 1, Unsettled),
                    (3, 2, Unsettled),
                    (1, 1, Unsettled),
                ],
            ),
            (
                "bad, and good again",
                vec![
                    (1, 9, Unsettled),
                    (1, 9, Failed(fault())),
                    (1, 9, Unchanged),
                    (0, 0, Recovered),
                    (0, 0, Unchanged),
                ],
            ),
            (
                "bad, and good in another way",
                vec![
                    (1, 9, Unsettled),
                    (1, 9, Failed(fault())),
                    (2, 1, Unsettled),
                    (2, 9, Unchanged),
                    (2, 1, Unsettled),
                    (2, 1, Changed(1)),
                    (2, 1, Unchanged),
                ],
            ),
            (
                "read, and not accepted",
                vec![
                    (1, 8, Unsettled),
                    (1, 8, Failed(fault())),
                    (2, 8, Unchanged),
                    (3, 0, Recovered),
                ],
            ),
            (
                "touched, and otherwise the same",
                vec![(1, 0, Unchanged), (2, 0, Unchanged)],
            ),
        ];
        for (name, steps) in cases {
            let mut seen = Settling::new([0; 32]);
            for (number, (written, content, expected)) in steps.into_iter().enumerate() {
                let found = look(&mut seen, written, content);
                assert_eq!(found, expected, "{name}, look {number}");
            }
        }
    }

    #[test]
    fn what_was_written_to_of_late_is_not_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let metadata = File::create(path).unwrap().metadata().unwrap();
        let mut stamp = Stamp::default();
        assert!(!stamp.is_old(i64::MAX), "nothing was read");
        stamp.add(&metadata);
        let written = metadata.mtime() * 1_000;
        for (now, expected) in [
            (i64::MIN, false),
            (0, false),
            (written, false),
            (written + 1_999, false),
            (written + 2_000, true),
            (i64::MAX, true),
        ] {
            assert_eq!(stamp.is_old(now), expected, "{}", now - written);
        }
    }
}
