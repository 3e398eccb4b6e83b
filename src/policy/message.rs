//! The sentence that tells a caller why, and what would help.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use super::explain::Explanation;
use super::explain::Requirement;
use super::explain::Rule;
use crate::identity::Identity;
use crate::identity::Principal;

/// Most names in one list: a caller may be in hundreds of groups.
const MAX_NAMES: usize = 20;
/// Most characters of one name. A token may hold one of thousands.
const MAX_NAME: usize = 100;
/// Most rules, forbids and circumstances that are spelled out.
const MAX_RULES: usize = 3;
/// Longest text, in bytes.
const MAX_TEXT: usize = 2_048;

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
        if !self.scopes_any.is_empty() {
            let any = list(&self.scopes_any);
            let has = scopes_of(identity);
            ways.push(format!("requires any of scopes {any}, but {has}"));
        }
        let told = |rule: &&Rule| tell_roles || rule.is_of_scopes();
        let rules = self.rules.iter().filter(told).take(MAX_RULES);
        ways.extend(rules.map(|rule| rule.text(identity)));
        let mut parts = Vec::new();
        if !ways.is_empty() {
            parts.push(ways.join("; or "));
        }
        parts.extend(self.forbids(tell_roles));
        if parts.is_empty() {
            parts.push(self.nothing(identity, tell_roles).to_owned());
            if tell_roles {
                parts.extend(self.looked_at());
            }
        }
        cut(parts.join("; "), MAX_TEXT)
    }

    /// The same without scopes: for those to whom nobody gives any.
    #[must_use]
    pub fn without_scopes(mut self) -> Self {
        self.scopes_any.clear();
        self.required_scopes.clear();
        self.missing_scopes.clear();
        self.rules.retain(|rule| !rule.is_of_scopes());
        self
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
            let (any, client) = (list(&self.clients_any), name(client));
            ways.push(format!(
                "requires any of clients {any}, but client is [{client}]"
            ));
        }
    }

    /// The forbids; their reasons are written for the caller, and their ids are not.
    fn forbids(&self, tell_ids: bool) -> impl Iterator<Item = String> {
        let shown = self.forbidden_by.iter().take(MAX_RULES);
        let rest = self.forbidden_by.len().saturating_sub(MAX_RULES);
        let more = (rest != 0).then(|| format!("and by {rest} more"));
        let text = move |(id, reason): &(Arc<str>, Option<String>)| match (tell_ids, reason) {
            (true, Some(reason)) => format!("forbidden by policy {id}: {reason}"),
            (true, None) => format!("forbidden by policy {id}"),
            (false, Some(reason)) => format!("forbidden: {reason}"),
            (false, None) => "forbidden".to_owned(),
        };
        shown.map(text).chain(more)
    }

    /// What is said where there is nothing to say.
    fn nothing(&self, identity: &Identity, tell_roles: bool) -> &'static str {
        match (identity, self.names_hidden(tell_roles)) {
            (Identity::Anonymous, true) => "requires a credential",
            (Identity::Verified(_), true) => "not permitted",
            (Identity::Verified(_), false) if self.nothing_helps => {
                "no policy allows this for any role, scope or client"
            }
            (Identity::Anonymous | Identity::Verified(_), false) => "no policy allows this",
        }
    }

    /// The permits that other circumstances might satisfy. Whether any do is not known, so no more
    /// is said than what they look at.
    fn looked_at(&self) -> impl Iterator<Item = String> {
        let shown = self.circumstances.iter().take(MAX_RULES);
        shown.map(|one| {
            format!(
                "policy {} depends on {}",
                one.policy,
                one.depends_on.join(" and ")
            )
        })
    }

    fn names_hidden(&self, tell_roles: bool) -> bool {
        let named = [
            self.roles_any.is_empty(),
            self.groups_any.is_empty(),
            self.clients_any.is_empty(),
            self.rules.iter().all(Rule::is_of_scopes),
        ];
        !tell_roles && named.contains(&false)
    }
}

impl Rule {
    fn is_of_scopes(&self) -> bool {
        let is_scope = |part: &Requirement| matches!(part, Requirement::Scope(_));
        self.needs.iter().all(is_scope)
    }

    fn text(&self, identity: &Identity) -> String {
        let nothing = BTreeSet::new();
        let (roles, groups) = match identity {
            Identity::Anonymous => (&nothing, &nothing),
            Identity::Verified(principal) => (&principal.roles, &principal.groups),
        };
        let (kind, has) = match self.needs.first().filter(|_| self.is_of_one_kind()) {
            Some(Requirement::Role(_)) => ("roles ", format!("client has {}", list(roles))),
            Some(Requirement::Group(_)) => ("groups ", format!("client has {}", list(groups))),
            Some(Requirement::Scope(_)) => ("scopes ", scopes_of(identity)),
            // Nobody acts through two clients.
            Some(Requirement::Client(_)) | None => return self.mixed(),
        };
        let (needs, missing) = (list(plain(&self.needs)), list(plain(&self.missing)));
        match identity {
            Identity::Anonymous => format!("requires all of {kind}{needs}, but {has}"),
            Identity::Verified(_) => {
                format!("requires all of {kind}{needs}, but {has}, missing {missing}")
            }
        }
    }

    /// A rule of several kinds, each part with its kind.
    fn mixed(&self) -> String {
        let has = self.needs.iter().filter(|it| !self.missing.contains(it));
        let (needs, has) = (list(named(&self.needs)), list(named(has)));
        let missing = list(named(&self.missing));
        format!("requires all of {needs}, but client has {has}, missing {missing}")
    }

