//! The `Origin` of a browser page, checked before anything else about the caller.

use crate::config::ResourceKind;
use crate::request::incoming::Incoming;

/// What the origin says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is none, or it is accepted, or nobody asked for a check.
    Pass,
    /// A CORS preflight from an accepted origin.
    Preflight(String),
    /// A page of an origin that is not listed.
    Foreign,
}

/// A page may reach an MCP server only from a listed origin; a request without one is no page's
/// (MCP 2025-11-25, transports, security warning).
pub(super) fn judge(kind: &ResourceKind, incoming: &Incoming) -> Verdict {
    let rules = match kind {
        ResourceKind::Mcp(rules) => rules,
        ResourceKind::Http { .. } => return Verdict::Pass,
    };
    let Some(origin) = &incoming.head.origin else {
        return Verdict::Pass;
    };
    if !rules.allowed_origins.contains(origin) {
        return Verdict::Foreign;
    }
    if incoming.head.method == "OPTIONS" && incoming.head.preflight {
        return Verdict::Preflight(origin.clone());
    }
    Verdict::Pass
}

/// The origin of the page that asks, where it is accepted: that page may read the answer.
pub(super) fn accepted(kind: &ResourceKind, incoming: &Incoming) -> Option<String> {
    match kind {
        ResourceKind::Mcp(rules) => {
            let origin = incoming.head.origin.as_ref()?;
            rules
                .allowed_origins
                .contains(origin)
                .then(|| origin.clone())
        }
        ResourceKind::Http { .. } => None,
    }
}
