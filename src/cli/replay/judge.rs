//! One record, decided again: what was, what would be, and what cannot be told.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use crate::cli::replay::callers::Caller;
use crate::cli::replay::callers::Callers;
use crate::config::Config;
use crate::decision::Decision;
use crate::decision::Reason;
use crate::decision::Telling;
use crate::decision::decide;
use crate::policy::Foresight;
use crate::policy::Gaps;
use crate::policy::PolicySnapshot;
use crate::request::AccessRequest;
use crate::request::Action;
use crate::request::Target;
use crate::telemetry::recorded::LineFault;
use crate::telemetry::recorded::Record;
use crate::telemetry::recorded::remake;
use crate::telemetry::recorded::remake::Remade;

/// Most decisions that are remembered; then all are forgotten.
const MOST_SETTLED: usize = 65_536;

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
    callers: Callers,
    /// Decisions that hold under all circumstances, by caller and operation.
    settled: HashMap<(u64, Action, Target), Again>,
}

/// A decision again.
#[derive(Clone)]
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
            callers: Callers::default(),
            settled: HashMap::new(),
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
        let Some(caller) = self.callers.find(principal, self.config, self.policies) else {
            return unclear("the record does not describe the caller as this version does");
        };
        match remake::request(record, self.config)? {
            Ok(remade) => Ok(self.compare(record, &caller, &remade)),
            Err(why) => unclear(&why),
        }
    }

    fn compare(&mut self, record: &Record<'_>, caller: &Caller, remade: &Remade) -> Finding {
        let first = &remade.request.operations.first;
        let key = (caller.number, first.action, first.target.clone());
        let alone = remade.is_single();
        if alone && let Some(again) = self.settled.get(&key) {
            return again.clone().against(record, caller);
        }
        let foreseen: Vec<Foresight> = remade
            .operations()
            .map(|(operation, gaps)| {
                let context = &remade.request.context;
                self.policies
                    .foresee(operation, context, &caller.facts, gaps)
            })
            .collect();
        let whole = foreseen.iter().all(|one| *one == Foresight::Whole);
        let again = if whole && remade.missing == 0 {
            let mut again = self.again(caller, &remade.request);
            if !alone && !again.allow {
                // What would help depends on what all of them read, be they denied or not.
                again.reason = None;
            }
            if alone && self.is_settled(caller, &remade.request) {
                if self.settled.len() >= MOST_SETTLED {
                    self.settled.clear();
                }
                self.settled.insert(key, again.clone());
            }
            Ok(again)
        } else {
            self.pieces(caller, remade, foreseen)
        };
        match again {
            Ok(again) => again.against(record, caller),
            Err((why, policies)) => unclear(record, why, policies),
        }
    }

    /// Whether the circumstances have no part in it.
    fn is_settled(&self, caller: &Caller, request: &AccessRequest) -> bool {
        let (first, context) = (&request.operations.first, &request.context);
        let foresight = self
            .policies
            .foresee(first, context, &caller.facts, &Gaps::everything());
        foresight == Foresight::Whole
    }

    /// The decision where not everything is known: a refused operation refuses the request, and all
    /// have to be allowed. Else why it cannot be told, and the policies that need more.
    fn pieces(
        &self,
        caller: &Caller,
        remade: &Remade,
        foreseen: Vec<Foresight>,
    ) -> Result<Again, (String, Vec<String>)> {
        let mut open = None;
        let mut permits = BTreeSet::new();
        for ((operation, _), foresight) in remade.operations().zip(foreseen) {
            let (allow, policies) = match foresight {
                Foresight::Whole => {
                    let again = self.again(caller, &remade.only(operation));
                    (again.allow, again.policies)
                }
                Foresight::Decided { allow, policies } => (allow, strings(&policies)),
                Foresight::Unclear { missing, policies } => {
                    let missing: Vec<String> = missing.into_iter().collect();
                    let why = format!("not recorded: {}", missing.join(", "));
                    open.get_or_insert((why, strings(&policies)));
                    continue;
                }
            };
            if !allow {
                return Ok(Again {
                    allow,
                    reason: None,
                    policies,
                });
            }
            permits.extend(policies);
        }
        if let Some(open) = open {
            return Err(open);
        }
        if remade.missing > 0 {
            let missing = remade.missing;
            let why = format!("not recorded: {missing} more operations of the request");
            return Err((why, Vec::new()));
        }
        Ok(Again {
            allow: true,
            reason: None,
            policies: permits.into_iter().collect(),
        })
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
            policies: strings(&policies),
        }
    }
}

impl Again {
    /// What has changed.
    fn against(self, record: &Record<'_>, caller: &Caller) -> Finding {
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
                let told = self.reason.filter(|_| caller.has_issuer.is_some());
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

fn strings<'i>(ids: impl IntoIterator<Item = &'i Arc<str>>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::replay::properties::config;
    use crate::cli::replay::properties::snapshot;

    #[test]
    fn a_record_that_cannot_be_told_says_why() {
        let config = config();
        let policies = snapshot(&config, &[0], 0);
        let mut judge = Judge::new(&config, &policies);
        let good = serde_json::json!({
            "timestamp": "2026-01-01T12:00:00.000000Z", "decision_id": "d", "decision": "deny",
            "reason": "not_permitted", "action": "tools/call", "target": "Mcp::Tool::\"s/x\"",
            "operations": 1, "context": {}, "principal": {"type": "Anonymous", "id": "anonymous",
            "issuer": "", "subject": "", "client_id": "", "roles": [], "groups": [], "scopes": [],
            "tenant": "", "email": "", "audience": [], "claims": {}, "authenticator": ""},
        });
        for (pointer, value, why) in [
            ("/operations", "null", "older version"),
            ("/reason", "\"too_late\"", "the reason is not one"),
            ("/action", "\"tools/fly\"", "the action is not one"),
            ("/target", "\"Mcp::Tool::\\\"s/x\"", "the target is not one"),
            (
                "/target",
                "\"Mcp::Tool::\\\"gone/x\\\"\"",
                "no resource `gone`",
            ),
            ("/target", "\"Mcp::Tool::\\\"site/x\\\"\"", "another kind"),
            ("/principal/type", "\"Robot\"", "describe the caller"),
            ("/principal/audience", "null", "describe the caller"),
            ("/context", r#"{"arguments_recorded":"half"}"#, "arguments"),
        ] {
            let mut changed = good.clone();
            *changed.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
            let line = changed.to_string();
            let record = Record::parse(line.as_bytes()).unwrap();
            match judge.judge(&record).unwrap() {
                Finding::Unclear(unclear) => assert!(unclear.why.contains(why), "{}", unclear.why),
                found @ (Finding::Unchanged | Finding::Changed(_) | Finding::NotByPolicy) => {
                    panic!("{found:?}: {value}")
                }
            }
        }
    }
}
