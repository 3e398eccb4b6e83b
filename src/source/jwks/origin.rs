//! Where one issuer's keys are fetched from: a fixed place, or one that its metadata names.

use std::time::Duration;

use url::Url;

use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::identity::key_set::KeySetFault;
use crate::source::discovery;
use crate::source::fetch::Document;
use crate::source::fetch::FetchFault;
use crate::source::fetch::Fetched;
use crate::source::fetch::Fetcher;
use crate::source::fetch::Validators;

/// How long the place that the metadata named is used before the metadata is read again.
const PLACE_LIFETIME: Duration = Duration::from_secs(3_600);

/// Why one attempt brought no usable keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptFault {
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    #[error(transparent)]
    Keys(#[from] KeySetFault),
}

impl AttemptFault {
    /// A word for metrics, from a fixed set.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Fetch(fault) => fault.label(),
            Self::Keys(KeySetFault::NoUsableKey(_)) => "no_usable_key",
            Self::Keys(_) => "key_set",
        }
    }
}

/// Where the keys are, with the client that reaches it.
pub(super) struct Origin {
    rules: JwtRules,
    fetcher: Fetcher,
    place: Place,
    /// What is known of the set in use.
    adopted: Option<Adopted>,
    /// The host that metadata last named for the keys.
    host: Option<String>,
    moved: Option<(String, String)>,
}

/// What one attempt brought.
pub(super) enum Loaded {
    /// A set, of which nothing is known yet.
    Set(LoadedSet),
    /// The set in use is still the issuer's; how long it may be kept.
    Unchanged(Option<Duration>),
}

/// A set as it came.
pub(super) struct LoadedSet {
    pub(super) document: Document,
    at: Url,
}

/// The set in use: where it came from, what names it, and how long it could be kept.
struct Adopted {
    at: Url,
    validators: Validators,
    lifetime: Option<Duration>,
}

enum Place {
    Fixed(Url),
    Discovered(Option<Discovered>),
}

struct Discovered {
    at: Url,
    since: Duration,
}

impl Origin {
    /// The origin that the rules name.
    ///
    /// # Errors
    ///
    /// [`FetchFault`]: it is not one that can be fetched from.
    pub(super) fn new(rules: &JwtRules) -> Result<Self, FetchFault> {
        let (fetcher, place) = match &rules.keys {
            KeyOrigin::Discovery(remote) => {
                let fetcher = Fetcher::new(remote)?;
                let issuer = Url::parse(&rules.tokens.issuer)
                    .map_err(|_| FetchFault::Url(rules.tokens.issuer.clone()))?;
                fetcher.check(&issuer)?;
                (fetcher, Place::Discovered(None))
            }
            KeyOrigin::JwksUri(url, remote) => {
                let fetcher = Fetcher::new(remote)?;
                fetcher.check(url)?;
                (fetcher, Place::Fixed(url.clone()))
            }
            KeyOrigin::Local(_) | KeyOrigin::Development => {
                return Err(FetchFault::Url(rules.tokens.issuer.clone()));
            }
        };
        Ok(Self {
            rules: rules.clone(),
            fetcher,
            place,
            adopted: None,
            host: None,
            moved: None,
        })
    }

    /// The rules that the keys are read by.
    pub(super) fn rules(&self) -> &JwtRules {
        &self.rules
    }

    /// Fetches the set. A place that no longer answers is forgotten, and so is one that is old.
    pub(super) async fn load(&mut self, now: Duration) -> Result<Loaded, FetchFault> {
        let place = self.find(now).await?;
        let adopted = self.adopted.as_ref().filter(|set| set.at == place.at);
        let known = adopted.map(|set| &set.validators);
        let loaded = match self.fetcher.get_unless(&place.at, known).await? {
            Fetched::Document(document) => Loaded::Set(LoadedSet {
                document,
                at: place.at.clone(),
            }),
            Fetched::NotModified(said) => {
                Loaded::Unchanged(said.or(adopted.and_then(|set| set.lifetime)))
            }
        };
        if let Place::Discovered(known) = &mut self.place {
            *known = Some(place);
        }
        Ok(loaded)
    }

    /// The set is in use from now on.
    pub(super) fn adopt(&mut self, set: LoadedSet) {
        let LoadedSet { document, at } = set;
        self.adopted = document.validators.map(|validators| Adopted {
            at,
            validators,
            lifetime: document.lifetime,
        });
    }

    /// No set is in use any more.
    pub(super) fn forget(&mut self) {
        self.adopted = None;
    }

    /// Whether the metadata has put the keys on another host since this was last asked: from where,
    /// and to where.
    pub(super) fn take_move(&mut self) -> Option<(String, String)> {
        self.moved.take()
    }

    /// The place to ask. A discovered one is taken, so that it is gone unless this attempt ends well,
    /// even if it is cut short.
    async fn find(&mut self, now: Duration) -> Result<Discovered, FetchFault> {
        let known = match &mut self.place {
            Place::Fixed(at) => {
                return Ok(Discovered {
                    at: at.clone(),
                    since: now,
                });
            }
            Place::Discovered(place) => place
                .take()
                .filter(|known| now.saturating_sub(known.since) < PLACE_LIFETIME),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let at = discovery::find_jwks_uri(&self.fetcher, &self.rules.tokens.issuer).await?;
        let host = at.origin().ascii_serialization();
        if let Some(before) = self.host.replace(host.clone())
            && before != host
        {
            self.moved = Some((before, host));
        }
        Ok(Discovered { at, since: now })
    }
}
