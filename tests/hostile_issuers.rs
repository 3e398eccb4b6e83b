//! Issuers that are down or lie.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use serde_json::json;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use support::ask::Ask;
use support::ask::Asker;
use support::envoy::poll;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::port;
use support::sidecar::Sidecar;
use support::tokens::Key;
use support::tokens::now;

const SOON: Duration = Duration::from_secs(8);

const RESOURCE: &str = "https://mcp.example.com/mcp";

fn config(authenticators: &str, rest: &str) -> String {
    format!(
        "authenticators:\n{authenticators}resources:\n\
         - {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
         policies: {{dir: policies, reload_interval: 100ms}}\n{rest}"
    )
}

fn remote(port: u16, kind: &str) -> String {
    let issuer = format!("http://127.0.0.1:{port}");
    let keys = match kind {
        "oidc" => String::new(),
        _ => format!(", jwks_uri: \"{issuer}/keys\""),
    };
    format!(
        "- {{name: far, type: {kind}, issuer: \"{issuer}\"{keys}, insecure_allow_http: true, \
         roles: {{prefix: \"p{port}:\"}}, groups: {{prefix: \"p{port}:\"}}}}\n"
    )
}

fn far_token(key: &Key, port: u16, kid: &str) -> String {
    let claims = json!({"iss": format!("http://127.0.0.1:{port}"), "sub": "alice", "aud": RESOURCE,
        "exp": now() + 300, "scope": "weather:read"});
    key.sign(
        &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}),
        &claims,
    )
}

fn forecast(asker: &Asker, token: &str) -> (String, i32, String) {
    let verdict = asker.both(&Ask::call("get_forecast").bearer(token));
    let retry = verdict.header("retry-after").to_owned();
    (verdict.reason, verdict.status, retry)
}

fn verdict(reason: &str, status: i32, retry: &str) -> (String, i32, String) {
    (reason.to_owned(), status, retry.to_owned())
}

#[test]
fn an_issuer_that_is_down_at_the_start_costs_its_own_tokens_a_503() {
    let (near, far) = (Key::new(), Key::new());
    let port = port::free();
    let both = near.authenticator() + &remote(port, "jwt");
    let sidecar = Sidecar::launch(&config(&both, ""));
    assert!(
        poll(SOON, || sidecar.is_live()),
        "the port opens at once: {}",
        sidecar.printed()
    );
    let asker = sidecar.asker();
    let near_token = near.token(RESOURCE, &json!({"roles": ["viewer"]}));
    let far_one = far_token(&far, port, "k1");
    let stranger = near.token(RESOURCE, &json!({"iss": "https://nobody.example"}));
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(forecast(&asker, &near_token).0, "allowed");
        assert_eq!(
            forecast(&asker, &far_one),
            verdict("issuer_unavailable", 503, "1")
        );
        assert_eq!(
            forecast(&asker, &stranger),
            verdict("invalid_credential", 401, "")
        );
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );
    }
    let set = fake_issuer::key_set(&far, "k1");
    let _issuer = FakeIssuer::start_at(port, move |_, stream| {
        fake_issuer::json_document(stream, &set);
    });
    let back = poll(Duration::from_secs(12), || {
        forecast(&asker, &far_one).0 == "allowed"
    });
    assert!(back, "the issuer came back");
}

/// How an issuer answers: its port and the path that was asked for.
type Lie = Box<dyn Fn(u16, &str, &mut TcpStream) + Send + Sync>;

