//! The reader against tables of what must be refused, and against `serde_json`.

use proptest::prelude::*;
use serde_json::Map;
use serde_json::Value;

use super::*;

/// The document as a tree, or the first fault.
fn tree(document: &[u8]) -> Result<Value, JsonFault> {
    let mut reader = Reader::new(document)?;
    let mut stack: Vec<(Option<String>, Value)> = Vec::new();
    let mut key: Option<String> = None;
    let mut done = None;
    while let Some(event) = reader.next()? {
        let value = match event.token {
            Token::Key(name) => {
                key = Some(name.into_owned());
                continue;
            }
            Token::ObjectStart => {
                stack.push((key.take(), Value::Object(Map::new())));
                continue;
            }
            Token::ArrayStart => {
                stack.push((key.take(), Value::Array(Vec::new())));
                continue;
            }
            Token::ObjectEnd | Token::ArrayEnd => {
                let (outer_key, value) = stack.pop().unwrap();
                key = outer_key;
                value
            }
            Token::String(text) => Value::String(text.into_owned()),
            Token::Number(text) => serde_json::from_str(text).unwrap(),
            Token::Bool(value) => Value::Bool(value),
            Token::Null => Value::Null,
        };
        match stack.last_mut() {
            Some((_, Value::Object(members))) => {
                members.insert(key.take().unwrap(), value);
            }
            Some((_, Value::Array(elements))) => elements.push(value),
            _ => done = Some(value),
        }
    }
    Ok(done.unwrap())
}

fn kind(document: &[u8]) -> Option<JsonFaultKind> {
    tree(document).err().map(|fault| fault.kind)
}

#[test]
fn the_grammar_is_read_as_serde_json_reads_it() {
    for document in [
        "{}",
        " [ ] ",
        "\t\r\n{\"a\" : [1 , -0, 0.5e+3, 1E2, -12.25],\"b\":{\"\":null}}\n",
        r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00 plain é""#,
        "true",
        "[false,null,\"\"]",
        "1e-999",
        "-9223372036854775808",
        "18446744073709551616",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\"\u{7f}\u{2028}\"",
    ] {
        let expected: Value = serde_json::from_str(document).unwrap();
        assert_eq!(tree(document.as_bytes()), Ok(expected), "{document}");
    }
}

