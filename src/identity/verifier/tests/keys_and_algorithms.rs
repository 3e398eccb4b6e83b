//! Every algorithm against every key: only what belongs together passes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

/// Every algorithm is accepted, so that the key alone decides.
fn lenient() -> JwtRules {
    let mut rules = rules();
    rules.algorithms.extend(Algorithm::SYMMETRIC);
    rules
}

fn signers() -> [&'static Signer; 5] {
    [
        testing::rsa(),
        testing::p256(),
        testing::p384(),
        testing::ed25519(),
        testing::secret(),
    ]
}

fn belongs(algorithm: Algorithm, signer: &Signer) -> bool {
    match signer {
        Signer::Rsa(_) => algorithm <= Algorithm::Ps512,
        Signer::P256(_) => algorithm == Algorithm::Es256,
        Signer::P384(_) => algorithm == Algorithm::Es384,
        Signer::Ed25519(_) => algorithm == Algorithm::EdDsa,
        Signer::Secret(_) => Algorithm::SYMMETRIC.contains(&algorithm),
    }
}

/// The sets in which a key can be held for an algorithm: published, and written down.
fn sets(holder: &Signer, pinned: Algorithm) -> Vec<KeySet> {
    let jwk = with(holder.named("k"), &json!({"alg": pinned.name()}));
    let published = KeySet::from_jwks(jwks(&[jwk]).as_bytes(), &lenient(), 1);
    let written = KeySet::from_local(&[holder.local(pinned)]);
    let published = published.ok().map(|(keys, _)| keys);
    [published, written.ok()].into_iter().flatten().collect()
}

#[test]
fn only_the_diagonal_of_the_grid_passes() {
    let mut passed = 0;
    let mut tokens = Vec::new();
    for (claimed, name) in ALGORITHMS {
        let header = json!({"alg": name, "kid": "k", "typ": "at+jwt"});
        for (made_by, signer) in signers().into_iter().enumerate() {
            tokens.push((claimed, made_by, signer.token(claimed, &header, &claims())));
        }
    }
    for pinned in ALGORITHMS.map(|(algorithm, _)| algorithm) {
        for (held, holder) in signers().into_iter().enumerate() {
            let held_sets = sets(holder, pinned);
            let expected = match (belongs(pinned, holder), holder) {
                (false, _) => 0,
                (true, Signer::Secret(_)) => 1,
                (true, _) => 2,
            };
            assert_eq!(held_sets.len(), expected, "{pinned:?} held by {held}");
            for (claimed, made_by, token) in &tokens {
                for keys in &held_sets {
                    let verdict = check(token, keys, &lenient());
                    let fits = *made_by == held && *claimed == pinned;
                    assert_eq!(
                        verdict.is_ok(),
                        fits,
                        "{claimed:?} by {made_by}, {pinned:?} held by {held}"
                    );
                    if *claimed != pinned {
                        assert_eq!(
                            verdict.err(),
                            Some(VerifyError::Refused(TokenFault::AlgorithmRefused))
                        );
                    }
                    passed += usize::from(fits);
                }
            }
        }
    }
    assert_eq!(passed, 9 * 2 + 3);
}

