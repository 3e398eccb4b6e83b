//! A session belongs to the principal who first used it: not to whoever knows its id.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "scenes, in which a wrong assumption fails the test"
)]

mod support;

#[path = "sessions/scene.rs"]
mod scene;
#[path = "sessions/shared.rs"]
mod shared;
#[path = "sessions/through_envoy.rs"]
mod through_envoy;

use std::thread;
use std::time::Duration;

use scene::Scene;
use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::mcp;

/// Every way of using a session.
fn uses() -> [Ask; 7] {
    let call = || Ask::call("get_forecast");
    let stated = |version| call().header("mcp-protocol-version", version);
    [
        call(),
        stated("2025-03-26"),
        stated("2025-11-25"),
        Ask::post(mcp::INITIALIZE),
        Ask::post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        Ask::bare("GET").header("mcp-protocol-version", "2026-07-28"),
        Ask::bare("DELETE"),
    ]
}

#[test]
fn who_knows_the_id_of_a_session_cannot_use_it() {
    let scene = Scene::start("");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    for (n, ask) in uses().iter().enumerate() {
        let session = format!("stolen-{n}");
        let with = |token: &str| ask.clone().bearer(token).header("mcp-session-id", &session);
        assert_eq!(scene.asker.both(&with(&alice)).reason, "allowed", "{ask:?}");
        let refused = scene.asker.both(&with(&bob));
        assert_eq!((refused.status, refused.code), (403, 7), "{ask:?}");
        assert_eq!(refused.reason, "session_mismatch");
        assert_eq!(
            refused.header("www-authenticate"),
            "",
            "no token would help"
        );
        assert!(!refused.body.contains("stolen"), "{}", refused.body);
        assert_eq!(
            scene.asker.both(&with(&alice)).reason,
            "allowed",
            "hers yet"
        );
    }
    let refused = scene.asker.grpc(&scene.call("stolen-0", &bob));
    let body: Value = serde_json::from_str(&refused.body).expect("JSON");
    assert_eq!(
        (&body["error"]["code"], &body["id"]),
        (&json!(40300), &json!(2))
    );
    let message = body["error"]["data"]["message"]
        .as_str()
        .expect("a message");
    assert!(
        message.contains("start a new one with initialize"),
        "{message}"
    );

    let sidecar = &scene.sidecar;
    let record = sidecar.record(|record| record["reason"] == "session_mismatch");
    assert_eq!(record["principal"]["subject"], "bob");
    assert_eq!(record["action"], "tools/call");
    assert_eq!(
        record["message"],
        "the session is bound to another principal"
    );
    assert!(!sidecar.printed().contains("stolen"), "an id is a secret");
    let metrics = sidecar.ask_admin("/metrics").text();
    for line in [
        "cedargate_session_bindings_total{outcome=\"bound\"} 7",
        "cedargate_session_bindings_total{outcome=\"known\"} 21",
        "cedargate_session_bindings_total{outcome=\"mismatch\"} 15",
        "cedargate_session_bindings_total{outcome=\"evicted\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn a_principal_is_a_user_through_a_client() {
    let scene = Scene::start("");
    let alice = scene.user("alice", "app");
    assert_eq!(scene.reason("s", &alice), "allowed");
    let later = scene.token(&json!({"sub": "alice", "client_id": "app", "jti": "2",
        "roles": ["admin"], "email": "alice@example.com"}));
    assert_eq!(
        scene.reason("s", &later),
        "allowed",
        "another token of hers"
    );
    for claims in [
        json!({"sub": "alice", "client_id": "other"}),
        json!({"sub": "alice", "client_id": null}),
        json!({"sub": "app", "client_id": "alice"}),
        json!({"sub": "Alice", "client_id": "app"}),
        json!({"sub": "alice#app", "client_id": null}),
        json!({"sub": null, "client_id": "app"}),
    ] {
        let mut claims = claims;
        claims["roles"] = json!(["admin"]);
        let other = scene.token(&claims);
        assert_eq!(scene.reason("s", &other), "session_mismatch", "{claims}");
    }
    let key = scene.call("s", "").without("authorization");
    let key = key.header("x-api-key", scene::API_KEY);
    assert_eq!(scene.asker.both(&key).reason, "session_mismatch");
}

#[test]
fn each_resource_has_sessions_of_its_own() {
    let scene = Scene::start("");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    assert_eq!(scene.reason("s", &alice), "allowed");
    let elsewhere = |path: &str, session: &str, token: &str| {
        let ask = Ask::post(mcp::INITIALIZE).at("mcp.example.com", path);
        let ask = ask.bearer(token).header("mcp-session-id", session);
        scene.asker.both(&ask).reason
    };
    assert_eq!(elsewhere("/other", "s", &bob), "allowed");
    assert_eq!(elsewhere("/other", "s", &alice), "session_mismatch");
    // `sessions: ignore`, and a resource that is not MCP at all.
    // What is no session id at all is refused wherever MCP is spoken.
    for (path, odd) in [("/loose", "malformed_request"), ("/site/x", "allowed")] {
        for token in [&alice, &bob, &alice] {
            assert_eq!(elsewhere(path, "s", token), "allowed", "{path}");
            let reason = elsewhere(path, "not a session id", token);
            assert_eq!(reason, odd, "{path}");
        }
    }
}

#[test]
fn a_stranger_binds_nothing_and_may_log_in_later() {
    let scene = Scene::start("");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    let stranger = Ask::post(mcp::INITIALIZE).header("mcp-session-id", "s");
    assert_eq!(scene.asker.both(&stranger).reason, "allowed");
    assert_eq!(scene.reason("s", &alice), "allowed", "she has logged in");
    let refused = scene.asker.both(&stranger);
    assert_eq!(
        (&*refused.reason, refused.status),
        ("session_mismatch", 403)
    );
    assert_eq!(scene.reason("s", &bob), "session_mismatch");
    let bad = stranger.bearer("bad-token");
    assert_eq!(scene.asker.both(&bad).reason, "invalid_credential");
}

#[test]
fn who_is_refused_binds_nothing() {
    let scene = Scene::start("");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    let on = |ask: Ask, token: &str| ask.bearer(token).header("mcp-session-id", "s");
    let forbidden = on(Ask::call("delete_station"), &bob);
    let malformed = on(Ask::post("{"), &bob);
    let mismatched = on(Ask::call("get_forecast").header("mcp-method", "ping"), &bob);
    let foreign = on(Ask::call("get_forecast"), &bob).header("origin", "https://evil.example");
    let unproved = on(Ask::call("get_forecast"), "bad-token");
    let cases = [
        (&forbidden, "not_permitted", "session_mismatch"),
        (&malformed, "malformed_request", "malformed_request"),
        (&mismatched, "header_mismatch", "header_mismatch"),
        (&foreign, "origin_not_allowed", "origin_not_allowed"),
        (&unproved, "invalid_credential", "invalid_credential"),
    ];
    for (ask, free, _) in cases {
        assert_eq!(scene.asker.both(ask).reason, free);
    }
    assert_eq!(scene.reason("s", &alice), "allowed", "it was nobody's");
    for (ask, _, bound) in cases {
        assert_eq!(
            scene.asker.both(ask).reason,
            bound,
            "the order of the checks"
        );
    }
    assert_eq!(scene.reason("s", &alice), "allowed");
}

#[test]
fn a_session_id_has_one_form() {
    let scene = Scene::start("");
    let alice = scene.user("alice", "app");
    let longest = "x".repeat(2_048);
    for id in ["a", "~", "0-9_.:/+=", &longest] {
        assert_eq!(scene.reason(id, &alice), "allowed", "{id}");
    }
    for id in ["", "a b", &format!("{longest}x")] {
        let refused = scene.asker.both(&scene.call(id, &alice));
        assert_eq!(
            (&*refused.reason, refused.status),
            ("malformed_request", 400),
            "{id}"
        );
    }
    let twice = scene.call("a", &alice).header("mcp-session-id", "b");
    assert_eq!(scene.asker.both(&twice).reason, "malformed_request");
    let other_case = scene.call("A", &scene.user("bob", "app"));
    assert_eq!(
        scene.asker.both(&other_case).reason,
        "allowed",
        "another session"
    );
}

#[test]
fn a_principal_pushes_out_his_own_oldest_session() {
    let scene = Scene::start("sessions: {per_principal: 2}\n");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    assert_eq!(scene.reason("bobs", &bob), "allowed");
    for session in ["1", "2", "3"] {
        assert_eq!(scene.reason(session, &alice), "allowed");
    }
    assert_eq!(scene.reason("3", &bob), "session_mismatch");
    assert_eq!(scene.reason("2", &bob), "session_mismatch");
    assert_eq!(
        scene.reason("1", &bob),
        "allowed",
        "forgotten, so it is free"
    );
    assert_eq!(
        scene.reason("bobs", &alice),
        "session_mismatch",
        "his stays"
    );
    let metrics = scene.sidecar.ask_admin("/metrics").text();
    let line = "cedargate_session_bindings_total{outcome=\"evicted\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn a_binding_ends_some_time_after_its_last_use() {
    let scene = Scene::start("sessions: {idle: 3s}\n");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    for _ in 0..4 {
        assert_eq!(scene.reason("s", &alice), "allowed");
        thread::sleep(Duration::from_secs(1));
        assert_eq!(
            scene.reason("s", &bob),
            "session_mismatch",
            "her uses keep it"
        );
    }
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(scene.reason("s", &bob), "allowed", "his attempts did not");
    assert_eq!(scene.reason("s", &alice), "session_mismatch");
}

#[test]
fn of_a_thousand_first_uses_at_once_one_principal_wins() {
    let scene = Scene::start("limits: {deadline: 20s}\n");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    scene::one_owner(&[&scene.asker], |n| {
        scene.call("s", if n % 2 == 0 { &alice } else { &bob })
    });
}

#[test]
fn a_restart_forgets_as_the_documentation_says() {
    let scene = Scene::start("");
    let (alice, bob) = (scene.user("alice", "app"), scene.user("bob", "app"));
    assert_eq!(scene.reason("s", &alice), "allowed");
    assert_eq!(scene.reason("s", &bob), "session_mismatch");
    let again = scene.restarted("");
    assert_eq!(again.reason("s", &bob), "allowed", "the first to use it");
    assert_eq!(again.reason("s", &alice), "session_mismatch");
}
