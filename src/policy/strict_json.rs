//! Lists of JSON objects in which every fault has a place.

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::fault::Source;

/// Most objects in one file.
const MAX_OBJECTS: usize = 10_000;

/// One object of a list, and where it stands.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Reads `[{...}, ...]`; objects that are not a `T` are faults, the others are returned.
pub(super) fn list<T: DeserializeOwned>(
    source: &Source,
    faults: &mut Vec<Fault>,
) -> Vec<Placed<T>> {
    match serde_json::from_str::<Vec<Object>>(&source.text) {
        Ok(_) => objects(source, 1, faults),
        Err(error) => {
            faults.push(fault(source, 0, &error));
            Vec::new()
        }
    }
}

/// Reads `{"tools": [{...}, ...]}` in the same way.
pub(super) fn tools<T: DeserializeOwned>(
    source: &Source,
    faults: &mut Vec<Fault>,
) -> Vec<Placed<T>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(rename = "tools")]
        _tools: Vec<Object>,
    }
    match serde_json::from_str::<File>(&source.text) {
        Ok(_) => objects(source, 2, faults),
        Err(error) => {
            faults.push(fault(source, 0, &error));
            Vec::new()
        }
    }
}

/// Any JSON object, for its shape only.
#[derive(Deserialize)]
struct Object {}

/// Reads each object that opens inside `depth` brackets. The text is known to be JSON of the
/// right shape, so brackets outside strings match.
fn objects<T: DeserializeOwned>(
    source: &Source,
    depth: usize,
    faults: &mut Vec<Fault>,
) -> Vec<Placed<T>> {
    let spans = spans(&source.text, depth);
    if spans.len() > MAX_OBJECTS {
        let message = format!(
            "there are {} entries; the bound is {MAX_OBJECTS}",
            spans.len()
        );
        faults.push(Fault::error(source, None, message).hide_excerpt());
        return Vec::new();
    }
    let mut placed = Vec::new();
    for span in spans {
        let text = source.text.get(span.clone()).unwrap_or("");
        match serde_json::from_str(text) {
            Ok(value) => placed.push(Placed { value, span }),
            Err(error) => faults.push(fault(source, span.start, &error)),
        }
    }
    placed
}

fn spans(text: &str, at_depth: usize) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                if depth == at_depth {
                    start = at;
                }
                depth = depth.saturating_add(1);
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == at_depth {
                    spans.push(start..at.saturating_add(1));
                }
            }
            _ => {}
        }
    }
    spans
}

/// The parser counts lines and columns from the start of what it was given, columns in bytes.
fn fault(source: &Source, start: usize, error: &serde_json::Error) -> Fault {
    let text = source.text.get(start..).unwrap_or("");
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let at = start
        .saturating_add(line_start)
        .saturating_add(error.column().saturating_sub(1))
        .min(source.text.len());
    let end = at.saturating_add(1).min(source.text.len());
    let full = error.to_string();
    let message = match full.rfind(" at line ") {
        Some(end) => full.get(..end).unwrap_or(&full),
        None => &full,
    };
    Fault::error(source, Some(at..end), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        a: u8,
    }

    fn read(text: &str) -> (Vec<u8>, Vec<String>) {
        let source = Source {
            name: "x.json".into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        let items = list::<Item>(&source, &mut faults);
        (
            items.into_iter().map(|item| item.value.a).collect(),
            faults.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn every_object_is_judged_on_its_own() {
        let (good, faults) =
            read("[\n {\"a\": 1},\n {\"b\": \"]}\\\"\"},\n {\"a\": 2},\n {\"a\": 3, \"a\": 4}\n]");
        assert_eq!(good, [1, 2]);
        assert_eq!(
            faults,
            [
                "x.json:3:5: error: unknown field `b`, expected `a`",
                "x.json:5:13: error: duplicate field `a`",
            ]
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for (text, place) in [
            ("", "x.json:1:1: "),
            ("{}", "x.json:1:1: "),
            ("[1]", "x.json:1:2: "),
            ("[{\"a\": 1}] x", "x.json:1:12: "),
            ("[{\"a\": 1},]", "x.json:1:11: "),
            ("[{\"a\":", "x.json:1:6: "),
        ] {
            let (good, faults) = read(text);
            assert!(good.is_empty());
            assert_eq!(faults.len(), 1, "{text}");
            assert!(
                faults.iter().all(|fault| fault.starts_with(place)),
                "{text}: {faults:?}"
            );
        }
    }
}
