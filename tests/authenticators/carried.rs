//! Credentials that are carried as they are: API keys, a static token, certificates, and none.

use serde_json::json;

use crate::house::BACK_KEY;
use crate::house::KEY;
use crate::house::LOOSE_KEY;
use crate::house::OTHER_KEY;
use crate::house::SHARED;
use crate::house::house;
use crate::support::ask::Ask;
use crate::support::ask::Shown;
use crate::table::Row;
use crate::table::allowed;
use crate::table::forbidden;
use crate::table::forecast;
use crate::table::get;
use crate::table::hold;
use crate::table::malformed;
use crate::table::missing;
use crate::table::powerless;
use crate::table::refused;
use crate::table::rows;
use crate::table::several;
use crate::table::unkeyed;

const UNKNOWN: &str = "unknown key";
const HEADER: &str = "the credential is malformed";
const NOBODY: &str = "the certificate is not one that is accepted here";

/// A call with a key in the usual header.
fn key(key: &str) -> Ask {
    forecast().header("x-api-key", key)
}

/// A call with the static token, under another scheme or changed.
fn shared(scheme: &str, token: &str) -> Ask {
    forecast().header("authorization", format!("{scheme} {token}"))
}

/// A certificate with this URI.
fn uri(uri: &str) -> Shown {
    Shown {
        principal: uri.to_owned(),
        xfcc: format!("Hash={};Subject=\"CN=x\";URI={uri}", "0".repeat(64)),
        ..Shown::default()
    }
}

/// A certificate that the proxy tells of in these words.
fn shown(principal: &str, xfcc: &str) -> Shown {
    Shown {
        principal: principal.to_owned(),
        xfcc: xfcc.to_owned(),
        ..Shown::default()
    }
}

const WEB: &str = "spiffe://example.org/ns/prod/sa/web";

pub(crate) fn rows() -> Vec<Row> {
    let mut all = keys();
    all.extend(tokens());
    all.extend(certificates());
    all.extend(strangers());
    all
}

fn keys() -> Vec<Row> {
    rows! { h:
        "a key", key(KEY) => allowed();
        "a key that was made elsewhere", key(LOOSE_KEY) => allowed();
        "a key without roles, whom no issuer can give a scope", key(BACK_KEY) => forbidden();
        "a key in a header of another case", forecast().header("X-API-KEY", KEY) => allowed();
        "a key with blanks around it", key(&format!("  {KEY} ")) => allowed();
        "a key with another last byte", key(&KEY.replace("AAM", "AAN")) => refused(UNKNOWN);
        "a key with another first byte", key(&KEY.replacen('f', "g", 1)) => refused(UNKNOWN);
        "a key with another byte in the middle", key(&KEY.replacen("AAAA", "AABA", 1)) => refused(UNKNOWN);
        "a key of another case", key(&KEY.to_ascii_lowercase()) => refused(UNKNOWN);
        "a key without its last byte", key(KEY.trim_end_matches('M')) => refused(UNKNOWN);
        "a key with a byte more", key(&format!("{KEY}A")) => refused(UNKNOWN);
        "a key of an unknown id", key(&KEY.replace("front", "nobody")) => refused(UNKNOWN);
        "a key under the id of another", key(&KEY.replace("front", "back")) => refused(UNKNOWN);
        "the id alone", key("front") => refused(UNKNOWN);
        "the id and a dot", key("front.") => refused(UNKNOWN);
        "the hash of a key", key("sha256:0000000000000000000000000000000000000000000000000000000000000000") => refused(UNKNOWN);
        "a key that was made elsewhere, with another last byte", key(&LOOSE_KEY.replace("89", "88")) => refused(UNKNOWN);
        "an empty key", key("") => refused(HEADER);
        "a key with a blank inside", key("front AAAA") => refused(HEADER);
        "a key with a byte that is not ASCII", forecast().header("x-api-key", b"front.\xff") => refused(HEADER);
        "a key twice", key(KEY).header("x-api-key", KEY) => several();
        "two keys", key(KEY).header("x-api-key", BACK_KEY) => several();
        "two keys in headers of other cases", key(KEY).header("X-Api-Key", BACK_KEY) => several();
        "two keys joined by a comma", key(&format!("{KEY},{BACK_KEY}")) => refused(UNKNOWN);
        "two keys joined by a comma and a blank", key(&format!("{KEY}, {BACK_KEY}")) => refused(HEADER);
        "a key and a good token", key(KEY).bearer(&h.corp().text()) => several();
        "a key and a bad token", key(KEY).bearer("x") => several();
        "a bad key and a good token", key("x").bearer(&h.corp().text()) => several();
        "a key and an empty Authorization", key(KEY).header("authorization", "") => several();
        "two Authorization headers", shared("Bearer", SHARED).header("authorization", format!("Bearer {SHARED}")) => several();
        "two tokens joined by a comma", shared("Bearer", &format!("{SHARED}, Bearer {SHARED}")) => several();
        "a key where its header means nothing", get("/other").header("x-api-key", KEY) => missing();
        "a key where its header means nothing, and a good token", get("/other").header("x-api-key", KEY).bearer(&h.corp().claims(json!({"aud": "https://mcp.example.com/other"})).text()) => allowed();
        "a key in the header of another", get("/other").header("x-other-key", KEY) => refused(UNKNOWN);
        "a key in its own header, there", get("/other").header("x-other-key", OTHER_KEY) => allowed();
        "the other key in the usual header", key(OTHER_KEY) => refused(UNKNOWN);
        "the other key here, in its header", forecast().header("x-other-key", OTHER_KEY) => missing();
        "two kinds of keys where both count", get("/both").header("x-api-key", KEY).header("x-other-key", OTHER_KEY) => several();
        "a key in a header with an underscore", forecast().header("x_api_key", KEY) => missing();
        "a key as a bearer token", forecast().bearer(KEY) => refused("token not active");
        "a key as a bearer token where nobody is asked", get("/both").bearer(KEY) => unkeyed();
    }
}

