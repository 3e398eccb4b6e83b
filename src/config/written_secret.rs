//! Secrets that the operator wrote down and that callers send: kept as their SHA-256 only.

use aws_lc_rs::digest;

use crate::config::reader::Faults;
use crate::config::scalar;
use crate::config::yaml::Node;

/// Fewer bytes are no secret at all.
const SHORTEST: usize = 8;

/// Fewer bytes may be found by trying, once somebody has the digest.
const ENOUGH: usize = 32;

/// The SHA-256 of a secret.
pub(super) type Digest = [u8; 32];

/// The SHA-256 (FIPS 180-4) of a text.
pub(super) fn digest_of(text: &str) -> Digest {
    let mut found = Digest::default();
    for (to, from) in found
        .iter_mut()
        .zip(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    {
        *to = *from;
    }
    found
}

/// `sha256:` and 64 hexadecimal digits.
pub(super) fn read_digest(node: &Node, faults: &mut Faults<'_>) -> Option<Digest> {
    let text = scalar::text(node, faults)?;
    let found = text.strip_prefix("sha256:").and_then(from_hex);
    if found.is_none() {
        // Not shown: it may be the key itself.
        faults.error_help(
            &node.place,
            "not the hash of a key",
            "`sha256:` and 64 hexadecimal digits, as `cedargate apikey hash` prints them",
        );
    }
    found
}

/// A secret of visible ASCII characters, long enough. `help` says how to make a good one.
pub(super) fn read<'t>(
    node: &'t Node,
    help: &'static str,
    faults: &mut Faults<'_>,
) -> Option<&'t str> {
    let text = scalar::text(node, faults)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        faults.error_help(
            &node.place,
            "a secret with characters that a header cannot carry",
            "visible ASCII only",
        );
        return None;
    }
    if text.len() < SHORTEST {
        let message = format!("a secret of less than {SHORTEST} bytes");
        faults.error_help(&node.place, message, help);
        return None;
    }
    if text.len() < ENOUGH {
        let message = format!("a secret of less than {ENOUGH} bytes can be guessed");
        faults.warning(&node.place, message, help);
    }
    Some(text)
}

/// 32 bytes from as many pairs of hexadecimal digits, in either case.
pub(super) fn from_hex(text: &str) -> Option<Digest> {
    let mut found = Digest::default();
    let mut digits = text.chars();
    for byte in &mut found {
        let high = digits.next()?.to_digit(16)?;
        let low = digits.next()?.to_digit(16)?;
        *byte = u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?;
    }
    digits.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_of_the_standard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(from_hex(abc), Some(digest_of("abc")));
        assert_eq!(from_hex(&abc.to_uppercase()), Some(digest_of("abc")));
        for text in [
            "",
            "00",
            abc.trim_start_matches('b'),
            &format!("{abc}0"),
            &abc.replace('b', "g"),
        ] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
