//! How the input schema of a tool has changed: which arguments came, went or are of another type.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

/// A difference between two input schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SchemaChange {
    /// An argument is new.
    Added { argument: String, required: bool },
    /// An argument is of another type. The types are JSON, or `any`.
    Type {
        argument: String,
        from: String,
        to: String,
    },
    /// An argument must be given now.
    Required(String),
    /// An argument need not be given any more.
    Optional(String),
    /// Something else about an argument.
    Argument(String),
    /// An argument is gone.
    Removed(String),
    /// Something outside the list of arguments.
    Elsewhere,
    /// There is no schema any more.
    Gone,
}

/// Longest type that is shown, in characters.
const MAX_TYPE: usize = 80;

/// What has changed from one schema to another. One that was never recorded has not changed.
pub(super) fn changes(old: Option<&Value>, new: Option<&Value>) -> Vec<SchemaChange> {
    let (old, new) = match (old, new) {
        (None, _) => return Vec::new(),
        (Some(_), None) => return vec![SchemaChange::Gone],
        (Some(old), Some(new)) if old == new => return Vec::new(),
        (Some(old), Some(new)) => (Shape::of(old), Shape::of(new)),
    };
    let mut changes = Vec::new();
    for (&argument, schema) in &new.arguments {
        let required = new.required.contains(argument);
        let Some(before) = old.arguments.get(argument) else {
            changes.push(SchemaChange::Added {
                argument: argument.to_owned(),
                required,
            });
            continue;
        };
        let (from, to) = (kind(before), kind(schema));
        if from != to {
            changes.push(SchemaChange::Type {
                argument: argument.to_owned(),
                from,
                to,
            });
        } else if before != schema {
            changes.push(SchemaChange::Argument(argument.to_owned()));
        }
        match (old.required.contains(argument), required) {
            (false, true) => changes.push(SchemaChange::Required(argument.to_owned())),
            (true, false) => changes.push(SchemaChange::Optional(argument.to_owned())),
            (true, true) | (false, false) => {}
        }
    }
    let removed = old.arguments.keys();
    let removed = removed.filter(|argument| !new.arguments.contains_key(*argument));
    changes.extend(removed.map(|argument| SchemaChange::Removed((*argument).to_owned())));
    // Also where nothing above says what it is: two that differ are never called the same.
    if old.rest != new.rest || changes.is_empty() {
        changes.push(SchemaChange::Elsewhere);
    }
    changes
}

/// A schema of the form that MCP gives it.
struct Shape<'a> {
    arguments: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
    rest: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Shape<'a> {
    fn of(schema: &'a Value) -> Self {
        let members = |value: Option<&'a Value>| {
            let members = value.and_then(Value::as_object).into_iter().flatten();
            members.map(|(name, value)| (name.as_str(), value))
        };
        let required = schema.get("required").and_then(Value::as_array);
        Self {
            arguments: members(schema.get("properties")).collect(),
            required: required
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
            rest: members(Some(schema))
                .filter(|(name, _)| !matches!(*name, "properties" | "required"))
                .collect(),
        }
    }
}

fn kind(schema: &Value) -> String {
    match schema.get("type") {
        None => "any".to_owned(),
        Some(Value::String(name)) => name.chars().take(MAX_TYPE).collect(),
        Some(other) => other.to_string().chars().take(MAX_TYPE).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_came_went_and_changed_are_told_apart() {
        let text = json!({"type": "string"});
        let old = json!({"type": "object", "properties": {"a": text, "b": text, "c": text,
            "d": text}, "required": ["a", "d"]});
        let new = json!({"type": "object", "properties": {"b": {"type": ["string", "null"]},
            "c": {"type": "string", "maxLength": 5}, "d": text, "e": {}, "f": text},
            "required": ["b", "f"]});
        let named = |name: &str| name.to_owned();
        let expected = [
            SchemaChange::Type {
                argument: named("b"),
                from: named("string"),
                to: named(r#"["string","null"]"#),
            },
            SchemaChange::Required(named("b")),
            SchemaChange::Argument(named("c")),
            SchemaChange::Optional(named("d")),
            SchemaChange::Added {
                argument: named("e"),
                required: false,
            },
            SchemaChange::Added {
                argument: named("f"),
                required: true,
            },
            SchemaChange::Removed(named("a")),
        ];
        assert_eq!(changes(Some(&old), Some(&new)), expected);
    }

    #[test]
    fn two_that_differ_are_never_called_the_same() {
        let schema = json!({"properties": {"a": {}}});
        assert_eq!(changes(Some(&schema), Some(&schema)), []);
        assert_eq!(changes(None, Some(&schema)), []);
        assert_eq!(changes(Some(&schema), None), [SchemaChange::Gone]);
        for other in [
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            json!({"properties": {"a": {}}, "required": ["x"]}),
            json!({"properties": {"a": {}}, "required": 7}),
            json!(true),
        ] {
            let changes = changes(Some(&schema), Some(&other));
            assert!(changes.contains(&SchemaChange::Elsewhere) || other == json!(true));
            assert_ne!(changes, []);
        }
    }
}
