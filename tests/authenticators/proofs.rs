//! Tokens that are bound to a key (RFC 9449) or to a certificate (RFC 8705).

use serde_json::json;

use crate::house::Bound;
use crate::house::House;
use crate::house::RESOURCE;
use crate::house::house;
use crate::support::ask::Ask;
use crate::support::ask::Shown;
use crate::support::signer::Signer;
use crate::support::signer::Token;
use crate::support::tokens::now;
use crate::table::Expected;
use crate::table::Row;
use crate::table::allowed;
use crate::table::forecast;
use crate::table::hold;
use crate::table::refused;
use crate::table::rows;
use crate::table::unbound;
use crate::table::unproved;

/// `SEQUENCE {}`: all of a certificate that a hash needs.
pub(crate) const PEM: &str =
    "-----BEGIN%20CERTIFICATE-----%0AMAA%3D%0A-----END%20CERTIFICATE-----%0A";
const HASH: &str = "e4f60d0aa6d7f3d3b6a6494b1c861b99f649c6f9ec51abaf201b20f297327c95";
const THUMBPRINT: &str = "5PYNCqbX89O2pklLHIYbmfZJxvnsUauvIBsg8pcyfJU";

fn bad(why: &str) -> Expected {
    unproved("invalid_dpop_proof", why)
}

fn token_bad(why: &str) -> Expected {
    unproved("invalid_token", why)
}

/// The URL of a proof.
fn url(house: &House, url: &str) -> Ask {
    house.bound().claims(json!({"htu": url}))
}

/// A token of the issuer that wants nonces.
fn fussy(house: &House) -> Bound<'_> {
    let cnf = json!({"cnf": {"jkt": house.dpop.thumbprint()}});
    Bound::with(house, house.of("nonce").claims(cnf).text())
}

/// The same with a nonce that was just given.
fn with_nonce(house: &House) -> Ask {
    let bound = fussy(house);
    let verdict = house.asker().grpc(&bound.good());
    let nonce = verdict.header("dpop-nonce");
    assert!(!nonce.is_empty(), "{verdict:?}");
    bound.claims(json!({"nonce": nonce}))
}

/// A token with this `cnf` and the proof of the first key.
fn cnf(house: &House, cnf: serde_json::Value) -> Ask {
    let token = house.corp().claims(json!({"cnf": cnf})).text();
    Bound::with(house, token).good()
}

/// A token that is bound to the one certificate.
fn to_certificate(house: &House) -> Token<'_> {
    house
        .corp()
        .claims(json!({"cnf": {"x5t#S256": THUMBPRINT}}))
}

/// A call beside a certificate, of which the proxy gives the hash.
fn beside(token: &str, pem: &str, hash: &str) -> Ask {
    forecast().bearer(token).certificate(Shown {
        pem: pem.to_owned(),
        xfcc: format!("Hash={hash};URI="),
        ..Shown::default()
    })
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all = keys();
    all.extend(forms());
    all.extend(certificates());
    all
}

fn keys() -> Vec<Row> {
    rows! { h:
        "a good proof", h.bound().good() => allowed();
        "no proof", h.bound().bare() => bad("proof is missing");
        "two proofs", { let bound = h.bound(); bound.good().header("dpop", bound.text(&json!({}), &json!({}))) } => bad("malformed proof");
        "an empty proof", h.bound().proof("") => bad("malformed proof");
        "nonsense", h.bound().proof("nonsense") => bad("malformed proof");
        "the token itself", { let bound = h.bound(); bound.proof(bound.token.clone()) } => bad("proof type not accepted");
        "a proof that was used before", { let ask = h.bound().good(); h.used(ask) } => bad("proof was used before");
        "another proof of the same jti", { let (bound, jti) = (h.bound(), fastrand::u64(..).to_string()); h.used(bound.claims(json!({"jti": jti}))); bound.claims(json!({"jti": jti, "iat": now() - 1})) } => bad("proof was used before");
        "htm GET", h.bound().claims(json!({"htm": "GET"})) => bad("proof is for another method");
        "htm in lower case", h.bound().claims(json!({"htm": "post"})) => bad("proof is for another method");
        "htm missing", h.bound().claims(json!({"htm": null})) => bad("proof claims not accepted");
        "htm a list", h.bound().claims(json!({"htm": ["POST"]})) => bad("proof claims not accepted");
        "htu of another path", url(h, "https://mcp.example.com/other") => bad("proof is for another url");
        "htu of another host", url(h, "https://evil.example/mcp") => bad("proof is for another url");
        "htu of another scheme", url(h, "http://mcp.example.com/mcp") => bad("proof is for another url");
        "htu of another port", url(h, "https://mcp.example.com:444/mcp") => bad("proof is for another url");
        "htu with a slash after it", url(h, "https://mcp.example.com/mcp/") => bad("proof is for another url");
        "htu with the port of its scheme", url(h, "https://mcp.example.com:443/mcp") => allowed();
        "htu with a query", url(h, "https://mcp.example.com/mcp?x=y") => allowed();
        "htu no URL", url(h, "mcp") => bad("proof claims not accepted");
        "htu missing", h.bound().claims(json!({"htu": null})) => bad("proof claims not accepted");
        "ath of another token", { let other = h.bound().token; let proof = h.dpop.proof("POST", RESOURCE, Some(&other), None); h.bound().proof(proof) } => bad("proof is for another token");
        "ath missing", h.bound().claims(json!({"ath": null})) => bad("proof claims not accepted");
        "ath empty", h.bound().claims(json!({"ath": ""})) => bad("proof is for another token");
        "iat too old", h.bound().claims(json!({"iat": now() - 310})) => bad("proof too old");
        "iat in the future", h.bound().claims(json!({"iat": now() + 310})) => bad("proof issued in the future");
        "iat missing", h.bound().claims(json!({"iat": null})) => bad("proof claims not accepted");
        "iat a text", h.bound().claims(json!({"iat": "0"})) => bad("proof claims not accepted");
        "iat within the window", h.bound().claims(json!({"iat": now() - 200})) => allowed();
        "exp past", h.bound().claims(json!({"exp": now() - 1})) => bad("proof too old");
        "nbf to come", h.bound().claims(json!({"nbf": now() + 100})) => bad("proof issued in the future");
        "jti missing", h.bound().claims(json!({"jti": null})) => bad("proof claims not accepted");
        "jti empty", h.bound().claims(json!({"jti": ""})) => bad("proof claims not accepted");
        "jti a number", h.bound().claims(json!({"jti": 1})) => bad("proof claims not accepted");
    }
}

