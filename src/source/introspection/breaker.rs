//! Stops asking an endpoint that does not answer: pure, so that it is tested without waiting.

use std::time::Duration;

/// So many failures in a row open the circuit.
const FAILURES: u32 = 5;

/// While it is open, one call is let through in this time.
const PROBE_PERIOD: Duration = Duration::from_secs(5);

/// A circuit breaker. Times are monotonic.
///
/// There is no state for a probe under way: the next is due one period after the last began, however
/// that one ended or was given up, and a call takes less than a period. So nothing can get stuck.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// When the next probe is due; present while the circuit is open.
    probe_at: Option<Duration>,
}

impl Breaker {
    /// Whether a call may be made.
    pub(super) fn admits(&self, now: Duration) -> bool {
        self.probe_at.is_none_or(|probe_at| now >= probe_at)
    }

    /// A call that was admitted begins. Whether it is a probe.
    pub(super) fn begin(&mut self, now: Duration) -> bool {
        if let Some(probe_at) = &mut self.probe_at {
            *probe_at = now.saturating_add(PROBE_PERIOD);
        }
        self.probe_at.is_some()
    }

    /// A call went well, a probe or one that began before. Whether this closes the circuit.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.probe_at.take().is_some()
    }

    /// A call failed. Whether this opens the circuit.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.probe_at.is_some() || self.failures < FAILURES {
            return false;
        }
        self.probe_at = Some(now.saturating_add(PROBE_PERIOD));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.failed(at(0)) && breaker.admits(at(0)));
        }
        assert!(!breaker.succeeded(), "it was not open");
        for _ in 0..4 {
            assert!(!breaker.failed(at(0)) && breaker.admits(at(0)));
        }
        assert!(breaker.failed(at(7)));
        assert!(!breaker.admits(at(7)) && !breaker.admits(at(5_006)));
        assert!(breaker.admits(at(5_007)));
    }

    #[test]
    fn one_probe_a_period_until_one_goes_well() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(at(0));
        }
        let mut probes = Vec::new();
        for second in 0..30 {
            let now = at(second * 1_000);
            if breaker.admits(now) {
                breaker.begin(now);
                assert!(!breaker.admits(now), "one at a time");
                probes.push(second);
                // Every other probe is given up and never heard of again.
                if second % 2 == 0 {
                    assert!(!breaker.failed(now), "it is open already");
                }
            }
        }
        assert_eq!(probes, [5, 10, 15, 20, 25]);
        assert!(breaker.succeeded());
        assert!(breaker.admits(at(29_000)));
        assert!(!breaker.failed(at(29_000)), "it counts anew");
    }
}
