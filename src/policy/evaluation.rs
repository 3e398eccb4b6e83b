//! What the policies say to one request.

use std::sync::Arc;

use super::context::Unusable;

/// The outcome of one evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The outcome.
    pub verdict: Verdict,
    /// Ids of the policies that determined it, sorted: the permits that held, the forbids that
    /// held, or the forbids that failed. Empty when nothing held.
    pub determining: Vec<Arc<str>>,
    /// Policies that could not be evaluated.
    pub errors: Vec<PolicyFailure>,
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

    /// No policy applies at all.
    pub(super) fn not_permitted() -> Self {
        Self {
            verdict: Verdict::NotPermitted,
            determining: Vec::new(),
            errors: Vec::new(),
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
        }
    }
}
