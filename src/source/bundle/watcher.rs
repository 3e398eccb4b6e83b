//! A bundle, looked for again and again: offered once, a failure told once, and asked for less often
//! while there is one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::BundleSource;
use super::Known;
use crate::config::BundlePlace;
use crate::fault::Fault;
use crate::policy::PolicyFiles;
use crate::policy::bundle::Bundle;
use crate::source::settling::Poll;
use crate::source::settling::Watched;

/// The longest wait after failures, unless the interval is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The wait after failures is at most so many intervals.
const MOST_INTERVALS: u32 = 8;

/// Looks for a bundle again and again. The caller waits in between.
#[derive(Debug)]
pub struct BundleWatcher {
    source: BundleSource,
    /// What was seen last of what was offered.
    known: Known,
    /// The digest of the manifest that was offered last.
    offered: Option<[u8; 32]>,
    /// The bundle that was offered last, until it is in force.
    waiting: Option<Box<Bundle>>,
    /// The bundle in force, as long as it could not be kept.
    unkept: Option<Box<Bundle>>,
    /// What was told last, as long as it holds.
    failing: Option<Vec<Fault>>,
    /// What the last look at a file found wrong: it may be half written.
    doubted: Option<Vec<Fault>>,
    failures: u32,
    status: Arc<BundleStatus>,
}

/// What the bundle in force is, for whoever asks.
#[derive(Debug, Default)]
pub struct BundleStatus {
    revision: AtomicU64,
    confirmed_ms: AtomicI64,
    is_kept: AtomicBool,
}

impl BundleStatus {
    /// The revision in force.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// When its source last said that it is the newest one, in milliseconds since 1970; 0: never.
    pub fn confirmed_ms(&self) -> i64 {
        self.confirmed_ms.load(Ordering::Relaxed)
    }

    /// Whether the bundle in force is kept on disk; false too where nothing is to be kept.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }
}

impl BundleWatcher {
    /// Nothing has been looked for yet.
    pub fn new(source: BundleSource) -> Self {
        Self {
            source,
            known: Known::default(),
            offered: None,
            waiting: None,
            unkept: None,
            failing: None,
            doubted: None,
            failures: 0,
            status: Arc::default(),
        }
    }

    /// The state, shared.
    pub fn status(&self) -> Arc<BundleStatus> {
        Arc::clone(&self.status)
    }

    /// How often it is to be looked for.
    pub fn interval(&self) -> Duration {
        self.source.interval()
    }

    /// The bundle as it is now. Blocks as [`poll`](Watched::poll) does.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn first(&mut self) -> Result<PolicyFiles, Vec<Fault>> {
        let nothing = || {
            let message = "nothing was sent".to_owned();
            Err(vec![super::about(self.source.shown(), message)])
        };
        let looked = self.source.look(&mut Known::default());
        let looked = looked.and_then(|found| found.map_or_else(nothing, Ok));
        let admitted = looked.and_then(|found| self.source.admit(&found.0).map(|()| found));
        match admitted {
            Ok((bundle, known)) => Ok(self.offer(bundle, known)),
            Err(faults) => {
                self.failures = 1;
                self.failing = Some(faults.clone());
                Err(faults)
            }
        }
    }

    /// The copy of the last good one, where one is kept.
    pub fn kept(&mut self) -> Option<Result<PolicyFiles, Vec<Fault>>> {
        let kept = self.source.kept()?;
        Some(kept.map(|bundle| {
            let failing = self.failing.take();
            let files = self.offer(bundle, Known::default());
            self.failing = failing;
            files
        }))
    }

    fn offer(&mut self, bundle: Bundle, known: Known) -> PolicyFiles {
        let files = bundle.policies.clone();
        self.known = known;
        self.offered = Some(bundle.digest());
        self.waiting = Some(Box::new(bundle));
        self.failing = None;
        files
    }

    fn is_remote(&self) -> bool {
        matches!(self.source.place, BundlePlace::Url(..))
    }

    fn good(&mut self) -> Poll<PolicyFiles> {
        self.failures = 0;
        self.doubted = None;
        if let Some(bundle) = self.unkept.take() {
            self.keep(bundle, true);
        }
        let now = self.source.clock.now_ms();
        if self.waiting.is_some() {
            // It was offered and is no good as policies: that has been told.
            return Poll::Unchanged;
        }
        self.status.confirmed_ms.store(now, Ordering::Relaxed);
        match self.failing.take() {
            Some(_) => Poll::Recovered,
            None => Poll::Unchanged,
        }
    }

    /// Keeps the bundle in force; what cannot be kept now is tried `again` with each good look.
    fn keep(&mut self, bundle: Box<Bundle>, again: bool) {
        if self.source.keep.is_none() {
            return;
        }
        let stored = self.source.store(&bundle);
        self.status.is_kept.store(stored.is_ok(), Ordering::Relaxed);
        match stored {
            Ok(()) if again => tracing::info!("the bundle in force is kept now"),
            Ok(()) => {}
            Err(error) => {
                if !again {
                    tracing::error!(
                        %error,
                        "the bundle in force cannot be kept in `policies.bundle.keep`: a start could not \
                         begin with it, and would refuse no older one"
                    );
                }
                self.unkept = Some(bundle);
            }
        }
    }

    fn bad(&mut self, faults: Vec<Fault>) -> Poll<PolicyFiles> {
        self.failures = self.failures.saturating_add(1);
        if self.waiting.take().is_some() {
            // What is told now hides what was wrong with it, so that it has to be told again.
            self.offered = None;
            self.known = Known::default();
        }
        if self.failing.as_ref() == Some(&faults) {
            return Poll::Unchanged;
        }
        if !self.is_remote() && self.doubted.as_ref() != Some(&faults) {
            self.doubted = Some(faults);
            return Poll::Settling;
        }
        self.doubted = None;
        self.failing = Some(faults.clone());
        Poll::Failed(faults)
    }
}

