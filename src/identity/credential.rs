//! What a caller sent to prove who he is, before anything about it is believed.

use std::fmt;

/// The longest credential that is read at all, in bytes. The configured bound on tokens is lower
/// and is applied by [`UnverifiedToken::parse`](super::gate::UnverifiedToken::parse).
pub const MAX_CREDENTIAL_BYTES: usize = 64 * 1024;

/// The credential of one request. Absent and bad are different things: a bad one is a
/// [`CredentialFault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None was sent.
    Absent,
    /// `Authorization: Bearer` (RFC 6750, section 2.1).
    Bearer(BearerToken),
}

/// A bearer token in the form of RFC 7235's `token68`; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

/// Why an `Authorization` header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// A well-formed header of a scheme that is not spoken here.
    #[error("the authorization scheme is not supported")]
    UnsupportedScheme,
    /// No scheme, no token, more than one token, or characters that no token has.
    #[error("the authorization header is malformed")]
    Malformed,
    /// Two headers that a proxy has joined into one line.
    #[error("more than one credential was sent")]
    Several,
    /// Longer than [`MAX_CREDENTIAL_BYTES`].
    #[error("the authorization header is too long")]
    TooLong,
}

impl Credential {
    /// Reads the value of the one `Authorization` header, or its absence. The scheme is compared
    /// without case; what follows is exactly one `token68` (RFC 7235, section 2.1).
    ///
    /// # Errors
    ///
    /// [`CredentialFault`] for anything else, an empty header included.
    pub fn from_authorization(value: Option<&str>) -> Result<Self, CredentialFault> {
        let Some(value) = value else {
            return Ok(Self::Absent);
        };
        if value.len() > MAX_CREDENTIAL_BYTES {
            return Err(CredentialFault::TooLong);
        }
        if value.contains(',') && value.split(',').skip(1).any(is_credential) {
            return Err(CredentialFault::Several);
        }
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.is_empty() || !scheme.bytes().all(is_token_byte) {
            return Err(CredentialFault::Malformed);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(CredentialFault::UnsupportedScheme);
        }
        let token = rest.trim_start_matches(' ');
        if !is_token68(token) {
            return Err(CredentialFault::Malformed);
        }
        Ok(Self::Bearer(BearerToken(token.to_owned())))
    }
}

impl BearerToken {
    /// The token itself: a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken([redacted])")
    }
}

/// RFC 9110, section 5.6.2: `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the text could stand in an `Authorization` header by itself: a scheme and a `token68`.
/// Parameters, as other schemes have them after a comma, are not of that form.
fn is_credential(text: &str) -> bool {
    text.trim().split_once(' ').is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && scheme.bytes().all(is_token_byte) && is_token68(rest.trim_start())
    })
}

fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(is_token68_byte)
}

/// Whether a `token68` may hold the byte. A token is hundreds of bytes, and this is asked of each.
fn is_token68_byte(byte: u8) -> bool {
    TOKEN68
        .checked_shr(u32::from(byte))
        .is_some_and(|bits| bits & 1 == 1)
}

/// The characters of a `token68` (RFC 7235, section 2.1): letters, digits and `-._~+/`, each as the
/// bit of its number.
const TOKEN68: u128 = 0x47ff_fffe_87ff_fffe_03ff_e800_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str) -> Option<String> {
        match Credential::from_authorization(Some(value)) {
            Ok(Credential::Bearer(token)) => Some(token.as_str().to_owned()),
            Ok(Credential::Absent) | Err(_) => None,
        }
    }

    #[test]
    fn absent_is_not_bad() {
        assert_eq!(Credential::from_authorization(None), Ok(Credential::Absent));
        assert_eq!(
            Credential::from_authorization(Some("")),
            Err(CredentialFault::Malformed)
        );
    }

    #[test]
    fn one_bearer_token_is_read() {
        for (value, expected) in [
            ("Bearer abc.DEF-1_2~+/", "abc.DEF-1_2~+/"),
            ("bearer a", "a"),
            ("BEARER a==", "a=="),
            ("Bearer  a", "a"),
        ] {
            assert_eq!(token(value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use CredentialFault::Malformed;
        use CredentialFault::TooLong;
        use CredentialFault::UnsupportedScheme;
        let long = format!("Bearer {}", "a".repeat(MAX_CREDENTIAL_BYTES));
        for (value, fault) in [
            ("Bearer", Malformed),
            ("Bearer ", Malformed),
            ("Bearer =", Malformed),
            ("Bearer a b", Malformed),
            ("Bearer a ", Malformed),
            (" Bearer a", Malformed),
            ("Bearer\ta", Malformed),
            ("Bearer a, b", Malformed),
            ("Bearer a=b", Malformed),
            ("Bearer \u{e9}", Malformed),
            ("Bearer \"a\"", Malformed),
            ("Bearer a\u{0}", Malformed),
            ("Basic YTpi", UnsupportedScheme),
            ("DPoP abc", UnsupportedScheme),
            ("BearerX abc", UnsupportedScheme),
            (long.as_str(), TooLong),
        ] {
            let found = Credential::from_authorization(Some(value));
            assert_eq!(found, Err(fault), "{value:.40}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let credential = Credential::from_authorization(Some("Bearer s3cr3t")).unwrap();
        assert!(!format!("{credential:?}").contains("s3cr3t"));
    }

    #[test]
    fn headers_that_were_joined_are_told_from_parameters() {
        for (value, expected) in [
            ("Bearer a,Bearer b", CredentialFault::Several),
            ("Bearer a, DPoP b", CredentialFault::Several),
            ("Basic YTpi,Bearer b", CredentialFault::Several),
            (
                "Digest username=\"a\", realm=\"b c\"",
                CredentialFault::UnsupportedScheme,
            ),
            ("Bearer a,b", CredentialFault::Malformed),
        ] {
            let read = Credential::from_authorization(Some(value)).map(|_| ());
            assert_eq!(read, Err(expected), "{value}");
        }
    }

    #[test]
    fn the_set_of_characters_is_the_one_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_token68_byte(byte), expected, "{byte}");
        }
    }
}
