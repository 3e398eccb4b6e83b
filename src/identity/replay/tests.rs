//! That a proof is admitted once, and that nobody can fill the memory for the others.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::identity::digest::sha256;

const NOW: i64 = 1_800_000_000;

fn owner(n: usize) -> [u8; 32] {
    sha256(&[b"owner", &n.to_be_bytes()])
}

fn id(n: usize) -> ProofId {
    ProofId(sha256(&[b"proof", &n.to_be_bytes()]))
}

#[test]
fn a_proof_is_admitted_once() {
    let guard = ReplayGuard::new(100);
    let end = NOW + 301;
    assert_eq!(guard.admit(&id(1), &owner(1), end, NOW), Ok(()));
    for now_s in [NOW, NOW + 1, NOW + 300] {
        let again = guard.admit(&id(1), &owner(1), end, now_s);
        assert_eq!(again, Err(ReplayFault::Seen), "{now_s}");
    }
    assert_eq!(guard.admit(&id(2), &owner(1), end, NOW), Ok(()));
    assert_eq!(guard.len(), 2);
}

#[test]
fn the_same_name_with_another_end_is_the_same_proof() {
    let guard = ReplayGuard::new(100);
    assert_eq!(guard.admit(&id(1), &owner(1), NOW + 10, NOW), Ok(()));
    let later = guard.admit(&id(1), &owner(1), NOW + 601, NOW);
    assert_eq!(later, Err(ReplayFault::Seen));
    assert_eq!(guard.len(), 1);
}

#[test]
fn what_has_ended_makes_room() {
    let guard = ReplayGuard::new(2);
    assert_eq!(guard.admit(&id(1), &owner(1), NOW + 301, NOW), Ok(()));
    assert_eq!(guard.admit(&id(2), &owner(2), NOW + 601, NOW), Ok(()));
    let third = |now_s: i64| guard.admit(&id(3), &owner(3), now_s + 301, now_s);
    assert_eq!(third(NOW), Err(ReplayFault::Full));
    assert_eq!(third(NOW + 300), Err(ReplayFault::Full), "never a live one");
    // The first has ended, in another shard, and so has its period.
    assert_ne!(owner(1)[0] & 15, owner(3)[0] & 15);
    assert_eq!(third(NOW + 331), Ok(()));
    assert_eq!(guard.len(), 2);
    guard.forget_expired(NOW + 10_000);
    assert!(guard.is_empty());
}

#[test]
fn one_key_cannot_fill_the_memory() {
    let guard = ReplayGuard::new(100);
    for n in 0..10 {
        let end = NOW + 301 + i64::try_from(n).unwrap() * 30;
        assert_eq!(guard.admit(&id(n), &owner(1), end, NOW), Ok(()), "{n}");
    }
    let more = guard.admit(&id(10), &owner(1), NOW + 301, NOW);
    assert_eq!(more, Err(ReplayFault::Full));
    let seen = guard.admit(&id(3), &owner(1), NOW + 391, NOW);
    assert_eq!(seen, Err(ReplayFault::Seen), "the detail stays right");
    assert_eq!(guard.admit(&id(11), &owner(2), NOW + 301, NOW), Ok(()));
    // Its first proofs have ended.
    assert_eq!(
        guard.admit(&id(12), &owner(1), NOW + 631, NOW + 331),
        Ok(())
    );
}

#[test]
fn ends_outside_of_the_window_are_refused() {
    let guard = ReplayGuard::new(100);
    for (expires_s, now_s) in [
        (NOW, NOW),
        (NOW - 1, NOW),
        (NOW + HORIZON_S + 1, NOW),
        (i64::MAX, NOW),
        (i64::MIN, NOW),
        (i64::MAX, i64::MIN),
    ] {
        let found = guard.admit(&id(1), &owner(1), expires_s, now_s);
        assert_eq!(found, Err(ReplayFault::Full), "{expires_s}");
    }
    assert!(guard.is_empty());
    assert_eq!(guard.admit(&id(1), &owner(1), NOW + HORIZON_S, NOW), Ok(()));
    assert_eq!(
        ReplayGuard::new(0).admit(&id(1), &owner(1), NOW + 1, NOW),
        Err(ReplayFault::Full)
    );
}

