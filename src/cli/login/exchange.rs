//! The code for a token (RFC 6749, section 4.1.3), at the token endpoint.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Certificate;
use reqwest::Client;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::redirect;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use thiserror::Error as ThisError;
use url::form_urlencoded;

use crate::cli::login::callback;
use crate::cli::login::request::Attempt;
use crate::cli::login::server::Server;
use crate::cli::printable;
use crate::config::Remote;
use crate::json;
use crate::json::StrictValue;
use crate::source::fetch;

/// Largest accepted answer, in bytes.
const LARGEST: usize = 64 * 1024;

/// Longest time to a connection, names and TLS included.
const CONNECT: Duration = Duration::from_secs(5);

/// Longest time to the last byte.
const TOTAL: Duration = Duration::from_secs(10);

const MAX_DEPTH: usize = 16;

/// Longest text of the server that is passed on, in characters.
const LONGEST_TEXT: usize = 300;

/// What the server grants.
pub(super) struct Granted {
    /// Visible ASCII.
    pub(super) access_token: SecretString,
    /// In seconds.
    pub(super) expires_in: Option<u64>,
    /// As the server says it.
    pub(super) scope: Option<String>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq, ThisError)]
pub(super) enum ExchangeError {
    #[error("no HTTP client can be set up: {0}")]
    Client(String),
    #[error("no answer from the token endpoint: {0}")]
    Connect(String),
    #[error("no complete answer from the token endpoint within {} s", TOTAL.as_secs())]
    Slow,
    #[error("the answer of the token endpoint is larger than {LARGEST} bytes")]
    Large,
    #[error("the token endpoint refused: `{code}`{text}{help}")]
    Refused {
        code: String,
        text: String,
        help: &'static str,
    },
    #[error(
        "the token endpoint answered with the status {status} and `{content_type}`, which is no \
         OAuth answer; is `token_endpoint` in the metadata right?"
    )]
    NotOAuth { status: u16, content_type: String },
    #[error("the answer of the token endpoint is refused: {0}")]
    Malformed(&'static str),
    #[error(
        "the server binds its tokens to a DPoP key, which would be lost with this command; \
         register a client that gets bearer tokens"
    )]
    Dpop,
}

/// Asks a token endpoint. It follows no redirect, which would carry the code elsewhere, and uses no
/// proxy.
#[derive(Debug)]
pub(super) struct Exchange(Client);

impl Exchange {
    pub(super) fn new(remote: &Remote) -> Result<Self, ExchangeError> {
        fetch::install_tls();
        let failed = |error: reqwest::Error| ExchangeError::Client(innermost(&error));
        let mut builder = Client::builder()
            .user_agent(concat!("cedargate/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .https_only(!remote.insecure_allow_http)
            .connect_timeout(CONNECT)
            .timeout(TOTAL);
        if let Some(pem) = &remote.ca_pem {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(failed)?);
        }
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// Exchanges the code, as a public client or with the client's secret.
    pub(super) async fn redeem(
        &self,
        server: &Server,
        attempt: &Attempt,
        code: &SecretString,
        secret: Option<&SecretString>,
    ) -> Result<Granted, ExchangeError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose_secret())
            .append_pair("redirect_uri", &attempt.redirect_uri)
            .append_pair("code_verifier", attempt.verifier.expose_secret());
        if secret.is_none() {
            form.append_pair("client_id", &attempt.asked.client_id);
        }
        if let Some(resource) = &attempt.asked.resource {
            form.append_pair("resource", resource);
        }
        let mut request = self
            .0
            .post(server.token_endpoint.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish());
        if let Some(secret) = secret {
            let basic = basic(&attempt.asked.client_id, secret);
            request = request.header(header::AUTHORIZATION, basic);
        }
        let response = request.send().await.map_err(|error| sort(&error))?;
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map_or("", |value| value.to_str().unwrap_or("?"));
        let content_type = content_type.to_ascii_lowercase();
        let body = read(response).await?;
        answer(status, &content_type, &body)
    }
}

