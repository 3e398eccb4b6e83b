//! Decisions on what Envoy's own MCP filter says of a message: honest calls pass, and whatever a client
//! hides from the filter runs no tool that was not decided.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a broken scene fails the test, and the message says why"
)]

mod support;

use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::authorization_server::AuthorizationServer;
use support::envoy;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::http;
use support::http::Request;
use support::http::Response;
use support::mcp;
use support::mcp::McpServer;
use support::port;
use support::sidecar::Sidecar;
use support::tokens::Key;

/// What is shipped for this.
const SHIPPED: &str = include_str!("../deploy/envoy/mcp-filter/envoy.yaml");

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A policy that looks at arguments, on a tool of its own.
const ALERTS: &str = r#"
@id("alerts-in-oslo") @allow("unknown-role, unknown-argument")
permit (principal in Mcp::Role::"reporter", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/set_alert")
unless { context.args.hasTag("region") };
@id("alerts-without-arguments") @allow("unknown-role")
permit (principal in Mcp::Role::"operator", action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/set_alert");
"#;

/// Envoy with the filter, cedargate, and a real server behind them.
struct Scene {
    key: Key,
    upstream: McpServer,
    sidecar: Sidecar,
    envoy: Envoy,
}

impl Scene {
    /// With the shipped configuration, bent as the test says.
    fn start(bend: impl FnOnce(EnvoyConfig) -> EnvoyConfig) -> Self {
        let key = Key::new();
        let upstream = McpServer::start();
        let config = format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp, \
             mcp: {{message_from: envoy_metadata}}}}\nlimits: {{deadline: 2s}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::start_with(&config, &[("60-alerts.cedar", ALERTS)]);
        let shipped = EnvoyConfig::of(SHIPPED, upstream.port(), sidecar.grpc);
        let envoy = Envoy::start(&bend(shipped.replace("timeout: 0.25s", "timeout: 3s")));
        envoy.wait_for_authorizer(true);
        Self {
            key,
            upstream,
            sidecar,
            envoy,
        }
    }

    fn token(&self, role: &str) -> String {
        self.key.token(RESOURCE, &json!({"roles": [role]}))
    }

    /// A POST by someone with this role.
    fn post(&self, role: &str, body: impl AsRef<[u8]>) -> Request {
        request(body).bearer(&self.token(role))
    }

    /// What a viewer gets for a body that hides a call of a tool he may not call; and that nothing
    /// reached the server.
    fn refused(&self, what: &str, request: &Request) -> Response {
        let before = self.upstream.requests().len();
        let answer = self.envoy.send(request);
        assert!(
            matches!(answer.status, 400 | 403 | 404),
            "{what}: {}",
            answer.text()
        );
        assert_eq!(self.upstream.requests().len(), before, "{what}");
        answer
    }
}

fn request(body: impl AsRef<[u8]>) -> Request {
    Request::new("POST", "/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

const SAFE: &str = r#"{"name":"get_forecast","arguments":{"city":"Oslo"}}"#;
const DANGER: &str = r#"{"name":"delete_station","arguments":{"id":"x"}}"#;
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn modern(tool: &str) -> String {
    call(&format!(
        r#"{{"name":"{tool}","arguments":{{"city":"Oslo"}},{META}}}"#
    ))
}

fn with_headers(request: Request, version: &str, method: &str, name: &str) -> Request {
    request
        .header("mcp-protocol-version", version)
        .header("mcp-method", method)
        .header("mcp-name", name)
}

#[test]
fn it_is_valid_as_shipped() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/envoy/mcp-filter/envoy.yaml");
    let output = envoy::validate(&file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn it_is_the_shipped_configuration_but_for_the_filter_and_the_body() {
    let lines = |text: &str| -> Vec<String> {
        let (_, rest) = text.split_once("\nadmin:").expect("the first section");
        rest.lines().map(str::to_owned).collect()
    };
    let (plain, filtered) = (lines(envoy::SHIPPED), lines(SHIPPED));
    let gone: Vec<_> = plain
        .iter()
        .filter(|line| !filtered.contains(line))
        .collect();
    let settings = gone
        .iter()
        .filter(|line| !line.trim_start().starts_with('#'));
    let settings: Vec<_> = settings.map(|line| line.trim()).collect();
    assert_eq!(
        settings,
        [
            "with_request_body:",
            "max_request_bytes: 1048576",
            "allow_partial_message: false",
            "pack_as_bytes: true"
        ]
    );
    for setting in [
        "traffic_mode: REJECT_NO_MCP",
        "reject_duplicate_keys: true",
        "early_terminate_when_routable: false",
        "attribute_source: BODY",
        "max_request_body_size: 1048576",
        "metadata_context_namespaces: [envoy.filters.http.mcp]",
    ] {
        assert!(
            filtered.iter().any(|line| line.trim() == setting),
            "{setting}"
        );
    }
}

#[test]
fn honest_messages_are_decided_by_what_the_filter_says_of_them() {
    let scene = Scene::start(|shipped| shipped);
    let send = |role: &str, body: &str| scene.envoy.send(&scene.post(role, body));
    assert_eq!(send("viewer", mcp::INITIALIZE).status, 200);
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(send("viewer", note).status, 202);
    let safe = send("viewer", &call(SAFE));
    assert_eq!(safe.status, 200, "{}", safe.text());
    assert!(safe.text().contains("Sunny in Oslo"));
    let named = call(SAFE).replace("\"id\":1", "\"id\":\"a\"");
    assert_eq!(send("viewer", &named).json()["id"], "a");
    let danger = send("viewer", &call(DANGER));
    assert_eq!(danger.status, 403, "{}", danger.text());
    let body = danger.json();
    assert_eq!(
        body["error"], "not_permitted",
        "no id is taken from a double"
    );
    let id = body["decision_id"].clone();
    let record = scene.sidecar.record(|record| record["decision_id"] == id);
    assert_eq!(record["target"], "Mcp::Tool::\"weather/delete_station\"");
    assert!(send("admin", &call(DANGER)).text().contains("Deleted x"));
    let request = with_headers(
        scene.post("viewer", modern("get_forecast")),
        "2026-07-28",
        "tools/call",
        "get_forecast",
    );
    let answer = scene.envoy.send(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert!(send("viewer", list).text().contains("set_alert"));
    let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"zzz"}"#;
    assert_eq!(send("viewer", unknown).status, 403);
    let stranger = scene.envoy.send(&request_of_nobody());
    assert_eq!(stranger.status, 401);
    let unseen = Request::new("POST", "/.well-known/oauth-protected-resource/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .bearer(&scene.token("admin"))
        .body(call(SAFE));
    scene.refused("where the filter does not look", &unseen);
    let plain = |method: &str| Request::new(method, "/mcp").header("host", "mcp.example.com");
    // Neither has a message; the filter knows them by these headers, and the check answers.
    for (request, status) in [
        (plain("DELETE").header("mcp-session-id", "s"), 401),
        (plain("GET").header("accept", "text/event-stream"), 401),
        (plain("DELETE"), 400),
        (plain("GET"), 400),
        (plain("OPTIONS"), 400),
    ] {
        assert_eq!(scene.envoy.send(&request).status, status, "{request:?}");
    }
}

fn request_of_nobody() -> Request {
    request(call(SAFE))
}

#[test]
fn a_policy_that_looks_at_arguments_denies() {
    let scene = Scene::start(|shipped| shipped);
    // The filter leaves arrays out, so a policy would not find `region` in any of these.
    for arguments in [
        r#"{"city":"Oslo","threshold":30}"#,
        r#"{"city":"Oslo","threshold":30,"region":"north"}"#,
        r#"{"city":"Oslo","threshold":30,"region":["north"]}"#,
    ] {
        let body = call(&format!(
            r#"{{"name":"set_alert","arguments":{arguments}}}"#
        ));
        scene.refused(arguments, &scene.post("reporter", &body));
        let answer = scene.envoy.send(&scene.post("operator", &body));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// What hides a call of `delete_station`, or may: a name, and the request.
fn hostile(scene: &Scene) -> Vec<(&'static str, Request)> {
    let post = |body: &str| scene.post("viewer", body);
    let typed = |kind: &str, body: &str| {
        Request::new("POST", "/mcp")
            .header("host", "mcp.example.com")
            .header("content-type", kind)
            .header("accept", "application/json, text/event-stream")
            .bearer(&scene.token("viewer"))
            .body(body)
    };
    let (safe, danger) = (call(SAFE), call(DANGER));
    let twice = |first: &str, second: &str| call(&format!(r#"{{"name":"{first}",{second}}}"#));
    let mut wrong_bytes = danger.clone().into_bytes();
    wrong_bytes.extend_from_slice(b" \xff");
    let padded = |name: &str| {
        let padding = "x".repeat(1_100_000);
        call(&format!(r#"{{"name":"{name}","pad":"{padding}"}}"#))
    };
    let mut rows = vec![
        ("a batch", post(&format!("[{safe},{danger}]"))),
        ("a batch of one", post(&format!("[{danger}]"))),
        ("no JSON", post("x")),
        ("half of it", post("{\"jsonrpc\":\"2.0\",")),
        (
            "no jsonrpc",
            post(&danger.replace(r#""jsonrpc":"2.0","#, "")),
        ),
        ("jsonrpc 1.0", post(&danger.replace("2.0", "1.0"))),
        (
            "the name twice",
            post(&twice(
                "get_forecast",
                r#""name":"delete_station","arguments":{"id":"x"}"#,
            )),
        ),
        (
            "and the other way round",
            post(&twice(
                "delete_station",
                r#""name":"get_forecast","arguments":{"id":"x"}"#,
            )),
        ),
        (
            "the name twice, escaped",
            post(&twice(
                "get_forecast",
                r#""n\u0061me":"delete_station","arguments":{"id":"x"}"#,
            )),
        ),
        (
            "the method twice",
            post(&danger.replace(r#""id":1,"#, r#""id":1,"method":"ping","#)),
        ),
        (
            "params twice",
            post(&format!(
                r#"{},"params":{DANGER}}}"#,
                safe.trim_end_matches('}').to_owned() + "}}"
            )),
        ),
        ("too long", post(&padded("get_forecast"))),
        ("text/plain", typed("text/plain", &danger)),
        ("text/plain, and harmless", typed("text/plain", &safe)),
        (
            "UTF-7",
            typed(
                "application/json; charset=utf-7",
                &danger.replace("delete", "+AGQ-elete"),
            ),
        ),
        ("a byte order mark", post(&format!("\u{feff}{danger}"))),
        ("two documents", post(&format!("{safe}{danger}"))),
        (
            "a response that is a request",
            post(&danger.replace(r#""id":1,"#, r#""id":1,"result":{},"#)),
        ),
        (
            "a list that is a response",
            post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}"#),
        ),
        (
            "an error that is a request",
            post(&danger.replace(r#""id":1,"#, r#""id":1,"error":{"code":1,"message":""},"#)),
        ),
        ("no name", post(&call("{}"))),
        ("an empty name", post(&call(r#"{"name":""}"#))),
        (
            "a name in a list",
            post(&call(
                r#"{"name":["delete_station"],"arguments":{"id":"x"}}"#,
            )),
        ),
        ("params in a list", post(&call(&format!("[{DANGER}]")))),
        (
            "a null id",
            post(&danger.replace("\"id\":1", "\"id\":null")),
        ),
        ("no id", post(&danger.replace("\"id\":1,", ""))),
        ("bytes that are no UTF-8", scene.post("viewer", wrong_bytes)),
        (
            "half a character",
            post(&call(
                r#"{"name":"delete_station","arguments":{"id":"\ud800"}}"#,
            )),
        ),
        (
            "a subscription",
            post(
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["weather://secret"]}}}"#,
            ),
        ),
        (
            "compressed",
            post(&danger).header("content-encoding", "gzip"),
        ),
    ];
    for (what, version, method, name) in [
        (
            "another name in the header",
            "2026-07-28",
            "tools/call",
            "get_forecast",
        ),
        (
            "another method in the header",
            "2026-07-28",
            "tools/list",
            "delete_station",
        ),
        (
            "the headers of another version",
            "2025-11-25",
            "tools/call",
            "get_forecast",
        ),
    ] {
        let body = if version == "2026-07-28" {
            modern("delete_station")
        } else {
            danger.clone()
        };
        rows.push((what, with_headers(post(&body), version, method, name)));
    }
    rows
}

#[test]
fn what_is_hidden_from_the_filter_runs_no_tool() {
    let scene = Scene::start(|shipped| shipped);
    for (what, request) in hostile(&scene) {
        scene.refused(what, &request);
    }
    // A parser that minds the case runs what was decided; one that does not would run the other.
    let other_case = scene.post(
        "viewer",
        call(r#"{"name":"get_forecast","Name":"delete_station","arguments":{"city":"Oslo"}}"#),
    );
    let answer = scene.envoy.send(&other_case);
    assert!(answer.text().contains("Sunny in Oslo"), "{}", answer.text());
    // A name that comes in a second piece.
    let before = scene.upstream.requests().len();
    let body = call(r#"{"name":"get_forecast","name":"delete_station","arguments":{"id":"x"}}"#);
    let answer = in_two_pieces(&scene, &body, "\"get_forecast\",");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(scene.upstream.requests().len(), before);
}

/// Sends a body in two pieces, cut after a text in it.
fn in_two_pieces(scene: &Scene, body: &str, after: &str) -> Response {
    let wire = scene.post("viewer", body).encode(scene.envoy.port());
    let start = wire.len().saturating_sub(body.len());
    let cut = body
        .find(after)
        .expect("the text is there")
        .saturating_add(after.len());
    let (first, second) = wire.split_at(start.saturating_add(cut));
    let mut stream = TcpStream::connect(("127.0.0.1", scene.envoy.port())).expect("Envoy listens");
    stream.set_nodelay(true).expect("a socket option");
    stream.write_all(first).expect("the first piece");
    thread::sleep(Duration::from_millis(100));
    stream.write_all(second).expect("the second piece");
    http::read_response(&mut BufReader::new(stream)).expect("an answer")
}

/// The filter's defaults forward what it does not understand, and say so.
#[test]
fn what_a_careless_filter_passes_through_is_refused_by_the_check() {
    let scene = Scene::start(|shipped| {
        shipped.replace("traffic_mode: REJECT_NO_MCP", "traffic_mode: PASS_THROUGH")
    });
    let safe = scene.envoy.send(&scene.post("viewer", call(SAFE)));
    assert_eq!(safe.status, 200, "{}", safe.text());
    let mut checked = 0_usize;
    for (what, request) in hostile(&scene) {
        let answer = scene.refused(what, &request);
        let ours = !answer.header("x-cedargate-decision-id").is_empty();
        checked = checked.saturating_add(usize::from(ours));
    }
    assert!(checked > 25, "most of it came to the check: {checked}");
}

#[test]
fn without_the_filter_everything_is_refused_and_the_operator_is_told_why() {
    let scene = Scene::start(|shipped| {
        shipped.replace("metadata_context_namespaces: [envoy.filters.http.mcp]", "")
    });
    let answer = scene.refused("no metadata", &scene.post("admin", call(SAFE)));
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(body["error"], "malformed_request");
    assert_eq!(body["message"], "the proxy does not describe the message");
    let id = body["decision_id"].clone();
    let record = scene.sidecar.record(|record| record["decision_id"] == id);
    let told = record["message"].as_str().unwrap_or_default();
    assert!(told.contains("metadata_context_namespaces"), "{record}");
    let over_http = scene.sidecar.asker();
    let ask = support::ask::Ask::call("get_forecast").bearer(&scene.token("admin"));
    assert_eq!(
        over_http.http(&ask).reason,
        "malformed_request",
        "HTTP has no metadata"
    );
}

#[test]
fn with_the_body_as_well_the_body_counts() {
    let body = "with_request_body: {max_request_bytes: 1048576, pack_as_bytes: true}";
    let scene = Scene::start(|shipped| {
        let namespaces = "metadata_context_namespaces: [envoy.filters.http.mcp]";
        shipped.replace(namespaces, &format!("{namespaces}\n              {body}"))
    });
    let alert = |arguments: &str| {
        call(&format!(
            r#"{{"name":"set_alert","arguments":{arguments}}}"#
        ))
    };
    let send = |body: &str| scene.envoy.send(&scene.post("reporter", body));
    let answer = send(&alert(r#"{"city":"Oslo","threshold":30}"#));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let denied = send(&alert(
        r#"{"city":"Oslo","threshold":30,"region":["north"]}"#,
    ));
    assert_eq!(denied.status, 403, "{}", denied.text());
    assert_eq!(denied.json()["id"], 1, "the body has the id");
    for (what, request) in hostile(&scene) {
        scene.refused(what, &request);
    }
    let other_case = call(r#"{"name":"get_forecast","Name":"delete_station"}"#);
    scene.refused("another case", &scene.post("viewer", other_case));
}

#[test]
fn a_real_client_logs_in_and_calls() {
    let front = port::free();
    let url = format!("http://127.0.0.1:{front}/mcp");
    let issuer = AuthorizationServer::start(&["--resource", &url]);
    let upstream = McpServer::start();
    let config = format!(
        "authenticators:\n- {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true}}\n\
         resources:\n- {{name: weather, url: \"{url}\", kind: mcp, mcp: {{message_from: envoy_metadata}}}}\n\
         limits: {{deadline: 2s}}\n",
        issuer.issuer()
    );
    let sidecar = Sidecar::start(&config);
    let shipped = EnvoyConfig::of(SHIPPED, upstream.port(), sidecar.grpc)
        .replace("timeout: 0.25s", "timeout: 3s");
    let envoy = Envoy::start(&shipped.on_loopback().front_at(front));
    envoy.wait_for_authorizer(true);
    let allowed = mcp::run_client(&url, &["--client-id", "svc-admin", "--list"]);
    assert!(allowed.ok, "{allowed:?}");
    assert_eq!(allowed.text, "Sunny in Oslo");
    let refused = [
        "--client-id",
        "svc-viewer",
        "--tool",
        "delete_station",
        "--arguments",
    ];
    let refused = mcp::run_client(&url, &[&refused[..], &[r#"{"id":"x"}"#]].concat());
    assert!(!refused.ok, "{refused:?}");
    let lines: Vec<Value> = refused.requests.iter().map(|one| json!(one)).collect();
    assert!(lines.iter().any(|line| line[2] == 403), "{lines:?}");
}
