//! A request as people describe it: the form of a policy test.

mod document;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use self::document::from_json;
use crate::config::Resource;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::AccessRequest;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::Thing;

/// What holds where the description is silent: 2026-01-01T12:00:00Z.
const DEFAULT_NOW_MS: i64 = 1_767_268_800_000;

/// What holds where the description is silent: an address of documentation (RFC 5737).
const DEFAULT_CLIENT_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A description that cannot be used.
#[derive(Debug, Error)]
pub enum CaseFault {
    /// There is no target.
    #[error(
        "name a target: one of tool, uri, prompt, server, task or route, as in `--tool weather/get_forecast`, \
         or a file that does with `--request`"
    )]
    NoTarget,
    /// There are two targets.
    #[error("name only one of tool, uri, prompt, server, task and route")]
    TwoTargets,
    /// A target without a name.
    #[error("`{0}` is not `<resource>/<name>`, as in `weather/get_forecast`")]
    Target(String),
    /// A resource that is not configured.
    #[error("no resource of the configuration is named `{name}`; there is {known}")]
    Resource {
        /// As asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// An unknown action.
    #[error("action `{0}` is not in the schema; `cedargate schema cedar` lists them")]
    Action(String),
    /// A server alone.
    #[error("a server as target needs an action, such as `tools/list`")]
    NoAction,
    /// An unknown kind of caller.
    #[error("principal type `{0}` is none of User, Client, ApiKey, Anonymous")]
    PrincipalType(String),
    /// A time that is none.
    #[error("`now` is not a time such as 2026-01-01T12:00:00Z")]
    Now(#[source] time::error::Parse),
    /// Arguments that are no object.
    #[error("the arguments are not a JSON object, or an object in them repeats a member")]
    Arguments,
}

/// A described request, ready to decide.
#[derive(Debug)]
pub struct Case {
    /// Who asks.
    pub identity: Identity,
    /// What is asked.
    pub request: AccessRequest,
}

impl Case {
    /// Whether an issuer could give the caller more scopes: not to the holder of a key.
    pub fn has_issuer(&self) -> bool {
        match &self.identity {
            Identity::Anonymous => true,
            Identity::Verified(principal) => principal.kind != PrincipalKind::ApiKey,
        }
    }
}

/// The description, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// Who asks.
    pub principal: WrittenPrincipal,
    /// The action, where the target's usual one is not meant.
    pub action: Option<String>,
    /// `<resource>/<tool>`
    pub tool: Option<String>,
    /// `<resource>/<uri>`
    pub uri: Option<String>,
    /// `<resource>/<prompt>`
    pub prompt: Option<String>,
    /// `<resource>`
    pub server: Option<String>,
    /// `<resource>/<task>`
    pub task: Option<String>,
    /// `<resource>/<route>`
    pub route: Option<String>,
    /// The arguments of the call, a JSON object.
    pub arguments: Option<Value>,
    /// The circumstances.
    pub context: WrittenContext,
}

/// The caller, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenPrincipal {
    /// `User`, `Client`, `ApiKey` or `Anonymous`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Who vouches for the caller.
    pub issuer: String,
    /// The subject; the id of an API key.
    pub subject: String,
    /// The OAuth client.
    pub client_id: String,
    /// The roles.
    pub roles: BTreeSet<String>,
    /// The groups.
    pub groups: BTreeSet<String>,
    /// The scopes.
    pub scopes: BTreeSet<String>,
    /// The tenant.
    pub tenant: String,
    /// The verified e-mail address.
    pub email: String,
    /// The audiences.
    pub audience: BTreeSet<String>,
    /// Other claims, by name.
    pub claims: BTreeMap<String, BTreeSet<String>>,
}

/// The circumstances, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenContext {
    /// The client's address.
    pub client_ip: Option<IpAddr>,
    /// The time (RFC 3339).
    pub now: Option<String>,
    /// The origin of the page that asks.
    pub origin: String,
}

impl Case {
    /// Whether `serve` could ever be asked this: it answers 404 for what is not configured.
    pub fn is_possible(&self, resources: &[Arc<Resource>]) -> Result<(), CaseFault> {
        let name = &self.request.operations.first.target.server;
        if resources.iter().any(|resource| resource.name == *name) {
            return Ok(());
        }
        let known: Vec<_> = resources.iter().map(|r| format!("`{}`", r.name)).collect();
        Err(CaseFault::Resource {
            name: name.to_string(),
            known: known.join(", "),
        })
    }
}

impl Written {
    /// The request that is described.
    pub fn case(self) -> Result<Case, CaseFault> {
        let mut operation = self.operation()?;
        operation.arguments = self.arguments()?;
        let now_ms = self.context.now_ms()?;
        let context = RequestContext {
            origin: self.context.origin,
            client_ip: Some(self.context.client_ip.unwrap_or(DEFAULT_CLIENT_IP)),
            now_ms,
            ..RequestContext::default()
        };
        let operations = Operations {
            first: operation,
            rest: Vec::new(),
        };
        let identity = self.principal.identity()?;
        Ok(Case {
            identity,
            request: AccessRequest {
                operations,
                context,
            },
        })
    }

