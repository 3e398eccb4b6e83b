//! The strict message profile: what an MCP request asks for, by the body and by nothing else.
//!
//! The upstream reads the same bytes with a parser that we do not know, so a body that two parsers
//! could read differently is refused. Headers that repeat the body are checked against it and never
//! believed instead of it.

mod agreement;
mod envelope;
mod look_alike;
mod media;
mod params;
mod targets;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use self::envelope::Envelope;
use crate::config::McpRules;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::Target;
use crate::request::Thing;
use crate::request::action::Action;
use crate::request::incoming::Body;
use crate::request::incoming::Head;

/// What one MCP request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The operations; every one must be allowed.
    pub operations: Operations,
    /// The id of the request, as raw JSON of at most 256 bytes; none for notifications, responses
    /// and requests without a body.
    pub id: Option<Box<str>>,
    /// `MCP-Protocol-Version`, or empty.
    pub protocol_version: String,
}

/// Why a message is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{kind}")]
pub struct MessageFault {
    /// Why.
    pub kind: MessageFaultKind,
    /// The id that an answer echoes, as raw JSON of at most 256 bytes, when it could be read.
    pub id: Option<Box<str>>,
}

/// The kinds of fault in a message; each has its own answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MessageFaultKind {
    /// A body that is not acceptable: 400.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    /// A header that does not say what the body says, or is missing: 400, JSON-RPC -32020.
    #[error("the header `{0}` does not agree with the body")]
    HeaderMismatch(&'static str),
    /// A revision that is not served: 400, JSON-RPC -32022.
    #[error("the protocol version `{requested}` is not supported")]
    UnsupportedVersion {
        /// What was asked for, at most 64 bytes.
        requested: String,
        /// What is served.
        supported: Vec<String>,
    },
    /// An HTTP method that MCP endpoints do not know. `OPTIONS` is one of them.
    #[error("the method is not allowed")]
    MethodNotAllowed,
}

impl From<MessageFaultKind> for MessageFault {
    fn from(kind: MessageFaultKind) -> Self {
        Self { kind, id: None }
    }
}

/// Reads a request for an MCP endpoint; `server` is the configured name of the resource.
///
/// # Errors
///
/// See [`MessageFaultKind`].
pub fn read(
    head: &Head,
    body: &Body,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    match head.method.as_str() {
        "POST" => post(head, body, rules, server),
        "GET" => session(head, body, rules, on_server(Action::SessionStream, server)),
        "DELETE" => session(head, body, rules, on_server(Action::SessionDelete, server)),
        _ => Err(MessageFaultKind::MethodNotAllowed.into()),
    }
}

fn post(
    head: &Head,
    body: &Body,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    media::check(head)?;
    let bytes = complete(body)?;
    let (id, envelope) = envelope::read(bytes);
    let message = envelope.and_then(|envelope| {
        let mut operations = targets::operations(&envelope, server)?;
        agreement::check_post(head, rules, &envelope, &operations.first.target.thing)?;
        operations.first.arguments = arguments(&envelope, bytes)?;
        Ok(Message {
            operations,
            id: None,
            protocol_version: stated_version(head),
        })
    });
    match message {
        Ok(message) => Ok(Message { id, ..message }),
        Err(kind) => Err(MessageFault { kind, id }),
    }
}

/// GET and DELETE: no body, so nothing that a header could repeat.
fn session(
    head: &Head,
    body: &Body,
    rules: &McpRules,
    operation: Operation,
) -> Result<Message, MessageFault> {
    if *body != Body::Absent {
        return Err(malformed("a body has no meaning in this request").into());
    }
    agreement::check_session(head, rules)?;
    Ok(Message {
        operations: only(operation),
        id: None,
        protocol_version: stated_version(head),
    })
}

fn complete(body: &Body) -> Result<&Bytes, MessageFaultKind> {
    match body {
        Body::Complete(bytes) => Ok(bytes),
        Body::Absent => Err(malformed("the body is missing")),
        Body::Partial => Err(malformed("the body did not arrive whole")),
        Body::Oversized => Err(malformed("the body is too large")),
    }
}

/// `params.arguments`, where the method has any.
fn arguments(envelope: &Envelope<'_>, body: &Bytes) -> Result<Option<Bytes>, MessageFaultKind> {
    if !envelope.method().is_some_and(|method| method.arguments) {
        return Ok(None);
    }
    let Some(span) = envelope.params.arguments()? else {
        return Ok(None);
    };
    let slice = body
        .get(span)
        .ok_or(malformed("the arguments cannot be located"))?;
    Ok(Some(body.slice_ref(slice)))
}

fn stated_version(head: &Head) -> String {
    head.protocol_version.clone().unwrap_or_default()
}

fn on_server(action: Action, server: &Arc<str>) -> Operation {
    Operation {
        action,
        target: Target {
            server: Arc::clone(server),
            thing: Thing::Server,
        },
        arguments: None,
    }
}

fn only(first: Operation) -> Operations {
    Operations {
        first,
        rest: Vec::new(),
    }
}

fn malformed(text: &'static str) -> MessageFaultKind {
    MessageFaultKind::Malformed(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests;
