//! The JSON-RPC envelope: one request, notification or response, and nothing beside it; or, where
//! that is accepted, a batch of them.

use std::borrow::Cow;

use super::MessageFaultKind;
use super::batch::MAX_MEMBERS;
use super::malformed;
use super::params;
use super::params::Field;
use super::params::Params;
use crate::request::json::JsonFault;
use crate::request::json::Reader;
use crate::request::json::Token;
use crate::request::methods::Method;

/// Longest accepted id, in bytes of raw JSON: answers echo it.
const MAX_ID: usize = 256;
/// The integers that every double can tell apart: plus and minus 2^53.
const MAX_INTEGER_ID: u64 = 1 << 53;

/// What a body holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// One message, and its id. The id is there whenever it is valid and the message is not a
    /// response.
    One(
        Option<Box<str>>,
        Result<Box<Envelope<'a>>, MessageFaultKind>,
    ),
    /// A batch: of at most one member more than are accepted.
    Batch(Vec<Envelope<'a>>),
}

/// One message.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// What kind of message it is.
    pub(super) kind: Kind<'a>,
    /// Its id, where it has one and it was read.
    pub(super) id: Option<Id<'a>>,
    /// The members of `params` that decisions read.
    pub(super) params: Params<'a>,
}

/// The kinds of message.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Has a method and an id.
    Request(Cow<'a, str>),
    /// Has a method and no id.
    Notification(Cow<'a, str>),
    /// Has an id and a result or an error.
    Response,
}

/// A valid id.
#[derive(Debug)]
pub(super) struct Id<'a> {
    /// As it stands in the body.
    raw: &'a str,
    /// The string, unescaped, or the digits: two ids with the same are the same to somebody.
    pub(super) value: Cow<'a, str>,
}

impl Envelope<'_> {
    /// The known method that a request calls.
    pub(super) fn method(&self) -> Option<&'static Method> {
        match &self.kind {
            Kind::Request(name) => Method::find(name),
            Kind::Notification(_) | Kind::Response => None,
        }
    }

    /// Whether it is the request that negotiates the protocol version.
    pub(super) fn is_initialize(&self) -> bool {
        matches!(&self.kind, Kind::Request(name) if name == "initialize")
    }
}

/// Reads a body; an array of messages only with `batches`.
///
/// # Errors
///
/// [`MessageFaultKind::Malformed`]: a body that is not acceptable JSON, or a batch in which a member
/// is not acceptable.
pub(super) fn read(body: &[u8], batches: bool) -> Result<Content<'_>, MessageFaultKind> {
    let document = document(body, batches).map_err(|fault| {
        let text = format!("the body is not acceptable JSON: {fault}");
        MessageFaultKind::Malformed(Cow::Owned(text))
    })?;
    match document {
        Document::One(draft) => {
            // The id of a response is not the client's: an answer that echoed it could be taken
            // for one to a request of the client's own.
            let id = draft.id.as_ref().filter(|_| draft.answers == 0);
            let id = id.map(|id| Box::from(id.raw));
            Ok(Content::One(id, finish(*draft).map(Box::new)))
        }
        Document::Several(drafts) => drafts
            .into_iter()
            .map(finish)
            .collect::<Result<_, _>>()
            .map(Content::Batch),
        Document::Other(fault) => Err(malformed(fault)),
    }
}

enum Document<'a> {
    One(Box<Draft<'a>>),
    Several(Vec<Draft<'a>>),
    Other(&'static str),
}

/// Reads the whole document, whatever it holds, so that its form is known to be right.
fn document(body: &[u8], batches: bool) -> Result<Document<'_>, JsonFault> {
    let mut reader = Reader::new(body)?;
    let first = reader.expect_event()?;
    let document = if first.token == Token::ObjectStart {
        Document::One(Box::new(draft(&mut reader)?))
    } else if batches && first.token == Token::ArrayStart {
        drafts(&mut reader)?
    } else {
        reader.finish(&first)?;
        Document::Other("the body is not a single JSON-RPC message")
    };
    reader.next()?;
    Ok(document)
}

/// The members of an array that has just begun.
fn drafts<'a>(reader: &mut Reader<'a>) -> Result<Document<'a>, JsonFault> {
    let mut found = Vec::new();
    let mut fault = None;
    loop {
        let event = reader.expect_event()?;
        if event.token == Token::ArrayEnd {
            return Ok(fault.map_or(Document::Several(found), Document::Other));
        }
        if event.token != Token::ObjectStart {
            reader.finish(&event)?;
            fault = Some("a member of the batch is not a JSON-RPC message");
        } else if found.len() > MAX_MEMBERS {
            reader.finish(&event)?;
        } else {
            found.push(draft(reader)?);
        }
    }
}

