//! Issuers that are down, come back, or take their time: it costs nobody else anything, and their own
//! callers as little as can be.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "figures of outages, in which a wrong assumption fails the test"
)]

mod support;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::envoy::poll;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::fake_issuer::jwk;
use support::port;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// How long a check may wait for keys, with what a debug build on a busy machine adds.
const WAIT: Duration = Duration::from_millis(150 + 150);

/// An API key, and a local issuer: neither depends on anybody.
struct Neighbours {
    key: Key,
}

impl Neighbours {
    fn new() -> Self {
        Self { key: Key::new() }
    }

    fn config(&self, others: &str) -> String {
        format!(
            "authenticators:\n{}- {{name: keys, type: api_key, header: x-api-key, \
             keys: [{{id: app, secret: 0123456789abcdef0123456789abcdef, roles: [viewer]}}]}}\n\
             {others}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: 1s}}\ndecision_log: {{to: none}}\n",
            self.key.authenticator()
        )
    }

    fn with_key() -> Ask {
        forecast().header("x-api-key", "0123456789abcdef0123456789abcdef")
    }

    fn with_token(&self) -> Ask {
        forecast().bearer(&self.key.token(RESOURCE, &json!({"roles": ["viewer"]})))
    }
}

fn forecast() -> Ask {
    Ask::call("get_forecast")
}

fn remote(name: &str, port: u16) -> String {
    let issuer = format!("http://127.0.0.1:{port}");
    format!(
        "- {{name: {name}, type: jwt, issuer: \"{issuer}\", jwks_uri: \"{issuer}/keys\", \
         insecure_allow_http: true, roles: {{prefix: \"{name}:\"}}, \
         groups: {{prefix: \"{name}:\"}}}}\n"
    )
}

fn of(key: &Key, kid: &str, port: u16) -> Ask {
    forecast().bearer(&key.token_of(&format!("http://127.0.0.1:{port}"), kid, RESOURCE))
}

/// How long answers took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// Asks over gRPC; the answer has this reason, and a 503 says when to come back.
    fn ask(&mut self, asker: &Asker, ask: &Ask, reason: &str) {
        let began = Instant::now();
        let verdict = asker.grpc(ask);
        self.0.push(began.elapsed());
        assert_eq!(verdict.reason, reason, "{}", verdict.body);
        let unavailable = reason == "issuer_unavailable";
        assert_eq!(verdict.status == 503, unavailable);
        assert_eq!(verdict.header("retry-after") == "1", unavailable);
    }

    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        sorted[(sorted.len() - 1) * percent / 100]
    }

    fn figures(&self, what: &str) {
        eprintln!(
            "{what}: {} checks, median {:?}, p99 {:?}, longest {:?}",
            self.0.len(),
            self.quantile(50),
            self.quantile(99),
            self.quantile(100)
        );
    }
}

fn serve(key: &Key, kid: &str) -> impl Fn(&str, &mut TcpStream) + Send + Sync + use<> {
    let set = fake_issuer::key_set(key, kid);
    move |_, stream| fake_issuer::json_document(stream, &set)
}

#[test]
fn an_issuer_that_is_down_at_the_start_costs_its_own_tokens_a_503() {
    let near = Neighbours::new();
    let (other, far) = (Key::new(), Key::new());
    let up = FakeIssuer::start(serve(&other, "o1"));
    let port = port::free();
    let remotes = remote("up", up.port()) + &remote("down", port);
    let began = Instant::now();
    let sidecar = Sidecar::launch(&near.config(&remotes));
    assert!(
        poll(Duration::from_secs(10), || sidecar.is_live()),
        "{}",
        sidecar.printed()
    );
    eprintln!(
        "down at the start: the ports are open after {:?}",
        began.elapsed()
    );
    let asker = sidecar.asker();
    let (mut good, mut bad) = (Times::default(), Times::default());
    assert!(poll(Duration::from_secs(5), || {
        asker.grpc(&of(&other, "o1", up.port())).reason == "allowed"
    }));
    let stranger = forecast().bearer(&near.key.token(RESOURCE, &json!({"iss": "https://nobody"})));
    for _ in 0..100 {
        good.ask(&asker, &Neighbours::with_key(), "allowed");
        good.ask(&asker, &near.with_token(), "allowed");
        good.ask(&asker, &of(&other, "o1", up.port()), "allowed");
        bad.ask(&asker, &of(&far, "k1", port), "issuer_unavailable");
        good.ask(&asker, &stranger, "invalid_credential");
    }
    assert_eq!(asker.both(&of(&far, "k1", port)).status, 503);
    good.figures("down at the start: other callers");
    bad.figures("down at the start: its own callers");
    assert!(bad.quantile(50) < Duration::from_millis(50));
    assert!(bad.quantile(100) < WAIT);
    // Until the longest wait between two attempts has come.
    thread::sleep(Duration::from_secs(8));
    let attempts: u64 = sidecar.outcomes("jwks_refresh", "down").values().sum();
    let back = Instant::now();
    let _issuer = FakeIssuer::start_at(port, serve(&far, "k1"));
    let allowed = poll(Duration::from_secs(10), || {
        asker.grpc(&of(&far, "k1", port)).reason == "allowed"
    });
    let waited = back.elapsed();
    eprintln!("down at the start: {attempts} attempts in vain; accepted {waited:?} after it is up");
    assert!(
        allowed && waited < Duration::from_millis(6_500),
        "{waited:?}"
    );
    assert_eq!(sidecar.ask_admin("/readyz").status, 200);
}

