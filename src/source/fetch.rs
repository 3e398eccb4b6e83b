//! A bounded HTTP exchange with an issuer: short, small, and only where it was sent.

mod address;
mod fault;
mod lifetime;
mod validators;

use std::time::Duration;

use bytes::Bytes;
use reqwest::Certificate;
use reqwest::Client;
use reqwest::ClientBuilder;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderValue;
use reqwest::redirect;
use url::Host;
use url::Url;

use self::address::CheckedResolver;
use self::address::is_forbidden;
pub use self::fault::FetchFault;
pub use self::fault::TlsFault;
use self::fault::chain;
pub(super) use self::fault::sort;
pub use self::validators::Validators;
use crate::config::Remote;
use crate::identity::key_set::MAX_SET_BYTES;

/// Largest accepted document, in bytes.
pub const MAX_BODY_BYTES: usize = MAX_SET_BYTES;

/// Largest accepted answer to a form, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Longest time to a connection, names and TLS included.
const CONNECT: Duration = Duration::from_secs(1);

/// Longest time to the last byte of a document.
const TOTAL: Duration = Duration::from_secs(5);

/// A JSON document and what its sender says about keeping it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The body; of JSON, at most [`MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// How long it may be kept (RFC 9111, section 4.2); zero where it must not be.
    pub lifetime: Option<Duration>,
    /// What the next request for it may name, so that it is only sent again if it has changed.
    pub validators: Option<Validators>,
}

