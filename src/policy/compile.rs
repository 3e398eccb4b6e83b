//! From the files of a policy directory to a snapshot, or to every fault in them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;

use cedar_policy::Effect;
use cedar_policy::Schema;
use moka::sync::Cache;

use super::MAX_CHALLENGES;
use super::PolicyFiles;
use super::PolicyInfo;
use super::PolicySnapshot;
use super::catalogue::Catalogue;
use super::compiler::Compiler;
use super::engine::Engine;
use super::engine::Live;
use super::files;
use super::files::Sorted;
use super::hierarchy::Hierarchy;
use super::index;
use super::lint;
use super::lint::Directory;
use super::load::Loaded;
use super::load::Tree;
use super::memory::Known;
use super::principals::Mentions;
use super::principals::Principals;
use super::report;
use super::schema_copy;
use super::targets::Targets;
use super::trial::Trial;
use super::validate;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::config::Config;
use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::identity::Identity;

impl PolicySnapshot {
    /// Compiles the files of a policy directory for this configuration. A warning that neither
    /// `policies.allow_warnings` nor `@allow` on the policy names is an error. The number is the caller's,
    /// to tell this snapshot from others in logs.
    ///
    /// # Errors
    ///
    /// Every fault that was found, warnings among them; at least one is an error.
    pub fn compile_for(
        files: &PolicyFiles,
        config: &Config,
        generation: u64,
    ) -> Result<Self, Vec<Fault>> {
        Compiler::for_config(config).compile(files, generation)
    }

    /// [`compile_for`](Self::compile_for) where no more of the configuration is known than its
    /// resources: the same policies, with fewer warnings of names that mean nothing. Nothing says there
    /// which warnings are allowed, so they stay what they are.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn compile(
        files: &PolicyFiles,
        resources: &[Arc<Resource>],
        generation: u64,
    ) -> Result<Self, Vec<Fault>> {
        Compiler::for_resources(resources).compile(files, generation)
    }
}

impl Compiler {
    /// On a thread with enough stack.
    pub(super) fn compile_here(
        &mut self,
        files: &PolicyFiles,
        generation: u64,
    ) -> Result<PolicySnapshot, Vec<Fault>> {
        let Self {
            resources,
            known,
            requires_manifest,
            memory,
        } = self;
        let mut faults = Vec::new();
        let sorted = files::sort(files, &mut faults);
        files::check_manifest(files, &sorted, *requires_manifest, &mut faults);
        if let Some(copy) = sorted.schema {
            schema_copy::check(copy, &mut faults);
        }
        let (schema, vocabulary) = words().map_err(|error| vec![report::broken(error)])?;
        memory
            .read(&sorted.policies, &schema)
            .map_err(|fault| vec![fault])?;
        let policies = memory.policies(&mut faults);
        let policies_are_whole = !has_error(&faults);
        faults.extend(validated(&policies));
        let trees: Vec<Tree<'_>> = policies.iter().map(|one| one.tree()).collect();
        let Beside {
            hierarchy,
            catalogue,
            principals,
            mentions,
        } = Beside::read(&sorted, resources, (&vocabulary, &schema), &mut faults);
        let directory = Directory {
            files: &sorted,
            policies: &trees,
            policies_are_whole,
            hierarchy: &hierarchy,
            catalogue: &catalogue,
            mentions: &mentions,
            resources,
            vocabulary: &vocabulary,
            known: known.clone(),
        };
        lint::lint(&directory, &mut faults);
        let targets = Targets::new(resources, catalogue, &vocabulary, &hierarchy)
            .map_err(|error| vec![report::broken(error)])?;
        refuse_strays(&policies, &mut faults);
        lint::settle(trees.iter().map(|tree| tree.0), known.as_ref(), &mut faults);
        if has_error(&faults) {
            return Err(faults);
        }
        let surroundings = Surroundings::new(vocabulary, hierarchy, targets);
        let (engine, trial) = surroundings.engines(&policies);
        Ok(PolicySnapshot {
            generation,
            digest: hex(files.digest()),
            warnings: faults,
            listed: policies.iter().map(|one| info(&one.loaded)).collect(),
            stranger: engine.facts(&Identity::Anonymous),
            principals,
            engine,
            trial,
            challenges: Cache::new(MAX_CHALLENGES),
        })
    }
}

/// What stands beside the policies; what could not be read is empty.
struct Beside {
    hierarchy: Hierarchy,
    catalogue: Catalogue,
    principals: Principals,
    mentions: Mentions,
}

