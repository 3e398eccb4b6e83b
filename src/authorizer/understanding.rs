//! From what came in to what is asked, or how it cannot be read.

use std::sync::Arc;

use crate::authorizer::pending::Pending;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::decision::UnsupportedVersion;
use crate::request::AccessRequest;
use crate::request::RequestContext;
use crate::request::http;
use crate::request::incoming::Incoming;
use crate::request::message;
use crate::request::message::MessageFault;

/// Reads the message into one request, or says how it cannot be read.
pub(super) fn of(
    pending: &mut Pending,
    incoming: &Incoming,
    resource: &Arc<Resource>,
) -> Result<AccessRequest, Denial> {
    let head = &incoming.head;
    let (operations, protocol_version) = match &resource.kind {
        ResourceKind::Mcp(rules) => match message::of(incoming, rules, &resource.name) {
            Ok(message) => {
                pending.message_id(message.id);
                (message.operations, message.protocol_version)
            }
            Err(fault) => {
                let denial = message_denial(&fault);
                pending.message_id(fault.id);
                return Err(denial);
            }
        },
        ResourceKind::Http { routes } => {
            let operations = http::read(head, routes, &resource.name)
                .map_err(|fault| Denial::new(Reason::NotPermitted, fault.to_string()))?;
            (operations, String::new())
        }
    };
    let context = RequestContext {
        method: head.method.clone(),
        host: head.host.clone(),
        path: head.path.as_str().to_owned(),
        origin: head.origin.clone().unwrap_or_default(),
        client_ip: head.client_ip,
        now_ms: pending.now_ms(),
        protocol_version,
        session: head.session.clone().unwrap_or_default(),
        request_id: pending.request_id().to_owned(),
    };
    Ok(AccessRequest {
        operations,
        context,
    })
}

fn message_denial(fault: &MessageFault) -> Denial {
    use crate::request::message::MessageFaultKind as K;
    let reason = match &fault.kind {
        K::Malformed(_) | K::Undescribed(_) => Reason::MalformedRequest,
        K::HeaderMismatch(_) => Reason::HeaderMismatch,
        K::UnsupportedVersion { .. } => Reason::UnsupportedVersion,
        K::MethodNotAllowed => Reason::NotPermitted,
    };
    let mut denial = Denial::new(reason, fault.to_string());
    match &fault.kind {
        K::Undescribed(why) => denial = denial.because(why),
        K::UnsupportedVersion {
            requested,
            supported,
        } => {
            denial.unsupported = Some(UnsupportedVersion {
                requested: requested.clone(),
                supported: supported.clone(),
            });
        }
        K::Malformed(_) | K::HeaderMismatch(_) | K::MethodNotAllowed => {}
    }
    denial
}