#[test]
fn an_issuer_that_lies_is_not_believed() {
    let key = Key::new();
    let set = fake_issuer::key_set(&key, "k1");
    let trap = FakeIssuer::start({
        let set = set.clone();
        move |_, stream| fake_issuer::json_document(stream, &set)
    });
    let elsewhere = trap.port();
    let document = |make: fn(u16, u16) -> String| -> Lie {
        Box::new(move |port, _, stream| fake_issuer::json_document(stream, &make(port, elsewhere)))
    };
    let lies: Vec<(&str, Lie)> = vec![
        (
            "another issuer",
            document(|_, to| {
                format!(
                    r#"{{"issuer":"http://127.0.0.1:{to}","jwks_uri":"http://127.0.0.1:{to}/"}}"#
                )
            }),
        ),
        (
            "a trailing slash",
            document(|port, to| {
                format!(
                    r#"{{"issuer":"http://127.0.0.1:{port}/","jwks_uri":"http://127.0.0.1:{to}/"}}"#
                )
            }),
        ),
        (
            "two issuers",
            document(|port, to| {
                format!(
                    r#"{{"issuer":"http://127.0.0.1:{port}","issuer":"x","jwks_uri":"http://127.0.0.1:{to}/"}}"#
                )
            }),
        ),
        (
            "a file",
            document(|port, _| {
                format!(r#"{{"issuer":"http://127.0.0.1:{port}","jwks_uri":"file:///etc/passwd"}}"#)
            }),
        ),
        (
            "cloud metadata",
            document(|port, _| {
                format!(
                    r#"{{"issuer":"http://127.0.0.1:{port}","jwks_uri":"http://169.254.169.254/"}}"#
                )
            }),
        ),
        (
            "a redirect",
            Box::new(move |_, _, stream| {
                let head = format!(
                    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere}/\r\n\
                                content-length: 0\r\nconnection: close\r\n\r\n"
                );
                drop(stream.write_all(head.as_bytes()));
            }),
        ),
        (
            "100 MB, announced",
            Box::new(|_, _, stream| endless(stream, "content-length: 104857600")),
        ),
        (
            "100 MB, in chunks",
            Box::new(|_, _, stream| endless(stream, "transfer-encoding: chunked")),
        ),
        (
            "compressed",
            Box::new(|_, _, stream| endless(stream, "content-encoding: gzip")),
        ),
        ("nothing", Box::new(|_, _, _| ())),
        (
            "no end of headers",
            Box::new(|_, _, stream| {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
                while stream
                    .write_all(b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
                    .is_ok()
                {}
            }),
        ),
    ];
    let near = Key::new();
    let ports: Vec<_> = lies.iter().map(|_| port::free()).collect();
    let mut authenticators = near.authenticator();
    let mut issuers = Vec::new();
    let mut names = Vec::new();
    for ((name, lie), port) in lies.into_iter().zip(&ports) {
        let port = *port;
        names.push(name);
        let one = remote(port, "oidc").replace("name: far", &format!("name: far-{port}"));
        authenticators += &one;
        issuers.push(FakeIssuer::start_at(port, move |path, stream| {
            lie(port, path, stream);
        }));
    }
    let sidecar = Sidecar::launch(&config(&authenticators, ""));
    assert!(poll(SOON, || sidecar.is_live()), "{}", sidecar.printed());
    thread::sleep(Duration::from_millis(1_500));
    let before = sidecar.resident_kib();
    let asker = sidecar.asker();
    for (name, port) in names.iter().zip(&ports) {
        let said = forecast(&asker, &far_token(&key, *port, "k1"));
        assert_eq!(said, verdict("issuer_unavailable", 503, "1"), "{name}");
    }
    for (name, issuer) in names.iter().zip(&issuers) {
        assert!(issuer.asked() > 0, "{name} was never asked");
    }
    assert_eq!(trap.asked(), 0, "somebody was sent elsewhere");
    let near = near.token(RESOURCE, &json!({"roles": ["viewer"]}));
    assert_eq!(forecast(&asker, &near).0, "allowed");
    let grown = sidecar.resident_kib().saturating_sub(before);
    assert!(
        grown < 24 * 1024,
        "{grown} KiB of more than 200 MiB that were offered"
    );
}

fn endless(stream: &mut TcpStream, header: &str) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{header}\r\n\r\n");
    let mut chunk = b"4000\r\n".to_vec();
    chunk.extend([b' '; 0x4000]);
    chunk.extend(b"\r\n");
    let mut open = stream.write_all(head.as_bytes()).is_ok();
    for _ in 0..6_400 {
        open = open && stream.write_all(&chunk).is_ok();
    }
}
