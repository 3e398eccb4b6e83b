//! Writes YAML that this program reads back.

use std::fmt::Write as _;

use serde_json::Value as Json;

/// What is written, in the order in which it is written.
pub(super) enum Out {
    Null,
    Switch(bool),
    Text(String),
    List(Vec<Out>),
    Map(Vec<(String, Out)>),
}

pub(super) fn text<T: ToString + ?Sized>(value: &T) -> Out {
    Out::Text(value.to_string())
}

pub(super) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Out {
    Out::List(values.into_iter().map(|value| text(&value)).collect())
}

pub(super) fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Out)>) -> Out {
    Out::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// The document that says this.
pub(super) fn document(value: &Out) -> String {
    let mut out = String::new();
    write(&mut out, 0, value);
    out
}

/// Blocks for mappings and for lists of mappings, brackets for lists of texts.
fn write(out: &mut String, indent: usize, value: &Out) {
    match value {
        Out::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str(&plain_or_quoted(key));
                out.push(':');
                write_nested(out, indent.saturating_add(2), value);
            }
        }
        Out::List(items) if items.iter().any(|item| matches!(item, Out::Map(_))) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                write(out, indent.saturating_add(2), item);
            }
        }
        Out::Null | Out::Switch(_) | Out::Text(_) | Out::List(_) | Out::Map(_) => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn write_nested(out: &mut String, indent: usize, value: &Out) {
    let block = match value {
        Out::Map(entries) => !entries.is_empty(),
        Out::List(items) => items.iter().any(|item| matches!(item, Out::Map(_))),
        Out::Null | Out::Switch(_) | Out::Text(_) => false,
    };
    if block {
        out.push('\n');
        pad(out, indent);
    } else {
        out.push(' ');
    }
    write(out, indent, value);
}

fn pad(out: &mut String, indent: usize) {
    let end = out.len().saturating_add(indent);
    while out.len() < end {
        out.push(' ');
    }
}

fn inline(value: &Out) -> String {
    match value {
        Out::Null => "null".to_owned(),
        Out::Switch(on) => on.to_string(),
        Out::Text(text) => scalar(text),
        Out::List(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Out::Map(entries) => {
            let mut inside = String::new();
            for (key, value) in entries {
                let comma = if inside.is_empty() { "" } else { ", " };
                let written = write!(inside, "{comma}{}: {}", plain_or_quoted(key), inline(value));
                debug_assert!(written.is_ok(), "a string takes any text");
            }
            format!("{{{inside}}}")
        }
    }
}

/// A value as it is read back: `$` would begin an expansion, and a key knows none.
fn scalar(text: &str) -> String {
    plain_or_quoted(&text.replace('$', "$$"))
}

/// Plain where nothing could be misread, else in quotes, which JSON and YAML share.
fn plain_or_quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        text.to_owned()
    } else {
        Json::String(text.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_could_be_misread() {
        let value = map([
            ("plain", text("a-b_c.d/e")),
            ("a b$", text("${A}")),
            ("list", list(["true", "1", "", "a\"b", "\u{e9}"])),
            ("empty", map([])),
            (
                "items",
                Out::List(vec![
                    map([("x", Out::Null)]),
                    map([("y", Out::Switch(true))]),
                ]),
            ),
        ]);
        insta::assert_snapshot!(document(&value), @r#"
        plain: a-b_c.d/e
        "a b$": "$${A}"
        list: ["true", "1", "", "a\"b", "é"]
        empty: {}
        items:
          - x: null
          - "y": true
        "#);
    }
}
