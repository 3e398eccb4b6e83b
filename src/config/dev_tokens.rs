//! Development tokens: an issuer inside the sidecar, for a machine of one's own.

use std::time::Duration;

use secrecy::SecretString;

use crate::config::static_token::Grants;

/// The `iss` of development tokens.
pub const DEV_ISSUER: &str = "urn:cedargate:dev";

/// The `typ` of development tokens.
pub const DEV_TOKEN_TYPE: &str = "dev+jwt";

/// Name of the authenticator that accepts development tokens.
pub const DEV_AUTHENTICATOR: &str = "dev-tokens";

/// Who may fetch development tokens.
#[derive(Clone, Debug)]
pub struct DevTokens {
    /// How long a token is good for.
    pub lifetime: Duration,
    /// The clients; their ids are unique.
    pub clients: Vec<DevClient>,
}

/// A client that may fetch a token.
#[derive(Clone, Debug)]
pub struct DevClient {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The subject of its tokens; absent: the client itself.
    pub subject: Option<String>,
    /// What its tokens say.
    pub grants: Grants,
}