#[test]
fn an_issuer_that_goes_down_later_costs_only_its_new_keys() {
    let near = Neighbours::new();
    let (far, new) = (Key::new(), Key::new());
    let issuer = FakeIssuer::start(serve(&far, "k1"));
    let port = issuer.port();
    let sidecar = Sidecar::start(&near.config(&remote("far", port)));
    let asker = sidecar.asker();
    let old = of(&far, "k1", port);
    assert_eq!(asker.both(&old).reason, "allowed");
    let before = issuer.stop();
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "it is down"
    );
    let (mut good, mut bad) = (Times::default(), Times::default());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        good.ask(&asker, &old, "allowed");
        good.ask(&asker, &of(&far, "k1", port), "allowed");
        good.ask(&asker, &near.with_token(), "allowed");
        good.ask(&asker, &Neighbours::with_key(), "allowed");
        // Nobody can say whether it has such a key by now, however often that is asked.
        bad.ask(&asker, &of(&new, "k2", port), "issuer_unavailable");
        good.ask(&asker, &of(&new, "k1", port), "invalid_credential");
    }
    good.figures("down later: known keys and other callers");
    bad.figures("down later: an unknown key");
    assert!(bad.quantile(50) < Duration::from_millis(50));
    let outcomes = sidecar.outcomes("jwks_refresh", "far");
    eprintln!("down later: {before} connections before, then attempts {outcomes:?}");
    assert_eq!(outcomes["changed"], 1);
    // Two on demand; and after 1, 2 and 4 s, of which some may be the same.
    assert!((2..=6).contains(&outcomes["connect"]), "{outcomes:?}");
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    let _back = FakeIssuer::start_at(port, serve(&new, "k2"));
    let began = Instant::now();
    let allowed = poll(Duration::from_secs(20), || {
        asker.grpc(&of(&new, "k2", port)).reason == "allowed"
    });
    eprintln!(
        "down later: a new key is accepted {:?} after it is up",
        began.elapsed()
    );
    assert!(allowed);
    assert_eq!(
        asker.both(&old).reason,
        "invalid_credential",
        "its key is gone"
    );
}

/// How an issuer takes its time.
type Delay = fn(&str, &mut TcpStream);

