//! Which bundle may follow which: never an older one, and never another of the same revision.

use super::Bundle;
use crate::identity::digest;
use crate::json;

/// What was put in force last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its revision.
    pub revision: u64,
    /// The SHA-256 of its manifest.
    pub digest: [u8; 32],
}

/// Why a bundle, though signed, is not put in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// An older one: whoever serves it may want back what a newer one took away.
    #[error("the bundle is of revision {found}, and revision {accepted} was in force before")]
    Older {
        /// Its revision.
        found: u64,
        /// The revision in force.
        accepted: u64,
    },
    /// Of two bundles of one revision nobody can say which is newer.
    #[error("the bundle is of revision {0}, as another one that was in force before")]
    Same(u64),
    /// Its time is over.
    #[error("the bundle is not to be put in force after {0}")]
    Expired(String),
}

impl OrderFault {
    /// The way out.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Older { .. } | Self::Same(_) => {
                "publish what is wanted with a higher revision (`cedargate bundle build --revision`)"
            }
            Self::Expired(_) => "build it again, with a later `--not-after` or none",
        }
    }
}

impl Accepted {
    /// This bundle.
    pub fn of(bundle: &Bundle) -> Self {
        Self {
            revision: bundle.manifest.revision,
            digest: bundle.digest(),
        }
    }

    /// As it is written down.
    pub fn to_json(self) -> String {
        let digest = digest::hex(&self.digest);
        format!(
            "{{\"revision\": {}, \"manifest_sha256\": \"{digest}\"}}\n",
            self.revision
        )
    }

    /// What [`to_json`](Self::to_json) wrote; absent where it is anything else.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        let value = json::parse(text, 1).ok()?;
        let [(first, revision), (second, digest)] = value.as_object()? else {
            return None;
        };
        if first != "revision" || second != "manifest_sha256" {
            return None;
        }
        Some(Self {
            revision: u64::try_from(revision.as_integer()?).ok()?,
            digest: digest.as_text().and_then(super::manifest::read_digest)?,
        })
    }
}

impl Bundle {
    /// Whether this bundle may be put in force at `now_s` (seconds since 1970) after what was
    /// `accepted` last. The same one again may.
    ///
    /// # Errors
    ///
    /// [`OrderFault`].
    pub fn may_follow(&self, accepted: Option<Accepted>, now_s: i64) -> Result<(), OrderFault> {
        let found = self.manifest.revision;
        if let Some(accepted) = accepted {
            if found < accepted.revision {
                let accepted = accepted.revision;
                return Err(OrderFault::Older { found, accepted });
            }
            if found == accepted.revision && self.digest() != accepted.digest {
                return Err(OrderFault::Same(found));
            }
        }
        match self.manifest.not_after {
            Some(end) if now_s > end.unix_timestamp() => {
                Err(OrderFault::Expired(super::manifest::time_text(end)))
            }
            Some(_) | None => Ok(()),
        }
    }
}
