//! What the upstream is told about the caller, and under which names.

use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// What the upstream is told about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// What every header's name starts with, lower case, ending in `-`.
    pub prefix: String,
    /// The facts that are sent, each as `<prefix><field>`.
    pub send: Vec<IdentityField>,
}

/// A fact about the caller that an upstream may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityField {
    /// `subject`
    Subject,
    /// `client-id`
    ClientId,
    /// `roles`
    Roles,
    /// `groups`
    Groups,
    /// `scopes`
    Scopes,
    /// `issuer`
    Issuer,
    /// `tenant`
    Tenant,
    /// `email`
    Email,
    /// `name`
    Name,
}

/// Longest prefix, in bytes.
const LONGEST: usize = 64;

/// Headers under our prefix are removed from every request. These must never be.
const NOT_OURS: [&str; 12] = [
    "x-envoy-",
    "x-forwarded-",
    "x-request-id",
    "x-real-ip",
    "accept-encoding",
    "access-control-request-method",
    "cache-control",
    "content-type",
    "if-none-match",
    "last-event-id",
    "mcp-session-id",
    "sec-fetch-site",
];

pub(super) const FIELDS: [(&str, IdentityField); 9] = [
    ("subject", IdentityField::Subject),
    ("client-id", IdentityField::ClientId),
    ("roles", IdentityField::Roles),
    ("groups", IdentityField::Groups),
    ("scopes", IdentityField::Scopes),
    ("issuer", IdentityField::Issuer),
    ("tenant", IdentityField::Tenant),
    ("email", IdentityField::Email),
    ("name", IdentityField::Name),
];

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            prefix: "x-cedargate-".to_owned(),
            send: vec![
                IdentityField::Subject,
                IdentityField::ClientId,
                IdentityField::Roles,
                IdentityField::Scopes,
                IdentityField::Issuer,
                IdentityField::Tenant,
            ],
        }
    }
}

pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return headers;
    };
    if let Some(prefix) = map
        .optional("prefix")
        .and_then(|node| read_prefix(node, faults))
    {
        headers.prefix = prefix;
    }
    if let Some(node) = map.optional("send") {
        headers.send = read_send(node, faults);
    }
    map.finish(faults);
    headers
}

fn read_prefix(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    let help = if text.len() > LONGEST || !scalar::is_name(text) {
        format!("lower-case letters, digits and `-`, at most {LONGEST}")
    } else if text.starts_with('-') || !text.ends_with('-') {
        "it begins with a letter or a digit and ends in `-`".to_owned()
    } else if let Some(taken) = NOT_OURS
        .iter()
        .find(|name| name.starts_with(text) || text.starts_with(**name))
    {
        format!("headers under the prefix are removed from requests, and `{taken}` is in use")
    } else {
        return Some(text.to_owned());
    };
    let message = format!(
        "{} cannot be the prefix of identity headers",
        shown(node, text)
    );
    faults.error_help(&node.place, message, help);
    None
}

fn read_send(node: &Node, faults: &mut Faults<'_>) -> Vec<IdentityField> {
    let mut send = Vec::new();
    for item in scalar::list(node, faults).unwrap_or(&[]) {
        let Some(field) = scalar::word(item, &FIELDS, faults) else {
            continue;
        };
        if send.contains(&field) {
            faults.error(&item.place, "listed twice");
        } else {
            send.push(field);
        }
    }
    send
}
