//! The authorization server, as its metadata describes it (RFC 8414).

use thiserror::Error;
use url::Url;

use crate::json::StrictValue;
use crate::source::discovery;
use crate::source::fetch::FetchFault;
use crate::source::fetch::Fetcher;

/// What a login needs to know of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `issuer`
    pub(super) issuer: String,
    /// Where the browser goes.
    pub(super) authorization_endpoint: Url,
    /// Where the code is exchanged.
    pub(super) token_endpoint: Url,
    /// It promises to name itself in each answer (RFC 9207).
    pub(super) names_itself: bool,
    /// It says that it supports PKCE with S256.
    pub(super) states_pkce: bool,
}

/// Why nobody can log in there.
#[derive(Debug, Error)]
pub(super) enum ServerError {
    #[error("the metadata of `{issuer}` cannot be fetched")]
    Unreachable { issuer: String, source: FetchFault },
    #[error(
        "the metadata of `{issuer}` cannot be used; `--issuer` must be what the metadata itself \
         names, to the last slash"
    )]
    Metadata { issuer: String, source: FetchFault },
    #[error(
        "the metadata of `{0}` cannot be fetched without TLS; `--insecure-allow-http` accepts \
         that for a server of your own"
    )]
    Plain(String),
    #[error("the metadata has no usable `{0}`")]
    Endpoint(&'static str),
    #[error("the `{name}` of the metadata cannot be asked")]
    Forbidden {
        name: &'static str,
        source: FetchFault,
    },
    #[error(
        "the server does not support PKCE with S256 (`code_challenge_methods_supported`), \
         without which a code can be stolen"
    )]
    NoPkce,
    #[error("the server does not support the authorization code (`{0}`)")]
    NoCode(&'static str),
}

impl Server {
    /// Reads the metadata.
    pub(super) async fn find(fetcher: &Fetcher, issuer: &str) -> Result<Self, ServerError> {
        let found = discovery::find_metadata(fetcher, issuer).await;
        let metadata = found.map_err(|source| {
            let issuer = issuer.to_owned();
            if matches!(source, FetchFault::Url(_)) && issuer.starts_with("http://") {
                ServerError::Plain(issuer)
            } else if matches!(source, FetchFault::Discovery(_)) {
                ServerError::Metadata { issuer, source }
            } else {
                ServerError::Unreachable { issuer, source }
            }
        })?;
        let server = Self::read(&metadata, issuer)?;
        for (name, url) in [
            ("authorization_endpoint", &server.authorization_endpoint),
            ("token_endpoint", &server.token_endpoint),
        ] {
            let checked = fetcher.check(url);
            checked.map_err(|source| ServerError::Forbidden { name, source })?;
        }
        Ok(server)
    }

    fn read(metadata: &StrictValue, issuer: &str) -> Result<Self, ServerError> {
        let methods = metadata.get("code_challenge_methods_supported");
        if methods.is_some_and(|methods| !lists(methods, "S256")) {
            return Err(ServerError::NoPkce);
        }
        for (name, wanted) in [
            ("response_types_supported", "code"),
            ("grant_types_supported", "authorization_code"),
        ] {
            let listed = metadata.get(name);
            if listed.is_some_and(|listed| !lists(listed, wanted)) {
                return Err(ServerError::NoCode(name));
            }
        }
        let promise = metadata.get("authorization_response_iss_parameter_supported");
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: endpoint(metadata, "authorization_endpoint")?,
            token_endpoint: endpoint(metadata, "token_endpoint")?,
            names_itself: promise == Some(&StrictValue::Bool(true)),
            states_pkce: methods.is_some(),
        })
    }
}

fn lists(list: &StrictValue, wanted: &str) -> bool {
    let items = list.as_array().unwrap_or_default();
    items.iter().any(|item| item.as_text() == Some(wanted))
}

/// An endpoint may have a query and has no fragment (RFC 6749, sections 3.1 and 3.2).
fn endpoint(metadata: &StrictValue, name: &'static str) -> Result<Url, ServerError> {
    metadata
        .get(name)
        .and_then(StrictValue::as_text)
        .and_then(|text| Url::parse(text).ok())
        .filter(|url| url.fragment().is_none())
        .ok_or(ServerError::Endpoint(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn read(more: &str) -> Result<Server, ServerError> {
        let text = format!(
            r#"{{"issuer":"https://i","authorization_endpoint":"https://i/a?x=1",
                "token_endpoint":"https://i/t"{more}}}"#
        );
        Server::read(&json::parse(text.as_bytes(), 8).unwrap(), "https://i")
    }

    #[test]
    fn metadata_says_how_to_log_in() {
        let plain = read("").unwrap();
        assert_eq!(plain.authorization_endpoint.as_str(), "https://i/a?x=1");
        assert_eq!(plain.token_endpoint.as_str(), "https://i/t");
        assert!(!plain.names_itself && !plain.states_pkce);
        let full = read(
            r#","code_challenge_methods_supported":["plain","S256"],"response_types_supported":
                ["code"],"authorization_response_iss_parameter_supported":true"#,
        );
        let full = full.unwrap();
        assert!(full.names_itself && full.states_pkce);
    }

    #[test]
    fn a_server_that_cannot_do_it_is_refused() {
        for more in [
            r#","code_challenge_methods_supported":["plain"]"#,
            r#","code_challenge_methods_supported":[]"#,
            r#","code_challenge_methods_supported":"S256""#,
            r#","code_challenge_methods_supported":null"#,
            r#","code_challenge_methods_supported":["s256"]"#,
        ] {
            assert!(matches!(read(more), Err(ServerError::NoPkce)), "{more}");
        }
        for more in [
            r#","response_types_supported":["token"]"#,
            r#","grant_types_supported":["client_credentials"]"#,
        ] {
            assert!(matches!(read(more), Err(ServerError::NoCode(_))), "{more}");
        }
        for text in [
            r#"{"token_endpoint":"https://i/t"}"#,
            r#"{"authorization_endpoint":"https://i/a"}"#,
            r#"{"authorization_endpoint":"/a","token_endpoint":"https://i/t"}"#,
            r#"{"authorization_endpoint":"https://i/a#x","token_endpoint":"https://i/t"}"#,
            r#"{"authorization_endpoint":["https://i/a"],"token_endpoint":"https://i/t"}"#,
        ] {
            let metadata = json::parse(text.as_bytes(), 8).unwrap();
            let read = Server::read(&metadata, "https://i");
            assert!(matches!(read, Err(ServerError::Endpoint(_))), "{text}");
        }
    }
}
