//! Authenticators of type `static_token`: one bearer token that the operator wrote down.

use std::fmt;

use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::grants;
use crate::config::grants::Grants;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::written_secret;
use crate::config::written_secret::Digest;
use crate::config::yaml::Node;

/// One bearer token, and who its holder is.
#[derive(Clone)]
pub struct StaticTokenRules {
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// Who its holder is.
    pub subject: String,
    /// What its holder is.
    pub grants: Grants,
}

/// Without the digest: that of a short token gives it away.
impl fmt::Debug for StaticTokenRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokenRules")
            .field("subject", &self.subject)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

const HELP: &str = "make one with `openssl rand -hex 32`";

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(mut map: Mapping<'_>, declared: &mut Declared, faults: &mut Faults<'_>) {
    let digest = map
        .required("token", faults)
        .and_then(|node| read_token(node, faults));
    let subject = map
        .required("subject", faults)
        .and_then(|node| read_subject(node, faults));
    let grants = grants::read(&mut map, faults);
    map.finish(faults);
    if let (Some(digest), Some(subject)) = (digest, subject) {
        declared.kind = Some(AuthenticatorKind::StaticToken(Box::new(StaticTokenRules {
            digest,
            subject,
            grants,
        })));
    }
}

/// A subject or a client id: the part of a principal's id after the `#`.
pub(super) fn read_subject(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    if text.contains('#') {
        let message = format!("{} cannot name a caller", shown(node, text));
        faults.error_help(&node.place, message, "no `#`");
        return None;
    }
    Some(text.to_owned())
}

fn read_token(node: &Node, faults: &mut Faults<'_>) -> Option<Digest> {
    let token = written_secret::read(node, HELP, faults)?;
    if !is_token68(token) {
        faults.error_help(
            &node.place,
            "a token with characters that no bearer token has",
            "letters, digits and `-._~+/`, with `=` at the end only (RFC 6750, section 2.1)",
        );
        return None;
    }
    if looks_like_jws(token) {
        faults.error_help(
            &node.place,
            "a token in the form of a signed JWT",
            "such tokens are answered by the authenticator of their issuer: make a random one",
        );
        return None;
    }
    Some(written_secret::digest_of(token))
}

/// RFC 7235, section 2.1.
fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Three parts in the base64url alphabet, empty ones included, of which the first begins with an
/// encoded `{`: at least all that is taken for a JWS when it is sent.
fn looks_like_jws(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let mut start = token.bytes();
    parts.len() == 3
        && start.next() == Some(b'e')
        && start
            .next()
            .is_some_and(|second| matches!(second, b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_looks_like_a_jws_is_known() {
        for (token, expected) in [
            ("eyJhbGciOiJub25lIn0.e30.c2ln", true),
            ("eyJhbGciOiJub25lIn0.e30.", true),
            ("ewogImEiOjF9.a.b", true),
            ("e30.e30.e30", true),
            ("eyJhbGciOiJub25lIn0.e30", false),
            ("eyJhbGciOiJub25lIn0.e30.a.b", false),
            ("eyJhbGciOiJub25lIn0.e3+0.a", false),
            ("eaJhbGciOiJub25lIn0.e30.a", false),
            ("abc.def.ghi", false),
            ("e", false),
            ("", false),
        ] {
            assert_eq!(looks_like_jws(token), expected, "{token}");
        }
    }

    #[test]
    fn a_bearer_token_is_a_token68() {
        for text in ["a", "a==", "-._~+/", "0123"] {
            assert!(is_token68(text), "{text}");
        }
        for text in ["", "=", "a=b", "a b", "a,b", "\u{e9}", "a\""] {
            assert!(!is_token68(text), "{text}");
        }
    }
}
