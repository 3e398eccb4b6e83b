//! The form of a signed token: its parts, its header, and what kind of token it says it is.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::house::house;
use crate::support::ask::Ask;
use crate::support::signer::Token;
use crate::table::Row;
use crate::table::allowed;
use crate::table::get;
use crate::table::hold;
use crate::table::refused;
use crate::table::rows;

/// The token with another text for its signature.
fn signed_with(token: &Token<'_>, change: fn(&str) -> String) -> String {
    let text = token.text();
    let (input, signature) = text.rsplit_once('.').expect("three parts");
    format!("{input}.{}", change(signature))
}

/// The parts, changed after they were signed over.
fn parts(token: &Token<'_>, change: fn(&str, &str, &str) -> String) -> String {
    let text = token.text();
    let mut parts = text.split('.');
    let mut next = || parts.next().expect("three parts");
    change(next(), next(), next())
}

/// Base64url with padding after the header.
fn padded(token: &Token<'_>) -> String {
    parts(token, |header, claims, signature| {
        format!("{header}==.{claims}.{signature}")
    })
}

fn input(token: &Token<'_>) -> String {
    parts(token, |header, claims, _| format!("{header}.{claims}"))
}

fn signature(token: &Token<'_>) -> String {
    parts(token, |_, _, signature| signature.to_owned())
}

/// The first character changed.
fn flipped(text: &str) -> String {
    let other = if text.starts_with('A') { "B" } else { "A" };
    format!("{other}{}", text.chars().skip(1).collect::<String>())
}

/// A GET with this token where nobody can be asked about tokens of an unknown form.
fn alone(token: &str) -> Ask {
    get("/any").bearer(token)
}

/// The token with white space in its claims, so that it has this many bytes or more.
fn long(token: &Token<'_>, bytes: usize) -> String {
    let claims = token.claims_json();
    token.with_parts(
        &token.header_json(),
        &format!("{claims}{}", " ".repeat(bytes)),
    )
}

/// An object in an object in an object.
fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

const HEADER: &str = "token header not accepted";
const ALGORITHM: &str = "algorithm not accepted";
const FORM: &str = "malformed token";
const KIND: &str = "not an access token";
const UNKNOWN: &str = "the credential is not one that is accepted here";

pub(crate) fn rows() -> Vec<Row> {
    let mut all = headers();
    all.extend(encodings());
    all.extend(kinds());
    all
}

