//! Strict validation against the schema, each fault once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cedar_policy::PolicySet;
use cedar_policy::Schema;
use cedar_policy::ValidationMode;
use cedar_policy::ValidationWarning;
use cedar_policy::Validator;
use miette::Diagnostic;

use super::load::Loaded;
use super::report;
use crate::fault::Fault;

/// How far a policy may follow entity references: principal, resource, action and `context.args`
/// are one step, `resource.server` is two. Nothing else is ever handed to the evaluator, so a
/// policy that looked further would silently see nothing.
const MAX_STEPS: u32 = 2;

/// Validates `policies`; warnings are collected with the faults.
pub(super) fn policies(schema: &Schema, policies: &[&Loaded], faults: &mut Vec<Fault>) {
    let mut set = PolicySet::new();
    let mut by_id = BTreeMap::new();
    for loaded in policies {
        by_id.insert(&*loaded.id, *loaded);
        if set.add(loaded.policy.clone()).is_err() {
            // Ids were made unique when they were loaded.
            faults.push(Fault::error(
                &loaded.source,
                Some(report::first_line(&loaded.source, loaded.span.start)),
                format!("policy id `{}` is already taken", loaded.id),
            ));
        }
    }
    let result =
        Validator::new(schema.clone()).validate_with_level(&set, ValidationMode::Strict, MAX_STEPS);
    let mut seen = BTreeSet::new();
    for error in result.validation_errors() {
        push(
            &by_id,
            error.policy_id().as_ref(),
            error,
            &mut seen,
            faults,
            false,
        );
    }
    for warning in result.validation_warnings() {
        let harmless = !matches!(
            warning,
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
        );
        push(
            &by_id,
            warning.policy_id().as_ref(),
            warning,
            &mut seen,
            faults,
            harmless,
        );
    }
}

/// The validator repeats a fault for each pair of action and principal type.
type Seen = BTreeSet<(String, Option<usize>)>;

fn push(
    by_id: &BTreeMap<&str, &Loaded>,
    id: &str,
    diagnostic: &dyn Diagnostic,
    seen: &mut Seen,
    faults: &mut Vec<Fault>,
    harmless: bool,
) {
    let Some(loaded) = by_id.get(id) else {
        return;
    };
    let mut fault = report::diagnostic(&loaded.source, diagnostic);
    if fault.span.is_none() {
        let help = fault.help.take();
        let line = report::first_line(&loaded.source, loaded.span.start);
        fault = Fault::error(&loaded.source, Some(line), fault.message);
        fault.help = help;
    }
    let start = fault.span.as_ref().map(|span| span.start);
    if seen.insert((fault.message.clone(), start)) {
        faults.push(if harmless { fault.warning() } else { fault });
    }
}