/// A message that has just begun.
fn draft<'a>(reader: &mut Reader<'a>) -> Result<Draft<'a>, JsonFault> {
    let mut draft = Draft::default();
    reader.members(|reader, name| draft.member(reader, &name))?;
    Ok(draft)
}

/// What has been read of the top level. The first fault is kept while reading goes on, so that the
/// id is found and the rest of the document is checked.
#[derive(Default)]
struct Draft<'a> {
    id: Option<Id<'a>>,
    version: bool,
    method: Option<Cow<'a, str>>,
    params: Option<Params<'a>>,
    /// How many of `result` and `error` there are.
    answers: usize,
    fault: Option<&'static str>,
}

impl<'a> Draft<'a> {
    fn note(&mut self, fault: &'static str) {
        self.fault.get_or_insert(fault);
    }

    fn member(&mut self, reader: &mut Reader<'a>, name: &str) -> Result<(), JsonFault> {
        match name {
            "jsonrpc" => {
                self.version = reader.whole()?.token == Token::String(Cow::Borrowed("2.0"));
            }
            "id" => self.id(reader)?,
            "method" => match params::field(reader)? {
                Field::Text(method) => self.method = Some(method),
                Field::Absent | Field::Other => self.note("`method` is not a string"),
            },
            "params" => {
                let mut fault = None;
                let params = self.params.get_or_insert_default();
                if !reader.object(|reader, name| params.member(reader, &name, &mut fault))? {
                    self.note("`params` is not an object");
                }
                self.fault = self.fault.or(fault);
            }
            "result" | "error" => {
                self.answers = self.answers.saturating_add(1);
                reader.whole()?;
            }
            _ => {
                self.note("the message has a member that JSON-RPC does not know");
                reader.whole()?;
            }
        }
        Ok(())
    }

    fn id(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonFault> {
        let event = reader.whole()?;
        let raw = reader.text(event.span);
        let value = match event.token {
            Token::Number(text) if is_integer_id(text) => Some(Cow::Borrowed(text)),
            Token::String(text) => Some(text),
            Token::Number(_)
            | Token::Bool(_)
            | Token::Null
            | Token::Key(_)
            | Token::ObjectStart
            | Token::ObjectEnd
            | Token::ArrayStart
            | Token::ArrayEnd => None,
        };
        match value {
            Some(value) if raw.len() <= MAX_ID => self.id = Some(Id { raw, value }),
            Some(_) | None => self.note("`id` is not a string or an integer of moderate size"),
        }
        Ok(())
    }
}

fn is_integer_id(text: &str) -> bool {
    text != "-0"
        && text
            .parse::<i64>()
            .is_ok_and(|id| id.unsigned_abs() <= MAX_INTEGER_ID)
}

fn finish(draft: Draft<'_>) -> Result<Envelope<'_>, MessageFaultKind> {
    if let Some(fault) = draft.fault {
        return Err(malformed(fault));
    }
    if !draft.version {
        return Err(malformed("`jsonrpc` is not `2.0`"));
    }
    let kind = match (draft.method, &draft.id) {
        (Some(_), _) if draft.answers > 0 => {
            return Err(malformed("the message is a request and a response"));
        }
        (Some(method), Some(_)) => Kind::Request(method),
        (Some(method), None) => Kind::Notification(method),
        (None, Some(_)) if draft.answers == 1 && draft.params.is_none() => Kind::Response,
        (None, _) => return Err(malformed("the message is neither a request nor a response")),
    };
    Ok(Envelope {
        kind,
        id: draft.id,
        params: draft.params.unwrap_or_default(),
    })
}
