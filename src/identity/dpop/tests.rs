//! Which proofs have a form and a key that can prove something.

mod claims;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::identity::testing;
use crate::identity::testing::NOW;
use crate::identity::testing::Signer;
use crate::identity::testing::with;
use crate::json::JsonFault;

const URL: &str = "https://mcp.example/mcp";
const TOKEN: &str = "the-token";

/// What is expected of proofs by one key.
struct Scene {
    jkt: Thumbprint,
    nonces: Option<Nonces>,
    now_s: i64,
}

impl Scene {
    fn of(signer: &Signer) -> Self {
        let text = testing::jwks(&[signer.named("k")]);
        let value = crate::json::parse(text.as_bytes(), 16).unwrap();
        let listed = value.get("keys").and_then(StrictValue::as_array).unwrap();
        let key = jwk::read(&listed[0], &Algorithm::ASYMMETRIC).unwrap();
        Self {
            jkt: key.thumbprint(),
            nonces: None,
            now_s: NOW,
        }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            method: "POST",
            url: URL,
            token: TOKEN,
            jkt: Some(&self.jkt),
            now_s: self.now_s,
            nonces: self.nonces.as_ref(),
        }
    }

    fn verify(&self, proof: &str) -> Result<Proven, DpopFault> {
        verify(&DpopProof::new(proof.to_owned()).unwrap(), &self.expected())
    }
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": testing::p256().jwk()})
}

fn claims() -> Value {
    json!({
        "jti": "proof-1", "htm": "POST", "htu": URL, "iat": NOW,
        "ath": URL_SAFE_NO_PAD.encode(digest::sha256(&[TOKEN.as_bytes()])),
    })
}

fn proof(header: &Value, claims: &Value) -> String {
    testing::p256().token(Algorithm::Es256, header, claims)
}

fn with_claims(changes: &Value) -> Result<Proven, DpopFault> {
    Scene::of(testing::p256()).verify(&proof(&header(), &with(claims(), changes)))
}

fn with_header(changes: &Value) -> Result<Proven, DpopFault> {
    Scene::of(testing::p256()).verify(&proof(&with(header(), changes), &claims()))
}

#[test]
fn a_good_proof() {
    let scene = Scene::of(testing::p256());
    let proven = scene.verify(&proof(&header(), &claims())).unwrap();
    assert_eq!(proven.thumbprint, scene.jkt);
    assert_eq!(proven.expires_s, NOW + 301);
    let again = scene.verify(&proof(&header(), &claims())).unwrap();
    assert_eq!(
        again.id, proven.id,
        "the id does not depend on the signature"
    );
    let other = with_claims(&json!({"jti": "proof-2"})).unwrap();
    assert_ne!(other.id, proven.id);
    let elsewhere = with_claims(&json!({"htu": "https://mcp.example:443/mcp"})).unwrap();
    assert_eq!(elsewhere.id, proven.id);
}

/// RFC 9449, section 7.1: the example of a protected request.
#[test]
fn the_proof_of_the_rfc() {
    let proof = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0",
        "VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10",
        "NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjo",
        "iR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI",
        "6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2o",
        "W9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    );
    let mut jkt = [0; 32];
    URL_SAFE_NO_PAD
        .decode_slice("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", &mut jkt)
        .unwrap();
    let expected = Expected {
        method: "GET",
        url: "https://resource.example.org/protectedresource",
        token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        jkt: Some(&jkt),
        now_s: 1_562_262_618,
        nonces: None,
    };
    let proof = DpopProof::new(proof.into()).unwrap();
    assert_eq!(
        verify(&proof, &expected).map(|proven| proven.thumbprint),
        Ok(jkt)
    );
    let later = Expected {
        now_s: 1_562_262_618 + 301,
        ..expected
    };
    assert_eq!(verify(&proof, &later), Err(DpopFault::TooOld));
}

