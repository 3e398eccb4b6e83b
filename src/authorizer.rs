//! The request path: credential, identity, message, decision, record.
//!
//! A check loads one snapshot and reads the wall clock once. The order of the steps is part of the
//! contract: a stranger with a broken body is told to log in, not how the body was read.

pub mod guarded;
pub mod id;
pub mod outcome;
pub mod snapshot;

mod authenticators;
mod caller;
mod failures;
mod known;
mod origin;
mod pending;
mod possession;
mod sessions;
mod shadow;
mod understanding;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use bytes::Bytes;

use crate::authorizer::authenticators::Authenticators;
pub use crate::authorizer::authenticators::Sources;
use crate::authorizer::guarded::Guarded;
use crate::authorizer::known::Known;
use crate::authorizer::outcome::Outcome;
use crate::authorizer::pending::Pending;
use crate::authorizer::possession::Possession;
use crate::authorizer::shadow::Told;
use crate::authorizer::snapshot::Snapshot;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Config;
use crate::config::Resource;
use crate::decision::Decision;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::decision::Telling;
use crate::decision::challenge::ProtectionSpace;
use crate::decision::conclude;
use crate::decision::metadata::MetadataDocument;
use crate::decision::weigh;
use crate::identity::Identity;
use crate::identity::cache::TokenCache;
use crate::request::incoming::Incoming;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::resource;
use crate::request::resource::ResourceFault;
use crate::source::Clock;
use crate::source::SessionStore;
use crate::telemetry::decision_log::DecisionLog;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::Transport;
use crate::telemetry::policy_failures::PolicyFailures;

/// Verified tokens that are remembered.
const MOST_TOKENS: u64 = 100_000;

/// What the remembered tokens may take together, in bytes.
const MOST_TOKEN_BYTES: u64 = 100 * 1024 * 1024;

/// What an authorizer is made of.
#[derive(Debug)]
pub struct Parts {
    /// The configuration.
    pub config: Arc<Config>,
    /// Keys and policies, as they are published.
    pub snapshot: Arc<SnapshotCell>,
    /// Where authenticators get what is not in the configuration.
    pub sources: Sources,
    /// Where it is remembered whose MCP sessions are whose.
    pub sessions: Arc<dyn SessionStore>,
    /// Makes the nonces of `DPoP`; random, and new at every start.
    pub nonce_key: [u8; 32],
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The decision log.
    pub decision_log: DecisionLog,
}

/// Answers checks. Shared by every transport.
pub struct Authorizer {
    parts: Parts,
    documents: Vec<MetadataDocument>,
    /// For each resource, what it asks of its callers.
    spaces: Vec<ProtectionSpace>,
    /// For each resource, the headers that it takes keys from.
    key_headers: Vec<Vec<String>>,
    authenticators: Authenticators,
    tokens: TokenCache<Known>,
    possession: Possession,
    /// Of which policies that are tried the log has told.
    told: Told,
    read_options: ReadOptions,
    policy_failures: PolicyFailures,
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorizer").finish_non_exhaustive()
    }
}

/// The circumstances in which a check came in.
#[derive(Clone, Debug)]
pub struct Arrival {
    transport: Transport,
    now_ms: i64,
    started: Duration,
    deadline: Duration,
    traceparent: Option<String>,
}

