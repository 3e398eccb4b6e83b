//! From a method and its parameters to the operations that must be allowed.

use std::sync::Arc;

use super::MessageFaultKind;
use super::envelope::Envelope;
use super::envelope::Kind;
use super::malformed;
use super::on_server;
use super::only;
use super::params::Field;
use super::params::Params;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::Target;
use crate::request::Thing;
use crate::request::action::Action;
use crate::request::methods::Method;
use crate::request::methods::NOTIFICATION;
use crate::request::methods::TargetKind;

/// The operations that a message performs.
pub(super) fn operations(
    envelope: &Envelope<'_>,
    server: &Arc<str>,
) -> Result<Operations, MessageFaultKind> {
    match &envelope.kind {
        Kind::Response => Ok(only(on_server(Action::ClientResponse, server))),
        Kind::Notification(name) => {
            // No server runs a request that has no id, and none should have to decide.
            if Method::find(name).is_some() {
                return Err(malformed("the request has no `id`"));
            }
            let action = if name.starts_with(NOTIFICATION) {
                Action::Notifications
            } else {
                Action::Unknown
            };
            Ok(only(on_server(action, server)))
        }
        Kind::Request(name) if name.starts_with(NOTIFICATION) => {
            Err(malformed("a notification has no `id`"))
        }
        Kind::Request(name) => match Method::find(name) {
            Some(method) if is_foreign(method, &envelope.params) => {
                Ok(only(on_server(Action::Unknown, server)))
            }
            Some(method) => request(method, &envelope.params, server),
            None => Ok(only(on_server(Action::Unknown, server))),
        },
    }
}

/// Whether the method is none of the revision that the body states, and nothing is named that it could
/// act on. The server has to answer that it knows no such method. Where something is named, that is
/// what is decided: servers run methods of other revisions as well.
fn is_foreign(method: &Method, params: &Params<'_>) -> bool {
    let Field::Text(version) = &params.meta.version else {
        return false;
    };
    let named = match method.target {
        TargetKind::Tool | TargetKind::Prompt => &params.name,
        TargetKind::Resource => &params.uri,
        TargetKind::Task => &params.task_id,
        TargetKind::Server | TargetKind::Reference | TargetKind::Subscriptions => return false,
    };
    *named == Field::Absent && !method.revisions.iter().any(|known| known == version)
}

fn request(
    method: &Method,
    params: &Params<'_>,
    server: &Arc<str>,
) -> Result<Operations, MessageFaultKind> {
    let thing = match method.target {
        TargetKind::Server => Thing::Server,
        TargetKind::Tool => Thing::Tool(name(params)?),
        TargetKind::Prompt => Thing::Prompt(name(params)?),
        TargetKind::Resource => Thing::Resource(
            params
                .uri
                .required("`params.uri` is missing or not a non-empty string")?,
        ),
        TargetKind::Task => Thing::Task(
            params
                .task_id
                .required("`params.taskId` is missing or not a non-empty string")?,
        ),
        TargetKind::Reference => reference(params)?,
        TargetKind::Subscriptions => return subscriptions(method, params, server),
    };
    Ok(only(operation(method.action, thing, server)))
}

fn name(params: &Params<'_>) -> Result<String, MessageFaultKind> {
    params
        .name
        .required("`params.name` is missing or not a non-empty string")
}

fn reference(params: &Params<'_>) -> Result<Thing, MessageFaultKind> {
    let unknown = "`params.ref` does not name a prompt or a resource";
    let reference = params.reference.as_ref().ok_or(malformed(unknown))?;
    match &reference.kind {
        Field::Text(kind) if kind == "ref/prompt" => {
            Ok(Thing::Prompt(reference.name.required(unknown)?))
        }
        Field::Text(kind) if kind == "ref/resource" => {
            Ok(Thing::Resource(reference.uri.required(unknown)?))
        }
        Field::Text(_) | Field::Absent | Field::Other => Err(malformed(unknown)),
    }
}

/// A stream of changes is allowed only if each thing that it tells about may be read.
fn subscriptions(
    method: &Method,
    params: &Params<'_>,
    server: &Arc<str>,
) -> Result<Operations, MessageFaultKind> {
    let named = match &params.notifications {
        Some(named) if !named.invalid => named,
        Some(_) | None => return Err(malformed("`params.notifications` is missing or invalid")),
    };
    let uris = named.uris.iter().map(|uri| {
        let thing = Thing::Resource(uri.clone().into_owned());
        operation(Action::ResourcesSubscribe, thing, server)
    });
    let tasks = named.tasks.iter().map(|task| {
        let thing = Thing::Task(task.clone().into_owned());
        operation(Action::TasksGet, thing, server)
    });
    Ok(Operations {
        first: on_server(method.action, server),
        rest: uris.chain(tasks).collect(),
    })
}

fn operation(action: Action, thing: Thing, server: &Arc<str>) -> Operation {
    Operation {
        action,
        target: Target {
            server: Arc::clone(server),
            thing,
        },
        arguments: Arguments::None,
    }
}
