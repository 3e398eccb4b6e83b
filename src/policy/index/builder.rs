//! From policies to their index.

use std::collections::BTreeSet;
use std::collections::HashMap;

use cedar_policy::ActionConstraint;
use cedar_policy::Effect;
use cedar_policy::Policy;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;

use super::Ask;
use super::Demands;
use super::Index;
use super::Key;
use super::Pin;
use super::Shelf;
use crate::policy::guard::Clause;
use crate::policy::guard::Mark;
use crate::policy::vocabulary::Vocabulary;
use crate::request::Action;

/// An index that is being made.
#[derive(Debug, Default)]
pub(in crate::policy) struct Builder {
    asks: HashMap<Ask, Key>,
    pins: HashMap<Pin, Key>,
    entries: Vec<Entry>,
}

/// A policy before it has a place.
#[derive(Debug)]
struct Entry {
    actions: Vec<Action>,
    resource: Key,
    demands: Demands,
}

impl Builder {
    /// Adds the policy of the next number; `clauses` as [`guard`](crate::policy::guard) found them.
    pub(in crate::policy) fn add(
        &mut self,
        policy: &Policy,
        clauses: Vec<Clause>,
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
    pub(in crate::policy) fn build(self) -> Index {
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

/// The number of `item`, a new one if it has none.
fn intern<T: std::hash::Hash + Eq>(known: &mut HashMap<T, Key>, item: T) -> Key {
    // Each policy adds at most a few hundred, and there are at most ten thousand policies.
    let next = Key::try_from(known.len()).unwrap_or(Key::MAX);
    *known.entry(item).or_insert(next)
}
