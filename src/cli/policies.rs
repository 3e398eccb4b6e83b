//! The policy directory, as commands read it: every fault names the file as the operator would.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::output::Output;
use crate::config::Config;
use crate::config::Overrides;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::Compiler;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::source::bundle;
use crate::source::bundle::BundleSource;
use crate::source::clock::SystemClock;
use crate::source::policy_files;

/// Another policy directory than the configuration's.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct PoliciesFlag {
    /// The policy directory, instead of the configuration's `policies.dir`
    #[arg(long, value_name = "DIR", env = "CEDARGATE_POLICIES_DIR")]
    pub(super) policies_dir: Option<PathBuf>,
}

impl PoliciesFlag {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            policies_dir: self.policies_dir.clone(),
            ..Overrides::default()
        }
    }
}

/// What names the policy directory.
const DIR: &str = "`policies.dir` of the configuration, `--policies-dir` or \
                   `CEDARGATE_POLICIES_DIR` names the directory";

/// What names the directory of policies that are only tried.
const SHADOW_DIR: &str = "`policies.shadow_dir` of the configuration names the directory";

/// Reads and compiles a directory; without a configuration nothing is said of what it would know, and
/// warnings, which it may allow, are none of the errors.
pub(super) fn compile(dir: &Path, config: Option<&Config>) -> Result<PolicySnapshot, Vec<Fault>> {
    policy_files::read(dir)
        .and_then(|files| match config {
            Some(config) => PolicySnapshot::compile_for(&files, config, 1),
            None => PolicySnapshot::compile(&files, &[], 1),
        })
        .map_err(|faults| below(dir, faults))
}

/// Prints the warnings that were allowed: they stay worth a look.
pub(super) fn warn(output: Output, dir: &Path, policies: &PolicySnapshot) {
    output.faults(&below(dir, policies.warnings().to_vec()));
}

/// Reads and compiles the directory of policies that are only tried; absent where there is none.
pub(super) fn compile_shadow(config: &Config) -> Result<Option<PolicySnapshot>, Vec<Fault>> {
    let Some(dir) = config.policies.shadow_dir.as_deref() else {
        return Ok(None);
    };
    let compiled = policy_files::read(dir)
        .and_then(|files| PolicySnapshot::compile_for(&files, config, 1))
        .map_err(|faults| named(dir, faults, SHADOW_DIR));
    compiled.map(Some)
}

/// The policies that the configuration names, from a directory or from a bundle.
#[derive(Debug)]
pub(super) struct Configured {
    /// The directory or the bundle, as its files are named below it.
    pub(super) place: PathBuf,
    /// Nobody has compiled them.
    pub(super) files: PolicyFiles,
    /// The tests that the bundle brings along; absent where there is no bundle.
    pub(super) tests: Option<Vec<Source>>,
}

impl Configured {
    /// Reads them. Nothing is fetched: of a bundle at a URL, the copy of the last good one is read.
    pub(super) fn read(config: &Config) -> Result<Self, Vec<Fault>> {
        let place = place(config);
        let Some(rules) = &config.policies.bundle else {
            let files = policy_files::read(&place).map_err(|faults| below(&place, faults))?;
            return Ok(Self {
                place,
                files,
                tests: None,
            });
        };
        let bundle = BundleSource::open(rules, Arc::new(SystemClock::new()))?.offline()?;
        let named = |test: Source| Source {
            name: place.join(&*test.name).display().to_string().into(),
            ..test
        };
        Ok(Self {
            files: bundle.policies,
            tests: Some(bundle.tests.into_iter().map(named).collect()),
            place,
        })
    }

    pub(super) fn compile(&self, config: &Config) -> Result<PolicySnapshot, Vec<Fault>> {
        let compiler = Compiler::for_config(config);
        let mut compiler = match &config.policies.bundle {
            Some(_) => compiler.signed(),
            None => compiler,
        };
        compiler
            .compile(&self.files, 1)
            .map_err(|faults| below(&self.place, faults))
    }
}

/// Reads and compiles the policies that the configuration names.
pub(super) fn configured(config: &Config) -> Result<PolicySnapshot, Vec<Fault>> {
    Configured::read(config)?.compile(config)
}

/// The directory or the bundle that the configuration names.
pub(super) fn place(config: &Config) -> PathBuf {
    match &config.policies.bundle {
        Some(rules) => PathBuf::from(&*bundle::shown(&rules.place)),
        None => config.policies.dir.clone(),
    }
}

/// Faults of a policy directory, with the directory in front of the names of its files.
pub(super) fn below(dir: &Path, faults: Vec<Fault>) -> Vec<Fault> {
    named(dir, faults, DIR)
}

fn named(dir: &Path, mut faults: Vec<Fault>, help: &str) -> Vec<Fault> {
    for fault in &mut faults {
        if Path::new(&*fault.file) == dir {
            fault.help.get_or_insert_with(|| help.to_owned());
        } else {
            fault.file = dir.join(&*fault.file).display().to_string().into();
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_file_from_where_the_operator_stands() {
        let fault = |name: &str| {
            let source = Source {
                name: name.into(),
                text: "".into(),
            };
            Fault::error(&source, None, "m")
        };
        let faults = below(
            Path::new("etc/policies"),
            vec![fault("policies/a.cedar"), fault("etc/policies")],
        );
        let seen: Vec<_> = faults
            .iter()
            .map(|f| (&*f.file, f.help.is_some()))
            .collect();
        assert_eq!(
            seen,
            [
                ("etc/policies/policies/a.cedar", false),
                ("etc/policies", true)
            ]
        );
    }
}
