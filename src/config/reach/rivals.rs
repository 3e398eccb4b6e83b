//! Credentials that two authenticators of one resource could answer for.

use std::collections::BTreeMap;

use crate::config::api_key::ApiKeyRules;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::reach::Meeting;
use crate::config::reach::Reported;
use crate::config::reader::Faults;

/// Refuses two that could answer for one credential, other than by the issuer of a token.
pub(super) fn refuse(meeting: &Meeting<'_>, reported: &mut Reported, faults: &mut Faults<'_>) {
    if meeting.accepted.iter().filter(|one| one.anonymous).count() > 1 {
        faults.error(
            meeting.place,
            "two anonymous authenticators on one resource",
        );
    }
    let complete: Vec<(&Declared, &AuthenticatorKind)> = meeting
        .accepted
        .iter()
        .filter_map(|one| Some((*one, one.kind.as_ref()?)))
        .collect();
    for (index, (one, kind)) in complete.iter().enumerate() {
        let rival = complete
            .iter()
            .take(index)
            .find_map(|(other, theirs)| Some((*other, rivalry(theirs, kind)?)));
        if let Some((other, how)) = rival {
            meeting.refuse((other, one), how, reported, faults);
        }
    }
}

/// How two of a kind could both answer for one credential, if they could.
fn rivalry(one: &AuthenticatorKind, other: &AuthenticatorKind) -> Option<&'static str> {
    match (one, other) {
        (AuthenticatorKind::Introspection(_), AuthenticatorKind::Introspection(_)) => {
            Some("would both be asked about a token without a known form")
        }
        (AuthenticatorKind::ApiKey(one), AuthenticatorKind::ApiKey(other)) => {
            (one.header == other.header).then_some("take keys from the same header")
        }
        (AuthenticatorKind::StaticToken(one), AuthenticatorKind::StaticToken(other)) => {
            (one.digest == other.digest).then_some("have the same token")
        }
        (AuthenticatorKind::Mtls(one), AuthenticatorKind::Mtls(other)) => one
            .trust_domains
            .iter()
            .any(|domain| other.trust_domains.contains(domain))
            .then_some("share a trust domain"),
        (AuthenticatorKind::Jwt(one), AuthenticatorKind::Jwt(other)) => (one.insecure_skip_issuer
            && other.insecure_skip_issuer)
            .then_some("would both take tokens of any issuer"),
        (
            AuthenticatorKind::Jwt(_)
            | AuthenticatorKind::Introspection(_)
            | AuthenticatorKind::ApiKey(_)
            | AuthenticatorKind::StaticToken(_)
            | AuthenticatorKind::Mtls(_)
            | AuthenticatorKind::Anonymous,
            _,
        ) => None,
    }
}

/// The id of a key is the whole id of its principal, so that two keys of one id would be one caller,
/// whatever their headers and resources.
pub(super) fn refuse_shared_ids(authenticators: &[Declared], faults: &mut Faults<'_>) {
    let holders: Vec<(&Declared, &ApiKeyRules)> = authenticators
        .iter()
        .filter_map(|one| match one.kind.as_ref()? {
            AuthenticatorKind::ApiKey(rules) => Some((one, &**rules)),
            AuthenticatorKind::Jwt(_)
            | AuthenticatorKind::Introspection(_)
            | AuthenticatorKind::StaticToken(_)
            | AuthenticatorKind::Mtls(_)
            | AuthenticatorKind::Anonymous => None,
        })
        .collect();
    for (index, (one, rules)) in holders.iter().enumerate() {
        for (other, theirs) in holders.iter().take(index) {
            if share_an_id(rules, theirs) {
                let message = format!(
                    "`{}` and `{}` have different keys of the same id",
                    other.name, one.name
                );
                let help = "the id of a key is its caller's: give each key an id of its own";
                faults.error_help(&one.place, message, help);
            }
        }
    }
}

fn share_an_id(one: &ApiKeyRules, other: &ApiKeyRules) -> bool {
    let known: BTreeMap<&str, &[u8; 32]> = other
        .keys
        .iter()
        .map(|key| (key.id.as_str(), &key.digest))
        .collect();
    one.keys.iter().any(|key| {
        known
            .get(key.id.as_str())
            .is_some_and(|digest| **digest != key.digest)
    })
}
