//! A real MCP server that records what reaches it, and a real MCP client.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use tempfile::TempDir;

use super::http::Request;
use super::process::Process;
use super::process::READY;
use super::tools::tools;

/// A running MCP server at `/mcp`, with the tools `get_forecast`, `set_alert` and `delete_station`.
#[derive(Debug)]
pub(crate) struct McpServer {
    _process: Process,
    port: u16,
    record: PathBuf,
    _folder: TempDir,
}

/// One HTTP request that reached the server.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Recorded {
    /// The method.
    pub(crate) method: String,
    /// The path, undecoded, with the query.
    pub(crate) path: String,
    /// The headers in order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Length of the body in bytes.
    pub(crate) body_bytes: u64,
}

impl Recorded {
    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter();
        lines
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

impl McpServer {
    /// Starts it with an empty record.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let record = folder.path().join("requests.ndjson");
        let mut command = tools().python("mcp_server.py");
        let process = Process::spawn("MCP server", command.arg("--record").arg(&record));
        let port = process.ready_port();
        Self {
            _process: process,
            port,
            record,
            _folder: folder,
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far, in order; complete for all that have been answered.
    #[expect(
        clippy::disallowed_methods,
        reason = "reads the record of the server that it has started"
    )]
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        let text = fs::read_to_string(&self.record).expect("the server creates its record");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("the record is NDJSON"))
            .collect()
    }
}

/// An MCP POST with the headers that every client sends, to the host of the shipped Envoy
/// configuration.
pub(crate) fn post(body: &str) -> Request {
    Request::new("POST", "/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

/// The body of an `initialize` request of revision 2025-06-18.
pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

/// The body of a `tools/call` request; `arguments` is a JSON object.
pub(crate) fn call(tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

/// What the real client did.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClientOutcome {
    /// Whether the tool ran without an error.
    pub(crate) ok: bool,
    /// What it answered.
    #[serde(default)]
    pub(crate) text: String,
    /// Why there is no answer.
    #[serde(default)]
    pub(crate) error: String,
    /// The tools that it was shown, if it listed them.
    #[serde(default)]
    pub(crate) tools: Vec<String>,
    /// Every HTTP exchange: method, URL, status.
    pub(crate) requests: Vec<(String, String, u16)>,
}

/// Runs the real client against a URL, with more of its options, such as `["--tool", "set_alert"]`.
pub(crate) fn run_client(url: &str, options: &[&str]) -> ClientOutcome {
    let mut command = tools().python("mcp_client.py");
    let process = Process::spawn("MCP client", command.arg(url).args(options));
    process.stdout().wait_closed(READY);
    serde_json::from_value(process.ready("ok")).expect("the client prints its outcome")
}
