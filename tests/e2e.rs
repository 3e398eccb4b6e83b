//! The main job on real input: a real MCP client, a real authorization server, the shipped Envoy
//! configuration, `cedargate serve`, and a real MCP server that writes down what reaches it.

mod support;

use std::fs;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use support::authorization_server::AuthorizationServer;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::envoy::poll;
use support::http::Request;
use support::http::Response;
use support::mcp;
use support::mcp::McpServer;
use support::port;
use support::sidecar::Sidecar;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const FORECAST: &str = r#"{"city":"Oslo"}"#;

struct Stack {
    issuer: AuthorizationServer,
    upstream: McpServer,
    sidecar: Sidecar,
    envoy: Envoy,
}

impl Stack {
    fn start() -> Self {
        let issuer = AuthorizationServer::start(&[
            "--resource",
            RESOURCE,
            "--resource",
            "https://other.example/mcp",
            "--scope",
            "weather:read",
            "--scope",
            "weather:write",
        ]);
        let upstream = McpServer::start();
        let sidecar = Sidecar::start(&config(&issuer, RESOURCE));
        let envoy = Envoy::start(&EnvoyConfig::shipped(upstream.port(), sidecar.grpc));
        envoy.wait_for_authorizer(true);
        Self {
            issuer,
            upstream,
            sidecar,
            envoy,
        }
    }

    fn admin(&self) -> String {
        self.issuer.token("svc-admin", "weather:read", RESOURCE)
    }

    fn viewer(&self) -> String {
        self.issuer.token("svc-viewer", "", RESOURCE)
    }

    fn call(&self, tool: &str, token: &str) -> Response {
        self.envoy
            .send(&mcp::post(&mcp::call(tool, FORECAST)).bearer(token))
    }
}

fn config(issuer: &AuthorizationServer, resource: &str) -> String {
    format!(
        "authenticators:\n  \
         - {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true, leeway: 0s}}\n\
         resources:\n  \
         - {{name: weather, url: \"{resource}\", kind: mcp, authenticators: [corp]}}\n\
         policies: {{dir: policies, reload_interval: 200ms}}\n",
        issuer.issuer()
    )
}

/// One stack for every test that changes nothing of it.
fn shared() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(Stack::start)
}

fn deny(answer: &Response) -> Value {
    let body = answer.json();
    body.pointer("/error/data").cloned().unwrap_or(body)
}

