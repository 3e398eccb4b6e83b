//! What each side of the sidecar sees on the wire: every reason over gRPC and HTTP, hostile messages,
//! and the listeners beside the checks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what does not hold fails the test"
)]

mod support;

use std::sync::OnceLock;

use cedargate::proto::envoy::config::core::v3::HeaderMap;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::service::auth::v3::AttributeContext;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::CheckResponse;
use cedargate::proto::envoy::service::auth::v3::DeniedHttpResponse;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Request as Asked;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use cedargate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use http_body_util::BodyExt;
use prost::Message;
use serde_json::Value;
use serde_json::json;
use support::http::Request;
use support::mcp;
use support::sidecar::Sidecar;
use support::tokens;
use support::tokens::Key;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const RESOURCE: &str = "https://mcp.example.com/mcp";

struct World {
    key: Key,
    sidecar: Sidecar,
    runtime: tokio::runtime::Runtime,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}- {{name: strangers, type: anonymous}}\n\
             resources:\n\
             - name: weather\n  url: {RESOURCE}\n  kind: mcp\n  authenticators: [corp]\n  \
             mcp: {{allowed_origins: [\"https://app.example\"]}}\n\
             - name: open\n  url: https://mcp.example.com/open\n  kind: mcp\n  \
             authenticators: [corp, strangers]\n\
             - name: site\n  url: https://www.example.com\n  kind: http\n  \
             routes: [{{name: health, path: /health}}]\n\
             policies: {{dir: policies}}\n",
            key.authenticator()
        );
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        World {
            key,
            sidecar: Sidecar::start(&config),
            runtime,
        }
    })
}

impl World {
    fn token(&self, claims: &Value) -> String {
        self.key.token(RESOURCE, claims)
    }

    fn channel(&self) -> Channel {
        let url = format!("http://127.0.0.1:{}", self.sidecar.grpc);
        let endpoint = tonic::transport::Endpoint::from_shared(url).expect("a URL");
        self.runtime
            .block_on(endpoint.connect())
            .expect("the sidecar listens")
    }

    fn check(&self, request: CheckRequest) -> CheckResponse {
        let mut client = AuthorizationClient::new(self.channel());
        let answer = self.runtime.block_on(client.check(request));
        answer.expect("a check is never an RPC error").into_inner()
    }
}

