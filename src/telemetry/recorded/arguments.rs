//! From recorded arguments back to the JSON object that they were sent in, as far as they are known.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::KnownArguments;
use crate::request::Arguments;
use crate::request::arguments::MAX_DEPTH;
use crate::telemetry::record::may_be_cut;

/// A number that readers differ on; which it is does not matter, as whoever reads it is denied.
const AMBIGUOUS: &str = "100.00000000000000001";

/// What a record says of arguments.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'a> {
    /// By their flat names.
    pub(super) values: &'a BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// The word for how much that is.
    pub(super) extent: &'a str,
    /// Names that were not sent.
    pub(super) absent: &'a [String],
    /// Names of numbers that readers differ on.
    pub(super) ambiguous: &'a BTreeSet<String>,
}

/// What a call's arguments were, as far as is known.
#[derive(Debug)]
pub(super) struct Known {
    /// To decide on.
    pub(super) arguments: Arguments,
    pub(super) which: KnownArguments,
}

/// Puts the arguments together. Absent where something of it is not understood.
pub(super) fn read(recorded: &Recorded<'_>) -> Option<Known> {
    let mut lost = BTreeSet::new();
    let mut root = Node::default();
    for (name, value) in recorded.values {
        if recorded.ambiguous.contains(&**name) {
            root.add(name, AMBIGUOUS)?;
        } else if is_cut(value) {
            lost.insert(name.to_string());
        } else {
            root.add(name, value.get())?;
        }
    }
    let mut arguments = if root.members.is_empty() {
        Arguments::None
    } else {
        Arguments::Json(Bytes::from(root.text()))
    };
    let which = match recorded.extent {
        "" if lost.is_empty() => KnownArguments::All,
        "" => KnownArguments::AllBut(lost),
        "some" => {
            let names = recorded.values.keys().map(ToString::to_string);
            let names = names.chain(recorded.absent.iter().cloned());
            KnownArguments::These(names.filter(|name| !lost.contains(name)).collect())
        }
        "none" => KnownArguments::None,
        "unreadable" => {
            // Anything that cannot be read either gets the same answer.
            arguments = Arguments::Json(Bytes::from_static(b"[]"));
            KnownArguments::All
        }
        "unknown" => {
            arguments = Arguments::Unknown;
            KnownArguments::All
        }
        _ => return None,
    };
    Some(Known { arguments, which })
}

/// Whether a text, or one of several, was cut when it was recorded.
fn is_cut(value: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    if !value.get().contains('\u{2026}') && !value.get().contains("\\u") {
        return false;
    }
    match serde_json::from_str(value.get()) {
        Ok(Texts::One(text)) => may_be_cut(&text),
        Ok(Texts::Several(texts)) => texts.iter().any(|text| may_be_cut(text)),
        Err(_) => false,
    }
}

/// An object under construction: a member `b` of a member `a` is recorded as `a.b`.
#[derive(Debug, Default)]
struct Node {
    /// As JSON, where there are no members.
    value: String,
    members: BTreeMap<String, Self>,
}

impl Node {
    fn add(&mut self, name: &str, value: &str) -> Option<()> {
        let mut node = self;
        let path = segments(name)?;
        for segment in path {
            node = node.members.entry(segment).or_default();
        }
        value.clone_into(&mut node.value);
        Some(())
    }

    fn text(&self) -> String {
        let member = |(name, node): (&String, &Self)| {
            let value = if node.members.is_empty() {
                node.value.clone()
            } else {
                node.text()
            };
            format!("{}:{value}", serde_json::Value::from(name.as_str()))
        };
        let members: Vec<String> = self.members.iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// The names on the way to an argument; absent where no argument is so deep.
fn segments(name: &str) -> Option<Vec<String>> {
    let mut path = vec![String::new()];
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        if character == '.' {
            path.push(String::new());
        } else if let Some(last) = path.last_mut() {
            last.push(if character == '\\' {
                characters.next()?
            } else {
                character
            });
        }
    }
    (path.len() <= MAX_DEPTH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::arguments;
    use crate::telemetry::recorded::Context;

    fn read(context: &str) -> Option<Known> {
        serde_json::from_str::<Context<'_>>(context)
            .unwrap()
            .arguments()
    }

    fn json(arguments: Arguments) -> Option<Bytes> {
        match arguments {
            Arguments::Json(bytes) => Some(bytes),
            Arguments::None | Arguments::Unknown => None,
        }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_known_is_told_from_what_is_not() {
        let cut = format!("{}\u{2026}", "x".repeat(256));
        let shortened = format!(r#"{{"arguments":{{"a":1,"b":"{cut}"}}}}"#);
        let listed = format!(r#"{{"arguments":{{"a":["{cut}"]}},"arguments_recorded":"some"}}"#);
        let escaped = format!(r#"{{"arguments":{{"a":"{}\u2026"}}}}"#, "x".repeat(256));
        for (context, known, object) in [
            ("{}", KnownArguments::All, None),
            (
                r#"{"arguments":{"a":1.5000}}"#,
                KnownArguments::All,
                Some(r#"{"a":1.5000}"#),
            ),
            (
                r#"{"arguments":{"a":1},"arguments_recorded":"some","absent_arguments":["b"]}"#,
                KnownArguments::These(names(&["a", "b"])),
                Some(r#"{"a":1}"#),
            ),
            (
                r#"{"arguments":{},"arguments_recorded":"none"}"#,
                KnownArguments::None,
                None,
            ),
            (
                r#"{"arguments_recorded":"unreadable"}"#,
                KnownArguments::All,
                Some("[]"),
            ),
            (
                &shortened,
                KnownArguments::AllBut(names(&["b"])),
                Some(r#"{"a":1}"#),
            ),
            (&escaped, KnownArguments::AllBut(names(&["a"])), None),
            (&listed, KnownArguments::These(names(&[])), None),
        ] {
            let found = read(context).unwrap();
            assert_eq!(found.which, known, "{context}");
            let found = json(found.arguments);
            assert_eq!(found.as_deref(), object.map(str::as_bytes));
        }
        let hidden = read(r#"{"arguments_recorded":"unknown"}"#).unwrap();
        assert_eq!(hidden.arguments, Arguments::Unknown);
        assert!(read(r#"{"arguments_recorded":"half"}"#).is_none());
        let deep = format!(r#"{{"arguments":{{"a{}":1}}}}"#, ".a".repeat(MAX_DEPTH));
        assert!(read(&deep).is_none());
        assert!(read(r#"{"arguments":{"a\\":1}}"#).is_none());
    }

    #[test]
    fn a_number_that_readers_differ_on_stays_one() {
        let context = r#"{"arguments":{"a":null,"b":0.1000},"ambiguous_arguments":["a"]}"#;
        let object = json(read(context).unwrap().arguments).unwrap();
        assert_eq!(arguments::read(&object).unwrap().ambiguous, ["a"]);
    }

    #[test]
    fn members_are_put_back_where_they_were() {
        let sent = r#"{"a":{"b":{"":1},"c":[]},"d.e":true,"f\\":{"g":null}}"#;
        let flat = arguments::parse(sent.as_bytes()).unwrap();
        let context = r#"{"arguments":{"a":null,"a.b":null,"a.b.":1,"a.c":[],"d\\.e":true,
            "f\\\\":null,"f\\\\.g":null}}"#;
        let object = json(read(context).unwrap().arguments).unwrap();
        let mut found = arguments::parse(&object).unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut flat = flat;
        flat.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, flat);
    }
}
