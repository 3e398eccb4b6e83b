//! What whoever is refused is told: in the body, in the JSON-RPC error, in the challenge, the same over
//! gRPC and over HTTP.

#![expect(
    clippy::expect_used,
    reason = "a sidecar that does not answer fails the test"
)]

mod support;

use std::fs;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::ask::Verdict;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA: &str =
    "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

const POLICIES: &str = r#"
@id("pay") permit (principal in Mcp::Role::"hr", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/pay")
when { principal in Mcp::Role::"finance" };
@id("export") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/export")
when { principal.scopes.containsAll(["docs:read", "docs:write"]) };
@id("mixed") permit (principal in Mcp::Role::"hr", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/mixed")
when { principal.scopes.contains("pay") };
@id("app") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/app")
when { ["desk", "phone"].contains(principal.clientId) };
@id("refund") permit (principal in Mcp::Role::"hr", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/refund")
when { context.args.hasTag("city") && context.args.getTag("city") has string && context.args.getTag("city").string == "Bergen" };
@id("listen") permit (principal, action == Mcp::Action::"subscriptions/listen", resource)
unless { principal is Mcp::Anonymous };
@id("sub-a") permit (principal, action == Mcp::Action::"resources/subscribe", resource == Mcp::Resource::"weather/file:///a")
when { principal.scopes.contains("a:read") };
@id("sub-b") permit (principal, action == Mcp::Action::"resources/subscribe", resource == Mcp::Resource::"weather/file:///b")
when { principal.scopes.contains("b:read") };
@id("open-pay") permit (principal in Mcp::Role::"hr", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"open/pay");
@id("sub-c") permit (principal in Mcp::Role::"hr", action == Mcp::Action::"resources/subscribe", resource == Mcp::Resource::"weather/file:///c");
"#;

/// The tools of these policies destroy nothing.
const TOOLS: &str = r#"{"tools": [
    {"server": "weather", "name": "pay", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "export", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "mixed", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "app", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "refund", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "set_alert", "annotations": {"destructiveHint": false}},
    {"server": "open", "name": "pay", "annotations": {"destructiveHint": false}},
    {"server": "open", "name": "set_alert", "annotations": {"destructiveHint": false}}
]}"#;

struct World {
    key: Key,
    asker: Asker,
    _sidecar: Sidecar,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}\
             - {{name: keys, type: api_key, header: x-api-key, keys: [{{id: app, secret: {SECRET}}}]}}\n\
             - {{name: shared, type: static_token, token: \"{SECRET}\", subject: operator}}\n\
             - {{name: mesh, type: mtls, trust_domains: [example.org]}}\n\
             - {{name: strangers, type: anonymous}}\n\
             resources:\n\
             - {{name: weather, url: \"{RESOURCE}\", kind: mcp, authenticators: [corp, keys]}}\n\
             - {{name: open, url: \"https://open.example/mcp\", kind: mcp, authenticators: [corp, strangers]}}\n\
             - {{name: only-open, url: \"https://only.example/mcp\", kind: mcp, authenticators: [strangers]}}\n\
             - {{name: keyed, url: \"https://keyed.example/mcp\", kind: mcp, authenticators: [keys], \
                metadata: {{scopes_supported: [x]}}}}\n\
             - {{name: fixed, url: \"https://fixed.example/mcp\", kind: mcp, authenticators: [keys, shared]}}\n\
             - {{name: meshed, url: \"https://meshed.example/mcp\", kind: mcp, authenticators: [mesh]}}\n\
             policies: {{allow_warnings: [unknown-role, unknown-scope, unknown-tool]}}\n",
            key.authenticator()
        );
        let files = [("50-denials.cedar", POLICIES), ("tools.json", TOOLS)];
        let sidecar = Sidecar::start_with(&config, &files);
        World {
            key,
            asker: sidecar.asker(),
            _sidecar: sidecar,
        }
    })
}

impl World {
    fn bearer(&self, ask: Ask, claims: &Value) -> Ask {
        ask.bearer(&self.key.token(RESOURCE, claims))
    }

    /// What both dialects say, and that they say the same.
    fn ask(&self, ask: &Ask) -> Verdict {
        let (grpc, http) = (self.asker.both(ask), self.asker.http(ask));
        let lines = |verdict: &Verdict| {
            let lines = verdict.headers.iter();
            let lines = lines.filter(|(name, _)| name == "www-authenticate");
            lines.cloned().collect::<Vec<_>>()
        };
        assert_eq!(lines(&grpc), lines(&http));
        let first = |verdict: &Verdict| verdict.headers.first().map(|(name, _)| name.clone());
        if !lines(&grpc).is_empty() {
            assert_eq!(first(&grpc).as_deref(), Some("www-authenticate"));
            assert_eq!(first(&http).as_deref(), Some("www-authenticate"));
        }
        let facts = |verdict: &Verdict| {
            let mut facts = facts(&verdict.body);
            let members = facts.as_object_mut().expect("an object");
            members.remove("decision_id").expect("in every body");
            facts
        };
        assert_eq!(facts(&grpc), facts(&http));
        grpc
    }
}

