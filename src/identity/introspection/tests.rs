//! Answers that prove something, and answers that do not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::config::Preset;
use crate::identity::PrincipalKind;
use crate::identity::testing::AUDIENCE;
use crate::identity::testing::ISSUER;
use crate::identity::testing::NOW;
use crate::identity::testing::introspection_rules;
use crate::identity::testing::with;

fn answer() -> Value {
    json!({
        "active": true, "token_type": "Bearer", "iss": ISSUER, "aud": AUDIENCE, "sub": "alice",
        "client_id": "app", "username": "alice@example", "scope": "read write", "exp": NOW + 600,
        "iat": NOW - 10, "nbf": NOW - 10, "jti": "j1",
    })
}

fn read_by(rules: &IntrospectionRules, body: &Value) -> Result<VerifiedToken, IntrospectionFault> {
    read(body.to_string().as_bytes(), rules, &"opaque".into(), NOW)
}

fn read_with(changes: &Value) -> Result<VerifiedToken, IntrospectionFault> {
    read_by(&introspection_rules(), &with(answer(), changes))
}

fn judged(changes: &Value) -> Result<(), IntrospectionFault> {
    read_with(changes).map(|_| ())
}

fn refused(fault: TokenFault) -> Result<(), IntrospectionFault> {
    Err(IntrospectionFault::Refused(fault))
}

#[test]
fn a_good_answer_proves_its_principal() {
    let token = read_with(&json!({})).unwrap();
    let principal = &token.principal;
    assert_eq!(principal.id, format!("{ISSUER}#alice"));
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(&*principal.authenticator, "opaque");
    assert_eq!(principal.client_id, "app");
    assert!(principal.scopes.iter().eq(["read", "write"]));
    assert!(principal.audience.iter().eq([AUDIENCE]));
    let tags: Vec<&str> = principal.claims.keys().map(String::as_str).collect();
    assert_eq!(tags, ["username"], "neither `active` nor `token_type`");
    assert_eq!(token.token_id.as_deref(), Some("j1"));
    assert!(token.binding.is_empty());
    assert_eq!(token.window.expires_s, Some(NOW + 600));
    let here = [AUDIENCE.to_owned()];
    assert_eq!(
        token.admits(&introspection_rules().tokens, &here, NOW),
        Ok(())
    );
}

#[test]
fn active_is_the_json_value_true() {
    assert_eq!(
        judged(&json!({"active": false})),
        Err(IntrospectionFault::Inactive)
    );
    assert_eq!(
        read(
            br#"{"active":false}"#,
            &introspection_rules(),
            &"o".into(),
            NOW
        )
        .err(),
        Some(IntrospectionFault::Inactive)
    );
    let mut bodies = vec![answer().to_string().replace("true", "null")];
    for active in [
        Value::Null,
        json!("true"),
        json!(1),
        json!([true]),
        json!({"active": true}),
        json!("false"),
        json!(0),
    ] {
        bodies.push(with(answer(), &json!({ "active": active })).to_string());
    }
    bodies.push(with(answer(), &json!({"active": null, "Active": true})).to_string());
    for body in bodies {
        let found = read(body.as_bytes(), &introspection_rules(), &"o".into(), NOW);
        assert!(
            matches!(found, Err(IntrospectionFault::Malformed(_))),
            "{body}"
        );
    }
}

