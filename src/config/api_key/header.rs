//! The header that carries keys, and the headers that never do.

use crate::config::reader::Faults;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// Longest name, in bytes.
const LONGEST: usize = 64;

/// Headers with a meaning of their own. A key header is moved out of the request, so none of these
/// may be one.
const TAKEN: [&str; 27] = [
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "last-event-id",
    "origin",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
    "x-request-id",
];

/// What the names of such headers start with.
const TAKEN_PREFIXES: [&str; 10] = [
    "access-control-",
    "content-",
    "grpc-",
    "if-",
    "mcp-",
    "proxy-",
    "sec-",
    "x-cedargate-",
    "x-envoy-",
    "x-forwarded-",
];

/// The name of a header, in lower case.
pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    let lower = text.to_ascii_lowercase();
    let help = if lower.len() > LONGEST
        || !scalar::is_name(&lower)
        || !lower.starts_with(|c: char| c.is_ascii_lowercase())
    {
        format!("letters, digits and `-`, a letter first, at most {LONGEST}")
    } else if TAKEN.contains(&lower.as_str())
        || TAKEN_PREFIXES
            .iter()
            .any(|prefix| lower.starts_with(prefix))
    {
        "it has a meaning of its own; `x-api-key` is usual".to_owned()
    } else {
        return Some(lower);
    };
    let message = format!("{} cannot be the header of keys", shown(node, text));
    faults.error_help(&node.place, message, help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_hold_nothing_twice() {
        assert!(TAKEN.is_sorted());
        assert!(TAKEN_PREFIXES.is_sorted());
        for name in TAKEN {
            let covered = TAKEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            assert!(!covered, "{name}");
        }
    }
}
