//! The arguments of a call in a record: the named ones, and whether there were others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::bounded;
use crate::request;
use crate::request::arguments;
use crate::request::arguments::ArgumentValue;

/// What of a call's arguments is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The arguments that may be recorded, with their values.
    pub(super) named: Vec<(String, ArgumentValue)>,
    /// Names that may be recorded and were not sent, where other arguments were.
    pub(super) absent: Vec<String>,
    /// Names of recorded arguments with a number that readers differ on.
    pub(super) ambiguous: Vec<String>,
    pub(super) extent: Extent,
}

/// How much of what was sent is in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything, which may be nothing.
    #[default]
    All,
    /// Other arguments were sent as well.
    Some,
    /// Arguments were sent. No name is configured, so they were not looked at.
    Unread,
    /// They could not be read, and were not given to policies.
    Unreadable,
    /// The sidecar was not shown any.
    Unknown,
}

impl Extent {
    /// The word in the record; empty for what need not be said.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Some => "some",
            Self::Unread => "none",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

impl Arguments {
    /// What is recorded of the arguments that were sent, where those `allowed` may be recorded.
    pub fn of(sent: &request::Arguments, allowed: &[String]) -> Self {
        let extent = |extent| Self {
            extent,
            ..Self::default()
        };
        let sent = match sent {
            request::Arguments::None => return Self::default(),
            request::Arguments::Unknown => return extent(Extent::Unknown),
            request::Arguments::Json(sent) if **sent == *b"{}" => return Self::default(),
            request::Arguments::Json(_) if allowed.is_empty() => return extent(Extent::Unread),
            request::Arguments::Json(sent) => sent,
        };
        let Ok(mut flat) = arguments::read(sent) else {
            return extent(Extent::Unreadable);
        };
        let all = flat.values.len();
        flat.values.retain(|(name, _)| allowed.contains(name));
        flat.ambiguous.retain(|name| allowed.contains(name));
        let mut found = Self {
            named: flat.values,
            ambiguous: flat.ambiguous,
            ..Self::default()
        };
        if found.named.len() < all {
            let sent = |wanted: &&String| found.named.iter().any(|(name, _)| name == *wanted);
            found.absent = allowed.iter().filter(|name| !sent(name)).cloned().collect();
            found.extent = Extent::Some;
        }
        found
    }

    pub(super) fn values(&self) -> BTreeMap<&str, Value<'_>> {
        let value = |(name, value)| (String::as_str(name), Value::of(value));
        self.named.iter().map(|(n, v)| value((n, v))).collect()
    }
}

/// A value, as it is recorded.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    /// With its digits as they are: a number, which text would not be.
    Decimal(Box<RawValue>),
    Bool(bool),
    Texts(Vec<Cow<'a, str>>),
    Integers(&'a [i64]),
}

impl<'a> Value<'a> {
    fn of(value: &'a ArgumentValue) -> Self {
        match value {
            ArgumentValue::Empty
            | ArgumentValue::Number {
                long: None,
                decimal: None,
            } => Self::Null,
            ArgumentValue::Number {
                long: Some(long), ..
            } => Self::Integer(*long),
            ArgumentValue::Number {
                long: None,
                decimal: Some(digits),
            } => RawValue::from_string(digits.clone()).map_or(Self::Null, Self::Decimal),
            ArgumentValue::String(text) => Self::Text(bounded(text)),
            ArgumentValue::Bool(value) => Self::Bool(*value),
            ArgumentValue::Strings(texts) => {
                Self::Texts(texts.iter().map(|text| bounded(text)).collect())
            }
            ArgumentValue::Longs(values) => Self::Integers(values),
            ArgumentValue::EmptyArray => Self::Integers(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_whether_it_has_all_that_was_sent() {
        let names = ["a".to_owned(), "b.c".to_owned()];
        for (sent, names, values, extent, absent) in [
            (None, &names[..], "{}", "", &[][..]),
            (Some("{}"), &[], "{}", "", &[]),
            (Some(r#"{"a":1}"#), &[], "{}", "none", &[]),
            (Some(r#"{"a":1.5}"#), &names, r#"{"a":1.5000}"#, "", &[]),
            (Some(r#"{"a":"1.5"}"#), &names, r#"{"a":"1.5"}"#, "", &[]),
            (
                Some(r#"{"b":{"c":[]},"a":null}"#),
                &names,
                r#"{"a":null,"b.c":[]}"#,
                "some",
                &[],
            ),
            (Some(r#"{"x":1}"#), &names, "{}", "some", &["a", "b.c"]),
            (Some(r#"{"a":1,"a":2}"#), &names, "{}", "unreadable", &[]),
        ] {
            let sent = sent.map_or(request::Arguments::None, |text| {
                request::Arguments::Json(text.to_owned().into())
            });
            let found = Arguments::of(&sent, names);
            let written = serde_json::to_string(&found.values()).unwrap();
            assert_eq!((&*written, found.extent.as_str()), (values, extent));
            assert_eq!(found.absent, absent);
            assert_eq!(found.ambiguous, [""; 0]);
        }
        let unknown = Arguments::of(&request::Arguments::Unknown, &[]);
        assert_eq!(unknown.extent.as_str(), "unknown");
        let sent = request::Arguments::Json(r#"{"a":9007199254740993,"x":0.1e-999}"#.into());
        assert_eq!(Arguments::of(&sent, &names).ambiguous, ["a"]);
    }
}
