//! A key of the test's own in each family of algorithms, and tokens signed with it, of which a test
//! bends one thing at a time.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature;
use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
use aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::signature::RsaEncoding;
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::tokens::now;

/// A private key or a shared secret.
#[derive(Debug)]
pub(crate) struct Signer {
    /// What it signs with unless a test says otherwise.
    pub(crate) algorithm: &'static str,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(String),
}

impl Signer {
    /// A new key.
    pub(crate) fn new(algorithm: &'static str) -> Self {
        let material = match algorithm {
            "ES256" => Material::Ec(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            ),
            "ES384" => Material::Ec(
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"),
            ),
            "EdDSA" => Material::Ed(Ed25519KeyPair::generate().expect("a key")),
            _ if algorithm.starts_with("HS") => Material::Secret(format!(
                "hmac-{:016x}{:016x}{:016x}{:016x}",
                fastrand::u64(..),
                fastrand::u64(..),
                fastrand::u64(..),
                fastrand::u64(..)
            )),
            _ => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
                Material::Rsa(Box::new(key))
            }
        };
        Self {
            algorithm,
            material,
        }
    }

    /// A secret that is given.
    pub(crate) fn secret(algorithm: &'static str, secret: impl Into<String>) -> Self {
        Self {
            algorithm,
            material: Material::Secret(secret.into()),
        }
    }

    /// The public key as PEM.
    pub(crate) fn pem(&self) -> String {
        let der = match &self.material {
            Material::Rsa(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Material::Ec(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Material::Ed(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Material::Secret(_) => panic!("a secret is never published"),
        };
        let body = BASE64_STANDARD.encode(der.expect("a public key").as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// The key as an item of `keys` in the configuration.
    pub(crate) fn key(&self, kid: &str) -> String {
        let algorithm = self.algorithm;
        match &self.material {
            Material::Secret(secret) => {
                format!("{{secret: \"{secret}\", algorithm: {algorithm}, kid: {kid}}}")
            }
            Material::Rsa(_) | Material::Ec(_) | Material::Ed(_) => {
                let pem = self.pem().replace('\n', "\\n");
                format!("{{pem: \"{pem}\", algorithm: {algorithm}, kid: {kid}}}")
            }
        }
    }

    /// The public key as a JWK of this name, with members on top; `null` takes one away.
    pub(crate) fn jwk(&self, kid: &str, more: &Value) -> Value {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.material {
            Material::Rsa(key) => {
                let public = key.public_key();
                let n = public.modulus().big_endian_without_leading_zero().to_vec();
                let e = public.exponent().big_endian_without_leading_zero().to_vec();
                json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)})
            }
            Material::Ec(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = point.split_at(point.len().div_ceil(2));
                let x = x.strip_prefix(&[4]).expect("an uncompressed point");
                let crv = if y.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Material::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().as_ref())})
            }
            Material::Secret(secret) => json!({"kty": "oct", "k": encode(secret.as_bytes())}),
        };
        let members = jwk.as_object_mut().expect("an object");
        members.insert("alg".to_owned(), self.algorithm.into());
        members.insert("kid".to_owned(), kid.into());
        merge(members, more.clone());
        jwk
    }

    /// A signature over `input` as `algorithm` makes it, if this kind of key can; else as its own.
    pub(crate) fn sign(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding(algorithm), &random, input, &mut signature)
                    .expect("a signature");
                signature
            }
            Material::Ec(key) => {
                let signature = key.sign(&random, input).expect("a signature");
                signature.as_ref().to_vec()
            }
            Material::Ed(key) => key.sign(input).as_ref().to_vec(),
            Material::Secret(secret) => {
                let family = match algorithm {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(family, secret.as_bytes());
                hmac::sign(&key, input).as_ref().to_vec()
            }
        }
    }
}

fn encoding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        "PS512" => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

/// A token in the making. It is good until it is bent.
#[derive(Clone, Debug)]
pub(crate) struct Token<'a> {
    signer: &'a Signer,
    /// What the signature is made with; none: what the header says.
    signed_as: Option<&'static str>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// Text to be put in as it is, right after the first `{`.
    raw_header: String,
    raw_claims: String,
}

impl<'a> Token<'a> {
    /// A good access token of alice's, for this audience.
    pub(crate) fn new(signer: &'a Signer, kid: &str, issuer: &str, audience: &str) -> Self {
        let header = json!({"typ": "at+jwt", "alg": signer.algorithm, "kid": kid});
        let claims = json!({
            "iss": issuer, "sub": "alice", "client_id": "app", "aud": audience,
            "iat": now(), "exp": now().saturating_add(300), "roles": ["viewer"],
            "jti": format!("{:016x}", fastrand::u64(..)),
        });
        let object = |value: Value| value.as_object().expect("an object").clone();
        Self {
            signer,
            signed_as: None,
            header: object(header),
            claims: object(claims),
            raw_header: String::new(),
            raw_claims: String::new(),
        }
    }

    /// Signs with another key.
    pub(crate) fn by(mut self, signer: &'a Signer) -> Self {
        self.signer = signer;
        self
    }

    /// Signs with this algorithm, whatever the header says.
    pub(crate) fn signed_as(mut self, algorithm: &'static str) -> Self {
        self.signed_as = Some(algorithm);
        self
    }

    /// Sets members of the header; `null` takes one away.
    pub(crate) fn header(mut self, members: Value) -> Self {
        merge(&mut self.header, members);
        self
    }

    /// Sets claims; `null` takes one away.
    pub(crate) fn claims(mut self, members: Value) -> Self {
        merge(&mut self.claims, members);
        self
    }

    /// Sets one claim, to `null` as well.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }

    /// Puts members as text in front of the others in the header.
    pub(crate) fn raw_header(mut self, text: &str) -> Self {
        self.raw_header = format!("{text},");
        self
    }

    /// Puts members as text in front of the other claims.
    pub(crate) fn raw_claims(mut self, text: &str) -> Self {
        self.raw_claims = format!("{text},");
        self
    }

    /// The claims as JSON.
    pub(crate) fn claims_json(&self) -> String {
        let json = Value::Object(self.claims.clone()).to_string();
        json.replacen('{', &format!("{{{}", self.raw_claims), 1)
    }

    /// The header as JSON.
    pub(crate) fn header_json(&self) -> String {
        let json = Value::Object(self.header.clone()).to_string();
        json.replacen('{', &format!("{{{}", self.raw_header), 1)
    }

    /// The token.
    pub(crate) fn text(&self) -> String {
        self.with_parts(&self.header_json(), &self.claims_json())
    }

    /// The token with these for header and claims, which may be no JSON at all.
    pub(crate) fn with_parts(&self, header: &str, claims: &str) -> String {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        self.over(&format!("{}.{}", encode(header), encode(claims)))
    }

    /// The token over parts that are encoded already, in whatever way.
    pub(crate) fn over(&self, input: &str) -> String {
        let named = self.header.get("alg").and_then(Value::as_str);
        let algorithm = self.signed_as.or(named).unwrap_or_default();
        let signature = self.signer.sign(algorithm, input.as_bytes());
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn merge(into: &mut Map<String, Value>, members: Value) {
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    for (name, value) in members {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}
