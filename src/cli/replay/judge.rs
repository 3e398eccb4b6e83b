//! One record, decided again: what was, what would be, and what cannot be told.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::cli::replay::arguments::Arguments;
use crate::cli::replay::record;
use crate::cli::replay::record::LineFault;
use crate::cli::replay::record::Record;
use crate::cli::replay::target;
use crate::config::Config;
use crate::config::ResourceKind;
use crate::decision::Decision;
use crate::decision::Reason;
use crate::decision::Telling;
use crate::decision::decide;
use crate::identity::Identity;
use crate::identity::PrincipalKind;
use crate::policy::Foresight;
use crate::policy::Gaps;
use crate::policy::Part;
use crate::policy::PolicySnapshot;
use crate::policy::PrincipalFacts;
use crate::request::AccessRequest;
use crate::request::Action;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;
use crate::telemetry::record::may_be_cut;

/// Most callers that are remembered; then all are forgotten.
const MOST_CALLERS: usize = 8_192;

/// Reasons of this program and of its contract that policies have no part in.
const NOT_BY_POLICY: [&str; 10] = [
    "invalid_credential",
    "malformed_request",
    "header_mismatch",
    "unsupported_version",
    "origin_not_allowed",
    "session_mismatch",
    "unknown_resource",
    "rate_limited",
    "issuer_unavailable",
    "internal_error",
];

/// What came of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It was refused for something that policies have no part in.
    NotByPolicy,
    /// The record does not hold what is needed.
    Unclear(Unclear),
    /// As before.
    Unchanged,
    /// Something would be different.
    Changed(Change),
}

/// What cannot be told, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unclear {
    pub(super) why: String,
    /// The policies that need it.
    pub(super) policies: Vec<String>,
    pub(super) action: String,
    pub(super) target: String,
}

/// What would be different.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub(super) kind: ChangeKind,
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) target: String,
    /// The reason in the record.
    pub(super) was: String,
    /// The policies in the record.
    pub(super) was_by: Vec<String>,
    /// The reason now; empty where only the decision is known.
    pub(super) now: String,
    /// The determining policies now.
    pub(super) now_by: Vec<String>,
}

/// The kinds of change, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChangeKind {
    DenyToAllow,
    AllowToDeny,
    /// The decision is the same.
    Reason,
}

/// Decides records again; one for each thread.
pub(super) struct Judge<'a> {
    config: &'a Config,
    policies: &'a PolicySnapshot,
    callers: HashMap<Box<str>, Arc<Caller>>,
}

struct Caller {
    identity: Identity,
    facts: PrincipalFacts,
    /// Absent where the configuration does not know who vouched for him.
    has_issuer: Option<bool>,
    shown: String,
}

/// A decision again.
struct Again {
    allow: bool,
    reason: Option<Reason>,
    policies: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(config: &'a Config, policies: &'a PolicySnapshot) -> Self {
        Self {
            config,
            policies,
            callers: HashMap::new(),
        }
    }

    /// Decides again, and compares.
    pub(super) fn judge(&mut self, record: &Record<'_>) -> Result<Finding, LineFault> {
        let reason = &*record.reason;
        if NOT_BY_POLICY.contains(&reason) {
            return Ok(Finding::NotByPolicy);
        }
        let unclear = |why: &str| Ok(unclear(record, why.to_owned(), Vec::new()));
        if !Reason::ALL.iter().any(|known| known.as_str() == reason) {
            return unclear("the reason is not one that this version knows");
        }
        let Some(operations) = record.operations else {
            return unclear("the record is of an older version, which kept less");
        };
        let Some(principal) = record.principal.filter(|_| operations > 0) else {
            return if record.allowed() {
                unclear("the record does not say who was allowed what")
            } else {
                Ok(Finding::NotByPolicy)
            };
        };
        let Some(caller) = self.caller(principal) else {
            return unclear("the record does not describe the caller as this version does");
        };
        match self.request(record)? {
            Ok((request, gaps)) => Ok(self.compare(record, &caller, &request, &gaps)),
            Err(why) => unclear(&why),
        }
    }