fn facts(body: &str) -> Value {
    let json: Value = serde_json::from_str(body).expect("JSON");
    json.pointer("/error/data").cloned().unwrap_or(json)
}

/// A stream of the changes of these resources.
fn listen(files: &[&str]) -> Ask {
    let uris: Vec<String> = files.iter().map(|file| format!("file:///{file}")).collect();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let body = json!({"jsonrpc": "2.0", "id": "l-1", "method": "subscriptions/listen",
        "params": {"notifications": {"resourceSubscriptions": uris}, "_meta": meta}});
    Ask::post(body.to_string())
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "subscriptions/listen")
}

/// Who asks for what, the reason, what is said, and the scopes that are asked for.
type Row = (
    &'static str,
    Value,
    &'static str,
    &'static str,
    &'static [&'static str],
);

fn rows() -> Vec<Row> {
    vec![
        (
            "set_alert",
            json!({"roles": ["viewer"]}),
            "insufficient_scope",
            "requires any of roles [admin, editor], but client has [viewer]; or requires any of \
             scopes [weather:write], but token has []",
            &["weather:write"],
        ),
        (
            "pay",
            json!({"roles": ["hr"]}),
            "not_permitted",
            "requires any of roles [admin], but client has [hr]; or requires all of roles \
             [finance, hr], but client has [hr], missing [finance]",
            &[],
        ),
        (
            "export",
            json!({"scope": "docs:read x"}),
            "insufficient_scope",
            "requires any of roles [admin], but client has []; or requires all of scopes \
             [docs:read, docs:write], but token has [docs:read, x], missing [docs:write]",
            &["docs:read", "docs:write"],
        ),
        (
            "mixed",
            json!({"scope": "pay"}),
            "not_permitted",
            "requires any of roles [admin], but client has []; or requires all of [role hr, scope \
             pay], but client has [scope pay], missing [role hr]",
            &[],
        ),
        (
            "app",
            json!({}),
            "not_permitted",
            "requires any of roles [admin], but client has []; or requires any of clients [desk, \
             phone], but client is [app]",
            &[],
        ),
        (
            "refund",
            json!({"roles": ["hr"]}),
            "not_permitted",
            "requires any of roles [admin], but client has [hr]",
            &[],
        ),
    ]
}

#[test]
fn a_refusal_says_what_would_help_in_every_form() {
    let world = world();
    for (tool, claims, reason, message, scopes) in rows() {
        let verdict = world.ask(&world.bearer(Ask::call(tool), &claims));
        assert_eq!(verdict.reason, reason, "{tool}: {}", verdict.body);
        assert_eq!(verdict.status, 403, "{tool}");
        let body: Value = serde_json::from_str(&verdict.body).expect("JSON");
        assert_eq!(body["jsonrpc"], "2.0");
        assert_eq!(body["id"], 2, "that of the call");
        assert_eq!(body["error"]["code"], 40300);
        assert_eq!(body["error"]["message"], message, "{tool}");
        let data = &body["error"]["data"];
        assert_eq!(data["error"], reason);
        assert_eq!(data["message"], message, "{tool}");
        assert_eq!(data["required_scopes"], json!(scopes), "{tool}");
        let challenge = if scopes.is_empty() {
            String::new()
        } else {
            let scope = scopes.join(" ");
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\", {METADATA}")
        };
        assert_eq!(verdict.header("www-authenticate"), challenge, "{tool}");
    }
}

#[test]
fn a_request_of_several_operations_asks_once_for_all_that_it_needs() {
    let world = world();
    for (has, files, scopes) in [
        ("", &["a", "b"][..], &["a:read", "b:read"][..]),
        ("a:read", &["a", "b"], &["a:read", "b:read"]),
        ("", &["b"], &["b:read"]),
        ("a:read", &["a", "c"], &[]),
        ("", &["a", "b", "unheard-of"], &[]),
    ] {
        let ask = world.bearer(listen(files), &json!({"scope": has}));
        let verdict = world.ask(&ask);
        let facts = facts(&verdict.body);
        let reason = if scopes.is_empty() {
            "not_permitted"
        } else {
            "insufficient_scope"
        };
        assert_eq!(verdict.reason, reason, "{has} {files:?}: {}", verdict.body);
        assert_eq!(facts["required_scopes"], json!(scopes), "{has} {files:?}");
        let named = format!("scope=\"{}\"", scopes.join(" "));
        let challenge = verdict.header("www-authenticate");
        assert_eq!(
            challenge.contains(&named),
            !scopes.is_empty(),
            "{challenge}"
        );
        let enough = world.bearer(listen(files), &json!({"scope": scopes.join(" ")}));
        let allowed = world.asker.grpc(&enough).reason == "allowed";
        assert_eq!(allowed, !scopes.is_empty(), "{files:?}");
        let stranger = world.ask(&listen(files));
        let invited = stranger.header("www-authenticate").to_owned();
        let expected = if scopes.is_empty() {
            format!("Bearer {METADATA}")
        } else {
            format!("Bearer {METADATA}, {named}")
        };
        assert_eq!(invited, expected, "a stranger, {files:?}");
    }
    let both = world.bearer(listen(&["a", "b"]), &json!({"scope": ""}));
    let message = facts(&world.ask(&both).body)["message"].clone();
    assert_eq!(
        message,
        "2 of 3 operations are denied; the first: requires any of scopes [a:read], but token has \
         []; all of them need the scopes [a:read, b:read]"
    );
}