/// A request in parts, to be asked in either dialect.
#[derive(Clone)]
struct Ask {
    method: &'static str,
    host: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    fn post(body: &str) -> Self {
        Self {
            method: "POST",
            host: "mcp.example.com",
            path: "/mcp".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    fn call(tool: &str) -> Self {
        Self::post(&mcp::call(tool, r#"{"city":"Oslo"}"#))
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    fn at(mut self, host: &'static str, path: &str) -> Self {
        self.host = host;
        path.clone_into(&mut self.path);
        self
    }

    fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self.body.clear();
        self.headers.retain(|(name, _)| name != "content-type");
        self
    }

    fn grpc(&self) -> CheckRequest {
        let header = |(key, value): &(String, String)| HeaderValue {
            key: key.clone(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        };
        let http = HttpRequest {
            method: self.method.to_owned(),
            host: self.host.to_owned(),
            path: self.path.clone(),
            scheme: "https".to_owned(),
            size: i64::try_from(self.body.len()).expect("a small body"),
            raw_body: self.body.clone().into(),
            header_map: Some(HeaderMap {
                headers: self.headers.iter().map(header).collect(),
            }),
            ..HttpRequest::default()
        };
        CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Asked { http: Some(http) }),
                ..AttributeContext::default()
            }),
        }
    }

    fn http(&self) -> Request {
        let mut request = Request::new("POST", "/check?ignored=1")
            .header("x-forwarded-method", self.method)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", self.host)
            .header("x-forwarded-uri", &self.path)
            .body(&self.body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }
}

fn denied(answer: CheckResponse) -> (i32, DeniedHttpResponse) {
    let code = answer.status.expect("a status is always set").code;
    match answer.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => (code, denied),
        other => panic!("not a refusal: {code} {other:?}"),
    }
}

fn facts(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).expect("a JSON body");
    body.pointer("/error/data").cloned().unwrap_or(body)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table and what holds of each row")]
fn every_reason_has_its_status_code_and_challenge_on_both_dialects() {
    let world = world();
    let viewer = world.token(&json!({"roles": ["viewer"]}));
    let wrong = world.token(&json!({"aud": "https://other.example"}));
    let huge = "x".repeat(20_000);
    let initialize = Ask::post(mcp::INITIALIZE);
    let cases = [
        ("missing_credential", 401, 16, Ask::call("get_forecast")),
        (
            "missing_credential",
            401,
            16,
            Ask::call("get_forecast").at("mcp.example.com", "/open"),
        ),
        (
            "invalid_credential",
            401,
            16,
            Ask::call("get_forecast").bearer(&wrong),
        ),
        (
            "invalid_credential",
            401,
            16,
            Ask::call("get_forecast").bearer(&huge),
        ),
        (
            "invalid_credential",
            401,
            16,
            initialize.clone().header("authorization", "Basic YTpi"),
        ),
        (
            "insufficient_scope",
            403,
            7,
            Ask::call("set_alert").bearer(&world.token(&json!({}))),
        ),
        (
            "not_permitted",
            403,
            7,
            Ask::call("delete_station").bearer(&viewer),
        ),
        (
            "not_permitted",
            403,
            7,
            initialize.clone().method("PUT").bearer(&viewer),
        ),
        ("malformed_request", 400, 3, Ask::post("{}").bearer(&viewer)),
        (
            "malformed_request",
            400,
            3,
            initialize.clone().at("mcp.example.com", "/x/../mcp"),
        ),
        (
            "malformed_request",
            400,
            3,
            initialize.clone().at("mcp.example.com", "/MCP"),
        ),
        (
            "malformed_request",
            400,
            3,
            initialize.clone().at("mcp.example.com", "/mcp/"),
        ),
        (
            "malformed_request",
            400,
            3,
            initialize.clone().at("mcp.example.com", "/%6dcp"),
        ),
        (
            "malformed_request",
            400,
            3,
            initialize.clone().bearer(&viewer).bearer(&viewer),
        ),
        (
            "header_mismatch",
            400,
            3,
            Ask::call("get_forecast")
                .bearer(&viewer)
                .header("mcp-name", "set_alert"),
        ),
        (
            "unsupported_version",
            400,
            3,
            initialize
                .clone()
                .bearer(&viewer)
                .header("mcp-protocol-version", "2099-01-01"),
        ),
        (
            "origin_not_allowed",
            403,
            7,
            initialize.clone().header("origin", "https://evil.example"),
        ),
        (
            "unknown_resource",
            404,
            5,
            initialize.clone().at("other.example", "/mcp"),
        ),
        (
            "unknown_resource",
            404,
            5,
            initialize.at("mcp.example.com", "/else"),
        ),
    ];
    for (reason, status, code, ask) in cases {
        let shown = format!("{reason} {} {}", ask.method, ask.path);
        let (grpc_code, over_grpc) = denied(world.check(ask.grpc()));
        assert_eq!(
            facts(&over_grpc.body)["error"],
            reason,
            "{shown}: {}",
            over_grpc.body
        );
        assert_eq!(
            over_grpc.status.expect("a status").code,
            i32::from(status),
            "{shown}"
        );
        assert_eq!(grpc_code, code, "{shown}");
        let over_http = ask.http().send(world.sidecar.http).expect("an answer");
        assert_eq!(over_http.status, status, "{shown}: {}", over_http.text());
        assert_eq!(facts(&over_http.text())["error"], reason, "{shown}");
        let challenge = over_http.header("www-authenticate");
        let names: Vec<&str> = over_grpc
            .headers
            .iter()
            .filter_map(|h| h.header.as_ref())
            .map(|h| &*h.key)
            .collect();
        assert_eq!(
            challenge.len(),
            names.iter().filter(|n| **n == "www-authenticate").count()
        );
        assert_eq!(
            status == 401,
            challenge.iter().any(|c| c.contains("resource_metadata="))
                && !challenge.concat().contains("insufficient_scope"),
            "{shown}: {challenge:?}"
        );
        assert!(
            challenge.len() <= 1 && names.contains(&"x-cedargate-decision-id"),
            "{shown}"
        );
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "one entry a name: {names:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table and what holds of each row")]
fn an_allow_sets_every_identity_header_on_both_dialects() {
    let world = world();
    let token =
        world.token(&json!({"roles": ["viewer", "a,b"], "email": "x@y", "department": "f"}));
    let ask = Ask::call("get_forecast")
        .bearer(&token)
        .header("X_Cedargate.Roles", "admin");
    let answer = world.check(ask.grpc());
    assert_eq!(answer.status.as_ref().expect("a status").code, 0);
    let Some(HttpResponse::OkResponse(ok)) = &answer.http_response else {
        panic!("not an allow: {answer:?}")
    };
    for option in &ok.headers {
        let header = option.header.as_ref().expect("a header");
        assert_eq!(
            (option.append, option.append_action),
            (None, 2),
            "overwrite: {header:?}"
        );
        assert!(
            !header.value.is_empty() && header.raw_value.is_empty(),
            "{header:?}"
        );
        assert!(
            !ok.headers_to_remove.contains(&header.key),
            "set and removed: {header:?}"
        );
    }
    let roles = ok.headers.iter().filter_map(|o| o.header.as_ref());
    let roles = roles
        .filter(|h| h.key == "x-cedargate-roles")
        .map(|h| &*h.value);
    assert_eq!(roles.collect::<Vec<_>>(), ["a%2Cb,viewer"]);
    for gone in [
        "authorization",
        "dpop",
        "x_cedargate.roles",
        "x-cedargate-tenant",
    ] {
        assert!(
            ok.headers_to_remove.iter().any(|name| name == gone),
            "{gone}: {ok:?}"
        );
    }
    let metadata = answer.dynamic_metadata.expect("dynamic metadata").fields;
    for name in [
        "decision",
        "decision_id",
        "reason",
        "subject",
        "policies",
        "generation",
    ] {
        assert!(metadata.contains_key(name), "{name}");
    }

    let over_http = ask.http().send(world.sidecar.http).expect("an answer");
    assert_eq!(over_http.status, 200);
    assert_eq!(over_http.header("x-cedargate-subject"), ["alice"]);
    assert_eq!(over_http.header("x-cedargate-roles"), ["a%2Cb,viewer"]);
    assert_eq!(
        over_http.header("x-cedargate-tenant"),
        [""],
        "the whole set, for gateways that copy"
    );
}

#[test]
fn joined_headers_and_a_body_as_text_are_read_as_well() {
    let world = world();
    let mut request = Ask::call("get_forecast")
        .bearer(&world.token(&json!({"roles": ["viewer"]})))
        .grpc();
    let http = request
        .attributes
        .as_mut()
        .and_then(|a| a.request.as_mut())
        .and_then(|r| r.http.as_mut());
    let http = http.expect("a request");
    let separate = http.header_map.take().expect("headers").headers;
    http.headers = separate
        .into_iter()
        .map(|h| (h.key, String::from_utf8(h.raw_value).expect("text")))
        .collect();
    http.body = String::from_utf8(http.raw_body.to_vec()).expect("text");
    http.raw_body = bytes::Bytes::new();
    assert_eq!(
        world.check(request.clone()).status.expect("a status").code,
        0
    );
    let http = request
        .attributes
        .as_mut()
        .and_then(|a| a.request.as_mut())
        .and_then(|r| r.http.as_mut());
    let bearer = http
        .expect("a request")
        .headers
        .get_mut("authorization")
        .expect("a token");
    *bearer = format!("{bearer},{bearer}");
    let (_, twice) = denied(world.check(request));
    assert_eq!(
        facts(&twice.body)["error"],
        "malformed_request",
        "{}",
        twice.body
    );
}

#[test]
fn whatever_cannot_be_read_is_denied_and_never_an_rpc_error() {
    let world = world();
    let empty = CheckRequest::default();
    let no_request = CheckRequest {
        attributes: Some(AttributeContext::default()),
    };
    let no_http = CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(Asked::default()),
            ..Default::default()
        }),
    };
    for request in [empty, no_request, no_http] {
        let (code, answer) = denied(world.check(request));
        assert_ne!(code, 0);
        assert_eq!(facts(&answer.body)["error"], "malformed_request");
    }
    let good = Ask::post(mcp::INITIALIZE).grpc().encode_to_vec();
    let framed = |flag: u8, length: usize, message: &[u8]| {
        let length = u32::try_from(length).expect("a length").to_be_bytes();
        [&[flag], &length[..], message].concat()
    };
    let cases = [
        ("empty", Vec::new()),
        ("only a flag", vec![0]),
        ("not protobuf", framed(0, 3, b"\xff\xff\xff")),
        ("truncated", framed(0, good.len(), &good[..good.len() / 2])),
        (
            "cut inside",
            framed(0, good.len() / 2, &good[..good.len() / 2]),
        ),
        (
            "two messages",
            [framed(0, good.len(), &good), framed(0, good.len(), &good)].concat(),
        ),
        ("compressed", framed(1, good.len(), &good)),
        ("too large", framed(0, 3 << 20, &vec![0; 3 << 20])),
    ];
    for (what, wire) in cases {
        let (code, answer) = denied(raw(world, wire));
        assert_ne!(code, 0, "{what}");
        assert_eq!(answer.status.expect("a status").code, 400, "{what}");
    }
    let healthy = Ask::call("get_forecast").bearer(&world.token(&json!({"roles": ["viewer"]})));
    assert_eq!(
        world.check(healthy.grpc()).status.expect("a status").code,
        0,
        "it lives on"
    );
}

