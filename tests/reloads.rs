//! Policies change again and again while requests keep coming through a real Envoy: every answer is
//! that of one state of the directory or of the next, never of a mixture.

#![expect(
    clippy::expect_used,
    reason = "a broken house fails the test, and the message says why"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::http::Request;
use support::mcp;
use support::mcp::McpServer;
use support::process::READY;
use support::sidecar::Sidecar;

/// Reloads, unless `RELOADS` says otherwise.
const RELOADS: u64 = 1_000;

/// Callers of each kind, each sending one request after the other.
const CALLERS: usize = 2;

/// What may be asked at any time with one answer only, whatever the state.
const ALWAYS: &str = "get_forecast";
const NEVER: &str = "delete_station";
/// What only the first state permits, and what only the second does.
const FIRST: &str = "list_stations";
const SECOND: &str = "set_alert";

/// The two states. Read half from one and half from the other, they would let `NEVER` through, or
/// refuse `ALWAYS`, or permit `FIRST` and `SECOND` together, or have one `@id` twice.
const STATES: [(&str, [&str; 2]); 2] = [("first", [ONE, TWO]), ("second", [THREE, FOUR])];
const ONE: &str = r#"
@id("always") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/get_forecast");
@id("not-that") forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/delete_station");
"#;
const TWO: &str = r#"
@id("that") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/delete_station");
@id("now") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/list_stations");
"#;
const THREE: &str = r#"
@id("that") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/delete_station");
@id("now") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/set_alert");
"#;
const FOUR: &str = r#"
@id("always") permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/get_forecast");
@id("not-that") forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/delete_station");
"#;

const CONFIG: &str = "\
authenticators:
- {name: shared, type: static_token, token: a-token-that-only-this-test-knows, subject: operator}
resources:
- {name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp, mcp: {batches: each}}
policies: {dir: policies, reload_interval: 100ms}
limits: {deadline: 1s}
";

/// What was asked, how it was answered, and how often.
type Answers = Mutex<BTreeMap<(&'static str, u16), u64>>;

struct House {
    sidecar: Sidecar,
    envoy: Envoy,
    _upstream: McpServer,
}

impl House {
    fn start() -> Self {
        let upstream = McpServer::start();
        let sidecar = Sidecar::launch_in(CONFIG, |dir| {
            fs::remove_dir_all(dir).expect("the starter policies can go");
            mount(dir);
        });
        let sidecar = sidecar.until_ready();
        // A busy machine is not what is tested: more time than the shipped file gives.
        let shipped = EnvoyConfig::shipped(upstream.port(), sidecar.grpc);
        let envoy = Envoy::start(&shipped.replace("timeout: 0.25s", "timeout: 2s"));
        envoy.wait_for_authorizer(true);
        Self {
            sidecar,
            envoy,
            _upstream: upstream,
        }
    }

    fn ask(&self, body: &str) -> u16 {
        let request = mcp::post(body)
            .bearer("a-token-that-only-this-test-knows")
            .header("mcp-protocol-version", "2025-03-26");
        self.envoy.send(&request).status
    }

    /// Asks until `stop`, one request after the other.
    fn call(&self, what: &'static str, body: &str, answers: &Answers, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            let status = self.ask(body);
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            let count = answers.entry((what, status)).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn generation(&self) -> u64 {
        let status = self.sidecar.status();
        let generation = status.pointer("/policies/generation");
        generation.and_then(Value::as_u64).expect("a generation")
    }

    /// Asks for a reload, and waits until it is done.
    fn reload(&self, to: u64) {
        self.sidecar.signal("HUP");
        let mut seen = 0;
        let deadline = std::time::Instant::now() + READY;
        while seen < to {
            assert!(std::time::Instant::now() < deadline, "generation {seen}, not {to}");
            thread::sleep(Duration::from_millis(5));
            seen = self.generation();
        }
        assert_eq!(seen, to, "one reload a change");
    }
}

/// The directory as the kubelet mounts a `ConfigMap`: every file is a link through `..data`, and the
/// link `..data` is what changes.
fn mount(dir: &Path) {
    fs::create_dir_all(dir).expect("a directory");
    for (name, [a, b]) in STATES {
        let state = dir.join(format!("..{name}"));
        fs::create_dir(&state).expect("a directory");
        fs::write(state.join("a.cedar"), a).expect("a file");
        fs::write(state.join("b.cedar"), b).expect("a file");
    }
    swap(dir, 0);
    for file in ["a.cedar", "b.cedar"] {
        symlink(format!("..data/{file}"), dir.join(file)).expect("a link");
    }
}

/// Puts the state of that number in place, in one step.
fn swap(dir: &Path, number: usize) {
    let (name, _) = STATES[number % STATES.len()];
    let fresh = dir.join("..data_tmp");
    symlink(format!("..{name}"), &fresh).expect("a link");
    fs::rename(fresh, dir.join("..data")).expect("a swap");
}

fn wanted() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long the test runs")]
    let sent = std::env::var("RELOADS");
    sent.map_or(RELOADS, |sent| sent.parse().expect("RELOADS is a number"))
}

#[test]
fn every_answer_is_that_of_one_state() {
    let house = House::start();
    let dir = house.sidecar.policies();
    let answers = Answers::default();
    let stop = AtomicBool::new(false);
    let batch = format!("[{},{}]", mcp::call(FIRST, "{}"), mcp::call(SECOND, "{}"));
    let asked = [
        ("always", mcp::call(ALWAYS, r#"{"city":"Oslo"}"#)),
        ("never", mcp::call(NEVER, "{}")),
        ("first", mcp::call(FIRST, "{}")),
        ("second", mcp::call(SECOND, "{}")),
        ("both", batch),
    ];
    let reloads = wanted();
    let start = house.generation();
    thread::scope(|scope| {
        let house = &house;
        let _ended = Ended(&stop);
        for (what, body) in &asked {
            for _ in 0..CALLERS {
                let (answers, stop) = (&answers, &stop);
                scope.spawn(move || house.call(what, body, answers, stop));
            }
        }
        for number in 1..=reloads {
            swap(&dir, usize::try_from(number).expect("few"));
            house.reload(start + number);
            // What is asked from now on is answered by what is in place now.
            let first = house.ask(&mcp::call(FIRST, "{}"));
            let is_first = number % 2 == 0;
            assert_eq!(first, if is_first { 200 } else { 403 }, "reload {number}");
        }
    });
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{reloads} reloads; answers: {answers:?}");
    let seen: Vec<(&str, u16)> = answers.keys().copied().collect();
    let expected = [
        ("always", 200),
        ("both", 403),
        ("first", 200),
        ("first", 403),
        ("never", 403),
        ("second", 200),
        ("second", 403),
    ];
    assert_eq!(seen, expected);
    let metrics = house.sidecar.ask_admin("/metrics").text();
    let failed = "cedargate_policy_reload_total{outcome=\"failed\"} ";
    assert!(
        !metrics.lines().any(|line| line.starts_with(failed) && !line.ends_with(" 0")),
        "{metrics}"
    );
}

struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
