//! `cedargate validate`

use std::path::Path;
use std::sync::Arc;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::cli::policies;
use crate::cli::policies::Configured;
use crate::cli::policies::PoliciesFlag;
use crate::cli::test;
use crate::config;
use crate::config::Config;
use crate::config::Examined;
use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::source::policy_files::TESTS_DIRECTORY;
use crate::source::revocation_file;

/// Check the configuration and the policies, and report every fault at once
///
/// Reads what `serve` would read, the file of `revocations` and the policies of `policies.shadow_dir`
/// included, and opens no listener. It reads the policy tests as well, which `cedargate test` runs. Faults go
/// to standard error, each with file, line and column. A warning about policies that nothing allows by its
/// name is an error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 valid; 1 failure; 2 wrong usage; 3 at least one error.")]
pub(super) struct Validate {
    #[command(flatten)]
    file: ConfigFlag,
    #[command(flatten)]
    policies: PoliciesFlag,
}

impl Validate {
    pub(super) fn run(self, output: Output) -> Exit {
        match self.validate() {
            Ok(valid) => {
                output.faults(&valid.warnings);
                let policies = counted(valid.policies, "policy", "policies");
                let tried = valid.tried.map_or_else(String::new, |tried| {
                    format!(", {}", counted(tried, "shadow policy", "shadow policies"))
                });
                let file = self.file.config.display();
                output.data(&format!("{file}: valid, {policies}{tried}"))
            }
            Err(faults) => {
                let exit = output.faults(&faults);
                output.summary(&summary(&faults));
                exit
            }
        }
    }

    fn validate(&self) -> Result<Valid, Vec<Fault>> {
        let Examined {
            outcome,
            policies_dir,
        } = config::examine(&self.file.config, &self.policies.overrides());
        let loaded = match outcome {
            Ok(loaded) => loaded,
            Err(mut faults) => {
                if let Some(dir) = policies_dir {
                    // The resources are not known, so what is said about them does not count.
                    let others = policies::compile(&dir, None).err().unwrap_or_default();
                    faults.extend(others.into_iter().filter(is_error));
                }
                return Err(faults);
            }
        };
        let config = &loaded.config;
        let revocations = config.revocations.as_deref();
        let revocations = revocations.map(revocation_file::load).transpose();
        let mut found = loaded.warnings;
        let (policies, tests) = match Configured::read(config) {
            Ok(configured) => {
                let compiled = configured.compile(config);
                (compiled, tests(configured, &config.resources))
            }
            Err(faults) => (Err(faults), tests_beside(config)),
        };
        let shadow_dir = config.policies.shadow_dir.as_deref();
        let shadow = policies::compile_shadow(config);
        match (revocations, policies, tests, shadow) {
            (Ok(_), Ok(snapshot), Ok(()), Ok(tried)) => {
                let warnings = snapshot.warnings().to_vec();
                found.extend(policies::below(&policies::place(config), warnings));
                if let (Some(dir), Some(tried)) = (shadow_dir, &tried) {
                    found.extend(policies::below(dir, tried.warnings().to_vec()));
                }
                Ok(Valid {
                    policies: snapshot.policy_count(),
                    tried: tried.map(|tried| tried.policy_count()),
                    warnings: found,
                })
            }
            (revocations, policies, tests, shadow) => {
                found.extend(revocations.err().into_iter().flatten());
                found.extend(policies.err().into_iter().flatten());
                found.extend(tests.err().into_iter().flatten());
                found.extend(shadow.err().into_iter().flatten());
                Err(found)
            }
        }
    }
}

/// Whether the policy tests can be read; there may be none.
fn tests(configured: Configured, resources: &[Arc<Resource>]) -> Result<(), Vec<Fault>> {
    match configured.tests {
        Some(signed) => test::read_sources(signed, resources).map(drop),
        None => in_folder(&configured.place, resources),
    }
}

/// The same where the policies cannot be read: what a bundle brings along cannot be read either.
fn tests_beside(config: &Config) -> Result<(), Vec<Fault>> {
    match &config.policies.bundle {
        Some(_) => Ok(()),
        None => in_folder(&config.policies.dir, &config.resources),
    }
}

fn in_folder(dir: &Path, resources: &[Arc<Resource>]) -> Result<(), Vec<Fault>> {
    let folder = dir.join(TESTS_DIRECTORY);
    if folder.is_dir() {
        test::read_all(&folder, resources).map(drop)
    } else {
        Ok(())
    }
}

struct Valid {
    policies: usize,
    /// Those of `policies.shadow_dir`; absent without one.
    tried: Option<usize>,
    warnings: Vec<Fault>,
}

fn is_error(fault: &Fault) -> bool {
    fault.severity == Severity::Error
}

/// `2 errors, 1 warning`
fn summary(faults: &[Fault]) -> String {
    let errors = faults.iter().filter(|fault| is_error(fault)).count();
    let warnings = faults.len().saturating_sub(errors);
    let errors = counted(errors, "error", "errors");
    if warnings == 0 {
        return errors;
    }
    format!("{errors}, {}", counted(warnings, "warning", "warnings"))
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
