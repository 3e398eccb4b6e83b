//! Opens whatever an authenticator gets from outside, and leads the keys that are published into the
//! snapshot.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::app::StartError;
use crate::authorizer::Sources;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Config;
use crate::config::IntrospectionRules;
use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::identity::key_set::KeySet;
use crate::source::Clock;
use crate::source::IntrospectionObserver;
use crate::source::KeyObserver;
use crate::source::KeySource;
use crate::source::RefreshOutcome;
use crate::source::SessionObserver;
use crate::source::SessionStore;
use crate::source::TokenOracle;
use crate::source::introspection;
use crate::source::jwks;
use crate::source::jwks::Surroundings;
use crate::source::sessions;
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

/// Opens the sources, in the configuration's order.
pub(super) fn start(wiring: &Wiring) -> Result<Sources, StartError> {
    let mut sources = Sources {
        keys: Vec::new(),
        oracles: Vec::new(),
    };
    for (index, authenticator) in wiring.config.authenticators.iter().enumerate() {
        let (name, kind) = (&authenticator.name, &authenticator.kind);
        let keys = match kind.jwt() {
            Some(rules) => wiring.keys(index, name, rules)?,
            None => None,
        };
        let oracle = kind.introspection().map(|rules| wiring.oracle(name, rules));
        let oracle = oracle.transpose()?;
        sources.keys.push(keys);
        sources.oracles.push(oracle);
    }
    Ok(sources)
}

/// Opens the store of sessions.
pub(super) fn sessions(
    config: &Config,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn SessionStore>, StartError> {
    let observer = Arc::new(CountingSessions(Arc::clone(metrics)));
    let store = sessions::open(&config.sessions, Arc::clone(clock), observer)?;
    Ok(store)
}

impl Wiring {
    fn keys(
        &self,
        index: usize,
        name: &Arc<str>,
        rules: &JwtRules,
    ) -> Result<Option<Arc<dyn KeySource>>, StartError> {
        if matches!(rules.keys, KeyOrigin::Development) {
            return Ok(None);
        }
        let (snapshot, changed) = (Arc::clone(&self.snapshot), Arc::clone(&self.changed));
        let surroundings = Surroundings {
            clock: Arc::clone(&self.clock),
            publisher: Arc::new(move |keys: Arc<KeySet>| {
                snapshot.publish_keys(index, Some(keys));
                changed.notify_waiters();
            }),
            observer: self.counting(name),
        };
        jwks::open(name, rules, surroundings)
            .map(Some)
            .map_err(|source| StartError::Keys {
                authenticator: Arc::clone(name),
                source,
            })
    }

    fn oracle(
        &self,
        name: &Arc<str>,
        rules: &IntrospectionRules,
    ) -> Result<Arc<dyn TokenOracle>, StartError> {
        introspection::open(name, rules, Arc::clone(&self.clock), self.counting(name)).map_err(
            |source| StartError::Introspection {
                authenticator: Arc::clone(name),
                source,
            },
        )
    }

    fn counting(&self, name: &Arc<str>) -> Arc<Counting> {
        Arc::new(Counting {
            authenticator: Arc::clone(name),
            metrics: Arc::clone(&self.metrics),
        })
    }
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
                one.kind.jwt().is_some() && keys.as_ref().is_none_or(|keys| keys.is_empty())
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

impl IntrospectionObserver for Counting {
    fn called(&self, _authenticator: &str, outcome: &'static str, _took: Duration) {
        self.metrics.introspection(&self.authenticator, outcome);
    }

    /// The source itself logs it.
    fn circuit(&self, _authenticator: &str, open: bool) {
        self.metrics
            .introspection_circuit(&self.authenticator, open);
    }
}

#[derive(Debug)]
struct CountingSessions(Arc<Metrics>);

impl SessionObserver for CountingSessions {
    fn asked(&self, outcome: &'static str) {
        self.0.session_store(outcome);
    }
}
