//! Opaque tokens: what the issuer says of them, and what it fails to say.

use serde_json::json;

use crate::house::RESOURCE;
use crate::house::house;
use crate::support::ask::Ask;
use crate::support::dpop::DpopKey;
use crate::support::introspector::Reply;
use crate::support::tokens::now;
use crate::table::Row;
use crate::table::allowed;
use crate::table::forecast;
use crate::table::get;
use crate::table::hold;
use crate::table::refused;
use crate::table::rows;
use crate::table::unavailable;
use crate::table::unbound;
use crate::table::unproved;

const CLAIMS: &str = "claims not accepted";
const KIND: &str = "not an access token";
const AUDIENCE: &str = "audience does not match";
const JSON: &str = "content-type: application/json\r\n";

fn json(body: &str) -> Reply {
    Reply::Json(body.to_owned())
}

/// A status with nothing but an empty object.
fn status(line: &'static str) -> Reply {
    Reply::Raw(line, JSON, "{}".to_owned())
}

/// A good answer under another status or type, or longer.
fn active(line: &'static str, headers: &'static str, blanks: usize) -> Reply {
    let exp = now() + 300;
    let body = format!(
        r#"{{"active":true,"sub":"alice","aud":"{RESOURCE}","scope":"weather:read","exp":{exp}}}{}"#,
        " ".repeat(blanks)
    );
    Reply::Raw(line, headers, body)
}

