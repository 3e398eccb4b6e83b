//! What is probably not meant: names that stand for nothing, and arguments that no call can bring.
//!
//! Cedar's validator knows the schema. What there is in this place (which resources, tools, roles,
//! scopes and callers) is known here, and a policy about something else is about nothing.

mod about;
mod accessor;
mod arguments;
mod files;
mod known;
mod listing;
mod names;
#[cfg(test)]
mod tests;
mod tokens;
mod tools;
mod tree;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::EntityUid;

pub(super) use self::known::KnownNames;
use self::tools::Tools;
use self::world::World;
use super::catalogue::Catalogue;
use super::files::Sorted;
use super::hierarchy::Hierarchy;
use super::load::Loaded;
use super::principals::Mentions;
use super::vocabulary::Vocabulary;
use crate::config::Resource;
use crate::fault::Fault;

/// A policy directory that has been read, and what it is for.
pub(super) struct Directory<'a> {
    pub(super) files: &'a Sorted<'a>,
    pub(super) policies: &'a [Loaded],
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) catalogue: &'a Catalogue,
    pub(super) mentions: &'a Mentions,
    pub(super) resources: &'a [Arc<Resource>],
    pub(super) vocabulary: &'a Vocabulary,
    /// Absent where the configuration is not known: nothing is then said of what it would know.
    pub(super) known: Option<KnownNames>,
}

/// Reports what is found: names as warnings, arguments that cannot be as errors.
pub(super) fn lint(directory: &Directory<'_>, faults: &mut Vec<Fault>) {
    let mut world = directory.world();
    let trees = directory.policies.iter().filter_map(|loaded| {
        // Where there is no tree, that has been reported.
        Some((loaded, loaded.policy.to_pst().ok()?))
    });
    let trees: Vec<_> = trees.collect();
    let mut named = BTreeSet::new();
    for (loaded, tree) in &trees {
        arguments::lint(loaded, tree.body(), &world.tools, faults);
        named.extend(names::of_policy(tree.body()));
    }
    if let Some(source) = directory.files.entities {
        files::entities(source, directory.hierarchy, &named, &world, faults);
    }
    if let Some(source) = directory.files.principals {
        files::principals(source, directory.mentions, &named, &world, faults);
    }
    if let Some(known) = &mut world.known {
        known.roles.grant(directory.mentions.roles.keys());
        known.groups.grant(directory.mentions.groups.keys());
    }
    for (loaded, tree) in &trees {
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
