//! What a caller must have for a permit to hold at all, read off its conditions.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is treated as unknown"
)]

use cedar_policy::EntityId;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

/// Something that a caller has or lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Need {
    /// To be this entity, or in it.
    Member(EntityUid),
    /// This scope.
    Scope(String),
    /// This client id.
    Client(String),
}

/// The needs of which a caller must meet at least one, or nothing where no such list is known.
///
/// It is a necessary condition only: an expression that is true has one of them, one that has one
/// need not be true. An expression that fails to evaluate is not true.
pub(super) fn of_policy(policy: &pst::Template) -> Option<Vec<Need>> {
    policy
        .clauses()
        .iter()
        .filter_map(|clause| match clause {
            pst::Clause::When(condition) => of(condition),
            pst::Clause::Unless(_) => None,
        })
        .min_by_key(Vec::len)
}

fn of(expression: &Expr) -> Option<Vec<Need>> {
    match expression {
        Expr::BinaryOp { op, left, right } => binary(*op, left, right),
        Expr::Is {
            expr,
            in_expr: Some(group),
            ..
        } if is_principal(expr) => members(group),
        _ => None,
    }
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr) -> Option<Vec<Need>> {
    match op {
        // Both must be true, so the needs of either will do: take the fewer.
        BinaryOp::And => match (of(left), of(right)) {
            (Some(a), Some(b)) => Some(if a.len() <= b.len() { a } else { b }),
            (a, b) => a.or(b),
        },
        BinaryOp::Or => {
            let mut needs = of(left)?;
            needs.extend(of(right)?);
            Some(needs)
        }
        BinaryOp::In | BinaryOp::Eq if is_principal(left) => members(right),
        BinaryOp::Eq if is_attribute(left, "clientId") => Some(vec![Need::Client(text(right)?)]),
        BinaryOp::Contains if is_attribute(right, "clientId") => {
            Some(texts(left)?.into_iter().map(Need::Client).collect())
        }
        BinaryOp::Contains if is_attribute(left, "scopes") => Some(vec![Need::Scope(text(right)?)]),
        BinaryOp::ContainsAny if is_attribute(left, "scopes") => {
            Some(texts(right)?.into_iter().map(Need::Scope).collect())
        }
        BinaryOp::ContainsAll if is_attribute(left, "scopes") => {
            Some(vec![Need::Scope(texts(right)?.into_iter().next()?)])
        }
        _ => None,
    }
}

/// `principal`
pub(super) fn is_principal(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(pst::Var::Principal))
}

/// `principal.<name>`
pub(super) fn is_attribute(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if attr == name && is_principal(expr))
}

/// A string literal.
pub(super) fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(pst::Literal::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

/// A set of string literals.
pub(super) fn texts(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Set(items) => items.iter().map(|item| text(item)).collect(),
        _ => None,
    }
}

/// An entity literal, or a set of them.
pub(super) fn entities(expression: &Expr) -> Option<Vec<EntityUid>> {
    match expression {
        Expr::Literal(pst::Literal::EntityUID(literal)) => Some(vec![uid(literal)?]),
        Expr::Set(items) => {
            let mut all = Vec::new();
            for item in items {
                all.extend(entities(item)?);
            }
            Some(all)
        }
        _ => None,
    }
}

/// The same id, as requests carry it.
pub(super) fn uid(literal: &pst::EntityUID) -> Option<EntityUid> {
    let kind: EntityTypeName = literal.ty.to_string().parse().ok()?;
    Some(EntityUid::from_type_name_and_id(
        kind,
        EntityId::new(&literal.eid),
    ))
}

fn members(expression: &Expr) -> Option<Vec<Need>> {
    Some(
        entities(expression)?
            .into_iter()
            .map(Need::Member)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::*;

    fn needs(conditions: &str) -> Option<Vec<String>> {
        let text = format!("permit(principal, action, resource) {conditions};");
        let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
        let show = |need: Need| match need {
            Need::Member(uid) => uid.id().unescaped().to_owned(),
            Need::Scope(scope) => format!("s:{scope}"),
            Need::Client(client) => format!("c:{client}"),
        };
        of_policy(policy.body()).map(|needs| needs.into_iter().map(show).collect())
    }

    #[test]
    fn needs_are_necessary() {
        for (conditions, expected) in [
            ("", None),
            ("when { principal in R::\"a\" }", Some(vec!["a"])),
            (
                "when { principal in [R::\"a\", R::\"b\"] }",
                Some(vec!["a", "b"]),
            ),
            ("when { principal is U in R::\"a\" }", Some(vec!["a"])),
            ("when { principal == U::\"a\" }", Some(vec!["a"])),
            ("when { principal != U::\"a\" }", None),
            ("when { !(principal in R::\"a\") }", None),
            ("unless { principal in R::\"a\" }", None),
            (
                "when { principal.scopes.contains(\"a\") }",
                Some(vec!["s:a"]),
            ),
            (
                "when { principal.scopes.containsAny([\"a\", \"b\"]) }",
                Some(vec!["s:a", "s:b"]),
            ),
            (
                "when { principal.scopes.containsAll([\"a\", \"b\"]) }",
                Some(vec!["s:a"]),
            ),
            ("when { principal.scopes.contains(resource.name) }", None),
            ("when { principal.clientId == \"a\" }", Some(vec!["c:a"])),
            (
                "when { [\"a\"].contains(principal.clientId) }",
                Some(vec!["c:a"]),
            ),
            (
                "when { principal in [R::\"a\", R::\"b\"] && principal.clientId == \"x\" }",
                Some(vec!["c:x"]),
            ),
            (
                "when { principal in R::\"a\" && resource.known }",
                Some(vec!["a"]),
            ),
            (
                "when { resource.known && principal in R::\"a\" }",
                Some(vec!["a"]),
            ),
            (
                "when { principal in R::\"a\" || principal.scopes.contains(\"b\") }",
                Some(vec!["a", "s:b"]),
            ),
            ("when { principal in R::\"a\" || resource.known }", None),
            (
                "when { if resource.known then principal in R::\"a\" else false }",
                None,
            ),
            (
                "when { resource.known } when { principal in R::\"a\" }",
                Some(vec!["a"]),
            ),
            ("when { resource in R::\"a\" }", None),
        ] {
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(needs(conditions), expected, "{conditions}");
        }
    }
}