/// A token that its issuer says is bound to `key`, under a scheme, with a proof by `prover`.
fn bound(key: &DpopKey, scheme: &str, prover: Option<&DpopKey>) -> Ask {
    let ask = house().introspected(json!({
        "token_type": "DPoP", "cnf": {"jkt": key.thumbprint()},
    }));
    let sent = ask.headers.iter().find(|(name, _)| name == "authorization");
    let sent = String::from_utf8_lossy(&sent.expect("a token").1).into_owned();
    let token = sent.trim_start_matches("Bearer ").to_owned();
    let ask = forecast().header("authorization", format!("{scheme} {token}"));
    match prover {
        Some(prover) => ask.header("dpop", prover.proof("POST", RESOURCE, Some(&token), None)),
        None => ask,
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = answers();
    all.extend(failures());
    all
}

/// The endpoint answers, and the answer decides.
fn answers() -> Vec<Row> {
    rows! { h:
        "good", h.introspected(json!({})) => allowed();
        "of the type Bearer", h.introspected(json!({"token_type": "bearer"})) => allowed();
        "without exp", h.introspected(json!({"exp": null})) => allowed();
        "without iss", h.introspected(json!({"iss": null})) => allowed();
        "nobody has heard of it", forecast().bearer("0123456789abcdef") => refused("token not active");
        "active false", h.introspected(json!({"active": false})) => refused("token not active");
        "active false and nothing else", h.opaque(json(r#"{"active":false}"#)) => refused("token not active");
        "aud another", h.introspected(json!({"aud": "https://else.example"})) => refused(AUDIENCE);
        "aud missing", h.introspected(json!({"aud": null})) => refused(CLAIMS);
        "aud a number", h.introspected(json!({"aud": 5})) => refused(CLAIMS);
        "aud the neighbour's, there", get("/other").header("authorization", sent(&h.introspected(json!({"aud": "https://mcp.example.com/other"})))) => crate::table::forbidden();
        "remembered, at the neighbour", get("/other").header("authorization", sent(&h.used(h.introspected(json!({}))))) => refused(AUDIENCE);
        "expired", h.introspected(json!({"exp": now() - 60})) => refused("token expired");
        "exp a text", h.introspected(json!({"exp": "4102444800"})) => refused(CLAIMS);
        "exp too far away", h.introspected(json!({"exp": now() + 200_000})) => refused("token lifetime too long");
        "nbf in an hour", h.introspected(json!({"nbf": now() + 3600})) => refused("token not yet valid");
        "iat in an hour", h.introspected(json!({"iat": now() + 3600})) => refused("token issued in the future");
        "iss another", h.introspected(json!({"iss": "https://else.example"})) => refused("unknown issuer");
        "iss with a slash after it", h.introspected(json!({"iss": "https://opaque.example/"})) => refused("unknown issuer");
        "iss a list", h.introspected(json!({"iss": ["https://opaque.example"]})) => refused(CLAIMS);
        "a refresh token", h.introspected(json!({"token_type": "refresh_token"})) => refused(KIND);
        "an ID token by its type", h.introspected(json!({"token_type": "id_token"})) => refused(KIND);
        "an ID token by its nonce", h.introspected(json!({"nonce": "n"})) => refused(KIND);
        "a type that is no text", h.introspected(json!({"token_type": 1})) => refused(KIND);
        "neither sub nor client_id", h.introspected(json!({"sub": null, "client_id": null})) => refused("token names no subject");
        "no scope", h.introspected(json!({"scope": null})) => crate::table::powerless("weather:read");
        "roles, which this issuer may not give", h.introspected(json!({"scope": null, "roles": ["viewer"]})) => crate::table::powerless("weather:read");
        "of the type DPoP, bound to nothing", h.introspected(json!({"token_type": "DPoP"})) => refused("token binding not supported");
        "bound to a key in a way that nobody knows", h.introspected(json!({"cnf": {"kid": "k"}})) => refused("token binding not supported");
        "bound to a key, with its proof", bound(&h.dpop, "DPoP", Some(&h.dpop)) => allowed();
        "bound to a key, without a proof", bound(&h.dpop, "DPoP", None) => unproved("invalid_dpop_proof", "proof is missing");
        "bound to a key, as a bearer token", bound(&h.dpop, "Bearer", None) => unbound("token needs a proof of possession");
        "bound to a key, with the proof of another", bound(&h.dpop, "DPoP", Some(&h.other_dpop)) => unproved("invalid_token", "token is bound to another key");
        "a signed token that names this issuer", Reply::signed(h) => refused("token not active");
    }
}

/// The endpoint does not answer, or with something that is none: nobody can say that the token is bad.
fn failures() -> Vec<Row> {
    rows! { h:
        "active missing", h.introspected(json!({"active": null})) => unavailable();
        "active a text", h.introspected(json!({"active": "true"})) => unavailable();
        "active 1", h.introspected(json!({"active": 1})) => unavailable();
        "active null", h.opaque(json(r#"{"active":null,"sub":"alice"}"#)) => unavailable();
        "active twice", h.opaque(json(r#"{"active":false,"active":true,"sub":"alice"}"#)) => unavailable();
        "sub twice", h.opaque(json(r#"{"active":true,"sub":"alice","sub":"root"}"#)) => unavailable();
        "not JSON", h.opaque(json("active=true")) => unavailable();
        "empty", h.opaque(json("")) => unavailable();
        "a list", h.opaque(json(r#"[{"active":true}]"#)) => unavailable();
        "true and nothing else", h.opaque(json("true")) => unavailable();
        "JSON that is cut off", h.opaque(json(r#"{"active":true,"sub":"al"#)) => unavailable();
        "a page of HTML", h.opaque(active("200 OK", "content-type: text/html\r\n", 0)) => unavailable();
        "200 with a byte too many", h.opaque(active("200 OK", JSON, 70_000)) => unavailable();
        "megabytes", h.opaque(active("200 OK", JSON, 4_000_000)) => unavailable();
        "201", h.opaque(active("201 Created", JSON, 0)) => unavailable();
        "204", h.opaque(status("204 No Content")) => unavailable();
        "302", h.opaque(active("302 Found", "content-type: application/json\r\nlocation: /introspect\r\n", 0)) => unavailable();
        "400", h.opaque(status("400 Bad Request")) => unavailable();
        "401, which is about us", h.opaque(active("401 Unauthorized", JSON, 0)) => unavailable();
        "403", h.opaque(status("403 Forbidden")) => unavailable();
        "404", h.opaque(status("404 Not Found")) => unavailable();
        "429", h.opaque(Reply::Raw("429 Too Many Requests", "retry-after: 60\r\n", String::new())) => unavailable();
        "500 that says active", h.opaque(active("500 Internal Server Error", JSON, 0)) => unavailable();
        "503", h.opaque(status("503 Service Unavailable")) => unavailable();
        "an answer squeezed by gzip", h.opaque(active("200 OK", "content-type: application/json\r\ncontent-encoding: gzip\r\n", 0)) => unavailable();
        "no answer", h.opaque(Reply::Silence) => unavailable();
        "the connection is closed", h.opaque(Reply::Close) => unavailable();
    }
}

impl Reply {
    /// A signed token of the issuer whose tokens are asked about: it is asked about too.
    fn signed(house: &crate::house::House) -> String {
        let token = house.corp();
        token
            .claims(json!({"iss": "https://opaque.example"}))
            .text()
    }
}

/// The value of `Authorization`.
fn sent(ask: &Ask) -> Vec<u8> {
    let mut headers = ask.headers.iter();
    let found = headers.find(|(name, _)| name == "authorization");
    found.expect("a token").1.clone()
}

/// After each answer a good one, so that no row finds the endpoint given up on, and each shows that
/// the one before it has done no harm.
#[test]
fn what_the_issuer_says_of_opaque_tokens() {
    hold(house(), &rows(), |house| {
        let verdict = house.asker().grpc(&house.introspected(json!({})));
        assert_eq!(verdict.reason, "allowed", "it must answer again");
    });
}
