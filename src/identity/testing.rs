//! Keys, tokens and rules for tests.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc;
use serde_json::Value;
use serde_json::json;

use crate::config::Algorithm;
use crate::config::Assertions;
use crate::config::ClaimPath;
use crate::config::ClaimPaths;
use crate::config::DpopRules;
use crate::config::IntrospectionRules;
use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::config::LocalKey;
use crate::config::LocalMaterial;
use crate::config::Remote;
use crate::config::TokenRules;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::binding::Binding;
use crate::identity::key_set::KeySet;
use crate::identity::verifier::Evidence;
use crate::identity::verifier::VerifiedToken;
use crate::identity::window::Window;

/// The time of all tests, seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://mcp.example/mcp";

/// A private key of a test.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>),
}

pub(crate) fn rsa() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
}

pub(crate) fn p256() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(fresh_p256)
}

pub(crate) fn fresh_p256() -> Signer {
    Signer::P256(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
}

pub(crate) fn p384() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| {
        Signer::P384(EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    })
}

pub(crate) fn ed25519() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::Ed25519(Ed25519KeyPair::generate().unwrap()))
}

/// A secret that is long enough for every hash.
pub(crate) fn secret() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::Secret((b'!'..=b'`').collect()))
}

impl Signer {
    /// The signature that the key's kind makes under `algorithm`, fitting or not.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    Algorithm::Rs256
                    | Algorithm::Es256
                    | Algorithm::Es384
                    | Algorithm::EdDsa
                    | Algorithm::Hs256
                    | Algorithm::Hs384
                    | Algorithm::Hs512 => &signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut made).unwrap();
                made
            }
            Self::P256(key) | Self::P384(key) => {
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Secret(secret) => {
                let hash = match algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    Algorithm::Rs256
                    | Algorithm::Rs384
                    | Algorithm::Rs512
                    | Algorithm::Ps256
                    | Algorithm::Ps384
                    | Algorithm::Ps512
                    | Algorithm::Es256
                    | Algorithm::Es384
                    | Algorithm::EdDsa
                    | Algorithm::Hs256 => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(hash, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// The public half as a JWK without `kid`, `alg` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(key) => {
                let numbers = aws_lc::DEFAULT_PROVIDER
                    .key_utils
                    .rsa_pub_components_from_public_key;
                let (n, e) = numbers(key.public_key().as_ref()).unwrap();
                json!({"kty": "RSA", "n": text(&n), "e": text(&e)})
            }
            Self::P256(key) | Self::P384(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() >> 1);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
            }
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref())})
            }
            Self::Secret(secret) => json!({"kty": "oct", "k": text(secret)}),
        }
    }

    /// The public half as `SubjectPublicKeyInfo` in PEM.
    pub(crate) fn public_pem(&self) -> String {
        let der = match self {
            Self::Rsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::P256(key) | Self::P384(key) => {
                key.public_key().as_der().unwrap().as_ref().to_vec()
            }
            Self::Ed25519(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Secret(_) => panic!("a secret has no public half"),
        };
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// The key as the operator writes it down: the public half, or the secret.
    pub(crate) fn local(&self, algorithm: Algorithm) -> LocalKey {
        let material = match self {
            Self::Secret(secret) => {
                LocalMaterial::Secret(String::from_utf8(secret.clone()).unwrap().into())
            }
            Self::Rsa(_) | Self::P256(_) | Self::P384(_) | Self::Ed25519(_) => {
                LocalMaterial::Pem(self.public_pem().into_bytes())
            }
        };
        LocalKey {
            material,
            algorithm,
            kid: None,
        }
    }

    /// The public half with a `kid`.
    pub(crate) fn named(&self, kid: &str) -> Value {
        with(self.jwk(), &json!({"kid": kid}))
    }

    /// A token of this header and these claims.
    pub(crate) fn token(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        self.token_of_texts(algorithm, &header.to_string(), &claims.to_string())
    }

    /// A token of these texts, JSON or not.
    pub(crate) fn token_of_texts(
        &self,
        algorithm: Algorithm,
        header: &str,
        claims: &str,
    ) -> String {
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let made = self.sign(algorithm, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(made))
    }
}

/// `base` with the members of `changes`; `null` removes one.
pub(crate) fn with(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

/// The header of a good ES256 token.
pub(crate) fn header() -> Value {
    json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"})
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "app",
        "exp": NOW + 600, "nbf": NOW - 10, "iat": NOW - 10, "jti": "j1",
    })
}