/// Sends bytes as the message of a `Check`, and reads what comes back as one.
fn raw(world: &World, wire: Vec<u8>) -> CheckResponse {
    let port = world.sidecar.grpc;
    world.runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connects");
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        let request = http::Request::post(format!(
            "http://127.0.0.1:{port}/envoy.service.auth.v3.Authorization/Check"
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(http_body_util::Full::new(bytes::Bytes::from(wire)))
        .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let collected = response.into_body().collect().await.expect("a body");
        let status = collected
            .trailers()
            .and_then(|t| t.get("grpc-status"))
            .cloned();
        assert_eq!(status.expect("a status"), "0");
        CheckResponse::decode(&collected.to_bytes()[5..]).expect("a CheckResponse")
    })
}

#[test]
fn health_answers_for_the_server_and_the_service() {
    let world = world();
    let mut client = HealthClient::new(world.channel());
    for service in ["", "envoy.service.auth.v3.Authorization"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = world
            .runtime
            .block_on(client.check(request))
            .expect("an answer");
        assert_eq!(answer.into_inner().status, 1, "SERVING");
    }
    let request = HealthCheckRequest {
        service: "other".to_owned(),
    };
    assert!(world.runtime.block_on(client.check(request)).is_err());
}

#[test]
fn reflection_lists_the_services() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    let world = world();
    let mut client = ServerReflectionClient::new(world.channel());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let listed = world.runtime.block_on(async {
        let asked = tokio_stream_once(request);
        let mut answers = client
            .server_reflection_info(asked)
            .await
            .expect("a stream")
            .into_inner();
        answers
            .message()
            .await
            .expect("an answer")
            .expect("one answer")
    });
    let text = format!("{listed:?}");
    for service in [
        "envoy.service.auth.v3.Authorization",
        "grpc.health.v1.Health",
    ] {
        assert!(text.contains(service), "{text}");
    }
}

