//! The programs that the end-to-end tests stand on do what those tests take for granted.

mod support;

use std::thread;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use support::authorization_server::AuthorizationServer;
use support::authorization_server::jwt_part;
use support::certificates::Certificates;
use support::dpop::DpopKey;
use support::http::Request;
use support::mcp;
use support::mcp::McpServer;
use support::nanoidp;
use support::nanoidp::NanoIdp;
use support::port;
use support::process::Process;

const RESOURCE: &str = "https://mcp.example.com/mcp";

#[test]
fn a_client_gets_a_token_for_a_resource_signed_with_a_published_key() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let token = server.token("svc-admin", "mcp:read mcp:tools", RESOURCE);
    let (header, claims) = (jwt_part(&token, 0), jwt_part(&token, 1));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(json!(server.published_keys()), json!([header["kid"]]));
    assert_eq!(claims["iss"], server.issuer());
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["sub"], "svc-admin");
    assert_eq!(claims["client_id"], "svc-admin");
    assert_eq!(claims["scope"], "mcp:read mcp:tools");
    assert_eq!(claims["roles"], json!(["admin"]));
    assert_eq!(claims["tenant"], "acme");
    let other = [("resource", "https://mcp.example.com/other")];
    let refused = server.request_token("svc", &other);
    assert_eq!(refused.json()["error"], "invalid_target");
}

#[test]
fn a_person_signs_in_and_is_not_taken_for_the_client() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let claims = jwt_part(&server.user_token("bob", "mcp:read", RESOURCE), 1);
    assert_eq!(claims["sub"], "bob");
    assert_eq!(claims["client_id"], "app");
    assert_eq!(claims["scope"], "mcp:read");
    assert_eq!(claims["roles"], json!(["viewer"]));
}

#[test]
fn a_test_shapes_its_token() {
    let algorithms = ["ES256", "RS256", "PS256", "EdDSA"];
    let mut arguments = vec!["--resource", RESOURCE];
    arguments.extend(algorithms.iter().flat_map(|name| ["--algorithm", name]));
    let server = AuthorizationServer::start(&arguments);
    for algorithm in algorithms {
        let token = server.token_with(
            "svc",
            &[
                ("resource", RESOURCE),
                ("test_algorithm", algorithm),
                ("test_ttl", "7"),
                ("test_claims", r#"{"roles":["auditor"],"groups":["g"]}"#),
            ],
        );
        let claims = jwt_part(&token, 1);
        assert_eq!(jwt_part(&token, 0)["alg"], algorithm);
        assert_eq!(claims["roles"], json!(["auditor"]));
        let lifetime = claims["exp"].as_u64().zip(claims["iat"].as_u64());
        assert_eq!(lifetime.map(|(exp, iat)| exp - iat), Some(7));
    }
}

#[test]
fn rotation_changes_the_keys_and_hits_are_counted() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let kid = || jwt_part(&server.token("svc", "", RESOURCE), 0)["kid"].clone();
    let first = kid();
    server.rotate("keep");
    let second = kid();
    assert_ne!(first, second);
    assert_eq!(json!(server.published_keys()), json!([second, first]));
    server.rotate("");
    assert_eq!(json!(server.published_keys()), json!([kid()]));
    let last = kid();
    server.rotate("same_kid");
    assert_eq!(kid(), last);
    assert_eq!(server.hits("jwks"), 2);
    assert_eq!(server.hits("discovery"), 0);
    server.fault(503, 0);
    assert_eq!(server.send(&Request::new("GET", "/jwks")).status, 503);
    server.fault(0, 0);
    assert_eq!(server.send(&Request::new("GET", "/jwks")).status, 200);
}

#[test]
fn a_rotation_can_give_notice() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let kid = || jwt_part(&server.token("svc", "", RESOURCE), 0)["kid"].clone();
    let old = kid();
    server.rotate("announce");
    let published = server.published_keys();
    assert_eq!((published.len(), kid()), (2, old.clone()));
    server.rotate("promote");
    let new = kid();
    assert_eq!(json!(server.published_keys()), json!([new, old]));
    server.rotate("withdraw");
    assert_eq!(json!(server.published_keys()), json!([new]));
    assert_eq!(kid(), new);
}

#[test]
fn opaque_tokens_are_introspected_and_forgotten_ones_are_not_active() {
    let server = AuthorizationServer::start(&["--opaque", RESOURCE]);
    let token = server.token("svc-viewer", "mcp:read", RESOURCE);
    assert!(!token.contains('.'));
    let known = server.introspect(&token);
    assert_eq!(known["active"], true);
    assert_eq!(known["aud"], RESOURCE);
    assert_eq!(known["roles"], json!(["viewer"]));
    assert_eq!(server.introspect("unknown"), json!({"active": false}));
    server.revoke("svc-viewer", &token);
    assert_eq!(server.introspect(&token), json!({"active": false}));
    assert_eq!(server.hits("introspection"), 3);
}