    /// Everything that keeps it from being a request.
    fn faults(&self) -> Vec<CaseFault> {
        [
            self.operation().err(),
            self.arguments().err(),
            self.context.now_ms().err(),
            self.principal.kind().err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn arguments(&self) -> Result<Arguments, CaseFault> {
        match &self.arguments {
            None => Ok(Arguments::None),
            Some(value @ Value::Object(_)) => Ok(Arguments::Json(Bytes::from(value.to_string()))),
            Some(_) => Err(CaseFault::Arguments),
        }
    }

    fn operation(&self) -> Result<Operation, CaseFault> {
        let named = |text: &Option<String>, usual: Action, thing: fn(String) -> Thing| {
            text.as_ref().map(|text| {
                let (server, name) = text
                    .split_once('/')
                    .ok_or_else(|| CaseFault::Target(text.clone()))?;
                Ok((server.to_owned(), thing(name.to_owned()), Some(usual)))
            })
        };
        let server = self
            .server
            .as_ref()
            .map(|name| Ok((name.clone(), Thing::Server, None)));
        let mut targets = [
            named(&self.tool, Action::ToolsCall, Thing::Tool),
            named(&self.uri, Action::ResourcesRead, Thing::Resource),
            named(&self.prompt, Action::PromptsGet, Thing::Prompt),
            named(&self.task, Action::TasksGet, Thing::Task),
            named(&self.route, Action::Get, |name| {
                Thing::Route(Arc::from(name))
            }),
            server,
        ]
        .into_iter()
        .flatten();
        let (server, thing, usual) = targets.next().ok_or(CaseFault::NoTarget)??;
        if targets.next().is_some() {
            return Err(CaseFault::TwoTargets);
        }
        let action = match &self.action {
            Some(name) => Action::ALL
                .into_iter()
                .find(|action| action.as_str() == name)
                .ok_or_else(|| CaseFault::Action(name.clone()))?,
            None => usual.ok_or(CaseFault::NoAction)?,
        };
        Ok(Operation {
            action,
            target: Target {
                server: Arc::from(server),
                thing,
            },
            arguments: Arguments::None,
        })
    }
}

impl WrittenContext {
    fn now_ms(&self) -> Result<i64, CaseFault> {
        let Some(text) = &self.now else {
            return Ok(DEFAULT_NOW_MS);
        };
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(CaseFault::Now)?;
        let ms = at.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

impl WrittenPrincipal {
    /// The kind of a caller; absent for a stranger.
    fn kind(&self) -> Result<Option<PrincipalKind>, CaseFault> {
        match self.kind.as_deref() {
            Some("Anonymous") => Ok(None),
            Some("User") | None => Ok(Some(PrincipalKind::User)),
            Some("Client") => Ok(Some(PrincipalKind::Client)),
            Some("ApiKey") => Ok(Some(PrincipalKind::ApiKey)),
            Some(other) => Err(CaseFault::PrincipalType(other.to_owned())),
        }
    }

    /// The caller that is described.
    pub fn identity(self) -> Result<Identity, CaseFault> {
        let Some(kind) = self.kind()? else {
            return Ok(Identity::Anonymous);
        };
        let id = match kind {
            PrincipalKind::User => format!("{}#{}", self.issuer, self.subject),
            PrincipalKind::Client => format!("{}#{}", self.issuer, self.client_id),
            PrincipalKind::ApiKey => self.subject.clone(),
        };
        Ok(Identity::Verified(Arc::new(Principal {
            kind,
            id,
            authenticator: Arc::from(""),
            issuer: self.issuer,
            subject: self.subject,
            client_id: self.client_id,
            tenant: self.tenant,
            email: self.email,
            name: String::new(),
            roles: self.roles,
            groups: self.groups,
            scopes: self.scopes,
            audience: self.audience,
            claims: self.claims,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let written: Written = serde_saphyr::from_str(text).unwrap();
        written.case().unwrap_err().to_string()
    }

    #[test]
    fn a_description_becomes_a_request() {
        let text = "principal: {subject: alice, issuer: i, roles: [viewer]}\n\
                    tool: weather/a/b\narguments: {city: Berne}\n\
                    context: {now: \"2026-01-01T00:00:00Z\"}\n";
        let case = serde_saphyr::from_str::<Written>(text)
            .unwrap()
            .case()
            .unwrap();
        let operation = &case.request.operations.first;
        assert_eq!(operation.action, Action::ToolsCall);
        assert_eq!(operation.target.thing, Thing::Tool("a/b".to_owned()));
        assert_eq!(case.request.context.now_ms, 1_767_225_600_000);
        let Identity::Verified(principal) = case.identity else {
            panic!("a user")
        };
        assert_eq!(principal.id, "i#alice");
    }

    #[test]
    fn every_fault_says_what_to_do() {
        for (text, expected) in [
            ("{}", "one of tool"),
            ("{tool: a/b, prompt: a/c}", "only one of"),
            ("{tool: ab}", "`ab` is not"),
            ("{server: a}", "needs an action"),
            (
                "{server: a, action: tools/lst}",
                "`tools/lst` is not in the schema",
            ),
            ("{tool: a/b, arguments: [1]}", "not a JSON object"),
            (
                "{tool: a/b, principal: {type: Robot}}",
                "`Robot` is none of",
            ),
            (
                "{tool: a/b, context: {now: yesterday}}",
                "`now` is not a time",
            ),
        ] {
            assert!(fault(text).contains(expected), "{text}: {}", fault(text));
        }
    }
}
