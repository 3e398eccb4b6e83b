//! Every kind of credential beside every other: nobody becomes somebody else by the way in which he
//! shows what he has.

#![expect(
    clippy::expect_used,
    reason = "a broken rig fails the test, and the message says why"
)]

mod support;

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;

use cedargate::proto::envoy::service::auth::v3::attribute_context::Peer;
use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::ask::Asker;
use support::ask::Verdict;
use support::dpop::DpopKey;
use support::fake_issuer::FakeIssuer;
use support::fake_issuer::json_document;
use support::http::Request;
use support::sidecar::Sidecar;
use support::tokens::Key;
use support::tokens::now;

const URL: &str = "https://mcp.example.com/mcp";
const OTHER_URL: &str = "https://mcp.example.com/other";
const STATIC: &str = "static-token-of-the-operator-0123456789";
const KEY: &str = "a-key-that-somebody-wrote-down-long-ago";

/// Whoever is known may do everything: what is asked here is who is known.
const PERMIT: &str =
    "@id(\"attacked\") @allow(\"permit-all\") permit (principal, action, resource);";

/// A sidecar with one authenticator of each kind; its issuers and its introspection endpoint.
struct Place {
    sidecar: Sidecar,
    asker: Asker,
    corp: Key,
    lab: Key,
    endpoint: FakeIssuer,
}

impl Place {
    fn new() -> Self {
        let (corp, lab) = (Key::new(), Key::new());
        let endpoint = FakeIssuer::start(introspect);
        let sidecar = Sidecar::launch_in(&config(&corp, &lab, endpoint.port()), only_permit);
        let sidecar = sidecar.until_ready();
        Self {
            asker: sidecar.asker(),
            sidecar,
            corp,
            lab,
            endpoint,
        }
    }
}

/// Leaves no policy but one.
fn only_permit(folder: &Path) {
    for entry in folder.read_dir().expect("the policies are there") {
        let path = entry.expect("an entry").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            fs::remove_file(path).expect("a policy can be taken out");
        }
    }
    fs::write(folder.join("attacked.cedar"), PERMIT).expect("a policy can be put in");
}

