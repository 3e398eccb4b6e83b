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
#[cfg(test)]
mod cases;
mod catalogue;
mod context;
mod deep;
mod engine;
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
mod load;
mod message;
mod plain_yaml;
pub mod principals;
#[cfg(test)]
mod properties;
mod reach;
mod reads;
mod report;
mod solve;
mod strict_json;
mod targets;
#[cfg(test)]
mod tests;
mod validate;
mod vocabulary;

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;

use cedar_policy::Effect;

pub use self::evaluation::Evaluation;
pub use self::evaluation::PolicyFailure;
pub use self::evaluation::Verdict;
pub use self::explain::Explanation;
pub use self::explain::Requirement;
pub use self::facts::PrincipalFacts;
pub use self::files::PolicyFiles;
pub use self::files::SCHEMA;
pub use self::foresee::Foresight;
pub use self::gaps::Gaps;
pub use self::gaps::KnownArguments;
pub use self::gaps::Part;

use self::catalogue::Catalogue;
use self::engine::Engine;
use self::engine::Live;
use self::gaps::Reading;
use self::hierarchy::Hierarchy;
use self::index::Index;
use self::load::Loaded;
use self::principals::Principals;
use self::targets::Targets;
use self::vocabulary::Vocabulary;
use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::fault::Source;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::request::Operation;
use crate::request::RequestContext;

/// One generation of policies.
pub struct PolicySnapshot {
    generation: u64,
    digest: String,
    warnings: Vec<Fault>,
    listed: Vec<PolicyInfo>,
    stranger: PrincipalFacts,
    principals: Principals,
    engine: Engine,
}

/// A policy as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// Its `@id`.
    pub id: Arc<str>,
    /// Whether it forbids; else it permits.
    pub forbid: bool,
    /// False for `@mode("log_only")`: such a policy never takes part in a decision.
    pub enforced: bool,
    /// The file, relative to the policy directory.
    pub file: Arc<str>,
    /// The line of its first character, from 1.
    pub line: usize,
}

impl PolicySnapshot {
    /// Compiles the files of a policy directory for these resources. The number is the caller's,
    /// to tell this snapshot from others in logs.
    ///
    /// # Errors
    ///
    /// Every fault that was found, warnings among them; at least one is an error.
    pub fn compile(
        files: &PolicyFiles,
        resources: &[Arc<Resource>],
        generation: u64,
    ) -> Result<Self, Vec<Fault>> {
        let compile = || Self::compile_here(files, resources, generation);
        let failed = || {
            Err(vec![broken(
                "the policies could not be compiled".to_owned(),
            )])
        };
        deep::run(compile).unwrap_or_else(failed)
    }

    fn compile_here(
        files: &PolicyFiles,
        resources: &[Arc<Resource>],
        generation: u64,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let sorted = files::sort(files, &mut faults);
        if let Some(copy) = sorted.schema {
            files::check_schema_copy(copy, &mut faults);
        }
        let schema = vocabulary::schema().map_err(|error| vec![broken(error)])?;
        let vocabulary = Vocabulary::new(&schema).map_err(|error| vec![broken(error)])?;
        let loaded = load::policies(&sorted.policies, &mut faults);
        validate::policies(&schema, &loaded.iter().collect::<Vec<_>>(), &mut faults);
        let hierarchy = sorted.entities.map_or_else(Hierarchy::default, |source| {
            Hierarchy::read(source, &vocabulary, &schema, &mut faults)
        });
        let servers = resources
            .iter()
            .map(|resource| Arc::clone(&resource.name))
            .collect();
        let catalogue = sorted.tools.map_or_else(Catalogue::default, |source| {
            Catalogue::read(source, &servers, &mut faults)
        });
        let principals = sorted
            .principals
            .map_or_else(Principals::default, |source| {
                Principals::read(source, &mut faults)
            });
        let targets = Targets::new(resources, catalogue, &vocabulary, &hierarchy)
            .map_err(|error| vec![broken(error)])?;
        let (index, live) = enforce(&loaded, &vocabulary, &mut faults);
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            return Err(faults);
        }
        let engine = Engine::new(vocabulary, hierarchy, targets, index, live);
        Ok(Self {
            generation,
            digest: hex(files.digest()),
            warnings: faults,
            listed: loaded.iter().map(info).collect(),
            stranger: engine.facts(&Identity::Anonymous),
            principals,
            engine,
        })
    }

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

    /// Every tool of the catalogue, as its server and its name; in no order.
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

    /// Why an operation is denied, and what would change that; for the path of a deny only.
    pub fn explain(
        &self,
        operation: &Operation,
        context: &RequestContext,
        identity: &Identity,
    ) -> Explanation {
        explain::explain(&self.engine, operation, context, identity)
    }

    /// The scopes that a stranger's token would need, for the challenge of a 401; empty when no
    /// scope would help, or none is needed.
    pub fn challenge_scopes(&self, operation: &Operation, context: &RequestContext) -> Vec<String> {
        self.explain(operation, context, &Identity::Anonymous)
            .required_scopes
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

/// The policies in force and their index.
fn enforce(
    loaded: &[Loaded],
    vocabulary: &Vocabulary,
    faults: &mut Vec<Fault>,
) -> (Index, Vec<Live>) {
    let mut index = Index::default();
    let mut enforced = Vec::new();
    let mut number = 0;
    for one in loaded {
        let line = || Some(report::first_line(&one.source, one.span.start));
        let tree = match one.policy.to_pst() {
            Ok(tree) => tree,
            Err(error) => {
                faults.push(Fault::error(&one.source, line(), error.to_string()));
                continue;
            }
        };
        if reach::strays(tree.body()) {
            let message = format!(
                "policy `{}` looks into an entity that it names itself",
                one.id
            );
            faults.push(Fault::error(&one.source, line(), message).help(
                "attributes, tags and `in` are known only of principal, action, resource, \
                 resource.server and context.args",
            ));
        }
        if !one.enforced {
            continue;
        }
        let needs = guard::of_policy(tree.body());
        index.add(number, &one.policy, needs.as_deref(), vocabulary);
        number = number.saturating_add(1);
        enforced.push(Live {
            id: Arc::clone(&one.id),
            forbid: one.policy.effect() == Effect::Forbid,
            policy: one.policy.clone(),
            reads: reads::fields(tree.body()),
            reading: Reading::of(tree.body()),
            reason: one.policy.annotation("reason").map(str::to_owned),
            formula: OnceLock::new(),
        });
    }
    (index, enforced)
}

fn info(loaded: &Loaded) -> PolicyInfo {
    PolicyInfo {
        id: Arc::clone(&loaded.id),
        forbid: loaded.policy.effect() == Effect::Forbid,
        enforced: loaded.enforced,
        file: Arc::clone(&loaded.source.name),
        line: loaded.line,
    }
}

/// A fault of the program, not of the operator.
fn broken(message: String) -> Fault {
    let schema = Source {
        name: files::SCHEMA_FILE.into(),
        text: "".into(),
    };
    Fault::error(&schema, None, message).hide_excerpt()
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A `String` takes everything that is written to it.
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok());
        text
    })
}
