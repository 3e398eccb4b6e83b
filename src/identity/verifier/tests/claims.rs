//! Times and audiences, and the switches that give up a check on them.

use super::*;
use crate::identity::testing::AUDIENCE;

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
        token.admits(&rules.tokens, here, now_s)
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
    own.tokens.audiences = vec!["api://x".into()];
    assert_eq!(judge(json!("api://x"), &own, &here, NOW), Ok(()));
    assert_eq!(judge(json!(AUDIENCE), &own, &here, NOW), mismatch);
    let mut any = rules();
    any.tokens.insecure_skip_audience = true;
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
    late.tokens.insecure_skip_expiry = true;
    for changes in [
        json!({"exp": null}),
        json!({"exp": 1}),
        json!({"exp": 1_i64 << 52}),
    ] {
        let token = check(&token_with(&changes), &keys(), &late).unwrap();
        assert_eq!(
            token.admits(&late.tokens, &[AUDIENCE.into()], i64::MAX),
            Ok(())
        );
    }
    assert!(check(&token_with(&json!({"exp": "1"})), &keys(), &late).is_err());
    assert!(check(&token_with(&json!({"nbf": NOW + 99})), &keys(), &late).is_err());
    let mut early = rules();
    early.tokens.insecure_skip_issued_at = true;
    assert!(check(&token_with(&json!({"iat": NOW + 999})), &keys(), &early).is_ok());
    assert!(check(&token_with(&json!({"iat": "x"})), &keys(), &early).is_err());
    assert!(check(&token_with(&json!({"exp": 1})), &keys(), &early).is_err());
}
