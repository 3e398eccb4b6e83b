//! An explanation as a JSON document. Its names are stable.

mod asked;

use serde::Serialize;

use self::asked::Context;
use self::asked::Principal;
use self::asked::strs;
use crate::decision::Decision;
use crate::decision::inquiry::Answer;
use crate::decision::inquiry::Asked;
use crate::decision::inquiry::Outcome;
use crate::policy::Explanation;
use crate::policy::Foresight;
use crate::policy::Inquiry;
use crate::policy::PolicyInfo;
use crate::policy::PolicySnapshot;
use crate::policy::Requirement;
use crate::policy::inquiry;
use crate::policy::inquiry::Finding;
use crate::policy::inquiry::Found;
use crate::policy::inquiry::Weighed;
use crate::request::Operation;

/// Most failures of one operation whose messages are told.
const MAX_ERRORS: usize = 20;

/// A policy.
#[derive(Debug, Serialize)]
pub struct Policy<'a> {
    id: &'a str,
    effect: &'static str,
    mode: &'static str,
    file: &'a str,
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Policy<'a> {
    /// As `/v1/policies` and explanations show it.
    pub fn of(info: &'a PolicyInfo) -> Self {
        Self {
            id: &info.id,
            effect: effect(info),
            mode: if info.enforced {
                "enforced"
            } else {
                "log_only"
            },
            file: &info.file,
            line: info.line,
            reason: info.reason.as_deref(),
        }
    }
}

/// The effect, as Cedar writes it.
pub fn effect(info: &PolicyInfo) -> &'static str {
    if info.forbid { "forbid" } else { "permit" }
}

/// The explanation, as JSON.
pub fn json(asked: Asked<'_>, answer: &Answer, policies: &PolicySnapshot) -> String {
    let document = Document::of(asked, answer, policies);
    // Nothing in it can fail: all names are strings, and every number is finite.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    decision: &'static str,
    /// Absent where it depends on something that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    action: &'static str,
    target: String,
    policies: Vec<&'a str>,
    required_scopes: Vec<&'a str>,
    errors: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
    policy_generation: u64,
    policy_digest: &'a str,
    principal: Principal<'a>,
    context: Context<'a>,
    operations: Vec<Explained<'a>>,
    more_operations: u64,
}

#[derive(Serialize)]
struct Explained<'a> {
    action: &'static str,
    target: String,
    decision: &'static str,
    determining: Vec<Told<'a>>,
    overruled: Vec<Told<'a>>,
    near_misses: Vec<Told<'a>>,
    more_near_misses: usize,
    elsewhere: usize,
    unclear: Vec<Unclear<'a>>,
    log_only: Vec<Policy<'a>>,
    errors: Vec<Failure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_help: Option<Help<'a>>,
    complete: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    policy: Policy<'a>,
    conditions: Vec<Condition<'a>>,
}

#[derive(Serialize)]
struct Unclear<'a> {
    #[serde(flatten)]
    policy: Policy<'a>,
    missing: &'a [String],
}

#[derive(Serialize)]
struct Failure<'a> {
    /// Absent where it is the request that cannot be evaluated.
    #[serde(skip_serializing_if = "str::is_empty")]
    policy: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Condition<'a> {
    #[serde(rename = "condition")]
    text: &'a str,
    wanted: bool,
    found: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    values: Vec<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    must: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Self>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Self>>,
}

#[derive(Serialize)]
struct Value<'a> {
    of: &'a str,
    is: &'a str,
}

