//! What the operator says of callers who bring nothing that says it for them.

use std::collections::BTreeSet;

use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::resource;
use crate::config::scalar;
use crate::config::yaml::Node;

/// What the operator says of a caller who has no token to say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The tenant, or empty.
    pub tenant: String,
}

/// Reads `roles`, `groups`, `scopes` and `tenant` of a mapping that has other keys as well.
pub(super) fn read(map: &mut Mapping<'_>, faults: &mut Faults<'_>) -> Grants {
    let mut texts = |map: &mut Mapping<'_>, key| {
        map.optional(key)
            .and_then(|node| scalar::texts(node, faults))
            .unwrap_or_default()
    };
    let roles = texts(map, "roles");
    let groups = texts(map, "groups");
    let scopes = map
        .optional("scopes")
        .map(|node| resource::read_scopes(node, faults))
        .unwrap_or_default();
    let tenant = map
        .optional("tenant")
        .and_then(|node| read_tenant(node, faults));
    Grants {
        roles: roles.into_iter().collect(),
        groups: groups.into_iter().collect(),
        scopes: scopes.into_iter().collect(),
        tenant: tenant.unwrap_or_default(),
    }
}

fn read_tenant(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    if scalar::text(node, faults)?.is_empty() {
        return Some(String::new());
    }
    scalar::filled(node, faults).map(str::to_owned)
}