#[test]
fn every_key_proves_under_its_own_algorithms_only() {
    for signer in [
        testing::rsa(),
        testing::p256(),
        testing::p384(),
        testing::ed25519(),
    ] {
        let scene = Scene::of(signer);
        for (algorithm, name) in testing::ALGORITHMS {
            let header = json!({"typ": "dpop+jwt", "alg": name, "jwk": signer.jwk()});
            let found = scene.verify(&signer.token(algorithm, &header, &claims()));
            let kind = signer.jwk()["kty"].as_str().unwrap().to_owned();
            let fits = match (signer, name) {
                (Signer::Rsa(_), name) => name.starts_with("RS") || name.starts_with("PS"),
                (Signer::P256(_), name) => name == "ES256",
                (Signer::P384(_), name) => name == "ES384",
                (Signer::Ed25519(_), name) => name == "EdDSA",
                (Signer::Secret(_), _) => false,
            };
            assert_eq!(found.is_ok(), fits, "{kind} {name}: {found:?}");
            if !fits {
                let fault = if algorithm.is_symmetric() {
                    DpopFault::AlgorithmRefused
                } else {
                    DpopFault::Key(KeyFault::AlgorithmNotAccepted)
                };
                assert_eq!(found, Err(fault), "{kind} {name}");
            }
        }
    }
}

#[test]
fn algorithms_that_are_none() {
    for alg in [
        "none", "None", "NONE", "es256", "ES256 ", "HS256", "HS512", "ES256K", "",
    ] {
        let found = with_header(&json!({"alg": alg}));
        assert_eq!(found, Err(DpopFault::AlgorithmRefused), "{alg}");
    }
    for alg in [json!(["ES256"]), json!(1), json!({})] {
        assert_eq!(
            with_header(&json!({"alg": alg})),
            Err(DpopFault::AlgorithmRefused)
        );
    }
    assert_eq!(
        with_header(&json!({"alg": null})),
        Err(DpopFault::AlgorithmRefused)
    );
}

#[test]
fn types() {
    for typ in ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"] {
        assert!(with_header(&json!({"typ": typ})).is_ok(), "{typ}");
    }
    for typ in [
        "jwt",
        "at+jwt",
        "dpop",
        "dpop+jwt ",
        "x/dpop+jwt",
        "application/application/dpop+jwt",
        "",
    ] {
        assert_eq!(
            with_header(&json!({"typ": typ})),
            Err(DpopFault::TypeRefused),
            "{typ}"
        );
    }
    assert_eq!(
        with_header(&json!({"typ": null})),
        Err(DpopFault::TypeRefused)
    );
    assert_eq!(
        with_header(&json!({"typ": ["dpop+jwt"]})),
        Err(DpopFault::TypeRefused)
    );
}

#[test]
fn headers() {
    for name in REFUSED_PARAMETERS {
        let found = with_header(&json!({name: "x"}));
        assert_eq!(found, Err(DpopFault::HeaderRefused(name)));
    }
    assert!(with_header(&json!({"kid": "any", "extra": {"a": 1}})).is_ok());
}

#[test]
fn keys() {
    let key = |changes: Value| with(testing::p256().jwk(), &changes);
    for (jwk, fault) in [
        (json!("key"), KeyFault::NotAKey),
        (json!([]), KeyFault::NotAKey),
        (key(json!({"d": "AQ"})), KeyFault::PrivateMember),
        (key(json!({"p": 1})), KeyFault::PrivateMember),
        (key(json!({"q": []})), KeyFault::PrivateMember),
        (key(json!({"dp": ""})), KeyFault::PrivateMember),
        (key(json!({"dq": ""})), KeyFault::PrivateMember),
        (key(json!({"qi": ""})), KeyFault::PrivateMember),
        (key(json!({"oth": []})), KeyFault::PrivateMember),
        (key(json!({"k": "AQ"})), KeyFault::PrivateMember),
        (json!({"kty": "oct"}), KeyFault::Symmetric),
        (key(json!({"crv": "secp256k1"})), KeyFault::UnknownKind),
        (key(json!({"crv": "P-384"})), KeyFault::CoordinateLength),
        (
            key(json!({"y": URL_SAFE_NO_PAD.encode([1; 32])})),
            KeyFault::NotAKey,
        ),
        (key(json!({"x": "AQ"})), KeyFault::CoordinateLength),
        (key(json!({"use": "enc"})), KeyFault::NotForSignatures),
        (
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            KeyFault::ModulusSize(17),
        ),
        (testing::ed25519().jwk(), KeyFault::AlgorithmNotAccepted),
    ] {
        let found = with_header(&json!({"jwk": jwk}));
        assert_eq!(found, Err(DpopFault::Key(fault)), "{jwk}");
    }
    assert_eq!(
        with_header(&json!({"jwk": null})),
        Err(DpopFault::Key(KeyFault::NotAKey))
    );
    let browser = key(json!({"ext": true, "key_ops": ["verify"], "kid": "k", "alg": "ES256"}));
    assert!(with_header(&json!({"jwk": browser})).is_ok());
}