#[derive(Serialize)]
struct Help<'a> {
    roles_any: &'a [String],
    groups_any: &'a [String],
    clients_any: &'a [String],
    scopes_any: &'a [String],
    rules: Vec<Rule<'a>>,
    required_scopes: &'a [String],
    missing_scopes: &'a [String],
    credential: bool,
    nothing_about_the_caller: bool,
    circumstances: Vec<Circumstance<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    needs: Vec<Part<'a>>,
    missing: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Part<'a> {
    Role(&'a str),
    Group(&'a str),
    Scope(&'a str),
    Client(&'a str),
}

#[derive(Serialize)]
struct Circumstance<'a> {
    policy: &'a str,
    must: &'a [String],
    tried: Vec<Value<'a>>,
}

impl<'a> Document<'a> {
    fn of(asked: Asked<'a>, answer: &'a Answer, policies: &'a PolicySnapshot) -> Self {
        let first = &asked.request.operations.first;
        let mut document = Self {
            decision: answer.outcome.word(),
            reason: None,
            message: None,
            action: first.action.as_str(),
            target: first.target.to_string(),
            policies: Vec::new(),
            required_scopes: Vec::new(),
            errors: Vec::new(),
            missing: &[],
            policy_generation: policies.generation(),
            policy_digest: policies.digest(),
            principal: Principal::of(asked.identity),
            context: Context::of(&asked.request.context),
            operations: answer.operations.iter().map(Explained::of).collect(),
            more_operations: answer.more_operations,
        };
        document.add(&answer.outcome);
        document
    }

    fn add(&mut self, outcome: &'a Outcome) {
        let (policies, failures) = match outcome {
            Outcome::Decided(Decision::Allow(grant)) => (&grant.policies, &grant.failures),
            Outcome::Decided(Decision::Deny(denial)) => {
                self.message = Some(&denial.message);
                self.required_scopes = strs(&denial.required_scopes);
                (&denial.forbidden_by, &denial.failures)
            }
            Outcome::Foreseen { .. } => return,
            Outcome::Unclear { missing } => {
                self.missing = missing;
                return;
            }
        };
        if let Outcome::Decided(decision) = outcome {
            self.reason = Some(decision.reason().as_str());
        }
        self.policies = policies.iter().map(|id| &**id).collect();
        let failed = failures.iter().map(|failure| &*failure.policy);
        self.errors = failed.filter(|id| !id.is_empty()).collect();
    }
}

impl<'a> Explained<'a> {
    fn of((operation, inquiry): &'a (Operation, Inquiry)) -> Self {
        let decision = match (&inquiry.evaluation, &inquiry.foresight) {
            (Some(evaluation), _) => Some(evaluation.allows()),
            (None, Foresight::Decided { allow, .. }) => Some(*allow),
            (None, Foresight::Whole | Foresight::Unclear { .. }) => None,
        };
        let errors = inquiry.evaluation.iter().flat_map(|it| &it.errors);
        let unclear = inquiry.unclear.iter().map(|(policy, missing)| Unclear {
            policy: Policy::of(policy),
            missing,
        });
        Self {
            action: operation.action.as_str(),
            target: operation.target.to_string(),
            decision: match decision {
                Some(true) => "allow",
                Some(false) => "deny",
                None => "unclear",
            },
            determining: told(&inquiry.determining),
            overruled: told(&inquiry.overruled),
            near_misses: told(&inquiry.near),
            more_near_misses: inquiry.more,
            elsewhere: inquiry.elsewhere,
            unclear: unclear.collect(),
            log_only: inquiry.log_only.iter().map(Policy::of).collect(),
            errors: errors
                .take(MAX_ERRORS)
                .map(|failure| Failure {
                    policy: &failure.policy,
                    message: &failure.message,
                })
                .collect(),
            would_help: (inquiry.evaluation.is_some() && decision == Some(false))
                .then(|| Help::of(&inquiry.remedy, inquiry)),
            complete: inquiry.is_complete,
        }
    }
}

impl<'a> Help<'a> {
    fn of(remedy: &'a Explanation, inquiry: &'a Inquiry) -> Self {
        let rules = remedy.rules.iter().map(|rule| Rule {
            needs: parts(&rule.needs),
            missing: parts(&rule.missing),
        });
        let circumstances = inquiry.turns.iter().map(|turn| Circumstance {
            policy: &turn.policy.id,
            must: &turn.must,
            tried: values(&turn.tried),
        });
        Self {
            roles_any: &remedy.roles_any,
            groups_any: &remedy.groups_any,
            clients_any: &remedy.clients_any,
            scopes_any: &remedy.scopes_any,
            rules: rules.collect(),
            required_scopes: &remedy.required_scopes,
            missing_scopes: &remedy.missing_scopes,
            credential: remedy.credential_suffices,
            nothing_about_the_caller: remedy.nothing_helps,
            circumstances: circumstances.collect(),
        }
    }
}

impl<'a> Condition<'a> {
    fn of(finding: &'a Finding) -> Self {
        let (found, error) = match &finding.found {
            Found::True => ("true", None),
            Found::False => ("false", None),
            Found::Failed(message) => ("error", Some(&**message)),
        };
        let within = || finding.within.iter().map(Self::of).collect();
        let has_parts = !finding.within.is_empty();
        Self {
            text: &finding.condition,
            wanted: finding.wanted,
            found,
            error,
            values: values(&finding.values),
            must: finding.must.as_deref(),
            any: (has_parts && finding.any).then(within),
            all: (has_parts && !finding.any).then(within),
        }
    }
}

fn values(values: &[inquiry::Value]) -> Vec<Value<'_>> {
    let all = values.iter().map(|value| Value {
        of: &value.of,
        is: &value.is,
    });
    all.collect()
}

fn told(weighed: &[Weighed]) -> Vec<Told<'_>> {
    let all = weighed.iter().map(|one| Told {
        policy: Policy::of(&one.policy),
        conditions: one.findings.iter().map(Condition::of).collect(),
    });
    all.collect()
}

fn parts(requirements: &[Requirement]) -> Vec<Part<'_>> {
    let all = requirements.iter().map(|one| match one {
        Requirement::Role(name) => Part::Role(name),
        Requirement::Group(name) => Part::Group(name),
        Requirement::Scope(name) => Part::Scope(name),
        Requirement::Client(name) => Part::Client(name),
    });
    all.collect()
}
