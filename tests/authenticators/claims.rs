//! What a signed token claims: its issuer, its audience, its times, its holder.

use serde_json::json;

use crate::house::CORP;
use crate::house::RESOURCE;
use crate::house::house;
use crate::support::tokens::now;
use crate::table::Row;
use crate::table::allowed;
use crate::table::get;
use crate::table::hold;
use crate::table::powerless;
use crate::table::refused;
use crate::table::rows;

const CLAIMS: &str = "claims not accepted";
const AUDIENCE: &str = "audience does not match";
const ISSUER: &str = "unknown issuer";

pub(crate) fn rows() -> Vec<Row> {
    let mut all = issuers();
    all.extend(audiences());
    all.extend(times());
    all.extend(holders());
    all
}

fn issuers() -> Vec<Row> {
    rows! { h:
        "iss missing", h.corp().claims(json!({"iss": null})) => refused(ISSUER);
        "iss null", h.corp().claim("iss", json!(null)) => refused(CLAIMS);
        "iss a list that holds it", h.corp().claims(json!({"iss": ["https://evil.example", CORP]})) => refused(CLAIMS);
        "iss a number", h.corp().claims(json!({"iss": 1})) => refused(CLAIMS);
        "iss of another case", h.corp().claims(json!({"iss": "https://Issuer.example"})) => refused(ISSUER);
        "iss with a slash after it", h.corp().claims(json!({"iss": "https://issuer.example/"})) => refused(ISSUER);
        "iss with more after it", h.corp().claims(json!({"iss": "https://issuer.example.evil"})) => refused(ISSUER);
        "iss that it begins with", h.corp().claims(json!({"iss": "https://issuer.exampl"})) => refused(ISSUER);
        "iss twice", h.corp().raw_claims(r#""iss":"https://evil.example""#) => refused("malformed token");
        "iss empty", h.corp().claims(json!({"iss": ""})) => refused(ISSUER);
        "iss of a product that is accepted elsewhere", h.product("okta", json!({"sub": "a", "aud": RESOURCE})) => refused(ISSUER);
        "iss that is not checked, of anybody", get("/any").bearer(&h.of("any").claims(json!({"iss": "https://x.example"})).text()) => allowed();
        "iss that is not checked, its own", get("/any").bearer(&h.of("any").text()) => allowed();
        "iss that is not checked, of a configured issuer, by that one", get("/any").bearer(&h.of("rs256").text()) => refused(ISSUER);
        "iss that is not checked, of a configured issuer, by itself", get("/any").bearer(&h.of("any").claims(json!({"iss": "https://rs256.example"})).text()) => refused(ISSUER);
        "iss that is not checked, of a neighbour, by itself", get("/any").bearer(&h.of("any").claims(json!({"iss": CORP})).text()) => refused("signature does not verify");
        "iss that is not checked, by a thief", get("/any").bearer(&h.of("any").by(&h.thief).claims(json!({"iss": "https://x.example"})).text()) => refused("signature does not verify");
        "iss that is not checked, empty", get("/any").bearer(&h.of("any").claims(json!({"iss": ""})).text()) => refused(CLAIMS);
        "iss that is not checked, with a #", get("/any").bearer(&h.of("any").claims(json!({"iss": "https://issuer.example#alice"})).text()) => refused(CLAIMS);
    }
}

fn audiences() -> Vec<Row> {
    rows! { h:
        "aud missing", h.corp().claims(json!({"aud": null})) => refused(CLAIMS);
        "aud null", h.corp().claim("aud", json!(null)) => refused(CLAIMS);
        "aud a number", h.corp().claims(json!({"aud": 5})) => refused(CLAIMS);
        "aud an object", h.corp().claims(json!({"aud": {"a": RESOURCE}})) => refused(CLAIMS);
        "aud a list with a number", h.corp().claims(json!({"aud": [RESOURCE, 5]})) => refused(CLAIMS);
        "aud an empty list", h.corp().claims(json!({"aud": []})) => refused(CLAIMS);
        "aud empty", h.corp().claims(json!({"aud": ""})) => refused(CLAIMS);
        "aud a list of lists", h.corp().claims(json!({"aud": [[RESOURCE]]})) => refused(CLAIMS);
        "aud of 17", h.corp().claims(json!({"aud": vec![RESOURCE; 17]})) => refused(CLAIMS);
        "aud of 16", h.corp().claims(json!({"aud": vec![RESOURCE; 16]})) => allowed();
        "aud of two, one of them right", h.corp().claims(json!({"aud": ["https://else.example", RESOURCE]})) => allowed();
        "aud of two, none right", h.corp().claims(json!({"aud": ["https://else.example", "x"]})) => refused(AUDIENCE);
        "aud another", h.corp().claims(json!({"aud": "https://else.example"})) => refused(AUDIENCE);
        "aud with a slash after it", h.corp().claims(json!({"aud": "https://mcp.example.com/mcp/"})) => refused(AUDIENCE);
        "aud the host only", h.corp().claims(json!({"aud": "https://mcp.example.com"})) => refused(AUDIENCE);
        "aud of another case", h.corp().claims(json!({"aud": "https://MCP.example.com/mcp"})) => refused(AUDIENCE);
        "aud the neighbour's", h.corp().claims(json!({"aud": "https://mcp.example.com/other"})) => refused(AUDIENCE);
        "aud twice", h.corp().raw_claims(r#""aud":"https://else.example""#) => refused("malformed token");
        "aud right, at the neighbour", get("/other").bearer(&h.corp().claims(json!({"aud": "https://mcp.example.com/other"})).text()) => allowed();
        "aud of here, at the neighbour", get("/other").bearer(&h.corp().text()) => refused(AUDIENCE);
        "aud of here and remembered, at the neighbour", { let token = h.corp().text(); h.used(crate::table::forecast().bearer(&token)); get("/other").bearer(&token) } => refused(AUDIENCE);
        "aud of both and remembered, at one that knows not the issuer", { let token = h.of("rs256").claims(json!({"aud": [RESOURCE, "https://mcp.example.com/other"]})).text(); h.used(crate::table::forecast().bearer(&token)); get("/other").bearer(&token) } => refused(ISSUER);
    }
}

fn times() -> Vec<Row> {
    let day = 24 * 60 * 60;
    assert_eq!(
        day, 86_400,
        "the longest lifetime, unless the file says otherwise"
    );
    rows! { h:
        "exp missing", h.corp().claims(json!({"exp": null})) => refused(CLAIMS);
        "exp null", h.corp().claim("exp", json!(null)) => refused(CLAIMS);
        "exp a text", h.corp().claims(json!({"exp": (now() + 300).to_string()})) => refused(CLAIMS);
        "exp with a fraction", h.corp().claims(json!({"exp": 1.5 + f64::from(u32::try_from(now()).expect("this century"))})) => refused(CLAIMS);
        "exp negative", h.corp().claims(json!({"exp": -1})) => refused(CLAIMS);
        "exp 1e18", h.corp().claims(json!({"exp": 1_000_000_000_000_000_000_u64})) => refused(CLAIMS);
        "exp 1e999", h.corp().claims(json!({"exp": null})).raw_claims(r#""exp":1e999"#) => refused("malformed token");
        "exp u64::MAX", h.corp().claims(json!({"exp": u64::MAX})) => refused(CLAIMS);
        "exp twice", h.corp().raw_claims(r#""exp":4102444800"#) => refused("malformed token");
        "exp long past", h.corp().claims(json!({"exp": now() - 3600})) => refused("token expired");
        "exp past by more than the leeway", h.corp().claims(json!({"exp": now() - 31})) => refused("token expired");
        "exp past by less than the leeway", h.corp().claims(json!({"exp": now() - 10})) => allowed();
        "exp past where there is no leeway", h.of("short").claims(json!({"exp": now() - 1})) => refused("token expired");
        "exp zero", h.corp().claims(json!({"exp": 0})) => refused("token expired");
        "exp in a day", h.corp().claims(json!({"exp": now() + 86_400 - 60})) => allowed();
        "exp in more than a day", h.corp().claims(json!({"exp": now() + 86_400 + 60})) => refused("token lifetime too long");
        "exp in more than an hour where that is all", h.of("short").claims(json!({"exp": now() + 3_660})) => refused("token lifetime too long");
        "nbf in an hour", h.corp().claims(json!({"nbf": now() + 3600})) => refused("token not yet valid");
        "nbf within the leeway", h.corp().claims(json!({"nbf": now() + 10})) => allowed();
        "nbf a text", h.corp().claims(json!({"nbf": "0"})) => refused(CLAIMS);
        "nbf null", h.corp().claim("nbf", json!(null)) => refused(CLAIMS);
        "nbf negative", h.corp().claims(json!({"nbf": -1})) => refused(CLAIMS);
        "iat in an hour", h.corp().claims(json!({"iat": now() + 3600})) => refused("token issued in the future");
        "iat within the leeway", h.corp().claims(json!({"iat": now() + 10})) => allowed();
        "iat a text", h.corp().claims(json!({"iat": "0"})) => refused(CLAIMS);
        "iat missing", h.corp().claims(json!({"iat": null})) => allowed();
    }
}

fn holders() -> Vec<Row> {
    rows! { h:
        "sub twice", h.corp().raw_claims(r#""sub":"bob""#) => refused("malformed token");
        "sub twice, one of them spelled with an escape", h.corp().raw_claims(r#""\u0073ub":"bob""#) => refused("malformed token");
        "a member twice, deep inside", h.corp().raw_claims(r#""x":{"role":"a","role":"b"}"#) => refused("malformed token");
        "sub a number", h.corp().claims(json!({"sub": 7})) => refused(CLAIMS);
        "sub empty", h.corp().claims(json!({"sub": ""})) => refused(CLAIMS);
        "sub with a NUL", h.corp().claims(json!({"sub": "alice\u{0}"})) => refused(CLAIMS);
        "sub with half a surrogate", h.corp().claims(json!({"sub": null})).raw_claims(r#""sub":"\ud800""#) => refused("malformed token");
        "neither sub nor client_id", h.corp().claims(json!({"sub": null, "client_id": null})) => refused("token names no subject");
        "no sub", h.corp().claims(json!({"sub": null})) => allowed();
        "jti a number", h.corp().claims(json!({"jti": 1})) => refused(CLAIMS);
        "jti empty", h.corp().claims(json!({"jti": ""})) => refused(CLAIMS);
        "roles a number", h.corp().claims(json!({"roles": 1})) => refused(CLAIMS);
        "roles a list with a number", h.corp().claims(json!({"roles": ["viewer", 1]})) => refused(CLAIMS);
        "roles with a newline", h.corp().claims(json!({"roles": ["viewer\n"]})) => refused(CLAIMS);
        "roles of 257", h.corp().claims(json!({"roles": (0..257).map(|n| n.to_string()).collect::<Vec<_>>()})) => refused(CLAIMS);
        "roles in Cedar's own form", h.corp().claims(json!({"roles": {"__entity": {"type": "Mcp::Role", "id": "viewer"}}})) => refused(CLAIMS);
        "roles in a list in Cedar's own form", h.corp().claims(json!({"roles": [{"__entity": {"type": "Mcp::Role", "id": "viewer"}}]})) => refused(CLAIMS);
        "another claim in Cedar's own form is no role", h.corp().claims(json!({"roles": [], "dept": {"__entity": {"type": "Mcp::Role", "id": "viewer"}}})) => powerless("weather:read");
        "no roles, and the scope", h.corp().claims(json!({"roles": [], "scope": "weather:read"})) => allowed();
        "neither roles nor scope", h.corp().claims(json!({"roles": []})) => powerless("weather:read");
        "a role of another case", h.corp().claims(json!({"roles": ["Viewer"]})) => powerless("weather:read");
        "act a text", h.corp().claims(json!({"act": "bob"})) => refused(CLAIMS);
        "act an object", h.corp().claims(json!({"act": {"sub": "bob"}})) => allowed();
        "RFC 9068, all there", h.of("profile") => allowed();
        "RFC 9068, typ JWT", h.of("profile").header(json!({"typ": "JWT"})) => refused("token type not accepted");
        "RFC 9068, no typ", h.of("profile").header(json!({"typ": null})) => refused("token type not accepted");
        "RFC 9068, no sub", h.of("profile").claims(json!({"sub": null})) => refused(CLAIMS);
        "RFC 9068, no client_id", h.of("profile").claims(json!({"client_id": null})) => refused(CLAIMS);
        "RFC 9068, client_id empty", h.of("profile").claims(json!({"client_id": ""})) => refused(CLAIMS);
        "RFC 9068, no jti", h.of("profile").claims(json!({"jti": null})) => refused(CLAIMS);
        "RFC 9068, no iat", h.of("profile").claims(json!({"iat": null})) => refused(CLAIMS);
        "RFC 9068, no exp", h.of("profile").claims(json!({"exp": null})) => refused(CLAIMS);
        "RFC 9068, no aud", h.of("profile").claims(json!({"aud": null})) => refused(CLAIMS);
    }
}

#[test]
fn what_tokens_claim() {
    hold(house(), &rows(), |_| ());
}
