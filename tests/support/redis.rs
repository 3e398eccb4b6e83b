//! A real Redis that forgets everything when it ends.

use std::net::Ipv4Addr;

use redis::Client;
use redis::Connection;
use tempfile::TempDir;

use super::envoy::poll;
use super::port;
use super::process::Process;
use super::process::READY;
use super::tools::tools;

/// A running `redis-server`.
#[derive(Debug)]
pub(crate) struct RedisServer {
    process: Process,
    port: u16,
    password: Option<String>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts it, and returns when it answers.
    pub(crate) fn start() -> Self {
        Self::start_at(port::free(), None)
    }

    /// The same at a port, with a password that everybody must send.
    pub(crate) fn start_at(port: u16, password: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let process = spawn(port, password, &folder);
        let mut server = Self {
            process,
            port,
            password: password.map(ToOwned::to_owned),
            folder,
        };
        server.wait();
        server
    }

    /// Ends it, as a machine that dies would.
    pub(crate) fn kill(&mut self) {
        self.process.signal("KILL");
        assert!(self.process.wait(READY).is_some(), "it ends");
    }

    /// Starts it again at the same port, with nothing in it.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(self.port, self.password.as_deref(), &self.folder);
        self.wait();
    }

    /// Stops it in the middle of whatever it does, or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.process.signal(if frozen { "STOP" } else { "CONT" });
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How it is named in a configuration.
    pub(crate) fn url(&self) -> String {
        let password = self.password.as_ref();
        let credentials = password.map(|password| format!(":{password}@"));
        let port = self.port;
        format!(
            "redis://{}127.0.0.1:{port}",
            credentials.unwrap_or_default()
        )
    }

    /// Asks it something, and reads the answer as what the test takes it for.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let (first, rest) = words.split_first().expect("a command");
        let mut command = redis::cmd(first);
        for word in rest {
            command.arg(*word);
        }
        let answer = command.query(&mut self.connect().expect("it answers"));
        answer.expect("an answer of that type")
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        Client::open(self.url())?.get_connection_with_timeout(READY)
    }

    fn wait(&mut self) {
        let ready = poll(READY, || {
            let connected = self.connect();
            let ponged = connected.and_then(|mut to| redis::cmd("PING").query::<String>(&mut to));
            ponged.is_ok() || !self.process.is_running()
        });
        let running = self.process.is_running();
        assert!(ready && running, "{}", self.process.stdout().text());
    }
}

fn spawn(port: u16, password: Option<&str>, folder: &TempDir) -> Process {
    let mut command = tools().redis();
    let port = port.to_string();
    let bind = Ipv4Addr::LOCALHOST.to_string();
    command.args(["--port", &port, "--bind", &bind, "--save", ""]);
    command
        .args(["--appendonly", "no", "--dir"])
        .arg(folder.path());
    if let Some(password) = password {
        command.args(["--requirepass", password]);
    }
    Process::spawn("redis", &mut command)
}
