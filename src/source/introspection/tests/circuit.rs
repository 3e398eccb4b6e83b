//! The circuit breaker on the wire, by a clock that the test moves.

use super::*;

const PROBE_PERIOD: Duration = Duration::from_secs(5);

fn down() -> Answer {
    Answer::Bytes(response("503 Service Unavailable", &[JSON], b"{}"))
}

/// A rig whose circuit has just been opened by five failures.
async fn opened() -> Rig {
    let rig = Rig::new(|_| down()).await;
    for n in 0..5 {
        let asked = rig.ask(&format!("t{n}")).await;
        assert_eq!(asked, Asked::Unavailable("status"));
    }
    rig
}

#[tokio::test]
async fn it_opens_probes_and_closes() {
    let rig = opened().await;
    assert_eq!(rig.seen.circuit(), [true]);
    for n in 0..1_000 {
        let asked = rig.ask(&format!("u{n}")).await;
        assert_eq!(asked, Asked::Unavailable("circuit_open"));
    }
    assert_eq!(rig.calls(), 5);
    rig.clock.pass(PROBE_PERIOD);
    assert_eq!(rig.ask("probe").await, Asked::Unavailable("status"));
    assert_eq!(rig.ask("after").await, Asked::Unavailable("circuit_open"));
    assert_eq!(rig.calls(), 6, "one probe");
    rig.clock.pass(PROBE_PERIOD);
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("probe").await, answered(ACTIVE));
    assert_eq!(rig.ask("after").await, answered(ACTIVE));
    assert_eq!(rig.seen.circuit(), [true, false]);
}

#[tokio::test]
async fn a_probe_is_one_call_that_its_token_shares() {
    let rig = opened().await;
    rig.clock.pass(PROBE_PERIOD);
    rig.server.answer(|_| later(100));
    let (probe, joined, other) = tokio::join!(rig.ask("probe"), rig.ask("probe"), rig.ask("other"));
    assert_eq!((probe, joined), (answered(ACTIVE), answered(ACTIVE)));
    assert_eq!(other, Asked::Unavailable("circuit_open"));
    assert_eq!(rig.calls(), 6);
}

#[tokio::test]
async fn a_probe_that_is_given_up_is_followed_by_another() {
    let rig = opened().await;
    rig.clock.pass(PROBE_PERIOD);
    rig.server.answer(|_| Answer::Hang);
    let left = tokio::time::timeout(Duration::from_millis(50), rig.ask("probe")).await;
    assert!(left.is_err());
    assert_eq!(rig.ask("after").await, Asked::Unavailable("circuit_open"));
    rig.clock.pass(PROBE_PERIOD);
    rig.server.answer(|_| ok(ACTIVE));
    assert_eq!(rig.ask("after").await, answered(ACTIVE));
}

/// Whoever asks first when a probe is due, and hangs up before it is answered, must not be able to
/// keep the circuit open for all others.
#[tokio::test]
async fn a_probe_ends_by_itself_whoever_hangs_up() {
    let rig = opened().await;
    rig.server.answer(|_| later(50));
    rig.clock.pass(PROBE_PERIOD);
    let left = tokio::time::timeout(Duration::from_millis(10), rig.ask("probe")).await;
    assert!(left.is_err(), "gone");
    assert_eq!(rig.ask("early").await, Asked::Unavailable("circuit_open"));
    assert!(rig.is_idle().await, "it ends");
    assert_eq!(rig.ask("honest").await, answered(ACTIVE));
    assert_eq!(rig.seen.circuit(), [true, false]);
}

#[tokio::test]
async fn what_speaks_of_one_token_does_not_open_it() {
    let statuses = ["400 Bad Request", "404 Not Found", "413 Content Too Large"];
    for status in statuses {
        let rig = Rig::new(|_| down()).await;
        rig.server
            .answer(move |_| Answer::Bytes(response(status, &[JSON], b"{}")));
        for n in 0..10 {
            let asked = rig.ask(&format!("t{n}")).await;
            assert!(
                matches!(asked, Asked::Unavailable("status" | "credentials")),
                "{status}"
            );
        }
        assert!(rig.seen.circuit().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn only_failures_in_a_row_count() {
    let rig = Rig::new(|_| down()).await;
    for _ in 0..3 {
        rig.server.answer(|_| down());
        for _ in 0..4 {
            assert_eq!(rig.ask("t").await, Asked::Unavailable("status"));
        }
        rig.server.answer(|_| ok(r#"{"active":false}"#));
        assert_eq!(rig.ask("t").await, answered(r#"{"active":false}"#));
    }
    assert!(rig.seen.circuit().is_empty());
}

#[tokio::test]
async fn an_endpoint_too_slow_for_its_askers_opens_it() {
    let rig = Rig::new(|_| Answer::Hang).await;
    for n in 0..5 {
        let token = format!("t{n}");
        let wait = Duration::from_millis(30);
        let (asked, ()) = tokio::join!(rig.ask_within(&token, wait), async {
            tokio::task::yield_now().await;
            rig.clock.pass(Duration::from_millis(150));
        });
        assert_eq!(asked, Asked::Unavailable("timeout"));
    }
    assert_eq!(rig.seen.calls(), ["timeout"; 5]);
    assert_eq!(rig.seen.circuit(), [true]);
    assert_eq!(rig.ask("t").await, Asked::Unavailable("circuit_open"));
}

#[tokio::test]
async fn askers_without_time_do_not_open_it() {
    let rig = Rig::new(|_| Answer::Hang).await;
    for n in 0..20 {
        let asked = rig
            .ask_within(&format!("t{n}"), Duration::from_millis(2))
            .await;
        assert_eq!(asked, Asked::Unavailable("timeout"));
    }
    assert!(rig.seen.calls().is_empty());
    assert!(rig.seen.circuit().is_empty());
}
