//! What must hold of every caller who was accepted, however he was.

use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::identity::verifier::VerifiedToken;
use serde_json::Value;

use crate::rules::ISSUER;
use crate::rules::NOW;

/// The tolerated difference of clocks, in seconds: the default.
const LEEWAY: i64 = 30;

/// Holds an accepted token against another reading of its claims.
pub(crate) fn token(token: &VerifiedToken, claims: &Value, issuer: &str) {
    principal(&token.principal, issuer);
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| {
        claims
            .get(name)
            .map(|value| value.as_i64().expect("a whole number"))
    };

    assert!(
        seconds("exp").is_none_or(|exp| exp > NOW - LEEWAY),
        "expired"
    );
    assert_eq!(seconds("exp"), token.window.expires_s);
    assert!(
        seconds("nbf").is_none_or(|nbf| nbf <= NOW + LEEWAY),
        "not yet valid"
    );
    assert!(
        seconds("iat").is_none_or(|iat| iat <= NOW + LEEWAY),
        "from the future"
    );
    assert_eq!(text("jti"), token.token_id.as_deref());
    assert_eq!(
        claims.get("jti").is_some(),
        token.token_id.is_some(),
        "a token that nobody could revoke"
    );
    assert_eq!(
        claims.get("cnf").is_some(),
        !token.binding.is_empty(),
        "a bound token taken for a bearer token"
    );
    for name in ["nonce", "at_hash", "c_hash"] {
        assert!(claims.get(name).is_none(), "an ID token, by `{name}`");
    }

    let principal = &token.principal;
    assert_eq!(text("sub").unwrap_or_default(), principal.subject);
    assert_eq!(claims.get("sub").is_some(), text("sub").is_some());
    if !principal.email.is_empty() {
        assert_eq!(claims.get("email_verified"), Some(&Value::Bool(true)));
        assert_eq!(text("email"), Some(&*principal.email));
    }
    audience(principal, claims.get("aud"));
}

fn audience(principal: &Principal, stated: Option<&Value>) {
    let mut stated: Vec<&str> = match stated {
        None => vec![&principal.client_id],
        Some(Value::Array(listed)) => listed.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
    };
    stated.sort_unstable();
    stated.dedup();
    let read: Vec<&str> = principal.audience.iter().map(String::as_str).collect();
    assert_eq!(read, stated);
    assert!(!read.is_empty() && read.iter().all(|audience| !audience.is_empty()));
}

/// A caller in the terms of policies.
pub(crate) fn principal(principal: &Principal, issuer: &str) {
    let Principal {
        kind,
        id,
        authenticator: _,
        issuer: named,
        subject,
        client_id,
        tenant,
        email,
        name,
        roles,
        groups,
        scopes,
        audience: _,
        claims,
    } = principal;
    assert_eq!(named, issuer);
    let own = id
        .strip_prefix(issuer)
        .and_then(|rest| rest.strip_prefix('#'));
    let own = own.expect("an id starts with its issuer");
    match kind {
        PrincipalKind::User => assert_eq!(own, subject),
        PrincipalKind::Client => {
            assert!(own == client_id || client_id.is_empty() && own == subject)
        }
        PrincipalKind::ApiKey => panic!("a token became an API key"),
    }
    assert!(!own.is_empty(), "nobody");
    for text in [id, subject, client_id, tenant, email, name] {
        assert_plain(text);
    }
    for names in [roles, groups, scopes] {
        assert!(names.len() <= 256, "too many names");
        for name in names {
            assert_plain(name);
            assert!(!name.is_empty());
        }
    }
    assert!(claims.len() <= 64, "too many tags");
    for (tag, values) in claims {
        assert!(!tag.starts_with("__"), "`{tag}` means something to Cedar");
        assert!(values.len() <= 64, "too many values");
        assert!(values.iter().all(|value| value.len() <= 1024));
        let registered = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf"];
        assert!(!registered.contains(&tag.as_str()), "`{tag}` is no tag");
    }
}

fn assert_plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "a control character");
}

/// Whether a member is there and is exactly this text.
pub(crate) fn says(object: &Value, name: &str, expected: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(expected)
}

/// That the issuer of all targets is named there, byte for byte.
pub(crate) fn names_issuer(object: &Value, member: &str) {
    assert!(says(object, member, ISSUER), "another issuer");
}
