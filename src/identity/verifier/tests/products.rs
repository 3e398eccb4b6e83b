//! Whole tokens as products issue them: a user's, a client's, and the ID token beside them.

use super::*;
use crate::config::ClaimPath;
use crate::config::ClaimPaths;
use crate::config::Preset;
use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// The rules that a preset stands for.
fn rules_of(preset: Preset, issuer: &str) -> JwtRules {
    let names = |list: &[&str]| -> Vec<ClaimPath> {
        list.iter().map(|n| ClaimPath::Name((*n).into())).collect()
    };
    let plain = ClaimPaths::default();
    let claims = match preset {
        Preset::Keycloak => ClaimPaths {
            roles: names(&["realm_access.roles"]),
            client_id: names(&["azp", "client_id"]),
            ..plain
        },
        Preset::Auth0 => ClaimPaths {
            client_id: names(&["azp", "client_id"]),
            tenant: names(&["org_id"]),
            ..plain
        },
        Preset::Entra => ClaimPaths {
            scopes: names(&["scp"]),
            client_id: names(&["azp", "appid"]),
            tenant: names(&["tid"]),
            ..plain
        },
        Preset::Okta => ClaimPaths {
            client_id: names(&["cid"]),
            scopes: names(&["scp"]),
            ..plain
        },
        Preset::Cognito => ClaimPaths {
            roles: names(&["cognito:groups"]),
            groups: names(&["cognito:groups"]),
            client_id: names(&["client_id"]),
            ..plain
        },
    };
    let mut rules = rules();
    rules.tokens.preset = Some(preset);
    rules.tokens.issuer = issuer.into();
    rules.tokens.claims = claims;
    rules
}

/// Judges the claims of a product, with times of now.
fn judged(preset: Preset, claims: &Value) -> Result<Principal, VerifyError> {
    let rules = rules_of(preset, claims["iss"].as_str().unwrap());
    let times = json!({"exp": NOW + 300, "iat": NOW - 5});
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    let token = testing::p256().token(Algorithm::Es256, &header, &with(claims.clone(), &times));
    check(&token, &keys(), &rules).map(|token| (*token.principal).clone())
}

fn proved(preset: Preset, claims: &Value) -> Principal {
    judged(preset, claims).unwrap()
}

fn other_kind(name: &'static str) -> VerifyError {
    TokenFault::NotAnAccessToken(name).into()
}

#[test]
fn keycloak() {
    let issuer = "https://sso.example/realms/demo";
    let user = json!({
        "iss": issuer, "jti": "onrtac:6f6e1c3e", "aud": ["mcp", "account"],
        "sub": "0d1f9d1c-3a42-4b58-9a20-6b6b4b0e6c11", "typ": "Bearer", "azp": "Web-App",
        "sid": "c0ffee", "acr": "1", "allowed-origins": ["https://app.example"],
        "realm_access": {"roles": ["offline_access", "editor"]},
        "resource_access": {"account": {"roles": ["view-profile"]}},
        "scope": "openid profile email", "email_verified": true, "name": "Ada Example",
        "preferred_username": "ada", "given_name": "Ada", "family_name": "Example",
        "email": "ada@example.com",
    });
    let ada = proved(Preset::Keycloak, &user);
    assert_eq!(ada.kind, PrincipalKind::User);
    assert_eq!(
        ada.id,
        format!("{issuer}#0d1f9d1c-3a42-4b58-9a20-6b6b4b0e6c11")
    );
    assert_eq!(
        (&*ada.client_id, &*ada.email),
        ("Web-App", "ada@example.com")
    );
    assert!(ada.roles.iter().eq(["editor", "offline_access"]));
    assert!(ada.audience.iter().eq(["account", "mcp"]));
    assert!(ada.claims["resource_access.account.roles"].contains("view-profile"));

    let service = json!({
        "iss": issuer, "jti": "trrtcc:1f0e", "aud": "mcp",
        "sub": "5b0e7a60-77c1-4a39-8a51-0a1d5c2f9e02", "typ": "Bearer", "azp": "Batch-Job",
        "acr": "1", "realm_access": {"roles": ["runner"]}, "scope": "profile email",
        "email_verified": false, "clientHost": "10.0.0.7", "clientAddress": "10.0.0.7",
        "preferred_username": "service-account-batch-job", "client_id": "Batch-Job",
    });
    let job = proved(Preset::Keycloak, &service);
    assert_eq!(job.kind, PrincipalKind::Client);
    assert_eq!(job.id, format!("{issuer}#Batch-Job"));
    // Somebody who registered under the name of a service account is a user.
    let squatter = with(service.clone(), &json!({"client_id": null}));
    assert_eq!(
        proved(Preset::Keycloak, &squatter).kind,
        PrincipalKind::User
    );

    for (typ, name) in [("ID", "typ"), ("Refresh", "typ"), ("Logout", "typ")] {
        let other = with(user.clone(), &json!({ "typ": typ }));
        assert_eq!(
            judged(Preset::Keycloak, &other).err(),
            Some(other_kind(name))
        );
    }
}

