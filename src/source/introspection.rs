//! Asks an issuer about opaque tokens (RFC 7662), and spares it, and us, when it does not answer.
//!
//! A question either joins the call that is under way for the same token or begins one, if the
//! circuit is closed and the bounds on calls allow it. A call is a task of its own: it ends with an
//! answer, after [`CALL`], or when nobody waits for it any longer. Only a probe goes on without anybody.

mod breaker;
mod call;
mod flight;
mod regulars;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::call::Endpoint;
use self::flight::Flights;
use self::flight::Setting;
use crate::config::IntrospectionRules;
use crate::identity::credential::BearerToken;
use crate::source::Asked;
use crate::source::BoxFuture;
use crate::source::Clock;
use crate::source::IntrospectionObserver;
use crate::source::TokenOracle;
use crate::source::fetch::FetchFault;

/// Longest time of one call.
pub const CALL: Duration = Duration::from_secs(2);

/// Most calls to one endpoint at one time, about whatever is sent.
pub const MAX_CALLS: usize = 64;

/// Most further calls at one time about tokens that were active when last asked about, so that
/// whoever invents tokens does not keep out those who have some.
pub const RESERVED_CALLS: usize = 16;

/// One call to one endpoint may begin in this time, on average: 200 a second.
pub const CALL_PERIOD: Duration = Duration::from_millis(5);

/// So many calls may begin in a row.
pub const CALL_BURST: u32 = 400;

/// One further call about a token that was active may begin in this time, on average: 50 a second,
/// which is enough for 3,000 tokens that are asked about once a minute.
pub const RESERVED_PERIOD: Duration = Duration::from_millis(20);

/// So many of these may begin in a row.
pub const RESERVED_BURST: u32 = 100;

/// Makes ready to ask an authenticator's endpoint. Nothing is sent yet.
///
/// # Errors
///
/// [`FetchFault`]: the address or the TLS configuration is unusable. An endpoint that does not answer
/// is no error.
pub fn open(
    authenticator: &Arc<str>,
    rules: &IntrospectionRules,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn IntrospectionObserver>,
) -> Result<Arc<dyn TokenOracle>, FetchFault> {
    Ok(Arc::new(Oracle::new(
        authenticator,
        Endpoint::new(rules)?,
        clock,
        observer,
    )))
}

/// One endpoint and the calls to it.
struct Oracle {
    flights: Arc<Flights>,
}

impl Oracle {
    fn new(
        authenticator: &Arc<str>,
        endpoint: Endpoint,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn IntrospectionObserver>,
    ) -> Self {
        let setting = Setting {
            authenticator: Arc::clone(authenticator),
            endpoint,
            clock,
            observer,
        };
        Self {
            flights: Arc::new(Flights::new(setting)),
        }
    }
}

impl TokenOracle for Oracle {
    fn ask<'a>(&'a self, token: &'a BearerToken, within: Duration) -> BoxFuture<'a, Asked> {
        Box::pin(async move {
            match self.flights.board(token) {
                Ok(seat) => seat.wait(within).await,
                Err(why) => Asked::Unavailable(why),
            }
        })
    }
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oracle").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
