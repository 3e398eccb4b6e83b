//! The steps in which a refusal is explained are the steps in which a token is checked.

use super::*;
use crate::identity::step::Step;

/// A token that fails at the given steps and would pass at all others.
fn failing(steps: &[Step]) -> String {
    let fails = |step| steps.contains(&step);
    let mut head = header();
    let mut body = claims();
    if fails(Step::Header) {
        head["crit"] = json!([]);
    }
    if fails(Step::Kind) {
        body["nonce"] = json!("n");
    }
    if fails(Step::Issuer) {
        body["iss"] = json!("https://other");
    }
    if fails(Step::Type) {
        head["typ"] = json!("other");
    }
    if fails(Step::Algorithm) {
        head["alg"] = json!("ES384");
    }
    if fails(Step::Key) {
        head["kid"] = json!("unknown");
    }
    if fails(Step::Binding) {
        body["cnf"] = json!({});
    }
    if fails(Step::Window) {
        body["exp"] = json!(1);
    }
    if fails(Step::Claims) {
        body["sub"] = json!(1);
    }
    if fails(Step::Audience) {
        body["aud"] = json!("https://other");
    }
    let other = testing::fresh_p256();
    let signer = if fails(Step::Signature) {
        &other
    } else {
        testing::p256()
    };
    let mut token = signer.token(Algorithm::Es256, &head, &body);
    if fails(Step::Form) {
        token.push('=');
    }
    token
}

fn refused_at(token: &str) -> Option<Step> {
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Es256];
    let verified = match check(token, &keys(), &rules) {
        Ok(verified) => verified,
        Err(fault) => return Some(fault.step()),
    };
    let here = [testing::AUDIENCE.to_owned()];
    let admitted = verified.admits(&rules.tokens, &here, NOW);
    admitted.err().map(|fault| fault.step())
}

#[test]
fn a_token_is_refused_at_the_first_step_that_it_fails() {
    assert_eq!(refused_at(&failing(&[])), None);
    for (at, first) in Step::ALL.into_iter().enumerate() {
        assert_eq!(refused_at(&failing(&[first])), Some(first), "alone");
        assert_eq!(refused_at(&failing(&Step::ALL[at..])), Some(first), "all");
        for second in &Step::ALL[at..] {
            let found = refused_at(&failing(&[first, *second]));
            assert_eq!(found, Some(first), "{second:?} as well");
        }
    }
}

#[test]
fn what_a_product_adds_stands_in_the_same_order() {
    let mut rules = rules();
    rules.tokens.preset = Some(crate::config::Preset::Cognito);
    let judged = |changes: &Value| {
        let fault = check(&token_with(changes), &keys(), &rules).err();
        fault.map(|fault| fault.step())
    };
    assert_eq!(judged(&json!({"token_use": "access"})), None);
    assert_eq!(judged(&json!({"iss": "x"})), Some(Step::Kind));
    let required = json!({"token_use": "access", "aud": null, "client_id": null, "sub": null});
    assert_eq!(judged(&required), Some(Step::Claims));
    let nobody = json!({"token_use": "access", "aud": null, "client_id": null});
    assert_eq!(judged(&nobody), Some(Step::Audience));
}

#[test]
fn the_profile_adds_to_the_steps_and_moves_none() {
    let mut rules = rules();
    rules.rfc9068 = true;
    for (name, step) in [
        ("exp", Step::Window),
        ("iat", Step::Window),
        ("sub", Step::Claims),
        ("client_id", Step::Claims),
        ("jti", Step::Claims),
        ("aud", Step::Audience),
    ] {
        let mut changes = json!({});
        for later in Step::ALL.into_iter().filter(|later| *later > step) {
            match later {
                Step::Claims => changes["sub"] = json!(1),
                Step::Audience => changes["aud"] = json!(1),
                Step::Form
                | Step::Header
                | Step::Kind
                | Step::Issuer
                | Step::Type
                | Step::Algorithm
                | Step::Key
                | Step::Signature
                | Step::Binding
                | Step::Window => {}
            }
        }
        changes[name] = Value::Null;
        let fault = check(&token_with(&changes), &keys(), &rules).unwrap_err();
        assert_eq!(fault, VerifyError::Refused(TokenFault::ClaimMissing(name)));
        assert_eq!(fault.step(), step);
    }
}
