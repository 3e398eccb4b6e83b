//! The verifier against every kind of token that should and should not pass.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::identity::testing;
use crate::identity::testing::ALGORITHMS;
use crate::identity::testing::AUDIENCE;
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
    assert_eq!(token.key_generation, 1);
    assert!(token.key_is_current(&keys));
    assert!(!token.key_is_current(&KeySet::empty(2)));
}

#[test]
fn only_the_key_and_the_algorithm_that_belong_together_pass() {
    let signers: [&Signer; 4] = [
        testing::rsa(),
        testing::p256(),
        testing::p384(),
        testing::ed25519(),
    ];
    for (claimed, name) in ALGORITHMS {
        for (made_by, signer) in signers.iter().enumerate() {
            let header = json!({"alg": name, "kid": "k", "typ": "at+jwt"});
            let token = signer.token(claimed, &header, &claims());
            for (pinned, pinned_name) in ALGORITHMS {
                for (held, holder) in signers.iter().enumerate() {
                    let jwk = with(holder.named("k"), &json!({"alg": pinned_name}));
                    let read = KeySet::from_jwks(jwks(&[jwk]).as_bytes(), &rules(), 1);
                    let Ok((keys, _)) = read else { continue };
                    assert_eq!(
                        check(&token, &keys, &rules()).is_ok(),
                        made_by == held && claimed == pinned,
                        "{claimed:?} by {made_by}, {pinned:?} held by {held}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_changed_byte_is_noticed() {
    let (keys, rules) = (keys(), rules());
    let good = token_with(&json!({}));
    assert!(check(&good, &keys, &rules).is_ok());
    for at in 0..good.len() {
        let original = good.as_bytes()[at];
        for other in [
            original ^ 1,
            original ^ 2,
            original ^ 0x20,
            b'A',
            b'_',
            b'.',
            b'=',
        ] {
            let mut changed = good.clone().into_bytes();
            changed[at] = other;
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            if other != original {
                assert!(
                    check(&changed, &keys, &rules).is_err(),
                    "byte {at} to {other}"
                );
            }
        }
        let mut shorter = good.clone();
        shorter.remove(at);
        assert!(check(&shorter, &keys, &rules).is_err(), "without byte {at}");
    }
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
    other_rules.issuer = "https://other.example".into();
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
    for typ in [
        "dpop+jwt",
        "dev+jwt",
        "",
        "at+jwt ",
        "application/application/at+jwt",
    ] {
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
fn times() {
    let far = NOW + 86_400 + 30;
    for (changes, expected) in [
        (
            json!({"exp": null}),
            refused(TokenFault::ClaimMissing("exp")),
        ),
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"exp": NOW - 30}), refused(TokenFault::Expired)),
        (json!({"exp": 0}), refused(TokenFault::Expired)),
        (json!({"exp": far}), Ok(())),
        (
            json!({"exp": far + 1}),
            refused(TokenFault::LifetimeTooLong),
        ),
        (
            json!({"exp": (1_i64 << 53) - 1}),
            refused(TokenFault::LifetimeTooLong),
        ),
        (json!({"nbf": NOW + 30}), Ok(())),
        (json!({"nbf": NOW + 31}), refused(TokenFault::NotYetValid)),
        (json!({"nbf": null, "iat": null}), Ok(())),
        (json!({"iat": NOW + 30}), Ok(())),
        (
            json!({"iat": NOW + 31}),
            refused(TokenFault::IssuedInFuture),
        ),
    ] {
        assert_eq!(judged(&changes), expected, "{changes}");
    }
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!("1800000600"),
            json!(1.5),
            json!(1_800_000_600.0),
            json!(-1),
            json!(1_i64 << 53),
            json!(u64::MAX),
            json!(1e18),
            json!([NOW]),
            json!({}),
            json!(true),
        ] {
            let changes = json!({ name: value });
            assert_eq!(
                judged(&changes),
                refused(TokenFault::ClaimMalformed(name)),
                "{changes}"
            );
        }
        let text = claims()
            .to_string()
            .replacen('{', &format!(r#"{{"{name}":null,"#), 1);
        let text = text.replace(&format!(r#","{name}":1"#), r#","x":1"#);
        let token = testing::p256().token_of_texts(Algorithm::Es256, &header().to_string(), &text);
        assert_eq!(
            check(&token, &keys(), &rules()).map(|_| ()),
            refused(TokenFault::ClaimMalformed(name)),
            "{text}"
        );
    }
}

#[test]
fn audiences() {
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    for (changes, expected) in [
        (
            json!({"aud": null}),
            refused(TokenFault::ClaimMissing("aud")),
        ),
        (
            json!({"aud": ""}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": []}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": [AUDIENCE, 5]}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": [AUDIENCE, ""]}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": [[AUDIENCE]]}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": 5}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": {AUDIENCE: 1}}),
            refused(TokenFault::ClaimMalformed("aud")),
        ),
        (
            json!({"aud": many}),
            refused(TokenFault::TooMany("audiences")),
        ),
        (json!({"aud": many[..16]}), Ok(())),
        (json!({"aud": "https://other"}), Ok(())),
    ] {
        assert_eq!(judged(&changes), expected, "{changes}");
    }
}

#[test]
fn a_token_is_admitted_where_and_when_it_is_meant_to_be() {
    let here = [AUDIENCE.to_owned()];
    let judge = |aud: Value, rules: &JwtRules, here: &[String], now_s| {
        let token = check(&token_with(&json!({"aud": aud})), &keys(), rules).unwrap();
        token.admits(rules, here, now_s)
    };
    let plain = rules();
    let mismatch = Err(TokenFault::AudienceMismatch);
    for (aud, expected) in [
        (json!(AUDIENCE), Ok(())),
        (json!(["x", AUDIENCE]), Ok(())),
        (json!(format!("{AUDIENCE}/")), mismatch),
        (json!(AUDIENCE.to_uppercase()), mismatch),
        (json!("https://mcp.example"), mismatch),
        (json!(["x", "y"]), mismatch),
    ] {
        assert_eq!(judge(aud.clone(), &plain, &here, NOW), expected, "{aud}");
    }
    assert_eq!(judge(json!(AUDIENCE), &plain, &[], NOW), mismatch);
    assert_eq!(
        judge(json!(AUDIENCE), &plain, &here, NOW + 630),
        Err(TokenFault::Expired)
    );
    assert_eq!(
        judge(json!(AUDIENCE), &plain, &here, NOW - 41),
        Err(TokenFault::NotYetValid)
    );
    let mut own = rules();
    own.audiences = vec!["api://x".into()];
    assert_eq!(judge(json!("api://x"), &own, &here, NOW), Ok(()));
    assert_eq!(judge(json!(AUDIENCE), &own, &here, NOW), mismatch);
    let mut any = rules();
    any.insecure_skip_audience = true;
    assert_eq!(judge(json!("x"), &any, &here, NOW), Ok(()));
    assert_eq!(judge(Value::Null, &any, &here, NOW), Ok(()));
    assert_eq!(
        judge(json!("x"), &any, &here, NOW + 630),
        Err(TokenFault::Expired)
    );
}

#[test]
fn what_each_switch_gives_up_and_no_more() {
    let mut late = rules();
    late.insecure_skip_expiry = true;
    for changes in [
        json!({"exp": null}),
        json!({"exp": 1}),
        json!({"exp": 1_i64 << 52}),
    ] {
        let token = check(&token_with(&changes), &keys(), &late).unwrap();
        assert_eq!(token.admits(&late, &[AUDIENCE.into()], i64::MAX), Ok(()));
    }
    assert!(check(&token_with(&json!({"exp": "1"})), &keys(), &late).is_err());
    assert!(check(&token_with(&json!({"nbf": NOW + 99})), &keys(), &late).is_err());
    let mut early = rules();
    early.insecure_skip_issued_at = true;
    assert!(check(&token_with(&json!({"iat": NOW + 999})), &keys(), &early).is_ok());
    assert!(check(&token_with(&json!({"iat": "x"})), &keys(), &early).is_err());
    assert!(check(&token_with(&json!({"exp": 1})), &keys(), &early).is_err());
}

#[test]
fn bound_tokens_are_not_bearer_tokens() {
    for cnf in [
        json!({"jkt": "x"}),
        json!({"x5t#S256": "x"}),
        json!({}),
        json!("x"),
    ] {
        let changes = json!({ "cnf": cnf });
        assert_eq!(
            judged(&changes),
            refused(TokenFault::BoundToken),
            "{changes}"
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
