//! Keeps the keys of one issuer up to date: one task fetches, everybody else reads what it
//! published.

mod origin;
mod schedule;

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::origin::AttemptFault;
use self::origin::Origin;
use self::schedule::Budget;
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
use crate::source::RefreshOutcome;
use crate::source::fetch::FetchFault;

/// Failures of one issuer are logged this often.
const LOG_PERIOD: Duration = Duration::from_secs(60);

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
    if let KeyOrigin::Local(keys) = &rules.keys {
        (surroundings.publisher)(Arc::new(KeySet::from_local(keys)?));
        return Ok(Arc::new(LocalKeys));
    }
    let origin = Origin::new(rules)?;
    let source = JwksSource::start(authenticator, origin, surroundings, Timing::default());
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
        timing: Timing,
    ) -> Self {
        let now = surroundings.clock.monotonic();
        let shared = Arc::new(Shared {
            clock: Arc::clone(&surroundings.clock),
            state: Mutex::new(State {
                schedule: Schedule::new(timing, now),
                budget: Budget::new(&timing),
                wanted: false,
                running: false,
            }),
            wake: Notify::new(),
            ended: watch::Sender::new((0, Refresh::Failed)),
        });
        let keeper = Keeper {
            authenticator: Arc::clone(authenticator),
            shared: Arc::clone(&shared),
            surroundings,
            origin,
            attempt: timing.attempt,
            current: Arc::new(KeySet::empty(0)),
            logged: None,
            unlogged: 0,
        };
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
                if !state.budget.take(self.shared.clock.monotonic()) {
                    return Refresh::CoolingDown;
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

/// The task: the only one that fetches and publishes.
struct Keeper {
    authenticator: Arc<str>,
    shared: Arc<Shared>,
    surroundings: Surroundings,
    origin: Origin,
    attempt: Duration,
    current: Arc<KeySet>,
    logged: Option<Duration>,
    unlogged: u64,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            match self.shared.step() {
                Step::Fetch => self.fetch().await,
                Step::Withdraw => {
                    tracing::error!(
                        authenticator = &*self.authenticator,
                        "keys withdrawn: the issuer has not answered for too long"
                    );
                    self.publish(KeySet::empty(self.next_generation()));
                }
                Step::Sleep(idle) => {
                    tokio::select! {
                        () = tokio::time::sleep(idle) => {}
                        () = self.shared.wake.notified() => {}
                    }
                }
            }
        }
    }

    async fn fetch(&mut self) {
        let now = self.surroundings.clock.monotonic();
        let fetched = tokio::time::timeout(self.attempt, self.origin.load(now))
            .await
            .unwrap_or(Err(FetchFault::TimedOut))
            .map_err(AttemptFault::from);
        let read = fetched.and_then(|document| {
            let (keys, skipped) =
                KeySet::from_jwks(&document.body, self.origin.rules(), self.next_generation())?;
            Ok((keys, skipped, document.lifetime))
        });
        let (outcome, settled) = match read {
            Ok((keys, _, lifetime)) if keys.same_keys(&self.current) => {
                (RefreshOutcome::Unchanged, Ok(lifetime))
            }
            Ok((keys, skipped, lifetime)) => {
                for key in skipped {
                    tracing::warn!(
                        authenticator = &*self.authenticator,
                        key.index = key.index,
                        reason = %key.fault,
                        "a published key is not used"
                    );
                }
                self.publish(keys);
                (RefreshOutcome::Changed, Ok(lifetime))
            }
            Err(fault) => {
                self.log(&fault);
                (RefreshOutcome::Failed(fault.label()), Err(()))
            }
        };
        self.surroundings
            .observer
            .refreshed(&self.authenticator, outcome);
        self.shared.settle(settled);
    }

    fn next_generation(&self) -> u64 {
        self.current.generation().saturating_add(1)
    }

    fn publish(&mut self, keys: KeySet) {
        tracing::info!(
            authenticator = &*self.authenticator,
            keys = keys.len(),
            generation = keys.generation(),
            "keys changed"
        );
        self.current = Arc::new(keys);
        (self.surroundings.publisher)(Arc::clone(&self.current));
    }

    /// An outage is one event, not one line an attempt.
    fn log(&mut self, fault: &AttemptFault) {
        let now = self.surroundings.clock.monotonic();
        let recent = self
            .logged
            .is_some_and(|logged| now.saturating_sub(logged) < LOG_PERIOD);
        if recent {
            self.unlogged = self.unlogged.saturating_add(1);
            return;
        }
        tracing::warn!(
            authenticator = &*self.authenticator,
            error = %fault,
            unlogged = self.unlogged,
            "the issuer's keys could not be fetched"
        );
        self.logged = Some(now);
        self.unlogged = 0;
    }
}

#[cfg(test)]
mod tests;
