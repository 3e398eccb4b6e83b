//! Tokens: any text, and any header over any claims, signed by whom nobody trusts.

use std::sync::LazyLock;

use cedargate::config::JwtRules;
use cedargate::identity::gate;
use cedargate::identity::gate::UnverifiedToken;
use cedargate::identity::key_set::KeySet;
use cedargate::identity::verifier;
use serde_json::Value;

use crate::keys;
use crate::keys::Who;
use crate::rules;
use crate::rules::NOW;
use crate::sound;

const LIMIT: usize = 16 * 1024;

const CLAIMS: &[u8] = br#"{"iss":"https://issuer.example","aud":"https://mcp.example/mcp","sub":"alice","exp":1800000600}"#;

/// Every token that the keys here have signed.
static SIGNED: LazyLock<[String; 3]> = LazyLock::new(|| {
    let header = br#"{"alg":"EdDSA","kid":"ed","typ":"at+jwt"}"#;
    [
        keys::sign(Who::Issuer, header, CLAIMS),
        keys::sign(Who::Issuer, br#"{"alg":"Ed25519"}"#, CLAIMS),
        keys::mac(keys::SECRET.as_bytes(), br#"{"alg":"HS256"}"#, CLAIMS),
    ]
});

/// A text is a token as it stands. One with a line feed, which no token has, is a header and
/// claims, to be signed.
pub fn run(data: &[u8]) -> bool {
    let accepted = std::str::from_utf8(data).is_ok_and(sent);
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else {
        return accepted;
    };
    assert!(!accepted);
    let (header, rest) = data.split_at(at);
    signed(header, rest.get(1..).unwrap_or_default())
}

fn sent(text: &str) -> bool {
    let read = UnverifiedToken::parse(text, LIMIT);
    assert_eq!(read, UnverifiedToken::parse(text, LIMIT), "two readings");
    let Ok(token) = read else {
        return false;
    };
    assert!(text.len() <= LIMIT, "too long");
    let (header, claims) = parts(text);
    sound_header(&token, &header);
    assert!(
        sound::says(&claims, "iss", token.issuer()),
        "another issuer"
    );

    let verified = is_accepted(&token);
    assert!(
        !verified || SIGNED.iter().any(|ours| ours == text),
        "a forgery"
    );
    true
}

/// Header and claims as another library reads them.
fn parts(text: &str) -> (Value, Value) {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else {
        panic!("not three parts");
    };
    keys::decode(signature).expect("base64url");
    let [header, claims] = [header, claims].map(|part| {
        let bytes = keys::decode(part).expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    });
    (header, claims)
}

fn sound_header(token: &UnverifiedToken<'_>, header: &Value) {
    let read = token.header();
    let named = header.get("alg").and_then(Value::as_str).expect("a name");
    let fully_named = named == "Ed25519" && read.algorithm.name() == "EdDSA";
    assert!(
        named == read.algorithm.name() || fully_named,
        "another algorithm"
    );
    assert_eq!(
        header.get("kid").map(Value::as_str),
        read.key_id.as_deref().map(Some)
    );
    let typ = header
        .get("typ")
        .map_or("jwt", |typ| typ.as_str().expect("a text"));
    assert_eq!(gate::canonical_type(typ), read.token_type);
    for name in ["crit", "b64", "jku", "x5u", "jwk", "x5c", "zip", "enc"] {
        assert!(header.get(name).is_none(), "`{name}` was let through");
    }
}

fn is_accepted(token: &UnverifiedToken<'_>) -> bool {
    let published = rules::SIGNED.first().expect("there are rules");
    let (secret, secrets) = &*rules::SECRET;
    verifies(token, &rules::PUBLISHED, published) || verifies(token, secrets, secret)
}

fn verifies(token: &UnverifiedToken<'_>, keys: &KeySet, rules: &JwtRules) -> bool {
    verifier::verify(token, keys, rules, rules::authenticator(), NOW).is_ok()
}

/// Forges the token in the ways that have worked elsewhere, and then signs it rightly.
fn signed(header: &[u8], claims: &[u8]) -> bool {
    let right = keys::sign(Who::Issuer, header, claims);
    let Ok(token) = UnverifiedToken::parse(&right, LIMIT) else {
        return false;
    };
    let (read, _) = parts(&right);
    sound_header(&token, &read);
    let unsigned = right.rsplit_once('.').map_or("", |(input, _)| input);
    for forged in [
        keys::sign(Who::Stranger, header, claims),
        // The public key as a secret, in each form in which one might take it for one.
        keys::mac(keys::public(Who::Issuer), header, claims),
        keys::mac(keys::x(Who::Issuer).as_bytes(), header, claims),
        keys::mac(keys::jwks().as_bytes(), header, claims),
        keys::mac(b"", header, claims),
        format!("{unsigned}.AA"),
        format!("{unsigned}.{}", keys::encode(&[0; 64])),
    ] {
        let accepted =
            UnverifiedToken::parse(&forged, LIMIT).is_ok_and(|token| is_accepted(&token));
        assert!(!accepted, "a forgery");
    }
    let macced = keys::mac(keys::SECRET.as_bytes(), header, claims);
    let macced = UnverifiedToken::parse(&macced, LIMIT).is_ok_and(|token| is_accepted(&token));
    assert!(
        !macced || sound::says(&read, "alg", "HS256"),
        "a secret for a public key"
    );
    let accepted = is_accepted(&token);
    let is_ours = sound::says(&read, "alg", "EdDSA") || sound::says(&read, "alg", "Ed25519");
    assert!(!accepted || is_ours, "a signature under another algorithm");
    accepted || macced
}
