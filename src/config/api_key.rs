//! Authenticators of type `api_key`: keys in a header of their own.

use crate::config::static_token::Grants;

/// The keys of one header.
#[derive(Clone, Debug)]
pub struct ApiKeyRules {
    /// The header, lower case.
    pub header: String,
    /// The keys; their ids are unique.
    pub keys: Vec<ApiKey>,
}

/// One key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id, which is also the principal's.
    pub id: String,
    /// The SHA-256 of the whole key.
    pub digest: [u8; 32],
    /// What its holder is.
    pub grants: Grants,
}
