//! Tokens that are bound to a key or a certificate.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn digest(byte: u8) -> String {
    URL_SAFE_NO_PAD.encode([byte; 32])
}

#[test]
fn a_bound_token_says_what_must_be_proved() {
    let binding = |changes: &Value| {
        check(&token_with(changes), &keys(), &rules())
            .unwrap()
            .binding
    };
    assert!(binding(&json!({})).is_empty());
    let both = binding(&json!({"cnf": {"jkt": digest(1), "x5t#S256": digest(2)}}));
    assert_eq!(both.jkt, Some([1; 32]));
    assert_eq!(both.x5t_s256, Some([2; 32]));
}

#[test]
fn a_bond_that_cannot_be_read_is_no_bearer_token() {
    let malformed = TokenFault::ClaimMalformed("cnf");
    for (cnf, expected) in [
        (json!({}), malformed),
        (json!("x"), malformed),
        (json!({"jkt": "x"}), malformed),
        (json!({"x5t#S256": digest(1) + "="}), malformed),
        (json!({"jwk": {"kty": "EC"}}), TokenFault::BoundToken),
        (
            json!({"jkt": digest(1), "kid": "k"}),
            TokenFault::BoundToken,
        ),
    ] {
        let changes = json!({ "cnf": cnf });
        assert_eq!(judged(&changes), refused(expected), "{changes}");
    }
}

#[test]
fn where_proofs_are_required_a_token_names_a_key() {
    let mut rules = rules();
    rules.tokens.dpop.required = true;
    let judged = |changes| check(&token_with(&changes), &keys(), &rules).map(|_| ());
    assert_eq!(judged(json!({"cnf": {"jkt": digest(1)}})), Ok(()));
    assert_eq!(judged(json!({})), refused(TokenFault::NotBound));
    assert_eq!(
        judged(json!({"cnf": {"x5t#S256": digest(1)}})),
        refused(TokenFault::NotBound)
    );
}
