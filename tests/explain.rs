//! `/v1/explain`, `/v1/policies` and `cedargate check`: the same explanation, on the wire and offline.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::sync::OnceLock;
use std::thread;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::folder::Folder;
use support::folder::copy_policies;
use support::http::Request;
use support::http::Response;
use support::mcp;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const GUIDE: &str = include_str!("../docs/explain.md");
const ADMIN_TOKEN: &str = "an-admin-token-of-some-length";

/// What stands in the guide's block of a kind; there is one of each.
fn block(kind: &str) -> &'static str {
    let (_, rest) = GUIDE
        .split_once(&format!("```{kind}\n"))
        .expect("such a block");
    rest.split_once("```").expect("a block ends").0
}

/// The policy of the guide, and one that is not enforced.
fn more_policies() -> String {
    let trial = "@id(\"trial\") @mode(\"log_only\") @reason(\"Some day.\")\n\
                 forbid (principal, action, resource);\n";
    format!("{}{trial}", block("cedar"))
}

fn config(key: &Key, more: &str) -> String {
    format!(
        "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         decision_log: {{to: stdout, arguments: []}}\n{more}",
        key.authenticator()
    )
}

/// One sidecar for all that change nothing about it.
fn sidecar() -> &'static (Sidecar, Key) {
    static SIDECAR: OnceLock<(Sidecar, Key)> = OnceLock::new();
    SIDECAR.get_or_init(|| {
        let key = Key::new();
        let policies = [("30-more.cedar", &*more_policies())];
        (Sidecar::start_with(&config(&key, ""), &policies), key)
    })
}

fn explain(sidecar: &Sidecar, body: impl AsRef<[u8]>) -> Response {
    let request = Request::new("POST", "/v1/explain");
    let request = request.header("content-type", "application/json");
    request.body(body).send(sidecar.admin).expect("an answer")
}

fn explained(sidecar: &Sidecar, body: &Value) -> Value {
    let answer = explain(sidecar, body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|one| one["id"].as_str().expect("an id"))
        .collect()
}

