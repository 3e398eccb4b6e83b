//! Compiles one state of the policy files after another, for one configuration.

use std::fmt;
use std::sync::Arc;

use super::PolicyFiles;
use super::PolicySnapshot;
use super::deep;
use super::lint::KnownNames;
use super::memory::Memory;
use super::report;
use crate::config::Config;
use crate::config::Resource;
use crate::fault::Fault;

/// What policy files are compiled for. Whoever compiles more than once keeps it: files that have
/// changed a little are then compiled a little.
pub struct Compiler {
    pub(super) resources: Vec<Arc<Resource>>,
    /// Absent where the configuration is not known.
    pub(super) known: Option<KnownNames>,
    /// Whether the files must be listed with their hashes.
    pub(super) requires_manifest: bool,
    /// Of the policies that were compiled last.
    pub(super) memory: Memory,
}

impl Compiler {
    /// For this configuration.
    pub fn for_config(config: &Config) -> Self {
        Self {
            resources: config.resources.clone(),
            known: Some(KnownNames::of(config)),
            requires_manifest: config.policies.require_manifest,
            memory: Memory::default(),
        }
    }

    /// The same for files that come signed: the manifest that was signed lists them, with their hashes,
    /// and so needs no other.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.requires_manifest = false;
        self
    }

    /// Where no more of the configuration is known than its resources: the same policies, with fewer
    /// warnings of names that mean nothing.
    pub fn for_resources(resources: &[Arc<Resource>]) -> Self {
        Self {
            resources: resources.to_vec(),
            known: None,
            requires_manifest: false,
            memory: Memory::default(),
        }
    }

    /// Compiles the files of a policy directory. The number is the caller's, to tell this snapshot
    /// from others in logs. What comes out is what an unused compiler would make of the same files.
    ///
    /// # Errors
    ///
    /// Every fault that was found, warnings among them; at least one is an error.
    pub fn compile(
        &mut self,
        files: &PolicyFiles,
        generation: u64,
    ) -> Result<PolicySnapshot, Vec<Fault>> {
        let compiled = deep::run(|| self.compile_here(files, generation));
        compiled.unwrap_or_else(|| {
            let message = "the policies could not be compiled";
            Err(vec![report::broken(message.to_owned())])
        })
    }
}

impl fmt::Debug for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiler").finish_non_exhaustive()
    }
}
