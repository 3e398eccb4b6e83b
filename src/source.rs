//! The seams to the outside: what the shell must be told, as traits; their real forms below.

mod budget;
pub mod clock;
pub mod dev_issuer;
pub mod discovery;
pub mod fetch;
mod folder;
pub mod introspection;
pub mod jwks;
pub mod policy_files;
mod quiet;
pub mod revocation_file;
pub mod settling;
#[cfg(test)]
mod testing;
pub mod tool_list;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::identity::credential::BearerToken;
use crate::identity::key_set::KeySet;

/// A future that can be kept and sent.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where new keys of an issuer go: called with every changed set, before whoever waited for it
/// goes on. An empty set withdraws the keys. It runs on the task that fetches: it must neither wait
/// nor panic.
pub type KeyPublisher = Arc<dyn Fn(Arc<KeySet>) + Send + Sync>;

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall time: milliseconds since 1970-01-01T00:00:00Z. For `exp`, `nbf` and `iat`, and for logs.
    fn now_ms(&self) -> i64;

    /// Time since some fixed moment; never goes back. For lifetimes and waits, so that a jump of the
    /// wall clock causes no fetches.
    fn monotonic(&self) -> Duration;
}

/// The keys of one issuer, kept up to date.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// Asks for the keys again because a token named one that is unknown or that does not verify
    /// it, and waits at most `within`. However many ask at once, there is one fetch; however many
    /// ask in a row, there are few.
    fn refresh(&self, within: Duration) -> BoxFuture<'_, Refresh>;

    /// How far the present keys can be trusted.
    fn status(&self) -> KeyStatus;

    /// How long ago the keys were last confirmed; `None` where that has no meaning or has not
    /// happened.
    fn age(&self) -> Option<Duration>;
}

/// What became of a request for new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The issuer answered; its keys are published, changed or not.
    Fetched,
    /// Too many asked of late, or the keys are fixed; nothing was sent.
    CoolingDown,
    /// The issuer did not answer with a usable key set; the last good one stays.
    Failed,
    /// No answer within the given time; the fetch goes on.
    TimedOut,
}

/// How far an issuer's keys can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// No set has been fetched yet.
    Loading,
    /// Within the lifetime that the issuer gave them.
    Fresh,
    /// Past their lifetime; still used while the issuer does not answer.
    Stale,
    /// Withdrawn: the issuer has not answered for too long.
    Unavailable,
}

/// Is told how fetches end; where metrics attach.
pub trait KeyObserver: Send + Sync + fmt::Debug {
    /// One attempt to fetch the keys of `authenticator` has ended.
    fn refreshed(&self, authenticator: &str, outcome: RefreshOutcome);
}

/// How one attempt to fetch keys ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// A usable set, other than the one before.
    Changed,
    /// The same keys as before.
    Unchanged,
    /// No usable set; a short fixed word says why.
    Failed(&'static str),
}

impl RefreshOutcome {
    /// A label for metrics, from a small fixed set.
    pub fn label(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed(why) => why,
        }
    }
}

/// Asks the issuer of opaque tokens about them (RFC 7662).
pub trait TokenOracle: Send + Sync + fmt::Debug {
    /// Asks about `token`, and waits at most `within`. However many ask about one token at once,
    /// there is one call.
    fn ask<'a>(&'a self, token: &'a BearerToken, within: Duration) -> BoxFuture<'a, Asked>;
}

/// What became of a question about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The issuer's answer: a JSON object in which `active` is a boolean. Nothing else about it has
    /// been looked at.
    Answer(Bytes),
    /// There is no answer, and nothing is known of the token; a short fixed word says why.
    Unavailable(&'static str),
}

/// Is told how the endpoint of an introspection does; where metrics attach.
pub trait IntrospectionObserver: Send + Sync + fmt::Debug {
    /// One call to the endpoint of `authenticator` has ended, after so long; the outcome is `ok` or
    /// the word of an [`Asked::Unavailable`]. Questions that caused no call are not among these.
    fn called(&self, authenticator: &str, outcome: &'static str, took: Duration);

    /// From now on no calls are made, but for one now and then; or they are made again.
    fn circuit(&self, authenticator: &str, open: bool);
}