#[test]
fn strangers_are_told_no_roles() {
    let world = world();
    let ask = |tool: &str| Ask::call(tool).at("open.example", "/mcp");
    for tool in ["pay", "set_alert"] {
        let verdict = world.ask(&ask(tool));
        assert_eq!(verdict.reason, "missing_credential", "{}", verdict.body);
        for name in ["admin", "finance", "hr", "desk", "role"] {
            assert!(!verdict.body.contains(name), "{name}: {}", verdict.body);
        }
    }
    let forbidden = facts(&world.ask(&ask("unheard-of")).body)["message"].clone();
    let reason = "forbidden: Only an admin may call a tool that destroys something.";
    assert_eq!(
        forbidden, reason,
        "what is written for callers, and no policy's name"
    );
}

#[test]
fn without_an_issuer_nobody_is_sent_for_tokens_or_scopes() {
    let world = world();
    let metadata = |host: &str| {
        format!("resource_metadata=\"https://{host}/.well-known/oauth-protected-resource/mcp\"")
    };
    let key = |realm: &str| format!(", ApiKey realm=\"{realm}\", header=\"x-api-key\"");
    for (host, others) in [
        ("keyed.example", key("keyed")),
        ("fixed.example", key("fixed")),
        (
            "meshed.example",
            ", ClientCertificate realm=\"meshed\"".to_owned(),
        ),
        ("only.example", String::new()),
    ] {
        let verdict = world.ask(&Ask::call("set_alert").at(host, "/mcp"));
        assert_eq!(verdict.reason, "missing_credential");
        assert_eq!(verdict.status, 401);
        let lines: Vec<_> = verdict
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate")
            .map(|(_, value)| value.clone())
            .collect();
        assert_eq!(lines, [format!("Bearer {}{others}", metadata(host))]);
        assert_eq!(facts(&verdict.body)["required_scopes"], json!([]), "{host}");
    }
    let bad = Ask::call("set_alert")
        .at("keyed.example", "/mcp")
        .header("x-api-key", "no such key");
    let verdict = world.ask(&bad);
    assert_eq!(verdict.status, 401);
    let line = verdict.header("www-authenticate");
    assert!(
        line.starts_with("Bearer error=\"invalid_token\", "),
        "{line}"
    );
    assert!(line.ends_with(&key("keyed")), "{line}");
    let holder = Ask::call("set_alert").header("x-api-key", SECRET);
    let verdict = world.ask(&holder);
    assert_eq!((&*verdict.reason, verdict.status), ("not_permitted", 403));
    assert_eq!(verdict.header("www-authenticate"), "");
}

#[test]
fn a_remembered_challenge_is_gone_with_its_policies() {
    let key = Key::new();
    let config = format!(
        "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies, reload_interval: 200ms, allow_warnings: [unknown-tool]}}\n",
        key.authenticator()
    );
    let policy = |scope: &str| {
        format!(
            "@id(\"x\") permit (principal, action == Mcp::Action::\"tools/call\", \
             resource == Mcp::Tool::\"weather/x\") when {{ principal.scopes.contains(\"{scope}\") }};"
        )
    };
    let tools = r#"{"tools": [{"server": "weather", "name": "x", "annotations": {"destructiveHint": false}}]}"#;
    let files = [("50-x.cedar", &*policy("one")), ("tools.json", tools)];
    let sidecar = Sidecar::start_with(&config, &files);
    let asker = sidecar.asker();
    let scopes = || {
        let verdict = asker.both(&Ask::call("x"));
        let line = verdict.header("www-authenticate");
        line.rsplit_once("scope=")
            .map(|(_, scope)| scope.to_owned())
    };
    for _ in 0..3 {
        assert_eq!(scopes().as_deref(), Some("\"one\""));
    }
    let before = sidecar.status()["policies"]["generation"].clone();
    fs::write(sidecar.policies().join("50-x.cedar"), policy("two")).expect("it can be written");
    let reloaded = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        sidecar.status()["policies"]["generation"] != before
    });
    assert!(reloaded, "{}", sidecar.status());
    assert_eq!(scopes().as_deref(), Some("\"two\""), "at once");
}
