//! Private keys, and the compact JWS (RFC 7515) that they sign: for test tokens, the demo and bundles.

mod pem;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::Pkcs8V1Der;
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
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

use crate::config::Algorithm;
use crate::identity::detached;

/// Shortest secret, in bytes: what a configuration accepts.
const SHORTEST_SECRET: usize = 32;

/// Why a key cannot be had or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum SignError {
    /// Not a PEM file with a private key of PKCS#8.
    #[error(
        "no unencrypted private key of PKCS#8 in PEM form (`BEGIN PRIVATE KEY`); \
         `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW` makes one of an older form"
    )]
    NotPkcs8,
    /// A key of another kind than can be signed with here.
    #[error(
        "the key is neither RSA (2048 to 8192 bits), nor on P-256 or P-384, nor Ed25519; \
         `cedargate token mint --new-key FILE` makes one that fits"
    )]
    Kind,
    /// The algorithm is for another kind of key.
    #[error("`{wanted}` cannot be signed with this key; the key is for {fitting}")]
    Algorithm {
        /// The algorithm asked for.
        wanted: &'static str,
        /// What the key is for.
        fitting: &'static str,
    },
    /// A shared secret is no key pair.
    #[error(
        "`{0}` needs a secret, not a pair of keys; `openssl rand -base64 32 > FILE` makes one for `--secret-file`"
    )]
    NoPair(&'static str),
    /// A secret that can be guessed.
    #[error("the secret is shorter than {SHORTEST_SECRET} bytes")]
    ShortSecret,
    /// The library failed.
    #[error("the key could not be made or used")]
    Failed,
}

/// A private key or a shared secret.
#[derive(Debug)]
pub(super) enum SigningKey {
    /// RSA, 2048 bits or more.
    Rsa(Box<RsaKeyPair>),
    /// On P-256.
    P256(EcdsaKeyPair),
    /// On P-384.
    P384(EcdsaKeyPair),
    /// Ed25519.
    Ed25519(Ed25519KeyPair),
    /// A secret for HMAC.
    Secret(SecretString),
}

impl SigningKey {
    /// A private key in a PEM file (PKCS#8, RFC 5208 and RFC 5958).
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, SignError> {
        let der = pem::private_key(text).ok_or(SignError::NotPkcs8)?;
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &der) {
            return Ok(Self::P384(key));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(&der) {
            return Ok(Self::Ed25519(key));
        }
        RsaKeyPair::from_pkcs8(&der)
            .map(|key| Self::Rsa(Box::new(key)))
            .map_err(|_| SignError::Kind)
    }

    /// A shared secret of at least 32 bytes.
    pub(super) fn from_secret(secret: SecretString) -> Result<Self, SignError> {
        if secret.expose_secret().len() < SHORTEST_SECRET {
            return Err(SignError::ShortSecret);
        }
        Ok(Self::Secret(secret))
    }

