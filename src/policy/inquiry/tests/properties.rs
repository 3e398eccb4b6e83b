//! What holds of explanations for any policies and any request.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::Authorizer;
use cedar_policy::EvalResult;
use cedar_policy::Expression;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;
use cedar_policy::eval_expression;
use proptest::prelude::*;

use super::ask;
use crate::policy::Foresight;
use crate::policy::Gaps;
use crate::policy::Inquiry;
use crate::policy::PolicySnapshot;
use crate::policy::inquiry::Finding;
use crate::policy::inquiry::Found;
use crate::policy::inquiry::Question;
use crate::policy::inquiry::Weighed;
use crate::policy::inquiry::candidates::Candidates;
use crate::policy::properties::compile;
use crate::policy::properties::policy;
use crate::policy::properties::request;

/// Whether the policy holds, asked alone.
fn holds(snapshot: &PolicySnapshot, candidates: &Candidates<'_>, one: &Weighed) -> bool {
    let live = snapshot
        .engine
        .live(&PolicyId::new(&*one.policy.id))
        .unwrap();
    let alone = PolicySet::from_policies([live.policy.clone()]).unwrap();
    let response =
        Authorizer::new().is_authorized(&candidates.request, &alone, &candidates.entities);
    response.diagnostics().reason().next().is_some()
}

/// Each condition, and each within, put to Cedar by itself.
fn check(findings: &[Finding], candidates: &Candidates<'_>) -> Result<(), TestCaseError> {
    for finding in findings {
        prop_assert!(!finding.found.is(finding.wanted), "{finding:?}");
        check(&finding.within, candidates)?;
        if finding.condition.ends_with('\u{2026}') {
            continue;
        }
        let condition = Expression::from_str(&finding.condition).unwrap();
        let value = eval_expression(&candidates.request, &candidates.entities, &condition);
        match (&finding.found, value) {
            (Found::True, Ok(EvalResult::Bool(value))) => prop_assert!(value, "{finding:?}"),
            (Found::False, Ok(EvalResult::Bool(value))) => prop_assert!(!value, "{finding:?}"),
            (Found::Failed(_), Err(_)) => {}
            (_, other) => prop_assert!(false, "{finding:?}: {other:?}"),
        }
    }
    Ok(())
}

fn ids<'a>(weighed: impl IntoIterator<Item = &'a Weighed>) -> BTreeSet<&'a str> {
    weighed.into_iter().map(|one| &*one.policy.id).collect()
}

fn everything(inquiry: &Inquiry) -> impl Iterator<Item = &Weighed> {
    let all = inquiry.determining.iter().chain(&inquiry.overruled);
    all.chain(&inquiry.near)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_says_what_cedar_says(
        policies in prop::collection::vec(policy(), 1..14),
        requests in prop::collection::vec(request(), 4),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let decided = snapshot.evaluate(operation, context, &snapshot.facts(identity));
            let inquiry = ask(&snapshot, identity, operation, context);
            prop_assert_eq!(inquiry.evaluation.as_ref(), Some(&decided));
            let gaps = Gaps::default();
            let question = Question { operation, context, identity, gaps: &gaps };
            let Ok(candidates) = Candidates::find(&snapshot.engine, question) else {
                prop_assert_eq!(everything(&inquiry).count(), 0);
                continue;
            };
            let determining: BTreeSet<&str> = decided.determining.iter().map(|id| &**id).collect();
            prop_assert_eq!(ids(&inquiry.determining), determining);
            for one in everything(&inquiry) {
                check(&one.findings, &candidates)?;
            }
            for one in &inquiry.near {
                prop_assert!(!holds(&snapshot, &candidates, one), "{one:?}");
                prop_assert!(!one.findings.is_empty(), "{one:?}");
                prop_assert_eq!(one.policy.forbid, decided.allows());
            }
            for one in &inquiry.overruled {
                prop_assert!(holds(&snapshot, &candidates, one) && !one.policy.forbid);
            }
            // Every policy that could have made it otherwise is accounted for.
            let all = snapshot.engine.policies.iter();
            let others = all.filter(|live| live.forbid == decided.allows()).count();
            let told = [inquiry.near.len(), inquiry.more, inquiry.elsewhere];
            let held = if decided.allows() { 0 } else { inquiry.overruled.len() };
            if inquiry.is_complete {
                prop_assert_eq!(told.into_iter().chain([held]).sum::<usize>(), others);
            }
        }
    }

    #[test]
    fn what_is_not_known_changes_nothing_that_is_said(
        policies in prop::collection::vec(policy(), 1..10),
        requests in prop::collection::vec(request(), 4),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let gaps = Gaps::everything();
            let blind = snapshot.inquire(operation, context, identity, &gaps);
            let seeing = ask(&snapshot, identity, operation, context);
            let allow = seeing.evaluation.as_ref().unwrap().allows();
            match &blind.foresight {
                Foresight::Whole => prop_assert_eq!(&blind.evaluation, &seeing.evaluation),
                Foresight::Decided { allow: foreseen, .. } => prop_assert_eq!(*foreseen, allow),
                Foresight::Unclear { policies, .. } => prop_assert!(!policies.is_empty()),
            }
            let unclear: BTreeSet<&str> = blind.unclear.iter().map(|(one, _)| &*one.id).collect();
            prop_assert!(ids(everything(&blind)).is_disjoint(&unclear));
        }
    }
}
