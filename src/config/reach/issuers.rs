//! Issuers that could speak for each other.

use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::reach::Meeting;
use crate::config::reach::Reported;
use crate::config::reader::Faults;
use crate::config::token_rules::TokenRules;

/// A token goes to the authenticator whose issuer is its `iss`; two that are alike would leave it to
/// their order, or to a slip of the pen.
pub(super) fn refuse_alike(
    meeting: &Meeting<'_>,
    reported: &mut Reported,
    faults: &mut Faults<'_>,
) {
    let issuers: Vec<(&Declared, &TokenRules)> = with_tokens(meeting);
    for (index, (one, rules)) in issuers.iter().enumerate() {
        let Some((other, theirs)) = issuers
            .iter()
            .take(index)
            .find(|(_, other)| alike(&other.issuer) == alike(&rules.issuer))
        else {
            continue;
        };
        let how = if theirs.issuer == rules.issuer {
            "have the same issuer"
        } else {
            "have issuers that differ only in case or in a slash at the end"
        };
        meeting.refuse((other, one), how, reported, faults);
    }
}

pub(super) fn refuse_unrestricted(meeting: &Meeting<'_>, faults: &mut Faults<'_>) {
    let mut open = with_tokens(meeting)
        .into_iter()
        .filter(|(_, rules)| rules.roles.is_unrestricted())
        .map(|(one, _)| &one.name);
    if let (Some(first), Some(second)) = (open.next(), open.next()) {
        let message = format!(
            "`{first}` and `{second}` could each assert the roles of the other on this resource"
        );
        faults.error_help(
            meeting.place,
            message,
            "set `roles: {prefix: ...}` or `roles: {allow: [...]}` on one of them",
        );
    }
}

/// The id of a principal begins with its issuer. Where that is a name which this file gives, nobody
/// else may have it, on whatever resource: two callers would be one.
pub(super) fn refuse_shared_names(
    authenticators: &[Declared],
    reported: &mut Reported,
    faults: &mut Faults<'_>,
) {
    let issuers: Vec<Issuer<'_>> = authenticators.iter().filter_map(issuer_of).collect();
    for (index, one) in issuers.iter().enumerate() {
        for other in issuers.iter().take(index) {
            let is_given = one.is_given || other.is_given;
            if !is_given || alike(one.text) != alike(other.text) {
                continue;
            }
            reported.insert((other.of.name.to_string(), one.of.name.to_string()));
            let message = format!(
                "the callers of `{}` and of `{}` would have the same ids",
                other.of.name, one.of.name
            );
            let help = "ids begin with the issuer, or with the name of the authenticator where \
                        there is none";
            faults.error_help(&one.of.place, message, help);
        }
    }
}

/// What the ids of an authenticator's users begin with.
struct Issuer<'d> {
    of: &'d Declared,
    text: &'d str,
    /// Whether it is a name that this file gives.
    is_given: bool,
}

/// The ids of keys have no issuer, and those of certificates begin as no name does.
fn issuer_of(of: &Declared) -> Option<Issuer<'_>> {
    let (text, is_given) = match of.kind.as_ref()? {
        AuthenticatorKind::Jwt(rules) => (rules.tokens.issuer.as_str(), false),
        AuthenticatorKind::Introspection(rules) => {
            (rules.tokens.issuer.as_str(), !rules.issuer_is_configured)
        }
        AuthenticatorKind::StaticToken(_) => (&*of.name, true),
        AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::Mtls(_)
        | AuthenticatorKind::Anonymous => {
            return None;
        }
    };
    Some(Issuer { of, text, is_given })
}

fn with_tokens<'m>(meeting: &Meeting<'m>) -> Vec<(&'m Declared, &'m TokenRules)> {
    meeting
        .accepted
        .iter()
        .filter_map(|one| match one.kind.as_ref()? {
            AuthenticatorKind::Jwt(rules) => Some((*one, &rules.tokens)),
            AuthenticatorKind::Introspection(rules) => Some((*one, &rules.tokens)),
            AuthenticatorKind::ApiKey(_)
            | AuthenticatorKind::StaticToken(_)
            | AuthenticatorKind::Mtls(_)
            | AuthenticatorKind::Anonymous => None,
        })
        .collect()
}

fn alike(issuer: &str) -> String {
    issuer.trim_end_matches('/').to_lowercase()
}
