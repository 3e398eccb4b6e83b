//! Who asked, and when, in an explanation.

use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::identity::Identity;
use crate::identity::PrincipalKind;
use crate::request::RequestContext;

#[derive(Serialize)]
pub(super) struct Principal<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    client_id: &'a str,
    roles: Vec<&'a str>,
    groups: Vec<&'a str>,
    scopes: Vec<&'a str>,
    tenant: &'a str,
}

#[derive(Serialize)]
pub(super) struct Context<'a> {
    client_ip: Option<IpAddr>,
    now: Option<String>,
    origin: &'a str,
}

impl<'a> Principal<'a> {
    pub(super) fn of(identity: &'a Identity) -> Self {
        match identity {
            Identity::Anonymous => Self {
                kind: "Anonymous",
                id: "anonymous",
                client_id: "",
                roles: Vec::new(),
                groups: Vec::new(),
                scopes: Vec::new(),
                tenant: "",
            },
            Identity::Verified(principal) => Self {
                kind: match principal.kind {
                    PrincipalKind::User => "User",
                    PrincipalKind::Client => "Client",
                    PrincipalKind::ApiKey => "ApiKey",
                },
                id: &principal.id,
                client_id: &principal.client_id,
                roles: strs(&principal.roles),
                groups: strs(&principal.groups),
                scopes: strs(&principal.scopes),
                tenant: &principal.tenant,
            },
        }
    }
}

impl<'a> Context<'a> {
    pub(super) fn of(context: &'a RequestContext) -> Self {
        Self {
            client_ip: context.client_ip,
            now: time(context.now_ms),
            origin: &context.origin,
        }
    }
}

pub(super) fn strs<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    names.into_iter().map(String::as_str).collect()
}

/// As records write it; absent for a time that has no such form.
fn time(now_ms: i64) -> Option<String> {
    let nanoseconds = i128::from(now_ms).saturating_mul(1_000_000);
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
    at.format(&Rfc3339).ok()
}
