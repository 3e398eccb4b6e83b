//! Bodies: what each method asks for, and what is refused.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::request::methods::METHODS;

/// A request that calls `method` with `params`.
fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

#[test]
fn each_method_acts_on_what_the_body_names() {
    let named = r#"{"name":"n","uri":"u://x","taskId":"t","ref":{"type":"ref/prompt","name":"p"},
        "notifications":{"resourceSubscriptions":["u://a","u://b"],"taskIds":["t1"]}}"#;
    let mut reached = BTreeSet::new();
    for method in &METHODS {
        let message = read_body(&call(method.name, named)).unwrap();
        let thing = match method.name {
            "tools/call" => "tool n",
            "prompts/get" => "prompt n",
            "completion/complete" => "prompt p",
            name if name.starts_with("resources/") && !name.ends_with("list") => "resource u://x",
            name if name.starts_with("tasks/") && !name.ends_with("list") => "task t",
            _ => "",
        };
        let decided = decided(&message);
        assert_eq!(decided[0], (method.name, thing.to_owned()));
        if method.name == "subscriptions/listen" {
            let rest = [
                ("resources/subscribe", "resource u://a".to_owned()),
                ("resources/subscribe", "resource u://b".to_owned()),
                ("tasks/get", "task t1".to_owned()),
            ];
            assert_eq!(decided[1..], rest);
        } else {
            assert_eq!(decided.len(), 1);
        }
        assert_eq!(message.id.as_deref(), Some("1"));
        reached.insert(message.operations.first.action);
    }
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"a","result":{"x":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"zzz"}"#,
    ] {
        reached.insert(read_body(body).unwrap().operations.first.action);
    }
    for method in ["GET", "DELETE"] {
        let mut head = post();
        method.clone_into(&mut head.method);
        let message = read(&head, &Body::Absent, &McpRules::default(), &"w".into()).unwrap();
        reached.insert(message.operations.first.action);
    }
    let mcp = Action::ALL.into_iter().filter(|action| {
        !action
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_uppercase())
    });
    assert_eq!(reached, mcp.collect(), "every action of the schema");
}

#[test]
fn names_are_exact_bytes() {
    for name in ["DANGER", "danger ", "\u{ff44}anger", "a/b", "\u{0}"] {
        let params = serde_json::json!({ "name": name }).to_string();
        let message = read_body(&call("tools/call", &params)).unwrap();
        let first = message.operations.first;
        assert_eq!(first.target.thing, Thing::Tool(name.to_owned()));
    }
    for method in [
        "Tools/call",
        "tools/call ",
        "tools/call\\u0000",
        "tools//call",
        "",
    ] {
        let message = read_body(&call(method, "{}")).unwrap();
        assert_eq!(decided(&message), [("unknown", String::new())], "{method}");
    }
    let resource = call(
        "completion/complete",
        r#"{"ref":{"type":"ref/resource","uri":"u"}}"#,
    );
    let message = read_body(&resource).unwrap();
    assert_eq!(
        decided(&message),
        [("completion/complete", "resource u".to_owned())]
    );
}

