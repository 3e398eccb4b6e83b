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

use std::collections::BTreeSet;
use std::collections::HashMap;

use cedar_policy::ActionConstraint;
use cedar_policy::Effect;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::Policy;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;

use super::guard::Attribute;
use super::guard::Clause;
use super::guard::Mark;
use super::vocabulary::Vocabulary;
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

/// An index that is being made.
#[derive(Debug, Default)]
pub(super) struct Builder {
    asks: HashMap<Ask, Key>,
    pins: HashMap<Pin, Key>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    actions: Vec<Action>,
    resource: Key,
    demands: Demands,
}

impl Builder {
    /// Adds the policy of the next number; `clauses` as [`guard`](super::guard) found them.
    pub(super) fn add(&mut self, policy: &Policy, clauses: Vec<Clause>, vocabulary: &Vocabulary) {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any => Pin::Any,
            PrincipalConstraint::Is(kind) => Pin::Is(kind),
            PrincipalConstraint::Eq(uid) => Pin::Equals(uid),
            PrincipalConstraint::In(uid) => Pin::In(uid),
            PrincipalConstraint::IsIn(kind, uid) => Pin::IsIn(kind, uid),
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any => Pin::Any,
            ResourceConstraint::Is(kind) => Pin::Is(kind),
            ResourceConstraint::Eq(uid) => Pin::Equals(uid),
            ResourceConstraint::In(uid) => Pin::In(uid),
            ResourceConstraint::IsIn(kind, uid) => Pin::IsIn(kind, uid),
        };
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => Action::ALL.to_vec(),
            ActionConstraint::Eq(uid) => vocabulary.action_named(&uid).into_iter().collect(),
            ActionConstraint::In(groups) => {
                let all: BTreeSet<_> = groups
                    .iter()
                    .flat_map(|group| vocabulary.actions_in(group))
                    .collect();
                all.into_iter().collect()
            }
        };
        let clauses = match policy.effect() {
            Effect::Permit => clauses,
            Effect::Forbid => Vec::new(),
        };
        let scope = vec![Ask::Pin(principal)];
        let marks = clauses
            .into_iter()
            .map(|clause| clause.into_iter().map(Ask::from).collect());
        let demands = std::iter::once(scope)
            .chain(marks)
            .map(|asks| self.keys(asks))
            .collect();
        let resource = intern(&mut self.pins, resource);
        self.entries.push(Entry {
            actions,
            resource,
            demands,
        });
    }

    /// The index over what was added.
    pub(super) fn build(self) -> Index {
        let shared = self.shared();
        let crowd = |keys: &[Key]| -> usize {
            let counts = keys.iter().filter_map(|key| shared.get(key));
            counts.fold(0, |sum, count| sum.saturating_add(*count))
        };
        let mut shelves: HashMap<(Action, Key), Shelf> = HashMap::new();
        let mut demands = Vec::with_capacity(self.entries.len());
        for (number, entry) in (0..).zip(self.entries) {
            let rarest = entry.demands.iter().min_by_key(|keys| crowd(keys));
            for action in entry.actions {
                let by_ask = shelves.entry((action, entry.resource)).or_default();
                for key in rarest.into_iter().flatten() {
                    by_ask.entry(*key).or_default().push(number);
                }
            }
            demands.push(entry.demands);
        }
        Index {
            asks: self.asks,
            pins: self.pins,
            shelves,
            demands,
        }
    }

    /// How many policies ask for each thing.
    fn shared(&self) -> HashMap<Key, usize> {
        let mut shared = HashMap::new();
        for entry in &self.entries {
            let asked: BTreeSet<&Key> = entry.demands.iter().flatten().collect();
            for key in asked {
                let count: &mut usize = shared.entry(*key).or_default();
                *count = count.saturating_add(1);
            }
        }
        shared
    }

    fn keys(&mut self, asks: Vec<Ask>) -> Box<[Key]> {
        let keys: BTreeSet<Key> = asks
            .into_iter()
            .map(|ask| intern(&mut self.asks, ask))
            .collect();
        keys.into_iter().collect()
    }
}

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

impl From<Mark> for Ask {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Member(uid) => Self::Pin(Pin::In(uid)),
            Mark::Scope(scope) => Self::Scope(scope),
            Mark::Attribute(name, value) => Self::Attribute(name, value),
            Mark::Tag(name, value) => Self::Tag(name, value),
        }
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

