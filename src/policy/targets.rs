//! What a request is about, as Cedar entities.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::Entity;
use cedar_policy::EntityUid;
use cedar_policy::RestrictedExpression;

use super::catalogue::Catalogue;
use super::catalogue::Hints;
use super::context::Unusable;
use super::facts::text;
use super::facts::texts;
use super::hierarchy::Hierarchy;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::config::Resource;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::Thing;

/// The configured resources and the catalogue of their tools.
#[derive(Debug)]
pub(super) struct Targets {
    servers: HashMap<Arc<str>, Server>,
    catalogue: Catalogue,
}

/// A configured resource.
#[derive(Debug)]
pub(super) struct Server {
    uid: EntityUid,
    pub(super) entity: Entity,
    groups: BTreeSet<EntityUid>,
    tenant: String,
    labels: Vec<String>,
    /// Scopes that imply others, broad to narrow.
    scope_hierarchy: Vec<(String, Vec<String>)>,
}

/// A target's id, and everything that it is in.
#[derive(Debug)]
pub(super) struct Located<'a> {
    pub(super) server: &'a Server,
    pub(super) uid: EntityUid,
    pub(super) above: BTreeSet<EntityUid>,
}

impl Server {
    /// These scopes and every one that they imply here.
    pub(super) fn implied_scopes(&self, scopes: &BTreeSet<String>) -> BTreeSet<String> {
        let mut all = scopes.clone();
        let mut before = 0;
        // Each round adds a scope of the configuration or is the last.
        while before != all.len() {
            before = all.len();
            for (broad, narrow) in &self.scope_hierarchy {
                if all.contains(broad) {
                    all.extend(narrow.iter().cloned());
                }
            }
        }
        all
    }
}

impl Targets {
    /// Builds the entity of each resource.
    pub(super) fn new(
        resources: &[Arc<Resource>],
        catalogue: Catalogue,
        vocabulary: &Vocabulary,
        hierarchy: &Hierarchy,
    ) -> Result<Self, String> {
        let mut servers = HashMap::new();
        for resource in resources {
            let uid = vocabulary::uid(&vocabulary.server, &resource.name);
            let groups = hierarchy.closure(&vocabulary.server_group, &resource.groups);
            let attributes = [
                ("tenant".to_owned(), text(&resource.tenant)),
                ("labels".to_owned(), texts(&resource.labels)),
            ];
            let entity = Entity::new_with_tags(uid.clone(), attributes, groups.clone(), [])
                .map_err(|error| format!("resource `{}`: {error}", resource.name))?;
            servers.insert(
                Arc::clone(&resource.name),
                Server {
                    uid,
                    entity,
                    groups,
                    tenant: resource.tenant.clone(),
                    labels: resource.labels.clone(),
                    scope_hierarchy: resource.scope_hierarchy.clone(),
                },
            );
        }
        Ok(Self { servers, catalogue })
    }

    /// Every tool that is listed, sorted by server and name.
    pub(super) fn tools(&self) -> impl Iterator<Item = (&str, &str)> {
        let tools = self.catalogue.tools().into_iter();
        tools.map(|(server, name, _)| (server, name))
    }

    /// Whether the tool is listed.
    pub(super) fn lists(&self, server: &str, tool: &str) -> bool {
        self.catalogue.tool(server, tool).is_some()
    }

    /// Where the target stands.
    pub(super) fn locate(
        &self,
        target: &Target,
        vocabulary: &Vocabulary,
        hierarchy: &Hierarchy,
    ) -> Result<Located<'_>, Unusable> {
        let server = self
            .servers
            .get(&target.server)
            .ok_or_else(|| Unusable::UnknownServer(target.server.to_string()))?;
        let mut above = server.groups.clone();
        match &target.thing {
            Thing::Server => {}
            Thing::Tool(name) => {
                above.insert(server.uid.clone());
                if let Some(tool) = self.catalogue.tool(&target.server, name) {
                    above.extend(hierarchy.closure(&vocabulary.tool_group, &tool.groups));
                }
            }
            Thing::Resource(_) | Thing::Prompt(_) | Thing::Task(_) | Thing::Route(_) => {
                above.insert(server.uid.clone());
            }
        }
        Ok(Located {
            server,
            uid: vocabulary.target(target),
            above,
        })
    }

    /// The entity of the target; absent where that is the server itself.
    pub(super) fn entity(
        &self,
        target: &Target,
        located: &Located<'_>,
        context: &RequestContext,
    ) -> Result<Option<Entity>, Unusable> {
        let mut attributes = match &target.thing {
            Thing::Server => return Ok(None),
            Thing::Tool(name) => self.tool(&target.server, name, located.server),
            Thing::Resource(uri) => plain(
                located.server,
                [("uri", text(uri)), ("scheme", text(&scheme(uri)))],
            ),
            Thing::Prompt(name) => plain(located.server, [("name", text(name))]),
            Thing::Task(id) => plain(located.server, [("taskId", text(id))]),
            Thing::Route(_) => plain(
                located.server,
                [("host", text(&context.host)), ("path", text(&context.path))],
            ),
        };
        let reference = RestrictedExpression::new_entity_uid(located.server.uid.clone());
        attributes.push(("server", reference));
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let entity = Entity::new_with_tags(
            located.uid.clone(),
            attributes,
            located.above.iter().cloned(),
            [],
        )
        .map_err(|error| Unusable::Value(error.to_string()))?;
        Ok(Some(entity))
    }

    fn tool(&self, server_name: &str, name: &str, server: &Server) -> Attributes {
        let known = self.catalogue.tool(server_name, name);
        let hints = known.map_or(Hints::UNKNOWN, |tool| tool.hints);
        let tenant = known.and_then(|tool| tool.tenant.as_ref());
        let labels: &[String] = known.map_or(&[], |tool| &tool.labels);
        let flag = RestrictedExpression::new_bool;
        vec![
            ("name", text(name)),
            ("tenant", text(tenant.unwrap_or(&server.tenant))),
            ("known", flag(known.is_some())),
            ("readOnlyHint", flag(hints.read_only)),
            ("destructiveHint", flag(hints.destructive)),
            ("idempotentHint", flag(hints.idempotent)),
            ("openWorldHint", flag(hints.open_world)),
            ("labels", texts(labels)),
        ]
    }
}

type Attributes = Vec<(&'static str, RestrictedExpression)>;

fn plain<const N: usize>(
    server: &Server,
    own: [(&'static str, RestrictedExpression); N],
) -> Attributes {
    let mut attributes = Vec::from(own);
    attributes.push(("tenant", text(&server.tenant)));
    attributes.push(("labels", texts(&server.labels)));
    attributes
}

/// The scheme of a URI, lower case because schemes have no case (RFC 3986, section 3.1): a policy
/// about `file` must not be missed by `FILE`. Empty when there is none.
fn scheme(uri: &str) -> String {
    let Some((scheme, _)) = uri.split_once(':') else {
        return String::new();
    };
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(part) {
        scheme.to_ascii_lowercase()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_have_no_case() {
        for (uri, expected) in [
            ("file:///a", "file"),
            ("FILE:///a", "file"),
            ("a+b.c-1:x", "a+b.c-1"),
            ("1a:x", ""),
            ("//a", ""),
            (":a", ""),
            ("a b:c", ""),
            ("", ""),
        ] {
            assert_eq!(scheme(uri), expected, "{uri}");
        }
    }
}
