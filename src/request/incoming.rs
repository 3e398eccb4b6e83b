//! A request as read from a proxy: the head, the credential and the body, apart.
//!
//! Nothing above this knows which proxy asked, or how.

use std::net::IpAddr;

use bytes::Bytes;
use prost_types::Struct;
use thiserror::Error;

use crate::config::ClientIp;
use crate::config::Config;
use crate::identity::credential::Presented;
use crate::request::headers::HeaderFault;
use crate::request::host::HostFault;
use crate::request::path::CanonicalPath;
use crate::request::path::PathFault;
use crate::request::peer_certificate::CertificateFault;

/// One request, read. Nothing of it is believed yet.
#[derive(Debug)]
pub struct Incoming {
    /// What is asked, without the credential.
    pub head: Head,
    /// What may be credentials, moved out of the headers. A bad one is not fatal here: the answer to
    /// it depends on the resource.
    pub presented: Presented,
    /// The body, as far as the proxy passed it on.
    pub body: Body,
    /// What the proxy's own reader says of the message.
    pub described: Described,
    /// The resource that the proxy's route names.
    pub resource: Option<String>,
}

/// What Envoy's MCP filter says of a message, as `metadata_context` passes it on. Whether it is
/// believed is for the rules of the resource to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Described {
    /// Nothing.
    #[default]
    Absent,
    /// Something, under each of the two names that the filter's versions use.
    Twice,
    /// This.
    Fields(Box<Struct>),
}

/// The request line and the headers that decisions read.
#[derive(Clone, Debug)]
pub struct Head {
    /// Method: upper-case letters and hyphens.
    pub method: String,
    /// `http`, `https`, or empty when the proxy does not say.
    pub scheme: String,
    /// Host, lower case, without the scheme's default port.
    pub host: String,
    /// Path, without the query.
    pub path: CanonicalPath,
    /// `Origin`.
    pub origin: Option<String>,
    /// Whether `Access-Control-Request-Method` is there: with `OPTIONS` and an origin, a CORS
    /// preflight (Fetch standard, section 3.2.2).
    pub preflight: bool,
    /// `MCP-Protocol-Version`.
    pub protocol_version: Option<String>,
    /// `Mcp-Method`.
    pub mcp_method: Option<String>,
    /// `Mcp-Name`, not decoded.
    pub mcp_name: Option<String>,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// `Content-Type`; several are joined with commas.
    pub content_type: Option<String>,
    /// `Content-Encoding`; several are joined with commas.
    pub content_encoding: Option<String>,
    /// `x-request-id` of up to 128 visible ASCII characters; else empty.
    pub request_id: String,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// The caller's address, when it is known for certain.
    pub client_ip: Option<IpAddr>,
    /// The headers, as sent, that some server would take for one of ours. The upstream must see
    /// none of them as the client sent it: those that the answer does not set are to be removed.
    pub remove: Vec<String>,
}

/// The body of a request.
///
/// Where the proxy passes the body as a string, it has replaced every byte that is not UTF-8 with
/// `!`; that cannot be told from a real `!`. The body that the upstream gets then differs from the
/// one that is read here, in such bytes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None was sent, or the proxy passes none on.
    Absent,
    /// One was announced, and the proxy passes nothing of it on.
    Withheld,
    /// All of it.
    Complete(Bytes),
    /// Not all of it: its length is not the one that was announced, or the proxy says so.
    Partial,
    /// Longer than the configured bound.
    Oversized,
}

/// What a reader is told by the configuration.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Where the caller's address is taken from.
    pub client_ip: ClientIp,
    /// Whose forwarded addresses are believed.
    pub trusted_peers: Vec<ipnet::IpNet>,
    /// What the names of identity headers start with, lower case, ending in `-`.
    pub identity_prefix: String,
    /// Largest accepted body, in bytes.
    pub body_limit: usize,
    /// The headers that authenticators take keys from, lower case.
    pub key_headers: Vec<String>,
    /// Who may say in `x-forwarded-client-cert` which certificate the client presented.
    pub xfcc_peers: Vec<ipnet::IpNet>,
}