fn forms() -> Vec<Row> {
    rows! { h:
        "typ JWT", h.bound().header(json!({"typ": "JWT"})) => bad("proof type not accepted");
        "typ null", h.bound().header(json!({"typ": null})) => bad("proof type not accepted");
        "alg none", h.bound().header(json!({"alg": "none"})) => bad("proof algorithm not accepted");
        "alg HS256", h.bound().header(json!({"alg": "HS256"})) => bad("proof algorithm not accepted");
        "alg RS256 with the EC key", h.bound().header(json!({"alg": "RS256"})) => bad("proof key not accepted");
        "crit", h.bound().header(json!({"crit": ["exp"]})) => bad("proof header not accepted");
        "jku", h.bound().header(json!({"jku": "https://evil.example"})) => bad("proof header not accepted");
        "jwk null", h.bound().header(json!({"jwk": null})) => bad("proof key not accepted");
        "jwk with its private half", { let mut jwk = h.dpop.jwk(); jwk["d"] = json!("AQAB"); h.bound().header(json!({"jwk": jwk})) } => bad("proof key not accepted");
        "jwk a secret", h.bound().header(json!({"jwk": {"kty": "oct", "k": "AAAA"}})) => bad("proof key not accepted");
        "jwk a point that is not on its curve", { let mut jwk = h.dpop.jwk(); jwk["y"] = jwk["x"].clone(); h.bound().header(json!({"jwk": jwk})) } => bad("proof key not accepted");
        "another key", { let bound = h.bound(); let proof = h.other_dpop.proof("POST", RESOURCE, Some(&bound.token), None); bound.proof(proof) } => token_bad("token is bound to another key");
        "the name of another key", h.bound().header(json!({"jwk": h.other_dpop.jwk()})) => token_bad("token is bound to another key");
        "the name of its key, signed by another", { let bound = h.bound(); let claims = h.dpop.claims("POST", RESOURCE, Some(&bound.token), None); bound.proof(h.other_dpop.sign(&claims, &json!({"jwk": h.dpop.jwk()}))) } => bad("proof signature does not verify");
        "a proof longer than any", h.bound().claims(json!({"x": "y".repeat(9_000)})) => bad("malformed proof");
        "a bound token as a bearer token", forecast().bearer(&h.bound().token) => unbound("token needs a proof of possession");
        "a bound token as a bearer token, with a proof", { let bound = h.bound(); let proof = bound.text(&json!({}), &json!({})); forecast().bearer(&bound.token).header("dpop", proof) } => unbound("token needs a proof of possession");
        "a bound token that is remembered, as a bearer token", { let bound = h.bound(); h.used(bound.good()); forecast().bearer(&bound.token) } => unbound("token needs a proof of possession");
        "a bound token that is remembered, without a proof", { let bound = h.bound(); h.used(bound.good()); bound.bare() } => bad("proof is missing");
        "an unbound token under DPoP", Bound::with(h, h.corp().text()).bare() => token_bad("token is not bound to a key");
        "an unbound token under DPoP, with a proof", Bound::with(h, h.corp().text()).good() => token_bad("token is not bound to a key");
        "an unbound token as a bearer token, with a proof", forecast().bearer(&h.corp().text()).header("dpop", "nonsense") => allowed();
        "an unbound token where proofs are required", h.of("bound") => refused("token is not bound to a key");
        "a bound token where proofs are required", Bound::with(h, h.of("bound").claims(json!({"cnf": {"jkt": h.dpop.thumbprint()}})).text()).good() => allowed();
        "no nonce where one is wanted", fussy(h).good() => unproved("use_dpop_nonce", "proof needs a nonce issued here");
        "a nonce of the client's own", fussy(h).claims(json!({"nonce": "made-up"})) => unproved("use_dpop_nonce", "proof needs a nonce issued here");
        "a nonce that was given", with_nonce(h) => allowed();
        "a bad proof where a nonce is wanted", fussy(h).claims(json!({"htm": "GET"})) => bad("proof is for another method");
        "cnf of an unknown kind", cnf(h, json!({"jwk": {"kty": "EC"}})) => refused("token binding not supported");
        "cnf of an unknown kind beside a known one", cnf(h, json!({"jkt": h.dpop.thumbprint(), "kid": "k"})) => refused("token binding not supported");
        "cnf empty", cnf(h, json!({})) => refused("claims not accepted");
        "cnf a text", cnf(h, json!("jkt")) => refused("claims not accepted");
        "cnf null", Bound::with(h, h.corp().claim("cnf", json!(null)).text()).good() => refused("claims not accepted");
        "jkt of another length", cnf(h, json!({"jkt": "AAAA"})) => refused("claims not accepted");
        "jkt a list", cnf(h, json!({"jkt": [h.dpop.thumbprint()]})) => refused("claims not accepted");
    }
}