    fn compare(
        &self,
        record: &Record<'_>,
        caller: &Caller,
        request: &AccessRequest,
        gaps: &Gaps,
    ) -> Finding {
        let first = &request.operations.first;
        let foresight = self
            .policies
            .foresee(first, &request.context, &caller.facts, gaps);
        let again = match foresight {
            Foresight::Whole => self.again(caller, request),
            Foresight::Decided { allow, policies } => Again {
                allow,
                reason: None,
                policies: policies.iter().map(ToString::to_string).collect(),
            },
            Foresight::Unclear { missing, policies } => {
                let missing: Vec<String> = missing.into_iter().collect();
                let why = format!("not recorded: {}", missing.join(", "));
                let policies = policies.iter().map(ToString::to_string).collect();
                return unclear(record, why, policies);
            }
        };
        let others = record.operations.unwrap_or(0).saturating_sub(1);
        if others > 0 && again.allow {
            let why = format!("not recorded: {others} more operations of the request");
            return unclear(record, why, Vec::new());
        }
        again.against(record, caller, others == 0)
    }

    fn again(&self, caller: &Caller, request: &AccessRequest) -> Again {
        let telling = Telling {
            roles: true,
            has_issuer: caller.has_issuer.unwrap_or(true),
        };
        let (identity, facts) = (&caller.identity, &caller.facts);
        let decision = decide(request, identity, facts, self.policies, telling);
        let reason = Some(decision.reason());
        let (allow, policies) = match decision {
            Decision::Allow(grant) => (true, grant.policies),
            Decision::Deny(denial) => (false, denial.forbidden_by),
        };
        Again {
            allow,
            reason,
            policies: policies.iter().map(ToString::to_string).collect(),
        }
    }

    /// The caller, with what the policies' own files add to him.
    fn caller(&mut self, principal: &RawValue) -> Option<Arc<Caller>> {
        if let Some(caller) = self.callers.get(principal.get()) {
            return Some(Arc::clone(caller));
        }
        let identity = self
            .policies
            .enrich_identity(&record::caller(principal).ok()?);
        let caller = Arc::new(Caller {
            facts: self.policies.facts(&identity),
            has_issuer: self.has_issuer(&identity),
            shown: shown(&identity),
            identity,
        });
        if self.callers.len() >= MOST_CALLERS {
            self.callers.clear();
        }
        self.callers
            .insert(principal.get().into(), Arc::clone(&caller));
        Some(caller)
    }

    fn has_issuer(&self, identity: &Identity) -> Option<bool> {
        let Identity::Verified(principal) = identity else {
            return Some(false);
        };
        let mut all = self.config.authenticators.iter();
        let found = all.find(|one| one.name == principal.authenticator)?;
        Some(found.kind.tokens().is_some())
    }

    /// The request, and what is not known of it; or why it cannot be made again.
    fn request(
        &self,
        record: &Record<'_>,
    ) -> Result<Result<(AccessRequest, Gaps), String>, LineFault> {
        let now_ms = record.now_ms()?;
        let mut actions = Action::ALL.into_iter();
        let Some(action) = actions.find(|action| action.as_str() == record.action) else {
            return Ok(Err(
                "the action is not one that this version knows".to_owned()
            ));
        };
        let Some(target) = target::parse(&record.target) else {
            return Ok(Err(if may_be_cut(&record.target) {
                "the target was too long to be recorded whole".to_owned()
            } else {
                "the target is not one that this version knows".to_owned()
            }));
        };
        if let Err(why) = self.is_configured(&target, action) {
            return Ok(Err(why));
        }
        let Some(arguments) = record.context.arguments() else {
            return Ok(Err(
                "the arguments are not recorded as this version does".to_owned()
            ));
        };
        Ok(Ok(put_together(record, action, target, arguments, now_ms)))
    }

