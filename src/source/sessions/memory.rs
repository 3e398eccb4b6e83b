//! Bindings of sessions in this process, bounded for each principal and in all.
//!
//! They are looked up far more often than they change, so that looking up takes one lock of many, for
//! reading. Changes are made one at a time under the ledger, which knows the order of their uses.

mod ledger;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use self::ledger::Ledger;
use crate::config::Sessions;
use crate::identity::session::SessionKey;
use crate::identity::session::SessionOwner;
use crate::source::Clock;
use crate::source::Held;
use crate::source::Holding;
use crate::source::SessionStore;
use crate::source::Told;
use crate::source::sessions::refresh_after;

/// Most sessions that are held in memory, of all principals together: about 25 MB, and 45 MB if each
/// has an owner of its own. Beyond it the one that was not used for longest is forgotten.
pub const MOST_SESSIONS: usize = 100_000;

/// Sessions are spread over this many locks.
const SHARDS: usize = 16;

/// So many ended bindings at most are cleared away with each change, so that no change takes long.
const SWEPT: usize = 8;

/// Bindings that end with the process.
pub(super) struct MemorySessions {
    clock: Arc<dyn Clock>,
    idle: Duration,
    refresh: Duration,
    most: usize,
    per_principal: usize,
    ledger: Mutex<Ledger>,
    shards: [RwLock<HashMap<SessionKey, Entry>>; SHARDS],
}

#[derive(Clone, Copy)]
struct Entry {
    owner: SessionOwner,
    /// Monotonic.
    used: Duration,
    /// Its place in the ledger.
    stamp: u64,
}

impl MemorySessions {
    pub(super) fn new(config: &Sessions, clock: Arc<dyn Clock>) -> Self {
        Self::bounded(config, clock, MOST_SESSIONS)
    }

    fn bounded(config: &Sessions, clock: Arc<dyn Clock>, most: usize) -> Self {
        Self {
            clock,
            idle: config.idle,
            refresh: refresh_after(config.idle),
            most,
            per_principal: config.per_principal,
            ledger: Mutex::default(),
            shards: std::array::from_fn(|_| RwLock::default()),
        }
    }

    fn holder(&self, session: &SessionKey) -> Option<Holding> {
        let entry = self.read(session)?;
        let age = self.clock.monotonic().saturating_sub(entry.used);
        (age < self.idle).then_some(Holding {
            owner: entry.owner,
            due: age >= self.refresh,
        })
    }

    fn take(&self, session: SessionKey, owner: SessionOwner) -> Held {
        let mut ledger = self.lock();
        // Read under the lock, so that uses are noted in the order of their times.
        let now = self.clock.monotonic();
        self.sweep(&mut ledger, now);
        let found = self.read(&session);
        let live = found.filter(|entry| now.saturating_sub(entry.used) < self.idle);
        if live.is_some_and(|entry| entry.owner != owner) {
            return Held::Mismatch;
        }
        if let Some(old) = found {
            ledger.strike(old.stamp, &old.owner);
        }
        let stamp = ledger.enter(session, owner);
        // Overwritten in one step: nobody sees the session without an owner.
        let entry = Entry {
            owner,
            used: now,
            stamp,
        };
        self.shard(&session, |shard| shard.insert(session, entry));
        if live.is_some() {
            return Held::Known;
        }
        let evicted = self.make_room(&mut ledger, &owner);
        Held::Bound { evicted }
    }

    /// Forgets the oldest: of this owner's, then of all. The newest is never among them.
    fn make_room(&self, ledger: &mut Ledger, owner: &SessionOwner) -> u64 {
        let mut evicted: u64 = 0;
        while let Some(session) = ledger
            .strike_beyond(owner, self.per_principal)
            .or_else(|| ledger.strike_oldest_beyond(self.most))
        {
            self.shard(&session, |shard| shard.remove(&session));
            evicted = evicted.saturating_add(1);
        }
        evicted
    }

    /// Clears away what has ended, a little of it.
    fn sweep(&self, ledger: &mut Ledger, now: Duration) {
        for _ in 0..SWEPT {
            let Some(oldest) = ledger.oldest() else {
                return;
            };
            let over = self
                .read(&oldest)
                .is_none_or(|entry| now.saturating_sub(entry.used) >= self.idle);
            if !over {
                return;
            }
            ledger.strike_oldest_beyond(0);
            self.shard(&oldest, |shard| shard.remove(&oldest));
        }
    }

    fn read(&self, session: &SessionKey) -> Option<Entry> {
        let shard = self.shards.get(place(session))?;
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(session).copied()
    }

    fn shard<T>(
        &self,
        session: &SessionKey,
        change: impl FnOnce(&mut HashMap<SessionKey, Entry>) -> Option<T>,
    ) {
        if let Some(shard) = self.shards.get(place(session)) {
            drop(change(
                &mut shard.write().unwrap_or_else(PoisonError::into_inner),
            ));
        }
    }

    /// No holder of a lock can panic half-way, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionStore for MemorySessions {
    fn find(&self, session: SessionKey, _within: Duration) -> Told<'_, Option<Holding>> {
        Told::Now(self.holder(&session))
    }

    fn hold(&self, session: SessionKey, owner: SessionOwner, _within: Duration) -> Told<'_, Held> {
        Told::Now(self.take(session, owner))
    }
}

impl fmt::Debug for MemorySessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessions").finish_non_exhaustive()
    }
}

fn place(session: &SessionKey) -> usize {
    let [first, ..] = session.as_bytes();
    usize::from(*first).checked_rem(SHARDS).unwrap_or(0)
}

#[cfg(test)]
mod tests;
