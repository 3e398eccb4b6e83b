//! Batches, messages that headers alone tell, and the answers that clients of each revision know.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a broken scene fails the test, and the message says why"
)]

mod support;

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::ask::Verdict;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// Policies that look at arguments, so that it is seen what they are taken for.
const POLICIES: &str = r#"
@id("safe-tools")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource)
when { ["calm", "careful"].contains(resource.name) };
@id("quiet-unless-loud")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource)
when { resource.name == "quiet" } unless { context.args.hasTag("loud") };
@id("careful-never-north")
forbid (principal, action == Mcp::Action::"tools/call", resource)
when { resource.name == "careful" && context.args.hasTag("north") };
"#;

struct World {
    token: String,
    sidecar: Sidecar,
    asker: Asker,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let resource = |name: &str, rules: &str| {
            format!(
                "- {{name: {name}, url: \"https://mcp.example.com/{name}\", kind: mcp, \
                 audiences: [\"{RESOURCE}\"], mcp: {{{rules}}}}}\n"
            )
        };
        let config = format!(
            "authenticators:\n{}resources:\n{}{}{}{}limits: {{deadline: 2s}}\n",
            key.authenticator(),
            resource("weather", ""),
            resource("batches", "batches: each"),
            resource("headers", "message_from: insecure_headers"),
            resource("narrow", "versions: ['2025-06-18', '2025-11-25']"),
        );
        let sidecar = Sidecar::launch_in(&config, |dir| {
            fs::write(dir.join("50-more.cedar"), POLICIES).expect("a policy file can be written");
            fs::remove_file(dir.join("90-forbid.cedar")).expect("a starter policy");
        });
        let sidecar = sidecar.until_ready();
        World {
            token: key.token(RESOURCE, &json!({})),
            asker: sidecar.asker(),
            sidecar,
        }
    })
}

impl World {
    fn ask(&self, resource: &str, body: impl AsRef<[u8]>) -> Ask {
        let path = format!("/{resource}");
        Ask::post(body)
            .at("mcp.example.com", &path)
            .bearer(&self.token)
    }

    fn both(&self, resource: &str, body: impl AsRef<[u8]>) -> Verdict {
        self.asker.both(&self.ask(resource, body))
    }
}

