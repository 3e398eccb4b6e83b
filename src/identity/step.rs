//! The checks on a token in the order in which they are made, so that a refusal can be explained.

use crate::identity::token_fault::TokenFault;
use crate::identity::verifier::VerifyError;

/// One check on a signed token. A token that is refused at one step has passed all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Length, three parts, base64url, strict JSON.
    Form,
    /// What the header holds.
    Header,
    /// Nothing says that this is another kind of token.
    Kind,
    /// `iss`
    Issuer,
    /// `typ`
    Type,
    /// `alg`
    Algorithm,
    /// The key that the token names.
    Key,
    /// The signature.
    Signature,
    /// `cnf`
    Binding,
    /// `exp`, `nbf`, `iat`
    Window,
    /// The claims that make the principal.
    Claims,
    /// `aud`, which alone depends on the resource asked for.
    Audience,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Form,
        Self::Header,
        Self::Kind,
        Self::Issuer,
        Self::Type,
        Self::Algorithm,
        Self::Key,
        Self::Signature,
        Self::Binding,
        Self::Window,
        Self::Claims,
        Self::Audience,
    ];

    /// What holds of a token that has passed, in words that can follow a tick.
    pub fn describes(self) -> &'static str {
        match self {
            Self::Form => "it is a compact JWS of three parts, and its JSON has one reading",
            Self::Header => {
                "its header names a known algorithm, and nothing that changes its meaning"
            }
            Self::Kind => "nothing in it says that it is another kind of token",
            Self::Issuer => "its issuer is the one of the authenticator",
            Self::Type => "its type is one that the authenticator accepts",
            Self::Algorithm => "its algorithm is one that the authenticator accepts",
            Self::Key => "the issuer has the key that it names",
            Self::Signature => "its signature verifies with that key",
            Self::Binding => "what it is bound to can be checked",
            Self::Window => "it is valid now, and does not live too long",
            Self::Claims => "its claims are well-formed and name a caller",
            Self::Audience => "it is meant for this resource",
        }
    }
}

impl TokenFault {
    /// The step at which a signed token is refused for this.
    pub fn step(&self) -> Step {
        match self {
            Self::TooLong { .. }
            | Self::Encrypted
            | Self::NotCompact
            | Self::Encoding(_)
            | Self::Json(..)
            | Self::NotAnObject(_) => Step::Form,
            Self::AlgorithmUnknown | Self::HeaderRefused(_) | Self::HeaderMalformed(_) => {
                Step::Header
            }
            Self::NotAnAccessToken(_) => Step::Kind,
            Self::UnknownIssuer => Step::Issuer,
            Self::TypeRefused => Step::Type,
            Self::AlgorithmRefused => Step::Algorithm,
            Self::KeyAmbiguous => Step::Key,
            Self::BoundToken | Self::NotBound => Step::Binding,
            Self::Expired | Self::NotYetValid | Self::IssuedInFuture | Self::LifetimeTooLong => {
                Step::Window
            }
            Self::ClaimMissing(name)
            | Self::ClaimMalformed(name)
            | Self::ControlCharacters(name)
            | Self::TooMany(name) => step_of_claim(name),
            Self::ClaimsCollide | Self::NoPrincipal => Step::Claims,
            Self::AudienceMismatch => Step::Audience,
        }
    }
}

impl VerifyError {
    /// The step at which a token is refused for this.
    pub fn step(&self) -> Step {
        match self {
            Self::UnknownKey => Step::Key,
            Self::BadSignature => Step::Signature,
            Self::Refused(fault) => fault.step(),
        }
    }
}

/// Claims that have a check of their own.
fn step_of_claim(name: &str) -> Step {
    match name {
        "iss" => Step::Issuer,
        "cnf" => Step::Binding,
        "exp" | "nbf" | "iat" => Step::Window,
        "aud" | "audiences" => Step::Audience,
        _ => Step::Claims,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_in_order() {
        assert!(Step::ALL.is_sorted_by(|a, b| a < b));
        for step in Step::ALL {
            let text = step.describes();
            assert!(text.starts_with(|c: char| c.is_ascii_lowercase()), "{text}");
            assert!(!text.ends_with('.'), "{text}");
        }
    }
}
