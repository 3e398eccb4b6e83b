//! The columns: what may be asked of each server.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::matrix::Side;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::policy::Meant;
use crate::request::Action;
use crate::request::Target;
use crate::request::Thing;

/// The name of the route that no pattern of a resource matches.
const NO_ROUTE: &str = "*";

/// An action on a target.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) server: Arc<Resource>,
    pub(super) action: Action,
    pub(super) target: Target,
    pub(super) meant: Meant,
    /// What a table calls it: unique on its server.
    pub(super) name: String,
}

/// The tools that either side lists, and with `actions` everything else that can be asked for.
pub(super) fn of(servers: &[Arc<Resource>], sides: &[&Side], actions: bool) -> Vec<Column> {
    servers
        .iter()
        .flat_map(|server| {
            let tools: BTreeSet<&str> = sides.iter().flat_map(|side| tools(side, server)).collect();
            let mut columns: Vec<Column> = tools
                .iter()
                .map(|tool| {
                    // A tool may have the name of a method.
                    let is_action = |action: Action| action.as_str() == *tool;
                    let name = if actions && Action::ALL.into_iter().any(is_action) {
                        format!("{} {tool}", Action::ToolsCall.as_str())
                    } else {
                        (*tool).to_owned()
                    };
                    let thing = Thing::Tool((*tool).to_owned());
                    column(server, Action::ToolsCall, (thing, Meant::Itself), name)
                })
                .collect();
            if actions {
                columns.extend(others(server, &tools));
            }
            columns
        })
        .collect()
}

/// The tools that are listed for a server.
pub(super) fn tools<'a>(side: &'a Side, server: &Resource) -> impl Iterator<Item = &'a str> {
    let listed = side.policies.tools();
    listed.filter_map(move |(name, tool)| (*name == *server.name).then_some(tool))
}

fn column(server: &Arc<Resource>, action: Action, target: (Thing, Meant), name: String) -> Column {
    let (thing, meant) = target;
    Column {
        server: Arc::clone(server),
        action,
        target: Target {
            server: Arc::clone(&server.name),
            thing,
        },
        meant,
        name,
    }
}

fn others(server: &Arc<Resource>, tools: &BTreeSet<&str>) -> Vec<Column> {
    match &server.kind {
        ResourceKind::Mcp(_) => {
            let actions = Action::ALL.into_iter().filter(|action| !action.is_http());
            actions
                .flat_map(|action| of_mcp(server, action, tools))
                .collect()
        }
        ResourceKind::Http { routes } => {
            let mut names: Vec<&str> = routes.iter().map(|route| &*route.name).collect();
            names.push(NO_ROUTE);
            let mut seen = BTreeSet::new();
            names.retain(|name| seen.insert(*name));
            let each = |name: &str| {
                let methods = Action::ALL.into_iter().filter(|action| action.is_http());
                let one = |action: Action| {
                    let thing = Thing::Route(Arc::from(name));
                    let name = format!("{} {name}", action.as_str());
                    column(server, action, (thing, Meant::Itself), name)
                };
                methods.map(one).collect::<Vec<_>>()
            };
            names.into_iter().flat_map(each).collect()
        }
    }
}

/// A method of MCP: on the server itself, or on whatever the request names.
fn of_mcp(server: &Arc<Resource>, action: Action, tools: &BTreeSet<&str>) -> Vec<Column> {
    let any = || {
        // A tool that neither side lists.
        let mut name = "*".to_owned();
        while tools.contains(&*name) {
            name.push('*');
        }
        name
    };
    let what = action.as_str();
    let of_any = |thing: fn(String) -> Thing, kind: &str| {
        column(
            server,
            action,
            (thing(any()), Meant::AnyOfItsKind),
            format!("{what} ({kind})"),
        )
    };
    match action {
        Action::ToolsCall => vec![of_any(Thing::Tool, "unlisted tool")],
        Action::ResourcesRead | Action::ResourcesSubscribe | Action::ResourcesUnsubscribe => {
            vec![of_any(Thing::Resource, "any")]
        }
        Action::PromptsGet => vec![of_any(Thing::Prompt, "any")],
        Action::CompletionComplete => vec![
            of_any(Thing::Prompt, "any prompt"),
            of_any(Thing::Resource, "any resource"),
        ],
        Action::TasksGet | Action::TasksResult | Action::TasksUpdate | Action::TasksCancel => {
            vec![of_any(Thing::Task, "any")]
        }
        Action::Initialize
        | Action::Ping
        | Action::ServerDiscover
        | Action::Notifications
        | Action::ClientResponse
        | Action::SessionStream
        | Action::SessionDelete
        | Action::LoggingSetLevel
        | Action::ToolsList
        | Action::ResourcesList
        | Action::ResourcesTemplatesList
        | Action::PromptsList
        | Action::TasksList
        | Action::SubscriptionsListen
        | Action::Unknown => {
            vec![column(
                server,
                action,
                (Thing::Server, Meant::Itself),
                what.to_owned(),
            )]
        }
        Action::Get
        | Action::Head
        | Action::Options
        | Action::Post
        | Action::Put
        | Action::Patch
        | Action::Delete => Vec::new(),
    }
}
