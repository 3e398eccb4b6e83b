//! The arguments of a call, as policies see them.

use std::collections::BTreeMap;

use cedargate::request::Arguments;
use cedargate::request::Operation;
use cedargate::request::arguments;
use cedargate::request::arguments::ArgumentValue;
use cedargate::request::arguments::ArgumentsFault;
use cedargate::request::arguments::Flat;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::numbers;

type Raw = Box<RawValue>;

/// The JSON object of the arguments that an operation carries.
fn sent(operation: &Operation) -> Option<&[u8]> {
    match &operation.arguments {
        Arguments::Json(sent) => Some(sent),
        Arguments::None | Arguments::Unknown => None,
    }
}

/// Holds what an operation carries against `stated`, the member of the body.
pub(crate) fn check(operation: &Operation, stated: Option<&Value>) {
    let Some(sent) = sent(operation) else {
        assert_eq!(stated, None, "arguments were lost");
        return;
    };
    let again: Value = serde_json::from_slice(sent).expect("what was accepted is JSON");
    assert_eq!(Some(&again), stated, "other arguments");
    let Flat { values, ambiguous } = match arguments::read(sent) {
        Ok(read) => read,
        Err(ArgumentsFault::Json(fault)) => panic!("accepted in a message, and then: {fault}"),
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            return;
        }
    };
    let mut expected = BTreeMap::new();
    flatten("", &members(sent), &mut expected);
    let count = values.len();
    let marked = |(name, value)| {
        let is_ambiguous = ambiguous.contains(&name);
        (name, (value, is_ambiguous))
    };
    let read: BTreeMap<String, (ArgumentValue, bool)> = values.into_iter().map(marked).collect();
    assert_eq!(read.len(), count, "two arguments of one name");
    assert_eq!(read, expected, "two readings of the arguments");
    let counted = expected.values().filter(|(_, ambiguous)| *ambiguous);
    assert_eq!(ambiguous.len(), counted.count(), "in doubt, and not there");
}

fn members(object: &[u8]) -> BTreeMap<String, Raw> {
    serde_json::from_slice(object).expect("an object")
}

fn flatten(
    outer: &str,
    members: &BTreeMap<String, Raw>,
    out: &mut BTreeMap<String, (ArgumentValue, bool)>,
) {
    for (name, raw) in members {
        let name = name.replace('\\', r"\\").replace('.', r"\.");
        let name = format!("{outer}{name}");
        if raw.get().starts_with('{') {
            let inner = self::members(raw.get().as_bytes());
            flatten(&format!("{name}."), &inner, out);
        }
        out.insert(name, (value(raw), is_ambiguous(raw)));
    }
}

/// Whether it is, or is an array that holds, a number of which other parsers make another.
fn is_ambiguous(raw: &RawValue) -> bool {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => numbers::is_ambiguous(text),
        Some(b'[') => {
            let elements: Vec<Raw> = serde_json::from_str(text).expect("an array");
            let is_array = |raw: &Raw| raw.get().starts_with('[');
            elements
                .iter()
                .filter(|raw| !is_array(raw))
                .any(|raw| is_ambiguous(raw))
        }
        _ => false,
    }
}

fn value(raw: &RawValue) -> ArgumentValue {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => ArgumentValue::String(string(text)),
        Some(b't' | b'f') => ArgumentValue::Bool(text == "true"),
        Some(b'[') => array(text),
        Some(b'-' | b'0'..=b'9') => {
            let (long, decimal) = (numbers::long(text), numbers::ten_thousandths(text));
            if long.is_none() && decimal.is_none() {
                return ArgumentValue::Empty;
            }
            ArgumentValue::Number {
                long,
                decimal: decimal.map(point),
            }
        }
        _ => ArgumentValue::Empty,
    }
}

fn array(text: &str) -> ArgumentValue {
    let elements: Vec<Raw> = serde_json::from_str(text).expect("an array");
    let strings: Vec<_> = elements
        .iter()
        .filter(|raw| raw.get().starts_with('"'))
        .map(|raw| string(raw.get()))
        .collect();
    let is_number = |raw: &&Raw| {
        raw.get()
            .starts_with(|c: char| c == '-' || c.is_ascii_digit())
    };
    let longs: Vec<_> = elements
        .iter()
        .filter(is_number)
        .filter_map(|raw| numbers::long(raw.get()))
        .collect();
    match elements.len() {
        0 => ArgumentValue::EmptyArray,
        count if count == strings.len() => ArgumentValue::Strings(strings),
        count if count == longs.len() => ArgumentValue::Longs(longs),
        _ => ArgumentValue::Empty,
    }
}

fn string(text: &str) -> String {
    serde_json::from_str(text).expect("a string")
}

/// As Cedar writes a decimal of so many ten thousandths.
fn point(value: i64) -> String {
    let digits = format!("{:05}", value.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 4);
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}
