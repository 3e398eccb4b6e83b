//! The protected resource metadata (RFC 9728), built once per resource.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::Resource;
use crate::config::TokenRules;
use crate::decision::challenge;
use crate::request::resource::METADATA_PATH;

/// The metadata of one resource, ready to send.
#[derive(Clone, Debug)]
pub struct MetadataDocument {
    /// Where clients fetch it.
    pub url: String,
    /// The JSON text.
    pub body: Bytes,
}

#[derive(Serialize)]
struct Written<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes_supported: &'a [String],
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    bearer_methods_supported: &'a [&'static str],
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    dpop_signing_alg_values_supported: &'a [&'static str],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens_required: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource_documentation: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource_policy_uri: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    resource_tos_uri: &'a str,
}

impl MetadataDocument {
    /// The document of `resource`. Every fact comes from the configuration, none from a request.
    ///
    /// There is no `tls_client_certificate_bound_access_tokens`: tokens that are bound to a certificate
    /// are accepted wherever the proxy passes certificates on, which is not known here, and no issuer
    /// can be told to send no others.
    pub fn build(
        resource: &Resource,
        authenticators: &[Arc<Authenticator>],
    ) -> Result<Self, serde_json::Error> {
        let accepted = || {
            let indices = resource.authenticators.iter();
            indices.filter_map(|index| authenticators.get(*index))
        };
        let tokens: Vec<&TokenRules> = accepted().filter_map(|one| one.kind.tokens()).collect();
        let is_bearer =
            |one: &Arc<Authenticator>| matches!(one.kind, AuthenticatorKind::StaticToken(_));
        let takes_bearer = !tokens.is_empty() || accepted().any(is_bearer);
        let algorithms = challenge::proof_algorithms();
        let written = Written {
            resource: &resource.url,
            authorization_servers: authorization_servers(&tokens),
            scopes_supported: &resource.metadata.scopes_supported,
            bearer_methods_supported: if takes_bearer { &["header"] } else { &[] },
            dpop_signing_alg_values_supported: if tokens.is_empty() { &[] } else { &algorithms },
            dpop_bound_access_tokens_required: !tokens.is_empty()
                && tokens.iter().all(|rules| rules.dpop.required),
            resource_name: &resource.metadata.resource_name,
            resource_documentation: &resource.metadata.resource_documentation,
            resource_policy_uri: &resource.metadata.resource_policy_uri,
            resource_tos_uri: &resource.metadata.resource_tos_uri,
        };
        let body = Bytes::from(serde_json::to_vec(&written)?);
        Ok(Self {
            url: url(resource),
            body,
        })
    }
}

/// `https://host/.well-known/oauth-protected-resource/path`
fn url(resource: &Resource) -> String {
    let path = if resource.path == "/" {
        ""
    } else {
        resource.path.as_str()
    };
    format!(
        "{}://{}{METADATA_PATH}{path}",
        resource.scheme, resource.authority
    )
}

/// The issuers that a client could talk to, each once. A name that stands in for an unknown issuer
/// is no URL, and neither is the issuer of development tokens.
fn authorization_servers<'a>(tokens: &[&'a TokenRules]) -> Vec<&'a str> {
    let mut servers = Vec::new();
    for rules in tokens {
        let issuer = rules.issuer.as_str();
        let reachable = issuer.starts_with("https://") || issuer.starts_with("http://");
        if reachable && !servers.contains(&issuer) {
            servers.push(issuer);
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::SecretString;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::config::DEV_ISSUER;
    use crate::config::IntrospectionRules;
    use crate::config::Remote;
    use crate::fault::Source;

    const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

    /// What the document says when the shipped resource accepts these instead of its own.
    fn document(edit: impl Fn(TokenRules) -> Vec<AuthenticatorKind>) -> Value {
        let source = Source {
            name: "cedargate.yaml".into(),
            text: include_str!("../../deploy/envoy/cedargate.yaml").into(),
        };
        let config = crate::config::parse(&source, Path::new("."), &|_: &str| None)
            .unwrap()
            .config;
        let rules = config.authenticators[0].kind.tokens().unwrap().clone();
        let made = |kind| {
            let name = "a".into();
            Arc::new(Authenticator { name, kind })
        };
        let authenticators: Vec<_> = edit(rules).into_iter().map(made).collect();
        let mut resource = (*config.resources[0]).clone();
        resource.authenticators = (0..authenticators.len()).collect();
        let built = MetadataDocument::build(&resource, &authenticators).unwrap();
        assert_eq!(built.url, METADATA);
        serde_json::from_slice(&built.body).unwrap()
    }

    fn opaque(issuer: &str, required: bool, rules: TokenRules) -> AuthenticatorKind {
        let mut tokens = TokenRules {
            issuer: issuer.to_owned(),
            ..rules
        };
        tokens.dpop.required = required;
        AuthenticatorKind::Introspection(Box::new(IntrospectionRules {
            tokens,
            issuer_is_configured: true,
            endpoint: "https://auth.example.com/introspect".parse().unwrap(),
            client_id: "rs".to_owned(),
            client_secret: SecretString::from("secret"),
            remote: Remote {
                ca_pem: None,
                insecure_allow_http: false,
            },
        }))
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let strangers = document(|_| vec![AuthenticatorKind::Anonymous]);
        let expected = json!({"resource": "https://mcp.example.com/mcp"});
        assert_eq!(strangers, expected);
    }

    #[test]
    fn each_issuer_that_is_a_url_is_listed_once() {
        let found = document(|rules| {
            let issuers = [
                "https://a.example",
                "opaque",
                DEV_ISSUER,
                "http://b.example",
            ];
            let issuers = issuers.into_iter().chain(["https://a.example"]);
            let kinds = issuers.map(|issuer| opaque(issuer, false, rules.clone()));
            kinds.collect()
        });
        let servers = ["https://a.example", "http://b.example"];
        assert_eq!(found["authorization_servers"], json!(servers));
        assert_eq!(found["dpop_signing_alg_values_supported"][6], "ES256");
        assert_eq!(found.get("dpop_bound_access_tokens_required"), None);
    }

    #[test]
    fn bound_tokens_are_required_where_no_other_is_accepted() {
        for (required, expected) in [
            (&[true, true][..], Some(json!(true))),
            (&[true, false], None),
            (&[], None),
        ] {
            let found = document(|rules| {
                let kinds = required.iter();
                kinds
                    .map(|required| opaque("https://a.example", *required, rules.clone()))
                    .chain([AuthenticatorKind::Anonymous])
                    .collect()
            });
            let member = found.get("dpop_bound_access_tokens_required");
            assert_eq!(member.cloned(), expected, "{required:?}");
        }
    }
}
