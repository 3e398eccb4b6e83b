//! The names of the Cedar schema, parsed once: entity types, actions and their groups.

use std::collections::HashMap;
use std::collections::HashSet;
use std::str::FromStr;

use cedar_policy::Entity;
use cedar_policy::EntityId;
use cedar_policy::EntityTypeName;
use cedar_policy::EntityUid;
use cedar_policy::Schema;

use super::files::SCHEMA;
use crate::identity::PrincipalKind;
use crate::request::Action;
use crate::request::Target;
use crate::request::Thing;

/// Every name that requests and entities are built from.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) user: EntityTypeName,
    pub(super) client: EntityTypeName,
    pub(super) api_key: EntityTypeName,
    pub(super) anonymous: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) server: EntityTypeName,
    pub(super) server_group: EntityTypeName,
    pub(super) tool: EntityTypeName,
    pub(super) tool_group: EntityTypeName,
    pub(super) resource: EntityTypeName,
    pub(super) prompt: EntityTypeName,
    pub(super) task: EntityTypeName,
    pub(super) route: EntityTypeName,
    pub(super) args: EntityUid,
    actions: HashMap<Action, ActionEntity>,
}

/// An action as Cedar sees it.
#[derive(Debug)]
pub(super) struct ActionEntity {
    pub(super) uid: EntityUid,
    pub(super) entity: Entity,
    groups: HashSet<EntityUid>,
}

/// The built-in schema, parsed.
pub(super) fn schema() -> Result<Schema, String> {
    Schema::from_str(SCHEMA).map_err(|error| format!("the built-in schema is broken: {error}"))
}

impl Vocabulary {
    /// Looks every name up. An error means that program and schema have drifted apart.
    pub(super) fn new(schema: &Schema) -> Result<Self, String> {
        Ok(Self {
            user: type_name("User")?,
            client: type_name("Client")?,
            api_key: type_name("ApiKey")?,
            anonymous: type_name("Anonymous")?,
            role: type_name("Role")?,
            group: type_name("Group")?,
            server: type_name("Server")?,
            server_group: type_name("ServerGroup")?,
            tool: type_name("Tool")?,
            tool_group: type_name("ToolGroup")?,
            resource: type_name("Resource")?,
            prompt: type_name("Prompt")?,
            task: type_name("Task")?,
            route: type_name("Route")?,
            args: uid(&type_name("Args")?, "call"),
            actions: actions(schema)?,
        })
    }

    /// The type of a proved caller.
    pub(super) fn principal(&self, kind: PrincipalKind) -> &EntityTypeName {
        match kind {
            PrincipalKind::User => &self.user,
            PrincipalKind::Client => &self.client,
            PrincipalKind::ApiKey => &self.api_key,
        }
    }

    /// The entity of an action, with every group that it is in as a parent.
    pub(super) fn action(&self, action: Action) -> Option<&ActionEntity> {
        self.actions.get(&action)
    }

    /// The action of exactly this id; a group is none.
    pub(super) fn action_named(&self, uid: &EntityUid) -> Option<Action> {
        let named =
            |(action, entry): (&Action, &ActionEntity)| (entry.uid == *uid).then_some(*action);
        self.actions.iter().find_map(named)
    }

    /// The actions that are `group`, or in it.
    pub(super) fn actions_in(&self, group: &EntityUid) -> Vec<Action> {
        let within = |action: &Action| {
            self.actions
                .get(action)
                .is_some_and(|entry| entry.uid == *group || entry.groups.contains(group))
        };
        Action::ALL.into_iter().filter(within).collect()
    }

    /// The id of a target: `<server>/<name>`, or the server's own.
    pub(super) fn target(&self, target: &Target) -> EntityUid {
        let below = |kind: &EntityTypeName, name: &str| {
            let mut id = String::with_capacity(
                target
                    .server
                    .len()
                    .saturating_add(name.len())
                    .saturating_add(1),
            );
            id.push_str(&target.server);
            id.push('/');
            id.push_str(name);
            uid(kind, &id)
        };
        match &target.thing {
            Thing::Server => uid(&self.server, &target.server),
            Thing::Tool(name) => below(&self.tool, name),
            Thing::Resource(uri) => below(&self.resource, uri),
            Thing::Prompt(name) => below(&self.prompt, name),
            Thing::Task(id) => below(&self.task, id),
            Thing::Route(name) => below(&self.route, name),
        }
    }
}

/// The entity id, whatever characters the name holds.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn type_name(name: &str) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(&format!("Mcp::{name}"))
        .map_err(|error| format!("the built-in schema has no usable type `{name}`: {error}"))
}

fn actions(schema: &Schema) -> Result<HashMap<Action, ActionEntity>, String> {
    let known = schema
        .action_entities()
        .map_err(|error| format!("the built-in schema has no usable actions: {error}"))?;
    let kind = type_name("Action")?;
    Action::ALL
        .into_iter()
        .map(|action| {
            let uid = uid(&kind, action.as_str());
            let groups: HashSet<_> = known
                .ancestors(&uid)
                .ok_or_else(|| format!("the built-in schema has no action `{}`", action.as_str()))?
                .cloned()
                .collect();
            let entity = Entity::new_no_attrs(uid.clone(), groups.clone());
            Ok((
                action,
                ActionEntity {
                    uid,
                    entity,
                    groups,
                },
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_and_schema_name_the_same_actions() {
        let schema = schema().unwrap();
        let vocabulary = Vocabulary::new(&schema).unwrap();
        let groups: HashSet<_> = schema.action_groups().cloned().collect();
        let requestable = schema.actions().filter(|uid| !groups.contains(uid)).count();
        assert_eq!(requestable, Action::ALL.len());
        let group = |name: &str| uid(&type_name("Action").unwrap(), name);
        assert_eq!(
            vocabulary.actions_in(&group("any")).len(),
            Action::ALL.len()
        );
        assert_eq!(vocabulary.actions_in(&group("http")).len(), 7);
        assert_eq!(
            vocabulary.actions_in(&group("tools/call")),
            [Action::ToolsCall]
        );
        assert_eq!(vocabulary.actions_in(&group("no such action")), []);
    }

    #[test]
    fn ids_hold_any_character() {
        let vocabulary = Vocabulary::new(&schema().unwrap()).unwrap();
        let name = "a\"]) || true // \u{0}\u{e9}";
        let target = Target {
            server: "s".into(),
            thing: Thing::Tool(name.to_owned()),
        };
        let uid = vocabulary.target(&target);
        assert_eq!(uid.id().unescaped(), format!("s/{name}"));
        assert_eq!(uid.type_name(), &vocabulary.tool);
    }
}
