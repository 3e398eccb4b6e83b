//! Opaque tokens, which only their issuer can read (RFC 7662).

use std::thread;
use std::time::Duration;

use crate::OTHER;
use crate::RESOURCE;
use crate::forecast;
use crate::refused;
use crate::sidecar;
use crate::support::ask::Ask;
use crate::support::ask::Verdict;
use crate::support::authorization_server::AuthorizationServer;
use crate::support::dpop::DpopKey;
use crate::support::envoy::poll;
use crate::told;

fn issuer() -> AuthorizationServer {
    AuthorizationServer::start(&["--opaque", RESOURCE, "--opaque", OTHER])
}

/// The resource server `rs` asks.
fn introspection(issuer: &AuthorizationServer) -> String {
    with_secret(issuer, "rs-secret")
}

fn with_secret(issuer: &AuthorizationServer, secret: &str) -> String {
    let issuer = issuer.issuer();
    format!(
        "name: opaque, type: introspection, issuer: \"{issuer}\", \
         endpoint: \"{issuer}/token/introspection\", client_id: rs, client_secret: {secret}, \
         insecure_allow_http: true, leeway: 0s"
    )
}

fn unavailable(verdict: &Verdict, why: &str) {
    let found = (verdict.reason.as_str(), verdict.status);
    assert_eq!(found, ("issuer_unavailable", 503), "{why}: {verdict:?}");
    assert!(!verdict.header("retry-after").is_empty(), "{why}");
}

#[test]
fn an_opaque_token_is_asked_about_once() {
    let issuer = issuer();
    let sidecar = sidecar(&introspection(&issuer));
    let asker = sidecar.asker();
    let token = issuer.token("svc-viewer", "", RESOURCE);
    assert!(!token.contains('.'), "opaque");
    for _ in 0..3 {
        let verdict = asker.both(&forecast().bearer(&token));
        assert_eq!(verdict.reason, "allowed", "{verdict:?}");
        assert_eq!(told(&verdict, "x-cedargate-client-id"), "svc-viewer");
        assert_eq!(told(&verdict, "x-cedargate-roles"), "viewer");
        assert_eq!(told(&verdict, "x-cedargate-issuer"), issuer.issuer());
    }
    let more = Ask::call("set_alert").bearer(&token);
    assert_eq!(asker.both(&more).reason, "insufficient_scope");
    assert_eq!(issuer.hits("introspection"), 1, "the answer is remembered");

    let many: Vec<Ask> = vec![forecast().bearer(&issuer.token("svc", "", RESOURCE)); 20];
    for verdict in asker.all(&many) {
        assert_eq!(verdict.reason, "insufficient_scope", "{verdict:?}");
    }
    // Whoever looked for a remembered answer just before it came asks once more.
    let questions = issuer.hits("introspection");
    assert!(
        (2..=4).contains(&questions),
        "twenty wait for one answer: {questions}"
    );
}

#[test]
fn a_token_that_is_not_active_or_for_another_resource_is_refused() {
    let issuer = issuer();
    let sidecar = sidecar(&introspection(&issuer));
    let asker = sidecar.asker();
    let unknown = forecast().bearer("0123456789abcdef0123456789abcdef");
    refused(&asker.both(&unknown), "unknown");
    let foreign = issuer.token("svc-viewer", "", OTHER);
    refused(
        &asker.both(&forecast().bearer(&foreign)),
        "for another resource",
    );
    let good = issuer.token("svc-viewer", "", RESOURCE);
    assert_eq!(asker.both(&forecast().bearer(&good)).reason, "allowed");
}

#[test]
fn a_revoked_token_is_refused_once_it_is_no_longer_remembered() {
    let issuer = issuer();
    let first = sidecar(&introspection(&issuer));
    let asker = first.asker();
    let fields = [("resource", RESOURCE), ("test_ttl", "4")];
    let token = forecast().bearer(&issuer.token_with("svc-viewer", &fields));
    let lasting = issuer.token("svc-viewer", "", RESOURCE);
    assert_eq!(asker.both(&token).reason, "allowed");
    assert_eq!(asker.both(&forecast().bearer(&lasting)).reason, "allowed");
    issuer.revoke("svc-viewer", &lasting);
    let second = sidecar(&introspection(&issuer));
    let other = second.asker();
    refused(&other.both(&forecast().bearer(&lasting)), "revoked");
    // No answer is believed past the life of its token.
    let ended = poll(Duration::from_secs(6), || asker.grpc(&token).status == 401);
    assert!(ended, "it is remembered for too long");
    refused(&asker.both(&token), "expired");
}

#[test]
fn without_its_issuer_only_what_is_remembered_holds() {
    let issuer = issuer();
    let sidecar = sidecar(&introspection(&issuer));
    let asker = sidecar.asker();
    let remembered = forecast().bearer(&issuer.token("svc-viewer", "", RESOURCE));
    let new = forecast().bearer(&issuer.token("svc-viewer", "", RESOURCE));
    assert_eq!(asker.both(&remembered).reason, "allowed");
    drop(issuer);
    for _ in 0..10 {
        unavailable(&asker.both(&new), "nobody can judge it");
        let verdict = asker.both(&remembered);
        assert_eq!(verdict.reason, "allowed", "{verdict:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_issuer_that_does_not_know_us_is_no_reason_to_refuse_the_caller() {
    let issuer = issuer();
    let sidecar = sidecar(&with_secret(&issuer, "not-the-secret"));
    let token = issuer.token("svc-viewer", "", RESOURCE);
    let verdict = sidecar.asker().both(&forecast().bearer(&token));
    unavailable(&verdict, "the issuer refuses us, not the caller");
}

#[test]
fn an_opaque_token_can_be_bound_to_a_key() {
    let issuer = issuer();
    let sidecar = sidecar(&introspection(&issuer));
    let asker = sidecar.asker();
    let key = DpopKey::new();
    let token = issuer.dpop_token("svc-viewer", &[("resource", RESOURCE)], &key);
    assert!(!token.contains('.'), "opaque");
    refused(&asker.both(&forecast().bearer(&token)), "without a proof");
    let ask = |key: &DpopKey| {
        let proof = key.proof("POST", RESOURCE, Some(&token), None);
        let ask = forecast().header("authorization", format!("DPoP {token}"));
        ask.header("dpop", proof)
    };
    let verdict = asker.grpc(&ask(&key));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    refused(&asker.grpc(&ask(&DpopKey::new())), "another key");
    refused(&asker.both(&forecast().bearer(&token)), "remembered by now");
}
