//! One request against the policies that can matter for it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use cedar_policy::Authorizer;
use cedar_policy::Entities;
use cedar_policy::Policy;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;
use cedar_policy::Request;
use moka::sync::Cache;

use super::context;
use super::context::Unusable;
use super::evaluation::Evaluation;
use super::evaluation::Recall;
use super::facts::Maker;
use super::facts::Origin;
use super::facts::PrincipalFacts;
use super::formula::Formula;
use super::gaps::Reading;
use super::hierarchy::Hierarchy;
use super::index::Index;
use super::index::Number;
use super::index::Subject;
use super::prepared::Prepared;
use super::prepared::Slice;
use super::prepared::is_memorable;
use super::prepared::per_request;
use super::reads::Fields;
use super::reads::Reads;
use super::shape::Shape;
use super::targets::Located;
use super::targets::Targets;
use super::vocabulary::Vocabulary;
use crate::identity::Identity;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Target;

/// Most remembered pairs of caller and target.
const MAX_PREPARED: u64 = 4_096;
/// Most policies in all remembered slices together, each argument that they name counted as one.
const MAX_SLICED: u64 = 16_384;

/// A policy in force.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: Arc<str>,
    pub(super) policy: Policy,
    pub(super) forbid: bool,
    pub(super) reads: Reads,
    /// The same in detail.
    pub(super) reading: Reading,
    /// `@reason`
    pub(super) reason: Option<String>,
    /// Worked out on the first deny that it has a part in.
    pub(super) formula: OnceLock<Formula>,
    /// Worked out when it is first asked what stands without a request.
    pub(super) shape: OnceLock<Shape>,
}

/// Policies, entities and index, and what has been worked out from them so far.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) vocabulary: Arc<Vocabulary>,
    pub(super) hierarchy: Arc<Hierarchy>,
    pub(super) targets: Arc<Targets>,
    pub(super) index: Index,
    /// Sorted by id; a [`Number`] is a place in here.
    pub(super) policies: Vec<Live>,
    pub(super) numbers: HashMap<PolicyId, Number>,
    origin: Arc<Origin>,
    prepared: Cache<(u64, Action, Target), Arc<Prepared>>,
    slices: Cache<Box<[Number]>, Arc<Slice>>,
}

impl Engine {
    /// Ready to evaluate; `policies` are sorted by id and indexed.
    pub(super) fn new(
        vocabulary: Arc<Vocabulary>,
        hierarchy: Arc<Hierarchy>,
        targets: Arc<Targets>,
        index: Index,
        policies: Vec<Live>,
    ) -> Self {
        let numbers = (0..)
            .zip(&policies)
            .map(|(number, live)| (live.policy.id().clone(), number))
            .collect();
        Self {
            vocabulary,
            hierarchy,
            targets,
            index,
            policies,
            numbers,
            origin: Arc::default(),
            prepared: Cache::new(MAX_PREPARED),
            slices: Cache::builder()
                .max_capacity(MAX_SLICED)
                .weigher(|_, slice: &Arc<Slice>| slice.weight())
                .build(),
        }
    }

    /// The facts about a caller.
    pub(super) fn facts(&self, identity: &Identity) -> PrincipalFacts {
        self.maker().make(identity)
    }

    /// Whether the facts were made here.
    pub(super) fn made(&self, facts: &PrincipalFacts) -> bool {
        self.maker().made(facts)
    }

    /// Decides; what cannot be evaluated is denied.
    pub(super) fn evaluate(
        &self,
        operation: &Operation,
        context: &RequestContext,
        facts: &PrincipalFacts,
    ) -> Evaluation {
        let result = if self.made(facts) {
            self.remembered(operation, facts)
                .and_then(|prepared| self.answer(&prepared, operation, context))
        } else {
            self.evaluate_once(operation, context, &facts.get().identity)
        };
        result.unwrap_or_else(|unusable| Evaluation::unusable(&unusable))
    }

