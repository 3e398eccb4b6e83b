//! Routes of an http resource: names for the paths that match a pattern.

use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::resource::Route;
use crate::config::resource::RouteSegment;
use crate::config::resource::address::is_plain_segment;
use crate::config::scalar;
use crate::config::yaml::Node;

/// Longest pattern, in segments.
const LONGEST: usize = 64;

pub(super) fn read_all(node: &Node, faults: &mut Faults<'_>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for item in scalar::list(node, faults).unwrap_or(&[]) {
        let Some(mut map) = Mapping::of(item, faults) else {
            continue;
        };
        let name_node = map.required("name", faults);
        let name = name_node.and_then(|node| scalar::name(node, faults));
        let path_node = map.required("path", faults);
        let pattern = path_node.and_then(|node| read_pattern(node, faults));
        map.finish(faults);
        let (Some(name), Some(pattern)) = (name, pattern) else {
            continue;
        };
        for other in &routes {
            if *other.name == *name
                && let Some(node) = name_node
            {
                faults.second("route", name, &node.place);
            }
            if covers(&other.pattern, &pattern)
                && let Some(node) = path_node
            {
                let message = format!("never matches: the route `{}` takes its paths", other.name);
                faults.error_help(&node.place, message, "first match wins; put it before");
            }
        }
        routes.push(Route {
            name: name.into(),
            pattern,
        });
    }
    routes
}

fn read_pattern(node: &Node, faults: &mut Faults<'_>) -> Option<Vec<RouteSegment>> {
    let text = scalar::filled(node, faults)?;
    let parsed = pattern(text);
    if parsed.is_none() {
        let message = format!("{} is not a route pattern", shown(node, text));
        faults.error_help(
            &node.place,
            message,
            "as in `/health`, `/users/{id}`, `/reports/{*rest}`; no percent-encoding",
        );
    }
    parsed
}

fn pattern(text: &str) -> Option<Vec<RouteSegment>> {
    let below = text.strip_prefix('/')?;
    if below.is_empty() {
        return Some(Vec::new());
    }
    let mut segments = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for written in below.split('/') {
        if segments.last() == Some(&RouteSegment::Rest) || segments.len() >= LONGEST {
            return None;
        }
        let variable = written
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let Some(variable) = variable else {
            if !is_plain_segment(written) {
                return None;
            }
            segments.push(RouteSegment::Literal(written.to_owned()));
            continue;
        };
        let (name, segment) = match variable.strip_prefix('*') {
            Some(name) => (name, RouteSegment::Rest),
            None => (variable, RouteSegment::One),
        };
        if !is_variable(name) || names.contains(&name) {
            return None;
        }
        names.push(name);
        segments.push(segment);
    }
    Some(segments)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether every path of `later` is one of `earlier` as well.
fn covers(earlier: &[RouteSegment], later: &[RouteSegment]) -> bool {
    let mut later = later.iter();
    for segment in earlier {
        match (segment, later.next()) {
            // One segment or more: whatever is left, as long as something is.
            (RouteSegment::Rest, left) => return left.is_some(),
            (_, None | Some(RouteSegment::Rest)) => return false,
            (RouteSegment::One, Some(_)) => {}
            (RouteSegment::Literal(a), Some(RouteSegment::Literal(b))) if a == b => {}
            (RouteSegment::Literal(_), Some(_)) => return false,
        }
    }
    later.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> RouteSegment {
        RouteSegment::Literal(text.to_owned())
    }

    #[test]
    fn patterns_are_read_segment_by_segment() {
        for (text, expected) in [
            ("/", vec![]),
            ("/health", vec![literal("health")]),
            (
                "/a/{id}/b",
                vec![literal("a"), RouteSegment::One, literal("b")],
            ),
            (
                "/a/{id}/{*rest}",
                vec![literal("a"), RouteSegment::One, RouteSegment::Rest],
            ),
        ] {
            assert_eq!(pattern(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "health",
            "//",
            "/a/",
            "/a//b",
            "/a/../b",
            "/{*rest}/a",
            "/{}",
            "/{*}",
            "/{a}/{a}",
            "/a{b}",
            "/{a-b}",
            "/a%2fb",
            "/a;b",
            "/a?b",
            "/{1a}",
            "/{a",
            "/\u{e9}",
        ] {
            assert_eq!(pattern(text), None, "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_those_that_never_come_to_match() {
        for (earlier, later, expected) in [
            ("/a", "/a", true),
            ("/a/{x}", "/a/{y}", true),
            ("/a/{x}", "/a/b", true),
            ("/{*rest}", "/a/b", true),
            ("/{*rest}", "/{*all}", true),
            ("/{*rest}", "/", false),
            ("/a/{*rest}", "/a", false),
            ("/a", "/a/{*rest}", false),
            ("/a/b", "/a/{x}", false),
            ("/{x}", "/{*rest}", false),
            ("/a/{x}", "/a", false),
            ("/", "/", true),
        ] {
            let (earlier, later) = (pattern(earlier).unwrap(), pattern(later).unwrap());
            assert_eq!(covers(&earlier, &later), expected, "{earlier:?} {later:?}");
        }
    }
}
