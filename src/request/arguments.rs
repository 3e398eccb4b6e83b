//! The arguments of a call as flat names and values, in the terms that policies can compare.

mod number;

use thiserror::Error;

use self::number::Number;
use crate::request::json::JsonFault;
use crate::request::json::Reader;
use crate::request::json::Token;

/// Most values, objects among them.
pub const MAX_VALUES: usize = 256;
/// Deepest nesting of objects, the outermost counted.
pub const MAX_DEPTH: usize = 8;
/// Most bytes of names and values together.
pub const MAX_TEXT: usize = 64 * 1024;

/// A value as far as a policy can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentValue {
    /// A value that policies cannot read: `null`, an object (its members have names of their own),
    /// an array of anything but strings or integers, a number with no exact reading.
    Empty,
    /// A number: as a 64-bit integer if it is one in value, however it is written, and as the text
    /// of a Cedar decimal if it is exact to four digits and within range.
    Number {
        /// The integer.
        long: Option<i64>,
        /// The decimal.
        decimal: Option<String>,
    },
    /// `true` or `false`
    Bool(bool),
    /// A string.
    String(String),
    /// An array of strings.
    Strings(Vec<String>),
    /// An array of 64-bit integers.
    Longs(Vec<i64>),
    /// An array without elements: a set of either kind.
    EmptyArray,
}

/// Why arguments cannot be given to policies: a policy that reads them denies.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ArgumentsFault {
    /// Not one strictly read JSON object.
    #[error("the arguments are not acceptable JSON: {0}")]
    Json(#[from] JsonFault),
    /// Something other than an object.
    #[error("the arguments are not an object")]
    NotAnObject,
    /// More than [`MAX_VALUES`].
    #[error("more than {MAX_VALUES} arguments")]
    TooMany,
    /// Deeper than [`MAX_DEPTH`].
    #[error("arguments nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More than [`MAX_TEXT`].
    #[error("more than {MAX_TEXT} bytes of arguments")]
    TooLong,
}

/// The arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Flat {
    /// Every argument by its dotted name, in the order of the document. A member `b` of an object
    /// `a` is `a.b`. A dot or a backslash inside a name is escaped with a backslash, so that no two
    /// arguments share a name and none can pass for a member of another.
    pub values: Vec<(String, ArgumentValue)>,
    /// The names, in the same order, of those that are or hold in an array a number of which readers
    /// that keep doubles make another (RFC 8259, section 6): the upstream may act on a value that is
    /// not the one above.
    pub ambiguous: Vec<String>,
}

/// The values alone: see [`Flat::values`].
///
/// # Errors
///
/// See [`ArgumentsFault`].
pub fn parse(arguments: &[u8]) -> Result<Vec<(String, ArgumentValue)>, ArgumentsFault> {
    read(arguments).map(|flat| flat.values)
}

/// Reads the arguments.
///
/// # Errors
///
/// See [`ArgumentsFault`].
pub fn read(arguments: &[u8]) -> Result<Flat, ArgumentsFault> {
    let mut reader = Reader::new(arguments)?;
    if reader.expect_event()?.token != Token::ObjectStart {
        return Err(ArgumentsFault::NotAnObject);
    }
    let mut flat = Flattener::default();
    // The length of the name at each open object, to return to when it ends; the outermost has no
    // name, which is not the same as an empty one.
    let mut outer = vec![None];
    loop {
        let Token::Key(key) = reader.expect_event()?.token else {
            // Between names there is nothing else than the end of an object.
            outer.pop();
            if outer.is_empty() {
                reader.next()?;
                return Ok(flat.found);
            }
            continue;
        };
        flat.enter(outer.last().copied().flatten(), &key);
        if flat.value(&mut reader)? == Shape::Object {
            if outer.len() >= MAX_DEPTH {
                return Err(ArgumentsFault::TooDeep);
            }
            outer.push(Some(flat.name.len()));
        }
    }
}

