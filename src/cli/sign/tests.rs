//! Keys are made, written, read again and signed with; another library verifies.

use jsonwebtoken::DecodingKey;
use serde_json::Map;
use serde_json::json;

use super::*;
use crate::identity::crypto;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn key_for(algorithm: Algorithm) -> SigningKey {
    if Algorithm::SYMMETRIC.contains(&algorithm) {
        return SigningKey::from_secret(SECRET.into()).unwrap();
    }
    SigningKey::generate(algorithm).unwrap()
}

fn verifying(key: &SigningKey) -> DecodingKey {
    if matches!(key, SigningKey::Secret(_)) {
        return DecodingKey::from_secret(SECRET.as_bytes());
    }
    let pem = key.public_pem().unwrap();
    let pem = pem.as_bytes();
    match key {
        SigningKey::Rsa(_) => DecodingKey::from_rsa_pem(pem),
        SigningKey::P256(_) | SigningKey::P384(_) => DecodingKey::from_ec_pem(pem),
        SigningKey::Ed25519(_) => DecodingKey::from_ed_pem(pem),
        SigningKey::Secret(_) => panic!("handled above"),
    }
    .unwrap()
}

fn verifies(token: &str, algorithm: Algorithm, key: &DecodingKey) -> bool {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let algorithm = algorithm.name().parse().unwrap();
    jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, algorithm).unwrap()
}

#[test]
fn every_algorithm_signs_what_another_library_verifies() {
    crypto::install().unwrap();
    let all = Algorithm::ASYMMETRIC.into_iter();
    for algorithm in all.chain(Algorithm::SYMMETRIC) {
        let key = key_for(algorithm);
        // Through its file, as it is used.
        let key = match &key {
            SigningKey::Secret(_) => key,
            SigningKey::Rsa(_)
            | SigningKey::P256(_)
            | SigningKey::P384(_)
            | SigningKey::Ed25519(_) => {
                SigningKey::from_pem(key.private_pem().unwrap().as_bytes()).unwrap()
            }
        };
        let token = key.compact(algorithm, Map::new(), &json!({"iss": "i"}));
        let token = token.unwrap();
        let public = verifying(&key);
        assert!(verifies(&token, algorithm, &public), "{algorithm:?}");
        let forged = token.replacen('.', "x.", 1);
        assert!(!verifies(&forged, algorithm, &public), "{algorithm:?}");
        let header = token.split('.').next().unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header, json!({"alg": algorithm.name()}));
    }
}

#[test]
fn a_key_signs_by_the_algorithms_of_its_kind_only() {
    for key in [
        key_for(Algorithm::Rs256),
        key_for(Algorithm::Es256),
        key_for(Algorithm::Es384),
        key_for(Algorithm::EdDsa),
        key_for(Algorithm::Hs256),
    ] {
        let fitting: Vec<&str> = Algorithm::ASYMMETRIC
            .into_iter()
            .chain(Algorithm::SYMMETRIC)
            .filter(|algorithm| key.sign(*algorithm, b"m").is_ok())
            .map(Algorithm::name)
            .collect();
        assert!(key.sign(key.usual_algorithm(), b"m").is_ok());
        let misfit = if fitting.contains(&"HS256") {
            Algorithm::Es256
        } else {
            Algorithm::Hs256
        };
        let Err(SignError::Algorithm { fitting: said, .. }) = key.sign(misfit, b"m") else {
            panic!("{misfit:?} must not fit {key:?}");
        };
        let said: Vec<&str> = said.split([',', ' ']).filter(|w| w.len() > 3).collect();
        assert_eq!(said, fitting);
    }
}

#[test]
fn what_is_no_private_key_is_named() {
    let public = key_for(Algorithm::Es256).public_pem().unwrap();
    let wrong = pem::write("PRIVATE KEY", b"not a key");
    for (text, expected) in [
        ("", SignError::NotPkcs8),
        ("secret", SignError::NotPkcs8),
        (&*public, SignError::NotPkcs8),
        (&*wrong, SignError::Kind),
    ] {
        assert_eq!(
            SigningKey::from_pem(text.as_bytes()).unwrap_err(),
            expected,
            "{text}"
        );
    }
    let short = SigningKey::from_secret("0123456789abcdef0123456789abcde".into());
    assert_eq!(short.unwrap_err(), SignError::ShortSecret);
    let pair = SigningKey::generate(Algorithm::Hs256).unwrap_err();
    assert_eq!(pair, SignError::NoPair("HS256"));
}

#[test]
fn keys_do_not_show_themselves() {
    let secret = SigningKey::from_secret(SECRET.into()).unwrap();
    assert!(!format!("{secret:?}").contains("0123"));
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let shown = format!("{:?}", key_for(algorithm));
        assert!(shown.len() < 2_000, "{shown}");
    }
}
