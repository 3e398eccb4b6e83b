//! Tokens that a real authorization server has bound to a key of the client (RFC 9449).

use std::sync::OnceLock;

use serde_json::json;

use crate::OTHER;
use crate::RESOURCE;
use crate::forecast;
use crate::oidc;
use crate::refused;
use crate::sidecar;
use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::ask::Verdict;
use crate::support::authorization_server::AuthorizationServer;
use crate::support::dpop::DpopKey;
use crate::support::sidecar::Sidecar;
use crate::support::tokens;

/// A server whose tokens are asked for with proofs.
fn issuer() -> &'static AuthorizationServer {
    static ISSUER: OnceLock<AuthorizationServer> = OnceLock::new();
    ISSUER
        .get_or_init(|| AuthorizationServer::start(&["--resource", RESOURCE, "--resource", OTHER]))
}

/// A client with its key and its token, and a sidecar that it calls.
struct Client {
    key: DpopKey,
    token: String,
    asker: Asker,
    _sidecar: Sidecar,
}

impl Client {
    /// `dpop` is what the configuration says of proofs.
    fn new(dpop: &str) -> Self {
        let key = DpopKey::new();
        let token = issuer().dpop_token("svc-viewer", &[("resource", RESOURCE)], &key);
        let authenticator = format!("{}{dpop}", oidc(&issuer().issuer()));
        let sidecar = sidecar(&authenticator);
        Self {
            key,
            token,
            asker: sidecar.asker(),
            _sidecar: sidecar,
        }
    }

    fn proof(&self) -> String {
        self.key.proof("POST", RESOURCE, Some(&self.token), None)
    }

    fn proof_with(&self, nonce: &str) -> String {
        self.key
            .proof("POST", RESOURCE, Some(&self.token), Some(nonce))
    }

    /// A call with the token in its own scheme, and whatever stands for a proof.
    fn ask(&self, proof: &str) -> Ask {
        let token = format!("DPoP {}", self.token);
        forecast()
            .header("authorization", token)
            .header("dpop", proof)
    }
}

/// The `error` of a challenge in the scheme of proofs.
fn challenged(verdict: &Verdict, error: &str, why: &str) {
    refused(verdict, why);
    let challenge = verdict.header("www-authenticate");
    let expected = format!("DPoP error=\"{error}\"");
    assert!(challenge.starts_with(&expected), "{why}: {challenge}");
}

#[test]
fn a_proof_is_good_for_one_request() {
    let client = Client::new("");
    let (first, second) = (client.ask(&client.proof()), client.ask(&client.proof()));
    let verdict = client.asker.grpc(&first);
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    let again = client.asker.grpc(&first);
    challenged(&again, "invalid_dpop_proof", "again over gRPC");
    let elsewhere = client.asker.http(&first);
    challenged(&elsewhere, "invalid_dpop_proof", "again over HTTP");
    assert_eq!(client.asker.http(&second).reason, "allowed");
    let again = client.asker.grpc(&second);
    challenged(&again, "invalid_dpop_proof", "used over HTTP before");

    let many: Vec<Ask> = vec![client.ask(&client.proof()); 20];
    let verdicts = client.asker.all(&many);
    let allowed = verdicts.iter().filter(|v| v.reason == "allowed").count();
    assert_eq!(allowed, 1, "one of twenty at the same time");
}

#[test]
fn a_bound_token_is_worth_nothing_without_its_proof() {
    let client = Client::new("");
    let bearer = forecast().bearer(&client.token);
    for known in [false, true] {
        refused(&client.asker.both(&bearer), "as a bearer token");
        let with_proof = bearer.clone().header("dpop", client.proof());
        refused(&client.asker.grpc(&with_proof), "in the wrong scheme");
        let token = format!("DPoP {}", client.token);
        let bare = forecast().header("authorization", token);
        challenged(&client.asker.both(&bare), "invalid_dpop_proof", "no proof");
        if !known {
            let verdict = client.asker.grpc(&client.ask(&client.proof()));
            assert_eq!(verdict.reason, "allowed", "{verdict:?}");
        }
    }
}

