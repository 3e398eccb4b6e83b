//! Where keys come from: discovered, configured, or nowhere.

use serde_json::json;
use url::Url;

use super::*;
use crate::config::Algorithm;
use crate::config::LocalKey;

fn discovered(server: &Server, issuer: &str) -> JwtRules {
    let mut rules = rules(server);
    issuer.clone_into(&mut rules.tokens.issuer);
    rules.keys = KeyOrigin::Discovery(Remote {
        ca_pem: None,
        insecure_allow_http: true,
    });
    rules
}

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
    let (source, _) = start(&discovered(&server, &issuer), eager());
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
    let (source, seen) = start(&discovered(&server, &server.base), eager());
    until(|| !seen.outcomes.lock().unwrap().is_empty()).await;
    assert_eq!(seen.outcomes.lock().unwrap()[0], "discovery");
    assert_eq!(source.status(), KeyStatus::Loading);
    assert!(server.heads().iter().all(|head| !head.contains("/jwks")));
}

#[tokio::test]
async fn the_third_place_is_asked_last() {
    let server = Server::start(|_| Answer::Hang).await;
    let issuer = format!("{}/realm", server.base);
    let metadata = json!({"issuer": issuer, "jwks_uri": server.url("/jwks").as_str()}).to_string();
    let page = response("200 OK", &["content-type: text/html"], b"<html>");
    server.answer(move |path| match path {
        "/.well-known/openid-configuration/realm" => ok(&metadata),
        "/.well-known/oauth-authorization-server/realm" => Answer::Bytes(page.clone()),
        "/jwks" => ok(&first()),
        _ => Answer::Bytes(response("404 Not Found", &[], b"")),
    });
    let (source, _) = start(&discovered(&server, &issuer), eager());
    until(|| source.status() == KeyStatus::Fresh).await;
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn keys_that_move_to_another_host_are_told_of_once() {
    let hour = Duration::from_secs(3_600);
    let server = Server::start(|_| Answer::Hang).await;
    let other = Server::start(|_| ok(&second())).await;
    let point_to = |uri: &Url| {
        let metadata = json!({"issuer": server.base, "jwks_uri": uri.as_str()}).to_string();
        server.answer(move |path| ok(if path == "/jwks" { "{}" } else { &metadata }));
    };
    point_to(&server.url("/jwks"));
    let mut origin = Origin::new(&discovered(&server, &server.base)).unwrap();
    for (now, uri, moved) in [
        (0, server.url("/jwks"), None),
        (1, server.url("/jwks"), None),
        (2, server.url("/other"), None),
        (3, other.url("/jwks"), Some((&server.base, &other.base))),
        (4, other.url("/jwks"), None),
        (5, server.url("/jwks"), Some((&other.base, &server.base))),
    ] {
        point_to(&uri);
        assert!(origin.load(hour * now).await.is_ok());
        let moved = moved.map(|(from, to)| (from.clone(), to.clone()));
        assert_eq!(origin.take_move(), moved, "{now}");
        assert_eq!(origin.take_move(), None);
    }
}

#[tokio::test]
async fn four_attempts_at_once_and_no_more() {
    let server = Server::start(|_| Answer::Hang).await;
    let turns = Arc::new(Semaphore::new(MAX_ATTEMPTS));
    let seen = Arc::new(Seen::default());
    let timing = Timing {
        attempt: Duration::from_millis(300),
        ..Timing::default()
    };
    let sources: Vec<JwksSource> = (0..6)
        .map(|_| {
            let terms = Terms {
                timing,
                turns: Arc::clone(&turns),
            };
            let origin = Origin::new(&rules(&server)).unwrap();
            JwksSource::start(&"corp".into(), origin, seen.surroundings(), terms)
        })
        .collect();
    until(|| server.heads().len() >= MAX_ATTEMPTS).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.heads().len(), MAX_ATTEMPTS);
    until(|| server.heads().len() == 6).await;
    drop(sources);
    until(|| turns.available_permits() == MAX_ATTEMPTS).await;
}

/// The keys of an issuer must not depend on how many others hang.
#[tokio::test]
async fn issuers_that_hang_do_not_hold_up_one_that_answers() {
    let hanging = Server::start(|_| Answer::Hang).await;
    let good = Server::start(|_| ok(&set(&[tokens::p256().named("k")]))).await;
    let turns = Arc::new(Semaphore::new(MAX_ATTEMPTS));
    let seen = Arc::new(Seen::default());
    let start = |server: &Server| {
        let timing = Timing {
            turn: Duration::from_millis(50),
            ..Timing::default()
        };
        let terms = Terms {
            timing,
            turns: Arc::clone(&turns),
        };
        let origin = Origin::new(&rules(server)).unwrap();
        JwksSource::start(&"corp".into(), origin, seen.surroundings(), terms)
    };
    let _hang: Vec<JwksSource> = (0..8).map(|_| start(&hanging)).collect();
    until(|| hanging.heads().len() >= MAX_ATTEMPTS).await;
    let source = start(&good);
    let fresh = until(|| source.status() == KeyStatus::Fresh);
    let soon = tokio::time::timeout(Duration::from_secs(2), fresh).await;
    assert!(soon.is_ok(), "before any of the others has failed");
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
        KeyOrigin::Development,
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
