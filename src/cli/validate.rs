//! `cedargate validate`

use std::path::Path;

use crate::cli::ConfigFlag;
use crate::cli::Exit;
use crate::cli::output::Output;
use crate::config;
use crate::fault::Fault;
use crate::policy::PolicySnapshot;
use crate::source::policy_files;

/// Check the configuration and the policies, and report every fault at once
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    #[command(flatten)]
    file: ConfigFlag,
}

impl Validate {
    pub(super) fn run(self, output: Output) -> Exit {
        match validate(&self.file.config) {
            Ok(Valid { policies, warnings }) => {
                // Warnings are worth a look, and no reason to refuse.
                output.faults(&warnings);
                let policies = match policies {
                    1 => "1 policy".to_owned(),
                    many => format!("{many} policies"),
                };
                output.data(&format!(
                    "{}: valid, {policies}",
                    self.file.config.display()
                ))
            }
            Err(faults) => {
                let exit = output.faults(&faults);
                let errors = faults.len();
                output.note(&format!(
                    "{errors} fault{} found",
                    if errors == 1 { "" } else { "s" }
                ));
                exit
            }
        }
    }
}

struct Valid {
    policies: usize,
    warnings: Vec<Fault>,
}

fn validate(path: &Path) -> Result<Valid, Vec<Fault>> {
    let loaded = config::load(path)?;
    let mut warnings = loaded.warnings;
    let files = policy_files::read(&loaded.config.policies.dir)?;
    let snapshot = PolicySnapshot::compile(&files, &loaded.config.resources, 1)?;
    warnings.extend(snapshot.warnings().iter().cloned());
    Ok(Valid {
        policies: snapshot.policy_count(),
        warnings,
    })
}
