//! One operation in its circumstances, as callers who do not exist are tried on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::EntityUid;

use crate::identity::Identity;
use crate::identity::Principal;
use crate::policy::context::Unusable;
use crate::policy::deep;
use crate::policy::engine::Engine;
use crate::policy::engine::Live;
use crate::policy::facts::PrincipalFacts;
use crate::policy::formula;
use crate::policy::guard::Need;
use crate::policy::prepared;
use crate::policy::reads::Fields;
use crate::policy::reads::Reads;
use crate::policy::solve;
use crate::policy::solve::Effort;
use crate::policy::solve::Goal;
use crate::policy::solve::Goals;
use crate::policy::solve::Setting;
use crate::policy::targets::Server;
use crate::request::Operation;
use crate::request::RequestContext;

/// Most policies that are considered.
const MAX_POLICIES: usize = 256;

/// What it takes to try a caller, beside the policies.
const STEPS_A_TRIAL: usize = 100;
/// What it takes to evaluate one policy.
const STEPS_A_POLICY: usize = 10;

/// One operation in its circumstances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) engine: &'a Engine,
    pub(super) operation: &'a Operation,
    pub(super) context: &'a RequestContext,
    pub(super) effort: &'a Effort,
}

/// The policies that could matter to some caller, each with its formula.
#[derive(Debug)]
pub(super) struct Related<'a> {
    /// Forbids first: a goal that a forbid stops is none.
    pub(super) policies: Vec<&'a Live>,
    reads: Reads,
    /// Whether some were left out, or may be satisfied in a way that solving does not see.
    pub(super) is_open: bool,
}

/// What a caller has, the roles and scopes that others stand for included.
#[derive(Debug)]
pub(super) struct Holdings<'a> {
    above: BTreeSet<EntityUid>,
    scopes: BTreeSet<String>,
    client: &'a str,
}

