//! Where keys come from: discovered, configured, or nowhere.

use serde_json::json;

use super::*;
use crate::config::Algorithm;
use crate::config::LocalKey;

#[tokio::test]
async fn the_place_of_the_keys_is_discovered() {
    let server = Server::start(|_| Answer::Bytes(response("404 Not Found", &[], b""))).await;
    let issuer = format!("{}/realm", server.base);
    let metadata = json!({"issuer": issuer, "jwks_uri": server.url("/jwks").as_str()}).to_string();
    let script = move |path: &str| match path {
        "/.well-known/oauth-authorization-server/realm" => ok(&metadata),
        "/jwks" => ok(&first()),
        _ => Answer::Bytes(response("404 Not Found", &[], b"")),
    };
    server.answer(script);
    let mut rules = rules(&server);
    rules.tokens.issuer.clone_from(&issuer);
    rules.keys = KeyOrigin::Discovery(Remote {
        ca_pem: None,
        insecure_allow_http: true,
    });
    let (source, _) = start(&rules, eager());
    until(|| source.status() == KeyStatus::Fresh).await;
    assert_eq!(source.refresh(LONG).await, Refresh::Fetched);
    let asked: Vec<String> = server
        .heads()
        .iter()
        .map(|head| head.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            "/realm/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/realm",
            "/jwks",
            "/jwks",
        ]
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_brings_no_keys() {
    let server = Server::start(|_| Answer::Hang).await;
    let metadata =
        json!({"issuer": format!("{}/", server.base), "jwks_uri": server.url("/jwks").as_str()});
    let metadata = metadata.to_string();
    server.answer(move |path| ok(if path == "/jwks" { "{}" } else { &metadata }));
    let mut rules = rules(&server);
    rules.tokens.issuer.clone_from(&server.base);
    rules.keys = KeyOrigin::Discovery(Remote {
        ca_pem: None,
        insecure_allow_http: true,
    });
    let (source, seen) = start(&rules, eager());
    until(|| !seen.outcomes.lock().unwrap().is_empty()).await;
    assert_eq!(seen.outcomes.lock().unwrap()[0], "discovery");
    assert_eq!(source.status(), KeyStatus::Loading);
    assert!(server.heads().iter().all(|head| !head.contains("/jwks")));
}

#[tokio::test]
async fn what_cannot_be_configured_is_an_error_at_start() {
    let seen = Arc::new(Seen::default());
    let mut rules = tokens::rules();
    let remote = Remote {
        ca_pem: None,
        insecure_allow_http: false,
    };
    for keys in [
        KeyOrigin::JwksUri("http://issuer.example/k".parse().unwrap(), remote.clone()),
        KeyOrigin::JwksUri("https://169.254.169.254/k".parse().unwrap(), remote),
        KeyOrigin::Local(Vec::new()),
    ] {
        rules.keys = keys;
        assert!(open(&"corp".into(), &rules, seen.surroundings()).is_err());
    }
    assert!(seen.sets().is_empty());
}

#[tokio::test]
async fn local_keys_are_published_at_once() {
    let seen = Arc::new(Seen::default());
    let mut rules = tokens::rules();
    rules.keys = KeyOrigin::Local(vec![LocalKey {
        material: crate::config::LocalMaterial::Pem(tokens::p256().public_pem().into_bytes()),
        algorithm: Algorithm::Es256,
        kid: None,
    }]);
    let source = open(&"corp".into(), &rules, seen.surroundings()).unwrap();
    assert_eq!(seen.sets(), [(1, 1)]);
    assert_eq!(source.status(), KeyStatus::Fresh);
    assert_eq!(source.refresh(LONG).await, Refresh::CoolingDown);
}
