//! What holds for every token of one issuer, however it is verified.

use std::time::Duration;

use crate::config::claims::Assertions;
use crate::config::claims::ClaimPaths;

/// The rules for the tokens of one issuer, whether they are signed or introspected.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The exact `iss`. Of an introspection without a configured issuer: the authenticator's name.
    pub issuer: String,
    /// Accepted audiences; empty: those of the resource asked for.
    pub audiences: Vec<String>,
    /// The product whose tokens these are.
    pub preset: Option<Preset>,
    /// Where facts are found in the claims.
    pub claims: ClaimPaths,
    /// What the issuer may assert as roles.
    pub roles: Assertions,
    /// What the issuer may assert as groups.
    pub groups: Assertions,
    /// What the issuer may assert as scopes.
    pub scopes: Assertions,
    /// Tolerated difference of clocks, 0 to 300 s.
    pub leeway: Duration,
    /// Longest accepted time from now to `exp`.
    pub max_lifetime: Duration,
    /// Proofs of possession (RFC 9449).
    pub dpop: DpopRules,
    /// `insecure_skip_audience`: accept any audience.
    pub insecure_skip_audience: bool,
    /// `insecure_skip_expiry`: accept tokens without `exp` and expired ones.
    pub insecure_skip_expiry: bool,
    /// `insecure_skip_issued_at`: accept an `iat` in the future.
    pub insecure_skip_issued_at: bool,
}

/// What is asked of DPoP (RFC 9449). A token that is bound to a key always needs a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DpopRules {
    /// `required`: tokens that are not bound to a key are refused.
    pub required: bool,
    /// `nonce`: proofs must carry a nonce of ours (RFC 9449, section 9).
    pub nonce: bool,
}

/// Products whose tokens have a shape of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Keycloak
    Keycloak,
    /// Auth0
    Auth0,
    /// Microsoft Entra ID
    Entra,
    /// Okta
    Okta,
    /// Amazon Cognito
    Cognito,
}
