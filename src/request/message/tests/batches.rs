//! Batches: what they may hold, and when there may be any.

use proptest::prelude::*;

use super::*;

fn rules() -> McpRules {
    McpRules {
        batches: Batches::Each,
        ..McpRules::default()
    }
}

fn batch(members: &[&str]) -> String {
    format!("[{}]", members.join(","))
}

fn call(id: &str, tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"of":"{tool}"}}}}}}"#
    )
}

fn read_batch(head: &Head, body: &str) -> Result<Message, MessageFault> {
    read(
        head,
        &complete(body.as_bytes()),
        &rules(),
        &"weather".into(),
    )
}

#[test]
fn every_member_is_an_operation_with_its_own_arguments() {
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let body = batch(&[&call("1", "greet"), note, &call("\"b\"", "danger")]);
    let message = read_batch(&post(), &body).unwrap();
    assert_eq!(
        decided(&message),
        [
            ("tools/call", "tool greet".to_owned()),
            ("notifications", String::new()),
            ("tools/call", "tool danger".to_owned()),
        ]
    );
    assert_eq!(message.id, None, "no id is the batch's own");
    let operations = message.operations;
    let sent: Vec<_> = std::iter::once(&operations.first)
        .chain(&operations.rest)
        .map(|operation| operation.arguments.clone())
        .collect();
    let json = |text: &'static str| Arguments::Json(Bytes::from_static(text.as_bytes()));
    assert_eq!(
        sent,
        [
            json(r#"{"of":"greet"}"#),
            Arguments::None,
            json(r#"{"of":"danger"}"#)
        ]
    );
    let answers = r#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{}}]"#;
    let message = read_batch(&post(), answers).unwrap();
    assert_eq!(decided(&message).len(), 2);
    let alone = read_batch(&post(), &call("1", "greet")).unwrap();
    assert_eq!(alone.id.as_deref(), Some("1"), "one message is no batch");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_batch_is_read_as_strictly_as_its_members() {
    let good = call("1", "greet");
    let listen = |id: usize| {
        let uris = vec!["\"u\""; 200].join(",");
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
        )
    };
    for (body, why) in [
        ("[]".to_owned(), "empty"),
        ("[ ]".to_owned(), "empty"),
        (batch(&[&good, "1"]), "not a JSON-RPC message"),
        (batch(&[&batch(&[&good])]), "not a JSON-RPC message"),
        (batch(&[&good, "null"]), "not a JSON-RPC message"),
        (batch(&[&good, "{}"]), "`jsonrpc`"),
        (format!("{}{}", batch(&[&good]), good), "text after"),
        (format!("[{good},]"), "unexpected character"),
        (format!("[{good}"), "unexpected end"),
        (batch(&[&good, &call("1", "danger")]), "same `id`"),
        (batch(&[&good, &call("\"1\"", "danger")]), "same `id`"),
        (
            batch(&[&call(r#""a""#, "x"), &call(r#""\u0061""#, "y")]),
            "same `id`",
        ),
        (
            batch(&[&good, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#]),
            "requests and responses",
        ),
        (
            batch(&[
                r#"{"jsonrpc":"2.0","method":"notifications/x"}"#,
                r#"{"jsonrpc":"2.0","id":2,"result":{}}"#,
            ]),
            "requests and responses",
        ),
        (
            batch(&[
                &good,
                r#"{"jsonrpc":"2.0","id":2,"method":"initialize","params":{}}"#,
            ]),
            "`initialize`",
        ),
        (
            batch(&[&good, &call("2", "a").replace("\"name\"", "\"Name\"")]),
            "looks like",
        ),
        (batch(&[&good, &call("2", "")]), "`params.name`"),
        (
            batch(&[
                &good,
                &call("2", "a").replace("\"name\":", "\"name\":\"b\",\"name\":"),
            ]),
            "duplicate",
        ),
        (
            batch(&[
                &good,
                r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#,
            ]),
            "no `id`",
        ),
        (batch(&[&listen(1), &listen(2)]), "too much at once"),
    ] {
        let fault = read_batch(&post(), &body).unwrap_err();
        assert!(
            matches!(fault.kind, MessageFaultKind::Malformed(_)),
            "{body}"
        );
        assert!(fault.to_string().contains(why), "{body}: {fault}");
        assert_eq!(fault.id, None, "{body}");
    }
}

#[test]
fn the_number_of_members_is_bounded() {
    let of = |count: usize| {
        let members: Vec<_> = (0..count)
            .map(|id| call(&id.to_string(), "greet"))
            .collect();
        let members: Vec<_> = members.iter().map(String::as_str).collect();
        read_batch(&post(), &batch(&members))
    };
    assert_eq!(of(100).unwrap().operations.rest.len(), 99);
    for count in [101, 102, 5000] {
        let fault = of(count).unwrap_err();
        assert!(fault.to_string().contains("too many"), "{count}: {fault}");
    }
}

#[test]
fn batches_belong_to_one_revision_and_to_no_header_that_repeats_a_message() {
    let body = batch(&[&call("1", "greet")]);
    let head = |version: Option<&str>| Head {
        protocol_version: version.map(str::to_owned),
        ..post()
    };
    for version in [None, Some("2025-03-26")] {
        assert!(read_batch(&head(version), &body).is_ok(), "{version:?}");
        let denied = read_with(&head(version), body.as_bytes());
        assert!(is_malformed(&denied), "not without the rule");
    }
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let fault = read_batch(&head(Some(version)), &body).unwrap_err();
        assert!(
            fault.to_string().contains("no batches"),
            "{version}: {fault}"
        );
    }
    let fault = read_batch(&head(Some("2099-01-01")), &body).unwrap_err();
    assert!(matches!(
        fault.kind,
        MessageFaultKind::UnsupportedVersion { .. }
    ));
    let method = Head {
        mcp_method: Some("tools/call".to_owned()),
        ..post()
    };
    let name = Head {
        mcp_name: Some("greet".to_owned()),
        ..post()
    };
    for (head, header) in [(method, "mcp-method"), (name, "mcp-name")] {
        let fault = read_batch(&head, &body).unwrap_err();
        assert_eq!(fault.kind, MessageFaultKind::HeaderMismatch(header));
    }
    let meta = r#"[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}]"#;
    let fault = read_batch(&post(), meta).unwrap_err();
    assert_eq!(
        fault.kind,
        MessageFaultKind::HeaderMismatch("mcp-protocol-version")
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in "[\\[\\]{},: \"a1]{0,40}") {
        drop(read_batch(&post(), &bytes));
    }

    #[test]
    fn a_batch_asks_for_what_its_members_ask_for(
        tools in proptest::collection::vec("[a-z]{1,6}", 1..20),
    ) {
        let members: Vec<_> = tools
            .iter()
            .enumerate()
            .map(|(id, tool)| call(&id.to_string(), tool))
            .collect();
        let together = batch(&members.iter().map(String::as_str).collect::<Vec<_>>());
        let Operations { first, rest } = read_batch(&post(), &together).unwrap().operations;
        let together: Vec<_> = std::iter::once(first).chain(rest).collect();
        let alone: Vec<_> = members
            .iter()
            .map(|member| read_batch(&post(), member).unwrap().operations.first)
            .collect();
        prop_assert_eq!(together, alone);
    }
}
