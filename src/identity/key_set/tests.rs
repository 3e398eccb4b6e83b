//! Which keys of a set are used, and for what.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::identity::testing;
use crate::identity::testing::jwks;
use crate::identity::testing::rules;
use crate::identity::testing::with;

fn read(keys: &[Value]) -> Result<(KeySet, Vec<SkippedKey>), KeySetFault> {
    KeySet::from_jwks(jwks(keys).as_bytes(), &rules(), 7)
}

/// The fault of one key beside a good one, which must survive.
fn fault(key: Value) -> Option<KeyFault> {
    let (set, skipped) = read(&[key, testing::p256().named("good")]).unwrap();
    assert!(set.select(Some("good"), Algorithm::Es256).is_ok());
    skipped.first().map(|key| {
        assert_eq!((key.index, skipped.len(), set.len()), (0, 1, 1));
        key.fault
    })
}

fn expect(table: Vec<(Value, KeyFault)>) {
    for (key, expected) in table {
        assert_eq!(fault(key.clone()), Some(expected), "{key}");
    }
}

#[test]
fn keys_for_another_purpose_are_skipped() {
    let rsa = |changes: Value| with(testing::rsa().named("r"), &changes);
    expect(vec![
        (rsa(json!({"use": "enc"})), KeyFault::NotForSignatures),
        (rsa(json!({"use": 1})), KeyFault::NotForSignatures),
        (
            rsa(json!({"key_ops": ["encrypt"]})),
            KeyFault::NotForSignatures,
        ),
        (
            rsa(json!({"key_ops": "verify"})),
            KeyFault::NotForSignatures,
        ),
        (rsa(json!({"d": "AQ"})), KeyFault::PrivateMember),
        (rsa(json!({"k": "AQ"})), KeyFault::PrivateMember),
        (rsa(json!({"oth": []})), KeyFault::PrivateMember),
        (
            json!({"kty": "oct", "k": "AAAA", "kid": "s"}),
            KeyFault::PrivateMember,
        ),
        (json!({"kty": "oct", "kid": "s"}), KeyFault::Symmetric),
        (
            rsa(json!({"alg": "RSA-OAEP"})),
            KeyFault::AlgorithmNotAccepted,
        ),
        (rsa(json!({"alg": "HS256"})), KeyFault::AlgorithmNotAccepted),
        (rsa(json!({"alg": "ES256"})), KeyFault::AlgorithmNotAccepted),
        (rsa(json!({"alg": 5})), KeyFault::AlgorithmNotAccepted),
        (rsa(json!({"kid": 1})), KeyFault::KeyId),
        (rsa(json!({"kid": "a\nb"})), KeyFault::KeyId),
    ]);
}

#[test]
fn keys_that_are_malformed_or_unknown_are_skipped() {
    let rsa = |changes: Value| with(testing::rsa().named("r"), &changes);
    let ec = |changes: Value| with(testing::p384().named("e"), &changes);
    let ed = |changes: Value| with(testing::ed25519().named("o"), &changes);
    expect(vec![
        (ec(json!({"alg": "ES256"})), KeyFault::AlgorithmNotAccepted),
        (ec(json!({"alg": "ES521"})), KeyFault::AlgorithmNotAccepted),
        (ec(json!({"crv": "Ed25519"})), KeyFault::UnknownKind),
        (ec(json!({"crv": "P-256"})), KeyFault::CoordinateLength),
        (ec(json!({"crv": "secp256k1"})), KeyFault::UnknownKind),
        (ec(json!({"x": "AQ"})), KeyFault::CoordinateLength),
        (ec(json!({"x": null})), KeyFault::NotAKey),
        (ed(json!({"crv": "P-256"})), KeyFault::UnknownKind),
        (ed(json!({"crv": "X25519"})), KeyFault::UnknownKind),
        (ed(json!({"x": "AQ=="})), KeyFault::NotAKey),
        (ed(json!({"d": "AQ"})), KeyFault::PrivateMember),
        (
            json!({"kty": "AKP", "alg": "ML-DSA-44"}),
            KeyFault::UnknownKind,
        ),
        (rsa(json!({"kty": "rsa"})), KeyFault::UnknownKind),
        (rsa(json!({"kty": null})), KeyFault::UnknownKind),
        (rsa(json!({"n": "AQAB"})), KeyFault::ModulusSize(17)),
        (rsa(json!({"e": "Aw"})), KeyFault::Exponent),
        (rsa(json!({"e": 65537})), KeyFault::NotAKey),
        (json!("key"), KeyFault::NotAKey),
        (json!(null), KeyFault::NotAKey),
    ]);
    for sound in [
        rsa(json!({})),
        ec(json!({})),
        rsa(json!({"use": "sig", "key_ops": ["verify"], "alg": "PS256"})),
        ed(json!({"alg": "Ed25519"})),
        rsa(json!({"x5c": ["junk"], "other": {"a": 1}})),
    ] {
        assert_eq!(fault(sound.clone()), None, "{sound}");
    }
}

