//! The methods of the Model Context Protocol that clients send, as one table.

use crate::request::action::Action;

/// The revisions of the protocol that are known, oldest first.
pub const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", MODERN];

/// The first revision without sessions, in which headers repeat what the body says.
pub const MODERN: &str = "2026-07-28";

/// Whether a revision is [`MODERN`] or later: they are dates, so the order of text is the order of
/// time.
pub fn is_modern(version: &str) -> bool {
    version >= MODERN
}

/// What the names of notifications start with.
pub const NOTIFICATION: &str = "notifications/";

/// A client's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its exact name.
    pub name: &'static str,
    /// The Cedar action.
    pub action: Action,
    /// What it acts on, and where the body names that.
    pub target: TargetKind,
    /// The revisions that define it, or an extension of them. What is decided does not depend on
    /// it: servers run methods of other revisions as well.
    pub revisions: &'static [&'static str],
    /// Whether revision 2026-07-28 demands `Mcp-Name`.
    pub name_header: bool,
    /// Whether `params.arguments` is given to policies.
    pub arguments: bool,
}

/// What a method acts on, and where the body names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// The server.
    Server,
    /// The tool `params.name`.
    Tool,
    /// The prompt `params.name`.
    Prompt,
    /// The resource `params.uri`.
    Resource,
    /// The task `params.taskId`.
    Task,
    /// The prompt `params.ref.name` or the resource `params.ref.uri`, by `params.ref.type`.
    Reference,
    /// The server, and each resource and task in `params.notifications`.
    Subscriptions,
}

const ALL: &[&str] = &REVISIONS;
const LEGACY: &[&str] = &["2025-03-26", "2025-06-18", "2025-11-25"];
const TASKS_1: &[&str] = &["2025-11-25"];
const TASKS_BOTH: &[&str] = &["2025-11-25", MODERN];
const NEW: &[&str] = &[MODERN];

/// Every request that is known. Notifications and responses are not in it: all notifications are
/// one action, and so are all responses.
pub static METHODS: [Method; 20] = [
    on_server("initialize", Action::Initialize, LEGACY),
    on_server("ping", Action::Ping, LEGACY),
    on_server("server/discover", Action::ServerDiscover, NEW),
    on_server("logging/setLevel", Action::LoggingSetLevel, LEGACY),
    on_server("tools/list", Action::ToolsList, ALL),
    on_server("resources/list", Action::ResourcesList, ALL),
    on_server(
        "resources/templates/list",
        Action::ResourcesTemplatesList,
        ALL,
    ),
    on_server("prompts/list", Action::PromptsList, ALL),
    on_server("tasks/list", Action::TasksList, TASKS_1),
    on(TargetKind::Tool, "tools/call", Action::ToolsCall, ALL)
        .named()
        .with_arguments(),
    on(
        TargetKind::Resource,
        "resources/read",
        Action::ResourcesRead,
        ALL,
    )
    .named(),
    on(
        TargetKind::Resource,
        "resources/subscribe",
        Action::ResourcesSubscribe,
        LEGACY,
    ),
    on(
        TargetKind::Resource,
        "resources/unsubscribe",
        Action::ResourcesUnsubscribe,
        LEGACY,
    ),
    on(TargetKind::Prompt, "prompts/get", Action::PromptsGet, ALL)
        .named()
        .with_arguments(),
    on(
        TargetKind::Reference,
        "completion/complete",
        Action::CompletionComplete,
        ALL,
    ),
    on(TargetKind::Task, "tasks/get", Action::TasksGet, TASKS_BOTH).named(),
    on(
        TargetKind::Task,
        "tasks/result",
        Action::TasksResult,
        TASKS_1,
    ),
    on(TargetKind::Task, "tasks/update", Action::TasksUpdate, NEW).named(),
    on(
        TargetKind::Task,
        "tasks/cancel",
        Action::TasksCancel,
        TASKS_BOTH,
    )
    .named(),
    on(
        TargetKind::Subscriptions,
        "subscriptions/listen",
        Action::SubscriptionsListen,
        NEW,
    ),
];

/// A notification that clients send. All of them, and any other whose name starts with
/// [`NOTIFICATION`], are the one action [`Action::Notifications`] on the server: they have no
/// arguments, and revision 2026-07-28 demands no header of them, but what they state must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its exact name.
    pub name: &'static str,
    /// The revisions that define it for HTTP.
    pub revisions: &'static [&'static str],
}

/// Every notification that clients are known to send over HTTP.
pub static NOTIFICATIONS: [Notification; 5] = [
    Notification {
        name: "notifications/initialized",
        revisions: LEGACY,
    },
    Notification {
        name: "notifications/cancelled",
        revisions: LEGACY,
    },
    Notification {
        name: "notifications/progress",
        revisions: LEGACY,
    },
    Notification {
        name: "notifications/roots/list_changed",
        revisions: LEGACY,
    },
    Notification {
        name: "notifications/tasks/status",
        revisions: TASKS_1,
    },
];

impl Method {
    /// The method of exactly that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    const fn named(mut self) -> Self {
        self.name_header = true;
        self
    }

    const fn with_arguments(mut self) -> Self {
        self.arguments = true;
        self
    }
}

