//! Headers against bodies, versions, media types and methods.

use super::*;

const MODERN_CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"danger","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
const LEGACY_CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"danger"}}"#;

fn outcome(head: &Head, body: &str) -> &'static str {
    match read_with(head, body.as_bytes()).map_err(|fault| fault.kind) {
        Ok(_) => "ok",
        Err(MessageFaultKind::Malformed(_)) => "malformed",
        Err(MessageFaultKind::HeaderMismatch(header)) => header,
        Err(MessageFaultKind::UnsupportedVersion { .. }) => "unsupported",
        Err(MessageFaultKind::Undescribed(_)) => "undescribed",
        Err(MessageFaultKind::MethodNotAllowed) => "not allowed",
    }
}

const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Version, method and name in headers, the body, and what becomes of the request.
const MIRRORED: &[(&str, &str, &str, &str, &str)] = &[
    ("2026-07-28", "tools/call", "danger", MODERN_CALL, "ok"),
    ("2026-07-28", "tools/call", "greet", MODERN_CALL, NAME),
    ("2026-07-28", "tools/call", "DANGER", MODERN_CALL, NAME),
    ("2026-07-28", "tools/list", "danger", MODERN_CALL, METHOD),
    ("2026-07-28", "TOOLS/CALL", "danger", MODERN_CALL, METHOD),
    ("2026-07-28", "", "danger", MODERN_CALL, METHOD),
    ("2026-07-28", "tools/call", "", MODERN_CALL, NAME),
    (
        "2026-07-28",
        "tools/call",
        "danger",
        LEGACY_CALL,
        "malformed",
    ),
    ("", "tools/call", "danger", MODERN_CALL, VERSION),
    ("2025-11-25", "tools/call", "danger", MODERN_CALL, VERSION),
    ("", "", "", MODERN_CALL, VERSION),
    ("", "", "", LEGACY_CALL, "ok"),
    ("", "", "danger", LEGACY_CALL, "ok"),
    ("", "", "greet", LEGACY_CALL, NAME),
    ("2025-06-18", "", "greet", LEGACY_CALL, NAME),
    ("2025-11-25", "", "greet", LEGACY_CALL, NAME),
    ("2025-11-25", "ping", "", LEGACY_CALL, METHOD),
    ("2025-11-25", "tools/call", "danger", LEGACY_CALL, "ok"),
    ("2025-03-26", "", "", LEGACY_CALL, "ok"),
    ("2024-11-05", "", "", LEGACY_CALL, "unsupported"),
    (
        "2026-07-29",
        "tools/call",
        "danger",
        MODERN_CALL,
        "unsupported",
    ),
    (
        "2026-07-28 ",
        "tools/call",
        "danger",
        MODERN_CALL,
        "unsupported",
    ),
    (
        "2026-07-28",
        "tools/call",
        "=?base64?ZGFuZ2Vy?=",
        MODERN_CALL,
        "ok",
    ),
    (
        "2026-07-28",
        "tools/call",
        "=?base64?Z3JlZXQ=?=",
        MODERN_CALL,
        NAME,
    ),
    (
        "2026-07-28",
        "tools/call",
        "=?BASE64?ZGFuZ2Vy?=",
        MODERN_CALL,
        NAME,
    ),
    (
        "2026-07-28",
        "tools/call",
        "=?base64?ZGFuZ2Vy",
        MODERN_CALL,
        NAME,
    ),
    (
        "2026-07-28",
        "tools/call",
        "=?base64?ZGFu Z2Vy?=",
        MODERN_CALL,
        NAME,
    ),
    (
        "2026-07-28",
        "=?base64?dG9vbHMvY2FsbA==?=",
        "danger",
        MODERN_CALL,
        METHOD,
    ),
];

#[test]
fn headers_say_what_the_body_says() {
    for (version, method, name, body, expected) in MIRRORED {
        let found = outcome(&head(version, method, name), body);
        assert_eq!(found, *expected, "{version} {method} {name} {body}");
    }
}

