//! Why an operation is denied, and what would change that.
//!
//! Each policy that could matter is a formula over what the caller could have. Solving them gives
//! candidates for an answer, and every candidate is then tried: only what an evaluation with the
//! caller so changed allows is ever reported, whatever the formulas missed.

mod case;
pub(super) mod scopes;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::case::Case;
use self::case::Holdings;
use self::case::Related;
use super::context::Unusable;
use super::engine::Engine;
use super::evaluation::Verdict;
use super::facts;
use super::guard::Need;
use super::solve::Effort;
use super::solve::Goal;
use super::solve::Goals;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Operation;
use crate::request::RequestContext;

/// Most candidate answers that are tried.
const MAX_TRIALS: usize = 32;
/// Most alternatives that are found for scopes.
const MAX_SCOPE_SETS: usize = 8;

/// Why an operation is denied, and what would change that. Everything in it is sorted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Explanation {
    /// The forbids that hold, each with its `@reason`.
    pub forbidden_by: Vec<(Arc<str>, Option<String>)>,
    /// Any one of these roles would be enough.
    pub roles_any: Vec<String>,
    /// Any one of these groups would be enough.
    pub groups_any: Vec<String>,
    /// Acting through any one of these clients would be enough.
    pub clients_any: Vec<String>,
    /// Any one of these scopes would be enough.
    pub scopes_any: Vec<String>,
    /// Otherwise enough, all parts of one together: such as two roles, or a role and a scope.
    pub rules: Vec<Rule>,
    /// The smallest set of scopes with which a token of this caller would be enough, those it has
    /// included; empty when no scope helps.
    pub required_scopes: Vec<String>,
    /// The required scopes that the token lacks.
    pub missing_scopes: Vec<String>,
    /// Any credential of a user or client would be enough; only ever true of a stranger.
    pub credential_suffices: bool,
    /// That no role, group, scope or client id would be enough, and none that the caller has stands
    /// in the way. False where it is not known.
    pub nothing_helps: bool,
    /// Permits that nothing about the caller keeps from holding.
    pub circumstances: Vec<Circumstances>,
}

/// A permit that only the circumstances keep from holding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Its `@id`.
    pub policy: Arc<str>,
    /// What it looks at, as a person would name it. Whether it holds in any is not known.
    pub depends_on: Vec<&'static str>,
}

/// Several things that are enough together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All of them.
    pub needs: Vec<Requirement>,
    /// Those that the caller lacks.
    pub missing: Vec<Requirement>,
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
        effort: &Effort::new(),
    };
    let mut explanation = Explanation::default();
    match in_case(case, identity, &mut explanation) {
        // What was found is true, whatever else there may be.
        Ok(()) | Err(_) => explanation,
    }
}

