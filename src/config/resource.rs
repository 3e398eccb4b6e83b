//! What is protected.

mod address;
mod read;
mod route;
mod scopes;

use std::sync::Arc;

pub(super) use crate::config::resource::read::BATCHES;
pub(super) use crate::config::resource::read::Declared;
pub(super) use crate::config::resource::read::MESSAGE_FROM;
pub(super) use crate::config::resource::read::SESSIONS;
pub(super) use crate::config::resource::read::read_all;
pub(super) use crate::config::resource::scopes::read_scopes;

/// Something that is protected.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name in the file; the id of the Cedar entity `Mcp::Server`.
    pub name: Arc<str>,
    /// The canonical URI (RFC 8707, section 2; RFC 9728, `resource`), exactly as written.
    pub url: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host of the URL, lower case, with the port unless it is the scheme's default.
    pub authority: String,
    /// Path of the URL, canonical; `/` when it has none.
    pub path: String,
    /// What it speaks.
    pub kind: ResourceKind,
    /// Accepted audiences; never empty.
    pub audiences: Vec<String>,
    /// Indices into [`Config::authenticators`](crate::config::Config::authenticators) of the ones that it accepts.
    pub authenticators: Vec<usize>,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// Labels for policies.
    pub labels: Vec<String>,
    /// Server groups that it is in.
    pub groups: Vec<String>,
    /// Scopes that imply others, broad to narrow.
    pub scope_hierarchy: Vec<(String, Vec<String>)>,
    /// What the protected resource metadata says beside the obvious (RFC 9728, section 2).
    pub metadata: ResourceMetadata,
}

/// What a resource speaks.
#[derive(Clone, Debug)]
pub enum ResourceKind {
    /// Model Context Protocol over streamable HTTP; the path matches exactly.
    Mcp(McpRules),
    /// Anything else; the path matches as a prefix of whole segments.
    Http {
        /// Names for paths, first match wins.
        routes: Vec<Route>,
    },
}

/// How strictly an MCP endpoint is read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct McpRules {
    /// Accepted `Origin` values; a request without one is always accepted.
    pub allowed_origins: Vec<String>,
    /// Accepted protocol revisions; empty: all that are known.
    pub versions: Vec<String>,
    /// What becomes of `Mcp-Session-Id`.
    pub sessions: SessionRule,
    /// What becomes of several messages in one body.
    pub batches: Batches,
    /// What decisions take the message from.
    pub message_from: MessageFrom,
}

/// What becomes of a batch: an array of JSON-RPC messages in one body. Of the revisions, only
/// 2025-03-26 has them, but there are servers that run them in any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Batches {
    /// It is refused.
    #[default]
    Deny,
    /// In revision 2025-03-26, or where none is stated, up to 100 messages are read one by one, and
    /// every one must be allowed.
    Each,
}

/// What decisions take the message from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MessageFrom {
    /// The body, which the proxy must pass whole.
    #[default]
    Body,
    /// What Envoy's MCP filter says of the body in `metadata_context`, over gRPC only. If the body
    /// is there as well, it is read, and must agree.
    EnvoyMetadata,
    /// The headers `Mcp-Method` and `Mcp-Name`, in revision 2026-07-28 and later only. Nothing but
    /// the upstream then compares them with the body.
    InsecureHeaders,
}

/// What becomes of the session that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SessionRule {
    /// It belongs to the principal who first used it.
    #[default]
    Bind,
    /// The sidecar does not look at it.
    Ignore,
}

/// A name for the paths that match a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The id of the Cedar entity `Mcp::Route`.
    pub name: Arc<str>,
    /// The pattern, segment by segment.
    pub pattern: Vec<RouteSegment>,
}

/// One segment of a route's pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteSegment {
    /// Exactly this text.
    Literal(String),
    /// `{name}`: any one segment.
    One,
    /// `{*name}`, last only: one segment or more.
    Rest,
}

/// Optional members of the protected resource metadata (RFC 9728, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResourceMetadata {
    /// `scopes_supported`
    pub scopes_supported: Vec<String>,
    /// `resource_name`
    pub resource_name: String,
    /// `resource_documentation`
    pub resource_documentation: String,
    /// `resource_policy_uri`
    pub resource_policy_uri: String,
    /// `resource_tos_uri`
    pub resource_tos_uri: String,
}

impl Resource {
    /// `mcp` or `http`, as the file says it.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            ResourceKind::Mcp(_) => "mcp",
            ResourceKind::Http { .. } => "http",
        }
    }
}

/// The pattern as it is written, with names of its own for the variable segments.
impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pattern.is_empty() {
            return f.write_str("/");
        }
        for (index, segment) in self.pattern.iter().enumerate() {
            match segment {
                RouteSegment::Literal(text) => write!(f, "/{text}")?,
                RouteSegment::One => write!(f, "/{{s{index}}}")?,
                RouteSegment::Rest => write!(f, "/{{*rest}}")?,
            }
        }
        Ok(())
    }
}
