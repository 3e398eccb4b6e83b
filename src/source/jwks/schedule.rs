//! When to fetch keys, how long to keep them, and how often one may ask: pure, so that it is tested
//! without waiting.

use std::time::Duration;

use crate::source::KeyStatus;

/// The times that a schedule goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// The wait after a first failure; doubles with each further one.
    pub(super) backoff: Duration,
    /// The longest such wait while nothing was ever loaded.
    pub(super) backoff_cold: Duration,
    /// The longest such wait.
    pub(super) backoff_most: Duration,
    /// How long keys are fresh when the issuer does not say.
    pub(super) lifetime: Duration,
    /// The shortest and the longest that an issuer may say.
    pub(super) lifetime_bounds: (Duration, Duration),
    /// How long keys stay usable past their lifetime.
    pub(super) stale: Duration,
    /// One request for new keys is granted in this time, on average.
    pub(super) period: Duration,
    /// So many may be granted in a row.
    pub(super) burst: u32,
    /// For how long keys that were asked for answer everybody else who asks: the tokens of a key that
    /// has just been replaced must not cause a second fetch.
    pub(super) settled: Duration,
    /// Longest time that one attempt may take, discovery included.
    pub(super) attempt: Duration,
    /// Longest time that one attempt may hold others up.
    pub(super) turn: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            backoff_cold: Duration::from_secs(5),
            backoff_most: Duration::from_secs(15),
            lifetime: Duration::from_secs(600),
            lifetime_bounds: (Duration::from_secs(60), Duration::from_secs(86_400)),
            stale: Duration::from_secs(3_600),
            period: Duration::from_secs(30),
            burst: 2,
            settled: Duration::from_secs(5),
            attempt: Duration::from_secs(5),
            turn: Duration::from_secs(1),
        }
    }
}

/// What is known of one issuer's keys. Times are monotonic. `jitter` runs from 0 to 1000.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    timing: Timing,
    failures: u32,
    next_attempt: Duration,
    last_good: Option<Good>,
    withdrawn: bool,
}

#[derive(Clone, Copy, Debug)]
struct Good {
    fetched: Duration,
    fresh_until: Duration,
    usable_until: Duration,
}

impl Schedule {
    /// The first attempt is due at once.
    pub(super) fn new(timing: Timing, now: Duration) -> Self {
        Self {
            timing,
            failures: 0,
            next_attempt: now,
            last_good: None,
            withdrawn: false,
        }
    }

    /// A usable set has come, to be kept as long as `said`. The next attempt is due after 72 to 88 %
    /// of its lifetime.
    pub(super) fn succeeded(&mut self, now: Duration, said: Option<Duration>, jitter: u32) {
        let (least, most) = self.timing.lifetime_bounds;
        let lifetime = said.unwrap_or(self.timing.lifetime).clamp(least, most);
        let fresh_until = now.saturating_add(lifetime);
        self.last_good = Some(Good {
            fetched: now,
            fresh_until,
            usable_until: fresh_until.saturating_add(self.timing.stale),
        });
        self.failures = 0;
        self.withdrawn = false;
        self.next_attempt = now.saturating_add(scaled(lifetime, 720, 160, jitter));
    }

    /// Nothing usable has come. The next attempt is due after a second, twice that, and so on, with
    /// up to a fifth more.
    pub(super) fn failed(&mut self, now: Duration, jitter: u32) {
        let most = match self.last_good {
            None => self.timing.backoff_cold,
            Some(_) => self.timing.backoff_most,
        };
        let doubled = self
            .timing
            .backoff
            .saturating_mul(1_u32.checked_shl(self.failures.min(16)).unwrap_or(1));
        self.failures = self.failures.saturating_add(1);
        let wait = scaled(doubled.min(most), 1000, 200, jitter);
        self.next_attempt = now.saturating_add(wait);
    }

