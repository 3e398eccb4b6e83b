//! A walk over Cedar's syntax tree, in the order in which a policy is written.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here has nothing inside"
)]

use cedar_policy::pst::Clause;
use cedar_policy::pst::Expr;

/// What is directly inside.
pub(super) fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => {
            let mut both: Vec<&Expr> = vec![expr];
            both.extend(in_expr.iter().map(AsRef::as_ref));
            both
        }
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().map(AsRef::as_ref).collect(),
        Expr::Record(fields) => fields.values().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// Shows `visit` the expression and everything inside.
pub(super) fn visit<'e>(expression: &'e Expr, visit_one: &mut dyn FnMut(&'e Expr)) {
    visit_one(expression);
    for child in children(expression) {
        visit(child, visit_one);
    }
}

/// Whether there is an `if` in it.
pub(super) fn branches(expression: &Expr) -> bool {
    let branch = |one: &Expr| matches!(one, Expr::IfThenElse { .. }).then_some(true);
    expression.reduce(&branch, &|left, right| left || right, false)
}

/// The condition of a clause.
pub(super) fn condition(clause: &Clause) -> &Expr {
    match clause {
        Clause::When(condition) | Clause::Unless(condition) => condition,
    }
}
