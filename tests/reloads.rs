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
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::envoy::poll;
use support::mcp;
use support::mcp::McpServer;
use support::process::READY;
use support::sidecar::Sidecar;

/// Reloads, unless `RELOADS` says otherwise: `RELOADS=1000 cargo test --test reloads -- --nocapture`
/// takes some minutes, and says how many checks there were.
const RELOADS: u64 = 150;

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
type Answers = BTreeMap<(&'static str, u16), u64>;

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
    fn call(&self, what: &'static str, body: &str, stop: &AtomicBool) -> Answers {
        let mut answers = Answers::new();
        while !stop.load(Ordering::SeqCst) {
            let count = answers.entry((what, self.ask(body))).or_default();
            *count = count.saturating_add(1);
        }
        answers
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
        let is_done = poll(READY, || {
            seen = self.generation();
            seen >= to
        });
        assert!(
            is_done,
            "generation {seen}, not {to}: {}",
            self.sidecar.printed()
        );
        assert_eq!(seen, to, "one reload a change");
    }

    /// Swaps the directory and reloads it so many times, one after the other.
    fn flip(&self, times: u64, first: &str) {
        let (dir, start) = (self.sidecar.policies(), self.generation());
        for number in 1..=times {
            swap(&dir, number);
            self.reload(start + number);
            // What is asked from now on is answered by what is in place now.
            let expected = if number % 2 == 0 { 200 } else { 403 };
            assert_eq!(self.ask(first), expected, "reload {number}");
        }
    }

    /// How many records of decisions there are, and those that do not fit the policies which they say
    /// they were made by.
    fn records(&mut self) -> (usize, Vec<String>) {
        let mut mixed = Vec::new();
        let mut count = 0;
        for line in self.sidecar.process().stdout().snapshot() {
            let record: Value = serde_json::from_str(&line).expect("a record");
            let generation = record["policy_generation"].as_u64().expect("a number");
            let is_first_state = generation % 2 == 1;
            let target = record["target"].as_str().expect("a target");
            let is = |tool: &str| target.contains(&format!("weather/{tool}\""));
            let is_allowed = record["operations"] == 1
                && (is(ALWAYS) || is_first_state && is(FIRST) || !is_first_state && is(SECOND));
            if record["decision"] != if is_allowed { "allow" } else { "deny" } {
                mixed.push(line);
            }
            count += 1;
        }
        (count, mixed)
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
fn swap(dir: &Path, number: u64) {
    let (name, _) = STATES[usize::from(number % 2 == 1)];
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
    let mut house = House::start();
    let stop = AtomicBool::new(false);
    let first = mcp::call(FIRST, "{}");
    let asked = [
        ("always", mcp::call(ALWAYS, r#"{"city":"Oslo"}"#)),
        ("never", mcp::call(NEVER, "{}")),
        ("first", first.clone()),
        ("second", mcp::call(SECOND, "{}")),
        (
            "both",
            format!(
                "[{first},{}]",
                mcp::call(SECOND, "{}").replace("\"id\":2", "\"id\":3")
            ),
        ),
    ];
    let reloads = wanted();
    #[expect(clippy::disallowed_methods, reason = "says how long it took")]
    let begin = Instant::now();
    let answers = thread::scope(|scope| {
        let (house, stop) = (&house, &stop);
        let callers: Vec<_> = asked
            .iter()
            .map(|(what, body)| scope.spawn(move || house.call(what, body, stop)))
            .collect();
        let ended = Ended(stop);
        house.flip(reloads, &first);
        drop(ended);
        let answers = callers.into_iter().map(|caller| caller.join());
        let answers = answers.flat_map(|answers| answers.expect("callers end"));
        answers.collect::<Answers>()
    });
    let took = begin.elapsed();
    let checks: u64 = answers.values().sum();
    let (records, mixed) = house.records();
    println!(
        "{reloads} reloads, {checks} checks, {records} records, {} mixed, {took:?}; {answers:?}",
        mixed.len()
    );
    assert_eq!(mixed, Vec::<String>::new());
    assert!(
        u64::try_from(records).is_ok_and(|records| records >= checks),
        "{records}"
    );
    let expected = [
        ("always", 200),
        ("both", 403),
        ("first", 200),
        ("first", 403),
        ("never", 403),
        ("second", 200),
        ("second", 403),
    ];
    assert_eq!(answers.into_keys().collect::<Vec<_>>(), expected);
    let metrics = house.sidecar.ask_admin("/metrics").text();
    let failed = "cedargate_policy_reload_total{outcome=\"failed\"} ";
    let has_failed = |line: &str| line.starts_with(failed) && !line.ends_with(" 0");
    assert!(!metrics.lines().any(has_failed), "{metrics}");
}

/// Stops the callers, also when something before that has failed.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
