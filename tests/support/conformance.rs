//! The official conformance suite of the protocol, and what it found.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::process::Process;
use super::tools::tools;

/// How long a run may take, on a busy machine.
const RUN: Duration = Duration::from_secs(120);

/// How long one scenario may take, in milliseconds: the longest wait of any is five seconds.
const SCENARIO: &str = "15000";

/// What the suite always reports, even with nothing listening: it says nothing of the server.
const ALWAYS: &str = "wire-schema-valid";

/// The findings of one run, by scenario.
#[derive(Debug)]
pub(crate) struct Report {
    scenarios: BTreeMap<String, Vec<Check>>,
}

/// One finding.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    name: String,
    status: Status,
    #[serde(default)]
    error_message: String,
}

/// How it turned out.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

impl Report {
    /// Runs every scenario that a revision requires, and those that the suite only reports.
    pub(crate) fn of_revision(port: u16, revision: &str) -> Self {
        Self::run(port, &["--requirements", revision])
    }

    /// Runs one scenario.
    pub(crate) fn of_scenario(port: u16, scenario: &str, revision: &str) -> Self {
        Self::run(port, &["--scenario", scenario, "--spec-version", revision])
    }

    fn run(port: u16, which: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("http://127.0.0.1:{port}/mcp");
        let mut command = tools().conformance();
        command
            .args(["server", "--url", &url, "--timeout", SCENARIO])
            .args(which)
            .arg("--output-dir")
            .arg(folder.path())
            .current_dir(folder.path());
        let mut process = Process::spawn("conformance suite", &mut command);
        let ended = process.wait(RUN);
        let said = process.stdout().text();
        assert!(ended.is_some(), "the suite did not end:\n{said}");
        let scenarios = results(folder.path());
        assert!(
            !scenarios.is_empty(),
            "the suite ran nothing:\n{said}{}",
            process.stderr().text()
        );
        Self { scenarios }
    }

    /// The scenarios without a failure and with at least one success that says something.
    pub(crate) fn passed(&self) -> Vec<&str> {
        let passed = self.scenarios.iter().filter(|(_, checks)| passes(checks));
        passed.map(|(name, _)| name.as_str()).collect()
    }

    /// The successes of a scenario that say something, in order: each check's id, and which case of it.
    pub(crate) fn successes(&self, scenario: &str) -> Vec<(&str, &str)> {
        let checks = self.scenarios.get(scenario).into_iter().flatten();
        let succeeded = checks.filter(|check| check.says_something());
        succeeded.map(|check| (&*check.id, &*check.name)).collect()
    }
}

impl Check {
    fn says_something(&self) -> bool {
        self.status == Status::Success && self.id != ALWAYS
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scenario, checks) in &self.scenarios {
            for check in checks {
                if matches!(check.status, Status::Failure | Status::Warning) {
                    let Check { id, name, .. } = check;
                    let why = &check.error_message;
                    writeln!(formatter, "{scenario}: {id} ({name}): {why}")?;
                }
            }
        }
        Ok(())
    }
}

fn passes(checks: &[Check]) -> bool {
    let failed = checks.iter().any(|check| check.status == Status::Failure);
    !failed && checks.iter().any(Check::says_something)
}

/// Each scenario has a folder, `server-<name>-<when>`, with the findings.
#[expect(
    clippy::disallowed_methods,
    reason = "reads what the suite has written"
)]
fn results(folder: &Path) -> BTreeMap<String, Vec<Check>> {
    let entries = folder.read_dir().expect("the folder is ours");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.and_then(|name| name.strip_prefix("server-"));
            // The time is 2026-01-02T03-04-05-678Z.
            let (name, _) = name
                .and_then(|name| name.split_at_checked(name.len().saturating_sub(25)))
                .unwrap_or_else(|| panic!("an unknown result: {}", path.display()));
            let text = fs::read_to_string(path.join("checks.json"));
            let text = text.unwrap_or_else(|error| panic!("{name} did not end: {error}"));
            let checks = serde_json::from_str(&text).expect("the suite writes JSON");
            (name.to_owned(), checks)
        })
        .collect()
}
