//! Policies that fail to evaluate, as the operator hears of them.

use crate::authorizer::Authorizer;
use crate::policy::PolicyFailure;

impl Authorizer {
    /// Counts failures under the policies of a generation, and logs them now and then.
    pub(super) fn report(&self, failures: &[PolicyFailure], generation: u64, decision_id: &str) {
        if failures.is_empty() {
            return;
        }
        let parts = &self.parts;
        let snapshot = self.load();
        // The policies may have been reloaded since; the id may then stand elsewhere.
        let policies = Some(&snapshot.policies).filter(|now| now.generation() == generation);
        let now = parts.clock.monotonic();
        for failure in failures {
            parts.metrics.policy_error(&failure.policy);
            let info = policies.and_then(|policies| policies.policy(&failure.policy));
            self.policy_failures.log(failure, info, now, decision_id);
        }
    }
}
