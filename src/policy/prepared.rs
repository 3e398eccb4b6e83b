//! What is worked out once for a caller, an action and a target, and the answer where that is all it
//! takes.

use std::sync::Arc;
use std::sync::OnceLock;

use cedar_policy::Entities;
use cedar_policy::EntityUid;
use cedar_policy::PolicySet;

use super::evaluation::Evaluation;
use super::index::Number;
use super::reads::Reads;
use crate::request::Thing;

/// Longest name of a target, in bytes, that is worth remembering. Callers choose these names, so
/// without a bound on each the bound on their number would bound nothing.
const MAX_REMEMBERED_NAME: usize = 256;

/// The policies that can matter for one kind of request.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) members: Box<[Number]>,
    pub(super) set: PolicySet,
    pub(super) reads: Reads,
}

/// Everything about a request that does not depend on its context.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) principal: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) entities: Entities,
    pub(super) slice: Arc<Slice>,
    /// Whether this will be found again.
    pub(super) kept: bool,
    /// The answer, once given, where none of the policies reads anything that is not in here: then
    /// it is the answer to every such request, for as long as these policies are in force.
    pub(super) decided: OnceLock<Evaluation>,
}

impl Slice {
    /// What it takes of the memory for slices.
    pub(super) fn weight(&self) -> u32 {
        let names = self.reads.arguments.count();
        let weight = self.members.len().saturating_add(names);
        u32::try_from(weight).unwrap_or(u32::MAX).max(1)
    }

    /// Whether the policies say the same to every request of one caller for one such target.
    pub(super) fn is_settled(&self, thing: &Thing) -> bool {
        self.reads == Reads::NONE && (self.members.is_empty() || !per_request(thing))
    }
}

/// Whether the name is short enough to be remembered.
pub(super) fn is_memorable(thing: &Thing) -> bool {
    name_length(thing) <= MAX_REMEMBERED_NAME
}

/// Whether the entity says something that is different in every request: a route holds the path.
pub(super) fn per_request(thing: &Thing) -> bool {
    matches!(thing, Thing::Route(_))
}

fn name_length(thing: &Thing) -> usize {
    match thing {
        Thing::Server => 0,
        Thing::Tool(name) | Thing::Resource(name) | Thing::Prompt(name) | Thing::Task(name) => {
            name.len()
        }
        Thing::Route(name) => name.len(),
    }
}
