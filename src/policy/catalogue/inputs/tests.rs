//! What schemas say of arguments.

use super::*;

fn inputs(schema: &str) -> Inputs {
    Inputs::read(schema).unwrap()
}

/// `name: type`, each on its own, in the order of the names.
fn said(schema: &str) -> String {
    let inputs = inputs(schema);
    let one = |(name, types): (&String, &Types)| format!("{name}: {types}");
    inputs
        .declared
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("; ")
}

/// What is said of an argument `x` with this schema.
fn said_of_x(schema: &str) -> String {
    said(&format!(
        r##"{{"type": "object", "properties": {{"x": {schema}}}, "$defs": {{
            "s": {{"type": "string"}}, "loop": {{"$ref": "#/$defs/loop"}}
        }}, "definitions": {{"i": {{"type": "integer"}}}}}}"##
    ))
}

#[test]
fn types_are_those_that_every_keyword_lets_through() {
    for (schema, expected) in [
        (r#"{"type": "string"}"#, "a string"),
        (r#"{"type": ["integer", "null"]}"#, "an integer or null"),
        (r#"{"type": "number"}"#, "a number"),
        (r#"{"enum": ["a", 1, 1.0]}"#, "a string or an integer"),
        (r#"{"enum": [1.5]}"#, "a number with a fraction"),
        (r#"{"const": true}"#, "a boolean"),
        (r#"{"const": ["a"]}"#, "an array of strings"),
        (r#"{"const": []}"#, "an array"),
        (r#"{"type": "string", "enum": ["a", null]}"#, "a string"),
        (r#"{"type": "array"}"#, "an array"),
        (
            r#"{"type": "array", "items": {"type": "string"}}"#,
            "an array of strings",
        ),
        (
            r#"{"type": "array", "items": {"type": "number"}}"#,
            "an array of numbers",
        ),
        (r#"{"type": "array", "items": false}"#, "an array"),
        (
            r#"{"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "boolean"}}"#,
            "an array of strings or an array of booleans",
        ),
        (
            r#"{"type": "array", "items": [{"type": "string"}]}"#,
            "an array",
        ),
        (
            r#"{"anyOf": [{"type": "string"}, {"type": "null"}]}"#,
            "a string or null",
        ),
        (
            r#"{"oneOf": [{"type": "string"}, {"const": 1}]}"#,
            "a string or an integer",
        ),
        (
            r#"{"allOf": [{"type": ["string", "null"]}, {"type": "string"}]}"#,
            "a string",
        ),
        (r##"{"$ref": "#/$defs/s"}"##, "a string"),
        (
            r##"{"$ref": "#/definitions/i", "type": ["integer", "string"]}"##,
            "an integer",
        ),
    ] {
        assert_eq!(said_of_x(schema), format!("x: {expected}"), "{schema}");
    }
}

#[test]
fn where_there_is_no_telling_anything_goes() {
    for (schema, expected) in [
        ("true", "anything"),
        ("{}", "anything"),
        (r#"{"description": "a string"}"#, "anything"),
        (r#"{"minimum": 1}"#, "anything"),
        (r#"{"not": {"type": "string"}}"#, "anything"),
        (r##"{"$ref": "#/$defs/none"}"##, "anything"),
        (r#"{"$ref": "https://example.com/schema"}"#, "anything"),
        (r##"{"$ref": "#/$defs/loop"}"##, "anything"),
        (r##"{"$dynamicRef": "#node"}"##, "anything"),
        (r#"{"anyOf": [{"type": "string"}, {}]}"#, "anything"),
        (r#"{"type": "string", "const": 1}"#, "anything"),
        (
            r#"{"if": {"type": "string"}, "then": {"const": "a"}}"#,
            "anything",
        ),
        (r##"{"$ref": "#"}"##, "an object; x.x: anything"),
    ] {
        assert_eq!(said_of_x(schema), format!("x: {expected}"), "{schema}");
    }
}

#[test]
fn members_have_dotted_names() {
    let schema = r##"{"type": "object", "properties": {
        "a": {"type": "object", "properties": {"b": {"type": "string"}, "c.d": {"$ref": "#/$defs/p"}}},
        "": {"$ref": "#/$defs/p"},
        "never": false,
        "text": {"type": "string", "properties": {"x": {}}}
    }, "$defs": {"p": {"type": ["object", "null"], "properties": {"q\\": {"type": "null"}}}}}"##;
    assert_eq!(
        said(schema),
        ": an object or null; .q\\\\: null; a: an object; a.b: a string; \
         a.c\\.d: an object or null; a.c\\.d.q\\\\: null; text: a string"
    );
}

#[test]
fn what_is_listed_in_parts_is_listed() {
    let branch = |name: &str| format!(r#"{{"properties": {{"{name}": {{"type": "string"}}}}}}"#);
    let (a, b) = (branch("a"), branch("b"));
    for (schema, expected) in [
        (
            format!(r#"{{"allOf": [{a}, {b}]}}"#),
            "a: a string; b: a string",
        ),
        (
            format!(r#"{{"anyOf": [{a}, {b}]}}"#),
            "a: a string; b: a string",
        ),
        (
            format!(r#"{{"anyOf": [{a}, {{"type": "null"}}]}}"#),
            "a: a string",
        ),
        (format!(r#"{{"anyOf": [{a}, {{}}]}}"#), "a: anything"),
        (
            format!(r#"{{"properties": {{"c": true}}, "if": {{}}, "then": {a}, "else": {b}}}"#),
            "a: anything; b: anything; c: anything",
        ),
        (
            format!(r#"{{"properties": {{"c": true}}, "dependentSchemas": {{"c": {a}}}}}"#),
            "a: anything; c: anything",
        ),
    ] {
        assert_eq!(said(&schema), expected, "{schema}");
    }
}

#[test]
fn an_argument_is_undeclared_only_where_others_are_declared() {
    use Argument::Anything;
    use Argument::Undeclared;
    let listed = r#""properties": {"a": {"type": "object", "properties": {"b": {}}},
                    "s": {"type": "string"}, "m": {"type": "object"}, "any": {}}"#;
    for (more, name, expected) in [
        ("", "x", Undeclared),
        ("", "a.x", Undeclared),
        ("", "s.x", Undeclared),
        ("", "x.y", Undeclared),
        ("", "m.x", Anything),
        ("", "m.x.y", Anything),
        ("", "any.x", Anything),
        ("", "a.b.c", Anything),
        ("", "a\\.b", Undeclared),
        (r#", "additionalProperties": false"#, "x", Undeclared),
        (r#", "unevaluatedProperties": false"#, "x", Undeclared),
        (r#", "additionalProperties": true"#, "x", Anything),
        (r#", "additionalProperties": true"#, "a.x", Undeclared),
        (
            r#", "additionalProperties": {"type": "string"}"#,
            "x.y",
            Anything,
        ),
        (r#", "patternProperties": {"^x-": {}}"#, "x", Anything),
        (
            r#", "anyOf": [{"required": ["a"]}, {"required": ["s"]}]"#,
            "x",
            Undeclared,
        ),
        (r#", "allOf": [{"$ref": "other.json"}]"#, "x", Anything),
        (
            r#", "anyOf": [{"additionalProperties": true}]"#,
            "x",
            Anything,
        ),
    ] {
        let schema = format!(r#"{{"type": "object", {listed}{more}}}"#);
        assert_eq!(inputs(&schema).argument(name), expected, "{name} {more}");
    }
    for (schema, expected) in [
        (r#"{"type": "object"}"#, Anything),
        ("{}", Anything),
        (
            r#"{"type": "object", "additionalProperties": false}"#,
            Undeclared,
        ),
        (r#"{"type": "object", "properties": {}}"#, Undeclared),
        (
            r#"{"anyOf": [{"type": "object"}, {"properties": {}}]}"#,
            Anything,
        ),
        (
            r#"{"anyOf": [{"properties": {}}, {"type": "null"}]}"#,
            Undeclared,
        ),
    ] {
        assert_eq!(inputs(schema).argument("x"), expected, "{schema}");
    }
}

#[test]
fn what_is_no_schema_is_refused() {
    let deep = format!("{}{}", "{\"not\":".repeat(100), "}".repeat(100));
    for (schema, expected) in [
        ("true", "a schema is an object or a boolean"),
        ("[]", "a schema is an object or a boolean"),
        (r#"{"type": "string"}"#, "it does not describe an object"),
        (
            r#"{"type": "text"}"#,
            "`type` has a value that it cannot have",
        ),
        (r#"{"type": 1}"#, "`type` has a value that it cannot have"),
        (
            r#"{"properties": []}"#,
            "`properties` has a value that it cannot have",
        ),
        (
            r#"{"properties": {"a": "string"}}"#,
            "a schema is an object or a boolean",
        ),
        (
            r#"{"additionalProperties": 1}"#,
            "`additionalProperties` has a value that it cannot have",
        ),
        (
            r#"{"allOf": {}}"#,
            "`allOf` has a value that it cannot have",
        ),
        (r#"{"$ref": 1}"#, "`$ref` has a value that it cannot have"),
        (r#"{"a": 1, "a": 1}"#, "an object repeats a member"),
        (&deep, "nested too deeply"),
    ] {
        let fault = Inputs::read(schema).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{schema}");
    }
}

#[test]
fn the_time_to_read_a_schema_is_bounded_by_its_length() {
    let doubling: Vec<String> = (0..60)
        .map(|n| format!(r##""d{n}": {{"properties": {{"a": {{"$ref": "#/$defs/d{m}"}}, "b": {{"$ref": "#/$defs/d{m}"}}}}}}"##, m = n + 1))
        .collect();
    let doubling = format!(
        r##"{{"$ref": "#/$defs/d0", "$defs": {{{}}}}}"##,
        doubling.join(",")
    );
    let branches: Vec<String> = (0..20_000)
        .map(|n| format!(r#"{{"properties": {{"p{n}": {{"type": "string"}}}}}}"#))
        .collect();
    let wide = format!(r#"{{"anyOf": [{}]}}"#, branches.join(","));
    let long = "k".repeat(200_000);
    let refs = vec![r##"{"$ref": "#/$defs/a"}"##; 20_000].join(",");
    let copied =
        format!(r#"{{"allOf": [{refs}], "$defs": {{"a": {{"properties": {{"{long}": {{}}}}}}}}}}"#);
    for (schema, expected) in [
        (doubling, Some(SchemaFault::TooLong)),
        (wide, None),
        (copied, Some(SchemaFault::TooLong)),
    ] {
        // Without the bound the first would not end, and the last would not fit into memory.
        assert_eq!(Inputs::read(&schema).err(), expected);
    }
}
