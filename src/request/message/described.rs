//! The message as Envoy's MCP filter describes it, for proxies that hand over its metadata and keep
//! the body.
//!
//! The filter forwards much that it has not understood, and says so; none of that is believed. What
//! it says of the rest is not everything (Envoy 1.40, measured): arrays are left out without a word,
//! wherever they stand, and a request that also has a `result` is called a response, which some
//! servers run all the same. So the arguments are not known, and what could hide in either is refused
//! unless the body is there too. Then the body counts, and both must agree.

use std::borrow::Cow;
use std::sync::Arc;

use prost_types::Struct;
use prost_types::value::Kind as Shape;

use super::Message;
use super::MessageFault;
use super::MessageFaultKind;
use super::complete;
use super::envelope::Envelope;
use super::envelope::Kind;
use super::look_alike::META_CAPABILITIES;
use super::look_alike::META_VERSION;
use super::malformed;
use super::media;
use super::of_envelope;
use super::params::Field;
use super::params::Meta;
use super::params::Params;
use super::params::Reference;
use super::params::Subscriptions;
use super::post;
use super::targets;
use crate::config::McpRules;
use crate::request::Arguments;
use crate::request::incoming::Body;
use crate::request::incoming::Described;
use crate::request::incoming::Incoming;
use crate::request::methods::TargetKind;

/// What stands for the method of a response.
const RESPONSE: &str = "__jsonrpc_response";

/// Reads a POST by what the filter says of it.
pub(super) fn read(
    incoming: &Incoming,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    let Incoming {
        head,
        body,
        described,
        ..
    } = incoming;
    let fields = fields(described)?;
    media::check(head)?;
    let envelope = envelope(fields)?;
    match body {
        Body::Absent | Body::Withheld => {}
        Body::Complete(_) => return both(incoming, &envelope, rules, server),
        Body::Partial | Body::Oversized => {
            complete(body)?;
        }
    }
    let method = envelope.method();
    if matches!(envelope.kind, Kind::Response) {
        return Err(MessageFaultKind::Undescribed(
            "a request that also has a `result` would look the same as this response: pass the body",
        )
        .into());
    }
    if method.is_some_and(|method| method.target == TargetKind::Subscriptions) {
        return Err(MessageFaultKind::Undescribed(
            "the MCP filter does not show what the subscription is to: pass the body",
        )
        .into());
    }
    let mut message = of_envelope(head, &envelope, rules, server)?;
    if method.is_some_and(|method| method.arguments) {
        message.operations.first.arguments = Arguments::Unknown;
    }
    Ok(message)
}

/// What the body says, which must be what the filter says.
fn both(
    incoming: &Incoming,
    described: &Envelope<'_>,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    let message = post(&incoming.head, &incoming.body, rules, server)?;
    let first = &message.operations.first;
    let agree = targets::operations(described, server)
        .is_ok_and(|told| told.first.action == first.action && told.first.target == first.target);
    if agree {
        Ok(message)
    } else {
        Err(MessageFault {
            kind: malformed("the body is not the one that the proxy describes"),
            id: message.id,
        })
    }
}

/// The fields, if the filter has read the body whole and takes it for one message.
fn fields(described: &Described) -> Result<&Struct, MessageFaultKind> {
    let fields = match described {
        Described::Absent => {
            return Err(MessageFaultKind::Undescribed(
                "the check has no metadata of Envoy's MCP filter: it comes over gRPC only, with the \
                 filter before ext_authz and its name in `metadata_context_namespaces`; for a body \
                 that the filter does not take for a message there is none either",
            ));
        }
        Described::Twice => {
            return Err(MessageFaultKind::Undescribed(
                "the check has both `envoy.filters.http.mcp` and `mcp_proxy`",
            ));
        }
        Described::Fields(fields) => &**fields,
    };
    let shape = |name| fields.fields.get(name).map(|value| &value.kind);
    let unread = "the MCP filter has passed the body on without reading it";
    let acceptable = [
        (
            matches!(shape("is_mcp_request"), Some(Some(Shape::BoolValue(true)))),
            "the MCP filter does not take the body for a message",
        ),
        (shape("passthrough_reason").is_none(), unread),
        (
            matches!(
                shape("is_exceeding_limit"),
                None | Some(Some(Shape::BoolValue(false)))
            ),
            unread,
        ),
        (
            matches!(text(fields, "status"), Field::Absent) || is_text(fields, "status", "mcp_ok"),
            unread,
        ),
        (
            is_text(fields, "jsonrpc", "2.0"),
            "the MCP filter does not say that the message is JSON-RPC 2.0",
        ),
    ];
    match acceptable.iter().find(|(holds, _)| !holds) {
        None => Ok(fields),
        Some((_, why)) => Err(MessageFaultKind::Undescribed(why)),
    }
}

fn envelope(fields: &Struct) -> Result<Envelope<'_>, MessageFaultKind> {
    let Field::Text(method) = text(fields, "method") else {
        return Err(MessageFaultKind::Undescribed(
            "the MCP filter does not name the method",
        ));
    };
    // Ids are doubles here, or strings. An id that is something else is no id that servers accept.
    let id = match fields.fields.get("id").map(|value| &value.kind) {
        None => false,
        Some(Some(Shape::NumberValue(id))) if id.fract() == 0.0 => true,
        Some(Some(Shape::StringValue(_))) => true,
        Some(_) => return Err(malformed("`id` is not a string or an integer")),
    };
    let kind = match (method == RESPONSE, id) {
        (true, _) => Kind::Response,
        (false, true) => Kind::Request(method),
        (false, false) => Kind::Notification(method),
    };
    let mut params = Params::default();
    params.meta.hidden = true;
    match fields.fields.get("params").map(|value| &value.kind) {
        None => {}
        Some(Some(Shape::StructValue(fields))) => fill(&mut params, fields)?,
        Some(_) => return Err(malformed("`params` is not an object")),
    }
    Ok(Envelope {
        kind,
        id: None,
        params,
    })
}

fn fill<'a>(params: &mut Params<'a>, fields: &'a Struct) -> Result<(), MessageFaultKind> {
    params.name = text(fields, "name");
    params.uri = text(fields, "uri");
    params.task_id = text(fields, "taskId");
    params.reference = object(fields, "ref").map(|fields| Reference {
        kind: text(fields, "type"),
        name: text(fields, "name"),
        uri: text(fields, "uri"),
    });
    // Its lists are not shown.
    params.notifications = object(fields, "notifications").map(|_| Subscriptions::default());
    params.meta = match fields.fields.get("_meta").map(|value| &value.kind) {
        None => return Ok(()),
        Some(Some(Shape::StructValue(fields))) => Meta {
            hidden: false,
            version: text(fields, META_VERSION),
            capabilities: object(fields, META_CAPABILITIES).is_some(),
        },
        Some(_) => return Err(malformed("`params._meta` is not an object")),
    };
    Ok(())
}

fn text<'a>(fields: &'a Struct, name: &str) -> Field<'a> {
    match fields.fields.get(name).map(|value| &value.kind) {
        None => Field::Absent,
        Some(Some(Shape::StringValue(text))) => Field::Text(Cow::Borrowed(text)),
        Some(_) => Field::Other,
    }
}

fn is_text(fields: &Struct, name: &str, expected: &str) -> bool {
    matches!(text(fields, name), Field::Text(text) if text == expected)
}

fn object<'a>(fields: &'a Struct, name: &str) -> Option<&'a Struct> {
    match &fields.fields.get(name)?.kind {
        Some(Shape::StructValue(fields)) => Some(fields),
        Some(_) | None => None,
    }
}
