//! Which `DPoP` proofs were used already (RFC 9449, section 11.1), in bounded memory.

mod shard;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use self::shard::Shard;
use crate::identity::dpop::ProofId;
use crate::identity::dpop::WINDOW_S;

/// How many proofs a guard holds unless told otherwise: 3,000 a second of clients whose clocks are
/// right, and 300 a second of one key.
pub const DEFAULT_CAPACITY: usize = 1_000_000;

/// One key may hold this part of a guard: a caller who signs without end shuts out himself, not
/// the others.
const OWNER_PART: usize = 10;

/// The furthest that a proof's end is away: it may come from [`WINDOW_S`] ahead, and is good for as
/// long again.
const HORIZON_S: i64 = 2 * WINDOW_S + 1;

/// Keys are spread over this many locks, a power of two.
const SHARDS: usize = 16;

/// A memory of used proofs that any number of threads may ask at once.
///
/// It costs 19 to 39 bytes a proof, as its tables are more or less full, and 24 to 48 bytes a key in
/// every 30 s: at most 39 MB for [`DEFAULT_CAPACITY`] proofs of few keys, and 87 MB if each has a key
/// of its own. Memory is taken as proofs come and given back as they age, 30 s of them at once, so
/// that nothing is ever searched for what is old.
///
/// It is per process: a proof that was used at one replica is not known to another. Where that
/// matters, ask for nonces, or send the requests of one client to one replica.
pub struct ReplayGuard {
    capacity: usize,
    per_owner: usize,
    held: AtomicUsize,
    shards: [Mutex<Shard>; SHARDS],
}

/// Why a proof is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayFault {
    /// It was used before. Also: it is so old that it may have been, because a clock that went back
    /// has made it good again.
    #[error("the DPoP proof was used before")]
    Seen,
    /// There is no room to remember it: for nobody, or not for any more proofs of this key. Also: it
    /// ends outside of the time that is remembered, which no proof does that passed every check.
    #[error("no room is left to remember the DPoP proof")]
    Full,
}

impl ReplayFault {
    /// The text for the client: short, without detail, fit for `error_description` (RFC 6750,
    /// section 3).
    pub fn public(self) -> &'static str {
        match self {
            Self::Seen => "proof was used before",
            Self::Full => "too many proofs in a short time",
        }
    }
}

impl ReplayGuard {
    /// A guard that holds at most `capacity` proofs, of which one key may have a tenth (and at least
    /// one). A guard of 0 admits nothing.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            per_owner: capacity.div_euclid(OWNER_PART).max(1),
            held: AtomicUsize::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Admits a proof once: of any number of calls with one `id`, one is answered `Ok`, for as long
    /// as the proof is good. `owner` is the thumbprint of the proof's key; `id` names it too, so that
    /// one `id` always comes with one `owner`. `expires_s` is when the proof ends, exclusive; both
    /// times are in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`ReplayFault`]: the request must be refused. A proof that is still good is never forgotten
    /// to make room for another.
    pub fn admit(
        &self,
        id: &ProofId,
        owner: &[u8; 32],
        expires_s: i64,
        now_s: i64,
    ) -> Result<(), ReplayFault> {
        if !(1..=HORIZON_S).contains(&expires_s.saturating_sub(now_s)) {
            return Err(ReplayFault::Full);
        }
        if self.len() >= self.capacity {
            self.forget_expired(now_s);
        }
        let [place, ..] = owner;
        let place = usize::from(*place).checked_rem(SHARDS).unwrap_or(0);
        let shard = self.shards.get(place).ok_or(ReplayFault::Full)?;
        let mut shard = shard.lock().map_err(|_| ReplayFault::Full)?;
        self.release(shard.forget_expired(now_s));
        shard.refuse_seen(id, expires_s)?;
        if shard.count(owner) >= self.per_owner || !self.reserve() {
            return Err(ReplayFault::Full);
        }
        shard.remember(id, owner, expires_s);
        Ok(())
    }

    /// How many proofs are held, some of which may have ended lately.
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether no proof is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has ended at `now_s`, everywhere. Asked for on its own, it gives memory back in a
    /// quiet time; a guard that runs full does it by itself.
    pub fn forget_expired(&self, now_s: i64) {
        for shard in &self.shards {
            if let Ok(mut shard) = shard.lock() {
                self.release(shard.forget_expired(now_s));
            }
        }
    }

    fn reserve(&self) -> bool {
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(1).filter(|held| *held <= self.capacity)
            })
            .is_ok()
    }

    fn release(&self, count: usize) {
        if count > 0 {
            self.held.fetch_sub(count, Ordering::Relaxed);
        }
    }
}

impl Default for ReplayGuard {
    /// A guard of [`DEFAULT_CAPACITY`].
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuard")
            .field("capacity", &self.capacity)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
