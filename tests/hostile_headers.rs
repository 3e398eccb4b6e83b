//! Headers and methods with two readings: none of them reaches another decision, or the upstream as
//! an identity.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use serde_json::json;
use support::ask::Ask;
use support::ask::HOST;
use support::mcp;
use support::scene::paths::RESOURCE;
use support::scene::paths::World;
use support::scene::paths::world;

impl World {
    /// Asks with a check that a test has bent.
    fn bent(&self, ask: &Ask, bend: impl FnOnce(&mut HttpRequest)) -> String {
        let mut request = ask.grpc();
        bend(http(&mut request));
        self.asker.check(request).reason
    }
}

fn http(request: &mut CheckRequest) -> &mut HttpRequest {
    let attributes = request.attributes.as_mut().expect("attributes");
    let asked = attributes.request.as_mut().expect("a request");
    asked.http.as_mut().expect("its head")
}

fn header(key: &str, raw_value: &[u8]) -> HeaderValue {
    HeaderValue {
        key: key.to_owned(),
        value: String::new(),
        raw_value: raw_value.to_vec(),
    }
}

#[test]
fn places_that_must_agree_do() {
    let world = world();
    let with = |name: &str, value: &str| world.reason(&world.call().header(name, value));
    for (name, value) in [
        (":path", "/mcp"),
        (":method", "POST"),
        (":authority", "MCP.example.com:443"),
        (":scheme", "https"),
        ("host", "mcp.example.com"),
    ] {
        assert_eq!(with(name, value), "allowed", "{name}");
    }
    for (name, value) in [
        (":path", "/about"),
        (":path", "/mcp?x"),
        (":path", "/mcp/"),
        (":path", ""),
        (":method", "GET"),
        (":method", "post"),
        (":authority", "evil.example"),
        (":authority", ""),
        (":scheme", "http"),
        ("host", "evil.example"),
        ("Host", "evil.example"),
        ("host", "mcp.example.com:8443"),
        ("host", "mcp.example.com\0"),
        ("connection", "x-cedargate-subject"),
        ("Connection", "close, X_Cedargate_Roles"),
        ("connection", "keep-alive,x.cedargate.tenant"),
        ("content-length", "1"),
        ("content-length", "+1"),
        ("content-length", "1, 1"),
        ("content-length", "x"),
        ("content-length", ""),
        ("content-length", "99999999999999999999"),
        ("x-envoy-auth-partial-body", "true"),
        ("x-envoy-auth-partial-body", "True"),
        ("x-envoy-auth-partial-body", ""),
        ("mcp-session-id", "a b\u{e9}"),
    ] {
        assert_eq!(with(name, value), "malformed_request", "{name}: {value}");
    }
    assert_eq!(with("x-envoy-auth-partial-body", "false"), "allowed");
    for name in [
        "authorization",
        "Authorization",
        "mcp-session-id",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "origin",
        "host",
        "content-length",
        ":authority",
    ] {
        let value = match name {
            "host" | ":authority" => HOST,
            "origin" => "https://app.example",
            "mcp-protocol-version" => "2025-06-18",
            "content-length" => "0",
            _ => "a",
        };
        let twice = world.call().header(name, value).header(name, value);
        assert_eq!(world.reason(&twice), "malformed_request", "{name} twice");
    }
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-encoding", "identity"),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
    ] {
        let twice = world.call().header(name, value).header(name, value);
        assert_eq!(world.reason(&twice), "malformed_request", "{name} twice");
    }
    let token = world.key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    let joined = world.bent(&Ask::call("get_forecast"), |http| {
        http.header_map = None;
        http.headers = [
            ("content-type".to_owned(), "application/json".to_owned()),
            (
                "authorization".to_owned(),
                format!("Bearer {token},Bearer {token}"),
            ),
        ]
        .into();
    });
    assert_eq!(joined, "malformed_request");
    let both = world.bent(&world.call(), |http| {
        http.headers
            .insert("authorization".to_owned(), format!("Bearer {token}"));
    });
    assert_eq!(both, "malformed_request", "two sets of headers");
    let cased = world
        .call()
        .header("AUTHORIZATION", format!("Bearer {token}"));
    assert_eq!(world.reason(&cased), "malformed_request");
}

