//! A request as read from a proxy: the head, the credential and the body, apart.
//!
//! Every dialect fills in a [`Wire`], and [`assemble`] turns it into an [`Incoming`] or says why it
//! cannot. Nothing above this knows which proxy asked.

use std::net::IpAddr;

use bytes::Bytes;
use thiserror::Error;

use crate::config::ClientIp;
use crate::config::Config;
use crate::identity::credential::Credential;
use crate::identity::credential::CredentialFault;
use crate::request::client_ip;
use crate::request::headers::HeaderBag;
use crate::request::headers::HeaderFault;
use crate::request::headers::folds_to;
use crate::request::host;
use crate::request::host::HostFault;
use crate::request::path::CanonicalPath;
use crate::request::path::PathFault;

/// Longest request id that is taken over, in bytes.
const MAX_REQUEST_ID: usize = 128;
/// Longest method, in bytes.
const MAX_METHOD: usize = 32;
/// Most bytes of a refused host or path that are kept for the log.
const MAX_NOTED: usize = 256;

/// One request, read. Nothing of it is believed yet.
#[derive(Debug)]
pub struct Incoming {
    /// What is asked, without the credential.
    pub head: Head,
    /// The credential, moved out of the headers; or why it is none. A bad one is not fatal here:
    /// the answer to it depends on the resource.
    pub credential: Result<Credential, CredentialFault>,
    /// The body, as far as the proxy passed it on.
    pub body: Body,
    /// The resource that the proxy's route names.
    pub resource: Option<String>,
}

