//! Policies that fail to evaluate, and decisions that are remembered, as the operator sees them: in the
//! log and in the metrics.

#![expect(
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::envoy::poll;
use support::mcp;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// The second and the third overflow for a large `n`.
const POLICIES: &str = r#"@id("sum") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/sum");
@id("no-large-sum") forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/sum")
when { context has args && context.args.hasTag("n") && context.args.getTag("n") has long && context.args.getTag("n").long * 2 > 1000 };
@id("large-mean") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/mean")
when { context has args && context.args.hasTag("n") && context.args.getTag("n") has long && context.args.getTag("n").long * 2 > 1000 };
@id("mean") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/mean");
@id("plain") permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/plain");
"#;

const TOOLS: &str = r#"{"tools": [
    {"server": "weather", "name": "sum", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "mean", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "plain", "annotations": {"destructiveHint": false}}
]}"#;

const FILE: &str = "50-failing.cedar";
const LARGE: &str = r#"{"n":5000000000000000000}"#;
const FAILED: &str = "a policy failed to evaluate";

struct Scene {
    token: String,
    sidecar: Sidecar,
}

impl Scene {
    fn start() -> Self {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}resources:\n\
             - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             policies: {{dir: policies, reload_interval: 200ms, allow_warnings: \
             [permit-everyone, evadable-forbid, arithmetic-in-forbid, unknown-tool]}}\n",
            key.authenticator()
        );
        let files = [(FILE, POLICIES), ("tools.json", TOOLS)];
        Self {
            token: key.token(RESOURCE, &json!({"roles": ["viewer"]})),
            sidecar: Sidecar::start_with(&config, &files),
        }
    }

    fn call(&self, tool: &str, arguments: &str) -> Ask {
        Ask::post(mcp::call(tool, arguments)).bearer(&self.token)
    }

    /// The value of a metric; 0 where it is not there.
    fn metric(&self, name: &str) -> u64 {
        let text = self.sidecar.ask_admin("/metrics").text();
        let start = format!("cedargate_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |value| value.parse().expect("a whole number"))
    }

    /// Hits, misses and bypasses of the memory for decisions.
    fn recalls(&self) -> [u64; 3] {
        ["hit", "miss", "bypass"]
            .map(|outcome| self.metric(&format!("decision_cache_total{{outcome=\"{outcome}\"}}")))
    }
}

/// The lines of the log that say that a policy failed.
fn told(scene: &mut Scene) -> Vec<Value> {
    let lines = scene.sidecar.process().stderr().snapshot();
    let json = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    json.filter(|line: &Value| line.get("message").is_some_and(|text| text == FAILED))
        .collect()
}

#[test]
fn a_hundred_failures_are_counted_and_told_once() {
    let mut scene = Scene::start();
    let asker = scene.sidecar.asker();
    let sum = scene.call("sum", LARGE);
    for _ in 0..50 {
        let verdict = asker.both(&sum);
        assert_eq!(verdict.reason, "policy_error", "{}", verdict.body);
    }
    assert_eq!(
        asker.both(&scene.call("sum", r#"{"n":1}"#)).reason,
        "allowed"
    );
    assert_eq!(asker.both(&scene.call("mean", LARGE)).reason, "allowed");

    let counted =
        |policy: &str| scene.metric(&format!("policy_errors_total{{policy=\"{policy}\"}}"));
    assert_eq!(counted("no-large-sum"), 100);
    assert_eq!(counted("large-mean"), 2);
    let lines = scene.sidecar.process().stderr().clone();
    lines
        .wait(Duration::from_secs(5), |lines| {
            let last = lines.iter().find(|line| line.contains("large-mean"));
            last.cloned()
        })
        .expect("the last failure is logged");

    let told = told(&mut scene);
    let facts: Vec<Value> = told
        .iter()
        .map(|line| {
            let of = |name: &str| line.get(name).cloned().unwrap_or_default();
            json!([
                of("level"),
                of("policy.id"),
                of("policy.effect"),
                of("policy.file"),
                of("policy.line"),
                of("unlogged"),
            ])
        })
        .collect();
    assert_eq!(
        facts,
        [
            json!(["WARN", "no-large-sum", "forbid", FILE, 2, 0]),
            json!(["WARN", "large-mean", "permit", FILE, 4, 0]),
        ]
    );
    for line in &told {
        let error = line.get("error").and_then(Value::as_str).expect("Cedar's");
        assert!(error.contains("overflow"), "{error}");
        assert!(line.get("decision_id").is_some());
    }
    let whole = lines.text();
    let (_, signature) = scene.token.rsplit_once('.').expect("a signed token");
    assert!(!whole.contains(signature), "{whole}");
}

#[test]
fn answers_are_remembered_until_the_policies_change() {
    let scene = Scene::start();
    let asker = scene.sidecar.asker();
    let ask = |tool: &str, expected: &str| {
        let verdict = asker.both(&scene.call(tool, r#"{"n":1}"#));
        assert_eq!(verdict.reason, expected, "{}", verdict.body);
    };
    assert_eq!(scene.recalls(), [0, 0, 0]);
    ask("plain", "allowed");
    assert_eq!(scene.recalls(), [1, 1, 0]);
    ask("plain", "allowed");
    assert_eq!(scene.recalls(), [3, 1, 0]);
    ask("sum", "allowed");
    assert_eq!(scene.recalls(), [3, 1, 2], "what reads arguments is not");
    let generation = scene.metric("policy_generation");
    let changed = POLICIES.replace(r#"@id("plain") permit"#, r#"@id("plain") forbid"#);
    fs::write(scene.sidecar.policies().join(FILE), changed).expect("a policy file is written");
    let reloaded = poll(Duration::from_secs(30), || {
        scene.metric("policy_generation") > generation
    });
    assert!(reloaded);
    ask("plain", "not_permitted");
    assert_eq!(scene.recalls(), [4, 2, 2]);
}
