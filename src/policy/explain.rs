//! Why an operation is denied, and what would change that.
//!
//! Each policy that could matter is a formula over what the caller could have. Solving them gives
//! candidates for an answer, and every candidate is then tried: only what an evaluation with the
//! caller so changed allows is ever reported, whatever the formulas missed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::context::Unusable;
use super::deep;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Verdict;
use super::facts;
use super::formula;
use super::guard::Need;
use super::reads::Fields;
use super::solve;
use super::solve::Goal;
use super::solve::Goals;
use super::solve::Setting;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Operation;
use crate::request::RequestContext;

/// Most policies that are considered.
const MAX_POLICIES: usize = 256;
/// Most candidate answers that are tried.
const MAX_TRIALS: usize = 32;

/// Why an operation is denied, and what would change that. Everything in it is sorted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Explanation {
    /// The forbids that hold, each with its `@reason`.
    pub forbidden_by: Vec<(Arc<str>, Option<String>)>,
    /// Any one of these roles would be enough.
    pub roles_any: Vec<String>,
    /// Any one of these groups would be enough.
    pub groups_any: Vec<String>,
    /// The smallest set of scopes with which a token of this caller would be enough, those it has
    /// included; empty when no scope helps.
    pub required_scopes: Vec<String>,
    /// The required scopes that the token lacks.
    pub missing_scopes: Vec<String>,
    /// Acting through any one of these clients would be enough.
    pub clients_any: Vec<String>,
    /// Otherwise enough, all parts of one together: such as a role and a scope.
    pub combinations: Vec<Vec<Requirement>>,
    /// Any credential of a user or client would be enough; only ever true of a stranger.
    pub credential_suffices: bool,
}

/// One part of what would be enough.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// This role.
    Role(String),
    /// This group.
    Group(String),
    /// This scope.
    Scope(String),
    /// This client id.
    Client(String),
}

/// Explains one operation; what cannot be evaluated cannot be explained either.
pub(super) fn explain(
    engine: &Engine,
    operation: &Operation,
    context: &RequestContext,
    identity: &Identity,
) -> Explanation {
    let case = Case {
        engine,
        operation,
        context,
    };
    case.explain(identity).unwrap_or_default()
}

#[derive(Clone, Copy)]
struct Case<'a> {
    engine: &'a Engine,
    operation: &'a Operation,
    context: &'a RequestContext,
}