#[test]
fn a_public_key_is_never_a_secret() {
    for holder in signers().into_iter().take(4) {
        let jwk = holder.named("k");
        let mut public: Vec<Vec<u8>> = vec![
            holder.public_pem().into_bytes(),
            holder.public_pem().trim_end().as_bytes().to_vec(),
            jwk.to_string().into_bytes(),
            Vec::new(),
        ];
        for member in ["n", "x", "y"] {
            if let Some(text) = jwk.get(member).and_then(Value::as_str) {
                public.push(text.as_bytes().to_vec());
                public.push(URL_SAFE_NO_PAD.decode(text).unwrap());
            }
        }
        let (set, _) = KeySet::from_jwks(jwks(&[jwk]).as_bytes(), &lenient(), 1).unwrap();
        for secret in public {
            for algorithm in Algorithm::SYMMETRIC {
                let signer = Signer::Secret(secret.clone());
                let forge = |kid: Value| {
                    let header = json!({"alg": algorithm.name(), "typ": "at+jwt"});
                    signer.token(algorithm, &with(header, &json!({"kid": kid})), &claims())
                };
                let refused = Some(VerifyError::Refused(TokenFault::AlgorithmRefused));
                let named = forge(json!("k"));
                assert_eq!(check(&named, &set, &lenient()).err(), refused);
                assert_eq!(check(&named, &set, &rules()).err(), refused);
                let unnamed = forge(Value::Null);
                assert_eq!(check(&unnamed, &set, &rules()).err(), refused);
                assert!(check(&unnamed, &set, &lenient()).is_err());
            }
        }
    }
}

#[test]
fn a_mac_is_compared_whole() {
    let keys = KeySet::from_local(&[testing::secret().local(Algorithm::Hs256)]).unwrap();
    let header = json!({"alg": "HS256", "typ": "at+jwt"});
    let good = testing::secret().token(Algorithm::Hs256, &header, &claims());
    assert!(check(&good, &keys, &lenient()).is_ok());
    let (input, mac) = good.rsplit_once('.').unwrap();
    let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
    let longer = [&mac[..], &[0]].concat();
    for other in [&mac[..31], &mac[..16], &mac[..1], &longer[..], &[0; 32]] {
        let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode(other));
        assert_eq!(
            check(&forged, &keys, &lenient()).err(),
            Some(VerifyError::BadSignature)
        );
    }
    let other = Signer::Secret(vec![b'x'; 64]).token(Algorithm::Hs256, &header, &claims());
    assert_eq!(
        check(&other, &keys, &lenient()).err(),
        Some(VerifyError::BadSignature)
    );
}

#[test]
fn every_byte_counts_whatever_takes_its_place() {
    let (keys, rules) = (
        KeySet::from_local(&[testing::secret().local(Algorithm::Hs256)]).unwrap(),
        lenient(),
    );
    let header = json!({"alg": "HS256", "typ": "at+jwt"});
    let good = testing::secret().token(Algorithm::Hs256, &header, &claims());
    assert!(check(&good, &keys, &rules).is_ok());
    let others: Vec<u8> = (0..=127)
        .filter(|byte: &u8| byte.is_ascii_alphanumeric() || b"-_.=+/ \n".contains(byte))
        .collect();
    for at in 0..good.len() {
        for other in &others {
            let mut changed = good.clone().into_bytes();
            changed[at] = *other;
            let changed = String::from_utf8(changed).unwrap();
            if changed != good {
                assert!(
                    check(&changed, &keys, &rules).is_err(),
                    "byte {at}: {other}"
                );
            }
        }
        let mut shorter = good.clone();
        shorter.remove(at);
        assert!(check(&shorter, &keys, &rules).is_err(), "without byte {at}");
    }
}

proptest! {
    #[test]
    fn a_changed_token_never_verifies(
        signer in 0..4_usize,
        at in any::<prop::sample::Index>(),
        other in "[A-Za-z0-9_.=-]",
    ) {
        let signer = signers()[signer];
        let (algorithm, name) = ALGORITHMS
            .into_iter()
            .find(|(algorithm, _)| belongs(*algorithm, signer))
            .unwrap();
        let header = json!({"alg": name, "kid": "k", "typ": "at+jwt"});
        let good = signer.token(algorithm, &header, &claims());
        let keys = &sets(signer, algorithm)[0];
        prop_assert!(check(&good, keys, &rules()).is_ok());
        let at = at.index(good.len());
        let mut changed = good.clone();
        changed.replace_range(at..=at, &other);
        prop_assert_eq!(check(&changed, keys, &rules()).is_ok(), changed == good);
    }
}
