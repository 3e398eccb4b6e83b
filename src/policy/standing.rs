//! What the policies say before a request is there: the same to every one, or that it depends.

use std::cell::OnceCell;
use std::sync::Arc;

use cedar_policy::ActionConstraint;
use cedar_policy::Entities;
use cedar_policy::EntityUid;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;

use super::context::Unusable;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Verdict;
use super::facts::PrincipalFacts;
use super::reads::Fields;
use super::reads::Reads;
use super::shape::Outcomes;
use super::shape::REACHES;
use super::shape::Shape;
use super::shape::World;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::Thing;

/// Whether a target is meant as itself, or stands for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// This target.
    Itself,
    /// Every target of its kind on its server, but for the tools that the catalogue lists.
    AnyOfItsKind,
}

/// What the policies say to an operation, whatever the request brings: arguments, time, the client's
/// address, protocol version, session.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The same to every request.
    Settled(Settled),
    /// It depends, as far as can be told. Never empty.
    Open(Vec<Dependence>),
}

/// An answer that no request changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The answer. Where nothing permits, a request may meet a forbid on top of it.
    pub verdict: Verdict,
    /// The policies that determine it for every request, sorted by id.
    pub policies: Vec<Arc<str>>,
    /// Whether some policy reads the arguments: a request whose arguments are over the bounds of
    /// what policies can read is then denied, whatever the verdict is.
    pub reads_arguments: bool,
}

/// A policy that makes an answer depend on the request.
#[derive(Clone, Debug)]
pub struct Dependence {
    /// Its id.
    pub policy: Arc<str>,
    /// Whether it forbids; else it permits.
    pub forbid: bool,
    /// What it reads: `arguments`, `now`, `clientIp`, `http`, `protocolVersion`, `session`,
    /// `requestId`; `target` for the target's own name, host or path.
    pub reads: Vec<&'static str>,
    /// What is left of its conditions.
    rest: (Arc<str>, String),
    /// Caller and target, where they have a part in that.
    around: Option<Arc<Entities>>,
}

impl Dependence {
    /// Whether both do the same to every request; at worst "no" for two that do.
    pub fn is_alike(&self, other: &Self) -> bool {
        let around = match (&self.around, &other.around) {
            (Some(here), Some(there)) => here.deep_eq(there),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.forbid == other.forbid && self.rest == other.rest && around
    }
}

/// What stands of an action on a target for a caller.
pub(super) fn standing(
    engine: &Engine,
    action: Action,
    target: (&Target, Meant),
    facts: &PrincipalFacts,
) -> Standing {
    let (target, meant) = target;
    let question = Question {
        engine,
        operation: Operation {
            action,
            target: target.clone(),
            arguments: Arguments::None,
        },
        any: meant == Meant::AnyOfItsKind,
    };
    question.answer(facts).unwrap_or_else(|_| {
        // No request of this caller, or for this target, has a form in Cedar.
        Standing::Settled(Settled {
            verdict: Verdict::ForbidFailed,
            policies: Vec::new(),
            reads_arguments: false,
        })
    })
}

struct Question<'a> {
    engine: &'a Engine,
    operation: Operation,
    any: bool,
}

/// A policy, and what it may come to.
struct Member<'a> {
    live: &'a Live,
    outcomes: Outcomes,
    letters: String,
    reads_target: bool,
}

