//! Development tokens: who gets one, and what it is good for.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::house::RESOURCE;
use crate::support::ask::Ask;
use crate::support::ask::Shown;
use crate::support::http::Request;
use crate::support::http::Response;
use crate::support::sidecar::Sidecar;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::table::forecast;
use crate::table::get;

const CONFIG: &str = "dev_tokens:
  clients:
  - {client_id: alice, client_secret: hunter2hunter2, subject: alice, roles: [viewer], scopes: [\"weather:read\", \"weather:write\"]}
  - {client_id: 'b:o b', client_secret: 'a:b c+d&e', scopes: [\"weather:read\"]}
authenticators:
- {name: mesh, type: mtls, trust_domains: [example.org]}
resources:
- {name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}
- {name: site, url: \"https://mcp.example.com/site\", kind: http}
- {name: closed, url: \"https://mcp.example.com/closed\", kind: http, authenticators: [mesh]}
policies: {dir: policies}
limits: {deadline: 2s}
";

const PATH: &str = "/auth/token";

fn form(fields: &[(&str, &str)]) -> Request {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend_from_slice(fields);
    Request::new("POST", PATH).form(&all)
}

/// Alice's own request with more fields.
fn alice(fields: &[(&str, &str)]) -> Request {
    let mut all = vec![("client_id", "alice"), ("client_secret", "hunter2hunter2")];
    all.extend_from_slice(fields);
    form(&all)
}

fn text(body: &str) -> Request {
    Request::new("POST", PATH)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

fn body(media: &str, body: &Value) -> Request {
    Request::new("POST", PATH)
        .header("content-type", media)
        .body(body.to_string())
}

fn basic(id: &str, secret: &str) -> Request {
    let encoded =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    form(&[]).header("authorization", format!("Basic {pair}"))
}

/// What is asked, and the status and the `error` of the answer.
type Row = (&'static str, Request, u16, &'static str);

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let json = "application/json";
    let whole = "grant_type=client_credentials&client_id=alice&client_secret=hunter2hunter2";
    vec![
        ("a form", alice(&[]), 200, ""),
        ("a form without the type of grant", text("client_id=alice&client_secret=hunter2hunter2"), 200, ""),
        ("a form with an unknown parameter", alice(&[("x", "y")]), 200, ""),
        ("JSON", body(json, &json!({"grant_type": "client_credentials", "client_id": "alice", "client_secret": "hunter2hunter2"})), 200, ""),
        ("JSON with two resources", body(json, &json!({"client_id": "alice", "client_secret": "hunter2hunter2", "resource": [RESOURCE, "https://mcp.example.com/site"]})), 200, ""),
        ("Basic", basic("alice", "hunter2hunter2"), 200, ""),
        ("Basic with characters that are encoded", basic("b:o b", "a:b c+d&e"), 200, ""),
        ("a form with characters that are encoded", form(&[("client_id", "b:o b"), ("client_secret", "a:b c+d&e")]), 200, ""),
        ("a scope", alice(&[("scope", "weather:read")]), 200, ""),
        ("a resource", alice(&[("resource", RESOURCE)]), 200, ""),
        ("a wrong secret", form(&[("client_id", "alice"), ("client_secret", "hunter2hunter3")]), 401, "invalid_client"),
        ("a secret of another case", form(&[("client_id", "alice"), ("client_secret", "HUNTER2hunter2")]), 401, "invalid_client"),
        ("a secret cut short", form(&[("client_id", "alice"), ("client_secret", "hunter2hunter")]), 401, "invalid_client"),
        ("the secret of another client", form(&[("client_id", "b:o b"), ("client_secret", "hunter2hunter2")]), 401, "invalid_client"),
        ("an empty secret", form(&[("client_id", "alice"), ("client_secret", "")]), 401, "invalid_client"),
        ("no secret", form(&[("client_id", "alice")]), 401, "invalid_client"),
        ("nobody", form(&[]), 401, "invalid_client"),
        ("an unknown client", form(&[("client_id", "eve"), ("client_secret", "hunter2hunter2")]), 401, "invalid_client"),
        ("an unknown client without a secret", form(&[("client_id", "eve"), ("client_secret", "")]), 401, "invalid_client"),
        ("Basic with a wrong secret", basic("alice", "x"), 401, "invalid_client"),
        ("Basic and a form", basic("alice", "hunter2hunter2").body("client_id=alice&client_secret=hunter2hunter2"), 400, "invalid_request"),
        ("Basic of one and a form of another", basic("alice", "hunter2hunter2").body("client_id=eve"), 400, "invalid_request"),
        ("Basic twice", basic("alice", "hunter2hunter2").header("authorization", "Basic eDp5"), 400, "invalid_request"),
        ("Basic that is no base64", form(&[]).header("authorization", "Basic *"), 400, "invalid_request"),
        ("Basic without a colon", form(&[]).header("authorization", "Basic eHl6"), 400, "invalid_request"),
        ("Bearer", form(&[]).bearer("x"), 400, "invalid_request"),
        ("GET", Request::new("GET", PATH), 405, "invalid_request"),
        ("PUT", Request::new("PUT", PATH).form(&[("client_id", "alice"), ("client_secret", "hunter2hunter2")]), 405, "invalid_request"),
        ("parameters in the query", Request::new("POST", &format!("{PATH}?{whole}")), 400, "invalid_request"),
        ("a query beside a good form", Request::new("POST", &format!("{PATH}?x=y")).form(&[("client_id", "alice"), ("client_secret", "hunter2hunter2")]), 400, "invalid_request"),
        ("a client twice", alice(&[("client_id", "alice")]), 400, "invalid_request"),
        ("a secret twice", alice(&[("client_secret", "x")]), 400, "invalid_request"),
        ("a scope twice", alice(&[("scope", "weather:read"), ("scope", "weather:write")]), 400, "invalid_request"),
        ("JSON with a member twice", Request::new("POST", PATH).header("content-type", json).body(r#"{"client_id":"eve","client_id":"alice","client_secret":"hunter2hunter2"}"#), 400, "invalid_request"),
        ("JSON with an unknown member", body(json, &json!({"client_id": "alice", "client_secret": "hunter2hunter2", "x": 1})), 400, "invalid_request"),
        ("a list of JSON", body(json, &json!([])), 400, "invalid_request"),
        ("plain text", body("text/plain", &json!({"client_id": "alice", "client_secret": "hunter2hunter2"})), 400, "invalid_request"),
        ("no type", Request::new("POST", PATH).body(whole), 400, "invalid_request"),
        ("a body that is too large", text(&format!("{whole}&x={}", "y".repeat(20_000))), 400, "invalid_request"),
        ("the grant of passwords", Request::new("POST", PATH).form(&[("grant_type", "password"), ("client_id", "alice"), ("client_secret", "hunter2hunter2")]), 400, "unsupported_grant_type"),
        ("a scope too much", alice(&[("scope", "weather:read weather:admin")]), 400, "invalid_scope"),
        ("a scope that another client has", form(&[("client_id", "b:o b"), ("client_secret", "a:b c+d&e"), ("scope", "weather:write")]), 400, "invalid_scope"),
        ("an unknown resource", alice(&[("resource", "https://else.example")]), 400, "invalid_target"),
        ("an unknown resource beside a known one", alice(&[("resource", RESOURCE), ("resource", "https://else.example")]), 400, "invalid_target"),
        ("a resource that takes no such tokens", alice(&[("resource", "https://mcp.example.com/closed")]), 400, "invalid_target"),
        ("a resource with a slash after it", alice(&[("resource", "https://mcp.example.com/mcp/")]), 400, "invalid_target"),
    ]
}

/// What is wrong with an answer.
fn fault(answer: &Response, status: u16, error: &str) -> Option<String> {
    let json = answer.json();
    let found = json.get("error").and_then(Value::as_str).unwrap_or("");
    let token = json.get("access_token").is_some();
    let challenged = !answer.header("www-authenticate").is_empty();
    let same = answer.status == status
        && found == error
        && token == (status == 200)
        && challenged == (status == 401);
    (!same).then(|| format!("{} {}", answer.status, answer.text()))
}

fn token(sidecar: &Sidecar, request: &Request) -> String {
    let answer = request.send(sidecar.http).expect("an answer").json();
    let token = answer.get("access_token").and_then(Value::as_str);
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn set_alert(token: &str) -> Ask {
    Ask::call("set_alert").bearer(token)
}

#[test]
fn who_gets_a_development_token() {
    let sidecar = Sidecar::start(CONFIG);
    let mut wrong = Vec::new();
    for (name, request, status, error) in rows() {
        for port in [sidecar.http, sidecar.public] {
            let answer = request.send(port).expect("an answer");
            if let Some(found) = fault(&answer, status, error) {
                wrong.push(format!("{name}: expected {status} {error}, found {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_development_token_is_good_for() {
    let mut first = Sidecar::start(CONFIG);
    let asker = first.asker();
    let whole = token(&first, &alice(&[]));
    let reading = token(
        &first,
        &alice(&[("scope", "weather:read"), ("resource", RESOURCE)]),
    );
    let elsewhere = token(
        &first,
        &alice(&[("resource", "https://mcp.example.com/site")]),
    );
    let bob = token(&first, &basic("b:o b", "a:b c+d&e"));
    let thief = Signer::new("ES256");
    let forged = Token::new(&thief, "dev", "urn:cedargate:dev", RESOURCE);
    let forged = forged.header(json!({"typ": "dev+jwt"}));
    let plain = Token::new(&thief, "dev", "urn:cedargate:dev", RESOURCE);
    let from_nobody = forecast().certificate(Shown {
        principal: String::new(),
        xfcc: "URI=spiffe://example.org/web".to_owned(),
        ..Shown::default()
    });
    let rows = [
        ("where it should be", forecast().bearer(&whole), "allowed"),
        ("by its scope", set_alert(&whole), "allowed"),
        ("with less scope", set_alert(&reading), "insufficient_scope"),
        (
            "with less scope, by its role",
            forecast().bearer(&reading),
            "allowed",
        ),
        (
            "for another resource",
            forecast().bearer(&elsewhere),
            "invalid_credential",
        ),
        (
            "where it is not accepted",
            get("/closed").bearer(&whole),
            "invalid_credential",
        ),
        ("of the other client", forecast().bearer(&bob), "allowed"),
        (
            "of the other client, for more",
            set_alert(&bob),
            "insufficient_scope",
        ),
        (
            "forged",
            forecast().bearer(&forged.text()),
            "invalid_credential",
        ),
        (
            "forged, of another type",
            forecast().bearer(&plain.text()),
            "invalid_credential",
        ),
        (
            "changed",
            forecast().bearer(&format!("{whole}A")),
            "invalid_credential",
        ),
        (
            "a certificate that nobody vouches for",
            from_nobody,
            "missing_credential",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, ask, expected) in &rows {
        let verdict = asker.both(ask);
        if verdict.reason != *expected {
            wrong.push(format!("{name}: {verdict:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    first.terminate();
    let second = Sidecar::start(CONFIG);
    let verdict = second.asker().both(&forecast().bearer(&whole));
    assert_eq!(verdict.reason, "invalid_credential", "of an earlier start");
    let challenge = verdict.header("www-authenticate");
    assert!(challenge.contains("unknown signing key"), "{challenge}");
    let new = token(&second, &alice(&[]));
    let verdict = second.asker().both(&forecast().bearer(&new));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
}
