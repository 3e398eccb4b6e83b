//! Policies that are out of force, tried beside those in force.
//!
//! They are kept apart from the policies in force, down to their index and their memory, so that
//! nothing about them can change an answer that counts. What both would say together follows from
//! what each says alone: a policy holds, or fails, whatever other policies there are.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::engine::Engine;
use super::evaluation::Evaluation;
use super::evaluation::Verdict;
use super::facts::PrincipalFacts;
use crate::identity::Identity;
use crate::request::Operation;
use crate::request::RequestContext;

/// The most policies that are evaluated to try them. An answer that counts waits for it, so that there is
/// a bound, which an index that finds what can matter seldom meets.
pub const MOST_TRIED: usize = 200;

/// The policies with `@mode("log_only")` of one snapshot.
pub struct Trial {
    engine: Engine,
    stranger: PrincipalFacts,
}

impl Trial {
    /// The engine holds these policies and no others.
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            stranger: engine.facts(&Identity::Anonymous),
            engine,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.engine.policies.len()
    }

    /// What there is to know of a caller, enriched by the snapshot; made once per token, as
    /// [`PolicySnapshot::facts`](super::PolicySnapshot::facts) are.
    pub fn facts(&self, identity: &Identity) -> PrincipalFacts {
        match identity {
            Identity::Anonymous => self.stranger.clone(),
            Identity::Verified(_) => self.engine.facts(identity),
        }
    }

    /// Whether the facts were made here; others give right answers too, slowly.
    pub fn made(&self, facts: &PrincipalFacts) -> bool {
        self.engine.made(facts)
    }

    /// What the policies would say if these were in force as well, where those in force say `live`;
    /// absent where more than [`MOST_TRIED`] of them would have to be evaluated.
    pub fn evaluate(
        &self,
        live: &Evaluation,
        operation: &Operation,
        context: &RequestContext,
        facts: &PrincipalFacts,
    ) -> Option<Evaluation> {
        let asked = (operation, context);
        let tried = self.engine.evaluate_few(asked, facts, MOST_TRIED)?;
        Some(together(live, tried))
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("policies", &self.count())
            .finish_non_exhaustive()
    }
}

/// What two sets of policies say as one.
fn together(one: &Evaluation, other: Evaluation) -> Evaluation {
    let (first, second) = (weight(one), weight(&other));
    if first == Weight::Unusable || (second == Weight::NotPermitted && other.errors.is_empty()) {
        return one.clone();
    }
    if second == Weight::Unusable || (first == Weight::NotPermitted && one.errors.is_empty()) {
        return other;
    }
    let mut errors = one.errors.clone();
    errors.extend(other.errors);
    let (verdict, determining) = match first.cmp(&second) {
        Ordering::Greater => (one.verdict, one.determining.clone()),
        Ordering::Less => (other.verdict, other.determining),
        Ordering::Equal => {
            let mut both: Vec<Arc<str>> = one.determining.clone();
            both.extend(other.determining);
            both.sort_unstable();
            (one.verdict, both)
        }
    };
    Evaluation {
        verdict,
        determining,
        errors,
        recall: one.recall,
    }
}

/// Which of two answers counts, from the least on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    NotPermitted,
    Allow,
    ForbidFailed,
    Forbidden,
    /// The request has no form in Cedar, and so has none for more policies.
    Unusable,
}

