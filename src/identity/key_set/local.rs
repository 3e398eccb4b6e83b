//! A key that the operator wrote down: a public one as PEM, or a shared secret.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use secrecy::ExposeSecret;

use crate::config::Algorithm;
use crate::config::LocalKey;
use crate::config::LocalMaterial;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::KeyName;
use crate::identity::key_set::PinnedKey;
use crate::identity::key_set::material::Curve;
use crate::identity::key_set::material::Material;

/// Reads one key and pins it to its one algorithm. The form decides the kind of key, so that a
/// public key can never be taken for a secret.
pub(super) fn read(local: &LocalKey) -> Result<PinnedKey, KeyFault> {
    let name = local.kid.clone().map_or(KeyName::Any, KeyName::Named);
    match &local.material {
        LocalMaterial::Pem(pem) => {
            let material = public_key(pem, local.algorithm)?;
            PinnedKey::new(name, vec![local.algorithm], &material)
        }
        LocalMaterial::Secret(secret) => {
            let secret = secret.expose_secret().as_bytes();
            PinnedKey::symmetric(name, local.algorithm, secret)
        }
    }
}

fn public_key(pem: &[u8], algorithm: Algorithm) -> Result<Material, KeyFault> {
    let not_a_key = |_| KeyFault::NotAKey;
    Ok(match algorithm {
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => {
            let key = DecodingKey::from_rsa_pem(pem).map_err(not_a_key)?;
            let der = key.try_get_as_bytes().map_err(not_a_key)?;
            let numbers = aws_lc::DEFAULT_PROVIDER
                .key_utils
                .rsa_pub_components_from_public_key;
            let (n, e) = numbers(der).map_err(not_a_key)?;
            Material::rsa(&n, &e)?
        }
        Algorithm::Es256 => local_point(pem, Curve::P256)?,
        Algorithm::Es384 => local_point(pem, Curve::P384)?,
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            return Err(KeyFault::AlgorithmNotAccepted);
        }
        Algorithm::EdDsa => {
            let key = DecodingKey::from_ed_pem(pem).map_err(not_a_key)?;
            Material::ed25519(key.try_get_as_bytes().map_err(not_a_key)?)?
        }
    })
}

fn local_point(pem: &[u8], curve: Curve) -> Result<Material, KeyFault> {
    let key = DecodingKey::from_ec_pem(pem).map_err(|_| KeyFault::NotAKey)?;
    let point = key.try_get_as_bytes().map_err(|_| KeyFault::NotAKey)?;
    let Some((4, coordinates)) = point.split_first() else {
        return Err(KeyFault::NotAKey);
    };
    let (x, y) = coordinates
        .split_at_checked(curve.coordinate())
        .ok_or(KeyFault::CoordinateLength)?;
    Material::ec(curve, x, y)
}
