//! A check and the policies that are only tried: when they are asked, and who is told.

use std::sync::Arc;

use super::Pending;
use crate::authorizer::shadow::Attempt;
use crate::authorizer::snapshot::Snapshot;
use crate::decision::Decision;
use crate::decision::shadow::Opinion;
use crate::policy::Evaluation;

impl Pending {
    /// Notes what the policies in force say, for the sake of those that are only tried.
    pub(in crate::authorizer) fn weighed(&mut self, snapshot: &Arc<Snapshot>, live: &[Evaluation]) {
        self.attempt = Attempt::beside(snapshot, live);
    }

    /// Asks what is tried, once the check is decided; a difference is counted and told of. The answer
    /// does not depend on it.
    pub(super) fn opinions(&mut self, decision: &Decision) -> Vec<Opinion> {
        let Some(attempt) = self.attempt.take() else {
            return Vec::new();
        };
        let (Some(request), Some(known)) = (&self.request, &self.known) else {
            return Vec::new();
        };
        let allowed = matches!(decision, Decision::Allow(_));
        let in_time = || !self.left(&*self.authorizer.parts.clock).is_zero();
        let opinions = attempt.ask(allowed, request, &known.tried, &in_time);
        let mut counted: Vec<&Arc<str>> = Vec::new();
        for opinion in opinions.iter().filter(|opinion| opinion.differs()) {
            for policy in &opinion.blamed {
                // Both kinds may name the same policy; the check is one all the same.
                if !counted.contains(&policy) {
                    counted.push(policy);
                    self.tell(policy, opinion, allowed);
                }
            }
        }
        opinions
    }

    fn tell(&self, policy: &Arc<str>, opinion: &Opinion, allowed: bool) {
        let parts = &self.authorizer.parts;
        parts.metrics.shadow_difference(policy);
        if !self.authorizer.told.tell(policy, parts.clock.monotonic()) {
            return;
        }
        let word = |allows: bool| if allows { "allow" } else { "deny" };
        tracing::info!(
            %policy,
            decision = word(allowed),
            shadow = word(opinion.allows),
            of = opinion.of.as_str(),
            decision_id = self.decision_id,
            "policies that are tried decide otherwise; for this policy, this is not said again for a \
             minute"
        );
    }
}
