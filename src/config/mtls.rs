//! Authenticators of type `mtls`: a SPIFFE ID from the certificate that the proxy verified.

/// The trust domains whose SPIFFE IDs are callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtlsRules {
    /// Trust domains (SPIFFE ID, section 2.1), lower case.
    pub trust_domains: Vec<String>,
}