/// The number of `item`, a new one if it has none.
fn intern<T: std::hash::Hash + Eq>(known: &mut HashMap<T, Key>, item: T) -> Key {
    // Each policy adds at most a few hundred, and there are at most ten thousand policies.
    let next = Key::try_from(known.len()).unwrap_or(Key::MAX);
    *known.entry(item).or_insert(next)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::call;
    use super::super::fixtures::snapshot;
    use super::super::fixtures::user;
    use super::super::fixtures::verified;

    const MANY: usize = 40;

    /// How many of the policies are looked at, and how many can matter, for a caller with role `r7`,
    /// role `staff`, scope `s7`, client `c7`, tenant `t7` and department `d7`.
    fn cost(policy: &dyn Fn(usize) -> String) -> [usize; 2] {
        let text: Vec<String> = (0..MANY)
            .map(|n| format!("@id(\"p{n}\") {};", policy(n)))
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
        let call = "action == Mcp::Action::\"tools/call\"";
        let here = format!("{call}, resource in Mcp::Server::\"s\"");
        let staff = format!("principal in Mcp::Role::\"staff\", {here}");
        let shapes: [(&str, &dyn Fn(usize) -> String, [usize; 2]); 10] = [
            (
                "roles on one server",
                &|n| format!("permit (principal in Mcp::Role::\"r{n}\", {here})"),
                [1, 1],
            ),
            (
                "scopes on one server",
                &|n| {
                    format!(
                        "permit (principal, {here}) when {{ principal.scopes.contains(\"s{n}\") }}"
                    )
                },
                [1, 1],
            ),
            (
                "scopes beside one that all have",
                &|n| {
                    format!(
                        "permit (principal, {here}) when {{ principal.scopes.containsAll([\"base\", \"s{n}\"]) }}"
                    )
                },
                [1, 1],
            ),
            (
                "clients of one role",
                &|n| format!("permit ({staff}) when {{ [\"c{n}\"].contains(principal.clientId) }}"),
                [1, 1],
            ),
            (
                "tenants anywhere",
                &|n| {
                    format!(
                        "permit (principal, action, resource) when {{ principal.tenant == \"t{n}\" && resource.tenant == \"t{n}\" }}"
                    )
                },
                [1, 1],
            ),
            (
                "a claim of one role",
                &|n| {
                    format!(
                        "permit ({staff}) when {{ principal.hasTag(\"department\") && principal.getTag(\"department\").contains(\"d{n}\") }}"
                    )
                },
                [1, 1],
            ),
            (
                "roles or scopes",
                &|n| {
                    format!(
                        "permit (principal, {here}) when {{ principal in Mcp::Role::\"r{n}\" || principal.scopes.contains(\"s{n}\") }}"
                    )
                },
                [2, 1],
            ),
            (
                "tools",
                &|n| format!("permit (principal, {call}, resource == Mcp::Tool::\"s/t{n}\")"),
                [0, 0],
            ),
            (
                "forbids by role",
                &|n| format!("forbid (principal in Mcp::Role::\"r{n}\", action, resource)"),
                [1, 1],
            ),
            (
                "forbids by scope, any of which may fail",
                &|n| {
                    format!(
                        "forbid (principal, action, resource) when {{ principal.scopes.contains(\"s{n}\") }}"
                    )
                },
                [MANY, MANY],
            ),
        ];
        for (name, policy, expected) in shapes {
            assert_eq!(cost(policy), expected, "{name}");
        }
    }

    #[test]
    fn what_a_caller_lacks_in_any_demand_leaves_a_permit_out() {
        let scope = "action == Mcp::Action::\"tools/call\", resource";
        let both = |n: usize| {
            format!(
                "permit (principal in Mcp::Role::\"r{n}\", {scope}) when {{ principal.tenant == \"t7\" && \
                 principal.scopes.contains(\"no\") }}"
            )
        };
        let [_, candidates] = cost(&both);
        assert_eq!(candidates, 0);
        let forbid = |n: usize| both(n).replacen("permit", "forbid", 1);
        assert_eq!(cost(&forbid), [1, 1]);
    }
}