    /// [`evaluate`](Self::evaluate) where no more than `most` policies have to be; absent otherwise.
    pub(super) fn evaluate_few(
        &self,
        (operation, context): (&Operation, &RequestContext),
        facts: &PrincipalFacts,
        most: usize,
    ) -> Option<Evaluation> {
        let prepared = if self.made(facts) {
            self.remembered(operation, facts)
        } else {
            let facts = self.facts(&facts.get().identity);
            self.prepare(operation, &facts).map(Arc::new)
        };
        let answer = prepared.and_then(|prepared| {
            let is_known = prepared.decided.get().is_some();
            let is_cheap = is_known || prepared.slice.members.len() <= most;
            let answer = is_cheap.then(|| self.answer(&prepared, operation, context));
            answer.transpose()
        });
        answer.unwrap_or_else(|unusable| Some(Evaluation::unusable(&unusable)))
    }

    /// The same for a caller who will not be seen again.
    pub(super) fn evaluate_once(
        &self,
        operation: &Operation,
        context: &RequestContext,
        identity: &Identity,
    ) -> Result<Evaluation, Unusable> {
        let prepared = self.prepare(operation, &self.facts(identity))?;
        self.answer(&prepared, operation, context)
    }

    /// The candidates of an operation, their number being what an evaluation costs.
    pub(super) fn remembered(
        &self,
        operation: &Operation,
        facts: &PrincipalFacts,
    ) -> Result<Arc<Prepared>, Unusable> {
        if !is_memorable(&operation.target.thing) {
            return self.prepare(operation, facts).map(Arc::new);
        }
        let key = (facts.get().id, operation.action, operation.target.clone());
        if let Some(prepared) = self.prepared.get(&key) {
            return Ok(prepared);
        }
        let mut prepared = self.prepare(operation, facts)?;
        prepared.kept = true;
        let prepared = Arc::new(prepared);
        self.prepared.insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// Everything that does not depend on the context.
    pub(super) fn prepare(
        &self,
        operation: &Operation,
        facts: &PrincipalFacts,
    ) -> Result<Prepared, Unusable> {
        let located = self.locate(&operation.target)?;
        let widened = self.widen(facts, &located);
        let facts = widened.as_ref().unwrap_or(facts).get();
        let slice = self.slice(operation.action, &located, &facts.keys)?;
        let action = self
            .vocabulary
            .action(operation.action)
            .ok_or_else(|| Unusable::Value("the action is not in the schema".to_owned()))?;
        let principal = facts
            .entity
            .clone()
            .ok_or_else(|| Unusable::Value("the caller has no form in Cedar".to_owned()))?;
        let mut entities = vec![
            principal,
            action.entity.clone(),
            located.server.entity.clone(),
        ];
        if !per_request(&operation.target.thing) {
            let none = RequestContext::default();
            entities.extend(self.targets.entity(&operation.target, &located, &none)?);
        }
        Ok(Prepared {
            principal: facts.uid.clone(),
            action: action.uid.clone(),
            entities: Entities::from_entities(entities, None)
                .map_err(|error| Unusable::Value(error.to_string()))?,
            resource: located.uid,
            slice,
            kept: false,
            decided: OnceLock::new(),
        })
    }

    /// Where the target stands.
    pub(super) fn locate(&self, target: &Target) -> Result<Located<'_>, Unusable> {
        self.targets
            .locate(target, &self.vocabulary, &self.hierarchy)
    }

    /// The policies that could matter for some caller.
    pub(super) fn related(&self, operation: &Operation) -> Result<Vec<Number>, Unusable> {
        let located = self.locate(&operation.target)?;
        let keys = self.index.target_keys(located.subject());
        Ok(self.index.related(operation.action, &keys))
    }

