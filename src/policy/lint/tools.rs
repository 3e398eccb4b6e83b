//! The tools of the catalogue by everything that a policy can tell them apart by.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use cedar_policy::EntityUid;
use cedar_policy::pst::ActionConstraint;

use super::about::About;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::policy::catalogue::Catalogue;
use crate::policy::catalogue::Tool;
use crate::policy::guard;
use crate::policy::hierarchy::Hierarchy;
use crate::policy::vocabulary;
use crate::policy::vocabulary::Vocabulary;
use crate::request::Action;

/// The listed tools, numbered.
pub(super) struct Tools<'a> {
    vocabulary: &'a Vocabulary,
    listed: Vec<Listed<'a>>,
    by_name: HashMap<&'a str, BTreeSet<usize>>,
    /// By the entity itself and by everything that it is in.
    equal: HashMap<EntityUid, usize>,
    within: HashMap<EntityUid, BTreeSet<usize>>,
    /// Servers, and groups of them, of whose tools some are not listed.
    incomplete: HashSet<EntityUid>,
    /// Servers of which some tools are listed: these are taken to be all.
    complete: HashSet<EntityUid>,
    /// Whether some server has tools of which none is listed.
    some_unlisted: bool,
}

/// A tool of the catalogue.
pub(super) struct Listed<'a> {
    pub(super) server: &'a str,
    pub(super) name: &'a str,
    pub(super) tool: &'a Tool,
}

impl Listed<'_> {
    /// The id of the Cedar entity.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }
}

impl<'a> Tools<'a> {
    pub(super) fn new(
        catalogue: &'a Catalogue,
        resources: &[Arc<Resource>],
        hierarchy: &Hierarchy,
        vocabulary: &'a Vocabulary,
    ) -> Self {
        let mut tools = Self {
            vocabulary,
            listed: Vec::new(),
            by_name: HashMap::new(),
            equal: HashMap::new(),
            within: HashMap::new(),
            incomplete: HashSet::new(),
            complete: HashSet::new(),
            some_unlisted: resources.is_empty(),
        };
        let mut groups_of = HashMap::new();
        for resource in resources {
            let groups = hierarchy.closure(&vocabulary.server_group, &resource.groups);
            let is_mcp = matches!(resource.kind, ResourceKind::Mcp(_));
            if is_mcp && !catalogue.lists(&resource.name) {
                tools.some_unlisted = true;
                tools.incomplete.extend(groups.iter().cloned());
            }
            groups_of.insert(&*resource.name, groups);
        }
        for (server, name, tool) in catalogue.tools() {
            let number = tools.listed.len();
            let uid = vocabulary::uid(&vocabulary.tool, &format!("{server}/{name}"));
            let server_uid = vocabulary::uid(&vocabulary.server, server);
            let above = hierarchy.closure(&vocabulary.tool_group, &tool.groups);
            let of_server = groups_of.get(server).into_iter().flatten().cloned();
            let above = above.into_iter().chain(of_server);
            for group in above.chain([uid.clone(), server_uid.clone()]) {
                tools.within.entry(group).or_default().insert(number);
            }
            tools.by_name.entry(name).or_default().insert(number);
            tools.equal.insert(uid, number);
            tools.complete.insert(server_uid);
            tools.listed.push(Listed { server, name, tool });
        }
        tools
    }

    pub(super) fn get(&self, number: usize) -> Option<&Listed<'a>> {
        self.listed.get(number)
    }

    /// Whether some tool is in the group.
    pub(super) fn any_within(&self, group: &EntityUid) -> bool {
        self.within.contains_key(group)
    }

    /// What the actions of a policy's scope can be about.
    pub(super) fn actions(&self, constraint: &ActionConstraint) -> About {
        match constraint {
            ActionConstraint::Any => self.about_actions(&Action::ALL),
            ActionConstraint::Eq(uid) => {
                let uid: Vec<_> = guard::uid(uid).into_iter().collect();
                self.action_in(&uid)
            }
            ActionConstraint::In(uids) => {
                let uids: Vec<_> = uids.iter().filter_map(guard::uid).collect();
                self.action_in(&uids)
            }
        }
    }

    /// The action is one of these, or in one of them.
    pub(super) fn action_in(&self, uids: &[EntityUid]) -> About {
        let actions = uids.iter().flat_map(|uid| self.vocabulary.actions_in(uid));
        self.about_actions(&actions.collect::<Vec<_>>())
    }

    fn about_actions(&self, actions: &[Action]) -> About {
        // No other operation brings arguments.
        let mut about = About {
            prompt: actions.contains(&Action::PromptsGet),
            ..About::default()
        };
        if actions.contains(&Action::ToolsCall) {
            about.listed = (0..self.listed.len()).collect();
            about.unlisted = self.some_unlisted;
        }
        about
    }

    /// The resource is one of these.
    pub(super) fn equal(&self, uids: &[EntityUid]) -> About {
        let mut about = About::default();
        for uid in uids {
            match self.equal.get(uid) {
                Some(number) => drop(about.listed.insert(*number)),
                None if *uid.type_name() == self.vocabulary.tool => about.unlisted = true,
                None => about.prompt |= *uid.type_name() == self.vocabulary.prompt,
            }
        }
        about
    }

    /// The resource is one of these, or in one of them.
    pub(super) fn within(&self, uids: &[EntityUid]) -> About {
        let mut about = self.equal(uids);
        for uid in uids {
            about
                .listed
                .extend(self.within.get(uid).into_iter().flatten());
            let kind = uid.type_name();
            if *kind == self.vocabulary.server {
                about.unlisted |= !self.complete.contains(uid);
                about.prompt = true;
            } else if *kind == self.vocabulary.server_group {
                about.unlisted |= self.incomplete.contains(uid);
                about.prompt = true;
            }
        }
        about
    }

    /// The resource is of this type.
    pub(super) fn of_kind(&self, kind: &str) -> About {
        let is = |name: &cedar_policy::EntityTypeName| name.to_string() == kind;
        let is_tool = is(&self.vocabulary.tool);
        About {
            listed: (0..self.listed.len()).filter(|_| is_tool).collect(),
            unlisted: is_tool,
            prompt: is(&self.vocabulary.prompt),
        }
    }

    /// The resource has one of these names.
    pub(super) fn named(&self, names: &[String]) -> About {
        let listed = names
            .iter()
            .filter_map(|name| self.by_name.get(&**name))
            .flatten()
            .copied();
        About {
            listed: listed.collect(),
            unlisted: true,
            prompt: true,
        }
    }

    /// The resource is in the catalogue.
    pub(super) fn known(&self) -> About {
        About {
            listed: (0..self.listed.len()).collect(),
            unlisted: false,
            prompt: true,
        }
    }
}
