//! From the files of a policy directory to a snapshot, or to every fault in them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::OnceLock;

use cedar_policy::Effect;
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
use super::gaps::Reading;
use super::guard;
use super::hierarchy::Hierarchy;
use super::index::Index;
use super::lint;
use super::lint::Directory;
use super::load;
use super::load::Loaded;
use super::load::Tree;
use super::principals::Principals;
use super::reach;
use super::reads;
use super::report;
use super::targets::Targets;
use super::validate;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::config::Config;
use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::identity::Identity;

impl PolicySnapshot {
    /// Compiles the files of a policy directory for this configuration. The number is the caller's,
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
    /// resources: the same policies, with fewer warnings of names that mean nothing.
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
        let Self { resources, known } = self;
        let mut faults = Vec::new();
        let sorted = files::sort(files, &mut faults);
        if let Some(copy) = sorted.schema {
            files::check_schema_copy(copy, &mut faults);
        }
        let schema = vocabulary::schema().map_err(|error| vec![report::broken(error)])?;
        let vocabulary = Vocabulary::new(&schema).map_err(|error| vec![report::broken(error)])?;
        let loaded = load::policies(&sorted.policies, &mut faults);
        let trees = load::trees(&loaded, &mut faults);
        let policies_are_whole = !has_error(&faults);
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
        let (principals, mentions) = sorted.principals.map_or_else(Default::default, |source| {
            Principals::read_with_mentions(source, &mut faults)
        });
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
        let (index, live) = enforce(&trees, &vocabulary, &mut faults);
        if has_error(&faults) {
            return Err(faults);
        }
        let engine = Engine::new(vocabulary, hierarchy, targets, index, live);
        Ok(PolicySnapshot {
            generation,
            digest: hex(files.digest()),
            warnings: faults,
            listed: loaded.iter().map(info).collect(),
            stranger: engine.facts(&Identity::Anonymous),
            principals,
            engine,
            challenges: Cache::new(MAX_CHALLENGES),
        })
    }
}

/// The policies in force and their index.
fn enforce(
    trees: &[Tree<'_>],
    vocabulary: &Vocabulary,
    faults: &mut Vec<Fault>,
) -> (Index, Vec<Live>) {
    let mut index = Index::default();
    let mut enforced = Vec::new();
    let mut number = 0;
    for (one, tree) in trees {
        if reach::strays(tree.body()) {
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
            reads: reads::of_policy(tree.body()),
            reading: Reading::of(tree.body()),
            reason: one.policy.annotation("reason").map(str::to_owned),
            formula: OnceLock::new(),
            shape: OnceLock::new(),
        });
    }
    (index, enforced)
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
