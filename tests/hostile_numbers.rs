//! Numbers of which readers with doubles make others: policies that read them do not decide.

mod support;

use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::mcp;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

const POLICIES: &str = r#"
@id("small-transfers")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/transfer")
when { context.args.hasTag("amount") &&
       context.args.getTag("amount") has decimal &&
       context.args.getTag("amount").decimal.lessThan(decimal("100.0")) };
@id("reading")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/read");
@id("not-this-account") @allow("evadable-forbid")
forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/read")
when { context.args.hasTag("account.id") && context.args.getTag("account.id") has long &&
       context.args.getTag("account.id").long == 9007199254740992 };
@id("none-of-these") @allow("evadable-forbid")
forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/read")
when { context.args.hasTag("skip") && context.args.getTag("skip") has longs &&
       context.args.getTag("skip").longs.contains(36028797018963968) };
"#;

/// Neither tool destroys anything.
const TOOLS: &str = r#"{"tools": [
    {"server": "weather", "name": "transfer", "annotations": {"destructiveHint": false}},
    {"server": "weather", "name": "read", "annotations": {"destructiveHint": false}}
]}"#;

struct World {
    token: String,
    asker: Asker,
    sidecar: Sidecar,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: 2s}}\npolicies: {{allow_warnings: [unknown-tool]}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start_with(
            &config,
            &[("50-numbers.cedar", POLICIES), ("tools.json", TOOLS)],
        );
        World {
            token: key.token(RESOURCE, &json!({})),
            asker: sidecar.asker(),
            sidecar,
        }
    })
}

impl World {
    fn reason(&self, tool: &str, arguments: &str) -> String {
        let ask = Ask::post(mcp::call(tool, arguments)).bearer(&self.token);
        self.asker.both(&ask).reason
    }
}

#[test]
fn a_limit_is_not_passed_by_a_number_that_the_upstream_rounds() {
    let world = world();
    for (amount, expected) in [
        ("99.99", "allowed"),
        ("9.9990e1", "allowed"),
        ("0.1", "allowed"),
        ("100", "not_permitted"),
        // 100 to whoever keeps doubles.
        ("99.99999999999999999", "policy_error"),
        ("1e-400", "policy_error"),
        ("0.1000000000000000055511151231257827", "policy_error"),
        ("9007199254740993", "policy_error"),
        ("[1,9007199254740993]", "policy_error"),
        ("\"99.99999999999999999\"", "not_permitted"),
    ] {
        let arguments = format!(r#"{{"amount":{amount}}}"#);
        assert_eq!(world.reason("transfer", &arguments), expected, "{amount}");
    }
}

#[test]
fn a_forbidden_number_has_no_other_spelling() {
    let world = world();
    for (arguments, expected) in [
        (r#"{"account":{"id":9007199254740991}}"#, "allowed"),
        (r#"{"account":{"id":9007199254740992}}"#, "not_permitted"),
        (r#"{"account":{"id":9007199254740992.0}}"#, "not_permitted"),
        (r#"{"account":{"id":9007199254740993}}"#, "policy_error"),
        (r#"{"account":{"id":9007199254740993.0}}"#, "policy_error"),
        (r#"{"account":{"id":900719925474099.3e1}}"#, "policy_error"),
        (r#"{"account":{"id":9007199254740992.5}}"#, "policy_error"),
        (r#"{"account":{"id":9007199254740994}}"#, "allowed"),
        (r#"{"skip":[1,2]}"#, "allowed"),
        // The same double, whichever way it is written.
        (r#"{"skip":[36028797018963968]}"#, "policy_error"),
        (r#"{"skip":[36028797018963970]}"#, "policy_error"),
        (r#"{"skip":["x",36028797018963969]}"#, "policy_error"),
    ] {
        assert_eq!(world.reason("read", arguments), expected, "{arguments}");
    }
}

#[test]
fn an_honest_identifier_of_nineteen_digits_stands_in_nobodys_way() {
    let world = world();
    for (tool, arguments) in [
        ("transfer", r#"{"amount":5,"id":1234567890123456789}"#),
        (
            "transfer",
            r#"{"amount":5,"account":{"id":9007199254740993}}"#,
        ),
        ("transfer", r#"{"amount":5,"Amount":9007199254740993}"#),
        ("read", r#"{"id":1234567890123456789,"at":0.1}"#),
        ("read", r#"{"account.id":9007199254740993}"#),
        (
            "read",
            r#"{"account":{"ids":[1234567890123456789]},"amount":100.00000000000000001}"#,
        ),
    ] {
        assert_eq!(world.reason(tool, arguments), "allowed", "{arguments}");
    }
}

#[test]
fn the_operator_is_told_which_argument_it_was() {
    let world = world();
    let arguments = r#"{"amount":1,"account":{"id":9007199254740993}}"#;
    let ask = Ask::post(mcp::call("read", arguments)).bearer(&world.token);
    let verdict = world.asker.both(&ask.header("x-request-id", "told"));
    assert_eq!(verdict.reason, "policy_error");
    assert!(!verdict.body.contains("account"), "{}", verdict.body);
    let record = world
        .sidecar
        .record(|record| record["request_id"] == "told");
    let messages: Vec<&Value> = record["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| &error["message"])
        .collect();
    assert_eq!(
        messages,
        ["readers differ on a number in the argument `account.id`"]
    );
}
