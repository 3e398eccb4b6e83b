//! The client's certificate, as far as the proxy tells of it.

pub(super) mod xfcc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::identity::credential::PeerCertificate;
use crate::request::path::escaped;

/// Longest certificate that is read, in bytes, URL-encoded.
pub const MAX_CERTIFICATE: usize = 64 * 1024;

/// Why it cannot be known which certificate the client presented. The proxy's word cannot be read
/// then, so the request is refused whether its resource asks for certificates or not.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CertificateFault {
    /// Longer than [`MAX_CERTIFICATE`].
    #[error("the client certificate is longer than 64 KiB")]
    TooLong,
    /// Not one PEM block of a certificate (RFC 7468, section 5), percent-encoded.
    #[error("the client certificate is not one URL-encoded PEM block")]
    Encoding,
    /// `x-forwarded-client-cert` is not written as Envoy writes it.
    #[error("the header `x-forwarded-client-cert` is malformed")]
    Syntax,
    /// `x-forwarded-client-cert` tells of more than one hop.
    #[error("the header `x-forwarded-client-cert` has more than one element")]
    SeveralElements,
    /// `x-forwarded-client-cert` has a key twice that may be there once.
    #[error("the header `x-forwarded-client-cert` has the key `{0}` twice")]
    Repeated(&'static str),
    /// The hash in `x-forwarded-client-cert` is that of another certificate.
    #[error("the hash in `x-forwarded-client-cert` is not that of the certificate")]
    Mismatch,
}

/// What Envoy's check says: `source.principal`, the URI, else the DNS name, else the subject of the
/// certificate, and `source.certificate`, the URL-encoded PEM of the leaf. Both are empty when
/// there was none.
///
/// The identity is as good as the validation that the proxy's listener does.
///
/// # Errors
///
/// [`CertificateFault::TooLong`], [`CertificateFault::Encoding`].
pub(super) fn from_attributes(
    principal: String,
    certificate: &str,
) -> Result<Option<PeerCertificate>, CertificateFault> {
    let principal = Some(principal).filter(|principal| !principal.is_empty());
    let sha256 = if certificate.is_empty() {
        None
    } else {
        Some(sha256(certificate)?)
    };
    let presented = principal.is_some() || sha256.is_some();
    Ok(presented.then_some(PeerCertificate { principal, sha256 }))
}

/// The SHA-256 of the DER of one URL-encoded PEM certificate.
fn sha256(encoded: &str) -> Result<[u8; 32], CertificateFault> {
    if encoded.len() > MAX_CERTIFICATE {
        return Err(CertificateFault::TooLong);
    }
    let pem = percent_decoded(encoded).ok_or(CertificateFault::Encoding)?;
    let der = der(&pem).ok_or(CertificateFault::Encoding)?;
    let hash = digest::digest(&digest::SHA256, &der);
    <[u8; 32]>::try_from(hash.as_ref()).map_err(|_| CertificateFault::Encoding)
}

/// Every escape decoded; what stands for itself is a visible character. A `+` is a `+`.
fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (escape, after) = rest.split_at_checked(3)?;
            out.push(escaped(escape)?);
            rest = after;
        } else if first.is_ascii_graphic() {
            out.push(*first);
            rest = tail;
        } else {
            return None;
        }
    }
    String::from_utf8(out).ok()
}

/// The content of exactly one PEM block. Neither text around it nor a second block gets through:
/// a reader that took another block for the leaf would know another client.
fn der(pem: &str) -> Option<Vec<u8>> {
    let base64 = pem
        .trim_ascii()
        .strip_prefix("-----BEGIN CERTIFICATE-----")?
        .strip_suffix("-----END CERTIFICATE-----")?;
    let base64: String = base64.split_ascii_whitespace().collect();
    // A certificate is a SEQUENCE (RFC 5280, section 4.1).
    let der = STANDARD.decode(base64).ok()?;
    der.starts_with(&[0x30]).then_some(der)
}

#[cfg(test)]
pub(super) mod testing {
    /// `SEQUENCE {}`, which is all of a certificate that is looked at here.
    pub(in crate::request) const PEM: &str =
        "-----BEGIN%20CERTIFICATE-----%0AMAA%3D%0A-----END%20CERTIFICATE-----%0A";

