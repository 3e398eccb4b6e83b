//! The policies that an explanation looks at: those about the action and the target, and those nearly so.

use std::borrow::Cow;
use std::collections::HashSet;

use cedar_policy::AuthorizationError;
use cedar_policy::Authorizer;
use cedar_policy::Entities;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;
use cedar_policy::Request;

use super::Distance;
use super::Question;
use super::Scene;
use crate::policy::context::Unusable;
use crate::policy::engine::Engine;
use crate::policy::engine::Live;
use crate::policy::index::Number;
use crate::policy::prepared::Prepared;
use crate::policy::reads::Reads;

/// Most policies that are evaluated.
const MAX_CANDIDATES: usize = 2_048;

/// The policies about the action and the target, and Cedar's own question to them.
pub(super) struct Candidates<'a> {
    pub(super) request: Request,
    pub(super) entities: Entities,
    /// Those that read nothing unknown, sorted by id.
    pub(super) all: Vec<&'a Live>,
    /// The others.
    pub(super) unclear: Vec<&'a Live>,
    /// Whether some were left out.
    pub(super) is_cut: bool,
    engine: &'a Engine,
    related: HashSet<Number>,
    /// Those that this caller could meet, as far as the index tells.
    met: HashSet<PolicyId>,
}

/// Policies about other actions or other targets.
pub(super) struct Elsewhere<'a> {
    pub(super) near: Vec<(Distance, &'a Live)>,
    pub(super) unrelated: usize,
}

/// What became of candidates.
pub(super) struct Outcome {
    holds: HashSet<PolicyId>,
}

impl Outcome {
    /// Whether the policy is satisfied.
    pub(super) fn holds(&self, live: &Live) -> bool {
        self.holds.contains(live.policy.id())
    }
}

impl<'a> Candidates<'a> {
    /// Finds them; fails where the request has no form in Cedar.
    pub(super) fn find(engine: &'a Engine, question: Question<'_>) -> Result<Self, Unusable> {
        let Question {
            operation,
            context,
            identity,
            gaps,
        } = question;
        let facts = engine.facts(identity);
        let prepared = engine.prepare(operation, &facts)?;
        let mut numbers = engine.related(operation)?;
        let is_cut = numbers.len() > MAX_CANDIDATES;
        numbers.truncate(MAX_CANDIDATES);
        let ask = |numbers: &[Number]| {
            let lives = numbers.iter().filter_map(|number| engine.policy(*number));
            let (unclear, all): (Vec<&Live>, Vec<&Live>) =
                lives.partition(|live| gaps.matter_for(&live.reading));
            let reads = Reads::together(all.iter().map(|live| &live.reads));
            let (request, entities) = engine.question(&prepared, &reads, operation, context)?;
            Ok::<_, Unusable>((request, Cow::into_owned(entities), all, unclear))
        };
        let met = met(engine, &prepared);
        // A policy that this caller does not meet may read what no policy can be told: it is then no
        // reason to say nothing of the others.
        let found = match ask(&numbers) {
            Err(_) => ask(&prepared.slice.members).map(|found| (found, true)),
            Ok(found) => Ok((found, is_cut)),
        };
        let ((request, entities, all, unclear), is_cut) = found?;
        Ok(Self {
            request,
            entities,
            all,
            unclear,
            is_cut,
            engine,
            related: numbers.into_iter().collect(),
            met,
        })
    }

    /// Whether this caller could meet what the policy asks first.
    pub(super) fn is_met(&self, live: &Live) -> bool {
        self.met.contains(live.policy.id())
    }

    /// Evaluates all of them.
    pub(super) fn come_out(&self) -> Outcome {
        let mut holds = HashSet::new();
        // Apart, because Cedar tells only of those that decide.
        for forbid in [true, false] {
            let some = self.all.iter().filter(|live| live.forbid == forbid);
            // The ids are those of one set, and so all different.
            let Ok(set) = PolicySet::from_policies(some.map(|live| live.policy.clone())) else {
                continue;
            };
            let response = Authorizer::new().is_authorized(&self.request, &set, &self.entities);
            holds.extend(response.diagnostics().reason().cloned());
            for error in response.diagnostics().errors() {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                holds.remove(error.policy_id());
            }
        }
        Outcome { holds }
    }

    /// The policies in force that are not among the candidates, for their action or their target.
    pub(super) fn elsewhere(
        &self,
        scene: &Scene<'_>,
        wanted: &dyn Fn(&Live) -> bool,
    ) -> Elsewhere<'a> {
        let mut found = Elsewhere {
            near: Vec::new(),
            unrelated: 0,
        };
        for (number, live) in (0..).zip(&self.engine.policies) {
            if self.related.contains(&number) || !wanted(live) {
                continue;
            }
            match scene.distance(live) {
                Some(distance) => found.near.push((distance, live)),
                None => found.unrelated = found.unrelated.saturating_add(1),
            }
        }
        found
    }
}

fn met(engine: &Engine, prepared: &Prepared) -> HashSet<PolicyId> {
    let members = prepared.slice.members.iter();
    members
        .filter_map(|number| engine.policy(*number))
        .map(|live| live.policy.id().clone())
        .collect()
}
