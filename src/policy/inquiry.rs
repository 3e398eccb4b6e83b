//! One operation, explained to operators: which policies decide it, which nearly did, and at which
//! condition each of those stops, with the values that it met.
//!
//! A condition is taken apart where Cedar would look at its parts, and every part is put to Cedar by
//! itself, for the request as it is. So nothing is said of a condition that Cedar does not say. Where
//! an explanation takes longer than it may, it says less and says so.

mod candidates;
mod lever;
mod scope;
#[cfg(test)]
mod tests;
mod turn;
mod values;
mod why;
mod words;

use std::sync::Arc;

pub use self::turn::Turn;

use self::candidates::Candidates;
use self::lever::Lever;
use self::scope::Distance;
use self::why::Scene;
use super::PolicyInfo;
use super::deep;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Evaluation;
use super::evaluation::Verdict;
use super::explain;
use super::explain::Explanation;
use super::foresee;
use super::foresee::Foresight;
use super::gaps::Gaps;
use super::solve::Effort;
use crate::identity::Identity;
use crate::request::Operation;
use crate::request::RequestContext;

/// Most near misses that are told.
const MAX_NEAR: usize = 10;
/// Most policies of any other list.
const MAX_LISTED: usize = 20;
/// Most conditions that are told of one operation, parts counted.
const MAX_FINDINGS: usize = 200;
/// Most policies whose conditions are looked into to find the nearest.
const MAX_WEIGHED: usize = 40;

/// Everything there is to say of one operation.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// How far the request's gaps leave an answer.
    pub foresight: Foresight,
    /// The answer, as every check gets it; absent where something is missing that has a part in it.
    pub evaluation: Option<Evaluation>,
    /// The policies that determine it. For a forbid that holds, the findings are what would have to be
    /// otherwise; for one that fails, what fails.
    pub determining: Vec<Weighed>,
    /// Permits that hold and are overruled.
    pub overruled: Vec<Weighed>,
    /// Policies that would have made it otherwise and do not hold: of a deny the permits, of an allow
    /// the forbids. The nearest come first.
    pub near: Vec<Weighed>,
    /// How many near misses there are beyond those.
    pub more: usize,
    /// Policies of the same effect that are about other actions or other targets.
    pub elsewhere: usize,
    /// Policies that were left alone because they read something that is not known, with what that
    /// is. Sorted by id.
    pub unclear: Vec<(PolicyInfo, Vec<String>)>,
    /// Policies that are never enforced, and so had no part in it.
    pub log_only: Vec<PolicyInfo>,
    /// What would help a caller who is denied.
    pub remedy: Explanation,
    /// What of the circumstances would.
    pub turns: Vec<Turn>,
    /// Whether everything above is all there is, apart from what `more` counts.
    pub is_complete: bool,
}

/// A policy, and how it came out.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// Which it is.
    pub policy: PolicyInfo,
    /// What decided how it came out, in the order of the policy.
    pub findings: Vec<Finding>,
}

/// A condition that did not come out as it would have had to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition, as Cedar writes it.
    pub condition: String,
    /// What it would have had to be.
    pub wanted: bool,
    /// What it is.
    pub found: Found,
    /// What the request and the caller brought to it.
    pub values: Vec<Value>,
    /// What of the circumstances would have to be otherwise, for people.
    pub must: Option<String>,
    /// What of the circumstances may make it come out as wanted.
    lever: Option<Lever>,
    /// Its parts, where it has some: why it came out as it did.
    pub within: Vec<Self>,
    /// Whether one of those parts would be enough; else all of them are needed.
    pub any: bool,
}

/// What a condition came out as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// True.
    True,
    /// False.
    False,
    /// It cannot be evaluated, for the reason that Cedar gives.
    Failed(String),
}

/// A value that a condition met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What it is the value of: a part of the condition as Cedar writes it, or in words.
    pub of: String,
    /// The value.
    pub is: String,
}

impl Finding {
    /// Whether the condition, and each part that is told, could be evaluated.
    fn is_clean(&self) -> bool {
        !matches!(self.found, Found::Failed(_)) && self.within.iter().all(Self::is_clean)
    }
}

