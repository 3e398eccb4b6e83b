//! The members of `params` that decisions read.

use std::borrow::Cow;
use std::ops::Range;

use super::MessageFaultKind;
use super::look_alike;
use super::malformed;
use crate::request::json::JsonFault;
use crate::request::json::Reader;
use crate::request::json::Token;

/// Most resources and tasks that one subscription may name.
pub(super) const MAX_SUBSCRIPTIONS: usize = 256;

const LOOK_ALIKE: &str = "a name looks like one of the protocol's and is not";

/// A string member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// Not there.
    #[default]
    Absent,
    /// A string.
    Text(Cow<'a, str>),
    /// Something else.
    Other,
}

/// What a `params` object says.
#[derive(Debug, Default)]
pub(super) struct Params<'a> {
    /// `name`
    pub(super) name: Field<'a>,
    /// `uri`
    pub(super) uri: Field<'a>,
    /// `taskId`
    pub(super) task_id: Field<'a>,
    /// `ref`
    pub(super) reference: Option<Reference<'a>>,
    /// `notifications`
    pub(super) notifications: Option<Subscriptions<'a>>,
    /// `_meta`
    pub(super) meta: Meta<'a>,
    arguments: Option<(bool, Range<usize>)>,
}

/// What `_meta` says of the protocol.
#[derive(Debug, Default)]
pub(super) struct Meta<'a> {
    /// Whether what was read does not show `_meta`; else what is absent here was not sent.
    pub(super) hidden: bool,
    /// `io.modelcontextprotocol/protocolVersion`
    pub(super) version: Field<'a>,
    /// Whether `io.modelcontextprotocol/clientCapabilities` is there and an object.
    pub(super) capabilities: bool,
}

/// A `ref` object.
#[derive(Debug, Default)]
pub(super) struct Reference<'a> {
    /// `type`
    pub(super) kind: Field<'a>,
    /// `name`
    pub(super) name: Field<'a>,
    /// `uri`
    pub(super) uri: Field<'a>,
}

/// A `notifications` object of `subscriptions/listen`.
#[derive(Debug, Default)]
pub(super) struct Subscriptions<'a> {
    /// `resourceSubscriptions`
    pub(super) uris: Vec<Cow<'a, str>>,
    /// `taskIds`
    pub(super) tasks: Vec<Cow<'a, str>>,
    /// Whether a list was something else, or longer than [`MAX_SUBSCRIPTIONS`].
    pub(super) invalid: bool,
}

impl Field<'_> {
    /// The text, which must be there and must not be empty.
    pub(super) fn required(&self, fault: &'static str) -> Result<String, MessageFaultKind> {
        match self {
            Self::Text(text) if !text.is_empty() => Ok(text.clone().into_owned()),
            Self::Text(_) | Self::Absent | Self::Other => Err(malformed(fault)),
        }
    }
}

impl<'a> Params<'a> {
    /// Reads one member; the first fault in a name or a shape is kept in `fault`.
    pub(super) fn member(
        &mut self,
        reader: &mut Reader<'a>,
        name: &str,
        fault: &mut Option<&'static str>,
    ) -> Result<(), JsonFault> {
        if look_alike::is_refused(name, look_alike::PARAMS) {
            fault.get_or_insert(LOOK_ALIKE);
        }
        match name {
            "name" => self.name = field(reader)?,
            "uri" => self.uri = field(reader)?,
            "taskId" => self.task_id = field(reader)?,
            "ref" => self.reference = reference(reader, fault)?,
            "notifications" => self.notifications = subscriptions(reader, fault)?,
            "_meta" => self.meta = meta(reader, fault)?,
            "argument" => known_members(reader, look_alike::ARGUMENT, fault)?,
            "context" => known_members(reader, look_alike::CONTEXT, fault)?,
            "arguments" => {
                let event = reader.whole()?;
                self.arguments = Some((event.token == Token::ObjectStart, event.span));
            }
            _ => {
                reader.whole()?;
            }
        }
        Ok(())
    }

