//! SPIFFE IDs.

use cedargate::identity::spiffe::SpiffeId;
use url::Url;

use crate::rules;

/// The text is what a proxy read from a certificate.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(id) = SpiffeId::parse(text) else {
        return false;
    };
    assert_eq!(id.as_str(), text, "something was normalised");
    assert!(
        text.len() <= 2048 && id.trust_domain().len() <= 255,
        "too long"
    );

    let url = Url::parse(text).expect("what was accepted is a URL");
    assert_eq!(url.scheme(), "spiffe");
    assert_eq!(
        url.host_str(),
        Some(id.trust_domain()),
        "another trust domain"
    );
    assert_eq!(
        (url.username(), url.password(), url.port()),
        ("", None, None)
    );
    assert_eq!((url.query(), url.fragment()), (None, None));
    let (start, end) = (format!("spiffe://{}", id.trust_domain()), url.path());
    assert_eq!(format!("{start}{end}"), text, "two readings of the path");
    assert!(end.len() > 1 && !end.ends_with('/'), "no workload");

    let principal = id.principal(rules::authenticator());
    assert_eq!(principal.issuer, start);
    assert_eq!(principal.id, format!("{start}#{text}"));
    assert_eq!((&*principal.client_id, &*principal.subject), (text, text));
    assert!(!start.contains('#'), "an issuer with two ends");
    true
}
