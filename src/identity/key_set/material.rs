//! Public key material: what is sound, which algorithms it serves, and its thumbprint.

use aws_lc_rs::digest;
use aws_lc_rs::signature;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use crate::config::Algorithm;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::Thumbprint;

/// The curves of the accepted algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

/// A public key in its numbers, as RFC 7518, section 6, and RFC 8037, section 2, name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

impl Curve {
    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// Length of one coordinate in bytes.
    pub(super) fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

impl Material {
    /// RSA numbers, big-endian; leading zeros do not count.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyFault> {
        let (n, e) = (significant(n), significant(e));
        let bits = bit_length(n);
        if !(2048..=8192).contains(&bits) {
            return Err(KeyFault::ModulusSize(bits));
        }
        if !is_sound_exponent(e) {
            return Err(KeyFault::Exponent);
        }
        if n.last().is_none_or(|last| last & 1 == 0) {
            return Err(KeyFault::NotAKey);
        }
        if is_roca(n) {
            return Err(KeyFault::Roca);
        }
        signature::RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyFault::NotAKey)?;
        Ok(Self::Rsa {
            n: n.to_vec(),
            e: e.to_vec(),
        })
    }

    /// A point, which must be on the curve.
    pub(super) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        if x.len() != curve.coordinate() || y.len() != curve.coordinate() {
            return Err(KeyFault::CoordinateLength);
        }
        let verification = match curve {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        };
        signature::UnparsedPublicKey::new(verification, point(x, y))
            .parse()
            .map_err(|_| KeyFault::NotAKey)?;
        Ok(Self::Ec {
            curve,
            x: x.to_vec(),
            y: y.to_vec(),
        })
    }

    /// An Ed25519 key of 32 bytes.
    pub(super) fn ed25519(x: &[u8]) -> Result<Self, KeyFault> {
        if x.len() != 32 {
            return Err(KeyFault::CoordinateLength);
        }
        signature::UnparsedPublicKey::new(&signature::ED25519, x)
            .parse()
            .map_err(|_| KeyFault::NotAKey)?;
        Ok(Self::Ed25519 { x: x.to_vec() })
    }

    /// Whether this is a key for `algorithm`.
    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => matches!(self, Self::Rsa { .. }),
            Algorithm::Es256 => matches!(
                self,
                Self::Ec {
                    curve: Curve::P256,
                    ..
                }
            ),
            Algorithm::Es384 => matches!(
                self,
                Self::Ec {
                    curve: Curve::P384,
                    ..
                }
            ),
            Algorithm::EdDsa => matches!(self, Self::Ed25519 { .. }),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => false,
        }
    }

    /// The key in the form that checks signatures.
    pub(super) fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
            Self::Ec { x, y, .. } => DecodingKey::from_ec_der(&point(x, y)),
            Self::Ed25519 { x } => DecodingKey::from_ed_der(x),
        }
    }

    /// RFC 7638: the SHA-256 of the required members, in order, without white space.
    pub(super) fn thumbprint(&self) -> Thumbprint {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let canonical = match self {
            Self::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
            Self::Ec { curve, x, y } => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                text(x),
                text(y)
            ),
            Self::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x))
            }
        };
        let mut thumbprint = [0; 32];
        let digest = digest::digest(&digest::SHA256, canonical.as_bytes());
        for (to, from) in thumbprint.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        thumbprint
    }
}

/// SEC 1, section 2.3.3: the uncompressed form.
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| {
        let below = number.len().saturating_sub(1).saturating_mul(8);
        let top = 8_u32.saturating_sub(first.leading_zeros());
        below.saturating_add(usize::try_from(top).unwrap_or(8))
    })
}

/// Odd, from 65537 up, and below 2^33 as every common library asks.
fn is_sound_exponent(e: &[u8]) -> bool {
    if e.len() > 5 {
        return false;
    }
    let value = e
        .iter()
        .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    value & 1 == 1 && (65_537..1 << 33).contains(&value)
}

