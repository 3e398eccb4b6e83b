//! The caller in a record, with what the policies' own files added to the credential.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// The caller as every record of it says; the same for as long as the token is. `own` is the caller
/// as the credential alone describes it.
pub fn principal(identity: &Identity, own: &Identity) -> Option<Box<RawValue>> {
    to_raw_value(&Who::of(identity, own)).ok()
}

#[derive(Serialize)]
struct Who<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    issuer: &'a str,
    subject: &'a str,
    client_id: &'a str,
    roles: &'a BTreeSet<String>,
    groups: &'a BTreeSet<String>,
    scopes: &'a BTreeSet<String>,
    tenant: &'a str,
    email: &'a str,
    audience: &'a BTreeSet<String>,
    claims: &'a BTreeMap<String, BTreeSet<String>>,
    authenticator: &'a str,
    /// What of the above is from `principals.yaml`, so that a record can be told under another.
    #[serde(skip_serializing_if = "Added::is_nothing")]
    added: Added<'a>,
}

#[derive(Default, Serialize)]
struct Added<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<&'a String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant: &'a str,
}

static NOTHING: BTreeSet<String> = BTreeSet::new();
static NO_CLAIMS: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();

impl<'a> Who<'a> {
    fn of(identity: &'a Identity, own: &'a Identity) -> Self {
        match (identity, own) {
            (Identity::Anonymous, _) => Self {
                kind: "Anonymous",
                id: "anonymous",
                issuer: "",
                subject: "",
                client_id: "",
                roles: &NOTHING,
                groups: &NOTHING,
                scopes: &NOTHING,
                tenant: "",
                email: "",
                audience: &NOTHING,
                claims: &NO_CLAIMS,
                authenticator: "",
                added: Added::default(),
            },
            (Identity::Verified(principal), Identity::Verified(own)) => Self {
                added: Added::to(own, principal),
                ..Self::verified(principal)
            },
            (Identity::Verified(principal), Identity::Anonymous) => Self::verified(principal),
        }
    }

    fn verified(principal: &'a Principal) -> Self {
        Self {
            kind: match principal.kind {
                PrincipalKind::User => "User",
                PrincipalKind::Client => "Client",
                PrincipalKind::ApiKey => "ApiKey",
            },
            id: &principal.id,
            issuer: &principal.issuer,
            subject: &principal.subject,
            client_id: &principal.client_id,
            roles: &principal.roles,
            groups: &principal.groups,
            scopes: &principal.scopes,
            tenant: &principal.tenant,
            email: &principal.email,
            audience: &principal.audience,
            claims: &principal.claims,
            authenticator: &principal.authenticator,
            added: Added::default(),
        }
    }
}

impl<'a> Added<'a> {
    fn to(own: &'a Principal, principal: &'a Principal) -> Self {
        Self {
            roles: principal.roles.difference(&own.roles).collect(),
            groups: principal.groups.difference(&own.groups).collect(),
            tenant: if own.tenant.is_empty() {
                &principal.tenant
            } else {
                ""
            },
        }
    }

    fn is_nothing(&self) -> bool {
        self.roles.is_empty() && self.groups.is_empty() && self.tenant.is_empty()
    }
}
