//! What is counted of the policies in force.

use std::sync::Arc;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::OutcomeLabels;
use crate::telemetry::metrics::PolicyLabels;

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
