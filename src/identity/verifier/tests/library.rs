//! What the library for JWTs lets through by itself, one row each, and what is made of it here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::identity::crypto;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::KeySetFault;
use crate::identity::token_fault::Part;
use crate::json::JsonFault;

fn skipped(jwk: &Value) -> KeyFault {
    let beside = testing::p256().named("beside");
    let (_, skipped) =
        KeySet::from_jwks(jwks(&[jwk.clone(), beside]).as_bytes(), &rules(), 1).unwrap();
    skipped[0].fault
}

fn with_header(changes: &Value) -> Result<(), VerifyError> {
    let token = testing::p256().token(Algorithm::Es256, &with(header(), changes), &claims());
    check(&token, &keys(), &rules()).map(|_| ())
}

fn with_texts(claims: &str) -> Result<(), VerifyError> {
    let token = testing::p256().token_of_texts(Algorithm::Es256, &header().to_string(), claims);
    check(&token, &keys(), &rules()).map(|_| ())
}

#[test]
fn a_the_algorithm_of_a_key_binds() {
    let jwk = with(testing::rsa().named("k"), &json!({"alg": "PS512"}));
    let (keys, _) = KeySet::from_jwks(jwks(&[jwk]).as_bytes(), &rules(), 1).unwrap();
    let header = json!({"alg": "RS256", "kid": "k"});
    let token = testing::rsa().token(Algorithm::Rs256, &header, &claims());
    assert_eq!(
        check(&token, &keys, &rules()).map(|_| ()),
        refused(TokenFault::AlgorithmRefused)
    );
}

#[test]
fn b_keys_for_encryption_check_no_signature() {
    for changes in [json!({"use": "enc"}), json!({"key_ops": ["encrypt"]})] {
        let jwk = with(testing::rsa().named("k"), &changes);
        assert_eq!(skipped(&jwk), KeyFault::NotForSignatures);
    }
}

#[test]
fn c_a_curve_belongs_to_its_kind_of_key() {
    let ec = with(testing::p256().named("k"), &json!({"crv": "Ed25519"}));
    assert_eq!(skipped(&ec), KeyFault::UnknownKind);
    let okp = with(testing::ed25519().named("k"), &json!({"crv": "P-256"}));
    assert_eq!(skipped(&okp), KeyFault::UnknownKind);
}

#[test]
fn d_an_algorithm_belongs_to_its_curve() {
    for alg in ["ES256", "ES521", "ES224"] {
        let jwk = with(testing::p384().named("k"), &json!({ "alg": alg }));
        assert_eq!(skipped(&jwk), KeyFault::AlgorithmNotAccepted, "{alg}");
    }
}

#[test]
fn e_f_weak_rsa_keys_are_refused() {
    let short = URL_SAFE_NO_PAD.encode([0xff; 128]);
    let short = with(testing::rsa().named("k"), &json!({ "n": short }));
    assert_eq!(skipped(&short), KeyFault::ModulusSize(1024));
    let cubed = with(testing::rsa().named("k"), &json!({"e": "Aw"}));
    assert_eq!(skipped(&cubed), KeyFault::Exponent);
    // The mark of CVE-2017-15361 is looked for in `key_set::material`.
    assert!(KeyFault::Roca.to_string().contains("CVE-2017-15361"));
}

#[test]
fn g_secrets_come_from_the_operator_and_are_long() {
    assert_eq!(
        skipped(&json!({"kty": "oct", "k": "AA", "alg": "HS256"})),
        KeyFault::PrivateMember
    );
    assert_eq!(
        skipped(&json!({"kty": "oct", "alg": "A256GCM"})),
        KeyFault::Symmetric
    );
    for length in [0, 1, 31] {
        let local = Signer::Secret(vec![b'x'; length]).local(Algorithm::Hs256);
        let fault = KeyFault::SecretTooShort(length);
        assert_eq!(
            KeySet::from_local(&[local]).err(),
            Some(KeySetFault::Local { index: 0, fault })
        );
    }
}

#[test]
fn h_a_name_means_one_key() {
    let (one, two) = (testing::p256().named("k"), testing::fresh_p256().named("k"));
    let oct = json!({"kty": "oct", "k": "AA", "kid": "k"});
    let set = jwks(&[one, two, oct, testing::rsa().named("r")]);
    let (keys, _) = KeySet::from_jwks(set.as_bytes(), &rules(), 1).unwrap();
    assert_eq!(keys.len(), 1);
    let token = token_with(&json!({}));
    assert_eq!(
        check(&token, &keys, &rules()).err(),
        Some(VerifyError::UnknownKey)
    );
}

#[test]
fn i_j_extensions_of_the_header_are_refused() {
    for (changes, name) in [
        (json!({"crit": ["unknown"]}), "crit"),
        (json!({"b64": false, "crit": ["b64"]}), "crit"),
        (json!({"b64": false}), "b64"),
        (json!({"zip": "DEF"}), "zip"),
        (json!({"jwk": testing::p256().jwk()}), "jwk"),
    ] {
        let found = with_header(&changes);
        assert_eq!(found, refused(TokenFault::HeaderRefused(name)), "{changes}");
    }
}

