//! Opens every listener and serves on it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::Addresses;
use crate::app::StartError;
use crate::app::core::Core;
use crate::app::inquire::Inquirer;
use crate::config::Address;
use crate::shutdown::Shutdown;
use crate::transport::admin;
use crate::transport::admin::Admin;
use crate::transport::admin::explain::Explainer;
use crate::transport::budget::Budget;
use crate::transport::grpc;
use crate::transport::grpc::GrpcService;
use crate::transport::http;
use crate::transport::limits;
use crate::transport::listener::Listener;
use crate::transport::public;

/// Binds every listener before any is served, so that a start either has all of them or fails.
pub(super) async fn listen(
    servers: &mut JoinSet<()>,
    core: &Core,
    shutdown: &Shutdown,
) -> Result<(HealthReporter, Addresses), StartError> {
    let authorizer = &core.authorizer;
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
        http::Checks {
            authorizer: Arc::clone(authorizer),
            dev_issuer: core.dev_issuer.clone(),
            budget,
        },
        shutdown.stop(),
    ));
    // Probes and metrics are answered until the very end of the drain.
    servers.spawn(admin::serve(
        admin_listener,
        operators(core, shutdown),
        shutdown.stop(),
    ));
    if let Some(listener) = public_listener {
        let readiness: watch::Receiver<bool> = shutdown.readiness();
        let authorizer = Arc::clone(authorizer);
        servers.spawn(public::serve(
            listener,
            authorizer,
            core.dev_issuer.clone(),
            readiness,
            shutdown.stop(),
        ));
    }
    Ok((health, addresses))
}

/// What operators are shown.
fn operators(core: &Core, shutdown: &Shutdown) -> Admin {
    let status = core.status(shutdown.readiness());
    let before_scrape = status.clone();
    let listing = Inquirer {
        config: Arc::clone(&core.config),
        snapshot: Arc::clone(&core.snapshot),
    };
    let inquirer = listing.clone();
    Admin {
        readiness: shutdown.readiness(),
        metrics: Arc::clone(&status.metrics),
        before_scrape: Arc::new(move || before_scrape.refresh_metrics()),
        status: Arc::new(move || status.document()),
        policies: Arc::new(move || listing.policies()),
        explainer: Explainer::new(Arc::new(move |body| inquirer.explain(body))),
        token: core.config.admin_token.clone(),
    }
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