impl Authorizer {
    /// Puts an authorizer together.
    pub fn new(parts: Parts) -> Result<Self, serde_json::Error> {
        let config = &parts.config;
        let documents = config
            .resources
            .iter()
            .map(|resource| MetadataDocument::build(resource, &config.authenticators))
            .collect::<Result<Vec<_>, _>>()?;
        let spaces = config.resources.iter().zip(&documents);
        let spaces = spaces.map(|(resource, document)| {
            ProtectionSpace::of(resource, &config.authenticators, &document.url)
        });
        let read_options = ReadOptions::of(config);
        Ok(Self {
            spaces: spaces.collect(),
            documents,
            key_headers: config
                .resources
                .iter()
                .map(|resource| config.key_headers_of(resource))
                .collect(),
            authenticators: Authenticators::new(config, &parts.sources, &parts.snapshot),
            tokens: TokenCache::new(MOST_TOKENS, MOST_TOKEN_BYTES),
            possession: Possession::new(parts.nonce_key),
            told: Told::default(),
            read_options,
            policy_failures: PolicyFailures::default(),
            parts,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    /// How the transports read what is asked.
    pub fn read_options(&self) -> &ReadOptions {
        &self.read_options
    }

    /// Notes that a check has come in. `allowed` is the caller's own deadline, which the configured
    /// one caps.
    pub fn arrive(
        &self,
        transport: Transport,
        allowed: Option<Duration>,
        traceparent: Option<&str>,
    ) -> Arrival {
        let started = self.parts.clock.monotonic();
        let cap = self.parts.config.limits.deadline;
        let allowed = allowed.map_or(cap, |allowed| allowed.min(cap));
        Arrival {
            transport,
            now_ms: self.parts.clock.now_ms(),
            started,
            deadline: started.saturating_add(allowed),
            traceparent: traceparent.map(ToOwned::to_owned),
        }
    }

    /// Answers one check. Whatever happens, the answer is an outcome: a panic is a deny.
    pub async fn check(
        self: &Arc<Self>,
        arrival: Arrival,
        read: Result<Incoming, Box<Refused>>,
    ) -> Outcome {
        let decision_id = id::decision_id(arrival.now_ms);
        let pending = Pending::new(Arc::clone(self), arrival, decision_id.clone());
        match Guarded(Box::pin(self.run(pending, read))).await {
            Ok(outcome) => outcome,
            Err(_panic) => pending::after_panic(decision_id),
        }
    }

    /// The metadata document that lives at this host and path, if any does.
    pub fn document(&self, host: &str, path: &str) -> Option<Bytes> {
        let found = resource::metadata_at(&self.parts.config.resources, host, path)?;
        self.documents
            .get(self.index_of(found)?)
            .map(|document| document.body.clone())
    }

    fn load(&self) -> Guard<Arc<Snapshot>> {
        self.parts.snapshot.load()
    }

    async fn run(&self, mut pending: Pending, read: Result<Incoming, Box<Refused>>) -> Outcome {
        let incoming = match read {
            Ok(incoming) => Arc::new(incoming),
            Err(refused) => return pending.refuse_unread(*refused),
        };
        pending.saw(&incoming);
        let decision = match self.locate(&incoming) {
            Located::Document(document) => return pending.document(document),
            Located::Preflight => return pending.preflight(None),
            Located::Refused(denial) => Decision::Deny(*denial),
            Located::Resource(index, resource) => {
                pending.located(index, resource);
                pending.under(&self.load());
                match origin::judge(&resource.kind, &incoming) {
                    origin::Verdict::Foreign => {
                        Decision::Deny(Denial::plain(Reason::OriginNotAllowed))
                    }
                    origin::Verdict::Preflight(origin) => return pending.preflight(Some(origin)),
                    origin::Verdict::Pass => self.decide(&mut pending, &incoming, resource).await,
                }
            }
        };
        pending.settle(decision)
    }

    fn index_of(&self, resource: &Arc<Resource>) -> Option<usize> {
        self.parts
            .config
            .resources
            .iter()
            .position(|other| Arc::ptr_eq(other, resource))
    }

    fn locate(&self, incoming: &Incoming) -> Located<'_> {
        let resources = &self.parts.config.resources;
        if let Some(document) = resource::metadata_for(resources, incoming)
            .and_then(|found| self.index_of(found))
            .and_then(|index| self.documents.get(index))
        {
            return match incoming.head.method.as_str() {
                "OPTIONS" => Located::Preflight,
                _ => Located::Document(document.body.clone()),
            };
        }
        let unknown = || Located::Refused(Box::new(Denial::plain(Reason::UnknownResource)));
        match resource::choose(resources, incoming) {
            Ok(resource) => self
                .index_of(resource)
                .map_or_else(unknown, |index| Located::Resource(index, resource)),
            Err(ResourceFault::Unknown) => unknown(),
            Err(fault @ ResourceFault::NearSpelling) => Located::Refused(Box::new(Denial::new(
                Reason::MalformedRequest,
                fault.to_string(),
            ))),
        }
    }

    async fn decide(
        &self,
        pending: &mut Pending,
        incoming: &Incoming,
        resource: &Arc<Resource>,
    ) -> Decision {
        let caller = match self.identify(pending, incoming, resource).await {
            Ok(caller) => caller,
            Err(denial) => {
                return Decision::Deny(self.invite(denial, pending, incoming, resource));
            }
        };
        let snapshot = self.load();
        let known = caller.known(&snapshot, &self.parts.config.identity_headers);
        pending.identified(Arc::clone(&known), &snapshot);
        let request = match understanding::of(pending, incoming, resource) {
            Ok(request) => request,
            Err(denial) => return Decision::Deny(denial),
        };
        let visit = match self.visit(pending, incoming, resource, &known).await {
            Ok(visit) => visit,
            Err(denial) => {
                pending.asked(request);
                return Decision::Deny(denial);
            }
        };
        let roles = self.parts.config.explain_to_anonymous
            || matches!(known.identity, Identity::Verified(_));
        let is_stranger = known.identity == Identity::Anonymous;
        let telling = Telling {
            roles,
            has_issuer: if is_stranger {
                self.has_issuer(resource)
            } else {
                caller.has_issuer()
            },
        };
        let policies = &snapshot.policies;
        let evaluations = weigh(&request, &known.facts, policies);
        pending.weighed(&snapshot, &evaluations);
        let decision = conclude(&request, evaluations, &known.identity, policies, telling);
        pending.asked(request);
        self.keep(pending, visit, decision).await
    }

    /// Adds to a refused stranger's answer the scopes that the operation would need, where the
    /// message can be read and the policies tell.
    fn invite(
        &self,
        mut denial: Denial,
        pending: &mut Pending,
        incoming: &Incoming,
        resource: &Arc<Resource>,
    ) -> Denial {
        if let Ok(request) = understanding::of(pending, incoming, resource) {
            if denial.reason() == Reason::MissingCredential && self.has_issuer(resource) {
                let policies = &self.load().policies;
                denial.required_scopes = policies
                    .challenge_scopes(&request.operations, &request.context)
                    .to_vec();
            }
            pending.asked(request);
        }
        denial
    }
}

enum Located<'a> {
    Document(Bytes),
    Preflight,
    Refused(Box<Denial>),
    Resource(usize, &'a Arc<Resource>),
}

#[cfg(test)]
mod tests;
