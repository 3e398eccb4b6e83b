//! What a caller presents to prove who it is, before anything of it is verified.

use std::fmt;

use thiserror::Error;

/// A credential as it was sent: its shape has been checked, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None was sent.
    Absent,
    /// A bearer token (RFC 6750, section 2.1).
    Bearer(BearerToken),
}

/// A bearer token; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

/// Why an `Authorization` header holds no credential that can be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CredentialFault {
    /// A scheme other than `Bearer`.
    #[error("the authorization scheme is not supported")]
    UnsupportedScheme,
    /// `Bearer` without exactly one token68 (RFC 9110, section 11.2) after it.
    #[error("the bearer token is malformed")]
    Malformed,
}

impl Credential {
    /// Reads the value of an `Authorization` header.
    pub fn from_authorization(value: Option<&str>) -> Result<Self, CredentialFault> {
        let Some(value) = value else {
            return Ok(Self::Absent);
        };
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(CredentialFault::UnsupportedScheme);
        }
        let body = token.trim_end_matches('=');
        let valid = !body.is_empty()
            && body
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        if valid {
            Ok(Self::Bearer(BearerToken(token.to_owned())))
        } else {
            Err(CredentialFault::Malformed)
        }
    }
}

impl BearerToken {
    /// The token itself: for verification only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_well_formed_bearer_token_is_a_credential() {
        let read = Credential::from_authorization;
        assert_eq!(read(None), Ok(Credential::Absent));
        for good in ["Bearer a.b.c", "bearer a-_~+/==", "BEARER x"] {
            assert!(
                matches!(read(Some(good)), Ok(Credential::Bearer(_))),
                "{good}"
            );
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer =",
        ] {
            assert_eq!(read(Some(bad)), Err(CredentialFault::Malformed), "{bad}");
        }
        for other in ["", "Basic eDp5", "DPoP a", "a.b.c"] {
            assert_eq!(
                read(Some(other)),
                Err(CredentialFault::UnsupportedScheme),
                "{other}"
            );
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let credential = Credential::from_authorization(Some("Bearer secret")).unwrap();
        assert!(!format!("{credential:?}").contains("secret"));
    }
}