fn tokens() -> Vec<Row> {
    rows! { h:
        "the static token", shared("Bearer", SHARED) => allowed();
        "the static token, bearer in lower case", shared("bearer", SHARED) => allowed();
        "the static token with another last byte", shared("Bearer", &SHARED.replace("-0123456789-0123456789", "-0123456789-0123456788")) => refused("token not active");
        "the static token of another case", shared("Bearer", &SHARED.to_ascii_uppercase()) => refused("token not active");
        "the static token with padding", shared("Bearer", &format!("{SHARED}=")) => refused("token not active");
        "the static token cut short", shared("Bearer", SHARED.trim_end_matches('9')) => refused("token not active");
        "the static token under DPoP", shared("DPoP", SHARED) => crate::table::unproved("invalid_token", "token is not bound to a key");
        "the static token under DPoP, with a proof", shared("DPoP", SHARED).header("dpop", h.dpop.proof("POST", crate::house::RESOURCE, Some(SHARED), None)) => crate::table::unproved("invalid_token", "token is not bound to a key");
        "the static token under Basic", shared("Basic", SHARED) => refused("the authorization scheme is not supported");
        "the static token without a scheme", forecast().header("authorization", SHARED) => refused("the authorization scheme is not supported");
        "the static token at the neighbour", get("/any").bearer(SHARED) => refused("the credential is not one that is accepted here");
        "the static token in the form of a JWT", shared("Bearer", &format!("eyJhbGciOiJub25lIn0.e30.{SHARED}")) => refused("malformed token");
        "the static token as an API key", key(SHARED) => refused(UNKNOWN);
        "Bearer and nothing", forecast().header("authorization", "Bearer") => refused(HEADER);
        "Bearer and a blank", forecast().header("authorization", "Bearer ") => refused(HEADER);
        "two tokens after one scheme", shared("Bearer", &format!("{SHARED} {SHARED}")) => refused(HEADER);
        "an empty Authorization", forecast().header("authorization", "") => refused(HEADER);
        "a token in the query", forecast().at(crate::support::ask::HOST, &format!("/mcp?access_token={SHARED}")) => several();
        "a token in the query, and a good one", forecast().at(crate::support::ask::HOST, "/mcp?access_token=x").bearer(SHARED) => several();
        "Negotiate", forecast().header("authorization", "Negotiate AAAA") => refused("the authorization scheme is not supported");
    }
}

