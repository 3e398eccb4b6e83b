//! The composition root: builds everything from a configuration and runs it until drained.

mod keys;
mod reload;
mod status;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::reload::Reloads;
use crate::app::status::StatusSource;
use crate::authorizer::Authorizer;
use crate::authorizer::Parts;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Address;
use crate::config::Config;
use crate::fault::Fault;
use crate::identity::crypto;
use crate::identity::crypto::CryptoFault;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::shutdown::Shutdown;
use crate::source::Clock;
use crate::source::KeySource;
use crate::source::clock::SystemClock;
use crate::source::jwks::SourceFault;
use crate::source::policy_files;
use crate::telemetry::decision_log::DecisionLog;
use crate::telemetry::decision_log::DecisionLogError;
use crate::telemetry::decision_log::DecisionLogWriter;
use crate::telemetry::metrics::Metrics;
use crate::transport::admin;
use crate::transport::admin::Admin;
use crate::transport::budget::Budget;
use crate::transport::grpc;
use crate::transport::grpc::GrpcError;
use crate::transport::grpc::GrpcService;
use crate::transport::http;
use crate::transport::limits;
use crate::transport::listener::ListenError;
use crate::transport::listener::Listener;
use crate::transport::public;

/// How long a start waits for the first keys of every issuer before it is ready without them.
const STARTUP_GRACE: Duration = Duration::from_secs(10);

/// Where the policies come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyOrigin {
    /// The configured directory, watched for changes.
    Directory,
    /// The starter set that is built in.
    Embedded,
}

