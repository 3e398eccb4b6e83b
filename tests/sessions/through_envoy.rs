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

/// Everything between a client and the server.
struct Scene {
    server: Process,
    issuer: AuthorizationServer,
    sidecar: Sidecar,
    envoy: Envoy,
}

impl Scene {
    fn start() -> Self {
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
        Self {
            server,
            issuer,
            sidecar,
            envoy,
        }
    }

    fn token(&self, person: &str) -> String {
        self.issuer.user_token(person, "mcp:tools", RESOURCE)
    }

    fn within(&self, session: &str, request: Request, token: &str) -> Response {
        let request = request.bearer(token).header("mcp-session-id", session);
        let request = request.header("mcp-protocol-version", "2025-06-18");
        self.envoy.send(&request)
    }

    /// The server's own view: method and status of each request that reached it in a session.
    fn seen(&self, session: &str) -> Vec<String> {
        let lines = self.server.stdout().snapshot();
        let lines = lines.iter();
        lines
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["session"] == session)
            .map(|line| {
                let method = line["method"].as_str().expect("a method");
                format!("{method} {}", line["status"])
            })
            .collect()
    }
}

fn bare(method: &str) -> Request {
    let request = Request::new(method, "/mcp").header("host", "mcp.example.com");
    request.header("accept", "text/event-stream")
}

fn call() -> Request {
    mcp::post(&mcp::call("get_forecast", FORECAST))
}

#[test]
fn a_valid_token_and_the_id_of_anothers_session_are_worth_nothing() {
    let scene = Scene::start();
    let (alice, bob) = (scene.token("alice"), scene.token("bob"));
    let opened = scene.envoy.send(&mcp::post(mcp::INITIALIZE).bearer(&alice));
    assert_eq!(opened.status, 200, "{}", opened.text());
    let session = opened.header("mcp-session-id").join("");
    assert_eq!(session.len(), 36, "a UUID: {session}");
    let within = |request, token| scene.within(&session, request, token);
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
    assert_eq!(within(call(), &alice).status, 404, "it is over");
    assert_eq!(within(call(), &bob).status, 403, "and hers still");
    assert_eq!(
        scene.seen(&session),
        ["POST 202", "POST 200", "POST 200", "DELETE 200", "POST 404"],
        "nothing of his reached the server"
    );
    let his = scene.envoy.send(&mcp::post(mcp::INITIALIZE).bearer(&bob));
    assert_eq!(his.status, 200, "he can have one of his own");
    assert!(
        !scene.sidecar.printed().contains(&session),
        "an id is a secret"
    );
}
