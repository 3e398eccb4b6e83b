//! One test, run: the decision that `serve` would take, held against what is expected.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::test::coverage::Coverage;
use crate::cli::test::files::Test;
use crate::decision::Decision;
use crate::decision::Telling;
use crate::decision::decide;
use crate::identity::Identity;
use crate::policy::PolicySnapshot;

/// What came of a test.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `allow`, or `deny` with the reason.
    pub(super) got: String,
    /// What the client would be told.
    pub(super) message: String,
    /// The determining ids, sorted.
    pub(super) policies: Vec<Arc<str>>,
    /// Ids of policies that failed to evaluate, with why.
    pub(super) failures: Vec<String>,
    /// What is not as expected; empty when the test passed.
    pub(super) differences: Vec<String>,
}

pub(super) fn run(test: &Test, policies: &PolicySnapshot, coverage: &mut Coverage) -> Outcome {
    let case = &test.case;
    let identity = policies.enrich_identity(&case.identity);
    let telling = Telling {
        roles: true,
        has_issuer: case.has_issuer(),
    };
    let facts = policies.facts(&identity);
    let decision = decide(&case.request, &identity, &facts, policies, telling);
    let (got, message, determining, failures, missing) = match decision {
        Decision::Allow(grant) => {
            let none = Vec::new();
            (
                "allow".to_owned(),
                String::new(),
                grant.policies,
                grant.failures,
                none,
            )
        }
        Decision::Deny(denial) => {
            let missing = missing(&denial.required_scopes, &identity);
            let got = format!("deny: {}", denial.reason().as_str());
            let message = denial.message.into_owned();
            (got, message, denial.forbidden_by, denial.failures, missing)
        }
    };
    coverage.saw(&case.request.operations.first, &determining);
    let mut outcome = Outcome {
        differences: Vec::new(),
        failures: failures
            .iter()
            .map(|failure| format!("{}: {}", failure.policy, failure.message))
            .collect(),
        got,
        message,
        policies: determining,
    };
    outcome.compare(test, &missing);
    outcome
}

/// What the caller lacks of the scopes that the operation needs.
fn missing(required: &[String], identity: &Identity) -> Vec<String> {
    let none = BTreeSet::new();
    let has = match identity {
        Identity::Anonymous => &none,
        Identity::Verified(principal) => &principal.scopes,
    };
    let mut missing: Vec<String> = required
        .iter()
        .filter(|scope| !has.contains(*scope))
        .cloned()
        .collect();
    missing.sort_unstable();
    missing
}

impl Outcome {
    fn compare(&mut self, test: &Test, missing: &[String]) {
        let expected = &test.expected;
        let wanted = if expected.allow { "allow" } else { "deny" };
        if self.got.starts_with(wanted) {
            if let Some(wanted) = &expected.policies {
                let got: Vec<_> = self.policies.iter().map(ToString::to_string).collect();
                self.differ("policies", wanted, &got);
            }
            if let Some(wanted) = &expected.missing_scopes {
                self.differ("missing scopes", wanted, missing);
            }
        } else {
            let difference = format!("expected {wanted}, got {}", self.got);
            self.differences.push(difference);
        }
    }

    fn differ(&mut self, what: &str, wanted: &[String], got: &[String]) {
        if wanted != got {
            let (wanted, got) = (wanted.join(", "), got.join(", "));
            let difference = format!("expected {what} [{wanted}], got [{got}]");
            self.differences.push(difference);
        }
    }
}
