//! One question to an introspection endpoint (RFC 7662, section 2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use url::Url;
use url::form_urlencoded;

use crate::config::IntrospectionRules;
use crate::identity::credential::BearerToken;
use crate::json;
use crate::json::StrictValue;
use crate::source::fetch::FetchFault;
use crate::source::fetch::Fetcher;

/// Deepest accepted nesting of an answer.
const MAX_DEPTH: usize = 16;

/// The endpoint, and who we are to it.
pub(super) struct Endpoint {
    url: Url,
    fetcher: Fetcher,
    authorization: HeaderValue,
}

/// What a call brought.
pub(super) struct Answer {
    pub(super) body: Bytes,
    /// What it says of the token.
    pub(super) active: bool,
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFault {
    /// The endpoint refuses us, not the token: 400 `invalid_client` or 401 (RFC 6749, section 5.2),
    /// or 403.
    #[error("the endpoint refuses the client's own credentials with {0}")]
    Credentials(u16),
    /// The endpoint has had enough.
    #[error("the endpoint asks for fewer questions with 429")]
    RateLimited,
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// Not a JSON object with a boolean `active`.
    #[error("the answer is not a JSON object with a boolean `active`")]
    Malformed,
    /// Whoever asked could not wait as long as the endpoint took.
    #[error("no answer as long as anybody could wait")]
    TimedOut,
}

impl CallFault {
    /// A word for metrics, from a fixed set.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Credentials(_) => "credentials",
            Self::RateLimited => "rate_limited",
            Self::Fetch(fault) => fault.label(),
            Self::Malformed => "malformed",
            Self::TimedOut => "timeout",
        }
    }

    /// Whether this speaks of the endpoint, and so against asking it again. A 4xx may speak of the one
    /// token, which a stranger can choose: that must not close the endpoint to everybody.
    pub(super) fn is_the_endpoints(&self) -> bool {
        match self {
            Self::Credentials(status) => *status != 400,
            Self::Fetch(FetchFault::Status(status)) => !(400..500).contains(status),
            Self::RateLimited | Self::Fetch(_) | Self::Malformed | Self::TimedOut => true,
        }
    }

    /// Whether our own credentials are at fault, so that waiting does not help.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Credentials(_) => true,
            Self::RateLimited | Self::Fetch(_) | Self::Malformed | Self::TimedOut => false,
        }
    }
}

impl Endpoint {
    /// The endpoint that the rules name.
    ///
    /// # Errors
    ///
    /// [`FetchFault`]: it is not one that can be asked.
    pub(super) fn new(rules: &IntrospectionRules) -> Result<Self, FetchFault> {
        let fetcher = Fetcher::new(&rules.remote)?;
        fetcher.check(&rules.endpoint)?;
        let secret = rules.client_secret.expose_secret();
        Ok(Self {
            url: rules.endpoint.clone(),
            fetcher,
            authorization: basic(&rules.client_id, secret)?,
        })
    }

    /// Asks about one token. The token is sent in the body, and nowhere else.
    ///
    /// # Errors
    ///
    /// [`CallFault`].
    pub(super) async fn ask(
        &self,
        token: &BearerToken,
        within: Duration,
    ) -> Result<Answer, CallFault> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.as_str())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let body = self
            .fetcher
            .post_form(&self.url, &self.authorization, form, within)
            .await
            .map_err(sort)?;
        let answer = json::parse(&body, MAX_DEPTH).map_err(|_| CallFault::Malformed)?;
        match answer.get("active") {
            Some(StrictValue::Bool(active)) => Ok(Answer {
                body,
                active: *active,
            }),
            Some(_) | None => Err(CallFault::Malformed),
        }
    }
}

fn sort(fault: FetchFault) -> CallFault {
    if let FetchFault::Status(status) = fault {
        match status {
            400 | 401 | 403 => return CallFault::Credentials(status),
            429 => return CallFault::RateLimited,
            _ => {}
        }
    }
    CallFault::Fetch(fault)
}

/// RFC 6749, section 2.3.1: both values are form-encoded before they are joined, so that the colon
/// between them is the only one.
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, FetchFault> {
    let encoded =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| FetchFault::Client("the client's credentials are too long".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_encoded_before_they_are_joined() {
        for (id, secret, expected) in [
            ("rs", "s3cr3t", "rs:s3cr3t"),
            ("a:b", "c d", "a%3Ab:c+d"),
            (
                "https://rs.example/",
                "p%:+&=",
                "https%3A%2F%2Frs.example%2F:p%25%3A%2B%26%3D",
            ),
            ("r\u{e9}", "\u{1f511}", "r%C3%A9:%F0%9F%94%91"),
            ("rs", "", "rs:"),
        ] {
            let header = basic(id, secret).unwrap();
            let sent = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
            let pair = STANDARD.decode(sent).unwrap();
            assert_eq!(String::from_utf8(pair).unwrap(), expected);
            assert_eq!(format!("{header:?}"), "Sensitive");
        }
    }
}