const DELAYS: [(&str, Delay); 3] = [
    ("answers after 30 s", |set, stream| {
        thread::sleep(Duration::from_secs(30));
        fake_issuer::json_document(stream, set);
    }),
    ("sends a byte in 200 ms", |set, stream| {
        let wire = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{set}");
        for byte in wire.bytes() {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }),
    ("sends only interim answers", |_, stream| {
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    }),
];

#[test]
fn nobody_waits_for_a_slow_issuer() {
    let near = Neighbours::new();
    let (far, new, moving) = (Key::new(), Key::new(), Key::new());
    let slow = Arc::new(AtomicBool::new(false));
    let set = fake_issuer::key_set(&far, "k1");
    let issuers: Vec<FakeIssuer> = DELAYS
        .iter()
        .map(|(_, delay)| {
            let (slow, set) = (Arc::clone(&slow), set.clone());
            FakeIssuer::start(move |_, stream| {
                if slow.load(Ordering::SeqCst) {
                    delay(&set, stream);
                } else {
                    fake_issuer::json_document(stream, &set);
                }
            })
        })
        .collect();
    let healthy = FakeIssuer::start({
        let slow = Arc::clone(&slow);
        let first = fake_issuer::key_set(&moving, "m1");
        let second = json!({"keys": [jwk(&moving, "m1"), jwk(&new, "m2")]}).to_string();
        move |_, stream| {
            let moved = slow.load(Ordering::SeqCst);
            fake_issuer::json_document(stream, if moved { &second } else { &first });
        }
    });
    let mut remotes = remote("healthy", healthy.port());
    for (number, issuer) in issuers.iter().enumerate() {
        remotes += &remote(&format!("slow-{number}"), issuer.port());
    }
    let sidecar = Sidecar::start(&near.config(&remotes));
    let asker = sidecar.asker();
    slow.store(true, Ordering::SeqCst);
    let (mut good, mut bad) = (Times::default(), Times::default());
    let mut rotated = None;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        for issuer in &issuers {
            bad.ask(&asker, &of(&new, "k2", issuer.port()), "issuer_unavailable");
            good.ask(&asker, &of(&far, "k1", issuer.port()), "allowed");
        }
        good.ask(&asker, &near.with_token(), "allowed");
        good.ask(&asker, &Neighbours::with_key(), "allowed");
        // A new key of an issuer that does answer, while the others hold up theirs.
        rotated.get_or_insert_with(|| {
            let began = Instant::now();
            assert_eq!(
                asker.grpc(&of(&new, "m2", healthy.port())).reason,
                "allowed"
            );
            began.elapsed()
        });
    }
    good.figures("slow: known keys and other callers");
    bad.figures("slow: unknown keys");
    eprintln!(
        "slow: a new key of another issuer was accepted after {:?}",
        rotated.unwrap_or_default()
    );
    assert!(bad.quantile(100) < WAIT, "{:?}", bad.quantile(100));
    assert!(good.quantile(100) < WAIT, "{:?}", good.quantile(100));
    for (number, (what, _)) in DELAYS.iter().enumerate() {
        let outcomes = sidecar.outcomes("jwks_refresh", &format!("slow-{number}"));
        eprintln!("slow: {what}: {outcomes:?}");
        assert_eq!(outcomes["changed"], 1, "{what}");
        assert!(
            (1..=3).contains(&outcomes["timeout"]),
            "{what}: {outcomes:?}"
        );
        assert_eq!(outcomes.len(), 2, "{what}: {outcomes:?}");
    }
}

#[test]
fn nobody_waits_for_issuers_that_never_answer() {
    let near = Neighbours::new();
    let (far, other) = (Key::new(), Key::new());
    let silent: Vec<FakeIssuer> = (0..8)
        .map(|_| FakeIssuer::start(|_, _| thread::sleep(Duration::from_secs(30))))
        .collect();
    let up = FakeIssuer::start(serve(&other, "o1"));
    let mut remotes = String::new();
    for (number, issuer) in silent.iter().enumerate() {
        remotes += &remote(&format!("silent-{number}"), issuer.port());
    }
    // The last, so that it comes after them.
    remotes += &remote("up", up.port());
    let began = Instant::now();
    let sidecar = Sidecar::launch(&near.config(&remotes));
    assert!(
        poll(Duration::from_secs(10), || sidecar.is_live()),
        "{}",
        sidecar.printed()
    );
    eprintln!(
        "silent at the start: the ports are open after {:?}",
        began.elapsed()
    );
    let asker = sidecar.asker();
    let (mut good, mut bad) = (Times::default(), Times::default());
    let mut loaded = None;
    while began.elapsed() < Duration::from_secs(12) {
        for issuer in &silent {
            bad.ask(&asker, &of(&far, "k1", issuer.port()), "issuer_unavailable");
            good.ask(&asker, &near.with_token(), "allowed");
            good.ask(&asker, &Neighbours::with_key(), "allowed");
        }
        if loaded.is_none() && asker.grpc(&of(&other, "o1", up.port())).reason == "allowed" {
            loaded = Some(began.elapsed());
        }
    }
    good.figures("silent at the start: other callers");
    bad.figures("silent at the start: their own callers");
    eprintln!("silent at the start: the last issuer, behind 8 of them, is there after {loaded:?}");
    assert!(bad.quantile(100) < WAIT, "{:?}", bad.quantile(100));
    assert!(good.quantile(100) < WAIT, "{:?}", good.quantile(100));
    assert!(loaded.is_some_and(|after| after < Duration::from_secs(5)));
    let ready = poll(Duration::from_secs(5), || {
        sidecar.ask_admin("/readyz").status == 200
    });
    assert!(ready, "it does not wait for them for ever");
}
