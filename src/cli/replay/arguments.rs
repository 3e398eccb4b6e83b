//! From recorded arguments back to the JSON object that they were sent in, as far as they are known.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::policy::KnownArguments;
use crate::request::arguments::MAX_DEPTH;
use crate::telemetry::record::may_be_cut;

/// What a call's arguments were, as far as is known.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The object to decide on.
    pub(super) object: Option<Bytes>,
    pub(super) known: KnownArguments,
}

/// Reads the recorded values by their flat names, the word for how much they are, and the names that
/// were not sent. Absent where something of it is not understood.
pub(super) fn read(
    values: &BTreeMap<Cow<'_, str>, &RawValue>,
    extent: &str,
    absent: &[String],
) -> Option<Arguments> {
    let mut lost = BTreeSet::new();
    let mut root = Node::default();
    for (name, value) in values {
        if is_cut(value) {
            lost.insert(name.to_string());
        } else {
            root.add(name, value.get())?;
        }
    }
    let mut object = (!root.members.is_empty()).then(|| Bytes::from(root.text()));
    let known = match extent {
        "" if lost.is_empty() => KnownArguments::All,
        "" => KnownArguments::AllBut(lost),
        "some" => {
            let recorded = values.keys().map(ToString::to_string);
            let names = recorded.chain(absent.iter().cloned());
            KnownArguments::These(names.filter(|name| !lost.contains(name)).collect())
        }
        "none" => KnownArguments::None,
        "unreadable" => {
            // Anything that cannot be read either gets the same answer.
            object = Some(Bytes::from_static(b"[]"));
            KnownArguments::All
        }
        _ => return None,
    };
    Some(Arguments { object, known })
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
    use crate::cli::replay::record::Context;
    use crate::request::arguments;

    fn read(context: &str) -> Option<Arguments> {
        serde_json::from_str::<Context<'_>>(context)
            .unwrap()
            .arguments()
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
            assert_eq!(found.known, known, "{context}");
            assert_eq!(found.object.as_deref(), object.map(str::as_bytes));
        }
        assert!(read(r#"{"arguments_recorded":"half"}"#).is_none());
        let deep = format!(r#"{{"arguments":{{"a{}":1}}}}"#, ".a".repeat(MAX_DEPTH));
        assert!(read(&deep).is_none());
        assert!(read(r#"{"arguments":{"a\\":1}}"#).is_none());
    }

    #[test]
    fn members_are_put_back_where_they_were() {
        let sent = r#"{"a":{"b":{"":1},"c":[]},"d.e":true,"f\\":{"g":null}}"#;
        let flat = arguments::parse(sent.as_bytes()).unwrap();
        let context = r#"{"arguments":{"a":null,"a.b":null,"a.b.":1,"a.c":[],"d\\.e":true,
            "f\\\\":null,"f\\\\.g":null}}"#;
        let object = read(context).unwrap().object.unwrap();
        let mut found = arguments::parse(&object).unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut flat = flat;
        flat.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(found, flat);
    }
}