#[test]
fn the_request_of_the_guide_is_explained_with_its_values() {
    let (sidecar, _) = sidecar();
    let answer = explain(sidecar, block("json"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    assert_eq!(said["decision"], "deny");
    assert_eq!(said["reason"], "insufficient_scope");
    assert_eq!(said["policy_generation"], 1);
    assert_eq!(
        said["policy_digest"],
        sidecar.status()["policies"]["digest"]
    );
    assert_eq!(said["context"]["client_ip"], "10.1.2.3");
    let operation = &said["operations"][0];
    assert_eq!(operation["complete"], true);
    let near = &operation["near_misses"][0];
    assert_eq!(near["id"], "small-alerts");
    assert_eq!(near["file"], "30-more.cedar");
    assert_eq!(near["line"], 1);
    let expected = json!([{
        "condition": "context.args.getTag(\"threshold\").long <= 5",
        "wanted": true,
        "found": "false",
        "values": [{"of": "context.args.getTag(\"threshold\").long", "is": "9"}],
        "must": "the argument `threshold` must be at most 5",
    }]);
    assert_eq!(near["conditions"], expected);
    let help = &operation["would_help"];
    assert_eq!(help["scopes_any"], json!(["weather:write"]));
    let circumstances = json!([{"policy": "small-alerts",
        "must": ["the argument `threshold` must be at most 5"],
        "tried": [{"of": "the argument `threshold`", "is": "5"}]}]);
    assert_eq!(help["circumstances"], circumstances);
    assert_eq!(ids(&operation["log_only"]), ["trial"]);
}

#[test]
fn check_prints_what_the_guide_shows_and_the_same_document() {
    let folder = Folder::new();
    copy_policies(&folder.path("policies"));
    folder.write("policies/30-more.cedar", block("cedar"));
    let key = Key::new();
    folder.write("cedargate.yaml", &config(&key, ""));
    let shown = block("console");
    let (command, shown) = shown.split_once('\n').expect("a command and its output");
    let arguments: Vec<&str> = command
        .trim_start_matches("$ cedargate ")
        .split(' ')
        .collect();
    let ran = folder.run(&arguments);
    assert_eq!((ran.code, &*ran.err), (5, ""));
    assert_eq!(ran.out, shown);
    let ran = folder.run(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!((ran.code, &*ran.err), (5, ""));
    let offline: Value = serde_json::from_str(&ran.out).expect("a JSON object");
    let served = Sidecar::start_with(&config(&key, ""), &[("30-more.cedar", block("cedar"))]);
    let asked = json!({"principal": {"subject": "alice", "roles": ["viewer"]},
        "tool": "weather/set_alert", "arguments": {"threshold": 9}});
    assert_eq!(explained(&served, &asked), offline);
}

#[test]
fn a_decision_record_is_explained_as_far_as_it_goes() {
    let (sidecar, key) = sidecar();
    let claims = json!({"sub": "carol", "roles": ["viewer"]});
    let token = key.token(RESOURCE, &claims);
    let call = mcp::call("set_alert", r#"{"threshold":9}"#);
    let denied = sidecar.asker().both(&Ask::post(call).bearer(&token));
    assert_eq!(denied.reason, "insufficient_scope");
    let record = sidecar.record(|record| record["principal"]["subject"] == "carol");
    let said = explained(sidecar, &record);
    // Arguments are not recorded, and one policy reads them.
    assert_eq!(said["decision"], "unclear", "{said}");
    assert_eq!(said["missing"], json!(["argument `threshold`"]));
    assert_eq!(said["principal"]["roles"], json!(["viewer"]));
    let operation = &said["operations"][0];
    assert_eq!(ids(&operation["unclear"]), ["small-alerts"]);
    assert_eq!(
        operation["unclear"][0]["missing"],
        json!(["argument `threshold`"])
    );
    let forecast = sidecar
        .asker()
        .both(&Ask::call("get_forecast").bearer(&token));
    assert_eq!(forecast.reason, "allowed");
    let record = sidecar.record(|record| {
        record["principal"]["subject"] == "carol" && record["reason"] == "allowed"
    });
    let said = explained(sidecar, &record);
    assert_eq!(
        (&said["decision"], &said["reason"]),
        (&json!("allow"), &json!("allowed"))
    );
    assert_eq!(said["policies"], record["policies"]);
    assert!(!said.to_string().contains(&token));
    for (member, value, fault) in [
        (
            "reason",
            json!("invalid_credential"),
            "policies had no part",
        ),
        ("principal", Value::Null, "does not say who asked"),
        (
            "target",
            json!("Mcp::Tool::\"gone/x\""),
            "no resource `gone`",
        ),
        ("timestamp", json!("soon"), "`timestamp` is not a time"),
    ] {
        let mut record = record.clone();
        record[member] = value;
        if member == "reason" {
            record["decision"] = json!("deny");
        }
        let answer = explain(sidecar, record.to_string());
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(fault), "{}", answer.text());
    }
}

#[test]
fn what_is_not_a_request_is_refused_with_every_fault() {
    let (sidecar, _) = sidecar();
    let wrong =
        r#"{"tol": "weather/x", "principal": {"rols": [], "type": 1}, "context": {"now": 5}}"#;
    let answer = explain(sidecar, wrong);
    assert_eq!(answer.status, 400);
    let faults = answer.json()["faults"].as_array().expect("faults").len();
    assert_eq!(faults, 4, "{}", answer.text());
    for (body, fault) in [
        (
            r#"{"tool": "wether/x"}"#,
            "no resource of the configuration is named `wether`",
        ),
        (
            r#"{"tool": "weather/x", "tool": "weather/y"}"#,
            "an object repeats a member",
        ),
        (
            r#"{"tool": "weather/x", "token": "eyJ"}"#,
            "unknown field `token`",
        ),
        ("[]", "not a JSON object"),
        ("", "faults"),
    ] {
        let answer = explain(sidecar, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(fault), "{body}: {}", answer.text());
    }
    let large = format!("{{\"tool\": \"weather/{}\"}}", "x".repeat(65_536));
    assert_eq!(explain(sidecar, large).status, 413);
    let plain = Request::new("POST", "/v1/explain").body("{}");
    let other = plain.clone().header("content-type", "text/plain");
    assert_eq!(plain.send(sidecar.admin).expect("an answer").status, 415);
    assert_eq!(other.send(sidecar.admin).expect("an answer").status, 415);
    for (path, method, allow) in [
        ("/v1/explain", "GET", "POST"),
        ("/v1/explain", "DELETE", "POST"),
        ("/v1/policies", "POST", "GET, HEAD"),
    ] {
        let request = Request::new(method, path).header("content-type", "application/json");
        let answer = request.send(sidecar.admin).expect("an answer");
        assert_eq!(answer.status, 405, "{method} {path}");
        let allowed = answer.headers.iter().find(|(name, _)| name == "allow");
        assert_eq!(allowed.map(|(_, value)| &**value), Some(allow));
    }
}

#[test]
fn a_request_that_cannot_be_evaluated_is_blamed_on_no_policy() {
    let (sidecar, _) = sidecar();
    // Readers with doubles make 9007199254740992 of it.
    let asked = json!({"principal": {"roles": ["viewer"]}, "tool": "weather/set_alert",
        "arguments": {"threshold": 9_007_199_254_740_993_u64}});
    let said = explained(sidecar, &asked);
    assert_eq!(said["reason"], "policy_error", "{said}");
    assert_eq!(
        (&said["policies"], &said["errors"]),
        (&json!([]), &json!([]))
    );
    let errors = said["operations"][0]["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].get("policy"), None);
    let message = errors[0]["message"].as_str().expect("a text");
    assert!(message.contains("`threshold`"), "{message}");

    let folder = Folder::new();
    copy_policies(&folder.path("policies"));
    folder.write("policies/30-more.cedar", block("cedar"));
    folder.write("cedargate.yaml", &config(&Key::new(), ""));
    let ran = folder.run(&[
        "check",
        "--tool",
        "weather/set_alert",
        "--role",
        "viewer",
        "--arguments",
        "{\"threshold\":9007199254740993}",
    ]);
    assert_eq!((ran.code, &*ran.err), (5, ""));
    assert!(ran.out.starts_with("deny: policy_error\n"), "{}", ran.out);
    assert!(ran.out.contains("\n  failed  "), "{}", ran.out);
    assert!(!ran.out.contains("policy  "), "{}", ran.out);
}

#[test]
fn whatever_is_sent_is_answered_in_bounds() {
    let (sidecar, _) = sidecar();
    let deep = format!(
        "{{\"tool\": \"weather/x\", \"arguments\": {}",
        "[".repeat(60_000)
    );
    let closed = format!("{deep}{}}}", "]".repeat(4));
    for body in [
        deep.into_bytes(),
        closed.into_bytes(),
        b"\xff\xfe".to_vec(),
        b"{\"tool\": \"weather/\xff\"}".to_vec(),
        b"{\"tool\": \"weather/x\"} {}".to_vec(),
        b"{\"decision_id\": 1, \"decision_id\": 2}".to_vec(),
        b"{\"timestamp\": \"2026-01-01T00:00:00Z\", \"decision\": \"allow\"}".to_vec(),
        b"{\"tool\": \"weather/x\", \"arguments\": {\"a\": 1, \"a\": 2}}".to_vec(),
        b"{\"tool\": \"weather/x\", \"context\": {\"now\": \"9999999-01-01T00:00:00Z\"}}".to_vec(),
        b"{\"tool\": \"weather/x\", \"context\": {\"client_ip\": \"1.2.3\"}}".to_vec(),
    ] {
        let answer = explain(sidecar, &body);
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(80)
            .collect::<String>();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        assert!(answer.json()["faults"].is_array(), "{shown}");
        assert!(answer.text().len() < 2_048, "{shown}: {}", answer.text());
    }
    // A caller who is in everything, with every argument.
    let many = |name: &str| (0..500).map(|n| format!("{name}-{n}")).collect::<Vec<_>>();
    let sent: serde_json::Map<_, _> = many("argument")
        .into_iter()
        .take(200)
        .map(|name| (name, json!("x".repeat(100))))
        .collect();
    let asked = json!({
        "principal": {"subject": "a", "roles": many("role"), "groups": many("group"),
            "scopes": many("scope"), "claims": {"session": ["s3cret-claim"]}},
        "tool": "weather/set_alert", "arguments": sent});
    let answer = explain(sidecar, asked.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().len() < 128 * 1024, "{}", answer.text().len());
    assert!(
        !answer.text().contains("s3cret-claim"),
        "no policy reads it"
    );
    assert!(
        !answer.text().contains(&"x".repeat(100)),
        "no policy reads it"
    );
}

#[test]
fn only_operators_ask() {
    let key = Key::new();
    let more = format!("admin: {{token: {ADMIN_TOKEN}}}\n");
    let guarded = Sidecar::start(&config(&key, &more));
    let (open, _) = sidecar();
    let ask = |method: &str, path: &str| {
        let body = r#"{"tool": "weather/get_forecast"}"#;
        let request = Request::new(method, path).header("content-type", "application/json");
        if method == "POST" {
            request.body(body)
        } else {
            request
        }
    };
    for (method, path) in [
        ("POST", "/v1/explain"),
        ("GET", "/v1/policies"),
        ("GET", "/v1/explain"),
    ] {
        let answer = ask(method, path).send(guarded.admin).expect("an answer");
        assert_eq!(answer.status, 401, "{method} {path}");
        let answer = ask(method, path).bearer("another").send(guarded.admin);
        assert_eq!(answer.expect("an answer").status, 401, "{method} {path}");
        for (name, value) in [
            ("host", "evil.example"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let answer = ask(method, path).header(name, value).send(open.admin);
            assert_eq!(
                answer.expect("an answer").status,
                403,
                "{method} {path} {value}"
            );
        }
    }
    let shown = ask("POST", "/v1/explain")
        .bearer(ADMIN_TOKEN)
        .send(guarded.admin);
    let shown = shown.expect("an answer");
    assert_eq!(shown.status, 200);
    assert!(!shown.text().contains(ADMIN_TOKEN));
}

#[test]
fn every_policy_is_listed() {
    let (sidecar, _) = sidecar();
    let said = sidecar.ask_admin("/v1/policies").json();
    let status = sidecar.status();
    assert_eq!(said["generation"], status["policies"]["generation"]);
    assert_eq!(said["digest"], status["policies"]["digest"]);
    let policies = said["policies"].as_array().expect("a list");
    assert_eq!(json!(policies.len()), status["policies"]["count"]);
    let find = |id: &str| {
        policies
            .iter()
            .find(|one| one["id"] == id)
            .expect("it is listed")
    };
    let trial = json!({"id": "trial", "effect": "forbid", "mode": "log_only",
        "file": "30-more.cedar", "line": find("trial")["line"], "reason": "Some day."});
    assert_eq!(find("trial"), &trial);
    let viewers = json!({"id": "viewer-reads", "effect": "permit", "mode": "enforced",
        "file": "10-roles.cedar", "line": 3});
    assert_eq!(find("viewer-reads"), &viewers);
    let text = fs::read_to_string(sidecar.policies().join("30-more.cedar")).expect("a file");
    let line = trial["line"]
        .as_u64()
        .and_then(|line| usize::try_from(line).ok());
    let line = text.lines().nth(line.expect("a line") - 1);
    assert!(line.is_some_and(|line| line.contains("@id(\"trial\")")));
}

#[test]
fn many_who_ask_at_once_are_turned_away_and_checks_go_on() {
    let key = Key::new();
    let clause = "(principal.tenant == \"a\" && principal.email == \"b\")";
    let long = [clause; 20].join(" || ");
    let head = "permit (principal is Mcp::User, action, resource == Mcp::Tool::\"weather/delete_station\")";
    let policies = ["a", "b", "c"]
        .map(|id| format!("@id(\"{id}\") {head} when {{ {long} }};\n"))
        .concat();
    let sidecar = Sidecar::start_with(
        &config(&key, "limits: {deadline: 5s}\n"),
        &[("40-long.cedar", &policies)],
    );
    let body = r#"{"tool": "weather/delete_station", "principal": {"subject": "a"}}"#;
    let token = key.token(RESOURCE, &json!({"sub": "dave", "roles": ["viewer"]}));
    let seen: Vec<u16> = thread::scope(|scope| {
        let all: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| explain(&sidecar, body).status))
            .collect();
        let asked = sidecar
            .asker()
            .both(&Ask::call("get_forecast").bearer(&token));
        assert_eq!(asked.reason, "allowed");
        all.into_iter()
            .map(|one| one.join().expect("it ends"))
            .collect()
    });
    assert!(seen.contains(&200), "{seen:?}");
    assert!(seen.contains(&503), "{seen:?}");
    assert!(
        seen.iter().all(|status| [200, 503].contains(status)),
        "{seen:?}"
    );
    let said = explain(&sidecar, body).json();
    assert_eq!(said["decision"], "deny");
}
