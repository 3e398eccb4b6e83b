//! A strict JSON reader (RFC 8259): whatever two parsers could read differently is refused.
//!
//! It refuses, beyond the grammar: bytes that are not UTF-8, a byte order mark, a key that occurs
//! twice in an object (compared after unescaping), lone surrogates, numbers that overflow a double,
//! nesting deeper than [`MAX_DEPTH`], and anything after the document. It pulls one event at a
//! time, holds no tree and does not recurse.

mod fault;
mod keys;
mod number;
mod string;
#[cfg(test)]
mod work;

use std::borrow::Cow;
use std::ops::Range;

pub use self::fault::JsonFault;
pub use self::fault::JsonFaultKind;
use self::keys::Keys;

/// Deepest accepted nesting of objects and arrays.
pub const MAX_DEPTH: usize = 64;

/// A reader over one document.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Container<'a>>,
    expect: Expect,
}

/// One piece of a document, and the bytes that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// What it is.
    pub token: Token<'a>,
    /// Where it stands.
    pub span: Range<usize>,
}

/// The pieces of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// A member's name, unescaped.
    Key(Cow<'a, str>),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// A number, as written.
    Number(&'a str),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
}

#[derive(Debug)]
enum Container<'a> {
    Object(Keys<'a>),
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Separator,
    Nothing,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `document`.
    ///
    /// # Errors
    ///
    /// [`JsonFaultKind::Utf8`] and [`JsonFaultKind::ByteOrderMark`].
    pub fn new(document: &'a [u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(document).map_err(|error| JsonFault {
            kind: JsonFaultKind::Utf8,
            offset: error.valid_up_to(),
        })?;
        if text.starts_with('\u{feff}') {
            return Err(JsonFault {
                kind: JsonFaultKind::ByteOrderMark,
                offset: 0,
            });
        }
        Ok(Self {
            text,
            at: 0,
            open: Vec::new(),
            expect: Expect::Value,
        })
    }

    /// The next event; none when the document has ended and nothing follows it.
    ///
    /// # Errors
    ///
    /// The first fault; the reader must not be used after it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would invite callers to skip the error"
    )]
    pub fn next(&mut self) -> Result<Option<Event<'a>>, JsonFault> {
        self.skip_white_space();
        let event = match (self.expect, self.peek()) {
            (Expect::ValueOrEnd, Some(b']')) => self.close(Token::ArrayEnd),
            (Expect::KeyOrEnd, Some(b'}')) => self.close(Token::ObjectEnd),
            (Expect::Value | Expect::ValueOrEnd, _) => self.value()?,
            (Expect::Key | Expect::KeyOrEnd, _) => self.key()?,
            (Expect::Separator, _) => self.separator()?,
            (Expect::Nothing, None) => return Ok(None),
            (Expect::Nothing, Some(_)) => return Err(self.fault(JsonFaultKind::Trailing)),
        };
        Ok(Some(event))
    }

    /// One whole value, with every check: its first event, with the span of all of it.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`].
    pub fn whole(&mut self) -> Result<Event<'a>, JsonFault> {
        let first = self.expect_event()?;
        let span = self.finish(&first)?;
        Ok(Event {
            token: first.token,
            span,
        })
    }

    /// Reads one value; when it is an object, calls `member` with each name, and `member` must read
    /// exactly one value. Answers whether it was an object.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`], and whatever `member` answers.
    pub fn object<F>(&mut self, member: F) -> Result<bool, JsonFault>
    where
        F: FnMut(&mut Self, Cow<'a, str>) -> Result<(), JsonFault>,
    {
        let first = self.expect_event()?;
        if first.token != Token::ObjectStart {
            self.finish(&first)?;
            return Ok(false);
        }
        self.members(member)?;
        Ok(true)
    }

    /// The members of an object that has just begun, as [`Reader::object`].
    ///
    /// # Errors
    ///
    /// As [`Reader::object`].
    pub fn members<F>(&mut self, mut member: F) -> Result<(), JsonFault>
    where
        F: FnMut(&mut Self, Cow<'a, str>) -> Result<(), JsonFault>,
    {
        while let Token::Key(name) = self.expect_event()?.token {
            member(self, name)?;
        }
        Ok(())
    }

    /// Reads on to the end of the value that `event`, the last one, began.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`].
    pub fn finish(&mut self, event: &Event<'a>) -> Result<Range<usize>, JsonFault> {
        let opened = match event.token {
            Token::ObjectStart | Token::ArrayStart => 1,
            Token::ObjectEnd
            | Token::ArrayEnd
            | Token::Key(_)
            | Token::String(_)
            | Token::Number(_)
            | Token::Bool(_)
            | Token::Null => 0,
        };
        let depth = self.open.len().saturating_sub(opened);
        let mut span = event.span.clone();
        while self.open.len() > depth {
            span.end = self.expect_event()?.span.end;
        }
        Ok(span)
    }

    /// The next event of a document that has not ended.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`]; [`JsonFaultKind::End`] when it has.
    pub fn expect_event(&mut self) -> Result<Event<'a>, JsonFault> {
        let end = self.fault(JsonFaultKind::End);
        self.next()?.ok_or(end)
    }

    /// The document's text at `span`.
    pub fn text(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    fn value(&mut self) -> Result<Event<'a>, JsonFault> {
        let start = self.at;
        let token = match self.peek() {
            Some(b'{') => return self.begin(Container::Object(Keys::default())),
            Some(b'[') => return self.begin(Container::Array),
            Some(b'"') => Token::String(self.string()?),
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            Some(b'-' | b'0'..=b'9') => Token::Number(self.number()?),
            Some(_) => return Err(self.fault(JsonFaultKind::Character)),
            None => return Err(self.fault(JsonFaultKind::End)),
        };
        self.end_value();
        Ok(Event {
            token,
            span: start..self.at,
        })
    }

    fn begin(&mut self, container: Container<'a>) -> Result<Event<'a>, JsonFault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(JsonFaultKind::Depth));
        }
        let (token, expect) = match &container {
            Container::Object(_) => (Token::ObjectStart, Expect::KeyOrEnd),
            Container::Array => (Token::ArrayStart, Expect::ValueOrEnd),
        };
        self.open.push(container);
        self.expect = expect;
        Ok(self.one_byte(token))
    }

    fn close(&mut self, token: Token<'a>) -> Event<'a> {
        self.open.pop();
        self.end_value();
        self.one_byte(token)
    }

    fn key(&mut self) -> Result<Event<'a>, JsonFault> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return Err(self.fault(JsonFaultKind::Character)),
            None => return Err(self.fault(JsonFaultKind::End)),
        }
        let key = self.string()?;
        let span = start..self.at;
        if let Some(Container::Object(keys)) = self.open.last_mut()
            && !keys.insert(key.clone())
        {
            return Err(JsonFault {
                kind: JsonFaultKind::DuplicateKey,
                offset: start,
            });
        }
        self.skip_white_space();
        self.byte(b':')?;
        self.expect = Expect::Value;
        Ok(Event {
            token: Token::Key(key),
            span,
        })
    }

    fn separator(&mut self) -> Result<Event<'a>, JsonFault> {
        let in_object = matches!(self.open.last(), Some(Container::Object(_)));
        match (self.peek(), in_object) {
            (Some(b'}'), true) => Ok(self.close(Token::ObjectEnd)),
            (Some(b']'), false) => Ok(self.close(Token::ArrayEnd)),
            (Some(b','), _) => {
                self.advance(1);
                self.expect = if in_object {
                    Expect::Key
                } else {
                    Expect::Value
                };
                self.skip_white_space();
                if in_object { self.key() } else { self.value() }
            }
            (Some(_), _) => Err(self.fault(JsonFaultKind::Character)),
            (None, _) => Err(self.fault(JsonFaultKind::End)),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonFault> {
        let (string, end) = string::read(self.text, self.at)?;
        self.at = end;
        Ok(string)
    }

    fn number(&mut self) -> Result<&'a str, JsonFault> {
        let end = number::read(self.text, self.at)?;
        let number = self.text(self.at..end);
        self.at = end;
        Ok(number)
    }

    fn word(&mut self, word: &'static str, token: Token<'a>) -> Result<Token<'a>, JsonFault> {
        for byte in word.bytes() {
            self.byte(byte)?;
        }
        Ok(token)
    }

    fn byte(&mut self, expected: u8) -> Result<(), JsonFault> {
        match self.peek() {
            Some(byte) if byte == expected => {
                self.advance(1);
                Ok(())
            }
            Some(_) => Err(self.fault(JsonFaultKind::Character)),
            None => Err(self.fault(JsonFaultKind::End)),
        }
    }

    fn one_byte(&mut self, token: Token<'a>) -> Event<'a> {
        let start = self.at;
        self.advance(1);
        Event {
            token,
            span: start..self.at,
        }
    }

    fn end_value(&mut self) {
        self.expect = if self.open.is_empty() {
            Expect::Nothing
        } else {
            Expect::Separator
        };
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.advance(1);
        }
    }

    fn peek(&self) -> Option<u8> {
        #[cfg(test)]
        work::count(1);
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self, by: usize) {
        self.at = self.at.saturating_add(by);
    }

    fn fault(&self, kind: JsonFaultKind) -> JsonFault {
        JsonFault {
            kind,
            offset: self.at,
        }
    }
}

#[cfg(test)]
mod tests;