/// A stream of one message.
fn tokio_stream_once<T: Send + 'static>(item: T) -> impl tonic::IntoStreamingRequest<Message = T> {
    tonic::Request::new(tonic::codegen::tokio_stream::once(item))
}

#[test]
fn the_metadata_is_public_and_a_404_where_200_would_mean_allow() {
    let world = world();
    let path = "/.well-known/oauth-protected-resource/mcp";
    let ask = Ask::post("").method("GET").at("mcp.example.com", path);
    let (code, over_grpc) = denied(world.check(ask.grpc()));
    assert_ne!(code, 0);
    assert_eq!(over_grpc.status.expect("a status").code, 200);
    let document: Value = serde_json::from_str(&over_grpc.body).expect("JSON");
    assert_eq!(document["resource"], RESOURCE);
    assert_eq!(document["authorization_servers"], json!([tokens::ISSUER]));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    assert_eq!(
        ask.http()
            .send(world.sidecar.http)
            .expect("an answer")
            .status,
        404
    );
    let public = Request::new("GET", path).header("host", "mcp.example.com");
    let public = public.send(world.sidecar.public).expect("an answer");
    assert_eq!((public.status, public.json()), (200, document));
    assert_eq!(public.header("access-control-allow-origin"), ["*"]);
    let none = Request::new("GET", "/.well-known/oauth-protected-resource/none");
    assert_eq!(
        none.send(world.sidecar.public).expect("an answer").status,
        404
    );
}