#[test]
fn a_missing_or_misshapen_target_is_refused() {
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":""}"#),
        ("tools/call", r#"{"name":7}"#),
        ("tools/call", r#"{"name":null}"#),
        ("tools/call", r#"{"name":["greet"]}"#),
        ("tools/call", r#"{"uri":"greet"}"#),
        ("tools/call", r#"{"name":"x","arguments":[]}"#),
        ("tools/call", r#"{"name":"x","arguments":null}"#),
        ("tools/call", r#"{"name":"x","_meta":[]}"#),
        ("tools/call", r#"["greet"]"#),
        ("tools/call", "null"),
        ("prompts/get", "{}"),
        ("resources/read", r#"{"name":"x"}"#),
        ("resources/subscribe", "{}"),
        ("resources/unsubscribe", r#"{"uri":{}}"#),
        ("tasks/get", "{}"),
        ("tasks/result", r#"{"task":"x"}"#),
        ("tasks/update", r#"{"taskId":1}"#),
        ("tasks/cancel", r#"{"taskId":""}"#),
        ("completion/complete", "{}"),
        ("completion/complete", r#"{"ref":"p"}"#),
        ("completion/complete", r#"{"ref":{"name":"p"}}"#),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","uri":"p"}}"#,
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/other","name":"p"}}"#,
        ),
        ("subscriptions/listen", "{}"),
        ("subscriptions/listen", r#"{"notifications":[]}"#),
        (
            "subscriptions/listen",
            r#"{"notifications":{"taskIds":"t"}}"#,
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"taskIds":[["t"]]}}"#,
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":["u",1]}}"#,
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":[""]}}"#,
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":{"a":"u"}}}"#,
        ),
    ] {
        let result = read_body(&call(method, params));
        assert!(is_malformed(&result), "{method} {params}: {result:?}");
        assert_eq!(result.unwrap_err().id.as_deref(), Some("1"), "{params}");
    }
}

#[test]
fn subscriptions_are_bounded() {
    let listen = |count: usize| {
        let uris = vec!["\"u\""; count].join(",");
        let params = format!(r#"{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}"#);
        read_body(&call("subscriptions/listen", &params))
    };
    assert_eq!(listen(256).unwrap().operations.rest.len(), 256);
    assert!(is_malformed(&listen(257)));
    assert!(is_malformed(&listen(5000)));
}

/// Envelopes that are no single request, notification or response.
const ENVELOPES: &[&str] = &[
    r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"greet"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
    r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
    r#"{"id":1,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
    r#"{"jsonrpc":"2.0","id":1}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
    r#"{"jsonrpc":"2.0","result":{}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#,
    r#"{"jsonrpc":"2.0","id":null,"error":{}}"#,
];

#[test]
fn a_message_is_exactly_one_thing() {
    for body in ENVELOPES {
        assert!(is_malformed(&read_body(body)), "{body}");
    }
}

#[test]
fn bodies_that_upstreams_read_differently_are_refused() {
    let greet = r#""jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet"}"#;
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","name":"danger"}}"#
            .to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","n\u0061me":"danger"}}"#
            .to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{"a":{"b":1,"b":2}}}}"#
            .to_owned(),
        format!(r#"{{{greet},"method":"ping"}}"#),
        format!(r#"{{{greet},"params":{{"name":"danger"}}}}"#),
        format!(r#"{{{greet},"Params":{{"name":"danger"}}}}"#),
        format!(r#"{{{greet},"Method":"ping"}}"#),
        format!(r#"{{{greet},"zzz":1}}"#),
        format!(r#"{{{greet},"result":{{}}}}"#),
        format!(r#"{{{greet},"error":{{"code":1,"message":""}}}}"#),
        format!("[{{{greet}}}]"),
        format!("[{{{greet}}},{{{greet}}}]"),
        "[]".to_owned(),
        "\"tools/call\"".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        format!("\u{feff}{{{greet}}}"),
        format!("{{{greet}}}{{{greet}}}"),
        format!("{{{greet}}}\0"),
        format!("{{{greet}}} x"),
        format!("{{{greet},}}"),
        format!("/**/{{{greet}}}"),
        format!("\u{a0}{{{greet}}}"),
        call("tools/call", r#"{"name":"greet","arguments":{"x":NaN}}"#),
        call("tools/call", r#"{"name":"greet","arguments":{"x":Infinity}}"#),
        call("tools/call", r#"{"name":"greet","arguments":{"x":1e999}}"#),
        call("tools/call", r#"{"name":"greet","arguments":{"x":"\ud800"}}"#),
        call("tools/call", "{\"name\":\"gre\u{1}et\"}"),
        call(
            "tools/call",
            &format!(r#"{{"name":"greet","x":{}{}}}"#, "[".repeat(70), "]".repeat(70)),
        ),
    ];
    for body in bodies {
        assert!(is_malformed(&read_body(&body)), "{body}");
    }
    let bytes: [&[u8]; 4] = [
        b"\xef\xbb\xbf{}",
        b"{\0\"\0",
        b"\xff\xfe{\0}\0",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"\xff\"}}",
    ];
    for body in bytes {
        assert!(is_malformed(&read_with(&post(), body)), "{body:?}");
    }
}

#[test]
fn look_alikes_of_protocol_names_are_refused() {
    for params in [
        r#"{"name":"greet","Name":"danger"}"#,
        r#"{"name":"greet","NAME":"danger"}"#,
        "{\"name\":\"greet\",\"argument\u{17f}\":{}}",
        "{\"name\":\"greet\",\"tas\u{212a}Id\":\"x\"}",
        r#"{"name":"greet","\uff4eame":"danger"}"#,
        r#"{"name":"greet","name\u0000":"danger"}"#,
        r#"{"name":"greet","task_id":"x"}"#,
        r#"{"name":"greet","ref":{"Name":"x"}}"#,
        r#"{"name":"greet","ref":{"TYPE":"x"}}"#,
        r#"{"name":"greet","notifications":{"TaskIds":["x"]}}"#,
        r#"{"name":"greet","argument":{"Name":"x"}}"#,
        r#"{"name":"greet","argument":{"name":"x","VALUE":"y"}}"#,
        "{\"name\":\"greet\",\"argument\":{\"\u{ff56}alue\":1}}",
        r#"{"name":"greet","context":{"Arguments":{}}}"#,
        r#"{"name":"greet","name ":"danger"}"#,
        r#"{"name":"greet","_Meta":{}}"#,
        r#"{"name":"greet","_meta":{"IO.modelcontextprotocol/protocolVersion":"x"}}"#,
        r#"{"name":"greet","_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}}"#,
    ] {
        let result = read_body(&call("tools/call", params));
        assert!(is_malformed(&result), "{params}");
    }
    let harmless = r#"{"name":"greet","x":1,"arguments":{"Name":"x","NAME":"y"},"_meta":{"a/b":1},"argument":{"name":"x","value":"y"},"context":{"arguments":{"NAME":"z"}}}"#;
    assert!(read_body(&call("tools/call", harmless)).is_ok());
}

#[test]
fn ids_are_strings_or_integers_of_moderate_size() {
    let id = |id: &str| {
        let body = format!(r#"{{"method":"ping","jsonrpc":"2.0","id":{id}}}"#);
        read_body(&body).map(|message| message.id.unwrap().into_string())
    };
    let longest = format!("\"{}\"", "x".repeat(254));
    for good in ["0", "-1", "9007199254740992", r#""a\n""#, r#""""#, &longest] {
        assert_eq!(id(good).as_deref(), Ok(good));
    }
    let too_long = format!("\"{}\"", "x".repeat(255));
    for bad in [
        "null",
        "1.0",
        "1.5",
        "1e0",
        "9007199254740993",
        "-9007199254740993",
        "{}",
        "[1]",
        "true",
        "-0",
        "99999999999999999999",
        &too_long,
    ] {
        let fault = id(bad).unwrap_err();
        assert_eq!(fault.id, None, "{bad}");
        assert!(
            matches!(fault.kind, MessageFaultKind::Malformed(_)),
            "{bad}"
        );
    }
}

#[test]
fn the_id_of_a_response_is_never_echoed() {
    let message = read_body(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap();
    assert_eq!(message.id, None);
    let fault = read_body(r#"{"jsonrpc":"2.0","id":1,"result":{},"zzz":1}"#).unwrap_err();
    assert_eq!(fault.id, None);
}

#[test]
fn arguments_are_a_slice_of_the_body() {
    let body = call("tools/call", r#"{"arguments": {"a" : [1]} ,"name":"x"}"#);
    let body = Bytes::from(body);
    let read = |body: &Bytes| {
        let body = Body::Complete(body.clone());
        read(&post(), &body, &McpRules::default(), &"w".into()).unwrap()
    };
    let Arguments::Json(arguments) = read(&body).operations.first.arguments else {
        panic!("there are arguments");
    };
    assert_eq!(arguments, r#"{"a" : [1]}"#);
    assert!(
        body.as_ptr_range().contains(&arguments.as_ptr()),
        "not a copy"
    );
    let none = Bytes::from(call("prompts/get", r#"{"name":"x"}"#));
    assert_eq!(read(&none).operations.first.arguments, Arguments::None);
    let other = Bytes::from(call("resources/read", r#"{"uri":"x","arguments":7}"#));
    assert_eq!(
        read(&other).operations.first.arguments,
        Arguments::None,
        "the method has none"
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        drop(read_with(&post(), &body));
    }

    #[test]
    fn a_changed_byte_never_panics_and_never_changes_the_rules(
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let params = r#"{"name":"greet","arguments":{"a":[1,"x"]},"_meta":{"p/q":null}}"#;
        let mut body = call("tools/call", params).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(message) = read_with(&post(), &body) {
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let thing = message.operations.first.target.thing;
            if let Thing::Tool(name) = thing {
                prop_assert_eq!(&value["params"]["name"], &name);
            } else {
                prop_assert_eq!(thing, Thing::Server);
                prop_assert_ne!(&value["method"], "tools/call");
            }
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter(order in Just(vec![0, 1, 2, 3]).prop_shuffle()) {
        let members = [
            r#""jsonrpc":"2.0""#,
            r#""id":"i""#,
            r#""method":"tools/call""#,
            r#""params":{"name":"greet"}"#,
        ];
        let body: Vec<_> = order.into_iter().map(|at: usize| members[at]).collect();
        let message = read_body(&format!("{{{}}}", body.join(","))).unwrap();
        prop_assert_eq!(decided(&message), [("tools/call", "tool greet".to_owned())]);
        prop_assert_eq!(message.id.as_deref(), Some("\"i\""));
    }
}
