//! The shipped Envoy configuration holds what its comments promise.

mod support;

use std::path::Path;

use cedargate::config::ClientIp;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::config::core::v3::HeaderValueOption;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::CheckResponse;
use cedargate::proto::envoy::service::auth::v3::DeniedHttpResponse;
use cedargate::proto::envoy::service::auth::v3::OkHttpResponse;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use cedargate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use cedargate::proto::envoy::r#type::v3::HttpStatus;
use cedargate::proto::google::rpc::Status;
use cedargate::request::incoming::ReadOptions;
use prost_types::Struct;
use prost_types::Value;
use prost_types::value::Kind;
use support::authorizer::ScriptedAuthorizer;
use support::envoy;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::http::Request;
use support::mcp;
use support::mcp::McpServer;
use support::port;
use support::stack::Stack;
use support::tls;

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

#[test]
fn it_is_valid_as_shipped() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/envoy/envoy.yaml");
    let output = envoy::validate(&file);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn without_an_authorizer_everything_is_refused_and_nothing_reaches_the_upstream() {
    let upstream = McpServer::start();
    let envoy = Envoy::start(&EnvoyConfig::shipped(upstream.port(), port::free()));
    let host = |request: Request| request.header("host", "mcp.example.com");
    let requests = [
        mcp::post(mcp::INITIALIZE),
        mcp::post(&mcp::call("get_forecast", r#"{"city":"Oslo"}"#)).bearer("any"),
        host(Request::new("GET", "/mcp")),
        host(Request::new("DELETE", "/mcp")),
        host(Request::new("OPTIONS", "/mcp")),
        host(Request::new("GET", METADATA)),
        host(Request::new("POST", "//x/../mcp")),
    ];
    for request in &requests {
        assert_eq!(envoy.send(request).status, 503, "{request:?}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn an_allowed_request_reaches_the_upstream_as_it_was_checked() {
    let (upstream, authorizer, envoy) = stack(|_| {
        allow(
            &[("x-cedargate-subject", "alice")],
            &["authorization", "x-cedargate-roles", "x.cedargate.scopes"],
        )
    });
    let body = mcp::call("get_forecast", r#"{"city":"Tromsø"}"#);
    let request = mcp::post(&body)
        .bearer("secret")
        .header("x-cedargate-subject", "mallory")
        .header("x-cedargate-roles", "admin")
        .header("x.cedargate.scopes", "all")
        .header("x-twice", "1")
        .header("x-twice", "2");
    let answer = envoy.send(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["result"]["content"][0]["text"],
        "Sunny in Tromsø"
    );

    let checks = authorizer.checks();
    let check = http(&checks[0]);
    assert_eq!(checks.len(), 1);
    assert_eq!(check.raw_body, body.as_bytes());
    assert!(check.headers.is_empty(), "headers come one by one");
    let lines = check.header_map.as_ref().map(|map| &map.headers);
    let twice = lines
        .into_iter()
        .flatten()
        .filter(|line| line.key == "x-twice");
    assert_eq!(twice.count(), 2);
    let attributes = checks[0].attributes.as_ref().expect("attributes");
    assert_eq!(attributes.context_extensions["resource"], "weather");

    let seen = &upstream.requests()[0];
    assert_eq!(seen.path, "/mcp");
    assert_eq!(
        seen.header("host"),
        [format!("127.0.0.1:{}", upstream.port())]
    );
    assert_eq!(seen.header("x-cedargate-subject"), ["alice"]);
    for gone in ["authorization", "x-cedargate-roles", "x.cedargate.scopes"] {
        assert!(seen.header(gone).is_empty(), "{gone}");
    }
    let line = envoy.access_log(|line| line["path"] == "/mcp");
    assert_eq!(line["decision_id"], "d-1");
    assert_eq!(line["reason"], "allowed");
    assert!(!line.to_string().contains("secret"));
}

#[test]
fn a_decision_cannot_change_where_a_request_goes() {
    let cases = [
        ":path",
        ":method",
        "host",
        "x-forwarded-for",
        "x-envoy-internal",
        "cookie",
    ];
    for header in cases {
        let (upstream, _authorizer, envoy) = stack(move |_| allow(&[(header, "/other")], &[]));
        let answer = envoy.send(&mcp::post(mcp::INITIALIZE));
        assert_eq!(answer.status, 500, "{header}");
        assert!(upstream.requests().is_empty(), "{header}");
    }
}

#[test]
fn a_key_is_taken_away_where_the_configuration_allows_it_and_else_nothing_passes() {
    for (header, status) in [("x-api-key", 200), ("x-team-key", 500)] {
        let (upstream, _authorizer, envoy) = stack(move |_| allow(&[], &[header]));
        let request = mcp::post(mcp::INITIALIZE).header(header, "secret");
        assert_eq!(envoy.send(&request).status, status, "{header}");
        let mut seen = upstream.requests().into_iter();
        assert!(seen.all(|seen| seen.header(header).is_empty()), "{header}");
    }
}

#[test]
fn what_has_two_readings_is_refused_or_checked_as_the_upstream_sees_it() {
    let (upstream, authorizer, envoy) = stack(|_| allow(&[], &[]));
    let host = |path: &str| Request::new("POST", path).header("host", "mcp.example.com");
    for path in ["/mcp%2f", "/x%5c..%5cmcp", "/x/..%2fmcp", "/%2e%2e%2fmcp"] {
        assert_eq!(envoy.send(&host(path)).status, 400, "{path}");
    }
    let spoof = host("/mcp").header("x_cedargate_subject", "mallory");
    assert_eq!(envoy.send(&spoof).status, 400);
    let large = host("/mcp").body(vec![b' '; 1_048_577]);
    assert_eq!(envoy.send(&large).status, 413);
    assert!(authorizer.checks().is_empty() && upstream.requests().is_empty());
    let largest = host("/mcp").body(vec![b' '; 1_048_576]);
    envoy.send(&largest);
    let check = authorizer.checks().pop().expect("a check");
    assert_eq!(http(&check).raw_body.len(), 1_048_576);
    for path in ["/x/../mcp", "//mcp", "/x/%2e%2e/mcp", "/./mcp"] {
        envoy.send(&host(path));
        let check = authorizer.checks().pop().expect("a check");
        assert_eq!(http(&check).path, "/mcp", "{path}");
    }
    assert!(upstream.requests().iter().all(|seen| seen.path == "/mcp"));
}

#[test]
fn what_has_no_route_is_answered_by_envoy_alone() {
    let (upstream, authorizer, envoy) = stack(|_| allow(&[], &[]));
    let cases = [
        ("evil.example", "/mcp"),
        ("127.0.0.1", "/mcp"),
        ("mcp.example.com", "/MCP"),
    ];
    for (host, path) in cases {
        let request = Request::new("POST", path).header("host", host);
        assert_eq!(envoy.send(&request).status, 404, "{host}{path}");
    }
    assert!(authorizer.checks().is_empty() && upstream.requests().is_empty());
    let with_port = Request::new("POST", "/mcp").header("host", "mcp.example.com:443");
    envoy.send(&with_port);
    assert_eq!(authorizer.checks().len(), 1);
}

#[test]
fn the_resource_metadata_comes_from_the_check() {
    let (upstream, _authorizer, envoy) = stack(|_| deny(200, "{}", &[]));
    let request = Request::new("GET", METADATA).header("host", "mcp.example.com");
    let answer = envoy.send(&request);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert!(upstream.requests().is_empty());
}

/// The listener of the README, in the shipped configuration.
#[test]
fn a_client_certificate_comes_with_the_check_and_nothing_that_the_client_says_of_one() {
    let xfcc = "x-forwarded-client-cert";
    let upstream = McpServer::start();
    let authorizer = ScriptedAuthorizer::start(|_| allow(&[], &[]));
    let config = EnvoyConfig::shipped(upstream.port(), authorizer.port());
    let front = config.front();
    let config = config.replace("    filter_chains:\n    - filters:\n", &tls_listener());
    let envoy = Envoy::start(&config);
    envoy.wait_for_authorizer(true);

    let request = mcp::post(mcp::INITIALIZE).header(xfcc, "URI=spiffe://example.org/root");
    let answer = tls::send(&request, front, true).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let check = authorizer.checks().pop().expect("a check");
    let source = check.attributes.as_ref().and_then(|all| all.source.clone());
    let source = source.expect("a source");
    assert_eq!(source.principal, "spiffe://example.org/agent");
    let lines = http(&check).header_map.expect("headers").headers;
    assert!(lines.iter().all(|line| line.key != xfcc));
    assert!(upstream.requests()[0].header(xfcc).is_empty());

    let incoming = cedargate::request::envoy::read(check, &read_options());
    let certificate = incoming.expect("readable").presented.certificate;
    let certificate = certificate.expect("a certificate");
    assert_eq!(
        certificate.principal.as_deref(),
        Some("spiffe://example.org/agent")
    );
    let der = tls::client_certificate();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    assert_eq!(
        certificate.sha256.as_ref().map(<[u8; 32]>::as_slice),
        Some(hash.as_ref())
    );

    let refused = tls::send(&request, front, false);
    assert!(
        refused.is_err(),
        "no certificate, no connection: {refused:?}"
    );
    assert_eq!(authorizer.checks().len(), 1);
}

/// The block of the README, with the files of the tests.
fn tls_listener() -> String {
    let readme = include_str!("../deploy/envoy/README.md");
    let block = readme
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let mut text = block.unwrap_or_default().to_owned();
    for (shipped, ours) in [
        ("/etc/envoy/server.pem", "server.pem"),
        ("/etc/envoy/server.key", "server.key"),
        ("/etc/envoy/clients-ca.pem", "ca.pem"),
    ] {
        assert!(text.contains(shipped), "no `{shipped}` in the README");
        text = text.replace(shipped, &tls::fixture(ours).display().to_string());
    }
    text
}

fn read_options() -> ReadOptions {
    ReadOptions {
        client_ip: ClientIp::Peer,
        trusted_peers: Vec::new(),
        identity_prefix: "x-cedargate-".to_owned(),
        body_limit: 1_048_576,
        key_headers: Vec::new(),
        xfcc_peers: Vec::new(),
    }
}

/// The real client finds its way from nothing but a URL, through the front listener.
#[test]
fn a_client_finds_out_how_to_log_in() {
    let stack = Stack::start();
    let (url, metadata_url) = (stack.resource_url(), stack.metadata_url());
    let servers = [stack.issuer.issuer()];
    let metadata = serde_json::json!({"resource": url, "authorization_servers": servers});
    let authorizer = ScriptedAuthorizer::start(move |check| {
        let request = http(check);
        let lines = request.header_map.iter().flat_map(|map| &map.headers);
        if request.path == METADATA {
            deny(
                200,
                &metadata.to_string(),
                &[("content-type", "application/json")],
            )
        } else if lines.into_iter().any(|line| line.key == "authorization") {
            allow(&[], &["authorization"])
        } else {
            let challenge = format!("Bearer resource_metadata=\"{metadata_url}\"");
            deny(401, "{}", &[("www-authenticate", &challenge)])
        }
    });
    let _envoy = stack.open(authorizer.port());
    let outcome = mcp::run_client(&url, &["--client-id", "svc-admin"]);
    assert!(outcome.ok, "{outcome:?}");
    assert_eq!(outcome.text, "Sunny in Oslo");
    assert_eq!(outcome.requests[0].2, 401);
    assert_eq!(stack.issuer.hits("token"), 1);
}

fn stack(
    answer: impl Fn(&CheckRequest) -> CheckResponse + Send + Sync + 'static,
) -> (McpServer, ScriptedAuthorizer, Envoy) {
    let upstream = McpServer::start();
    let authorizer = ScriptedAuthorizer::start(answer);
    let envoy = Envoy::start(&EnvoyConfig::shipped(upstream.port(), authorizer.port()));
    envoy.wait_for_authorizer(true);
    (upstream, authorizer, envoy)
}

fn http(check: &CheckRequest) -> HttpRequest {
    let request = check
        .attributes
        .as_ref()
        .and_then(|all| all.request.as_ref());
    request
        .and_then(|request| request.http.clone())
        .unwrap_or_default()
}

fn allow(set: &[(&str, &str)], remove: &[&str]) -> CheckResponse {
    let response = OkHttpResponse {
        headers: headers(set),
        headers_to_remove: remove.iter().map(ToString::to_string).collect(),
        ..OkHttpResponse::default()
    };
    check_response(0, "allowed", HttpResponse::OkResponse(response))
}

fn deny(status: i32, body: &str, set: &[(&str, &str)]) -> CheckResponse {
    let response = DeniedHttpResponse {
        status: Some(HttpStatus { code: status }),
        headers: headers(set),
        body: body.to_owned(),
    };
    check_response(7, "denied", HttpResponse::DeniedResponse(response))
}

fn check_response(code: i32, reason: &str, response: HttpResponse) -> CheckResponse {
    let text = |value: &str| Value {
        kind: Some(Kind::StringValue(value.to_owned())),
    };
    let facts = [("decision_id", "d-1"), ("reason", reason)];
    CheckResponse {
        status: Some(Status {
            code,
            ..Status::default()
        }),
        dynamic_metadata: Some(Struct {
            fields: facts
                .map(|(name, value)| (name.to_owned(), text(value)))
                .into(),
        }),
        http_response: Some(response),
    }
}

fn headers(set: &[(&str, &str)]) -> Vec<HeaderValueOption> {
    let option = |(name, value): &(&str, &str)| HeaderValueOption {
        header: Some(HeaderValue {
            key: (*name).to_owned(),
            value: (*value).to_owned(),
            ..HeaderValue::default()
        }),
        append_action: 2, // OVERWRITE_IF_EXISTS_OR_ADD
        ..HeaderValueOption::default()
    };
    set.iter().map(option).collect()
}
