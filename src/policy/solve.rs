//! What a caller lacks for a formula to become true: every smallest set, up to a bound.

use std::cell::Cell;
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

/// Most needs that one "and" writes down.
const MAX_WRITTEN: usize = 4_096;
/// What it takes to look at one part of a formula.
const STEPS_A_PART: usize = 4;
/// Most steps of one explanation: some tens of milliseconds. Whoever is denied makes us take them, and
/// policies of a few lines can ask for more than anybody has time for.
const MAX_STEPS: usize = 250_000;

/// How many steps an explanation may still take, all its parts together.
#[derive(Debug)]
pub(super) struct Effort(Cell<usize>);

impl Effort {
    /// Nothing is spent yet.
    pub(super) fn new() -> Self {
        Self(Cell::new(MAX_STEPS))
    }

    /// Takes so many steps, and says whether there were more.
    pub(super) fn spend(&self, steps: usize) -> bool {
        self.0.set(self.0.get().saturating_sub(steps));
        !self.is_spent()
    }

    /// Whether what has been found is no answer, because not all of it was looked at.
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

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
    pub(super) effort: &'a Effort,
}

impl Setting<'_> {
    /// What is missing for `formula`. Something that the caller would have to lose counts as
    /// impossible.
    pub(super) fn solve(self, formula: &Formula) -> Goals {
        if !self.effort.spend(STEPS_A_PART) {
            return Goals::new();
        }
        match formula {
            Formula::Known(value) => given(*value),
            Formula::Has(need) if !self.has(need) => vec![Goal::from([need.clone()])],
            Formula::Has(_) => given(true),
            Formula::Lacks(need) => given(!self.has(need)),
            Formula::All(parts) => {
                let mut goals = given(true);
                for part in parts {
                    goals = both(self.effort, &goals, &self.solve(part));
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

/// Each of one side together with each of the other; nothing where that takes too long.
pub(super) fn both(effort: &Effort, left: &Goals, right: &Goals) -> Goals {
    let longest = |goals: &Goals| goals.iter().map(BTreeSet::len).max().unwrap_or(0);
    let length = longest(left).saturating_add(longest(right));
    let (left, right) = (few(left, length), few(right, length));
    let needs = |goals: &[Goal]| goals.iter().map(BTreeSet::len).sum::<usize>();
    let written = needs(left)
        .saturating_mul(right.len())
        .saturating_add(needs(right).saturating_mul(left.len()));
    if !effort.spend(written) {
        return Goals::new();
    }
    let pairs = left
        .iter()
        .flat_map(|a| right.iter().map(move |b| a.union(b).cloned().collect()));
    smallest(pairs.collect())
}

/// The first of them; fewer, the longer they are.
fn few(goals: &Goals, length: usize) -> &[Goal] {
    let pairs = MAX_WRITTEN.checked_div(length).unwrap_or(MAX_WRITTEN);
    let most = pairs.isqrt().clamp(1, MAX_FACTORS);
    goals.get(..most).unwrap_or(goals)
}

/// Without the goals that ask for more than another does, in a fixed order.
pub(super) fn smallest(mut goals: Goals) -> Goals {
    goals.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    goals.dedup();
    let mut kept = Goals::new();
    for goal in goals {
        if kept.len() == MAX_GOALS {
            break;
        }
        // Those of its own length are other goals.
        let mut shorter = kept.iter().take_while(|other| other.len() < goal.len());
        if !shorter.any(|smaller| smaller.is_subset(&goal)) {
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
        let effort = Effort::new();
        let found = smallest(goals(&[
            &["b", "c"],
            &["a", "b"],
            &["a"],
            &["c", "b"],
            &["a"],
        ]));
        assert_eq!(found, goals(&[&["a"], &["b", "c"]]));
        assert_eq!(smallest(goals(&[&["a"], &[]])), given(true));
        assert_eq!(
            both(&effort, &goals(&[&["a"], &["b"]]), &given(false)),
            Goals::new()
        );
        assert_eq!(
            both(&effort, &goals(&[&["a"], &["b"]]), &goals(&[&["a"]])),
            goals(&[&["a"]])
        );
    }

    #[test]
    fn alternatives_are_bounded() {
        let many: Goals = (0..500)
            .map(|n| Goal::from([Need::Scope(format!("{n:04}"))]))
            .collect();
        assert_eq!(smallest(many.clone()).len(), MAX_GOALS);
        assert!(both(&Effort::new(), &many, &many).len() <= MAX_GOALS);
    }

    #[test]
    fn what_takes_too_long_is_no_answer() {
        let effort = Effort::new();
        let many: Goals = (0..MAX_FACTORS)
            .map(|n| (0..100).map(|m| Need::Scope(format!("{n}-{m}"))).collect())
            .collect();
        assert!(!both(&effort, &many, &many).is_empty());
        assert!(!effort.is_spent());
        while !both(&effort, &many, &many).is_empty() {}
        assert!(effort.is_spent());
        assert_eq!(both(&effort, &many, &many), Goals::new());
    }
}
