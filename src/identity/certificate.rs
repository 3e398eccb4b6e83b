//! The hash of a client certificate, for tokens that are bound to one (RFC 8705, section 3.1).

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::pem::SectionKind;

use crate::identity::digest::sha256;

/// The longest PEM text that is read, in bytes.
pub const MAX_PEM_BYTES: usize = 64 * 1024;

/// The SHA-256 of the DER form of the one certificate in `pem`: the value of `x5t#S256`, not yet
/// base64url. Absent for a text of more than [`MAX_PEM_BYTES`], for one that is not PEM, and for
/// one that holds anything but exactly one certificate: of a chain it would be a guess which of
/// them the client has proved to own.
pub fn certificate_sha256(pem: &str) -> Option<[u8; 32]> {
    if pem.len() > MAX_PEM_BYTES {
        return None;
    }
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes());
    let (kind, der) = sections.next()?.ok()?;
    if kind != SectionKind::Certificate || der.is_empty() || sections.next().is_some() {
        return None;
    }
    Some(sha256(&[&der]))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    #[test]
    fn the_hash_is_that_of_the_der_form() {
        let der = b"not looked into";
        let expected = Some(sha256(&[der]));
        let one = pem("CERTIFICATE", der);
        assert_eq!(certificate_sha256(&one), expected);
        assert_eq!(certificate_sha256(&one.replace('\n', "\r\n")), expected);
        assert_eq!(certificate_sha256(&format!("# leaf\n{one}")), expected);
    }

    #[test]
    fn anything_but_one_certificate_is_refused() {
        let one = pem("CERTIFICATE", b"one");
        for text in [
            String::new(),
            "certificate".into(),
            format!("{one}{one}"),
            format!("{one}{}", pem("PRIVATE KEY", b"key")),
            format!("{}{one}", pem("PRIVATE KEY", b"key")),
            pem("PUBLIC KEY", b"key"),
            pem("CERTIFICATE", b""),
            one.replace("END", "BEGIN"),
            one.replace("b25l", "b2*l"),
            format!("{one}{}", "\n".repeat(MAX_PEM_BYTES)),
        ] {
            assert_eq!(certificate_sha256(&text), None, "{text:.120}");
        }
    }

    proptest! {
        #[test]
        fn any_certificate_has_its_own_hash(der in prop::collection::vec(any::<u8>(), 1..600)) {
            let text = pem("CERTIFICATE", &der);
            prop_assert_eq!(certificate_sha256(&text), Some(sha256(&[&der])));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(-----(BEGIN|END) CERTIFICATE-----\n|.|\n){0,8}") {
            prop_assert!(certificate_sha256(&text).is_none() || text.contains("BEGIN CERTIFICATE"));
        }
    }
}
