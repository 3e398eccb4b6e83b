//! Authenticators of type `static_token`: one bearer token that the operator wrote down.

use std::collections::BTreeSet;

/// One bearer token, and who its holder is.
#[derive(Clone, Debug)]
pub struct StaticTokenRules {
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// Who its holder is.
    pub subject: String,
    /// What its holder is.
    pub grants: Grants,
}

/// What the operator says of a caller who has no token to say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The tenant, or empty.
    pub tenant: String,
}
