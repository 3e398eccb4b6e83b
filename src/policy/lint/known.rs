//! The names that the configuration knows: roles, groups, scopes, and where callers come from.

use std::collections::BTreeSet;

use crate::config::Assertions;
use crate::config::AuthenticatorKind;
use crate::config::Config;
use crate::config::DEV_ISSUER;
use crate::config::Grants;
use crate::fault::Lint;

/// The names that a policy may use with some hope of meeting them.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct KnownNames {
    pub(super) roles: Names,
    pub(super) groups: Names,
    pub(super) scopes: Names,
    pub(super) issuers: Issuers,
    /// Ids of API keys.
    pub(super) api_keys: BTreeSet<String>,
    /// Authenticators of static tokens and whom they stand for: `<authenticator>#<subject>`.
    pub(super) static_users: BTreeSet<String>,
    /// The only client ids that there can be; absent where some issuer has its own.
    pub(super) clients: Option<BTreeSet<String>>,
    /// The warnings that are no reason to refuse the policies.
    pub(super) allowed: Vec<Lint>,
}

/// Names of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    listed: BTreeSet<String>,
    /// What single callers are given: known, but no list of what there is.
    granted: BTreeSet<String>,
    /// What some issuer puts before names of which none is listed.
    prefixes: BTreeSet<String>,
}

/// Who may vouch for a caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuers {
    pub(super) listed: BTreeSet<String>,
    /// Whether any issuer will do.
    pub(super) any: bool,
}

impl KnownNames {
    pub(in crate::policy) fn of(config: &Config) -> Self {
        let mut known = Self {
            allowed: config.policies.allow_warnings.clone(),
            ..Self::default()
        };
        let mut has_own_clients = false;
        for authenticator in &config.authenticators {
            if let Some(tokens) = authenticator.kind.tokens() {
                known.roles.assert(&tokens.roles);
                known.groups.assert(&tokens.groups);
                known.scopes.assert(&tokens.scopes);
                known.issuers.listed.insert(tokens.issuer.clone());
                has_own_clients |= tokens.issuer != DEV_ISSUER;
            }
            match &authenticator.kind {
                AuthenticatorKind::Jwt(rules) => known.issuers.any |= rules.insecure_skip_issuer,
                AuthenticatorKind::Introspection(_) | AuthenticatorKind::Anonymous => {}
                AuthenticatorKind::ApiKey(rules) => {
                    for key in &rules.keys {
                        known.grant(&key.grants);
                        known.api_keys.insert(key.id.clone());
                    }
                }
                AuthenticatorKind::StaticToken(rules) => {
                    known.grant(&rules.grants);
                    let id = format!("{}#{}", authenticator.name, rules.subject);
                    known.static_users.insert(id);
                }
                AuthenticatorKind::Mtls(rules) => {
                    has_own_clients = true;
                    let domains = rules.trust_domains.iter();
                    let issuers = domains.map(|domain| format!("spiffe://{domain}"));
                    known.issuers.listed.extend(issuers);
                }
            }
        }
        let dev_clients = config.dev_tokens.iter().flat_map(|dev| &dev.clients);
        let clients: BTreeSet<String> = dev_clients
            .inspect(|client| known.grant(&client.grants))
            .map(|client| client.client_id.clone())
            .collect();
        known.clients = (!has_own_clients && !clients.is_empty()).then_some(clients);
        for resource in &config.resources {
            known.scopes.list(&resource.metadata.scopes_supported);
            for (broad, narrow) in &resource.scope_hierarchy {
                known.scopes.list([broad]);
                known.scopes.list(narrow);
            }
        }
        known
    }

    fn grant(&mut self, grants: &Grants) {
        self.roles.grant(&grants.roles);
        self.groups.grant(&grants.groups);
        self.scopes.grant(&grants.scopes);
    }
}

impl Names {
    pub(super) fn list<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        self.listed.extend(names.into_iter().cloned());
    }

    pub(super) fn grant<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        self.granted.extend(names.into_iter().cloned());
    }

    fn assert(&mut self, assertions: &Assertions) {
        let prefix = &assertions.prefix;
        match &assertions.allow {
            Some(allow) => {
                let names = allow.iter().map(|name| format!("{prefix}{name}"));
                self.listed.extend(names);
            }
            // An issuer that may say anything lists nothing.
            None if prefix.is_empty() => {}
            None => drop(self.prefixes.insert(prefix.clone())),
        }
    }

    /// Whether nobody would know the name, where there is a list of any.
    pub(super) fn are_without(&self, name: &str) -> bool {
        let may_be_said = || {
            let mut prefixes = self.prefixes.iter();
            prefixes.any(|prefix| name.starts_with(&**prefix))
        };
        !self.listed.is_empty()
            && !self.listed.contains(name)
            && !self.granted.contains(name)
            && !may_be_said()
    }

    /// Every known name.
    pub(super) fn all(&self) -> Vec<&str> {
        let all = self.listed.union(&self.granted);
        all.map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_missed_only_where_some_are_listed() {
        let mut names = Names::default();
        assert!(!names.are_without("a"), "nothing is listed");
        names.grant(&["g".to_owned()]);
        names.assert(&Assertions::default());
        names.assert(&Assertions {
            allow: None,
            prefix: "p:".to_owned(),
        });
        assert!(!names.are_without("a"), "still nothing");
        names.assert(&Assertions {
            allow: Some(vec!["b".to_owned()]),
            prefix: "q:".to_owned(),
        });
        for (name, missed) in [
            ("a", true),
            ("p:a", false),
            ("q:b", false),
            ("q:a", true),
            ("b", true),
            ("g", false),
        ] {
            assert_eq!(names.are_without(name), missed, "{name}");
        }
    }
}
