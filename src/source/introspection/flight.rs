//! Calls under way, and who waits for them: one call for each token, a bounded number in all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::CALL;
use super::CALL_BURST;
use super::CALL_PERIOD;
use super::MAX_CALLS;
use super::RESERVED_BURST;
use super::RESERVED_CALLS;
use super::RESERVED_PERIOD;
use super::breaker::Breaker;
use super::call::Answer;
use super::call::CallFault;
use super::call::Endpoint;
use super::regulars::Regulars;
use crate::identity::cache::TokenKey;
use crate::identity::credential::BearerToken;
use crate::source::Asked;
use crate::source::Clock;
use crate::source::IntrospectionObserver;
use crate::source::budget::Budget;
use crate::source::quiet::Quiet;

/// A call that was given up before this says nothing about the endpoint: whoever asked had no time.
const FAIR: Duration = Duration::from_millis(100);

const ALL_CALLS: usize = MAX_CALLS + RESERVED_CALLS;

/// What calls need.
pub(super) struct Setting {
    pub(super) authenticator: Arc<str>,
    pub(super) endpoint: Endpoint,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn IntrospectionObserver>,
}

/// The calls to one endpoint.
pub(super) struct Flights {
    setting: Setting,
    /// Each call has one until its task is gone.
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    flights: HashMap<TokenKey, Flight>,
    /// Numbers flights, so that one which has ended is not taken for a later one of the same token.
    boarded: u64,
    breaker: Breaker,
    budget: Budget,
    regulars: Regulars,
    /// For regulars, when there is nothing left for everybody.
    reserve: Budget,
    failures: Quiet,
    refusals: Quiet,
}

/// A call under way.
struct Flight {
    number: u64,
    seats: usize,
    /// The circuit is open, and what this brings says whether it stays so.
    is_probe: bool,
    began: Duration,
    landed: watch::Receiver<Option<Asked>>,
    task: AbortHandle,
}

/// Somebody's place in a call. The last one who leaves ends it, unless it is a probe.
pub(super) struct Seat {
    flights: Arc<Flights>,
    key: TokenKey,
    number: u64,
    landed: watch::Receiver<Option<Asked>>,
    /// He has waited as long as he could, and has not just been called off.
    out_of_time: bool,
}

impl Flights {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            permits: Arc::new(Semaphore::new(ALL_CALLS)),
            state: Mutex::new(State {
                flights: HashMap::new(),
                boarded: 0,
                breaker: Breaker::default(),
                budget: Budget::new(CALL_PERIOD, CALL_BURST),
                regulars: Regulars::default(),
                reserve: Budget::new(RESERVED_PERIOD, RESERVED_BURST),
                failures: Quiet::default(),
                refusals: Quiet::default(),
            }),
        }
    }

    /// A seat in the call about `token`, which begins unless it is under way.
    ///
    /// # Errors
    ///
    /// The word that says why there is no call.
    pub(super) fn board(self: &Arc<Self>, token: &BearerToken) -> Result<Seat, &'static str> {
        let key = TokenKey::of(token);
        let now = self.setting.clock.monotonic();
        let mut state = self.lock();
        if let Some(flight) = state.flights.get_mut(&key) {
            flight.seats = flight.seats.saturating_add(1);
            return Ok(self.seat(key, flight.number, flight.landed.clone()));
        }
        if !state.breaker.admits(now) {
            return Err("circuit_open");
        }
        let is_regular = state.regulars.know(&key);
        let kept_back = if is_regular { 0 } else { RESERVED_CALLS };
        if self.permits.available_permits() <= kept_back {
            return Err("overload");
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Err("overload");
        };
        let granted = state.budget.take(now) || (is_regular && state.reserve.take(now));
        if !granted {
            return Err("overload");
        }
        let is_probe = state.breaker.begin(now);
        state.boarded = state.boarded.saturating_add(1);
        let number = state.boarded;
        let (land, landed) = watch::channel(None);
        let call = Call {
            flights: Arc::clone(self),
            key,
            number,
            land,
            permit,
        };
        let flight = Flight {
            number,
            seats: 1,
            is_probe,
            began: now,
            landed: landed.clone(),
            // It cannot end before this lock is released, because it ends under it.
            task: tokio::spawn(call.fly(token.clone())).abort_handle(),
        };
        state.flights.insert(key, flight);
        Ok(self.seat(key, number, landed))
    }

    fn seat(
        self: &Arc<Self>,
        key: TokenKey,
        number: u64,
        landed: watch::Receiver<Option<Asked>>,
    ) -> Seat {
        Seat {
            flights: Arc::clone(self),
            key,
            number,
            landed,
            out_of_time: false,
        }
    }

    /// Whether nothing is left of any call.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().flights.is_empty() && self.permits.available_permits() == ALL_CALLS
    }

    /// No holder of the lock can panic half-way, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call has ended, and what it brought counts.
    fn count(&self, state: &mut State, began: Duration, result: Result<(), &CallFault>) {
        let Setting {
            authenticator,
            clock,
            observer,
            ..
        } = &self.setting;
        let now = clock.monotonic();
        let outcome = result.map_or_else(CallFault::label, |()| "ok");
        observer.called(authenticator, outcome, now.saturating_sub(began));
        match result {
            Ok(()) => {
                if state.breaker.succeeded() {
                    tracing::info!(
                        authenticator = &**authenticator,
                        "the endpoint answers again"
                    );
                    observer.circuit(authenticator, false);
                }
            }
            Err(fault) => {
                self.log(state, now, fault);
                if fault.is_the_endpoints() && state.breaker.failed(now) {
                    tracing::error!(
                        authenticator = &**authenticator,
                        last = %fault,
                        "the endpoint gives no usable answers; it is asked only now and then"
                    );
                    observer.circuit(authenticator, true);
                }
            }
        }
    }

    fn log(&self, state: &mut State, now: Duration, fault: &CallFault) {
        let authenticator = &*self.setting.authenticator;
        if fault.is_ours() {
            if let Some(unlogged) = state.refusals.tell(now) {
                tracing::error!(
                    authenticator,
                    error = %fault,
                    unlogged,
                    "check `client_id` and `client_secret`"
                );
            }
        } else if let Some(unlogged) = state.failures.tell(now) {
            tracing::warn!(
                authenticator,
                error = %fault,
                unlogged,
                "a token could not be asked about"
            );
        }
    }
}

