//! What is said of callers in files that change: revocations, and the facts of `principals.yaml`.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::house::RESOURCE;
use crate::support::ask::Ask;
use crate::support::ask::Asker;
use crate::support::ask::Shown;
use crate::support::envoy::poll;
use crate::support::introspector::Introspector;
use crate::support::introspector::Reply;
use crate::support::sidecar::Sidecar;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::support::tokens::now;
use crate::table::forecast;

/// How soon a changed file counts.
const SOON: Duration = Duration::from_secs(2);

const CORP: &str = "https://issuer.example";
const PARTNER: &str = "https://partner.example";
const KEY: &str = "front.DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDM";
const QUALIFIED_KEY: &str = "back.EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEM";
const KEPT_KEY: &str = "kept.FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFM";
const SHARED: &str = "cinnamon-street-0123456789-0123456789-01";

/// A user whom only `principals.yaml` makes a viewer, and a client and a key of the same kind.
const PRINCIPALS: &str = "
users:
  https://issuer.example#dora: {roles: [viewer]}
clients:
  https://issuer.example#batch: {roles: [viewer]}
api_keys:
  kept: {roles: [viewer]}
";

const WORKLOADS: &str = r#"
@id("table-workloads")
permit (principal is Mcp::Client, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/get_forecast")
when { principal.issuer == "spiffe://example.org" };
"#;

/// A sidecar whose files a test changes.
struct Changing {
    corp: Signer,
    partner: Signer,
    introspector: Introspector,
    sidecar: Sidecar,
    asker: Asker,
}

impl Changing {
    fn new(revoked: &str) -> Self {
        let (corp, partner) = (Signer::new("ES256"), Signer::new("ES256"));
        let introspector = Introspector::start();
        let config = format!(
            "authenticators:\n\
             - {{name: corp, type: jwt, issuer: \"{CORP}\", keys: [{}]}}\n\
             - {{name: partner, type: jwt, issuer: \"{PARTNER}\", keys: [{}], \
                roles: {{prefix: \"partner:\"}}, groups: {{allow: [staff], prefix: \"partner:\"}}, \
                scopes: {{allow: [\"weather:read\"]}}}}\n\
             - {{name: opaque, type: introspection, endpoint: \"{}\", client_id: rs, \
                client_secret: s3cr3t-of-rs, insecure_allow_http: true, roles: {{allow: []}}}}\n\
             - {{name: keys, type: api_key, keys: [\
                {{id: front, secret: \"{KEY}\", roles: [viewer]}}, \
                {{id: back, secret: \"{QUALIFIED_KEY}\", roles: [viewer]}}, \
                {{id: kept, secret: \"{KEPT_KEY}\"}}]}}\n\
             - {{name: shared, type: static_token, token: \"{SHARED}\", subject: operator, roles: [viewer]}}\n\
             - {{name: mesh, type: mtls, trust_domains: [example.org]}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             policies: {{dir: policies}}\nlimits: {{deadline: 2s}}\nrevocations: revoked.yaml\n",
            corp.key("k1"),
            partner.key("k1"),
            introspector.url(),
        );
        let listen = "  xfcc_peers: [127.0.0.1]\n";
        let sidecar = Sidecar::launch_listening(&config, listen, |policies| {
            let write = |path: &Path, text: &str| fs::write(path, text).expect("a file");
            write(&policies.join("50-table.cedar"), WORKLOADS);
            write(&policies.join("principals.yaml"), PRINCIPALS);
            write(&policies.with_file_name("revoked.yaml"), revoked);
        });
        let sidecar = sidecar.until_ready();
        Self {
            corp,
            partner,
            introspector,
            asker: sidecar.asker(),
            sidecar,
        }
    }

    /// A token of the first issuer, with claims on top.
    fn corp(&self, claims: Value) -> Ask {
        let token = Token::new(&self.corp, "k1", CORP, RESOURCE);
        forecast().bearer(&token.claims(claims).text())
    }

    /// A token of the other issuer that may read.
    fn partner(&self, claims: Value) -> Ask {
        let token = Token::new(&self.partner, "k1", PARTNER, RESOURCE);
        let token = token.claims(json!({"scope": "weather:read"}));
        forecast().bearer(&token.claims(claims).text())
    }

    fn opaque(&self, subject: &str) -> Ask {
        let exp = now() + 300;
        let body = json!({"active": true, "sub": subject, "client_id": "app", "aud": RESOURCE,
            "scope": "weather:read", "exp": exp});
        let token = self.introspector.token(Reply::Json(body.to_string()));
        forecast().bearer(&token)
    }

    fn revoke(&self, list: &str) {
        fs::write(self.sidecar.folder().join("revoked.yaml"), list).expect("a file");
    }

    /// What each of them gets, over gRPC and over HTTP, which agree.
    fn verdicts(&self, asks: &[(&'static str, Ask)]) -> Vec<(&'static str, String)> {
        let verdict = |ask: &Ask| {
            let verdict = self.asker.both(ask);
            match verdict.reason.as_str() {
                "allowed" => "allowed".to_owned(),
                _ => format!("{} {}", verdict.reason, message(&verdict.body)),
            }
        };
        asks.iter()
            .map(|(name, ask)| (*name, verdict(ask)))
            .collect()
    }

    /// Fails with all who do not get what they should.
    fn all(&self, when: &str, asks: &[(&'static str, Ask)], expected: &str) {
        let others = self.others(asks, expected);
        assert!(others.is_empty(), "{when}: not {expected}: {others:#?}");
    }

    fn others(&self, asks: &[(&'static str, Ask)], expected: &str) -> Vec<(&'static str, String)> {
        let verdicts = self.verdicts(asks).into_iter();
        verdicts.filter(|(_, found)| found != expected).collect()
    }

    /// Waits until everybody gets what he should.
    fn becomes(&self, when: &str, asks: &[(&'static str, Ask)], expected: &str) {
        let others = Mutex::new(Vec::new());
        let done = poll(SOON, || {
            let found = self.others(asks, expected);
            let done = found.is_empty();
            *others.lock().unwrap_or_else(PoisonError::into_inner) = found;
            done
        });
        assert!(done, "{when}: not {expected} within {SOON:?}: {others:#?}");
    }
}

fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let facts = json.pointer("/error/data").unwrap_or(&json);
    let message = facts.get("message").and_then(Value::as_str);
    message.unwrap_or_default().to_owned()
}

/// Everything that the next callers are taken back by.
const REVOKED: &str = "
jti: [stolen-1, stolen-2]
subjects: [mallory, 'https://issuer.example#trent', front, 'keys#back', operator,
  'spiffe://example.org#spiffe://example.org/gone', 'https://issuer.example#robot']
client_ids: [rogue, 'https://issuer.example#broken']
";

fn workload(id: &str) -> Ask {
    forecast().certificate(Shown {
        principal: id.to_owned(),
        xfcc: format!("URI={id}"),
        ..Shown::default()
    })
}

#[test]
fn whoever_is_revoked_is_refused_and_nobody_else() {
    let house = Changing::new("jti: [stolen-0]\n");
    let gone = [
        ("a token by its jti", house.corp(json!({"jti": "stolen-1"}))),
        (
            "the other issuer's by its jti",
            house.partner(json!({"jti": "stolen-2"})),
        ),
        ("a subject", house.corp(json!({"sub": "mallory"}))),
        (
            "the other issuer's of that name",
            house.partner(json!({"sub": "mallory"})),
        ),
        ("an opaque token's subject", house.opaque("mallory")),
        (
            "a subject of one issuer",
            house.corp(json!({"sub": "trent"})),
        ),
        ("a client", house.corp(json!({"client_id": "rogue"}))),
        (
            "a client of one issuer",
            house.corp(json!({"client_id": "broken"})),
        ),
        (
            "a client that is its own subject",
            house.corp(json!({"sub": "robot", "client_id": "robot"})),
        ),
        ("a key by its id", forecast().header("x-api-key", KEY)),
        (
            "a key by authenticator and id",
            forecast().header("x-api-key", QUALIFIED_KEY),
        ),
        ("a static token by its subject", forecast().bearer(SHARED)),
        ("a workload", workload("spiffe://example.org/gone")),
    ];
    let stay = [
        ("another jti", house.corp(json!({"jti": "stolen-11"}))),
        (
            "a jti of another case",
            house.corp(json!({"jti": "Stolen-1"})),
        ),
        ("no jti", house.corp(json!({"jti": null}))),
        (
            "a subject named as a jti",
            house.corp(json!({"sub": "stolen-1"})),
        ),
        (
            "a jti named as a subject",
            house.corp(json!({"jti": "mallory"})),
        ),
        (
            "a client named as a subject",
            house.corp(json!({"client_id": "mallory"})),
        ),
        (
            "a subject named as a client",
            house.corp(json!({"sub": "rogue"})),
        ),
        (
            "the same subject of the other issuer",
            house.partner(json!({"sub": "trent"})),
        ),
        (
            "the same client of the other issuer",
            house.partner(json!({"client_id": "broken"})),
        ),
        ("another opaque token", house.opaque("alice")),
        (
            "a key with another id",
            forecast().header("x-api-key", KEPT_KEY),
        ),
        ("another workload", workload("spiffe://example.org/here")),
    ];
    let revoked = "invalid_credential revoked";
    let from_the_start = [(
        "revoked at the start",
        house.corp(json!({"jti": "stolen-0"})),
    )];
    house.all("at first", &from_the_start, revoked);
    house.all("at first", &gone, "allowed");
    house.all("at first", &stay, "allowed");

    house.revoke(REVOKED);
    house.becomes("remembered, and then revoked", &gone, revoked);
    house.all("while others are revoked", &stay, "allowed");
    house.all("no longer in the list", &from_the_start, "allowed");
    let fresh = [
        (
            "a new token by its jti",
            house.corp(json!({"jti": "stolen-1"})),
        ),
        (
            "a new token by its subject",
            house.corp(json!({"sub": "mallory"})),
        ),
        ("a new opaque token by its subject", house.opaque("mallory")),
        (
            "a new token by its client",
            house.corp(json!({"client_id": "rogue"})),
        ),
    ];
    house.all("never seen before", &fresh, revoked);

    for (what, broken) in [
        ("cut off", "jti: [stolen"),
        ("empty", ""),
        ("of another shape", "- stolen-1\n"),
        ("with an unknown key", "jtis: []\n"),
    ] {
        house.revoke(broken);
        thread::sleep(SOON);
        house.all(what, &gone, revoked);
        house.all(what, &stay, "allowed");
    }
    fs::remove_file(house.sidecar.folder().join("revoked.yaml")).expect("it was there");
    thread::sleep(SOON);
    house.all("the file is gone", &gone, revoked);
    assert!(
        house
            .sidecar
            .printed()
            .contains("revocations were not reloaded"),
        "the operator must be told"
    );

    house.revoke("{}\n");
    house.becomes("taken back", &gone, "allowed");
}

#[test]
fn facts_of_the_policy_folder_hold_as_long_as_they_stand_there() {
    let house = Changing::new("{}\n");
    let none = json!({"roles": null});
    let with = |claims: Value| {
        let mut all = none.clone();
        let members = all.as_object_mut().expect("an object");
        members.extend(claims.as_object().expect("an object").clone());
        all
    };
    let named = [
        ("a user", house.corp(with(json!({"sub": "dora"})))),
        (
            "a user of a client",
            house.corp(with(json!({"client_id": "batch"}))),
        ),
        (
            "a client",
            house.corp(with(json!({"sub": "batch", "client_id": "batch"}))),
        ),
        ("a key", forecast().header("x-api-key", KEPT_KEY)),
    ];
    let others = [
        ("another user", house.corp(with(json!({"sub": "Dora"})))),
        (
            "a user named as the client",
            house.corp(with(json!({"sub": "batch"}))),
        ),
        (
            "the other issuer's",
            house.partner(json!({"sub": "dora", "scope": null, "roles": null})),
        ),
        (
            "a client named as the user",
            house.corp(with(json!({"client_id": "dora"}))),
        ),
    ];
    let powerless = {
        let verdicts = house.verdicts(&others[..1]);
        verdicts.first().expect("one").1.clone()
    };
    assert!(powerless.starts_with("insufficient_scope "), "{powerless}");
    house.all("with the file", &named, "allowed");
    house.all("with the file", &others, &powerless);

    let file = house.sidecar.policies().join("principals.yaml");
    fs::write(&file, "users: [").expect("a file");
    thread::sleep(SOON);
    house.all("with a broken file", &named, "allowed");

    fs::write(&file, "users: {}\n").expect("a file");
    house.becomes("without their lines", &named, &powerless);
    fs::write(&file, PRINCIPALS).expect("a file");
    house.becomes("with their lines again", &named, "allowed");
}

/// What one issuer may say is nothing that the other one said.
#[test]
fn a_partners_words_are_not_ours() {
    let house = Changing::new("{}\n");
    let with = |ask: Ask, tool: &str| {
        let mut other = Ask::call(tool);
        other.headers = ask.headers;
        other
    };
    let rows = [
        (
            "our admin",
            with(house.corp(json!({"roles": ["admin"]})), "delete_station"),
            "allowed",
        ),
        (
            "a partner's admin",
            with(house.partner(json!({"roles": ["admin"]})), "delete_station"),
            "not_permitted",
        ),
        (
            "a partner who names our prefix",
            with(
                house.partner(json!({"roles": ["partner:admin"]})),
                "delete_station",
            ),
            "not_permitted",
        ),
        (
            "a partner's viewer, without the scope",
            house.partner(json!({"roles": ["viewer"], "scope": null})),
            "insufficient_scope",
        ),
        (
            "a scope that the partner may give",
            house.partner(json!({})),
            "allowed",
        ),
        (
            "a scope that only we may give, from us",
            with(
                house.corp(json!({"roles": null, "scope": "weather:write"})),
                "set_alert",
            ),
            "allowed",
        ),
        (
            "a scope that only we may give, from the partner",
            with(
                house.partner(json!({"scope": "weather:read weather:write"})),
                "set_alert",
            ),
            "insufficient_scope",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, ask, expected) in &rows {
        let verdict = house.asker.both(ask);
        if verdict.reason != *expected {
            wrong.push(format!("{name}: {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let claims = json!({"groups": ["staff", "root"], "roles": ["admin", "viewer"]});
    let ask = house.partner(claims).header("x-request-id", "words");
    assert_eq!(house.asker.grpc(&ask).reason, "allowed");
    let record = house
        .sidecar
        .record(|record| record["request_id"] == "words");
    let principal = &record["principal"];
    assert_eq!(principal["groups"], json!(["partner:staff"]), "{record}");
    let roles = json!(["partner:admin", "partner:viewer"]);
    assert_eq!(principal["roles"], roles, "{record}");
}
