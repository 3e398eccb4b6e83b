//! Which configured resource a request is for.

use std::sync::Arc;

use thiserror::Error;

use crate::config::Resource;
use crate::config::ResourceKind;
use crate::request::host::normalise;
use crate::request::host::without_default_port;
use crate::request::incoming::Head;
use crate::request::incoming::Incoming;
use crate::request::path::same_segment;

/// Where protected resource metadata lives (RFC 9728, section 3).
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// Why a request is for no resource.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResourceFault {
    /// None has that name, or none that host and path: 404.
    #[error("no such resource")]
    Unknown,
    /// The path is another spelling of an MCP endpoint's: 400, for the upstream might take it for
    /// that endpoint.
    #[error("the path is another spelling of an endpoint's")]
    NearSpelling,
}

/// The resource that the proxy's route names, else the one at the request's host and path: an MCP
/// endpoint by its exact path, anything else by the longest prefix of whole segments.
///
/// Requests for metadata are to be found with [`metadata_for`] first.
///
/// # Errors
///
/// See [`ResourceFault`].
pub fn choose<'a>(
    resources: &'a [Arc<Resource>],
    incoming: &Incoming,
) -> Result<&'a Arc<Resource>, ResourceFault> {
    let head = &incoming.head;
    match &incoming.resource {
        Some(name) => named(resources, name, head),
        None => located(resources, head),
    }
}

/// The resource whose metadata a request asks for, or asks whether it may ask for, at the path with
/// the resource's own inserted; at the root only when a single resource owns the host (RFC 9728,
/// section 3.1).
pub fn metadata_for<'a>(
    resources: &'a [Arc<Resource>],
    incoming: &Incoming,
) -> Option<&'a Arc<Resource>> {
    let head = &incoming.head;
    if !matches!(head.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        return None;
    }
    metadata_among(resources, head.path.as_str(), |resource| {
        match &incoming.resource {
            Some(name) => *resource.name == **name,
            None => at_host(resource, head),
        }
    })
}

/// The resource whose metadata lives at a path of a listener of our own, under the host that it has
/// in the configuration. `authority` is as sent.
pub fn metadata_at<'a>(
    resources: &'a [Arc<Resource>],
    authority: &str,
    path: &str,
) -> Option<&'a Arc<Resource>> {
    metadata_among(resources, path, |resource| {
        normalise(authority, &resource.scheme).is_ok_and(|host| host == resource.authority)
    })
}

fn metadata_among<'a>(
    resources: &'a [Arc<Resource>],
    path: &str,
    is_asked_for: impl Fn(&Resource) -> bool,
) -> Option<&'a Arc<Resource>> {
    let inserted = path.strip_prefix(METADATA_PATH)?;
    let candidates = || resources.iter().filter(|resource| is_asked_for(resource));
    let exactly = || candidates().find(|resource| inserted == below_root(&resource.path));
    // Some clients take a slash from the end of the path before they insert it, and some do not.
    let spelled =
        || candidates().find(|it| it.path.ends_with('/') && is_without(inserted, &it.path));
    let only = || {
        let only = candidates().next()?;
        (inserted.is_empty() && owners(resources, only) == 1).then_some(only)
    };
    exactly().or_else(spelled).or_else(only)
}

/// Whether two paths differ by nothing but the slash at the end.
fn is_without(inserted: &str, path: &str) -> bool {
    let bare = |path: &'_ str| path.strip_suffix('/').unwrap_or(path).to_owned();
    bare(inserted) == bare(path)
}

fn named<'a>(
    resources: &'a [Arc<Resource>],
    name: &str,
    head: &Head,
) -> Result<&'a Arc<Resource>, ResourceFault> {
    let resource = resources
        .iter()
        .find(|resource| *resource.name == *name)
        .ok_or(ResourceFault::Unknown)?;
    let path = &head.path;
    match &resource.kind {
        ResourceKind::Mcp(_) if path.is_exactly(&resource.path) => Ok(resource),
        ResourceKind::Mcp(_) if path.near_spelling(&resource.path) => {
            Err(ResourceFault::NearSpelling)
        }
        ResourceKind::Mcp(_) => Err(ResourceFault::Unknown),
        ResourceKind::Http { .. } if is_near_an_endpoint(resources, head) => {
            Err(ResourceFault::NearSpelling)
        }
        ResourceKind::Http { .. } => Ok(resource),
    }
}

fn located<'a>(
    resources: &'a [Arc<Resource>],
    head: &Head,
) -> Result<&'a Arc<Resource>, ResourceFault> {
    if let Some(endpoint) = endpoints(resources, head).find(|it| head.path.is_exactly(&it.path)) {
        return Ok(endpoint);
    }
    if is_near_an_endpoint(resources, head) {
        return Err(ResourceFault::NearSpelling);
    }
    resources
        .iter()
        .filter(|resource| matches!(resource.kind, ResourceKind::Http { .. }))
        .filter(|resource| at_host(resource, head))
        .filter(|resource| is_prefix(&resource.path, head.path.as_str()))
        .max_by_key(|resource| segments(&resource.path).count())
        .ok_or(ResourceFault::Unknown)
}

/// The MCP endpoints at the request's host.
fn endpoints<'a>(
    resources: &'a [Arc<Resource>],
    head: &Head,
) -> impl Iterator<Item = &'a Arc<Resource>> {
    resources
        .iter()
        .filter(|resource| matches!(resource.kind, ResourceKind::Mcp(_)))
        .filter(move |resource| at_host(resource, head))
}

/// Whether the path is another spelling of an endpoint's, and not exactly that of another.
fn is_near_an_endpoint(resources: &[Arc<Resource>], head: &Head) -> bool {
    endpoints(resources, head).any(|endpoint| head.path.near_spelling(&endpoint.path))
        && !endpoints(resources, head).any(|endpoint| head.path.is_exactly(&endpoint.path))
}

/// Whether a request names the resource's host. TLS may end at the proxy, so that the request's
/// scheme says nothing; a port that is the default of the resource's scheme is none.
fn at_host(resource: &Resource, head: &Head) -> bool {
    head.host == resource.authority
        || without_default_port(&head.host, &resource.scheme) == resource.authority
}

/// How many resources have the host of this one.
fn owners(resources: &[Arc<Resource>], resource: &Resource) -> usize {
    resources
        .iter()
        .filter(|other| other.authority == resource.authority)
        .count()
}

/// A path as it is appended to another: the root is nothing.
fn below_root(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

fn is_prefix(prefix: &str, path: &str) -> bool {
    let mut rest = path.split('/').skip(1);
    segments(prefix).all(|expected| rest.next().is_some_and(|it| same_segment(it, expected)))
}

/// The segments of a prefix; the root, and a trailing slash, add none.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests;