#[test]
fn another_key_than_the_tokens() {
    let other = testing::fresh_p256();
    let header = with(header(), &json!({"jwk": other.jwk()}));
    let scene = Scene::of(testing::p256());
    let by_other = other.token(Algorithm::Es256, &header, &claims());
    assert_eq!(scene.verify(&by_other), Err(DpopFault::KeyMismatch));
    // The right key in the header, another one under the signature.
    let forged = other.token(Algorithm::Es256, &self::header(), &claims());
    assert_eq!(scene.verify(&forged), Err(DpopFault::BadSignature));

    let proof = DpopProof::new(proof(&self::header(), &claims())).unwrap();
    let unbound = Expected {
        jkt: None,
        ..scene.expected()
    };
    assert_eq!(verify(&proof, &unbound), Err(DpopFault::TokenNotBound));
}

#[test]
fn forms() {
    let good = proof(&header(), &claims());
    let scene = Scene::of(testing::p256());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let signed = |header: &str, claims: &str| {
        testing::p256().token_of_texts(Algorithm::Es256, header, claims)
    };
    let header = header().to_string();
    let long = "a".repeat(MAX_PROOF_BYTES + 1);
    for (text, fault) in [
        (
            long.clone(),
            TokenFault::TooLong {
                length: long.len(),
                bound: MAX_PROOF_BYTES,
            },
        ),
        ("a.b".into(), TokenFault::NotCompact),
        (format!("{good}.{signature}"), TokenFault::NotCompact),
        (format!("{good},{good}"), TokenFault::Encrypted),
        (format!("{good}.."), TokenFault::Encrypted),
        (format!("{input}."), TokenFault::Encoding(Part::Signature)),
        (format!("{good}="), TokenFault::Encoding(Part::Signature)),
        (
            format!(".{good}")
                .replacen('.', "", 1)
                .replacen('e', "=", 1),
            TokenFault::Encoding(Part::Header),
        ),
        (signed("[]", "{}"), TokenFault::NotAnObject(Part::Header)),
        (signed(&header, "[]"), TokenFault::NotAnObject(Part::Claims)),
        (
            signed("{", "{}"),
            TokenFault::Json(Part::Header, JsonFault::Malformed),
        ),
        (
            signed(&header, r#"{"jti":"a","jti":"b"}"#),
            TokenFault::Json(Part::Claims, JsonFault::RepeatedMember),
        ),
    ] {
        assert_eq!(
            scene.verify(&text),
            Err(DpopFault::Form(fault)),
            "{text:.60}"
        );
    }
}

#[test]
fn debug_does_not_show_the_token() {
    let scene = Scene::of(testing::p256());
    assert!(!format!("{:?}", scene.expected()).contains(TOKEN));
}

proptest! {
    #[test]
    fn a_proof_changed_in_any_byte_never_verifies(at: prop::sample::Index, byte in b'!'..=b'~') {
        let good = proof(&header(), &claims());
        let mut changed = good.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        let verdict = Scene::of(testing::p256()).verify(&changed);
        prop_assert_eq!(verdict.is_ok(), changed == good);
    }

    #[test]
    fn any_text_is_refused(text in "[!-~]{1,200}") {
        prop_assert!(Scene::of(testing::p256()).verify(&text).is_err());
    }
}
