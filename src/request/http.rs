//! Plain HTTP resources: the method is the action, and a configured name for the path the target.

use std::sync::Arc;

use thiserror::Error;

use crate::config::Route;
use crate::config::RouteSegment;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::Target;
use crate::request::Thing;
use crate::request::action::Action;
use crate::request::incoming::Head;
use crate::request::path::CanonicalPath;
use crate::request::path::same_segment;

/// The route of a path that no pattern matches.
pub const NO_ROUTE: &str = "*";

/// Why a request for an HTTP resource is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HttpFault {
    /// A method without an action.
    #[error("the method is not allowed")]
    MethodNotAllowed,
}

/// What a request for the resource `server` asks for: its first matching route, else `*`.
///
/// # Errors
///
/// [`HttpFault::MethodNotAllowed`].
pub fn read(head: &Head, routes: &[Route], server: &Arc<str>) -> Result<Operations, HttpFault> {
    let action = action(&head.method).ok_or(HttpFault::MethodNotAllowed)?;
    let route = routes
        .iter()
        .find(|route| matches(&route.pattern, &head.path))
        .map_or_else(|| Arc::from(NO_ROUTE), |route| Arc::clone(&route.name));
    Ok(Operations {
        first: Operation {
            action,
            target: Target {
                server: Arc::clone(server),
                thing: Thing::Route(route),
            },
            arguments: Arguments::None,
        },
        rest: Vec::new(),
    })
}

fn action(method: &str) -> Option<Action> {
    match method {
        "GET" => Some(Action::Get),
        "HEAD" => Some(Action::Head),
        "OPTIONS" => Some(Action::Options),
        "POST" => Some(Action::Post),
        "PUT" => Some(Action::Put),
        "PATCH" => Some(Action::Patch),
        "DELETE" => Some(Action::Delete),
        _ => None,
    }
}

/// Whether a whole path matches. Segments are compared decoded, so that an escape cannot slip past
/// a literal; a trailing slash makes another path, with an empty last segment.
fn matches(pattern: &[RouteSegment], path: &CanonicalPath) -> bool {
    let mut segments = path.as_str().split('/').skip(1).peekable();
    if pattern.is_empty() {
        return path.as_str() == "/";
    }
    for expected in pattern {
        let Some(segment) = segments.next() else {
            return false;
        };
        let fits = match expected {
            RouteSegment::Literal(text) => same_segment(segment, text),
            RouteSegment::One => !segment.is_empty(),
            RouteSegment::Rest => return !segment.is_empty(),
        };
        if !fits {
            return false;
        }
    }
    segments.peek().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> RouteSegment {
        RouteSegment::Literal(text.to_owned())
    }

    fn fits(pattern: &[RouteSegment], path: &str) -> bool {
        matches(pattern, &CanonicalPath::parse(path).unwrap().0)
    }

    #[test]
    fn patterns_match_whole_paths() {
        use RouteSegment::One;
        use RouteSegment::Rest;
        let table: &[(&[RouteSegment], &[&str], &[&str])] = &[
            (&[], &["/"], &["/a"]),
            (&[literal("")], &["/"], &["/a"]),
            (
                &[literal("health")],
                &["/health", "/%68ealth"],
                &["/", "/health/", "/health/x", "/Health", "/healthy"],
            ),
            (&[literal("a!b")], &["/a!b", "/a%21b"], &["/a%22b"]),
            (&[literal("a%20b")], &["/a%20b"], &["/a+b"]),
            (
                &[literal("u"), One],
                &["/u/1", "/u/%C3%A9"],
                &["/u", "/u/", "/u/1/", "/u/1/2"],
            ),
            (
                &[literal("u"), One, literal("x")],
                &["/u/1/x"],
                &["/u/1", "/u/1/y", "/u/1/x/"],
            ),
            (
                &[literal("r"), Rest],
                &["/r/1", "/r/1/2", "/r/1/"],
                &["/r", "/r/", "/s/1"],
            ),
        ];
        for (pattern, good, bad) in table {
            for path in *good {
                assert!(fits(pattern, path), "{pattern:?} {path}");
            }
            for path in *bad {
                assert!(!fits(pattern, path), "{pattern:?} {path}");
            }
        }
    }

    #[test]
    fn every_http_action_is_a_method() {
        let http = Action::ALL.into_iter().filter(|action| {
            action
                .as_str()
                .bytes()
                .all(|byte| byte.is_ascii_uppercase())
        });
        for expected in http {
            assert_eq!(action(expected.as_str()), Some(expected));
        }
        for stranger in ["get", "TRACE", "CONNECT", "PROPFIND", ""] {
            assert_eq!(action(stranger), None, "{stranger}");
        }
    }
}
