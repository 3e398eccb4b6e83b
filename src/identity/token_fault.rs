//! Why a token was refused: the detail for the log, and a short text for its bearer.

use std::fmt;

use crate::json::JsonFault;

/// Part of a compact token (RFC 7515, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The claims set.
    Claims,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims set",
            Self::Signature => "signature",
        })
    }
}

/// Why a token was refused. `Display` is for the log and holds nothing that the sender chose;
/// [`TokenFault::public`] is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Longer than the configured bound.
    #[error("the token is {length} bytes long; the bound is {bound}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The bound in bytes.
        bound: usize,
    },
    /// Five parts: a JWE (RFC 7516), which nobody here can decrypt.
    #[error("the token is encrypted")]
    Encrypted,
    /// Not three parts.
    #[error("the token is not a compact JWS of three parts")]
    NotCompact,
    /// Empty, or not canonical base64url without padding.
    #[error("the {0} is not canonical base64url")]
    Encoding(Part),
    /// Not strict JSON.
    #[error("the {0} is refused: {1}")]
    Json(Part, JsonFault),
    /// JSON, but not an object.
    #[error("the {0} is not an object")]
    NotAnObject(Part),
    /// `alg` is absent, or names nothing that is known here.
    #[error("the algorithm is not known")]
    AlgorithmUnknown,
    /// `alg` is not accepted from this issuer, or not what the key is for.
    #[error("the algorithm is not accepted")]
    AlgorithmRefused,
    /// A header parameter that must not be there.
    #[error("the header parameter `{0}` is refused")]
    HeaderRefused(&'static str),
    /// A header parameter of the wrong type, or too long, or with characters that cannot be shown.
    #[error("the header parameter `{0}` is malformed")]
    HeaderMalformed(&'static str),
    /// `typ` is none of those that are accepted from this issuer.
    #[error("the token type is not accepted")]
    TypeRefused,
    /// A member that only ID tokens, refresh tokens, proofs and the like have, or a value that says
    /// so.
    #[error("`{0}` says that this is not an access token")]
    NotAnAccessToken(&'static str),
    /// The token has no `kid`, and several keys fit.
    #[error("the token names no key, and several fit")]
    KeyAmbiguous,
    /// No authenticator has this issuer, or the token has none.
    #[error("the issuer is unknown")]
    UnknownIssuer,
    /// A required claim is absent.
    #[error("the claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// A claim of the wrong type or outside its range.
    #[error("the claim `{0}` is malformed")]
    ClaimMalformed(&'static str),
    /// The value of a mapped claim holds control characters.
    #[error("the claim for `{0}` holds control characters")]
    ControlCharacters(&'static str),
    /// More of something than is carried on; facts are never dropped to make room.
    #[error("the token says too much: {0}")]
    TooMany(&'static str),
    /// Two claims would have one name for policies.
    #[error("two claims have one name once they are flattened")]
    ClaimsCollide,
    /// `cnf` binds the token to something that cannot be checked here.
    #[error("the token is bound (`cnf`) in a way that cannot be checked")]
    BoundToken,
    /// A proof of possession is required, and `cnf` names no key for one.
    #[error("the token is not bound to a key, and must be")]
    NotBound,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is to come.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// `exp` is further away than the configured bound.
    #[error("the token lives longer than is accepted")]
    LifetimeTooLong,
    /// None of the audiences is accepted.
    #[error("the audience does not match")]
    AudienceMismatch,
    /// Neither a subject nor a client.
    #[error("the token names neither a subject nor a client")]
    NoPrincipal,
}

impl TokenFault {
    /// The text for the client: short, without detail, fit for `error_description` (RFC 6750,
    /// section 3).
    pub fn public(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "token too long",
            Self::Encrypted => "encrypted tokens are not supported",
            Self::NotCompact
            | Self::Encoding(_)
            | Self::Json(..)
            | Self::NotAnObject(_)
            | Self::HeaderMalformed(_) => "malformed token",
            Self::AlgorithmUnknown | Self::AlgorithmRefused => "algorithm not accepted",
            Self::HeaderRefused(_) => "token header not accepted",
            Self::TypeRefused => "token type not accepted",
            Self::NotAnAccessToken(_) => "not an access token",
            Self::KeyAmbiguous => "token names no key",
            Self::UnknownIssuer => "unknown issuer",
            Self::ClaimMissing(_)
            | Self::ClaimMalformed(_)
            | Self::ControlCharacters(_)
            | Self::TooMany(_)
            | Self::ClaimsCollide => "claims not accepted",
            Self::BoundToken => "token binding not supported",
            Self::NotBound => "token is not bound to a key",
            Self::Expired => "token expired",
            Self::NotYetValid => "token not yet valid",
            Self::IssuedInFuture => "token issued in the future",
            Self::LifetimeTooLong => "token lifetime too long",
            Self::AudienceMismatch => "audience does not match",
            Self::NoPrincipal => "token names no subject",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_texts_are_safe_in_a_challenge() {
        let all = [
            TokenFault::TooLong {
                length: 2,
                bound: 1,
            },
            TokenFault::Encrypted,
            TokenFault::NotCompact,
            TokenFault::Encoding(Part::Signature),
            TokenFault::Json(Part::Header, JsonFault::TooDeep),
            TokenFault::NotAnObject(Part::Claims),
            TokenFault::AlgorithmUnknown,
            TokenFault::AlgorithmRefused,
            TokenFault::HeaderRefused("crit"),
            TokenFault::HeaderMalformed("kid"),
            TokenFault::TypeRefused,
            TokenFault::NotAnAccessToken("nonce"),
            TokenFault::KeyAmbiguous,
            TokenFault::UnknownIssuer,
            TokenFault::ClaimMissing("exp"),
            TokenFault::ClaimMalformed("exp"),
            TokenFault::ControlCharacters("subject"),
            TokenFault::TooMany("roles"),
            TokenFault::ClaimsCollide,
            TokenFault::BoundToken,
            TokenFault::NotBound,
            TokenFault::Expired,
            TokenFault::NotYetValid,
            TokenFault::IssuedInFuture,
            TokenFault::LifetimeTooLong,
            TokenFault::AudienceMismatch,
            TokenFault::NoPrincipal,
        ];
        for fault in all {
            let public = fault.public();
            assert!(!public.is_empty() && public.len() < 64);
            assert!(
                public.chars().all(|c| c.is_ascii_lowercase() || c == ' '),
                "{public}"
            );
            let detail = fault.to_string();
            assert!(!detail.is_empty() && !detail.ends_with('.'), "{detail}");
        }
    }
}
