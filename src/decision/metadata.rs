//! The protected resource metadata (RFC 9728), built once per resource.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::Resource;
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
    bearer_methods_supported: [&'static str; 1],
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
    pub fn build(
        resource: &Resource,
        authenticators: &[Arc<Authenticator>],
    ) -> Result<Self, serde_json::Error> {
        let issuers = resource
            .authenticators
            .iter()
            .filter_map(|index| authenticators.get(*index));
        let written = Written {
            resource: &resource.url,
            authorization_servers: issuers.filter_map(|a| authorization_server(a)).collect(),
            scopes_supported: &resource.metadata.scopes_supported,
            bearer_methods_supported: ["header"],
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

/// The issuer, where it is one that a client could talk to.
fn authorization_server(authenticator: &Authenticator) -> Option<&str> {
    match &authenticator.kind {
        AuthenticatorKind::Jwt(rules) => {
            let issuer = rules.tokens.issuer.as_str();
            (issuer.starts_with("https://") || issuer.starts_with("http://")).then_some(issuer)
        }
        AuthenticatorKind::Introspection(_)
        | AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::StaticToken(_)
        | AuthenticatorKind::Mtls(_)
        | AuthenticatorKind::Anonymous => None,
    }
}