    /// Where `arguments` stands in the body.
    pub(super) fn arguments(&self) -> Result<Option<Range<usize>>, MessageFaultKind> {
        match &self.arguments {
            None => Ok(None),
            Some((true, span)) => Ok(Some(span.clone())),
            Some((false, _)) => Err(malformed("`params.arguments` is not an object")),
        }
    }
}

/// Reads one value as a string member.
pub(super) fn field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, JsonFault> {
    if let Token::String(text) = reader.whole()?.token {
        Ok(Field::Text(text))
    } else {
        Ok(Field::Other)
    }
}

fn reference<'a>(
    reader: &mut Reader<'a>,
    fault: &mut Option<&'static str>,
) -> Result<Option<Reference<'a>>, JsonFault> {
    let mut reference = Reference::default();
    let is_object = reader.object(|reader, name| {
        if look_alike::is_refused(&name, look_alike::REFERENCE) {
            fault.get_or_insert(LOOK_ALIKE);
        }
        match &*name {
            "type" => reference.kind = field(reader)?,
            "name" => reference.name = field(reader)?,
            "uri" => reference.uri = field(reader)?,
            _ => {
                reader.whole()?;
            }
        }
        Ok(())
    })?;
    Ok(is_object.then_some(reference))
}

fn subscriptions<'a>(
    reader: &mut Reader<'a>,
    fault: &mut Option<&'static str>,
) -> Result<Option<Subscriptions<'a>>, JsonFault> {
    let mut found = Subscriptions::default();
    let is_object = reader.object(|reader, name| {
        if look_alike::is_refused(&name, look_alike::NOTIFICATIONS) {
            fault.get_or_insert(LOOK_ALIKE);
        }
        let valid = match &*name {
            "resourceSubscriptions" => strings(reader, &mut found.uris)?,
            "taskIds" => strings(reader, &mut found.tasks)?,
            _ => {
                reader.whole()?;
                true
            }
        };
        found.invalid |= !valid;
        Ok(())
    })?;
    found.invalid |= found.uris.len().saturating_add(found.tasks.len()) > MAX_SUBSCRIPTIONS;
    Ok(is_object.then_some(found))
}

/// Reads an array of non-empty strings; one more than the bound is kept, to show that it is broken.
fn strings<'a>(reader: &mut Reader<'a>, found: &mut Vec<Cow<'a, str>>) -> Result<bool, JsonFault> {
    let first = reader.expect_event()?;
    if first.token != Token::ArrayStart {
        reader.finish(&first)?;
        return Ok(false);
    }
    let mut valid = true;
    loop {
        let event = reader.expect_event()?;
        if event.token == Token::ArrayEnd {
            return Ok(valid);
        }
        reader.finish(&event)?;
        let Token::String(text) = event.token else {
            valid = false;
            continue;
        };
        valid &= !text.is_empty();
        if found.len() <= MAX_SUBSCRIPTIONS {
            found.push(text);
        }
    }
}

/// Reads one value of which nothing is wanted; the names in it, if it is an object, must not look
/// like those that are known.
fn known_members(
    reader: &mut Reader<'_>,
    known: &[&str],
    fault: &mut Option<&'static str>,
) -> Result<(), JsonFault> {
    reader.object(|reader, name| {
        if look_alike::is_refused(&name, known) {
            fault.get_or_insert(LOOK_ALIKE);
        }
        reader.whole().map(drop)
    })?;
    Ok(())
}

fn meta<'a>(
    reader: &mut Reader<'a>,
    fault: &mut Option<&'static str>,
) -> Result<Meta<'a>, JsonFault> {
    let mut meta = Meta::default();
    let is_object = reader.object(|reader, name| {
        if look_alike::is_refused_in_meta(&name) {
            fault.get_or_insert(LOOK_ALIKE);
        }
        match &*name {
            look_alike::META_VERSION => meta.version = field(reader)?,
            look_alike::META_CAPABILITIES => {
                meta.capabilities = reader.whole()?.token == Token::ObjectStart;
            }
            _ => {
                reader.whole()?;
            }
        }
        Ok(())
    })?;
    if !is_object {
        fault.get_or_insert("`params._meta` is not an object");
    }
    Ok(meta)
}
