//! The decision, and the pure function that takes it.

pub mod challenge;
pub mod headers;
pub mod inquiry;
pub mod metadata;
pub mod shadow;
pub mod status;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::decision::challenge::DpopChallenge;
use crate::identity::Identity;
use crate::policy::Evaluation;
use crate::policy::PolicyFailure;
use crate::policy::PolicySnapshot;
use crate::policy::PrincipalFacts;
use crate::policy::Recalls;
use crate::policy::Verdict;
use crate::request::AccessRequest;
use crate::request::Operation;

/// Why a request is answered as it is. [`status::row`] says what each means on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A policy permits it and none forbids it.
    Allowed,
    /// No credential was sent and strangers are not accepted, or policy refused the stranger.
    MissingCredential,
    /// A credential was sent and did not pass.
    InvalidCredential,
    /// A token with more scopes would be allowed.
    InsufficientScope,
    /// No scope would help.
    NotPermitted,
    /// The request cannot be read in exactly one way.
    MalformedRequest,
    /// A protocol header says something else than the body.
    HeaderMismatch,
    /// The protocol revision is not accepted.
    UnsupportedVersion,
    /// A browser page of an origin that is not listed sent it.
    OriginNotAllowed,
    /// The MCP session belongs to another principal.
    SessionMismatch,
    /// Nothing is configured for the place asked for.
    UnknownResource,
    /// A `forbid` policy failed to evaluate.
    PolicyError,
    /// The issuer's keys are not to be had.
    IssuerUnavailable,
    /// The sidecar itself failed: a panic, the deadline, overload.
    InternalError,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Allowed,
        Self::MissingCredential,
        Self::InvalidCredential,
        Self::InsufficientScope,
        Self::NotPermitted,
        Self::MalformedRequest,
        Self::HeaderMismatch,
        Self::UnsupportedVersion,
        Self::OriginNotAllowed,
        Self::SessionMismatch,
        Self::UnknownResource,
        Self::PolicyError,
        Self::IssuerUnavailable,
        Self::InternalError,
    ];

    /// The name that answers, logs and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::MissingCredential => "missing_credential",
            Self::InvalidCredential => "invalid_credential",
            Self::InsufficientScope => "insufficient_scope",
            Self::NotPermitted => "not_permitted",
            Self::MalformedRequest => "malformed_request",
            Self::HeaderMismatch => "header_mismatch",
            Self::UnsupportedVersion => "unsupported_version",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::SessionMismatch => "session_mismatch",
            Self::UnknownResource => "unknown_resource",
            Self::PolicyError => "policy_error",
            Self::IssuerUnavailable => "issuer_unavailable",
            Self::InternalError => "internal_error",
        }
    }
}

/// What was decided about one request.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Let it pass.
    Allow(Grant),
    /// Refuse it.
    Deny(Denial),
}

impl Decision {
    /// The reason, for records.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Allow(_) => Reason::Allowed,
            Self::Deny(denial) => denial.reason(),
        }
    }
}

/// Why a request may pass.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Ids of the policies that permit it, sorted.
    pub policies: Vec<Arc<str>>,
    /// Policies that failed to evaluate; none of them a `forbid`.
    pub failures: Vec<PolicyFailure>,
    /// How the answers to its operations were come by.
    pub recalls: Recalls,
}

/// Why a request is refused, and what the client is told.
#[derive(Clone, Debug)]
pub struct Denial {
    reason: Reason,
    /// What would help, for the client; never more than the client may know.
    pub message: Cow<'static, str>,
    /// What the operator is told beside that, in the record; never sent to the client.
    pub detail: Option<String>,
    /// The scopes that the operation needs, all of them; empty when no scope would help.
    pub required_scopes: Vec<String>,
    /// Whether the fault lies in how the credential was presented (RFC 6750, section 3.1,
    /// `invalid_request`).
    pub credential_fault: bool,
    /// What is wrong with the proof of possession, where that is why the credential did not pass.
    pub dpop: Option<DpopChallenge>,
    /// Which protocol version was asked for, and which there are instead.
    pub unsupported: Option<UnsupportedVersion>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Ids of the policies that forbid it, sorted.
    pub forbidden_by: Vec<Arc<str>>,
    /// Policies that failed to evaluate.
    pub failures: Vec<PolicyFailure>,
    /// How the answers to those operations were come by that were looked at.
    pub recalls: Recalls,
}

impl Denial {
    /// A refusal for `reason`; a refusal for [`Reason::Allowed`] is an internal error instead.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        let reason = if reason == Reason::Allowed {
            Reason::InternalError
        } else {
            reason
        };
        Self {
            reason,
            message: message.into(),
            detail: None,
            required_scopes: Vec::new(),
            credential_fault: false,
            dpop: None,
            unsupported: None,
            retry_after: None,
            forbidden_by: Vec::new(),
            failures: Vec::new(),
            recalls: Recalls::default(),
        }
    }

    /// A refusal with the table's own text.
    pub fn plain(reason: Reason) -> Self {
        Self::new(reason, status::row(reason).text)
    }

    /// The same with what the operator is told beside the message.
    #[must_use]
    pub fn because(mut self, detail: &impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// The reason; never [`Reason::Allowed`].
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

/// What there is to say of a protocol version that is not accepted (2026-07-28, versioning).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedVersion {
    /// What was asked for, at most 64 bytes.
    pub requested: String,
    /// What is accepted.
    pub supported: Vec<String>,
}