    /// Cedar's own question: who, what, on what, and everything that policies can reach.
    pub(super) fn question<'a>(
        &self,
        prepared: &'a Prepared,
        reads: &Reads,
        operation: &Operation,
        context: &RequestContext,
    ) -> Result<(Request, Cow<'a, Entities>), Unusable> {
        let known = operation.arguments != Arguments::Unknown;
        if !known && reads.fields.contains(Fields::HAS_ARGS) {
            return Err(Unusable::UnknownArguments);
        }
        if context.client_ip.is_none() && reads.fields.contains(Fields::HAS_CLIENT_IP) {
            return Err(Unusable::UnknownAddress);
        }
        let args = known.then_some(&self.vocabulary.args);
        let values = context::context(reads.fields, context, args)?;
        let request = Request::new(
            prepared.principal.clone(),
            prepared.action.clone(),
            prepared.resource.clone(),
            values,
            None,
        )
        .map_err(|error| Unusable::Value(error.to_string()))?;
        let mut more = Vec::new();
        if reads.fields.contains(Fields::ARGS) {
            let (sent, uid) = (&operation.arguments, &self.vocabulary.args);
            more.extend(context::args(sent, uid, &reads.arguments)?);
        }
        if per_request(&operation.target.thing) {
            let located = self.locate(&operation.target)?;
            more.extend(self.targets.entity(&operation.target, &located, context)?);
        }
        if more.is_empty() {
            return Ok((request, Cow::Borrowed(&prepared.entities)));
        }
        let base = prepared.entities.clone();
        let entities = base
            .add_entities(more, None)
            .map_err(|error| Unusable::Value(error.to_string()))?;
        Ok((request, Cow::Owned(entities)))
    }

    /// Asks Cedar, or remembers.
    pub(super) fn answer(
        &self,
        prepared: &Prepared,
        operation: &Operation,
        context: &RequestContext,
    ) -> Result<Evaluation, Unusable> {
        let slice = &prepared.slice;
        if let Some(decided) = prepared.decided.get() {
            return Ok(decided.clone().recalled(Recall::Hit));
        }
        let evaluation = if slice.members.is_empty() {
            Evaluation::not_permitted()
        } else {
            let (request, entities) = self.question(prepared, &slice.reads, operation, context)?;
            let response = Authorizer::new().is_authorized(&request, &slice.set, &entities);
            Evaluation::of(&response, self)
        };
        if prepared.kept && slice.is_settled(&operation.target.thing) {
            let decided = prepared.decided.get_or_init(|| evaluation);
            return Ok(decided.clone().recalled(Recall::Miss));
        }
        Ok(evaluation)
    }

    /// The policy of an id.
    pub(super) fn live(&self, id: &PolicyId) -> Option<&Live> {
        let number = usize::try_from(*self.numbers.get(id)?).ok()?;
        self.policies.get(number)
    }

    /// The policy of a number.
    pub(super) fn policy(&self, number: Number) -> Option<&Live> {
        self.policies.get(usize::try_from(number).ok()?)
    }

    /// Where the resource says that some scopes imply others, the caller with those added.
    fn widen(&self, facts: &PrincipalFacts, located: &Located<'_>) -> Option<PrincipalFacts> {
        let Identity::Verified(principal) = &facts.get().identity else {
            return None;
        };
        let scopes = located.server.implied_scopes(&principal.scopes);
        if scopes.len() == principal.scopes.len() {
            return None;
        }
        let mut wider = (**principal).clone();
        wider.scopes = scopes;
        Some(self.facts(&Identity::Verified(Arc::new(wider))))
    }

    fn slice(
        &self,
        action: Action,
        located: &Located<'_>,
        caller: &[u32],
    ) -> Result<Arc<Slice>, Unusable> {
        let target = self.index.target_keys(located.subject());
        let members = self.index.candidates(action, &target, caller);
        if let Some(slice) = self.slices.get(&members) {
            return Ok(slice);
        }
        let found = || members.iter().filter_map(|number| self.policy(*number));
        let set = PolicySet::from_policies(found().map(|one| one.policy.clone()))
            .map_err(|error| Unusable::Value(error.to_string()))?;
        let slice = Arc::new(Slice {
            set,
            reads: Reads::together(found().map(|one| &one.reads)),
            members: members.clone(),
        });
        self.slices.insert(members, Arc::clone(&slice));
        Ok(slice)
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            origin: &self.origin,
            vocabulary: &self.vocabulary,
            hierarchy: &self.hierarchy,
            index: &self.index,
        }
    }
}

impl Located<'_> {
    /// The target as the index sees it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            uid: &self.uid,
            above: &self.above,
        }
    }
}
