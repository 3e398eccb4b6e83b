//! Messages that two parsers read differently: each is refused, whoever sends it.

#![expect(
    clippy::needless_raw_string_hashes,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use serde_json::Value;
use support::mcp;
use support::scene::bodies::World;
use support::scene::bodies::with_params;
use support::scene::bodies::world;

impl World {
    fn all(&self, expected: &str, bodies: &[&str]) {
        for body in bodies {
            assert_eq!(self.reason(body), expected, "{body}");
        }
    }
}

/// The same with more members at the top.
fn with_top(more: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_forecast"}}{more}}}"#
    )
}

#[test]
fn one_member_has_one_value() {
    let world = world();
    assert_eq!(world.reason(with_params("")), "allowed", "the control");
    let danger = r#""delete_station""#;
    for more in [
        r#","name":"delete_station""#,
        r#","n\u0061me":"delete_station""#,
        r#","Name":"delete_station""#,
        r#","NAME":"x""#,
        r#","name\u0000":"x""#,
        r#","n\u0430me":"x""#,
        r#","\uff4eame":"x""#,
        r#","argument\u017f":{}"#,
        r#","tas\u212aId":"x""#,
        r#","Arguments":{}"#,
        r#","_Meta":{}"#,
        r#","meta":{}"#,
        r#","task_id":"x""#,
        r#","task-id":"x""#,
        r#","Uri":"x""#,
        r#","URI":"x""#,
        r#","Ref":{}"#,
        r#","arguments":{"a":1,"a":2}"#,
        r#","arguments":{"a":{"b":1,"b":2}}"#,
        r#","arguments":[{"a":1,"\u0061":2}]"#,
        r#","arguments":[]"#,
        r#","arguments":"x""#,
        r#","arguments":1"#,
        r#","arguments":null"#,
        r#","_meta":{"a":1,"a":1}"#,
        r#","_meta":[]"#,
        r#","_meta":"x""#,
        r#","_meta":null"#,
        r#","_meta":{"IO.modelcontextprotocol/protocolVersion":"2025-06-18"}"#,
        r#","_meta":{"ProgressToken":1}"#,
        r#","x":"\ud800""#,
        r#","x":"\udc00\ud800""#,
        r#","\ud83d":1"#,
        r#","x":NaN"#,
        r#","x":Infinity"#,
        r#","x":-Infinity"#,
        r#","x":1e999"#,
        r#","x":-1e999"#,
        r#","x":01"#,
        r#","x":+1"#,
        r#","x":.5"#,
        r#","x":1."#,
        r#","x":0x1"#,
        r#","x":1_000"#,
        r#","x":'a'"#,
        r#","x":"\x41""#,
        r#","x":"\u00g0""#,
        r#","x":"a	b""#,
        ",\"x\":\"a\nb\"",
        ",\"x\":\"a\0b\"",
        r#","x":tru"#,
        r#","x":TRUE"#,
        r#","x":undefined"#,
        r#",x:1"#,
        r#",,"#,
        r#",/**/"x":1"#,
        r#","x":1,"#,
    ] {
        assert_eq!(
            world.reason(with_params(more)),
            "malformed_request",
            "{more}"
        );
    }
    for top in [
        r#","params":{"name":"delete_station"}"#,
        r#","method":"ping""#,
        r#","id":2"#,
        r#","jsonrpc":"2.0""#,
        r#","Params":{}"#,
        r#","METHOD":"ping""#,
        r#","zzz":1"#,
        r#","result":{}"#,
        r#","error":{"code":1,"message":"x"}"#,
        r#","Result":{}"#,
        r#","p\u0061rams":{}"#,
        r#","params\u0000":{}"#,
        r#","method ":"x""#,
        r#","":1"#,
        r#","__proto__":{}"#,
    ] {
        assert_eq!(world.reason(with_top(top)), "malformed_request", "{top}");
    }
    for name in [
        "[\"get_forecast\"]",
        "null",
        "1",
        "true",
        "{}",
        "\"\"",
        "{\"name\":\"x\"}",
        &format!("[{danger}]"),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name}}}}}"#
        );
        assert_eq!(world.reason(body), "malformed_request", "{name}");
    }
    world.all(
        "allowed",
        &[
            &with_params(r#","arguments":{"Name":"x","__proto__":{},"constructor":1}"#),
            &with_params(r#","names":1,"x-name":2"#),
        ],
    );
}

#[test]
fn a_message_is_one_request_notification_or_response() {
    let world = world();
    let call = with_params("");
    let danger = mcp::call("delete_station", "{}");
    let batch = |bodies: &[&str]| format!("[{}]", bodies.join(","));
    world.all(
        "malformed_request",
        &[
            &batch(&[&call, &danger]),
            &batch(&[&call]),
            "[]",
            "[[]]",
            "[1]",
            &format!(" [{call}]"),
            &format!("{call}{danger}"),
            &format!("{call}\n{danger}"),
            &format!("{call} x"),
            &format!("{call},"),
            &format!("{call}\0"),
            &format!("\u{feff}{call}"),
            &format!("\u{c}{call}"),
            &format!("\u{a0}{call}"),
            &format!("{call}\u{a0}"),
            &format!("//x\n{call}"),
            "{}",
            "null",
            "1",
            "\"tools/call\"",
            "true",
            "",
            " ",
            "{",
            "}",
            "{\"",
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"ping"}"#,
        ],
    );
    for version in ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
        let ask = world
            .ask(batch(&[&call, &danger]))
            .header("mcp-protocol-version", version);
        assert_eq!(
            world.asker.both(&ask).reason,
            "malformed_request",
            "{version}"
        );
    }
    for id in [
        "null",
        "{}",
        "[]",
        "true",
        "1.5",
        "1.0",
        "1e2",
        "-0",
        "9007199254740993",
        "99999999999999999999",
        "-9007199254740993",
        &format!("\"{}\"", "i".repeat(300)),
        "01",
        "NaN",
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(world.reason(body), "malformed_request", "{id}");
    }
    for id in [
        "0",
        "-1",
        "9007199254740992",
        "\"\"",
        "\"a\\u0000\\\"b\"",
        "\"\\ud83d\\ude00\"",
    ] {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":1}}}}"#);
        let refused = world.asker.both(&world.ask(body));
        let json: Value = serde_json::from_str(&refused.body).expect("an answer is JSON");
        let echoed: Value = serde_json::from_str(id).expect("JSON");
        assert_eq!(json["id"], echoed, "{}", refused.body);
    }
    world.all(
        "not_permitted",
        &[
            r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"get_forecast"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"get_forecast"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools//call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":""}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#,
        ],
    );
}
