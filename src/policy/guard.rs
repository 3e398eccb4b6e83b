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

/// Something that the index knows of a caller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Mark {
    /// To be this entity, or in it.
    Member(EntityUid),
    /// This scope.
    Scope(String),
    /// This value of an attribute.
    Attribute(Attribute, String),
    /// This value among those of a tag.
    Tag(String, String),
}

/// An attribute of a caller that is one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Attribute {
    /// `clientId`
    ClientId,
    /// `email`
    Email,
    /// `issuer`
    Issuer,
    /// `subject`
    Subject,
    /// `tenant`
    Tenant,
}

/// Marks of which a caller must have at least one; nobody has one of none.
pub(super) type Clause = Vec<Mark>;

/// Most clauses that are made of one "or": those of its sides, in pairs.
const MAX_PAIRED: usize = 2;

impl Attribute {
    fn named(name: &str) -> Option<Self> {
        match name {
            "clientId" => Some(Self::ClientId),
            "email" => Some(Self::Email),
            "issuer" => Some(Self::Issuer),
            "subject" => Some(Self::Subject),
            "tenant" => Some(Self::Tenant),
            _ => None,
        }
    }
}

/// What a caller must have for the policy to hold: a mark of each clause.
///
/// It is a necessary condition only: where the conditions are true, every clause is met; where every
/// clause is met, the conditions need not be true. Conditions that fail to evaluate are not true.
pub(super) fn of_policy(policy: &pst::Template) -> Vec<Clause> {
    let conditions = policy.clauses().iter().map(|clause| match clause {
        pst::Clause::When(condition) => of(condition),
        pst::Clause::Unless(_) => Vec::new(),
    });
    conditions.flatten().collect()
}

fn of(expression: &Expr) -> Vec<Clause> {
    match expression {
        Expr::BinaryOp {
            op: BinaryOp::And,
            left,
            right,
        } => both(of(left), of(right)),
        Expr::BinaryOp {
            op: BinaryOp::Or,
            left,
            right,
        } => either(of(left), of(right)),
        Expr::BinaryOp { op, left, right } => comparison(*op, left, right).unwrap_or_default(),
        // True: condition and "then" are, or "else" is.
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => either(both(of(cond), of(then_expr)), of(else_expr)),
        Expr::Is {
            expr,
            in_expr: Some(group),
            ..
        } if is_principal(expr) => members(group).into_iter().collect(),
        Expr::Literal(pst::Literal::Bool(false)) => vec![Clause::new()],
        _ => Vec::new(),
    }
}

fn both(mut left: Vec<Clause>, right: Vec<Clause>) -> Vec<Clause> {
    left.extend(right);
    left
}

/// Where one of two is true, so is one of any two clauses of theirs.
fn either(mut left: Vec<Clause>, mut right: Vec<Clause>) -> Vec<Clause> {
    for side in [&mut left, &mut right] {
        side.sort_by_key(Vec::len);
        side.truncate(MAX_PAIRED);
    }
    let pairs = left.iter().flat_map(|one| {
        right
            .iter()
            .map(move |other| one.iter().chain(other).cloned().collect())
    });
    pairs.collect()
}

fn comparison(op: BinaryOp, left: &Expr, right: &Expr) -> Option<Vec<Clause>> {
    match op {
        BinaryOp::In if is_principal(left) => Some(vec![members(right)?]),
        BinaryOp::Eq => Some(vec![equal(left, right).or_else(|| equal(right, left))?]),
        BinaryOp::Contains => Some(vec![contains(left, right)?]),
        BinaryOp::ContainsAny => {
            let (marks, texts) = any_of(left, right).or_else(|| any_of(right, left))?;
            Some(vec![texts.into_iter().map(marks).collect()])
        }
        BinaryOp::ContainsAll => {
            let (marks, texts) = any_of(left, right)?;
            Some(texts.into_iter().map(|text| vec![marks(text)]).collect())
        }
        _ => None,
    }
}

fn equal(left: &Expr, right: &Expr) -> Option<Clause> {
    if is_principal(left) {
        return members(right);
    }
    Some(vec![Mark::Attribute(attribute(left)?, text(right)?)])
}

fn contains(set: &Expr, item: &Expr) -> Option<Clause> {
    if is_principal(item) {
        return members(set);
    }
    if let Some(name) = attribute(item) {
        let mark = |text| Mark::Attribute(name, text);
        return Some(texts(set)?.into_iter().map(mark).collect());
    }
    Some(vec![held(set)?(text(item)?)])
}

type Marks<'a> = Box<dyn Fn(String) -> Mark + 'a>;

/// A set that the caller has, and the texts that it is compared with.
fn any_of<'a>(set: &'a Expr, with: &Expr) -> Option<(Marks<'a>, Vec<String>)> {
    Some((held(set)?, texts(with)?))
}

/// What it means of a caller that `set` contains a text.
fn held(set: &Expr) -> Option<Marks<'_>> {
    if is_attribute(set, "scopes") {
        return Some(Box::new(Mark::Scope));
    }
    match set {
        Expr::BinaryOp {
            op: BinaryOp::GetTag,
            left,
            right,
        } if is_principal(left) => {
            let name = text(right)?;
            Some(Box::new(move |value| Mark::Tag(name.clone(), value)))
        }
        _ => None,
    }
}

