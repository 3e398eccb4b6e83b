//! The program under test: `cedargate serve` as a process, with the starter policies in a folder of
//! its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::ask::Asker;
use super::envoy::poll;
use super::folder;
use super::http::Request;
use super::http::Response;
use super::port;
use super::process::Process;
use super::process::READY;

/// The program that cargo has built for the tests.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cedargate");

/// A configuration, and the ports that it names.
#[derive(Debug)]
pub(crate) struct Sidecar {
    process: Process,
    /// `ext_authz`.
    pub(crate) grpc: u16,
    /// `/check`.
    pub(crate) http: u16,
    /// Metadata for strangers.
    pub(crate) public: u16,
    /// Probes, metrics and status.
    pub(crate) admin: u16,
    folder: TempDir,
}

impl Sidecar {
    /// Starts it with everything but the listeners from `config`, and returns when it is ready.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// The same with more policy files.
    pub(crate) fn start_with(config: &str, policies: &[(&str, &str)]) -> Self {
        Self::launch_with(config, policies).until_ready()
    }

    /// Returns when it is ready.
    pub(crate) fn until_ready(self) -> Self {
        let mut sidecar = self;
        let mut ready = false;
        poll(READY, || {
            let asked = Request::new("GET", "/readyz").send(sidecar.admin);
            ready = asked.is_ok_and(|answer| answer.status == 200);
            ready || !sidecar.process.is_running()
        });
        assert!(ready, "not ready: {}", sidecar.process.stderr().text());
        sidecar
    }

    /// Starts it and does not wait.
    pub(crate) fn launch(config: &str) -> Self {
        Self::launch_with(config, &[])
    }

    /// The same with more policy files.
    pub(crate) fn launch_with(config: &str, policies: &[(&str, &str)]) -> Self {
        Self::launch_in(config, |dir| {
            for (name, text) in policies {
                fs::write(dir.join(name), text).expect("cannot write a policy file");
            }
        })
    }

    /// The same after something has been done to the policy folder.
    pub(crate) fn launch_in(config: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::run(config, prepare, |program| program)
    }

    /// The same with more keys of `listen`, each on a line that begins with two blanks.
    pub(crate) fn launch_listening(
        config: &str,
        listen: &str,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        Self::run_listening(config, listen, prepare, |program| program)
    }

    /// Starts it with both of its outputs in a file, and does not wait.
    pub(crate) fn launch_redirected(config: &str, to: &str) -> Self {
        Self::run(
            config,
            |_| (),
            |program| {
                let mut shell = Command::new("sh");
                let script = format!("exec \"$@\" >{to} 2>&1");
                shell.args(["-c", &script, "sh"]).arg(program.get_program());
                shell.args(program.get_args());
                shell
            },
        )
    }

    /// Starts it, without its records, so that [`Sidecar::resident_kib`] can be believed: a page that is
    /// touched counts for itself, and not for the 2 MiB that the kernel may give in its place.
    pub(crate) fn start_measured(config: &str) -> Self {
        let config = format!("{config}decision_log: {{to: none}}\n");
        let measured = Self::run(
            &config,
            |_| (),
            |mut program| {
                program.env("MIMALLOC_ALLOW_THP", "0");
                program
            },
        );
        measured.until_ready()
    }

    fn run(
        config: &str,
        prepare: impl FnOnce(&Path),
        wrap: impl FnOnce(Command) -> Command,
    ) -> Self {
        Self::run_listening(config, "", prepare, wrap)
    }

    fn run_listening(
        config: &str,
        listen: &str,
        prepare: impl FnOnce(&Path),
        wrap: impl FnOnce(Command) -> Command,
    ) -> Self {
        let more = listen;
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let (grpc, http, public, admin) = (port::free(), port::free(), port::free(), port::free());
        let listen = format!(
            "listen:\n  grpc: 127.0.0.1:{grpc}\n  http: 127.0.0.1:{http}\n  \
             public: 127.0.0.1:{public}\n  admin: 127.0.0.1:{admin}\n  drain: 1s\n{more}"
        );
        let file = folder.path().join("cedargate.yaml");
        fs::write(&file, listen + config).expect("cannot write the configuration");
        folder::copy_policies(&folder.path().join("policies"));
        prepare(&folder.path().join("policies"));
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(&file);
        let process = Process::spawn("cedargate", &mut wrap(command));
        Self {
            process,
            grpc,
            http,
            public,
            admin,
            folder,
        }
    }

    /// The folder of the configuration, `cedargate.yaml`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The policy folder.
    pub(crate) fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Sends it a signal, such as `HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }

    /// Whether it answers probes.
    pub(crate) fn is_live(&self) -> bool {
        let asked = Request::new("GET", "/livez").send(self.admin);
        asked.is_ok_and(|answer| answer.status == 200)
    }

    /// Asks it for decisions.
    pub(crate) fn asker(&self) -> Asker {
        Asker::new(self.grpc, self.http)
    }

    /// The memory that it holds, in KiB (`VmRSS`).
    #[expect(
        clippy::disallowed_methods,
        reason = "reads what the kernel says of it"
    )]
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().split(' ').next());
        number.expect("a line `VmRSS`").parse().expect("a number")
    }

    /// What a counter of an authenticator says, by outcome: `jwks_refresh` or `introspection`.
    pub(crate) fn outcomes(&self, counter: &str, authenticator: &str) -> BTreeMap<String, u64> {
        let start =
            format!("cedargate_{counter}_total{{authenticator=\"{authenticator}\",outcome=\"");
        let text = self.ask_admin("/metrics").text();
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        let pairs = lines.filter_map(|rest| rest.split_once("\"} "));
        pairs
            .map(|(outcome, count)| (outcome.to_owned(), count.parse().expect("a number")))
            .collect()
    }

    /// Asks the admin listener.
    pub(crate) fn ask_admin(&self, path: &str) -> Response {
        Request::new("GET", path)
            .send(self.admin)
            .expect("the admin listener must answer")
    }

    /// `/v1/status`.
    pub(crate) fn status(&self) -> Value {
        self.ask_admin("/v1/status").json()
    }

    /// The first decision record that `matches`, as soon as it is written.
    pub(crate) fn record(&self, matches: impl Fn(&Value) -> bool) -> Value {
        let lines = self.process.stdout();
        let found = lines.wait(READY, |lines| {
            let records = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            records.into_iter().find(|record| matches(record))
        });
        found.unwrap_or_else(|| panic!("no such record in:\n{}", lines.text()))
    }

    /// Everything that the process has printed, on both streams.
    pub(crate) fn printed(&self) -> String {
        self.process.stdout().text() + &self.process.stderr().text()
    }

    /// Ends it as an orchestrator would, and says how it ended.
    pub(crate) fn terminate(&mut self) -> Option<ExitStatus> {
        self.process.signal("TERM");
        self.process.wait(Duration::from_secs(20))
    }
}
