//! Protected resource metadata (RFC 9728): where it is, what it says, and who may read it.

#![expect(
    clippy::expect_used,
    reason = "a sidecar that does not answer fails the test"
)]

mod support;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Verdict;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::http::Request;
use support::http::Response;
use support::mcp::McpServer;
use support::sidecar::Sidecar;
use support::tokens::Key;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// `two.example` has two resources, `slash.example` one with a slash at the end, the others one each.
fn config(key: &Key) -> String {
    format!(
        "authenticators:\n{}\
         - {{name: bound, type: jwt, issuer: \"https://bound.example\", dpop: {{required: true}}, \
            roles: {{prefix: \"b:\"}}, groups: {{prefix: \"b:\"}}, \
            keys: [{{pem: \"{}\", algorithm: ES256}}]}}\n\
         - {{name: keys, type: api_key, header: x-api-key, \
            keys: [{{id: app, secret: 0123456789abcdef0123456789abcdef}}]}}\n\
         resources:\n\
         - {{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp, \
            authenticators: [corp, bound, keys], metadata: {{scopes_supported: [\"weather:read\"], \
            resource_name: Weather, resource_documentation: \"https://docs.example/\", \
            resource_policy_uri: \"https://docs.example/policy\", \
            resource_tos_uri: \"https://docs.example/tos\"}}}}\n\
         - {{name: first, url: \"https://two.example/a\", kind: mcp, authenticators: [bound]}}\n\
         - {{name: second, url: \"https://two.example/b\", kind: mcp, authenticators: [keys]}}\n\
         - {{name: slash, url: \"https://slash.example:8443/mcp/\", kind: mcp, authenticators: [corp]}}\n\
         - {{name: site, url: \"https://site.example\", kind: http, authenticators: [corp]}}\n\
         policies: {{dir: policies, allow_warnings: [unknown-scope]}}\n",
        key.authenticator(),
        key.pem(),
    )
}

fn start() -> Sidecar {
    Sidecar::start(&config(&Key::new()))
}

fn public(sidecar: &Sidecar, method: &str, host: &str, path: &str) -> Response {
    Request::new(method, &format!("{WELL_KNOWN}{path}"))
        .header("host", host)
        .send(sidecar.public)
        .expect("an answer")
}

fn grpc(sidecar: &Sidecar, method: &str, host: &str, path: &str) -> Verdict {
    let ask = Ask::bare(method).at(host, &format!("{WELL_KNOWN}{path}"));
    sidecar.asker().grpc(&ask)
}

/// Host, path, and the resource whose document is there.
const PLACES: &[(&str, &str, Option<&str>)] = &[
    (
        "mcp.example.com",
        "/mcp",
        Some("https://mcp.example.com/mcp"),
    ),
    (
        "MCP.Example.com:443",
        "/mcp",
        Some("https://mcp.example.com/mcp"),
    ),
    // At the root of a host that has one resource, and the resource is still named exactly.
    ("mcp.example.com", "", Some("https://mcp.example.com/mcp")),
    ("mcp.example.com", "/", None),
    ("mcp.example.com", "/other", None),
    ("mcp.example.com", "/MCP", None),
    ("mcp.example.com", "/mcp/", None),
    ("mcp.example.com:8443", "/mcp", None),
    ("evil.example", "/mcp", None),
    ("evil.example", "", None),
    ("two.example", "/a", Some("https://two.example/a")),
    ("two.example", "/b", Some("https://two.example/b")),
    ("two.example", "", None),
    (
        "slash.example:8443",
        "/mcp/",
        Some("https://slash.example:8443/mcp/"),
    ),
    (
        "slash.example:8443",
        "/mcp",
        Some("https://slash.example:8443/mcp/"),
    ),
    (
        "slash.example:8443",
        "",
        Some("https://slash.example:8443/mcp/"),
    ),
    ("slash.example", "/mcp", None),
    ("site.example", "", Some("https://site.example")),
    ("site.example", "/", Some("https://site.example")),
];

#[test]
fn it_is_where_the_configuration_says_and_nowhere_else() {
    let sidecar = start();
    for (host, path, expected) in PLACES {
        let shown = format!("{host}{WELL_KNOWN}{path}");
        let got = public(&sidecar, "GET", host, path);
        let asked = grpc(&sidecar, "GET", host, path);
        let over_http = Ask::bare("GET").at(host, &format!("{WELL_KNOWN}{path}"));
        let over_http = sidecar.asker().http(&over_http);
        let Some(resource) = expected else {
            assert_eq!(got.status, 404, "{shown}: {}", got.text());
            assert_ne!(asked.status, 200, "{shown}: {}", asked.body);
            continue;
        };
        assert_eq!(got.status, 200, "{shown}");
        assert_eq!(got.json()["resource"], *resource, "{shown}");
        assert_eq!(
            (asked.status, asked.body.as_bytes()),
            (200, &*got.body),
            "{shown}"
        );
        assert_eq!(over_http.status, 404, "{shown}: 200 would mean allow");
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "max-age=300"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(got.header(name), [value], "{shown}");
            assert_eq!(asked.header(name), value, "{shown}");
        }
        let head = public(&sidecar, "HEAD", host, path);
        assert_eq!((head.status, head.body.len()), (200, 0), "{shown}");
        assert_eq!(head.header("content-type"), ["application/json"]);
        assert_eq!(grpc(&sidecar, "HEAD", host, path).status, 200, "{shown}");
    }
}

