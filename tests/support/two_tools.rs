//! Real MCP servers with the tools `greet` and `danger`, which write down what they ran and for whom.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use tempfile::TempDir;

use super::process::Process;
use super::tools::tools;

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Python, every revision.
    Python,
    /// TypeScript behind Express, the revisions up to 2025-11-25.
    Express1,
    /// TypeScript behind Express, every revision.
    Express2,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Python, Self::Express1, Self::Express2];
}

/// A running server at `/mcp`.
#[derive(Debug)]
pub(crate) struct TwoTools {
    _process: Process,
    port: u16,
    record: PathBuf,
    _folder: TempDir,
}

/// One run of a tool.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    /// Which.
    pub(crate) tool: String,
    /// Who asked, as the front door says; empty if there was none.
    pub(crate) subject: String,
    /// The scopes of the caller, likewise, with commas between them.
    pub(crate) scopes: String,
}

impl TwoTools {
    /// Starts it with an empty record.
    pub(crate) fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let record = folder.path().join("runs.ndjson");
        let mut command = match kind {
            Kind::Python => tools().python("two_tools_server.py"),
            Kind::Express1 | Kind::Express2 => tools().node("express-server.mjs"),
        };
        match kind {
            Kind::Python => {}
            Kind::Express1 => {
                command.args(["--sdk", "1"]);
            }
            Kind::Express2 => {
                command.args(["--sdk", "2"]);
            }
        }
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

    /// Every run so far, in order; complete for all requests that have been answered.
    #[expect(
        clippy::disallowed_methods,
        reason = "reads the record of the server that it has started"
    )]
    pub(crate) fn runs(&self) -> Vec<Run> {
        let text = fs::read_to_string(&self.record).expect("the server creates its record");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("the record is NDJSON"))
            .collect()
    }
}

/// Puts this text in the place of every policy of a folder.
pub(crate) fn only_policy(folder: &Path, text: &str) {
    for entry in folder.read_dir().expect("the policy folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|kind| kind == "cedar") {
            fs::remove_file(path).expect("a policy can be removed");
        }
    }
    fs::write(folder.join("10-tools.cedar"), text).expect("a policy can be written");
}
