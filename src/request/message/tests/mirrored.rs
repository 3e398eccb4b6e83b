//! Messages that are taken from their headers.

use super::*;

fn by_headers(head: Head, body: Body) -> Result<Message, MessageFault> {
    let incoming = incoming(head, body, Described::Absent);
    of(
        &incoming,
        &rules(MessageFrom::InsecureHeaders),
        &"weather".into(),
    )
}

const MODERN: &str = "2026-07-28";

#[test]
fn headers_name_the_operation() {
    for (method, name, action, thing) in [
        ("tools/call", "greet", "tools/call", "tool greet"),
        (
            "tools/call",
            "=?base64?Z3JlZXQ=?=",
            "tools/call",
            "tool greet",
        ),
        ("tools/call", "a,b", "tools/call", "tool a,b"),
        (
            "tools/call",
            "=?BASE64?eA==?=",
            "tools/call",
            "tool =?BASE64?eA==?=",
        ),
        ("prompts/get", "p", "prompts/get", "prompt p"),
        (
            "resources/read",
            "u://x",
            "resources/read",
            "resource u://x",
        ),
        ("tasks/cancel", "t", "tasks/cancel", "task t"),
        ("tools/list", "", "tools/list", ""),
        ("server/discover", "", "server/discover", ""),
        ("notifications/cancelled", "", "notifications", ""),
        ("zzz", "", "unknown", ""),
    ] {
        for body in [Body::Absent, Body::Withheld] {
            let message = by_headers(head(MODERN, method, name), body).unwrap();
            assert_eq!(
                decided(&message),
                [(action, thing.to_owned())],
                "{method} {name}"
            );
            let takes = matches!(method, "tools/call" | "prompts/get");
            let expected = if takes {
                Arguments::Unknown
            } else {
                Arguments::None
            };
            assert_eq!(message.operations.first.arguments, expected, "{method}");
            assert_eq!(message.id, None);
        }
    }
}

#[test]
fn headers_that_nobody_compares_are_not_read() {
    use MessageFaultKind::HeaderMismatch;
    let fault = |version, method, name| {
        by_headers(head(version, method, name), Body::Absent)
            .unwrap_err()
            .kind
    };
    assert_eq!(
        fault("", "tools/call", "x"),
        HeaderMismatch("mcp-protocol-version")
    );
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let expected = MessageFaultKind::UnsupportedVersion {
            requested: version.to_owned(),
            supported: vec![MODERN.to_owned()],
        };
        assert_eq!(fault(version, "tools/call", "x"), expected);
    }
    assert!(matches!(
        fault("2099-01-01", "tools/call", "x"),
        MessageFaultKind::UnsupportedVersion { .. }
    ));
    assert_eq!(fault(MODERN, "", ""), HeaderMismatch("mcp-method"));
    for (method, name) in [
        ("tools/call", ""),
        ("tools/call", "=?base64?Z3JlZXQ?="),
        ("tools/call", "=?base64?/w==?="),
        ("tools/list", "x"),
        ("zzz", "x"),
    ] {
        assert_eq!(
            fault(MODERN, method, name),
            HeaderMismatch("mcp-name"),
            "{method} {name}"
        );
    }
    for (method, name) in [
        ("completion/complete", ""),
        ("completion/complete", "p"),
        ("subscriptions/listen", ""),
        ("resources/subscribe", "u://x"),
        ("tasks/result", "t"),
        ("tools/call", "=?base64??="),
    ] {
        let kind = fault(MODERN, method, name);
        assert!(
            matches!(kind, MessageFaultKind::Malformed(_)),
            "{method} {name}: {kind}"
        );
    }
    let typed = Head {
        content_type: Some("text/plain".to_owned()),
        ..head(MODERN, "tools/list", "")
    };
    assert!(is_malformed(&by_headers(typed, Body::Absent)));
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","arguments":{"a":1},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

#[test]
fn a_body_that_is_there_must_agree_with_the_headers() {
    let read = |name: &str, body: Body| by_headers(head(MODERN, "tools/call", name), body);
    let message = read("greet", complete(CALL.as_bytes())).unwrap();
    assert_eq!(message.id.as_deref(), Some("1"));
    assert!(matches!(
        message.operations.first.arguments,
        Arguments::Json(_)
    ));
    let fault = read("danger", complete(CALL.as_bytes())).unwrap_err();
    assert_eq!(fault.kind, MessageFaultKind::HeaderMismatch("mcp-name"));
    for body in [Body::Partial, Body::Oversized, complete(b"{")] {
        assert!(is_malformed(&read("greet", body)));
    }
    let old = head("2025-11-25", "tools/call", "greet");
    let legacy =
        complete(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet"}}"#);
    assert!(by_headers(old, legacy).is_err(), "the version still counts");
}
