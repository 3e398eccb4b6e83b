//! Which tokens are some other kind than access tokens, by what they say of themselves.

use crate::config::Preset;
use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// Types that are never an access token, whatever the configuration says.
pub(super) const REFUSED_TYPES: [&str; 10] = [
    "dpop+jwt",
    "oauth-id-jag+jwt",
    "logout+jwt",
    "secevent+jwt",
    "token-introspection+jwt",
    "oauth-authz-req+jwt",
    "client-authentication+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "kb+jwt",
];

/// Claims that `OpenID` Connect puts into ID tokens only.
const ID_TOKEN_CLAIMS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Cognito and Keycloak say in the claims what RFC 9068 says in the header.
const OTHER_KINDS: [(&str, &[&str]); 2] = [
    ("token_use", &["id", "refresh"]),
    (
        "typ",
        &["id", "serialized-id", "refresh", "offline", "logout"],
    ),
];

/// Refuses a `typ`, in its canonical form, that names another kind of token.
pub(super) fn refuse_type(typ: &str) -> Result<(), TokenFault> {
    if REFUSED_TYPES.contains(&typ) {
        return Err(TokenFault::NotAnAccessToken("typ"));
    }
    Ok(())
}

/// Refuses claims that only other kinds of token have, whoever issued them.
pub(super) fn refuse_claims(claims: &StrictValue) -> Result<(), TokenFault> {
    for name in ID_TOKEN_CLAIMS {
        if claims.get(name).is_some() {
            return Err(TokenFault::NotAnAccessToken(name));
        }
    }
    for (name, others) in OTHER_KINDS {
        let kind = claims.get(name).and_then(StrictValue::as_text);
        if kind.is_some_and(|kind| is_one_of(kind, others)) {
            return Err(TokenFault::NotAnAccessToken(name));
        }
    }
    Ok(())
}

/// Refuses what a product says of its other tokens: Cognito marks every token with its use, and
/// Keycloak every token with its type, which for an access token is the scheme it is sent with.
pub(super) fn refuse_for(preset: Option<Preset>, claims: &StrictValue) -> Result<(), TokenFault> {
    let text = |name: &str| claims.get(name).and_then(StrictValue::as_text);
    match preset {
        Some(Preset::Cognito) if text("token_use") != Some("access") => {
            Err(TokenFault::NotAnAccessToken("token_use"))
        }
        Some(Preset::Keycloak)
            if claims.get("typ").is_some()
                && !text("typ").is_some_and(|typ| is_one_of(typ, &["bearer", "dpop"])) =>
        {
            Err(TokenFault::NotAnAccessToken("typ"))
        }
        Some(Preset::Cognito | Preset::Keycloak | Preset::Auth0 | Preset::Entra | Preset::Okta)
        | None => Ok(()),
    }
}

fn is_one_of(kind: &str, others: &[&str]) -> bool {
    others.iter().any(|other| kind.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(preset: Option<Preset>, claims: &str) -> Option<TokenFault> {
        let claims = crate::json::parse(claims.as_bytes(), 16).unwrap();
        refuse_claims(&claims)
            .and_then(|()| refuse_for(preset, &claims))
            .err()
    }

    #[test]
    fn every_issuer() {
        for (claims, refused) in [
            (r#"{"nonce":"n"}"#, Some("nonce")),
            (r#"{"at_hash":"n"}"#, Some("at_hash")),
            (r#"{"c_hash":null}"#, Some("c_hash")),
            (r#"{"token_use":"ID"}"#, Some("token_use")),
            (r#"{"token_use":"access"}"#, None),
            (r#"{"typ":"Offline"}"#, Some("typ")),
            (r#"{"typ":"Logout"}"#, Some("typ")),
            (r#"{"typ":"Serialized-ID"}"#, Some("typ")),
            (r#"{"typ":"Bearer"}"#, None),
            (r#"{"typ":"car"}"#, None),
            ("{}", None),
        ] {
            let expected = refused.map(TokenFault::NotAnAccessToken);
            assert_eq!(judged(None, claims), expected, "{claims}");
        }
    }

    #[test]
    fn products() {
        for (preset, claims, refused) in [
            (Preset::Cognito, "{}", Some("token_use")),
            (Preset::Cognito, r#"{"token_use":1}"#, Some("token_use")),
            (
                Preset::Cognito,
                r#"{"token_use":"Access"}"#,
                Some("token_use"),
            ),
            (Preset::Cognito, r#"{"token_use":"access"}"#, None),
            (Preset::Keycloak, r#"{"typ":"ID"}"#, Some("typ")),
            (Preset::Keycloak, r#"{"typ":"Action"}"#, Some("typ")),
            (Preset::Keycloak, r#"{"typ":null}"#, Some("typ")),
            (Preset::Keycloak, r#"{"typ":"Bearer"}"#, None),
            (Preset::Keycloak, r#"{"typ":"DPoP"}"#, None),
            (Preset::Keycloak, "{}", None),
            (Preset::Auth0, "{}", None),
            (Preset::Entra, r#"{"typ":"car"}"#, None),
            (Preset::Okta, "{}", None),
        ] {
            let expected = refused.map(TokenFault::NotAnAccessToken);
            assert_eq!(
                judged(Some(preset), claims),
                expected,
                "{preset:?} {claims}"
            );
        }
    }
}
