//! What the upstream is told about the caller, and what is kept from it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::config::IdentityField;
use crate::config::IdentityHeaders;
use crate::identity::Identity;
use crate::identity::Principal;

/// A change to the request on its way to the upstream, or to the answer on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obligation {
    /// Set this header, overwriting what the client sent; the value may be empty.
    Set(String, String),
    /// Remove this header, whoever set it; its name is lower case.
    Remove(Cow<'static, str>),
    /// Set this header of the upstream's answer.
    Answer(&'static str, String),
}

/// Everything that comes with one allow.
#[derive(Clone, Debug, Default)]
pub struct Obligations {
    /// The identity headers, which are those of every request of a caller.
    identity: Arc<[Obligation]>,
    /// What this request asks for beside them.
    more: Vec<Obligation>,
}

impl Obligations {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Obligation> + Clone {
        self.identity.iter().chain(&self.more)
    }

    /// Adds what concerns the answer.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Obligation>) {
        self.more.extend(more);
    }
}

/// What lets a page of an accepted origin read the upstream's answer (Fetch standard, section 3.2.3).
pub fn readable_by(origin: &str) -> [Obligation; 3] {
    [
        Obligation::Answer("access-control-allow-origin", origin.to_owned()),
        Obligation::Answer("access-control-expose-headers", READABLE_HEADERS.to_owned()),
        Obligation::Answer("vary", "origin".to_owned()),
    ]
}

/// The headers of an answer that MCP clients read.
pub const READABLE_HEADERS: &str =
    "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce";

/// Headers that carry credentials at every resource: the upstream never sees them (RFC 9700, section 4.9).
const CREDENTIAL_HEADERS: [&str; 2] = ["authorization", "dpop"];

/// Every identity header that is sent, for this caller; the value of an absent fact is empty.
pub fn identity(identity: &Identity, headers: &IdentityHeaders) -> Arc<[Obligation]> {
    let value_of = |field| match identity {
        Identity::Anonymous => String::new(),
        Identity::Verified(principal) => value(principal, field),
    };
    headers
        .send
        .iter()
        .map(|field| {
            let name = format!("{}{}", headers.prefix, field_name(*field));
            Obligation::Set(name, value_of(*field))
        })
        .collect()
}

/// The obligations that come with an allow: every identity header in `set` is set; the credentials,
/// also those in the `key_headers` that the resource's authenticators name, and every header in
/// `spoofed`, in the spelling that the client used, are removed.
pub fn obligations(
    set: &Arc<[Obligation]>,
    spoofed: &[String],
    key_headers: &[String],
) -> Obligations {
    let also = key_headers.iter().chain(spoofed);
    let removed = CREDENTIAL_HEADERS
        .map(Cow::Borrowed)
        .into_iter()
        .chain(also.map(|name| Cow::Owned(name.to_ascii_lowercase())));
    let is_ours = |name: &str| {
        set.iter()
            .any(|o| matches!(o, Obligation::Set(ours, _) if ours.eq_ignore_ascii_case(name)))
    };
    Obligations {
        identity: Arc::clone(set),
        more: removed
            .filter(|name| !is_ours(name))
            .map(Obligation::Remove)
            .collect(),
    }
}

/// The name that follows the prefix.
pub fn field_name(field: IdentityField) -> &'static str {
    match field {
        IdentityField::Subject => "subject",
        IdentityField::ClientId => "client-id",
        IdentityField::Roles => "roles",
        IdentityField::Groups => "groups",
        IdentityField::Scopes => "scopes",
        IdentityField::Issuer => "issuer",
        IdentityField::Tenant => "tenant",
        IdentityField::Email => "email",
        IdentityField::Name => "name",
    }
}

fn value(principal: &Principal, field: IdentityField) -> String {
    match field {
        IdentityField::Subject => item(&principal.subject),
        IdentityField::ClientId => item(&principal.client_id),
        IdentityField::Roles => list(&principal.roles),
        IdentityField::Groups => list(&principal.groups),
        IdentityField::Scopes => list(&principal.scopes),
        IdentityField::Issuer => item(&principal.issuer),
        IdentityField::Tenant => item(&principal.tenant),
        IdentityField::Email => item(&principal.email),
        IdentityField::Name => item(&principal.name),
    }
}

fn list<'a>(values: impl IntoIterator<Item = &'a String>) -> String {
    let mut out = String::new();
    for value in values {
        if !out.is_empty() {
            out.push(',');
        }
        push_item(&mut out, value);
    }
    out
}

fn item(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    push_item(&mut out, value);
    out
}

/// Appends one item. An item with a comma, a percent sign, a control or a non-ASCII character, or a
/// blank at an end, is percent-encoded at those places, so that no two items look alike.
fn push_item(out: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let blank_at_end = byte == b' ' && (at == 0 || at == last);
        if matches!(byte, 0x20..=0x7e) && !matches!(byte, b',' | b'%') && !blank_at_end {
            out.push(char::from(byte));
        } else {
            const HEX: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
            ];
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn items_cannot_be_mistaken_for_one_another() {
        for (value, expected) in [
            ("plain", "plain"),
            ("a,b", "a%2Cb"),
            ("a%2Cb", "a%252Cb"),
            ("z\u{e9}", "z%C3%A9"),
            ("line\nbreak", "line%0Abreak"),
            (" x ", "%20x%20"),
            ("a b", "a b"),
            ("", ""),
        ] {
            assert_eq!(item(value), expected, "{value:?}");
        }
        let set = BTreeSet::from(["a,b".to_owned(), "c".to_owned()]);
        assert_eq!(list(&set), "a%2Cb,c");
    }

    #[test]
    fn a_header_is_never_both_set_and_removed() {
        let headers = IdentityHeaders {
            prefix: "x-cedargate-".to_owned(),
            send: vec![IdentityField::Subject, IdentityField::Roles],
        };
        let spoofed = [
            "x-cedargate-roles",
            "x_cedargate_roles",
            "x-cedargate-admin",
        ]
        .map(ToOwned::to_owned);
        let keys = ["x-api-key", "x-cedargate-subject"].map(ToOwned::to_owned);
        let set = identity(&Identity::Anonymous, &headers);
        let out = obligations(&set, &spoofed, &keys);
        let set: Vec<&str> = out
            .iter()
            .filter_map(|o| match o {
                Obligation::Set(name, _) => Some(name.as_str()),
                Obligation::Remove(_) | Obligation::Answer(..) => None,
            })
            .collect();
        let removed: Vec<&str> = out
            .iter()
            .filter_map(|o| match o {
                Obligation::Remove(name) => Some(&**name),
                Obligation::Set(..) | Obligation::Answer(..) => None,
            })
            .collect();
        assert_eq!(set, ["x-cedargate-subject", "x-cedargate-roles"]);
        assert_eq!(
            removed,
            [
                "authorization",
                "dpop",
                "x-api-key",
                "x_cedargate_roles",
                "x-cedargate-admin"
            ]
        );
    }
}
