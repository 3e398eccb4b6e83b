//! A line of the decision log, read back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::replay::arguments;
use crate::cli::replay::arguments::Known;
use crate::cli::replay::arguments::Recorded;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// Why a line is no decision record.
#[derive(Debug, Error)]
pub(super) enum LineFault {
    #[error("longer than {0} bytes")]
    Long(usize),
    #[error("not a decision record: {0}")]
    Form(#[from] serde_json::Error),
    #[error("not a decision record: not a JSON object")]
    NotAnObject,
    #[error("`timestamp` is not a time")]
    Timestamp(#[from] time::error::Parse),
    #[error("`decision` and `reason` do not agree")]
    Decision,
}

/// A record, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) decision_id: Cow<'a, str>,
    #[serde(borrow)]
    decision: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) reason: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) target: Cow<'a, str>,
    /// Absent in records of versions that could not be told.
    pub(super) operations: Option<u64>,
    /// Those after the first, as far as they are recorded.
    #[serde(borrow, default)]
    pub(super) more_operations: Vec<Another<'a>>,
    #[serde(borrow)]
    pub(super) principal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) context: Context<'a>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    #[serde(default)]
    pub(super) forbidden_by: Vec<String>,
    #[serde(borrow, default)]
    pub(super) request_id: Cow<'a, str>,
}

/// An operation after the first.
#[derive(Debug, Deserialize)]
pub(super) struct Another<'a> {
    #[serde(borrow)]
    pub(super) action: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) target: Cow<'a, str>,
}

/// The circumstances in a record.
#[derive(Debug, Deserialize)]
pub(super) struct Context<'a> {
    #[serde(default)]
    pub(super) client_ip: Option<IpAddr>,
    #[serde(borrow, default)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) host: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) path: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) origin: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: BTreeMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow, default)]
    arguments_recorded: Cow<'a, str>,
    #[serde(default)]
    absent_arguments: Vec<String>,
    #[serde(default)]
    ambiguous_arguments: BTreeSet<String>,
}

impl<'a> Record<'a> {
    /// The record on a line.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, LineFault> {
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(LineFault::NotAnObject);
        }
        let record: Self = serde_json::from_slice(line)?;
        let agrees = match &*record.decision {
            "allow" => record.reason == "allowed",
            "deny" => record.reason != "allowed",
            _ => false,
        };
        if agrees {
            Ok(record)
        } else {
            Err(LineFault::Decision)
        }
    }

    /// Whether it was an allow.
    pub(super) fn allowed(&self) -> bool {
        self.decision == "allow"
    }

    /// Milliseconds since 1970.
    pub(super) fn now_ms(&self) -> Result<i64, LineFault> {
        let at = OffsetDateTime::parse(&self.timestamp, &Rfc3339)?;
        let ms = at.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

impl Context<'_> {
    /// What is known of the arguments; absent where that cannot be understood.
    pub(super) fn arguments(&self) -> Option<Known> {
        arguments::read(&Recorded {
            values: &self.arguments,
            extent: &self.arguments_recorded,
            absent: &self.absent_arguments,
            ambiguous: &self.ambiguous_arguments,
        })
    }
}

/// The caller in a record.
#[derive(Debug, Deserialize)]
struct Who {
    #[serde(rename = "type")]
    kind: Kind,
    id: String,
    issuer: String,
    subject: String,
    client_id: String,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    scopes: BTreeSet<String>,
    tenant: String,
    email: String,
    audience: BTreeSet<String>,
    claims: BTreeMap<String, BTreeSet<String>>,
    authenticator: Arc<str>,
    #[serde(default)]
    added: Added,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Kind {
    User,
    Client,
    ApiKey,
    Anonymous,
}

/// What `principals.yaml` had added.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Added {
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    tenant: String,
}

/// The caller, as the credential alone described him.
pub(super) fn caller(principal: &RawValue) -> Result<Identity, serde_json::Error> {
    let who: Who = serde_json::from_str(principal.get())?;
    let kind = match who.kind {
        Kind::Anonymous => return Ok(Identity::Anonymous),
        Kind::User => PrincipalKind::User,
        Kind::Client => PrincipalKind::Client,
        Kind::ApiKey => PrincipalKind::ApiKey,
    };
    let added = who.added;
    Ok(Identity::Verified(Arc::new(Principal {
        kind,
        id: who.id,
        authenticator: who.authenticator,
        issuer: who.issuer,
        subject: who.subject,
        client_id: who.client_id,
        tenant: if added.tenant.is_empty() {
            who.tenant
        } else {
            String::new()
        },
        email: who.email,
        name: String::new(),
        roles: without(who.roles, &added.roles),
        groups: without(who.groups, &added.groups),
        scopes: who.scopes,
        audience: who.audience,
        claims: who.claims,
    })))
}

fn without(mut names: BTreeSet<String>, added: &BTreeSet<String>) -> BTreeSet<String> {
    names.retain(|name| !added.contains(name));
    names
}
