//! One cell: what the policies answer a caller who asks for one thing.

use std::sync::Arc;

use crate::cli::matrix::columns::Column;
use crate::cli::matrix::rows::Row;
use crate::policy::Dependence;
use crate::policy::PolicySnapshot;
use crate::policy::PrincipalFacts;
use crate::policy::Settled;
use crate::policy::Standing;
use crate::policy::Verdict;

/// An answer.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Whatever the request brings, allowed by these policies.
    Allow(Vec<Arc<str>>),
    /// Whatever the request brings, denied.
    Deny(Refusal),
    /// It depends on the request, by these policies.
    Depends(Vec<Dependence>),
}

/// Why it is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No policy permits it.
    NotPermitted,
    /// These policies forbid it.
    Forbidden(Vec<Arc<str>>),
    /// These forbids cannot be evaluated.
    Failed(Vec<Arc<str>>),
    /// The server takes no credential of this kind, so that no policy is asked.
    NotAccepted,
}

/// The classes of answers, the widest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Deny,
    Depends,
    Allow,
}

impl Class {
    /// As tables write it.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Depends => "allow?",
            Self::Allow => "allow",
        }
    }

    /// As JSON writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Depends => "conditional",
            Self::Allow => "allow",
        }
    }
}

impl Cell {
    /// Asks the policies.
    pub(super) fn of(
        policies: &PolicySnapshot,
        (row, facts): (&Row, &PrincipalFacts),
        column: &Column,
    ) -> Self {
        let accepted = row.through.as_ref().is_none_or(|through| {
            let known = &column.server.authenticators;
            through.iter().any(|index| known.contains(index))
        });
        if !accepted {
            return Self::Deny(Refusal::NotAccepted);
        }
        match policies.standing(column.action, (&column.target, column.meant), facts) {
            Standing::Open(all) => Self::Depends(all),
            Standing::Settled(Settled {
                verdict, policies, ..
            }) => match verdict {
                Verdict::Allow => Self::Allow(policies),
                Verdict::NotPermitted => Self::Deny(Refusal::NotPermitted),
                Verdict::Forbidden => Self::Deny(Refusal::Forbidden(policies)),
                Verdict::ForbidFailed => Self::Deny(Refusal::Failed(policies)),
            },
        }
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Self::Allow(_) => Class::Allow,
            Self::Deny(_) => Class::Deny,
            Self::Depends(_) => Class::Depends,
        }
    }

    /// Whether every request gets the same answer from both; at worst "no" where it does.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Depends(here), Self::Depends(there)) => {
                let mut pairs = here.iter().zip(there);
                here.len() == there.len() && pairs.all(|(here, there)| here.is_alike(there))
            }
            (Self::Allow(_) | Self::Deny(_) | Self::Depends(_), _) => self.class() == other.class(),
        }
    }

    /// Why, in words.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Allow(by) => format!("allowed by {}", by.join(", ")),
            Self::Deny(Refusal::NotPermitted) => "no policy permits it".to_owned(),
            Self::Deny(Refusal::Forbidden(by)) => format!("forbidden by {}", by.join(", ")),
            Self::Deny(Refusal::Failed(by)) if by.is_empty() => {
                "no such request can be evaluated".to_owned()
            }
            Self::Deny(Refusal::Failed(by)) => {
                format!("denied, as a forbid fails: {}", by.join(", "))
            }
            Self::Deny(Refusal::NotAccepted) => {
                "the server does not accept such a credential".to_owned()
            }
            Self::Depends(all) => {
                let each: Vec<String> = all.iter().map(one).collect();
                format!("depends on {}", each.join("; "))
            }
        }
    }
}

fn one(dependence: &Dependence) -> String {
    let effect = effect(dependence);
    // A forbid may fail on what it reads, so that something is always read.
    let reads = dependence.reads.join(", ");
    format!("{} ({effect}, reads {reads})", dependence.policy)
}

/// `permit` or `forbid`.
pub(super) fn effect(dependence: &Dependence) -> &'static str {
    if dependence.forbid {
        "forbid"
    } else {
        "permit"
    }
}
