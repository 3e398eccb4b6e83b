//! What is probably not meant: names that stand for nothing, arguments that no call can bring, permits
//! for everyone, forbids that are easily got around.
//!
//! Cedar's validator knows the schema. What there is in this place (which resources, tools, roles,
//! scopes and callers) is known here, and a policy about something else is about nothing.

mod about;
mod accessor;
mod allow;
mod annotations;
mod arguments;
mod claims;
mod domain;
mod evasion;
mod everyone;
mod files;
mod impossible;
mod known;
mod listing;
mod names;
mod operators;
mod stranger;
#[cfg(test)]
mod tests;
mod tokens;
mod tools;
mod tree;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::EntityUid;

pub(super) use self::allow::settle;
pub(super) use self::known::KnownNames;
use self::stranger::Stranger;
use self::tools::Tools;
use self::world::World;
use super::catalogue::Catalogue;
use super::files::ENTITIES_FILE;
use super::files::PRINCIPALS_FILE;
use super::files::Sorted;
use super::files::TOOLS_FILE;
use super::hierarchy::Hierarchy;
use super::load::Tree;
use super::principals::Mentions;
use super::vocabulary::Vocabulary;
use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Severity;

/// A policy directory that has been read, and what it is for.
pub(super) struct Directory<'a> {
    pub(super) files: &'a Sorted<'a>,
    pub(super) policies: &'a [Tree<'a>],
    /// Whether these are all of them: what none of them names may else be named by another.
    pub(super) policies_are_whole: bool,
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) catalogue: &'a Catalogue,
    pub(super) mentions: &'a Mentions,
    pub(super) resources: &'a [Arc<Resource>],
    pub(super) vocabulary: &'a Vocabulary,
    /// Absent where the configuration is not known: nothing is then said of what it would know.
    pub(super) known: Option<KnownNames>,
}

/// Reports what is found, each finding with its name. What can never be meant is an error, all else a
/// warning, until [`settle`] has seen what is allowed.
pub(super) fn lint(directory: &Directory<'_>, faults: &mut Vec<Fault>) {
    // Of a file that could only be read in part there is no saying what it lacks.
    let misread = |fault: &Fault| {
        let read = [ENTITIES_FILE, TOOLS_FILE, PRINCIPALS_FILE];
        fault.severity == Severity::Error && read.contains(&&*fault.file)
    };
    if faults.iter().any(misread) {
        return;
    }
    let mut world = directory.world();
    let mut named = BTreeSet::new();
    let stranger = Stranger::new(directory.vocabulary);
    let of_strangers = (directory.vocabulary, &stranger);
    for (loaded, tree) in directory.policies {
        let before = faults.len();
        annotations::lint(loaded, faults);
        everyone::lint(loaded, tree.body(), of_strangers, faults);
        impossible::lint(loaded, tree.body(), &stranger, faults);
        evasion::lint(loaded, tree.body(), faults);
        operators::lint(loaded, tree.body(), faults);
        arguments::lint(loaded, tree.body(), &world.tools, faults);
        if let Some(own) = faults.get_mut(before..) {
            own.sort_by_key(|fault| fault.position);
        }
        named.extend(names::of_policy(tree.body()));
    }
    if directory.policies_are_whole {
        if let Some(source) = directory.files.entities {
            files::entities(source, directory.hierarchy, &named, &world, faults);
        }
        if let Some(source) = directory.files.principals {
            files::principals(source, directory.mentions, &named, &world, faults);
        }
    }
    if let Some(known) = &mut world.known {
        known.roles.grant(directory.mentions.roles.keys());
        known.groups.grant(directory.mentions.groups.keys());
    }
    for (loaded, tree) in directory.policies {
        names::lint(loaded, &names::of_policy(tree.body()), &world, faults);
    }
}

impl<'a> Directory<'a> {
    fn world(&self) -> World<'a> {
        let Self {
            hierarchy,
            vocabulary,
            catalogue,
            ..
        } = *self;
        let mut known = self.known.clone();
        if let Some(known) = &mut known {
            let entities = hierarchy.written().iter();
            for uid in entities.flat_map(|one| one.parents.iter().chain([&one.uid])) {
                let id = uid.id().unescaped().to_owned();
                if *uid.type_name() == vocabulary.role {
                    known.roles.list([&id]);
                } else if *uid.type_name() == vocabulary.group {
                    known.groups.list([&id]);
                }
            }
        }
        let groups = self
            .resources
            .iter()
            .flat_map(|resource| hierarchy.closure(&vocabulary.server_group, &resource.groups));
        let id = |uid: EntityUid| uid.id().unescaped().to_owned();
        World {
            vocabulary,
            catalogue,
            tools: Tools::new(catalogue, self.resources, hierarchy, vocabulary),
            resources: World::resources(self.resources),
            server_groups: groups.map(id).collect(),
            known,
        }
    }
}
