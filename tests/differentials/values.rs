//! Values in a message, and its id, that one reader takes and another refuses.

use super::bodies::call;
use super::bodies::call_with_id;
use super::bodies::post;
use super::bodies::with_argument;
use super::bodies::with_params;
use super::world::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = values();
    rows.extend(ids());
    rows
}

fn values() -> Vec<Row> {
    let refused = |name: &str, more: &str, direct: &str| {
        Row::refused(name, post(with_argument(more)), 400, direct)
    };
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("\"a\":{open}{close}")
    };
    let latin = |text: &str| {
        text.chars()
            .map(|letter| u8::try_from(letter).expect("latin-1"))
            .collect::<Vec<u8>>()
    };
    let raw = |more: &str| post(latin(&with_argument(more)));
    vec![
        Row::refused(
            "a byte that is not UTF-8",
            raw("\"a\":\"\u{ff}\""),
            400,
            "- danger danger",
        ),
        Row::refused(
            "UTF-8 that is too long for its letter",
            raw("\"a\":\"\u{c0}\u{af}\""),
            400,
            "- danger danger",
        ),
        Row::refused(
            "a surrogate in UTF-8",
            raw("\"a\":\"\u{ed}\u{a0}\u{80}\""),
            400,
            "- danger danger",
        ),
        refused(
            "half of a surrogate pair",
            r#""a":"\ud800""#,
            "- danger danger",
        ),
        refused(
            "half of a surrogate pair in a name",
            r#""\ud800":1"#,
            "- danger danger",
        ),
        refused("NaN", "\"a\":NaN", "danger - -"),
        refused("Infinity", "\"a\":Infinity", "danger - -"),
        refused("-Infinity", "\"a\":-Infinity", "danger - -"),
        refused("1e999", "\"a\":1e999", "danger danger danger"),
        refused("a leading zero", "\"a\":01", "- - -"),
        refused("a plus sign", "\"a\":+1", "- - -"),
        refused("no digit before the point", "\"a\":.5", "- - -"),
        refused("hexadecimal", "\"a\":0x1", "- - -"),
        refused("True", "\"a\":True", "- - -"),
        refused("an unknown escape", r#""a":"\x41""#, "- - -"),
        Row::refused(
            "an integer of 400 digits",
            post(with_argument(&format!("\"a\":{}", "9".repeat(400)))),
            400,
            "danger danger danger",
        ),
        Row::refused(
            "1,000 lists in one another",
            post(with_argument(&nested(1_000))),
            400,
            "- danger danger",
        ),
        Row::refused(
            "100,000 lists in one another",
            post(with_argument(&nested(100_000))),
            400,
            "- - -",
        ),
        Row::honest(
            "greet, 20 lists in one another",
            post(with_params(&format!(
                r#"{{"name":"greet","arguments":{{{}}}}}"#,
                nested(20)
            ))),
            "greet greet greet",
        ),
        Row::honest(
            "greet, every kind of value and letter",
            post(with_params(
                r#"{"name":"greet","arguments":{"a":[null,true,-0.5e-3,1E3,9007199254740993],"\ud83d\ude00":"\u0000\"\\\/ é 漢 😀"}}"#,
            )),
            "greet greet greet",
        ),
        Row::honest(
            "greet, 200 KiB of arguments",
            post(with_params(&format!(
                r#"{{"name":"greet","arguments":{{"a":"{}"}}}}"#,
                "x".repeat(200 << 10)
            ))),
            "greet - -",
        ),
        Row::refused(
            "danger, 2 MiB of arguments",
            post(with_argument(&format!("\"a\":\"{}\"", "x".repeat(2 << 20)))),
            413,
            "danger - -",
        ),
    ]
}

fn ids() -> Vec<Row> {
    let refused = |id: &str, direct: &str| {
        Row::refused(
            format!("id {id}"),
            post(call_with_id(id, "danger")),
            400,
            direct,
        )
    };
    let honest = |id: &str| {
        Row::honest(
            format!("greet, id {id}"),
            post(call_with_id(id, "greet")),
            "greet greet greet",
        )
    };
    let without = call("danger").replace("\"id\":1,", "");
    vec![
        honest("0"),
        honest("-1"),
        honest("9007199254740991"),
        Row::honest(
            "greet, id 9007199254740992",
            post(call_with_id("9007199254740992", "greet")),
            "greet - -",
        ),
        honest("\"\""),
        honest("\"a\\u0000\\\"b\""),
        honest("\"4f1c9d2e-7a3b-4c55-9e0d-8b6a2f1e3c4d\""),
        refused("1.0", "- danger danger"),
        refused("1e0", "- danger danger"),
        refused("1.5", "- - -"),
        refused("9007199254740993", "danger - -"),
        refused("null", "- - -"),
        refused("{}", "- - -"),
        refused("[1]", "- - -"),
        refused("true", "- - -"),
        Row::refused("no id", post(without), 400, "- - -"),
    ]
}
