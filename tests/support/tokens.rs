//! A key of the test's own, and tokens signed with it, so that a test can say anything in a token.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

/// The issuer of the tokens.
pub(crate) const ISSUER: &str = "https://issuer.example";

/// An ES256 key.
#[derive(Debug)]
pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    /// A new key.
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self(key.expect("a key can be made"))
    }

    /// The public key as PEM, on one line with `\n` written out, for a quoted YAML string.
    pub(crate) fn pem(&self) -> String {
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(self.0.public_key()).expect("a public key");
        let body = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\\n{body}\\n-----END PUBLIC KEY-----\\n")
    }

    /// A good access token for `audience` with these claims on top.
    pub(crate) fn token(&self, audience: &str, claims: &Value) -> String {
        let mut all = json!({
            "iss": ISSUER, "sub": "alice", "client_id": "app", "aud": audience,
            "iat": now(), "exp": now().saturating_add(300), "jti": "1",
        });
        let members = all.as_object_mut().expect("an object");
        for (name, value) in claims.as_object().expect("claims are an object") {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.clone(), value.clone());
            }
        }
        self.sign(&json!({"typ": "at+jwt", "alg": "ES256"}), &all)
    }

    /// A good access token of another issuer, who publishes the key as `kid`. Signatures are random, so
    /// that no two tokens are alike.
    pub(crate) fn token_of(&self, issuer: &str, kid: &str, audience: &str) -> String {
        let claims = json!({"iss": issuer, "sub": "alice", "client_id": "app", "aud": audience,
            "exp": now().saturating_add(300), "scope": "weather:read"});
        self.sign(
            &json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}),
            &claims,
        )
    }

    /// Any header and claims, signed.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), claims.to_string())
    }

    /// The same with header and claims as they are to stand there, which may be no JSON at all.
    pub(crate) fn sign_text(&self, header: &str, claims: impl AsRef<[u8]>) -> String {
        let header = BASE64_URL_SAFE_NO_PAD.encode(header);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        self.sign_encoded(&format!("{header}.{claims}"))
    }

    /// Signs a header and claims that are encoded already, in whatever way.
    pub(crate) fn sign_encoded(&self, signed: &str) -> String {
        let signature = self
            .0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("a signature");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The coordinates of the public key, base64url, for a JWK.
    pub(crate) fn coordinates(&self) -> (String, String) {
        let point = self.0.public_key().as_ref();
        let (x, y) = point.split_at(33);
        let x = x.strip_prefix(&[4]).expect("an uncompressed point");
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        (encode(x), encode(y))
    }

    /// An authenticator of this key, as an item of the configuration's list.
    pub(crate) fn authenticator(&self) -> String {
        format!(
            "- name: corp\n  type: jwt\n  issuer: {ISSUER}\n  \
             keys: [{{pem: \"{}\", algorithm: ES256}}]\n",
            self.pem()
        )
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are issued now")]
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
