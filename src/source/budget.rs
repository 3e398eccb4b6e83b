//! How often something may be asked for: so many in a row, and then one in each period.

use std::time::Duration;

/// Grants at most `burst` in a row, and one in each `period` on average. Times are monotonic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    period: Duration,
    burst: u32,
    /// When all that was granted will have been earned.
    earned_at: Duration,
}

impl Budget {
    pub(super) fn new(period: Duration, burst: u32) -> Self {
        Self {
            period,
            burst,
            earned_at: Duration::ZERO,
        }
    }

    /// Grants one, or not.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let ahead = self.earned_at.saturating_sub(now);
        if ahead > self.period.saturating_mul(self.burst.saturating_sub(1)) {
            return false;
        }
        self.earned_at = self.earned_at.max(now).saturating_add(self.period);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_period() {
        let at = Duration::from_secs;
        let mut budget = Budget::new(at(30), 2);
        let granted = |budget: &mut Budget, from: u64, to: u64| {
            (from..to).filter(|second| budget.take(at(*second))).count()
        };
        assert_eq!(granted(&mut budget, 100, 110), 2);
        assert_eq!(granted(&mut budget, 110, 130), 0);
        assert_eq!(granted(&mut budget, 130, 430), 10);
        assert_eq!(
            granted(&mut budget, 10_000, 10_010),
            2,
            "no more is saved up"
        );
    }
}
