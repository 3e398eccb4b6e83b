//! Everything that an entity in a policy directory can stand for.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::known::KnownNames;
use super::listing::listing;
use super::tools::Tools;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::config::suggest;
use crate::fault::Lint;
use crate::policy::catalogue::Catalogue;
use crate::policy::plain_yaml::shown;
use crate::policy::vocabulary;
use crate::policy::vocabulary::Vocabulary;

/// What there is.
pub(super) struct World<'a> {
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) catalogue: &'a Catalogue,
    pub(super) tools: Tools<'a>,
    /// By name; none where the configuration is not usable.
    pub(super) resources: BTreeMap<&'a str, &'a Resource>,
    /// Groups that some resource is in, however far up.
    pub(super) server_groups: BTreeSet<String>,
    /// Absent where the configuration is not known.
    pub(super) known: Option<KnownNames>,
}

/// A name that means nothing, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) lint: Lint,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl<'a> World<'a> {
    pub(super) fn resources(resources: &'a [Arc<Resource>]) -> BTreeMap<&'a str, &'a Resource> {
        let named = |resource: &'a Arc<Resource>| (&*resource.name, &**resource);
        resources.iter().map(named).collect()
    }

    /// Why an entity of this type and id stands for nothing; absent where it may stand for
    /// something.
    pub(super) fn unknown(&self, kind: &str, id: &str) -> Option<Unknown> {
        match kind {
            "Mcp::Server" => self.server(id),
            "Mcp::Tool" => self.below(id, "tool", true).or_else(|| self.tool(id)),
            "Mcp::Resource" => self.below(id, "resource", true),
            "Mcp::Prompt" => self.below(id, "prompt", true),
            "Mcp::Task" => self.below(id, "task", true),
            "Mcp::Route" => self.below(id, "route", false).or_else(|| self.route(id)),
            "Mcp::ToolGroup" => self.tool_group(id),
            "Mcp::ServerGroup" => self.server_group(id),
            "Mcp::Role" => self.role(id),
            "Mcp::Group" => self.group(id),
            "Mcp::User" => self.user(id),
            "Mcp::Client" => self.client_entity(id),
            "Mcp::ApiKey" => self.api_key(id),
            "Mcp::Anonymous" if id != "anonymous" => Some(Unknown::new(
                Lint::InvalidId,
                "a stranger has no other id than `anonymous`",
                Some("write `principal is Mcp::Anonymous`".to_owned()),
            )),
            _ => None,
        }
    }

    fn server(&self, name: &str) -> Option<Unknown> {
        if self.resources.is_empty() || self.resources.contains_key(name) {
            return None;
        }
        let known: Vec<&str> = self.resources.keys().copied().collect();
        let message = format!("no resource of the configuration is named {}", shown(name));
        Some(Unknown::new(
            Lint::UnknownServer,
            message,
            Some(meant(name, &known, "its resources are")),
        ))
    }

    /// `<resource>/<name>`, the resource of the right kind.
    fn below(&self, id: &str, what: &str, of_mcp: bool) -> Option<Unknown> {
        let Some((server, _)) = id.split_once('/') else {
            let message = format!("{} does not say of which resource the {what} is", shown(id));
            let help = format!("the id of a {what} is `<resource>/<{what}>`");
            return Some(Unknown::new(Lint::InvalidId, message, Some(help)));
        };
        if let Some(unknown) = self.server(server) {
            return Some(unknown);
        }
        let is_mcp = matches!(self.resources.get(server)?.kind, ResourceKind::Mcp(_));
        (is_mcp != of_mcp).then(|| {
            let has = if is_mcp { "mcp" } else { "http" };
            let message = format!(
                "resource {} has no {what}s: its kind is `{has}`",
                shown(server)
            );
            Unknown::new(Lint::WrongResourceKind, message, None)
        })
    }

    fn tool(&self, id: &str) -> Option<Unknown> {
        let (server, name) = id.split_once('/')?;
        if !self.catalogue.lists(server) || self.catalogue.tool(server, name).is_some() {
            return None;
        }
        let known = self.catalogue.names(server);
        let message = format!(
            "`tools.json` lists other tools of {}, but no {}",
            shown(server),
            shown(name)
        );
        Some(Unknown::new(
            Lint::UnknownTool,
            message,
            Some(meant(name, &known, "they are")),
        ))
    }

    fn route(&self, id: &str) -> Option<Unknown> {
        let (server, name) = id.split_once('/')?;
        let ResourceKind::Http { routes } = &self.resources.get(server)?.kind else {
            return None;
        };
        let mut known: Vec<&str> = routes.iter().map(|route| &*route.name).collect();
        known.push("*");
        if known.contains(&name) {
            return None;
        }
        let message = format!("resource {} has no route {}", shown(server), shown(name));
        let help = meant(name, &known, "`*` is whatever matches none; its routes are");
        Some(Unknown::new(Lint::UnknownRoute, message, Some(help)))
    }

    fn tool_group(&self, name: &str) -> Option<Unknown> {
        let uid = vocabulary::uid(&self.vocabulary.tool_group, name);
        if self.tools.any_within(&uid) {
            return None;
        }
        let tools = self.catalogue.tools();
        let named = tools.iter().flat_map(|(_, _, tool)| &tool.groups);
        let known: BTreeSet<&str> = named.map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!(
            "no tool of `tools.json` is in the tool group {}",
            shown(name)
        );
        let help = meant(name, &known, "its tool groups are");
        Some(Unknown::new(Lint::UnknownToolGroup, message, Some(help)))
    }

    fn server_group(&self, name: &str) -> Option<Unknown> {
        if self.resources.is_empty() || self.server_groups.contains(name) {
            return None;
        }
        let known: Vec<&str> = self.server_groups.iter().map(String::as_str).collect();
        let message = format!(
            "no resource of the configuration is in the server group {}",
            shown(name)
        );
        let help = meant(name, &known, "its server groups are");
        Some(Unknown::new(Lint::UnknownServerGroup, message, Some(help)))
    }

    fn role(&self, name: &str) -> Option<Unknown> {
        let known = &self.known.as_ref()?.roles;
        known.are_without(name).then(|| {
            let help = "if a token may say so, list it in `entities.json`";
            Unknown::nobody((Lint::UnknownRole, "role"), name, &known.all(), help)
        })
    }

    fn group(&self, name: &str) -> Option<Unknown> {
        let known = &self.known.as_ref()?.groups;
        known.are_without(name).then(|| {
            let help = "if a token may say so, list it in `entities.json`";
            Unknown::nobody((Lint::UnknownGroup, "group"), name, &known.all(), help)
        })
    }

    /// Why `scope` is none that a token here could have.
    pub(super) fn scope(&self, scope: &str) -> Option<Unknown> {
        if !is_scope_token(scope) {
            let message = format!("{} is not a scope", shown(scope));
            let help = "visible ASCII without `\"` and `\\` (RFC 6749, section 3.3); several are \
                        written as `[\"a\", \"b\"]`";
            return Some(Unknown::new(
                Lint::InvalidScope,
                message,
                Some(help.to_owned()),
            ));
        }
        let known = &self.known.as_ref()?.scopes;
        known.are_without(scope).then(|| {
            let help = "if a token may have it, list it in `metadata.scopes_supported` of its \
                        resource";
            Unknown::nobody((Lint::UnknownScope, "scope"), scope, &known.all(), help)
        })
    }

    /// Why nobody could have this client id.
    pub(super) fn client_id(&self, id: &str) -> Option<Unknown> {
        let clients = self.known.as_ref()?.clients.as_ref()?;
        if id.is_empty() || clients.contains(id) {
            return None;
        }
        let known: Vec<&str> = clients.iter().map(String::as_str).collect();
        let message = format!("`dev_tokens` has no client {}", shown(id));
        Some(Unknown::new(
            Lint::UnknownClient,
            message,
            Some(meant(id, &known, "its clients are")),
        ))
    }

    /// Why nobody could come from this issuer.
    pub(super) fn issuer(&self, issuer: &str) -> Option<Unknown> {
        let known = self.known.as_ref()?;
        let statics = known.static_users.iter();
        let mut names = statics.filter_map(|id| Some(id.split_once('#')?.0));
        let listed = &known.issuers.listed;
        if known.issuers.any
            || issuer.is_empty()
            || listed.contains(issuer)
            || names.any(|name| name == issuer)
        {
            return None;
        }
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        let message = format!("no authenticator has the issuer {}", shown(issuer));
        let help = meant(issuer, &listed, "their issuers are");
        Some(Unknown::new(Lint::UnknownIssuer, message, Some(help)))
    }

    fn user(&self, id: &str) -> Option<Unknown> {
        let known = self.known.as_ref()?;
        let Some((issuer, _)) = id.split_once('#') else {
            return Some(Unknown::unqualified(id, "subject"));
        };
        if let Some(unknown) = self.issuer(issuer) {
            return Some(unknown);
        }
        if known.issuers.any
            || known.issuers.listed.contains(issuer)
            || known.static_users.contains(id)
        {
            return None;
        }
        let users: Vec<&str> = known.static_users.iter().map(String::as_str).collect();
        let message = format!("no static token stands for {}", shown(id));
        Some(Unknown::new(
            Lint::UnknownUser,
            message,
            Some(meant(id, &users, "they stand for")),
        ))
    }

    fn client_entity(&self, id: &str) -> Option<Unknown> {
        self.known.as_ref()?;
        match id.split_once('#') {
            Some((issuer, client)) => self.issuer(issuer).or_else(|| self.client_id(client)),
            None => Some(Unknown::unqualified(id, "client id")),
        }
    }

    pub(super) fn api_key(&self, id: &str) -> Option<Unknown> {
        let known = &self.known.as_ref()?.api_keys;
        if known.contains(id) {
            return None;
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let message = format!("the configuration has no API key {}", shown(id));
        Some(Unknown::new(
            Lint::UnknownApiKey,
            message,
            Some(meant(id, &known, "its keys are")),
        ))
    }
}

impl Unknown {
    fn new(lint: Lint, message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            lint,
            message: message.into(),
            help,
        }
    }

    fn nobody((lint, kind): (Lint, &str), name: &str, known: &[&str], help: &str) -> Self {
        let message = format!("nobody is known to have the {kind} {}", shown(name));
        let near = suggest::nearest(name, known);
        let near = near.map(|near| format!("did you mean {}? ", shown(near)));
        Self::new(lint, message, Some(near.unwrap_or_default() + help))
    }

    fn unqualified(id: &str, what: &str) -> Self {
        Self::new(
            Lint::InvalidId,
            format!("{} does not name an issuer", shown(id)),
            Some(format!("write `<issuer>#<{what}>`")),
        )
    }
}

/// The nearest name, or else all of them.
fn meant(name: &str, known: &[&str], all: &str) -> String {
    match suggest::nearest(name, known) {
        Some(near) => format!("did you mean {}?", shown(near)),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("{all} {}", listing(known)),
    }
}

/// `scope-token` (RFC 6749, section 3.3).
fn is_scope_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