#[test]
fn a_modern_request_states_its_version_and_what_the_client_can_do() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let can = r#""io.modelcontextprotocol/clientCapabilities""#;
    for (meta, expected) in [
        (format!("{version},{can}:{{}}"), "ok"),
        (format!(r#"{version},{can}:{{"tasks":{{}}}}"#), "ok"),
        (version.to_owned(), "malformed"),
        (format!("{version},{can}:null"), "malformed"),
        (format!("{version},{can}:[]"), "malformed"),
        (format!("{can}:{{}}"), "malformed"),
        (String::new(), "malformed"),
        (
            format!("{can}:{{}},{}", version.replace("2026-07-28", "2025-11-25")),
            VERSION,
        ),
        (
            format!(
                "{can}:{{}},{}",
                version.replace(r#""2026-07-28""#, "20260728")
            ),
            "malformed",
        ),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{{meta}}}}}}}"#
        );
        let modern = head("2026-07-28", "tools/list", "");
        assert_eq!(outcome(&modern, &body), expected, "{meta}");
    }
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    assert_eq!(
        outcome(&head("2026-07-28", "", ""), note),
        "ok",
        "a request only"
    );
}

#[test]
fn a_session_id_is_visible_ascii_of_moderate_length() {
    let with = |id: &str| {
        let session = Some(id.to_owned());
        let head = Head { session, ..post() };
        let post = outcome(&head, LEGACY_CALL);
        let get = Head {
            method: "GET".to_owned(),
            ..head
        };
        let get = read(&get, &Body::Absent, &McpRules::default(), &"weather".into());
        assert_eq!(get.is_ok(), post == "ok", "{id}");
        post
    };
    let longest = "s".repeat(2048);
    for good in ["s", "1868a90c-5f7a", "!~", "eyJ.a.b", &longest] {
        assert_eq!(with(good), "ok", "{good}");
    }
    for bad in [
        "",
        "a b",
        " ",
        "a\tb",
        "a\u{e9}",
        "a\u{7f}",
        &(longest.clone() + "s"),
    ] {
        assert_eq!(with(bad), "malformed", "{bad:?}");
    }
}

#[test]
fn only_the_canonical_base64_is_decoded() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"gree"}}"#;
    for (value, expected) in [
        ("=?base64?Z3JlZQ==?=", "ok"),
        ("=?base64?Z3JlZR==?=", NAME),
        ("=?base64?Z3JlZQ=?=", NAME),
        ("=?base64?Z3JlZQ?=", NAME),
        ("=?base64?Z3Jl-Q==?=", NAME),
    ] {
        assert_eq!(outcome(&head("", "", value), body), expected, "{value}");
    }
}

#[test]
fn every_kind_of_target_is_mirrored() {
    for (method, params, name, expected) in [
        ("resources/read", r#""uri":"u://x""#, "u://x", "ok"),
        ("resources/read", r#""uri":"u://x""#, "u://y", NAME),
        ("prompts/get", r#""name":"p""#, "p", "ok"),
        ("prompts/get", r#""name":"p""#, "", NAME),
        ("tasks/get", r#""taskId":"t""#, "t", "ok"),
        ("tasks/cancel", r#""taskId":"t""#, "", NAME),
        ("tools/list", r#""cursor":"c""#, "", "ok"),
        ("tools/list", r#""cursor":"c""#, "c", NAME),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"p"}"#,
            "",
            "ok",
        ),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"p"}"#,
            "q",
            NAME,
        ),
        ("zzz", r#""name":"p""#, "", "ok"),
    ] {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params},{meta}}}}}"#
        );
        let found = outcome(&head("2026-07-28", method, name), &body);
        assert_eq!(found, expected, "{method} {name}");
    }
}

#[test]
fn notifications_and_responses_are_checked_too() {
    let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for (version, method, name, body, expected) in [
        ("2026-07-28", "", "", note, "ok"),
        ("2026-07-28", "notifications/cancelled", "", note, "ok"),
        ("2026-07-28", "tools/call", "", note, METHOD),
        ("", "", "x", note, NAME),
        ("2025-11-25", "", "", answer, "ok"),
        ("2025-11-25", "tools/call", "", answer, METHOD),
        ("2025-11-25", "", "x", answer, NAME),
        ("2026-07-28", "", "", answer, "malformed"),
    ] {
        let found = outcome(&head(version, method, name), body);
        assert_eq!(found, expected, "{version} {method} {name} {body}");
    }
}

