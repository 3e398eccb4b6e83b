//! Which policies can matter for a request, without looking at the others.
//!
//! Cedar evaluates every policy of a set. A scope constraint that is false makes its policy
//! unsatisfied without an error, so leaving such a policy out changes nothing. A permit may also be
//! left out when its conditions need something of the caller that the caller lacks: decision and
//! determining policies stay the same, and at most the report of an error in a permit that could
//! not have held is lost. A forbid is never left out for that, because a forbid that fails denies.
//!
//! Which these are is a matter of each policy and the request alone. Where a policy is filed is not:
//! it stands under that of its demands which the fewest policies share.

mod builder;

use std::collections::BTreeSet;
use std::collections::HashMap;

use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;

pub(super) use self::builder::Builder;

use super::guard::Attribute;
use crate::identity::Principal;
use crate::request::Action;

/// The number of a policy in its snapshot; policies are sorted by id, so numbers are too.
pub(super) type Number = u32;
/// A constraint or need that some policy has, by number.
pub(super) type Key = u32;

/// A scope constraint on a principal or a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pin {
    /// Anything will do.
    Any,
    /// Something of this type.
    Is(EntityTypeName),
    /// This entity only.
    Equals(EntityUid),
    /// This entity, or what is in it.
    In(EntityUid),
    /// Something of this type that is the entity, or in it.
    IsIn(EntityTypeName, EntityUid),
}

/// What a policy can ask of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ask {
    Pin(Pin),
    Scope(String),
    Attribute(Attribute, String),
    Tag(String, String),
}

/// An entity of a request, as far as scope constraints see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) uid: &'a EntityUid,
    pub(super) above: &'a BTreeSet<EntityUid>,
}

/// The index over one set of policies.
#[derive(Debug)]
pub(super) struct Index {
    asks: HashMap<Ask, Key>,
    pins: HashMap<Pin, Key>,
    shelves: HashMap<(Action, Key), Shelf>,
    /// By the number of the policy.
    demands: Vec<Demands>,
}

/// The policies for one action and one resource constraint, by what they ask of the caller.
type Shelf = HashMap<Key, Vec<Number>>;

/// What a policy asks of its caller: of each list, at least one. The lists are sorted.
type Demands = Box<[Box<[Key]>]>;

impl Index {
    /// The asks that a caller can meet, sorted.
    pub(super) fn caller_keys(&self, caller: Subject<'_>, principal: &Principal) -> Vec<Key> {
        let attribute = |name, value: &str| Ask::Attribute(name, value.to_owned());
        let attributes = [
            attribute(Attribute::ClientId, &principal.client_id),
            attribute(Attribute::Email, &principal.email),
            attribute(Attribute::Issuer, &principal.issuer),
            attribute(Attribute::Subject, &principal.subject),
            attribute(Attribute::Tenant, &principal.tenant),
        ];
        let tags = principal.claims.iter().flat_map(|(name, values)| {
            let tag = |value: &String| Ask::Tag(name.clone(), value.clone());
            values.iter().map(tag)
        });
        let mut keys: Vec<Key> = pins(caller)
            .map(Ask::Pin)
            .chain(principal.scopes.iter().cloned().map(Ask::Scope))
            .chain(attributes)
            .chain(tags)
            .filter_map(|ask| self.asks.get(&ask).copied())
            .collect();
        keys.sort_unstable();
        keys
    }

    /// The resource constraints that a target meets.
    pub(super) fn target_keys(&self, target: Subject<'_>) -> Vec<Key> {
        pins(target)
            .filter_map(|pin| self.pins.get(&pin).copied())
            .collect()
    }

    /// The policies that can matter, sorted, each once.
    pub(super) fn candidates(
        &self,
        action: Action,
        target: &[Key],
        caller: &[Key],
    ) -> Box<[Number]> {
        let mut found = self.filed(action, target, caller);
        found.retain(|number| self.is_met(*number, caller));
        found.sort_unstable();
        found.dedup();
        found.into()
    }

    /// What stands where this caller and this target look.
    fn filed(&self, action: Action, target: &[Key], caller: &[Key]) -> Vec<Number> {
        let mut found = Vec::new();
        for key in target {
            let Some(by_ask) = self.shelves.get(&(action, *key)) else {
                continue;
            };
            // A caller may be in hundreds of groups, and a shelf may hold thousands of asks.
            if by_ask.len() < caller.len() {
                let met = by_ask
                    .iter()
                    .filter(|(ask, _)| caller.binary_search(ask).is_ok());
                found.extend(met.flat_map(|(_, numbers)| numbers));
            } else {
                let met = caller.iter().filter_map(|ask| by_ask.get(ask));
                found.extend(met.flatten());
            }
        }
        found
    }

