//! SHA-256 of what callers present, and the comparison that tells nobody how much was right.

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;

/// The SHA-256 (FIPS 180-4) of the parts, one after the other. Whoever joins parts of unknown
/// length must say where each of them ends.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    bytes
}

/// Whether two digests are equal, in a time that does not depend on where they differ: for secrets,
/// key thumbprints (`cnf.jkt`) and certificate hashes (`cnf.x5t#S256`) alike.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.as_slice().ct_eq(other.as_slice()).into()
}

/// The bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4, the example of one block.
    #[test]
    fn the_digest_of_the_standard() {
        let digest = sha256(&[b"a", b"", b"bc"]);
        assert!(digest.starts_with(&[0xba, 0x78, 0x16, 0xbf]));
        assert!(digest.ends_with(&[0xf2, 0x00, 0x15, 0xad]));
        assert_eq!(digest, sha256(&[b"abc"]));
        assert!(hex(&digest).starts_with("ba7816bf"));
        assert!(hex(&digest).ends_with("f20015ad"));
    }

    #[test]
    fn any_flipped_bit_is_a_difference() {
        let digest = sha256(&[b"abc"]);
        assert!(same(&digest, &digest));
        for bit in 0..256 {
            let mut other = digest;
            other[bit >> 3] ^= 1 << (bit & 7);
            assert!(!same(&digest, &other), "bit {bit}");
        }
    }
}
