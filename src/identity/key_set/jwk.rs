//! One JSON Web Key (RFC 7517) of a published set: used for what it says, or not at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::Algorithm;
use crate::identity::gate::is_sound_key_id;
use crate::identity::gate::known_algorithm;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::KeyName;
use crate::identity::key_set::PinnedKey;
use crate::identity::key_set::material::Curve;
use crate::identity::key_set::material::Material;
use crate::json::StrictValue;

/// Members that only a private or a symmetric key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads one member of `keys`, pinned to those of `accepted` that it can serve.
pub(in crate::identity) fn read(
    jwk: &StrictValue,
    accepted: &[Algorithm],
) -> Result<PinnedKey, KeyFault> {
    if jwk.as_object().is_none() {
        return Err(KeyFault::NotAKey);
    }
    if PRIVATE_MEMBERS.iter().any(|name| jwk.get(name).is_some()) {
        return Err(KeyFault::PrivateMember);
    }
    check_use(jwk)?;
    let name = match jwk.get("kid") {
        None => KeyName::Unnamed,
        Some(value) => KeyName::Named(
            value
                .as_text()
                .filter(|kid| is_sound_key_id(kid))
                .ok_or(KeyFault::KeyId)?
                .to_owned(),
        ),
    };
    let material = read_material(jwk)?;
    let named = match jwk.get("alg") {
        None => None,
        Some(value) => Some(
            value
                .as_text()
                .and_then(known_algorithm)
                .ok_or(KeyFault::AlgorithmNotAccepted)?,
        ),
    };
    let algorithms: Vec<Algorithm> = accepted
        .iter()
        .copied()
        .filter(|algorithm| named.is_none_or(|named| named == *algorithm))
        .filter(|algorithm| material.serves(*algorithm))
        .collect();
    PinnedKey::new(name, algorithms, &material)
}

/// RFC 7517, sections 4.2 and 4.3.
fn check_use(jwk: &StrictValue) -> Result<(), KeyFault> {
    if jwk
        .get("use")
        .is_some_and(|purpose| purpose.as_text() != Some("sig"))
    {
        return Err(KeyFault::NotForSignatures);
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let verifies = operations.as_array().is_some_and(|operations| {
        operations
            .iter()
            .any(|operation| operation.as_text() == Some("verify"))
    });
    if verifies {
        Ok(())
    } else {
        Err(KeyFault::NotForSignatures)
    }
}

fn read_material(jwk: &StrictValue) -> Result<Material, KeyFault> {
    let curve = jwk.get("crv").and_then(StrictValue::as_text);
    match jwk.get("kty").and_then(StrictValue::as_text) {
        Some("RSA") => Material::rsa(&number(jwk, "n")?, &number(jwk, "e")?),
        Some("EC") => {
            let curve = match curve {
                Some("P-256") => Curve::P256,
                Some("P-384") => Curve::P384,
                _ => return Err(KeyFault::UnknownKind),
            };
            Material::ec(curve, &number(jwk, "x")?, &number(jwk, "y")?)
        }
        Some("OKP") if curve == Some("Ed25519") => Material::ed25519(&number(jwk, "x")?),
        Some("oct") => Err(KeyFault::Symmetric),
        _ => Err(KeyFault::UnknownKind),
    }
}

fn number(jwk: &StrictValue, name: &str) -> Result<Vec<u8>, KeyFault> {
    jwk.get(name)
        .and_then(StrictValue::as_text)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or(KeyFault::NotAKey)
}
