//! The roles and scopes that a set of policy files names.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here names nothing"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::EntityUid;
use cedar_policy::PrincipalConstraint;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::engine::Engine;
use super::engine::Live;
use super::guard;
use super::principals::Principals;

/// Names that policies in force, `entities.json` and `principals.yaml` use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Scopes.
    pub scopes: BTreeSet<String>,
}

impl Names {
    pub(super) fn of(engine: &Engine, principals: &Principals) -> Self {
        let kind = &engine.vocabulary.role;
        let mut names = Self::default();
        let listed = engine.hierarchy.names(kind).map(str::to_owned);
        names
            .roles
            .extend(listed.chain(principals.roles().cloned()));
        for live in &engine.policies {
            let mut entities = entities(live);
            entities.retain(|uid| uid.type_name() == kind);
            let roles = entities.iter().map(|uid| uid.id().unescaped().to_owned());
            names.roles.extend(roles);
            names.scopes.extend(conditions(live, &scopes));
        }
        names
    }
}

/// Every entity that the policy names for its principal, or in its conditions.
fn entities(live: &Live) -> Vec<EntityUid> {
    let mut found = conditions(live, &|expression| match expression {
        Expr::Literal(pst::Literal::EntityUID(_)) => guard::entities(expression),
        _ => None,
    });
    match live.policy.principal_constraint() {
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => found.push(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) | PrincipalConstraint::Eq(_) => {}
    }
    found
}

/// The texts that stand beside `principal.scopes`.
fn scopes(expression: &Expr) -> Option<Vec<String>> {
    let Expr::BinaryOp { op, left, right } = expression else {
        return None;
    };
    let other = match op {
        BinaryOp::Contains | BinaryOp::ContainsAny | BinaryOp::ContainsAll | BinaryOp::Eq
            if guard::is_attribute(left, "scopes") =>
        {
            right
        }
        BinaryOp::ContainsAny | BinaryOp::ContainsAll | BinaryOp::Eq
            if guard::is_attribute(right, "scopes") =>
        {
            left
        }
        _ => return None,
    };
    guard::text(other)
        .map(|text| vec![text])
        .or_else(|| guard::texts(other))
}

fn conditions<T: Clone>(live: &Live, find: &dyn Fn(&Expr) -> Option<Vec<T>>) -> Vec<T> {
    let Ok(tree) = live.policy.to_pst() else {
        return Vec::new();
    };
    let both = |mut a: Vec<T>, b: Vec<T>| {
        a.extend(b);
        a
    };
    let clauses = tree.body().clauses().iter();
    clauses
        .map(|clause| match clause {
            pst::Clause::When(condition) | pst::Clause::Unless(condition) => condition,
        })
        .flat_map(|condition: &Arc<Expr>| condition.reduce(find, &both, Vec::new()))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::policy::PolicySnapshot;
    use crate::policy::fixtures::files;
    use crate::policy::fixtures::resources;

    #[test]
    fn every_place_of_a_name_is_looked_at() {
        let policies = "\
@id(\"a\") permit(principal in Mcp::Role::\"a\", action, resource);
@id(\"b\") permit(principal is Mcp::User in Mcp::Role::\"b\", action, resource)
    when { principal.scopes.contains(\"p\") || principal.scopes.containsAny([\"q\", \"r\"]) };
@id(\"c\") forbid(principal, action, resource)
    unless { principal in [Mcp::Role::\"c\"] && principal in Mcp::Group::\"g\" && [\"s\"].containsAll(principal.scopes) };
@id(\"d\") @mode(\"log_only\") permit(principal in Mcp::Role::\"out\", action, resource)
    when { principal.scopes == [\"out\"] };
@id(\"e\") permit(principal, action, resource) when { principal.scopes == [\"t\"] };
";
        let entities = r#"[{"uid": {"type": "Mcp::Role", "id": "d"},
            "parents": [{"type": "Mcp::Role", "id": "e"}]}]"#;
        let principals = "users: {i#u: {roles: [f]}}\nclients: {i#c: {roles: [g]}}\n\
                          api_keys: {k: {roles: [h]}}\n";
        let files = files(&[
            ("entities.json", entities),
            ("principals.yaml", principals),
            ("x.cedar", policies),
        ]);
        let snapshot = PolicySnapshot::compile(&files, &resources(&["s"]), 1).unwrap();
        let names = snapshot.names();
        let all = |names: std::collections::BTreeSet<String>| {
            names.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all(names.roles), "a b c d e f g h");
        assert_eq!(all(names.scopes), "p q r s t");
        let callers: Vec<_> = snapshot
            .known_callers()
            .into_iter()
            .map(|(kind, issuer, id)| format!("{kind:?} {issuer} {id}"))
            .collect();
        assert_eq!(callers, ["User i u", "Client i c", "ApiKey  k"]);
    }
}
