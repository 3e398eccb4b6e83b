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
use crate::identity::session::MAX_SESSION_ID;
use crate::request::Thing;
use crate::request::incoming::Head;
use crate::request::methods::REVISIONS;
use crate::request::methods::is_modern;
use crate::request::wire::start_of;

/// Most bytes of a refused version that are kept.
const MAX_VERSION: usize = 64;

/// What a client speaks that does not say (2025-11-25, transports, protocol version header).
const ASSUMED: &str = "2025-03-26";

/// The one revision that has batches.
const WITH_BATCHES: &str = ASSUMED;

pub(super) const VERSION_HEADER: &str = "mcp-protocol-version";
pub(super) const METHOD_HEADER: &str = "mcp-method";
pub(super) const NAME_HEADER: &str = "mcp-name";

/// Checks a message; `thing` is what its first operation acts on.
pub(super) fn check_post(
    head: &Head,
    rules: &McpRules,
    envelope: &Envelope<'_>,
    thing: &Thing,
) -> Result<(), MessageFaultKind> {
    check_session_id(head)?;
    let stated = head.protocol_version.as_deref();
    check_version(stated, rules, envelope.is_initialize())?;
    let modern = stated.is_some_and(is_modern);
    let meta = &envelope.params.meta;
    let in_body = version_in_body(envelope, stated)?;
    let mirrored = modern || in_body;
    match &envelope.kind {
        Kind::Request(method) => {
            if modern && !meta.hidden && !in_body {
                return Err(malformed(
                    "`params._meta` does not state the protocol version",
                ));
            }
            if modern && !meta.hidden && !meta.capabilities {
                return Err(malformed(
                    "`params._meta` does not state the client's capabilities",
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

/// Checks a batch: only the revision that has them may be stated, and headers that repeat one
/// message cannot repeat several.
pub(super) fn check_batch(
    head: &Head,
    rules: &McpRules,
    members: &[Envelope<'_>],
) -> Result<(), MessageFaultKind> {
    check_session_id(head)?;
    let stated = head.protocol_version.as_deref();
    check_version(stated, rules, false)?;
    if stated.is_some_and(|version| version != WITH_BATCHES) {
        return Err(malformed("this protocol version has no batches"));
    }
    for (header, value) in [
        (METHOD_HEADER, &head.mcp_method),
        (NAME_HEADER, &head.mcp_name),
    ] {
        if value.is_some() {
            return Err(MessageFaultKind::HeaderMismatch(header));
        }
    }
    for member in members {
        version_in_body(member, stated)?;
    }
    Ok(())
}

/// Checks a request without a body: there is nothing that headers could repeat.
pub(super) fn check_session(head: &Head, rules: &McpRules) -> Result<(), MessageFaultKind> {
    check_session_id(head)?;
    check_version(head.protocol_version.as_deref(), rules, false)?;
    if head.mcp_method.is_some() {
        return Err(MessageFaultKind::HeaderMismatch(METHOD_HEADER));
    }
    check_name(head, None, false)
}

/// Checks that the version is one in which servers hold the headers against the body (2026-07-28,
/// streamable HTTP, server validation): in any other, whoever relies on them is deceived.
pub(super) fn check_mirrored(head: &Head, rules: &McpRules) -> Result<(), MessageFaultKind> {
    match head.protocol_version.as_deref() {
        None => Err(MessageFaultKind::HeaderMismatch(VERSION_HEADER)),
        Some(version) if is_modern(version) => Ok(()),
        Some(version) => Err(unsupported(
            version,
            served(rules).filter(|version| is_modern(version)),
        )),
    }
}

/// Whether the body states the version; if it does, it states that of the header.
fn version_in_body(
    envelope: &Envelope<'_>,
    stated: Option<&str>,
) -> Result<bool, MessageFaultKind> {
    match &envelope.params.meta.version {
        Field::Absent => Ok(false),
        Field::Text(version) if stated == Some(version) => Ok(true),
        Field::Text(_) => Err(MessageFaultKind::HeaderMismatch(VERSION_HEADER)),
        Field::Other => Err(malformed("the protocol version is not a string")),
    }
}

/// A session id is visible ASCII (2025-11-25, transports, session management).
fn check_session_id(head: &Head) -> Result<(), MessageFaultKind> {
    let valid = head.session.as_ref().is_none_or(|id| {
        (1..=MAX_SESSION_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if valid {
        Ok(())
    } else {
        Err(malformed("`Mcp-Session-Id` is not a session id"))
    }
}

/// A stated version must be served; without one, the version that is assumed must be, except
/// before the versions have been negotiated.
fn check_version(
    stated: Option<&str>,
    rules: &McpRules,
    initialize: bool,
) -> Result<(), MessageFaultKind> {
    let is_served = match stated {
        None if initialize => served(rules).any(|version| !is_modern(version)),
        None | Some(_) => served(rules).any(|version| version == stated.unwrap_or(ASSUMED)),
    };
    if is_served {
        return Ok(());
    }
    Err(unsupported(stated.unwrap_or(ASSUMED), served(rules)))
}

/// The versions that are served.
fn served(rules: &McpRules) -> impl Iterator<Item = &str> {
    let known = if rules.versions.is_empty() {
        &REVISIONS[..]
    } else {
        &[]
    };
    let chosen = rules.versions.iter().map(String::as_str);
    chosen.chain(known.iter().copied())
}

fn unsupported<'a>(requested: &str, supported: impl Iterator<Item = &'a str>) -> MessageFaultKind {
    MessageFaultKind::UnsupportedVersion {
        requested: start_of(requested, MAX_VERSION).to_owned(),
        supported: supported.map(str::to_owned).collect(),
    }
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
pub(super) fn decoded(value: &str) -> Option<Cow<'_, [u8]>> {
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
