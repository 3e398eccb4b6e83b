//! The counters of policies that are only tried.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::OutcomeLabels;
use crate::telemetry::metrics::PolicyLabels;
use crate::telemetry::metrics::policies;

pub(super) struct ShadowCounters {
    differences: Family<PolicyLabels, Counter>,
    /// Those of the family, which cannot be asked what it has.
    known: Mutex<HashMap<Arc<str>, Counter>>,
    reloads: Family<OutcomeLabels, Counter>,
}

impl ShadowCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let differences = Family::default();
        registry.register(
            "shadow_differences",
            "Checks that policies which are only tried would have decided otherwise",
            differences.clone(),
        );
        let reloads = policies::reloads();
        registry.register(
            "shadow_reload",
            "Directories of policies that are only tried read",
            reloads.clone(),
        );
        Self {
            differences,
            known: Mutex::default(),
            reloads,
        }
    }
}

impl Metrics {
    /// Counts a check that would have been decided otherwise because of this policy; an empty id
    /// stands for a request that could not be evaluated.
    pub fn shadow_difference(&self, policy: &Arc<str>) {
        let counters = &self.shadow;
        let mut known = counters
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(policy) {
            counter.inc();
            return;
        }
        let counter = counters.differences.get_or_create_owned(&PolicyLabels {
            policy: Arc::clone(policy),
        });
        counter.inc();
        known.insert(Arc::clone(policy), counter);
    }

    /// Forgets the differences of policies that are no more, whose number would have no bound.
    pub fn forget_shadow_differences(&self, is_gone: impl Fn(&str) -> bool) {
        let counters = &self.shadow;
        let mut known = counters
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.retain(|policy, _| {
            let gone = !policy.is_empty() && is_gone(policy);
            if gone {
                counters.differences.remove(&PolicyLabels {
                    policy: Arc::clone(policy),
                });
            }
            !gone
        });
    }

    /// Counts a reload of policies that are only tried: `ok` or `failed`.
    pub fn shadow_reload(&self, outcome: &'static str) {
        let labels = OutcomeLabels { outcome };
        self.shadow.reloads.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_counted_for_as_long_as_there_is_the_policy() {
        let metrics = Metrics::new(&[]);
        let line = |policy: &str, count: u64| {
            let start = "cedargate_shadow_differences_total{policy=";
            let line = format!("{start}\"{policy}\"}} {count}\n");
            metrics.text().unwrap().contains(&line)
        };
        for policy in ["kept", "gone", "kept", ""] {
            metrics.shadow_difference(&policy.into());
        }
        assert!(line("kept", 2) && line("gone", 1) && line("", 1));
        metrics.forget_shadow_differences(|policy| policy == "gone" || policy.is_empty());
        assert!(line("kept", 2) && line("", 1));
        assert!(!metrics.text().unwrap().contains("gone"));
        metrics.shadow_difference(&"gone".into());
        assert!(line("gone", 1), "it starts again");
        metrics.shadow_reload("failed");
        let reloads = "cedargate_shadow_reload_total{outcome=\"failed\"} 1\n";
        assert!(metrics.text().unwrap().contains(reloads));
    }
}
