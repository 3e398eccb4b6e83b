//! What a caller lacks for a formula to become true: every smallest set, up to a bound.

use std::collections::BTreeSet;

use cedar_policy::Entities;
use cedar_policy::EvalResult;
use cedar_policy::Request;
use cedar_policy::eval_expression;

use super::formula::Formula;
use super::formula::Question;
use super::guard::Need;
use super::reads::Fields;
use crate::identity::Principal;

/// Needs that are enough together.
pub(super) type Goal = BTreeSet<Need>;

/// Alternatives, smallest first. None: impossible. The empty goal: true already.
pub(super) type Goals = Vec<Goal>;

/// Most alternatives that are kept.
const MAX_GOALS: usize = 64;
/// Most alternatives on either side of an "and".
const MAX_FACTORS: usize = 24;

/// The request that formulas are solved for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) request: &'a Request,
    pub(super) entities: &'a Entities,
    pub(super) principal: &'a Principal,
    /// The caller's scopes, those implied by others included.
    pub(super) scopes: &'a BTreeSet<String>,
    /// Whether whatever reads the context is taken to be as wanted.
    pub(super) elsewhere: bool,
}

impl Setting<'_> {
    /// What is missing for `formula`. Something that the caller would have to lose counts as
    /// impossible.
    pub(super) fn solve(self, formula: &Formula) -> Goals {
        match formula {
            Formula::Known(value) => given(*value),
            Formula::Has(need) if !self.has(need) => vec![Goal::from([need.clone()])],
            Formula::Has(_) => given(true),
            Formula::Lacks(need) => given(!self.has(need)),
            Formula::All(parts) => {
                let mut goals = given(true);
                for part in parts {
                    goals = both(&goals, &self.solve(part));
                    if goals.is_empty() {
                        break;
                    }
                }
                goals
            }
            Formula::Any(parts) => {
                let mut goals = Goals::new();
                for part in parts {
                    goals.extend(self.solve(part));
                    if goals.iter().any(BTreeSet::is_empty) {
                        return given(true);
                    }
                }
                smallest(goals)
            }
            Formula::Evaluates(question) => given(
                (self.elsewhere && question.reads != Fields::NONE) || self.is_as_wanted(question),
            ),
            Formula::Unknown => given(false),
        }
    }

    /// What the parts of `formula` that are not as wanted read of the context.
    pub(super) fn hurdles(self, formula: &Formula) -> Fields {
        match formula {
            Formula::All(parts) | Formula::Any(parts) => parts
                .iter()
                .map(|part| self.hurdles(part))
                .fold(Fields::NONE, Fields::union),
            Formula::Evaluates(question) if !self.is_as_wanted(question) => question.reads,
            Formula::Evaluates(_)
            | Formula::Known(_)
            | Formula::Has(_)
            | Formula::Lacks(_)
            | Formula::Unknown => Fields::NONE,
        }
    }

    fn is_as_wanted(self, question: &Question) -> bool {
        let value = eval_expression(self.request, self.entities, &question.expression);
        matches!(value, Ok(EvalResult::Bool(value)) if value == question.wanted)
    }

    fn has(self, need: &Need) -> bool {
        match need {
            Need::Member(uid) => self
                .request
                .principal()
                .is_some_and(|principal| self.entities.is_ancestor_of(uid, principal)),
            Need::Scope(scope) => self.scopes.contains(scope),
            Need::Client(client) => self.principal.client_id == *client,
        }
    }
}

/// True already, or impossible.
pub(super) fn given(value: bool) -> Goals {
    if value { vec![Goal::new()] } else { Vec::new() }
}

/// Each of one side together with each of the other.
pub(super) fn both(left: &Goals, right: &Goals) -> Goals {
    let pairs = left.iter().take(MAX_FACTORS).flat_map(|a| {
        right
            .iter()
            .take(MAX_FACTORS)
            .map(move |b| a.union(b).cloned().collect())
    });
    smallest(pairs.collect())
}

/// Without the goals that ask for more than another does, in a fixed order.
pub(super) fn smallest(mut goals: Goals) -> Goals {
    goals.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept = Goals::new();
    for goal in goals {
        if kept.len() < MAX_GOALS && !kept.iter().any(|smaller| smaller.is_subset(&goal)) {
            kept.push(goal);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goals(sets: &[&[&str]]) -> Goals {
        sets.iter()
            .map(|set| set.iter().map(|s| Need::Scope((*s).to_owned())).collect())
            .collect()
    }

    #[test]
    fn only_the_smallest_are_kept() {
        let found = smallest(goals(&[
            &["b", "c"],
            &["a", "b"],
            &["a"],
            &["c", "b"],
            &["a"],
        ]));
        assert_eq!(found, goals(&[&["a"], &["b", "c"]]));
        assert_eq!(smallest(goals(&[&["a"], &[]])), given(true));
        assert_eq!(both(&goals(&[&["a"], &["b"]]), &given(false)), Goals::new());
        assert_eq!(
            both(&goals(&[&["a"], &["b"]]), &goals(&[&["a"]])),
            goals(&[&["a"]])
        );
    }

    #[test]
    fn alternatives_are_bounded() {
        let many: Goals = (0..500)
            .map(|n| Goal::from([Need::Scope(format!("{n:04}"))]))
            .collect();
        assert_eq!(smallest(many.clone()).len(), MAX_GOALS);
        assert!(both(&many, &many).len() <= MAX_GOALS);
    }
}
