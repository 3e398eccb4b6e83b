//! One check under way: what is known of it so far, and the promise that it is recorded once,
//! whether it ends with an answer, a panic, or a caller that has gone.

mod shadow;

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::authorizer::Arrival;
use crate::authorizer::Authorizer;
use crate::authorizer::id;
use crate::authorizer::known::Known;
use crate::authorizer::origin;
use crate::authorizer::outcome::Answer;
use crate::authorizer::outcome::Notes;
use crate::authorizer::outcome::Outcome;
use crate::authorizer::outcome::Refusal;
use crate::authorizer::shadow::Attempt;
use crate::authorizer::snapshot::Snapshot;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::decision::Decision;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::decision::challenge::ProtectionSpace;
use crate::decision::headers;
use crate::decision::shadow::Opinion;
use crate::identity::Identity;
use crate::request::AccessRequest;
use crate::request::incoming::Incoming;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::request::methods::is_modern;
use crate::source::Clock;
use crate::telemetry::record::Arguments;
use crate::telemetry::record::Facts;
use crate::telemetry::record::HttpFacts;

/// A check that has not been answered yet.
pub(super) struct Pending {
    authorizer: Arc<Authorizer>,
    arrival: Arrival,
    decision_id: String,
    incoming: Option<Arc<Incoming>>,
    unread: Option<Refused>,
    resource: Option<(usize, Arc<Resource>)>,
    known: Option<Arc<Known>>,
    request: Option<AccessRequest>,
    attempt: Option<Attempt>,
    rpc_id: Option<Box<str>>,
    policy_generation: u64,
    key_generation: u64,
    recorded: bool,
}

