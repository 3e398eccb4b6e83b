//! What `/v1/status` says.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use crate::app::reload::Reloads;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Config;
use crate::policy::PolicySnapshot;
use crate::policy::Trial;
use crate::source::KeySource;
use crate::source::bundle::BundleStatus;
use crate::telemetry::metrics::Metrics;

/// Everything that the document is written from.
#[derive(Clone)]
pub(super) struct StatusSource {
    pub(super) config: Arc<Config>,
    pub(super) snapshot: Arc<SnapshotCell>,
    pub(super) key_sources: Vec<Option<Arc<dyn KeySource>>>,
    pub(super) reloads: Arc<Reloads>,
    pub(super) shadow_reloads: Arc<Reloads>,
    pub(super) bundle: Option<Arc<BundleStatus>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) readiness: watch::Receiver<bool>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    ready: bool,
    policies: Policies,
    /// Those that are tried instead of them; absent without `policies.shadow_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<Shadow>,
    authenticators: Vec<AuthenticatorStatus<'a>>,
    resources: Vec<ResourceStatus<'a>>,
    /// Entries of the list of what has been revoked; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revocations: Option<usize>,
}

#[derive(Serialize)]
struct Policies {
    generation: u64,
    count: usize,
    /// How many of them are only tried.
    log_only: usize,
    digest: String,
    last_reload_ms: i64,
    faults: Vec<String>,
    /// Absent where the policies come from a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<Bundle>,
}

#[derive(Serialize)]
struct Bundle {
    revision: u64,
    /// When its source last said that there is none newer; absent where it has not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_ms: Option<i64>,
    /// Whether a start could begin with it although its source is down.
    kept: bool,
}

/// Generation, count and digest are null as long as there were none that could be used.
#[derive(Serialize)]
struct Shadow {
    generation: Option<u64>,
    count: Option<usize>,
    digest: Option<String>,
    last_reload_ms: i64,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct AuthenticatorStatus<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_age_seconds: Option<u64>,
}

#[derive(Serialize)]
struct ResourceStatus<'a> {
    name: &'a str,
    url: &'a str,
}

impl StatusSource {
    /// The document, as JSON.
    pub(super) fn document(&self) -> Vec<u8> {
        let snapshot = self.snapshot.load();
        let last = self.reloads.last();
        let authenticators = self.config.authenticators.iter().enumerate();
        let document = Document {
            version: env!("CARGO_PKG_VERSION"),
            ready: *self.readiness.borrow(),
            policies: Policies {
                generation: snapshot.policies.generation(),
                count: snapshot.policies.policy_count(),
                log_only: snapshot.policies.trial().map_or(0, Trial::count),
                digest: last.digest,
                last_reload_ms: last.at_ms,
                faults: last.faults,
                bundle: self.bundle.as_ref().map(|status| Bundle {
                    revision: status.revision(),
                    confirmed_ms: Some(status.confirmed_ms()).filter(|at| *at > 0),
                    kept: status.is_kept(),
                }),
            },
            shadow: self.shadow(snapshot.shadow.as_deref()),
            authenticators: authenticators
                .map(|(index, authenticator)| {
                    let keys = snapshot.keys.get(index).and_then(Option::as_ref);
                    AuthenticatorStatus {
                        name: &authenticator.name,
                        kind: authenticator.kind.type_name(),
                        issuer: authenticator.kind.tokens().map(|rules| &*rules.issuer),
                        keys: authenticator
                            .kind
                            .jwt()
                            .map(|_| keys.map_or(0, |keys| keys.len())),
                        keys_age_seconds: self.age(index),
                    }
                })
                .collect(),
            resources: self
                .config
                .resources
                .iter()
                .map(|resource| ResourceStatus {
                    name: &resource.name,
                    url: &resource.url,
                })
                .collect(),
            revocations: self
                .config
                .revocations
                .as_ref()
                .map(|_| snapshot.revocations.len()),
        };
        serde_json::to_vec_pretty(&document).unwrap_or_default()
    }

    fn shadow(&self, tried: Option<&PolicySnapshot>) -> Option<Shadow> {
        self.config.policies.shadow_dir.as_ref()?;
        let last = self.shadow_reloads.last();
        Some(Shadow {
            generation: tried.map(PolicySnapshot::generation),
            count: tried.map(PolicySnapshot::policy_count),
            digest: tried.map(|tried| tried.digest().to_owned()),
            last_reload_ms: last.at_ms,
            faults: last.faults,
        })
    }

    /// Brings the gauges that age by themselves up to date.
    pub(super) fn refresh_metrics(&self) {
        for (index, authenticator) in self.config.authenticators.iter().enumerate() {
            if let Some(age) = self.age(index) {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::as_conversions,
                    reason = "an age in seconds stays far below 2^53"
                )]
                self.metrics.jwks_age(&authenticator.name, age as f64);
            }
        }
    }

    fn age(&self, index: usize) -> Option<u64> {
        let source = self.key_sources.get(index).and_then(Option::as_ref)?;
        source.age().map(|age| age.as_secs())
    }
}