fn config(corp: &Key, lab: &Key, endpoint: u16) -> String {
    format!(
        "authenticators:
- name: corp
  type: jwt
  issuer: https://issuer.example
  keys: [{{pem: \"{}\", algorithm: ES256}}]
- name: lab
  type: jwt
  issuer: https://lab.example
  keys: [{{pem: \"{}\", algorithm: ES256}}]
  insecure_skip_issuer: true
  roles: {{prefix: 'lab:'}}
- name: opaque
  type: introspection
  endpoint: http://127.0.0.1:{endpoint}/introspect
  client_id: rs
  client_secret: rs-secret
  insecure_allow_http: true
  roles: {{prefix: 'opaque:'}}
- {{name: shared, type: static_token, token: {STATIC}, subject: operator}}
- {{name: keys, type: api_key, keys: [{{id: front, secret: {KEY}}}]}}
- {{name: mesh, type: mtls, trust_domains: [example.org]}}
- {{name: strangers, type: anonymous}}
resources:
- {{name: weather, url: \"{URL}\", kind: mcp, authenticators: [corp, lab, opaque, shared, keys, mesh]}}
- {{name: other, url: \"{OTHER_URL}\", kind: mcp, authenticators: [corp]}}
- {{name: open, url: https://mcp.example.com/open, kind: mcp, authenticators: [corp, keys, mesh, strangers]}}
policies: {{dir: policies}}
limits: {{deadline: 2s}}
",
        corp.pem(),
        lab.pem()
    )
}

/// Says of every token who it is by the token itself.
fn introspect(_path: &str, stream: &mut TcpStream) {
    let mut form = String::new();
    let mut byte = [0];
    while !form.ends_with("access_token") && matches!(stream.read(&mut byte), Ok(1)) {
        form.extend(byte.map(char::from));
    }
    let token = form
        .strip_prefix("token=")
        .and_then(|rest| rest.split('&').next())
        .expect("a token is asked about");
    let answer = json!({
        "active": !token.starts_with("bad"), "sub": token, "aud": URL, "iss": "shared",
    });
    json_document(stream, &answer.to_string());
}

/// Who the upstream is told that the caller is: issuer and subject.
fn who(verdict: &Verdict) -> (String, String) {
    let ok = verdict.ok.as_ref().expect("an allow, over gRPC");
    let told = |name: &str| {
        let headers = ok.headers.iter().filter_map(|one| one.header.as_ref());
        let mut found = headers.filter(|header| header.key == name);
        found
            .next()
            .map_or(String::new(), |header| header.value.clone())
    };
    (told("x-cedargate-issuer"), told("x-cedargate-subject"))
}

fn weather() -> Ask {
    Ask::call("get_forecast")
}

fn at(path: &str) -> Ask {
    weather().at("mcp.example.com", path)
}

fn known(verdict: &Verdict, issuer: &str, subject: &str) {
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
    assert_eq!(who(verdict), (issuer.to_owned(), subject.to_owned()));
}

fn refused(verdict: &Verdict, why: &str) {
    let found = (verdict.reason.as_str(), verdict.status);
    assert_eq!(found, ("invalid_credential", 401), "{why}: {verdict:?}");
}

fn claims(issuer: &str, subject: &str) -> Value {
    json!({"iss": issuer, "sub": subject})
}

/// What everybody honest gets, so that no refusal below is for another reason.
fn honest(place: &Place) {
    let asker = &place.asker;
    let token = place.corp.token(URL, &json!({}));
    known(
        &asker.both(&weather().bearer(&token)),
        "https://issuer.example",
        "alice",
    );
    let token = place.lab.token(URL, &claims("https://any.example", "bob"));
    known(
        &asker.both(&weather().bearer(&token)),
        "https://any.example",
        "bob",
    );
    known(&asker.both(&weather().bearer("t1")), "opaque", "t1");
    known(&asker.both(&weather().bearer(STATIC)), "shared", "operator");
    known(
        &asker.both(&weather().header("x-api-key", KEY)),
        "",
        "front",
    );
    let id = "spiffe://example.org/agent";
    known(
        &with_certificate(asker, &weather(), id),
        "spiffe://example.org",
        id,
    );
}

fn with_certificate(asker: &Asker, ask: &Ask, principal: &str) -> Verdict {
    let mut check = ask.grpc();
    let attributes = check.attributes.as_mut().expect("attributes");
    attributes.source = Some(Peer {
        principal: principal.to_owned(),
        ..Peer::default()
    });
    asker.check(check)
}

#[test]
fn an_issuer_of_any_name_has_nobody_elses() {
    let place = Place::new();
    honest(&place);
    for (issuer, subject) in [
        ("https://issuer.example", "alice"),
        ("shared", "operator"),
        ("opaque", "t1"),
        ("spiffe://example.org", "spiffe://example.org/agent"),
    ] {
        let mut said = claims(issuer, subject);
        if issuer.starts_with("spiffe") {
            said["client_id"] = subject.into();
        }
        let token = place.lab.token(URL, &said);
        refused(&place.asker.both(&weather().bearer(&token)), issuer);
    }
}

#[test]
fn what_is_remembered_is_good_only_where_it_was_proved() {
    let place = Place::new();
    honest(&place);
    let asker = &place.asker;
    let both = place.corp.token(URL, &json!({"aud": [URL, OTHER_URL]}));
    let lab = place.lab.token(
        URL,
        &json!({"iss": "https://any.example", "aud": [URL, OTHER_URL]}),
    );
    for _ in 0..2 {
        assert_eq!(asker.both(&weather().bearer(&both)).reason, "allowed");
        assert_eq!(asker.both(&at("/other").bearer(&both)).reason, "allowed");
        assert_eq!(asker.both(&weather().bearer(&lab)).reason, "allowed");
        refused(
            &asker.both(&at("/other").bearer(&lab)),
            "not accepted there",
        );
        for remembered in ["t1", STATIC] {
            refused(&asker.both(&at("/other").bearer(remembered)), remembered);
            refused(&asker.both(&at("/open").bearer(remembered)), remembered);
        }
        let token = place.corp.token(URL, &json!({}));
        assert_eq!(asker.both(&weather().bearer(&token)).reason, "allowed");
        refused(
            &asker.both(&at("/other").bearer(&token)),
            "another audience",
        );
        refused(
            &asker.both(&weather().header("authorization", format!("DPoP {token}"))),
            "not bound",
        );
        refused(
            &asker.both(&weather().header("authorization", format!("DPoP {STATIC}"))),
            "not bound",
        );
        refused(
            &asker.both(&weather().header("x-api-key", STATIC)),
            "no key",
        );
        known(&asker.both(&weather().bearer(KEY)), "opaque", KEY);
    }
}

#[test]
fn no_bad_credential_is_a_stranger() {
    let place = Place::new();
    let asker = &place.asker;
    let stranger = asker.both(&at("/open"));
    known(&stranger, "", "");
    for ask in [
        at("/open").bearer("opaque"),
        at("/open").bearer("a.b.c"),
        at("/open").header("authorization", ""),
        at("/open").header("authorization", "Basic YTpi"),
        at("/open").header("x-api-key", "wrong"),
        at("/open").header("x-api-key", ""),
        at("/open").header("x-api-key", "two words"),
        at("/open").header("x-api-key", format!("front.{}", "A".repeat(43))),
    ] {
        refused(&asker.both(&ask), &format!("{ask:?}"));
    }
    for ask in [
        at("/open")
            .header("x-api-key", KEY)
            .header("x-api-key", KEY),
        at("/open").header("x-api-key", KEY).bearer(STATIC),
        at("/open").bearer(STATIC).bearer(STATIC),
    ] {
        let verdict = asker.both(&ask);
        assert_eq!(
            (verdict.reason.as_str(), verdict.status),
            ("malformed_request", 400),
            "{ask:?}"
        );
    }
    for principal in [
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe://EXAMPLE.org/agent",
        "spiffe://example.org.evil.example/agent",
        "spiffe://example.org:443/agent",
        "spiffe://evil@example.org/agent",
        "spiffe://example.org/a/../agent",
        "spiffe://example.org/agent?x",
        "spiffe://example.org/%61gent",
        "CN=spiffe://example.org/agent",
        "agent.example.org",
    ] {
        for path in ["/mcp", "/open"] {
            refused(&with_certificate(asker, &at(path), principal), principal);
        }
    }
}

/// A certificate is named in a header by anybody; only a peer that was named is believed.
#[test]
fn nobody_writes_his_own_certificate() {
    let place = Place::new();
    let ask = weather().header(
        "x-forwarded-client-cert",
        "Hash=0000000000000000000000000000000000000000000000000000000000000000;\
         URI=spiffe://example.org/agent",
    );
    let verdict = place.asker.both(&ask);
    assert_eq!(verdict.reason, "missing_credential", "{verdict:?}");
}

#[test]
fn a_bound_token_is_never_remembered_as_a_bearer_token() {
    let place = Place::new();
    let asker = &place.asker;
    let dpop = DpopKey::new();
    let token = place.corp.token(
        URL,
        &json!({"aud": [URL, OTHER_URL], "cnf": {"jkt": dpop.thumbprint()}}),
    );
    let bound = |ask: Ask, proof: &str| {
        ask.header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
    };
    for _ in 0..2 {
        refused(&asker.both(&weather().bearer(&token)), "as a bearer token");
        refused(
            &asker.both(&weather().header("authorization", format!("DPoP {token}"))),
            "without a proof",
        );
        let proof = dpop.proof("POST", URL, Some(&token), None);
        refused(&asker.both(&bound(at("/other"), &proof)), "for another url");
        assert_eq!(asker.grpc(&bound(weather(), &proof)).reason, "allowed");
        refused(
            &asker.http(&bound(weather(), &proof)),
            "over the other transport",
        );
        refused(&asker.grpc(&bound(weather(), &proof)), "again");
        // One name at two places is one proof.
        let mut said = dpop.claims("POST", URL, Some(&token), None);
        let here = dpop.sign(&said, &json!({}));
        said["htu"] = OTHER_URL.into();
        let there = dpop.sign(&said, &json!({}));
        assert_eq!(asker.http(&bound(weather(), &here)).reason, "allowed");
        refused(
            &asker.grpc(&bound(at("/other"), &there)),
            "the same name elsewhere",
        );
    }
}

#[test]
fn what_is_not_active_is_asked_about_each_time_and_nobody_gets_its_answer() {
    let place = Place::new();
    let asker = &place.asker;
    let asks: Vec<Ask> = (0..40)
        .map(|n| {
            let name = if n % 2 == 0 { "bad" } else { "good" };
            weather().bearer(&format!("{name}{}", n % 8))
        })
        .collect();
    for (n, verdict) in asker.all(&asks).iter().enumerate() {
        if n % 2 == 0 {
            refused(verdict, "not active");
        } else {
            known(verdict, "opaque", &format!("good{}", n % 8));
        }
    }
    let before = place.endpoint.asked();
    known(&asker.both(&weather().bearer("good1")), "opaque", "good1");
    assert_eq!(place.endpoint.asked(), before, "remembered");
}

#[test]
fn no_secret_is_ever_printed() {
    let place = Place::new();
    honest(&place);
    let token = place.corp.token(URL, &json!({}));
    let expired = place
        .corp
        .token(URL, &json!({"exp": now().saturating_sub(600)}));
    for ask in [
        weather().bearer(&token),
        weather().bearer(&expired),
        weather().bearer(STATIC).header("x-api-key", KEY),
        weather().header("x-api-key", format!("{KEY}x")),
    ] {
        place.asker.both(&ask);
    }
    let printed = place.sidecar.printed() + &place.sidecar.status().to_string();
    let metrics = place.sidecar.ask_admin("/metrics").text();
    for secret in [STATIC, KEY, "rs-secret", &token, &expired] {
        assert!(!printed.contains(secret) && !metrics.contains(secret));
        let tail = secret
            .get(secret.len().saturating_sub(20)..)
            .expect("ASCII");
        assert!(!printed.contains(tail), "{printed}");
    }
}

/// Development tokens are for whoever works on this machine. What comes through a proxy, or from a
/// web page whose name leads here, also has an address of this machine.
#[test]
fn development_tokens_are_not_passed_on_to_anybody() {
    let sidecar = Sidecar::start(&format!(
        "dev_tokens:\n  clients: [{{client_id: dev, client_secret: dev-secret}}]\n\
         resources:\n- {{name: weather, url: \"{URL}\", kind: mcp}}\npolicies: {{dir: policies}}\n"
    ));
    let ask = Request::new("POST", "/auth/token").form(&[
        ("grant_type", "client_credentials"),
        ("client_id", "dev"),
        ("client_secret", "dev-secret"),
    ]);
    for port in [sidecar.http, sidecar.public] {
        let status = |ask: &Request| ask.send(port).expect("an answer").status;
        assert_eq!(status(&ask), 200);
        assert_eq!(
            status(&ask.clone().header("host", format!("localhost:{port}"))),
            200
        );
        for (name, value) in [
            ("host", "mcp.example.com"),
            ("host", "127.0.0.1.evil.example"),
            ("host", "127.0.0.1@evil.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("forwarded", "for=203.0.113.7"),
            ("via", "1.1 front"),
        ] {
            assert_eq!(
                status(&ask.clone().header(name, value)),
                403,
                "{name}: {value}"
            );
        }
    }
}
