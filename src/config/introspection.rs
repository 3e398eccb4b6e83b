//! Authenticators of type `introspection`: tokens that their issuer is asked about (RFC 7662).

use std::path::Path;

use secrecy::SecretString;
use url::Url;

use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::authenticator::Remote;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::remote;
use crate::config::scalar;
use crate::config::token_rules;
use crate::config::token_rules::TokenRules;
use crate::config::yaml::Node;

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

const OVER_HTTP: &str = "tokens and the client secret would be sent over plain http";

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(
    mut map: Mapping<'_>,
    base: &Path,
    declared: &mut Declared,
    faults: &mut Faults<'_>,
) {
    let endpoint = map.required("endpoint", faults);
    let client_id = map
        .required("client_id", faults)
        .and_then(|node| read_client_id(node, faults));
    let client_secret = map
        .required("client_secret", faults)
        .and_then(|node| read_client_secret(node, faults));
    let issuer_node = map.optional("issuer");
    if let Some(node) = issuer_node {
        declared.place = node.place.clone();
    }
    let issuer = match issuer_node {
        Some(node) => token_rules::read_issuer(node, faults).map(str::to_owned),
        None => Some(declared.name.to_string()),
    };
    let remote = remote::read(&mut map, base, faults);
    let endpoint = endpoint
        .and_then(|node| remote::read_url(node, remote.insecure_allow_http, OVER_HTTP, faults));
    let tokens = token_rules::read(&mut map, faults);
    map.finish(faults);
    if let (Some(endpoint), Some(client_id), Some(client_secret), Some(issuer)) =
        (endpoint, client_id, client_secret, issuer)
    {
        let rules = IntrospectionRules {
            tokens: TokenRules { issuer, ..tokens },
            issuer_is_configured: issuer_node.is_some(),
            endpoint,
            client_id,
            client_secret,
            remote,
        };
        declared.kind = Some(AuthenticatorKind::Introspection(Box::new(rules)));
    }
}

/// A client id as RFC 6749, appendix A.1, has it, and not empty.
pub(super) fn read_client_id(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    if !text.is_ascii() {
        faults.error_help(
            &node.place,
            "a client id with characters that none has",
            "printable ASCII (RFC 6749, appendix A.1)",
        );
        return None;
    }
    Some(text.to_owned())
}

/// A client secret as RFC 6749, appendix A.2, has it, and not empty. How long it is was for
/// whoever issued it to say.
pub(super) fn read_client_secret(node: &Node, faults: &mut Faults<'_>) -> Option<SecretString> {
    let text = scalar::text(node, faults)?;
    if text.is_empty() {
        faults.error(&node.place, "empty secret");
        return None;
    }
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        faults.error_help(
            &node.place,
            "a client secret with characters that none has",
            "printable ASCII (RFC 6749, appendix A.2)",
        );
        return None;
    }
    Some(SecretString::from(text))
}