#[test]
fn tokens_are_bound_to_keys_and_to_certificates() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let fields = [("resource", RESOURCE)];
    let key = DpopKey::new();
    let claims = jwt_part(&server.dpop_token("svc", &fields, &key), 1);
    assert_eq!(claims["cnf"], json!({"jkt": key.thumbprint()}));

    let issued = Certificates::issue(&["spiffe://example.org/client"]);
    let der = issued.of("spiffe://example.org/client").der();
    let claims = jwt_part(&server.certificate_token(&fields, &der), 1);
    let hash = digest::digest(&digest::SHA256, &der);
    let hash = BASE64_URL_SAFE_NO_PAD.encode(hash);
    assert_eq!(claims["cnf"], json!({"x5t#S256": hash}));
    let without = server.request_token("svc-bound", &fields);
    assert_eq!(without.json()["error"], "invalid_grant");
}

#[test]
fn the_second_provider_issues_tokens_of_its_own_shape() {
    let provider = NanoIdp::start(RESOURCE);
    let tokens = provider.user_tokens("alice", &[("scope", "openid weather:read")]);
    let access = nanoidp::token(&tokens, "access_token");
    let (header, claims) = (jwt_part(&access, 0), jwt_part(&access, 1));
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("JWT"), &json!("RS256"))
    );
    assert_eq!(claims["iss"], provider.issuer());
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&json!("alice"), &json!(RESOURCE))
    );
    assert_eq!(claims["token_use"], "access");
    assert_eq!(claims["roles"], json!(["admin"]));
    let refresh = jwt_part(&nanoidp::token(&tokens, "refresh_token"), 1);
    assert_eq!(
        (&refresh["token_use"], &refresh["aud"]),
        (&json!("refresh"), &json!(RESOURCE))
    );
    provider.rotate();
    let next = nanoidp::token(&provider.client_tokens(&[]), "access_token");
    assert_ne!(jwt_part(&next, 0)["kid"], header["kid"]);
    assert_eq!(jwt_part(&next, 1)["sub"], "svc");
}

#[test]
fn the_mcp_server_answers_and_records_what_reached_it() {
    let server = McpServer::start();
    let own = format!("127.0.0.1:{}", server.port());
    let request = Request::new("POST", "/mcp?a=%2f")
        .header("host", &own)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("x-twice", "1")
        .header("X-Twice", "2")
        .body(mcp::INITIALIZE);
    let answer = request.send(server.port()).expect("an answer").json();
    assert_eq!(answer["result"]["serverInfo"]["name"], "weather");
    let records = server.requests();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].method, "POST");
    assert_eq!(records[0].path, "/mcp?a=%2f");
    assert_eq!(records[0].header("x-twice"), ["1", "2"]);
    assert_eq!(
        usize::try_from(records[0].body_bytes),
        Ok(mcp::INITIALIZE.len())
    );
    let foreign = request.header("host", "evil.example").send(server.port());
    assert!(foreign.expect("an answer").status >= 400);
}

#[test]
fn the_mcp_client_calls_tools_and_says_why_it_could_not() {
    let server = McpServer::start();
    let url = format!("http://127.0.0.1:{}/mcp", server.port());
    let done = mcp::run_client(&url, &["--list"]);
    assert!(done.ok, "{done:?}");
    assert_eq!(done.text, "Sunny in Oslo");
    assert_eq!(done.tools, ["get_forecast", "set_alert", "delete_station"]);
    assert!(!mcp::run_client(&url, &["--tool", "nothing"]).ok);
    let nobody = mcp::run_client(&format!("http://127.0.0.1:{}/mcp", port::free()), &[]);
    assert!(!nobody.ok && nobody.error.contains("Connect"), "{nobody:?}");
}

#[test]
fn a_process_ends_when_what_holds_it_goes_away() {
    let record = tempfile::NamedTempFile::new().expect("a file");
    let mut command = support::tools::tools().python("mcp_server.py");
    let process = Process::spawn("MCP server", command.arg("--record").arg(record.path()));
    let port = process.ready_port();
    assert!(Request::new("POST", "/").send(port).is_ok());
    drop(process);
    assert!(Request::new("POST", "/").send(port).is_err());

    let mut patient = Process::spawn("sleep", std::process::Command::new("sleep").arg("60"));
    assert_eq!(patient.wait(Duration::from_millis(50)), None);
    patient.signal("TERM");
    let status = patient.wait(Duration::from_secs(5)).expect("it has ended");
    assert!(!status.success());
}

#[test]
fn no_port_is_given_twice() {
    let ports = || (0..50).map(|_| port::free()).collect::<Vec<_>>();
    let mut all: Vec<u16> = (0..4)
        .map(|_| thread::spawn(ports))
        .flat_map(|thread| thread.join().expect("no panic"))
        .collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 200);
}