#[derive(PartialEq, Eq)]
enum Shape {
    Object,
    Other,
}

#[derive(Default)]
struct Flattener {
    name: String,
    found: Flat,
    /// Whether the value that is read holds an ambiguous number.
    ambiguous: bool,
    text: usize,
}

impl Flattener {
    /// Makes the name that of a member of the object whose name is `outer` bytes long.
    fn enter(&mut self, outer: Option<usize>, key: &str) {
        self.name.truncate(outer.unwrap_or_default());
        if outer.is_some() {
            self.name.push('.');
        }
        for character in key.chars() {
            if matches!(character, '.' | '\\') {
                self.name.push('\\');
            }
            self.name.push(character);
        }
    }

    fn value(&mut self, reader: &mut Reader<'_>) -> Result<Shape, ArgumentsFault> {
        self.ambiguous = false;
        let value = match reader.expect_event()?.token {
            Token::ObjectStart => {
                self.add(ArgumentValue::Empty)?;
                return Ok(Shape::Object);
            }
            Token::ArrayStart => self.array(reader)?,
            Token::String(text) => {
                self.count(text.len())?;
                ArgumentValue::String(text.into_owned())
            }
            Token::Number(text) => value(self.number(text)?),
            Token::Bool(value) => ArgumentValue::Bool(value),
            Token::Null | Token::Key(_) | Token::ObjectEnd | Token::ArrayEnd => {
                ArgumentValue::Empty
            }
        };
        self.add(value)?;
        Ok(Shape::Other)
    }

    /// The rest of an array that has begun.
    fn array(&mut self, reader: &mut Reader<'_>) -> Result<ArgumentValue, ArgumentsFault> {
        let mut strings = Vec::new();
        let mut longs = Vec::new();
        let mut others = false;
        loop {
            let event = reader.expect_event()?;
            match &event.token {
                Token::ArrayEnd => break,
                Token::String(text) => {
                    self.count(text.len())?;
                    strings.push(text.clone().into_owned());
                }
                Token::Number(text) => match self.number(text)?.long() {
                    Some(long) => longs.push(long),
                    None => others = true,
                },
                Token::ObjectStart
                | Token::ArrayStart
                | Token::Bool(_)
                | Token::Null
                | Token::Key(_)
                | Token::ObjectEnd => {
                    others = true;
                    reader.finish(&event)?;
                }
            }
        }
        Ok(match (strings.is_empty(), longs.is_empty()) {
            _ if others => ArgumentValue::Empty,
            (true, true) => ArgumentValue::EmptyArray,
            (false, true) => ArgumentValue::Strings(strings),
            (true, false) => ArgumentValue::Longs(longs),
            (false, false) => ArgumentValue::Empty,
        })
    }

    fn number(&mut self, text: &str) -> Result<Number, ArgumentsFault> {
        self.count(text.len())?;
        let number = Number::read(text);
        self.ambiguous |= number.is_ambiguous(text);
        Ok(number)
    }

    fn add(&mut self, value: ArgumentValue) -> Result<(), ArgumentsFault> {
        if self.found.values.len() >= MAX_VALUES {
            return Err(ArgumentsFault::TooMany);
        }
        self.count(self.name.len())?;
        if self.ambiguous {
            self.found.ambiguous.push(self.name.clone());
        }
        self.found.values.push((self.name.clone(), value));
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), ArgumentsFault> {
        // An empty string in an array costs memory as well.
        self.text = self.text.saturating_add(bytes).saturating_add(1);
        if self.text > MAX_TEXT {
            return Err(ArgumentsFault::TooLong);
        }
        Ok(())
    }
}

fn value(number: Number) -> ArgumentValue {
    match (number.long(), number.decimal()) {
        (None, None) => ArgumentValue::Empty,
        (long, decimal) => ArgumentValue::Number { long, decimal },
    }
}

#[cfg(test)]
mod tests;
