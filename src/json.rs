//! JSON with one reading: repeated members and deep nesting are refused, and nothing is lost.

use std::cell::Cell;
use std::fmt;

use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// The deepest nesting that [`parse`] can be asked for; the tokenizer gives up just above it.
pub const DEEPEST: usize = 120;

/// A JSON value (RFC 8259) whose objects have no repeated members.
#[derive(Clone, Debug, PartialEq)]
pub enum StrictValue {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number within `i64`.
    Integer(i64),
    /// A whole number above `i64::MAX`, within `u64`.
    Unsigned(u64),
    /// Any other number, as the nearest double.
    Float(f64),
    /// A string, unescaped.
    Text(String),
    /// An array.
    Array(Vec<StrictValue>),
    /// An object, its members in the order in which they were written.
    Object(Vec<(String, StrictValue)>),
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON, or not UTF-8.
    #[error("not well-formed JSON")]
    Malformed,
    /// An object has two members of one name.
    #[error("an object repeats a member")]
    RepeatedMember,
    /// Arrays and objects are nested deeper than allowed.
    #[error("nested too deeply")]
    TooDeep,
}

/// Reads one JSON text that fills `bytes`. Arrays and objects may be nested `max_depth` deep, at
/// most [`DEEPEST`]; a scalar has depth 0. Names are compared after unescaping.
///
/// # Errors
///
/// [`JsonFault`], the first that is met.
pub fn parse(bytes: &[u8], max_depth: usize) -> Result<StrictValue, JsonFault> {
    let fault = Cell::new(JsonFault::Malformed);
    let reader = Reader {
        depth_left: max_depth.min(DEEPEST),
        fault: &fault,
    };
    let mut tokens = serde_json::Deserializer::from_slice(bytes);
    let value = reader.deserialize(&mut tokens).map_err(|_| fault.get())?;
    tokens.end().map_err(|_| JsonFault::Malformed)?;
    Ok(value)
}

impl StrictValue {
    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        if let Self::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self {
            Some(elements)
        } else {
            None
        }
    }

    /// The text of a string.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// A whole number within `i64`; `1.0` and `1e0` are not whole numbers here.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self {
            Some(*number)
        } else {
            None
        }
    }
}

/// Reads one value, knowing how much deeper it may go. The tokenizer's errors are text, so the
/// fault that stopped it is left in a cell.
#[derive(Clone, Copy)]
struct Reader<'a> {
    depth_left: usize,
    fault: &'a Cell<JsonFault>,
}

impl Reader<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.stop(JsonFault::TooDeep)),
        }
    }

    fn stop<E: Error>(self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = StrictValue;

    fn deserialize<D: Deserializer<'de>>(self, tokens: D) -> Result<StrictValue, D::Error> {
        tokens.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = StrictValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<StrictValue, E> {
        Ok(StrictValue::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<StrictValue, E> {
        Ok(StrictValue::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<StrictValue, E> {
        Ok(StrictValue::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<StrictValue, E> {
        Ok(i64::try_from(value).map_or(StrictValue::Unsigned(value), StrictValue::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<StrictValue, E> {
        Ok(StrictValue::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<StrictValue, E> {
        Ok(StrictValue::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<StrictValue, E> {
        Ok(StrictValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<StrictValue, A::Error> {
        let inner = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) = tokens.next_element_seed(inner)? {
            elements.push(element);
        }
        Ok(StrictValue::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut tokens: A) -> Result<StrictValue, A::Error> {
        let inner = self.deeper()?;
        let mut members: Vec<(String, StrictValue)> = Vec::new();
        while let Some(name) = tokens.next_key::<String>()? {
            members.push((name, tokens.next_value_seed(inner)?));
        }
        if repeats(&members) {
            return Err(self.stop(JsonFault::RepeatedMember));
        }
        Ok(StrictValue::Object(members))
    }
}

/// Sorting keeps a large object from costing the square of its size.
fn repeats(members: &[(String, StrictValue)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .any(|pair| matches!(pair, [one, next] if one == next))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<StrictValue, JsonFault> {
        parse(text.as_bytes(), 16)
    }

    #[test]
    fn values_keep_their_kind() {
        let table = [
            ("null", StrictValue::Null),
            (" true ", StrictValue::Bool(true)),
            ("-9223372036854775808", StrictValue::Integer(i64::MIN)),
            ("9223372036854775808", StrictValue::Unsigned(1 << 63)),
            ("1.0", StrictValue::Float(1.0)),
            (r#""\u00e9""#, StrictValue::Text("\u{e9}".into())),
            ("[]", StrictValue::Array(vec![])),
            ("{}", StrictValue::Object(vec![])),
        ];
        for (text, value) in table {
            assert_eq!(read(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_repeated_member_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[[{"a":null,"a":null}]]"#,
        ] {
            assert_eq!(read(text), Err(JsonFault::RepeatedMember), "{text}");
        }
        assert!(read(r#"{"a":{"a":1},"A":2,"a ":3}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded_exactly() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(16)).is_ok());
        assert_eq!(read(&nested(17)), Err(JsonFault::TooDeep));
        assert_eq!(read(r#"{"a":1}"#).map(|_| ()), Ok(()));
        assert_eq!(parse(br#"{"a":1}"#, 0), Err(JsonFault::TooDeep));
        assert_eq!(parse(b"1", 0), Ok(StrictValue::Integer(1)));
        let deepest = nested(DEEPEST);
        assert!(parse(deepest.as_bytes(), usize::MAX).is_ok());
        let over = nested(DEEPEST + 1);
        assert_eq!(parse(over.as_bytes(), usize::MAX), Err(JsonFault::TooDeep));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bytes in [
            &b""[..],
            b"{",
            b"{} {}",
            b"nul",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            br#""\ud800""#,
            b"1e999",
            b"NaN",
            b"01",
            b"{'a':1}",
            b"[1,]",
            b"\xfe\xff\0{\0}",
        ] {
            assert_eq!(parse(bytes, 16), Err(JsonFault::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn a_large_object_is_not_quadratic() {
        let members: Vec<String> = (0..100_000).map(|n| format!(r#""k{n}":0"#)).collect();
        let text = format!("{{{}}}", members.join(","));
        assert!(read(&text).is_ok());
        let twice = format!(r#"{{{},"k0":0}}"#, members.join(","));
        assert_eq!(read(&twice), Err(JsonFault::RepeatedMember));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let ours = parse(&bytes, 16);
            if ours.is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }
    }
}