#[test]
fn auth0() {
    let issuer = "https://tenant.eu.auth0.com/";
    let user = json!({
        "iss": issuer, "sub": "auth0|65f0c0ffee65f0c0ffee65f0",
        "aud": ["https://api.example", "https://tenant.eu.auth0.com/userinfo"],
        "scope": "openid profile read:files", "org_id": "org_9yOzBv1", "azp": "kRz3webapp",
        "permissions": ["read:files"],
    });
    let ada = proved(Preset::Auth0, &user);
    assert_eq!(ada.kind, PrincipalKind::User);
    assert_eq!(ada.tenant, "org_9yOzBv1");
    assert_eq!(ada.client_id, "kRz3webapp");
    assert!(ada.scopes.contains("read:files"));
    assert!(ada.claims["permissions"].contains("read:files"));

    let client = json!({
        "iss": issuer, "sub": "m2mClient42@clients", "aud": "https://api.example",
        "gty": "client-credentials", "azp": "m2mClient42", "scope": "read:files",
    });
    let profiled = json!({
        "iss": issuer, "sub": "m2mClient42@clients", "aud": "https://api.example",
        "client_id": "m2mClient42", "jti": "8sK", "scope": "read:files",
    });
    for claims in [client, profiled] {
        let client = proved(Preset::Auth0, &claims);
        assert_eq!(client.kind, PrincipalKind::Client, "{claims}");
        assert_eq!(client.id, format!("{issuer}#m2mClient42"));
    }

    let id_token = json!({
        "iss": issuer, "sub": "auth0|65f0c0ffee65f0c0ffee65f0", "aud": "kRz3webapp",
        "nickname": "ada", "name": "Ada Example", "picture": "https://img.example/a",
        "updated_at": "2026-01-01T00:00:00.000Z", "email": "ada@example.com",
        "email_verified": true, "sid": "wQ", "nonce": "bm9uY2U",
    });
    assert_eq!(
        judged(Preset::Auth0, &id_token).err(),
        Some(other_kind("nonce"))
    );
}

#[test]
fn entra() {
    let tenant = "7a5c1b5e-1111-4222-8333-9f0e0d0c0b0a";
    let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let user = json!({
        "iss": issuer, "aud": "api://mcp", "nbf": NOW - 5, "aio": "AWQA", "azp": "11111111-app",
        "azpacr": "1", "groups": ["g-1", "g-2"], "name": "Ada Example", "oid": "0000-ada",
        "preferred_username": "ada@example.com", "rh": "0.A", "roles": ["Files.Editor"],
        "scp": "Files.Read Files.Write", "sub": "pairwise-ada", "tid": tenant, "uti": "u1",
        "ver": "2.0", "idtyp": "user",
    });
    let ada = proved(Preset::Entra, &user);
    assert_eq!(ada.kind, PrincipalKind::User);
    assert_eq!(ada.id, format!("{issuer}#pairwise-ada"));
    assert_eq!(ada.tenant, tenant);
    assert!(ada.scopes.iter().eq(["Files.Read", "Files.Write"]));
    assert!(ada.roles.iter().eq(["Files.Editor"]));
    assert!(ada.groups.iter().eq(["g-1", "g-2"]));
    assert!(ada.claims["oid"].contains("0000-ada"));

    // The first version has other names for the client and the issuer.
    let older = format!("https://sts.windows.net/{tenant}/");
    for (iss, client) in [(issuer.as_str(), "azp"), (older.as_str(), "appid")] {
        let app = json!({
            "iss": iss, "aud": "api://mcp", "nbf": NOW - 5, client: "22222222-daemon",
            "idtyp": "app", "oid": "0000-sp", "roles": ["Files.Run"], "sub": "0000-sp",
            "tid": tenant, "uti": "u2",
        });
        let app = proved(Preset::Entra, &app);
        assert_eq!(app.kind, PrincipalKind::Client);
        assert_eq!(app.id, format!("{iss}#22222222-daemon"));
    }

    let id_token = json!({
        "iss": issuer, "aud": "11111111-app", "nbf": NOW - 5, "aio": "AWQA", "name": "Ada Example",
        "nonce": "678910", "oid": "0000-ada", "preferred_username": "ada@example.com", "rh": "0.A",
        "sub": "pairwise-ada", "tid": tenant, "uti": "u3", "ver": "2.0",
    });
    assert_eq!(
        judged(Preset::Entra, &id_token).err(),
        Some(other_kind("nonce"))
    );
}

