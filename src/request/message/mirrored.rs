//! The message as its headers repeat it, for proxies that cannot pass the body.
//!
//! Servers of revision 2026-07-28 refuse a request whose headers do not say what its body says, and
//! that is all that stands between a liar and the upstream: nothing here has seen the body.

use std::borrow::Cow;
use std::sync::Arc;

use super::Message;
use super::MessageFault;
use super::MessageFaultKind;
use super::agreement;
use super::agreement::METHOD_HEADER;
use super::agreement::NAME_HEADER;
use super::complete;
use super::envelope::Envelope;
use super::envelope::Kind;
use super::malformed;
use super::media;
use super::of_envelope;
use super::params::Field;
use super::params::Params;
use super::post;
use crate::config::McpRules;
use crate::request::Arguments;
use crate::request::incoming::Body;
use crate::request::incoming::Head;
use crate::request::methods::Method;
use crate::request::methods::NOTIFICATION;
use crate::request::methods::TargetKind;

/// Reads a POST by its headers; if the body is there as well, it is read, and they must agree.
pub(super) fn read(
    head: &Head,
    body: &Body,
    rules: &McpRules,
    server: &Arc<str>,
) -> Result<Message, MessageFault> {
    agreement::check_mirrored(head, rules)?;
    match body {
        Body::Absent | Body::Withheld => {}
        Body::Complete(_) => return post(head, body, rules, server),
        Body::Partial | Body::Oversized => {
            complete(body)?;
        }
    }
    media::check(head)?;
    let envelope = envelope(head)?;
    let mut message = of_envelope(head, &envelope, rules, server)?;
    if envelope.method().is_some_and(|method| method.arguments) {
        message.operations.first.arguments = Arguments::Unknown;
    }
    Ok(message)
}

fn envelope(head: &Head) -> Result<Envelope<'_>, MessageFaultKind> {
    let stated = head.mcp_method.as_deref();
    let method = stated.ok_or(MessageFaultKind::HeaderMismatch(METHOD_HEADER))?;
    let mut params = Params::default();
    params.meta.hidden = true;
    if let Some(known) = Method::find(method) {
        let slot = match known.target {
            TargetKind::Server => None,
            TargetKind::Tool | TargetKind::Prompt => Some(&mut params.name),
            TargetKind::Resource => Some(&mut params.uri),
            TargetKind::Task => Some(&mut params.task_id),
            TargetKind::Reference | TargetKind::Subscriptions => return Err(malformed(UNTOLD)),
        };
        match slot {
            Some(slot) if known.name_header => *slot = Field::Text(Cow::Owned(name(head)?)),
            Some(_) => return Err(malformed(UNTOLD)),
            None => {}
        }
    }
    let method = Cow::Borrowed(method);
    Ok(Envelope {
        kind: if method.starts_with(NOTIFICATION) {
            Kind::Notification(method)
        } else {
            Kind::Request(method)
        },
        id: None,
        params,
    })
}

const UNTOLD: &str = "the headers do not tell what this method acts on";

/// What `Mcp-Name` stands for.
fn name(head: &Head) -> Result<String, MessageFaultKind> {
    let name = head.mcp_name.as_deref().and_then(agreement::decoded);
    name.and_then(|name| String::from_utf8(name.into_owned()).ok())
        .ok_or(MessageFaultKind::HeaderMismatch(NAME_HEADER))
}