/// A clock that jumps ahead makes the guard forget; when it comes back, what was forgotten must not
/// be good again.
#[test]
fn a_clock_that_goes_back_reopens_nothing() {
    let guard = ReplayGuard::new(100);
    let end = NOW + 301;
    assert_eq!(guard.admit(&id(1), &owner(1), end, NOW), Ok(()));
    let ahead = NOW + 86_400;
    assert_eq!(guard.admit(&id(2), &owner(1), ahead + 301, ahead), Ok(()));
    assert_eq!(
        guard.admit(&id(1), &owner(1), end, NOW),
        Err(ReplayFault::Seen)
    );
    // Only the periods that were dropped are closed, not the time until the clock has caught up.
    assert_eq!(guard.admit(&id(3), &owner(1), end + 61, NOW + 61), Ok(()));
}

#[test]
fn of_a_hundred_threads_one_wins() {
    let guard = ReplayGuard::default();
    for round in 0..20 {
        let barrier = Barrier::new(100);
        let wins: usize = thread::scope(|scope| {
            let admit = || {
                barrier.wait();
                guard.admit(&id(round), &owner(1), NOW + 301, NOW).is_ok()
            };
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(admit)).collect();
            threads
                .into_iter()
                .map(|thread| usize::from(thread.join().unwrap()))
                .sum()
        });
        assert_eq!(wins, 1, "round {round}");
    }
    assert_eq!(guard.len(), 20);
}

#[test]
fn the_capacity_holds_against_many_threads() {
    let guard = ReplayGuard::new(200);
    let wins: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let guard = &guard;
                scope.spawn(move || {
                    (0..100)
                        .map(|n| thread * 1000 + n)
                        .filter(|n| guard.admit(&id(*n), &owner(*n), NOW + 301, NOW).is_ok())
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((wins, guard.len()), (200, 200));
}

#[test]
fn an_attackers_times_make_few_periods() {
    let guard = ReplayGuard::new(100_000);
    for n in 0..2_000 {
        let now_s = NOW + i64::try_from(n).unwrap();
        let off = i64::try_from(n * 7919 % 601).unwrap();
        // One key, so that all of it is in one shard.
        let admitted = guard.admit(&id(n), &owner(1), now_s + 1 + off, now_s);
        assert_eq!(admitted, Ok(()), "{n}");
        let place = usize::from(owner(1)[0]) % SHARDS;
        assert!(guard.shards[place].lock().unwrap().periods() <= 22);
    }
    assert!(guard.len() < 2_000);
}

#[test]
fn public_texts_are_safe_in_a_challenge() {
    for fault in [ReplayFault::Seen, ReplayFault::Full] {
        let public = fault.public();
        assert!(public.len() < 64 && public.chars().all(|c| c.is_ascii_lowercase() || c == ' '));
        assert!(!fault.to_string().ends_with('.'));
    }
}

proptest! {
    /// Against a list of everything: with a clock that goes forward and room enough, a proof is
    /// refused exactly if it was admitted before, and has not been gone for long.
    #[test]
    fn it_agrees_with_a_list_of_everything(
        steps in prop::collection::vec((0..12_usize, 1..=HORIZON_S, 0..40_i64), 0..200),
    ) {
        let guard = ReplayGuard::new(10_000);
        let mut ends: BTreeMap<usize, i64> = BTreeMap::new();
        let mut now_s = NOW;
        for (n, life_s, wait_s) in steps {
            now_s += wait_s;
            let found = guard.admit(&id(n), &owner(n % 3), now_s + life_s, now_s);
            match ends.get(&n) {
                Some(end) if now_s < *end => prop_assert_eq!(found, Err(ReplayFault::Seen)),
                // A whole period is forgotten at once, so that the end may be late by one.
                Some(end) if now_s < *end + 60 => {}
                Some(_) | None => prop_assert_eq!(found, Ok(())),
            }
            if found.is_ok() {
                ends.insert(n, now_s + life_s);
            }
        }
    }

    #[test]
    fn it_never_holds_more_than_it_may(
        capacity in 0..30_usize,
        steps in prop::collection::vec((0..60_usize, 0..20_usize, 1..=HORIZON_S, -60..60_i64), 0..200),
    ) {
        let guard = ReplayGuard::new(capacity);
        let mut now_s = NOW;
        for (n, key, life_s, wait_s) in steps {
            now_s += wait_s;
            let _admitted = guard.admit(&id(n * 100 + key), &owner(key), now_s + life_s, now_s).is_ok();
            prop_assert!(guard.len() <= capacity);
        }
        guard.forget_expired(now_s + 10 * HORIZON_S);
        prop_assert_eq!(guard.len(), 0);
    }
}
