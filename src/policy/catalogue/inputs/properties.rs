//! What holds of every schema.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;

/// A schema of the keywords whose meaning is easily told.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!(true)),
        prop::sample::subsequence(NAMES.to_vec(), 1..=3).prop_map(|names| json!({"type": names})),
        prop::collection::vec(value(), 1..3).prop_map(|values| json!({"enum": values})),
        value().prop_map(|value| json!({"const": value})),
        Just(json!({"$ref": "#/$defs/a"})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            (some.clone(), prop::sample::select(vec!["allOf", "anyOf"]))
                .prop_map(|(some, of)| json!({of: some})),
            (inner.clone(), some).prop_map(|(x, all)| json!({"allOf": all, "items": x})),
            inner.prop_map(|x| json!({"properties": {"m": x}})),
        ]
    })
}

const NAMES: [&str; 7] = [
    "string", "integer", "number", "boolean", "null", "object", "array",
];

fn value() -> impl Strategy<Value = Value> {
    let plain = prop::sample::select(vec![
        json!("a"),
        json!(1),
        json!(2.0),
        json!(1.5),
        json!(true),
        json!(null),
    ]);
    let array = prop::collection::vec(plain.clone(), 0..3).prop_map(Value::from);
    let object = plain.clone().prop_map(|value| json!({"m": value}));
    prop_oneof![plain, array, object]
}

/// Whether the value is valid (JSON Schema, draft 2020-12), where `#/$defs/a` is `defined`.
fn accepts(schema: &Value, defined: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else {
        return schema == &json!(true);
    };
    keywords.iter().all(|(keyword, said)| {
        let each = || said.as_array().unwrap().iter();
        match &**keyword {
            "type" => each().any(|name| is_of(name.as_str().unwrap(), value)),
            "enum" => each().any(|one| same(one, value)),
            "const" => same(said, value),
            "allOf" => each().all(|one| accepts(one, defined, value)),
            "anyOf" => each().any(|one| accepts(one, defined, value)),
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.all(|item| accepts(said, defined, item))
            }
            "properties" => value
                .get("m")
                .is_none_or(|member| accepts(&said["m"], defined, member)),
            "$ref" => accepts(defined, defined, value),
            other => panic!("{other}"),
        }
    })
}

fn same(left: &Value, right: &Value) -> bool {
    left == right
        || left
            .as_f64()
            .is_some_and(|number| right.as_f64() == Some(number))
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        other => panic!("{other}"),
    }
}

/// What policies read of a value, as the types behind it.
fn types_of(value: &Value) -> Types {
    match value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::Number(_) if is_of("integer", value) => Types::INTEGER,
        Value::Number(_) => Types::FRACTION,
        Value::String(_) => Types::STRING,
        Value::Object(_) => Types::OBJECT,
        Value::Array(items) => items
            .iter()
            .fold(Types::NONE, |all, item| all.union(types_of(item).array())),
    }
}

proptest! {
    /// An error of the lint must be one: what a schema accepts is never ruled out.
    #[test]
    fn no_value_that_is_valid_is_ruled_out(
        (x, defined) in (schema(), value().prop_map(|value| json!({"const": value}))),
        value in value(),
    ) {
        prop_assume!(accepts(&x, &defined, &value));
        let text = json!({"properties": {"x": x}, "$defs": {"a": defined}}).to_string();
        let inputs = Inputs::read(&text).unwrap();
        let Argument::Declared(types) = inputs.argument("x") else {
            panic!("{text}");
        };
        let own = types_of(&value);
        prop_assert_eq!(types.intersection(own), own, "{} in {}", value, text);
        if let Some(member) = value.get("m")
            && let Argument::Declared(types) = inputs.argument("x.m")
        {
            let own = types_of(member);
            prop_assert_eq!(types.intersection(own), own, "{} in {}", member, text);
        }
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]{}:,\"$#/a-c]{0,60}", name in "[ab.\\\\]{0,6}") {
        if let Ok(inputs) = Inputs::read(&text) {
            inputs.argument(&name);
        }
    }

    #[test]
    fn no_keyword_panics(
        parts in prop::collection::vec(("type|enum|const|properties|items|prefixItems|allOf|anyOf|\\$ref|if|\
            then|additionalProperties|patternProperties|dependentSchemas|\\$defs", value()), 0..6),
        name in "[m.]{0,4}",
    ) {
        let keywords: serde_json::Map<String, Value> = parts.into_iter().collect();
        if let Ok(inputs) = Inputs::read(&Value::from(keywords).to_string()) {
            inputs.argument(&name);
        }
    }
}
