//! Introspection endpoints that are down or slow, and strangers who make us ask them.
//!
//! `FLOOD` in the environment says how many tokens the flood has.

#![expect(
    clippy::disallowed_methods,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use support::ask::Ask;
use support::asking::DEADLINE;
use support::asking::MARGIN;
use support::asking::Scene;
use support::asking::forecast;
use support::asking::honest;
use support::crowd;
use support::crowd::Over;
use support::envoy::poll;
use support::fake_issuer::FakeIssuer;
use support::port;

#[test]
fn an_endpoint_that_is_down_is_left_alone_until_it_is_back() {
    let port = port::free();
    let scene = Scene::launch(port);
    for number in 0..30 {
        let (reason, waited) = scene.ask(&format!("good-{number}"));
        assert_eq!(reason, "issuer_unavailable");
        assert!(waited < MARGIN, "{waited:?}");
        scene.others_are_served();
        assert_eq!(
            scene.circuit(),
            number >= 4,
            "after {} failures",
            number + 1
        );
    }
    let outcomes = scene.outcomes();
    eprintln!("down at the start: 30 tokens, calls {outcomes:?}");
    assert_eq!(outcomes, BTreeMap::from([("connect".to_owned(), 5)]));
    // It comes, and is found by the next probe.
    let endpoint = FakeIssuer::start_reading_at(port, honest);
    let began = Instant::now();
    let mut tokens = 30;
    let back = poll(Duration::from_secs(10), || {
        tokens += 1;
        scene.ask(&format!("good-{tokens}")).0 == "allowed"
    });
    let waited = began.elapsed();
    eprintln!("down at the start: back after {waited:?}");
    assert!(back && waited < Duration::from_secs(6), "{waited:?}");
    assert!(!scene.circuit(), "it is closed again");
    for number in 0..10 {
        assert_eq!(scene.ask(&format!("good-again-{number}")).0, "allowed");
    }
    assert_eq!(scene.ask("bad").0, "invalid_credential");

    // It goes: what it has said a moment ago still holds.
    let calls = endpoint.stop();
    let mut longest = Duration::ZERO;
    let began = Instant::now();
    let mut lost = 0;
    while began.elapsed() < Duration::from_secs(7) {
        for number in 0..10 {
            assert_eq!(scene.ask(&format!("good-again-{number}")).0, "allowed");
        }
        let (reason, waited) = scene.ask(&format!("good-later-{lost}"));
        assert_eq!(reason, "issuer_unavailable");
        longest = longest.max(waited).max(scene.others_are_served());
        lost += 1;
    }
    assert!(scene.circuit());
    let failed = scene.outcomes()["connect"] - outcomes["connect"];
    eprintln!(
        "down later: {calls} calls before; {lost} unknown tokens in 7 s are 503 after {longest:?} at \
         most, {failed} calls in vain; 10 known ones stay"
    );
    assert!(
        (5..=8).contains(&failed),
        "{failed}: five, and a probe in 5 s, and one before"
    );
    assert!(longest < MARGIN, "{longest:?}");
}

