//! Permits that let everyone in, strangers too: they lack a condition, or should say that none is meant.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is asked of Cedar"
)]

use std::sync::Arc;

use cedar_policy::EntityUid;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::stranger::Looks;
use super::stranger::Stranger;
use super::tree;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::policy::guard;
use crate::policy::guard::Attribute;
use crate::policy::guard::Mark;
use crate::policy::load::Loaded;
use crate::policy::reads;
use crate::policy::reads::Fields;
use crate::policy::report;
use crate::policy::vocabulary::Vocabulary;
use crate::request::Action;

/// What gives nothing away: how a conversation begins, and what browsers ask without credentials.
const OPENINGS: [Action; 4] = [
    Action::Initialize,
    Action::ServerDiscover,
    Action::Ping,
    Action::Options,
];

const ANONYMOUS: &str = "Mcp::Anonymous";

/// Reports a permit that holds for strangers although nothing says that they are meant.
pub(super) fn lint(
    loaded: &Loaded,
    policy: &pst::Template,
    (vocabulary, stranger): (&Vocabulary, &Stranger<'_>),
    faults: &mut Vec<Fault>,
) {
    let is_open = matches!(policy.effect, pst::Effect::Permit)
        && matches!(policy.principal, pst::PrincipalConstraint::Any)
        && !needs_something(policy);
    if !is_open {
        return;
    }
    let actions = actions(&policy.action, vocabulary);
    let is_public = actions.iter().all(|action| OPENINGS.contains(action)) || names_a_route(policy);
    if is_public || !reaches(policy, stranger) {
        return;
    }
    let unconditional =
        conditions(policy).all(|condition| Looks::of(condition) == Looks::default());
    let any_resource = matches!(policy.resource, pst::ResourceConstraint::Any);
    let (lint, what) = if unconditional && any_resource && actions.len() == Action::ALL.len() {
        (Lint::PermitAll, "everything to everyone")
    } else {
        (Lint::PermitEveryone, "this to everyone")
    };
    let place = report::first_line(&loaded.source, loaded.span.start);
    let message = format!(
        "policy `{}` permits {what}, strangers too where a resource accepts them",
        loaded.id
    );
    faults.push(
        Fault::error(&loaded.source, Some(place), message)
            .help(
                "say who may: a role, a scope, a client, or for whoever is signed in \
                 `unless { principal is Mcp::Anonymous }`",
            )
            .named(lint)
            .warning(),
    );
}

/// The actions that a policy is about.
fn actions(constraint: &pst::ActionConstraint, vocabulary: &Vocabulary) -> Vec<Action> {
    let within = |uid: &pst::EntityUID| {
        let uid = guard::uid(uid);
        uid.map(|uid| vocabulary.actions_in(&uid))
            .unwrap_or_default()
    };
    match constraint {
        pst::ActionConstraint::Any => Action::ALL.to_vec(),
        pst::ActionConstraint::Eq(uid) => within(uid),
        pst::ActionConstraint::In(uids) => {
            let named: Vec<Action> = uids.iter().flat_map(within).collect();
            let all = Action::ALL.into_iter();
            all.filter(|action| named.contains(action)).collect()
        }
    }
}

/// The quick answer for most policies: a stranger has no role, no scope and no client id.
fn needs_something(policy: &pst::Template) -> bool {
    let has_not = |mark: &Mark| match mark {
        Mark::Member(uid) => uid.type_name().to_string() != ANONYMOUS,
        Mark::Scope(_) => true,
        Mark::Attribute(Attribute::ClientId, id) => !id.is_empty(),
        Mark::Attribute(..) | Mark::Tag(..) => false,
    };
    let mut clauses = guard::of_policy(policy).into_iter();
    clauses.any(|clause| clause.iter().all(has_not))
}

/// Whether the policy is about single routes, each by its name. `*` is no name: it is whatever has none.
fn names_a_route(policy: &pst::Template) -> bool {
    let are_routes = |uids: &[EntityUid]| {
        let is_route = |uid: &EntityUid| {
            uid.type_name().to_string() == "Mcp::Route" && !uid.id().unescaped().ends_with("/*")
        };
        !uids.is_empty() && uids.iter().all(is_route)
    };
    let in_scope = match &policy.resource {
        pst::ResourceConstraint::Eq(pst::EntityOrSlot::Entity(uid))
        | pst::ResourceConstraint::In(pst::EntityOrSlot::Entity(uid))
        | pst::ResourceConstraint::IsIn(_, pst::EntityOrSlot::Entity(uid)) => guard::uid(uid),
        _ => None,
    };
    let required = |clause: &pst::Clause| match clause {
        pst::Clause::When(condition) => requires(condition, &are_routes),
        pst::Clause::Unless(_) => false,
    };
    in_scope.is_some_and(|uid| are_routes(&[uid])) || policy.clauses().iter().any(required)
}

/// Whether the expression holds only for resources of which `are` is true.
fn requires(expression: &Expr, are: &dyn Fn(&[EntityUid]) -> bool) -> bool {
    let Expr::BinaryOp { op, left, right } = expression else {
        return false;
    };
    let is_resource = |one: &Expr| matches!(one, Expr::Var(pst::Var::Resource));
    let literals = match op {
        BinaryOp::And => return requires(left, are) || requires(right, are),
        BinaryOp::Or => return requires(left, are) && requires(right, are),
        BinaryOp::Eq | BinaryOp::In if is_resource(left) => guard::entities(right),
        BinaryOp::Eq | BinaryOp::Contains if is_resource(right) => guard::entities(left),
        _ => None,
    };
    literals.is_some_and(|uids| are(&uids))
}

/// Whether strangers are spoken of, so that somebody has thought of them.
fn names_strangers(condition: &Expr) -> bool {
    let here = |one: &Expr| match one {
        Expr::Is { entity_type, .. } if entity_type.to_string() == ANONYMOUS => Some(true),
        Expr::Literal(pst::Literal::EntityUID(uid)) if uid.ty.to_string() == ANONYMOUS => {
            Some(true)
        }
        _ => None,
    };
    condition.reduce(&here, &|a, b| a || b, false)
}

/// Whether the conditions may hold for a stranger of whom none of them speaks. What compares the caller
/// with something else, or looks at the address, is a condition on the caller, whatever it comes to.
fn reaches(policy: &pst::Template, stranger: &Stranger<'_>) -> bool {
    policy.clauses().iter().all(|clause| match clause {
        pst::Clause::When(condition) => may(condition, true, stranger),
        pst::Clause::Unless(condition) => may(condition, false, stranger),
    })
}

fn may(expression: &Arc<Expr>, wanted: bool, stranger: &Stranger<'_>) -> bool {
    match &**expression {
        Expr::UnaryOp {
            op: pst::UnaryOp::Not,
            expr,
        } => may(expr, !wanted, stranger),
        Expr::BinaryOp {
            op: op @ (BinaryOp::And | BinaryOp::Or),
            left,
            right,
        } => {
            let mut sides = [left, right].into_iter();
            if (*op == BinaryOp::And) == wanted {
                sides.all(|side| may(side, wanted, stranger))
            } else {
                // `!(principal is Mcp::Anonymous && ...)` says which strangers are not meant, and so which are.
                let spoken_of = !wanted && names_strangers(expression);
                !spoken_of && sides.any(|side| may(side, wanted, stranger))
            }
        }
        // To look at a condition for both outcomes takes twice as long with each `if` in it.
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } if !tree::branches(cond) => {
            (may(cond, true, stranger) && may(then_expr, wanted, stranger))
                || (may(cond, false, stranger) && may(else_expr, wanted, stranger))
        }
        // Every request has an address.
        Expr::HasAttr { expr, .. } if matches!(&**expr, Expr::Var(_)) => {
            Looks::of(expression).elsewhere || stranger.answer(expression) == Some(wanted)
        }
        _ => {
            let looks = Looks::of(expression);
            if looks.elsewhere {
                !looks.at_caller && !reads::of(expression).contains(Fields::CLIENT_IP)
            } else {
                let spoken_of = wanted && names_strangers(expression);
                !spoken_of && stranger.answer(expression) == Some(wanted)
            }
        }
    }
}

fn conditions(policy: &pst::Template) -> impl Iterator<Item = &Expr> {
    policy.clauses().iter().map(tree::condition)
}
