//! What a product's tokens say when a client acts for itself.

use crate::config::Preset;
use crate::json::StrictValue;

/// Whether the issuer says that this is a client's own token, beside what every issuer says by
/// making client and subject the same. Only signs that a user cannot bring about count: whoever
/// bears one is taken for the client.
pub(super) fn is_client(
    claims: &StrictValue,
    preset: Option<Preset>,
    subject: Option<&str>,
    client_id: Option<&str>,
) -> bool {
    let text = |name: &str| claims.get(name).and_then(StrictValue::as_text);
    let granted = || text("gty") == Some("client-credentials");
    let app = || text("idtyp") == Some("app");
    match preset {
        None => granted() || app(),
        // The profile of RFC 9068 has no `gty`; the subject is `<client id>@clients` in both.
        Some(Preset::Auth0) => granted() || is_named_after(subject, client_id),
        Some(Preset::Entra) => app(),
        Some(Preset::Keycloak) => is_service_account(&text),
        // Client and subject are the same.
        Some(Preset::Okta | Preset::Cognito) => false,
    }
}

fn is_named_after(subject: Option<&str>, client_id: Option<&str>) -> bool {
    subject
        .and_then(|subject| subject.strip_suffix("@clients"))
        .is_some_and(|client| Some(client) == client_id)
}

/// A service account is a user of a name that Keycloak makes, in lower case. Somebody may have
/// registered under such a name; but the client's id in a claim of its own (`clientId` in older
/// versions) comes from the session of a service account only.
fn is_service_account<'a>(text: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let Some(client) = text("azp") else {
        return false;
    };
    let named = text("client_id").or_else(|| text("clientId"));
    let user = text("preferred_username").and_then(|name| name.strip_prefix("service-account-"));
    named == Some(client) && user == Some(client.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_own_sign() {
        let keycloak =
            r#"{"azp":"App","client_id":"App","preferred_username":"service-account-app"}"#;
        let older = r#"{"azp":"App","clientId":"App","preferred_username":"service-account-app"}"#;
        let squatter = r#"{"azp":"App","preferred_username":"service-account-app"}"#;
        let other = r#"{"azp":"App","client_id":"x","preferred_username":"service-account-app"}"#;
        let user = r#"{"azp":"App","client_id":"App","preferred_username":"alice"}"#;
        let (gty, idtyp) = (r#"{"gty":"client-credentials"}"#, r#"{"idtyp":"app"}"#);
        for (claims, presets) in [
            (gty, &[None, Some(Preset::Auth0)][..]),
            (r#"{"gty":"password"}"#, &[]),
            (r#"{"gty":["client-credentials"]}"#, &[]),
            (idtyp, &[None, Some(Preset::Entra)]),
            (r#"{"idtyp":"user"}"#, &[]),
            (keycloak, &[Some(Preset::Keycloak)]),
            (older, &[Some(Preset::Keycloak)]),
            (squatter, &[]),
            (other, &[]),
            (user, &[]),
            ("{}", &[]),
        ] {
            let read = crate::json::parse(claims.as_bytes(), 16).unwrap();
            for preset in [
                None,
                Some(Preset::Keycloak),
                Some(Preset::Auth0),
                Some(Preset::Entra),
                Some(Preset::Okta),
                Some(Preset::Cognito),
            ] {
                assert_eq!(
                    is_client(&read, preset, Some("s"), Some("App")),
                    presets.contains(&preset),
                    "{preset:?} {claims}"
                );
            }
        }
    }

    #[test]
    fn auth0_names_the_subject_after_the_client() {
        let none = crate::json::parse(b"{}", 16).unwrap();
        for (subject, client, expected) in [
            (Some("a@clients"), Some("a"), true),
            (Some("b@clients"), Some("a"), false),
            (Some("@clients"), None, false),
            (Some("a"), Some("a@clients"), false),
            (None, Some("a"), false),
        ] {
            let found = is_client(&none, Some(Preset::Auth0), subject, client);
            assert_eq!(found, expected, "{subject:?}");
            assert!(!is_client(&none, None, subject, client));
        }
    }
}
