//! `DPoP` proofs (RFC 9449).

use std::sync::LazyLock;

use aws_lc_rs::digest;
use cedargate::identity::credential::DpopProof;
use cedargate::identity::dpop;
use cedargate::identity::dpop::Expected;
use cedargate::identity::dpop::MAX_PROOF_BYTES;
use cedargate::identity::dpop::Proven;
use cedargate::identity::dpop::WINDOW_S;
use serde_json::Value;
use url::Url;

use crate::keys;
use crate::keys::Who;
use crate::rules::AUDIENCE;
use crate::rules::NOW;
use crate::sound;

const TOKEN: &str = "the.access.token";

/// The one proof that was ever made.
static OURS: LazyLock<String> = LazyLock::new(|| {
    let x = keys::x(Who::Holder);
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{jwk}}}"#);
    let ath = ath();
    let claims =
        format!(r#"{{"jti":"p1","htm":"POST","htu":"{AUDIENCE}","iat":{NOW},"ath":"{ath}"}}"#);
    keys::sign(Who::Holder, header.as_bytes(), claims.as_bytes())
});

/// A text as it stands.
pub(super) fn sent(text: &str) -> bool {
    let proven = verify(text);
    assert!(proven.is_none() || text == *OURS, "a forgery");
    proven.is_some()
}

/// A header and claims, signed by the wrong key and then by the right one.
pub(super) fn signed(header: &[u8], claims: &[u8]) -> bool {
    let x = keys::x(Who::Holder);
    for forged in [
        keys::sign(Who::Stranger, header, claims),
        keys::mac(keys::public(Who::Holder), header, claims),
        keys::mac(x.as_bytes(), header, claims),
    ] {
        assert_eq!(verify(&forged), None, "a forgery");
    }
    let right = keys::sign(Who::Holder, header, claims);
    let Some(proven) = verify(&right) else {
        return false;
    };
    assert!(right.len() <= MAX_PROOF_BYTES, "too long");
    let [header, claims] = [header, claims]
        .map(|part| serde_json::from_slice::<Value>(part).expect("what was accepted is JSON"));
    sound_header(&header, &x);
    sound_claims(&claims, &proven);
    true
}

fn verify(text: &str) -> Option<Proven> {
    let proof = DpopProof::new(text.to_owned()).ok()?;
    let jkt = keys::thumbprint(Who::Holder);
    let expected = |method, url, token| Expected {
        method,
        url,
        token,
        jkt: Some(&jkt),
        now_s: NOW,
        nonces: None,
    };
    let proven = dpop::verify(&proof, &expected("POST", AUDIENCE, TOKEN)).ok();
    if let Some(proven) = &proven {
        assert_eq!(proven.thumbprint, jkt, "another key");
        for (method, url, token) in [
            ("GET", AUDIENCE, TOKEN),
            ("post", AUDIENCE, TOKEN),
            ("POST", "https://mcp.example/", TOKEN),
            ("POST", "http://mcp.example/mcp", TOKEN),
            ("POST", "https://mcp.example:8443/mcp", TOKEN),
            ("POST", "https://other.example/mcp", TOKEN),
            ("POST", AUDIENCE, "another.access.token"),
        ] {
            let elsewhere = dpop::verify(&proof, &expected(method, url, token));
            assert!(elsewhere.is_err(), "proves {method} {url} too");
        }
        let unbound = Expected {
            jkt: None,
            ..expected("POST", AUDIENCE, TOKEN)
        };
        assert!(dpop::verify(&proof, &unbound).is_err(), "bound to no key");
    }
    proven
}

fn sound_header(header: &Value, x: &str) {
    let typ = header.get("typ").and_then(Value::as_str).expect("a type");
    let typ = typ.to_ascii_lowercase();
    assert!(
        matches!(&*typ, "dpop+jwt" | "application/dpop+jwt"),
        "another type"
    );
    assert!(sound::says(header, "alg", "EdDSA") || sound::says(header, "alg", "Ed25519"));
    let jwk = header.get("jwk").expect("a key");
    assert!(sound::says(jwk, "x", x), "another key");
    for name in ["d", "k"] {
        assert!(jwk.get(name).is_none(), "the private half");
    }
    for name in ["crit", "b64", "jku", "x5u", "x5c"] {
        assert!(header.get(name).is_none(), "`{name}` was let through");
    }
}

fn sound_claims(claims: &Value, proven: &Proven) {
    assert!(sound::says(claims, "htm", "POST"), "another method");
    assert!(sound::says(claims, "ath", &ath()), "another token");
    let text = |name: &str| claims.get(name).and_then(Value::as_str).expect("a text");
    assert!((1..=256).contains(&text("jti").len()), "a name of no use");
    let stated = Url::parse(text("htu")).expect("what was accepted is a URL");
    let asked = Url::parse(AUDIENCE).expect("a URL");
    assert_eq!(stated.origin(), asked.origin(), "another server");
    assert_eq!((stated.username(), stated.password()), ("", None));

    let issued = claims.get("iat").and_then(Value::as_i64).expect("a time");
    assert!(
        (NOW - WINDOW_S..=NOW + WINDOW_S).contains(&issued),
        "another time"
    );
    assert!(proven.expires_s > NOW, "over");
    assert!(
        proven.expires_s <= issued + WINDOW_S + 1,
        "good for too long"
    );
}

fn ath() -> String {
    let hash = digest::digest(&digest::SHA256, TOKEN.as_bytes());
    keys::encode(hash.as_ref())
}
