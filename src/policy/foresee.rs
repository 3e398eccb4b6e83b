//! What can be said of a request of which not everything is known.
//!
//! The policies that read nothing unknown are evaluated as they are. A forbid among them that holds
//! or fails denies, whatever the others say; a permit that holds allows if no other policy forbids.
//! What then depends on the others cannot be told, and that is what is said.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Unusable;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Verdict;
use super::facts::PrincipalFacts;
use super::gaps::Gaps;
use super::index::Number;
use crate::request::Operation;
use crate::request::RequestContext;

/// What is known of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foresight {
    /// Nothing that is missing has a part in it: a decision on what is known is the decision.
    Whole,
    /// It is an allow, or a deny, and these policies suffice for it; what else is said of it may
    /// depend on what is missing.
    Decided {
        /// Allow; else deny.
        allow: bool,
        /// Ids of policies that would determine it, sorted; others may as well.
        policies: Vec<Arc<str>>,
    },
    /// It depends on something that is missing.
    Unclear {
        /// What is missing, as policies write it.
        missing: BTreeSet<String>,
        /// Ids of the policies that read it, sorted.
        policies: BTreeSet<Arc<str>>,
    },
}

pub(super) fn foresee(
    engine: &Engine,
    operation: &Operation,
    context: &RequestContext,
    facts: &PrincipalFacts,
    gaps: &Gaps,
) -> Foresight {
    if !engine.policies.iter().any(|live| touches(gaps, live)) {
        return Foresight::Whole;
    }
    match look(engine, operation, context, facts, gaps) {
        Ok(found) => found,
        // With more known it would have no form in Cedar either.
        Err(_unusable) => Foresight::Whole,
    }
}

fn look(
    engine: &Engine,
    operation: &Operation,
    context: &RequestContext,
    facts: &PrincipalFacts,
    gaps: &Gaps,
) -> Result<Foresight, Unusable> {
    let prepared = engine.remembered(operation, facts)?;
    let mut known: Vec<Number> = Vec::new();
    let mut unknown: Vec<&Live> = Vec::new();
    for number in &*prepared.slice.members {
        match engine.policy(*number) {
            Some(live) if touches(gaps, live) => unknown.push(live),
            Some(_) | None => known.push(*number),
        }
    }
    let evaluation = engine.among(&prepared, known, operation, context)?;
    let decided = |allow| Foresight::Decided {
        allow,
        policies: evaluation.determining.clone(),
    };
    let against: Vec<&Live> = match evaluation.verdict {
        Verdict::Forbidden | Verdict::ForbidFailed if unknown.is_empty() => Vec::new(),
        Verdict::Forbidden | Verdict::ForbidFailed => return Ok(decided(false)),
        Verdict::Allow => {
            let may_deny = |live: &&Live| live.forbid || gaps.may_spoil(&live.reading);
            unknown.iter().copied().filter(may_deny).collect()
        }
        Verdict::NotPermitted => unknown.iter().copied().filter(|l| !l.forbid).collect(),
    };
    if !against.is_empty() {
        return Ok(unclear(&against, gaps));
    }
    let allow = evaluation.verdict == Verdict::Allow;
    // What a refused caller is told depends on all policies that could matter for anyone.
    let exact = unknown.is_empty() && (allow || !related(engine, operation, gaps)?);
    Ok(if exact {
        Foresight::Whole
    } else {
        decided(allow)
    })
}

fn related(engine: &Engine, operation: &Operation, gaps: &Gaps) -> Result<bool, Unusable> {
    let related = engine.related(operation)?;
    let mut live = related.iter().filter_map(|number| engine.policy(*number));
    Ok(live.any(|live| touches(gaps, live)))
}

fn unclear(against: &[&Live], gaps: &Gaps) -> Foresight {
    let missing = against.iter().flat_map(|live| gaps.named(&live.reading));
    Foresight::Unclear {
        missing: missing.collect(),
        policies: against.iter().map(|live| Arc::clone(&live.id)).collect(),
    }
}

fn touches(gaps: &Gaps, live: &Live) -> bool {
    gaps.matter_for(&live.reading)
}

#[cfg(test)]
mod tests;