#[test]
fn an_allowed_call_reaches_the_server_with_the_callers_identity_and_nothing_forged() {
    let stack = shared();
    let spoofed = mcp::post(&mcp::call("get_forecast", r#"{"city":"Bergen"}"#))
        .bearer(&stack.admin())
        .header("x-cedargate-subject", "root")
        .header("X-Cedargate-Groups", "root")
        .header("x.cedargate.roles", "root")
        .header("dpop", "proof")
        .header("x-marker", "forged");
    let answer = stack.envoy.send(&spoofed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        "Sunny in Bergen"
    );

    let seen = stack.upstream.requests();
    let seen = seen
        .iter()
        .rfind(|seen| seen.header("x-marker") == ["forged"]);
    let seen = seen.expect("the server saw the call");
    assert_eq!(seen.header("x-cedargate-roles"), ["admin"]);
    assert_eq!(seen.header("x-cedargate-subject"), ["svc-admin"]);
    assert_eq!(seen.header("x-cedargate-client-id"), ["svc-admin"]);
    assert_eq!(seen.header("x-cedargate-issuer"), [stack.issuer.issuer()]);
    assert_eq!(seen.header("x-cedargate-tenant"), ["acme"]);
    assert_eq!(seen.header("x-cedargate-scopes"), ["weather:read"]);
    for gone in [
        "authorization",
        "dpop",
        "x-cedargate-groups",
        "x.cedargate.roles",
    ] {
        assert!(seen.header(gone).is_empty(), "{gone}");
    }

    let line = stack
        .envoy
        .access_log(|line| line["code"] == 200 && line["path"] == "/mcp");
    let id = line["decision_id"]
        .as_str()
        .expect("a decision id in the access log")
        .to_owned();
    let record = stack.sidecar.record(|record| record["decision_id"] == *id);
    assert_eq!(record["decision"], "allow");
    assert_eq!(record["action"], "tools/call");
    assert_eq!(record["target"], "Mcp::Tool::\"weather/get_forecast\"");
    assert_eq!(record["principal"]["type"], "Client");
    assert_eq!(record["context"]["client_ip"], "127.0.0.1");
    assert!(!record["policies"].as_array().expect("a list").is_empty());
}

#[test]
fn without_a_token_the_challenge_says_where_to_get_one() {
    let stack = shared();
    let answer = stack
        .envoy
        .send(&mcp::post(&mcp::call("get_forecast", FORECAST)));
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        [
            "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
          scope=\"weather:read\""
        ]
    );
    assert_eq!(deny(&answer)["error"], "missing_credential");
    assert_eq!(answer.json()["id"], 2, "the JSON-RPC id comes back");
    let id = answer.header("x-cedargate-decision-id");
    let record = stack
        .sidecar
        .record(|record| record["decision_id"] == *id[0]);
    assert_eq!(record["reason"], "missing_credential");

    let metadata = Request::new("GET", "/.well-known/oauth-protected-resource/mcp")
        .header("host", "mcp.example.com");
    let metadata = stack.envoy.send(&metadata);
    assert_eq!(metadata.status, 200, "{}", metadata.text());
    assert_eq!(metadata.json()["resource"], RESOURCE);
    assert_eq!(
        metadata.json()["authorization_servers"][0],
        stack.issuer.issuer()
    );
}

#[test]
fn a_token_that_does_not_hold_is_a_401_that_says_why() {
    let stack = shared();
    let good = stack.admin();
    let (rest, signature) = good.rsplit_once('.').expect("a JWS");
    let (first, tail) = signature.split_at(1);
    let altered = format!("{rest}.{}{tail}", if first == "A" { "B" } else { "A" });
    let other_issuer = AuthorizationServer::start(&["--resource", RESOURCE]);
    let claims = |claims: &str| {
        let fields = [("resource", RESOURCE), ("test_claims", claims)];
        stack.issuer.token_with("svc-admin", &fields)
    };
    let short = stack
        .issuer
        .token_with("svc-admin", &[("resource", RESOURCE), ("test_ttl", "2")]);
    let cases = [
        (altered, "signature does not verify"),
        (
            stack
                .issuer
                .token("svc-admin", "", "https://other.example/mcp"),
            "audience",
        ),
        (
            other_issuer.token("svc-admin", "", RESOURCE),
            "unknown issuer",
        ),
        (claims(r#"{"nbf": 4000000000}"#), "not yet valid"),
        (claims(r#"{"cnf": {"jkt": "x"}}"#), "claims not accepted"),
        (claims(r#"{"cnf": {"kid": "x"}}"#), "binding not supported"),
        ("opaque-token".to_owned(), "not one that is accepted"),
    ];
    assert_eq!(
        stack.call("get_forecast", &short).status,
        200,
        "it holds yet"
    );
    for (token, why) in &cases {
        let answer = stack.call("get_forecast", token);
        assert_eq!(answer.status, 401, "{why}: {}", answer.text());
        let challenge = answer.header("www-authenticate").join("");
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
        assert!(challenge.contains(why), "{challenge}");
        assert_eq!(deny(&answer)["error"], "invalid_credential");
    }
    let expired = poll(Duration::from_secs(5), || {
        stack.call("get_forecast", &short).status == 401
    });
    assert!(expired, "a token that was remembered expires as well");
    let answer = stack.call("get_forecast", &short);
    let challenge = answer.header("www-authenticate").join("");
    assert!(challenge.contains("token expired"), "{challenge}");
    let twice = mcp::post(mcp::INITIALIZE).bearer(&good).bearer(&good);
    let answer = stack.envoy.send(&twice);
    assert_eq!(answer.status, 400);
    let challenge = answer.header("www-authenticate").join("");
    assert!(challenge.starts_with("Bearer error=\"invalid_request\", resource_metadata="));
}

#[test]
fn a_forbidden_tool_is_a_403_that_says_what_would_help() {
    let stack = shared();
    let before = stack.upstream.requests().len();
    let answer = stack.call("delete_station", &stack.viewer());
    assert_eq!(answer.status, 403);
    let body = deny(&answer);
    assert_eq!(body["error"], "not_permitted");
    let message = body["message"].as_str().expect("a message");
    assert!(
        message.contains("requires any of roles [admin], but client has [viewer]"),
        "{message}"
    );
    assert!(
        answer.header("www-authenticate").is_empty(),
        "no scope would help"
    );

    let scoped = stack.call(
        "set_alert",
        &stack.issuer.token("svc", "weather:read", RESOURCE),
    );
    assert_eq!(scoped.status, 403, "{}", scoped.text());
    assert_eq!(deny(&scoped)["error"], "insufficient_scope");
    let challenge = scoped.header("www-authenticate").join("");
    assert!(
        challenge.starts_with("Bearer error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("weather:write"), "{challenge}");
    let seen = stack.upstream.requests();
    let refused = seen
        .iter()
        .skip(before)
        .filter(|r| r.header("x-cedargate-roles") == ["viewer"]);
    assert_eq!(refused.count(), 0, "nothing of it reached the server");
}

#[test]
fn what_has_two_readings_is_a_400() {
    let stack = shared();
    let token = stack.admin();
    let at = |path: &str| {
        let request = Request::new("POST", path).header("host", "mcp.example.com");
        request
            .header("content-type", "application/json")
            .bearer(&token)
            .body(mcp::INITIALIZE)
    };
    for path in ["/mcp%2f", "/x%5c..%5cmcp", "/mcp?access_token=x"] {
        assert_eq!(stack.envoy.send(&at(path)).status, 400, "{path}");
    }
    for (body, why) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_forecast","name":"delete_station"}}"#,
            "duplicate name",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
            "duplicate name",
        ),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, ""),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, ""),
        ("{", ""),
        ("", ""),
    ] {
        let answer = stack.envoy.send(&mcp::post(body).bearer(&token));
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let denied = deny(&answer);
        assert_eq!(denied["error"], "malformed_request", "{body}");
        assert!(
            denied["message"].as_str().is_some_and(|m| m.contains(why)),
            "{denied}"
        );
    }
    let mismatch = mcp::post(&mcp::call("get_forecast", FORECAST))
        .bearer(&token)
        .header("mcp-protocol-version", "2025-11-25")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "set_alert");
    let answer = stack.envoy.send(&mismatch);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], -32020, "{}", answer.text());
}

#[test]
fn an_unknown_host_is_a_404() {
    let stack = shared();
    let foreign = Request::new("POST", "/mcp")
        .header("host", "evil.example")
        .header("content-type", "application/json")
        .bearer(&stack.admin())
        .body(mcp::INITIALIZE);
    assert_eq!(stack.envoy.send(&foreign).status, 404);
}

#[test]
fn a_real_client_finds_its_way_from_the_url_alone() {
    let upstream = McpServer::start();
    let front = port::free();
    let url = format!("http://127.0.0.1:{front}/mcp");
    let issuer = AuthorizationServer::start(&["--resource", &url, "--scope", "weather:read"]);
    let sidecar = Sidecar::start(&config(&issuer, &url));
    let shipped = EnvoyConfig::shipped(upstream.port(), sidecar.grpc);
    let envoy = Envoy::start(&shipped.on_loopback().front_at(front));
    envoy.wait_for_authorizer(true);

    let allowed = mcp::run_client(&url, &["--client-id", "svc-admin", "--list"]);
    assert!(allowed.ok, "{allowed:?}");
    assert_eq!(allowed.text, "Sunny in Oslo");
    assert_eq!(allowed.requests[0].2, 401, "it starts without a token");
    assert!(allowed.tools.contains(&"delete_station".to_owned()));

    let id = ["--client-id", "svc-viewer", "--tool", "delete_station"];
    let refused = mcp::run_client(&url, &[&id[..], &["--arguments", r#"{"id":"x"}"#]].concat());
    assert!(!refused.ok, "{refused:?}");
    assert!(
        refused.requests.iter().any(|(_, _, status)| *status == 403),
        "{refused:?}"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the promise is about time")]
fn an_edited_policy_is_in_force_within_two_seconds_and_a_broken_one_never() {
    let stack = Stack::start();
    let viewer = stack.viewer();
    assert_eq!(stack.call("set_alert", &viewer).status, 403);
    let file = stack.sidecar.policies().join("50-more.cedar");
    let permit = "@id(\"more\") permit (principal is Mcp::User, action == Mcp::Action::\"tools/call\", \
                  resource == Mcp::Tool::\"weather/set_alert\");\n";
    fs::write(&file, permit).unwrap();
    let edited = Instant::now();
    let in_force = poll(Duration::from_secs(10), || {
        stack.call("set_alert", &viewer).status != 403
    });
    let took = edited.elapsed();
    assert!(
        in_force && took < Duration::from_secs(2),
        "in force after {took:?}"
    );

    fs::write(
        &file,
        format!("{permit}permit (principal, action, resource"),
    )
    .unwrap();
    let reported = poll(Duration::from_secs(10), || {
        stack.sidecar.status()["policies"]["faults"]
            .as_array()
            .is_some_and(|f| !f.is_empty())
    });
    assert!(reported, "{}", stack.sidecar.status());
    let fault = stack.sidecar.status()["policies"]["faults"][0].to_string();
    assert!(fault.contains("50-more.cedar:2:"), "{fault}");
    assert_ne!(
        stack.call("set_alert", &viewer).status,
        403,
        "the last good policies stay"
    );
    assert_eq!(stack.sidecar.status()["policies"]["generation"], 2);
    let metrics = stack.sidecar.ask_admin("/metrics").text();
    assert!(
        metrics.contains("cedargate_policy_reload_total{outcome=\"failed\"} 1"),
        "{metrics}"
    );
    assert!(stack.sidecar.printed().contains("50-more.cedar:2:"));

    fs::remove_file(&file).unwrap();
    let back = poll(Duration::from_secs(5), || {
        stack.call("set_alert", &viewer).status == 403
    });
    assert!(back, "a removed file is out of force");
}

#[test]
fn rotated_keys_are_followed_and_old_tokens_die() {
    let stack = Stack::start();
    let old = stack.admin();
    assert_eq!(stack.call("get_forecast", &old).status, 200);
    let before = stack.issuer.hits("jwks");
    stack.issuer.rotate("");
    let new = stack.admin();
    assert_eq!(
        stack.call("get_forecast", &new).status,
        200,
        "one refresh finds the new key"
    );
    assert_eq!(stack.issuer.hits("jwks"), before + 1);
    assert_eq!(
        stack.call("get_forecast", &old).status,
        401,
        "a token dies with its key"
    );
}

#[test]
fn with_the_sidecar_killed_nothing_passes() {
    let mut stack = Stack::start();
    let token = stack.admin();
    assert_eq!(stack.call("get_forecast", &token).status, 200);
    let before = stack.upstream.requests().len();
    stack.sidecar.process().signal("KILL");
    thread::sleep(Duration::from_millis(200));
    for _ in 0..50 {
        assert_eq!(stack.call("get_forecast", &token).status, 503);
    }
    assert_eq!(stack.upstream.requests().len(), before);
}

#[test]
fn terminated_it_stops_being_ready_serves_on_and_exits_with_0() {
    let mut stack = Stack::start();
    let token = stack.admin();
    stack.sidecar.process().signal("TERM");
    let unready = poll(Duration::from_secs(1), || {
        stack.sidecar.ask_admin("/readyz").status == 503
    });
    assert!(unready);
    assert_eq!(
        stack.call("get_forecast", &token).status,
        200,
        "calls are still answered"
    );
    let status = stack
        .sidecar
        .process()
        .wait(Duration::from_secs(20))
        .expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", stack.sidecar.printed());
}
