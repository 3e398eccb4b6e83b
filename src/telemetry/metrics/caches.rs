//! The counters of what is remembered: verified tokens, and decisions.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::policy::Recalls;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::OutcomeLabels;

/// What became of a look-up of a verified token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// It was there, and its key still is.
    Hit,
    /// It was not there.
    Miss,
    /// It was there, but its key is gone.
    Stale,
}

impl CacheOutcome {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
        }
    }
}

pub(super) struct CacheCounters {
    /// Hit, miss, stale.
    tokens: [Counter; 3],
    /// Hit, miss, bypass.
    decisions: [Counter; 3],
}

impl CacheCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut counters = |name: &str, help: &str, outcomes: [&'static str; 3]| {
            let family = Family::<OutcomeLabels, Counter>::default();
            registry.register(name, help, family.clone());
            outcomes.map(|outcome| family.get_or_create_owned(&OutcomeLabels { outcome }))
        };
        let outcomes = [CacheOutcome::Hit, CacheOutcome::Miss, CacheOutcome::Stale];
        Self {
            tokens: counters(
                "token_cache",
                "Look-ups of verified tokens",
                outcomes.map(CacheOutcome::as_str),
            ),
            decisions: counters(
                "decision_cache",
                "Operations decided: remembered, now remembered, or not fit to be",
                ["hit", "miss", "bypass"],
            ),
        }
    }
}

impl Metrics {
    /// Counts a look-up of a verified token.
    pub fn token_cache(&self, outcome: CacheOutcome) {
        let [hit, miss, stale] = &self.caches.tokens;
        match outcome {
            CacheOutcome::Hit => hit.inc(),
            CacheOutcome::Miss => miss.inc(),
            CacheOutcome::Stale => stale.inc(),
        };
    }

    /// Counts the operations of one check by how the answers to them were come by.
    pub fn decision_cache(&self, recalls: Recalls) {
        let [hit, miss, bypass] = &self.caches.decisions;
        let counted = [
            (hit, recalls.hits),
            (miss, recalls.misses),
            (bypass, recalls.bypasses),
        ];
        for (counter, count) in counted {
            if count > 0 {
                counter.inc_by(u64::from(count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_documentation() {
        let metrics = Metrics::new(&[]);
        metrics.token_cache(CacheOutcome::Hit);
        metrics.decision_cache(Recalls {
            hits: 3,
            misses: 0,
            bypasses: 2,
        });
        let text = metrics.text().unwrap();
        for line in [
            "cedargate_token_cache_total{outcome=\"hit\"} 1",
            "cedargate_token_cache_total{outcome=\"stale\"} 0",
            "cedargate_decision_cache_total{outcome=\"hit\"} 3",
            "cedargate_decision_cache_total{outcome=\"miss\"} 0",
            "cedargate_decision_cache_total{outcome=\"bypass\"} 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
