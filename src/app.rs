//! The composition root: builds everything from a configuration and runs it until drained.

mod core;
mod follow;
mod listeners;
mod reload;
mod revocations;
mod sources;
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

use crate::app::core::Core;
use crate::app::follow::Follower;
use crate::app::follow::Orders;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Address;
use crate::config::Config;
use crate::fault::Fault;
use crate::identity::crypto;
use crate::identity::crypto::CryptoFault;
use crate::shutdown::Shutdown;
use crate::source::dev_issuer::DevKeyFault;
use crate::source::fetch::FetchFault;
use crate::source::jwks::SourceFault;
use crate::source::policy_files::PolicyWatcher;
use crate::source::sessions::OpenFault;
use crate::telemetry::decision_log::DecisionLogError;
use crate::telemetry::decision_log::DecisionLogWriter;
use crate::transport::grpc;
use crate::transport::grpc::GrpcError;
use crate::transport::listener::ListenError;

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
    /// An introspection endpoint cannot be asked at all.
    #[error("the introspection endpoint of the authenticator `{authenticator}` is not usable")]
    Introspection {
        /// Name of the authenticator.
        authenticator: Arc<str>,
        /// What is wrong.
        source: FetchFault,
    },
    /// The file of what has been revoked is invalid.
    #[error("the file of what has been revoked is invalid")]
    Revocations(Vec<Fault>),
    /// The key for development tokens could not be made.
    #[error(transparent)]
    DevKey(#[from] DevKeyFault),
    /// The store of sessions cannot be used at all.
    #[error("the session store is not usable")]
    Sessions(#[from] OpenFault),
    /// The system has no randomness.
    #[error("the system has no randomness to give")]
    Random,
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
    /// Tells whoever follows files to look at them now.
    look: watch::Sender<u64>,
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
        let (mut core, log_writer) = Core::build(config, origin)?;
        let shutdown = Shutdown::default();
        let mut servers = JoinSet::new();
        let (health, addresses) = listeners::listen(&mut servers, &core, &shutdown).await?;
        let interval = core.config.policies.reload_interval;
        let look = watch::Sender::new(0);
        let orders = Orders {
            stop: shutdown.stop(),
            look: look.subscribe(),
        };
        if let Some(watcher) = core.revocations.take() {
            servers.spawn(revocations::watch(
                Follower::new(watcher, interval, orders.clone()),
                Arc::clone(&core.snapshot),
                Arc::clone(&core.metrics),
            ));
        }
        if let Some(first) = core.watched {
            let watcher = PolicyWatcher::new(core.config.policies.dir.clone(), first);
            let follower = Follower::new(watcher, interval, orders);
            let wiring = reload::Wiring {
                snapshot: Arc::clone(&core.snapshot),
                metrics: core.metrics,
                reloads: core.reloads,
                clock: core.clock,
            };
            servers.spawn(reload::watch(wiring, core.compiler, follower));
        }
        Ok(Self {
            config: core.config,
            addresses,
            shutdown,
            look,
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
        let all = sources::all_present(&self.config, &self.snapshot, &self.keys_changed);
        if tokio::time::timeout(STARTUP_GRACE, all).await.is_err() {
            tracing::warn!("ready without the keys of every issuer; tokens of those get a 503");
        }
        self.set_health(ServingStatus::Serving).await;
        self.shutdown.set_ready();
        tracing::info!("ready");
    }

    /// Looks at the policies and the revocations now, instead of at the end of the interval. The log
    /// says what came of it.
    pub fn reload(&self) {
        tracing::info!("looking at the policies and revocations");
        self.look
            .send_modify(|looks| *looks = looks.wrapping_add(1));
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