    /// A new key for `algorithm`; RSA keys get 2048 bits.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, SignError> {
        let failed = |_| SignError::Failed;
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => {
                let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                Ok(Self::Rsa(Box::new(key)))
            }
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map(Self::P256)
                .map_err(failed),
            Algorithm::Es384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
                .map(Self::P384)
                .map_err(failed),
            Algorithm::EdDsa => Ed25519KeyPair::generate()
                .map(Self::Ed25519)
                .map_err(failed),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                Err(SignError::NoPair(algorithm.name()))
            }
        }
    }

    /// The algorithm that one expects of a key of this kind.
    pub(super) fn usual_algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// `header` and `claims` as a compact JWS; the header gets `alg`.
    pub(super) fn compact(
        &self,
        algorithm: Algorithm,
        mut header: serde_json::Map<String, Value>,
        claims: &Value,
    ) -> Result<String, SignError> {
        header.insert("alg".to_owned(), algorithm.name().into());
        let header = encode(Value::Object(header).to_string());
        let signed = format!("{header}.{}", encode(claims.to_string()));
        let signature = self.sign(algorithm, signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// A compact JWS over `content`, which is kept beside it (RFC 7515, appendix F); the header gets `alg`.
    pub(super) fn detached(
        &self,
        algorithm: Algorithm,
        mut header: serde_json::Map<String, Value>,
        content: &[u8],
    ) -> Result<String, SignError> {
        header.insert("alg".to_owned(), algorithm.name().into());
        let header = encode(Value::Object(header).to_string());
        let input = detached::signing_input(&header, content);
        let signature = self.sign(algorithm, input.as_bytes())?;
        Ok(format!("{header}..{}", encode(signature)))
    }

    /// A signature in the form of RFC 7518, section 3.
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match (self, algorithm) {
            (Self::P256(key), Algorithm::Es256) | (Self::P384(key), Algorithm::Es384) => key
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Failed),
            (Self::Ed25519(key), Algorithm::EdDsa) => key
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Failed),
            (Self::Rsa(key), _) => {
                let padding = padding(algorithm).ok_or(self.misfit(algorithm))?;
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature)
                    .map_err(|_| SignError::Failed)?;
                Ok(signature)
            }
            (Self::Secret(secret), _) => {
                let digest = digest(algorithm).ok_or(self.misfit(algorithm))?;
                let key = hmac::Key::new(digest, secret.expose_secret().as_bytes());
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            (Self::P256(_) | Self::P384(_) | Self::Ed25519(_), _) => Err(self.misfit(algorithm)),
        }
    }

    fn misfit(&self, algorithm: Algorithm) -> SignError {
        SignError::Algorithm {
            wanted: algorithm.name(),
            fitting: match self {
                Self::Rsa(_) => "RS256, RS384, RS512, PS256, PS384 and PS512",
                Self::P256(_) => "ES256",
                Self::P384(_) => "ES384",
                Self::Ed25519(_) => "EdDSA",
                Self::Secret(_) => "HS256, HS384 and HS512",
            },
        }
    }

    /// The private key in PEM form (PKCS#8). A secret has none.
    pub(super) fn private_pem(&self) -> Result<String, SignError> {
        let failed = |_| SignError::Failed;
        let der = match self {
            Self::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(&**key).map_err(failed)?,
            Self::Ed25519(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map_err(failed)?,
            Self::P256(key) | Self::P384(key) => {
                let document = key.to_pkcs8v1().map_err(failed)?;
                return Ok(pem::write("PRIVATE KEY", document.as_ref()));
            }
            Self::Secret(_) => return Err(SignError::Failed),
        };
        Ok(pem::write("PRIVATE KEY", der.as_ref()))
    }

    /// The public key in PEM form (RFC 7468, section 13), as a configuration takes it.
    pub(super) fn public_pem(&self) -> Result<String, SignError> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(key) => key.public_key().as_der(),
            Self::P256(key) | Self::P384(key) => key.public_key().as_der(),
            Self::Ed25519(key) => key.public_key().as_der(),
            Self::Secret(_) => return Err(SignError::Failed),
        }
        .map_err(|_| SignError::Failed)?;
        Ok(pem::write("PUBLIC KEY", der.as_ref()))
    }

    /// The coordinates of a public key on P-256, base64url, for a JWK (RFC 7518, section 6.2.1).
    pub(super) fn p256_coordinates(&self) -> Option<(String, String)> {
        let Self::P256(key) = self else {
            return None;
        };
        // An uncompressed point: a byte 4, then x, then y.
        let point = key.public_key().as_ref();
        Some((encode(point.get(1..33)?), encode(point.get(33..)?)))
    }
}

/// An algorithm on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named(pub(super) Algorithm);

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(Algorithm::Rs256),
            Self(Algorithm::Rs384),
            Self(Algorithm::Rs512),
            Self(Algorithm::Ps256),
            Self(Algorithm::Ps384),
            Self(Algorithm::Ps512),
            Self(Algorithm::Es256),
            Self(Algorithm::Es384),
            Self(Algorithm::EdDsa),
            Self(Algorithm::Hs256),
            Self(Algorithm::Hs384),
            Self(Algorithm::Hs512),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

fn padding(algorithm: Algorithm) -> Option<&'static signature::RsaSignatureEncoding> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_SHA512),
        Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa
        | Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512 => None,
    }
}

fn digest(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => None,
    }
}

/// Base64url without padding (RFC 7515, section 2).
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
