//! A policy as a formula over what a caller could have: roles, groups, scopes, a client id.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is treated as unknown"
)]

use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::Expression;
use cedar_policy::Policy;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::guard;
use super::guard::Need;
use super::reads;
use super::reads::Fields;

/// What must be so for a permit to hold, or for a forbid not to. Negations are pushed down to the
/// leaves.
#[derive(Debug)]
pub(super) enum Formula {
    /// Nothing about the caller changes it.
    Known(bool),
    /// The caller has it.
    Has(Need),
    /// The caller lacks it.
    Lacks(Need),
    /// All of them.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
    /// Something else.
    Evaluates(Box<Question>),
    /// Something of which nothing can be said.
    Unknown,
}

/// Something that is put to Cedar when it matters: true when the expression evaluates to the value.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) expression: Expression,
    pub(super) wanted: bool,
    /// What it reads of the context.
    pub(super) reads: Fields,
    /// Whether other roles, groups, scopes or another client id could change the answer.
    pub(super) of_caller: bool,
}

impl Formula {
    /// Whether it may become true in a way that solving does not see.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Known(_) | Self::Has(_) | Self::Lacks(_) => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_open),
            Self::Evaluates(question) => question.of_caller,
            Self::Unknown => true,
        }
    }
}

/// The formula for `policy` to be satisfied, or not to be.
pub(super) fn of_policy(policy: &Policy, satisfied: bool) -> Formula {
    let Ok(tree) = policy.to_pst() else {
        return Formula::Unknown;
    };
    let tree = tree.body();
    let mut parts: Vec<Formula> = scope(&tree.principal)
        .iter()
        .map(|part| of(part, satisfied))
        .collect();
    parts.extend(tree.clauses().iter().map(|clause| match clause {
        pst::Clause::When(condition) => of(condition, satisfied),
        pst::Clause::Unless(condition) => of(condition, !satisfied),
    }));
    join(parts, satisfied)
}

/// Joined by "and" where all are wanted, and by "or" where it is enough that one fails.
fn join(parts: Vec<Formula>, all: bool) -> Formula {
    if all {
        Formula::All(parts)
    } else {
        Formula::Any(parts)
    }
}

fn of(expression: &Expr, wanted: bool) -> Formula {
    let known = match expression {
        Expr::Literal(pst::Literal::Bool(value)) => Some(Formula::Known(*value == wanted)),
        Expr::UnaryOp {
            op: pst::UnaryOp::Not,
            expr,
        } => Some(of(expr, !wanted)),
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => Some(Formula::Any(vec![
            Formula::All(vec![of(cond, true), of(then_expr, wanted)]),
            Formula::All(vec![of(cond, false), of(else_expr, wanted)]),
        ])),
        Expr::BinaryOp { op, left, right } => binary(*op, left, right, wanted),
        Expr::Is {
            expr,
            entity_type,
            in_expr: Some(group),
        } if guard::is_principal(expr) => members(group, wanted).map(|members| {
            let is = Expr::Is {
                expr: Arc::clone(expr),
                entity_type: entity_type.clone(),
                in_expr: None,
            };
            join(vec![evaluates(&is, wanted), members], wanted)
        }),
        _ => None,
    };
    known.unwrap_or_else(|| evaluates(expression, wanted))
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr, wanted: bool) -> Option<Formula> {
    let has = |need| leaf(need, wanted);
    let any = |needs: Vec<Need>| join(needs.into_iter().map(has).collect(), !wanted);
    match op {
        BinaryOp::And => Some(join(vec![of(left, wanted), of(right, wanted)], wanted)),
        BinaryOp::Or => Some(join(vec![of(left, wanted), of(right, wanted)], !wanted)),
        BinaryOp::In if guard::is_principal(left) => members(right, wanted),
        BinaryOp::Contains if guard::is_attribute(left, "scopes") => {
            Some(has(Need::Scope(guard::text(right)?)))
        }
        BinaryOp::ContainsAny if guard::is_attribute(left, "scopes") => {
            Some(any(scopes(guard::texts(right)?)))
        }
        BinaryOp::ContainsAll if guard::is_attribute(left, "scopes") => {
            let all = scopes(guard::texts(right)?);
            Some(join(all.into_iter().map(has).collect(), wanted))
        }
        BinaryOp::Eq if guard::is_attribute(left, "clientId") => {
            Some(has(Need::Client(guard::text(right)?)))
        }
        BinaryOp::NotEq if guard::is_attribute(left, "clientId") => {
            Some(leaf(Need::Client(guard::text(right)?), !wanted))
        }
        BinaryOp::Contains if guard::is_attribute(right, "clientId") => {
            let clients = guard::texts(left)?;
            Some(any(clients.into_iter().map(Need::Client).collect()))
        }
        _ => None,
    }
}