fn certificates() -> Vec<Row> {
    rows! { h:
        "a workload", forecast().certificate(uri(WEB)) => allowed();
        "a workload whose certificate tells no hash", forecast().certificate(shown(WEB, &format!("URI={WEB}"))) => allowed();
        "a workload of another trust domain", forecast().certificate(uri("spiffe://example.com/web")) => refused(NOBODY);
        "a trust domain that begins like ours", forecast().certificate(uri("spiffe://example.org.evil/web")) => refused(NOBODY);
        "a trust domain that ends like ours", forecast().certificate(uri("spiffe://evil.example.org/web")) => refused(NOBODY);
        "a trust domain with a user before it", forecast().certificate(uri("spiffe://x@example.org/web")) => refused(NOBODY);
        "a trust domain with a port", forecast().certificate(uri("spiffe://example.org:443/web")) => refused(NOBODY);
        "no path", forecast().certificate(uri("spiffe://example.org")) => refused(NOBODY);
        "an empty path", forecast().certificate(uri("spiffe://example.org/")) => refused(NOBODY);
        "a path that goes up", forecast().certificate(uri("spiffe://example.org/a/../web")) => refused(NOBODY);
        "a path with an escape", forecast().certificate(uri("spiffe://example.org/%77eb")) => refused(NOBODY);
        "a path with a fragment", forecast().certificate(uri("spiffe://example.org/web#x")) => refused(NOBODY);
        "an upper-case trust domain", forecast().certificate(uri("spiffe://EXAMPLE.org/web")) => refused(NOBODY);
        "an upper-case scheme", forecast().certificate(uri("SPIFFE://example.org/web")) => refused(NOBODY);
        "another scheme", forecast().certificate(uri("https://example.org/web")) => refused(NOBODY);
        "a DNS name", forecast().certificate(shown("web.example.org", "Subject=\"CN=x\";URI=;DNS=web.example.org")) => refused(NOBODY);
        "a subject", forecast().certificate(shown("CN=web,O=example.org", "Subject=\"CN=web,O=example.org\";URI=")) => refused(NOBODY);
        "a subject that says spiffe", forecast().certificate(shown("CN=spiffe://example.org/web", "Subject=\"CN=spiffe://example.org/web\";URI=")) => refused(NOBODY);
        "a workload beside a good token", forecast().certificate(uri(WEB)).bearer(&h.corp().text()) => allowed();
        "a workload beside a bad token", forecast().certificate(uri(WEB)).bearer(&h.corp().by(&h.thief).text()) => refused("signature does not verify");
        "a workload beside a token that may not", forecast().certificate(uri(WEB)).bearer(&h.corp().claims(json!({"roles": []})).text()) => powerless("weather:read");
        "a workload beside a bad key", forecast().certificate(uri(WEB)).header("x-api-key", "x") => refused(UNKNOWN);
        "a workload beside a good key", forecast().certificate(uri(WEB)).header("x-api-key", KEY) => allowed();
        "a workload where certificates are no identities", get("/other").certificate(uri(WEB)) => missing();
        "a stranger's certificate where strangers are let in", get("/open").certificate(uri("spiffe://example.com/web")) => refused(NOBODY);
    }
}

