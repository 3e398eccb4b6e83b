//! What can be said of a request of which not everything is known.
//!
//! The policies that read nothing unknown are evaluated as they are. A forbid among them that holds
//! or fails denies, whatever the others say; a permit that holds allows if no other policy forbids.
//! What then depends on the others cannot be told, and that is what is said.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::Authorizer;
use cedar_policy::PolicySet;

use super::context::Unusable;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Evaluation;
use super::evaluation::Verdict;
use super::facts::PrincipalFacts;
use super::gaps::Gaps;
use super::gaps::KnownArguments;
use super::gaps::Part;
use super::prepared::Prepared;
use super::reads::Fields;
use super::reads::Reads;
use crate::request::Arguments;
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
    if is_spoilt(operation, context, prepared.slice.reads.fields, gaps) {
        return Ok(Foresight::Whole);
    }
    let members = prepared.slice.members.iter();
    let (unknown, known): (Vec<&Live>, Vec<&Live>) = members
        .filter_map(|number| engine.policy(*number))
        .partition(|live| touches(gaps, live));
    let evaluation = among(engine, &prepared, &known, operation, context)?;
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

/// What these candidates say on their own.
fn among(
    engine: &Engine,
    prepared: &Prepared,
    some: &[&Live],
    operation: &Operation,
    context: &RequestContext,
) -> Result<Evaluation, Unusable> {
    let reads = Reads::together(some.iter().map(|live| &live.reads));
    let (request, entities) = engine.question(prepared, &reads, operation, context)?;
    let set = PolicySet::from_policies(some.iter().map(|live| live.policy.clone()))
        .map_err(|error| Unusable::Value(error.to_string()))?;
    let response = Authorizer::new().is_authorized(&request, &set, &entities);
    Ok(Evaluation::of(&response, engine))
}

/// Whether the request is denied for what is known to be missing from it, whatever else is.
fn is_spoilt(operation: &Operation, context: &RequestContext, reads: Fields, gaps: &Gaps) -> bool {
    let no_arguments = operation.arguments == Arguments::Unknown
        && gaps.arguments == KnownArguments::All
        && reads.contains(Fields::HAS_ARGS);
    let no_address = context.client_ip.is_none()
        && !gaps.parts.contains(&Part::ClientIp)
        && reads.contains(Fields::HAS_CLIENT_IP);
    no_arguments || no_address
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