#[test]
fn it_says_what_the_configuration_says_and_nothing_empty() {
    let sidecar = start();
    let document = |host: &str, path: &str| public(&sidecar, "GET", host, path).json();
    let algorithms = json!([
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"
    ]);
    assert_eq!(
        document("mcp.example.com", "/mcp"),
        json!({
            "resource": "https://mcp.example.com/mcp",
            "authorization_servers": ["https://issuer.example", "https://bound.example"],
            "scopes_supported": ["weather:read"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": algorithms,
            "resource_name": "Weather",
            "resource_documentation": "https://docs.example/",
            "resource_policy_uri": "https://docs.example/policy",
            "resource_tos_uri": "https://docs.example/tos",
        })
    );
    assert_eq!(
        document("two.example", "/a"),
        json!({
            "resource": "https://two.example/a",
            "authorization_servers": ["https://bound.example"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": algorithms,
            "dpop_bound_access_tokens_required": true,
        })
    );
    let keys_only = json!({"resource": "https://two.example/b"});
    assert_eq!(document("two.example", "/b"), keys_only);
}

#[test]
fn any_page_may_ask_for_it() {
    let sidecar = start();
    let expected = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
        ("access-control-allow-headers", "MCP-Protocol-Version"),
    ];
    for path in ["/mcp", ""] {
        let got = public(&sidecar, "OPTIONS", "mcp.example.com", path);
        let asked = Ask::bare("OPTIONS")
            .at("mcp.example.com", &format!("{WELL_KNOWN}{path}"))
            .header("origin", "https://anything.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let over_grpc = sidecar.asker().grpc(&asked);
        assert_eq!((got.status, over_grpc.status), (204, 204), "{path}");
        for (name, value) in expected {
            assert_eq!(got.header(name), [value]);
            assert_eq!(over_grpc.header(name), value);
        }
        let over_http = sidecar.asker().http(&asked);
        assert_eq!(over_http.status, 404, "2xx would mean allow");
    }
    assert_eq!(
        public(&sidecar, "OPTIONS", "mcp.example.com", "/x").status,
        405
    );
    let posted = public(&sidecar, "POST", "mcp.example.com", "/mcp");
    assert_eq!(posted.status, 405);
    assert_eq!(posted.header("allow"), ["GET, HEAD, OPTIONS"]);
    let posted = grpc(&sidecar, "POST", "mcp.example.com", "/mcp");
    assert_eq!(posted.reason, "unknown_resource");
}

#[test]
fn the_host_is_never_echoed_nor_guessed() {
    let sidecar = start();
    let target = format!("http://mcp.example.com{WELL_KNOWN}/mcp");
    let absolute = Request::new("GET", &target).header("host", "evil.example");
    let answer = absolute.send(sidecar.public).expect("an answer");
    assert_eq!(answer.status, 200, "the target's host counts");
    assert!(!answer.text().contains("evil"));
    let two = Request::new("GET", &format!("{WELL_KNOWN}/mcp"))
        .header("host", "mcp.example.com")
        .header("host", "mcp.example.com");
    let answer = two.send(sidecar.public).expect("an answer");
    assert_ne!(answer.status, 200);
}

#[test]
fn a_real_envoy_passes_both_on() {
    let sidecar = start();
    let upstream = McpServer::start();
    let envoy = Envoy::start(&EnvoyConfig::shipped(upstream.port(), sidecar.grpc));
    envoy.wait_for_authorizer(true);
    let ask = |method: &str, path: &str| {
        let request = Request::new(method, path).header("host", "mcp.example.com");
        envoy.send(&request.header("origin", "https://app.example"))
    };
    for path in [format!("{WELL_KNOWN}/mcp"), WELL_KNOWN.to_owned()] {
        let answer = ask("GET", &path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["resource"], "https://mcp.example.com/mcp");
        assert_eq!(answer.header("access-control-allow-origin"), ["*"]);
        let preflight = ask("OPTIONS", &path);
        assert_eq!(preflight.status, 204, "{}", preflight.text());
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            ["MCP-Protocol-Version"]
        );
        assert_eq!(ask("HEAD", &path).status, 200);
    }
    // One issuer's tokens need proofs, and the line says so after the other scheme.
    let refused = ask("GET", "/mcp");
    assert_eq!(refused.status, 403, "an origin that is not listed");
    let refused = Request::new("GET", "/mcp").header("host", "mcp.example.com");
    let refused = envoy.send(&refused);
    let lines = refused.header("www-authenticate");
    let [line] = *lines else {
        panic!("one line: {lines:?}");
    };
    assert!(line.starts_with("Bearer resource_metadata=\"https://mcp.example.com/"));
    assert!(line.contains("\", DPoP algs=\"RS256 "), "{line}");
    let document: Value = ask("GET", &format!("{WELL_KNOWN}/mcp")).json();
    assert_eq!(document["dpop_bound_access_tokens_required"], Value::Null);
    assert!(
        upstream.requests().is_empty(),
        "it is answered in its place"
    );
}
