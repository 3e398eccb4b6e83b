//! Arguments against tables, and bounds.

use proptest::prelude::*;

use super::*;

fn flat(arguments: &str) -> Vec<(String, ArgumentValue)> {
    parse(arguments.as_bytes()).unwrap()
}

fn text(value: &str) -> ArgumentValue {
    ArgumentValue::String(value.to_owned())
}

fn long(value: i64) -> ArgumentValue {
    ArgumentValue::Number {
        long: Some(value),
        decimal: Some(format!("{value}.0000")),
    }
}

#[test]
fn values_have_the_types_that_policies_know() {
    use ArgumentValue::Bool;
    use ArgumentValue::Empty;
    use ArgumentValue::EmptyArray;
    use ArgumentValue::Longs;
    use ArgumentValue::Number;
    use ArgumentValue::Strings;
    for (value, expected) in [
        ("null", Empty),
        ("true", Bool(true)),
        (r#""a\u0041""#, text("aA")),
        ("7", long(7)),
        ("1e2", long(100)),
        (
            "0.5",
            Number {
                long: None,
                decimal: Some("0.5000".to_owned()),
            },
        ),
        ("1e300", Empty),
        ("[]", EmptyArray),
        (r#"["a",""]"#, Strings(vec!["a".to_owned(), String::new()])),
        ("[1,2.0]", Longs(vec![1, 2])),
        ("[1,0.5]", Empty),
        (r#"["a",1]"#, Empty),
        ("[[]]", Empty),
        (r#"["a",null]"#, Empty),
        (r#"["a",{"b":[1]}]"#, Empty),
    ] {
        let arguments = format!("{{\"x\":{value}}}");
        assert_eq!(flat(&arguments), [("x".to_owned(), expected)], "{value}");
    }
    assert_eq!(flat("{}"), []);
}

#[test]
fn members_have_dotted_names() {
    let found = flat(r#"{"a":{"b":1,"c":{"d":"x"},"e":2},"f":{},"g":3}"#);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "a.b", "a.c", "a.c.d", "a.e", "f", "g"]);
    assert_eq!(found[3].1, text("x"));
    assert_eq!(found[0].1, ArgumentValue::Empty);
}

#[test]
fn a_flat_name_never_passes_for_a_nested_one() {
    let found = flat(r#"{"filter.owner":"me","filter":{"owner":"you","a\\":{"b":1}},"a\\.b":2}"#);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            r"filter\.owner",
            "filter",
            "filter.owner",
            r"filter.a\\",
            r"filter.a\\.b",
            r"a\\\.b"
        ]
    );
    let mut empty_names = flat(r#"{"":{"":1}}"#).into_iter().map(|(name, _)| name);
    assert_eq!(empty_names.next().as_deref(), Some(""));
}

#[test]
fn everything_is_bounded() {
    let many = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!("\"{n}\":1")).collect();
        parse(format!("{{{}}}", members.join(",")).as_bytes())
    };
    assert!(many(MAX_VALUES).is_ok());
    assert_eq!(many(MAX_VALUES + 1), Err(ArgumentsFault::TooMany));
    let deep = |depth: usize| {
        let (open, close) = ("{\"a\":".repeat(depth - 1), "}".repeat(depth - 1));
        parse(format!("{open}{{}}{close}").as_bytes())
    };
    assert!(deep(MAX_DEPTH).is_ok());
    assert_eq!(deep(MAX_DEPTH + 1), Err(ArgumentsFault::TooDeep));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_TEXT));
    assert_eq!(parse(long.as_bytes()), Err(ArgumentsFault::TooLong));
    let empty = vec!["\"\""; MAX_TEXT].join(",");
    let empty = format!("{{\"a\":[{empty}]}}");
    assert_eq!(parse(empty.as_bytes()), Err(ArgumentsFault::TooLong));
}

#[test]
fn arguments_in_doubt_are_named() {
    for (arguments, expected) in [
        (r#"{"a":1,"b":0.1,"c":"9007199254740993"}"#, &[][..]),
        (
            r#"{"a":9007199254740993,"b":1,"c":100.00000000000000001}"#,
            &["a", "c"],
        ),
        (r#"{"a.b":1e-999,"a":{"b":1e-999}}"#, &[r"a\.b", "a.b"]),
        (
            r#"{"a":[1,9007199254740993],"b":["x",0.10000000000000000001],"c":[{}],"d":[true,1]}"#,
            &["a", "b"],
        ),
        // Policies see nothing of what is inside, whichever number it is.
        (
            r#"{"a":[[9007199254740993]],"b":[{"c":9007199254740993}]}"#,
            &[],
        ),
    ] {
        let found = read(arguments.as_bytes()).unwrap();
        assert_eq!(found.ambiguous, expected, "{arguments}");
        assert_eq!(found.values, flat(arguments), "{arguments}");
    }
}

#[test]
fn only_one_strict_object_is_read() {
    assert_eq!(parse(b"[]"), Err(ArgumentsFault::NotAnObject));
    for bad in [
        r#"{"a":1,"a":2}"#,
        "{}{}",
        "{",
        "",
        r#"{"a":[{"b":1,"b":2}]}"#,
    ] {
        let fault = parse(bad.as_bytes());
        assert!(matches!(fault, Err(ArgumentsFault::Json(_))), "{bad}");
    }
}

proptest! {
    #[test]
    fn names_are_unique(
        keys in proptest::collection::btree_set(r"[ab.\\]{0,4}", 0..8),
        inner in proptest::collection::btree_set(r"[ab.\\]{0,4}", 0..8),
    ) {
        let object = |keys: &std::collections::BTreeSet<String>, value: &serde_json::Value| {
            let members = keys.iter().map(|key| (key.clone(), value.clone()));
            serde_json::Value::Object(members.collect())
        };
        let inner = object(&inner, &serde_json::Value::Null);
        let document = serde_json::to_vec(&object(&keys, &inner)).unwrap();
        let found = parse(&document).unwrap();
        let names: std::collections::BTreeSet<_> = found.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names.len(), found.len());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(parse(&bytes));
    }
}
