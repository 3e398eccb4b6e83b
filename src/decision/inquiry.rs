//! A whole request, explained to operators: the decision that a check would get, and why.
//!
//! It is not on the path of a check, and tells more than a client may know.

pub mod document;

use crate::decision::Decision;
use crate::decision::Telling;
use crate::decision::decide;
use crate::identity::Identity;
use crate::policy::Foresight;
use crate::policy::Gaps;
use crate::policy::Inquiry;
use crate::policy::PolicySnapshot;
use crate::request::AccessRequest;
use crate::request::Operation;

/// Most operations of a request that are explained.
const MAX_OPERATIONS: usize = 4;

/// A request to explain.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// As far as it is known.
    pub request: &'a AccessRequest,
    /// Who asks, enriched by the policies.
    pub identity: &'a Identity,
    /// What is not known of each operation; of those beyond, everything is.
    pub gaps: &'a [Gaps],
    /// How many operations are missing at the end.
    pub missing: u64,
    /// Whether there is an issuer who could give the caller more scopes.
    pub has_issuer: bool,
}

/// An explanation.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What is decided.
    pub outcome: Outcome,
    /// The operations that are explained, in the order of the request: those that decide come first
    /// where there are too many.
    pub operations: Vec<(Operation, Inquiry)>,
    /// How many operations are left out.
    pub more_operations: u64,
}

/// What is decided, as far as that is known.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for each question of an operator, and none is kept"
)]
pub enum Outcome {
    /// As a check would get it.
    Decided(Decision),
    /// Allow or deny; what else is said of it may depend on what is missing.
    Foreseen {
        /// Allow; else deny.
        allow: bool,
    },
    /// It depends on something that is missing.
    Unclear {
        /// What that is.
        missing: Vec<String>,
    },
}

impl Outcome {
    /// `allow`, `deny`, or `unclear` where it depends on something that is missing.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Decided(Decision::Allow(_)) | Self::Foreseen { allow: true } => "allow",
            Self::Decided(Decision::Deny(_)) | Self::Foreseen { allow: false } => "deny",
            Self::Unclear { .. } => "unclear",
        }
    }
}

/// Explains a request.
pub fn inquire(asked: Asked<'_>, policies: &PolicySnapshot) -> Answer {
    let operations = &asked.request.operations;
    let known = Gaps::default();
    let all: Vec<(&Operation, &Gaps)> = std::iter::once(&operations.first)
        .chain(&operations.rest)
        .enumerate()
        .map(|(place, operation)| (operation, asked.gaps.get(place).unwrap_or(&known)))
        .collect();
    let facts = policies.facts(asked.identity);
    let context = &asked.request.context;
    let foreseen: Vec<Foresight> = all
        .iter()
        .map(|(operation, gaps)| policies.foresee(operation, context, &facts, gaps))
        .collect();
    let is_whole = foreseen.iter().all(|one| *one == Foresight::Whole) && asked.missing == 0;
    let allows = |place: usize| match (foreseen.get(place), all.get(place)) {
        (Some(Foresight::Decided { allow, .. }), _) => Some(*allow),
        (Some(Foresight::Whole), Some((operation, _))) => {
            Some(policies.evaluate(operation, context, &facts).allows())
        }
        (Some(Foresight::Unclear { .. }) | None, _) | (Some(Foresight::Whole), None) => None,
    };
    let verdicts: Vec<Option<bool>> = (0..all.len()).map(allows).collect();
    let outcome = if is_whole {
        let telling = Telling {
            roles: true,
            has_issuer: asked.has_issuer,
        };
        let decision = decide(asked.request, asked.identity, &facts, policies, telling);
        Outcome::Decided(decision)
    } else {
        in_pieces(&verdicts, &foreseen, asked.missing)
    };
    let mut places: Vec<usize> = (0..all.len()).collect();
    if places.len() > MAX_OPERATIONS {
        places.sort_by_key(|place| verdicts.get(*place) == Some(&Some(true)));
        places.truncate(MAX_OPERATIONS);
        places.sort_unstable();
    }
    let explained = places.into_iter().filter_map(|place| {
        let (operation, gaps) = all.get(place)?;
        let inquiry = policies.inquire(operation, context, asked.identity, gaps);
        Some(((*operation).clone(), inquiry))
    });
    let operations: Vec<_> = explained.collect();
    let left_out = all.len().saturating_sub(operations.len());
    let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
    Answer {
        outcome,
        operations,
        more_operations: left_out.saturating_add(asked.missing),
    }
}

/// A refused operation refuses the request, and all have to be allowed.
fn in_pieces(verdicts: &[Option<bool>], foreseen: &[Foresight], more: u64) -> Outcome {
    if verdicts.contains(&Some(false)) {
        return Outcome::Foreseen { allow: false };
    }
    let mut missing: Vec<String> = foreseen
        .iter()
        .filter_map(|one| match one {
            Foresight::Unclear { missing, .. } => Some(missing.iter().cloned()),
            Foresight::Whole | Foresight::Decided { .. } => None,
        })
        .flatten()
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if more > 0 {
        missing.push(format!("{more} more operations of the request"));
    }
    if missing.is_empty() {
        return Outcome::Foreseen { allow: true };
    }
    Outcome::Unclear { missing }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_refusal_is_certain_and_an_allow_needs_everything() {
        let unclear = |what: &str| Foresight::Unclear {
            missing: BTreeSet::from([what.to_owned()]),
            policies: BTreeSet::new(),
        };
        let both = [unclear("b"), unclear("a")];
        for (verdicts, foreseen, more, word, told) in [
            (&[Some(true), Some(true)][..], &[][..], 0, "allow", &[][..]),
            (&[Some(true), Some(false)], &[], 0, "deny", &[]),
            (&[None, Some(false)], &both[..1], 3, "deny", &[]),
            (&[None, None], &both, 0, "unclear", &["a", "b"]),
            (
                &[Some(true)],
                &[],
                2,
                "unclear",
                &["2 more operations of the request"],
            ),
        ] {
            let outcome = in_pieces(verdicts, foreseen, more);
            assert_eq!(outcome.word(), word, "{verdicts:?}");
            let missing = match outcome {
                Outcome::Unclear { missing } => missing,
                Outcome::Decided(_) | Outcome::Foreseen { .. } => Vec::new(),
            };
            assert_eq!(missing, told, "{verdicts:?}");
        }
    }
}