/// A request to explain, and what of it is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) operation: &'a Operation,
    pub(super) context: &'a RequestContext,
    /// Enriched.
    pub(super) identity: &'a Identity,
    pub(super) gaps: &'a Gaps,
}

/// Explains one operation. `listed` are all policies, sorted by id.
pub(super) fn inquire(engine: &Engine, listed: &[PolicyInfo], question: Question<'_>) -> Inquiry {
    let Question {
        operation,
        context,
        identity,
        gaps,
    } = question;
    let facts = engine.facts(identity);
    let foresight = foresee::foresee(engine, operation, context, &facts, gaps);
    let whole = foresight == Foresight::Whole;
    let evaluation = whole.then(|| engine.evaluate(operation, context, &facts));
    let denied = evaluation.as_ref().is_some_and(|it| !it.allows());
    let mut inquiry = Inquiry {
        remedy: if denied {
            explain::explain(engine, operation, context, identity)
        } else {
            Explanation::default()
        },
        turns: Vec::new(),
        foresight,
        evaluation,
        determining: Vec::new(),
        overruled: Vec::new(),
        near: Vec::new(),
        more: 0,
        elsewhere: 0,
        unclear: Vec::new(),
        log_only: listed
            .iter()
            .filter(|policy| !policy.enforced)
            .cloned()
            .collect(),
        is_complete: true,
    };
    // Parsing and taking apart what an operator wrote recurses without looking at the stack.
    let looked = deep::run(|| look(engine, listed, question, &mut inquiry));
    inquiry.is_complete &= looked == Some(true);
    inquiry
}

/// Fills in the lists, and says whether that is all.
fn look(
    engine: &Engine,
    listed: &[PolicyInfo],
    question: Question<'_>,
    inquiry: &mut Inquiry,
) -> bool {
    // A request that has no form in Cedar meets no policy: the evaluation says why.
    let Ok(candidates) = Candidates::find(engine, question) else {
        return true;
    };
    let effort = Effort::new();
    let scene = Scene {
        request: &candidates.request,
        entities: &candidates.entities,
        question,
        effort: &effort,
    };
    let teller = Teller {
        listed,
        scene: &scene,
    };
    let came_out = candidates.come_out();
    let determining: &[Arc<str>] = match (&inquiry.evaluation, &inquiry.foresight) {
        (Some(evaluation), _) => &evaluation.determining,
        (None, Foresight::Decided { policies, .. }) => policies,
        (None, Foresight::Whole | Foresight::Unclear { .. }) => &[],
    };
    let named = |live: &&Live| determining.contains(&live.id);
    let deciding: Vec<&Live> = candidates.all.iter().copied().filter(named).collect();
    inquiry.determining = teller.all(&deciding, |live| scene.releases(live));
    let allow = match (&inquiry.evaluation, &inquiry.foresight) {
        (Some(evaluation), _) => Some(evaluation.allows()),
        (None, Foresight::Decided { allow, .. }) => Some(*allow),
        (None, Foresight::Whole | Foresight::Unclear { .. }) => None,
    };
    if allow == Some(false) {
        let overruled = candidates.all.iter().copied();
        let overruled: Vec<&Live> = overruled
            .filter(|live| !live.forbid && came_out.holds(live))
            .collect();
        inquiry.overruled = teller.all(&overruled, |_| Vec::new());
    }
    for live in &candidates.unclear {
        if let Some(policy) = teller.info(live) {
            let missing = question.gaps.named(&live.reading);
            inquiry.unclear.push((policy, missing));
        }
    }
    // Where nothing is decided, what is known not to hold is of either kind.
    let other = |live: &Live| allow.is_none_or(|allow| live.forbid == allow);
    let missed = candidates.all.iter().copied();
    let missed = missed.filter(|live| other(live) && !came_out.holds(live));
    let missed: Vec<&Live> = missed
        .filter(|live| !determining.contains(&live.id))
        .collect();
    teller.near(&candidates, missed, &other, inquiry);
    inquiry.turns = turns(engine, question, inquiry);
    let all_told = told(inquiry);
    let cut = [
        cut(&mut inquiry.determining),
        cut(&mut inquiry.overruled),
        cut(&mut inquiry.unclear),
        cut(&mut inquiry.log_only),
    ];
    all_told && !cut.contains(&true) && !candidates.is_cut && !effort.is_spent()
}

