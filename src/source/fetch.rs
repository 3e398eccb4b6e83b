//! A bounded HTTP GET for the documents of an issuer: short, small, and only where it was sent.

mod address;
mod lifetime;

use std::error::Error;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::Client;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::redirect;
use url::Host;
use url::Url;

use self::address::CheckedResolver;
use self::address::ForbiddenAddress;
use self::address::is_forbidden;
use crate::config::Remote;
use crate::identity::key_set::MAX_SET_BYTES;

/// Largest accepted body, in bytes.
pub const MAX_BODY_BYTES: usize = MAX_SET_BYTES;

/// Longest time to a connection, names and TLS included.
const CONNECT: Duration = Duration::from_secs(1);

/// Longest time to the last byte.
const TOTAL: Duration = Duration::from_secs(5);

/// A JSON document and what its sender says about keeping it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The body, at most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// How long it may be kept (RFC 9111, section 4.2); zero where it must not be.
    pub lifetime: Option<Duration>,
}

/// Why a document was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchFault {
    /// The certificate authorities or the TLS configuration cannot be used.
    #[error("no HTTP client can be set up: {0}")]
    Client(String),
    /// Not `https`, no host, or with a user name.
    #[error("the address `{0}` is not a plain https URL")]
    Url(String),
    /// The host is, or has, an address that no issuer lives at.
    #[error("the host has a link-local, metadata or unspecified address")]
    Address,
    /// No connection, no valid certificate, or no HTTP.
    #[error("no answer: {0}")]
    Connect(String),
    /// Not finished within five seconds.
    #[error("no complete answer within {} s", TOTAL.as_secs())]
    TimedOut,
    /// Any status but 200; redirects are not followed.
    #[error("the status is {0}, not 200")]
    Status(u16),
    /// The content is not JSON, or compressed.
    #[error("the content type or encoding is not plain JSON")]
    ContentType,
    /// The body exceeds [`MAX_BODY_BYTES`].
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The discovery document is not strict JSON, or lacks what it must have.
    #[error("the discovery document is refused: {0}")]
    Discovery(String),
}

impl FetchFault {
    /// A word for metrics, from a fixed set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Url(_) => "url",
            Self::Address => "address",
            Self::Connect(_) => "connect",
            Self::TimedOut => "timeout",
            Self::Status(_) => "status",
            Self::ContentType => "content_type",
            Self::TooLarge => "too_large",
            Self::Discovery(_) => "discovery",
        }
    }
}

/// Fetches documents of one issuer.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    allow_http: bool,
    total: Duration,
}

impl Fetcher {
    /// A client that trusts the system's certificate authorities and `remote`'s own. It follows no
    /// redirect, uses no proxy, retries nothing, and connects to no link-local or metadata address.
    ///
    /// # Errors
    ///
    /// [`FetchFault::Client`].
    pub fn new(remote: &Remote) -> Result<Self, FetchFault> {
        install_tls();
        let mut builder = Client::builder()
            .user_agent(concat!("cedargate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .https_only(!remote.insecure_allow_http)
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .dns_resolver(CheckedResolver);
        if let Some(pem) = &remote.ca_pem {
            let authorities = Certificate::from_pem_bundle(pem)
                .map_err(|error| FetchFault::Client(chain(&error)))?;
            if authorities.is_empty() {
                return Err(FetchFault::Client(
                    "the CA file holds no certificate".to_owned(),
                ));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(Self {
            client: builder
                .build()
                .map_err(|error| FetchFault::Client(chain(&error)))?,
            allow_http: remote.insecure_allow_http,
            total: TOTAL,
        })
    }

    /// The same with another bound on the whole exchange.
    #[cfg(test)]
    pub(super) fn within(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Fetches one JSON document.
    ///
    /// # Errors
    ///
    /// [`FetchFault`].
    pub async fn get(&self, url: &Url) -> Result<Document, FetchFault> {
        self.check(url)?;
        tokio::time::timeout(self.total, self.exchange(url))
            .await
            .unwrap_or(Err(FetchFault::TimedOut))
    }

    /// Whether a document may be asked for at this address.
    ///
    /// # Errors
    ///
    /// [`FetchFault::Url`], [`FetchFault::Address`].
    pub fn check(&self, url: &Url) -> Result<(), FetchFault> {
        let scheme = url.scheme() == "https" || (self.allow_http && url.scheme() == "http");
        let user = !url.username().is_empty() || url.password().is_some();
        if !scheme || user {
            return Err(FetchFault::Url(shown(url)));
        }
        let forbidden = match url.host() {
            None => return Err(FetchFault::Url(shown(url))),
            // Checked again when it has been resolved.
            Some(Host::Domain(_)) => false,
            Some(Host::Ipv4(address)) => is_forbidden(address.into()),
            Some(Host::Ipv6(address)) => is_forbidden(address.into()),
        };
        if forbidden {
            return Err(FetchFault::Address);
        }
        Ok(())
    }

    async fn exchange(&self, url: &Url) -> Result<Document, FetchFault> {
        let response = self
            .client
            .get(url.clone())
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .header(header::ACCEPT_ENCODING, "identity")
            .send()
            .await
            .map_err(|error| sort(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchFault::Status(response.status().as_u16()));
        }
        if !is_plain_json(&response) {
            return Err(FetchFault::ContentType);
        }
        let lifetime = lifetime::read(response.headers());
        let body = read_body(response).await?;
        Ok(Document { body, lifetime })
    }
}

/// Makes AWS-LC the TLS provider of the process, unless there is one already.
pub fn install_tls() {
    // An error says that one is installed, which is as good.
    let _was_first = rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_ok();
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, FetchFault> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > MAX_BODY_BYTES) {
        return Err(FetchFault::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error))? {
        if body.len().saturating_add(chunk.len()) > MAX_BODY_BYTES {
            return Err(FetchFault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `application/json`, or a type that says it is JSON (RFC 6839, section 3.1), not compressed.
fn is_plain_json(response: &Response) -> bool {
    let text = |name| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase())
    };
    let plain = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let json = text(header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    plain && json
}

fn sort(error: &reqwest::Error) -> FetchFault {
    if error.is_timeout() {
        return FetchFault::TimedOut;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<ForbiddenAddress>() {
            return FetchFault::Address;
        }
        cause = inner.source();
    }
    FetchFault::Connect(chain(error))
}

/// The innermost cause, which is the one that says something; outer ones repeat the URL.
fn chain(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// A URL without what may be secret in it.
fn shown(url: &Url) -> String {
    format!(
        "{}://{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests;
