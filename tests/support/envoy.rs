//! Starts Envoy from the shipped configuration, with the ports of a test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::Request;
use super::http::Response;
use super::port;
use super::process::Process;
use super::process::READY;
use super::tools::tools;

/// What `deploy/envoy/envoy.yaml` says.
pub(crate) const SHIPPED: &str = include_str!("../../deploy/envoy/envoy.yaml");

/// Its ports: the front listener, the admin listener, the upstream, cedargate.
const FRONT: u16 = 10_000;
const ADMIN: u16 = 9901;
const UPSTREAM: u16 = 8000;
const AUTHORIZER: u16 = 9191;

/// A configuration whose text a test bends to its needs.
#[derive(Clone, Debug)]
pub(crate) struct EnvoyConfig {
    text: String,
    front: u16,
    admin: u16,
}

impl EnvoyConfig {
    /// The shipped configuration with free ports for its own listeners, `upstream` for the MCP
    /// server, and `authorizer` for cedargate.
    pub(crate) fn shipped(upstream: u16, authorizer: u16) -> Self {
        Self::of(SHIPPED, upstream, authorizer)
    }

    /// The same for another shipped configuration, with the ports of that one.
    pub(crate) fn of(shipped: &str, upstream: u16, authorizer: u16) -> Self {
        let (front, admin) = (port::free(), port::free());
        let text = replace_ports(
            shipped,
            &[
                (FRONT, front),
                (ADMIN, admin),
                (UPSTREAM, upstream),
                (AUTHORIZER, authorizer),
            ],
        );
        Self { text, front, admin }
    }

    /// Where the front listener will be.
    pub(crate) fn front(&self) -> u16 {
        self.front
    }

    /// Puts the front listener at a port that the test had to know beforehand.
    pub(crate) fn front_at(self, port: u16) -> Self {
        let text = replace_ports(&self.text, &[(self.front, port)]);
        Self {
            text,
            front: port,
            ..self
        }
    }

    /// Replaces text that must be there.
    pub(crate) fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "no `{from}` in envoy.yaml");
        self.text = self.text.replace(from, to);
        self
    }

    /// Answers for the host 127.0.0.1 and not for mcp.example.com: for clients that find the server
    /// by the URL they were given.
    pub(crate) fn on_loopback(self) -> Self {
        self.replace("mcp.example.com", "127.0.0.1")
    }
}

/// A running Envoy.
#[derive(Debug)]
pub(crate) struct Envoy {
    process: Process,
    front: u16,
    admin: u16,
    _folder: TempDir,
}

impl Envoy {
    /// Starts it, and returns when its listeners work.
    pub(crate) fn start(config: &EnvoyConfig) -> Self {
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let file = folder.path().join("envoy.yaml");
        fs::write(&file, &config.text).expect("cannot write envoy.yaml");
        let mut command = tools().envoy();
        command
            .args(["--disable-hot-restart", "--concurrency", "1", "-l", "warn"])
            .arg("-c")
            .arg(&file);
        let mut envoy = Self {
            process: Process::spawn("envoy", &mut command),
            front: config.front,
            admin: config.admin,
            _folder: folder,
        };
        envoy.wait_until_live();
        envoy
    }

    /// The port of the front listener.
    pub(crate) fn port(&self) -> u16 {
        self.front
    }

    /// Sends a request through it, with the host of the shipped configuration unless the request
    /// names another.
    pub(crate) fn send(&self, request: &Request) -> Response {
        request
            .send(self.front)
            .expect("Envoy must answer every request")
    }

    /// A counter or gauge, 0 if there is none of that name.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let answer = Request::new("GET", &format!("/stats?filter=^{name}$"))
            .send(self.admin)
            .expect("the admin listener must answer");
        let value = answer.text();
        let value = value.rsplit(':').next().unwrap_or_default().trim();
        value.parse().unwrap_or_default()
    }

    /// Waits until the health check finds cedargate healthy, or not.
    pub(crate) fn wait_for_authorizer(&self, healthy: bool) {
        let wanted = u64::from(healthy);
        let reached = poll(READY, || {
            self.stat("cluster.cedargate.membership_healthy") == wanted
        });
        assert!(reached, "cedargate's health did not become {healthy}");
    }

    /// The first line of the access log that `matches`, as soon as it is written.
    pub(crate) fn access_log(&self, matches: impl Fn(&Value) -> bool) -> Value {
        let lines = self.process.stdout();
        let line = lines.wait(READY, |lines| {
            let entries = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            entries.into_iter().find(|entry| matches(entry))
        });
        line.unwrap_or_else(|| panic!("no such line in the access log:\n{}", lines.text()))
    }

    fn wait_until_live(&mut self) {
        let ready = poll(READY, || {
            let answer = Request::new("GET", "/ready").send(self.admin);
            answer.is_ok_and(|answer| answer.status == 200) || !self.process.is_running()
        });
        assert!(
            ready && self.process.is_running(),
            "Envoy did not start: {}",
            self.process.stderr().text()
        );
    }
}

/// What `envoy --mode validate` says of a file.
pub(crate) fn validate(file: &Path) -> Output {
    tools()
        .envoy()
        .args(["--mode", "validate", "-l", "error", "-c"])
        .arg(file)
        .output()
        .expect("cannot run Envoy")
}

/// Asks every 20 ms until it holds or the deadline is over.
pub(crate) fn poll(deadline: Duration, mut holds: impl FnMut() -> bool) -> bool {
    const STEP: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while !holds() {
        if waited >= deadline {
            return false;
        }
        thread::sleep(STEP);
        waited = waited.saturating_add(STEP);
    }
    true
}

/// Replaces whole numbers, each of which must occur.
fn replace_ports(text: &str, ports: &[(u16, u16)]) -> String {
    let mut missing: Vec<u16> = ports.iter().map(|(from, _)| *from).collect();
    let mut replaced = String::with_capacity(text.len());
    for word in text.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
        let number = word.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let known = ports.iter().find(|(from, _)| number == from.to_string());
        if let Some((from, to)) = known {
            missing.retain(|port| port != from);
            let rest = word.strip_prefix(number).unwrap_or_default();
            write!(replaced, "{to}{rest}").expect("writing to a string cannot fail");
        } else {
            replaced.push_str(word);
        }
    }
    assert!(missing.is_empty(), "ports {missing:?} are not in the text");
    replaced
}