    /// Whether an attempt is due.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        now >= self.next_attempt
    }

    /// Whether the keys have just become too old to use; true once.
    pub(super) fn withdraw(&mut self, now: Duration) -> bool {
        let over = self.last_good.is_some_and(|good| now >= good.usable_until);
        let first = over && !self.withdrawn;
        self.withdrawn |= over;
        first
    }

    /// How long until something is to be done.
    pub(super) fn idle(&self, now: Duration) -> Duration {
        let end = self
            .last_good
            .filter(|_| !self.withdrawn)
            .map_or(Duration::MAX, |good| good.usable_until);
        self.next_attempt.min(end).saturating_sub(now)
    }

    pub(super) fn status(&self, now: Duration) -> KeyStatus {
        match self.last_good {
            None => KeyStatus::Loading,
            Some(good) if now < good.fresh_until => KeyStatus::Fresh,
            Some(good) if now < good.usable_until => KeyStatus::Stale,
            Some(_) => KeyStatus::Unavailable,
        }
    }

    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        self.last_good.map(|good| now.saturating_sub(good.fetched))
    }
}

/// `time` times `base` to `base + spread` thousandths.
fn scaled(time: Duration, base: u32, spread: u32, jitter: u32) -> Duration {
    let part = spread
        .saturating_mul(jitter.min(1000))
        .checked_div(1000)
        .unwrap_or(0);
    time.saturating_mul(base.saturating_add(part))
        .checked_div(1000)
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn schedule() -> Schedule {
        Schedule::new(Timing::default(), Duration::ZERO)
    }

    #[test]
    fn lifetimes_are_clamped_and_refreshed_ahead() {
        for (said, jitter, wait) in [
            (None, 0, 432),
            (None, 500, 480),
            (None, 1000, 528),
            (Some(0), 500, 48),
            (Some(300), 500, 240),
            (Some(31_536_000), 500, 69_120),
            (Some(u64::MAX), 500, 69_120),
        ] {
            let mut schedule = schedule();
            schedule.succeeded(at(10), said.map(at), jitter);
            assert_eq!(schedule.idle(at(10)), at(wait), "{said:?}");
            assert!(!schedule.is_due(at(9 + wait)) && schedule.is_due(at(10 + wait)));
        }
    }

    #[test]
    fn failures_back_off() {
        let mut cold = schedule();
        assert!(cold.is_due(Duration::ZERO));
        let mut waits = Vec::new();
        for _ in 0..5 {
            cold.failed(Duration::ZERO, 0);
            waits.push(cold.idle(Duration::ZERO).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        let mut warm = schedule();
        warm.succeeded(Duration::ZERO, None, 0);
        waits.clear();
        for _ in 0..40 {
            warm.failed(Duration::ZERO, 0);
            waits.push(warm.idle(Duration::ZERO).as_secs());
        }
        assert_eq!(waits[..6], [1, 2, 4, 8, 15, 15]);
        assert_eq!(waits[39], 15);
        warm.failed(Duration::ZERO, 1000);
        assert_eq!(warm.idle(Duration::ZERO), at(18));
        warm.succeeded(Duration::ZERO, None, 0);
        warm.failed(Duration::ZERO, 0);
        assert_eq!(warm.idle(Duration::ZERO), SECOND, "success starts anew");
    }

    #[test]
    fn keys_grow_stale_and_are_withdrawn_once() {
        let mut schedule = schedule();
        assert_eq!(schedule.status(at(9_999)), KeyStatus::Loading);
        assert!(
            !schedule.withdraw(at(9_999)),
            "there is nothing to withdraw"
        );
        assert_eq!(schedule.age(at(5)), None);
        schedule.succeeded(at(100), Some(at(60)), 0);
        for (now, status) in [
            (100, KeyStatus::Fresh),
            (159, KeyStatus::Fresh),
            (160, KeyStatus::Stale),
            (3_759, KeyStatus::Stale),
            (3_760, KeyStatus::Unavailable),
        ] {
            assert_eq!(schedule.status(at(now)), status, "{now}");
        }
        assert_eq!(schedule.age(at(150)), Some(at(50)));
        assert!(!schedule.withdraw(at(3_759)));
        schedule.failed(at(3_750), 0);
        schedule.failed(at(3_750), 0);
        schedule.failed(at(3_750), 0);
        schedule.failed(at(3_755), 0);
        assert_eq!(schedule.idle(at(3_755)), at(5), "wakes to withdraw");
        assert!(schedule.withdraw(at(3_760)));
        assert!(!schedule.withdraw(at(3_761)));
        assert_eq!(schedule.idle(at(3_761)), at(2), "and then for the attempt");
        schedule.succeeded(at(4_000), None, 0);
        assert_eq!(schedule.status(at(4_000)), KeyStatus::Fresh);
    }
}