/// What of the circumstances would turn a denial round.
fn turns(engine: &Engine, question: Question<'_>, inquiry: &Inquiry) -> Vec<Turn> {
    match inquiry.evaluation.as_ref().map(|it| it.verdict) {
        Some(Verdict::NotPermitted) => turn::turns(engine, question, &inquiry.near),
        Some(Verdict::Forbidden) => turn::turns(engine, question, &inquiry.determining),
        Some(Verdict::Allow | Verdict::ForbidFailed) | None => Vec::new(),
    }
}

/// Leaves as many findings as there is room for, and says whether those are all.
fn told(inquiry: &mut Inquiry) -> bool {
    let mut left = MAX_FINDINGS;
    let mut whole = true;
    for one in inquiry.determining.iter_mut().chain(&mut inquiry.near) {
        whole &= prune(&mut one.findings, &mut left);
    }
    whole
}

/// The same of these and the parts of each.
fn prune(findings: &mut Vec<Finding>, left: &mut usize) -> bool {
    let before = findings.len();
    findings.truncate(*left);
    *left = left.saturating_sub(findings.len());
    let mut whole = findings.len() == before;
    for finding in findings {
        whole &= prune(&mut finding.within, left);
    }
    whole
}

/// Whether there was more than is told.
fn cut<T>(list: &mut Vec<T>) -> bool {
    let cut = list.len() > MAX_LISTED;
    list.truncate(MAX_LISTED);
    cut
}

/// Puts policies into words.
struct Teller<'a> {
    listed: &'a [PolicyInfo],
    scene: &'a Scene<'a>,
}

impl Teller<'_> {
    fn info(&self, live: &Live) -> Option<PolicyInfo> {
        let place = self
            .listed
            .binary_search_by(|it| it.id.cmp(&live.id))
            .ok()?;
        self.listed.get(place).cloned()
    }

    fn all(&self, lives: &[&Live], why: impl Fn(&Live) -> Vec<Finding>) -> Vec<Weighed> {
        let one = |live: &&Live| {
            Some(Weighed {
                policy: self.info(live)?,
                findings: why(live),
            })
        };
        // One more than is told shows that there are more.
        let most = MAX_LISTED.saturating_add(1);
        lives.iter().take(most).filter_map(one).collect()
    }

    /// Fills in the near misses: first those about the same action and target, among them first those
    /// that this caller could have met and those that fewest conditions keep from holding; then those
    /// about the same action and something near the target, then other actions on the target.
    fn near(
        &self,
        candidates: &Candidates<'_>,
        missed: Vec<&Live>,
        other: &dyn Fn(&Live) -> bool,
        inquiry: &mut Inquiry,
    ) {
        let mut far = candidates.elsewhere(self.scene, other);
        inquiry.elsewhere = far.unrelated;
        inquiry.more = missed.len().saturating_add(far.near.len());
        let mut missed: Vec<(bool, &Live)> = missed
            .into_iter()
            .map(|live| (!candidates.is_met(live), live))
            .collect();
        missed.sort_by_key(|(unmet, _)| *unmet);
        let mut weighed: Vec<(bool, usize, Weighed)> = Vec::new();
        for (unmet, live) in missed.into_iter().take(MAX_WEIGHED) {
            let findings = self.scene.failures(live);
            if findings.is_empty() {
                // There was no time to look.
                continue;
            }
            if let Some(policy) = self.info(live) {
                let weighing = (unmet, findings.len(), Weighed { policy, findings });
                weighed.push(weighing);
            }
        }
        weighed.sort_by_key(|(unmet, findings, _)| (*unmet, *findings));
        let mut near: Vec<Weighed> = weighed.into_iter().map(|(_, _, one)| one).collect();
        near.truncate(MAX_NEAR);
        far.near.sort_by_key(|(distance, _)| *distance);
        for (_, live) in far.near {
            if near.len() >= MAX_NEAR {
                break;
            }
            let findings = self.scene.strays(live);
            if let (Some(policy), false) = (self.info(live), findings.is_empty()) {
                near.push(Weighed { policy, findings });
            }
        }
        inquiry.more = inquiry.more.saturating_sub(near.len());
        inquiry.near = near;
    }
}
