//! The first policies of a run: from a directory, from a signed bundle or the copy of its last good
//! one, or from the program itself.

use std::sync::Arc;

use crate::app::PolicyOrigin;
use crate::app::StartError;
use crate::config::BundleRules;
use crate::config::Config;
use crate::fault::Fault;
use crate::policy::Compiler;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::source::Clock;
use crate::source::bundle;
use crate::source::bundle::BundleSource;
use crate::source::bundle::BundleStatus;
use crate::source::bundle::BundleWatcher;
use crate::source::policy_files::PolicyWatcher;
use crate::source::settling::Watched as _;

/// The policies that a run begins with.
pub(super) struct First {
    pub(super) policies: PolicySnapshot,
    /// Made them, and remembers how.
    pub(super) compiler: Compiler,
    pub(super) watched: Watched,
    /// Why they are the last good ones and not the newest; empty where they are the newest.
    pub(super) faults: Vec<Fault>,
}

/// Whatever is watched for newer policies.
pub(super) enum Watched {
    Nothing,
    Directory(PolicyWatcher),
    Bundle(Box<BundleWatcher>),
}

impl Watched {
    /// The state of the bundle, where there is one.
    pub(super) fn bundle(&self) -> Option<Arc<BundleStatus>> {
        match self {
            Self::Bundle(watcher) => Some(watcher.status()),
            Self::Nothing | Self::Directory(_) => None,
        }
    }
}

/// Reads or fetches the policies, and compiles them, on a thread that may block.
pub(super) async fn policies(
    config: &Arc<Config>,
    origin: PolicyOrigin,
    clock: &Arc<dyn Clock>,
) -> Result<First, StartError> {
    let (config, clock) = (Arc::clone(config), Arc::clone(clock));
    let first = tokio::task::spawn_blocking(move || {
        let compiler = Compiler::for_config(&config);
        match (origin, &config.policies.bundle) {
            (PolicyOrigin::Directory, Some(rules)) => from_bundle(compiler, rules, clock),
            (PolicyOrigin::Directory, None) => from_directory(compiler, &config, &*clock),
            (PolicyOrigin::Embedded, _) => {
                compile(compiler, &PolicyFiles::embedded(), Watched::Nothing)
            }
        }
    });
    let first = first.await.map_err(|_| StartError::Policies(Vec::new()))?;
    let first = first.map_err(StartError::Policies)?;
    for warning in first.policies.warnings() {
        tracing::warn!(%warning, "a policy is probably not meant so");
    }
    tracing::info!(policies = first.policies.policy_count(), "policies loaded");
    Ok(first)
}

fn compile(
    mut compiler: Compiler,
    files: &PolicyFiles,
    watched: Watched,
) -> Result<First, Vec<Fault>> {
    Ok(First {
        policies: compiler.compile(files, 1)?,
        compiler,
        watched,
        faults: Vec::new(),
    })
}

fn from_directory(
    compiler: Compiler,
    config: &Config,
    clock: &dyn Clock,
) -> Result<First, Vec<Fault>> {
    let (files, watcher) = PolicyWatcher::start(config.policies.dir.clone(), clock)?;
    compile(compiler, &files, Watched::Directory(watcher))
}

/// The bundle as it is now; where that is not to be had or no good, the copy of the last good one.
fn from_bundle(
    mut compiler: Compiler,
    rules: &BundleRules,
    clock: Arc<dyn Clock>,
) -> Result<First, Vec<Fault>> {
    let mut watcher = BundleWatcher::new(BundleSource::open(rules, clock)?);
    let place = bundle::shown(&rules.place);
    let mut compile = |files: &PolicyFiles| {
        compiler
            .compile(files, 1)
            .map_err(|faults| within(&place, faults))
    };
    let newest = watcher.first().and_then(|files| compile(&files));
    let (policies, faults) = match newest {
        Ok(policies) => (policies, Vec::new()),
        Err(mut faults) => {
            let Some(kept) = watcher.kept() else {
                return Err(faults);
            };
            match kept.and_then(|files| compile(&files)) {
                Ok(policies) => (policies, faults),
                Err(more) => {
                    faults.extend(more);
                    return Err(faults);
                }
            }
        }
    };
    for fault in &faults {
        tracing::error!(%fault, "the bundle cannot be used; starting with the last good one");
    }
    watcher.accepted();
    Ok(First {
        policies,
        compiler,
        watched: Watched::Bundle(Box::new(watcher)),
        faults,
    })
}

/// Faults of the files in a bundle, named by the bundle as well.
fn within(place: &str, mut faults: Vec<Fault>) -> Vec<Fault> {
    for fault in &mut faults {
        fault.file = format!("{place}/{}", fault.file).into();
    }
    faults
}
