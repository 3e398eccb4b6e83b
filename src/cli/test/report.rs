//! The results for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::cli::printable;
use crate::cli::test::Places;
use crate::cli::test::coverage::Coverage;
use crate::cli::test::files::Test;
use crate::cli::test::run::Outcome;

/// How the results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Only what failed, and the sums.
    Failures,
    /// Every test.
    Everything,
    /// One JSON object.
    Json,
}

/// Every test with what came of it.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) results: Vec<(&'a Test, Outcome)>,
    pub(super) took: Duration,
    places: &'a Places,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        tests: &'a [Test],
        outcomes: Vec<Outcome>,
        took: Duration,
        places: &'a Places,
    ) -> Self {
        Self {
            results: tests.iter().zip(outcomes).collect(),
            took,
            places,
        }
    }

    /// Number of tests that failed.
    pub(super) fn failed(&self) -> usize {
        let failed = |(_, outcome): &&(&Test, Outcome)| !outcome.differences.is_empty();
        self.results.iter().filter(failed).count()
    }

    /// The results as text that ends in a line break.
    pub(super) fn text(&self, coverage: &Coverage, form: Form) -> String {
        if form == Form::Json {
            return printable::lines(&format!("{}\n", self.json(coverage)));
        }
        let mut lines = Vec::new();
        for (test, outcome) in &self.results {
            if !outcome.differences.is_empty() {
                lines.push(format!("FAIL  {} ({}:{})", test.name, test.file, test.line));
                lines.extend(self.details(outcome));
            } else if form == Form::Everything {
                let by = outcome.policies.join(", ");
                let by = if by.is_empty() {
                    by
                } else {
                    format!(", by {by}")
                };
                lines.push(format!("ok    {} ({}{by})", test.name, outcome.got));
            }
        }
        lines.push(self.sums());
        lines.extend(self.uncovered(coverage));
        // The names are those of a file that somebody may have sent.
        let mut text = String::new();
        for line in lines {
            text.push_str(&printable::line(&line));
            text.push('\n');
        }
        text
    }

    fn details(&self, outcome: &Outcome) -> Vec<String> {
        let mut lines: Vec<String> = outcome
            .differences
            .iter()
            .map(|difference| format!("      {difference}"))
            .collect();
        if !outcome.message.is_empty() {
            lines.push(format!("      the client is told: {}", outcome.message));
        }
        for id in &outcome.policies {
            lines.push(format!("      decided by {id}{}", self.places.shown(id)));
        }
        for failure in &outcome.failures {
            lines.push(format!("      failed to evaluate: {failure}"));
        }
        lines
    }

    fn sums(&self) -> String {
        let failed = self.failed();
        let all = self.results.len();
        let passed = all.saturating_sub(failed);
        let mut text = format!("{all} tests, {passed} passed");
        if failed > 0 {
            // A `String` takes everything that is written to it.
            let written = write!(text, ", {failed} failed");
            debug_assert!(written.is_ok());
        }
        text
    }

    fn uncovered(&self, coverage: &Coverage) -> Vec<String> {
        let all = coverage.policies();
        let idle: Vec<&str> = coverage.undecisive().collect();
        let decided = all.saturating_sub(idle.len());
        let percent = coverage.percent();
        let mut lines = vec![format!(
            "coverage: {decided} of {all} policies decided a test ({percent} %)"
        )];
        for id in idle {
            lines.push(format!("  never decisive: {id}{}", self.places.shown(id)));
        }
        for (what, names) in [
            ("actions", coverage.actions().collect::<Vec<_>>()),
            ("tools", coverage.tools().collect()),
        ] {
            if !names.is_empty() {
                lines.push(format!("  never asked for: {what} {}", names.join(", ")));
            }
        }
        lines
    }

    fn json(&self, coverage: &Coverage) -> Value {
        let tests: Vec<Value> = self
            .results
            .iter()
            .map(|(test, outcome)| {
                json!({
                    "name": test.name,
                    "file": &*test.file,
                    "line": test.line,
                    "passed": outcome.differences.is_empty(),
                    "got": outcome.got,
                    "policies": outcome.policies.iter().map(|id| &**id).collect::<Vec<_>>(),
                    "message": outcome.message,
                    "differences": outcome.differences,
                    "failures": outcome.failures,
                })
            })
            .collect();
        json!({
            "tests": tests,
            "failed": self.failed(),
            "coverage": {
                "percent": coverage.percent(),
                "never_decisive": coverage.undecisive().collect::<Vec<_>>(),
                "actions_never_asked_for": coverage.actions().collect::<Vec<_>>(),
                "tools_never_asked_for": coverage.tools().collect::<Vec<_>>(),
            },
        })
    }
}