#[test]
fn okta() {
    let issuer = "https://dev.okta.com/oauth2/aus1abc";
    let user = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer,
        "aud": "api://mcp", "cid": "0oaWebApp", "uid": "00uAda", "scp": ["openid", "files.read"],
        "auth_time": NOW - 60, "sub": "ada@example.com", "groups": ["Everyone", "Editors"],
    });
    let ada = proved(Preset::Okta, &user);
    assert_eq!(ada.kind, PrincipalKind::User);
    assert_eq!(ada.id, format!("{issuer}#ada@example.com"));
    assert_eq!(ada.client_id, "0oaWebApp");
    assert!(ada.scopes.iter().eq(["files.read", "openid"]));
    assert!(ada.groups.iter().eq(["Editors", "Everyone"]));

    let client = json!({
        "ver": 1, "jti": "AT.c2", "iss": issuer, "aud": "api://mcp", "cid": "0oaBatch",
        "scp": ["files.run"], "sub": "0oaBatch",
    });
    let client = proved(Preset::Okta, &client);
    assert_eq!(client.kind, PrincipalKind::Client);
    assert_eq!(client.id, format!("{issuer}#0oaBatch"));

    let id_token = json!({
        "sub": "00uAda", "name": "Ada Example", "ver": 1, "iss": issuer, "aud": "0oaWebApp",
        "jti": "ID.4eAWJOCMB3SX8XewDfVR", "amr": ["pwd"], "idp": "00ok1u7AsAkrwdZL3z0g3",
        "preferred_username": "ada@example.com", "auth_time": NOW - 60,
        "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
    });
    assert_eq!(
        judged(Preset::Okta, &id_token).err(),
        Some(other_kind("at_hash"))
    );
}

#[test]
fn cognito() {
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Pool";
    let user = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "device_key": "eu-west-1_d",
        "cognito:groups": ["admins", "editors"], "iss": issuer, "version": 2,
        "client_id": "1example23456789", "origin_jti": "o1", "event_id": "e1",
        "token_use": "access", "scope": "openid files/read", "auth_time": NOW - 60, "jti": "j1",
        "username": "ada",
    });
    let ada = proved(Preset::Cognito, &user);
    assert_eq!(ada.kind, PrincipalKind::User);
    assert_eq!(
        ada.id,
        format!("{issuer}#aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
    );
    assert!(ada.roles.iter().eq(["admins", "editors"]));
    assert!(ada.groups.iter().eq(["admins", "editors"]));
    assert!(ada.audience.iter().eq(["1example23456789"]), "the client");
    // With resource binding there is an audience, and it is the one that counts.
    let bound = with(user.clone(), &json!({"aud": "https://mcp.example/mcp"}));
    let bound = proved(Preset::Cognito, &bound);
    assert!(bound.audience.iter().eq(["https://mcp.example/mcp"]));
    let odd = with(user.clone(), &json!({"aud": []}));
    assert_eq!(
        judged(Preset::Cognito, &odd).err(),
        Some(VerifyError::Refused(TokenFault::ClaimMalformed("aud")))
    );

    let client = json!({
        "sub": "2example98765432", "token_use": "access", "scope": "files/run",
        "auth_time": NOW - 5, "iss": issuer, "version": 2, "jti": "j2",
        "client_id": "2example98765432",
    });
    let client = proved(Preset::Cognito, &client);
    assert_eq!(client.kind, PrincipalKind::Client);
    assert_eq!(client.id, format!("{issuer}#2example98765432"));

    let id_token = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["admins"],
        "email_verified": true, "iss": issuer, "cognito:username": "ada", "origin_jti": "o1",
        "aud": "1example23456789", "event_id": "e1", "token_use": "id", "auth_time": NOW - 60,
        "jti": "j3", "email": "ada@example.com",
    });
    assert_eq!(
        judged(Preset::Cognito, &id_token).err(),
        Some(other_kind("token_use"))
    );
    let unmarked = with(user, &json!({"token_use": null}));
    assert_eq!(
        judged(Preset::Cognito, &unmarked).err(),
        Some(other_kind("token_use"))
    );
}

#[test]
fn a_sign_of_one_product_means_nothing_to_another() {
    let claims = json!({
        "iss": ISSUER, "sub": "s", "aud": "a", "azp": "app", "client_id": "app", "cid": "app",
        "gty": "client-credentials", "token_use": "access",
    });
    for preset in [
        Preset::Keycloak,
        Preset::Entra,
        Preset::Okta,
        Preset::Cognito,
    ] {
        let principal = proved(preset, &claims);
        assert_eq!(principal.kind, PrincipalKind::User, "{preset:?}");
        assert_eq!(principal.client_id, "app", "{preset:?}");
    }
    assert_eq!(proved(Preset::Auth0, &claims).kind, PrincipalKind::Client);
}
