use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;

use super::*;
use crate::config::Algorithm;
use crate::config::LocalKey;
use crate::identity::testing;
use crate::identity::testing::NOW;
use crate::identity::testing::Signer;
use crate::identity::testing::with;

const POLICY: &str = "@id(\"a\") permit(principal, action, resource);";

fn files() -> UnverifiedBundle {
    let mut bundle = UnverifiedBundle::default();
    for (name, text) in [
        ("a.cedar", POLICY),
        ("team/b.cedar", "// nothing"),
        ("tests/t.yaml", "[]"),
    ] {
        bundle.insert(name, text.into()).unwrap();
    }
    bundle
}

fn sealed(manifest: &[u8], header: &Value, signer: &Signer, algorithm: Algorithm) -> String {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let input = detached::signing_input(&header, manifest);
    let signature = signer.sign(algorithm, input.as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": SIGNATURE_TYPE})
}

/// The files with a manifest of these bytes, rightly signed.
fn signed_over(mut files: UnverifiedBundle, manifest: &[u8]) -> UnverifiedBundle {
    let signature = sealed(manifest, &header(), testing::p256(), Algorithm::Es256);
    files.insert(MANIFEST_FILE, manifest.to_vec()).unwrap();
    files.insert(SIGNATURE_FILE, signature.into()).unwrap();
    files
}

fn signed(revision: u64, end_s: Option<i64>) -> UnverifiedBundle {
    let end = end_s.map(|end| OffsetDateTime::from_unix_timestamp(end).unwrap());
    let files = files();
    let manifest = Manifest::of(revision, end, files.files()).to_bytes();
    signed_over(files, &manifest.unwrap())
}

fn keys() -> KeySet {
    of_keys(&[testing::p256().local(Algorithm::Es256)])
}

fn of_keys(keys: &[LocalKey]) -> KeySet {
    KeySet::from_local(keys).unwrap()
}

fn changed(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> UnverifiedBundle {
    let mut bundle = signed(1, None);
    change(&mut bundle.files);
    bundle
}

#[test]
fn a_sound_bundle_is_opened() {
    let bundle = signed(5, None).verify(&keys()).unwrap();
    let names = |files: &[Source]| -> Vec<String> {
        files.iter().map(|file| file.name.to_string()).collect()
    };
    assert_eq!(names(&bundle.policies.files), ["a.cedar", "team/b.cedar"]);
    assert_eq!(names(&bundle.tests), ["tests/t.yaml"]);
    assert_eq!(bundle.manifest.revision, 5);
    assert_eq!(bundle.signed_by.algorithm, Algorithm::Es256);
    assert_eq!(bundle.raw(), &signed_again(&bundle));
    let again = bundle.raw().clone().verify(&keys()).unwrap();
    assert_eq!(again.digest(), bundle.digest(), "it can be kept");
}

fn signed_again(bundle: &Bundle) -> UnverifiedBundle {
    let mut copy = UnverifiedBundle::default();
    for (name, content) in bundle.raw().files() {
        copy.insert(name, content.clone()).unwrap();
    }
    copy
}

type Change = fn(&mut BTreeMap<String, Vec<u8>>);

#[test]
fn whatever_is_not_as_it_was_signed_is_refused() {
    let name = |name: &str| name.to_owned();
    let cases: [(Change, BundleFault); 8] = [
        (
            |files| drop(files.remove(MANIFEST_FILE)),
            BundleFault::Missing(MANIFEST_FILE),
        ),
        (
            |files| drop(files.remove(SIGNATURE_FILE)),
            BundleFault::Missing(SIGNATURE_FILE),
        ),
        (
            |files| drop(files.remove("a.cedar")),
            BundleFault::Absent(name("a.cedar")),
        ),
        (
            |files| drop(files.insert("c.cedar".to_owned(), POLICY.into())),
            BundleFault::Unlisted(name("c.cedar")),
        ),
        (
            |files| drop(files.insert("README.md".to_owned(), Vec::new())),
            BundleFault::Unlisted(name("README.md")),
        ),
        (
            |files| drop(files.insert("a.cedar".to_owned(), POLICY.replace('a', "b").into())),
            BundleFault::Digest(name("a.cedar")),
        ),
        (
            |files| files.get_mut("a.cedar").unwrap().push(b'\n'),
            BundleFault::Size {
                name: name("a.cedar"),
                found: POLICY.len() + 1,
                listed: POLICY.len(),
            },
        ),
        (
            |files| files.get_mut(MANIFEST_FILE).unwrap().push(b'\n'),
            SignatureFault::BadSignature.into(),
        ),
    ];
    for (change, fault) in cases {
        assert_eq!(changed(change).verify(&keys()).unwrap_err(), fault);
    }
    let mut case = signed(1, None);
    case.insert("A.cedar", Vec::new()).unwrap();
    let fault = case.verify(&keys()).unwrap_err();
    assert!(matches!(fault, BundleFault::Name(NameFault::Case(..))));
    let large = changed(|files| drop(files.insert("a.cedar".to_owned(), vec![0; MAX_BYTES])));
    assert_eq!(large.verify(&keys()).unwrap_err(), BundleFault::TooLarge);
    let mut binary = UnverifiedBundle::default();
    binary.insert("a.cedar", vec![0xff]).unwrap();
    let manifest = Manifest::of(1, None, binary.files()).to_bytes().unwrap();
    let fault = signed_over(binary, &manifest).verify(&keys()).unwrap_err();
    assert_eq!(fault, BundleFault::NotText(name("a.cedar")));
}

/// A manifest that nobody has signed is not even looked at.
#[test]
fn the_signature_is_judged_before_the_manifest() {
    let bundle = changed(|files| drop(files.insert(MANIFEST_FILE.to_owned(), b"{".to_vec())));
    let fault = bundle.verify(&keys()).unwrap_err();
    assert_eq!(fault, SignatureFault::BadSignature.into());
    let fault = signed_over(files(), b"{").verify(&keys()).unwrap_err();
    assert!(matches!(fault, BundleFault::Manifest(_)), "{fault}");
    let large = vec![b' '; MAX_MANIFEST_BYTES + 1];
    let fault = signed_over(files(), &large).verify(&keys()).unwrap_err();
    assert_eq!(fault, BundleFault::LargeManifest);
}

fn signature_fault(signature: &str, keys: &KeySet) -> Option<SignatureFault> {
    let bundle = changed(|files| {
        files.insert(SIGNATURE_FILE.to_owned(), signature.into());
    });
    match bundle.verify(keys) {
        Ok(_) => None,
        Err(BundleFault::Signature(fault)) => Some(fault),
        Err(other) => panic!("{other}"),
    }
}

/// The manifest of [`changed`], which [`signature_fault`] judges signatures over.
fn manifest() -> Vec<u8> {
    signed(1, None).files()[MANIFEST_FILE].clone()
}

fn expect_signatures<const N: usize>(cases: [(String, Option<&str>); N]) {
    let keys = keys();
    for (signature, fault) in cases {
        let found = signature_fault(&signature, &keys).map(|fault| fault.to_string());
        match (found, fault) {
            (None, None) => {}
            (Some(found), Some(fault)) if found.contains(fault) => {}
            (found, fault) => panic!("{signature}: {found:?}, not {fault:?}"),
        }
    }
}

#[test]
fn forms_of_signatures() {
    let manifest = manifest();
    let good = sealed(&manifest, &header(), testing::p256(), Algorithm::Es256);
    let attached = {
        let (head, signature) = good.split_once("..").unwrap();
        format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(&manifest))
    };
    let unsigned = format!("{}..", good.split_once("..").unwrap().0);
    expect_signatures([
        (good.clone(), None),
        (format!("{good}\n"), None),
        (format!("{good}\n\n"), Some("refused")),
        (attached, Some("detached content")),
        (unsigned, Some("refused")),
        (String::new(), Some("detached content")),
        ("..".to_owned(), Some("refused")),
        ("a.b".to_owned(), Some("detached content")),
        (format!("{good}{}", "A".repeat(5_000)), Some("longer than")),
    ]);
}

#[test]
fn keys_and_headers_of_signatures() {
    let manifest = manifest();
    let es256 = |header: &Value| sealed(&manifest, header, testing::p256(), Algorithm::Es256);
    let other = testing::fresh_p256();
    // The public key as a secret: what a library that trusts `alg` would accept.
    let confused = Signer::Secret(testing::p256().public_pem().into_bytes());
    let hs256 = with(header(), &json!({"alg": "HS256"}));
    expect_signatures([
        (
            sealed(&manifest, &header(), &other, Algorithm::Es256),
            Some("does not verify"),
        ),
        (
            sealed(b"{}", &header(), testing::p256(), Algorithm::Es256),
            Some("does not verify"),
        ),
        (
            sealed(&manifest, &hs256, &confused, Algorithm::Hs256),
            Some("algorithm"),
        ),
        (
            es256(&with(header(), &json!({"alg": "none"}))),
            Some("refused"),
        ),
        (
            es256(&with(header(), &json!({"alg": "RS256"}))),
            Some("algorithm"),
        ),
        (es256(&with(header(), &json!({"typ": null}))), Some("typ")),
        (
            es256(&with(header(), &json!({"typ": "at+jwt"}))),
            Some("typ"),
        ),
        (
            es256(&with(header(), &json!({"crit": ["b64"], "b64": false}))),
            Some("`crit` is refused"),
        ),
        (
            es256(&with(header(), &json!({"jwk": {}}))),
            Some("`jwk` is refused"),
        ),
        (
            es256(&with(header(), &json!({"iat": 1}))),
            Some("not known"),
        ),
        // A key without a name answers to every name.
        (es256(&with(header(), &json!({"kid": "x"}))), None),
    ]);
}

#[test]
fn keys_can_be_rotated() {
    let other = testing::fresh_p256();
    let local = |signer: &Signer, kid: &str| LocalKey {
        kid: Some(kid.to_owned()),
        ..signer.local(Algorithm::Es256)
    };
    let both = of_keys(&[local(testing::p256(), "new"), local(&other, "old")]);
    let manifest = manifest();
    let by = |signer: &Signer, kid: Value| {
        let header = with(header(), &json!({ "kid": kid }));
        sealed(&manifest, &header, signer, Algorithm::Es256)
    };
    for (signature, fault) in [
        (by(testing::p256(), "new".into()), None),
        (by(&other, "old".into()), None),
        (by(&other, "new".into()), Some(SignatureFault::BadSignature)),
        (by(&other, "gone".into()), Some(SignatureFault::UnknownKey)),
        (by(&other, Value::Null), Some(SignatureFault::Ambiguous)),
    ] {
        assert_eq!(signature_fault(&signature, &both), fault, "{signature}");
    }
}

#[test]
fn every_kind_of_key_signs_bundles() {
    let manifest = manifest();
    for (signer, algorithm) in [
        (testing::p256(), Algorithm::Es256),
        (testing::p384(), Algorithm::Es384),
        (testing::ed25519(), Algorithm::EdDsa),
        (testing::rsa(), Algorithm::Rs256),
        (testing::rsa(), Algorithm::Ps256),
    ] {
        let keys = of_keys(&[signer.local(algorithm)]);
        let header = with(header(), &json!({"alg": algorithm.name()}));
        let signature = sealed(&manifest, &header, signer, algorithm);
        assert_eq!(signature_fault(&signature, &keys), None, "{algorithm:?}");
    }
}

#[test]
fn no_bundle_follows_a_newer_one() {
    let open = |bundle: UnverifiedBundle| bundle.verify(&keys()).unwrap();
    let accepted = Accepted::of(&open(signed(5, None)));
    let follow = |bundle: UnverifiedBundle| open(bundle).may_follow(Some(accepted), NOW);
    assert_eq!(follow(signed(6, None)), Ok(()));
    assert_eq!(follow(signed(5, None)), Ok(()), "the same again");
    let (found, before) = (4, 5);
    let older = OrderFault::Older {
        found,
        accepted: before,
    };
    assert_eq!(follow(signed(4, None)), Err(older));
    let other = signed(5, Some(NOW + 1));
    assert_eq!(follow(other), Err(OrderFault::Same(5)));
    assert_eq!(open(signed(0, None)).may_follow(None, NOW), Ok(()));
    for (end, fine) in [(NOW + 1, true), (NOW, true), (NOW - 1, false)] {
        let first = open(signed(1, Some(end))).may_follow(None, NOW);
        assert_eq!(first.is_ok(), fine, "{end}");
    }
}

#[test]
fn what_was_accepted_is_read_as_it_was_written() {
    let accepted = Accepted {
        revision: 7,
        digest: [0xa5; 32],
    };
    let text = accepted.to_json();
    assert_eq!(Accepted::from_json(text.as_bytes()), Some(accepted));
    for wrong in [
        String::new(),
        "{}".to_owned(),
        text.replace('7', "-7"),
        text.replace("a5a5", "a5"),
        text.replace("revision", "version"),
        text.replace('}', ", \"more\": 1}"),
        format!("{text}{text}"),
    ] {
        assert_eq!(Accepted::from_json(wrong.as_bytes()), None, "{wrong}");
    }
}