    fn is_of_one_kind(&self) -> bool {
        let kinds: HashSet<_> = self.needs.iter().map(mem::discriminant).collect();
        kinds.len() == 1
    }
}

/// What a caller's token says.
fn scopes_of(identity: &Identity) -> String {
    match identity {
        Identity::Verified(principal) => format!("token has {}", list(&principal.scopes)),
        Identity::Anonymous => "there is no token".to_owned(),
    }
}

fn plain(parts: &[Requirement]) -> impl Iterator<Item = &String> {
    parts.iter().map(|part| match part {
        Requirement::Role(name)
        | Requirement::Group(name)
        | Requirement::Scope(name)
        | Requirement::Client(name) => name,
    })
}

fn named<'a>(parts: impl IntoIterator<Item = &'a Requirement>) -> impl Iterator<Item = String> {
    parts.into_iter().map(|part| match part {
        Requirement::Role(name) => format!("role {name}"),
        Requirement::Group(name) => format!("group {name}"),
        Requirement::Scope(name) => format!("scope {name}"),
        Requirement::Client(name) => format!("client {name}"),
    })
}

/// `[a, b, and 3 more]`
fn list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names
        .by_ref()
        .take(MAX_NAMES)
        .map(|it| name(it.as_ref()))
        .collect();
    let shown = shown.join(", ");
    match names.count() {
        0 => format!("[{shown}]"),
        more => format!("[{shown}, and {more} more]"),
    }
}

fn name(text: &str) -> String {
    let mut name: String = text.chars().take(MAX_NAME).collect();
    if name.len() < text.len() {
        name.push_str("...");
    }
    name
}

/// At most `most` bytes and a sign that there were more.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PrincipalKind;
    use crate::policy::Circumstances;
    use crate::policy::facts::nobody;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn role(name: &str) -> Requirement {
        Requirement::Role(name.to_owned())
    }

    fn scope(name: &str) -> Requirement {
        Requirement::Scope(name.to_owned())
    }

    fn rule(needs: &[Requirement], missing: &[Requirement]) -> Rule {
        Rule {
            needs: needs.to_vec(),
            missing: missing.to_vec(),
        }
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
        explanation.rules = vec![rule(
            &[scope("docs:read"), scope("docs:write")],
            &[scope("docs:write")],
        )];
        explanation.forbidden_by = vec![("no".into(), Some("Because.".to_owned()))];
        assert_eq!(
            explanation.message(&viewer, true),
            "requires any of roles [admin, manager], but client has [viewer]; or requires all of \
             scopes [docs:read, docs:write], but token has [docs:read], missing [docs:write]; \
             forbidden by policy no: Because."
        );
        assert_eq!(
            explanation.message(&Identity::Anonymous, false),
            "requires all of scopes [docs:read, docs:write], but there is no token; forbidden: \
             Because."
        );
    }

    #[test]
    fn names_are_told_only_on_request() {
        let admin = Explanation {
            roles_any: names(&["admin"]),
            ..Explanation::default()
        };
        assert_eq!(
            admin.message(&Identity::Anonymous, true),
            "requires any of roles [admin], but client has []"
        );
        assert_eq!(
            admin.message(&Identity::Anonymous, false),
            "requires a credential"
        );
        assert_eq!(admin.message(&viewer(), false), "not permitted");
        let nothing = Explanation::default();
        assert_eq!(nothing.message(&viewer(), true), "no policy allows this");
        assert_eq!(
            nothing.message(&Identity::Anonymous, false),
            "no policy allows this"
        );
        let mixed = Explanation {
            rules: vec![rule(&[role("a"), scope("b")], &[role("a")])],
            ..Explanation::default()
        };
        assert_eq!(
            mixed.message(&viewer(), true),
            "requires all of [role a, scope b], but client has [scope b], missing [role a]"
        );
        assert_eq!(mixed.message(&viewer(), false), "not permitted");
    }

    #[test]
    fn that_nothing_helps_is_said_only_where_it_is_known() {
        let mut explanation = Explanation {
            nothing_helps: true,
            ..Explanation::default()
        };
        let viewer = viewer();
        let hopeless = "no policy allows this for any role, scope or client";
        assert_eq!(explanation.message(&viewer, true), hopeless);
        assert_eq!(
            explanation.message(&Identity::Anonymous, true),
            "no policy allows this",
            "a stranger could be anybody"
        );
        explanation.circumstances = vec![Circumstances {
            policy: "p".into(),
            depends_on: vec!["the arguments", "the time"],
        }];
        assert_eq!(
            explanation.message(&viewer, true),
            format!("{hopeless}; policy p depends on the arguments and the time")
        );
        assert_eq!(explanation.message(&viewer, false), hopeless);
    }

    #[test]
    fn lists_are_bounded() {
        let many: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        assert!(list(&many).ends_with("18, 19, and 5 more]"));
        let long = "\u{e9}".repeat(5_000);
        assert_eq!(list([&long]).chars().count(), MAX_NAME + 5);
        let explanation = Explanation {
            forbidden_by: (0..9).map(|_| ("p".into(), Some(long.clone()))).collect(),
            roles_any: many,
            ..Explanation::default()
        };
        let text = explanation.message(&viewer(), true);
        assert!(text.len() <= MAX_TEXT + 3 && text.ends_with("..."));
    }
}