/// The answer to a request for a document that may be known already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is not known, or has changed.
    Document(Document),
    /// It is the known one (RFC 9110, section 15.4.5); how long it may be kept, if that is said.
    NotModified(Option<Duration>),
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
        Self::patient(remote, TOTAL)
    }

    /// A client for larger documents than an issuer has, which may take as long as `total`.
    ///
    /// # Errors
    ///
    /// [`FetchFault::Client`].
    pub fn patient(remote: &Remote, total: Duration) -> Result<Self, FetchFault> {
        let builder = builder(remote)?.connect_timeout(CONNECT).timeout(total);
        Ok(Self {
            client: builder
                .build()
                .map_err(|error| FetchFault::Client(chain(&error)))?,
            allow_http: remote.insecure_allow_http,
            total,
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
        match self.get_unless(url, None).await? {
            Fetched::Document(document) => Ok(document),
            Fetched::NotModified(_) => Err(FetchFault::Status(StatusCode::NOT_MODIFIED.as_u16())),
        }
    }

    /// Fetches one JSON document, unless it is still the `known` one.
    ///
    /// # Errors
    ///
    /// [`FetchFault`]; "not modified" is one where nothing is known.
    pub async fn get_unless(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, FetchFault> {
        let accept = "application/json, application/jwk-set+json";
        self.exchange(url, known, accept, async |response| {
            read_json(response, MAX_BODY_BYTES).await
        })
        .await
    }

    /// Fetches a document of whatever type, of at most `most` bytes and as it was sent, unless it is still
    /// the `known` one: whoever asks for this can tell what it is.
    ///
    /// # Errors
    ///
    /// [`FetchFault`]; "not modified" is one where nothing is known.
    pub async fn get_bytes_unless(
        &self,
        url: &Url,
        known: Option<&Validators>,
        most: usize,
    ) -> Result<Fetched, FetchFault> {
        self.exchange(url, known, "*/*", async |response| {
            if response.status() != StatusCode::OK {
                return Err(FetchFault::Status(response.status().as_u16()));
            }
            read_body(response, most).await
        })
        .await
    }

    async fn exchange(
        &self,
        url: &Url,
        known: Option<&Validators>,
        accept: &'static str,
        read: impl AsyncFnOnce(Response) -> Result<Vec<u8>, FetchFault>,
    ) -> Result<Fetched, FetchFault> {
        self.check(url)?;
        let mut request = self.client.get(url.clone()).header(header::ACCEPT, accept);
        if let Some(known) = known {
            request = request.headers(known.headers());
        }
        let exchange = async {
            let response = send(request).await?;
            let lifetime = lifetime::read(response.headers());
            if known.is_some() && response.status() == StatusCode::NOT_MODIFIED {
                return Ok(Fetched::NotModified(lifetime));
            }
            let validators = Validators::read(response.headers());
            let body = read(response).await?;
            Ok(Fetched::Document(Document {
                body,
                lifetime,
                validators,
            }))
        };
        tokio::time::timeout(self.total, exchange)
            .await
            .unwrap_or(Err(FetchFault::TimedOut))
    }

    /// Sends a form (`application/x-www-form-urlencoded`) and reads the JSON that answers it, of at
    /// most [`MAX_ANSWER_BYTES`], within `total` and never more than five seconds.
    ///
    /// # Errors
    ///
    /// [`FetchFault`].
    pub async fn post_form(
        &self,
        url: &Url,
        authorization: &HeaderValue,
        form: String,
        total: Duration,
    ) -> Result<Bytes, FetchFault> {
        self.check(url)?;
        let request = self
            .client
            .post(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let exchange = async {
            let response = send(request).await?;
            read_json(response, MAX_ANSWER_BYTES).await.map(Bytes::from)
        };
        tokio::time::timeout(total.min(self.total), exchange)
            .await
            .unwrap_or(Err(FetchFault::TimedOut))
    }

    /// Whether a document may be asked for at this address.
    ///
    /// # Errors
    ///
    /// [`FetchFault::Url`], [`FetchFault::Address`].
    pub fn check(&self, url: &Url) -> Result<(), FetchFault> {
        check_url(url, self.allow_http)
    }
}

/// A client that trusts the system's certificate authorities and `remote`'s own. It follows no
/// redirect, uses no proxy, retries nothing, and connects to no link-local or metadata address. How
/// long it may take is not settled yet.
pub(super) fn builder(remote: &Remote) -> Result<ClientBuilder, FetchFault> {
    install_tls();
    let mut builder = Client::builder()
        .user_agent(concat!("cedargate/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .https_only(!remote.insecure_allow_http)
        .dns_resolver(CheckedResolver);
    if let Some(pem) = &remote.ca_pem {
        let authorities =
            Certificate::from_pem_bundle(pem).map_err(|error| FetchFault::Client(chain(&error)))?;
        if authorities.is_empty() {
            return Err(FetchFault::Client(
                "the CA file holds no certificate".to_owned(),
            ));
        }
        builder = builder.tls_certs_merge(authorities);
    }
    Ok(builder)
}

/// Whether this URL may be asked: over TLS unless `allow_http`, without a user name, and at no address
/// that is forbidden.
pub(super) fn check_url(url: &Url, allow_http: bool) -> Result<(), FetchFault> {
    let scheme = url.scheme() == "https" || (allow_http && url.scheme() == "http");
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

/// Makes AWS-LC the TLS provider of the process, unless there is one already.
pub fn install_tls() {
    // An error says that one is installed, which is as good.
    let _was_first = rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_ok();
}

async fn send(request: RequestBuilder) -> Result<Response, FetchFault> {
    request
        .header(header::ACCEPT_ENCODING, "identity")
        .send()
        .await
        .map_err(|error| sort(&error))
}

/// The body of a 200 that is plain JSON, of at most `most` bytes.
async fn read_json(response: Response, most: usize) -> Result<Vec<u8>, FetchFault> {
    if response.status() != StatusCode::OK {
        return Err(FetchFault::Status(response.status().as_u16()));
    }
    if !is_plain_json(&response) {
        return Err(FetchFault::ContentType);
    }
    read_body(response, most).await
}

/// The body, of at most `most` bytes.
async fn read_body(mut response: Response, most: usize) -> Result<Vec<u8>, FetchFault> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > most) {
        return Err(FetchFault::TooLarge(most));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error))? {
        if body.len().saturating_add(chunk.len()) > most {
            return Err(FetchFault::TooLarge(most));
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

/// A URL without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    format!(
        "{}://{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests;