/// A good ES256 token with some claims changed.
pub(crate) fn token_with(changes: &Value) -> String {
    p256().token(Algorithm::Es256, &header(), &with(claims(), changes))
}

pub(crate) fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// A set of the shared ES256 key, named `k1`.
pub(crate) fn keys() -> KeySet {
    let text = jwks(&[p256().named("k1")]);
    KeySet::from_jwks(text.as_bytes(), &rules(), 1).unwrap().0
}

pub(crate) const ALGORITHMS: [(Algorithm, &str); 12] = [
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Rs384, "RS384"),
    (Algorithm::Rs512, "RS512"),
    (Algorithm::Ps256, "PS256"),
    (Algorithm::Ps384, "PS384"),
    (Algorithm::Ps512, "PS512"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::Es384, "ES384"),
    (Algorithm::EdDsa, "EdDSA"),
    (Algorithm::Hs256, "HS256"),
    (Algorithm::Hs384, "HS384"),
    (Algorithm::Hs512, "HS512"),
];

/// The rules that hold where the configuration says nothing.
pub(crate) fn rules() -> JwtRules {
    JwtRules {
        tokens: token_rules(),
        keys: KeyOrigin::Local(Vec::new()),
        algorithms: Algorithm::ASYMMETRIC.to_vec(),
        token_types: vec!["at+jwt".into(), "jwt".into()],
        rfc9068: false,
        insecure_skip_issuer: false,
    }
}

/// The part of them that does not depend on how tokens are verified.
pub(crate) fn token_rules() -> TokenRules {
    let names = |list: &[&str]| list.iter().map(|n| ClaimPath::Name((*n).into())).collect();
    TokenRules {
        issuer: ISSUER.into(),
        audiences: Vec::new(),
        preset: None,
        claims: ClaimPaths {
            subject: names(&["sub"]),
            client_id: names(&["client_id", "azp"]),
            roles: names(&["roles", "realm_access.roles"]),
            groups: names(&["groups"]),
            scopes: names(&["scope", "scp"]),
            tenant: names(&["tenant", "tid", "org_id"]),
            email: names(&["email"]),
            name: names(&["name"]),
        },
        roles: Assertions::default(),
        groups: Assertions::default(),
        scopes: Assertions::default(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(86_400),
        dpop: DpopRules::default(),
        insecure_skip_audience: false,
        insecure_skip_expiry: false,
        insecure_skip_issued_at: false,
    }
}

/// An issuer that is asked.
pub(crate) fn introspection_rules() -> IntrospectionRules {
    IntrospectionRules {
        tokens: token_rules(),
        issuer_is_configured: true,
        endpoint: "https://issuer.example/introspect".parse().unwrap(),
        client_id: "rs".into(),
        client_secret: "s3cr3t".into(),
        remote: Remote {
            ca_pem: None,
            insecure_allow_http: false,
        },
    }
}

/// A verified token of a user with these roles.
pub(crate) fn verified(roles: &[&str]) -> VerifiedToken {
    let text = |text: &str| text.to_owned();
    VerifiedToken {
        principal: Arc::new(Principal {
            kind: PrincipalKind::User,
            id: format!("{ISSUER}#alice"),
            authenticator: "corp".into(),
            issuer: text(ISSUER),
            subject: text("alice"),
            client_id: text("app"),
            tenant: String::new(),
            email: String::new(),
            name: String::new(),
            roles: roles.iter().map(|role| text(role)).collect(),
            groups: [].into(),
            scopes: [].into(),
            audience: [text(AUDIENCE)].into(),
            claims: [].into(),
        }),
        window: Window {
            expires_s: Some(NOW + 600),
            not_before_s: None,
            leeway_s: 30,
        },
        token_id: None,
        binding: Binding::default(),
        evidence: Evidence::Key([0; 32]),
    }
}
