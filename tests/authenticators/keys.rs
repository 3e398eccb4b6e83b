//! Whose key a token is signed with, and by which algorithm.

use serde_json::json;

use crate::house::HMAC;
use crate::house::House;
use crate::house::house;
use crate::support::signer::Signer;
use crate::table::Row;
use crate::table::allowed;
use crate::table::forecast;
use crate::table::hold;
use crate::table::refused;
use crate::table::rows;

const ALGORITHM: &str = "algorithm not accepted";
const SIGNATURE: &str = "signature does not verify";
const KEY: &str = "unknown signing key";

/// What an attacker makes of a public key: a secret.
fn confused(
    house: &House,
    of: &str,
    algorithm: &'static str,
    trimmed: bool,
) -> crate::support::ask::Ask {
    let pem = house.key(of).pem();
    let secret = if trimmed {
        pem.trim_end().to_owned()
    } else {
        pem
    };
    let secret = Signer::secret(algorithm, secret);
    let token = house.of(of).by(&secret).header(json!({"alg": algorithm}));
    forecast().bearer(&token.text())
}

pub(crate) fn rows() -> Vec<Row> {
    rows! { h:
        "RS256", h.of("rs256") => allowed();
        "PS256", h.of("ps256") => allowed();
        "ES384", h.of("es384") => allowed();
        "EdDSA", h.of("eddsa") => allowed();
        "HS256", h.of("hs256") => allowed();
        "HS384", h.of("hs384") => allowed();
        "HS512", h.of("hs512") => allowed();
        "HS256 with the RSA key for a secret", confused(h, "rs256", "HS256", false) => refused(ALGORITHM);
        "HS256 with the RSA key for a secret, without its last newline", confused(h, "rs256", "HS256", true) => refused(ALGORITHM);
        "HS512 with the RSA key for a secret", confused(h, "rs256", "HS512", false) => refused(ALGORITHM);
        "HS256 with the EC key for a secret", confused(h, "twin", "HS256", false) => refused(ALGORITHM);
        "HS256 with the Ed25519 key for a secret", confused(h, "eddsa", "HS256", false) => refused(ALGORITHM);
        "HS256 with the secret of another issuer", h.of("hs256").by(h.key("hs384")) => refused(SIGNATURE);
        "HS256 with an empty secret", { let empty = Signer::secret("HS256", ""); h.of("hs256").by(&empty).text() } => refused(SIGNATURE);
        "HS384 by the secret for HS256", h.of("hs256").header(json!({"alg": "HS384"})) => refused(ALGORITHM);
        "HS256 by the secret for HS512", h.of("hs512").header(json!({"alg": "HS256"})) => refused(ALGORITHM);
        "PS256 by the key for RS256", h.of("rs256").header(json!({"alg": "PS256"})) => refused(ALGORITHM);
        "RS256 by the key for PS256", h.of("ps256").header(json!({"alg": "RS256"})) => refused(ALGORITHM);
        "RS512 by the key for RS256", h.of("rs256").header(json!({"alg": "RS512"})) => refused(ALGORITHM);
        "RS256 signed as PS256", h.of("rs256").signed_as("PS256") => refused(SIGNATURE);
        "PS256 signed as RS256", h.of("ps256").signed_as("RS256") => refused(SIGNATURE);
        "HS256 signed as HS512", h.of("hs256").signed_as("HS512") => refused(SIGNATURE);
        "Ed25519, which is the new name", h.of("eddsa").header(json!({"alg": "Ed25519"})) => allowed();
        "a thief's key", h.corp().by(&h.thief) => refused(SIGNATURE);
        "another issuer's key of the same name", h.corp().by(h.key("twin")) => refused(SIGNATURE);
        "the first issuer's key for the other one", h.of("twin").by(&h.corp) => refused(SIGNATURE);
        "the other issuer's key for itself", h.of("twin") => allowed();
        "a published key", h.far(&h.published, "good") => allowed();
        "a published key under the name of another", h.far(&h.spoiled, "good") => refused(SIGNATURE);
        "a name that is not published", h.far(&h.published, "nobody") => refused(KEY);
        "the only ES256 key, without its name", h.far(&h.published, "good").header(json!({"kid": null})) => allowed();
        "a key that is for encryption", h.far(&h.spoiled, "for-encryption") => refused(KEY);
        "a key that is for wrapping keys", h.far(&h.spoiled, "for-wrapping") => refused(KEY);
        "a key whose private half is published", h.far(&h.spoiled, "private") => refused(KEY);
        "a key that names another curve", h.far(&h.spoiled, "other-curve") => refused(KEY);
        "a key labelled for another algorithm", h.far(&h.spoiled, "other-label") => refused(KEY);
        "a key that names another family", h.far(&h.spoiled, "other-family") => refused(KEY);
        "a key of an algorithm that does not exist", h.far(&h.spoiled, "unknown-algorithm") => refused(KEY);
        "two keys of one name", h.far(&h.spoiled, "twice") => refused(KEY);
        "RS256 by a key labelled PS512", h.far(&h.spoiled_rsa, "for-pss") => refused(ALGORITHM);
        "PS512 by a key labelled so", h.far(&h.spoiled_rsa, "for-pss").header(json!({"alg": "PS512"})) => allowed();
        "RS256 by a key without a label", h.far(&h.spoiled_rsa, "unlabelled") => allowed();
        "ES256 by an RSA key without a label", h.far(&h.spoiled_rsa, "unlabelled").header(json!({"alg": "ES256"})) => refused(ALGORITHM);
        "a key with an even exponent", h.far(&h.spoiled_rsa, "even-exponent") => refused(KEY);
        "a key with the exponent 3", h.far(&h.spoiled_rsa, "small-exponent") => refused(KEY);
        "a key of 1024 bits", h.far(&h.spoiled_rsa, "1024-bits") => refused(KEY);
        "a published secret", { let secret = Signer::secret("HS256", HMAC); h.far(&secret, "symmetric").text() } => refused(ALGORITHM);
        "a key of an unknown kind", h.far(&h.spoiled, "unknown-kind") => refused(KEY);
    }
}

#[test]
fn whose_key_it_is() {
    hold(house(), &rows(), |_| ());
}

/// Every algorithm against every kind of key: only the one that the key is pinned to opens.
#[test]
fn each_key_is_for_one_algorithm() {
    let house = house();
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
        "HS384", "HS512",
    ];
    let issuers = [
        "rs256", "ps256", "es384", "eddsa", "hs256", "hs384", "hs512", "twin",
    ];
    let mut wrong = Vec::new();
    for issuer in issuers {
        for algorithm in all {
            let token = house.of(issuer).header(json!({"alg": algorithm}));
            let verdict = house.asker().both(&forecast().bearer(&token.text()));
            let own = house.key(issuer).algorithm == algorithm;
            if (verdict.reason == "allowed") != own || (!own && verdict.status != 401) {
                wrong.push(format!("{algorithm} by the key of {issuer}: {verdict:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
