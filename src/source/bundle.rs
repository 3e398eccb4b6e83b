//! Where a signed bundle comes from: a file, a directory or a URL, and the copy of the last good one.

mod keep;
mod read;
mod watcher;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use self::keep::Keep;
pub use self::read::read;
pub use self::watcher::BundleStatus;
pub use self::watcher::BundleWatcher;
use crate::config::BundlePlace;
use crate::config::BundleRules;
use crate::config::LocalKey;
use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::digest;
use crate::identity::key_set::KeySet;
use crate::policy::bundle::Accepted;
use crate::policy::bundle::Bundle;
use crate::policy::bundle::BundleFault;
use crate::policy::bundle::MAX_BYTES;
use crate::policy::bundle::UnverifiedBundle;
use crate::policy::bundle::archive;
use crate::source::Clock;
use crate::source::fetch;
use crate::source::fetch::Fetched;
use crate::source::fetch::Fetcher;
use crate::source::fetch::Validators;

/// Longest time to the last byte of a bundle.
const TOTAL: Duration = Duration::from_secs(15);

/// Where a bundle comes from, and what has come from there.
pub struct BundleSource {
    place: BundlePlace,
    keys: KeySet,
    fetcher: Option<Fetcher>,
    keep: Option<Keep>,
    accepted: Option<Accepted>,
    clock: Arc<dyn Clock>,
    shown: Arc<str>,
    interval: Duration,
}

/// What is known of the bundle that was seen last, so that it is neither sent nor verified again.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    raw: Option<[u8; 32]>,
    validators: Option<Validators>,
}

impl BundleSource {
    /// Opens it, and reads what was in force before. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// Keys or a client that cannot be used; a note of what was in force that cannot be read.
    pub fn open(rules: &BundleRules, clock: Arc<dyn Clock>) -> Result<Self, Vec<Fault>> {
        let shown = shown(&rules.place);
        let fault = |message: String| vec![about(&shown, message)];
        let local: Vec<LocalKey> = rules.keys.iter().map(LocalKey::from).collect();
        let keys = KeySet::from_local(&local).map_err(|error| fault(error.to_string()))?;
        let fetcher = match &rules.place {
            BundlePlace::File(_) => None,
            BundlePlace::Url(url, remote) => {
                let fetcher = Fetcher::patient(remote, TOTAL)
                    .and_then(|fetcher| fetcher.check(url).map(|()| fetcher));
                Some(fetcher.map_err(|error| fault(error.to_string()))?)
            }
        };
        let keep = rules.keep.as_deref().map(Keep::new);
        let accepted = keep.as_ref().map(|keep| keep.accepted(&keys)).transpose()?;
        Ok(Self {
            place: rules.place.clone(),
            keys,
            fetcher,
            keep,
            accepted: accepted.flatten(),
            clock,
            shown,
            interval: rules.interval,
        })
    }

    /// How often it is to be looked for.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The place, as it is named in faults: a path, or a URL without its query.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The bundle without asking anybody: the file, or what is kept of a URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn offline(&self) -> Result<Bundle, Vec<Fault>> {
        match &self.place {
            BundlePlace::File(path) => {
                let bundle = read(path).and_then(|found| found.verify(&self.keys));
                let bundle = bundle.map_err(|fault| vec![self.about(&fault)])?;
                self.admit(&bundle)?;
                Ok(bundle)
            }
            BundlePlace::Url(..) => self.kept().unwrap_or_else(|| {
                let message = "commands fetch nothing, and no copy of the bundle is kept yet";
                let help = "`serve` keeps the last good one in `policies.bundle.keep`; \
                            `--policies-dir` names policies to be used instead";
                Err(vec![about(&self.shown, message.to_owned()).help(help)])
            }),
        }
    }

    /// The copy of the last good one, verified again; absent where none is kept.
    fn kept(&self) -> Option<Result<Bundle, Vec<Fault>>> {
        let kept = self.keep.as_ref()?.load(&self.keys)?;
        Some(kept.and_then(|bundle| self.admit(&bundle).map(|()| bundle)))
    }

    /// Looks for the bundle, and verifies it. Absent where it is the `known` one; what its server says of
    /// it now is known then. It blocks, on a thread of the tokio runtime that may block.
    fn look(&self, known: &mut Known) -> Result<Option<(Bundle, Known)>, Vec<Fault>> {
        let (found, next) = match (&self.place, &self.fetcher) {
            (BundlePlace::Url(url, _), Some(fetcher)) => {
                let fetching = fetcher.get_bytes_unless(url, known.validators.as_ref(), MAX_BYTES);
                let answer = Handle::current().block_on(fetching);
                let document = match answer.map_err(|error| self.fault(error.to_string()))? {
                    Fetched::NotModified(_) => return Ok(None),
                    Fetched::Document(document) => document,
                };
                let next = Known {
                    raw: Some(digest::sha256(&[&document.body])),
                    validators: document.validators,
                };
                if known.raw == next.raw {
                    known.validators = next.validators;
                    return Ok(None);
                }
                (archive::unpack(&document.body), next)
            }
            (BundlePlace::File(path), _) => {
                let found = read(path).map_err(|fault| vec![self.about(&fault)])?;
                let next = Known {
                    raw: Some(read::digest(&found)),
                    validators: None,
                };
                if known.raw == next.raw {
                    return Ok(None);
                }
                (Ok(found), next)
            }
            (BundlePlace::Url(..), None) => return Err(self.fault("no client".to_owned())),
        };
        let bundle = found.and_then(|found: UnverifiedBundle| found.verify(&self.keys));
        let bundle = bundle.map_err(|fault| vec![self.about(&fault)])?;
        Ok(Some((bundle, next)))
    }

    /// Whether the bundle may follow what was in force before.
    fn admit(&self, bundle: &Bundle) -> Result<(), Vec<Fault>> {
        let now_s = self.clock.now_ms().div_euclid(1000);
        bundle
            .may_follow(self.accepted, now_s)
            .map_err(|fault| vec![about(&self.shown, fault.to_string()).help(fault.help())])
    }

    /// The bundle is in force: none older may follow.
    fn accept(&mut self, bundle: &Bundle) {
        self.accepted = Some(Accepted::of(bundle));
    }

    /// Keeps the bundle, unless it is kept already, so that a start may begin with it.
    fn store(&self, bundle: &Bundle) -> io::Result<()> {
        match &self.keep {
            Some(keep) if !keep.holds(bundle) => keep.store(bundle),
            Some(_) | None => Ok(()),
        }
    }

    fn about(&self, fault: &BundleFault) -> Fault {
        refusal(&self.shown, fault)
    }

    fn fault(&self, message: String) -> Vec<Fault> {
        vec![about(&self.shown, message)]
    }
}

impl fmt::Debug for BundleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleSource")
            .field("place", &self.shown)
            .finish_non_exhaustive()
    }
}

/// The place as faults name it.
pub fn shown(place: &BundlePlace) -> Arc<str> {
    match place {
        BundlePlace::File(path) => path.display().to_string().into(),
        BundlePlace::Url(url, _) => fetch::shown(url).into(),
    }
}

/// What is wrong with the bundle of this name, and the way out.
pub fn refusal(name: &str, fault: &BundleFault) -> Fault {
    let refusal = about(name, fault.to_string());
    match fault.help() {
        Some(help) => refusal.help(help),
        None => refusal,
    }
}

/// A fault of a bundle as a whole.
fn about(name: &str, message: String) -> Fault {
    let source = Source {
        name: name.into(),
        text: "".into(),
    };
    Fault::error(&source, None, message).hide_excerpt()
}

/// Whether something is at this path.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests;
