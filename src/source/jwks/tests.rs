//! The source of keys against issuers that rotate, fail, stall and lie.

mod conditional;
mod origins;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::*;
use crate::config::Remote;
use crate::identity::testing as tokens;
use crate::source::RefreshOutcome;
use crate::source::clock::SystemClock;
use crate::source::testing::Answer;
use crate::source::testing::Server;
use crate::source::testing::ok;
use crate::source::testing::response;

const LONG: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Seen {
    sets: Mutex<Vec<(u64, usize)>>,
    outcomes: Mutex<Vec<&'static str>>,
}

impl KeyObserver for Seen {
    fn refreshed(&self, authenticator: &str, outcome: RefreshOutcome) {
        assert_eq!(authenticator, "corp");
        self.outcomes.lock().unwrap().push(outcome.label());
    }
}

impl Seen {
    fn sets(&self) -> Vec<(u64, usize)> {
        self.sets.lock().unwrap().clone()
    }

    fn clone_as_observer(self: &Arc<Self>) -> Arc<dyn KeyObserver> {
        let seen: Arc<Self> = Arc::clone(self);
        seen
    }

    fn surroundings(self: &Arc<Self>) -> Surroundings {
        let seen = Arc::clone(self);
        Surroundings {
            clock: Arc::new(SystemClock::new()),
            publisher: Arc::new(move |keys| {
                let facts = (keys.generation(), keys.len());
                seen.sets.lock().unwrap().push(facts);
            }),
            observer: self.clone_as_observer(),
        }
    }
}

fn rules(server: &Server) -> JwtRules {
    let mut rules = tokens::rules();
    let remote = Remote {
        ca_pem: None,
        insecure_allow_http: true,
    };
    rules.keys = KeyOrigin::JwksUri(server.url("/keys"), remote);
    rules
}

/// Every request is granted, failures are tried again soon.
fn eager() -> Timing {
    Timing {
        period: Duration::ZERO,
        settled: Duration::ZERO,
        backoff: Duration::from_millis(20),
        backoff_cold: Duration::from_millis(20),
        backoff_most: Duration::from_millis(20),
        ..Timing::default()
    }
}

fn start(rules: &JwtRules, timing: Timing) -> (JwksSource, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let origin = Origin::new(rules).unwrap();
    // Tests that hold up an issuer must not hold up each other.
    let terms = Terms {
        timing,
        turns: Arc::new(Semaphore::new(1)),
    };
    let source = JwksSource::start(&"corp".into(), origin, seen.surroundings(), terms);
    (source, seen)
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 5 s");
}

async fn loaded(server: &Server, timing: Timing) -> (JwksSource, Arc<Seen>) {
    let (source, seen) = start(&rules(server), timing);
    until(|| source.status() == KeyStatus::Fresh).await;
    (source, seen)
}

fn set(keys: &[Value]) -> String {
    tokens::jwks(keys)
}

fn first() -> String {
    set(&[tokens::p256().named("a")])
}

fn second() -> String {
    set(&[tokens::p256().named("a"), tokens::ed25519().named("b")])
}

#[tokio::test]
async fn the_first_set_is_fetched_at_start_and_counted_when_it_changes() {
    let server = Server::start(|_| ok(&first())).await;
    let (source, seen) = loaded(&server, eager()).await;
    assert_eq!(seen.sets(), [(1, 1)]);
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    assert_eq!(
        seen.sets(),
        [(1, 1)],
        "the same keys are not published again"
    );
    server.answer(|_| ok(&second()));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    assert_eq!(seen.sets(), [(1, 1), (2, 2)]);
    let outcomes = seen.outcomes.lock().unwrap().clone();
    assert_eq!(outcomes, ["changed", "unchanged", "changed"]);
    assert!(source.age().is_some_and(|age| age < LONG));
}

