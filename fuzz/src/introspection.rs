//! Answers about tokens (RFC 7662).

use cedargate::identity::introspection;
use cedargate::identity::introspection::BELIEVED_S;
use cedargate::identity::introspection::MAX_ANSWER_BYTES;
use cedargate::identity::verifier::Evidence;
use serde_json::Value;

use crate::rules;
use crate::rules::NOW;
use crate::sound;

/// The first byte chooses the rules; the rest are the answer.
pub fn run(data: &[u8]) -> bool {
    let Some((rules, answer)) = rules::choose(&rules::INTROSPECTED, data) else {
        return false;
    };
    let read = || introspection::read(answer, rules, rules::authenticator(), NOW);
    let token = read();
    assert_eq!(token, read(), "two answers to one question");
    let Ok(token) = token else {
        return false;
    };
    assert!(answer.len() <= MAX_ANSWER_BYTES, "too long");
    let stated: Value = serde_json::from_slice(answer).expect("what was accepted is JSON");
    assert_eq!(stated.get("active"), Some(&Value::Bool(true)), "not active");
    let issuer = &rules.tokens.issuer;
    if rules.issuer_is_configured && stated.get("iss").is_some() {
        sound::names_issuer(&stated, "iss");
    }
    sound::token(&token, &stated, issuer);
    let Evidence::Introspection { from_s, until_s } = token.evidence else {
        panic!("evidence of another kind");
    };
    assert!(
        from_s <= NOW && from_s >= NOW - BELIEVED_S,
        "believed before it was given"
    );
    assert!(until_s <= NOW + BELIEVED_S, "believed for too long");
    let exp = stated.get("exp").and_then(Value::as_i64);
    assert!(
        exp.is_none_or(|exp| until_s <= exp),
        "believed beyond its end"
    );
    let kind = stated
        .get("token_type")
        .map(|kind| kind.as_str().expect("a text"));
    let is_dpop = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop"));
    let is_bearer = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    assert!(is_dpop || is_bearer, "not an access token");
    let needs_key = is_dpop || rules.tokens.dpop.required;
    assert!(
        !needs_key || token.binding.jkt.is_some(),
        "a token without a key"
    );
    true
}
