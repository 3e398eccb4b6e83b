//! What values a JSON Schema lets through: their types, and the members of those that are objects.

use std::collections::BTreeMap;

use super::types::Types;

/// The values that a schema lets through, and perhaps more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) types: Types,
    pub(super) members: BTreeMap<String, Shape>,
    pub(super) more: More,
}

/// Whether an object may have members that are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    /// No.
    Closed,
    /// Some are listed and nothing is said of others: JSON Schema lets them through, but nobody
    /// knows of them.
    Listed,
    /// None is listed, and nothing is said.
    Unsaid,
    /// The schema says so, or in a way that is not understood.
    Open,
}

impl Shape {
    /// Every value.
    pub(super) fn anything() -> Self {
        Self::of(Types::ANY, More::Open)
    }

    /// What an empty schema says, which changes nothing that another says.
    pub(super) fn unsaid() -> Self {
        Self::of(Types::ANY, More::Unsaid)
    }

    pub(super) fn of(types: Types, more: More) -> Self {
        Self {
            types,
            members: BTreeMap::new(),
            more,
        }
    }

    /// What all of `shapes` let through. Two that leave no type in common say nothing.
    pub(super) fn all(shapes: Vec<Self>) -> Self {
        let mut result = Self::unsaid();
        let mut named: BTreeMap<String, Vec<Self>> = BTreeMap::new();
        for shape in shapes {
            result.types = result.types.intersection(shape.types);
            result.more = stricter(result.more, shape.more);
            for (name, member) in shape.members {
                named.entry(name).or_default().push(member);
            }
        }
        if result.types.is_empty() {
            result.types = Types::ANY;
        }
        result.members = named
            .into_iter()
            .map(|(name, shapes)| (name, Self::all(shapes)))
            .collect();
        result
    }

    /// What at least one of `shapes` lets through; of none, nothing is said.
    pub(super) fn any(shapes: Vec<Self>) -> Self {
        if shapes.is_empty() {
            return Self::unsaid();
        }
        let mut types = Types::NONE;
        let mut more = None;
        let mut named: BTreeMap<String, (Vec<Self>, usize)> = BTreeMap::new();
        // Where one alternative says nothing of a member, another one's word for it does not hold.
        let mut vague = 0_usize;
        for shape in shapes {
            types = types.union(shape.types);
            if !shape.types.overlaps(Types::OBJECT) {
                continue;
            }
            more = Some(more.map_or(shape.more, |more| looser(more, shape.more)));
            let is_vague = usize::from(matches!(shape.more, More::Open | More::Unsaid));
            vague = vague.saturating_add(is_vague);
            for (name, member) in shape.members {
                let (shapes, by_vague) = named.entry(name).or_default();
                shapes.push(member);
                *by_vague = by_vague.saturating_add(is_vague);
            }
        }
        let mut result = Self::of(types, more.unwrap_or(More::Unsaid));
        for (name, (mut shapes, by_vague)) in named {
            if by_vague < vague {
                shapes.push(Self::anything());
            }
            result.members.insert(name, Self::any(shapes));
        }
        result
    }
}

/// Whichever lets more members through.
fn looser(left: More, right: More) -> More {
    match (left, right) {
        (More::Open, _) | (_, More::Open) => More::Open,
        (More::Unsaid, _) | (_, More::Unsaid) => More::Unsaid,
        (More::Listed, _) | (_, More::Listed) => More::Listed,
        (More::Closed, More::Closed) => More::Closed,
    }
}

/// Whichever says more.
fn stricter(left: More, right: More) -> More {
    match (left, right) {
        (More::Closed, _) | (_, More::Closed) => More::Closed,
        (More::Open, _) | (_, More::Open) => More::Open,
        (More::Listed, _) | (_, More::Listed) => More::Listed,
        (More::Unsaid, More::Unsaid) => More::Unsaid,
    }
}
