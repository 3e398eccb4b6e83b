//! The theft of a session through the shipped Envoy, from a real MCP server that keeps sessions.

use serde_json::Value;

use crate::support::authorization_server::AuthorizationServer;
use crate::support::envoy::Envoy;
use crate::support::envoy::EnvoyConfig;
use crate::support::http::Request;
use crate::support::http::Response;
use crate::support::mcp;
use crate::support::process::Process;
use crate::support::sidecar::Sidecar;
use crate::support::tools::tools;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const FORECAST: &str = r#"{"city":"Oslo"}"#;

/// The server's own view: method and status of each request that reached it in a session.
fn seen(server: &Process, session: &str) -> Vec<(String, u64)> {
    let lines = server.stdout().snapshot();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["session"] == session)
        .map(|line| {
            let method = line["method"].as_str().expect("a method").to_owned();
            (method, line["status"].as_u64().expect("a status"))
        })
        .collect()
}

#[test]
fn a_valid_token_and_the_id_of_anothers_session_are_worth_nothing() {
    let server = Process::spawn("session server", &mut tools().node("session-server.mjs"));
    let upstream = server.ready_port();
    let issuer = AuthorizationServer::start(&["--resource", RESOURCE]);
    let sidecar = Sidecar::start(&format!(
        "authenticators:\n  \
         - {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true}}\n\
         resources:\n  - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         limits: {{deadline: 1s}}\n",
        issuer.issuer()
    ));
    let envoy = Envoy::start(&EnvoyConfig::shipped(upstream, sidecar.grpc));
    envoy.wait_for_authorizer(true);
    let alice = issuer.user_token("alice", "mcp:tools", RESOURCE);
    let bob = issuer.user_token("bob", "mcp:tools", RESOURCE);

    let opened = envoy.send(&mcp::post(mcp::INITIALIZE).bearer(&alice));
    assert_eq!(opened.status, 200, "{}", opened.text());
    let session = opened.header("mcp-session-id").join("");
    assert_eq!(session.len(), 36, "a UUID: {session}");
    let within = |request: Request, token: &str| -> Response {
        let request = request
            .bearer(token)
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-06-18");
        envoy.send(&request)
    };
    let bare = |method: &str| {
        let request = Request::new(method, "/mcp").header("host", "mcp.example.com");
        request.header("accept", "text/event-stream")
    };
    let call = || mcp::post(&mcp::call("get_forecast", FORECAST));
    let forecast = |n: u32| {
        let answer = within(call(), &alice);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.json()["result"]["content"][0]["text"].clone();
        assert_eq!(text, format!("Sunny in Oslo, call {n}"));
    };
    let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(within(mcp::post(ready), &alice).status, 202);
    forecast(1);

    for theft in [
        call(),
        mcp::post(mcp::INITIALIZE),
        bare("GET"),
        bare("DELETE"),
    ] {
        let refused = within(theft.clone(), &bob);
        assert_eq!(refused.status, 403, "{theft:?}: {}", refused.text());
        let body = refused.json();
        let facts = body.pointer("/error/data").unwrap_or(&body);
        assert_eq!(facts["error"], "session_mismatch", "{body}");
    }
    forecast(2);
    assert_eq!(within(bare("DELETE"), &alice).status, 200, "she may end it");
    assert_eq!(
        within(call(), &alice).status,
        404,
        "the server has ended it"
    );
    assert_eq!(within(call(), &bob).status, 403, "and it is hers still");
    let reached: Vec<_> = seen(&server, &session)
        .into_iter()
        .map(|(method, status)| format!("{method} {status}"))
        .collect();
    assert_eq!(
        reached,
        ["POST 202", "POST 200", "POST 200", "DELETE 200", "POST 404"],
        "nothing of his reached the server"
    );

    let his = envoy.send(&mcp::post(mcp::INITIALIZE).bearer(&bob));
    assert_eq!(his.status, 200, "he can have one of his own");
    assert!(!sidecar.printed().contains(&session), "an id is a secret");
}