const REFUSED: &[(&[u8], JsonFaultKind)] = &[
    (b"", JsonFaultKind::End),
    (b" ", JsonFaultKind::End),
    (b"\xef\xbb\xbf{}", JsonFaultKind::ByteOrderMark),
    (b"{\0}\0", JsonFaultKind::Character),
    (b"\xff\xfe{\0}\0", JsonFaultKind::Utf8),
    (b"\"\xff\"", JsonFaultKind::Utf8),
    (b"\"\xc0\x80\"", JsonFaultKind::Utf8),
    (b"\"\xed\xa0\x80\"", JsonFaultKind::Utf8),
    (br#"{"a":1,"a":2}"#, JsonFaultKind::DuplicateKey),
    (br#"{"name":1,"n\u0061me":2}"#, JsonFaultKind::DuplicateKey),
    (
        br#"[{"x":{"a":1,"b":2,"a":3}}]"#,
        JsonFaultKind::DuplicateKey,
    ),
    (br#"{"\/":1,"/":2}"#, JsonFaultKind::DuplicateKey),
    (b"NaN", JsonFaultKind::Character),
    (b"Infinity", JsonFaultKind::Character),
    (b"-Infinity", JsonFaultKind::Character),
    (b"1e999", JsonFaultKind::Range),
    (b"-1e999", JsonFaultKind::Range),
    (b"[1e309]", JsonFaultKind::Range),
    (b"01", JsonFaultKind::Trailing),
    (b"-", JsonFaultKind::End),
    (b"+1", JsonFaultKind::Character),
    (b".5", JsonFaultKind::Character),
    (b"1.", JsonFaultKind::End),
    (b"[1.]", JsonFaultKind::Character),
    (b"1e", JsonFaultKind::End),
    (b"0x10", JsonFaultKind::Trailing),
    (b"{} {}", JsonFaultKind::Trailing),
    (b"{}x", JsonFaultKind::Trailing),
    (b"{}\0", JsonFaultKind::Trailing),
    (b"{},", JsonFaultKind::Trailing),
    (b"{\"a\":1,}", JsonFaultKind::Character),
    (b"[1,]", JsonFaultKind::Character),
    (b"[,1]", JsonFaultKind::Character),
    (b"[1 2]", JsonFaultKind::Character),
    (b"{\"a\" 1}", JsonFaultKind::Character),
    (b"{\"a\":}", JsonFaultKind::Character),
    (b"{a:1}", JsonFaultKind::Character),
    (b"{'a':1}", JsonFaultKind::Character),
    (b"{1:1}", JsonFaultKind::Character),
    (b"{,}", JsonFaultKind::Character),
    (b"[}", JsonFaultKind::Character),
    (b"{]", JsonFaultKind::Character),
    (b"[1}", JsonFaultKind::Character),
    (b"{\"a\":1]", JsonFaultKind::Character),
    (b"[", JsonFaultKind::End),
    (b"{\"a\":1", JsonFaultKind::End),
    (b"\"a", JsonFaultKind::End),
    (b"\"a\\", JsonFaultKind::End),
    (b"tru", JsonFaultKind::End),
    (b"True", JsonFaultKind::Character),
    (b"nul1", JsonFaultKind::Character),
    (b"/*x*/{}", JsonFaultKind::Character),
    (b"{}//x", JsonFaultKind::Trailing),
    (b"\x0c{}", JsonFaultKind::Character),
    (b"\xc2\xa0{}", JsonFaultKind::Character),
    (b"\"\n\"", JsonFaultKind::Character),
    (b"\"\0\"", JsonFaultKind::Character),
    (b"\"\t\"", JsonFaultKind::Character),
    (br#""\x41""#, JsonFaultKind::Escape),
    (br#""\u12""#, JsonFaultKind::Escape),
    (br#""\u+123""#, JsonFaultKind::Escape),
    (br#""\ud800""#, JsonFaultKind::Surrogate),
    (br#""\udc00""#, JsonFaultKind::Surrogate),
    (br#""\ud800\n""#, JsonFaultKind::Surrogate),
    (br#""\ud800\u0041""#, JsonFaultKind::Surrogate),
    (br#""\udc00\ud800""#, JsonFaultKind::Surrogate),
    (br#"{"\ud800":1}"#, JsonFaultKind::Surrogate),
    (br#""\ud800\u12""#, JsonFaultKind::Escape),
];

#[test]
fn what_parsers_disagree_on_is_refused() {
    for (document, fault) in REFUSED {
        let shown = String::from_utf8_lossy(document);
        assert_eq!(kind(document), Some(*fault), "{shown}");
    }
    assert_eq!(kind("9".repeat(400).as_bytes()), Some(JsonFaultKind::Range));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(kind(nested(MAX_DEPTH).as_bytes()), None);
    assert_eq!(
        kind(nested(MAX_DEPTH + 1).as_bytes()),
        Some(JsonFaultKind::Depth)
    );
    assert_eq!(
        kind("[{\"a\":".repeat(100_000).as_bytes()),
        Some(JsonFaultKind::Depth)
    );
}

#[test]
fn values_are_skipped_whole_and_located() {
    let document = br#"{"a": {"x":[1,{"y":"}"}]} ,"b":2}"#;
    let mut reader = Reader::new(document).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().token, Token::ObjectStart);
    assert!(matches!(
        reader.next().unwrap().unwrap().token,
        Token::Key(_)
    ));
    let span = reader.whole().unwrap().span;
    assert_eq!(reader.text(span), r#"{"x":[1,{"y":"}"}]}"#);
    assert!(matches!(
        reader.next().unwrap().unwrap().token,
        Token::Key(_)
    ));
    let span = reader.whole().unwrap().span;
    assert_eq!(reader.text(span), "2");
    assert_eq!(reader.next().unwrap().unwrap().token, Token::ObjectEnd);
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn what_is_skipped_is_checked_all_the_same() {
    let mut reader = Reader::new(br#"[{"a":1,"a":2}]"#).unwrap();
    assert_eq!(
        reader.whole().unwrap_err().kind,
        JsonFaultKind::DuplicateKey
    );
}

/// How many bytes are looked at in reading a document, whatever becomes of it.
fn work_for(document: &[u8]) -> usize {
    work::of(|| drop(Reader::new(document).and_then(|mut reader| reader.whole())))
}

/// Text of the size that is asked for.
type Family = fn(usize) -> String;

#[test]
fn twice_the_document_is_twice_the_work() {
    let numbered = |n: usize, pattern: &str| {
        let one = |at: usize| pattern.replace('#', &format!("{at:06}"));
        (0..n).map(one).collect::<String>()
    };
    let families: [(&str, Family); 13] = [
        ("a string", |n| format!("\"{}\"", "s".repeat(n))),
        ("escapes", |n| format!("\"{}\"", r"\n".repeat(n))),
        ("escapes by number", |n| {
            format!("\"{}\"", r"\u00e9".repeat(n))
        }),
        ("pairs", |n| format!("\"{}\"", r"\ud83d\ude00".repeat(n))),
        ("an open string", |n| format!("\"{}", "s".repeat(n))),
        ("a number", |n| format!("0.{}", "3".repeat(n))),
        ("white space", |n| format!("{}1", " ".repeat(n))),
        ("elements", |n| format!("[{}0]", "0,".repeat(n))),
        ("open strings", |n| format!("[{}\"", "\"\",".repeat(n))),
        ("objects", |n| format!("[{}0]", r#"{"a":{}},"#.repeat(n))),
        ("one long name", |n| format!("{{\"{}\":0}}", "n".repeat(n))),
        ("deep", |n| "[".repeat(n)),
        ("two long names", |n| {
            let name = "n".repeat(n);
            format!("{{\"{name}a\":0,\"{name}b\":0}}")
        }),
    ];
    for (name, document) in families {
        check_growth(name, document);
    }
    check_growth("names", |n| {
        format!("{{{}\"\":0}}", numbered(n, "\"#\":0,"))
    });
    let long = format!("\"#{}\":0,", "n".repeat(200));
    check_growth("long names", |n| {
        format!("{{{}\"\":0}}", numbered(n / 100, &long))
    });
}

fn check_growth(name: &str, document: impl Fn(usize) -> String) {
    let [small, large] = [4_000, 8_000].map(|n| work_for(document(n).as_bytes()));
    assert!(small > 0, "{name}");
    assert!(
        large <= small.saturating_mul(2).saturating_add(1_000),
        "{name}: {small}, then {large}"
    );
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            proptest::collection::vec((any::<String>(), inner), 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_writes_is_read_back(value in json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(tree(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn nothing_is_accepted_that_serde_json_refuses(
        document in r#"[ \t]?[\[{]?([\[\]{}:,]|"[ab\\u0d8c]{0,8}"|-?[0-9.eE+-]{1,5}|true|null|"a":){0,12}[\]}]?"#,
    ) {
        if let Ok(value) = tree(document.as_bytes()) {
            prop_assert_eq!(Some(value), serde_json::from_str(&document).ok());
        }
    }

    #[test]
    fn work_is_bounded_by_the_length(
        document in r#"[ \t]{0,9}[\[{]?([\[\]{}:,]|"[ab\\u0d8c]{0,30}"|-?[0-9.eE+-]{1,30}|true|null|"[a-c]{0,3}":){0,40}"#,
        value in json(),
    ) {
        for document in [document, value.to_string()] {
            // A name is compared with twelve others at most, and each other byte is seen a few times.
            let bound = document.len().saturating_add(1).saturating_mul(20);
            prop_assert!(work_for(document.as_bytes()) <= bound);
        }
    }

    #[test]
    fn no_bytes_panic(document in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = tree(&document) {
            prop_assert_eq!(Some(value), serde_json::from_slice(&document).ok());
        }
    }

    #[test]
    fn a_changed_byte_never_panics(value in json(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(value) = tree(&text) {
            prop_assert_eq!(Some(value), serde_json::from_slice(&text).ok());
        }
    }
}
