//! Authenticators of type `mtls`: a SPIFFE ID from the certificate that the proxy verified.

use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// The trust domains whose SPIFFE IDs are callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtlsRules {
    /// Trust domains (SPIFFE ID, section 2.1), lower case.
    pub trust_domains: Vec<String>,
}

/// SPIFFE ID, section 2.3, in bytes.
const LONGEST: usize = 255;

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(mut map: Mapping<'_>, declared: &mut Declared, faults: &mut Faults<'_>) {
    let node = map.required("trust_domains", faults);
    if let Some(node) = node {
        declared.place = node.place.clone();
    }
    let trust_domains = node.map(|node| read_domains(node, faults));
    map.finish(faults);
    if let Some(trust_domains) = trust_domains {
        declared.kind = Some(AuthenticatorKind::Mtls(MtlsRules { trust_domains }));
    }
}

fn read_domains(node: &Node, faults: &mut Faults<'_>) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    let Some(items) = scalar::list(node, faults) else {
        return domains;
    };
    if items.is_empty() {
        faults.error(&node.place, "at least one trust domain is needed");
    }
    for item in items {
        let Some(text) = scalar::filled(item, faults) else {
            continue;
        };
        if !is_trust_domain(text) {
            let message = format!("{} is not a trust domain", shown(item, text));
            faults.error_help(&item.place, message, help_for(item, text));
        } else if domains.iter().any(|other| other == text) {
            let message = format!("{} is listed twice", shown(item, text));
            faults.error(&item.place, message);
        } else {
            domains.push(text.to_owned());
        }
    }
    domains
}

fn is_trust_domain(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
        })
}

/// The domain that was meant, where a SPIFFE ID or other case makes that plain.
fn help_for(node: &Node, text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_prefix("spiffe://").unwrap_or(&lower);
    let bare = bare.split('/').next().unwrap_or(bare);
    if is_trust_domain(bare) && !node.place.is_hidden() {
        format!("did you mean `{bare}`?")
    } else {
        format!("lower-case letters, digits, `.`, `-` and `_`, at most {LONGEST} bytes")
    }
}