#[test]
fn a_preflight_from_a_listed_origin_is_answered() {
    let world = world();
    let ask = |origin| {
        let ask = Ask::post("").method("OPTIONS").header("origin", origin);
        ask.header("access-control-request-method", "POST")
    };
    let (code, answer) = denied(world.check(ask("https://app.example").grpc()));
    assert_ne!(code, 0);
    assert_eq!(answer.status.expect("a status").code, 204);
    let (_, foreign) = denied(world.check(ask("https://evil.example").grpc()));
    assert_eq!(facts(&foreign.body)["error"], "origin_not_allowed");
    let http = ask("https://app.example")
        .http()
        .send(world.sidecar.http)
        .expect("an answer");
    assert_eq!(http.status, 403, "2xx would let it pass");
}

#[test]
fn a_dialect_takes_each_forwarded_header_exactly_once() {
    let world = world();
    let token = world.token(&json!({"roles": ["viewer"]}));
    let whole = Ask::call("get_forecast").bearer(&token).http();
    for header in [
        "x-forwarded-method",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-uri",
    ] {
        let twice = whole
            .clone()
            .header(header, "GET")
            .send(world.sidecar.http)
            .expect("an answer");
        assert_eq!(twice.status, 400, "{header} twice: {}", twice.text());
    }
    let bare = Request::new("GET", "/check")
        .send(world.sidecar.http)
        .expect("an answer");
    assert_eq!(bare.status, 400);
    let other = Request::new("GET", "/checks")
        .send(world.sidecar.http)
        .expect("an answer");
    assert_eq!(other.status, 404);
    let bodiless = Ask::call("get_forecast").bearer(&token).http().body("");
    let bodiless = bodiless.send(world.sidecar.http).expect("an answer");
    assert_eq!(
        bodiless.status, 400,
        "a call that cannot be seen is not allowed"
    );
}

#[test]
fn the_admin_listener_tells_what_runs() {
    let world = world();
    world.check(Ask::call("get_forecast").grpc());
    let metrics = world.sidecar.ask_admin("/metrics");
    assert!(metrics.header("content-type")[0].starts_with("application/openmetrics-text"));
    let text = metrics.text();
    assert!(text.contains("reason=\"missing_credential\""), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let status = world.sidecar.status();
    assert_eq!(status["ready"], true);
    assert_eq!(status["policies"]["generation"], 1);
    assert_eq!(status["authenticators"][0]["keys"], 1);
    let rebound = Request::new("GET", "/v1/status").header("host", "evil.example");
    assert_eq!(
        rebound.send(world.sidecar.admin).expect("an answer").status,
        403
    );
    assert_eq!(world.sidecar.ask_admin("/livez").status, 200);
    assert_eq!(world.sidecar.ask_admin("/nothing").status, 404);
}

#[test]
fn no_token_is_ever_printed() {
    let world = world();
    let tokens = [
        world.token(&json!({"roles": ["viewer"]})),
        world.token(&json!({"exp": 1})),
        format!("{}x", world.token(&json!({}))),
    ];
    for token in &tokens {
        world.check(Ask::call("get_forecast").bearer(token).grpc());
        Ask::call("get_forecast")
            .bearer(token)
            .http()
            .send(world.sidecar.http)
            .expect("an answer");
    }
    world
        .sidecar
        .record(|record| record["reason"] == "invalid_credential");
    let printed = world.sidecar.printed();
    for token in &tokens {
        for part in token.split('.').skip(1) {
            assert!(!printed.contains(part), "a part of a token was printed");
        }
    }
}