#[test]
fn the_configuration_narrows_the_versions() {
    let init = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2099-01-01"}}"#;
    let read = |versions: &[&str], version: &str, body: &str| {
        let rules = McpRules {
            versions: versions.iter().map(|it| (*it).to_owned()).collect(),
            ..McpRules::default()
        };
        let head = head(version, "", "");
        read(&head, &complete(body.as_bytes()), &rules, &"w".into()).map_err(|fault| fault.kind)
    };
    assert!(read(&[], "", init).is_ok(), "the version is negotiated");
    assert!(read(&["2025-11-25"], "", init).is_ok());
    assert!(read(&["2025-11-25"], "2025-11-25", LEGACY_CALL).is_ok());
    for (versions, version, body, requested) in [
        (&["2025-11-25"][..], "2025-06-18", LEGACY_CALL, "2025-06-18"),
        (&["2025-11-25"], "", LEGACY_CALL, "2025-03-26"),
        (&["2026-07-28"], "", init, "2025-03-26"),
        (&["2026-07-28"], "2025-11-25", init, "2025-11-25"),
    ] {
        let expected = MessageFaultKind::UnsupportedVersion {
            requested: requested.to_owned(),
            supported: versions.iter().map(|it| (*it).to_owned()).collect(),
        };
        assert_eq!(read(versions, version, body), Err(expected), "{version}");
    }
    let long = read(&[], &"v".repeat(500), LEGACY_CALL).unwrap_err();
    let MessageFaultKind::UnsupportedVersion { requested, .. } = long else {
        panic!("{long}");
    };
    assert_eq!(requested.len(), 64);
}

#[test]
fn only_plain_json_in_one_piece_is_read() {
    let with = |content_type: Option<&str>, encoding: Option<&str>| {
        let head = Head {
            content_type: content_type.map(str::to_owned),
            content_encoding: encoding.map(str::to_owned),
            ..post()
        };
        outcome(&head, LEGACY_CALL)
    };
    let json = Some("application/json");
    assert_eq!(with(json, None), "ok");
    assert_eq!(with(json, Some("Identity")), "ok");
    assert_eq!(with(Some("application/json; charset=utf-8"), None), "ok");
    for bad in [
        None,
        Some("text/plain"),
        Some("application/json; charset=utf-7"),
    ] {
        assert_eq!(with(bad, None), "malformed", "{bad:?}");
    }
    for bad in [
        "gzip",
        "deflate",
        "br",
        "identity,gzip",
        "identity,identity",
        "",
    ] {
        assert_eq!(with(json, Some(bad)), "malformed", "{bad}");
    }
    for body in [Body::Absent, Body::Partial, Body::Oversized] {
        let result = read(&post(), &body, &McpRules::default(), &"w".into());
        assert!(is_malformed(&result), "{body:?}");
    }
}

#[test]
fn other_methods_have_their_own_rules() {
    let read = |method: &str, head: Head, body: &Body| {
        let head = Head {
            method: method.to_owned(),
            content_type: None,
            ..head
        };
        read(&head, body, &McpRules::default(), &"weather".into())
    };
    for (method, action) in [("GET", "session/stream"), ("DELETE", "session/delete")] {
        let message = read(method, post(), &Body::Absent).unwrap();
        assert_eq!(decided(&message), [(action, String::new())]);
        assert!(is_malformed(&read(method, post(), &complete(b"{}"))));
        assert!(is_malformed(&read(method, post(), &Body::Partial)));
        for spoofed in [head("", "tools/call", ""), head("", "", "x")] {
            let fault = read(method, spoofed, &Body::Absent).unwrap_err();
            assert!(matches!(fault.kind, MessageFaultKind::HeaderMismatch(_)));
        }
        let fault = read(method, head("1", "", ""), &Body::Absent).unwrap_err();
        assert!(matches!(
            fault.kind,
            MessageFaultKind::UnsupportedVersion { .. }
        ));
    }
    for method in ["OPTIONS", "HEAD", "PUT", "PATCH", "TRACE", "post"] {
        let fault = read(method, post(), &Body::Absent).unwrap_err();
        assert_eq!(fault.kind, MessageFaultKind::MethodNotAllowed, "{method}");
    }
}

#[test]
fn a_method_that_the_stated_revision_lacks_is_unknown_unless_it_names_something() {
    let asked = |version: &str, method: &str, named: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{named}"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let read = read_with(&head(version, method, ""), body.as_bytes());
        read.ok().map(|message| decided(&message))
    };
    let unknown = Some(vec![("unknown", String::new())]);
    for (version, method) in [
        ("2026-07-28", "resources/subscribe"),
        ("2026-07-28", "resources/unsubscribe"),
        ("2026-07-28", "tasks/result"),
    ] {
        assert_eq!(asked(version, method, ""), unknown, "{method}");
        let misshapen = r#""uri":7,"taskId":"","#;
        assert_eq!(asked(version, method, misshapen), None, "{method}");
    }
    assert_eq!(asked("2025-11-25", "resources/subscribe", ""), None);
    assert_eq!(
        asked("2026-07-28", "resources/subscribe", r#""uri":"u","#),
        Some(vec![("resources/subscribe", "resource u".to_owned())])
    );
}