fn leaf(need: Need, wanted: bool) -> Formula {
    if wanted {
        Formula::Has(need)
    } else {
        Formula::Lacks(need)
    }
}

fn scopes(names: Vec<String>) -> Vec<Need> {
    names.into_iter().map(Need::Scope).collect()
}

/// In one of these roles or groups; nothing where something else is among them.
fn members(expression: &Expr, wanted: bool) -> Option<Formula> {
    let entities = guard::entities(expression)?;
    let assignable = |kind: &str| matches!(kind, "Mcp::Role" | "Mcp::Group");
    if !entities
        .iter()
        .all(|uid| assignable(&uid.type_name().to_string()))
    {
        return None;
    }
    let leaves = entities
        .into_iter()
        .map(|uid| leaf(Need::Member(uid), wanted));
    Some(join(leaves.collect(), !wanted))
}

/// The principal's scope constraint, as conditions.
fn scope(constraint: &pst::PrincipalConstraint) -> Option<Expr> {
    use pst::PrincipalConstraint;
    let principal = || Arc::new(Expr::Var(pst::Var::Principal));
    let literal = |entity: &pst::EntityOrSlot| match entity {
        pst::EntityOrSlot::Entity(uid) => {
            Arc::new(Expr::Literal(pst::Literal::EntityUID(uid.clone())))
        }
        // Templates are refused when they are read; `false` is not an entity, so this fails.
        pst::EntityOrSlot::Slot(_) => Arc::new(Expr::Literal(pst::Literal::Bool(false))),
    };
    let binary = |op, entity| Expr::BinaryOp {
        op,
        left: principal(),
        right: literal(entity),
    };
    let is = |kind: &pst::EntityType, group| Expr::Is {
        expr: principal(),
        entity_type: kind.clone(),
        in_expr: group,
    };
    match constraint {
        PrincipalConstraint::Any => None,
        PrincipalConstraint::Eq(entity) => Some(binary(BinaryOp::Eq, entity)),
        PrincipalConstraint::In(entity) => Some(binary(BinaryOp::In, entity)),
        PrincipalConstraint::Is(kind) => Some(is(kind, None)),
        PrincipalConstraint::IsIn(kind, entity) => Some(is(kind, Some(literal(entity)))),
    }
}

/// An expression to evaluate when it matters. It is the operator's own text, printed by Cedar; if
/// Cedar cannot read it back, nothing is promised about it.
fn evaluates(expression: &Expr, wanted: bool) -> Formula {
    match Expression::from_str(&expression.to_string()) {
        Ok(parsed) => Formula::Evaluates(Box::new(Question {
            expression: parsed,
            wanted,
            reads: reads::of(expression),
            of_caller: is_of_caller(expression),
        })),
        Err(_) => Formula::Unknown,
    }
}

/// Whether roles, groups, scopes or the client id have a part in it: anything that is done with the
/// principal but to look at another of its attributes, its tags, its type or its id.
fn is_of_caller(expression: &Expr) -> bool {
    expression.reduce(&of_caller_here, &|a, b| a || b, false)
}

fn of_caller_here(expression: &Expr) -> Option<bool> {
    match expression {
        Expr::GetAttr { expr, attr } if guard::is_principal(expr) => {
            Some(matches!(attr.as_str(), "scopes" | "clientId"))
        }
        Expr::HasAttr { expr, .. } if guard::is_principal(expr) => Some(false),
        Expr::Is {
            expr,
            in_expr: None,
            ..
        } if guard::is_principal(expr) => Some(false),
        Expr::BinaryOp {
            op: BinaryOp::Eq | BinaryOp::NotEq | BinaryOp::GetTag | BinaryOp::HasTag,
            left,
            right,
        } if guard::is_principal(left) => Some(is_of_caller(right)),
        Expr::Var(pst::Var::Principal) => Some(true),
        _ => None,
    }
}
