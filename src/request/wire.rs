//! What a dialect hands over, and how it becomes an [`Incoming`]: the one place where the head of a
//! request is read, whichever proxy asked.

use std::net::IpAddr;

use bytes::Bytes;

use crate::identity::credential::PeerCertificate;
use crate::identity::credential::Presented;
use crate::request::client_ip;
use crate::request::headers::HeaderBag;
use crate::request::headers::HeaderFault;
use crate::request::headers::folds_to;
use crate::request::host;
use crate::request::incoming::Body;
use crate::request::incoming::Described;
use crate::request::incoming::Head;
use crate::request::incoming::Incoming;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::request::methods::is_modern;
use crate::request::path::CanonicalPath;
use crate::request::presented;

/// Longest request id that is taken over, in bytes.
const MAX_REQUEST_ID: usize = 128;
/// Longest method, in bytes.
const MAX_METHOD: usize = 32;
/// Most bytes of a refused host or path that are kept for the log.
const MAX_NOTED: usize = 256;

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
    /// What the proxy says of the client's certificate.
    pub(super) certificate: Option<PeerCertificate>,
    /// As much of the body as was passed on.
    pub(super) body: Bytes,
    /// The body's length, where the proxy says.
    pub(super) size: Option<u64>,
    /// What the proxy's own reader says of the message.
    pub(super) described: Described,
    /// The resource that the proxy's route names.
    pub(super) resource: Option<String>,
    /// A fault that the dialect itself found.
    pub(super) fault: Option<RequestError>,
}

/// Reads what a dialect handed over.
pub(super) fn assemble(mut wire: Wire, options: &ReadOptions) -> Result<Incoming, Box<Refused>> {
    let request_id = request_id(&mut wire.headers);
    let version = wire.headers.single("mcp-protocol-version");
    let modern = version.is_ok_and(|version| version.is_some_and(is_modern));
    match read(&mut wire, options) {
        Ok((mut head, presented, body)) => {
            head.request_id = request_id;
            Ok(Incoming {
                head,
                presented,
                body,
                described: wire.described,
                resource: wire.resource,
            })
        }
        Err(error) => Err(Box::new(Refused {
            error,
            method: noted(&wire.method),
            host: noted(&wire.host),
            path: noted(wire.target.split('?').next().unwrap_or_default()),
            request_id,
            modern,
            resource: wire.resource,
        })),
    }
}

type Parts = (Head, Presented, Body);

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
    let authorization = presented::authorization(headers)?;
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
        content_type: every(headers, "content-type"),
        content_encoding: every(headers, "content-encoding"),
        request_id: String::new(),
        traceparent: headers.take("traceparent").unwrap_or(None),
        client_ip,
        remove,
    };
    // Last, so that a configuration which takes keys from a header with a meaning of its own finds
    // no key there, instead of taking the meaning away.
    let presented = Presented {
        authorization,
        keys: presented::keys(headers, &options.key_headers),
        proof: presented::proof(headers),
        certificate: wire.certificate.take(),
    };
    let body = body(wire, length, partial, options.body_limit);
    Ok((head, presented, body))
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

/// Every value of a header whose meaning depends on the resource, so that a strange one is not a
/// fault yet; replacement characters and commas are in no value that is accepted later.
fn every(headers: &HeaderBag, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .values(name)
        .map(|value| String::from_utf8_lossy(value.trim_ascii()))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn body(wire: &mut Wire, announced: Option<u64>, partial: bool, limit: usize) -> Body {
    let bytes = std::mem::take(&mut wire.body);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let differs = |announced: Option<u64>| announced.is_some_and(|expected| expected != length);
    let announced_some = |announced: Option<u64>| announced.is_some_and(|expected| expected > 0);
    if bytes.len() > limit {
        Body::Oversized
    } else if bytes.is_empty()
        && !partial
        && (announced_some(announced) || announced_some(wire.size))
    {
        Body::Withheld
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