#[tokio::test]
async fn no_bad_answer_costs_the_good_keys() {
    let server = Server::start(|_| ok(&first())).await;
    let (source, seen) = loaded(
        &server,
        Timing {
            backoff: LONG,
            ..eager()
        },
    )
    .await;
    let json = ["content-type: application/json"];
    let key = tokens::p256().named("a").to_string();
    let many = vec![tokens::p256().named("a"); 101];
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"<html></html>".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"keys":null}"#.to_vec(),
        br#"{"keys":[]}"#.to_vec(),
        br#"{"keys":{}}"#.to_vec(),
        br#"{"keys":"x"}"#.to_vec(),
        br#"{"keys":[null]}"#.to_vec(),
        br#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_vec(),
        br#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#.to_vec(),
        format!(r#"{{"keys":[{key}]"#).into_bytes(),
        format!(r#"{{"keys":[{key}]}}x"#).into_bytes(),
        format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#).into_bytes(),
        format!("\u{feff}{}", first()).into_bytes(),
        first().encode_utf16().flat_map(u16::to_le_bytes).collect(),
        [first().as_bytes(), b"\xff"].concat(),
        format!(
            r#"{{"x":{}{},"keys":[{key}]}}"#,
            "[".repeat(99),
            "]".repeat(99)
        )
        .into_bytes(),
        "[".repeat(100_000).into_bytes(),
        set(&many).into_bytes(),
        vec![0x1f, 0x8b, 8, 0],
    ];
    assert!(bodies.len() > 20);
    let mut answers: Vec<Vec<u8>> = bodies
        .iter()
        .map(|body| response("200 OK", &json, body))
        .collect();
    answers.push(response("503 Unavailable", &json, first().as_bytes()));
    answers.push(response("302 Found", &["location: /keys"], b""));
    answers.push(Vec::new());
    for answer in answers {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        server.answer(move |_| Answer::Bytes(answer.clone()));
        assert_eq!(source.refresh(LONG).await, Refresh::Failed, "{shown:.200}");
        assert_eq!(source.status(), KeyStatus::Fresh);
    }
    assert_eq!(seen.sets(), [(1, 1)]);
    server.answer(|_| ok(&second()));
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_causes_one_fetch_or_two() {
    for (settled, expected) in [(Timing::default().settled, 1), (Duration::ZERO, 2)] {
        let timing = Timing {
            settled,
            ..Timing::default()
        };
        let server = Server::start(|_| ok(&first())).await;
        let (source, _) = loaded(&server, timing).await;
        let at_start = server.heads().len();
        let mut fetched = Vec::new();
        for _ in 0..10_000 {
            match source.refresh(LONG).await {
                refresh @ Refresh::Fetched => fetched.push(refresh),
                Refresh::CoolingDown => {}
                other @ (Refresh::Failed | Refresh::TimedOut) => panic!("{other:?}"),
            }
        }
        assert_eq!(fetched.len(), expected);
        let asked = server.heads().len().saturating_sub(at_start);
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn a_flood_is_charged_by_attempts_not_by_successes() {
    let server = Server::start(|_| ok(&first())).await;
    let (source, _) = loaded(
        &server,
        Timing {
            backoff: LONG,
            ..Timing::default()
        },
    )
    .await;
    server.answer(|_| ok("{}"));
    for _ in 0..1_000 {
        // Nothing is known of the token's key, and that stays the answer when nobody is asked.
        assert_eq!(source.refresh(LONG).await, Refresh::Failed);
    }
    assert_eq!(server.heads().len(), 3, "one of them at start");
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_fetch() {
    let server = Server::start(|_| ok(&first())).await;
    let (source, seen) = loaded(&server, eager()).await;
    let source = Arc::new(source);
    let later = response(
        "200 OK",
        &["content-type: application/json"],
        second().as_bytes(),
    );
    server.answer(move |_| Answer::After(Duration::from_millis(100), later.clone()));
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { source.refresh(LONG).await })
        })
        .collect();
    for asker in askers {
        assert_eq!(asker.await.unwrap(), Refresh::Fetched);
    }
    assert_eq!(server.heads().len(), 2);
    assert_eq!(seen.sets(), [(1, 1), (2, 2)]);
}

#[tokio::test]
async fn a_slow_issuer_holds_nobody_for_long() {
    let server = Server::start(|_| ok(&first())).await;
    let timing = Timing {
        attempt: Duration::from_millis(300),
        backoff: LONG,
        ..eager()
    };
    let (source, _) = loaded(&server, timing).await;
    server.answer(|_| Answer::Hang);
    let short = Duration::from_millis(20);
    assert_eq!(source.refresh(short).await, Refresh::TimedOut);
    assert_eq!(
        source.refresh(LONG).await,
        Refresh::Failed,
        "cut off, and joined"
    );
    assert_eq!(server.heads().len(), 2);
    let slow = response(
        "200 OK",
        &["content-type: application/json"],
        first().as_bytes(),
    );
    server.answer(move |_| Answer::Drip(slow.clone(), Duration::from_millis(20)));
    assert_eq!(source.refresh(LONG).await, Refresh::Failed);
    assert_eq!(source.status(), KeyStatus::Fresh);
}

#[tokio::test]
async fn an_issuer_that_is_down_at_start_is_tried_until_it_answers() {
    let server = Server::start(|_| Answer::Bytes(Vec::new())).await;
    let (source, seen) = start(&rules(&server), eager());
    until(|| server.heads().len() >= 3).await;
    assert_eq!(source.status(), KeyStatus::Loading);
    assert_eq!(source.age(), None);
    assert!(seen.sets().is_empty());
    server.answer(|_| ok(&first()));
    until(|| source.status() == KeyStatus::Fresh).await;
    assert_eq!(seen.sets(), [(1, 1)]);
}

#[tokio::test]
async fn keys_outlive_an_outage_for_a_while_and_come_back_after_it() {
    let up = Arc::new(AtomicBool::new(true));
    let is_up = Arc::clone(&up);
    let server = Server::start(move |_| {
        if is_up.load(Ordering::SeqCst) {
            ok(&first())
        } else {
            Answer::Bytes(Vec::new())
        }
    })
    .await;
    let short = Duration::from_millis(200);
    let timing = Timing {
        lifetime_bounds: (short, short),
        stale: short,
        ..eager()
    };
    let (source, seen) = loaded(&server, timing).await;
    up.store(false, Ordering::SeqCst);
    until(|| source.status() == KeyStatus::Stale).await;
    assert_eq!(seen.sets(), [(1, 1)], "stale keys stay");
    until(|| seen.sets().len() == 2).await;
    assert_eq!(seen.sets(), [(1, 1), (2, 0)], "and are withdrawn");
    assert_eq!(source.status(), KeyStatus::Unavailable);
    up.store(true, Ordering::SeqCst);
    until(|| source.status() == KeyStatus::Fresh).await;
    assert_eq!(seen.sets(), [(1, 1), (2, 0), (3, 1)]);
}

#[tokio::test]
async fn keys_are_fetched_again_before_they_grow_old() {
    let server = Server::start(|_| ok(&first())).await;
    let short = Duration::from_millis(100);
    let timing = Timing {
        lifetime_bounds: (short, short),
        ..Timing::default()
    };
    let (source, seen) = loaded(&server, timing).await;
    server.answer(|_| ok(&second()));
    until(|| seen.sets().len() == 2).await;
    assert_eq!(source.status(), KeyStatus::Fresh);
}

#[tokio::test]
async fn a_dropped_source_asks_no_more() {
    let server = Server::start(|_| Answer::Bytes(Vec::new())).await;
    let (source, _) = start(&rules(&server), eager());
    until(|| !server.heads().is_empty()).await;
    drop(source);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let asked = server.heads().len();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.heads().len(), asked);
}
