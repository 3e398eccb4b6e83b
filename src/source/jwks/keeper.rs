//! The task behind one issuer's keys: the only one that fetches and publishes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::Step;
use super::Surroundings;
use super::Terms;
use super::origin::AttemptFault;
use super::origin::Loaded;
use super::origin::Origin;
use super::schedule::Timing;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::SkippedKey;
use crate::source::RefreshOutcome;
use crate::source::fetch::FetchFault;
use crate::source::quiet::Quiet;

/// The task.
pub(super) struct Keeper {
    authenticator: Arc<str>,
    shared: Arc<Shared>,
    surroundings: Surroundings,
    origin: Origin,
    terms: Terms,
    current: Arc<KeySet>,
    /// The keys of the last set that are not used.
    skipped: Vec<SkippedKey>,
    failures: Quiet,
}

impl Keeper {
    pub(super) fn new(
        authenticator: &Arc<str>,
        origin: Origin,
        shared: Arc<Shared>,
        surroundings: Surroundings,
        terms: Terms,
    ) -> Self {
        Self {
            authenticator: Arc::clone(authenticator),
            shared,
            surroundings,
            origin,
            terms,
            current: Arc::new(KeySet::empty(0)),
            skipped: Vec::new(),
            failures: Quiet::default(),
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.shared.step() {
                Step::Fetch => self.fetch().await,
                Step::Withdraw => {
                    tracing::error!(
                        authenticator = &*self.authenticator,
                        "keys withdrawn: the issuer has not answered for too long"
                    );
                    // What is no longer held cannot be confirmed by "not modified".
                    self.origin.forget();
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
        let attempt = self.attempt().await;
        self.tell_of_a_move();
        let (outcome, settled) = match attempt {
            Ok((changed, lifetime)) => (changed, Ok(lifetime)),
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

    /// Fetches, and publishes what is new.
    async fn attempt(&mut self) -> Result<(RefreshOutcome, Option<Duration>), AttemptFault> {
        let set = match self.load().await? {
            Loaded::Unchanged(lifetime) => return Ok((RefreshOutcome::Unchanged, lifetime)),
            Loaded::Set(set) => set,
        };
        let (keys, skipped) = KeySet::from_jwks(
            &set.document.body,
            self.origin.rules(),
            self.next_generation(),
        )?;
        let lifetime = set.document.lifetime;
        self.origin.adopt(set);
        self.tell_of_skipped(skipped);
        if keys.same_keys(&self.current) {
            return Ok((RefreshOutcome::Unchanged, lifetime));
        }
        self.publish(keys);
        Ok((RefreshOutcome::Changed, lifetime))
    }

    /// The time of the attempt begins with its turn. An issuer that is slow loses the turn before it
    /// answers, so that a few which hang do not keep the keys of the others away.
    async fn load(&mut self) -> Result<Loaded, FetchFault> {
        let Timing { attempt, turn, .. } = self.terms.timing;
        let held = Arc::clone(&self.terms.turns).acquire_owned().await;
        let now = self.surroundings.clock.monotonic();
        let mut loading = pin!(tokio::time::timeout(attempt, self.origin.load(now)));
        let early = tokio::time::timeout(turn, loading.as_mut()).await;
        drop(held);
        let ended = match early {
            Ok(ended) => ended,
            Err(_) => loading.await,
        };
        ended.unwrap_or(Err(FetchFault::TimedOut))
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

    /// Once for each change of what is not used. A secret that has been published is worse than a
    /// key that cannot be read.
    fn tell_of_skipped(&mut self, skipped: Vec<SkippedKey>) {
        if self.skipped == skipped {
            return;
        }
        for key in &skipped {
            let authenticator = &*self.authenticator;
            if matches!(key.fault, KeyFault::Symmetric | KeyFault::PrivateMember) {
                tracing::error!(
                    authenticator,
                    key.index = key.index,
                    reason = %key.fault,
                    "the issuer publishes a secret; the key is not used"
                );
            } else {
                tracing::warn!(
                    authenticator,
                    key.index = key.index,
                    reason = %key.fault,
                    "a published key is not used"
                );
            }
        }
        self.skipped = skipped;
    }

    /// Whoever can change the metadata can choose the keys.
    fn tell_of_a_move(&mut self) {
        if let Some((from, to)) = self.origin.take_move() {
            tracing::warn!(
                authenticator = &*self.authenticator,
                from,
                to,
                "the issuer's metadata names another host for its keys"
            );
        }
    }

    fn log(&mut self, fault: &AttemptFault) {
        let now = self.surroundings.clock.monotonic();
        if let Some(unlogged) = self.failures.tell(now) {
            tracing::warn!(
                authenticator = &*self.authenticator,
                error = %fault,
                unlogged,
                "the issuer's keys could not be fetched"
            );
        }
    }
}