    /// Its SHA-256: that of the bytes 30 00.
    pub(in crate::request) const HASH: &str =
        "e4f60d0aa6d7f3d3b6a6494b1c861b99f649c6f9ec51abaf201b20f297327c95";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(
        principal: &str,
        certificate: &str,
    ) -> Result<Option<PeerCertificate>, CertificateFault> {
        from_attributes(principal.to_owned(), certificate)
    }

    #[test]
    fn what_envoy_says_is_read() {
        assert_eq!(read("", ""), Ok(None));
        let named = read("spiffe://acme/cli", "").unwrap().unwrap();
        assert_eq!(named.principal.as_deref(), Some("spiffe://acme/cli"));
        assert_eq!(named.sha256, None);
        let hashed = read("", testing::PEM).unwrap().unwrap();
        assert_eq!(hashed.principal, None);
        assert_eq!(hashed.sha256, xfcc::hash(testing::HASH));
        assert!(hashed.sha256.is_some());
    }

    /// As the real Envoy 1.40 sends it, and as `openssl x509 -fingerprint -sha256` sees it.
    #[test]
    fn the_hash_is_the_one_that_others_compute() {
        let real = read("", REAL).unwrap().unwrap();
        assert_eq!(real.sha256, xfcc::hash(REAL_HASH));
    }

    #[test]
    fn what_is_not_one_certificate_is_a_fault() {
        let block = testing::PEM;
        let twice = format!("{block}{block}");
        let after = format!("{block}x");
        let long = format!("{block}{}", "%0A".repeat(MAX_CERTIFICATE / 3));
        let key = block.replace("CERTIFICATE", "PRIVATE%20KEY");
        let plain = block.replace("%0A", "\n").replace("%20", " ");
        let (cut, wrong) = (format!("{block}%0"), format!("{block}%zz"));
        let (empty, no_sequence) = (
            block.replace("MAA%3D", ""),
            block.replace("MAA%3D", "AAA%3D"),
        );
        let no_base64 = block.replace("MAA%3D", "M*A%3D");
        let latin = format!("{block}%ff");
        for bad in [
            twice,
            after,
            key,
            plain,
            cut,
            wrong,
            empty,
            no_sequence,
            no_base64,
            latin,
            "x".to_owned(),
            "%0A".to_owned(),
        ] {
            assert_eq!(read("p", &bad), Err(CertificateFault::Encoding), "{bad}");
        }
        assert_eq!(read("p", &long), Err(CertificateFault::TooLong));
    }

    proptest! {
        #[test]
        fn no_input_panics(certificate in "(%[0-9a-f]{2}|[-a-zA-Z0-9+/=%\u{e9} ]){0,60}") {
            drop(read("", &certificate));
        }
    }

    const REAL: &str = "\
        -----BEGIN%20CERTIFICATE-----%0AMIIBfjCCASOgAwIBAgIUa8Ldqiu4ljbAavYFryb8qReCBzUw\
        CgYIKoZIzj0EAwIw%0ADTELMAkGA1UEAwwCY2EwHhcNMjYxMTIxMDYzNzIzWhcNMjYxMjIxMDYzNzIzW\
        jAO%0AMQwwCgYDVQQDDANvbmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATZxv%2FCnkYk%0AisLRu\
        l6sGJTkGWY21VkHznZaBkpTDB2vsWXfPFvHrB8FWftbIgDlHHNCr8z8iaFo%0A9TGyCR%2Bvgl7mo2Aw\
        XjAcBgNVHREEFTAThhFzcGlmZmU6Ly9hY21lL2NsaTAdBgNV%0AHQ4EFgQUm1acwHVEdM45ZkprUzHO3\
        z1aLaYwHwYDVR0jBBgwFoAUXlXYNxlCWDOA%0AT4xTG1yBS8fD1CUwCgYIKoZIzj0EAwIDSQAwRgIhAP\
        B47IbP3gn5mJ%2F6WWjhvFpf%0A3UYn16ilU7WPesaKitWCAiEA92el58sJ2uvpNKq2wchSGVO8d6Mzq\
        KOCSsLYRc%2FM%0AAMo%3D%0A-----END%20CERTIFICATE-----%0A";
    const REAL_HASH: &str = "4a6139201f4d54398297e9c4b5cfc9e69f5638563f90c1d0a5cc1d050cde4e05";
}