fn call(id: u32, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

fn batch(members: &[String]) -> String {
    format!("[{}]", members.join(","))
}

fn body(verdict: &Verdict) -> Value {
    serde_json::from_str(&verdict.body).expect("a refusal has a JSON body")
}

#[test]
fn every_member_of_a_batch_must_be_allowed_with_its_own_arguments() {
    let world = world();
    let (calm, danger) = (call(1, "calm", "{}"), call(2, "danger", "{}"));
    for (members, expected) in [
        (vec![calm.clone()], "allowed"),
        (vec![calm.clone(), call(2, "quiet", "{}")], "allowed"),
        (
            vec![calm.clone(), call(2, "quiet", r#"{"loud":1}"#)],
            "not_permitted",
        ),
        (
            vec![call(2, "quiet", r#"{"loud":1}"#), calm.clone()],
            "not_permitted",
        ),
        (
            vec![call(3, "quiet", "{}"), call(2, "careful", r#"{"loud":1}"#)],
            "allowed",
        ),
        (
            vec![calm.clone(), call(2, "careful", r#"{"north":1}"#)],
            "not_permitted",
        ),
        (vec![calm.clone(), danger.clone()], "not_permitted"),
        (vec![danger.clone(), calm.clone()], "not_permitted"),
        (vec![calm.clone(), calm.clone()], "malformed_request"),
        (vec![], "malformed_request"),
    ] {
        let text = batch(&members);
        let verdict = world.both("batches", &text);
        assert_eq!(verdict.reason, expected, "{text}");
        if expected != "allowed" {
            assert_eq!(
                body(&verdict)["error"],
                expected,
                "no id is the batch's own: {text}"
            );
        }
        assert_eq!(
            world.both("weather", &text).reason,
            "malformed_request",
            "{text}"
        );
    }
    assert_eq!(
        world.both("batches", &calm).reason,
        "allowed",
        "one message is still one"
    );
    for (version, expected) in [
        ("2025-03-26", "allowed"),
        ("2025-06-18", "malformed_request"),
        ("2025-11-25", "malformed_request"),
        ("2026-07-28", "malformed_request"),
    ] {
        let ask = world.ask("batches", batch(std::slice::from_ref(&calm)));
        let verdict = world
            .asker
            .both(&ask.header("mcp-protocol-version", version));
        assert_eq!(verdict.reason, expected, "{version}");
    }
}

#[test]
fn headers_decide_only_what_the_server_compares_with_the_body() {
    let world = world();
    let ask = |version: &str, method: &str, name: &str| {
        let mut ask = world.ask("headers", "");
        for (header, value) in [
            ("mcp-protocol-version", version),
            ("mcp-method", method),
            ("mcp-name", name),
        ] {
            if !value.is_empty() {
                ask = ask.header(header, value);
            }
        }
        ask
    };
    let modern = "2026-07-28";
    for (version, method, name, expected) in [
        (modern, "tools/call", "calm", "allowed"),
        (modern, "tools/call", "=?base64?Y2FsbQ==?=", "allowed"),
        (modern, "tools/call", "danger", "not_permitted"),
        (modern, "tools/list", "", "allowed"),
        // Nobody knows the arguments: the permit has no effect, and the forbid denies.
        (modern, "tools/call", "quiet", "not_permitted"),
        (modern, "tools/call", "careful", "policy_error"),
        (modern, "tools/call", "", "header_mismatch"),
        (modern, "", "calm", "header_mismatch"),
        ("", "tools/call", "calm", "header_mismatch"),
        ("2025-11-25", "tools/call", "calm", "unsupported_version"),
        (modern, "completion/complete", "", "malformed_request"),
        (modern, "subscriptions/listen", "", "malformed_request"),
        (modern, "zzz", "", "not_permitted"),
    ] {
        let ask = ask(version, method, name);
        let found = world.asker.both(&ask);
        assert_eq!(
            found.reason, expected,
            "{version} {method} {name}: {}",
            found.body
        );
        let mut withheld = ask.clone();
        withheld.size = Some(120);
        assert_eq!(
            world.asker.grpc(&withheld).reason,
            expected,
            "a body elsewhere"
        );
    }
    for (header, value) in [
        ("mcp-protocol-version", modern),
        ("mcp-method", "tools/call"),
        ("mcp-name", "calm"),
    ] {
        let twice = ask(modern, "tools/call", "calm").header(header, value);
        assert_eq!(
            world.asker.both(&twice).reason,
            "malformed_request",
            "{header}"
        );
    }
    let lying = Ask {
        body: call(1, "danger", "{}").into_bytes(),
        ..ask(modern, "tools/call", "calm")
    };
    let reason = world.asker.both(&lying).reason;
    assert_ne!(reason, "allowed", "a body that is there is read");
    assert!(
        world
            .sidecar
            .printed()
            .contains("`message_from: insecure_headers`")
    );
}

#[test]
fn a_refusal_of_a_modern_request_is_an_error_that_its_client_knows() {
    let world = world();
    let modern = |resource: &str, body: &str| {
        world
            .ask(resource, body)
            .header("mcp-protocol-version", "2026-07-28")
    };
    for (ask, code) in [
        (modern("weather", "{"), -32602),
        (modern("weather", "[]"), -32602),
        (modern("weather", "").without("content-type"), -32602),
        (
            modern("weather", "{}").header("mcp-session-id", "a b"),
            -32602,
        ),
        (
            modern("weather", "{}").header("mcp-name", "a\u{e9}"),
            -32602,
        ),
        (
            modern("weather", "{}")
                .header("mcp-name", "a")
                .header("mcp-name", "b"),
            -32602,
        ),
        (modern("weather", "{}").bearer("second"), -32602),
        (
            modern("narrow", r#"{"jsonrpc":"2.0","method":"notifications/x"}"#),
            -32022,
        ),
        (modern("headers", ""), -32020),
    ] {
        let verdict = world.asker.both(&ask);
        assert_eq!(verdict.status, 400, "{ask:?}");
        let found = body(&verdict);
        assert_eq!(found["jsonrpc"], "2.0", "{ask:?} {found}");
        assert_eq!(found["id"], Value::Null, "{found}");
        assert_eq!(found["error"]["code"], code, "{found}");
    }
    let twice = modern("weather", "{}").header("mcp-protocol-version", "2026-07-28");
    assert_eq!(
        world.asker.both(&twice).reason,
        "malformed_request",
        "of no one version"
    );
    let legacy = world
        .ask("weather", "{")
        .header("mcp-protocol-version", "2025-11-25");
    let found = body(&world.asker.both(&legacy));
    assert_eq!(
        found["error"], "malformed_request",
        "without an id there is no JSON-RPC"
    );
}

#[test]
fn a_version_that_is_not_served_is_told_which_are() {
    let world = world();
    let ask = world.ask("narrow", call(7, "calm", "{}"));
    let verdict = world
        .asker
        .both(&ask.clone().header("mcp-protocol-version", "2099-01-01"));
    let found = body(&verdict);
    assert_eq!((verdict.status, &found["id"]), (400, &json!(7)));
    assert_eq!(found["error"]["code"], -32022);
    let data = &found["error"]["data"];
    assert_eq!(data["supported"], json!(["2025-06-18", "2025-11-25"]));
    assert_eq!(data["requested"], "2099-01-01");
    let served = ask.header("mcp-protocol-version", "2025-11-25");
    assert_eq!(world.asker.both(&served).reason, "allowed");
}

#[test]
fn a_modern_request_states_its_version_and_what_its_client_can_do() {
    let world = world();
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let can = r#""io.modelcontextprotocol/clientCapabilities":{}"#;
    for (meta, code) in [
        (format!("{version},{can}"), None),
        (version.to_owned(), Some(-32602)),
        (can.to_owned(), Some(-32602)),
        (String::new(), Some(-32602)),
    ] {
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"calm","_meta":{{{meta}}}}}}}"#
        );
        let ask = world.ask("weather", text);
        let ask = ask.header("mcp-protocol-version", "2026-07-28");
        let ask = ask
            .header("mcp-method", "tools/call")
            .header("mcp-name", "calm");
        let verdict = world.asker.both(&ask);
        let found = code.map(|_| body(&verdict)["error"]["code"].clone());
        assert_eq!(found, code.map(Value::from), "{meta}");
        assert_eq!(
            verdict.status,
            if code.is_some() { 400 } else { 200 },
            "{meta}"
        );
    }
}

#[test]
fn a_session_id_is_visible_ascii() {
    let world = world();
    for (id, expected) in [
        ("1868a90c-5f7a", "allowed"),
        ("a b", "malformed_request"),
        ("", "malformed_request"),
    ] {
        let ask = world.ask("weather", call(1, "calm", "{}"));
        let verdict = world.asker.both(&ask.header("mcp-session-id", id));
        assert_eq!(verdict.reason, expected, "{id:?}");
    }
    let long = "s".repeat(2_049);
    let ask = world.ask("weather", call(1, "calm", "{}"));
    let verdict = world.asker.both(&ask.header("mcp-session-id", long));
    assert_eq!(verdict.reason, "malformed_request");
}