fn strangers() -> Vec<Row> {
    rows! { h:
        "nothing", forecast() => missing();
        "nothing, and an empty body", Ask::post("") => missing();
        "a proof and no token", forecast().header("dpop", h.dpop.proof("POST", crate::house::RESOURCE, None, None)) => missing();
        "nothing where strangers are let in", get("/open") => allowed();
        "nothing where strangers may read only", Ask::post("{}").at(crate::support::ask::HOST, "/open") => missing();
        "a good token where strangers are let in", get("/open").bearer(&h.corp().claims(json!({"aud": "https://mcp.example.com/open"})).text()) => allowed();
        "a good token without rights where strangers are let in", get("/open").bearer(&h.corp().claims(json!({"aud": "https://mcp.example.com/open", "roles": []})).text()) => forbidden();
        "a bad token where strangers are let in", get("/open").bearer(&h.corp().by(&h.thief).text()) => refused("signature does not verify");
        "an expired token where strangers are let in", get("/open").bearer(&h.corp().claims(json!({"exp": 1})).text()) => refused("token expired");
        "a token for somebody else where strangers are let in", get("/open").bearer(&h.corp().text()) => refused("audience does not match");
        "an opaque token where strangers are let in", get("/open").bearer("x") => refused("the credential is not one that is accepted here");
        "an unknown issuer where strangers are let in", get("/open").bearer(&h.of("rs256").text()) => refused("unknown issuer");
        "a bad key where strangers are let in", get("/open").header("x-api-key", "x") => refused(UNKNOWN);
        "an unknown scheme where strangers are let in", get("/open").header("authorization", "Basic eDp5") => refused("the authorization scheme is not supported");
        "an empty Authorization where strangers are let in", get("/open").header("authorization", "") => refused(HEADER);
        "two keys where strangers are let in", get("/open").header("x-api-key", KEY).header("x-api-key", KEY) => several();
        "a key that means nothing where strangers are let in", get("/open").header("x-other-key", OTHER_KEY) => allowed();
    }
}

#[test]
fn what_is_carried_as_it_is() {
    hold(house(), &rows(), |_| ());
}

/// What only one of the dialects can say.
#[test]
fn certificates_in_the_words_of_one_dialect() {
    let house = house();
    let rows = rows! { h:
        "two elements", forecast().certificate(shown("", &format!("URI={WEB},URI={WEB}"))) => malformed();
        "two URIs", forecast().certificate(shown("", &format!("URI={WEB};URI={WEB}"))) => refused(NOBODY);
        "a DNS name that goes on as a URI", forecast().certificate(shown("", &format!("URI=;DNS=x;URI={WEB}"))) => malformed();
        "a subject that is not closed", forecast().certificate(shown("", &format!("Subject=\"CN=x;URI={WEB}"))) => malformed();
        "a hash that is none", forecast().certificate(shown("", &format!("Hash=00;URI={WEB}"))) => malformed();
        "a key without a value", forecast().certificate(shown("", "URI")) => malformed();
        "empty but for a key", forecast().certificate(shown("", "URI=")) => refused(NOBODY);
        "twice", forecast().certificate(uri(WEB)).header("x-forwarded-client-cert", format!("URI={WEB}")) => malformed();
        "malformed, beside a good token", forecast().certificate(shown("", "URI")).bearer(&h.corp().text()) => malformed();
    };
    crate::table::hold_by(house, &rows, &["HTTP"], |_| ());
    let rows = rows! { h:
        "the header, over gRPC", forecast().header("x-forwarded-client-cert", format!("URI={WEB}")) => missing();
        "a certificate that is no PEM", forecast().certificate(Shown { pem: "x".to_owned(), ..uri(WEB) }) => malformed();
        "a certificate and no name", forecast().certificate(Shown { pem: crate::proofs::PEM.to_owned(), ..Shown::default() }) => refused(NOBODY);
    };
    crate::table::hold_by(house, &rows, &["gRPC"], |_| ());
}

/// A proxy that joins repeated headers leaves one with a comma: it could be two.
#[test]
fn what_a_proxy_may_have_joined_is_two() {
    let house = house();
    for (what, ask, expected) in [
        ("one key", key(KEY), "allowed"),
        (
            "two keys",
            key(&format!("{KEY},{BACK_KEY}")),
            "malformed_request",
        ),
        ("one token", shared("Bearer", SHARED), "allowed"),
        (
            "two tokens",
            shared("Bearer", &format!("{SHARED},Bearer {SHARED}")),
            "malformed_request",
        ),
    ] {
        let mut check = ask.grpc();
        let attributes = check.attributes.as_mut().expect("attributes");
        let request = attributes.request.as_mut().expect("a request");
        let http = request.http.as_mut().expect("of HTTP");
        http.header_map = None;
        let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
        let headers = ask.headers.iter();
        http.headers = headers
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let verdict = house.asker().check(check);
        assert_eq!(verdict.reason, expected, "{what}: {verdict:?}");
    }
}
