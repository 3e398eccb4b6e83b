//! What is tried is seen in no answer, no document for strangers, and no part of an explanation but its
//! own.

use std::fs;

use serde_json::json;

use super::RESOURCE;
use super::World;
use super::copy_policies;
use super::support::ask::Ask;
use super::support::http::Request;
use super::support::mcp;

/// Nothing of this may be seen by callers, or by the servers behind.
const ZEBRA: &str = r#"
@id("zebra-permit") @reason("zebra") MODE
permit (principal, action, resource) when { principal.scopes.contains("zebra:ride") };
@id("zebra-role") @reason("zebra") @allow("unknown-role") MODE
permit (principal in Mcp::Role::"zebra", action, resource);
@id("zebra-forbid") @reason("zebra") MODE
forbid (principal, action, resource) unless { principal.scopes.contains("zebra:ride") };
@id("zebra-fails") @reason("zebra") MODE
forbid (principal, action, resource)
when { context.now.toTime().toMilliseconds() * 9223372036854775807 > 0 };
"#;

fn batches(config: &str) -> String {
    config.replace("kind: mcp}", "kind: mcp, mcp: {batches: each}}")
}

/// A sidecar that tries them in both ways.
fn zebras() -> World {
    let world = World::launch_under(", shadow_dir: next", batches, |policies| {
        let next = policies.parent().expect("a folder").join("next");
        copy_policies(&next);
        let in_dir = ZEBRA.replace("MODE", "").replace("zebra-", "zebra-dir-");
        fs::write(next.join("95.cedar"), in_dir).expect("written");
        let beside = ZEBRA.replace("MODE", "@mode(\"log_only\")");
        fs::write(policies.join("95.cedar"), beside).expect("written");
    });
    let shadow = world.until(|shadow| shadow["generation"] == 1);
    assert_eq!(shadow["faults"], json!([]), "{shadow}");
    world
}

fn batch() -> Ask {
    let second = mcp::call("set_alert", "{}").replace("\"id\":2", "\"id\":3");
    let both = format!("[{},{second}]", mcp::call("get_forecast", "{}"));
    Ask::post(both).header("mcp-protocol-version", "2025-03-26")
}

#[test]
fn what_is_tried_is_seen_in_no_answer() {
    let (plain, world) = (World::launch_under("", batches, |_| {}), zebras());
    let asks = [
        Ask::call("get_forecast"),
        Ask::call("set_alert"),
        Ask::post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#),
        Ask::post(mcp::INITIALIZE),
        batch(),
    ];
    let callers = [
        None,
        Some(json!({"roles": ["viewer"]})),
        Some(json!({"scope": "x"})),
    ];
    for (number, ask) in asks.iter().enumerate() {
        for claims in &callers {
            let id = format!("{number}-{claims:?}");
            let seen = [&plain, &world].map(|world| {
                let ask = ask.clone().header("x-request-id", "same");
                let ask = match claims {
                    Some(claims) => ask.bearer(&world.key.token(RESOURCE, claims)),
                    None => ask,
                };
                let answers = [world.asker.grpc(&ask), world.asker.http(&ask)];
                let text = format!("{answers:?}");
                assert!(!text.contains("zebra"), "{id}: {text}");
                answers.map(|answer| {
                    let names = answer.headers.into_iter().map(|(name, _)| name);
                    (answer.reason, answer.status, names.collect::<Vec<_>>())
                })
            });
            assert_eq!(seen[0], seen[1], "{id}");
        }
    }
    for policy in ["zebra-forbid", "zebra-dir-forbid"] {
        assert!(world.differences(policy) > 0, "{policy} was tried");
    }
}

#[test]
fn a_batch_is_one_check() {
    let world = zebras();
    let claims = json!({"roles": ["editor", "viewer"]});
    let ask = batch()
        .header("x-request-id", "batch")
        .bearer(&world.key.token(RESOURCE, &claims));
    assert_eq!(world.asker.both(&ask).reason, "allowed");
    let shadow = world.shadow("batch");
    let said = (&shadow["decision"], &shadow["log_only"]["decision"]);
    assert_eq!(said, (&json!("deny"), &json!("deny")));
    // Once for each transport.
    assert_eq!(world.differences("zebra-forbid"), 2);
    assert_eq!(world.differences("zebra-dir-forbid"), 2);
}

#[test]
fn documents_show_what_is_tried_to_operators_only_and_as_what_it_is() {
    let world = zebras();
    let metadata = Request::new("GET", "/.well-known/oauth-protected-resource/mcp")
        .header("host", "mcp.example.com")
        .send(world.sidecar.public)
        .expect("an answer");
    assert_eq!(metadata.status, 200);
    assert!(!metadata.text().contains("zebra"), "{}", metadata.text());
    let asked = json!({"tool": "weather/delete_station", "principal": {"subject": "a"}});
    let said = Request::new("POST", "/v1/explain")
        .header("content-type", "application/json")
        .body(asked.to_string())
        .send(world.sidecar.admin)
        .expect("an answer")
        .json();
    let operation = &said["operations"][0];
    let listed = operation["log_only"].as_array().map(Vec::len);
    assert_eq!(listed, Some(4), "{said}");
    for part in [
        "determining",
        "overruled",
        "near_misses",
        "would_help",
        "errors",
    ] {
        assert!(!operation[part].to_string().contains("zebra"), "{said}");
    }
    let scopes = said["required_scopes"].to_string();
    assert!(!scopes.contains("zebra"), "{said}");
}