#[test]
fn nobody_waits_longer_than_a_check_for_a_slow_endpoint() {
    let slow = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let endpoint = FakeIssuer::start_reading_at(0, {
        let (slow, calls) = (Arc::clone(&slow), Arc::clone(&calls));
        move |body, stream| {
            calls.fetch_add(1, Ordering::SeqCst);
            if slow.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_secs(30));
            }
            honest(body, stream);
        }
    });
    let scene = Scene::launch(endpoint.port());
    assert_eq!(scene.ask("good-known").0, "allowed");
    slow.store(true, Ordering::SeqCst);
    let (mut longest, mut others) = (Duration::ZERO, Duration::ZERO);
    let mut times = Vec::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let served = scope.spawn(|| {
            let asker = scene.sidecar.asker();
            let (mut longest, mut served) = (Duration::ZERO, 0);
            while !over.load(Ordering::SeqCst) {
                for ask in scene.others().into_iter().chain([forecast("good-known")]) {
                    let began = Instant::now();
                    assert_eq!(asker.grpc(&ask).reason, "allowed");
                    longest = longest.max(began.elapsed());
                    served += 1;
                }
            }
            (longest, served)
        });
        let ended = Over(&over);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            let (reason, waited) = scene.ask(&format!("good-{}", times.len()));
            assert_eq!(reason, "issuer_unavailable");
            longest = longest.max(waited);
            times.push(waited);
        }
        drop(ended);
        let (most, served) = served.join().expect("they are served");
        others = most;
        eprintln!("slow endpoint: {served} checks of others and of a known token meanwhile");
    });
    let waited = times.iter().filter(|time| **time > DEADLINE / 2).count();
    let outcomes = scene.outcomes();
    eprintln!(
        "slow endpoint: {} unknown tokens, {waited} of them waited, {longest:?} at most; others \
         {others:?} at most; calls {outcomes:?}",
        times.len()
    );
    assert!((5..=7).contains(&waited), "{waited}");
    assert!(
        longest < DEADLINE + MARGIN && others < MARGIN,
        "{longest:?}, {others:?}"
    );
    assert!(scene.circuit());
    assert_eq!(calls.load(Ordering::SeqCst), 1 + outcomes["timeout"]);
}

/// So many tokens are sent before others take their place: in less time than an answer of the endpoint is
/// believed, which is a minute.
const ROUND: u64 = 12_000;

#[test]
fn a_flood_of_unknown_tokens_is_asked_about_within_bounds() {
    let calls = Arc::new(AtomicU64::new(0));
    let endpoint = FakeIssuer::start_reading_at(0, {
        let calls = Arc::clone(&calls);
        move |body, stream| {
            calls.fetch_add(1, Ordering::SeqCst);
            honest(body, stream);
        }
    });
    let scene = Scene::launch(endpoint.port());
    let count = crowd::size(ROUND);
    for round in 0..count.div_ceil(ROUND) {
        let size = ROUND.min(count - round * ROUND);
        let known = format!("good-known-{round}");
        // The rounds before have left nothing to ask with, for a moment.
        assert!(poll(Duration::from_secs(2), || scene.ask(&known).0 == "allowed"));
        let mut honest: Vec<(Ask, &str)> = scene.others().map(|ask| (ask, "allowed")).into();
        honest.push((forecast(&known), "allowed"));
        let warm = |number| format!("a.b.{number}");
        crowd::flood(&scene.sidecar, 500, warm, &honest);
        let before = calls.load(Ordering::SeqCst);
        let junk = move |number| format!("junk-{round}-{number}");
        let flood = crowd::flood(&scene.sidecar, size, junk, &honest);
        flood.figures("unknown opaque tokens");
        let asked = calls.load(Ordering::SeqCst) - before;
        // 400 at once, and one in 5 ms.
        let bound = 400 + u64::try_from(flood.lasted.as_millis() / 5).unwrap_or(u64::MAX) + 10;
        let outcomes = scene.outcomes();
        eprintln!("unknown opaque tokens: {asked} calls, {bound} is the bound; {outcomes:?}");
        assert!((1..=bound).contains(&asked), "{asked} of {bound}");
        let refused = flood
            .answers
            .get("invalid_credential")
            .copied()
            .unwrap_or(0);
        let unavailable = flood
            .answers
            .get("issuer_unavailable")
            .copied()
            .unwrap_or(0);
        assert_eq!(refused + unavailable, size, "{:?}", flood.answers);
        assert!(refused <= asked, "nobody is judged unheard");
        assert!(flood.grown_kib < 16 * 1024, "grew {} KiB", flood.grown_kib);
        assert!(flood.quantile(99) < DEADLINE, "{:?}", flood.quantile(99));
    }
    // And a stranger's token is asked about again, soon.
    let soon = poll(Duration::from_secs(2), || {
        scene.ask("good-new").0 == "allowed"
    });
    assert!(soon);
    assert!(
        !scene.circuit(),
        "an endpoint that answers is not closed by a flood"
    );
}
