//! Which policies can matter for a request, without looking at the others.
//!
//! Cedar evaluates every policy of a set. A scope constraint that is false makes its policy
//! unsatisfied without an error, so leaving such a policy out changes nothing. A permit may also be
//! left out when its conditions need something of the caller that the caller lacks: decision and
//! determining policies stay the same, and at most the report of an error in a permit that could
//! not have held is lost. A forbid is never left out for that, because a forbid that fails denies.

use std::collections::BTreeSet;
use std::collections::HashMap;

use cedar_policy::ActionConstraint;
use cedar_policy::Effect;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::Policy;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;

use super::guard::Need;
use super::vocabulary::Vocabulary;
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

/// What a permit can ask of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Ask {
    Pin(Pin),
    Scope(String),
    Client(String),
}

/// An entity of a request, as far as scope constraints see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) uid: &'a EntityUid,
    pub(super) above: &'a BTreeSet<EntityUid>,
}

/// The index over one set of policies.
#[derive(Debug, Default)]
pub(super) struct Index {
    asks: HashMap<Ask, Key>,
    pins: HashMap<Pin, Key>,
    shelves: HashMap<(Action, Key), Shelf>,
}

/// The policies for one action and one resource constraint, by what they ask of the caller.
type Shelf = HashMap<Key, Vec<Number>>;

impl Index {
    /// Files one policy; `needs` as [`guard`](super::guard) found them.
    pub(super) fn add(
        &mut self,
        number: Number,
        policy: &Policy,
        needs: Option<&[Need]>,
        vocabulary: &Vocabulary,
    ) {
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
        let resource = intern(&mut self.pins, resource);
        let asks: BTreeSet<Key> = asks(policy.effect(), principal, needs)
            .into_iter()
            .map(|ask| intern(&mut self.asks, ask))
            .collect();
        for action in actions {
            let by_ask = self.shelves.entry((action, resource)).or_default();
            for ask in &asks {
                by_ask.entry(*ask).or_default().push(number);
            }
        }
    }

    /// The asks that a caller can meet, sorted.
    pub(super) fn caller_keys<'a>(
        &self,
        caller: Subject<'_>,
        scopes: impl IntoIterator<Item = &'a String>,
        client_id: &str,
    ) -> Vec<Key> {
        let scopes = scopes.into_iter().cloned().map(Ask::Scope);
        let client = std::iter::once(Ask::Client(client_id.to_owned()));
        let mut keys: Vec<Key> = pins(caller)
            .map(Ask::Pin)
            .chain(scopes)
            .chain(client)
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
        found.sort_unstable();
        found.dedup();
        found.into()
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

fn asks(effect: Effect, principal: Pin, needs: Option<&[Need]>) -> Vec<Ask> {
    let open = matches!(principal, Pin::Any | Pin::Is(_));
    match needs {
        Some(needs) if open && effect == Effect::Permit => needs
            .iter()
            .map(|need| match need {
                Need::Member(uid) => Ask::Pin(Pin::In(uid.clone())),
                Need::Scope(scope) => Ask::Scope(scope.clone()),
                Need::Client(client) => Ask::Client(client.clone()),
            })
            .collect(),
        _ => vec![Ask::Pin(principal)],
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
