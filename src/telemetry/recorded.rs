//! A line of the decision log, read back.

mod arguments;
pub mod remake;
mod target;

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

use crate::config::Config;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::telemetry::recorded::arguments::Known;
use crate::telemetry::recorded::arguments::Recorded;

/// Why a line is no decision record.
#[derive(Debug, Error)]
pub enum LineFault {
    /// It is too long.
    #[error("longer than {0} bytes")]
    Long(usize),
    /// It is not JSON of this form.
    #[error("not a decision record: {0}")]
    Form(#[from] serde_json::Error),
    /// It is JSON of another kind.
    #[error("not a decision record: not a JSON object")]
    NotAnObject,
    /// The time is none.
    #[error("`timestamp` is not a time")]
    Timestamp(#[from] time::error::Parse),
    /// It contradicts itself.
    #[error("`decision` and `reason` do not agree")]
    Decision,
}

/// A record, as far as it is needed.
#[derive(Debug, Deserialize)]
pub struct Record<'a> {
    /// When, as written.
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    /// The id of the decision.
    #[serde(borrow)]
    pub decision_id: Cow<'a, str>,
    #[serde(borrow)]
    decision: Cow<'a, str>,
    /// The reason.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// The action.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// The target, as a Cedar entity.
    #[serde(borrow)]
    pub target: Cow<'a, str>,
    /// Absent in records of versions that could not be told.
    pub operations: Option<u64>,
    /// Those after the first, as far as they are recorded.
    #[serde(borrow, default)]
    pub more_operations: Vec<Another<'a>>,
    /// The caller, where one is known.
    #[serde(borrow)]
    pub principal: Option<&'a RawValue>,
    /// The circumstances.
    #[serde(borrow)]
    pub context: Context<'a>,
    /// The permits that held.
    #[serde(default)]
    pub policies: Vec<String>,
    /// The forbids that held or failed.
    #[serde(default)]
    pub forbidden_by: Vec<String>,
    /// The id of the request.
    #[serde(borrow, default)]
    pub request_id: Cow<'a, str>,
}

/// An operation after the first.
#[derive(Debug, Deserialize)]
pub struct Another<'a> {
    /// The action.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// The target, as a Cedar entity.
    #[serde(borrow)]
    pub target: Cow<'a, str>,
}

/// The circumstances in a record.
#[derive(Debug, Deserialize)]
pub struct Context<'a> {
    /// The client's address.
    #[serde(default)]
    pub client_ip: Option<IpAddr>,
    /// The method.
    #[serde(borrow, default)]
    pub method: Cow<'a, str>,
    /// The host.
    #[serde(borrow, default)]
    pub host: Cow<'a, str>,
    /// The path.
    #[serde(borrow, default)]
    pub path: Cow<'a, str>,
    /// The origin.
    #[serde(borrow, default)]
    pub origin: Cow<'a, str>,
    /// The protocol revision.
    #[serde(borrow, default)]
    pub protocol_version: Cow<'a, str>,
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
    pub fn parse(line: &'a [u8]) -> Result<Self, LineFault> {
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
    pub fn allowed(&self) -> bool {
        self.decision == "allow"
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> Result<i64, LineFault> {
        let at = OffsetDateTime::parse(&self.timestamp, &Rfc3339)?;
        let ms = at.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

impl Context<'_> {
    /// What is known of the arguments; absent where that cannot be understood.
    fn arguments(&self) -> Option<Known> {
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
pub fn caller(principal: &RawValue) -> Result<Identity, serde_json::Error> {
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

/// Whether an issuer vouches for the caller; absent where the configuration does not know who does.
pub fn has_issuer(identity: &Identity, config: &Config) -> Option<bool> {
    let Identity::Verified(principal) = identity else {
        return Some(false);
    };
    let mut all = config.authenticators.iter();
    let found = all.find(|one| one.name == principal.authenticator)?;
    Some(found.kind.tokens().is_some())
}
