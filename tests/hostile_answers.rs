//! Introspection endpoints that lie: no answer is believed but a good one, and each lie is counted for
//! what it is.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use support::asking::Scene;
use support::asking::active;
use support::asking::asked_about;
use support::asking::honest;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::lies;
use support::lies::Lie;
use support::tokens::now;

/// Answers that are JSON and say nothing that can be believed; the first word is what they are counted
/// under, and the second what the caller is told.
fn of_answers() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut answer = active();
        answer[name] = value;
        answer
    };
    let without = |name: &str| {
        let mut answer = active();
        answer.as_object_mut().map(|members| members.remove(name));
        answer
    };
    let (bad, refused) = ("issuer_unavailable", "invalid_credential");
    vec![
        ("no `active`", "malformed", bad, without("active")),
        (
            "`active`: a text",
            "malformed",
            bad,
            with("active", json!("true")),
        ),
        ("`active`: 1", "malformed", bad, with("active", json!(1))),
        (
            "`active`: null",
            "malformed",
            bad,
            with("active", Value::Null),
        ),
        (
            "`active`: a list",
            "malformed",
            bad,
            with("active", json!([true])),
        ),
        (
            "`active`: an object",
            "malformed",
            bad,
            with("active", json!({})),
        ),
        (
            "inactive, with all claims",
            "ok",
            refused,
            with("active", json!(false)),
        ),
        ("expired", "ok", refused, with("exp", json!(now() - 3_600))),
        (
            "of another time",
            "ok",
            refused,
            with("nbf", json!(now() + 3_600)),
        ),
        (
            "`exp`: a text",
            "ok",
            refused,
            with("exp", json!("4102444800")),
        ),
        (
            "`exp`: a fraction",
            "ok",
            refused,
            with("exp", json!(4_102_444_800.5)),
        ),
        ("`exp`: negative", "ok", refused, with("exp", json!(-1))),
        (
            "for another resource",
            "ok",
            refused,
            with("aud", json!("https://other.example")),
        ),
        ("for nobody", "ok", refused, without("aud")),
        ("`aud`: a number", "ok", refused, with("aud", json!(1))),
        (
            "`iss`: a list",
            "ok",
            refused,
            with("iss", json!(["https://a"])),
        ),
        (
            "a refresh token",
            "ok",
            refused,
            with("token_type", json!("refresh_token")),
        ),
        ("an ID token", "ok", refused, with("nonce", json!("n"))),
        (
            "bound to a key",
            "ok",
            refused,
            with("cnf", json!({"jkt": "x"})),
        ),
        (
            "bound to nothing",
            "ok",
            refused,
            with("token_type", json!("DPoP")),
        ),
        ("`sub`: a number", "ok", refused, with("sub", json!(1))),
        (
            "`sub`: a control character",
            "ok",
            refused,
            with("sub", json!("a\nb")),
        ),
    ]
}

#[test]
fn no_lie_of_an_endpoint_is_believed() {
    let trap = FakeIssuer::start(|_, stream| {
        fake_issuer::json_document(stream, &active().to_string());
    });
    let good = active().to_string();
    let elsewhere = format!("http://127.0.0.1:{}/", trap.port());
    let bad = "issuer_unavailable";
    let mut all: Vec<(Lie, &str)> = Vec::new();
    for mut lie in lies::of_transport(&good, &elsewhere) {
        lie.outcome = match lie.what.split(' ').next() {
            Some("401" | "403") => "credentials",
            Some("429") => "rate_limited",
            _ => lie.outcome,
        };
        all.push((lie, bad));
    }
    all.extend(
        lies::of_bodies(&good, "malformed")
            .into_iter()
            .map(|lie| (lie, bad)),
    );
    let large = format!(
        "{{\"x\":\"{}\",{}",
        "x".repeat(70_000),
        good.trim_start_matches('{')
    );
    all.push((Lie::body("of 70 KB", "too_large", large), bad));
    for (what, outcome, reason, answer) in of_answers() {
        all.push((Lie::body(what, outcome, answer.to_string()), reason));
    }
    assert!(all.len() >= 40);
    let told = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::new(all);
    let endpoint = FakeIssuer::start_reading_at(0, {
        let (all, told) = (Arc::clone(&all), Arc::clone(&told));
        move |body, stream| match asked_about(body)
            .strip_prefix("lie-")
            .map(str::parse::<usize>)
        {
            Some(Ok(number)) => {
                told.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(number);
                all[number].0.tell(stream);
            }
            _ => honest(body, stream),
        }
    });
    let scene = Scene::launch(endpoint.port());
    assert_eq!(scene.ask("good-known").0, "allowed");
    let began = Instant::now();
    let mut counted: BTreeMap<String, u64> = BTreeMap::from([("ok".to_owned(), 1)]);
    for (number, (lie, reason)) in all.iter().enumerate() {
        assert_eq!(
            scene.ask(&format!("lie-{number}")).0,
            *reason,
            "{}",
            lie.what
        );
        *counted.entry(lie.outcome.to_owned()).or_default() += 1;
        assert_eq!(scene.outcomes(), counted, "{}", lie.what);
        assert_eq!(scene.ask("good-known").0, "allowed", "{}", lie.what);
        // Which also says that the endpoint is not to be left alone.
        assert_eq!(
            scene.ask(&format!("good-{number}")).0,
            "allowed",
            "{}",
            lie.what
        );
        *counted.entry("ok".to_owned()).or_default() += 1;
        scene.others_are_served();
    }
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(
        told.len(),
        all.len(),
        "each is told once: nothing is tried again"
    );
    assert_eq!(trap.asked(), 0, "a token was sent elsewhere");
    eprintln!(
        "endpoint: {} kinds of lies, none believed, {:?}: {counted:?}",
        all.len(),
        began.elapsed()
    );
    let said = scene.sidecar.printed();
    for secret in ["0123456789abcdef", "lie-1", "good-known"] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
}
