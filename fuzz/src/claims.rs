//! Claims of any shape, rightly signed, under the rules of each product.

use cedargate::identity::gate::UnverifiedToken;
use cedargate::identity::verifier;
use serde_json::Value;

use crate::keys;
use crate::keys::Who;
use crate::rules;
use crate::rules::AUDIENCE;
use crate::rules::ISSUER;
use crate::rules::NOW;
use crate::sound;

const HEADER: &[u8] = br#"{"alg":"EdDSA","kid":"ed","typ":"at+jwt"}"#;

/// The first byte chooses the rules; the rest are the claims.
pub fn run(data: &[u8]) -> bool {
    let Some((rules, claims)) = rules::choose(&rules::SIGNED, data) else {
        return false;
    };
    let text = keys::sign(Who::Issuer, HEADER, claims);
    let Ok(token) = UnverifiedToken::parse(&text, 64 * 1024) else {
        return false;
    };
    let verify = || {
        let keys = &rules::PUBLISHED;
        verifier::verify(&token, keys, rules, rules::authenticator(), NOW)
    };
    let verified = verify();
    assert_eq!(verified, verify(), "two answers to one question");
    let Ok(verified) = verified else {
        return false;
    };
    let stated: Value = serde_json::from_slice(claims).expect("what was accepted is JSON");
    sound::names_issuer(&stated, "iss");
    sound::token(&verified, &stated, ISSUER);
    assert!(stated.get("exp").is_some(), "a token that never ends");
    if rules.rfc9068 {
        for name in ["iat", "jti", "sub", "client_id", "aud"] {
            assert!(stated.get(name).is_some(), "RFC 9068 asks for `{name}`");
        }
    }
    if rules.tokens.dpop.required {
        assert!(verified.binding.jkt.is_some(), "a token without a key");
    }
    let admitted = verified.admits(&rules.tokens, &[AUDIENCE.to_owned()], NOW);
    let named = verified.principal.audience.contains(AUDIENCE);
    assert_eq!(admitted.is_ok(), named, "a token for somebody else");
    true
}
