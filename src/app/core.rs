//! Everything of a sidecar but its servers: policies, keys, what has been revoked, and the authorizer.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::watch;

use crate::app::PolicyOrigin;
use crate::app::StartError;
use crate::app::reload::Reloads;
use crate::app::sources;
use crate::app::status::StatusSource;
use crate::authorizer::Authorizer;
use crate::authorizer::Parts;
use crate::authorizer::Sources;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Config;
use crate::fault::Fault;
use crate::identity::revocation::Revocations;
use crate::policy::Compiler;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::source::Clock;
use crate::source::clock::SystemClock;
use crate::source::dev_issuer::DevIssuer;
use crate::source::policy_files;
use crate::source::revocation_file;
use crate::source::revocation_file::RevocationWatcher;
use crate::telemetry::decision_log::DecisionLog;
use crate::telemetry::decision_log::DecisionLogWriter;
use crate::telemetry::metrics::Metrics;

/// Everything but the servers.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) snapshot: Arc<SnapshotCell>,
    pub(super) reloads: Arc<Reloads>,
    pub(super) keys_changed: Arc<Notify>,
    pub(super) sources: Sources,
    pub(super) authorizer: Arc<Authorizer>,
    pub(super) dev_issuer: Option<Arc<DevIssuer>>,
    /// The list in force, where there is a file of what has been revoked.
    pub(super) revocations: Option<RevocationWatcher>,
    /// Made the policies in force, and remembers how.
    pub(super) compiler: Compiler,
    /// Digest of the files in force, where a directory is to be watched.
    pub(super) watched: Option<[u8; 32]>,
}

impl Core {
    pub(super) fn build(
        config: Config,
        origin: PolicyOrigin,
    ) -> Result<(Self, DecisionLogWriter), StartError> {
        let config = Arc::new(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut compiler = Compiler::for_config(&config);
        let (files, policies) =
            first_policies(&mut compiler, &config, origin).map_err(StartError::Policies)?;
        let resources = config.resources.iter();
        let names: Vec<Arc<str>> = resources.map(|one| Arc::clone(&one.name)).collect();
        let metrics = Arc::new(Metrics::new(&names));
        let revoked = config.revocations.as_deref().map(first_revocations);
        let revoked = revoked.transpose()?;
        metrics.policy_reload("ok");
        metrics.policy_generation(policies.generation());
        let reloads = Arc::new(Reloads::new(policies.digest(), clock.now_ms()));
        let (decision_log, log_writer) =
            DecisionLog::open(&config.decision_log.to, metrics.decision_log_dropped())?;
        let snapshot = Arc::new(SnapshotCell::new(
            Arc::new(policies),
            config.authenticators.len(),
        ));
        let revocations = revoked.map(|(list, watcher)| {
            snapshot.publish_revocations(Arc::new(list));
            watcher
        });
        let dev_issuer = dev_issuer(&config, &clock, &snapshot)?;
        let keys_changed = Arc::new(Notify::new());
        let sources = sources::start(&sources::Wiring {
            config: Arc::clone(&config),
            snapshot: Arc::clone(&snapshot),
            changed: Arc::clone(&keys_changed),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        })?;
        let authorizer = Arc::new(Authorizer::new(Parts {
            config: Arc::clone(&config),
            snapshot: Arc::clone(&snapshot),
            sources: sources.clone(),
            sessions: sources::sessions(&config, &clock, &metrics)?,
            nonce_key: nonce_key()?,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            decision_log,
        })?);
        let watched = (origin == PolicyOrigin::Directory).then(|| files.digest());
        let core = Self {
            config,
            clock,
            metrics,
            snapshot,
            reloads,
            keys_changed,
            sources,
            authorizer,
            dev_issuer,
            revocations,
            compiler,
            watched,
        };
        Ok((core, log_writer))
    }

    pub(super) fn status(&self, readiness: watch::Receiver<bool>) -> StatusSource {
        StatusSource {
            config: Arc::clone(&self.config),
            snapshot: Arc::clone(&self.snapshot),
            key_sources: self.sources.keys.clone(),
            reloads: Arc::clone(&self.reloads),
            metrics: Arc::clone(&self.metrics),
            readiness,
        }
    }
}

fn first_policies(
    compiler: &mut Compiler,
    config: &Config,
    origin: PolicyOrigin,
) -> Result<(PolicyFiles, PolicySnapshot), Vec<Fault>> {
    let files = match origin {
        PolicyOrigin::Directory => policy_files::read(&config.policies.dir)?,
        PolicyOrigin::Embedded => PolicyFiles::embedded(),
    };
    let snapshot = compiler.compile(&files, 1)?;
    for warning in snapshot.warnings() {
        tracing::warn!(%warning, "a policy is probably not meant so");
    }
    tracing::info!(policies = snapshot.policy_count(), "policies loaded");
    Ok((files, snapshot))
}

/// The issuer of development tokens, where there is one, with its key published.
fn dev_issuer(
    config: &Config,
    clock: &Arc<dyn Clock>,
    snapshot: &SnapshotCell,
) -> Result<Option<Arc<DevIssuer>>, StartError> {
    let Some(issuer) = DevIssuer::open(config, Arc::clone(clock))? else {
        return Ok(None);
    };
    let (index, keys) = issuer.keys()?;
    snapshot.publish_keys(index, Some(Arc::new(keys)));
    tracing::warn!("development tokens are issued here; this is no place for real users");
    Ok(Some(Arc::new(issuer)))
}

/// What has been revoked, and who watches for more.
fn first_revocations(path: &Path) -> Result<(Revocations, RevocationWatcher), StartError> {
    let (list, digest) = revocation_file::load(path).map_err(StartError::Revocations)?;
    Ok((list, RevocationWatcher::new(path.to_owned(), digest)))
}

fn nonce_key() -> Result<[u8; 32], StartError> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| StartError::Random)?;
    Ok(key)
}
