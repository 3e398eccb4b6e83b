//! The verifier against every kind of token that should and should not pass.

mod bindings;
mod claims;
mod keys_and_algorithms;
mod library;
mod order;
mod products;
mod profiles;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::identity::testing;
use crate::identity::testing::ALGORITHMS;
use crate::identity::testing::ISSUER;
use crate::identity::testing::NOW;
use crate::identity::testing::Signer;
use crate::identity::testing::claims;
use crate::identity::testing::header;
use crate::identity::testing::jwks;
use crate::identity::testing::keys;
use crate::identity::testing::rules;
use crate::identity::testing::token_with;
use crate::identity::testing::with;

const MAX: usize = 16 * 1024;

fn check(text: &str, keys: &KeySet, rules: &JwtRules) -> Result<VerifiedToken, VerifyError> {
    let token = UnverifiedToken::parse(text, MAX)?;
    verify(&token, keys, rules, &"corp".into(), NOW)
}

fn judged(changes: &Value) -> Result<(), VerifyError> {
    check(&token_with(changes), &keys(), &rules()).map(|_| ())
}

fn refused(fault: TokenFault) -> Result<(), VerifyError> {
    Err(VerifyError::Refused(fault))
}

#[test]
fn a_good_token_proves_its_principal() {
    let keys = keys();
    let token = check(&token_with(&json!({})), &keys, &rules()).unwrap();
    assert_eq!(token.principal.id, format!("{ISSUER}#alice"));
    assert_eq!(&*token.principal.authenticator, "corp");
    assert_eq!(token.window.expires_s, Some(NOW + 600));
    assert!(token.is_current(Some(&keys), NOW));
    assert!(!token.is_current(Some(&KeySet::empty(2)), NOW));
}

#[test]
fn keys_are_those_of_the_issuer() {
    let (ours, theirs) = (testing::p256(), testing::fresh_p256());
    let set = |signer: &Signer| {
        let text = jwks(&[signer.named("k1")]);
        KeySet::from_jwks(text.as_bytes(), &rules(), 1).unwrap().0
    };
    let other_issuer = json!({"iss": "https://other.example"});
    let mut other_rules = rules();
    other_rules.tokens.issuer = "https://other.example".into();
    let token = |signer: &Signer, changes: &Value| {
        signer.token(Algorithm::Es256, &header(), &with(claims(), changes))
    };
    let from_us = token(ours, &json!({}));
    let from_them = token(&theirs, &other_issuer);
    assert!(check(&from_us, &set(ours), &rules()).is_ok());
    assert!(check(&from_them, &set(&theirs), &other_rules).is_ok());
    // Signed by one issuer in the name of the other, under the same `kid`.
    let crossed = token(&theirs, &json!({}));
    assert_eq!(
        check(&crossed, &set(ours), &rules()).err(),
        Some(VerifyError::BadSignature)
    );
    assert_eq!(
        check(&from_them, &set(&theirs), &rules()).err(),
        Some(VerifyError::Refused(TokenFault::UnknownIssuer))
    );
}

#[test]
fn headers() {
    let judge = |changes: &Value| {
        let text = testing::p256().token(Algorithm::Es256, &with(header(), changes), &claims());
        check(&text, &keys(), &rules()).map(|_| ())
    };
    assert_eq!(
        judge(&json!({"kid": null})),
        Ok(()),
        "the only key that fits"
    );
    assert_eq!(judge(&json!({"typ": null})), Ok(()));
    assert_eq!(judge(&json!({"typ": "JWT"})), Ok(()));
    assert_eq!(judge(&json!({"typ": "application/at+JWT"})), Ok(()));
    assert_eq!(judge(&json!({"kid": "k2"})), Err(VerifyError::UnknownKey));
    for typ in ["dev+jwt", "", "at+jwt ", "application/application/at+jwt"] {
        let found = judge(&json!({"typ": typ}));
        assert_eq!(found, refused(TokenFault::TypeRefused), "{typ}");
    }
    let mut strict = rules();
    strict.token_types = vec!["at+jwt".into()];
    let plain = testing::p256().token(
        Algorithm::Es256,
        &with(header(), &json!({"typ": null})),
        &claims(),
    );
    assert_eq!(
        check(&plain, &keys(), &strict).map(|_| ()),
        refused(TokenFault::TypeRefused)
    );
    strict = rules();
    strict.algorithms = vec![Algorithm::Es384];
    assert_eq!(
        check(&token_with(&json!({})), &keys(), &strict).map(|_| ()),
        refused(TokenFault::AlgorithmRefused)
    );
}

#[test]
fn signatures_that_are_none() {
    let good = token_with(&json!({}));
    let (input, _) = good.rsplit_once('.').unwrap();
    let zero = "A".repeat(86);
    // DER instead of the two plain numbers.
    for signature in [zero.as_str(), "AAAA", "MAYCAQECAQE"] {
        assert_eq!(
            check(&format!("{input}.{signature}"), &keys(), &rules()).err(),
            Some(VerifyError::BadSignature),
            "{signature}"
        );
    }
}

#[test]
fn issuers_are_compared_byte_for_byte() {
    for issuer in [
        "https://issuer.example/",
        "HTTPS://issuer.example",
        "https://issuer.exampl",
        "",
    ] {
        let found = judged(&json!({"iss": issuer}));
        assert_eq!(found, refused(TokenFault::UnknownIssuer), "{issuer}");
    }
}

#[test]
fn only_other_keys_are_worth_a_fetch() {
    assert!(VerifyError::UnknownKey.may_be_stale_keys());
    assert!(VerifyError::BadSignature.may_be_stale_keys());
    assert!(!VerifyError::Refused(TokenFault::Expired).may_be_stale_keys());
    assert_eq!(
        VerifyError::BadSignature.public(),
        "signature does not verify"
    );
}