#[test]
fn a_proof_of_something_else_is_refused() {
    let client = Client::new("");
    let other_token = issuer().dpop_token("svc-viewer", &[("resource", OTHER)], &client.key);
    let token = Some(client.token.as_str());
    let bent = |member: &str, value: serde_json::Value| {
        let mut claims = client.key.claims("POST", RESOURCE, token, None);
        claims[member] = value;
        client.key.sign(&claims, &json!({}))
    };
    let header = |header: serde_json::Value| {
        let claims = client.key.claims("POST", RESOURCE, token, None);
        client.key.sign(&claims, &header)
    };
    let cases = [
        ("another method", bent("htm", json!("GET"))),
        ("another path", bent("htu", json!(OTHER))),
        (
            "another host",
            bent("htu", json!("https://evil.example/mcp")),
        ),
        (
            "another scheme",
            bent("htu", json!("http://mcp.example.com/mcp")),
        ),
        (
            "another port",
            bent("htu", json!("https://mcp.example.com:444/mcp")),
        ),
        ("no token", client.key.proof("POST", RESOURCE, None, None)),
        (
            "another token",
            client.key.proof("POST", RESOURCE, Some(&other_token), None),
        ),
        (
            "an old one",
            bent("iat", json!(tokens::now().saturating_sub(400))),
        ),
        (
            "one of tomorrow",
            bent("iat", json!(tokens::now().saturating_add(400))),
        ),
        ("no name", bent("jti", json!(""))),
        ("a plain JWT", header(json!({"typ": "JWT"}))),
        ("the token itself", client.token.clone()),
        ("nonsense", "nonsense".to_owned()),
    ];
    for (what, proof) in &cases {
        for verdict in [
            client.asker.grpc(&client.ask(proof)),
            client.asker.http(&client.ask(proof)),
        ] {
            challenged(&verdict, "invalid_dpop_proof", what);
        }
    }
}

/// RFC 9449, section 7.1: that is a fault of the token beside the proof.
#[test]
fn a_proof_by_another_key_is_refused() {
    let client = Client::new("");
    let stranger = DpopKey::new();
    let token = Some(client.token.as_str());
    let claims = client.key.claims("POST", RESOURCE, token, None);
    for (what, proof) in [
        ("signed", stranger.proof("POST", RESOURCE, token, None)),
        (
            "named",
            client.key.sign(&claims, &json!({"jwk": stranger.jwk()})),
        ),
    ] {
        let verdict = client.asker.both(&client.ask(&proof));
        challenged(&verdict, "invalid_token", what);
    }
}

/// RFC 9449, section 4.3: URLs are compared after normalisation.
#[test]
fn the_url_of_a_proof_may_be_spelt_in_other_ways() {
    let client = Client::new("");
    for url in [
        "https://mcp.example.com:443/mcp",
        "HTTPS://MCP.example.com/%6dcp",
    ] {
        let proof = client.key.proof("POST", url, Some(&client.token), None);
        let verdict = client.asker.grpc(&client.ask(&proof));
        assert_eq!(verdict.reason, "allowed", "{url}: {verdict:?}");
    }
}

#[test]
fn a_nonce_is_asked_for_and_then_carried() {
    let client = Client::new(", dpop: {nonce: true}");
    let verdict = client.asker.grpc(&client.ask(&client.proof()));
    challenged(&verdict, "use_dpop_nonce", "without a nonce");
    let nonce = verdict.header("dpop-nonce").to_owned();
    assert!(!nonce.is_empty(), "{verdict:?}");
    let ask = client.ask(&client.proof_with(&nonce));
    let verdict = client.asker.grpc(&ask);
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    challenged(&client.asker.grpc(&ask), "invalid_dpop_proof", "a replay");
    let next = client.asker.http(&client.ask(&client.proof_with(&nonce)));
    assert_eq!(next.reason, "allowed", "a nonce is for more than one proof");

    let verdict = client
        .asker
        .http(&client.ask(&client.proof_with("made-up")));
    challenged(&verdict, "use_dpop_nonce", "a nonce of the client's own");
    assert!(!verdict.header("dpop-nonce").is_empty(), "{verdict:?}");
}

#[test]
fn where_proofs_are_required_an_unbound_token_is_refused() {
    let client = Client::new(", dpop: {required: true}");
    let unbound = issuer().token("svc-viewer", "", RESOURCE);
    refused(&client.asker.both(&forecast().bearer(&unbound)), "unbound");
    let verdict = client.asker.grpc(&client.ask(&client.proof()));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
}