impl<'a> Case<'a> {
    /// The policies that could matter.
    pub(super) fn related(self) -> Result<Related<'a>, Unusable> {
        let mut policies: Vec<&Live> = self
            .engine
            .related(self.operation)?
            .into_iter()
            .filter_map(|number| self.engine.policy(number))
            .collect();
        policies.sort_by_key(|policy| !policy.forbid);
        let cut = policies.len() > MAX_POLICIES;
        policies.truncate(MAX_POLICIES);
        if policies.iter().any(|policy| policy.formula.get().is_none()) {
            deep::run(|| {
                for policy in &policies {
                    let make = || formula::of_policy(&policy.policy, !policy.forbid);
                    policy.formula.get_or_init(make);
                }
            })
            .ok_or_else(|| Unusable::Value("there is no thread to explain on".to_owned()))?;
        }
        let open = |policy: &&Live| policy.formula.get().is_none_or(formula::Formula::is_open);
        Ok(Related {
            reads: Reads::together(policies.iter().map(|policy| &policy.reads)),
            is_open: cut || policies.iter().any(open),
            policies,
        })
    }

    /// What could be enough, going by the formulas.
    pub(super) fn goals(
        self,
        caller: &Principal,
        related: &Related<'_>,
    ) -> Result<Goals, Unusable> {
        self.set(caller, related, |setting| {
            let mut past_forbids = solve::given(true);
            let mut permits = Goals::new();
            for policy in &related.policies {
                let formula = policy.formula.get();
                let goals = formula.map_or_else(Goals::new, |formula| setting.solve(formula));
                if policy.forbid {
                    past_forbids = solve::both(self.effort, &past_forbids, &goals);
                } else {
                    permits.extend(goals);
                }
            }
            solve::both(self.effort, &solve::smallest(permits), &past_forbids)
        })
    }

    /// The permits that nothing about the caller keeps from holding, with what they read of the
    /// circumstances that does.
    pub(super) fn hurdles(
        self,
        caller: &Principal,
        related: &Related<'a>,
    ) -> Result<Vec<(&'a Live, Fields)>, Unusable> {
        self.set(caller, related, |setting| {
            let elsewhere = Setting {
                elsewhere: true,
                ..setting
            };
            let permits = related.policies.iter().filter(|policy| !policy.forbid);
            permits
                .filter_map(|policy| {
                    let formula = policy.formula.get()?;
                    let there = elsewhere.solve(formula).iter().any(BTreeSet::is_empty);
                    let here = setting.solve(formula).iter().any(BTreeSet::is_empty);
                    (there && !here).then(|| (*policy, setting.hurdles(formula)))
                })
                .collect()
        })
    }

    fn set<T>(
        self,
        caller: &Principal,
        related: &Related<'_>,
        work: impl FnOnce(Setting<'_>) -> T,
    ) -> Result<T, Unusable> {
        let identity = Identity::Verified(Arc::new(caller.clone()));
        let facts = self.engine.facts(&identity);
        let prepared = self.engine.prepare(self.operation, &facts)?;
        let (request, entities) =
            self.engine
                .question(&prepared, &related.reads, self.operation, self.context)?;
        let scopes = self.server()?.implied_scopes(&caller.scopes);
        let found = work(Setting {
            request: &request,
            entities: &entities,
            principal: caller,
            scopes: &scopes,
            elsewhere: false,
            effort: self.effort,
        });
        self.in_time()?;
        Ok(found)
    }

    /// What was found is not all that there is, where this fails.
    pub(super) fn in_time(self) -> Result<(), Unusable> {
        if self.effort.is_spent() {
            return Err(Unusable::Value("too much to be explained".to_owned()));
        }
        Ok(())
    }

    /// Whether such a caller would be allowed.
    pub(super) fn would_allow(self, caller: Principal) -> Result<bool, Unusable> {
        let identity = Identity::Verified(Arc::new(caller));
        self.allows(&self.engine.facts(&identity))
    }

    /// The same of one whose facts are there.
    pub(super) fn allows(self, facts: &PrincipalFacts) -> Result<bool, Unusable> {
        let prepared = self.engine.prepare(self.operation, facts)?;
        let policies = prepared.slice.members.len();
        let steps = policies.saturating_mul(STEPS_A_POLICY);
        self.effort.spend(steps.saturating_add(STEPS_A_TRIAL));
        self.in_time()?;
        let answer = self
            .engine
            .answer(&prepared, self.operation, self.context)?;
        Ok(answer.allows())
    }

    /// Whether the answer depends on nothing but the policies, the operation and the caller.
    pub(super) fn is_timeless(self, related: &Related<'_>) -> bool {
        let thing = &self.operation.target.thing;
        related.reads == Reads::NONE
            && !prepared::per_request(thing)
            && prepared::is_memorable(thing)
    }

    /// The resource that the target belongs to.
    pub(super) fn server(self) -> Result<&'a Server, Unusable> {
        Ok(self.engine.locate(&self.operation.target)?.server)
    }

    /// What the caller has.
    pub(super) fn holdings(self, caller: &Principal) -> Result<Holdings<'_>, Unusable> {
        let closure = |kind, names| self.engine.hierarchy.closure(kind, names);
        let mut above = closure(&self.engine.vocabulary.role, &caller.roles);
        above.extend(closure(&self.engine.vocabulary.group, &caller.groups));
        Ok(Holdings {
            above,
            scopes: self.server()?.implied_scopes(&caller.scopes),
            client: &caller.client_id,
        })
    }

    /// The goal without roles, groups and scopes that others in it stand for.
    pub(super) fn reduced(self, goal: &Goal) -> Result<Goal, Unusable> {
        let server = self.server()?;
        let stood_for: Vec<(&Need, Goal)> = goal
            .iter()
            .map(|need| (need, self.below(need, server)))
            .collect();
        let mut kept = goal.clone();
        for need in goal {
            let implied = stood_for
                .iter()
                .filter(|(other, _)| *other != need && kept.contains(other))
                .any(|(_, below)| below.contains(need));
            if implied {
                kept.remove(need);
            }
        }
        Ok(kept)
    }
}

impl Case<'_> {
    /// Everything that whoever has `need` has as well.
    fn below(self, need: &Need, server: &Server) -> Goal {
        match need {
            Need::Member(uid) => {
                let name = uid.id().unescaped().to_owned();
                let above = self.engine.hierarchy.closure(uid.type_name(), [&name]);
                above.into_iter().map(Need::Member).collect()
            }
            Need::Scope(scope) => {
                let implied = server.implied_scopes(&BTreeSet::from([scope.clone()]));
                implied.into_iter().map(Need::Scope).collect()
            }
            Need::Client(_) => Goal::new(),
        }
    }
}

impl Holdings<'_> {
    /// Whether the caller has it.
    pub(super) fn has(&self, need: &Need) -> bool {
        match need {
            Need::Member(uid) => self.above.contains(uid),
            Need::Scope(scope) => self.scopes.contains(scope),
            Need::Client(client) => self.client == client,
        }
    }

    /// What of the goal the caller lacks.
    pub(super) fn lacking(&self, goal: &Goal) -> Goal {
        goal.iter()
            .filter(|need| !self.has(need))
            .cloned()
            .collect()
    }
}
