//! What a caller sent to prove who he is, before anything about it is believed.

use std::fmt;

/// The longest credential that is read at all, in bytes. The configured bound on tokens is lower
/// and is applied by [`UnverifiedToken::parse`](super::gate::UnverifiedToken::parse).
pub const MAX_CREDENTIAL_BYTES: usize = 64 * 1024;

/// Everything that a request presents, as it was sent. Which of it is a credential depends on the
/// resource: [`Presented::choose`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// `Authorization`
    pub authorization: Result<Authorization, CredentialFault>,
    /// The headers that some authenticator takes keys from, those that were sent, in the order of
    /// the configuration.
    pub keys: Vec<HeaderKey>,
    /// `DPoP`
    pub proof: Result<Option<DpopProof>, CredentialFault>,
    /// What the proxy says of the client's certificate.
    pub certificate: Option<PeerCertificate>,
}

/// What an `Authorization` header holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It was not sent.
    Absent,
    /// `Bearer` (RFC 6750, section 2.1).
    Bearer(BearerToken),
    /// `DPoP` (RFC 9449, section 7.1).
    Dpop(BearerToken),
}

/// A key in a header of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderKey {
    /// The header, lower case.
    pub header: String,
    /// What it holds: a secret; or why that is no key.
    pub key: Result<KeyText, CredentialFault>,
}

/// The text of an API key; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

/// A `DPoP` proof, of which nothing is believed yet; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct DpopProof(String);

/// What the proxy says of the certificate that the client presented to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The identity that the proxy read from it: a URI, a DNS name or a subject.
    pub principal: Option<String>,
    /// The SHA-256 of the certificate, DER, where the proxy passes the certificate or its hash on.
    pub sha256: Option<[u8; 32]>,
}

/// The credential of one request at one resource. Absent and bad are different things: a bad one is
/// a [`CredentialFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// None was sent.
    Absent,
    /// `Authorization: Bearer`
    Bearer(&'a BearerToken),
    /// `Authorization: DPoP`
    Dpop(&'a BearerToken),
    /// A key in this header, lower case.
    Key(&'a str, &'a KeyText),
    /// No header, but a certificate.
    Certificate(&'a PeerCertificate),
}

/// A bearer token in the form of RFC 7235's `token68`; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(String);

/// Why an `Authorization` header, or a key in a header of its own, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// A well-formed header of a scheme that is not spoken here.
    #[error("the authorization scheme is not supported")]
    UnsupportedScheme,
    /// No scheme, no token, more than one token, or characters that no token has.
    #[error("the credential is malformed")]
    Malformed,
    /// Two headers that a proxy has joined into one line.
    #[error("more than one credential was sent")]
    Several,
    /// Longer than [`MAX_CREDENTIAL_BYTES`].
    #[error("the credential is too long")]
    TooLong,
}

impl Default for Presented {
    /// Nothing at all.
    fn default() -> Self {
        Self {
            authorization: Ok(Authorization::Absent),
            keys: Vec::new(),
            proof: Ok(None),
            certificate: None,
        }
    }
}

impl Presented {
    /// The credential for a resource that takes keys from the headers that `takes_key` names, and
    /// certificates as identities if `takes_certificate` says so. A certificate counts only when
    /// there is no header credential.
    ///
    /// # Errors
    ///
    /// [`CredentialFault::Several`] for two header credentials; else what is wrong with the one.
    pub fn choose(
        &self,
        takes_key: impl Fn(&str) -> bool,
        takes_certificate: bool,
    ) -> Result<Credential<'_>, CredentialFault> {
        let mut keys = self.keys.iter().filter(|key| takes_key(&key.header));
        let key = keys.next();
        if keys.next().is_some() {
            return Err(CredentialFault::Several);
        }
        match (&self.authorization, key) {
            (Ok(Authorization::Absent), Some(key)) => match &key.key {
                Ok(text) => Ok(Credential::Key(&key.header, text)),
                Err(fault) => Err(*fault),
            },
            (_, Some(_)) => Err(CredentialFault::Several),
            (Ok(Authorization::Bearer(token)), None) => Ok(Credential::Bearer(token)),
            (Ok(Authorization::Dpop(token)), None) => Ok(Credential::Dpop(token)),
            (Ok(Authorization::Absent), None) => Ok(match &self.certificate {
                Some(certificate) if takes_certificate => Credential::Certificate(certificate),
                Some(_) | None => Credential::Absent,
            }),
            (Err(fault), None) => Err(*fault),
        }
    }
}

