//! Why an exchange with an issuer came to nothing, in words for the log and in a word for metrics.

use std::error::Error;
use std::io;

use rustls::AlertDescription;
use rustls::CertificateError;

use super::address::ForbiddenAddress;

/// Why a document was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchFault {
    /// The certificate authorities or the TLS configuration cannot be used.
    #[error("no HTTP client can be set up: {0}")]
    Client(String),
    /// Not `https`, no host, or with a user name.
    #[error("the address `{0}` is not a plain https URL")]
    Url(String),
    /// The host is, or has, an address that no issuer lives at.
    #[error("the host has a link-local, metadata or unspecified address")]
    Address,
    /// No connection, or no HTTP.
    #[error("no answer: {0}")]
    Connect(String),
    /// No TLS: for this reason, in the words of the TLS library.
    #[error("no TLS connection: {1}")]
    Tls(TlsFault, String),
    /// Not finished within the time that there was.
    #[error("no complete answer in time")]
    TimedOut,
    /// Any status but 200; redirects are not followed.
    #[error("the status is {0}, not 200")]
    Status(u16),
    /// The content is not JSON, or compressed.
    #[error("the content type or encoding is not plain JSON")]
    ContentType,
    /// The body exceeds so many bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The discovery document is not strict JSON, or lacks what it must have.
    #[error("the discovery document is refused: {0}")]
    Discovery(String),
}

/// Why the other side is not spoken to over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// Its certificate is not valid at this time.
    Expired,
    /// Its certificate is for another name.
    Name,
    /// Nobody whom we trust vouches for its certificate.
    Untrusted,
    /// It wants a certificate of ours; we have none.
    ClientCertificate,
    /// It speaks no version or cipher of ours; versions before TLS 1.2 are not spoken.
    Incompatible,
    /// Anything else.
    Other,
}

impl FetchFault {
    /// A word for metrics, from a fixed set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Url(_) => "url",
            Self::Address => "address",
            Self::Connect(_) => "connect",
            Self::Tls(fault, _) => fault.label(),
            Self::TimedOut => "timeout",
            Self::Status(_) => "status",
            Self::ContentType => "content_type",
            Self::TooLarge(_) => "too_large",
            Self::Discovery(_) => "discovery",
        }
    }
}

impl TlsFault {
    fn label(self) -> &'static str {
        match self {
            Self::Expired => "tls_expired",
            Self::Name => "tls_name",
            Self::Untrusted => "tls_untrusted",
            Self::ClientCertificate => "tls_client_certificate",
            Self::Incompatible => "tls_incompatible",
            Self::Other => "tls",
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of the library's errors are no more than `Other` to us"
    )]
    fn of(error: &rustls::Error) -> Self {
        use CertificateError as Certificate;
        match error {
            rustls::Error::InvalidCertificate(
                Certificate::Expired
                | Certificate::ExpiredContext { .. }
                | Certificate::NotValidYet
                | Certificate::NotValidYetContext { .. },
            ) => Self::Expired,
            rustls::Error::InvalidCertificate(
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
            ) => Self::Name,
            rustls::Error::InvalidCertificate(
                Certificate::UnknownIssuer | Certificate::BadSignature,
            ) => Self::Untrusted,
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                Self::ClientCertificate
            }
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(
                AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
            ) => Self::Incompatible,
            _ => Self::Other,
        }
    }
}

/// What an error of the HTTP client means.
pub(in crate::source) fn sort(error: &reqwest::Error) -> FetchFault {
    if error.is_timeout() {
        return FetchFault::TimedOut;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<ForbiddenAddress>() {
            return FetchFault::Address;
        }
        if let Some(tls) = tls_error(inner) {
            return FetchFault::Tls(TlsFault::of(tls), tls.to_string());
        }
        cause = inner.source();
    }
    FetchFault::Connect(chain(error))
}

/// The TLS library's error in `error`. What an I/O error wraps is not its source, so that the walk
/// along the sources passes it by.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    tls_error(wrapped)
}

/// The innermost cause, which is the one that says something; outer ones repeat the URL.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
