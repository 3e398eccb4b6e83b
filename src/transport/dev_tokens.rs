//! `POST /auth/token`: development tokens by client id and secret (RFC 6749, section 4.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use crate::source::dev_issuer::DevIssuer;
use crate::source::dev_issuer::IssueFault;
use crate::source::dev_issuer::TokenRequest;
use crate::transport::admin;
use crate::transport::limits;
use crate::transport::listener::Peer;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;

/// Where tokens are fetched.
pub const PATH: &str = "/auth/token";

/// Largest body, in bytes.
const LARGEST: usize = 16 * 1024;

/// What can be asked, in a form or as a JSON object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    resource: Vec<String>,
}

/// An error of RFC 6749, section 5.2, with what would help.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

/// What proxies add: behind one, a caller on this machine may speak for anybody.
const ADDED_BY_PROXIES: [&str; 5] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// Answers one request, from this machine only: neither from strangers through a proxy that runs
/// here, nor from a web page whose name has been pointed here.
pub async fn answer(
    issuer: &DevIssuer,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let passed_on = ADDED_BY_PROXIES
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if passed_on || !admin::asks_here(peer, request.headers()) {
        return reply::text(StatusCode::FORBIDDEN, "this caller may not ask\n");
    }
    let outcome = read(request).await.and_then(|form| issue(issuer, &form));
    match outcome {
        Ok(body) => reply::json(StatusCode::OK, body),
        Err(refusal) => {
            let body = json!({
                "error": refusal.error,
                "error_description": refusal.description,
            });
            let mut response = reply::json(refusal.status, body.to_string());
            if refusal.status == StatusCode::UNAUTHORIZED {
                reply::set(
                    &mut response,
                    "www-authenticate",
                    "Basic realm=\"cedargate\"",
                );
            }
            response
        }
    }
}

async fn read(request: Request<Incoming>) -> Result<Form, Refusal> {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error: "invalid_request",
            description: "only POST",
        });
    }
    if head.uri.query().is_some() {
        return Err(invalid("parameters belong into the body"));
    }
    let body = tokio::time::timeout(limits::BODY_TIMEOUT, Limited::new(body, LARGEST).collect());
    let body = match body.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(invalid("the body is too large, or was cut off")),
        Err(_elapsed) => return Err(invalid("the body came too slowly")),
    };
    let mut form = parse(&head.headers, &body)?;
    if let Some((id, secret)) = basic(&head.headers)? {
        if form.client_id.as_ref().is_some_and(|other| *other != id) || form.client_secret.is_some()
        {
            return Err(invalid("the client is named twice"));
        }
        form.client_id = Some(id);
        form.client_secret = Some(secret);
    }
    Ok(form)
}

fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Form, Refusal> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    match media.as_deref() {
        Some("application/json") => serde_json::from_slice(body)
            .map_err(|_| invalid("the body is not a JSON object of known parameters")),
        Some("application/x-www-form-urlencoded") => form(body),
        Some(_) | None => Err(invalid("a form or a JSON object is wanted")),
    }
}

/// Parameters must not be repeated (RFC 6749, section 3.2), but for `resource` (RFC 8707).
fn form(body: &[u8]) -> Result<Form, Refusal> {
    let mut form = Form {
        grant_type: None,
        client_id: None,
        client_secret: None,
        scope: None,
        resource: Vec::new(),
    };
    for (name, value) in url::form_urlencoded::parse(body) {
        let slot = match &*name {
            "grant_type" => &mut form.grant_type,
            "client_id" => &mut form.client_id,
            "client_secret" => &mut form.client_secret,
            "scope" => &mut form.scope,
            "resource" => {
                form.resource.push(value.into_owned());
                continue;
            }
            // RFC 6749, section 3.2: unknown parameters are ignored.
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(invalid("a parameter is repeated"));
        }
    }
    Ok(form)
}

/// RFC 6749, section 2.3.1: both values are form-encoded before they are put together.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) {
            Err(invalid("more than one credential was sent"))
        } else {
            Ok(None)
        };
    };
    let malformed = || invalid("the authorization header is not Basic, or malformed");
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    Ok(Some((form_decoded(id), form_decoded(secret))))
}

fn form_decoded(text: &str) -> String {
    // As the value of a parameter, whatever it holds.
    let parameter = format!("v={}", text.replace('&', "%26"));
    let mut pairs = url::form_urlencoded::parse(parameter.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn issue(issuer: &DevIssuer, form: &Form) -> Result<String, Refusal> {
    if form
        .grant_type
        .as_deref()
        .is_some_and(|grant| grant != "client_credentials")
    {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            error: "unsupported_grant_type",
            description: "only client_credentials",
        });
    }
    let (Some(client_id), Some(client_secret)) = (&form.client_id, &form.client_secret) else {
        return Err(refusal(IssueFault::InvalidClient));
    };
    let asked = TokenRequest {
        client_id,
        client_secret,
        resources: &form.resource,
        scope: form.scope.as_deref(),
    };
    let made = issuer.issue(&asked).map_err(refusal)?;
    let mut body = json!({
        "access_token": made.access_token,
        "token_type": "Bearer",
        "expires_in": made.expires_in,
    });
    // A scope is never empty (RFC 6749, section 3.3).
    if let (Some(body), false) = (body.as_object_mut(), made.scope.is_empty()) {
        body.insert("scope".to_owned(), made.scope.into());
    }
    Ok(body.to_string())
}

fn invalid(description: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        error: "invalid_request",
        description,
    }
}

fn refusal(fault: IssueFault) -> Refusal {
    let (status, error, description) = match fault {
        IssueFault::InvalidClient => (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "no client has this id and this secret",
        ),
        IssueFault::InvalidScope => (
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "the client may not have one of the scopes",
        ),
        IssueFault::InvalidTarget => (
            StatusCode::BAD_REQUEST,
            "invalid_target",
            "one of the resources accepts no development tokens",
        ),
        IssueFault::Unsigned => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the token could not be signed",
        ),
    };
    Refusal {
        status,
        error,
        description,
    }
}
