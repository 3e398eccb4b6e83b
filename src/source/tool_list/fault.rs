//! Why the tools of a server are not to be had. Texts that a server chose are short, and not made
//! harmless for a terminal here.

use super::message::RpcError;
use super::pages::PageFault;
use super::tool::ToolFault;
use crate::json::JsonFault;
use crate::source::fetch::FetchFault;

/// Why there is no list of tools.
#[derive(Debug, thiserror::Error)]
pub enum ToolListFault {
    /// No exchange over HTTP.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// A 401: no credential was sent, or none that is accepted.
    #[error("the server answers 401: it wants a credential, or another one{}", scopes(.scope.as_deref()))]
    Unauthorized {
        /// The scopes that its challenge names.
        scope: Option<String>,
    },
    /// A 403.
    #[error("the server answers 403: this caller may not{}{}", said(.message.as_deref()), scopes(.scope.as_deref()))]
    Forbidden {
        /// The scopes that its challenge names.
        scope: Option<String>,
        /// What its JSON-RPC error says.
        message: Option<String>,
    },
    /// A redirect, which is not followed: a credential must not go where nobody sent it.
    #[error("the server answers {status} and leads to `{location}`; redirects are not followed")]
    Redirect {
        /// The status.
        status: u16,
        /// `Location`, without its query.
        location: String,
    },
    /// The answer is neither JSON nor an event stream.
    #[error("this is no MCP server: it answers {status} with `{content_type}`")]
    NotMcp {
        /// The status.
        status: u16,
        /// `Content-Type`, or nothing.
        content_type: String,
    },
    /// The server refuses the request.
    #[error("the server refuses, with status {status}{}", of(.error.as_ref()))]
    Refused {
        /// The status of the HTTP answer.
        status: u16,
        /// The JSON-RPC error, if there is one.
        error: Option<RpcError>,
    },
    /// There is no revision that both sides speak.
    #[error("the server speaks other revisions of MCP: {0}")]
    Version(String),
    /// All answers together exceed so many bytes.
    #[error("the answers of the server are larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is compressed, though nobody asked for that.
    #[error("the answer is compressed, which was not asked for")]
    Encoding,
    /// The answer is not JSON, or has two readings.
    #[error("the answer is refused: {0}")]
    Json(JsonFault),
    /// The answer is no answer to what was asked.
    #[error("the answer is refused: {0}")]
    Malformed(&'static str),
    /// The pages do not make a list of tools.
    #[error("the list of tools is refused: {0}")]
    Pages(PageFault),
}

impl From<PageFault> for ToolListFault {
    fn from(fault: PageFault) -> Self {
        Self::Pages(fault)
    }
}

impl From<ToolFault> for ToolListFault {
    fn from(fault: ToolFault) -> Self {
        Self::Pages(fault.into())
    }
}

fn scopes(scope: Option<&str>) -> String {
    scope.map_or_else(String::new, |scope| {
        format!("; it asks for the scopes `{scope}`")
    })
}

fn said(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(": {message}"))
}

fn of(error: Option<&RpcError>) -> String {
    error.map_or_else(String::new, |error| {
        format!(": {} ({})", error.message, error.code)
    })
}
