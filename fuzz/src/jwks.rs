//! Published key sets.

use cedargate::config::Algorithm;
use cedargate::config::JwtRules;
use cedargate::identity::key_set::KeySet;
use cedargate::identity::key_set::MAX_KEYS;
use cedargate::identity::key_set::MAX_SET_BYTES;
use serde_json::Value;

use crate::rules;

/// Members that no public key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The bytes are a JWK set.
pub fn run(data: &[u8]) -> bool {
    let usual = rules::SIGNED.first().expect("there are rules");
    // No configuration says so; the keys must not depend on that alone.
    let mut careless = usual.clone();
    careless.algorithms.extend(Algorithm::SYMMETRIC);
    let strict = judged(data, usual);
    let lax = judged(data, &careless);
    assert_eq!(
        strict.is_some(),
        lax.is_some(),
        "a key for symmetric tokens"
    );
    strict.is_some()
}

fn judged(data: &[u8], rules: &JwtRules) -> Option<KeySet> {
    let first = KeySet::from_jwks(data, rules, 1);
    match (first, KeySet::from_jwks(data, rules, 1)) {
        (Ok((set, skipped)), Ok((again, also_skipped))) => {
            assert!(set.same_keys(&again), "two readings");
            assert_eq!(skipped, also_skipped, "two readings");
            let skipped: Vec<usize> = skipped.iter().map(|key| key.index).collect();
            sound(data, rules, &set, &skipped);
            Some(set)
        }
        (Err(fault), Err(again)) => {
            assert_eq!(fault, again, "two readings");
            None
        }
        (one, other) => panic!("two readings: {one:?} and {other:?}"),
    }
}

/// Holds an accepted set against another reading of it.
fn sound(data: &[u8], rules: &JwtRules, set: &KeySet, skipped: &[usize]) {
    assert!(data.len() <= MAX_SET_BYTES, "too large");
    let document: Value = serde_json::from_slice(data).expect("what was accepted is JSON");
    let listed = document.get("keys").and_then(Value::as_array);
    let listed = listed.expect("a list of keys");
    assert!(
        listed.len() <= MAX_KEYS && (1..=MAX_KEYS).contains(&set.len()),
        "too many keys"
    );
    assert!(
        set.len() + skipped.len() <= listed.len(),
        "keys out of nothing"
    );
    for (index, key) in listed.iter().enumerate() {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let is_public = matches!(text("kty"), Some("RSA" | "EC" | "OKP"))
            && PRIVATE.iter().all(|name| key.get(name).is_none());
        let is_asymmetric = !text("alg").is_some_and(|alg| alg.starts_with("HS") || alg == "none");
        let is_for_signatures = key.get("use").is_none_or(|purpose| purpose == "sig");
        let fit = is_public && is_asymmetric && is_for_signatures;
        assert!(
            fit || skipped.contains(&index),
            "key {index} should have been skipped"
        );
    }
    let spaced = serde_json::to_vec_pretty(&document).expect("JSON can be written");
    if spaced.len() <= MAX_SET_BYTES {
        let (spaced, _) = KeySet::from_jwks(&spaced, rules, 1).expect("white space means nothing");
        assert!(set.same_keys(&spaced), "white space means nothing");
    }
}
