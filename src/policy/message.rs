//! The sentence that tells a caller why, and what would help.

use std::collections::BTreeSet;

use super::explain::Explanation;
use super::explain::Requirement;
use crate::identity::Identity;
use crate::identity::Principal;

/// Most names in one list: a caller may be in hundreds of groups.
const MAX_NAMES: usize = 20;
/// Most combinations that are spelled out.
const MAX_COMBINATIONS: usize = 3;

impl Explanation {
    /// One line for the caller: what would help, then which policies forbid. Names of roles,
    /// groups and clients are the operator's own business, so they are told only if `tell_roles`.
    pub fn message(&self, identity: &Identity, tell_roles: bool) -> String {
        let mut ways = Vec::new();
        if self.credential_suffices {
            ways.push("requires a credential".to_owned());
        }
        if tell_roles {
            self.push_names(identity, &mut ways);
        }
        if !self.required_scopes.is_empty() {
            let required = list(&self.required_scopes);
            ways.push(match identity {
                Identity::Verified(principal) => {
                    let has = list(&principal.scopes);
                    format!("requires scopes {required}, but token has {has}")
                }
                Identity::Anonymous => format!("requires scopes {required}, but there is no token"),
            });
        }
        if tell_roles {
            let spelled = self.combinations.iter().take(MAX_COMBINATIONS);
            ways.extend(spelled.map(|parts| combination(parts)));
        }
        let mut text = ways.join("; or ");
        for (id, reason) in &self.forbidden_by {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str("forbidden by policy ");
            text.push_str(id);
            if let Some(reason) = reason {
                text.push_str(": ");
                text.push_str(reason);
            }
        }
        if !text.is_empty() {
            return text;
        }
        match (identity, self.names_hidden(tell_roles)) {
            (Identity::Anonymous, true) => "requires a credential".to_owned(),
            (Identity::Verified(_), true) => "not permitted".to_owned(),
            (Identity::Anonymous | Identity::Verified(_), false) => {
                "no policy allows this".to_owned()
            }
        }
    }

    fn push_names(&self, identity: &Identity, ways: &mut Vec<String>) {
        let nothing = BTreeSet::new();
        let (roles, groups, client) = match identity {
            Identity::Anonymous => (&nothing, &nothing, ""),
            Identity::Verified(principal) => {
                let Principal {
                    roles,
                    groups,
                    client_id,
                    ..
                } = &**principal;
                (roles, groups, &**client_id)
            }
        };
        for (kind, any, has) in [
            ("roles", &self.roles_any, roles),
            ("groups", &self.groups_any, groups),
        ] {
            if !any.is_empty() {
                let (any, has) = (list(any), list(has));
                ways.push(format!(
                    "requires any of {kind} {any}, but client has {has}"
                ));
            }
        }
        if !self.clients_any.is_empty() {
            let any = list(&self.clients_any);
            ways.push(format!(
                "requires any of clients {any}, but client is [{client}]"
            ));
        }
    }

    fn names_hidden(&self, tell_roles: bool) -> bool {
        let named = [
            self.roles_any.is_empty(),
            self.groups_any.is_empty(),
            self.clients_any.is_empty(),
            self.combinations.is_empty(),
        ];
        !tell_roles && named.contains(&false)
    }
}

/// `[a, b, and 3 more]`
fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(String::as_str).collect();
    let shown = names.get(..MAX_NAMES).unwrap_or(&names).join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => format!("[{shown}]"),
        more => format!("[{shown}, and {more} more]"),
    }
}

fn combination(parts: &[Requirement]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Requirement::Role(name) => format!("role {name}"),
            Requirement::Group(name) => format!("group {name}"),
            Requirement::Scope(name) => format!("scope {name}"),
            Requirement::Client(name) => format!("client {name}"),
        })
        .collect();
    format!("requires {}", parts.join(" and "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::identity::PrincipalKind;
    use crate::policy::facts::nobody;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn viewer() -> Identity {
        let mut principal = nobody(PrincipalKind::User);
        principal.roles = names(&["viewer"]).into_iter().collect();
        principal.scopes = names(&["docs:read"]).into_iter().collect();
        Identity::Verified(Arc::new(principal))
    }

    #[test]
    fn what_would_help_comes_first() {
        let mut explanation = Explanation {
            roles_any: names(&["admin", "manager"]),
            ..Explanation::default()
        };
        let viewer = viewer();
        assert_eq!(
            explanation.message(&viewer, true),
            "requires any of roles [admin, manager], but client has [viewer]"
        );
        explanation.required_scopes = names(&["docs:read", "docs:write"]);
        explanation.forbidden_by = vec![("no".into(), Some("Because.".to_owned()))];
        assert_eq!(
            explanation.message(&viewer, true),
            "requires any of roles [admin, manager], but client has [viewer]; or requires scopes \
             [docs:read, docs:write], but token has [docs:read]; forbidden by policy no: Because."
        );
        assert_eq!(
            explanation.message(&Identity::Anonymous, false),
            "requires scopes [docs:read, docs:write], but there is no token; forbidden by policy \
             no: Because."
        );
    }

    #[test]
    fn names_are_told_only_on_request() {
        let role = Explanation {
            roles_any: names(&["admin"]),
            ..Explanation::default()
        };
        assert_eq!(
            role.message(&Identity::Anonymous, true),
            "requires any of roles [admin], but client has []"
        );
        assert_eq!(
            role.message(&Identity::Anonymous, false),
            "requires a credential"
        );
        assert_eq!(role.message(&viewer(), false), "not permitted");
        let nothing = Explanation::default();
        assert_eq!(nothing.message(&viewer(), true), "no policy allows this");
        assert_eq!(
            nothing.message(&Identity::Anonymous, false),
            "no policy allows this"
        );
        let mixed = Explanation {
            combinations: vec![vec![
                Requirement::Role("a".to_owned()),
                Requirement::Scope("b".to_owned()),
            ]],
            ..Explanation::default()
        };
        assert_eq!(
            mixed.message(&viewer(), true),
            "requires role a and scope b"
        );
    }

    #[test]
    fn lists_are_bounded() {
        let many: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        assert!(list(&many).ends_with("18, 19, and 5 more]"));
    }
}