/// The program could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The policies are invalid.
    #[error("the policies are invalid")]
    Policies(Vec<Fault>),
    /// The cryptography is not usable.
    #[error("the cryptographic library is not usable")]
    Crypto(#[from] CryptoFault),
    /// The keys of an authenticator cannot be had at all.
    #[error("the keys of the authenticator `{authenticator}` are not usable")]
    Keys {
        /// Name of the authenticator.
        authenticator: Arc<str>,
        /// What is wrong.
        source: SourceFault,
    },
    /// A listener could not be opened.
    #[error(
        "the `{listener}` listener cannot be opened; `listen.{listener}` or `--listen-{listener}` names another place"
    )]
    Listen {
        /// Its key under `listen`.
        listener: &'static str,
        /// What the system said.
        source: ListenError,
    },
    /// The decision log could not be opened.
    #[error(transparent)]
    DecisionLog(#[from] DecisionLogError),
    /// The gRPC services could not be put together.
    #[error(transparent)]
    Grpc(#[from] GrpcError),
    /// A metadata document could not be written.
    #[error("a metadata document could not be written")]
    Metadata(#[from] serde_json::Error),
    /// The system refused something.
    #[error("the system refused")]
    System(#[from] io::Error),
}

/// Where the listeners really are.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// `ext_authz` and health.
    pub grpc: Address,
    /// Checks of other gateways.
    pub http: Address,
    /// Metadata, where there is such a listener.
    pub public: Option<Address>,
    /// Probes, metrics and status.
    pub admin: Address,
}

/// A running sidecar.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
    addresses: Addresses,
    shutdown: Shutdown,
    servers: JoinSet<()>,
    health: HealthReporter,
    snapshot: Arc<SnapshotCell>,
    keys_changed: Arc<Notify>,
    decision_log: DecisionLogWriter,
}

impl App {
    /// Opens every listener and starts everything; returns before the first keys are there.
    pub async fn start(config: Config, origin: PolicyOrigin) -> Result<Self, StartError> {
        crypto::install()?;
        for danger in config.danger() {
            tracing::warn!(danger, "a check is weakened by the configuration");
        }
        let (core, log_writer) = Core::build(config, origin)?;
        let shutdown = Shutdown::default();
        let status = core.status(shutdown.readiness());
        let mut servers = JoinSet::new();
        let (health, addresses) = listen(&mut servers, &core.authorizer, &shutdown, status).await?;
        if let Some(first) = core.watched {
            servers.spawn(reload::watch(reload::Watch {
                config: Arc::clone(&core.config),
                snapshot: Arc::clone(&core.snapshot),
                metrics: core.metrics,
                reloads: core.reloads,
                clock: core.clock,
                first,
                stop: shutdown.stop(),
            }));
        }
        Ok(Self {
            config: core.config,
            addresses,
            shutdown,
            servers,
            health,
            snapshot: core.snapshot,
            keys_changed: core.keys_changed,
            decision_log: log_writer,
        })
    }

    /// Where the listeners are.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits for the first keys of every issuer, for at most 10 s, and then takes checks.
    pub async fn become_ready(&self) {
        let all = keys::all_present(&self.config, &self.snapshot, &self.keys_changed);
        if tokio::time::timeout(STARTUP_GRACE, all).await.is_err() {
            tracing::warn!("ready without the keys of every issuer; tokens of those get a 503");
        }
        self.set_health(ServingStatus::Serving).await;
        self.shutdown.set_ready();
        tracing::info!("ready");
    }

    /// Drains and ends: not ready, serve on for the configured time, close, let calls end.
    pub async fn drain(mut self) {
        self.set_health(ServingStatus::NotServing).await;
        self.shutdown.begin(self.config.listen.drain).await;
        while self.servers.join_next().await.is_some() {}
        let writer = self.decision_log;
        if tokio::task::spawn_blocking(move || writer.finish())
            .await
            .is_err()
        {
            tracing::error!("the decision log could not be finished");
        }
        tracing::info!("drained");
    }

    async fn set_health(&self, status: ServingStatus) {
        self.health.set_service_status("", status).await;
        self.health.set_service_status(grpc::SERVICE, status).await;
    }
}

/// Everything but the servers.
struct Core {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    snapshot: Arc<SnapshotCell>,
    reloads: Arc<Reloads>,
    keys_changed: Arc<Notify>,
    key_sources: Vec<Option<Arc<dyn KeySource>>>,
    authorizer: Arc<Authorizer>,
    /// Digest of the files in force, where a directory is to be watched.
    watched: Option<[u8; 32]>,
}

impl Core {
    fn build(
        config: Config,
        origin: PolicyOrigin,
    ) -> Result<(Self, DecisionLogWriter), StartError> {
        let config = Arc::new(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (files, policies) = first_policies(&config, origin).map_err(StartError::Policies)?;
        let names: Vec<Arc<str>> = config
            .resources
            .iter()
            .map(|r| Arc::clone(&r.name))
            .collect();
        let metrics = Arc::new(Metrics::new(&names));
        metrics.policy_reload("ok");
        metrics.policy_generation(policies.generation());
        let reloads = Arc::new(Reloads::new(policies.digest(), clock.now_ms()));
        let (decision_log, log_writer) =
            DecisionLog::open(&config.decision_log.to, metrics.decision_log_dropped())?;
        let snapshot = Arc::new(SnapshotCell::new(
            Arc::new(policies),
            config.authenticators.len(),
        ));
        let keys_changed = Arc::new(Notify::new());
        let key_sources = keys::start(&keys::Wiring {
            config: Arc::clone(&config),
            snapshot: Arc::clone(&snapshot),
            changed: Arc::clone(&keys_changed),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
        })?;
        let authorizer = Arc::new(Authorizer::new(Parts {
            config: Arc::clone(&config),
            snapshot: Arc::clone(&snapshot),
            key_sources: key_sources.clone(),
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
            key_sources,
            authorizer,
            watched,
        };
        Ok((core, log_writer))
    }

    fn status(&self, readiness: watch::Receiver<bool>) -> StatusSource {
        StatusSource {
            config: Arc::clone(&self.config),
            snapshot: Arc::clone(&self.snapshot),
            key_sources: self.key_sources.clone(),
            reloads: Arc::clone(&self.reloads),
            metrics: Arc::clone(&self.metrics),
            readiness,
        }
    }
}

fn first_policies(
    config: &Config,
    origin: PolicyOrigin,
) -> Result<(PolicyFiles, PolicySnapshot), Vec<Fault>> {
    let files = match origin {
        PolicyOrigin::Directory => policy_files::read(&config.policies.dir)?,
        PolicyOrigin::Embedded => PolicyFiles::embedded(),
    };
    let snapshot = PolicySnapshot::compile(&files, &config.resources, 1)?;
    for warning in snapshot.warnings() {
        tracing::warn!(%warning, "a policy is probably not meant so");
    }
    tracing::info!(policies = snapshot.policy_count(), "policies loaded");
    Ok((files, snapshot))
}

/// Binds every listener before any is served, so that a start either has all of them or fails.
async fn listen(
    servers: &mut JoinSet<()>,
    authorizer: &Arc<Authorizer>,
    shutdown: &Shutdown,
    status: StatusSource,
) -> Result<(HealthReporter, Addresses), StartError> {
    let config = authorizer.config();
    let grpc_listener = bind("grpc", &config.listen.grpc).await?;
    let http_listener = bind("http", &config.listen.http).await?;
    let admin_listener = bind("admin", &config.listen.admin).await?;
    let public_listener = match &config.listen.public {
        Some(address) => Some(bind("public", address).await?),
        None => None,
    };
    let addresses = Addresses {
        grpc: grpc_listener.address()?,
        http: http_listener.address()?,
        public: public_listener
            .as_ref()
            .map(Listener::address)
            .transpose()?,
        admin: admin_listener.address()?,
    };
    announce(&addresses);
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    health
        .set_service_status(grpc::SERVICE, ServingStatus::NotServing)
        .await;
    let budget = Budget::default();
    let health_service = health_service.max_decoding_message_size(limits::SMALL_MESSAGE);
    let service = GrpcService::new(Arc::clone(authorizer), budget.clone(), health_service)?;
    servers.spawn(grpc::serve(grpc_listener, service, shutdown.stop()));
    servers.spawn(http::serve(
        http_listener,
        Arc::clone(authorizer),
        budget,
        shutdown.stop(),
    ));
    let metrics = Arc::clone(&status.metrics);
    let before_scrape = status.clone();
    let admin = Admin {
        readiness: shutdown.readiness(),
        metrics,
        before_scrape: Arc::new(move || before_scrape.refresh_metrics()),
        status: Arc::new(move || status.document()),
        token: config.admin_token.clone(),
    };
    // Probes and metrics are answered until the very end of the drain.
    servers.spawn(admin::serve(admin_listener, admin, shutdown.stop()));
    if let Some(listener) = public_listener {
        let readiness: watch::Receiver<bool> = shutdown.readiness();
        let authorizer = Arc::clone(authorizer);
        servers.spawn(public::serve(
            listener,
            authorizer,
            readiness,
            shutdown.stop(),
        ));
    }
    Ok((health, addresses))
}

async fn bind(listener: &'static str, address: &Address) -> Result<Listener, StartError> {
    Listener::bind(address)
        .await
        .map_err(|source| StartError::Listen { listener, source })
}

fn announce(addresses: &Addresses) {
    tracing::info!(
        grpc = %addresses.grpc,
        http = %addresses.http,
        admin = %addresses.admin,
        public = addresses.public.as_ref().map(ToString::to_string),
        "listening"
    );
}
