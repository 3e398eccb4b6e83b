//! Messages that are taken from what Envoy's MCP filter says of them.

use prost_types::ListValue;
use prost_types::Struct;
use prost_types::Value;
use prost_types::value::Kind as Shape;
use serde_json::json;

use super::*;

const MODERN: &str = "2026-07-28";

fn value(json: &serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Shape::NullValue(0),
        serde_json::Value::Bool(value) => Shape::BoolValue(*value),
        serde_json::Value::Number(number) => Shape::NumberValue(number.as_f64().unwrap()),
        serde_json::Value::String(text) => Shape::StringValue(text.clone()),
        serde_json::Value::Array(items) => Shape::ListValue(ListValue {
            values: items.iter().map(value).collect(),
        }),
        serde_json::Value::Object(_) => Shape::StructValue(fields(json)),
    };
    Value { kind: Some(kind) }
}

fn fields(json: &serde_json::Value) -> Struct {
    let members = json.as_object().unwrap().iter();
    Struct {
        fields: members
            .map(|(name, one)| (name.clone(), value(one)))
            .collect(),
    }
}

/// What Envoy says of a request, changed at the top level; a null takes a member away.
fn said(change: serde_json::Value) -> Described {
    let mut all = json!({
        "is_mcp_request": true, "status": "mcp_ok", "jsonrpc": "2.0", "id": 1.0,
        "method": "tools/call", "params": {"name": "greet"},
    });
    let members = all.as_object_mut().unwrap();
    if let serde_json::Value::Object(change) = change {
        for (name, value) in change {
            if value.is_null() {
                members.remove(&name);
            } else {
                members.insert(name, value);
            }
        }
    }
    Described::Fields(Box::new(fields(&all)))
}

fn by_metadata(head: Head, body: Body, described: Described) -> Result<Message, MessageFault> {
    let incoming = incoming(head, body, described);
    of(
        &incoming,
        &rules(MessageFrom::EnvoyMetadata),
        &"weather".into(),
    )
}

fn told(change: serde_json::Value) -> Result<Message, MessageFault> {
    by_metadata(post(), Body::Withheld, said(change))
}

#[test]
fn metadata_names_the_operation() {
    for (change, action, thing) in [
        (json!({}), "tools/call", "tool greet"),
        (json!({"id": "s"}), "tools/call", "tool greet"),
        (
            json!({"is_exceeding_limit": false}),
            "tools/call",
            "tool greet",
        ),
        (
            json!({"method": "prompts/get"}),
            "prompts/get",
            "prompt greet",
        ),
        (json!({"method": "ping", "params": null}), "ping", ""),
        (
            json!({"method": "tools/list", "params": {}}),
            "tools/list",
            "",
        ),
        (json!({"method": "zzz"}), "unknown", ""),
        (
            json!({"method": "resources/read", "params": {"uri": "u"}}),
            "resources/read",
            "resource u",
        ),
        (
            json!({"method": "tasks/get", "params": {"taskId": "t"}}),
            "tasks/get",
            "task t",
        ),
        (
            json!({"method": "completion/complete", "params": {"ref": {"type": "ref/prompt", "name": "p"}}}),
            "completion/complete",
            "prompt p",
        ),
        (
            json!({"method": "notifications/initialized", "id": null}),
            "notifications",
            "",
        ),
    ] {
        let message = told(change.clone()).unwrap();
        assert_eq!(decided(&message), [(action, thing.to_owned())], "{change}");
        assert_eq!(message.id, None, "ids are doubles there");
    }
    let sent = told(json!({"params": {"name": "greet", "arguments": {"a": 1}}})).unwrap();
    let arguments = sent.operations.first.arguments;
    assert_eq!(
        arguments,
        Arguments::Unknown,
        "arrays are left out of what is said of them"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_the_filter_did_not_understand_is_not_believed() {
    let undescribed = [
        json!({"is_mcp_request": null}),
        json!({"is_mcp_request": false}),
        json!({"is_mcp_request": "true"}),
        json!({"passthrough_reason": "mcp_parse_error"}),
        json!({"passthrough_reason": "mcp_duplicate_keys"}),
        json!({"passthrough_reason": "mcp_not_jsonrpc"}),
        json!({"passthrough_reason": ""}),
        json!({"is_exceeding_limit": true}),
        json!({"is_exceeding_limit": "false"}),
        json!({"status": "mcp_failed"}),
        json!({"status": 7}),
        json!({"jsonrpc": null}),
        json!({"jsonrpc": "1.0"}),
        json!({"method": null}),
        json!({"method": 7}),
        json!({"method": "__jsonrpc_response", "params": null}),
        json!({"method": "__jsonrpc_response"}),
        json!({"method": "subscriptions/listen", "params": {"notifications": {"toolsListChanged": true}}}),
    ];
    for change in undescribed {
        let fault = told(change.clone()).unwrap_err();
        assert!(
            matches!(fault.kind, MessageFaultKind::Undescribed(_)),
            "{change}: {fault}"
        );
        assert_eq!(fault.to_string(), "the proxy does not describe the message");
    }
    for described in [Described::Absent, Described::Twice] {
        let fault = by_metadata(post(), Body::Absent, described).unwrap_err();
        assert!(matches!(fault.kind, MessageFaultKind::Undescribed(_)));
    }
    for change in [
        json!({"params": {"name": ""}}),
        json!({"params": {"name": 7}}),
        json!({"params": {}}),
        json!({"params": null}),
        json!({"params": "x"}),
        json!({"id": null}),
        json!({"id": 1.5}),
        json!({"id": true}),
        json!({"id": {}}),
        json!({"method": "notifications/initialized"}),
        json!({"method": "tasks/get"}),
        json!({"method": "resources/read"}),
        json!({"method": "completion/complete"}),
        json!({"params": {"name": "greet", "_meta": "x"}}),
    ] {
        assert!(is_malformed(&told(change.clone())), "{change}");
    }
    let typed = Head {
        content_type: Some("application/json; charset=utf-7".to_owned()),
        ..post()
    };
    assert!(is_malformed(&by_metadata(
        typed,
        Body::Absent,
        said(json!({}))
    )));
    let encoded = Head {
        content_encoding: Some("gzip".to_owned()),
        ..post()
    };
    assert!(is_malformed(&by_metadata(
        encoded,
        Body::Absent,
        said(json!({}))
    )));
}

#[test]
fn headers_must_agree_with_the_metadata() {
    let fault = |head: Head, change: serde_json::Value| {
        by_metadata(head, Body::Absent, said(change)).map_err(|fault| fault.kind)
    };
    let meta = |version: &str| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {}});
        json!({"params": {"name": "greet", "_meta": meta}})
    };
    assert!(fault(head(MODERN, "tools/call", "greet"), meta(MODERN)).is_ok());
    assert!(
        fault(head(MODERN, "tools/call", "greet"), json!({})).is_ok(),
        "not shown"
    );
    for (head, change, header) in [
        (head(MODERN, "tools/call", "danger"), json!({}), "mcp-name"),
        (head(MODERN, "tools/call", ""), json!({}), "mcp-name"),
        (head(MODERN, "", "greet"), json!({}), "mcp-method"),
        (head("2025-11-25", "", "danger"), json!({}), "mcp-name"),
        (head("", "", ""), meta(MODERN), "mcp-protocol-version"),
        (
            head("2025-11-25", "", ""),
            meta(MODERN),
            "mcp-protocol-version",
        ),
    ] {
        let expected = MessageFaultKind::HeaderMismatch(header);
        assert_eq!(fault(head, change), Err(expected));
    }
}

