//! Whether a policy looks only into entities that a request brings along.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here cannot be an entity"
)]

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

/// Whether some condition reads an attribute, a tag or the parents of an entity that it names.
///
/// A request brings its principal, action, resource, the resource's server and its arguments, and
/// nothing else; looking into another entity would find nothing there, or fail. Cedar's own check
/// for this (RFC 76) takes time exponential in the depth of `if`.
pub(super) fn strays(policy: &pst::Template) -> bool {
    policy
        .clauses()
        .iter()
        .map(|clause| match clause {
            pst::Clause::When(condition) | pst::Clause::Unless(condition) => condition,
        })
        .any(|condition| condition.reduce(&stray_here, &|a, b| a || b, false))
}

fn stray_here(expression: &Expr) -> Option<bool> {
    let looked_into = match expression {
        Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Is {
            expr,
            in_expr: Some(_),
            ..
        } => expr,
        Expr::BinaryOp {
            op: BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag,
            left,
            ..
        } => left,
        _ => return None,
    };
    // `None` goes on to what is inside.
    may_be_named(looked_into).then_some(true)
}

/// Whether the value may be an entity that the policy names.
fn may_be_named(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(pst::Literal::EntityUID(_)) => true,
        Expr::IfThenElse {
            then_expr,
            else_expr,
            ..
        } => may_be_named(then_expr) || may_be_named(else_expr),
        Expr::GetAttr { expr, .. } => may_be_named(expr),
        Expr::Record(fields) => fields.values().any(|value| may_be_named(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::*;

    #[test]
    fn only_what_a_request_brings_can_be_looked_into() {
        for (condition, expected) in [
            ("principal in R::\"a\"", false),
            ("principal is U in R::\"a\"", false),
            ("resource == T::\"a\"", false),
            ("resource.server.tenant == principal.tenant", false),
            ("resource.server in G::\"a\"", false),
            ("context.args.hasTag(\"a\")", false),
            ("{\"a\": principal.tenant}.a == \"x\"", false),
            ("R::\"a\" in R::\"b\"", true),
            ("R::\"a\" is R in R::\"b\"", true),
            ("S::\"a\".tenant == \"x\"", true),
            ("S::\"a\" has tenant", true),
            ("S::\"a\".hasTag(\"x\")", true),
            (
                "(if resource.known then S::\"a\" else resource.server).tenant == \"x\"",
                true,
            ),
            ("{\"a\": S::\"a\"}.a.tenant == \"x\"", true),
            (
                "resource.known && !(principal in R::\"a\" || R::\"a\" in R::\"b\")",
                true,
            ),
        ] {
            let text = format!("permit(principal, action, resource) when {{ {condition} }};");
            let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
            assert_eq!(strays(policy.body()), expected, "{condition}");
        }
    }
}
