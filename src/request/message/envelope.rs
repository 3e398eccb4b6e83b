//! The JSON-RPC envelope: one request, notification or response, and nothing beside it.

use std::borrow::Cow;

use super::MessageFaultKind;
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

/// One message.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// What kind of message it is.
    pub(super) kind: Kind<'a>,
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

impl Envelope<'_> {
    /// The known method that a request calls.
    pub(super) fn method(&self) -> Option<&'static Method> {
        match &self.kind {
            Kind::Request(name) => Method::find(name),
            Kind::Notification(_) | Kind::Response => None,
        }
    }
}

/// Reads a body. The id is there whenever the body is acceptable JSON, the id itself is valid and
/// the message is not a response.
pub(super) fn read(body: &[u8]) -> (Option<Box<str>>, Result<Envelope<'_>, MessageFaultKind>) {
    match draft(body) {
        Ok(draft) => {
            // The id of a response is not the client's: an answer that echoed it could be taken
            // for one to a request of the client's own.
            let id = draft.id.filter(|_| draft.answers == 0).map(Box::from);
            (id, finish(draft))
        }
        Err(fault) => {
            let text = format!("the body is not acceptable JSON: {fault}");
            (None, Err(MessageFaultKind::Malformed(Cow::Owned(text))))
        }
    }
}

/// What has been read of the top level. The first fault is kept while reading goes on, so that the
/// id is found and the rest of the document is checked.
#[derive(Default)]
struct Draft<'a> {
    id: Option<&'a str>,
    version: bool,
    method: Option<Cow<'a, str>>,
    params: Option<Params<'a>>,
    /// How many of `result` and `error` there are.
    answers: usize,
    fault: Option<&'static str>,
}

fn draft(body: &[u8]) -> Result<Draft<'_>, JsonFault> {
    let mut draft = Draft::default();
    let mut reader = Reader::new(body)?;
    if !reader.object(|reader, name| draft.member(reader, &name))? {
        draft.note("the body is not a single JSON-RPC message");
    }
    reader.next()?;
    Ok(draft)
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
        let valid = if let Token::Number(text) = event.token {
            is_integer_id(text)
        } else {
            matches!(event.token, Token::String(_))
        };
        let text = reader.text(event.span);
        if valid && text.len() <= MAX_ID {
            self.id = Some(text);
        } else {
            self.note("`id` is not a string or an integer of moderate size");
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
    let kind = match (draft.method, draft.id) {
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
        params: draft.params.unwrap_or_default(),
    })
}
