//! Keeps the keys of one issuer up to date: one task fetches, everybody else reads what it
//! published.

mod keeper;
mod origin;
mod schedule;

use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::keeper::Keeper;
use self::origin::Origin;
use self::schedule::Schedule;
use self::schedule::Timing;
use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::KeySetFault;
use crate::source::BoxFuture;
use crate::source::Clock;
use crate::source::KeyObserver;
use crate::source::KeyPublisher;
use crate::source::KeySource;
use crate::source::KeyStatus;
use crate::source::Refresh;
use crate::source::budget::Budget;
use crate::source::fetch::FetchFault;

/// Most attempts at one time, of all issuers together, but for those that have taken too long to
/// be waited for.
const MAX_ATTEMPTS: usize = 4;

/// The turns that all issuers of the process take.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MAX_ATTEMPTS)));

/// What a source of keys needs from the rest of the program.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where keys go.
    pub publisher: KeyPublisher,
    /// Who counts the attempts.
    pub observer: Arc<dyn KeyObserver>,
}

/// Why the keys of an issuer cannot even be asked for.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// The address or the TLS configuration is unusable.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// A key in the configuration is unusable.
    #[error(transparent)]
    Local(#[from] KeySetFault),
    /// The program makes the key of development tokens, and publishes it itself.
    #[error("the key of development tokens has no source")]
    Development,
}

/// Opens the source of an authenticator's keys. Keys from the configuration are published before
/// this returns; for others a task is started, on the current tokio runtime, that fetches at once
/// and until the source is dropped.
///
/// # Errors
///
/// [`SourceFault`]: the configuration is unusable. An issuer that does not answer is no error.
pub fn open(
    authenticator: &Arc<str>,
    rules: &JwtRules,
    surroundings: Surroundings,
) -> Result<Arc<dyn KeySource>, SourceFault> {
    match &rules.keys {
        KeyOrigin::Local(keys) => {
            (surroundings.publisher)(Arc::new(KeySet::from_local(keys)?));
            return Ok(Arc::new(LocalKeys));
        }
        KeyOrigin::Development => return Err(SourceFault::Development),
        KeyOrigin::Discovery(_) | KeyOrigin::JwksUri(..) => {}
    }
    let origin = Origin::new(rules)?;
    let terms = Terms {
        timing: Timing::default(),
        turns: Arc::clone(&TURNS),
    };
    let source = JwksSource::start(authenticator, origin, surroundings, terms);
    Ok(Arc::new(source))
}

/// Keys from the configuration: always there, never new, so that asking again is in vain.
#[derive(Clone, Copy, Debug)]
struct LocalKeys;

impl KeySource for LocalKeys {
    fn refresh(&self, _within: Duration) -> BoxFuture<'_, Refresh> {
        Box::pin(async { Refresh::CoolingDown })
    }

    fn status(&self) -> KeyStatus {
        KeyStatus::Fresh
    }

    fn age(&self) -> Option<Duration> {
        None
    }
}

/// When an issuer is asked.
struct Terms {
    timing: Timing,
    /// An attempt needs one of these.
    turns: Arc<Semaphore>,
}

/// The handle on the task of one issuer; the task ends with it.
struct JwksSource {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the task and those who ask have in common.
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wake: Notify,
    /// Counts ended attempts; what the last one came to.
    ended: watch::Sender<(u64, Refresh)>,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    budget: Budget,
    /// Somebody was granted a fetch that has not begun.
    wanted: bool,
    running: bool,
    /// Whether the fetch that runs was asked for.
    asked_for: bool,
    /// Until when keys that were asked for are the answer to everybody else.
    settled_until: Duration,
    settled: Duration,
}

/// What the task is to do next.
enum Step {
    Fetch,
    Withdraw,
    Sleep(Duration),
}

impl JwksSource {
    fn start(
        authenticator: &Arc<str>,
        origin: Origin,
        surroundings: Surroundings,
        terms: Terms,
    ) -> Self {
        let timing = terms.timing;
        let now = surroundings.clock.monotonic();
        let shared = Arc::new(Shared {
            clock: Arc::clone(&surroundings.clock),
            state: Mutex::new(State {
                schedule: Schedule::new(timing, now),
                budget: Budget::new(timing.period, timing.burst),
                wanted: false,
                running: false,
                asked_for: false,
                settled_until: Duration::ZERO,
                settled: timing.settled,
            }),
            wake: Notify::new(),
            ended: watch::Sender::new((0, Refresh::Failed)),
        });
        let keeper = Keeper::new(
            authenticator,
            origin,
            Arc::clone(&shared),
            surroundings,
            terms,
        );
        Self {
            shared,
            task: tokio::spawn(keeper.run()),
        }
    }

    async fn ask(&self, within: Duration) -> Refresh {
        let mut ended = self.shared.ended.subscribe();
        let before = {
            let mut state = self.shared.lock();
            if !state.running && !state.wanted {
                let now = self.shared.clock.monotonic();
                if now < state.settled_until {
                    return Refresh::CoolingDown;
                }
                if !state.budget.take(now) {
                    // What was not to be had a moment ago says nothing against the token.
                    return match ended.borrow().1 {
                        Refresh::Failed => Refresh::Failed,
                        Refresh::Fetched | Refresh::CoolingDown | Refresh::TimedOut => {
                            Refresh::CoolingDown
                        }
                    };
                }
                state.wanted = true;
                self.shared.wake.notify_one();
            }
            ended.borrow().0
        };
        let next = ended.wait_for(|(count, _)| *count > before);
        match tokio::time::timeout(within, next).await {
            Ok(Ok(ended)) => ended.1,
            Ok(Err(_)) => Refresh::Failed,
            Err(_) => Refresh::TimedOut,
        }
    }
}

impl KeySource for JwksSource {
    fn refresh(&self, within: Duration) -> BoxFuture<'_, Refresh> {
        Box::pin(self.ask(within))
    }

    fn status(&self) -> KeyStatus {
        let now = self.shared.clock.monotonic();
        self.shared.lock().schedule.status(now)
    }

    fn age(&self) -> Option<Duration> {
        let now = self.shared.clock.monotonic();
        self.shared.lock().schedule.age(now)
    }
}

impl Drop for JwksSource {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksSource").finish_non_exhaustive()
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

impl Shared {
    /// No holder of the lock can panic half-way, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what is next; a fetch counts as begun from here on, so that whoever asks now waits
    /// for it instead of causing another.
    fn step(&self) -> Step {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        if state.schedule.withdraw(now) {
            return Step::Withdraw;
        }
        if state.wanted || state.schedule.is_due(now) {
            state.asked_for = state.wanted;
            state.wanted = false;
            state.running = true;
            return Step::Fetch;
        }
        Step::Sleep(state.schedule.idle(now))
    }

    /// Ends an attempt; `lifetime` is what the issuer said of usable keys.
    fn settle(&self, result: Result<Option<Duration>, ()>) {
        let now = self.clock.monotonic();
        let jitter = fastrand::u32(0..=1000);
        let mut state = self.lock();
        let refresh = if let Ok(lifetime) = result {
            state.schedule.succeeded(now, lifetime, jitter);
            if state.asked_for {
                state.settled_until = now.saturating_add(state.settled);
            }
            Refresh::Fetched
        } else {
            state.schedule.failed(now, jitter);
            Refresh::Failed
        };
        state.running = false;
        // Under the lock: who asks after this must not take this attempt for his own.
        self.ended
            .send_modify(|(count, last)| (*count, *last) = (count.saturating_add(1), refresh));
    }
}

#[cfg(test)]
mod tests;