fn weight(evaluation: &Evaluation) -> Weight {
    match evaluation.verdict {
        Verdict::NotPermitted => Weight::NotPermitted,
        Verdict::Allow => Weight::Allow,
        Verdict::ForbidFailed if evaluation.determining.is_empty() => Weight::Unusable,
        Verdict::ForbidFailed => Weight::ForbidFailed,
        Verdict::Forbidden => Weight::Forbidden,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::policy::PolicySnapshot;
    use crate::policy::fixtures::call;
    use crate::policy::fixtures::context;
    use crate::policy::fixtures::snapshot;
    use crate::policy::fixtures::user;
    use crate::policy::fixtures::verified;
    use crate::policy::properties::compile;
    use crate::policy::properties::policy;
    use crate::policy::properties::request;

    fn tried(snapshot: &PolicySnapshot, identity: &Identity) -> (Evaluation, Evaluation) {
        let (operation, context) = (call("s/x"), context());
        let live = snapshot.evaluate(&operation, &context, &snapshot.facts(identity));
        let trial = snapshot.trial().unwrap();
        let facts = trial.facts(identity);
        assert!(trial.made(&facts) && !snapshot.made(&facts));
        let tried = trial.evaluate(&live, &operation, &context, &facts);
        (live, tried.unwrap())
    }

    #[test]
    fn there_is_a_bound_on_what_is_evaluated_to_try_it() {
        let policies = |count: usize| -> String {
            let one = |number| {
                format!(
                    "@id(\"p{number}\") @mode(\"log_only\") permit (principal, action, resource)\n\
                     when {{ context.requestId == \"{number}\" }};\n"
                )
            };
            (0..count).map(one).collect()
        };
        for (count, is_asked) in [(MOST_TRIED, true), (MOST_TRIED + 1, false)] {
            let snapshot = snapshot(&policies(count), &["s"]);
            let (operation, context) = (call("s/x"), context());
            let identity = verified(user("a", ""));
            let facts = snapshot.facts(&identity);
            let live = snapshot.evaluate(&operation, &context, &facts);
            let trial = snapshot.trial().unwrap();
            for facts in [trial.facts(&identity), facts] {
                let tried = trial.evaluate(&live, &operation, &context, &facts);
                assert_eq!(tried.is_some(), is_asked, "{count}");
            }
        }
    }

    #[test]
    fn what_is_tried_is_added_to_what_is_in_force() {
        const OVERFLOWS: &str =
            "when { context.now.toTime().toMilliseconds() * 9223372036854775807 > 0 }";
        let permit = |id: &str| format!("@id(\"{id}\") permit (principal, action, resource);");
        let forbid = |id: &str| format!("@id(\"{id}\") forbid (principal, action, resource);");
        let fails =
            |id: &str| format!("@id(\"{id}\") forbid (principal, action, resource) {OVERFLOWS};");
        let tries = |text: String| text.replace("@id", "@mode(\"log_only\") @id");
        for (live, other, expected) in [
            (permit("a"), permit("b"), (Verdict::Allow, "a b")),
            (permit("a"), forbid("b"), (Verdict::Forbidden, "b")),
            (permit("a"), fails("b"), (Verdict::ForbidFailed, "b")),
            (forbid("a"), permit("b"), (Verdict::Forbidden, "a")),
            (forbid("a"), forbid("b"), (Verdict::Forbidden, "a b")),
            (forbid("a"), fails("b"), (Verdict::Forbidden, "a")),
            (fails("a"), permit("b"), (Verdict::ForbidFailed, "a")),
            (fails("a"), fails("b"), (Verdict::ForbidFailed, "a b")),
            (String::new(), permit("b"), (Verdict::Allow, "b")),
            (String::new(), forbid("b"), (Verdict::Forbidden, "b")),
        ] {
            let snapshot = snapshot(&format!("{live}{}", tries(other.clone())), &["s"]);
            let (alone, together) = tried(&snapshot, &Identity::Anonymous);
            let seen = (together.verdict, together.determining.join(" "));
            assert_eq!(seen, (expected.0, expected.1.to_owned()), "{live} {other}");
            assert!(!alone.determining.contains(&"b".into()), "{live} {other}");
        }
    }

    #[test]
    fn a_caller_is_known_by_what_policies_on_trial_ask_for() {
        let text = "@id(\"b\") @mode(\"log_only\") \
                    permit (principal in Mcp::Role::\"r\", action, resource);";
        let snapshot = snapshot(text, &["s"]);
        for (roles, expected) in [("r", Verdict::Allow), ("x", Verdict::NotPermitted)] {
            let (live, tried) = tried(&snapshot, &verified(user(roles, "")));
            assert_eq!(live.verdict, Verdict::NotPermitted);
            assert_eq!(tried.verdict, expected);
        }
        let none = "@id(\"a\") permit (principal, action, resource);";
        assert!(
            crate::policy::fixtures::snapshot(none, &["s"])
                .trial()
                .is_none()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn a_trial_answers_as_if_its_policies_were_in_force(
            policies in prop::collection::vec((policy(), any::<bool>()), 1..20),
            requests in prop::collection::vec(request(), 12),
        ) {
            let all: Vec<String> = policies.iter().map(|(policy, _)| policy.clone()).collect();
            let some: Vec<String> = policies
                .iter()
                .map(|(policy, tried)| {
                    if *tried { format!("@mode(\"log_only\") {policy}") } else { policy.clone() }
                })
                .collect();
            let (Some(whole), Some(parted)) = (compile(&all), compile(&some)) else {
                return Ok(());
            };
            for (identity, operation, context) in &requests {
                let expected = whole.evaluate(operation, context, &whole.facts(identity));
                let live = parted.evaluate(operation, context, &parted.facts(identity));
                let Some(trial) = parted.trial() else {
                    prop_assert_eq!(live, expected);
                    continue;
                };
                let facts = trial.facts(identity);
                for _ in ["asked", "remembered"] {
                    let together = trial.evaluate(&live, operation, context, &facts);
                    let together = together.unwrap();
                    prop_assert_eq!(together.verdict, expected.verdict);
                    prop_assert_eq!(&together.determining, &expected.determining);
                    let failed = |evaluation: &Evaluation| -> BTreeSet<Arc<str>> {
                        let errors = evaluation.errors.iter();
                        errors.map(|error| Arc::clone(&error.policy)).collect()
                    };
                    prop_assert_eq!(failed(&together), failed(&expected));
                }
            }
        }
    }
}
