//! Why a `DPoP` proof was refused: the detail for the log, and a short text for its sender.

use crate::identity::key_set::KeyFault;
use crate::identity::token_fault::TokenFault;

/// Why a proof was refused. `Display` is for the log and holds nothing that the sender chose;
/// [`DpopFault::public`] is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DpopFault {
    /// Not a compact JWS of strict JSON.
    #[error("the DPoP proof has no sound form: {0}")]
    Form(#[from] TokenFault),
    /// `typ` is not `dpop+jwt`.
    #[error("the `typ` of the DPoP proof is not `dpop+jwt`")]
    TypeRefused,
    /// `alg` is absent, unknown or symmetric.
    #[error("the algorithm of the DPoP proof is not accepted")]
    AlgorithmRefused,
    /// A header parameter that must not be there.
    #[error("the header parameter `{0}` of the DPoP proof is refused")]
    HeaderRefused(&'static str),
    /// `jwk` is absent, not a sound public key, or not one for `alg`.
    #[error("the `jwk` of the DPoP proof is refused: {0}")]
    Key(#[from] KeyFault),
    /// The token beside the proof is bound to another key.
    #[error("the token is bound to another key than that of the DPoP proof")]
    KeyMismatch,
    /// The token beside the proof is bound to no key.
    #[error("the token beside the DPoP proof is bound to no key")]
    TokenNotBound,
    /// The signature does not verify with the proof's own key.
    #[error("the signature of the DPoP proof does not verify")]
    BadSignature,
    /// A required claim is absent.
    #[error("the claim `{0}` of the DPoP proof is missing")]
    ClaimMissing(&'static str),
    /// A claim of the wrong type or outside its range.
    #[error("the claim `{0}` of the DPoP proof is malformed")]
    ClaimMalformed(&'static str),
    /// `htm` is another method.
    #[error("the DPoP proof is for another method")]
    MethodMismatch,
    /// `htu` is another URL.
    #[error("the DPoP proof is for another URL")]
    UrlMismatch,
    /// `iat` is too long ago, or `exp` has passed.
    #[error("the DPoP proof is too old")]
    TooOld,
    /// `iat` is too far ahead, or `nbf` is to come.
    #[error("the DPoP proof is from the future")]
    FromTheFuture,
    /// `ath` is the hash of another token.
    #[error("the DPoP proof is for another token")]
    TokenMismatch,
    /// A nonce of ours is wanted, and the proof has none, a foreign one, or an old one.
    #[error("the DPoP proof carries no nonce that was issued here lately")]
    NonceWanted,
}

/// The `error` of a `DPoP` challenge (RFC 9449, sections 5, 7.1 and 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DpopError {
    /// The proof is missing, or does not pass.
    InvalidProof,
    /// The proof carries no nonce of ours, or an old one.
    UseNonce,
    /// The token does not go with the scheme, or with the key of the proof.
    InvalidToken,
}

impl DpopError {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidProof => "invalid_dpop_proof",
            Self::UseNonce => "use_dpop_nonce",
            Self::InvalidToken => "invalid_token",
        }
    }
}

impl DpopFault {
    /// The `error` of the challenge (RFC 9449, section 7.1 and section 9). A proof by another key
    /// than the token's is a fault of the token, as in the example of section 7.1.
    pub fn error(&self) -> DpopError {
        match self {
            Self::NonceWanted => DpopError::UseNonce,
            Self::KeyMismatch | Self::TokenNotBound => DpopError::InvalidToken,
            Self::Form(_)
            | Self::TypeRefused
            | Self::AlgorithmRefused
            | Self::HeaderRefused(_)
            | Self::Key(_)
            | Self::BadSignature
            | Self::ClaimMissing(_)
            | Self::ClaimMalformed(_)
            | Self::MethodMismatch
            | Self::UrlMismatch
            | Self::TooOld
            | Self::FromTheFuture
            | Self::TokenMismatch => DpopError::InvalidProof,
        }
    }

    /// The text for the client: short, without detail, fit for `error_description` (RFC 6750,
    /// section 3).
    pub fn public(&self) -> &'static str {
        match self {
            Self::Form(_) => "malformed proof",
            Self::TypeRefused => "proof type not accepted",
            Self::AlgorithmRefused => "proof algorithm not accepted",
            Self::HeaderRefused(_) => "proof header not accepted",
            Self::Key(_) => "proof key not accepted",
            Self::KeyMismatch => "token is bound to another key",
            Self::TokenNotBound => "token is not bound to a key",
            Self::BadSignature => "proof signature does not verify",
            Self::ClaimMissing(_) | Self::ClaimMalformed(_) => "proof claims not accepted",
            Self::MethodMismatch => "proof is for another method",
            Self::UrlMismatch => "proof is for another url",
            Self::TooOld => "proof too old",
            Self::FromTheFuture => "proof issued in the future",
            Self::TokenMismatch => "proof is for another token",
            Self::NonceWanted => "proof needs a nonce issued here",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_codes() {
        const PROOF: &str = "invalid_dpop_proof";
        for (fault, error) in [
            (DpopFault::Form(TokenFault::NotCompact), PROOF),
            (DpopFault::TypeRefused, PROOF),
            (DpopFault::AlgorithmRefused, PROOF),
            (DpopFault::HeaderRefused("crit"), PROOF),
            (DpopFault::Key(KeyFault::PrivateMember), PROOF),
            (DpopFault::KeyMismatch, "invalid_token"),
            (DpopFault::TokenNotBound, "invalid_token"),
            (DpopFault::BadSignature, PROOF),
            (DpopFault::ClaimMissing("jti"), PROOF),
            (DpopFault::ClaimMalformed("jti"), PROOF),
            (DpopFault::MethodMismatch, PROOF),
            (DpopFault::UrlMismatch, PROOF),
            (DpopFault::TooOld, PROOF),
            (DpopFault::FromTheFuture, PROOF),
            (DpopFault::TokenMismatch, PROOF),
            (DpopFault::NonceWanted, "use_dpop_nonce"),
        ] {
            assert_eq!(fault.error().as_str(), error, "{fault}");
            let public = fault.public();
            assert!(!public.is_empty() && public.len() < 64);
            assert!(
                public.chars().all(|c| c.is_ascii_lowercase() || c == ' '),
                "{public}"
            );
            let detail = fault.to_string();
            assert!(
                detail.contains("DPoP") && !detail.ends_with('.'),
                "{detail}"
            );
        }
    }
}
