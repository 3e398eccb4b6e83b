//! What the operator can do about a server that gives no list of its tools.

use thiserror::Error;

use super::catalogue::CatalogueFault;
use crate::cli::printable;
use crate::source::fetch::FetchFault;
use crate::source::fetch::TlsFault;
use crate::source::tool_list::PageFault;
use crate::source::tool_list::ToolListFault;

/// Longest message of a server that is shown, in characters.
const MAX_SAID: usize = 800;

/// A fault with what helps, in words that a terminal cannot act upon.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{said}{}", advice.map(|text| format!("; {text}")).unwrap_or_default())]
pub(super) struct Advised {
    said: String,
    advice: Option<&'static str>,
}

impl Advised {
    /// Of a server; `anonymous` where it was sent no credential.
    pub(super) fn of(fault: &ToolListFault, anonymous: bool) -> Self {
        Self {
            said: printable::cut(&fault.to_string(), MAX_SAID),
            advice: advice(fault, anonymous),
        }
    }

    /// Of a file.
    pub(super) fn of_file(name: &str, fault: &CatalogueFault) -> Self {
        Self {
            said: printable::cut(&format!("`{name}`: {fault}"), MAX_SAID),
            advice: match fault {
                CatalogueFault::Json(_)
                | CatalogueFault::Form(_)
                | CatalogueFault::Twice { .. }
                | CatalogueFault::Hint { .. } => Some(
                    "`cedargate validate` shows the place in a catalogue of a policy directory",
                ),
                CatalogueFault::Many(_) | CatalogueFault::Long(_) => None,
            },
        }
    }
}

fn advice(fault: &ToolListFault, anonymous: bool) -> Option<&'static str> {
    match fault {
        ToolListFault::Unauthorized { .. } if anonymous => Some(
            "give a token with `--token-env` or `--token-file` (`cedargate login` gets one), or an API \
             key with `--header`",
        ),
        ToolListFault::Unauthorized { .. } => Some(
            "the credential may have expired, or be meant for another resource; `cedargate token \
             inspect` shows what a token says",
        ),
        ToolListFault::Forbidden { scope: Some(_), .. } => {
            Some("`cedargate login --scope` gets a token with more scopes")
        }
        ToolListFault::Forbidden { scope: None, .. } => {
            Some("use the credential of somebody who may list the tools")
        }
        ToolListFault::Redirect { .. } => Some("give the address that is meant with `--url`"),
        ToolListFault::NotMcp { .. } => {
            Some("`--url` must be the MCP endpoint itself, as in `https://mcp.example.com/mcp`")
        }
        ToolListFault::Refused {
            status: 404 | 405,
            error: None,
        } => Some(
            "is this the MCP endpoint? Servers of the transport before Streamable HTTP are not \
             spoken to",
        ),
        ToolListFault::Pages(PageFault::Incomplete) => {
            Some("ask the server with `--url`, which reads all of its pages")
        }
        ToolListFault::Pages(PageFault::Twice(_)) => {
            Some("the server must be mended: nobody could say which of them a policy is about")
        }
        ToolListFault::Pages(_)
        | ToolListFault::TooLarge(_)
        | ToolListFault::Encoding
        | ToolListFault::Json(_)
        | ToolListFault::Malformed(_)
        | ToolListFault::Refused { .. }
        | ToolListFault::Version(_) => None,
        ToolListFault::Fetch(fault) => of_fetch(fault),
    }
}

fn of_fetch(fault: &FetchFault) -> Option<&'static str> {
    match fault {
        FetchFault::Url(_) => Some(
            "use https; without TLS, `--insecure-allow-http` sends what everybody on the network path \
             can read and change",
        ),
        FetchFault::Tls(TlsFault::Untrusted, _) => {
            Some("`--ca-file` names the certificate authority to trust")
        }
        FetchFault::Connect(_) => Some("is the server running there?"),
        FetchFault::TimedOut => Some("`--timeout` waits longer"),
        FetchFault::Tls(
            TlsFault::Expired
            | TlsFault::Name
            | TlsFault::ClientCertificate
            | TlsFault::Incompatible
            | TlsFault::Other,
            _,
        )
        | FetchFault::Client(_)
        | FetchFault::Address
        | FetchFault::Status(_)
        | FetchFault::ContentType
        | FetchFault::TooLarge(_)
        | FetchFault::Discovery(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_depends_on_what_was_sent() {
        let unauthorized = ToolListFault::Unauthorized {
            scope: Some("a\u{1b}[2J".to_owned()),
        };
        let told = Advised::of(&unauthorized, true).to_string();
        assert!(
            told.contains("scopes `a\\u001b[2J`; give a token"),
            "{told}"
        );
        let told = Advised::of(&unauthorized, false).to_string();
        assert!(told.contains("expired"), "{told}");
        let forbidden = ToolListFault::Forbidden {
            scope: None,
            message: Some("m".repeat(2_000)),
        };
        let told = Advised::of(&forbidden, true).to_string();
        assert!(told.chars().count() < 1_000, "{told}");
        let version = ToolListFault::Version("2099-01-01".to_owned());
        assert!(
            Advised::of(&version, true)
                .to_string()
                .ends_with("2099-01-01")
        );
    }
}
