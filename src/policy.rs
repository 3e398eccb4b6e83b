//! Policies, compiled into a snapshot that never changes, and the questions that it answers.
//!
//! [`PolicySnapshot::compile`] takes the text of a policy directory and either returns something
//! ready to use or every fault in it. A snapshot holds the policies in force, an index over them,
//! the hierarchy of roles and groups, the tool catalogue, the facts about principals that their
//! credentials lack, and the configured resources; a changed file or configuration means a new one. [`PolicySnapshot::evaluate`] looks only at the policies
//! that can matter for a request, so that a thousand others cost nothing.
//!
//! Three rules make the answers strict. Nothing is allowed unless a permit holds. A forbid that
//! cannot be evaluated denies, where Cedar alone would skip it. A request that has no form in Cedar
//! is denied.
//!
//! Cedar recurses. Evaluation turns a stack that runs short into an error, which then denies, so
//! threads that evaluate should have 2 MiB or more; parsing does not look, so it is done on a
//! thread with more, and the depth of a policy is bounded before anything recurses into it.

#[cfg(test)]
mod bounds;
pub mod bundle;
#[cfg(test)]
mod cases;
mod catalogue;
mod compile;
mod compiler;
mod context;
mod deep;
mod engine;
#[cfg(test)]
mod equivalence;
mod evaluation;
mod explain;
#[cfg(test)]
mod explanations;
mod facts;
pub mod files;
#[cfg(test)]
mod fixtures;
mod foresee;
mod formula;
mod gaps;
mod guard;
mod hierarchy;
mod index;
pub mod inquiry;
mod lint;
mod load;
pub mod manifest;
mod memory;
mod message;
mod names;
mod plain_yaml;
mod prepared;
pub mod principals;
#[cfg(test)]
mod properties;
mod reach;
mod reads;
mod report;
mod schema_copy;
mod shape;
mod solve;
mod standing;
#[cfg(test)]
mod standings;
mod strict_json;
mod targets;
#[cfg(test)]
mod tests;
mod trial;
mod validate;
mod vocabulary;
mod worked;

use std::fmt;
use std::sync::Arc;

use moka::sync::Cache;

pub use self::compiler::Compiler;
pub use self::evaluation::Evaluation;
pub use self::evaluation::PolicyFailure;
pub use self::evaluation::Recall;
pub use self::evaluation::Recalls;
pub use self::evaluation::Verdict;
pub use self::explain::Circumstances;
pub use self::explain::Explanation;
pub use self::explain::Requirement;
pub use self::explain::Rule;
pub use self::facts::PrincipalFacts;
pub use self::files::PolicyFiles;
pub use self::files::SCHEMA;
pub use self::foresee::Foresight;
pub use self::gaps::Gaps;
pub use self::gaps::KnownArguments;
pub use self::gaps::Part;
pub use self::inquiry::Inquiry;
pub use self::names::Names;
pub use self::standing::Dependence;
pub use self::standing::Meant;
pub use self::standing::Settled;
pub use self::standing::Standing;
pub use self::trial::MOST_TRIED;
pub use self::trial::Trial;

use self::engine::Engine;
use self::principals::Principals;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Action;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;

/// One generation of policies.
pub struct PolicySnapshot {
    generation: u64,
    digest: String,
    warnings: Vec<Fault>,
    listed: Vec<PolicyInfo>,
    stranger: PrincipalFacts,
    principals: Principals,
    engine: Engine,
    trial: Option<Trial>,
    challenges: Challenges,
}

/// What strangers were told that tokens need, by what they asked for. Gone with the policies.
type Challenges = Cache<Box<[(Action, Target)]>, Arc<[String]>>;

/// Most remembered challenges.
const MAX_CHALLENGES: u64 = 1_024;
/// Most operations of a request whose challenge is remembered: a request may hold hundreds.
const MAX_CHALLENGED: usize = 4;

/// A policy as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Its `@id`.
    pub id: Arc<str>,
    /// Whether it forbids; else it permits.
    pub forbid: bool,
    /// False for `@mode("log_only")`: such a policy is tried, and never takes part in a decision.
    pub enforced: bool,
    /// The file, relative to the policy directory.
    pub file: Arc<str>,
    /// The line of its first character, from 1.
    pub line: usize,
    /// Its `@reason`.
    pub reason: Option<Arc<str>>,
}

impl PolicySnapshot {
    /// The number that the snapshot was compiled with.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// SHA-256 of the files, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What is probably not meant, but did not keep the files from being used.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// Number of policies, those out of force included.
    pub fn policy_count(&self) -> usize {
        self.listed.len()
    }

