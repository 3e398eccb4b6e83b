//! One attempt to log in: its secrets, and the URL that begins it.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use thiserror::Error;
use url::Url;

use crate::cli::login::callback::Expected;
use crate::cli::login::server::Server;
use crate::cli::sign;

/// What the operator asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) resource: Option<String>,
    /// Separated by spaces, or empty.
    pub(super) scope: String,
}

/// An attempt, which is never made twice.
pub(super) struct Attempt {
    pub(super) asked: Asked,
    /// Where the browser comes back to (RFC 8252, section 7.3).
    pub(super) redirect_uri: String,
    /// The code verifier (RFC 7636, section 4.1).
    pub(super) verifier: SecretString,
    state: SecretString,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no random numbers are to be had")]
pub(super) struct NoRandom;

impl Attempt {
    pub(super) fn new(asked: Asked, port: u16) -> Result<Self, NoRandom> {
        Ok(Self {
            asked,
            redirect_uri: format!("http://127.0.0.1:{port}/callback"),
            verifier: random()?,
            state: random()?,
        })
    }

    /// The authorization request (OAuth 2.1, section 4.1.1), with PKCE (RFC 7636, S256) and
    /// `resource` (RFC 8707). What the endpoint's own query says stays.
    pub(super) fn authorization_url(&self, server: &Server) -> Url {
        let mut url = server.authorization_endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.asked.client_id)
                .append_pair("redirect_uri", &self.redirect_uri)
                .append_pair("code_challenge", &challenge(&self.verifier))
                .append_pair("code_challenge_method", "S256")
                .append_pair("state", self.state.expose_secret());
            if !self.asked.scope.is_empty() {
                query.append_pair("scope", &self.asked.scope);
            }
            if let Some(resource) = &self.asked.resource {
                query.append_pair("resource", resource);
            }
        }
        url
    }

    /// What the answer must look like.
    pub(super) fn expected(&self, server: &Server, port: u16) -> Expected {
        Expected {
            port,
            state: self.state.clone(),
            issuer: server.issuer.clone(),
            must_name_issuer: server.names_itself,
        }
    }
}

/// 256 random bits in 43 characters, the shortest that RFC 7636, section 4.1, allows.
fn random() -> Result<SecretString, NoRandom> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(sign::encode(bytes).into())
}

fn challenge(verifier: &SecretString) -> String {
    let verifier = verifier.expose_secret().as_bytes();
    sign::encode(digest::digest(&digest::SHA256, verifier))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        // Appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        assert_eq!(
            challenge(&verifier.into()),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn the_url_asks_for_what_was_asked_and_no_secret_is_in_it() {
        let server = Server {
            issuer: "https://i".to_owned(),
            authorization_endpoint: Url::parse("https://i/a?tenant=t").unwrap(),
            token_endpoint: Url::parse("https://i/t").unwrap(),
            names_itself: false,
            states_pkce: true,
        };
        let asked = Asked {
            client_id: "a b".to_owned(),
            resource: Some("https://r/mcp?x=1&y=2".to_owned()),
            scope: "s1 s2".to_owned(),
        };
        let attempt = Attempt::new(asked, 4711).unwrap();
        let url = attempt.authorization_url(&server);
        assert!(!url.as_str().contains(attempt.verifier.expose_secret()));
        let shown = format!("{attempt:?}");
        for secret in [&attempt.verifier, &attempt.state] {
            assert!(!shown.contains(secret.expose_secret()));
            assert_eq!(secret.expose_secret().len(), 43);
        }
        assert_ne!(
            attempt.verifier.expose_secret(),
            attempt.state.expose_secret()
        );
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let challenge = challenge(&attempt.verifier);
        let expected = [
            ("tenant", "t"),
            ("response_type", "code"),
            ("client_id", "a b"),
            ("redirect_uri", "http://127.0.0.1:4711/callback"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", attempt.state.expose_secret()),
            ("scope", "s1 s2"),
            ("resource", "https://r/mcp?x=1&y=2"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query, BTreeMap::from(expected));
    }
}