#[test]
fn bytes_that_are_no_text_are_no_credential_and_no_crash() {
    let world = world();
    for name in [
        "authorization",
        "mcp-session-id",
        "mcp-name",
        "mcp-method",
        "mcp-protocol-version",
        "origin",
        "content-type",
        "content-encoding",
        "content-length",
        "host",
        "x-request-id",
        "traceparent",
        "x-forwarded-for",
        "cookie",
        "x-other",
        "x-cedargate-subject",
        "connection",
    ] {
        for value in [
            &b"\xff\xfe"[..],
            b"\0",
            b"a\nb",
            b"a\r\nx: y",
            b"\x7f",
            b"\xc3\x28",
            b"\xed\xa0\x80",
            b"!",
        ] {
            let ask = world.call().without(name);
            let reason = world.bent(&ask, |http| {
                http.header_map
                    .as_mut()
                    .expect("headers")
                    .headers
                    .push(header(name, value));
            });
            let harmless = matches!(
                name,
                "x-request-id"
                    | "traceparent"
                    | "x-forwarded-for"
                    | "cookie"
                    | "x-other"
                    | "x-cedargate-subject"
                    | "connection"
            );
            assert_eq!(
                reason == "allowed",
                harmless || (name == "mcp-session-id" && value == b"!"),
                "{name}: {value:?} {reason}"
            );
        }
    }
    for name in [
        "",
        "\0",
        "a b",
        "\u{e9}",
        ":",
        ":x",
        "x\n",
        &"n".repeat(70_000),
    ] {
        let reason = world.bent(&world.call(), |http| {
            http.header_map
                .as_mut()
                .expect("headers")
                .headers
                .push(header(name, b"v"));
        });
        assert_eq!(
            reason,
            "allowed",
            "{:?}: a name that nothing reads",
            name.chars().take(8).collect::<String>()
        );
    }
    let many = world.bent(&world.call(), |http| {
        let headers = &mut http.header_map.as_mut().expect("headers").headers;
        headers.extend((0..300).map(|n| header(&format!("x-{n}"), b"v")));
    });
    assert_eq!(many, "malformed_request");
}

#[test]
fn every_spelling_of_an_identity_header_is_taken_away() {
    let world = world();
    let spellings = [
        "x-cedargate-subject",
        "X-Cedargate-Subject",
        "X-CEDARGATE-SUBJECT",
        "x_cedargate_subject",
        "X_CEDARGATE_SUBJECT",
        "x.cedargate.subject",
        "x-cedargate_subject",
        "x_cedargate-subject",
        "x-cedargate.subject",
        "x.cedargate-subject",
        "X.Cedargate_Subject",
        "x-cedargate-roles",
        "x_cedargate_roles",
        "x-cedargate.roles",
        "X-Cedargate_Roles",
        "x-cedargate-scopes",
        "x_cedargate_scopes",
        "x-cedargate-tenant",
        "x_cedargate.tenant",
        "x-cedargate-client-id",
        "x_cedargate_client_id",
        "x-cedargate-client_id",
        "x-cedargate-issuer",
        "x_cedargate_issuer",
        "x-cedargate-email",
        "x-cedargate-anything",
        "x-cedargate-",
        "x-cedargate-decision-id",
        "x~cedargate~roles",
        "x!cedargate!roles",
        "x-cedargate+roles",
        "x*cedargate'roles",
        "x|cedargate`roles",
        "x#cedargate$roles",
        "x-cedargate-subject-",
        "x--cedargate",
        "authorization",
        "Authorization",
        "dpop",
        "DPoP",
    ];
    let is_spoof =
        |name: &&str| !name.eq_ignore_ascii_case("authorization") && *name != "x--cedargate";
    let (spoofs, others): (Vec<&str>, Vec<&str>) = spellings.into_iter().partition(is_spoof);
    let mut ask = world.call();
    for name in &spoofs {
        ask = ask.header(name, "admin");
    }
    let verdict = world.asker.grpc(&ask);
    let ok = verdict.ok.expect("an allow");
    let set: Vec<&str> = ok
        .headers
        .iter()
        .filter_map(|option| option.header.as_ref())
        .map(|h| &*h.key)
        .collect();
    for name in spoofs.iter().chain(&others) {
        let name = name.to_ascii_lowercase();
        let gone = ok.headers_to_remove.contains(&name);
        let ours = set.contains(&name.as_str());
        assert!(
            (gone != ours) || name == "x--cedargate",
            "{name}: removed {gone}, set {ours}"
        );
    }
    for option in &ok.headers {
        let value = &option.header.as_ref().expect("a header").value;
        assert!(!value.contains("admin"), "{option:?}");
    }
    let stranger = Ask::post(mcp::INITIALIZE)
        .at("open.example.com", "/mcp")
        .header("x_cedargate_subject", "root")
        .header("x-cedargate-subject", "root");
    let ok = world
        .asker
        .grpc(&stranger)
        .ok
        .expect("an allow for a stranger");
    assert!(ok.headers.is_empty(), "a stranger has no identity: {ok:?}");
    for name in [
        "x_cedargate_subject",
        "x-cedargate-subject",
        "x-cedargate-roles",
        "authorization",
    ] {
        assert!(
            ok.headers_to_remove.iter().any(|gone| gone == name),
            "{name}"
        );
    }
    let answer = stranger.http().send(world.sidecar.http).expect("an answer");
    assert_eq!(
        (answer.status, answer.header("x-cedargate-subject")),
        (200, vec![""])
    );
}