/// RFC 6749, section 2.3.1: both halves are form-encoded before they are joined.
fn basic(client_id: &str, secret: &SecretString) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose_secret()));
    format!("Basic {}", STANDARD.encode(pair))
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| sort(&error))? {
        if body.len().saturating_add(chunk.len()) > LARGEST {
            return Err(ExchangeError::Large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads an answer (RFC 6749, sections 5.1 and 5.2).
fn answer(status: StatusCode, content_type: &str, body: &[u8]) -> Result<Granted, ExchangeError> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let document = (essence == "application/json").then(|| json::parse(body, MAX_DEPTH));
    let text = |document: &StrictValue, name: &str| {
        let text = document.get(name).and_then(StrictValue::as_text);
        text.map(str::to_owned)
    };
    if status != StatusCode::OK {
        return Err(match document {
            Some(Ok(document)) if text(&document, "error").is_some() => {
                let code = text(&document, "error").unwrap_or_default();
                let said = text(&document, "error_description");
                ExchangeError::Refused {
                    help: callback::help(&code),
                    code: printable::cut(&code, LONGEST_TEXT),
                    text: said
                        .map(|said| format!(": {}", printable::cut(&said, LONGEST_TEXT)))
                        .unwrap_or_default(),
                }
            }
            Some(_) | None => ExchangeError::NotOAuth {
                status: status.as_u16(),
                content_type: printable::cut(content_type, LONGEST_TEXT),
            },
        });
    }
    let Some(document) = document else {
        return Err(ExchangeError::NotOAuth {
            status: status.as_u16(),
            content_type: printable::cut(content_type, LONGEST_TEXT),
        });
    };
    let document = document.map_err(|_| ExchangeError::Malformed("it is not strict JSON"))?;
    let token_type = text(&document, "token_type")
        .ok_or(ExchangeError::Malformed("`token_type` is not a text"))?;
    if token_type.eq_ignore_ascii_case("dpop") {
        return Err(ExchangeError::Dpop);
    }
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(ExchangeError::Malformed("`token_type` is not `Bearer`"));
    }
    let access_token = text(&document, "access_token")
        .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(ExchangeError::Malformed(
            "`access_token` is not a text of visible ASCII characters",
        ))?;
    let expires_in = document.get("expires_in").and_then(StrictValue::as_integer);
    Ok(Granted {
        access_token: access_token.into(),
        expires_in: expires_in.and_then(|seconds| u64::try_from(seconds).ok()),
        scope: text(&document, "scope"),
    })
}

fn sort(error: &reqwest::Error) -> ExchangeError {
    if error.is_timeout() {
        return ExchangeError::Slow;
    }
    ExchangeError::Connect(innermost(error))
}

/// The innermost cause says something; outer ones repeat the URL.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "application/json; charset=utf-8";

    fn granted(body: &str) -> Result<Granted, ExchangeError> {
        answer(StatusCode::OK, JSON, body.as_bytes())
    }

    #[test]
    fn a_grant_is_read_strictly() {
        let full = r#"{"access_token":"t","token_type":"bearer","expires_in":300,"scope":"a b",
            "refresh_token":"r"}"#;
        let full = granted(full).unwrap();
        assert_eq!(full.access_token.expose_secret(), "t");
        assert_eq!(full.expires_in, Some(300));
        assert_eq!(full.scope.as_deref(), Some("a b"));
        assert!(granted(r#"{"access_token":"t","token_type":"Bearer"}"#).is_ok());
        for body in [
            r#"{"access_token":"t"}"#,
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":1,"token_type":"Bearer"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            r#"{"access_token":"a\nb","token_type":"Bearer"}"#,
            r#"{"access_token":"t","token_type":["Bearer"]}"#,
            r#"{"access_token":"t","token_type":"mac"}"#,
            r#"{"access_token":"t","access_token":"u","token_type":"Bearer"}"#,
            "[]",
            "",
        ] {
            let fault = granted(body).unwrap_err();
            assert!(matches!(fault, ExchangeError::Malformed(_)), "{body}");
        }
        let dpop = granted(r#"{"access_token":"t","token_type":"DPoP"}"#);
        assert_eq!(dpop.unwrap_err(), ExchangeError::Dpop);
    }

    #[test]
    fn a_refusal_is_told_with_what_helps() {
        let refused = |status: StatusCode, content_type: &str, body: &str| {
            let fault = answer(status, content_type, body.as_bytes()).unwrap_err();
            fault.to_string()
        };
        let body = r#"{"error":"invalid_client","error_description":"no\u001b[2J"}"#;
        let told = refused(StatusCode::UNAUTHORIZED, JSON, body);
        assert!(told.starts_with("the token endpoint refused: `invalid_client`: no\\u001b[2J; "));
        assert!(told.contains("CEDARGATE_CLIENT_SECRET"), "{told}");
        for (status, content_type, body) in [
            (StatusCode::OK, "text/html", "<html>"),
            (
                StatusCode::OK,
                "",
                r#"{"access_token":"t","token_type":"Bearer"}"#,
            ),
            (StatusCode::BAD_GATEWAY, "text/html", "<html>"),
            (StatusCode::BAD_REQUEST, JSON, "{}"),
            (StatusCode::FOUND, "", ""),
            (
                StatusCode::CREATED,
                JSON,
                r#"{"access_token":"t","token_type":"Bearer"}"#,
            ),
        ] {
            let told = refused(status, content_type, body);
            assert!(told.contains(status.as_str()), "{told}");
            assert!(told.contains("token_endpoint"), "{told}");
        }
    }

    #[test]
    fn the_secret_is_encoded_before_it_is_joined() {
        let header = basic("a:b", &"p w%".to_owned().into());
        let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap());
        assert_eq!(pair.unwrap(), b"a%3Ab:p+w%25");
    }

    #[test]
    fn a_grant_does_not_show_its_token() {
        let granted = granted(r#"{"access_token":"s3cr3t","token_type":"Bearer"}"#).unwrap();
        assert!(!format!("{granted:?}").contains("s3cr3t"));
    }
}
