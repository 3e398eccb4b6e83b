//! Authenticators of type `introspection`: tokens that their issuer is asked about (RFC 7662).

use secrecy::SecretString;
use url::Url;

use crate::config::authenticator::Remote;
use crate::config::token_rules::TokenRules;

/// Where to ask, and what must hold of the answer.
#[derive(Clone, Debug)]
pub struct IntrospectionRules {
    /// What holds for the tokens.
    pub tokens: TokenRules,
    /// Whether `issuer` was configured: an `iss` in the answer must then equal it, and JWS-shaped
    /// tokens of that `iss` are answered here.
    pub issuer_is_configured: bool,
    /// The introspection endpoint.
    pub endpoint: Url,
    /// Who asks (RFC 6749, section 2.3.1).
    pub client_id: String,
    /// His secret.
    pub client_secret: SecretString,
    /// How the endpoint is reached.
    pub remote: Remote,
}
