//! The actions of the Cedar schema, as a closed set.

/// An action that a policy can name; [`Action::as_str`] is its Cedar id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `initialize`
    Initialize,
    /// `ping`
    Ping,
    /// `server/discover`
    ServerDiscover,
    /// Any `notifications/*` method.
    Notifications,
    /// A JSON-RPC response to a request of the server's.
    ClientResponse,
    /// HTTP GET on an MCP endpoint: the server's event stream.
    SessionStream,
    /// HTTP DELETE on an MCP endpoint.
    SessionDelete,
    /// `logging/setLevel`
    LoggingSetLevel,
    /// `tools/list`
    ToolsList,
    /// `resources/list`
    ResourcesList,
    /// `resources/templates/list`
    ResourcesTemplatesList,
    /// `prompts/list`
    PromptsList,
    /// `tasks/list`
    TasksList,
    /// `tools/call`
    ToolsCall,
    /// `resources/read`
    ResourcesRead,
    /// `resources/subscribe`
    ResourcesSubscribe,
    /// `resources/unsubscribe`
    ResourcesUnsubscribe,
    /// `prompts/get`
    PromptsGet,
    /// `completion/complete`
    CompletionComplete,
    /// `tasks/get`
    TasksGet,
    /// `tasks/result`
    TasksResult,
    /// `tasks/update`
    TasksUpdate,
    /// `tasks/cancel`
    TasksCancel,
    /// `subscriptions/listen`
    SubscriptionsListen,
    /// Any method that is not known here.
    Unknown,
    /// HTTP GET on a route.
    Get,
    /// HTTP HEAD on a route.
    Head,
    /// HTTP OPTIONS on a route.
    Options,
    /// HTTP POST on a route.
    Post,
    /// HTTP PUT on a route.
    Put,
    /// HTTP PATCH on a route.
    Patch,
    /// HTTP DELETE on a route.
    Delete,
}

impl Action {
    /// Every action, in the schema's order.
    pub const ALL: [Self; 32] = [
        Self::Initialize,
        Self::Ping,
        Self::ServerDiscover,
        Self::Notifications,
        Self::ClientResponse,
        Self::SessionStream,
        Self::SessionDelete,
        Self::LoggingSetLevel,
        Self::ToolsList,
        Self::ResourcesList,
        Self::ResourcesTemplatesList,
        Self::PromptsList,
        Self::TasksList,
        Self::ToolsCall,
        Self::ResourcesRead,
        Self::ResourcesSubscribe,
        Self::ResourcesUnsubscribe,
        Self::PromptsGet,
        Self::CompletionComplete,
        Self::TasksGet,
        Self::TasksResult,
        Self::TasksUpdate,
        Self::TasksCancel,
        Self::SubscriptionsListen,
        Self::Unknown,
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
    ];

    /// Whether it is an HTTP method on a route, and no part of the Model Context Protocol.
    pub fn is_http(self) -> bool {
        match self {
            Self::Get
            | Self::Head
            | Self::Options
            | Self::Post
            | Self::Put
            | Self::Patch
            | Self::Delete => true,
            Self::Initialize
            | Self::Ping
            | Self::ServerDiscover
            | Self::Notifications
            | Self::ClientResponse
            | Self::SessionStream
            | Self::SessionDelete
            | Self::LoggingSetLevel
            | Self::ToolsList
            | Self::ResourcesList
            | Self::ResourcesTemplatesList
            | Self::PromptsList
            | Self::TasksList
            | Self::ToolsCall
            | Self::ResourcesRead
            | Self::ResourcesSubscribe
            | Self::ResourcesUnsubscribe
            | Self::PromptsGet
            | Self::CompletionComplete
            | Self::TasksGet
            | Self::TasksResult
            | Self::TasksUpdate
            | Self::TasksCancel
            | Self::SubscriptionsListen
            | Self::Unknown => false,
        }
    }

    /// The id of the Cedar entity `Mcp::Action::"..."`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Ping => "ping",
            Self::ServerDiscover => "server/discover",
            Self::Notifications => "notifications",
            Self::ClientResponse => "client/response",
            Self::SessionStream => "session/stream",
            Self::SessionDelete => "session/delete",
            Self::LoggingSetLevel => "logging/setLevel",
            Self::ToolsList => "tools/list",
            Self::ResourcesList => "resources/list",
            Self::ResourcesTemplatesList => "resources/templates/list",
            Self::PromptsList => "prompts/list",
            Self::TasksList => "tasks/list",
            Self::ToolsCall => "tools/call",
            Self::ResourcesRead => "resources/read",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ResourcesUnsubscribe => "resources/unsubscribe",
            Self::PromptsGet => "prompts/get",
            Self::CompletionComplete => "completion/complete",
            Self::TasksGet => "tasks/get",
            Self::TasksResult => "tasks/result",
            Self::TasksUpdate => "tasks/update",
            Self::TasksCancel => "tasks/cancel",
            Self::SubscriptionsListen => "subscriptions/listen",
            Self::Unknown => "unknown",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}