#[test]
fn a_body_that_is_there_counts_and_must_agree_with_the_metadata() {
    let body = |text: &str| complete(text.as_bytes());
    let call = r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"greet","arguments":{"a":[1]}}}"#;
    assert!(
        is_malformed(&by_metadata(post(), body(call), said(json!({})))),
        "the id"
    );
    let call = call.replace("9007199254740993", "7");
    let message = by_metadata(post(), body(&call), said(json!({}))).unwrap();
    assert_eq!(message.id.as_deref(), Some("7"));
    assert!(matches!(
        message.operations.first.arguments,
        Arguments::Json(_)
    ));
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let response = json!({"method": "__jsonrpc_response", "params": null});
    let message = by_metadata(post(), body(answer), said(response.clone())).unwrap();
    assert_eq!(decided(&message), [("client/response", String::new())]);
    let listen = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["u"]}}}"#;
    let shown = json!({"method": "subscriptions/listen", "params": {"notifications": {}}});
    let message = by_metadata(post(), body(listen), said(shown)).unwrap();
    assert_eq!(message.operations.rest.len(), 1);
    for (text, change) in [
        (&*call, json!({"params": {"name": "danger"}})),
        (&call, json!({"method": "prompts/get"})),
        (&call, json!({"method": "tools/list"})),
        (&call, response),
        (answer, json!({})),
    ] {
        let fault = by_metadata(post(), body(text), said(change.clone())).unwrap_err();
        assert!(
            fault.to_string().contains("not the one"),
            "{change}: {fault}"
        );
    }
    for other in [Body::Partial, Body::Oversized] {
        assert!(is_malformed(&by_metadata(post(), other, said(json!({})))));
    }
}

#[test]
fn get_and_delete_have_no_message_to_take_from_anywhere() {
    for from in [MessageFrom::EnvoyMetadata, MessageFrom::InsecureHeaders] {
        for (method, action) in [("GET", "session/stream"), ("DELETE", "session/delete")] {
            let head = Head {
                method: method.to_owned(),
                content_type: None,
                ..post()
            };
            let asked = |body| {
                let incoming = incoming(head.clone(), body, Described::Absent);
                of(&incoming, &rules(from), &"weather".into())
            };
            assert_eq!(
                decided(&asked(Body::Absent).unwrap()),
                [(action, String::new())]
            );
            assert!(is_malformed(&asked(Body::Withheld)));
        }
    }
}
