//! What the example's credentials arrive as.

use std::collections::BTreeSet;

use super::*;
use crate::config::written_secret::from_hex;

fn kind<'c>(config: &'c Config, name: &str) -> &'c AuthenticatorKind {
    let mut all = config.authenticators.iter();
    &all.find(|one| &*one.name == name).unwrap().kind
}

fn jwt<'c>(config: &'c Config, name: &str) -> &'c JwtRules {
    let AuthenticatorKind::Jwt(rules) = kind(config, name) else {
        panic!("a token issuer");
    };
    rules
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn keys_arrive_as_their_digests() {
    let config = full().config;
    let AuthenticatorKind::ApiKey(keys) = kind(&config, "keys") else {
        panic!("keys");
    };
    assert_eq!(keys.header, "x-service-key");
    let [frontend, backend] = keys.keys.as_slice() else {
        panic!("two keys");
    };
    assert_eq!((&*frontend.id, &*backend.id), ("frontend", "backend"));
    // By `sha256sum`.
    let expected = "91cdc884e109cab7e38fd9188340462c24e18a49ffc7d689531ee8b875373631";
    assert_eq!(from_hex(expected), Some(frontend.digest));
    let expected = "49b2d8a33074033240b1c5b840d5d5eb30640448d9f701c96740f44d9c2ec95b";
    assert_eq!(from_hex(expected), Some(backend.digest));
    let grants = Grants {
        roles: set(&["viewer"]),
        groups: set(&["web"]),
        scopes: set(&["files:read"]),
        tenant: "acme".to_owned(),
    };
    assert_eq!(frontend.grants, grants);
    assert_eq!(backend.grants, Grants::default());
    let AuthenticatorKind::ApiKey(more) = kind(&config, "more-keys") else {
        panic!("keys");
    };
    assert_eq!(more.header, "x-api-key");
    assert_eq!(more.keys[0].id, "batch_1");
    assert_eq!(more.keys[0].digest, backend.digest);
    assert_eq!(config.key_headers(), ["x-service-key", "x-api-key"]);
}

#[test]
fn a_static_token_arrives_as_its_digest() {
    let config = full().config;
    let AuthenticatorKind::StaticToken(shared) = kind(&config, "shared") else {
        panic!("a token");
    };
    // By `sha256sum`.
    let expected = "010b1390b67f668298a9b8f471fccf19ef6250cfb2ac14156736ca338a1aa1ad";
    assert_eq!(from_hex(expected), Some(shared.digest));
    assert_eq!(shared.subject, "operator");
    assert_eq!(shared.grants.roles, set(&["admin", "viewer"]));
    assert_eq!(shared.grants.tenant, "acme");
    let AuthenticatorKind::Mtls(mesh) = kind(&config, "mesh") else {
        panic!("certificates");
    };
    assert_eq!(mesh.trust_domains, ["example.org", "prod_1.example.com"]);
}

#[test]
fn an_introspection_arrives() {
    let config = full().config;
    let AuthenticatorKind::Introspection(opaque) = kind(&config, "opaque") else {
        panic!("an introspection");
    };
    assert_eq!(
        opaque.endpoint.as_str(),
        "https://auth.example.com/introspect"
    );
    assert_eq!(opaque.client_id, "rs");
    assert_eq!(opaque.client_secret.expose_secret(), "hunter2");
    assert_eq!(opaque.tokens.issuer, "https://opaque.example");
    assert!(opaque.issuer_is_configured);
    assert_eq!(opaque.tokens.preset, Some(Preset::Okta));
    assert_eq!(opaque.tokens.audiences, ["opaque"]);
    assert_eq!(opaque.tokens.leeway, Duration::from_secs(5));
    assert_eq!(opaque.tokens.scopes.prefix, "opaque:");
    assert!(opaque.tokens.dpop.nonce && !opaque.tokens.dpop.required);
    let text = "
authenticators: [{name: a, type: introspection, endpoint: https://a.example, client_id: b, client_secret: c}]
resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]
";
    let config = parsed(text).unwrap().config;
    let AuthenticatorKind::Introspection(rules) = kind(&config, "a") else {
        panic!("an introspection");
    };
    assert_eq!(rules.tokens.issuer, "a");
    assert!(!rules.issuer_is_configured);
}

#[test]
fn presets_fill_in_what_is_not_written() {
    let config = full().config;
    let partner = &jwt(&config, "partner").tokens;
    assert_eq!(partner.preset, Some(Preset::Keycloak));
    let name = |name: &str| vec![ClaimPath::Name(name.to_owned())];
    assert_eq!(partner.claims.groups, name("teams"));
    assert_eq!(partner.claims.client_id, name("azp"));
    assert_eq!(partner.claims.roles, name("realm_access.roles"));
    assert_eq!(jwt(&config, "corp").tokens.preset, None);
}

#[test]
fn profiles_proofs_and_secrets_arrive() {
    let config = full().config;
    let corp = jwt(&config, "corp");
    assert!(corp.tokens.dpop.required && corp.tokens.dpop.nonce);
    assert!(!corp.rfc9068);
    let partner = jwt(&config, "partner");
    assert!(partner.rfc9068);
    assert_eq!(partner.token_types, ["at+jwt"]);
    assert_eq!(partner.tokens.dpop, DpopRules::default());
    let legacy = jwt(&config, "legacy");
    let mut algorithms = Algorithm::ASYMMETRIC.to_vec();
    algorithms.extend([Algorithm::Hs256, Algorithm::Hs384]);
    assert_eq!(legacy.algorithms, algorithms);
    let KeyOrigin::Local(keys) = &legacy.keys else {
        panic!("from the file");
    };
    let LocalMaterial::Secret(secret) = &keys[0].material else {
        panic!("a secret");
    };
    assert_eq!(
        secret.expose_secret(),
        "hunter2-0123456789-0123456789-0123456789"
    );
    assert!(matches!(keys[2].material, LocalMaterial::Pem(_)));
}

#[test]
fn development_tokens_bring_their_authenticator_along() {
    let text = files::text(&fixtures().join("dev.yaml"), LARGEST).unwrap();
    let Loaded { config, warnings } = parsed(&text).unwrap();
    assert_eq!(warnings, []);
    let tokens = config.dev_tokens.as_ref().unwrap();
    assert_eq!(tokens.lifetime, Duration::from_secs(900));
    assert_eq!(tokens.clients[0].client_id, "alice");
    assert_eq!(
        tokens.clients[0].subject.as_deref(),
        Some("alice@example.com")
    );
    assert_eq!(tokens.clients[0].grants.roles, set(&["viewer"]));
    assert_eq!(tokens.clients[1].subject, None);
    let secret = &tokens.clients[1].client_secret;
    assert_eq!(secret.expose_secret(), "hunter2-and-more");
    let rules = jwt(&config, DEV_AUTHENTICATOR);
    assert_eq!(rules.tokens.issuer, DEV_ISSUER);
    assert!(matches!(rules.keys, KeyOrigin::Development));
    assert_eq!(rules.token_types, [DEV_TOKEN_TYPE]);
    assert_eq!(rules.algorithms, [Algorithm::Es256]);
    let accepted: Vec<_> = config
        .resources
        .iter()
        .map(|one| one.authenticators.clone())
        .collect();
    assert_eq!(accepted, [[0], [0]]);
    let hour = text.replace("lifetime: 15m", "lifetime: null");
    let config = parsed(&hour).unwrap().config;
    assert_eq!(
        config.dev_tokens.unwrap().lifetime,
        Duration::from_secs(3_600)
    );
}
