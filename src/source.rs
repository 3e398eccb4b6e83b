//! The seams to the outside: what the shell must be told, as traits; their real forms below.

mod budget;
pub mod bundle;
pub mod clock;
pub mod dev_issuer;
pub mod discovery;
pub mod fetch;
mod folder;
pub mod introspection;
pub mod jwks;
pub mod policy_files;
pub(crate) mod quiet;
pub mod revocation_file;
pub mod sessions;
pub mod settling;
#[cfg(test)]
mod testing;
pub mod tool_list;
pub mod whole_file;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::identity::credential::BearerToken;
use crate::identity::key_set::KeySet;
use crate::identity::session::SessionKey;
use crate::identity::session::SessionOwner;

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

/// Remembers whose MCP sessions are whose, for a while after each was last used.
///
/// Neither store outlives everything: what is forgotten (by a restart, for want of room, after the idle
/// time) belongs to whoever uses it next.
pub trait SessionStore: Send + Sync + fmt::Debug {
    /// Who holds a session, if anybody does; changes nothing. It may have been true a few seconds ago.
    fn find(&self, session: SessionKey, within: Duration) -> Told<'_, Option<Holding>>;

    /// Binds a session to `owner` unless somebody else holds it, and notes that it was used. Of any
    /// number of owners who ask at once for one session, one gets it.
    fn hold(&self, session: SessionKey, owner: SessionOwner, within: Duration) -> Told<'_, Held>;
}

/// An answer of a [`SessionStore`]: what is at hand costs no future.
pub enum Told<'a, T> {
    /// It was at hand.
    Now(T),
    /// Another machine has to be asked.
    Later(BoxFuture<'a, Result<T, SessionStoreFault>>),
}

impl<T> Told<'_, T> {
    /// Waits for the answer, if it must be waited for.
    ///
    /// # Errors
    ///
    /// [`SessionStoreFault`]: nothing is known of the session.
    pub async fn get(self) -> Result<T, SessionStoreFault> {
        match self {
            Self::Now(told) => Ok(told),
            Self::Later(answer) => answer.await,
        }
    }
}

impl<T> fmt::Debug for Told<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

/// A session that is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// To whom.
    pub owner: SessionOwner,
    /// Whether its use should be noted, with [`SessionStore::hold`].
    pub due: bool,
}

/// What became of an attempt to hold a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is bound from now on.
    Bound {
        /// So many older bindings had to go for it.
        evicted: u64,
    },
    /// It was bound to this owner before.
    Known,
    /// Somebody else holds it.
    Mismatch,
}

/// Why nothing is known of a session.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SessionStoreFault {
    /// No answer in time.
    #[error("the session store did not answer in time")]
    TimedOut,
    /// There is no connection to it.
    #[error("the session store cannot be reached")]
    Unreachable,
    /// It answered with an error.
    #[error("the session store refused")]
    Refused,
    /// It answered something that is no answer to what was asked.
    #[error("the session store gave no usable answer")]
    Unreadable,
}

impl SessionStoreFault {
    /// A label for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::Unreachable | Self::Refused | Self::Unreadable => "error",
        }
    }
}

/// Is told how a session store on another machine does; where metrics attach.
pub trait SessionObserver: Send + Sync + fmt::Debug {
    /// One question has ended: `ok`, or the label of a [`SessionStoreFault`].
    fn asked(&self, outcome: &'static str);
}
