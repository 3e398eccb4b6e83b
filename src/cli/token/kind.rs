//! What kind of token somebody holds, by the signs that issuers give.

use crate::cli::token::reading::Jose;
use crate::identity::gate;
use crate::json::StrictValue;

/// A kind: a word for programs, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) meaning: &'static str,
}

const fn kind(word: &'static str, meaning: &'static str) -> Kind {
    Kind { word, meaning }
}

pub(super) const OPAQUE: Kind = kind(
    "opaque",
    "an opaque token: only its issuer can say what it means (RFC 7662, introspection)",
);

const ENCRYPTED: Kind = kind(
    "encrypted",
    "an encrypted token (JWE): only the holder of the key can read its claims",
);

const ID_TOKEN: Kind = kind(
    "id_token",
    "an ID token: it tells a client who has logged in, and no server accepts it; send the access token",
);

const REFRESH_TOKEN: Kind = kind(
    "refresh_token",
    "a refresh token: it is for the authorization server alone; send the access token",
);

/// The kind, by `typ` first and by the claims where that says nothing.
pub(super) fn of(jose: &Jose) -> Kind {
    if jose.encrypted {
        return ENCRYPTED;
    }
    let declared = jose.header.text("typ").map(gate::canonical_type);
    match declared.as_deref() {
        Some("at+jwt") => kind("access_token", "an access token (RFC 9068)"),
        Some("dpop+jwt") => kind(
            "dpop_proof",
            "a DPoP proof (RFC 9449): it goes beside an access token, in the header `DPoP`",
        ),
        Some("logout+jwt") => kind("logout_token", "a logout token: it is for clients"),
        Some("secevent+jwt") => kind("security_event", "a security event token (RFC 8417)"),
        Some("oauth-id-jag+jwt") => kind(
            "id_jag",
            "an identity assertion grant: it is exchanged for an access token",
        ),
        Some("token-introspection+jwt") => kind(
            "introspection",
            "the answer to an introspection (RFC 9701), not a token",
        ),
        Some("oauth-authz-req+jwt") => kind(
            "authorization_request",
            "a request to an authorization server (RFC 9101), not a token",
        ),
        Some("client-authentication+jwt") => kind(
            "client_assertion",
            "a client's proof to an authorization server, not a token",
        ),
        Some(_) | None => by_claims(jose),
    }
}

fn by_claims(jose: &Jose) -> Kind {
    let says = |name: &str, value: &str| {
        jose.claims
            .text(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let has = |name: &str| jose.claims.get(name).is_some();
    if says("token_use", "id") || says("typ", "ID") {
        return ID_TOKEN;
    }
    if says("token_use", "refresh") || says("typ", "Refresh") || says("typ", "Offline") {
        return REFRESH_TOKEN;
    }
    if has("nonce") || has("at_hash") || has("c_hash") {
        return ID_TOKEN;
    }
    if says("token_use", "access")
        || says("typ", "Bearer")
        || ["scope", "scp", "client_id", "azp"].into_iter().any(has)
    {
        return kind(
            "access_token",
            "an access token by its claims; `typ` does not say so",
        );
    }
    kind(
        "jwt",
        "a JWT; neither `typ` nor its claims say what it is for",
    )
}

/// What the token is bound to (`cnf`, RFC 7800).
pub(super) fn bindings(jose: &Jose) -> Vec<&'static str> {
    let members = jose.claims.get("cnf").and_then(StrictValue::as_object);
    let members = members.unwrap_or_default();
    let known = members.iter().map(|(name, _)| match name.as_str() {
        "jkt" => "a DPoP key (RFC 9449): each request needs a proof made with that key",
        "x5t#S256" => "a client certificate (RFC 8705): it is good on that connection only",
        _ => "a key in a way that is not known here, so that no sidecar accepts it",
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::cli::token::reading;
    use crate::cli::token::reading::Reading;

    fn jose(header: &str, claims: &str) -> Jose {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let text = format!("{}.{}.AAAA", encode(header), encode(claims));
        match reading::read(&text) {
            Reading::Jose(jose) => *jose,
            other @ (Reading::Opaque | Reading::Document { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn issuers_give_signs() {
        for (header, claims, word) in [
            (r#"{"typ":"at+jwt"}"#, "{}", "access_token"),
            (
                r#"{"typ":"application/AT+JWT"}"#,
                r#"{"nonce":"n"}"#,
                "access_token",
            ),
            (r#"{"typ":"dpop+jwt"}"#, "{}", "dpop_proof"),
            (r#"{"typ":"logout+jwt"}"#, "{}", "logout_token"),
            (r#"{"typ":"secevent+jwt"}"#, "{}", "security_event"),
            (r#"{"typ":"oauth-id-jag+jwt"}"#, "{}", "id_jag"),
            (
                r#"{"typ":"token-introspection+jwt"}"#,
                "{}",
                "introspection",
            ),
            (
                r#"{"typ":"oauth-authz-req+jwt"}"#,
                "{}",
                "authorization_request",
            ),
            (
                r#"{"typ":"client-authentication+jwt"}"#,
                "{}",
                "client_assertion",
            ),
            (r#"{"typ":"JWT"}"#, r#"{"nonce":"n","azp":"a"}"#, "id_token"),
            ("{}", r#"{"at_hash":"n"}"#, "id_token"),
            ("{}", r#"{"token_use":"id"}"#, "id_token"),
            ("{}", r#"{"typ":"Refresh","nonce":"n"}"#, "refresh_token"),
            ("{}", r#"{"token_use":"access"}"#, "access_token"),
            ("{}", r#"{"typ":"Bearer"}"#, "access_token"),
            ("{}", r#"{"scp":[]}"#, "access_token"),
            ("{}", r#"{"sub":"alice"}"#, "jwt"),
            (r#"{"typ":1}"#, "{}", "jwt"),
        ] {
            assert_eq!(of(&jose(header, claims)).word, word, "{header} {claims}");
        }
    }

    #[test]
    fn bindings_are_named() {
        let both = jose("{}", r#"{"cnf":{"jkt":"x","x5t#S256":"y","jwk":{}}}"#);
        let named = bindings(&both);
        assert!(named[0].contains("DPoP") && named[1].contains("certificate"));
        assert!(named[2].contains("not known"));
        assert!(bindings(&jose("{}", r#"{"cnf":"x"}"#)).is_empty());
    }
}
