//! The header `x-forwarded-client-cert`, as Envoy writes it: `Key=value` pairs with semicolons
//! between them, and a comma before each further hop.

use super::CertificateFault;
use super::sha256;
use crate::identity::credential::PeerCertificate;

/// What is kept of one element.
#[derive(Default)]
struct Element<'a> {
    hash: Option<[u8; 32]>,
    certificate: Option<[u8; 32]>,
    subject: Option<&'a str>,
    uris: Vec<&'a str>,
    names: Vec<&'a str>,
}

/// Reads the one element that `SANITIZE_SET` leaves. The caller must have made sure that a proxy
/// wrote it which is believed.
///
/// The principal is the URI. A certificate with several is no identity (X.509-SVID, section 2); with
/// none, the first DNS name or else the subject stands in, as in Envoy's own `source.principal`.
///
/// # Errors
///
/// [`CertificateFault`].
pub(in crate::request) fn read(header: &str) -> Result<PeerCertificate, CertificateFault> {
    let mut element = Element::default();
    let mut rest = header;
    loop {
        let (key, value, after) = pair(rest).ok_or(CertificateFault::Syntax)?;
        element.add(key, value)?;
        let mut after = after.chars();
        match after.next() {
            None => return element.certificate(),
            Some(';') => rest = after.as_str(),
            Some(',') => return Err(CertificateFault::SeveralElements),
            Some(_) => return Err(CertificateFault::Syntax),
        }
    }
}

impl<'a> Element<'a> {
    fn add(&mut self, key: &str, value: &'a str) -> Result<(), CertificateFault> {
        match key.to_ascii_lowercase().as_str() {
            "hash" => {
                let hash = hash(value).ok_or(CertificateFault::Syntax)?;
                once(&mut self.hash, hash, "Hash")
            }
            "cert" => once(&mut self.certificate, sha256(value)?, "Cert"),
            "subject" => once(&mut self.subject, value, "Subject"),
            // Envoy writes names as they stand in the certificate, with neither quotes nor escapes,
            // and URIs before DNS names. A DNS name that goes on with `;URI=` would make its owner
            // anybody; the order gives it away.
            "uri" if !self.names.is_empty() => Err(CertificateFault::Syntax),
            "uri" => {
                self.uris.push(value);
                Ok(())
            }
            "dns" => {
                self.names.push(value);
                Ok(())
            }
            // `By` and `Chain` say nothing of the client, nor does what later versions add.
            _ => Ok(()),
        }
    }

    fn certificate(self) -> Result<PeerCertificate, CertificateFault> {
        if let (Some(stated), Some(computed)) = (self.hash, self.certificate)
            && stated != computed
        {
            return Err(CertificateFault::Mismatch);
        }
        let principal = match self.uris.as_slice() {
            // Envoy writes the key without a value when there is no URI.
            [] | [""] => match self.names.first() {
                Some(name) => is_dns_name(name).then_some(*name),
                None => self.subject.filter(|subject| !subject.is_empty()),
            },
            [uri] => Some(*uri),
            [_, _, ..] => None,
        };
        Ok(PeerCertificate {
            principal: principal.map(ToOwned::to_owned),
            sha256: self.hash.or(self.certificate),
        })
    }
}

/// 64 hexadecimal digits.
pub(super) fn hash(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Vec::with_capacity(32);
    for [high, low] in pairs {
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        bytes.push(u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?);
    }
    <[u8; 32]>::try_from(bytes).ok()
}

fn once<T>(place: &mut Option<T>, value: T, key: &'static str) -> Result<(), CertificateFault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(CertificateFault::Repeated(key)),
    }
}

/// Key, value, and what follows.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_once('=')?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    if let Some(inside) = rest.strip_prefix('"') {
        let (value, after) = quoted(inside)?;
        return Some((key, value, after));
    }
    let end = rest.find([';', ',']).unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    (!value.contains('"')).then_some((key, value, after))
}

/// The value up to the closing quote, and what follows. A backslash takes the meaning from the next
/// character, whichever it is: in `\\"` the quote closes. Escapes are left as they stand, since a
/// subject (RFC 4514, section 2.4) has the same ones in Envoy's own `source.principal`.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text.get(..at)?, letters.as_str())),
            '\\' => {
                letters.next()?;
            }
            _ => {}
        }
    }
    None
}