#[test]
fn k_types_of_other_tokens_are_refused() {
    for typ in [
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "logout+jwt",
        "client-authentication+jwt",
        "application/client-authentication+jwt",
        "Application/DPoP+JWT",
        "LOGOUT+jwt",
    ] {
        let found = with_header(&json!({ "typ": typ }));
        let expected = refused(TokenFault::NotAnAccessToken("typ"));
        assert_eq!(found, expected, "{typ}");
    }
    let found = with_header(&json!({"typ": "anything"}));
    assert_eq!(found, refused(TokenFault::TypeRefused));
}

#[test]
fn l_audiences_are_strings_and_there() {
    let missing = judged(&json!({"aud": null}));
    assert_eq!(missing, refused(TokenFault::ClaimMissing("aud")));
    for aud in [json!(5), json!({}), json!([]), json!(["a", 5]), json!(true)] {
        let found = judged(&json!({ "aud": aud }));
        assert_eq!(found, refused(TokenFault::ClaimMalformed("aud")), "{aud}");
    }
}

#[test]
fn m_n_the_issuer_is_one_string() {
    let missing = judged(&json!({"iss": null}));
    assert_eq!(missing, refused(TokenFault::UnknownIssuer));
    for iss in [json!(5), json!(["https://evil", ISSUER]), json!([ISSUER])] {
        let found = judged(&json!({ "iss": iss }));
        assert_eq!(found, refused(TokenFault::ClaimMalformed("iss")), "{iss}");
    }
}

#[test]
fn o_p_q_r_times_are_checked() {
    for (changes, fault) in [
        (json!({"nbf": NOW + 3600}), TokenFault::NotYetValid),
        (json!({"iat": NOW + 3600}), TokenFault::IssuedInFuture),
        (
            json!({"exp": 1_000_000_000_000_000_000_i64}),
            TokenFault::ClaimMalformed("exp"),
        ),
        (json!({"exp": u64::MAX}), TokenFault::ClaimMalformed("exp")),
        (json!({"exp": NOW + 90_000}), TokenFault::LifetimeTooLong),
        (json!({"exp": NOW - 30}), TokenFault::Expired),
        (
            json!({"exp": "1800000600"}),
            TokenFault::ClaimMalformed("exp"),
        ),
    ] {
        assert_eq!(judged(&changes), refused(fault), "{changes}");
    }
}

#[test]
fn s_t_u_claims_are_one_strict_object() {
    let good = claims().to_string();
    assert_eq!(with_texts(&good), Ok(()));
    let twice = good.replacen('{', r#"{"role":"a","role":"b","#, 1);
    assert_eq!(
        with_texts(&twice),
        refused(TokenFault::Json(Part::Claims, JsonFault::RepeatedMember))
    );
    let array = format!(r#"[{},1,"alice","{ISSUER}","x"]"#, NOW + 600);
    assert_eq!(
        with_texts(&array),
        refused(TokenFault::NotAnObject(Part::Claims))
    );
    let nul = good.replace("alice", r"al\u0000ice");
    assert_eq!(
        with_texts(&nul),
        refused(TokenFault::ControlCharacters("subject"))
    );
    let deep = format!(r#"{{"x":{}{},"#, "[".repeat(100), "]".repeat(100));
    assert_eq!(
        with_texts(&good.replacen('{', &deep, 1)),
        refused(TokenFault::Json(Part::Claims, JsonFault::TooDeep))
    );
}

#[test]
fn v_w_no_time_and_no_leeway_panics() {
    let mut odd = rules();
    odd.tokens.leeway = std::time::Duration::MAX;
    odd.tokens.max_lifetime = std::time::Duration::MAX;
    let text = token_with(&json!({"exp": (1_i64 << 53) - 1, "nbf": 0, "iat": 0}));
    let token = UnverifiedToken::parse(&text, MAX).unwrap();
    for now_s in [i64::MIN, -1, 0, i64::MAX] {
        for rules in [&odd, &rules()] {
            let verdict = verify(&token, &keys(), rules, &"corp".into(), now_s);
            if let Ok(verified) = verdict {
                assert_eq!(
                    verified.admits(&rules.tokens, &[], now_s).err(),
                    Some(TokenFault::AudienceMismatch)
                );
            }
        }
    }
}

#[test]
fn x_the_cryptography_is_chosen_and_tried() {
    assert_eq!(crypto::install(), Ok(()));
}

#[test]
fn y_an_unknown_key_costs_no_other() {
    for unknown in [
        json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
        json!({"kty": "OKP", "crv": "Ed448", "x": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}),
    ] {
        assert_eq!(skipped(&unknown), KeyFault::UnknownKind, "{unknown}");
        let set = jwks(&[unknown, testing::p256().named("k1")]);
        let (keys, _) = KeySet::from_jwks(set.as_bytes(), &rules(), 1).unwrap();
        assert!(check(&token_with(&json!({})), &keys, &rules()).is_ok());
    }
}

#[test]
fn z_length_is_bounded_before_anything_is_read() {
    let long = token_with(&json!({"x": "y".repeat(MAX)}));
    assert_eq!(
        check(&long, &keys(), &rules()).map(|_| ()),
        refused(TokenFault::TooLong {
            length: long.len(),
            bound: MAX
        })
    );
}
