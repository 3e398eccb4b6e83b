//! What a document says, in one spelling, so that readers can be compared.
//!
//! Members are sorted, strings are the hexadecimal digits of their UTF-8, and numbers those of the
//! double; minus zero is zero. `tests/tools/json_readers.py` and `.mjs` write the same.

use std::fmt::Write as _;

use cedargate::request::json::Event;
use cedargate::request::json::JsonFault;
use cedargate::request::json::Reader;
use cedargate::request::json::Token;
use serde_json::Value;

/// What our reader reads.
///
/// # Errors
///
/// Its fault.
pub(crate) fn ours(document: &[u8]) -> Result<String, JsonFault> {
    let mut reader = Reader::new(document)?;
    let first = reader.expect_event()?;
    let said = value(&mut reader, first)?;
    match reader.next()? {
        None => Ok(said),
        Some(event) => panic!("{event:?} after the end"),
    }
}

/// What `serde_json` has read.
pub(crate) fn theirs(value: &Value) -> String {
    match value {
        Value::Null => "n".to_owned(),
        Value::Bool(value) => boolean(*value),
        Value::Number(value) => number(value.as_f64().expect("a finite number")),
        Value::String(text) => string(text),
        Value::Array(elements) => array(&elements.iter().map(theirs).collect::<Vec<_>>()),
        Value::Object(members) => object(
            members
                .iter()
                .map(|(name, value)| (hex(name.as_bytes()), theirs(value)))
                .collect(),
        ),
    }
}

fn value(reader: &mut Reader<'_>, first: Event<'_>) -> Result<String, JsonFault> {
    Ok(match first.token {
        Token::ObjectStart => {
            let mut members = Vec::new();
            while let Token::Key(name) = reader.expect_event()?.token {
                let first = reader.expect_event()?;
                members.push((hex(name.as_bytes()), value(reader, first)?));
            }
            object(members)
        }
        Token::ArrayStart => {
            let mut elements = Vec::new();
            loop {
                let event = reader.expect_event()?;
                if event.token == Token::ArrayEnd {
                    break array(&elements);
                }
                elements.push(value(reader, event)?);
            }
        }
        Token::String(text) => string(&text),
        Token::Number(text) => number(text.parse().expect("a number")),
        Token::Bool(value) => boolean(value),
        Token::Null => "n".to_owned(),
        other @ (Token::ObjectEnd | Token::ArrayEnd | Token::Key(_)) => {
            panic!("{other:?} for a value")
        }
    })
}

fn boolean(value: bool) -> String {
    if value { "t" } else { "f" }.to_owned()
}

fn number(value: f64) -> String {
    // Adding zero makes zero of minus zero.
    format!("#{:016x}", (value + 0.0).to_bits())
}

fn string(text: &str) -> String {
    format!("\"{}\"", hex(text.as_bytes()))
}

fn array(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

fn object(mut members: Vec<(String, String)>) -> String {
    members.sort();
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
    }
    out
}