impl Question<'_> {
    fn answer(&self, facts: &PrincipalFacts) -> Result<Standing, Unusable> {
        let engine = self.engine;
        let none = RequestContext::default();
        let prepared = if engine.made(facts) {
            engine.remembered(&self.operation, facts)?
        } else {
            let facts = engine.facts(&facts.get().identity);
            Arc::new(engine.prepare(&self.operation, &facts)?)
        };
        let any_path = matches!(self.operation.target.thing, Thing::Route(_));
        if prepared.slice.reads.fields == Fields::NONE && !self.any && !any_path {
            let evaluation = engine.evaluate(&self.operation, &none, facts);
            return Ok(Standing::Settled(Settled {
                verdict: evaluation.verdict,
                policies: evaluation.determining,
                reads_arguments: false,
            }));
        }
        let (request, entities) =
            engine.question(&prepared, &Reads::NONE, &self.operation, &none)?;
        let world = World {
            request: &request,
            entities: &entities,
            any_name: self.any,
            any_path,
        };
        let members: Vec<Member<'_>> = if self.any {
            let all = engine.policies.iter();
            all.filter_map(|live| self.member(live, world)).collect()
        } else {
            let slice = prepared.slice.members.iter();
            slice
                .filter_map(|number| self.member(engine.policy(*number)?, world))
                .collect()
        };
        // The index keeps some policies that are not about the caller, and they cost the arguments
        // a reading all the same.
        let all = engine.policies.iter();
        let reads = if self.any {
            all.fold(Fields::NONE, |reads, live| reads.union(live.reads.fields))
        } else {
            prepared.slice.reads.fields
        };
        let around = OnceCell::new();
        let around = || Arc::clone(around.get_or_init(|| Arc::new(world.entities.clone())));
        Ok(settle(&members, reads.contains(Fields::ARGS), &around))
    }

    /// Nothing where the policy is about something else.
    fn member<'a>(&self, live: &'a Live, world: World<'_>) -> Option<Member<'a>> {
        let scope = self.scope(live, world);
        if scope == Outcomes::FALSE {
            return None;
        }
        let shape = live.shape.get_or_init(|| Shape::of(&live.policy));
        let mut letters = String::from(if scope == Outcomes::TRUE { "t" } else { "?" });
        let outcomes = scope.and(|| shape.outcomes(world, &mut letters));
        Some(Member {
            live,
            outcomes,
            reads_target: (world.any_name || world.any_path)
                && (scope != Outcomes::TRUE || shape.reads_target(world)),
            letters,
        })
    }

    fn scope(&self, live: &Live, world: World<'_>) -> Outcomes {
        let (Some(principal), Some(action)) = (world.request.principal(), world.request.action())
        else {
            return Outcomes::UNKNOWN;
        };
        let held = |held: bool| {
            if held {
                Outcomes::TRUE
            } else {
                Outcomes::FALSE
            }
        };
        let within = |uid: &EntityUid, group: &EntityUid| is_within(world.entities, uid, group);
        let caller = match live.policy.principal_constraint() {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Is(kind) => kind == *principal.type_name(),
            PrincipalConstraint::Eq(uid) => uid == *principal,
            PrincipalConstraint::In(uid) => within(principal, &uid),
            PrincipalConstraint::IsIn(kind, uid) => {
                kind == *principal.type_name() && within(principal, &uid)
            }
        };
        let asked = match live.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid == *action,
            ActionConstraint::In(groups) => groups.iter().any(|group| within(action, group)),
        };
        held(caller && asked).and(|| self.about(live, world))
    }

    /// Whether the policy is about the target.
    fn about(&self, live: &Live, world: World<'_>) -> Outcomes {
        let Some(target) = world.request.resource() else {
            return Outcomes::UNKNOWN;
        };
        let held = |held: bool| {
            if held {
                Outcomes::TRUE
            } else {
                Outcomes::FALSE
            }
        };
        let same = |uid: &EntityUid| {
            if self.any {
                self.is_one_of(target, uid)
            } else {
                held(uid == target)
            }
        };
        let within = |uid: &EntityUid| {
            if uid != target && is_within(world.entities, target, uid) {
                Outcomes::TRUE
            } else {
                same(uid)
            }
        };
        match live.policy.resource_constraint() {
            ResourceConstraint::Any => Outcomes::TRUE,
            ResourceConstraint::Is(kind) => held(kind == *target.type_name()),
            ResourceConstraint::Eq(uid) => same(&uid),
            ResourceConstraint::In(uid) => within(&uid),
            ResourceConstraint::IsIn(kind, uid) => {
                held(kind == *target.type_name()).and(|| within(&uid))
            }
        }
    }

    /// Whether `uid` is one of those that the target stands for: it may be, or it is none.
    fn is_one_of(&self, target: &EntityUid, uid: &EntityUid) -> Outcomes {
        let server = &*self.operation.target.server;
        let name = uid.id().unescaped().strip_prefix(server);
        let Some(name) = name.and_then(|rest| rest.strip_prefix('/')) else {
            return Outcomes::FALSE;
        };
        let listed = matches!(self.operation.target.thing, Thing::Tool(_))
            && self.engine.targets.lists(server, name);
        if uid.type_name() != target.type_name() || listed {
            return Outcomes::FALSE;
        }
        Outcomes::TRUE.union(Outcomes::FALSE)
    }
}

