//! Where one issuer's keys are fetched from: a fixed place, or one that its metadata names.

use std::time::Duration;

use url::Url;

use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::identity::key_set::KeySetFault;
use crate::source::discovery;
use crate::source::fetch::Document;
use crate::source::fetch::FetchFault;
use crate::source::fetch::Fetcher;

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
        })
    }

    /// The rules that the keys are read by.
    pub(super) fn rules(&self) -> &JwtRules {
        &self.rules
    }

    /// Fetches the set. A place that no longer answers is forgotten, and so is one that is old.
    pub(super) async fn load(&mut self, now: Duration) -> Result<Document, FetchFault> {
        let place = match &mut self.place {
            Place::Fixed(url) => return self.fetcher.get(url).await,
            Place::Discovered(place) => place,
        };
        // Taken, so that it is gone unless this attempt ends well, even if it is cut short.
        let known = place
            .take()
            .filter(|known| now.saturating_sub(known.since) < PLACE_LIFETIME);
        let known = match known {
            Some(known) => known,
            None => Discovered {
                at: discovery::find_jwks_uri(&self.fetcher, &self.rules.tokens.issuer).await?,
                since: now,
            },
        };
        let document = self.fetcher.get(&known.at).await?;
        *place = Some(known);
        Ok(document)
    }
}
