//! A client's key, and the proofs that it holds it (RFC 9449).

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use super::tokens;
use super::tokens::Key;

/// An ES256 key that signs proofs.
#[derive(Debug)]
pub(crate) struct DpopKey {
    key: Key,
    /// Counts proofs, so that each has a `jti` of its own.
    made: AtomicU64,
}

impl DpopKey {
    /// A new key.
    pub(crate) fn new() -> Self {
        Self {
            key: Key::new(),
            made: AtomicU64::new(0),
        }
    }

    /// A good proof for one request; with a token it is for that token, with a nonce it carries it.
    pub(crate) fn proof(
        &self,
        method: &str,
        url: &str,
        access_token: Option<&str>,
        nonce: Option<&str>,
    ) -> String {
        let claims = self.claims(method, url, access_token, nonce);
        self.sign(&claims, &json!({}))
    }

    /// The claims of such a proof, for a test to bend.
    pub(crate) fn claims(
        &self,
        method: &str,
        url: &str,
        access_token: Option<&str>,
        nonce: Option<&str>,
    ) -> Value {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let mut claims = json!({
            "jti": format!("{:x}-{number}", fastrand::u64(..)),
            "htm": method, "htu": url, "iat": tokens::now(),
        });
        let members = claims.as_object_mut().expect("an object");
        if let Some(token) = access_token {
            members.insert("ath".to_owned(), sha256(token).into());
        }
        if let Some(nonce) = nonce {
            members.insert("nonce".to_owned(), nonce.into());
        }
        claims
    }

    /// Signs claims under the header of a proof, whose members `header` overrides.
    pub(crate) fn sign(&self, claims: &Value, header: &Value) -> String {
        let mut all = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let members = all.as_object_mut().expect("an object");
        members.extend(header.as_object().expect("an object").clone());
        self.key.sign(&all, claims)
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.key.coordinates();
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    /// Its thumbprint (RFC 7638), the `jkt` of tokens that are bound to it.
    pub(crate) fn thumbprint(&self) -> String {
        let (x, y) = self.key.coordinates();
        sha256(&format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
        ))
    }
}

fn sha256(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}
