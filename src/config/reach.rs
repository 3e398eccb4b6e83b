//! Which authenticators answer for which resource.

mod issuers;
mod rivals;

use std::collections::BTreeSet;

use crate::config::authenticator;
use crate::config::authenticator::AuthenticatorKind;
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
    let mut reported = Reported::new();
    issuers::refuse_shared_names(authenticators, &mut reported, faults);
    rivals::refuse_shared_ids(authenticators, faults);
    for declared in resources {
        let accepted = if let Some(node) = declared.authenticators {
            named(node, authenticators, faults)
        } else {
            all_but_anonymous(&declared.place, authenticators, faults)
        };
        let place = declared
            .authenticators
            .map_or(&declared.place, |node| &node.place);
        let meeting = Meeting {
            resource: &declared.resource.name,
            place,
            accepted: accepted
                .iter()
                .filter_map(|index| authenticators.get(*index))
                .collect(),
        };
        rivals::refuse(&meeting, &mut reported, faults);
        issuers::refuse_alike(&meeting, &mut reported, faults);
        issuers::refuse_unrestricted(&meeting, faults);
        declared.resource.authenticators = accepted;
    }
}

/// The authenticators that meet on one resource.
struct Meeting<'m> {
    resource: &'m str,
    /// Where it is said that they do.
    place: &'m Place,
    accepted: Vec<&'m authenticator::Declared>,
}

/// Pairs that were reported, so that each is reported once however many resources accept both.
type Reported = BTreeSet<(String, String)>;

impl Meeting<'_> {
    /// Reports that two of them could answer for one credential.
    fn refuse(
        &self,
        (first, second): (&authenticator::Declared, &authenticator::Declared),
        how: &str,
        reported: &mut Reported,
        faults: &mut Faults<'_>,
    ) {
        if !reported.insert((first.name.to_string(), second.name.to_string())) {
            return;
        }
        let message = format!(
            "`{}` and `{}` {how}, and resource `{}` accepts both",
            first.name, second.name, self.resource
        );
        faults.error_help(
            &second.place,
            message,
            "name one of them in the `authenticators` of the resource",
        );
    }
}

/// Headers under the prefix of identity headers are ours to set: a key would be lost there.
pub(super) fn refuse_identity_headers(
    authenticators: &[authenticator::Declared],
    prefix: &str,
    faults: &mut Faults<'_>,
) {
    for one in authenticators {
        if let Some(AuthenticatorKind::ApiKey(rules)) = &one.kind
            && rules.header.starts_with(prefix)
        {
            faults.error_help(
                &one.place,
                "the header of keys stands under the prefix of identity headers",
                "such headers are removed from requests: take another header or another prefix",
            );
        }
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
