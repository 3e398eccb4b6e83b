//! Opens the source of every authenticator's keys and leads what it publishes into the snapshot.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::app::StartError;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::AuthenticatorKind;
use crate::config::Config;
use crate::identity::key_set::KeySet;
use crate::source::Clock;
use crate::source::KeyObserver;
use crate::source::KeySource;
use crate::source::RefreshOutcome;
use crate::source::jwks;
use crate::source::jwks::Surroundings;
use crate::telemetry::metrics::Metrics;

/// What the sources are wired to.
pub(super) struct Wiring {
    pub(super) config: Arc<Config>,
    pub(super) snapshot: Arc<SnapshotCell>,
    /// Told after every change of a key set.
    pub(super) changed: Arc<Notify>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
}

/// Opens the sources, in the configuration's order; an authenticator without keys has none.
pub(super) fn start(wiring: &Wiring) -> Result<Vec<Option<Arc<dyn KeySource>>>, StartError> {
    let authenticators = wiring.config.authenticators.iter().enumerate();
    authenticators
        .map(|(index, authenticator)| {
            let rules = match &authenticator.kind {
                AuthenticatorKind::Jwt(rules) => rules,
                AuthenticatorKind::Introspection(_)
                | AuthenticatorKind::ApiKey(_)
                | AuthenticatorKind::StaticToken(_)
                | AuthenticatorKind::Mtls(_)
                | AuthenticatorKind::Anonymous => return Ok(None),
            };
            let (snapshot, changed) = (Arc::clone(&wiring.snapshot), Arc::clone(&wiring.changed));
            let surroundings = Surroundings {
                clock: Arc::clone(&wiring.clock),
                publisher: Arc::new(move |keys: Arc<KeySet>| {
                    snapshot.publish_keys(index, Some(keys));
                    changed.notify_waiters();
                }),
                observer: Arc::new(Counting {
                    authenticator: Arc::clone(&authenticator.name),
                    metrics: Arc::clone(&wiring.metrics),
                }),
            };
            jwks::open(&authenticator.name, rules, surroundings)
                .map(Some)
                .map_err(|source| StartError::Keys {
                    authenticator: Arc::clone(&authenticator.name),
                    source,
                })
        })
        .collect()
}

/// Waits until every authenticator that needs keys has some.
pub(super) async fn all_present(config: &Config, snapshot: &SnapshotCell, changed: &Notify) {
    loop {
        // Registered before the look, so that no change falls in between.
        let notified = changed.notified();
        let current = snapshot.load();
        let missing = config
            .authenticators
            .iter()
            .zip(&current.keys)
            .any(|(one, keys)| {
                matches!(one.kind, AuthenticatorKind::Jwt(_))
                    && keys.as_ref().is_none_or(|keys| keys.is_empty())
            });
        drop(current);
        if !missing {
            return;
        }
        notified.await;
    }
}

#[derive(Debug)]
struct Counting {
    authenticator: Arc<str>,
    metrics: Arc<Metrics>,
}

impl KeyObserver for Counting {
    fn refreshed(&self, _authenticator: &str, outcome: RefreshOutcome) {
        self.metrics
            .jwks_refresh(&self.authenticator, outcome.label());
    }
}