fn is_within(entities: &Entities, uid: &EntityUid, group: &EntityUid) -> bool {
    uid == group || entities.is_ancestor_of(group, uid)
}

/// What follows for every request from what each policy may come to.
fn settle(
    members: &[Member<'_>],
    reads_arguments: bool,
    around: &dyn Fn() -> Arc<Entities>,
) -> Standing {
    let ids = |wanted: &dyn Fn(&Member<'_>) -> bool| -> Vec<Arc<str>> {
        let found = members.iter().filter(|member| wanted(member));
        found.map(|member| Arc::clone(&member.live.id)).collect()
    };
    let holds = |member: &Member<'_>| member.outcomes == Outcomes::TRUE;
    let always = |forbid: bool| move |one: &Member<'_>| one.live.forbid == forbid && holds(one);
    let settled = |verdict, policies| {
        Standing::Settled(Settled {
            verdict,
            policies,
            reads_arguments,
        })
    };
    // Holds or fails: a forbid denies either way.
    let stops = |one: &Member<'_>| one.live.forbid && !one.outcomes.may(Outcomes::FALSE);
    if members.iter().any(stops) {
        let certain = ids(&always(true));
        let fails = |one: &Member<'_>| stops(one) && one.outcomes == Outcomes::FAILS;
        return match (
            certain.is_empty(),
            members.iter().filter(|one| stops(one)).all(fails),
        ) {
            (false, _) => settled(Verdict::Forbidden, certain),
            (true, true) => settled(Verdict::ForbidFailed, ids(&stops)),
            (true, false) => settled(Verdict::Forbidden, ids(&stops)),
        };
    }
    let may_permit = |one: &Member<'_>| !one.live.forbid && one.outcomes.may(Outcomes::TRUE);
    if !members.iter().any(may_permit) {
        return settled(Verdict::NotPermitted, Vec::new());
    }
    let may_stop = |one: &Member<'_>| one.live.forbid && one.outcomes != Outcomes::FALSE;
    let certain = ids(&always(false));
    if !certain.is_empty() && !members.iter().any(may_stop) {
        return settled(Verdict::Allow, certain);
    }
    let matters = |one: &&Member<'_>| may_stop(one) || (certain.is_empty() && may_permit(one));
    let open = members.iter().filter(matters);
    Standing::Open(open.map(|one| one.dependence(around)).collect())
}

impl Member<'_> {
    fn dependence(&self, around: &dyn Fn() -> Arc<Entities>) -> Dependence {
        let live = self.live;
        let mut reads = live.reads.fields.names();
        reads.extend(self.reads_target.then_some("target"));
        let text = live.shape.get().map(|shape| Arc::clone(&shape.text));
        Dependence {
            policy: Arc::clone(&live.id),
            forbid: live.forbid,
            reads,
            rest: (text.unwrap_or_else(|| "".into()), self.letters.clone()),
            around: self.letters.contains(REACHES).then(around),
        }
    }
}
