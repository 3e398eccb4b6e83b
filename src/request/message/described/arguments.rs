//! Arguments as the filter passes them on: every number is a double there.

use bytes::Bytes;
use prost_types::Struct;
use prost_types::Value;
use prost_types::value::Kind;

use super::super::MessageFaultKind;
use super::super::malformed;
use crate::request::Arguments;
use crate::request::json::JsonFault;
use crate::request::json::MAX_DEPTH;
use crate::request::json::Reader;
use crate::request::json::Token;

/// Integers below this one have a double of their own: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Decimal digits that survive a double, whatever they are.
const DIGITS: usize = 15;

/// The arguments as JSON. A number that may have been another before it became a double is written as
/// `null`: policies see an argument of no type that they know.
pub(super) fn json(sent: &Value) -> Result<Arguments, MessageFaultKind> {
    let Some(Kind::StructValue(_)) = &sent.kind else {
        return Err(malformed("`params.arguments` is not an object"));
    };
    let mut out = String::new();
    write(sent, &mut out, 0)?;
    Ok(Arguments::Json(Bytes::from(out)))
}

/// Whether a JSON object, strictly read before, says the same.
pub(super) fn same(json: &[u8], sent: &Value) -> bool {
    let compare = || {
        let mut reader = Reader::new(json)?;
        equal(&mut reader, sent)
    };
    compare().unwrap_or(false)
}

fn write(value: &Value, out: &mut String, depth: usize) -> Result<(), MessageFaultKind> {
    if depth > MAX_DEPTH {
        return Err(malformed("the arguments are nested too deeply"));
    }
    let below = depth.saturating_add(1);
    match &value.kind {
        None | Some(Kind::NullValue(_)) => out.push_str("null"),
        Some(Kind::BoolValue(value)) => out.push_str(if *value { "true" } else { "false" }),
        Some(Kind::NumberValue(number)) => out.push_str(&exact(*number)?),
        Some(Kind::StringValue(text)) => string(text, out),
        Some(Kind::ListValue(list)) => {
            let mut separator = '[';
            for item in &list.values {
                out.push(separator);
                separator = ',';
                write(item, out, below)?;
            }
            out.push_str(if separator == '[' { "[]" } else { "]" });
        }
        Some(Kind::StructValue(Struct { fields })) => {
            let mut separator = '{';
            for (name, value) in fields {
                out.push(separator);
                separator = ',';
                string(name, out);
                out.push(':');
                write(value, out, below)?;
            }
            out.push_str(if separator == '{' { "{}" } else { "}" });
        }
    }
    Ok(())
}

fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The number, if nothing else that a client could have written has become the same double.
fn exact(number: f64) -> Result<String, MessageFaultKind> {
    if !number.is_finite() {
        return Err(malformed("a number in the arguments is out of range"));
    }
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let exact = if number.fract() == 0.0 {
        number.abs() < EXACT
    } else {
        digits <= DIGITS
    };
    Ok(if exact { text } else { "null".to_owned() })
}

/// Compares the next value; the reader bounds how deep it can be nested.
fn equal(reader: &mut Reader<'_>, value: &Value) -> Result<bool, JsonFault> {
    let event = reader.expect_event()?;
    Ok(match (&event.token, &value.kind) {
        (Token::Null, None | Some(Kind::NullValue(_))) => true,
        (Token::Bool(read), Some(Kind::BoolValue(sent))) => read == sent,
        (Token::String(read), Some(Kind::StringValue(sent))) => read == sent,
        (Token::Number(read), Some(Kind::NumberValue(sent))) => {
            // Both are the double that is nearest to the same text, or they are not.
            read.parse::<f64>()
                .is_ok_and(|read| read.to_bits() == sent.to_bits() || (read == 0.0 && *sent == 0.0))
        }
        (Token::ArrayStart, Some(Kind::ListValue(list))) => items(reader, &list.values)?,
        (Token::ObjectStart, Some(Kind::StructValue(sent))) => members(reader, sent)?,
        (_, _) => false,
    })
}

fn items(reader: &mut Reader<'_>, sent: &[Value]) -> Result<bool, JsonFault> {
    for value in sent {
        if !equal(reader, value)? {
            return Ok(false);
        }
    }
    Ok(reader.expect_event()?.token == Token::ArrayEnd)
}

fn members(reader: &mut Reader<'_>, sent: &Struct) -> Result<bool, JsonFault> {
    let mut count = 0_usize;
    while let Token::Key(name) = reader.expect_event()?.token {
        let Some(value) = sent.fields.get(&*name) else {
            return Ok(false);
        };
        if !equal(reader, value)? {
            return Ok(false);
        }
        count = count.saturating_add(1);
    }
    Ok(count == sent.fields.len())
}
