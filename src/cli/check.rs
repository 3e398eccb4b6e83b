//! `cedargate check`

mod flags;

use std::path::PathBuf;

use serde_json::json;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::case;
use crate::cli::case::Case;
use crate::cli::case::CaseFault;
use crate::cli::output::Output;
use crate::cli::policies;
use crate::cli::policies::PoliciesFlag;
use crate::config;
use crate::decision::Decision;
use crate::decision::Telling;
use crate::decision::decide;
use crate::policy::PolicySnapshot;

/// Decide one request offline, and explain the decision
///
/// The policies are those of the configuration, and the decision is taken by the code that `serve`
/// runs. The caller is described, not proved: no token is read. What `principals.yaml` says of the
/// caller is added, as it is by `serve`.
///
/// A request file is YAML (or JSON) in the form of a policy test, without `expect`:
///
/// ```yaml
/// principal: {type: User, subject: alice, roles: [viewer]}
/// tool: weather/get_forecast
/// arguments: {city: Berne}
/// ```
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Exit codes: 0 allow; 1 failure; 2 wrong usage, or a request that is not understood; \
                  3 invalid configuration or policy; 5 deny."
)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFlag,
    #[command(flatten)]
    policies: PoliciesFlag,
    /// A file that describes the request; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "described")]
    request: Option<PathBuf>,
    #[command(flatten)]
    described: flags::Flags,
    /// Print the decision as a JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self, output: Output) -> Exit {
        let read = match &self.request {
            Some(path) => case::read(path),
            None => self.described.case(),
        };
        let case = match read {
            Ok(case) => case,
            Err(CaseFault::Form(fault)) => {
                output.faults(&[*fault]);
                return Exit::Usage;
            }
            Err(fault) => return output.usage(&fault),
        };
        let config = match config::load_with(&self.file.config, &self.policies.overrides()) {
            Ok(loaded) => loaded.config,
            Err(faults) => return output.faults(&faults),
        };
        if let Err(fault) = case.is_possible(&config.resources) {
            return output.usage(&fault);
        }
        let policies = match policies::configured(&config) {
            Ok(policies) => policies,
            Err(faults) => return output.faults(&faults),
        };
        let identity = policies.enrich_identity(&case.identity);
        let decision = decide(
            &case.request,
            &identity,
            &policies.facts(&identity),
            &policies,
            Telling {
                roles: true,
                has_issuer: case.has_issuer(),
            },
        );
        let text = if self.json {
            as_json(&case, &decision)
        } else {
            in_words(&case, &decision, &policies)
        };
        match (output.data(&text), &decision) {
            (Exit::Done, Decision::Deny(_)) => Exit::Denied,
            (exit, _) => exit,
        }
    }
}

fn as_json(case: &Case, decision: &Decision) -> String {
    let operation = &case.request.operations.first;
    let mut document = json!({
        "decision": if matches!(decision, Decision::Allow(_)) { "allow" } else { "deny" },
        "reason": decision.reason().as_str(),
        "action": operation.action.as_str(),
        "target": operation.target.to_string(),
    });
    let facts = match decision {
        Decision::Allow(grant) => json!({"policies": strings(&grant.policies)}),
        Decision::Deny(denial) => json!({
            "policies": strings(&denial.forbidden_by),
            "message": denial.message,
            "required_scopes": denial.required_scopes,
            "errors": denial.failures.iter().map(|f| &*f.policy).collect::<Vec<_>>(),
        }),
    };
    if let (Some(document), Some(facts)) = (document.as_object_mut(), facts.as_object()) {
        document.extend(facts.clone());
    }
    document.to_string()
}

fn strings(ids: &[std::sync::Arc<str>]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

fn in_words(case: &Case, decision: &Decision, policies: &PolicySnapshot) -> String {
    let operation = &case.request.operations.first;
    let mut lines = Vec::new();
    let (determining, failures) = match decision {
        Decision::Allow(grant) => {
            lines.push("allow".to_owned());
            (&grant.policies, &grant.failures)
        }
        Decision::Deny(denial) => {
            lines.push(format!("deny: {}", denial.reason().as_str()));
            lines.push(format!("  {}", denial.message));
            (&denial.forbidden_by, &denial.failures)
        }
    };
    lines.push(format!("  action  {}", operation.action.as_str()));
    lines.push(format!("  target  {}", operation.target));
    for id in determining {
        lines.push(format!("  policy  {id}{}", place(policies, id)));
    }
    for failure in failures {
        let place = place(policies, &failure.policy);
        lines.push(format!(
            "  failed  {}{place}: {}",
            failure.policy, failure.message
        ));
    }
    lines.join("\n")
}

fn place(policies: &PolicySnapshot, id: &str) -> String {
    policies
        .policies()
        .find(|policy| &*policy.id == id)
        .map(|policy| format!(" ({}:{})", policy.file, policy.line))
        .unwrap_or_default()
}
