//! What is asked: one model for every protocol.

pub mod action;
pub mod arguments;
pub mod case;
mod client_ip;
pub mod envoy;
pub mod forwarded;
pub mod headers;
pub mod host;
pub mod http;
pub mod incoming;
pub mod json;
pub mod message;
pub mod methods;
pub mod path;
pub mod peer_certificate;
mod presented;
pub mod resource;
mod wire;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

pub use self::action::Action;
pub use self::incoming::Incoming;

/// What the caller wants to do, to what, and under which circumstances.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// The operations that the request performs; every one must be allowed. The first is the one
    /// that logs and messages name.
    pub operations: Operations,
    /// The circumstances.
    pub context: RequestContext,
}

/// One operation, or several that stand or fall together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// The operation that the request is about.
    pub first: Operation,
    /// Others that it implies, such as each resource that a subscription names.
    pub rest: Vec<Operation>,
}

impl Operations {
    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// An action on a target: Cedar's action and resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The Cedar action, one of the schema's.
    pub action: Action,
    /// The Cedar resource.
    pub target: Target,
    /// The arguments of a tool or prompt call.
    pub arguments: Arguments,
}

/// `params.arguments` of a call, as far as it is known. That there are none and that nobody can
/// tell are different things: a policy that looks at arguments which nobody can tell fails.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Arguments {
    /// There are none.
    #[default]
    None,
    /// The bytes of one strictly read JSON object.
    Json(Bytes),
    /// There may be some: what the decision is taken from does not show them.
    Unknown,
}

/// The thing that an action is performed on. Names are exact bytes: never trimmed, folded or
/// normalised. The resource's configured name is carried beside it, in `server`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The configured resource (`Mcp::Server`) that the thing belongs to.
    pub server: Arc<str>,
    /// What it is.
    pub thing: Thing,
}

/// The kinds of thing that the schema knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// The server itself.
    Server,
    /// A tool, by name.
    Tool(String),
    /// A resource, by the exact URI.
    Resource(String),
    /// A prompt, by name.
    Prompt(String),
    /// A task, by id.
    Task(String),
    /// An HTTP route, by the configured name; `*` when none matched.
    Route(Arc<str>),
}

/// The circumstances of a request. Costly parts are carried raw and turned into Cedar values only
/// when a candidate policy reads them.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// HTTP method, upper case.
    pub method: String,
    /// Host, lower case, without the scheme's default port.
    pub host: String,
    /// Canonical path, without the query.
    pub path: String,
    /// The `Origin` header, or empty.
    pub origin: String,
    /// The caller's address, when it is known for certain.
    pub client_ip: Option<IpAddr>,
    /// Seconds and milliseconds since 1970-01-01T00:00:00Z, in milliseconds.
    pub now_ms: i64,
    /// `MCP-Protocol-Version`, or empty.
    pub protocol_version: String,
    /// `Mcp-Session-Id`, or empty.
    pub session: String,
    /// `x-request-id`, taken over or made.
    pub request_id: String,
}

/// The Cedar entity, as policies write it: `Mcp::Tool::"weather/get_forecast"`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match &self.thing {
            Thing::Server => ("Server", None),
            Thing::Tool(name) => ("Tool", Some(&**name)),
            Thing::Resource(uri) => ("Resource", Some(&**uri)),
            Thing::Prompt(name) => ("Prompt", Some(&**name)),
            Thing::Task(id) => ("Task", Some(&**id)),
            Thing::Route(name) => ("Route", Some(&**name)),
        };
        write!(f, "Mcp::{kind}::\"")?;
        escaped(f, &self.server)?;
        if let Some(name) = name {
            f.write_str("/")?;
            escaped(f, name)?;
        }
        f.write_str("\"")
    }
}

/// Writes text as it stands between the quotes of a Cedar string.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'&' | b'('..=b'[' | b']'..=b'~'))
    {
        return f.write_str(text);
    }
    write!(f, "{}", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_written_as_policies_write_it() {
        for (thing, expected) in [
            (Thing::Server, "Mcp::Server::\"weather\""),
            (
                Thing::Tool("a b/c".to_owned()),
                "Mcp::Tool::\"weather/a b/c\"",
            ),
            (
                Thing::Tool("a\"b\\\n".to_owned()),
                "Mcp::Tool::\"weather/a\\\"b\\\\\\n\"",
            ),
        ] {
            let target = Target {
                server: Arc::from("weather"),
                thing,
            };
            assert_eq!(target.to_string(), expected);
            let read: Result<cedar_policy::EntityUid, _> = expected.parse();
            assert!(read.is_ok(), "{expected}");
        }
    }
}