impl State {
    /// Takes the flight out, unless it has ended.
    fn take(&mut self, key: TokenKey, number: u64) -> Option<Flight> {
        let current = self.flights.get(&key).map(|flight| flight.number);
        if current == Some(number) {
            self.flights.remove(&key)
        } else {
            None
        }
    }
}

impl Seat {
    /// Waits for the call's answer, at most `within` and at most as long as a call lasts.
    pub(super) async fn wait(mut self, within: Duration) -> Asked {
        let landed = self.landed.wait_for(Option::is_some);
        match tokio::time::timeout(within.min(CALL), landed).await {
            Ok(Ok(asked)) => asked.clone().unwrap_or(Asked::Unavailable("aborted")),
            Ok(Err(_)) => Asked::Unavailable("aborted"),
            Err(_) => {
                self.out_of_time = true;
                Asked::Unavailable("timeout")
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.flights.lock();
        let Some(flight) = state.flights.get_mut(&self.key) else {
            return;
        };
        if flight.number != self.number {
            return;
        }
        flight.seats = flight.seats.saturating_sub(1);
        if flight.seats > 0 {
            return;
        }
        let now = self.flights.setting.clock.monotonic();
        // A caller who hangs up must not be able to open the circuit for all others, nor to keep it
        // open by taking every probe down with him.
        let counts = self.out_of_time && now.saturating_sub(flight.began) >= FAIR;
        if flight.is_probe && !counts {
            return;
        }
        let Some(flight) = state.take(self.key, self.number) else {
            return;
        };
        flight.task.abort();
        if counts {
            self.flights
                .count(&mut state, flight.began, Err(&CallFault::TimedOut));
        }
    }
}

/// The task of one call.
struct Call {
    flights: Arc<Flights>,
    key: TokenKey,
    number: u64,
    land: watch::Sender<Option<Asked>>,
    permit: OwnedSemaphorePermit,
}

impl Call {
    async fn fly(self, token: BearerToken) {
        let result = self.flights.setting.endpoint.ask(&token, CALL).await;
        self.end(result);
    }

    /// Hands the answer to all who wait; what nobody waits for any longer has been counted.
    fn end(self, result: Result<Answer, CallFault>) {
        let mut state = self.flights.lock();
        let Some(flight) = state.take(self.key, self.number) else {
            return;
        };
        self.flights
            .count(&mut state, flight.began, result.as_ref().map(|_| ()));
        if let Ok(answer) = &result {
            let now = self.flights.setting.clock.monotonic();
            state.regulars.note(self.key, answer.active, now);
        }
        drop(state);
        // Whoever reads the answer may ask again at once.
        drop(self.permit);
        self.land.send_replace(Some(match result {
            Ok(answer) => Asked::Answer(answer.body),
            Err(fault) => Asked::Unavailable(fault.label()),
        }));
    }
}