fn attribute(expression: &Expr) -> Option<Attribute> {
    match expression {
        Expr::GetAttr { expr, attr } if is_principal(expr) => Attribute::named(attr),
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

fn members(expression: &Expr) -> Option<Clause> {
    let all = entities(expression)?;
    Some(all.into_iter().map(Mark::Member).collect())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::*;

    /// One text a clause, with blanks between its marks.
    fn clauses(conditions: &str) -> Vec<String> {
        let text = format!("permit(principal, action, resource) {conditions};");
        let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
        let show = |mark: Mark| match mark {
            Mark::Member(uid) => uid.id().unescaped().to_owned(),
            Mark::Scope(scope) => format!("s:{scope}"),
            Mark::Attribute(name, value) => format!("{name:?}={value}"),
            Mark::Tag(name, value) => format!("{name}:{value}"),
        };
        let line = |clause: Clause| clause.into_iter().map(show).collect::<Vec<_>>().join(" ");
        of_policy(policy.body()).into_iter().map(line).collect()
    }

    fn check(cases: &[(&str, &[&str])]) {
        for (condition, expected) in cases {
            let conditions = format!("when {{ {condition} }}");
            assert_eq!(clauses(&conditions), *expected, "{condition}");
        }
    }

    #[test]
    fn clauses_are_necessary() {
        check(&[
            ("principal in R::\"a\"", &["a"]),
            ("principal in [R::\"a\", R::\"b\"]", &["a b"]),
            ("principal in []", &[""]),
            ("principal is U", &[]),
            ("principal is U in R::\"a\"", &["a"]),
            ("principal == U::\"a\"", &["a"]),
            ("U::\"a\" == principal", &["a"]),
            ("[U::\"a\", U::\"b\"].contains(principal)", &["a b"]),
            ("principal != U::\"a\"", &[]),
            ("R::\"a\" in principal", &[]),
            ("principal == resource.owner", &[]),
            ("resource in R::\"a\"", &[]),
            ("principal.scopes.contains(\"a\")", &["s:a"]),
            ("principal.scopes.contains(resource.name)", &[]),
            ("principal.scopes.containsAny([\"a\", \"b\"])", &["s:a s:b"]),
            ("[\"a\", \"b\"].containsAny(principal.scopes)", &["s:a s:b"]),
            ("principal.scopes.containsAny([\"a\", resource.name])", &[]),
            ("principal.scopes.containsAny([])", &[""]),
            (
                "principal.scopes.containsAll([\"a\", \"b\"])",
                &["s:a", "s:b"],
            ),
            ("[\"a\"].containsAll(principal.scopes)", &[]),
            ("principal.scopes.containsAll([])", &[]),
            ("principal.clientId == \"a\"", &["ClientId=a"]),
            ("\"a\" == principal.tenant", &["Tenant=a"]),
            ("principal.email like \"a*\"", &[]),
            ("principal.clientId == principal.subject", &[]),
            ("resource.tenant == \"a\"", &[]),
            (
                "[\"a\", \"b\"].contains(principal.clientId)",
                &["ClientId=a ClientId=b"],
            ),
            ("principal.getTag(\"t\").contains(\"a\")", &["t:a"]),
            (
                "principal.getTag(\"t\").containsAll([\"a\", \"b\"])",
                &["t:a", "t:b"],
            ),
            ("principal.getTag(resource.name).contains(\"a\")", &[]),
            ("context.args.getTag(\"t\").contains(\"a\")", &[]),
            ("principal.hasTag(\"t\")", &[]),
        ]);
    }

    #[test]
    fn connectives_keep_them_so() {
        check(&[
            ("true", &[]),
            ("false", &[""]),
            ("!(principal in R::\"a\")", &[]),
            (
                "principal in R::\"a\" && resource.known && principal.scopes.contains(\"b\")",
                &["a", "s:b"],
            ),
            ("principal in R::\"a\" || resource.known", &[]),
            ("resource.known || principal in R::\"a\"", &[]),
            (
                "principal in R::\"a\" || principal.scopes.contains(\"b\")",
                &["a s:b"],
            ),
            (
                "(principal in R::\"a\" && principal.tenant == \"t\") || principal in R::\"b\"",
                &["a b", "Tenant=t b"],
            ),
            ("principal in R::\"a\" || false", &["a"]),
            (
                "if resource.known then principal in R::\"a\" else false",
                &["a"],
            ),
            (
                "if principal in R::\"a\" then true else principal in R::\"b\"",
                &["a b"],
            ),
            ("if principal in R::\"a\" then false else true", &[]),
            ("if principal in R::\"a\" then true else true", &[]),
            (
                "if resource.known then principal in R::\"a\" else principal in R::\"b\"",
                &["a b"],
            ),
        ]);
        for (conditions, expected) in [
            ("", &[][..]),
            ("unless { principal in R::\"a\" }", &[]),
            (
                "when { resource.known } when { principal in R::\"a\" }",
                &["a"],
            ),
            (
                "when { principal in R::\"a\" } when { principal in R::\"b\" }",
                &["a", "b"],
            ),
        ] {
            assert_eq!(clauses(conditions), expected, "{conditions}");
        }
    }

    #[test]
    fn a_long_alternative_has_few_clauses() {
        let pair = |n| format!("(principal in R::\"a{n}\" && principal.tenant == \"t{n}\")");
        let all: Vec<String> = (0..12).map(pair).collect();
        let clauses = clauses(&format!("when {{ {} }}", all.join(" || ")));
        assert_eq!(clauses.len(), MAX_PAIRED * MAX_PAIRED);
        assert!(clauses.iter().all(|clause| clause.split(' ').count() == 12));
    }
}