#[test]
fn the_method_is_the_method() {
    let world = world();
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "_method",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-original-path",
        "x-forwarded-uri",
        "x-forwarded-path",
        "x-original-host",
        "x-forwarded-host",
        "forwarded",
        "x-forwarded-prefix",
    ] {
        // Over HTTP some of them are the question itself; they must not be over gRPC.
        assert_eq!(
            world.reason(&world.call().header(name, "DELETE")),
            "allowed",
            "{name}"
        );
        let put = Ask::bare("PUT")
            .at(HOST, "/mcp")
            .bearer(&world.key.token(RESOURCE, &json!({"roles": ["admin"]})));
        assert_eq!(
            world.reason(&put.header(name, "POST")),
            "not_permitted",
            "{name}"
        );
    }
    for method in [
        "PUT", "PATCH", "HEAD", "TRACE", "CONNECT", "PROPFIND", "PRI", "M-SEARCH", "OPTIONS",
    ] {
        let mut ask = world.call();
        method.clone_into(&mut ask.method);
        assert_eq!(world.reason(&ask), "not_permitted", "{method}");
    }
    for method in [
        "",
        "post",
        "Post",
        "POST ",
        " POST",
        "PO ST",
        "POST\r\n",
        "POST\0",
        "P\u{d6}ST",
        "POST,GET",
        "GET1",
        &"A".repeat(33),
    ] {
        let mut ask = world.call();
        method.clone_into(&mut ask.method);
        assert_eq!(world.reason(&ask), "malformed_request", "{method:?}");
    }
    let connect = |path: &str| {
        let mut ask = Ask::bare("CONNECT").at("mcp.example.com:443", path);
        ask.scheme.clear();
        world.reason(&ask)
    };
    assert_eq!(connect(""), "malformed_request");
    assert_eq!(connect("mcp.example.com:443"), "malformed_request");
    assert_eq!(connect("/about"), "not_permitted");
    for scheme in ["ftp", "javascript", "https ", "http,https", "\0"] {
        let mut ask = world.call();
        scheme.clone_into(&mut ask.scheme);
        assert_eq!(world.reason(&ask), "malformed_request", "{scheme:?}");
    }
    for (name, reason) in [
        ("weather", "allowed"),
        ("nothing", "unknown_resource"),
        ("", "unknown_resource"),
        ("weather ", "unknown_resource"),
        ("site\0", "unknown_resource"),
    ] {
        let mut ask = world.call();
        ask.resource = Some(name.to_owned());
        assert_eq!(world.reason(&ask), reason, "{name:?}");
    }
}
