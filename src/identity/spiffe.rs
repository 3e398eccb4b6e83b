//! SPIFFE IDs: the names of workloads that a proxy reads from client certificates.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// Longest SPIFFE ID, in bytes (SPIFFE ID, section 2.3).
const MAX_BYTES: usize = 2048;

/// Longest trust domain, in bytes (SPIFFE ID, section 2.1).
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The scheme, which has one spelling here although URIs in general have no case there.
const SCHEME: &str = "spiffe://";

/// The name of one workload in one trust domain. Such names have one spelling only, so that they
/// are compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: String,
    trust_domain: String,
}

/// Why a text is not the SPIFFE ID of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeFault {
    /// More than 2048 bytes.
    #[error("the SPIFFE ID is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It does not begin with `spiffe://`.
    #[error("not a SPIFFE ID")]
    Scheme,
    /// Empty, longer than 255 bytes, or with a character that is not a lower-case letter, a digit,
    /// `.`, `-` or `_`: so neither a user nor a port.
    #[error("the trust domain of the SPIFFE ID is malformed")]
    TrustDomain,
    /// No path: the ID of the trust domain itself, which is nobody who could call.
    #[error("the SPIFFE ID names a trust domain, not a workload")]
    NoWorkload,
    /// A segment that is empty, `.` or `..`, or with a character that is not a letter, a digit,
    /// `.`, `-` or `_`: so neither a query, a fragment nor an escape.
    #[error("the path of the SPIFFE ID is malformed")]
    Path,
}