    fn is_configured(&self, target: &Target, action: Action) -> Result<(), String> {
        let mut all = self.config.resources.iter();
        let Some(resource) = all.find(|resource| resource.name == target.server) else {
            let name = &target.server;
            return Err(format!("the configuration has no resource `{name}`"));
        };
        if matches!(resource.kind, ResourceKind::Http { .. }) == action.is_http() {
            Ok(())
        } else {
            let name = &target.server;
            Err(format!(
                "in the configuration, `{name}` is another kind of resource"
            ))
        }
    }
}

impl Again {
    /// What has changed; `only` says that there was no other operation.
    fn against(self, record: &Record<'_>, caller: &Caller, only: bool) -> Finding {
        let was = &*record.reason;
        let was_by = if record.allowed() {
            &record.policies
        } else {
            &record.forbidden_by
        };
        let kind = match (record.allowed(), self.allow) {
            (false, true) => ChangeKind::DenyToAllow,
            (true, false) => ChangeKind::AllowToDeny,
            (true, true) | (false, false) => {
                let told = self.reason.filter(|_| only && caller.has_issuer.is_some());
                match told {
                    Some(now) if now.as_str() != was || self.policies != *was_by => {
                        ChangeKind::Reason
                    }
                    Some(_) | None => return Finding::Unchanged,
                }
            }
        };
        Finding::Changed(Change {
            kind,
            principal: caller.shown.clone(),
            action: record.action.to_string(),
            target: record.target.to_string(),
            was: was.to_owned(),
            was_by: was_by.clone(),
            now: self.reason.map_or("", Reason::as_str).to_owned(),
            now_by: self.policies,
        })
    }
}

fn unclear(record: &Record<'_>, why: String, policies: Vec<String>) -> Finding {
    Finding::Unclear(Unclear {
        why,
        policies,
        action: record.action.to_string(),
        target: record.target.to_string(),
    })
}

fn shown(identity: &Identity) -> String {
    match identity {
        Identity::Anonymous => "Anonymous".to_owned(),
        Identity::Verified(principal) => {
            let kind = match principal.kind {
                PrincipalKind::User => "User",
                PrincipalKind::Client => "Client",
                PrincipalKind::ApiKey => "ApiKey",
            };
            format!("{kind} {}", principal.id)
        }
    }
}

fn put_together(
    record: &Record<'_>,
    action: Action,
    target: Target,
    arguments: Arguments,
    now_ms: i64,
) -> (AccessRequest, Gaps) {
    let said = &record.context;
    let protocol_version = if action.is_http() {
        // Read for MCP only, and recorded in any case.
        ""
    } else {
        &said.protocol_version
    };
    let parts = [
        (Part::Method, &*said.method),
        (Part::Host, &said.host),
        (Part::Path, &said.path),
        (Part::Origin, &said.origin),
        (Part::ProtocolVersion, protocol_version),
        (Part::RequestId, &record.request_id),
    ];
    let cut = parts.into_iter().filter(|(_, text)| may_be_cut(text));
    // A session id is as good as a credential, and never recorded.
    let missing = cut.map(|(part, _)| part).chain([Part::Session]);
    let gaps = Gaps {
        parts: missing.collect(),
        arguments: arguments.known,
    };
    let request = AccessRequest {
        operations: Operations {
            first: Operation {
                action,
                target,
                arguments: arguments.object,
            },
            rest: Vec::new(),
        },
        context: RequestContext {
            method: said.method.to_string(),
            host: said.host.to_string(),
            path: said.path.to_string(),
            origin: said.origin.to_string(),
            client_ip: said.client_ip,
            now_ms,
            protocol_version: protocol_version.to_owned(),
            session: String::new(),
            request_id: record.request_id.to_string(),
        },
    };
    (request, gaps)
}
