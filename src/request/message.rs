//! The strict message profile: what an MCP request asks for, by the body and by nothing else.
//!
//! The upstream reads the same bytes with a parser that we do not know, so a body that two parsers
//! could read differently is refused. Headers that repeat the body are checked against it and never
//! believed instead of it.

mod agreement;
mod batch;
mod described;
mod envelope;
mod look_alike;
mod media;
mod mirrored;
mod params;
mod targets;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use self::envelope::Content;
use self::envelope::Envelope;
use crate::config::Batches;
use crate::config::McpRules;
use crate::config::MessageFrom;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::Target;
use crate::request::Thing;
use crate::request::action::Action;
use crate::request::incoming::Body;
use crate::request::incoming::Head;
use crate::request::incoming::Incoming;

/// What one MCP request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The operations; every one must be allowed.
    pub operations: Operations,
    /// The id of the request, as raw JSON of at most 256 bytes; none for notifications, responses,
    /// batches and requests whose body was not read.
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
    /// The proxy does not say what the message is, or that it may have another reading: 400, and the
    /// operator is told why.
    #[error("{UNDESCRIBED}")]
    Undescribed(&'static str),
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

/// What the client is told where the proxy is at fault, or the message is one that the proxy does not
/// take for one.
const UNDESCRIBED: &str = "the proxy does not describe the message";

/// Reads a request for an MCP endpoint, from where the rules say; `server` is the configured name of
/// the resource.
///
/// # Errors
///
/// See [`MessageFaultKind`].
pub fn of(
    incoming: &Incoming,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    let Incoming { head, body, .. } = incoming;
    match (rules.message_from, head.method.as_str()) {
        (MessageFrom::EnvoyMetadata, "POST") => described::read(incoming, rules, server),
        (MessageFrom::InsecureHeaders, "POST") => mirrored::read(head, body, rules, server),
        (MessageFrom::EnvoyMetadata | MessageFrom::InsecureHeaders | MessageFrom::Body, _) => {
            read(head, body, rules, server)
        }
    }
}

/// Reads a request for an MCP endpoint from its body, wherever the rules say that the message is to
/// be taken from.
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
    match envelope::read(bytes, rules.batches == Batches::Each)? {
        Content::Batch(members) => Ok(several(head, bytes, &members, rules, server)?),
        Content::One(id, envelope) => {
            let message = envelope.and_then(|envelope| {
                let mut message = of_envelope(head, &envelope, rules, server)?;
                message.operations.first.arguments = arguments(&envelope, bytes)?;
                Ok(message)
            });
            match message {
                Ok(message) => Ok(Message { id, ..message }),
                Err(kind) => Err(MessageFault { kind, id }),
            }
        }
    }
}

/// What one message asks for, its arguments aside.
fn of_envelope(
    head: &Head,
    envelope: &Envelope<'_>,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFaultKind> {
    let operations = targets::operations(envelope, server)?;
    agreement::check_post(head, rules, envelope, &operations.first.target.thing)?;
    Ok(Message {
        operations,
        id: None,
        protocol_version: stated_version(head),
    })
}

/// What the messages of a batch ask for together.
fn several(
    head: &Head,
    bytes: &Bytes,
    members: &[Envelope<'_>],
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFaultKind> {
    batch::check(members)?;
    agreement::check_batch(head, rules, members)?;
    let mut all = Vec::new();
    for member in members {
        let mut operations = targets::operations(member, server)?;
        operations.first.arguments = arguments(member, bytes)?;
        all.push(operations.first);
        all.extend(operations.rest);
        if all.len() > batch::MAX_OPERATIONS {
            return Err(malformed("the batch asks for too much at once"));
        }
    }
    let mut all = all.into_iter();
    let first = all.next().ok_or(malformed("the batch is empty"))?;
    Ok(Message {
        operations: Operations {
            first,
            rest: all.collect(),
        },
        id: None,
        protocol_version: stated_version(head),
    })
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
        Body::Withheld => Err(malformed("the body was not passed on")),
        Body::Partial => Err(malformed("the body did not arrive whole")),
        Body::Oversized => Err(malformed("the body is too large")),
    }
}

/// `params.arguments`, where the method has any.
fn arguments(envelope: &Envelope<'_>, body: &Bytes) -> Result<Arguments, MessageFaultKind> {
    if !envelope.method().is_some_and(|method| method.arguments) {
        return Ok(Arguments::None);
    }
    let Some(span) = envelope.params.arguments()? else {
        return Ok(Arguments::None);
    };
    let slice = body
        .get(span)
        .ok_or(malformed("the arguments cannot be located"))?;
    Ok(Arguments::Json(body.slice_ref(slice)))
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
        arguments: Arguments::None,
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
