//! The policy directory, watched by looking again.
//!
//! Polling and comparing content needs no help from the file system, and it sees the way in which
//! Kubernetes updates a mounted `ConfigMap`: by turning a link to a directory around. What is read
//! while files are being written is not offered, because content must be read twice in a row.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::about;
use super::read_stamped;
use crate::fault::Fault;
use crate::policy::PolicyFiles;
use crate::source::Clock;
use crate::source::settling::Digest;
use crate::source::settling::Poll;
use crate::source::settling::Settling;
use crate::source::settling::Stamp;
use crate::source::settling::Watched;

/// The digest of no files: whatever there is, is new.
const NOTHING: Digest = [0; 32];
/// How long a start waits between two looks where something was written to of late.
const PAUSE: Duration = Duration::from_millis(100);
/// After so many looks a start gives up.
const MOST_LOOKS: u32 = 100;

/// Looks at a directory again and again. The caller waits in between.
#[derive(Debug)]
pub struct PolicyWatcher {
    dir: PathBuf,
    seen: Settling,
}

impl PolicyWatcher {
    /// Watches for anything but `current`, the [digest](PolicyFiles::digest) of what is in force.
    pub fn new(dir: PathBuf, current: Digest) -> Self {
        Self {
            dir,
            seen: Settling::new(current),
        }
    }

    /// What is in the directory at a start, seen twice as well, and whoever watches for anything else.
    /// Where nothing was written to in the last second or two that takes no longer than to read it
    /// twice; else there is a pause, which blocks.
    ///
    /// # Errors
    ///
    /// What cannot be read, or that it has not come to rest for ten seconds.
    pub fn start(dir: PathBuf, clock: &dyn Clock) -> Result<(PolicyFiles, Self), Vec<Fault>> {
        Self::start_within(dir, clock, MOST_LOOKS)
    }

    fn start_within(
        dir: PathBuf,
        clock: &dyn Clock,
        looks: u32,
    ) -> Result<(PolicyFiles, Self), Vec<Fault>> {
        let mut watcher = Self::new(dir, NOTHING);
        for _ in 0..looks {
            let mut stamp = Stamp::default();
            match watcher.look(&mut stamp) {
                Poll::Changed(files) => return Ok((files, watcher)),
                Poll::Failed(faults) => return Err(faults),
                Poll::Settling | Poll::Unchanged | Poll::Recovered => {}
            }
            if !stamp.is_old(clock.now_ms()) {
                thread::sleep(PAUSE);
            }
        }
        let message = "its files do not come to rest: someone goes on writing to them";
        Err(vec![about(&watcher.dir, message)])
    }

    fn look(&mut self, stamp: &mut Stamp) -> Poll<PolicyFiles> {
        let found = read_stamped(&self.dir, stamp).map(|files| (files.digest(), files));
        self.seen.look(stamp, found, Ok)
    }
}

impl Watched for PolicyWatcher {
    type Found = PolicyFiles;

    fn poll(&mut self) -> Poll<PolicyFiles> {
        self.look(&mut Stamp::default())
    }
}

#[cfg(test)]
mod tests;
