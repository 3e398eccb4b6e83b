//! What operators ask of the policies in force: all of them, and why a request is decided as it is.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Config;
use crate::decision::inquiry;
use crate::decision::inquiry::Asked;
use crate::decision::inquiry::document;
use crate::decision::inquiry::document::Policy;
use crate::policy::PolicySnapshot;
use crate::request::case;
use crate::request::case::Case;
use crate::telemetry::recorded;
use crate::telemetry::recorded::Record;
use crate::telemetry::recorded::remake;

/// The reasons of decisions that policies take.
const BY_POLICY: [&str; 5] = [
    "allowed",
    "missing_credential",
    "insufficient_scope",
    "not_permitted",
    "policy_error",
];

/// Asks the policies in force.
#[derive(Clone)]
pub(super) struct Inquirer {
    pub(super) config: Arc<Config>,
    pub(super) snapshot: Arc<SnapshotCell>,
}

#[derive(Serialize)]
struct Listing<'a> {
    generation: u64,
    digest: &'a str,
    policies: Vec<Policy<'a>>,
}

impl Inquirer {
    /// Every policy, as JSON.
    pub(super) fn policies(&self) -> Vec<u8> {
        let policies = Arc::clone(&self.snapshot.load().policies);
        let listing = Listing {
            generation: policies.generation(),
            digest: policies.digest(),
            policies: policies.policies().map(Policy::of).collect(),
        };
        serde_json::to_vec_pretty(&listing).unwrap_or_default()
    }

    /// Explains the request that is described, or the one that a decision record is of.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the body.
    pub(super) fn explain(&self, body: &[u8]) -> Result<String, Vec<String>> {
        let policies = Arc::clone(&self.snapshot.load().policies);
        if is_record(body) {
            return self.recorded(body, &policies).map_err(|fault| vec![fault]);
        }
        let case = case::from_json(body)?;
        case.is_possible(&self.config.resources)
            .map_err(|fault| vec![fault.to_string()])?;
        Ok(described(&case, &policies))
    }

    fn recorded(&self, body: &[u8], policies: &PolicySnapshot) -> Result<String, String> {
        let record = Record::parse(body).map_err(|fault| fault.to_string())?;
        if !BY_POLICY.contains(&&*record.reason) {
            let reason = &record.reason;
            return Err(format!("policies had no part in a decision for `{reason}`"));
        }
        if record.operations.is_none() {
            return Err("the record is of an older version, which kept less".to_owned());
        }
        let principal = record
            .principal
            .ok_or("the record does not say who asked")?;
        let identity = recorded::caller(principal)
            .map_err(|_| "the record does not describe the caller as this version does")?;
        let identity = policies.enrich_identity(&identity);
        let remade =
            remake::request(&record, &self.config).map_err(|fault| fault.to_string())??;
        let gaps: Vec<_> = remade.operations().map(|(_, gaps)| gaps.clone()).collect();
        let asked = Asked {
            request: &remade.request,
            identity: &identity,
            gaps: &gaps,
            missing: remade.missing,
            has_issuer: recorded::has_issuer(&identity, &self.config).unwrap_or(true),
        };
        Ok(document::json(
            asked,
            &inquiry::inquire(asked, policies),
            policies,
        ))
    }
}

fn described(case: &Case, policies: &PolicySnapshot) -> String {
    let identity = policies.enrich_identity(&case.identity);
    let asked = Asked {
        request: &case.request,
        identity: &identity,
        gaps: &[],
        missing: 0,
        has_issuer: case.has_issuer(),
    };
    document::json(asked, &inquiry::inquire(asked, policies), policies)
}

/// Whether it is a line of the decision log: no description has these names.
fn is_record(body: &[u8]) -> bool {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => {
            members.contains_key("decision_id") || members.contains_key("timestamp")
        }
        Ok(_) | Err(_) => false,
    }
}
