//! `x-forwarded-client-cert`, as it stands and as Envoy would write it for any certificate.

use std::fmt::Write as _;

use cedargate::identity::credential::PeerCertificate;
use cedargate::identity::spiffe::SpiffeId;

use super::check;

const HASH: [u8; 32] = [0xab; 32];

/// A value as it stands.
pub(super) fn sent(data: &[u8]) -> bool {
    let Some(found) = read(data) else {
        return false;
    };
    let text = std::str::from_utf8(data).expect("what was accepted is text");
    if let Some(principal) = &found.principal {
        assert!(!principal.is_empty(), "nobody");
        assert!(text.contains(principal), "somebody who is not there");
    }
    if let Some(hash) = &found.sha256 {
        let lower = text.to_ascii_lowercase();
        assert!(
            lower.contains(&hex(hash)) || lower.contains("cert="),
            "a hash out of nothing"
        );
    }
    let unquoted: String = text.split('"').step_by(2).collect();
    assert!(
        text.contains('\\') || !unquoted.contains(','),
        "several hops"
    );
    true
}

/// A certificate of this subject; of the lines that follow, those with a `U` in front are its URIs and
/// the others its DNS names. Whoever chose the names gets no other identity by them.
pub(super) fn written(subject: &str, names: &str) -> bool {
    let (uris, names): (Vec<&str>, Vec<&str>) = names
        .lines()
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('U'));
    let uris: Vec<&str> = uris
        .iter()
        .filter_map(|line| line.strip_prefix('U'))
        .collect();
    // Envoy escapes no URI. One that goes on in the syntax of the header cannot be told from two
    // names, and is a matter for whoever signs certificates.
    let is_sound = |byte: u8| byte.is_ascii_graphic() && !b";,\"".contains(&byte);
    if !uris
        .iter()
        .all(|uri| !uri.is_empty() && uri.bytes().all(is_sound))
    {
        return false;
    }
    let Some(found) = read(header(subject, &uris, &names).as_bytes()) else {
        return false;
    };
    assert_eq!(found.sha256, Some(HASH), "another certificate");
    match (uris.as_slice(), found.principal) {
        (_, None) => {}
        ([], Some(principal)) => {
            assert!(
                SpiffeId::parse(&principal).is_err(),
                "a workload without a URI"
            );
        }
        ([uri], Some(principal)) => assert_eq!(principal, *uri, "somebody else"),
        (_, Some(_)) => panic!("one of several"),
    }
    true
}

/// The order, the quotes and the escapes are Envoy's.
fn header(subject: &str, uris: &[&str], names: &[&str]) -> String {
    let mut text = format!("By=spiffe://acme/front;Hash={};Subject=\"CN=", hex(&HASH));
    for letter in subject.chars() {
        if matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push_str("\";");
    if uris.is_empty() {
        text.push_str("URI=");
    } else {
        let uris: Vec<String> = uris.iter().map(|uri| format!("URI={uri}")).collect();
        text.push_str(&uris.join(";"));
    }
    for name in names {
        let _always_fits = write!(text, ";DNS={name}");
    }
    text
}

fn read(value: &[u8]) -> Option<PeerCertificate> {
    check("x-forwarded-client-cert", value)?
        .presented
        .certificate
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _always_fits = write!(text, "{byte:02x}");
        text
    })
}
