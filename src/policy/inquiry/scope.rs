//! The head of a policy: who, which action, what. As conditions, and how far it is from a request.

use std::sync::Arc;

use cedar_policy::ActionConstraint;
use cedar_policy::EntityUid;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::Scene;
use crate::policy::engine::Live;

/// How far a policy is from the action and the target of a request; the nearest is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Distance {
    way: Way,
    /// Whether it is about another caller as well.
    other_caller: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The same action, on another thing of the same server, or on the server's other things.
    SameServer,
    /// The same action, on a group that the target could be in.
    AnotherGroup,
    /// Another action, on the same target.
    OtherAction,
}

impl Scene<'_> {
    /// How far the policy's head is from the request; absent where it is about something else
    /// altogether.
    pub(super) fn distance(&self, live: &Live) -> Option<Distance> {
        let (caller, action, target) = (
            self.request.principal()?,
            self.request.action()?,
            self.request.resource()?,
        );
        let same_action = match live.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid == *action,
            ActionConstraint::In(groups) => groups.iter().any(|it| self.is_within(action, it)),
        };
        let way = match live.policy.resource_constraint() {
            ResourceConstraint::Any => None,
            ResourceConstraint::Is(kind) => {
                (kind == *target.type_name()).then_some(Way::OtherAction)
            }
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => self.way(same_action, target, &uid),
        }
        .filter(|way| same_action != (*way == Way::OtherAction))?;
        let same_caller = match live.policy.principal_constraint() {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Is(kind) => kind == *caller.type_name(),
            PrincipalConstraint::Eq(uid) => uid == *caller,
            PrincipalConstraint::In(uid) => self.is_within(caller, &uid),
            PrincipalConstraint::IsIn(kind, uid) => {
                kind == *caller.type_name() && self.is_within(caller, &uid)
            }
        };
        Some(Distance {
            way,
            other_caller: !same_caller,
        })
    }

    fn way(&self, same_action: bool, target: &EntityUid, named: &EntityUid) -> Option<Way> {
        if !same_action {
            return self.is_within(target, named).then_some(Way::OtherAction);
        }
        let server = &*self.question.operation.target.server;
        let id = named.id().unescaped();
        let is_group = |name: &str| named.type_name().basename() == name;
        if is_group("ServerGroup")
            || (is_group("ToolGroup") && target.type_name().basename() == "Tool")
        {
            return Some(Way::AnotherGroup);
        }
        let below = id.strip_prefix(server);
        let same_server = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (same_server && !is_group("ToolGroup")).then_some(Way::SameServer)
    }

    fn is_within(&self, uid: &EntityUid, group: &EntityUid) -> bool {
        uid == group || self.entities.is_ancestor_of(group, uid)
    }
}

/// The head as conditions, in the order in which Cedar looks at them.
pub(super) fn conditions(policy: &pst::Template) -> Vec<Expr> {
    [
        principal(&policy.principal),
        action(&policy.action),
        resource(&policy.resource),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The condition on the caller.
pub(super) fn principal(constraint: &pst::PrincipalConstraint) -> Option<Expr> {
    use pst::PrincipalConstraint as Constraint;
    let variable = pst::Var::Principal;
    match constraint {
        Constraint::Any => None,
        Constraint::Eq(entity) => Some(binary(variable, BinaryOp::Eq, one(entity))),
        Constraint::In(entity) => Some(binary(variable, BinaryOp::In, one(entity))),
        Constraint::Is(kind) => Some(is(variable, kind, None)),
        Constraint::IsIn(kind, entity) => Some(is(variable, kind, Some(one(entity)))),
    }
}

fn resource(constraint: &pst::ResourceConstraint) -> Option<Expr> {
    use pst::ResourceConstraint as Constraint;
    let variable = pst::Var::Resource;
    match constraint {
        Constraint::Any => None,
        Constraint::Eq(entity) => Some(binary(variable, BinaryOp::Eq, one(entity))),
        Constraint::In(entity) => Some(binary(variable, BinaryOp::In, one(entity))),
        Constraint::Is(kind) => Some(is(variable, kind, None)),
        Constraint::IsIn(kind, entity) => Some(is(variable, kind, Some(one(entity)))),
    }
}

fn action(constraint: &pst::ActionConstraint) -> Option<Expr> {
    let variable = pst::Var::Action;
    match constraint {
        pst::ActionConstraint::Any => None,
        pst::ActionConstraint::Eq(uid) => Some(binary(variable, BinaryOp::Eq, literal(uid))),
        pst::ActionConstraint::In(uids) => {
            let group = match uids.as_slice() {
                [one] => literal(one),
                several => Expr::Set(several.iter().map(|uid| Arc::new(literal(uid))).collect()),
            };
            Some(binary(variable, BinaryOp::In, group))
        }
    }
}

fn one(entity: &pst::EntityOrSlot) -> Expr {
    match entity {
        pst::EntityOrSlot::Entity(uid) => literal(uid),
        // Templates are refused when they are read; `false` is not an entity, so this fails.
        pst::EntityOrSlot::Slot(_) => Expr::Literal(pst::Literal::Bool(false)),
    }
}

fn literal(uid: &pst::EntityUID) -> Expr {
    Expr::Literal(pst::Literal::EntityUID(uid.clone()))
}

fn binary(variable: pst::Var, op: BinaryOp, right: Expr) -> Expr {
    Expr::BinaryOp {
        op,
        left: Arc::new(Expr::Var(variable)),
        right: Arc::new(right),
    }
}

fn is(variable: pst::Var, kind: &pst::EntityType, group: Option<Expr>) -> Expr {
    Expr::Is {
        expr: Arc::new(Expr::Var(variable)),
        entity_type: kind.clone(),
        in_expr: group.map(Arc::new),
    }
}