impl Beside {
    fn read(
        sorted: &Sorted<'_>,
        resources: &[Arc<Resource>],
        (vocabulary, schema): (&Vocabulary, &Schema),
        faults: &mut Vec<Fault>,
    ) -> Self {
        let hierarchy = sorted.entities.map_or_else(Hierarchy::default, |source| {
            Hierarchy::read(source, vocabulary, schema, faults)
        });
        let servers = resources.iter().map(|one| Arc::clone(&one.name)).collect();
        let catalogue = sorted.tools.map_or_else(Catalogue::default, |source| {
            Catalogue::read(source, &servers, faults)
        });
        let (principals, mentions) = sorted.principals.map_or_else(Default::default, |source| {
            Principals::read_with_mentions(source, faults)
        });
        Self {
            hierarchy,
            catalogue,
            principals,
            mentions,
        }
    }
}

fn words() -> Result<(Schema, Vocabulary), String> {
    let schema = vocabulary::schema()?;
    let vocabulary = Vocabulary::new(&schema)?;
    Ok((schema, vocabulary))
}

/// What validation has found, in the order of the places.
fn validated(policies: &[&Known]) -> Vec<Fault> {
    let found = policies
        .iter()
        .flat_map(|one| one.worked.faults(&one.loaded));
    let mut found: Vec<Fault> = found.collect();
    validate::sort(&mut found);
    found
}

/// What policies are about, the same for those in force and those that are tried.
pub(super) struct Surroundings {
    vocabulary: Arc<Vocabulary>,
    hierarchy: Arc<Hierarchy>,
    targets: Arc<Targets>,
}

impl Surroundings {
    pub(super) fn new(vocabulary: Vocabulary, hierarchy: Hierarchy, targets: Targets) -> Self {
        Self {
            vocabulary: Arc::new(vocabulary),
            hierarchy: Arc::new(hierarchy),
            targets: Arc::new(targets),
        }
    }

    /// The policies in force, and those that are only tried, if any.
    fn engines(&self, policies: &[&Known]) -> (Engine, Option<Trial>) {
        let (enforced, tried): (Vec<&Known>, Vec<&Known>) =
            policies.iter().partition(|one| one.loaded.enforced);
        let trial = (!tried.is_empty()).then(|| Trial::new(self.engine(&tried)));
        (self.engine(&enforced), trial)
    }

    /// These policies and their index.
    pub(super) fn engine(&self, policies: &[&Known]) -> Engine {
        let mut index = index::Builder::default();
        let mut live = Vec::new();
        for known in policies {
            let (one, worked) = (&known.loaded, &known.worked);
            index.add(&one.policy, worked.clauses.clone(), &self.vocabulary);
            live.push(Live {
                id: Arc::clone(&one.id),
                forbid: one.policy.effect() == Effect::Forbid,
                policy: one.policy.clone(),
                reads: worked.reads.clone(),
                reading: worked.reading.clone(),
                reason: one.policy.annotation("reason").map(str::to_owned),
                formula: OnceLock::new(),
                shape: OnceLock::new(),
            });
        }
        Engine::new(
            Arc::clone(&self.vocabulary),
            Arc::clone(&self.hierarchy),
            Arc::clone(&self.targets),
            index.build(),
            live,
        )
    }
}

pub(super) fn refuse_strays(policies: &[&Known], faults: &mut Vec<Fault>) {
    for known in policies {
        let one = &known.loaded;
        if known.worked.strays {
            let message = format!(
                "policy `{}` looks into an entity that it names itself",
                one.id
            );
            let line = report::first_line(&one.source, one.span.start);
            faults.push(Fault::error(&one.source, Some(line), message).help(
                "attributes, tags and `in` are known only of principal, action, resource, \
                 resource.server and context.args",
            ));
        }
    }
}

fn has_error(faults: &[Fault]) -> bool {
    let mut severities = faults.iter().map(|fault| fault.severity);
    severities.any(|severity| severity == Severity::Error)
}

fn info(loaded: &Loaded) -> PolicyInfo {
    PolicyInfo {
        id: Arc::clone(&loaded.id),
        forbid: loaded.policy.effect() == Effect::Forbid,
        enforced: loaded.enforced,
        file: Arc::clone(&loaded.source.name),
        line: loaded.line,
        reason: loaded.policy.annotation("reason").map(Arc::from),
    }
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A `String` takes everything that is written to it.
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok());
        text
    })
}
