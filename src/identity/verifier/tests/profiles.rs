//! The profile of RFC 9068, token ids, and issuers that are not compared.

use super::*;

fn judged_by(rules: &JwtRules, changes: &Value) -> Result<VerifiedToken, VerifyError> {
    check(&token_with(changes), &keys(), rules)
}

fn profiled() -> JwtRules {
    let mut rules = rules();
    rules.rfc9068 = true;
    rules
}

#[test]
fn the_profile_is_demanded_whole() {
    assert!(judged_by(&profiled(), &json!({})).is_ok());
    for name in ["exp", "aud", "sub", "client_id", "iat", "jti"] {
        let found = judged_by(&profiled(), &json!({ name: null })).map(|_| ());
        assert_eq!(found, refused(TokenFault::ClaimMissing(name)), "{name}");
    }
    let found = judged_by(&profiled(), &json!({"iss": null})).map(|_| ());
    assert_eq!(found, refused(TokenFault::UnknownIssuer));
    // What other claims could stand in for does not count.
    let changes = json!({"client_id": null, "azp": "app"});
    assert!(judged_by(&profiled(), &changes).is_err());
    assert!(judged_by(&rules(), &changes).is_ok());
    for name in ["exp", "aud", "sub", "client_id", "iat", "jti"] {
        for value in [json!(""), json!({}), json!([]), json!(true), json!(1.5)] {
            let found = judged_by(&profiled(), &json!({ name: value })).map(|_| ());
            let expected = refused(TokenFault::ClaimMalformed(name));
            assert_eq!(found, expected, "{name}: {value}");
        }
    }
}

#[test]
fn no_switch_makes_a_claim_of_the_profile_optional() {
    let mut rules = profiled();
    rules.tokens.insecure_skip_audience = true;
    rules.tokens.insecure_skip_expiry = true;
    rules.tokens.insecure_skip_issued_at = true;
    assert!(judged_by(&rules, &json!({"exp": 1, "aud": "x"})).is_ok());
    for name in ["exp", "aud", "iat"] {
        let found = judged_by(&rules, &json!({ name: null })).map(|_| ());
        assert_eq!(found, refused(TokenFault::ClaimMissing(name)), "{name}");
    }
}

#[test]
fn the_profile_has_one_type() {
    for (typ, expected) in [
        (json!("at+jwt"), Ok(())),
        (json!("application/at+jwt"), Ok(())),
        (json!("AT+JWT"), Ok(())),
        (json!("JWT"), refused(TokenFault::TypeRefused)),
        (Value::Null, refused(TokenFault::TypeRefused)),
    ] {
        let header = with(header(), &json!({ "typ": typ }));
        let token = testing::p256().token(Algorithm::Es256, &header, &claims());
        let found = check(&token, &keys(), &profiled()).map(|_| ());
        assert_eq!(found, expected, "{typ}");
    }
}

#[test]
fn a_token_id_can_be_written_down() {
    let id = |changes: Value| judged_by(&rules(), &changes).map(|token| token.token_id);
    assert_eq!(id(json!({})), Ok(Some("j1".into())));
    assert_eq!(id(json!({"jti": null})), Ok(None));
    let long = "j".repeat(256);
    assert_eq!(id(json!({"jti": long})), Ok(Some(long.as_str().into())));
    for bad in [
        json!(""),
        json!("j".repeat(257)),
        json!("\u{e9}".repeat(129)),
        json!("a\u{0}"),
        json!("a\nb"),
        json!("\u{85}"),
        json!(1),
        json!(["j1"]),
        json!({}),
        json!(false),
    ] {
        let found = id(json!({ "jti": bad })).map(|_| ());
        assert_eq!(found, refused(TokenFault::ClaimMalformed("jti")), "{bad}");
    }
    let claims = claims()
        .to_string()
        .replace(r#""jti":"j1""#, r#""jti":null"#);
    let token = testing::p256().token_of_texts(Algorithm::Es256, &header().to_string(), &claims);
    assert_eq!(
        check(&token, &keys(), &rules()).map(|_| ()),
        refused(TokenFault::ClaimMalformed("jti"))
    );
}

#[test]
fn without_a_comparison_the_issuer_is_the_tokens_own() {
    let mut open = rules();
    open.insecure_skip_issuer = true;
    for issuer in ["https://other.example", ISSUER, "x"] {
        let token = judged_by(&open, &json!({ "iss": issuer })).unwrap();
        assert_eq!(token.principal.issuer, issuer);
        assert_eq!(token.principal.id, format!("{issuer}#alice"));
    }
    for issuer in ["", "#", "https://a#b", "https://a\u{0}", "a\n"] {
        let found = judged_by(&open, &json!({ "iss": issuer })).map(|_| ());
        assert_eq!(
            found,
            refused(TokenFault::ClaimMalformed("iss")),
            "{issuer}"
        );
    }
    for issuer in [json!(["x"]), json!(1), json!({}), json!(false)] {
        let found = judged_by(&open, &json!({ "iss": issuer })).map(|_| ());
        assert_eq!(
            found,
            refused(TokenFault::ClaimMalformed("iss")),
            "{issuer}"
        );
    }
    assert_eq!(
        judged_by(&open, &json!({"iss": null})).map(|_| ()),
        refused(TokenFault::UnknownIssuer)
    );
    let theirs = testing::fresh_p256().token(Algorithm::Es256, &header(), &claims());
    assert_eq!(
        check(&theirs, &keys(), &open).err(),
        Some(VerifyError::BadSignature),
        "a signature is needed in any case"
    );
}
