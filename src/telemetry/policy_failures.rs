//! The log of policies that fail to evaluate: each at most once a minute, whoever makes it fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::policy::PolicyFailure;
use crate::policy::PolicyInfo;
use crate::source::quiet::Quiet;

/// Most policies whose failures are told apart. More of them in one minute are counted, not logged.
const MAX_POLICIES: usize = 1_024;

/// Longest piece of Cedar's message, in bytes: it may quote what a client sent.
const MAX_MESSAGE: usize = 512;

/// When each policy's failure was last told.
#[derive(Debug, Default)]
pub struct PolicyFailures(Mutex<HashMap<Arc<str>, Quiet>>);

impl PolicyFailures {
    /// Logs a failure unless the same policy's was logged less than a minute before. `now` is
    /// monotonic; `info` says where the policy is, if that is known.
    pub fn log(
        &self,
        failure: &PolicyFailure,
        info: Option<&PolicyInfo>,
        now: Duration,
        decision_id: &str,
    ) {
        let Some(unlogged) = self.tell(&failure.policy, now) else {
            return;
        };
        let message = shortened(&failure.message);
        if failure.policy.is_empty() {
            tracing::warn!(
                error = message,
                decision_id,
                unlogged,
                "a request could not be put before the policies; it is denied"
            );
            return;
        }
        let effect = if failure.forbid { "forbid" } else { "permit" };
        tracing::warn!(
            policy.id = &*failure.policy,
            policy.effect = effect,
            policy.file = info.map_or("", |info| &*info.file),
            policy.line = info.map(|info| info.line),
            error = message,
            decision_id,
            unlogged,
            "a policy failed to evaluate"
        );
    }

    /// Whether to tell of a failure now; if so, how many were not told before.
    fn tell(&self, policy: &Arc<str>, now: Duration) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quiet) = told.get_mut(policy) {
            return quiet.tell(now);
        }
        if told.len() >= MAX_POLICIES {
            told.retain(|_, quiet| quiet.is_recent(now));
        }
        if told.len() >= MAX_POLICIES {
            return None;
        }
        told.entry(Arc::clone(policy)).or_default().tell(now)
    }
}

fn shortened(message: &str) -> &str {
    let end = MAX_MESSAGE.min(message.len());
    let mut ends = (0..=end).rev();
    ends.find_map(|end| message.get(..end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_its_own_minute() {
        let failures = PolicyFailures::default();
        let told: Vec<Option<u64>> = [
            ("a", 0),
            ("a", 1),
            ("b", 2),
            ("a", 59),
            ("a", 60),
            ("b", 61),
        ]
        .map(|(policy, second)| failures.tell(&policy.into(), Duration::from_secs(second)))
        .to_vec();
        assert_eq!(told, [Some(0), None, Some(0), None, Some(2), None]);
    }

    #[test]
    fn so_many_at_once_are_remembered_and_no_more() {
        let failures = PolicyFailures::default();
        let tell = |number: usize, second: u64| {
            failures.tell(&number.to_string().into(), Duration::from_secs(second))
        };
        let told = (0..MAX_POLICIES * 2).filter(|number| tell(*number, 0).is_some());
        assert_eq!(told.count(), MAX_POLICIES);
        assert_eq!(tell(MAX_POLICIES, 59), None);
        assert_eq!(tell(MAX_POLICIES, 60), Some(0), "the old ones made room");
        assert_eq!(failures.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "é".repeat(MAX_MESSAGE);
        assert_eq!(shortened(&format!("x{long}")).len(), MAX_MESSAGE - 1);
    }
}