    /// Every policy, sorted by id.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyInfo> {
        self.listed.iter()
    }

    /// The policy of this id.
    pub fn policy(&self, id: &str) -> Option<&PolicyInfo> {
        let found = self.listed.binary_search_by(|one| (*one.id).cmp(id)).ok()?;
        self.listed.get(found)
    }

    /// Whether there is a policy of this id, in force or not.
    pub fn has(&self, id: &str) -> bool {
        self.policy(id).is_some()
    }

    /// Whether a policy of this id is in force.
    pub fn enforces(&self, id: &str) -> bool {
        self.policy(id).is_some_and(|policy| policy.enforced)
    }

    /// The policies that are out of force by `@mode("log_only")`, where there are any.
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// Every tool of the catalogue, as its server and its name, sorted.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.engine.targets.tools()
    }

    /// The caller with the facts of `principals.yaml` added: roles and groups join those of the
    /// credential, and a tenant fills a gap. The same `Arc` where nothing is added. Start from what
    /// the credential says: what an earlier snapshot added would stay.
    pub fn enrich(&self, principal: &Arc<Principal>) -> Arc<Principal> {
        self.principals.enrich(principal)
    }

    /// [`enrich`](Self::enrich) for any caller; a stranger stays one.
    pub fn enrich_identity(&self, identity: &Identity) -> Identity {
        match identity {
            Identity::Anonymous => Identity::Anonymous,
            Identity::Verified(principal) => Identity::Verified(self.enrich(principal)),
        }
    }

    /// What there is to know of a caller who has been [enriched](Self::enrich); made once per token,
    /// and kept by whoever keeps the token.
    pub fn facts(&self, identity: &Identity) -> PrincipalFacts {
        match identity {
            Identity::Anonymous => self.stranger.clone(),
            Identity::Verified(_) => self.engine.facts(identity),
        }
    }

    /// Whether this snapshot made the facts; those of another give right answers too, slowly.
    pub fn made(&self, facts: &PrincipalFacts) -> bool {
        self.engine.made(facts)
    }

    /// What the policies say to one operation.
    pub fn evaluate(
        &self,
        operation: &Operation,
        context: &RequestContext,
        facts: &PrincipalFacts,
    ) -> Evaluation {
        self.engine.evaluate(operation, context, facts)
    }

    /// [`evaluate`](Self::evaluate) for policies that are only tried; absent where more than
    /// [`MOST_TRIED`] of them would have to be evaluated.
    pub fn evaluate_tried(
        &self,
        operation: &Operation,
        context: &RequestContext,
        facts: &PrincipalFacts,
    ) -> Option<Evaluation> {
        let asked = (operation, context);
        self.engine.evaluate_few(asked, facts, MOST_TRIED)
    }

    /// What can be said of one operation where not everything about the request is known: where it
    /// is all known in what the policies read, decide as ever.
    pub fn foresee(
        &self,
        operation: &Operation,
        context: &RequestContext,
        facts: &PrincipalFacts,
        gaps: &Gaps,
    ) -> Foresight {
        foresee::foresee(&self.engine, operation, context, facts, gaps)
    }

    /// What the policies say to an action on a target, whatever the request brings.
    pub fn standing(
        &self,
        action: Action,
        target: (&Target, Meant),
        facts: &PrincipalFacts,
    ) -> Standing {
        standing::standing(&self.engine, action, target, facts)
    }

    /// The roles and scopes that the files name.
    pub fn names(&self) -> Names {
        Names::of(&self.engine, &self.principals)
    }

    /// The callers that `principals.yaml` knows, as kind, issuer, and subject, client id or key id;
    /// sorted.
    pub fn known_callers(&self) -> Vec<(PrincipalKind, String, String)> {
        self.principals.callers()
    }

    /// Why an operation is denied, and what would change that; for the path of a deny only.
    pub fn explain(
        &self,
        operation: &Operation,
        context: &RequestContext,
        identity: &Identity,
    ) -> Explanation {
        explain::explain(&self.engine, operation, context, identity)
    }

    /// Everything there is to say of one operation of an [enriched](Self::enrich) caller, for
    /// operators; `gaps` is what of the request is not known. It takes longer than a check may.
    pub fn inquire(
        &self,
        operation: &Operation,
        context: &RequestContext,
        identity: &Identity,
        gaps: &Gaps,
    ) -> Inquiry {
        let question = inquiry::Question {
            operation,
            context,
            identity,
            gaps,
        };
        inquiry::inquire(&self.engine, &self.listed, question)
    }

    /// The smallest set of scopes with which this caller would be allowed everything at once, those
    /// that the caller has included; empty when no scope would help, or none is needed. At most
    /// 1,024 bytes with blanks between them.
    pub fn required_scopes(
        &self,
        operations: &Operations,
        context: &RequestContext,
        identity: &Identity,
    ) -> Vec<String> {
        explain::scopes::needed(&self.engine, operations, context, identity).scopes
    }

    /// The same for the challenge of a 401: what a stranger's token would need. It is remembered
    /// where nothing but the operations decides it.
    pub fn challenge_scopes(
        &self,
        operations: &Operations,
        context: &RequestContext,
    ) -> Arc<[String]> {
        let all = || std::iter::once(&operations.first).chain(&operations.rest);
        let key = (operations.rest.len() < MAX_CHALLENGED)
            .then(|| -> Box<[_]> { all().map(|one| (one.action, one.target.clone())).collect() });
        if let Some(known) = key.as_ref().and_then(|key| self.challenges.get(key)) {
            return known;
        }
        let needed =
            explain::scopes::needed(&self.engine, operations, context, &Identity::Anonymous);
        let scopes: Arc<[String]> = needed.scopes.into();
        if let Some(key) = key.filter(|_| needed.is_timeless) {
            self.challenges.insert(key, Arc::clone(&scopes));
        }
        scopes
    }
}

impl fmt::Debug for PolicySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySnapshot")
            .field("generation", &self.generation)
            .field("digest", &self.digest)
            .field("policies", &self.listed.len())
            .finish_non_exhaustive()
    }
}