impl Authorization {
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
        let made: fn(BearerToken) -> Self = if scheme.eq_ignore_ascii_case("bearer") {
            Self::Bearer
        } else if scheme.eq_ignore_ascii_case("dpop") {
            Self::Dpop
        } else {
            return Err(CredentialFault::UnsupportedScheme);
        };
        let token = rest.trim_start_matches(' ');
        if !is_token68(token) {
            return Err(CredentialFault::Malformed);
        }
        Ok(made(BearerToken(token.to_owned())))
    }
}

impl BearerToken {
    /// The token itself: a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyText {
    /// A key of 1 to [`MAX_CREDENTIAL_BYTES`] visible ASCII characters.
    ///
    /// # Errors
    ///
    /// [`CredentialFault::Malformed`], [`CredentialFault::TooLong`].
    pub fn new(text: String) -> Result<Self, CredentialFault> {
        visible(text).map(Self)
    }

    /// The key itself: a secret.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DpopProof {
    /// A proof of 1 to [`MAX_CREDENTIAL_BYTES`] visible ASCII characters.
    ///
    /// # Errors
    ///
    /// [`CredentialFault::Malformed`], [`CredentialFault::TooLong`].
    pub fn new(text: String) -> Result<Self, CredentialFault> {
        visible(text).map(Self)
    }

    /// The proof itself: whoever has it may use it once.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText([redacted])")
    }
}

impl fmt::Debug for DpopProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DpopProof([redacted])")
    }
}

fn visible(text: String) -> Result<String, CredentialFault> {
    if text.len() > MAX_CREDENTIAL_BYTES {
        Err(CredentialFault::TooLong)
    } else if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(CredentialFault::Malformed)
    } else {
        Ok(text)
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
    // Every byte is looked at, whatever the others are: the compiler then looks at many at once.
    let fits = body.bytes().fold(true, |fits, b| fits & is_token68_byte(b));
    fits && !body.is_empty()
}

/// Whether a `token68` may hold the byte (RFC 7235, section 2.1): letters, digits and `-._~+/`. A
/// token is hundreds of bytes, and this is asked of each, so it does not branch.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "a branch for each byte is what this avoids"
)]
fn is_token68_byte(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let dash_dot_slash = byte.wrapping_sub(b'-') < 3;
    letter | digit | dash_dot_slash | (byte == b'_') | (byte == b'~') | (byte == b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str) -> Option<String> {
        match Authorization::from_authorization(Some(value)) {
            Ok(Authorization::Bearer(token)) => Some(token.as_str().to_owned()),
            Ok(Authorization::Absent | Authorization::Dpop(_)) | Err(_) => None,
        }
    }

    #[test]
    fn absent_is_not_bad() {
        assert_eq!(
            Authorization::from_authorization(None),
            Ok(Authorization::Absent)
        );
        assert_eq!(
            Authorization::from_authorization(Some("")),
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
            ("BearerX abc", UnsupportedScheme),
            (long.as_str(), TooLong),
        ] {
            let found = Authorization::from_authorization(Some(value));
            assert_eq!(found, Err(fault), "{value:.40}");
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let credential = Authorization::from_authorization(Some("Bearer s3cr3t")).unwrap();
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
            let read = Authorization::from_authorization(Some(value)).map(|_| ());
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