    /// Whether the caller has what the policy asks for, beside what it is filed under.
    fn is_met(&self, number: Number, caller: &[Key]) -> bool {
        let demands = usize::try_from(number)
            .ok()
            .and_then(|number| self.demands.get(number));
        let has = |key: &Key| caller.binary_search(key).is_ok();
        demands.is_some_and(|all| all.iter().all(|keys| keys.iter().any(has)))
    }

    /// The policies that could matter for some caller, sorted, each once.
    pub(super) fn related(&self, action: Action, target: &[Key]) -> Vec<Number> {
        let all: BTreeSet<Number> = target
            .iter()
            .filter_map(|key| self.shelves.get(&(action, *key)))
            .flat_map(|shelf| shelf.values().flatten().copied())
            .collect();
        all.into_iter().collect()
    }
}

/// Every constraint that the entity meets.
fn pins(subject: Subject<'_>) -> impl Iterator<Item = Pin> {
    let Subject { uid, above } = subject;
    let kind = uid.type_name();
    [Pin::Any, Pin::Is(kind.clone()), Pin::Equals(uid.clone())]
        .into_iter()
        .chain(std::iter::once(uid).chain(above).flat_map(move |entity| {
            [
                Pin::In(entity.clone()),
                Pin::IsIn(kind.clone(), entity.clone()),
            ]
        }))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::call;
    use super::super::fixtures::snapshot;
    use super::super::fixtures::user;
    use super::super::fixtures::verified;

    const MANY: usize = 40;

    /// How many of the policies are looked at, and how many can matter, for a caller with role `r7`,
    /// role `staff`, scope `s7`, client `c7`, tenant `t7` and department `d7`. `#` stands for the
    /// number of a policy.
    fn cost(policy: &str) -> [usize; 2] {
        let number = |n: usize| policy.replace('#', &n.to_string());
        let text: Vec<String> = (0..MANY)
            .map(|n| format!("@id(\"p{n}\") {};", number(n)))
            .collect();
        let snapshot = snapshot(&text.join("\n"), &["s"]);
        let mut who = user("r7,staff", "s7,base");
        who.client_id = "c7".to_owned();
        who.tenant = "t7".to_owned();
        let department = ("department".to_owned(), ["d7".to_owned()].into());
        who.claims = [department].into();
        let facts = snapshot.facts(&verified(who));
        let engine = &snapshot.engine;
        let call = call("s/x");
        let located = engine.locate(&call.target).unwrap();
        let target = engine.index.target_keys(located.subject());
        let keys = &facts.get().keys;
        [
            engine.index.filed(call.action, &target, keys).len(),
            engine.index.candidates(call.action, &target, keys).len(),
        ]
    }

    #[test]
    fn only_what_can_matter_is_looked_at() {
        let here = "action == Mcp::Action::\"tools/call\", resource in Mcp::Server::\"s\"";
        let staff = "principal in Mcp::Role::\"staff\"";
        for (scope, condition, expected) in [
            ("principal in Mcp::Role::\"r#\"", "true", [1, 1]),
            ("principal", "principal.scopes.contains(\"s#\")", [1, 1]),
            (
                "principal",
                "principal.scopes.containsAll([\"base\", \"s#\"])",
                [1, 1],
            ),
            (staff, "[\"c#\"].contains(principal.clientId)", [1, 1]),
            (
                staff,
                "resource.known && principal.tenant == \"t#\"",
                [1, 1],
            ),
            (
                staff,
                "principal.hasTag(\"department\") && principal.getTag(\"department\").contains(\"d#\")",
                [1, 1],
            ),
            (
                "principal",
                "principal in Mcp::Role::\"r#\" || principal.scopes.contains(\"s#\")",
                [2, 1],
            ),
            (
                "principal in Mcp::Role::\"r#\"",
                "principal.scopes.contains(\"no\")",
                [1, 0],
            ),
            (staff, "resource.name == \"x#\"", [MANY, MANY]),
        ] {
            let permit = format!("permit ({scope}, {here}) when {{ {condition} }}");
            assert_eq!(cost(&permit), expected, "{permit}");
        }
    }

    #[test]
    fn forbids_are_left_out_by_their_scope_alone() {
        for (scope, expected) in [
            ("principal, action, resource", MANY),
            ("principal in Mcp::Role::\"r#\", action, resource", 1),
            ("principal, action, resource == Mcp::Tool::\"s/t#\"", 0),
            ("principal, action == Mcp::Action::\"GET\", resource", 0),
        ] {
            let forbid = format!("forbid ({scope}) when {{ principal.scopes.contains(\"s#\") }}");
            assert_eq!(cost(&forbid), [expected; 2], "{scope}");
        }
    }
}
