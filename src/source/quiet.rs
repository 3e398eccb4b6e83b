//! Says seldom what goes on for long: an outage is one event, not one line an attempt.

use std::time::Duration;

/// The same kind of failure is told this often.
const PERIOD: Duration = Duration::from_secs(60);

/// When something was last told. Times are monotonic.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quiet {
    told: Option<Duration>,
    untold: u64,
}

impl Quiet {
    /// Whether to tell of what happened at `now`; if so, how often it was not told before.
    pub(crate) fn tell(&mut self, now: Duration) -> Option<u64> {
        if self.is_recent(now) {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Whether it would not be told again at `now`.
    pub(crate) fn is_recent(&self, now: Duration) -> bool {
        self.told
            .is_some_and(|told| now.saturating_sub(told) < PERIOD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_with_the_number_of_what_was_left_out() {
        let mut quiet = Quiet::default();
        let told: Vec<Option<u64>> = [0, 1, 59, 60, 61, 200, 201]
            .map(|second| quiet.tell(Duration::from_secs(second)))
            .to_vec();
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1), None]);
    }
}
