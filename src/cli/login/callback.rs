//! What comes back from the browser, and what it is told. Whoever runs a web page can send requests
//! to a port of this machine, so only an answer that knows the `state` counts for anything.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::header;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use url::form_urlencoded;

use crate::cli::printable;

/// The only path that is answered.
const PATH: &str = "/callback";

/// Longest authorization code, in bytes.
const LONGEST_CODE: usize = 4 * 1024;

/// Longest text of the server that is passed on, in characters.
const LONGEST_TEXT: usize = 300;

/// What the answer to an attempt must look like.
pub(super) struct Expected {
    /// Ours.
    pub(super) port: u16,
    /// Known to the server and the browser only.
    pub(super) state: SecretString,
    /// Who was asked.
    pub(super) issuer: String,
    /// `iss` must be there (RFC 9207, section 2.4).
    pub(super) must_name_issuer: bool,
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("port", &self.port)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Why the login has failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Refused {
    #[error("the authorization server refused: `{code}`{text}{help}")]
    ByServer {
        code: String,
        text: String,
        help: &'static str,
    },
    #[error(
        "the answer comes from another authorization server than was asked (`iss`); the code was \
         not used"
    )]
    OtherIssuer,
    #[error(
        "the answer does not say which authorization server it is from (`iss`), although this one \
         always does; the code was not used"
    )]
    NoIssuer,
    #[error("the authorization server sent neither a usable code nor an error")]
    NoCode,
}

/// What a request is good for.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing: the wait goes on.
    Ignored(Page),
    /// It ends the wait.
    Final(Result<SecretString, Refused>),
}

/// A page for the browser. It says nothing that the request has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The code is here.
    Done,
    /// The login has failed.
    Failed,
    /// The wait is over.
    Over,
    /// Not GET.
    Method,
    /// Another host: a name that somebody has pointed at this machine.
    Host,
    /// Another path.
    Path,
    /// A parameter twice.
    Repeated,
    /// No `state`, or another.
    State,
}

/// Judges one request.
pub(super) fn judge(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    expected: &Expected,
) -> Verdict {
    if !is_ours(uri, headers, expected.port) {
        return Verdict::Ignored(Page::Host);
    }
    if uri.path() != PATH {
        return Verdict::Ignored(Page::Path);
    }
    if *method != Method::GET {
        return Verdict::Ignored(Page::Method);
    }
    let Some(parameters) = parameters(uri.query().unwrap_or_default()) else {
        return Verdict::Ignored(Page::Repeated);
    };
    let state = parameters.get("state").map_or("", String::as_str);
    let state = state.as_bytes();
    if !bool::from(state.ct_eq(expected.state.expose_secret().as_bytes())) {
        return Verdict::Ignored(Page::State);
    }
    Verdict::Final(outcome(&parameters, expected))
}

/// The answer of whoever knows the state.
fn outcome(
    parameters: &BTreeMap<String, String>,
    expected: &Expected,
) -> Result<SecretString, Refused> {
    // First, so that not even an error of another server is believed (RFC 9207, section 2.4).
    match parameters.get("iss") {
        Some(issuer) if *issuer != expected.issuer => return Err(Refused::OtherIssuer),
        None if expected.must_name_issuer => return Err(Refused::NoIssuer),
        Some(_) | None => {}
    }
    if let Some(code) = parameters.get("error") {
        let text = parameters.get("error_description");
        return Err(Refused::ByServer {
            code: printable::cut(code, LONGEST_TEXT),
            text: text
                .map(|text| format!(": {}", printable::cut(text, LONGEST_TEXT)))
                .unwrap_or_default(),
            help: help(code),
        });
    }
    parameters
        .get("code")
        .filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE)
        .map(|code| SecretString::from(code.as_str()))
        .ok_or(Refused::NoCode)
}

/// What helps against an error of RFC 6749, section 4.1.2.1, RFC 8707 or `OpenID` Connect.
pub(super) fn help(code: &str) -> &'static str {
    match code {
        "invalid_target" => "; the server does not know the resource of `--resource`",
        "invalid_scope" => "; the server or the client does not have a scope of `--scope`",
        "unauthorized_client" => "; the client is not registered for the authorization code",
        "invalid_client" => {
            "; the client is unknown, or has a secret, which goes into `CEDARGATE_CLIENT_SECRET`"
        }
        "invalid_grant" => "; the code was used already, is too old or was for somebody else",
        _ => "",
    }
}

/// Whether the request is for `127.0.0.1` and this port by name. A page of another origin whose
/// name has come to lead here (DNS rebinding) gives itself away by its `Host`.
fn is_ours(uri: &Uri, headers: &HeaderMap, port: u16) -> bool {
    let named = |host: &str| {
        let with_port = host
            .strip_prefix("127.0.0.1:")
            .is_some_and(|rest| rest == port.to_string());
        with_port || (port == 80 && host == "127.0.0.1")
    };
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let agrees = uri
        .authority()
        .is_none_or(|authority| named(authority.as_str()));
    agrees && host.to_str().is_ok_and(named)
}

/// The parameters; `None` when one is there twice (RFC 6749, section 3.1).
fn parameters(query: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if found
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return None;
        }
    }
    Some(found)
}

impl Page {
    /// The status of the answer.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Done => StatusCode::OK,
            Self::Failed | Self::Repeated | Self::State => StatusCode::BAD_REQUEST,
            Self::Over => StatusCode::GONE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
        }
    }

    /// The answer, HTML.
    pub(super) fn html(self) -> String {
        let (title, text) = match self {
            Self::Done => (
                "The browser's part is done",
                "You can close this page. The terminal says whether you are logged in.",
            ),
            Self::Failed => (
                "The login has failed",
                "You can close this page. The terminal says why.",
            ),
            Self::Over => (
                "This login is over",
                "An answer has been here before. To log in again, start again in the terminal.",
            ),
            Self::Method => (
                "Not like this",
                "This address is only for a browser to open.",
            ),
            Self::Host => ("Not by this name", "This address goes by 127.0.0.1 only."),
            Self::Path => ("Nothing here", "Only a login comes back to this port."),
            Self::Repeated => (
                "An ambiguous answer",
                "A parameter is there twice. The terminal still waits for a good answer.",
            ),
            Self::State => (
                "Not an answer to this login",
                "Perhaps it belongs to an earlier one. The terminal still waits: open the URL that \
                 it shows.",
            ),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
             <h1>{title}</h1><p>{text}</p></html>\n"
        )
    }
}

#[cfg(test)]
mod tests;
