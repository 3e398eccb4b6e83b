//! Which authenticators answer for which resource, and what must hold between them.

use std::collections::BTreeSet;

use crate::config::authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::JwtRules;
use crate::config::reader::Faults;
use crate::config::reader::Place;
use crate::config::reader::shown;
use crate::config::resource;
use crate::config::scalar;
use crate::config::suggest;
use crate::config::yaml::Node;

/// Fills in the authenticators of every resource, and reports what cannot stand side by side.
pub(super) fn connect(
    resources: &mut [resource::Declared<'_>],
    authenticators: &[authenticator::Declared],
    faults: &mut Faults<'_>,
) {
    let mut reported = BTreeSet::new();
    for declared in resources {
        let accepted = if let Some(node) = declared.authenticators {
            named(node, authenticators, faults)
        } else {
            all_but_anonymous(&declared.place, authenticators, faults)
        };
        let all: Vec<&authenticator::Declared> = accepted
            .iter()
            .filter_map(|index| authenticators.get(*index))
            .collect();
        refuse_two_anonymous(declared, &all, faults);
        refuse_like_issuers(&declared.resource.name, &all, &mut reported, faults);
        refuse_unrestricted_issuers(declared, &all, faults);
        declared.resource.authenticators = accepted;
    }
}

fn all_but_anonymous(
    place: &Place,
    authenticators: &[authenticator::Declared],
    faults: &mut Faults<'_>,
) -> Vec<usize> {
    let found: Vec<usize> = authenticators
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.anonymous)
        .map(|(index, _)| index)
        .collect();
    if found.is_empty() && !authenticators.is_empty() {
        faults.error_help(
            place,
            "no authenticator answers for this resource",
            "strangers are accepted only where `authenticators` names them",
        );
    }
    found
}

fn named(
    node: &Node,
    authenticators: &[authenticator::Declared],
    faults: &mut Faults<'_>,
) -> Vec<usize> {
    let mut found = Vec::new();
    let Some(items) = scalar::list(node, faults) else {
        return found;
    };
    if items.is_empty() {
        faults.error_help(
            &node.place,
            "no authenticator answers for this resource",
            "leave the key out to accept all but `anonymous`",
        );
    }
    for item in items {
        let Some(name) = scalar::filled(item, faults) else {
            continue;
        };
        let index = authenticators.iter().position(|one| *one.name == *name);
        match index {
            Some(index) if found.contains(&index) => {
                faults.error(
                    &item.place,
                    format!("{} is listed twice", shown(item, name)),
                );
            }
            Some(index) => found.push(index),
            None => {
                let names: Vec<&str> = authenticators.iter().map(|one| &*one.name).collect();
                let help = match suggest::nearest(name, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known: {}", names.join(", ")),
                };
                let message = format!("no authenticator is named {}", shown(item, name));
                faults.error_help(&item.place, message, help);
            }
        }
    }
    found
}

fn refuse_two_anonymous(
    declared: &resource::Declared<'_>,
    accepted: &[&authenticator::Declared],
    faults: &mut Faults<'_>,
) {
    if accepted.iter().filter(|one| one.anonymous).count() > 1 {
        let place = declared
            .authenticators
            .map_or(&declared.place, |node| &node.place);
        faults.error(place, "two anonymous authenticators on one resource");
    }
}

/// A token goes to the authenticator whose issuer is its `iss`; two that are alike would leave it to
/// their order, or to a slip of the pen.
fn refuse_like_issuers(
    resource: &str,
    accepted: &[&authenticator::Declared],
    reported: &mut BTreeSet<(String, String)>,
    faults: &mut Faults<'_>,
) {
    let issuers: Vec<(&authenticator::Declared, &JwtRules)> =
        accepted.iter().copied().filter_map(with_rules).collect();
    for (index, (one, rules)) in issuers.iter().enumerate() {
        let Some((other, theirs)) = issuers
            .iter()
            .take(index)
            .find(|(_, other)| alike(&other.tokens.issuer) == alike(&rules.tokens.issuer))
        else {
            continue;
        };
        if !reported.insert((other.name.to_string(), one.name.to_string())) {
            continue;
        }
        let how = if theirs.tokens.issuer == rules.tokens.issuer {
            "have the same issuer"
        } else {
            "have issuers that differ only in case or in a slash at the end"
        };
        let message = format!(
            "`{}` and `{}` {how}, and resource `{resource}` accepts both",
            other.name, one.name
        );
        faults.error_help(
            &one.place,
            message,
            "name one of them in the `authenticators` of the resource",
        );
    }
}

fn refuse_unrestricted_issuers(
    declared: &resource::Declared<'_>,
    accepted: &[&authenticator::Declared],
    faults: &mut Faults<'_>,
) {
    let mut open = accepted
        .iter()
        .copied()
        .filter_map(with_rules)
        .filter(|(_, rules)| rules.tokens.roles.is_unrestricted())
        .map(|(one, _)| &one.name);
    if let (Some(first), Some(second)) = (open.next(), open.next()) {
        let message = format!(
            "`{first}` and `{second}` could each assert the roles of the other on this resource"
        );
        let place = declared
            .authenticators
            .map_or(&declared.place, |node| &node.place);
        faults.error_help(
            place,
            message,
            "set `roles: {prefix: ...}` or `roles: {allow: [...]}` on one of them",
        );
    }
}

fn with_rules(declared: &authenticator::Declared) -> Option<(&authenticator::Declared, &JwtRules)> {
    match declared.kind.as_ref()? {
        AuthenticatorKind::Jwt(rules) => Some((declared, rules)),
        AuthenticatorKind::Introspection(_)
        | AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::StaticToken(_)
        | AuthenticatorKind::Mtls(_)
        | AuthenticatorKind::Anonymous => None,
    }
}

fn alike(issuer: &str) -> String {
    issuer.trim_end_matches('/').to_lowercase()
}