const fn on_server(
    name: &'static str,
    action: Action,
    revisions: &'static [&'static str],
) -> Method {
    on(TargetKind::Server, name, action, revisions)
}

const fn on(
    target: TargetKind,
    name: &'static str,
    action: Action,
    revisions: &'static [&'static str],
) -> Method {
    Method {
        name,
        action,
        target,
        revisions,
        name_header: false,
        arguments: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_named_like_its_action() {
        for method in &METHODS {
            assert_eq!(method.name, method.action.as_str());
            assert_eq!(Method::find(method.name), Some(method));
        }
        for stranger in [
            "",
            "Tools/call",
            "tools/call ",
            "tools/call\0",
            "notifications/x",
        ] {
            assert_eq!(Method::find(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn every_mcp_action_that_is_not_in_the_table_is_not_a_request() {
        let others: Vec<_> = Action::ALL
            .into_iter()
            .filter(|action| !METHODS.iter().any(|method| method.action == *action))
            .map(Action::as_str)
            .collect();
        assert_eq!(
            others,
            [
                "notifications",
                "client/response",
                "session/stream",
                "session/delete",
                "unknown",
                "GET",
                "HEAD",
                "OPTIONS",
                "POST",
                "PUT",
                "PATCH",
                "DELETE"
            ]
        );
    }

    #[test]
    fn every_target_is_one_that_the_schema_allows() {
        let text = include_str!("../../policies/schema.cedarschema");
        let (schema, _) = cedar_policy::Schema::from_cedarschema_str(text).unwrap();
        for method in &METHODS {
            let uid = format!("Mcp::Action::\"{}\"", method.action.as_str());
            let mut allowed: Vec<_> = schema
                .resources_for_action(&uid.parse().unwrap())
                .unwrap()
                .map(|kind| kind.basename().to_owned())
                .collect();
            allowed.sort();
            let expected: &[&str] = match method.target {
                TargetKind::Server | TargetKind::Subscriptions => &["Server"],
                TargetKind::Tool => &["Tool"],
                TargetKind::Prompt => &["Prompt"],
                TargetKind::Resource => &["Resource"],
                TargetKind::Task => &["Task"],
                TargetKind::Reference => &["Prompt", "Resource"],
            };
            assert_eq!(allowed, expected, "{}", method.name);
        }
    }

    /// The table of the specification's revisions (`ClientRequest` and `ClientNotification` of each
    /// `schema.ts`, and the tasks extension), with a letter for each revision that has the method.
    #[test]
    fn each_revision_has_the_methods_that_its_schema_lists() {
        let letters = |revisions: &[&str]| -> String {
            let all = REVISIONS.iter().zip("abcd".chars());
            all.filter(|(revision, _)| revisions.contains(revision))
                .map(|(_, letter)| letter)
                .collect()
        };
        let expected = [
            ("initialize", "abc"),
            ("ping", "abc"),
            ("server/discover", "d"),
            ("logging/setLevel", "abc"),
            ("tools/list", "abcd"),
            ("resources/list", "abcd"),
            ("resources/templates/list", "abcd"),
            ("prompts/list", "abcd"),
            ("tasks/list", "c"),
            ("tools/call", "abcd"),
            ("resources/read", "abcd"),
            ("resources/subscribe", "abc"),
            ("resources/unsubscribe", "abc"),
            ("prompts/get", "abcd"),
            ("completion/complete", "abcd"),
            ("tasks/get", "cd"),
            ("tasks/result", "c"),
            ("tasks/update", "d"),
            ("tasks/cancel", "cd"),
            ("subscriptions/listen", "d"),
        ];
        let found: Vec<_> = METHODS
            .iter()
            .map(|method| (method.name, letters(method.revisions)))
            .collect();
        let expected = expected.map(|(name, letters)| (name, letters.to_owned()));
        assert_eq!(found, expected);
        let found: Vec<_> = NOTIFICATIONS
            .iter()
            .map(|one| (one.name, letters(one.revisions)))
            .collect();
        let expected = [
            ("notifications/initialized", "abc"),
            ("notifications/cancelled", "abc"),
            ("notifications/progress", "abc"),
            ("notifications/roots/list_changed", "abc"),
            ("notifications/tasks/status", "c"),
        ];
        let expected = expected.map(|(name, letters)| (name, letters.to_owned()));
        assert_eq!(found, expected);
        assert!(
            NOTIFICATIONS
                .iter()
                .all(|one| one.name.starts_with(NOTIFICATION))
        );
        let with_arguments = METHODS.iter().filter(|method| method.arguments);
        let with_arguments: Vec<_> = with_arguments.map(|method| method.name).collect();
        assert_eq!(with_arguments, ["tools/call", "prompts/get"]);
    }

    #[test]
    fn the_header_is_demanded_where_the_specification_says() {
        let named: Vec<_> = METHODS
            .iter()
            .filter(|method| method.name_header)
            .map(|method| method.name)
            .collect();
        assert_eq!(
            named,
            [
                "tools/call",
                "resources/read",
                "prompts/get",
                "tasks/get",
                "tasks/update",
                "tasks/cancel"
            ]
        );
        for method in METHODS.iter().filter(|method| method.name_header) {
            assert!(method.revisions.contains(&MODERN), "{}", method.name);
        }
    }
}