fn certificates() -> Vec<Row> {
    let refused = || refused("token is bound to another certificate");
    rows! { h:
        "the certificate", beside(&to_certificate(h).text(), PEM, HASH) => allowed();
        "another certificate", beside(&to_certificate(h).text(), &PEM.replace("MAA%3D", "MAMCAQE%3D"), &"0".repeat(64)) => refused();
        "no certificate", to_certificate(h) => refused();
        "a name and no certificate", forecast().bearer(&to_certificate(h).text()).certificate(Shown { principal: "spiffe://example.org/web".to_owned(), xfcc: "URI=spiffe://example.org/web".to_owned(), ..Shown::default() }) => refused();
        "remembered, and then without it", { let token = to_certificate(h).text(); h.used(beside(&token, PEM, HASH)); forecast().bearer(&token) } => refused();
        "an unbound token beside a certificate", beside(&h.corp().text(), PEM, HASH) => allowed();
        "bound to both, with the certificate only", beside(&h.corp().claims(json!({"cnf": {"x5t#S256": THUMBPRINT, "jkt": h.dpop.thumbprint()}})).text(), PEM, HASH) => unbound("token needs a proof of possession");
        "bound to both, with the proof only", cnf(h, json!({"x5t#S256": THUMBPRINT, "jkt": h.dpop.thumbprint()})) => refused();
        "bound to both, with both", cnf(h, json!({"x5t#S256": THUMBPRINT, "jkt": h.dpop.thumbprint()})).certificate(Shown { pem: PEM.to_owned(), xfcc: format!("Hash={HASH};URI="), ..Shown::default() }) => allowed();
    }
}

#[test]
fn who_holds_the_key() {
    hold(house(), &rows(), |_| ());
}

/// A proof may be signed with any asymmetric algorithm; the token says by which key.
#[test]
fn proofs_of_every_algorithm() {
    use aws_lc_rs::digest;
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    let house = house();
    let mut failures = Vec::new();
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let key = Signer::new(algorithm);
        let mut jwk = key.jwk("", &json!({"kid": null, "alg": null}));
        // RFC 7638: the members that the key needs, in the order of their names.
        let mut members = jwk.as_object().expect("an object").clone();
        members.sort_keys();
        let canonical = serde_json::Value::Object(members).to_string();
        let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(thumbprint);
        let token = house
            .corp()
            .claims(json!({"cnf": {"jkt": thumbprint}}))
            .text();
        jwk["use"] = json!("sig");
        let proof = |signer: &Signer| {
            let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk});
            let claims = house.dpop.claims("POST", RESOURCE, Some(&token), None);
            let made = Token::new(signer, "", "", "");
            made.signed_as(algorithm)
                .with_parts(&header.to_string(), &claims.to_string())
        };
        let thief = Signer::new(algorithm);
        for (signer, expected) in [(&key, "allowed"), (&thief, "invalid_credential")] {
            let ask = Bound::with(house, token.clone()).proof(proof(signer));
            let verdict = house.asker().grpc(&ask);
            if verdict.reason != expected {
                failures.push(format!("{algorithm}: {expected}, but {verdict:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