/// What a caller who is refused may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The names of roles.
    pub roles: bool,
    /// Whether there is an issuer who could give him more scopes: not to the holder of an API key, a
    /// static token or a certificate, and to a stranger only where tokens of an issuer are accepted.
    pub has_issuer: bool,
}

/// Decides one request: every operation must be permitted, and none forbidden.
///
/// All of them are looked at, so that whoever is refused learns once what the whole request needs.
/// `caller` says what the caller may be told.
pub fn decide(
    request: &AccessRequest,
    identity: &Identity,
    facts: &PrincipalFacts,
    policies: &PolicySnapshot,
    caller: Telling,
) -> Decision {
    let evaluations = weigh(request, facts, policies);
    conclude(request, evaluations, identity, policies, caller)
}

/// What the policies say to each operation of a request, in its order.
pub fn weigh(
    request: &AccessRequest,
    facts: &PrincipalFacts,
    policies: &PolicySnapshot,
) -> Vec<Evaluation> {
    let operations = request.operations.iter();
    operations
        .map(|operation| policies.evaluate(operation, &request.context, facts))
        .collect()
}

/// The second half of [`decide`], from what [`weigh`] found.
pub fn conclude(
    request: &AccessRequest,
    evaluations: Vec<Evaluation>,
    identity: &Identity,
    policies: &PolicySnapshot,
    caller: Telling,
) -> Decision {
    let mut grant = Grant {
        policies: Vec::new(),
        failures: Vec::new(),
        recalls: Recalls::of(&evaluations),
    };
    let mut denied: Vec<(&Operation, Evaluation)> = Vec::new();
    let operations = &request.operations;
    for (operation, evaluation) in operations.iter().zip(evaluations) {
        match evaluation.verdict {
            Verdict::Allow => {
                grant.policies.extend(evaluation.determining);
                grant.failures.extend(evaluation.errors);
            }
            Verdict::ForbidFailed => {
                let recalls = grant.recalls;
                return Decision::Deny(Denial {
                    recalls,
                    ..forbid_failed(evaluation)
                });
            }
            Verdict::Forbidden | Verdict::NotPermitted => denied.push((operation, evaluation)),
        }
    }
    if let Some((first, _)) = denied.first() {
        let refused = Refused {
            first,
            denied: denied.len(),
            of: operations.rest.len().saturating_add(1),
        };
        let denial = refused.denial(request, identity, policies, caller);
        return Decision::Deny(Denial {
            recalls: grant.recalls,
            ..blamed(denial, denied)
        });
    }
    grant.policies.sort_unstable();
    grant.policies.dedup();
    Decision::Allow(grant)
}

fn forbid_failed(evaluation: Evaluation) -> Denial {
    // Where the request itself has no form in Cedar, no policy is to blame.
    let mut forbidden_by: Vec<Arc<str>> = evaluation
        .errors
        .iter()
        .filter(|failure| failure.forbid && !failure.policy.is_empty())
        .map(|failure| Arc::clone(&failure.policy))
        .collect();
    forbidden_by.sort_unstable();
    Denial {
        forbidden_by,
        failures: evaluation.errors,
        ..Denial::plain(Reason::PolicyError)
    }
}

/// The denial with the policies that had a part in it, each once.
fn blamed(mut denial: Denial, denied: Vec<(&Operation, Evaluation)>) -> Denial {
    for (_, evaluation) in denied {
        denial.forbidden_by.extend(evaluation.determining);
        for failure in evaluation.errors {
            if !denial.failures.iter().any(|it| it.policy == failure.policy) {
                denial.failures.push(failure);
            }
        }
    }
    denial.forbidden_by.sort_unstable();
    denial.forbidden_by.dedup();
    denial
}

/// A request of which something is denied.
struct Refused<'a> {
    /// What is explained.
    first: &'a Operation,
    denied: usize,
    of: usize,
}

impl Refused<'_> {
    fn denial(
        &self,
        request: &AccessRequest,
        identity: &Identity,
        policies: &PolicySnapshot,
        caller: Telling,
    ) -> Denial {
        let mut explanation = policies.explain(self.first, &request.context, identity);
        if *identity == Identity::Anonymous && !caller.has_issuer {
            explanation = explanation.without_scopes();
        }
        let several = self.of > 1;
        let mut required_scopes = match (caller.has_issuer, several) {
            (false, _) => Vec::new(),
            (true, false) => std::mem::take(&mut explanation.required_scopes),
            (true, true) => {
                policies.required_scopes(&request.operations, &request.context, identity)
            }
        };
        let reason = match identity {
            Identity::Anonymous => Reason::MissingCredential,
            Identity::Verified(_) if required_scopes.is_empty() => Reason::NotPermitted,
            Identity::Verified(_) => Reason::InsufficientScope,
        };
        let mut message = explanation.message(identity, caller.roles);
        if several {
            let Self { denied, of, .. } = self;
            message = format!("{denied} of {of} operations are denied; the first: {message}");
            if !required_scopes.is_empty() {
                let scopes = required_scopes.join(", ");
                message = format!("{message}; all of them need the scopes [{scopes}]");
            }
        }
        required_scopes.sort_unstable();
        Denial {
            required_scopes,
            ..Denial::new(reason, message)
        }
    }
}
