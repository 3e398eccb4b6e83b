//! The headers that repeat the body say what the body says, and the revision is one that is served.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::MessageFaultKind;
use super::envelope::Envelope;
use super::envelope::Kind;
use super::malformed;
use super::params::Field;
use crate::config::McpRules;
use crate::request::Thing;
use crate::request::incoming::Head;
use crate::request::methods::MODERN;
use crate::request::methods::REVISIONS;
use crate::request::wire::start_of;

/// Most bytes of a refused version that are kept.
const MAX_VERSION: usize = 64;

/// What a client speaks that does not say (2025-11-25, transports, protocol version header).
const ASSUMED: &str = "2025-03-26";

const VERSION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";

/// Checks a message; `thing` is what its first operation acts on.
pub(super) fn check_post(
    head: &Head,
    rules: &McpRules,
    envelope: &Envelope<'_>,
    thing: &Thing,
) -> Result<(), MessageFaultKind> {
    let stated = head.protocol_version.as_deref();
    check_version(stated, rules, is_initialize(envelope))?;
    let modern = stated.is_some_and(is_modern);
    let in_body = match &envelope.params.meta_version {
        Field::Absent => None,
        Field::Text(version) => Some(version),
        Field::Other => return Err(malformed("the protocol version is not a string")),
    };
    if in_body.is_some_and(|version| stated != Some(version)) {
        return Err(MessageFaultKind::HeaderMismatch(VERSION_HEADER));
    }
    let mirrored = modern || in_body.is_some();
    match &envelope.kind {
        Kind::Request(method) => {
            if modern && in_body.is_none() {
                return Err(malformed(
                    "`params._meta` does not state the protocol version",
                ));
            }
            check_method(head, method, mirrored)?;
        }
        Kind::Notification(method) => check_method(head, method, false)?,
        Kind::Response if modern => {
            return Err(malformed(
                "this protocol version has no responses from clients",
            ));
        }
        Kind::Response if head.mcp_method.is_some() => {
            return Err(MessageFaultKind::HeaderMismatch(METHOD_HEADER));
        }
        Kind::Response => {}
    }
    let needed = mirrored && envelope.method().is_some_and(|method| method.name_header);
    check_name(head, name_of(thing), needed)
}

/// Checks a request without a body: there is nothing that headers could repeat.
pub(super) fn check_session(head: &Head, rules: &McpRules) -> Result<(), MessageFaultKind> {
    check_version(head.protocol_version.as_deref(), rules, false)?;
    if head.mcp_method.is_some() {
        return Err(MessageFaultKind::HeaderMismatch(METHOD_HEADER));
    }
    check_name(head, None, false)
}

/// A stated version must be served; without one, the version that is assumed must be, except
/// before the versions have been negotiated.
fn check_version(
    stated: Option<&str>,
    rules: &McpRules,
    initialize: bool,
) -> Result<(), MessageFaultKind> {
    let supported: Vec<&str> = if rules.versions.is_empty() {
        REVISIONS.to_vec()
    } else {
        rules.versions.iter().map(String::as_str).collect()
    };
    let served = match stated {
        Some(version) => supported.contains(&version),
        None if initialize => supported.iter().any(|version| !is_modern(version)),
        None => supported.contains(&ASSUMED),
    };
    if served {
        return Ok(());
    }
    let requested = start_of(stated.unwrap_or(ASSUMED), MAX_VERSION);
    Err(MessageFaultKind::UnsupportedVersion {
        requested: requested.to_owned(),
        supported: supported.into_iter().map(str::to_owned).collect(),
    })
}

fn check_method(head: &Head, method: &str, needed: bool) -> Result<(), MessageFaultKind> {
    match head.mcp_method.as_deref() {
        Some(stated) if stated == method => Ok(()),
        None if !needed => Ok(()),
        Some(_) | None => Err(MessageFaultKind::HeaderMismatch(METHOD_HEADER)),
    }
}

fn check_name(head: &Head, name: Option<&str>, needed: bool) -> Result<(), MessageFaultKind> {
    let agrees = match (head.mcp_name.as_deref(), name) {
        (None, _) => !needed,
        (Some(_), None) => false,
        (Some(stated), Some(name)) => {
            decoded(stated).is_some_and(|stated| *stated == *name.as_bytes())
        }
    };
    if agrees {
        Ok(())
    } else {
        Err(MessageFaultKind::HeaderMismatch(NAME_HEADER))
    }
}

/// The bytes that a header value stands for: `=?base64?...?=` is decoded (2026-07-28, streamable
/// HTTP, value encoding), with the one padding that an encoder makes; anything else is literal.
fn decoded(value: &str) -> Option<Cow<'_, [u8]>> {
    let encoded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        Some(encoded) => STANDARD.decode(encoded).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(value.as_bytes())),
    }
}

fn name_of(thing: &Thing) -> Option<&str> {
    match thing {
        Thing::Server | Thing::Route(_) => None,
        Thing::Tool(name) | Thing::Resource(name) | Thing::Prompt(name) | Thing::Task(name) => {
            Some(name)
        }
    }
}

fn is_initialize(envelope: &Envelope<'_>) -> bool {
    matches!(&envelope.kind, Kind::Request(name) if name == "initialize")
}

/// Revisions are dates, so the order of text is the order of time.
fn is_modern(version: &str) -> bool {
    version >= MODERN
}