#[test]
fn a_set_that_is_no_set_is_refused() {
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(MAX_SET_BYTES));
    let many = vec![testing::p256().named("k"); MAX_KEYS + 1];
    for (text, expected) in [
        (String::new(), KeySetFault::Json(JsonFault::Malformed)),
        ("<html>".into(), KeySetFault::Json(JsonFault::Malformed)),
        (
            r#"{"keys":[],"keys":[]}"#.into(),
            KeySetFault::Json(JsonFault::RepeatedMember),
        ),
        ("[]".into(), KeySetFault::NotAKeySet),
        ("{}".into(), KeySetFault::NotAKeySet),
        (r#"{"keys":null}"#.into(), KeySetFault::NotAKeySet),
        (r#"{"keys":{}}"#.into(), KeySetFault::NotAKeySet),
        (r#"{"keys":[]}"#.into(), KeySetFault::NoUsableKey(None)),
        (
            r#"{"keys":[{"kty":"x"}]}"#.into(),
            KeySetFault::NoUsableKey(Some(KeyFault::UnknownKind)),
        ),
        (large, KeySetFault::TooLarge),
        (jwks(&many), KeySetFault::TooManyKeys),
    ] {
        let found = KeySet::from_jwks(text.as_bytes(), &rules(), 1).err();
        assert_eq!(found, Some(expected), "{text:.80}");
    }
}

#[test]
fn a_name_that_two_keys_share_names_neither() {
    let other = testing::fresh_p256();
    let (set, skipped) = read(&[
        testing::p256().named("k"),
        other.named("k"),
        testing::rsa().named("r"),
    ])
    .unwrap();
    assert_eq!(set.len(), 1);
    assert_eq!(
        skipped
            .iter()
            .map(|key| (key.index, key.fault))
            .collect::<Vec<_>>(),
        [(0, KeyFault::RepeatedKeyId), (1, KeyFault::RepeatedKeyId)]
    );
    let (set, skipped) = read(&[
        with(testing::rsa().named("r"), &json!({"alg": "RS256"})),
        with(testing::rsa().named("r"), &json!({"alg": "PS256"})),
        testing::rsa().named("r"),
    ])
    .unwrap();
    assert!(skipped.is_empty(), "one key for several algorithms");
    assert!(set.select(Some("r"), Algorithm::Rs256).is_ok());
    assert!(set.select(Some("r"), Algorithm::Ps512).is_ok());
}

#[test]
fn selection() {
    let (set, _) = read(&[
        testing::p256().named("a"),
        testing::p384().jwk(),
        testing::rsa().named("r1"),
        testing::ed25519().named("o"),
    ])
    .unwrap();
    let select = |kid: Option<&str>, algorithm| set.select(kid, algorithm).err();
    for (kid, algorithm, expected) in [
        (Some("a"), Algorithm::Es256, None),
        (Some("a"), Algorithm::Es384, Some(Selection::WrongAlgorithm)),
        (Some("A"), Algorithm::Es256, Some(Selection::Unknown)),
        (Some("x"), Algorithm::Es384, Some(Selection::Unknown)),
        (None, Algorithm::Es256, None),
        (None, Algorithm::Es384, None),
        (None, Algorithm::Ps384, None),
    ] {
        assert_eq!(select(kid, algorithm), expected, "{kid:?} {algorithm:?}");
    }
    let other = testing::fresh_p256();
    let (set, _) = read(&[testing::p256().named("a"), other.named("b")]).unwrap();
    assert_eq!(
        set.select(None, Algorithm::Es256).err(),
        Some(Selection::Ambiguous)
    );
    assert_eq!(
        set.select(None, Algorithm::EdDsa).err(),
        Some(Selection::Unknown)
    );
    assert_eq!(
        KeySet::empty(3).select(None, Algorithm::EdDsa).err(),
        Some(Selection::Unknown)
    );
}

#[test]
fn pins_are_the_accepted_algorithms_that_fit() {
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Rs256, Algorithm::Es384];
    let text = jwks(&[testing::rsa().named("r"), testing::p256().named("e")]);
    let (set, skipped) = KeySet::from_jwks(text.as_bytes(), &rules, 1).unwrap();
    assert!(set.select(Some("r"), Algorithm::Rs256).is_ok());
    assert!(set.select(Some("r"), Algorithm::Ps256).is_err());
    assert_eq!(skipped.len(), 1);
}

#[test]
fn sets_are_compared_by_what_they_prove() {
    let (a, b) = (testing::p256().named("a"), testing::rsa().named("b"));
    let set = |keys: &[Value]| read(keys).unwrap().0;
    let only_a = || read(std::slice::from_ref(&a)).unwrap().0;
    assert!(set(&[a.clone(), b.clone()]).same_keys(&set(&[b.clone(), a.clone()])));
    assert!(!set(&[a.clone(), b.clone()]).same_keys(&only_a()));
    assert!(!only_a().same_keys(&set(&[testing::p256().named("c")])));
    assert!(!only_a().same_keys(&set(&[testing::fresh_p256().named("a")])));
    let held = set(&[a.clone(), b]);
    for key in &held.keys {
        assert!(held.contains(&key.thumbprint()));
    }
    assert!(!held.contains(&[0; 32]));
}

/// `SubjectPublicKeyInfo` of RFC 8410, section 10.1.
const ED25519_PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[test]
fn local_keys() {
    let key = |pem: &[u8], algorithm, kid: Option<&str>| LocalKey {
        material: crate::config::LocalMaterial::Pem(pem.to_vec()),
        algorithm,
        kid: kid.map(str::to_owned),
    };
    let any = KeySet::from_local(&[key(ED25519_PEM, Algorithm::EdDsa, None)]).unwrap();
    assert!(any.select(Some("whatever"), Algorithm::EdDsa).is_ok());
    assert!(any.select(None, Algorithm::EdDsa).is_ok());
    assert!(any.select(None, Algorithm::Es256).is_err());
    let named = KeySet::from_local(&[key(ED25519_PEM, Algorithm::EdDsa, Some("k"))]).unwrap();
    assert!(named.select(Some("k"), Algorithm::EdDsa).is_ok());
    assert!(named.select(Some("other"), Algorithm::EdDsa).is_err());

    for (pem, algorithm) in [
        (ED25519_PEM, Algorithm::Rs256),
        (ED25519_PEM, Algorithm::Es256),
        (b"", Algorithm::EdDsa),
        (b"-----BEGIN NOTHING-----", Algorithm::Es384),
    ] {
        let found = KeySet::from_local(&[key(pem, algorithm, None)]).err();
        assert_eq!(
            found,
            Some(KeySetFault::Local {
                index: 0,
                fault: KeyFault::NotAKey
            })
        );
    }
    assert_eq!(
        KeySet::from_local(&[]).err(),
        Some(KeySetFault::NoUsableKey(None))
    );
}

#[test]
fn local_keys_of_every_kind() {
    for signer in [
        testing::rsa(),
        testing::p256(),
        testing::p384(),
        testing::ed25519(),
    ] {
        let pem = signer.public_pem();
        let published = read(&[signer.jwk()]).unwrap().0;
        for (algorithm, name) in testing::ALGORITHMS {
            let local = KeySet::from_local(&[LocalKey {
                material: crate::config::LocalMaterial::Pem(pem.clone().into_bytes()),
                algorithm,
                kid: None,
            }]);
            let fits = published.select(None, algorithm).is_ok();
            assert_eq!(local.is_ok(), fits, "{name}");
            if let Ok(local) = local {
                assert!(published.contains(&local.keys[0].thumbprint()), "{name}");
            }
        }
    }
}

#[test]
fn secrets_are_pinned_and_never_shown() {
    let text = "a secret of more than sixty-four bytes, as the longest hash of them asks for it";
    let key = |algorithm, kid: &str| LocalKey {
        material: crate::config::LocalMaterial::Secret(text.into()),
        algorithm,
        kid: Some(kid.to_owned()),
    };
    let set =
        KeySet::from_local(&[key(Algorithm::Hs256, "a"), key(Algorithm::Hs512, "b")]).unwrap();
    assert!(set.select(Some("a"), Algorithm::Hs256).is_ok());
    assert_eq!(
        set.select(Some("a"), Algorithm::Hs512).err(),
        Some(Selection::WrongAlgorithm)
    );
    assert!(set.select(None, Algorithm::Hs384).is_err());
    let shown = format!("{set:?}");
    let bytes = format!("{:?}", text.as_bytes());
    assert!(!shown.contains("a secret") && !shown.contains(bytes.trim_matches(['[', ']'])));
    for algorithm in Algorithm::ASYMMETRIC {
        let fault = KeyFault::AlgorithmNotAccepted;
        assert_eq!(
            KeySet::from_local(&[key(algorithm, "a")]).err(),
            Some(KeySetFault::Local { index: 0, fault })
        );
    }
    for algorithm in Algorithm::SYMMETRIC {
        let mut public = testing::rsa().local(algorithm);
        public.kid = Some("k".into());
        assert!(
            KeySet::from_local(&[public]).is_err(),
            "a public key as a secret"
        );
    }
}
