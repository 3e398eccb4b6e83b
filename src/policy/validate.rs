//! Strict validation against the schema, each fault once.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::PolicySet;
use cedar_policy::Schema;
use cedar_policy::ValidationMode;
use cedar_policy::ValidationWarning;
use cedar_policy::Validator;
use miette::Diagnostic;

use super::load::Loaded;
use super::report;
use crate::fault::Fault;
use crate::fault::Severity;

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
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| {
        let id: &str = error.policy_id().as_ref();
        (id, diagnostic(error), false)
    });
    let warnings = result.validation_warnings().map(|warning| {
        let useless = matches!(
            warning,
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
        );
        let id: &str = warning.policy_id().as_ref();
        (id, diagnostic(warning), !useless)
    });
    let mut found: Vec<Fault> = errors
        .chain(warnings)
        .filter_map(|(id, diagnostic, harmless)| {
            let fault = fault(by_id.get(id)?, diagnostic);
            Some(if harmless { fault.warning() } else { fault })
        })
        .collect();
    // The validator repeats a fault for each pair of action and principal type, in no fixed
    // order, and names the type: the first in order stands for all at that place.
    sort(&mut found);
    found.dedup_by_key(|fault| place(fault));
    faults.extend(found);
}

/// Sorts by place.
pub(super) fn sort(faults: &mut [Fault]) {
    faults.sort_by_cached_key(|fault| (place(fault), fault.message.clone()));
}

fn place(fault: &Fault) -> (Arc<str>, Option<usize>, Severity) {
    let start = fault.span.as_ref().map(|span| span.start);
    (Arc::clone(&fault.file), start, fault.severity)
}

fn diagnostic(diagnostic: &dyn Diagnostic) -> &dyn Diagnostic {
    diagnostic
}

/// The fault, at the policy's first line where Cedar knows no better.
fn fault(loaded: &Loaded, diagnostic: &dyn Diagnostic) -> Fault {
    let mut fault = report::diagnostic(&loaded.source, diagnostic);
    if fault.span.is_none() {
        let help = fault.help.take();
        let line = report::first_line(&loaded.source, loaded.span.start);
        fault = Fault::error(&loaded.source, Some(line), fault.message);
        fault.help = help;
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Source;
    use crate::policy::load;
    use crate::policy::vocabulary;

    fn check(text: &str) -> Vec<String> {
        let source = Source {
            name: "x.cedar".into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        let loaded = load::policies(&[&source], &mut faults);
        let schema = vocabulary::schema().unwrap();
        policies(&schema, &loaded.iter().collect::<Vec<_>>(), &mut faults);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_fault_is_reported_once_with_its_way_out() {
        let faults = check(
            "@id(\"a\") permit(principal, action, resource)\nwhen { principal.scope == [\"x\"] };",
        );
        assert_eq!(faults.len(), 1, "{faults:#?}");
        let fault = faults.first().unwrap();
        assert!(fault.starts_with("x.cedar:2:"), "{fault}");
        assert!(fault.contains("did you mean `scopes`?"), "{fault}");
    }

    #[test]
    fn what_can_never_work_is_an_error() {
        for conditions in [
            "when { principal.clientId == 1 }",
            "when { context.args.getTag(\"a\").long == 1 }",
            "when { ip(context.http.host).isLoopback() }",
            "when { principal in [] }",
            "when { principal is Mcp::Tool }",
            "when { resource is Mcp::Tool && resource is Mcp::Route }",
        ] {
            let faults = check(&format!(
                "@id(\"a\") permit(principal, action, resource) {conditions};"
            ));
            assert!(
                faults
                    .first()
                    .is_some_and(|fault| fault.contains(": error: ")),
                "{conditions}: {faults:?}"
            );
        }
        let group = "@id(\"a\") permit(principal, action == Mcp::Action::\"mcp\", resource);";
        assert!(
            check(group).iter().any(|fault| fault.contains(": error: ")),
            "{:?}",
            check(group)
        );
        let deref = "@id(\"a\") permit(principal, action == Mcp::Action::\"tools/call\", resource)
            when { resource.server.tenant == principal.tenant
              && resource.server in Mcp::ServerGroup::\"g\" };";
        assert_eq!(check(deref), Vec::<String>::new());
    }

    #[test]
    fn what_is_only_odd_is_a_warning() {
        let faults = check(
            "@id(\"a\") permit(principal, action, resource) when { principal.tenant == \"\u{430}b\" };",
        );
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults.iter().all(|fault| fault.contains(": warning: ")),
            "{faults:?}"
        );
    }
}