/// Why a request is refused before anything in it is looked at.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// The proxy left out a part of its question.
    #[error("the check has no `{0}`")]
    MissingAttribute(&'static str),
    /// The proxy passed the headers twice.
    #[error("the check has both `headers` and `header_map`")]
    TwoHeaderSets,
    /// The proxy passed two bodies.
    #[error("the check has a `body` and another `raw_body`")]
    TwoBodies,
    /// A method that is no upper-case token.
    #[error("the method is invalid")]
    Method,
    /// A scheme other than `http` and `https`.
    #[error("the scheme is invalid")]
    Scheme,
    /// The path.
    #[error(transparent)]
    Path(#[from] PathFault),
    /// The authority.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// Two places that must agree do not.
    #[error("the header `{0}` does not agree with the request line")]
    Disagreement(&'static str),
    /// A header.
    #[error(transparent)]
    Header(#[from] HeaderFault),
    /// What the proxy says of the client's certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// More than one `Authorization` header (RFC 6750, section 2).
    #[error("more than one credential was sent")]
    TwoCredentials,
    /// The question itself could not be taken off the wire.
    #[error("{0}")]
    Unreadable(&'static str),
    /// The question was not read, for there was no room for it.
    #[error("too many large requests at once; try again")]
    Overload,
    /// A `Connection` header that would take away an identity header on the way.
    #[error("the header `connection` names a protected header")]
    ProtectedConnection,
}

/// A request that was refused, with as much of it as an answer and a log need.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub error: RequestError,
    /// The method as sent, at most 256 bytes.
    pub method: String,
    /// The host as sent, at most 256 bytes.
    pub host: String,
    /// The path as sent, without the query, at most 256 bytes.
    pub path: String,
    /// As [`Head::request_id`].
    pub request_id: String,
    /// Whether it states one revision of MCP, 2026-07-28 or later.
    pub modern: bool,
    /// The resource that the proxy's route names.
    pub resource: Option<String>,
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        Self {
            error,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            request_id: String::new(),
            modern: false,
            resource: None,
        }
    }
}

impl ReadOptions {
    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        Self {
            client_ip: config.client_ip,
            trusted_peers: config.listen.trusted_peers.clone(),
            identity_prefix: config.identity_headers.prefix.clone(),
            body_limit: config.limits.body,
            key_headers: config.key_headers(),
            xfcc_peers: config.listen.xfcc_peers.clone(),
        }
    }
}

impl RequestError {
    /// Whether the fault lies in how the credential was presented, so that the answer is a
    /// challenge with `invalid_request` (RFC 6750, section 3.1).
    pub fn is_credential_fault(&self) -> bool {
        matches!(
            self,
            Self::TwoCredentials | Self::Path(PathFault::TokenInQuery)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::config::ApiKeyRules;
    use crate::config::Authenticator;
    use crate::config::AuthenticatorKind;
    use crate::fault::Source;

    #[test]
    fn the_configuration_says_where_keys_and_certificates_come_from() {
        let source = Source {
            name: "cedargate.yaml".into(),
            text: include_str!("../../deploy/envoy/cedargate.yaml").into(),
        };
        let mut config = crate::config::parse(&source, Path::new("."), &|_: &str| None)
            .unwrap()
            .config;
        assert!(ReadOptions::of(&config).key_headers.is_empty());
        for (name, header) in [("a", "x-team-key"), ("b", "x-api-key"), ("c", "x-team-key")] {
            let rules = ApiKeyRules {
                header: header.to_owned(),
                keys: Vec::new(),
            };
            config.authenticators.push(Arc::new(Authenticator {
                name: name.into(),
                kind: AuthenticatorKind::ApiKey(Box::new(rules)),
            }));
        }
        config.listen.xfcc_peers = vec!["10.0.0.5/32".parse().unwrap()];
        let options = ReadOptions::of(&config);
        assert_eq!(options.key_headers, ["x-team-key", "x-api-key"]);
        assert_eq!(options.xfcc_peers, config.listen.xfcc_peers);
    }
}
