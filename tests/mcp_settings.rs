//! The settings that `docs/mcp.md` adds to the shipped Envoy do what it says of them.

#![expect(
    clippy::expect_used,
    reason = "a broken scene fails the test, and the message says why"
)]

mod support;

use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::http::Request;
use support::http::Response;
use support::mcp;
use support::mcp::McpServer;
use support::sidecar::Sidecar;
use support::tokens::Key;

const GUIDE: &str = include_str!("../docs/mcp.md");
const RESOURCE: &str = "https://mcp.example.com/mcp";
const ORIGIN: &str = "https://app.example";

/// The lines of the guide that belong at this place of `envoy.yaml`.
fn lines(place: &str) -> String {
    let (_, rest) = GUIDE
        .split_once(&format!("```yaml\n# envoy.yaml: in {place}\n"))
        .expect("a block of the guide");
    let (lines, _) = rest.split_once("```").expect("its end");
    lines.to_owned()
}

fn sidecar(key: &Key) -> Sidecar {
    Sidecar::start(&format!(
        "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp, \
         mcp: {{allowed_origins: [\"{ORIGIN}\"]}}}}\nlimits: {{deadline: 2s}}\n",
        key.authenticator()
    ))
}

fn front(upstream: u16, authorizer: u16) -> EnvoyConfig {
    EnvoyConfig::shipped(upstream, authorizer).replace("timeout: 0.25s", "timeout: 3s")
}

/// A server that begins an event stream for whoever connects, and never ends it.
fn endless_stream() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = |mut stream: TcpStream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";
        let begun = stream.write_all(head.as_bytes());
        // Until the other side closes.
        while begun.is_ok() && matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Whether a stream through this Envoy begins, and ends before the patience does.
fn ends(envoy: &Envoy, token: &str, patience: Duration) -> bool {
    let request = Request::new("GET", "/mcp")
        .header("host", "mcp.example.com")
        .header("accept", "text/event-stream")
        .bearer(token);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, envoy.port())).expect("Envoy");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    stream
        .write_all(&request.encode(envoy.port()))
        .expect("it is sent");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{ended:?}");
    !ended.is_err_and(|error| {
        use std::io::ErrorKind;
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    })
}

#[test]
fn a_stream_ends_when_the_route_says() {
    let key = Key::new();
    let sidecar = sidecar(&key);
    let upstream = endless_stream();
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    let lines = lines("`route`");
    assert!(lines.contains("600s"), "{lines}");
    let route = "                  cluster: weather\n";
    let added = format!("{route}{}", lines.replace("600s", "2s"));
    let limited = front(upstream, sidecar.grpc).replace(route, &added);
    let limited = Envoy::start(&limited);
    limited.wait_for_authorizer(true);
    assert!(ends(&limited, &token, Duration::from_secs(15)));
    let shipped = Envoy::start(&front(upstream, sidecar.grpc));
    shipped.wait_for_authorizer(true);
    let ended = ends(&shipped, &token, Duration::from_secs(5));
    assert!(!ended, "the shipped one leaves it open");
}

/// The shipped configuration with what the guide adds for pages.
fn for_pages(config: EnvoyConfig) -> EnvoyConfig {
    let host = "              domains: [\"mcp.example.com\", \"mcp.example.com:*\"]\n";
    config.replace(host, &format!("{host}{}", lines("the virtual host")))
}

fn page(origin: &str, request: Request) -> Request {
    request.header("origin", origin)
}

fn preflight(origin: &str) -> Request {
    let request = Request::new("OPTIONS", "/mcp")
        .header("host", "mcp.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    page(origin, request)
}

fn allowed_origin(answer: &Response) -> Vec<&str> {
    answer.header("access-control-allow-origin")
}

#[test]
fn a_page_can_read_what_it_may_ask_for() {
    let key = Key::new();
    let sidecar = sidecar(&key);
    let upstream = McpServer::start();
    let token = key.token(RESOURCE, &json!({"roles": ["viewer"]}));
    let call = || mcp::post(&mcp::call("get_forecast", r#"{"city":"Oslo"}"#));

    let shipped = Envoy::start(&front(upstream.port(), sidecar.grpc));
    shipped.wait_for_authorizer(true);
    assert_eq!(shipped.send(&preflight(ORIGIN)).status, 204);
    let bare = shipped.send(&page(ORIGIN, call().bearer(&token)));
    assert_eq!(allowed_origin(&bare), [ORIGIN], "{}", bare.text());
    assert_eq!(
        bare.status, 403,
        "the server refuses a page that it does not know"
    );

    let envoy = Envoy::start(&for_pages(front(upstream.port(), sidecar.grpc)));
    envoy.wait_for_authorizer(true);
    let asked = envoy.send(&preflight(ORIGIN));
    assert_eq!(asked.status, 204);
    assert_eq!(allowed_origin(&asked), [ORIGIN]);
    let allows = asked.header("access-control-allow-headers").join(",");
    // The asterisk does not cover `authorization` (Fetch standard, section 4.9).
    for header in ["authorization", "mcp-session-id", "mcp-name", "*"] {
        assert!(allows.contains(header), "{allows}");
    }
    let allowed = envoy.send(&page(ORIGIN, call().bearer(&token)));
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let refused = envoy.send(&page(ORIGIN, call()));
    assert_eq!(refused.status, 401);
    for answer in [&allowed, &refused] {
        assert_eq!(allowed_origin(answer), [ORIGIN]);
        assert!(answer.header("vary").join(",").contains("origin"));
        let exposed = answer.header("access-control-expose-headers");
        let [exposed] = *exposed else {
            panic!("one line: {exposed:?}");
        };
        assert!(exposed.contains("Mcp-Session-Id") && exposed.contains("WWW-Authenticate"));
    }
    let before = upstream.requests().len();
    let foreign = "https://evil.example";
    for request in [preflight(foreign), page(foreign, call().bearer(&token))] {
        let answer = envoy.send(&request);
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(allowed_origin(&answer), [""; 0]);
    }
    assert_eq!(upstream.requests().len(), before);
}
