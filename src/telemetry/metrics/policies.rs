//! What is counted of the policies in force.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::OutcomeLabels;
use crate::telemetry::metrics::PolicyLabels;

/// Counters of reloads. Both outcomes are there from the beginning, so that the first failure is seen
/// as a rise.
pub(super) fn reloads() -> Family<OutcomeLabels, Counter> {
    let reloads: Family<OutcomeLabels, Counter> = Family::default();
    for outcome in ["ok", "failed"] {
        reloads.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
    }
    reloads
}

impl Metrics {
    /// Counts a reload: `ok` or `failed`.
    pub fn policy_reload(&self, outcome: &'static str) {
        self.policy_reload
            .get_or_create(&OutcomeLabels { outcome })
            .inc();
    }

    /// Notes the generation of the policies in use.
    pub fn policy_generation(&self, generation: u64) {
        self.policy_generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
    }

    /// Counts a policy that failed to evaluate.
    pub fn policy_error(&self, policy: &Arc<str>) {
        let labels = PolicyLabels {
            policy: Arc::clone(policy),
        };
        self.policy_errors.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_that_has_never_failed_is_counted_as_none() {
        let text = Metrics::new(&[]).text().unwrap();
        for kind in ["policy", "shadow", "revocation"] {
            let line = format!("cedargate_{kind}_reload_total{{outcome=\"failed\"}} 0\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