impl Pending {
    pub(super) fn new(authorizer: Arc<Authorizer>, arrival: Arrival, decision_id: String) -> Self {
        Self {
            authorizer,
            arrival,
            decision_id,
            incoming: None,
            unread: None,
            resource: None,
            known: None,
            request: None,
            attempt: None,
            rpc_id: None,
            policy_generation: 0,
            key_generation: 0,
            recorded: false,
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.arrival.now_ms
    }

    /// The time that is left for this check.
    pub(super) fn left(&self, clock: &dyn Clock) -> Duration {
        self.arrival.deadline.saturating_sub(clock.monotonic())
    }

    /// The client's request id, or the decision's where it sent none.
    pub(super) fn request_id(&self) -> &str {
        let sent = self
            .incoming
            .as_ref()
            .map_or("", |incoming| incoming.head.request_id.as_str());
        if sent.is_empty() {
            &self.decision_id
        } else {
            sent
        }
    }

    pub(super) fn saw(&mut self, incoming: &Arc<Incoming>) {
        self.incoming = Some(Arc::clone(incoming));
    }

    pub(super) fn located(&mut self, index: usize, resource: &Arc<Resource>) {
        self.resource = Some((index, Arc::clone(resource)));
    }

    /// What is in force as long as nothing newer is loaded.
    pub(super) fn under(&mut self, snapshot: &Snapshot) {
        self.policy_generation = snapshot.policies.generation();
        self.key_generation = snapshot.key_generation;
    }

    pub(super) fn identified(&mut self, known: Arc<Known>, snapshot: &Snapshot) {
        self.known = Some(known);
        self.under(snapshot);
    }

    pub(super) fn message_id(&mut self, id: Option<Box<str>>) {
        self.rpc_id = id;
    }

    pub(super) fn asked(&mut self, request: AccessRequest) {
        self.request = Some(request);
    }

    /// Ends a check whose request could not be read.
    pub(super) fn refuse_unread(mut self, refused: Refused) -> Outcome {
        let credential_fault = refused.error.is_credential_fault();
        let reason = if refused.error == RequestError::Overload {
            Reason::InternalError
        } else {
            Reason::MalformedRequest
        };
        let mut denial = Denial::new(reason, refused.error.to_string());
        denial.credential_fault = credential_fault;
        self.resource = self.named(refused.resource.as_deref());
        self.unread = Some(refused);
        self.settle(Decision::Deny(denial))
    }

    /// The resource that the proxy's route names: of a request that cannot be read, the only sign of
    /// where it was going.
    fn named(&self, name: Option<&str>) -> Option<(usize, Arc<Resource>)> {
        let resources = self.authorizer.config().resources.iter().enumerate();
        resources
            .filter(|(_, resource)| Some(&*resource.name) == name)
            .map(|(index, resource)| (index, Arc::clone(resource)))
            .next()
    }

    /// Ends a check with a public document; it decides nothing and is not recorded as a decision.
    pub(super) fn document(mut self, document: Bytes) -> Outcome {
        self.only_timed();
        self.outcome(Answer::Document(document), Vec::new())
    }

    /// Ends a check that is a CORS preflight, from this origin or for a public document.
    pub(super) fn preflight(mut self, origin: Option<String>) -> Outcome {
        self.only_timed();
        let answer = origin.map_or(Answer::DocumentPreflight, Answer::Preflight);
        self.outcome(answer, Vec::new())
    }

    /// Ends a check with a decision, which is recorded. An allow that comes after the deadline is no
    /// allow: the proxy has given up on it.
    pub(super) fn settle(mut self, decision: Decision) -> Outcome {
        let late = self.left(&*self.authorizer.parts.clock).is_zero();
        let decision = match decision {
            Decision::Allow(_) if late => Decision::Deny(Denial::new(
                Reason::InternalError,
                "the check took too long; try again",
            )),
            Decision::Allow(_) | Decision::Deny(_) => decision,
        };
        let shadow = self.opinions(&decision);
        self.record(&decision, &shadow);
        match decision {
            Decision::Allow(grant) => {
                let spoofed = self
                    .incoming
                    .as_ref()
                    .map_or(&[][..], |incoming| &incoming.head.remove);
                let set = self.known.as_ref().map(|known| Arc::clone(&known.headers));
                let set = set.unwrap_or_default();
                let mut obligations = headers::obligations(&set, spoofed, self.key_headers());
                if let Some(origin) = self.allow_origin() {
                    obligations.extend(headers::readable_by(&origin));
                }
                self.outcome(Answer::Allow(obligations), grant.policies)
            }
            Decision::Deny(denial) => {
                let forbidden_by = denial.forbidden_by.clone();
                let refusal = self.refusal(denial);
                self.outcome(Answer::Deny(Box::new(refusal)), forbidden_by)
            }
        }
    }

    /// The headers that the resource's own authenticators take keys from: not for the upstream.
    fn key_headers(&self) -> &[String] {
        let index = self.resource.as_ref().map(|(index, _)| *index);
        index
            .and_then(|index| self.authorizer.key_headers.get(index))
            .map_or(&[], Vec::as_slice)
    }

    /// The origin whose page may read the answer.
    fn allow_origin(&self) -> Option<String> {
        let (_, resource) = self.resource.as_ref()?;
        origin::accepted(&resource.kind, self.incoming.as_ref()?)
    }

    fn refusal(&mut self, denial: Denial) -> Refusal {
        let resource = self.resource.as_ref();
        let space = resource.and_then(|(index, _)| self.authorizer.spaces.get(*index));
        let challenge = match space {
            Some(space) => space.challenge(&denial),
            None => ProtectionSpace::default().challenge(&denial),
        };
        let allow_origin = self.allow_origin();
        Refusal {
            denial,
            challenge,
            rpc_id: self.rpc_id.take(),
            nameless: self.is_modern(),
            allow_origin,
        }
    }

    /// Whether the request states a revision in which clients take a 400 that is no JSON-RPC error for
    /// that of an older server (2026-07-28, streamable HTTP, backward compatibility).
    fn is_modern(&self) -> bool {
        let of_mcp = self
            .resource
            .as_ref()
            .is_none_or(|(_, resource)| matches!(resource.kind, ResourceKind::Mcp(_)));
        let stated = match (&self.incoming, &self.unread) {
            (Some(incoming), _) => {
                let version = incoming.head.protocol_version.as_deref();
                incoming.head.method == "POST" && version.is_some_and(is_modern)
            }
            (None, Some(refused)) => refused.method == "POST" && refused.modern,
            (None, None) => false,
        };
        of_mcp && stated
    }

    fn outcome(&mut self, answer: Answer, policies: Vec<Arc<str>>) -> Outcome {
        let subject = match self.known.as_ref().map(|known| &known.identity) {
            Some(Identity::Verified(principal)) => principal.subject.clone(),
            Some(Identity::Anonymous) | None => String::new(),
        };
        Outcome {
            decision_id: std::mem::take(&mut self.decision_id),
            answer,
            notes: Notes {
                subject,
                policies,
                generation: self.policy_generation,
            },
        }
    }

    fn only_timed(&mut self) {
        self.recorded = true;
        let seconds = self.elapsed().as_secs_f64();
        self.authorizer
            .parts
            .metrics
            .duration(self.arrival.transport, seconds);
    }

    fn elapsed(&self) -> Duration {
        self.authorizer
            .parts
            .clock
            .monotonic()
            .saturating_sub(self.arrival.started)
    }

    fn record(&mut self, decision: &Decision, shadow: &[Opinion]) {
        self.recorded = true;
        let parts = &self.authorizer.parts;
        let elapsed = self.elapsed();
        let index = self.resource.as_ref().map(|(index, _)| *index);
        let reason = decision.reason();
        parts
            .metrics
            .check(self.arrival.transport, index, reason, elapsed.as_secs_f64());
        let (failures, recalls) = match decision {
            Decision::Allow(grant) => (&grant.failures, grant.recalls),
            Decision::Deny(denial) => (&denial.failures, denial.recalls),
        };
        parts.metrics.decision_cache(recalls);
        self.authorizer
            .report(failures, self.policy_generation, &self.decision_id);
        if !parts.decision_log.is_on() {
            return;
        }
        let arguments = self.recorded_arguments();
        let facts = Facts {
            now_ms: self.arrival.now_ms,
            decision_id: &self.decision_id,
            decision,
            transport: self.arrival.transport.as_str(),
            resource: self
                .resource
                .as_ref()
                .map_or("", |(_, resource)| &resource.name),
            request: self.request.as_ref(),
            http: self.http_facts(),
            principal: self
                .known
                .as_ref()
                .and_then(|known| known.record.as_deref()),
            policy_generation: self.policy_generation,
            key_generation: self.key_generation,
            duration_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            arguments: &arguments,
            shadow,
        };
        match facts.line() {
            Ok(line) => parts.decision_log.write(&line),
            Err(error) => tracing::error!(%error, "a decision record could not be made"),
        }
    }

    /// The arguments that the configuration names, and no others.
    fn recorded_arguments(&self) -> Arguments {
        let names = &self.authorizer.config().decision_log.arguments;
        self.request
            .as_ref()
            .map_or_else(Arguments::default, |request| {
                Arguments::of(&request.operations.first.arguments, names)
            })
    }

    fn http_facts(&self) -> HttpFacts<'_> {
        let over_grpc = id::trace_id(self.arrival.traceparent.as_deref());
        if let Some(incoming) = &self.incoming {
            let head = &incoming.head;
            let own = id::trace_id(head.traceparent.as_deref());
            return HttpFacts {
                method: &head.method,
                host: &head.host,
                path: head.path.as_str(),
                origin: head.origin.as_deref().unwrap_or(""),
                protocol_version: head.protocol_version.as_deref().unwrap_or(""),
                client_ip: head.client_ip,
                request_id: self.request_id(),
                trace_id: if over_grpc.is_empty() { own } else { over_grpc },
            };
        }
        let unread = self.unread.as_ref();
        HttpFacts {
            method: unread.map_or("", |refused| &refused.method),
            host: unread.map_or("", |refused| &refused.host),
            path: unread.map_or("", |refused| &refused.path),
            request_id: unread.map_or("", |refused| &refused.request_id),
            trace_id: over_grpc,
            ..HttpFacts::default()
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.recorded {
            return;
        }
        // A panic here, while another is being unwound, would end the process.
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            self.record(&Decision::Deny(Denial::plain(Reason::InternalError)), &[]);
        }));
        if recorded.is_err() {
            tracing::error!("a failed check could not be recorded");
        }
    }
}

/// The answer to a check that panicked: its record was made when it was unwound.
pub(super) fn after_panic(decision_id: String) -> Outcome {
    tracing::error!(decision_id, "a check panicked");
    let denial = Denial::plain(Reason::InternalError);
    let refusal = Refusal {
        denial,
        challenge: None,
        rpc_id: None,
        nameless: false,
        allow_origin: None,
    };
    Outcome {
        decision_id,
        answer: Answer::Deny(Box::new(refusal)),
        notes: Notes::default(),
    }
}