impl SpiffeId {
    /// Reads the ID of a workload, strictly as the SPIFFE ID specification, section 2, writes it;
    /// nothing is normalised. An ID without a path is refused: authorities have such IDs, callers
    /// do not.
    ///
    /// # Errors
    ///
    /// [`SpiffeFault`], the first that is met.
    pub fn parse(text: &str) -> Result<Self, SpiffeFault> {
        if text.len() > MAX_BYTES {
            return Err(SpiffeFault::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeFault::Scheme)?;
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        let sound = !trust_domain.is_empty()
            && trust_domain.len() <= MAX_TRUST_DOMAIN_BYTES
            && trust_domain
                .bytes()
                .all(|byte| is_segment_byte(byte) && !byte.is_ascii_uppercase());
        if !sound {
            return Err(SpiffeFault::TrustDomain);
        }
        let path = path.ok_or(SpiffeFault::NoWorkload)?;
        if !path.split('/').all(is_segment) {
            return Err(SpiffeFault::Path);
        }
        Ok(Self {
            text: text.to_owned(),
            trust_domain: trust_domain.to_owned(),
        })
    }

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain, without the scheme.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The workload as a caller, whom the trust domain vouches for.
    pub fn principal(&self, authenticator: &Arc<str>) -> Principal {
        let issuer = format!("{SCHEME}{}", self.trust_domain);
        Principal {
            kind: PrincipalKind::Client,
            id: format!("{issuer}#{}", self.text),
            authenticator: Arc::clone(authenticator),
            issuer,
            subject: self.text.clone(),
            client_id: self.text.clone(),
            tenant: String::new(),
            email: String::new(),
            name: String::new(),
            roles: BTreeSet::new(),
            groups: BTreeSet::new(),
            scopes: BTreeSet::new(),
            audience: BTreeSet::new(),
            claims: BTreeMap::new(),
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_segment_byte)
}

fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sound_ids() {
        for (text, trust_domain) in [
            ("spiffe://example.org/ns/prod/sa/web", "example.org"),
            ("spiffe://a/B", "a"),
            ("spiffe://a_b-c.9/...", "a_b-c.9"),
            ("spiffe://127.0.0.1/w", "127.0.0.1"),
        ] {
            let id = SpiffeId::parse(text).unwrap();
            assert_eq!((id.as_str(), id.trust_domain()), (text, trust_domain));
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use SpiffeFault::NoWorkload;
        use SpiffeFault::Path;
        use SpiffeFault::Scheme;
        use SpiffeFault::TooLong;
        use SpiffeFault::TrustDomain;
        let long_domain = format!("spiffe://{}/w", "a".repeat(256));
        let long = format!("spiffe://a/{}", "b".repeat(2038));
        for (text, fault) in [
            ("", Scheme),
            ("spiffe:", Scheme),
            ("SPIFFE://a/b", Scheme),
            ("https://a/b", Scheme),
            (" spiffe://a/b", Scheme),
            ("spiffe://", TrustDomain),
            ("spiffe:///b", TrustDomain),
            ("spiffe://A/b", TrustDomain),
            ("spiffe://u@a/b", TrustDomain),
            ("spiffe://a:443/b", TrustDomain),
            ("spiffe://a%2f/b", TrustDomain),
            ("spiffe://a?b/c", TrustDomain),
            ("spiffe://\u{e9}/b", TrustDomain),
            ("spiffe://[::1]/b", TrustDomain),
            (long_domain.as_str(), TrustDomain),
            ("spiffe://a", NoWorkload),
            ("spiffe://a/", Path),
            ("spiffe://a//b", Path),
            ("spiffe://a/b/", Path),
            ("spiffe://a/./b", Path),
            ("spiffe://a/b/..", Path),
            ("spiffe://a/b?c", Path),
            ("spiffe://a/b#c", Path),
            ("spiffe://a/b%20c", Path),
            ("spiffe://a/b c", Path),
            ("spiffe://a/b,c", Path),
            ("spiffe://a/b\0", Path),
            ("spiffe://a/\u{e9}", Path),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(fault), "{text:.60}");
        }
    }

    #[test]
    fn the_bounds_are_exact() {
        assert!(SpiffeId::parse(&format!("spiffe://{}/w", "a".repeat(255))).is_ok());
        assert!(SpiffeId::parse(&format!("spiffe://a/{}", "b".repeat(2037))).is_ok());
    }

    #[test]
    fn a_workload_is_a_client_of_its_trust_domain() {
        let id = SpiffeId::parse("spiffe://example.org/web").unwrap();
        let principal = id.principal(&"mesh".into());
        assert_eq!(principal.kind, PrincipalKind::Client);
        assert_eq!(
            principal.id,
            "spiffe://example.org#spiffe://example.org/web"
        );
        assert_eq!(principal.issuer, "spiffe://example.org");
        assert_eq!(principal.subject, "spiffe://example.org/web");
        assert_eq!(principal.client_id, "spiffe://example.org/web");
        assert_eq!(&*principal.authenticator, "mesh");
        assert!(principal.roles.is_empty() && principal.audience.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_whole_or_refused(text in "spiffe://[a-zA-Z0-9._/%:@?# -]{0,40}") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), text.as_str());
                let prefix = format!("spiffe://{}/", id.trust_domain());
                prop_assert!(text.starts_with(&prefix));
                prop_assert!(!id.trust_domain().contains(|c: char| c.is_ascii_uppercase()));
                let outside = |c: char| !c.is_ascii_alphanumeric() && !"._-/".contains(c);
                let rest = text.strip_prefix(SCHEME).unwrap();
                prop_assert!(!rest.contains(outside));
                prop_assert!(!text.ends_with('/') && !text.contains("/../"));
            }
        }

        #[test]
        fn different_ids_are_different_principals(a in "[a-z.]{1,4}/[a-z.]{1,4}", b in "[a-z.]{1,4}/[a-z.]{1,4}") {
            let read = |text: &str| SpiffeId::parse(&format!("spiffe://{text}"));
            if let (Ok(one), Ok(other)) = (read(&a), read(&b)) {
                let name: Arc<str> = "mesh".into();
                prop_assert_eq!(a == b, one.principal(&name).id == other.principal(&name).id);
            }
        }
    }
}