/// Whether a DNS name can be taken for nothing else, such as a URI.
fn is_dns_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::HASH;
    use super::super::testing::PEM;
    use super::*;

    fn principal(header: &str) -> Option<String> {
        read(header).unwrap().principal
    }

    /// The forms that the real Envoy 1.40 writes.
    #[test]
    fn what_envoy_writes_is_read() {
        let whole = format!(
            "By=spiffe://acme/front;Hash={HASH};Cert=\"{PEM}\";Subject=\"CN=one\";URI=spiffe://acme/cli"
        );
        let found = read(&whole).unwrap();
        assert_eq!(found.principal.as_deref(), Some("spiffe://acme/cli"));
        assert_eq!(found.sha256, hash(HASH));
        let upper = read(&format!("hash={};uri=a", HASH.to_ascii_uppercase())).unwrap();
        assert_eq!(
            (upper.sha256, upper.principal.as_deref()),
            (hash(HASH), Some("a"))
        );
        let pem = read(&format!("Cert=\"{PEM}\"")).unwrap();
        assert_eq!((pem.sha256, pem.principal), (hash(HASH), None));
        let names = "Subject=\"CN=dns\";URI=;DNS=a.example;DNS=b.example";
        assert_eq!(principal(names).as_deref(), Some("a.example"));
        let subject = r#"Subject="O=z\;URI=spiffe,CN=x\\\, \"y\"\\\\";URI="#;
        let text = r#"O=z\;URI=spiffe,CN=x\\\, \"y\"\\\\"#;
        assert_eq!(principal(subject).as_deref(), Some(text));
        assert_eq!(
            read("By=a;Subject=\"\";URI=").unwrap(),
            PeerCertificate::default()
        );
    }

    #[test]
    fn a_certificate_cannot_name_its_owner_twice() {
        // What Envoy writes for names that go on in its own syntax, and for several URIs.
        for header in [
            "URI=spiffe://acme/a;URI=spiffe://acme/b",
            "URI=;URI=spiffe://acme/victim",
            "URI=spiffe://acme/a;URI=",
            "URI=;DNS=spiffe://acme/victim",
            "URI=;DNS=a.example/;DNS=b.example",
        ] {
            assert_eq!(principal(header), None, "{header}");
        }
        for header in [
            "URI=;DNS=x;URI=spiffe://acme/victim",
            "DNS=x;URI=spiffe://acme/victim",
        ] {
            assert_eq!(read(header), Err(CertificateFault::Syntax), "{header}");
        }
        let stolen = format!("Hash={HASH};URI=a;Hash={}", "0".repeat(64));
        assert_eq!(read(&stolen), Err(CertificateFault::Repeated("Hash")));
    }

    #[test]
    fn what_has_two_readings_is_a_fault() {
        let other = format!("Hash={};Cert=\"{PEM}\"", "0".repeat(64));
        let twice = format!("Cert=\"{PEM}\";Cert=\"{PEM}\"");
        let short = HASH.strip_prefix("e4").unwrap();
        let (long, no_hex) = (format!("{HASH}00"), format!("{short}g0"));
        for (header, fault) in [
            ("URI=a,URI=b", CertificateFault::SeveralElements),
            ("By=a;URI=b,By=c", CertificateFault::SeveralElements),
            ("URI=a,", CertificateFault::SeveralElements),
            (&other, CertificateFault::Mismatch),
            (&twice, CertificateFault::Repeated("Cert")),
            (
                "Subject=\"a\";Subject=\"a\"",
                CertificateFault::Repeated("Subject"),
            ),
            ("Cert=\"x\"", CertificateFault::Encoding),
            ("", CertificateFault::Syntax),
            ("URI", CertificateFault::Syntax),
            ("=a", CertificateFault::Syntax),
            ("URI=a;", CertificateFault::Syntax),
            ("URI=a;;By=b", CertificateFault::Syntax),
            ("URI=a; By=b", CertificateFault::Syntax),
            ("U RI=a", CertificateFault::Syntax),
            ("URI=a\"b", CertificateFault::Syntax),
            ("URI=\"a", CertificateFault::Syntax),
            ("URI=\"a\\\"", CertificateFault::Syntax),
            ("URI=\"a\"b", CertificateFault::Syntax),
            (&format!("Hash={short}"), CertificateFault::Syntax),
            (&format!("Hash={long}"), CertificateFault::Syntax),
            (&format!("Hash={no_hex}"), CertificateFault::Syntax),
        ] {
            assert_eq!(read(header), Err(fault), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(
            header in r#"((By|Hash|Cert|Subject|URI|DNS|[a-z\u{e9}]?)=?"?[a-z0-9\\",;=%\u{e9} ]{0,8}"?[;,]?){0,6}"#,
        ) {
            drop(read(&header));
        }

        #[test]
        fn a_quoted_value_ends_where_it_was_ended(value in r#"[a-z,;="\\]{0,12}"#) {
            let escaped = value.replace('\\', r"\\").replace('"', r#"\""#);
            let header = format!("Subject=\"{escaped}\";By=x");
            let expected = Some(escaped).filter(|subject| !subject.is_empty());
            prop_assert_eq!(principal(&header), expected);
        }
    }
}