impl Watched for BundleWatcher {
    type Found = PolicyFiles;

    /// It blocks on the file system or the network, on a thread of the tokio runtime that may block.
    fn poll(&mut self) -> Poll<PolicyFiles> {
        let (bundle, known) = match self.source.look(&mut self.known) {
            Ok(None) => return self.good(),
            Ok(Some(found)) => found,
            Err(faults) => return self.bad(faults),
        };
        if self.offered == Some(bundle.digest()) {
            self.known = known;
            return self.good();
        }
        if let Err(faults) = self.source.admit(&bundle) {
            return self.bad(faults);
        }
        self.failures = 0;
        self.doubted = None;
        Poll::Changed(self.offer(bundle, known))
    }

    /// A little less than was configured, so that many who began together do not ask together; after
    /// failures twice as long each time, and up to a fifth more.
    fn wait(&self, usual: Duration) -> Duration {
        if !self.is_remote() {
            return usual;
        }
        wait(usual, self.failures, fastrand::u32(0..=1000))
    }

    fn accepted(&mut self) {
        let Some(bundle) = self.waiting.take() else {
            return;
        };
        self.source.accept(&bundle);
        let (revision, signed_by) = (bundle.manifest.revision, bundle.signed_by.clone());
        self.unkept = None;
        self.keep(bundle, false);
        self.status.revision.store(revision, Ordering::Relaxed);
        if self.known.raw.is_some() {
            let now = self.source.clock.now_ms();
            self.status.confirmed_ms.store(now, Ordering::Relaxed);
        }
        tracing::info!(
            revision,
            key = signed_by.thumbprint,
            key_id = signed_by.key_id,
            "a signed bundle is in force"
        );
    }
}

/// `jitter` runs from 0 to 1000.
fn wait(usual: Duration, failures: u32, jitter: u32) -> Duration {
    let jitter = jitter.min(1000);
    let Some(doublings) = failures.checked_sub(1) else {
        return scaled(usual, 900_u32.saturating_add(jitter / 10));
    };
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let most = LONGEST_WAIT.max(usual);
    let longer = usual
        .saturating_mul(factor.clamp(1, MOST_INTERVALS))
        .min(most);
    scaled(longer, 1000_u32.saturating_add(jitter / 5))
}

fn scaled(time: Duration, thousandths: u32) -> Duration {
    time.saturating_mul(thousandths)
        .checked_div(1000)
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_longer_while_it_fails_and_never_the_same() {
        let second = Duration::from_secs(1);
        for (usual, failures, least, most) in [
            (30, 0, 27, 30),
            (30, 1, 30, 36),
            (30, 2, 60, 72),
            (30, 4, 240, 288),
            (30, 5, 240, 288),
            (30, u32::MAX, 240, 288),
            (60, 4, 300, 360),
            (3600, 1, 3600, 4320),
            (3600, 9, 3600, 4320),
        ] {
            let found = [0, 1000].map(|jitter| wait(second * usual, failures, jitter));
            assert_eq!(found, [second * least, second * most], "{usual} {failures}");
        }
    }
}