impl Case<'_> {
    fn explain(self, identity: &Identity) -> Result<Explanation, Unusable> {
        let evaluation = self
            .engine
            .evaluate_once(self.operation, self.context, identity)?;
        let mut explanation = Explanation::default();
        match evaluation.verdict {
            Verdict::Allow => return Ok(explanation),
            Verdict::Forbidden => {
                let reason = |id: &Arc<str>| {
                    let policy = self.engine.live(&cedar_policy::PolicyId::new(&**id));
                    let reason = policy.and_then(|policy| policy.reason.clone());
                    (Arc::clone(id), reason)
                };
                explanation.forbidden_by = evaluation.determining.iter().map(reason).collect();
            }
            Verdict::NotPermitted | Verdict::ForbidFailed => {}
        }
        match identity {
            Identity::Verified(principal) => self.helpful(principal, &mut explanation)?,
            // A stranger could come back as either.
            Identity::Anonymous => {
                for kind in [PrincipalKind::User, PrincipalKind::Client] {
                    self.helpful(&facts::nobody(kind), &mut explanation)?;
                    if explanation != Explanation::default() {
                        break;
                    }
                }
            }
        }
        Ok(explanation)
    }

    /// Adds what would help this caller.
    fn helpful(self, caller: &Principal, explanation: &mut Explanation) -> Result<(), Unusable> {
        let mut tried = 0_usize;
        for goal in self.goals(caller)? {
            // Scopes alone are looked at below, from scratch.
            let scopes_only = goal.iter().all(|need| matches!(need, Need::Scope(_)));
            if tried == MAX_TRIALS || (scopes_only && !goal.is_empty()) {
                continue;
            }
            tried = tried.saturating_add(1);
            if self.would_allow(changed(caller, &goal))? {
                explanation.add(goal);
            }
        }
        let mut bare = caller.clone();
        bare.scopes.clear();
        for goal in self.goals(&bare)?.into_iter().take(MAX_TRIALS) {
            let Some(scopes) = self.scopes(&goal)? else {
                continue;
            };
            let missing: Vec<_> = scopes.difference(&caller.scopes).cloned().collect();
            bare.scopes.clone_from(&scopes);
            if !missing.is_empty() && self.would_allow(bare.clone())? {
                explanation.missing_scopes = missing;
                explanation.required_scopes = scopes.into_iter().collect();
                break;
            }
        }
        Ok(())
    }

    /// What could be enough, going by the formulas.
    fn goals(self, caller: &Principal) -> Result<Goals, Unusable> {
        let identity = Identity::Verified(Arc::new(caller.clone()));
        let facts = self.engine.facts(&identity);
        let prepared = self.engine.prepare(self.operation, &facts)?;
        let mut policies: Vec<&Live> = self
            .engine
            .related(self.operation)?
            .into_iter()
            .filter_map(|number| self.engine.policy(number))
            .collect();
        // Forbids first: a goal that a forbid stops is none.
        policies.sort_by_key(|policy| !policy.forbid);
        policies.truncate(MAX_POLICIES);
        let reads = policies.iter().map(|policy| policy.reads);
        let reads = reads.fold(Fields::NONE, Fields::union);
        if policies.iter().any(|policy| policy.formula.get().is_none()) {
            deep::run(|| {
                for policy in &policies {
                    let make = || formula::of_policy(&policy.policy, !policy.forbid);
                    policy.formula.get_or_init(make);
                }
            })
            .ok_or_else(|| Unusable::Value("there is no thread to explain on".to_owned()))?;
        }
        let (request, entities) =
            self.engine
                .question(&prepared, reads, self.operation, self.context)?;
        let scopes = self
            .engine
            .locate(&self.operation.target)?
            .server
            .implied_scopes(&caller.scopes);
        let setting = Setting {
            request: &request,
            entities: &entities,
            principal: caller,
            scopes: &scopes,
        };
        let mut past_forbids = solve::given(true);
        let mut permits = Goals::new();
        for policy in policies {
            let formula = policy.formula.get();
            let goals = formula.map_or_else(Goals::new, |formula| setting.solve(formula));
            if policy.forbid {
                past_forbids = solve::both(&past_forbids, &goals);
            } else {
                permits.extend(goals);
            }
        }
        Ok(solve::both(&solve::smallest(permits), &past_forbids))
    }

    /// The scopes of a goal of scopes, without those that others of it imply; nothing for another
    /// goal, or where a name could not stand in a challenge (RFC 6749, section 3.3).
    fn scopes(self, goal: &Goal) -> Result<Option<BTreeSet<String>>, Unusable> {
        let token = |scope: &String| {
            let part = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            !scope.is_empty() && scope.bytes().all(part)
        };
        let mut scopes = BTreeSet::new();
        for need in goal {
            match need {
                Need::Scope(scope) if token(scope) => scopes.insert(scope.clone()),
                Need::Scope(_) | Need::Member(_) | Need::Client(_) => return Ok(None),
            };
        }
        let server = self.engine.locate(&self.operation.target)?.server;
        for scope in scopes.clone() {
            let mut others = scopes.clone();
            others.remove(&scope);
            if server.implied_scopes(&others).contains(&scope) {
                scopes = others;
            }
        }
        Ok(Some(scopes))
    }

    fn would_allow(self, caller: Principal) -> Result<bool, Unusable> {
        let identity = Identity::Verified(Arc::new(caller));
        let evaluation = self
            .engine
            .evaluate_once(self.operation, self.context, &identity)?;
        Ok(evaluation.allows())
    }
}

impl Explanation {
    fn add(&mut self, goal: Goal) {
        let mut parts: Vec<Requirement> = goal.into_iter().map(requirement).collect();
        parts.sort();
        match parts.as_slice() {
            [] => self.credential_suffices = true,
            [Requirement::Role(role)] => self.roles_any.push(role.clone()),
            [Requirement::Group(group)] => self.groups_any.push(group.clone()),
            [Requirement::Client(client)] => self.clients_any.push(client.clone()),
            [Requirement::Scope(_)] | [_, _, ..] => self.combinations.push(parts),
        }
    }
}

/// The caller with everything that the goal names.
fn changed(caller: &Principal, goal: &Goal) -> Principal {
    let mut caller = caller.clone();
    for need in goal {
        match requirement(need.clone()) {
            Requirement::Role(role) => {
                caller.roles.insert(role);
            }
            Requirement::Group(group) => {
                caller.groups.insert(group);
            }
            Requirement::Scope(scope) => {
                caller.scopes.insert(scope);
            }
            Requirement::Client(client) => caller.client_id = client,
        }
    }
    caller
}

fn requirement(need: Need) -> Requirement {
    match need {
        Need::Member(uid) => {
            let name = uid.id().unescaped().to_owned();
            // Formulas name only roles and groups.
            if uid.type_name().basename() == "Role" {
                Requirement::Role(name)
            } else {
                Requirement::Group(name)
            }
        }
        Need::Scope(scope) => Requirement::Scope(scope),
        Need::Client(client) => Requirement::Client(client),
    }
}
