//! Names in a policy that stand for nothing: such a policy is about nobody, or about no tool.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here names nothing"
)]

use std::collections::BTreeSet;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::tokens::Tokens;
use super::tree;
use super::world::Unknown;
use super::world::World;
use crate::fault::Fault;
use crate::policy::guard;
use crate::policy::load::Loaded;
use crate::policy::report;

/// A name in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// An entity, by type and id.
    Entity(String, String),
    Scope(String),
    ClientId(String),
    Issuer(String),
}

/// Every name in the policy that there could be doubt about.
pub(super) fn of_policy(policy: &pst::Template) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    let in_scope = [principal(&policy.principal), resource(&policy.resource)];
    names.extend(in_scope.into_iter().flatten().map(entity));
    for clause in policy.clauses() {
        tree::visit(tree::condition(clause), &mut |expression| {
            here(expression, &mut names);
        });
    }
    names
}

/// Warns of each name that stands for nothing.
pub(super) fn lint(
    loaded: &Loaded,
    names: &BTreeSet<Name>,
    world: &World<'_>,
    faults: &mut Vec<Fault>,
) {
    let mut tokens = None;
    let mut found = Vec::new();
    for name in names {
        let Some(Unknown {
            lint,
            message,
            help,
        }) = name.unknown(world)
        else {
            continue;
        };
        let tokens = tokens.get_or_insert_with(|| Tokens::of(loaded));
        let place = match name {
            Name::Entity(kind, id) => tokens.entity(kind, id),
            Name::Scope(text) | Name::ClientId(text) | Name::Issuer(text) => tokens.text(text),
        };
        let place = place.unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start));
        let mut fault = Fault::error(&loaded.source, Some(place), message)
            .named(lint)
            .warning();
        fault.help = help;
        found.push(fault);
    }
    found.sort_by_key(|fault| fault.position);
    faults.extend(found);
}

impl Name {
    fn unknown(&self, world: &World<'_>) -> Option<Unknown> {
        match self {
            Self::Entity(kind, id) => world.unknown(kind, id),
            Self::Scope(scope) => world.scope(scope),
            Self::ClientId(id) => world.client_id(id),
            Self::Issuer(issuer) => world.issuer(issuer),
        }
    }
}

fn here(expression: &Expr, names: &mut BTreeSet<Name>) {
    match expression {
        Expr::Literal(pst::Literal::EntityUID(uid)) => {
            names.insert(entity(uid));
        }
        Expr::BinaryOp { op, left, right } => {
            let compared = matches!(op, BinaryOp::Eq | BinaryOp::NotEq);
            let held = compared
                || matches!(
                    op,
                    BinaryOp::Contains | BinaryOp::ContainsAll | BinaryOp::ContainsAny
                );
            for attribute in ["clientId", "issuer"] {
                let name = |text| match attribute {
                    "clientId" => Name::ClientId(text),
                    _ => Name::Issuer(text),
                };
                // `principal.x == "a"`, `"a" == principal.x`, `["a"].contains(principal.x)`
                if compared && guard::is_attribute(left, attribute) {
                    names.extend(guard::text(right).map(name));
                } else if held && guard::is_attribute(right, attribute) {
                    let texts = guard::texts(left).unwrap_or_default();
                    names.extend(guard::text(left).into_iter().chain(texts).map(name));
                }
            }
            if held && guard::is_attribute(left, "scopes") {
                let texts = guard::texts(right).unwrap_or_default();
                names.extend(guard::text(right).into_iter().chain(texts).map(Name::Scope));
            } else if held && guard::is_attribute(right, "scopes") {
                let texts = guard::texts(left).unwrap_or_default();
                names.extend(texts.into_iter().map(Name::Scope));
            }
        }
        _ => {}
    }
}

fn entity(uid: &pst::EntityUID) -> Name {
    Name::Entity(uid.ty.to_string(), uid.eid.to_string())
}

fn principal(constraint: &pst::PrincipalConstraint) -> Option<&pst::EntityUID> {
    use pst::PrincipalConstraint;
    match constraint {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        PrincipalConstraint::Eq(entity)
        | PrincipalConstraint::In(entity)
        | PrincipalConstraint::IsIn(_, entity) => literal(entity),
    }
}

fn resource(constraint: &pst::ResourceConstraint) -> Option<&pst::EntityUID> {
    use pst::ResourceConstraint;
    match constraint {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(entity)
        | ResourceConstraint::In(entity)
        | ResourceConstraint::IsIn(_, entity) => literal(entity),
    }
}

fn literal(entity: &pst::EntityOrSlot) -> Option<&pst::EntityUID> {
    match entity {
        pst::EntityOrSlot::Entity(uid) => Some(uid),
        // Templates are refused when they are read.
        pst::EntityOrSlot::Slot(_) => None,
    }
}
