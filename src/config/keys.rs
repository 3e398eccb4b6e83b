//! Keys and certificate authorities that the operator wrote down.

use std::path::Path;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::DecodingKeyKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;

use crate::config::algorithms;
use crate::config::authenticator::Algorithm;
use crate::config::authenticator::LocalKey;
use crate::config::authenticator::LocalMaterial;
use crate::config::files;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::scalar;
use crate::config::yaml::Node;

/// Largest key or bundle of authorities, in bytes.
const LARGEST: u64 = 1 << 20;

/// Bytes of an uncompressed point (SEC 1, section 2.3.3) on P-256 and P-384.
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;

/// The certificates of a `ca_file`.
pub(super) fn read_authorities(
    node: &Node,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<Vec<u8>> {
    let pem = read_file(node, base, faults)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem).peekable();
    if certificates.peek().is_some() && certificates.all(|one| one.is_ok()) {
        return Some(pem);
    }
    faults.error(&node.place, "the file holds no certificates in PEM form");
    None
}

/// The list of `keys`.
pub(super) fn read_local(
    node: &Node,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<Vec<LocalKey>> {
    let items = scalar::list(node, faults)?;
    if items.is_empty() {
        faults.error(&node.place, "at least one key is needed");
        return None;
    }
    let mut keys: Vec<LocalKey> = Vec::new();
    for item in items {
        let Some(key) = read_key(item, base, faults) else {
            continue;
        };
        if key.kid.is_some() && keys.iter().any(|other| other.kid == key.kid) {
            faults.error(&item.place, "a second key with the same `kid`");
        }
        keys.push(key);
    }
    Some(keys)
}

fn read_key(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<LocalKey> {
    let mut map = Mapping::of(node, faults)?;
    let algorithm_node = map.required("algorithm", faults);
    let algorithm = algorithm_node.and_then(|node| algorithms::read(node, faults));
    let kid = map
        .optional("kid")
        .and_then(|node| scalar::filled(node, faults))
        .map(str::to_owned);
    let sources = ["file", "pem", "secret"];
    let [file, pem, secret] = sources.map(|key| map.optional(key));
    let written: Vec<&Node> = [file, pem, secret].into_iter().flatten().collect();
    let place = map.place();
    map.finish(faults);
    let Some(source) = written.first() else {
        faults.error_help(place, "no key", "set `file`, `pem` or `secret`");
        return None;
    };
    if let Some(second) = written.get(1) {
        faults.error(
            &second.place,
            "`file`, `pem` and `secret`: only one of them",
        );
        return None;
    }
    let algorithm = algorithm?;
    if algorithm.is_symmetric() != secret.is_some() {
        refuse_mismatch(algorithm_node?, algorithm, faults);
        return None;
    }
    let material = if secret.is_some() {
        LocalMaterial::Secret(read_secret(source, algorithm, faults)?)
    } else {
        let base = file.map(|_| base);
        LocalMaterial::Pem(read_pem(source, base, algorithm, faults)?)
    };
    Some(LocalKey {
        material,
        algorithm,
        kid,
    })
}

/// The public key of an algorithm: in a file whose path starts at `base`, or else written out.
pub(super) fn read_pem(
    node: &Node,
    base: Option<&Path>,
    algorithm: Algorithm,
    faults: &mut Faults<'_>,
) -> Option<Vec<u8>> {
    let pem = match base {
        Some(base) => read_file(node, base, faults)?,
        None => scalar::text(node, faults)?.as_bytes().to_vec(),
    };
    if let Err(fault) = check(&pem, algorithm) {
        faults.error_help(&node.place, fault.to_string(), fault.help());
        return None;
    }
    Some(pem)
}

/// A public key must never serve as a secret: everybody may know it.
fn refuse_mismatch(node: &Node, algorithm: Algorithm, faults: &mut Faults<'_>) {
    if algorithm.is_symmetric() {
        let help = "give a `secret`, or name the algorithm of the public key";
        algorithms::refuse_symmetric(node, algorithm, help, faults);
    } else {
        let message = format!("`{}` is not for a secret", algorithm.name());
        let help = algorithms::one_of(&Algorithm::SYMMETRIC);
        faults.error_help(&node.place, message, help);
    }
}

/// A secret at least as long as the hash (RFC 7518, section 3.2).
fn read_secret(node: &Node, algorithm: Algorithm, faults: &mut Faults<'_>) -> Option<SecretString> {
    let text = scalar::text(node, faults)?;
    if text.contains("-----BEGIN ") {
        faults.error_help(
            &node.place,
            "a key in PEM form where a secret is wanted",
            "a public key is known to everybody: give it as `file` or `pem`",
        );
        return None;
    }
    let least = match algorithm {
        Algorithm::Hs256 => 32,
        Algorithm::Hs384 => 48,
        Algorithm::Hs512
        | Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => 64,
    };
    let message = if text.len() < least {
        format!(
            "`{}` needs a secret of at least {least} bytes",
            algorithm.name()
        )
    } else if text.bytes().all(|byte| text.bytes().next() == Some(byte)) {
        "a secret of one byte, repeated".to_owned()
    } else {
        return Some(SecretString::from(text));
    };
    let help = format!("make one with `openssl rand -hex {least}`");
    faults.error_help(&node.place, message, help);
    None
}

fn read_file(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    let path = scalar::filled(node, faults)?;
    match files::bytes(&base.join(path), LARGEST) {
        Ok(bytes) => Some(bytes),
        Err(_) if node.place.is_hidden() => {
            faults.error(&node.place, "the file cannot be read");
            None
        }
        Err(error) => {
            faults.error(&node.place, error.to_string());
            None
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum KeyFault {
    #[error("a private key where a public key is wanted")]
    Private,
    #[error("no public key in PEM form, or none that fits `{0}`")]
    Misfit(&'static str),
}

impl KeyFault {
    fn help(self) -> &'static str {
        match self {
            Self::Private => {
                "keep it with the issuer; `openssl pkey -in KEY -pubout` writes the public one"
            }
            Self::Misfit(_) => "RS* and PS* take RSA keys, ES256 P-256, ES384 P-384, EdDSA Ed25519",
        }
    }
}

fn check(pem: &[u8], algorithm: Algorithm) -> Result<(), KeyFault> {
    if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
        return Err(KeyFault::Private);
    }
    let misfit = KeyFault::Misfit(algorithm.name());
    let (key, point) = match algorithm {
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => (DecodingKey::from_rsa_pem(pem), None),
        Algorithm::Es256 => (DecodingKey::from_ec_pem(pem), Some(P256_POINT)),
        Algorithm::Es384 => (DecodingKey::from_ec_pem(pem), Some(P384_POINT)),
        Algorithm::EdDsa => (DecodingKey::from_ed_pem(pem), None),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return Err(misfit),
    };
    let key = key.map_err(|_| misfit)?;
    match (key.kind(), point) {
        (_, None) => Ok(()),
        (DecodingKeyKind::SecretOrDer(bytes), Some(length)) if bytes.len() == length => Ok(()),
        (DecodingKeyKind::SecretOrDer(_) | DecodingKeyKind::RsaModulusExponent { .. }, Some(_)) => {
            Err(misfit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = include_str!("../../tests/fixtures/config/p256.pem");
    const P384: &str = include_str!("../../tests/fixtures/config/p384.pem");
    const RSA: &str = include_str!("../../tests/fixtures/config/rsa.pem");
    const ED25519: &str = include_str!("../../tests/fixtures/config/ed25519.pem");

    #[test]
    fn a_key_fits_the_algorithms_of_its_kind_and_no_other() {
        for (pem, fits) in [
            (P256, vec![Algorithm::Es256]),
            (P384, vec![Algorithm::Es384]),
            (ED25519, vec![Algorithm::EdDsa]),
            (RSA, Algorithm::ASYMMETRIC.into_iter().take(6).collect()),
        ] {
            for algorithm in Algorithm::ASYMMETRIC {
                let checked = check(pem.as_bytes(), algorithm);
                let expected = fits
                    .contains(&algorithm)
                    .then_some(())
                    .ok_or(KeyFault::Misfit(algorithm.name()));
                assert_eq!(checked, expected, "{pem}");
            }
        }
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let private = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
        assert_eq!(
            check(private.as_bytes(), Algorithm::Rs256),
            Err(KeyFault::Private)
        );
        for pem in ["", "no key", &P256.replace("MFkw", "MFkx")] {
            let misfit = Err(KeyFault::Misfit("ES256"));
            assert_eq!(check(pem.as_bytes(), Algorithm::Es256), misfit, "{pem}");
        }
    }
}
