//! Which scopes imply which others.

use std::collections::BTreeSet;

use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::wrong_shape;
use crate::config::scalar;
use crate::config::scalar::Kind;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> Vec<(String, Vec<String>)> {
    let Some(mut map) = Mapping::of(node, faults) else {
        return Vec::new();
    };
    let hierarchy = map.optional("hierarchy");
    let place = map.place_of("hierarchy");
    map.finish(faults);
    let Some(node) = hierarchy else {
        return Vec::new();
    };
    let Value::Mapping(entries) = &node.value else {
        wrong_shape(node, "a mapping from a scope to a list of scopes", faults);
        return Vec::new();
    };
    let mut implied = Vec::new();
    for entry in entries {
        if !is_scope(&entry.key) {
            faults.error_help(&entry.place, "this key is not a scope", SCOPE_HELP);
        }
        implied.push((entry.key.clone(), read_scopes(&entry.value, faults)));
    }
    if has_cycle(&implied) {
        let place = place.unwrap_or(&node.place);
        faults.error(place, "scopes that imply each other in a circle");
    }
    implied
}

const SCOPE_HELP: &str = "visible ASCII without `\"` and `\\` (RFC 6749, section 3.3)";

pub(in crate::config) fn read_scopes(node: &Node, faults: &mut Faults<'_>) -> Vec<String> {
    let scopes = Kind {
        is: is_scope,
        name: "a scope",
        help: SCOPE_HELP,
    };
    scalar::texts_of_a_kind(node, &scopes, faults).unwrap_or_default()
}

/// The scopes that clients are told of: those that they should ask for first (MCP 2026-07-28,
/// basic/authorization).
pub(super) fn read_supported(node: &Node, faults: &mut Faults<'_>) -> Vec<String> {
    let supported = Kind {
        is: |text| is_scope(text) && !is_reserved(text),
        name: "a scope to tell clients of",
        help: SUPPORTED_HELP,
    };
    scalar::texts_of_a_kind(node, &supported, faults).unwrap_or_default()
}

const SUPPORTED_HELP: &str = "a scope token (RFC 6749, section 3.3), no wildcard, and not \
     `offline_access`: refresh tokens are between the client and the authorization server";

fn is_reserved(text: &str) -> bool {
    text == "offline_access" || text.contains('*')
}

/// `scope-token` (RFC 6749, section 3.3).
fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
}

/// Takes away scopes that imply nothing that is left, until none goes; a circle stays.
fn has_cycle(implied: &[(String, Vec<String>)]) -> bool {
    let mut left: BTreeSet<&str> = implied.iter().map(|(broad, _)| broad.as_str()).collect();
    loop {
        let before = left.len();
        for (broad, narrow) in implied {
            if !narrow.iter().any(|scope| left.contains(scope.as_str())) {
                left.remove(broad.as_str());
            }
        }
        if left.is_empty() {
            return false;
        }
        if left.len() == before {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        for (edges, expected) in [
            (&[][..], false),
            (&[("a", "b"), ("b", "c")][..], false),
            (&[("b", "c"), ("a", "b")][..], false),
            (&[("a", "a")][..], true),
            (&[("a", "b"), ("b", "a")][..], true),
            (&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")][..], true),
        ] {
            let implied: Vec<_> = edges
                .iter()
                .map(|(a, b)| ((*a).to_owned(), vec![(*b).to_owned()]))
                .collect();
            assert_eq!(has_cycle(&implied), expected, "{edges:?}");
        }
    }

    #[test]
    fn scopes_are_tokens() {
        for text in ["a", "files:read", "https://x/y"] {
            assert!(is_scope(text), "{text}");
        }
        for text in ["", "a b", "a\"", "a\\", "\u{e9}"] {
            assert!(!is_scope(text), "{text}");
        }
    }
}
