//! What the policies say to one request.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::AuthorizationError;
use cedar_policy::Decision;
use cedar_policy::Response;

use super::context::Unusable;
use super::engine::Engine;

/// The outcome of one evaluation. Two are equal that say the same, however they were come by.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The outcome.
    pub verdict: Verdict,
    /// Ids of the policies that determined it, sorted: the permits that held, the forbids that
    /// held, or the forbids that failed. Empty when nothing held.
    pub determining: Vec<Arc<str>>,
    /// Policies that could not be evaluated.
    pub errors: Vec<PolicyFailure>,
    /// Whether it was remembered.
    pub recall: Recall,
}

impl PartialEq for Evaluation {
    fn eq(&self, other: &Self) -> bool {
        self.verdict == other.verdict
            && self.determining == other.determining
            && self.errors == other.errors
    }
}

impl Eq for Evaluation {}

/// How an answer was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recall {
    /// It was given before to the same question.
    Hit,
    /// It was worked out, and is remembered.
    Miss,
    /// It was worked out, and holds for this request only: some policy reads what the next may bring
    /// otherwise.
    Bypass,
}

/// How many answers of a request were come by in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recalls {
    /// [`Recall::Hit`]
    pub hits: u32,
    /// [`Recall::Miss`]
    pub misses: u32,
    /// [`Recall::Bypass`]
    pub bypasses: u32,
}

impl Recalls {
    /// Of these answers.
    pub fn of(evaluations: &[Evaluation]) -> Self {
        let mut recalls = Self::default();
        for evaluation in evaluations {
            let counter = match evaluation.recall {
                Recall::Hit => &mut recalls.hits,
                Recall::Miss => &mut recalls.misses,
                Recall::Bypass => &mut recalls.bypasses,
            };
            *counter = counter.saturating_add(1);
        }
        recalls
    }
}

/// Allow, or the kind of deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A permit holds, and no forbid holds or fails.
    Allow,
    /// A forbid holds.
    Forbidden,
    /// No permit holds.
    NotPermitted,
    /// A forbid could not be evaluated, or the request has no form in Cedar.
    ForbidFailed,
}

/// A policy that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFailure {
    /// Its id; empty where the request itself could not be put into Cedar's terms.
    pub policy: Arc<str>,
    /// Whether it denies. A permit that fails has no effect.
    pub forbid: bool,
    /// What went wrong, for the log: it may quote the request.
    pub message: String,
}

impl Evaluation {
    /// Whether the request may go on.
    pub fn allows(&self) -> bool {
        self.verdict == Verdict::Allow
    }

    /// Cedar's answer, made strict: a forbid that fails denies.
    pub(super) fn of(response: &Response, engine: &Engine) -> Self {
        let errors: Vec<PolicyFailure> = response
            .diagnostics()
            .errors()
            .map(|error| {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                let live = engine.live(error.policy_id());
                PolicyFailure {
                    policy: live.map_or_else(|| "".into(), |live| Arc::clone(&live.id)),
                    // A policy that nobody knows is taken for the worse kind.
                    forbid: live.is_none_or(|live| live.forbid),
                    message: error.to_string(),
                }
            })
            .collect();
        let reasons: BTreeSet<Arc<str>> = response
            .diagnostics()
            .reason()
            .filter_map(|id| engine.live(id))
            .map(|live| Arc::clone(&live.id))
            .collect();
        let failed: BTreeSet<Arc<str>> = errors
            .iter()
            .filter(|error| error.forbid)
            .map(|error| Arc::clone(&error.policy))
            .collect();
        let (verdict, determining) = match (response.decision(), failed.is_empty()) {
            (Decision::Allow, true) => (Verdict::Allow, reasons),
            (Decision::Deny, _) if !reasons.is_empty() => (Verdict::Forbidden, reasons),
            (Decision::Deny, true) => (Verdict::NotPermitted, reasons),
            (Decision::Allow | Decision::Deny, false) => (Verdict::ForbidFailed, failed),
        };
        Self {
            verdict,
            determining: determining.into_iter().collect(),
            errors,
            recall: Recall::Bypass,
        }
    }

    /// The same, come by in another way.
    pub(super) fn recalled(mut self, recall: Recall) -> Self {
        self.recall = recall;
        self
    }

    /// No policy applies at all.
    pub(super) fn not_permitted() -> Self {
        Self {
            verdict: Verdict::NotPermitted,
            determining: Vec::new(),
            errors: Vec::new(),
            recall: Recall::Bypass,
        }
    }

    /// The request could not be evaluated: deny as if a forbid had failed, because one might have
    /// held.
    pub(super) fn unusable(unusable: &Unusable) -> Self {
        Self {
            verdict: Verdict::ForbidFailed,
            determining: Vec::new(),
            errors: vec![PolicyFailure {
                policy: "".into(),
                forbid: true,
                message: unusable.to_string(),
            }],
            recall: Recall::Bypass,
        }
    }
}