/// The mark of CVE-2017-15361: such a modulus is, modulo every small prime, a power of 65537, which
/// hardly ever happens by chance. Modulo the primes of this list those powers are rarely all there
/// is, so that an honest key fails at one of the first.
fn is_roca(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let reduce = |value: u32| value.checked_rem(*prime).unwrap_or(0);
        let residue = n
            .iter()
            .fold(0, |rest, byte| reduce((rest << 8) | u32::from(*byte)));
        let mut power = 1;
        for _ in 0..*prime {
            if power == residue {
                return true;
            }
            power = reduce(65_537_u32.rem_euclid(*prime).saturating_mul(power));
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 65537^128: a number of 2049 bits with the mark, though not a product of two primes.
    fn marked() -> Vec<u8> {
        let mut limbs: Vec<u32> = vec![1];
        for _ in 0..128 {
            let mut carry = 0_u64;
            for limb in &mut limbs {
                let product = u64::from(*limb).wrapping_mul(65_537).wrapping_add(carry);
                *limb = u32::try_from(product & 0xffff_ffff).unwrap();
                carry = product >> 32;
            }
            if carry > 0 {
                limbs.push(u32::try_from(carry).unwrap());
            }
        }
        let bytes: Vec<u8> = limbs.iter().rev().flat_map(|l| l.to_be_bytes()).collect();
        significant(&bytes).to_vec()
    }

    #[test]
    fn weak_moduli_are_recognised() {
        let mut modulus = marked();
        assert_eq!(bit_length(&modulus), 2049);
        assert_eq!(Material::rsa(&modulus, &[1, 0, 1]), Err(KeyFault::Roca));
        // Any neighbour is free of the mark.
        *modulus.last_mut().unwrap() ^= 2;
        assert!(!is_roca(&modulus));
    }

    #[test]
    fn exponents() {
        for (e, sound) in [
            (&[1, 0, 1][..], true),
            (&[1, 0, 3], true),
            (&[3], false),
            (&[1], false),
            (&[], false),
            (&[1, 0, 0], false),
            (&[1, 0, 2], false),
            (&[1, 0xff, 0xff, 0xff, 0xff], true),
            (&[2, 0, 0, 0, 1], false),
            (&[1, 0, 0, 0, 0, 1], false),
        ] {
            assert_eq!(is_sound_exponent(e), sound, "{e:?}");
        }
    }

    #[test]
    fn modulus_sizes() {
        for (bytes, fault) in [
            (vec![0x7f; 256], KeyFault::ModulusSize(2047)),
            (vec![0xff; 1025], KeyFault::ModulusSize(8200)),
            (vec![], KeyFault::ModulusSize(0)),
            (
                [vec![0; 10], vec![0xff; 128]].concat(),
                KeyFault::ModulusSize(1024),
            ),
        ] {
            assert_eq!(Material::rsa(&bytes, &[1, 0, 1]), Err(fault));
        }
        let mut even = vec![0xfe; 256];
        assert_eq!(
            Material::rsa(&even, &[1, 0, 1]),
            Err(KeyFault::NotAKey),
            "even"
        );
        even.push(0xff);
        assert_eq!(Material::rsa(&even, &[3]), Err(KeyFault::Exponent));
    }

    /// RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_of_the_rfc() {
        let n = URL_SAFE_NO_PAD
            .decode(concat!(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B",
                "JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F",
                "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4",
                "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            ))
            .unwrap();
        let key = Material::rsa(&n, &[1, 0, 1]).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(key.thumbprint()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn points_are_checked() {
        let zero = [0; 32];
        assert_eq!(
            Material::ec(Curve::P256, &zero, &zero),
            Err(KeyFault::NotAKey)
        );
        assert_eq!(
            Material::ec(Curve::P384, &zero, &zero),
            Err(KeyFault::CoordinateLength)
        );
        assert_eq!(Material::ed25519(&[1; 31]), Err(KeyFault::CoordinateLength));
    }
}