fn headers() -> Vec<Row> {
    rows! { h:
        "good", h.corp() => allowed();
        "crit, of a name that nobody knows", h.corp().header(json!({"crit": ["exp"]})) => refused(HEADER);
        "crit, empty", h.corp().header(json!({"crit": []})) => refused(HEADER);
        "crit, null", h.corp().raw_header(r#""crit":null"#) => refused(HEADER);
        "b64 false, with crit", h.corp().header(json!({"b64": false, "crit": ["b64"]})) => refused(HEADER);
        "b64 true", h.corp().header(json!({"b64": true})) => refused(HEADER);
        "jku", h.corp().header(json!({"jku": "https://issuer.example/keys"})) => refused(HEADER);
        "x5u", h.corp().header(json!({"x5u": "https://issuer.example/chain"})) => refused(HEADER);
        "jwk", h.corp().header(json!({"jwk": h.corp.jwk("k1", &json!({}))})) => refused(HEADER);
        "jwk of the thief who signed", h.corp().by(&h.thief).header(json!({"jwk": h.thief.jwk("k1", &json!({}))})) => refused(HEADER);
        "x5c", h.corp().header(json!({"x5c": ["MAA="]})) => refused(HEADER);
        "zip", h.corp().header(json!({"zip": "DEF"})) => refused(HEADER);
        "enc", h.corp().header(json!({"enc": "A256GCM"})) => refused(HEADER);
        "x5t beside a known key is no key", h.corp().header(json!({"x5t": "AAAA"})) => allowed();
        "alg none, no signature", alone(&signed_with(&h.corp().header(json!({"alg": "none"})), |_| String::new())) => refused(UNKNOWN);
        "alg none, signed", h.corp().header(json!({"alg": "none"})) => refused(ALGORITHM);
        "alg None", h.corp().header(json!({"alg": "None"})) => refused(ALGORITHM);
        "alg NONE", h.corp().header(json!({"alg": "NONE"})) => refused(ALGORITHM);
        "alg nOnE", h.corp().header(json!({"alg": "nOnE"})) => refused(ALGORITHM);
        "alg es256", h.corp().header(json!({"alg": "es256"})) => refused(ALGORITHM);
        "alg with a blank after it", h.corp().header(json!({"alg": "ES256 "})) => refused(ALGORITHM);
        "alg with a NUL after it", h.corp().header(json!({"alg": "ES256\u{0}"})) => refused(ALGORITHM);
        "alg empty", h.corp().header(json!({"alg": ""})) => refused(ALGORITHM);
        "alg null", h.corp().header(json!({"alg": null})).raw_header(r#""alg":null"#) => refused(ALGORITHM);
        "alg missing", h.corp().header(json!({"alg": null})) => refused(ALGORITHM);
        "alg a list", h.corp().header(json!({"alg": ["ES256"]})) => refused(ALGORITHM);
        "alg ES512, which is not spoken", h.corp().header(json!({"alg": "ES512"})) => refused(ALGORITHM);
        "alg ES256K, which is not spoken", h.corp().header(json!({"alg": "ES256K"})) => refused(ALGORITHM);
        "alg twice", h.corp().raw_header(r#""alg":"none""#) => refused(FORM);
        "kid twice", h.corp().raw_header(r#""kid":"k2""#) => refused(FORM);
        "kid a number", h.corp().header(json!({"kid": 1})) => refused(FORM);
        "kid a list", h.corp().header(json!({"kid": ["k1"]})) => refused(FORM);
        "kid null", h.corp().header(json!({"kid": null})).raw_header(r#""kid":null"#) => refused(FORM);
        "kid empty", h.corp().header(json!({"kid": ""})) => refused("unknown signing key");
        "kid longer than any name", h.corp().header(json!({"kid": "k".repeat(257)})) => refused(FORM);
        "kid with a control character", h.corp().header(json!({"kid": "k1\u{0}"})) => refused(FORM);
        "kid unknown", h.corp().header(json!({"kid": "k2"})) => refused("unknown signing key");
        "kid of another case", h.corp().header(json!({"kid": "K1"})) => refused("unknown signing key");
        "kid a path", h.corp().header(json!({"kid": "../../dev/null"})) => refused("unknown signing key");
        "kid a URL", h.corp().header(json!({"kid": "http://127.0.0.1/keys"})) => refused("unknown signing key");
        "kid a query", h.corp().header(json!({"kid": "x' UNION SELECT '1';--"})) => refused("unknown signing key");
        "kid missing, where there is one key", h.corp().header(json!({"kid": null})) => allowed();
        "header a list", alone(&h.corp().with_parts("[]", &h.corp().claims_json())) => refused(UNKNOWN);
        "header not closed", h.corp().with_parts(r#"{"alg":"ES256""#, &h.corp().claims_json()) => refused(FORM);
        "header deeper than 16", h.corp().raw_header(&format!("\"deep\":{}", deep(16))) => refused(FORM);
        "header as deep as 16", h.corp().raw_header(&format!("\"deep\":{}", deep(15))) => allowed();
    }
}

fn encodings() -> Vec<Row> {
    rows! { h:
        "one part", alone("eyJhbGciOiJFUzI1NiJ9") => refused(UNKNOWN);
        "five parts, which its issuer is asked about", format!("{}.AAAA.AAAA", h.corp().text()) => refused("token not active");
        "two parts", alone(&parts(&h.corp(), |header, claims, _| format!("{header}.{claims}"))) => refused(UNKNOWN);
        "four parts", alone(&format!("{}.AAAA", h.corp().text())) => refused(UNKNOWN);
        "five parts, as of a JWE", alone(&format!("{}.AAAA.AAAA", h.corp().text())) => refused(UNKNOWN);
        "a thousand dots", alone(&".".repeat(1000)) => refused(UNKNOWN);
        "padding", padded(&h.corp()) => refused("the credential is malformed");
        "the alphabet with plus and slash", alone(&parts(&h.corp().claims(json!({"x": "~~~???"})), |header, claims, signature| format!("{header}.{claims}+.{signature}"))) => refused(UNKNOWN);
        "claims not base64url of whole bytes", parts(&h.corp(), |header, claims, signature| format!("{header}.{claims}AAAAA.{signature}")) => refused(FORM);
        "signature empty", alone(&signed_with(&h.corp(), |_| String::new())) => refused(UNKNOWN);
        "signature cut short", signed_with(&h.corp(), |text| text.chars().take(84).collect()) => refused("signature does not verify");
        "signature too long", signed_with(&h.corp(), |text| format!("AAAA{text}")) => refused("signature does not verify");
        "signature of zeros", signed_with(&h.corp(), |_| "A".repeat(86)) => refused("signature does not verify");
        "signature with another bit", signed_with(&h.corp(), flipped) => refused("signature does not verify");
        "signature with trailing bits", signed_with(&h.corp(), |text| format!("{}B", text.chars().take(85).collect::<String>())) => refused(FORM);
        "signature of another token", format!("{}.{}", input(&h.corp()), signature(&h.corp())) => refused("signature does not verify");
        "header changed after signing", parts(&h.corp(), |_, claims, signature| format!("{}.{claims}.{signature}", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#))) => refused("signature does not verify");
        "claims not JSON", h.corp().with_parts(&h.corp().header_json(), "{") => refused(FORM);
        "claims a list", h.corp().with_parts(&h.corp().header_json(), r#"[{"exp":4102444800}]"#) => refused(FORM);
        "claims a text", h.corp().with_parts(&h.corp().header_json(), "\"alice\"") => refused(FORM);
        "claims null", h.corp().with_parts(&h.corp().header_json(), "null") => refused(FORM);
        "claims with more after them", h.corp().with_parts(&h.corp().header_json(), &format!("{}{{}}", h.corp().claims_json())) => refused(FORM);
        "claims with a byte order mark", h.corp().with_parts(&h.corp().header_json(), &format!("\u{feff}{}", h.corp().claims_json())) => refused(FORM);
        "claims deeper than 16", h.corp().raw_claims(&format!("\"deep\":{}", deep(16))) => refused(FORM);
        "claims as deep as 16", h.corp().raw_claims(&format!("\"deep\":{}", deep(15))) => allowed();
        "as long as is accepted", long(&h.corp(), 11_000) => allowed();
        "longer than is accepted", long(&h.corp(), 13_000) => refused("token too long");
        "opaque and longer than is accepted", "x".repeat(17_000) => refused("token too long");
    }
}

fn kinds() -> Vec<Row> {
    rows! { h:
        "typ JWT", h.corp().header(json!({"typ": "JWT"})) => allowed();
        "typ missing", h.corp().header(json!({"typ": null})) => allowed();
        "typ application/at+jwt", h.corp().header(json!({"typ": "application/at+jwt"})) => allowed();
        "typ AT+JWT", h.corp().header(json!({"typ": "AT+JWT"})) => allowed();
        "typ a number", h.corp().header(json!({"typ": 1})) => refused(FORM);
        "typ empty", h.corp().header(json!({"typ": ""})) => refused("token type not accepted");
        "typ dpop+jwt", h.corp().header(json!({"typ": "dpop+jwt"})) => refused(KIND);
        "typ application/dpop+jwt", h.corp().header(json!({"typ": "application/DPoP+jwt"})) => refused(KIND);
        "typ logout+jwt", h.corp().header(json!({"typ": "logout+jwt"})) => refused(KIND);
        "typ oauth-id-jag+jwt", h.corp().header(json!({"typ": "oauth-id-jag+jwt"})) => refused(KIND);
        "typ client-authentication+jwt", h.corp().header(json!({"typ": "client-authentication+jwt"})) => refused(KIND);
        "typ secevent+jwt", h.corp().header(json!({"typ": "secevent+jwt"})) => refused(KIND);
        "typ token-introspection+jwt", h.corp().header(json!({"typ": "token-introspection+jwt"})) => refused(KIND);
        "typ dev+jwt", h.corp().header(json!({"typ": "dev+jwt"})) => refused("token type not accepted");
        "typ of this issuer only", h.of("short").header(json!({"typ": "JWT"})) => refused("token type not accepted");
        "an ID token, by its nonce", h.corp().claims(json!({"nonce": "n"})) => refused(KIND);
        "an ID token, by its at_hash", h.corp().claims(json!({"at_hash": "h"})) => refused(KIND);
        "an ID token, by its c_hash", h.corp().claims(json!({"c_hash": "h"})) => refused(KIND);
        "an ID token, by its use", h.corp().claims(json!({"token_use": "id"})) => refused(KIND);
        "a refresh token, by its use", h.corp().claims(json!({"token_use": "refresh"})) => refused(KIND);
        "a refresh token, by its claim typ", h.corp().claims(json!({"typ": "Refresh"})) => refused(KIND);
        "a proof instead of a token", h.dpop.proof("POST", crate::house::RESOURCE, None, None) => refused(HEADER);
    }
}

#[test]
fn forms_and_kinds() {
    hold(house(), &rows(), |_| ());
}