/// The request line and the headers that decisions read.
#[derive(Clone, Debug)]
pub struct Head {
    /// Method: upper-case letters and hyphens.
    pub method: String,
    /// `http`, `https`, or empty when the proxy does not say.
    pub scheme: String,
    /// Host, lower case, without the scheme's default port.
    pub host: String,
    /// Path, without the query.
    pub path: CanonicalPath,
    /// `Origin`.
    pub origin: Option<String>,
    /// Whether `Access-Control-Request-Method` is there: with `OPTIONS` and an origin, a CORS
    /// preflight (Fetch standard, section 3.2.2).
    pub preflight: bool,
    /// `MCP-Protocol-Version`.
    pub protocol_version: Option<String>,
    /// `Mcp-Method`.
    pub mcp_method: Option<String>,
    /// `Mcp-Name`, not decoded.
    pub mcp_name: Option<String>,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`; several are joined with commas.
    pub content_encoding: Option<String>,
    /// `x-request-id` of up to 128 visible ASCII characters; else empty.
    pub request_id: String,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// The caller's address, when it is known for certain.
    pub client_ip: Option<IpAddr>,
    /// The headers, as sent, that some server would take for one of ours. All of them are to be
    /// removed before the upstream sees the request.
    pub remove: Vec<String>,
}

/// The body of a request.
///
/// Where the proxy passes the body as a string, it has replaced every byte that is not UTF-8 with
/// `!`; that cannot be told from a real `!`. The body that the upstream gets then differs from the
/// one that is read here, in such bytes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None was sent, or the proxy passes none on.
    Absent,
    /// All of it.
    Complete(Bytes),
    /// Not all of it: its length is not the one that was announced, or the proxy says so.
    Partial,
    /// Longer than the configured bound.
    Oversized,
}

/// What a reader is told by the configuration.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Where the caller's address is taken from.
    pub client_ip: ClientIp,
    /// Whose forwarded addresses are believed.
    pub trusted_peers: Vec<ipnet::IpNet>,
    /// What the names of identity headers start with, lower case, ending in `-`.
    pub identity_prefix: String,
    /// Largest accepted body, in bytes.
    pub body_limit: usize,
}

/// Why a request is refused before anything in it is looked at.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// The proxy left out a part of its question.
    #[error("the check has no `{0}`")]
    MissingAttribute(&'static str),
    /// The proxy passed the headers twice.
    #[error("the check has both `headers` and `header_map`")]
    TwoHeaderSets,
    /// A method that is no upper-case token.
    #[error("the method is invalid")]
    Method,
    /// A scheme other than `http` and `https`.
    #[error("the scheme is invalid")]
    Scheme,
    /// The path.
    #[error(transparent)]
    Path(#[from] PathFault),
    /// The authority.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// Two places that must agree do not.
    #[error("the header `{0}` does not agree with the request line")]
    Disagreement(&'static str),
    /// A header.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// More than one `Authorization` header (RFC 6750, section 2).
    #[error("more than one credential was sent")]
    TwoCredentials,
    /// The question itself could not be taken off the wire.
    #[error("{0}")]
    Unreadable(&'static str),
    /// A `Connection` header that would take away an identity header on the way.
    #[error("the header `connection` names a protected header")]
    ProtectedConnection,
}

/// A request that was refused, with as much of it as an answer and a log need.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub error: RequestError,
    /// The method as sent, at most 256 bytes.
    pub method: String,
    /// The host as sent, at most 256 bytes.
    pub host: String,
    /// The path as sent, without the query, at most 256 bytes.
    pub path: String,
    /// As [`Head::request_id`].
    pub request_id: String,
    /// The resource that the proxy's route names.
    pub resource: Option<String>,
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        Self {
            error,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            request_id: String::new(),
            resource: None,
        }
    }
}

impl ReadOptions {
    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            client_ip: config.client_ip,
            trusted_peers: config.listen.trusted_peers.clone(),
            identity_prefix: config.identity_headers.prefix.clone(),
            body_limit: config.limits.body,
        }
    }
}

impl RequestError {
    /// Whether the fault lies in how the credential was presented, so that the answer is a
    /// challenge with `invalid_request` (RFC 6750, section 3.1).
    pub fn is_credential_fault(&self) -> bool {
        matches!(
            self,
            Self::TwoCredentials | Self::Path(PathFault::TokenInQuery)
        )
    }
}

/// What a dialect hands over.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The method.
    pub(super) method: String,
    /// The scheme, or empty.
    pub(super) scheme: String,
    /// The authority.
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
    /// The headers.
    pub(super) headers: HeaderBag,
    /// Whether pseudo headers and `host` are the request's own, and so must agree with the rest.
    pub(super) own_head: bool,
    /// The address that the proxy was asked from.
    pub(super) peer: Option<IpAddr>,
    /// As much of the body as was passed on.
    pub(super) body: Bytes,
    /// The body's length, where the proxy says.
    pub(super) size: Option<u64>,
    /// The resource that the proxy's route names.
    pub(super) resource: Option<String>,
    /// A fault that the dialect itself found.
    pub(super) fault: Option<RequestError>,
}

/// Reads what a dialect handed over.
pub(super) fn assemble(mut wire: Wire, options: &ReadOptions) -> Result<Incoming, Box<Refused>> {
    let request_id = request_id(&mut wire.headers);
    match read(&mut wire, options) {
        Ok((mut head, credential, body)) => {
            head.request_id = request_id;
            Ok(Incoming {
                head,
                credential,
                body,
                resource: wire.resource,
            })
        }
        Err(error) => Err(Box::new(Refused {
            error,
            method: noted(&wire.method),
            host: noted(&wire.host),
            path: noted(wire.target.split('?').next().unwrap_or_default()),
            request_id,
            resource: wire.resource,
        })),
    }
}

type Parts = (Head, Result<Credential, CredentialFault>, Body);

fn read(wire: &mut Wire, options: &ReadOptions) -> Result<Parts, RequestError> {
    if let Some(fault) = wire.fault.take() {
        return Err(fault);
    }
    check_method(&wire.method)?;
    let scheme = scheme(&wire.scheme)?;
    let (path, _) = CanonicalPath::parse(&wire.target)?;
    let host = host::normalise(&wire.host, &scheme)?;
    if wire.own_head {
        check_agreement(wire, &scheme, &host)?;
    }
    check_connection(&wire.headers, &options.identity_prefix)?;
    let client_ip = client_ip::find(&wire.headers, wire.peer, options);
    let remove = wire.headers.folding(&options.identity_prefix);
    let headers = &mut wire.headers;
    let credential = credential(headers)?;
    let length = content_length(headers)?;
    let partial = is_partial(headers);
    let preflight = headers
        .values("access-control-request-method")
        .next()
        .is_some();
    let head = Head {
        method: wire.method.clone(),
        scheme,
        host,
        path,
        origin: headers.take("origin")?,
        preflight,
        protocol_version: headers.take("mcp-protocol-version")?,
        mcp_method: headers.take("mcp-method")?,
        mcp_name: headers.take("mcp-name")?,
        session: headers.take("mcp-session-id")?,
        content_type: headers.take("content-type")?,
        content_encoding: content_encoding(headers)?,
        request_id: String::new(),
        traceparent: headers.take("traceparent").unwrap_or(None),
        client_ip,
        remove,
    };
    let body = body(wire, length, partial, options.body_limit);
    Ok((head, credential, body))
}

fn check_method(method: &str) -> Result<(), RequestError> {
    let valid = (1..=MAX_METHOD).contains(&method.len())
        && method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if valid {
        Ok(())
    } else {
        Err(RequestError::Method)
    }
}

fn scheme(scheme: &str) -> Result<String, RequestError> {
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "" | "http" | "https" => Ok(scheme),
        _ => Err(RequestError::Scheme),
    }
}

/// The pseudo headers (RFC 9113, section 8.3.1) and `host`, where they are there, say the same as
/// the request line.
fn check_agreement(wire: &Wire, scheme: &str, host: &str) -> Result<(), RequestError> {
    for (name, expected) in [
        (":method", wire.method.as_str()),
        (":path", wire.target.as_str()),
    ] {
        if wire
            .headers
            .values(name)
            .any(|value| value != expected.as_bytes())
        {
            return Err(RequestError::Disagreement(name));
        }
    }
    let foreign = |value: &[u8]| !value.eq_ignore_ascii_case(scheme.as_bytes());
    if wire.headers.values(":scheme").any(foreign) {
        return Err(RequestError::Disagreement(":scheme"));
    }
    for name in [":authority", "host"] {
        if let Some(value) = wire.headers.single(name)?
            && host::normalise(value, scheme)? != host
        {
            return Err(RequestError::Disagreement(name));
        }
    }
    Ok(())
}

fn check_connection(headers: &HeaderBag, prefix: &str) -> Result<(), RequestError> {
    let mut options = headers
        .values("connection")
        .flat_map(|value| value.split(|byte| *byte == b','));
    if options.any(|option| folds_to(option.trim_ascii(), prefix)) {
        return Err(RequestError::ProtectedConnection);
    }
    Ok(())
}

/// A value that cannot be read is a bad credential, but two of them are a bad request.
fn credential(
    headers: &mut HeaderBag,
) -> Result<Result<Credential, CredentialFault>, RequestError> {
    match headers.take("authorization") {
        Ok(value) => match Credential::from_authorization(value.as_deref()) {
            Err(CredentialFault::Several) => Err(RequestError::TwoCredentials),
            read => Ok(read),
        },
        Err(HeaderFault::Repeated(_)) => Err(RequestError::TwoCredentials),
        Err(HeaderFault::Value(_)) => Ok(Err(CredentialFault::Malformed)),
        Err(fault @ (HeaderFault::TooMany | HeaderFault::Missing(_))) => Err(fault.into()),
    }
}

fn content_length(headers: &mut HeaderBag) -> Result<Option<u64>, HeaderFault> {
    let name = "content-length";
    let Some(text) = headers.take(name)? else {
        return Ok(None);
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HeaderFault::Value(name));
    }
    text.parse().map(Some).map_err(|_| HeaderFault::Value(name))
}

/// With buffering off a client's own header comes through, so `false` proves nothing.
fn is_partial(headers: &HeaderBag) -> bool {
    headers
        .values("x-envoy-auth-partial-body")
        .any(|value| value != b"false")
}

fn content_encoding(headers: &HeaderBag) -> Result<Option<String>, HeaderFault> {
    let name = "content-encoding";
    let mut joined: Option<String> = None;
    for value in headers.values(name) {
        let value = std::str::from_utf8(value).map_err(|_| HeaderFault::Value(name))?;
        match &mut joined {
            None => joined = Some(value.trim().to_owned()),
            Some(joined) => {
                joined.push(',');
                joined.push_str(value.trim());
            }
        }
    }
    Ok(joined)
}

fn body(wire: &mut Wire, announced: Option<u64>, partial: bool, limit: usize) -> Body {
    let bytes = std::mem::take(&mut wire.body);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let differs = |announced: Option<u64>| announced.is_some_and(|expected| expected != length);
    if bytes.len() > limit {
        Body::Oversized
    } else if partial || differs(announced) || differs(wire.size) {
        Body::Partial
    } else if bytes.is_empty() {
        Body::Absent
    } else {
        Body::Complete(bytes)
    }
}

fn request_id(headers: &mut HeaderBag) -> String {
    match headers.take("x-request-id") {
        Ok(Some(id)) if id.len() <= MAX_REQUEST_ID && !id.contains(' ') => id,
        Ok(Some(_) | None) | Err(_) => String::new(),
    }
}

fn noted(text: &str) -> String {
    start_of(text, MAX_NOTED).to_owned()
}

/// The start of a text, whole characters of at most `limit` bytes.
pub(super) fn start_of(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    (0..=limit)
        .rev()
        .find_map(|end| text.get(..end))
        .unwrap_or_default()
}