fn in_case(
    case: Case<'_>,
    identity: &Identity,
    explanation: &mut Explanation,
) -> Result<(), Unusable> {
    let evaluation = case
        .engine
        .evaluate_once(case.operation, case.context, identity)?;
    match evaluation.verdict {
        Verdict::Allow => return Ok(()),
        Verdict::Forbidden => {
            let reason = |id: &Arc<str>| {
                let policy = case.engine.live(&cedar_policy::PolicyId::new(&**id));
                let reason = policy.and_then(|policy| policy.reason.clone());
                (Arc::clone(id), reason)
            };
            explanation.forbidden_by = evaluation.determining.iter().map(reason).collect();
        }
        Verdict::NotPermitted | Verdict::ForbidFailed => {}
    }
    match identity {
        Identity::Verified(principal) => {
            add_known(case, principal, explanation)?;
        }
        // A stranger could come back as either.
        Identity::Anonymous => {
            for kind in [PrincipalKind::User, PrincipalKind::Client] {
                let nobody = facts::nobody(kind);
                let goals = case.goals(&nobody, &case.related()?)?;
                if add(case, &nobody, &goals, &goals, explanation)? {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Adds what would help this caller, or that nothing would.
fn add_known(
    case: Case<'_>,
    caller: &Principal,
    explanation: &mut Explanation,
) -> Result<(), Unusable> {
    let related = case.related()?;
    let goals = case.goals(caller, &related)?;
    let rules = case.goals(&stripped(caller), &related)?;
    let helped = add(case, caller, &goals, &rules, explanation)?;
    if !helped && explanation.forbidden_by.is_empty() {
        explanation.nothing_helps = goals.is_empty() && rules.is_empty() && !related.is_open;
        explanation.circumstances = circumstances(case, caller, &related)?;
    }
    Ok(())
}

/// Adds what would help, and says whether anything would. `goals` are what the caller lacks, `rules`
/// what anybody needs.
fn add(
    case: Case<'_>,
    caller: &Principal,
    goals: &Goals,
    rules: &Goals,
    explanation: &mut Explanation,
) -> Result<bool, Unusable> {
    let holdings = case.holdings(caller)?;
    // Scopes alone are looked at below, from scratch.
    let scopes_only = |goal: &Goal| goal.iter().all(|need| matches!(need, Need::Scope(_)));
    let others = goals
        .iter()
        .filter(|goal| goal.is_empty() || !scopes_only(goal));
    let mut helped = false;
    for goal in others.take(MAX_TRIALS) {
        if case.would_allow(changed(caller, goal))? {
            explanation.add(&whole(case, goal, rules, &holdings)?, &holdings);
            helped = true;
        }
    }
    for scopes in scopes::alternatives(case, caller, MAX_SCOPE_SETS)? {
        if explanation.required_scopes.is_empty() {
            let missing = scopes.difference(&caller.scopes);
            explanation.missing_scopes = missing.cloned().collect();
            explanation.required_scopes = scopes.iter().cloned().collect();
        }
        let goal = scopes.into_iter().map(Need::Scope).collect();
        explanation.add(&goal, &holdings);
        helped = true;
    }
    Ok(helped)
}

/// The whole of the rule of which the caller lacks `goal`.
fn whole(
    case: Case<'_>,
    goal: &Goal,
    rules: &Goals,
    holdings: &Holdings<'_>,
) -> Result<Goal, Unusable> {
    let rule = rules.iter().find(|rule| holdings.lacking(rule) == *goal);
    case.reduced(rule.unwrap_or(goal))
}

fn circumstances(
    case: Case<'_>,
    caller: &Principal,
    related: &Related<'_>,
) -> Result<Vec<Circumstances>, Unusable> {
    let found = case.hurdles(caller, related)?.into_iter();
    let named = found.map(|(policy, reads)| Circumstances {
        policy: Arc::clone(&policy.id),
        depends_on: reads.in_words(),
    });
    Ok(named.collect())
}

impl Explanation {
    fn add(&mut self, goal: &Goal, holdings: &Holdings<'_>) {
        let missing = sorted(&holdings.lacking(goal));
        let needs = sorted(goal);
        let list = match needs.as_slice() {
            [] => {
                self.credential_suffices = true;
                return;
            }
            [Requirement::Role(role)] => (&mut self.roles_any, role),
            [Requirement::Group(group)] => (&mut self.groups_any, group),
            [Requirement::Client(client)] => (&mut self.clients_any, client),
            [Requirement::Scope(scope)] => (&mut self.scopes_any, scope),
            [_, _, ..] => {
                let rule = Rule { needs, missing };
                if !self.rules.contains(&rule) {
                    self.rules.push(rule);
                }
                return;
            }
        };
        let (names, name) = list;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
}

/// The caller with everything that the goal names.
fn changed(caller: &Principal, goal: &Goal) -> Principal {
    let mut caller = caller.clone();
    for need in goal {
        match requirement(need) {
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

/// The caller with nothing that a goal could name.
fn stripped(caller: &Principal) -> Principal {
    Principal {
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        scopes: BTreeSet::new(),
        client_id: String::new(),
        ..caller.clone()
    }
}

fn sorted(goal: &Goal) -> Vec<Requirement> {
    let mut parts: Vec<_> = goal.iter().map(requirement).collect();
    parts.sort();
    parts
}

fn requirement(need: &Need) -> Requirement {
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
        Need::Scope(scope) => Requirement::Scope(scope.clone()),
        Need::Client(client) => Requirement::Client(client.clone()),
    }
}
