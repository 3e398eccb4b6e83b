//! The used proofs of some keys, kept by the time at which they end.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::identity::dpop::ProofId;
use crate::identity::replay::ReplayFault;

/// Proofs that end within one such period are forgotten together, in seconds.
const PERIOD_S: i64 = 30;

/// The first half of a SHA-256: whoever wants two of them equal has 2^64 things to try, and would
/// shut out only a proof of his own.
type Short = [u8; 16];

#[derive(Debug, Default)]
pub(super) struct Shard {
    /// By period; the guard's horizon keeps them to 22 at any time of a clock that goes forward.
    periods: BTreeMap<i64, Period>,
    /// The last period that was forgotten with something in it.
    forgotten: Option<i64>,
}

#[derive(Debug, Default)]
struct Period {
    proofs: HashSet<Short>,
    owners: HashMap<Short, u32>,
}

impl Shard {
    /// Drops the periods that are wholly past and says how many proofs they held.
    pub(super) fn forget_expired(&mut self, now_s: i64) -> usize {
        let current = now_s.div_euclid(PERIOD_S);
        let mut count: usize = 0;
        while let Some(oldest) = self.periods.first_entry() {
            if *oldest.key() >= current {
                break;
            }
            self.forgotten = self.forgotten.max(Some(*oldest.key()));
            count = count.saturating_add(oldest.remove().proofs.len());
        }
        count
    }

    /// Every period is asked: a second proof of one name may end at another time.
    pub(super) fn refuse_seen(&self, id: &ProofId, expires_s: i64) -> Result<(), ReplayFault> {
        let may_be_forgotten = Some(period(expires_s)) <= self.forgotten;
        let proof = short(&id.0);
        if may_be_forgotten
            || self
                .periods
                .values()
                .any(|held| held.proofs.contains(&proof))
        {
            Err(ReplayFault::Seen)
        } else {
            Ok(())
        }
    }

    /// How many proofs of this key are held.
    pub(super) fn count(&self, owner: &[u8; 32]) -> usize {
        let owner = short(owner);
        self.periods
            .values()
            .filter_map(|held| held.owners.get(&owner))
            .fold(0_usize, |sum, count| {
                sum.saturating_add(usize::try_from(*count).unwrap_or(usize::MAX))
            })
    }

    pub(super) fn remember(&mut self, id: &ProofId, owner: &[u8; 32], expires_s: i64) {
        let held = self.periods.entry(period(expires_s)).or_default();
        if held.proofs.insert(short(&id.0)) {
            let count = held.owners.entry(short(owner)).or_default();
            *count = count.saturating_add(1);
        }
    }

    #[cfg(test)]
    pub(super) fn periods(&self) -> usize {
        self.periods.len()
    }
}

/// The period of the last second in which a proof is good.
fn period(expires_s: i64) -> i64 {
    expires_s.saturating_sub(1).div_euclid(PERIOD_S)
}

fn short(digest: &[u8; 32]) -> Short {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest) {
        *to = *from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table keeps one byte beside each entry, and is between 7/16 and 7/8 full.
    #[test]
    fn what_an_entry_costs() {
        assert_eq!((size_of::<Short>() + 1) * 16 / 7, 38);
        assert_eq!((size_of::<(Short, u32)>() + 1) * 16 / 7, 48);
    }

    #[test]
    fn a_period_is_forgotten_when_its_last_proof_has_ended() {
        for expires_s in 1..=60 {
            let mut shard = Shard::default();
            shard.remember(&ProofId([1; 32]), &[2; 32], expires_s);
            // Good until the second before its end.
            assert_eq!(shard.forget_expired(expires_s - 1), 0);
            assert_eq!(shard.count(&[2; 32]), 1);
            assert_eq!(shard.forget_expired(expires_s + 29), 1);
            assert_eq!(shard.count(&[2; 32]), 0);
        }
    }
}