#[test]
fn what_is_no_strict_object_is_no_answer() {
    let good = answer().to_string();
    let deep = format!(r#"{{"x":{}{},"#, "[".repeat(16), "]".repeat(16));
    let long = " ".repeat(MAX_ANSWER_BYTES);
    for body in [
        String::new(),
        "[]".into(),
        "true".into(),
        r#"[{"active":true}]"#.into(),
        "<html>".into(),
        format!("{good} x"),
        format!("\u{feff}{good}"),
        good.replacen('{', r#"{"active":false,"#, 1),
        good.replacen('{', r#"{"active":true,"#, 1),
        good.replacen('{', r#"{"sub":"bob","#, 1),
        good.replacen('{', &deep, 1),
        format!("{good}{long}"),
    ] {
        let found = read(body.as_bytes(), &introspection_rules(), &"o".into(), NOW);
        assert!(
            matches!(found, Err(IntrospectionFault::Malformed(_))),
            "{body:.60}"
        );
    }
    let padding = " ".repeat(MAX_ANSWER_BYTES - good.len());
    let fits = format!("{good}{padding}");
    assert!(read(fits.as_bytes(), &introspection_rules(), &"o".into(), NOW).is_ok());
}

#[test]
fn only_access_tokens_count() {
    for token_type in [Value::Null, json!("bearer"), json!("BEARER")] {
        assert_eq!(judged(&json!({ "token_type": token_type })), Ok(()));
    }
    for token_type in [
        json!("refresh_token"),
        json!("N_A"),
        json!("Bearer "),
        json!(""),
        json!(1),
        json!(["Bearer"]),
    ] {
        assert_eq!(
            judged(&json!({ "token_type": token_type })),
            refused(TokenFault::NotAnAccessToken("token_type")),
            "{token_type}"
        );
    }
    for (name, value) in [("typ", "Refresh"), ("typ", "ID"), ("nonce", "n")] {
        assert_eq!(
            judged(&json!({ name: value })),
            refused(TokenFault::NotAnAccessToken(name))
        );
    }
    let mut keycloak = introspection_rules();
    keycloak.tokens.preset = Some(Preset::Keycloak);
    let body = with(answer(), &json!({"typ": "Action"}));
    assert_eq!(
        read_by(&keycloak, &body).map(|_| ()),
        refused(TokenFault::NotAnAccessToken("typ"))
    );
}

#[test]
fn a_bound_token_names_its_bond() {
    let jkt = URL_SAFE_NO_PAD.encode([1; 32]);
    let bound = read_with(&json!({"token_type": "DPoP", "cnf": {"jkt": jkt}})).unwrap();
    assert_eq!(bound.binding.jkt, Some([1; 32]));
    assert_eq!(
        judged(&json!({"token_type": "DPoP"})),
        refused(TokenFault::BoundToken)
    );
    assert_eq!(
        judged(&json!({"cnf": {"jkt": "x"}})),
        refused(TokenFault::ClaimMalformed("cnf"))
    );
    let mut required = introspection_rules();
    required.tokens.dpop.required = true;
    assert_eq!(
        read_by(&required, &answer()).map(|_| ()),
        refused(TokenFault::NotBound)
    );
}

#[test]
fn the_issuer_is_compared_where_it_is_known() {
    assert_eq!(judged(&json!({"iss": null})), Ok(()));
    assert_eq!(
        judged(&json!({"iss": "https://other"})),
        refused(TokenFault::UnknownIssuer)
    );
    assert_eq!(
        judged(&json!({"iss": [ISSUER]})),
        refused(TokenFault::ClaimMalformed("iss"))
    );
    let mut unnamed = introspection_rules();
    unnamed.issuer_is_configured = false;
    unnamed.tokens.issuer = "opaque".into();
    let token = read_by(&unnamed, &with(answer(), &json!({"iss": "https://other"}))).unwrap();
    assert_eq!(token.principal.id, "opaque#alice");
    assert_eq!(token.principal.issuer, "opaque");
}

#[test]
fn everything_else_is_checked_as_for_a_signed_token() {
    for (changes, expected) in [
        (json!({"aud": null}), TokenFault::ClaimMissing("aud")),
        (json!({"aud": []}), TokenFault::ClaimMalformed("aud")),
        (json!({"exp": NOW - 30}), TokenFault::Expired),
        (json!({"exp": "1"}), TokenFault::ClaimMalformed("exp")),
        (json!({"exp": 1.5}), TokenFault::ClaimMalformed("exp")),
        (json!({"exp": NOW + 90_000}), TokenFault::LifetimeTooLong),
        (json!({"nbf": NOW + 31}), TokenFault::NotYetValid),
        (json!({"iat": NOW + 31}), TokenFault::IssuedInFuture),
        (json!({"jti": 1}), TokenFault::ClaimMalformed("jti")),
        (json!({"scope": 1}), TokenFault::ClaimMalformed("scopes")),
        (
            json!({"sub": "a\u{0}"}),
            TokenFault::ControlCharacters("subject"),
        ),
        (
            json!({"sub": null, "client_id": null}),
            TokenFault::NoPrincipal,
        ),
    ] {
        assert_eq!(judged(&changes), refused(expected), "{changes}");
    }
    let elsewhere = read_with(&json!({"aud": "https://other"})).unwrap();
    let here = [AUDIENCE.to_owned()];
    assert_eq!(
        elsewhere.admits(&introspection_rules().tokens, &here, NOW),
        Err(TokenFault::AudienceMismatch)
    );
    let mut any = introspection_rules();
    any.tokens.insecure_skip_audience = true;
    assert!(read_by(&any, &with(answer(), &json!({"aud": null}))).is_ok());
}

#[test]
fn an_answer_is_believed_for_a_minute_at_most() {
    for (exp, until_s) in [
        (json!(NOW + 600), NOW + 60),
        (json!(NOW + 60), NOW + 60),
        (json!(NOW + 5), NOW + 5),
        (Value::Null, NOW + 60),
    ] {
        let token = read_with(&json!({ "exp": exp })).unwrap();
        let from_s = NOW - 5;
        let evidence = Evidence::Introspection { from_s, until_s };
        assert_eq!(token.evidence, evidence, "{exp}");
        assert_eq!(token.window.expires_s, exp.as_i64());
        assert!(token.is_current(None, from_s));
        assert!(token.is_current(None, until_s - 1));
        assert!(!token.is_current(None, from_s - 1), "a clock set back");
        assert!(!token.is_current(None, until_s));
    }
    let mut late = introspection_rules();
    late.tokens.insecure_skip_expiry = true;
    let token = read_by(&late, &with(answer(), &json!({"exp": 1}))).unwrap();
    assert!(token.is_current(None, NOW + 59));
    let read_at = |now_s| {
        let body = with(answer(), &json!({"exp": null, "nbf": null})).to_string();
        read(body.as_bytes(), &introspection_rules(), &"o".into(), now_s)
    };
    assert!(read_at(i64::MAX).is_ok(), "no time overflows");
    assert!(read_at(i64::MIN).is_err());
}

#[test]
fn public_texts_are_safe_in_a_challenge() {
    for fault in [
        IntrospectionFault::Inactive,
        IntrospectionFault::Refused(TokenFault::Expired),
        IntrospectionFault::Malformed("it is too long"),
    ] {
        let public = fault.public();
        assert!(!public.is_empty() && public.len() < 64);
        assert!(public.chars().all(|c| c.is_ascii_lowercase() || c == ' '));
        assert!(!fault.to_string().ends_with('.'));
    }
}
