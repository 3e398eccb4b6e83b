//! The memory store against a naive one, against time, and against crowds.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::source::testing::HandClock;

fn session(n: usize) -> SessionKey {
    SessionKey::of("weather", &format!("s{n}")).unwrap()
}

fn owner(n: u8) -> SessionOwner {
    SessionOwner::from_bytes([n; 32])
}

fn store(idle_s: u64, per_principal: usize, most: usize) -> (Arc<HandClock>, MemorySessions) {
    let clock = Arc::new(HandClock::default());
    let config = Sessions {
        idle: Duration::from_secs(idle_s),
        per_principal,
        ..Sessions::default()
    };
    let told: Arc<dyn Clock> = Arc::<HandClock>::clone(&clock);
    let store = MemorySessions::bounded(&config, told, most);
    (clock, store)
}

impl MemorySessions {
    fn owner_of(&self, n: usize) -> Option<SessionOwner> {
        self.holder(&session(n)).map(|holding| holding.owner)
    }

    fn stored(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| shard.read().unwrap().len()).sum()
    }
}

const NEW: Held = Held::Bound { evicted: 0 };

#[test]
fn a_session_is_whose_it_was_first() {
    let (_, store) = store(60, 10, 10);
    assert_eq!(store.owner_of(1), None);
    assert_eq!(store.take(session(1), owner(1)), NEW);
    assert_eq!(store.take(session(1), owner(2)), Held::Mismatch);
    assert_eq!(store.take(session(1), owner(1)), Held::Known);
    assert_eq!(store.owner_of(1), Some(owner(1)));
    assert_eq!(store.take(session(2), owner(2)), NEW);
}

#[test]
fn a_use_is_noted_now_and_then_and_a_binding_ends_after_the_last() {
    let (clock, store) = store(160, 10, 10);
    store.take(session(1), owner(1));
    let due = |after| {
        clock.pass(Duration::from_secs(after));
        store.holder(&session(1)).map(|holding| holding.due)
    };
    assert_eq!(due(9), Some(false));
    assert_eq!(due(1), Some(true), "a sixteenth of the time");
    assert_eq!(store.take(session(1), owner(1)), Held::Known);
    assert_eq!(due(0), Some(false));
    assert_eq!(due(159), Some(true));
    assert_eq!(due(1), None, "the idle time is over");
    assert_eq!(store.take(session(1), owner(2)), NEW, "and it is free");
    assert_eq!(store.owner_of(1), Some(owner(2)));
    assert_eq!(store.lock().len(), (1, 1));
}

#[test]
fn a_refused_use_keeps_nothing_alive() {
    let (clock, store) = store(100, 10, 10);
    store.take(session(1), owner(1));
    clock.pass(Duration::from_secs(99));
    assert_eq!(store.take(session(1), owner(2)), Held::Mismatch);
    clock.pass(Duration::from_secs(1));
    assert_eq!(store.owner_of(1), None);
}

#[test]
fn a_principal_pushes_out_his_own_sessions_only() {
    let (_, store) = store(60, 2, 100);
    store.take(session(0), owner(2));
    store.take(session(1), owner(1));
    store.take(session(2), owner(1));
    store.take(session(1), owner(1));
    assert_eq!(store.take(session(3), owner(1)), Held::Bound { evicted: 1 });
    let owners: Vec<_> = (0..4).map(|n| store.owner_of(n)).collect();
    let (one, two) = (Some(owner(1)), Some(owner(2)));
    assert_eq!(owners, [two, one, None, one], "2 was used before 1");
    assert_eq!((store.stored(), store.lock().len()), (3, (3, 2)));
}

#[test]
fn beyond_the_total_the_oldest_goes() {
    let (_, store) = store(60, 10, 3);
    for n in 0..5_u8 {
        store.take(session(n.into()), owner(n));
    }
    let held = (0..5).filter(|n| store.owner_of(*n).is_some());
    assert_eq!(held.collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((store.stored(), store.lock().len()), (3, (3, 3)));
}

#[test]
fn what_has_ended_is_cleared_away() {
    let (clock, store) = store(60, 1_000, 10_000);
    for n in 0..100 {
        store.take(session(n), owner(1));
    }
    clock.pass(Duration::from_secs(60));
    for n in 100..120 {
        store.take(session(n), owner(2));
    }
    assert_eq!((store.stored(), store.lock().len()), (20, (20, 1)));
}

#[test]
fn of_many_at_once_one_gets_it() {
    let (_, store) = store(60, 10_000, 100_000);
    let barrier = Barrier::new(8);
    let won: usize = thread::scope(|scope| {
        let contenders: Vec<_> = (0..8_u8)
            .map(|n| {
                let (store, barrier) = (&store, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    (0..1_000)
                        .filter(|s| store.take(session(*s), owner(n)) == NEW)
                        .count()
                })
            })
            .collect();
        contenders.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(won, 1_000);
    assert_eq!(store.lock().len().0, 1_000);
}

#[derive(Clone, Debug)]
enum Step {
    Hold(usize, u8),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_usize, 0..3_u8).prop_map(|(session, owner)| Step::Hold(session, owner)),
        1 => (0..40_u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 0..60)
}

/// What it should do, in the plainest words: the uses in their order.
#[derive(Default)]
struct Naive {
    now: u64,
    uses: Vec<(usize, u8, u64)>,
}

impl Naive {
    fn hold(&mut self, session: usize, owner: u8, idle: u64, bounds: (usize, usize)) -> Held {
        let now = self.now;
        self.uses.retain(|(_, _, used)| now - used < idle);
        let holder = self.uses.iter().find(|(s, ..)| *s == session).copied();
        if holder.is_some_and(|(_, o, _)| o != owner) {
            return Held::Mismatch;
        }
        self.uses.retain(|(s, ..)| *s != session);
        self.uses.push((session, owner, now));
        if holder.is_some() {
            return Held::Known;
        }
        let mut evicted = 0;
        let (per_principal, most) = bounds;
        if self.uses.iter().filter(|(_, o, _)| *o == owner).count() > per_principal {
            let oldest = self.uses.iter().position(|(_, o, _)| *o == owner);
            self.uses.remove(oldest.unwrap());
            evicted += 1;
        }
        if self.uses.len() > most {
            self.uses.remove(0);
            evicted += 1;
        }
        Held::Bound { evicted }
    }
}

proptest! {
    #[test]
    fn it_does_what_the_naive_one_does(steps in steps(), per_principal in 1..4_usize, most in 1..5_usize) {
        let (clock, store) = store(32, per_principal, most);
        let mut naive = Naive::default();
        for step in steps {
            match step {
                Step::Pass(seconds) => {
                    clock.pass(Duration::from_secs(seconds));
                    naive.now += seconds;
                }
                Step::Hold(s, o) => {
                    let expected = naive.hold(s, o, 32, (per_principal, most));
                    prop_assert_eq!(store.take(session(s), owner(o)), expected);
                }
            }
            let held = |s: usize| naive.uses.iter()
                .find(|(t, _, used)| *t == s && naive.now - used < 32)
                .map(|(_, o, _)| owner(*o));
            for s in 0..6 {
                prop_assert_eq!(store.owner_of(s), held(s));
            }
            prop_assert!(store.stored() <= most);
            prop_assert_eq!(store.stored(), store.lock().len().0);
        }
    }
}
