//! `principals.yaml`: what the operator says of callers whose credentials do not say it.
//!
//! It only adds. Roles and groups join those of the credential, and the tenant fills a gap, so that
//! no line of the file can take back what an issuer has said.

#[cfg(test)]
mod properties;
mod reader;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::Principal;
use crate::identity::PrincipalKind;

/// What is added to whom.
#[derive(Debug, Default)]
pub struct Principals {
    /// By the id of the Cedar entity, `<issuer>#<subject>`.
    users: HashMap<String, Given>,
    /// By issuer and client id, so that neither has to be joined to look one up.
    clients: HashMap<String, HashMap<String, Given>>,
    /// By id.
    api_keys: HashMap<String, Given>,
}

/// The names in the file, each with the first place of it, in bytes.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) roles: BTreeMap<String, Range<usize>>,
    pub(super) groups: BTreeMap<String, Range<usize>>,
    /// Of users and clients; the authenticator of a static token among them.
    pub(super) issuers: BTreeMap<String, Range<usize>>,
    pub(super) api_keys: BTreeMap<String, Range<usize>>,
}

/// What is added to one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Given {
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    tenant: Option<String>,
}

impl Principals {
    /// Reads the file; faults are collected, and the result then counts for nothing.
    pub fn read(source: &Source, faults: &mut Vec<Fault>) -> Self {
        Self::read_with_mentions(source, faults).0
    }

    /// [`read`](Self::read), and what the file names.
    pub(super) fn read_with_mentions(source: &Source, faults: &mut Vec<Fault>) -> (Self, Mentions) {
        reader::read(source, faults)
    }

    /// The principal with everything that is added to it: the same one where that is nothing.
    pub fn enrich(&self, principal: &Arc<Principal>) -> Arc<Principal> {
        let mut found = self.given(principal).peekable();
        if found.peek().is_none() {
            return Arc::clone(principal);
        }
        let mut more = (**principal).clone();
        for given in found {
            given.add_to(&mut more);
        }
        Arc::new(more)
    }

    /// Every caller in the file, as kind, issuer, and subject, client id or key id; sorted.
    pub fn callers(&self) -> Vec<(PrincipalKind, String, String)> {
        let users = self.users.keys().map(|id| {
            let (issuer, subject) = id.split_once('#').unwrap_or(("", id));
            (PrincipalKind::User, issuer.to_owned(), subject.to_owned())
        });
        let clients = self.clients.iter().flat_map(|(issuer, clients)| {
            let client = |id: &String| (PrincipalKind::Client, issuer.clone(), id.clone());
            clients.keys().map(client)
        });
        let keys = self.api_keys.keys();
        let keys = keys.map(|id| (PrincipalKind::ApiKey, String::new(), id.clone()));
        let mut all: Vec<_> = users.chain(clients).chain(keys).collect();
        all.sort_unstable();
        all
    }

    /// Every role that the file gives to someone.
    pub(super) fn roles(&self) -> impl Iterator<Item = &String> {
        let clients = self.clients.values().flat_map(HashMap::values);
        let all = self
            .users
            .values()
            .chain(clients)
            .chain(self.api_keys.values());
        all.flat_map(|given| &given.roles)
    }

    /// What has something to add, the principal's own entry before that of its client.
    fn given<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a Given> {
        let (own, client) = match principal.kind {
            PrincipalKind::User => (
                self.users.get(&principal.id),
                self.client(&principal.issuer, &principal.client_id),
            ),
            // Its id tells the client even where the token names none but the subject.
            PrincipalKind::Client => {
                let (issuer, client) = principal.id.split_once('#').unwrap_or_default();
                (self.client(issuer, client), None)
            }
            // No OAuth client has a part in a key.
            PrincipalKind::ApiKey => (self.api_keys.get(&principal.id), None),
        };
        [own, client]
            .into_iter()
            .flatten()
            .filter(|given| given.adds_to(principal))
    }

    fn client(&self, issuer: &str, client_id: &str) -> Option<&Given> {
        self.clients.get(issuer)?.get(client_id)
    }
}

impl Given {
    fn adds_to(&self, principal: &Principal) -> bool {
        !self.roles.is_subset(&principal.roles)
            || !self.groups.is_subset(&principal.groups)
            || (self.tenant.is_some() && principal.tenant.is_empty())
    }

    fn add_to(&self, principal: &mut Principal) {
        principal.roles.extend(self.roles.iter().cloned());
        principal.groups.extend(self.groups.iter().cloned());
        if let Some(tenant) = &self.tenant
            && principal.tenant.is_empty()
        {
            principal.tenant.clone_from(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::facts::nobody;
    use crate::policy::fixtures::set;
    use crate::policy::fixtures::user;

    const FILE: &str = "
users:
  https://idp.example#u1: {roles: [admin, viewer], groups: [ops], tenant: acme}
  mesh#operator: {roles: [operator]}
clients:
  https://idp.example#inspector: {roles: [viewer, reader], tenant: other}
  spiffe://example.org#spiffe://example.org/ns/a: {groups: [mesh]}
api_keys:
  frontend-app: {groups: [web]}
";

    fn table() -> Principals {
        let source = Source {
            name: "principals.yaml".into(),
            text: FILE.into(),
        };
        let mut faults = Vec::new();
        let table = Principals::read(&source, &mut faults);
        assert_eq!(faults, []);
        table
    }

    fn client(issuer: &str, client_id: &str) -> Principal {
        let mut client = nobody(PrincipalKind::Client);
        client.id = format!("{issuer}#{client_id}");
        client.issuer = issuer.to_owned();
        client.client_id = client_id.to_owned();
        client
    }

    /// Roles, groups and tenant after enrichment.
    fn enriched(principal: Principal) -> (String, String, String) {
        let more = table().enrich(&Arc::new(principal));
        let all = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(",");
        (all(&more.roles), all(&more.groups), more.tenant.clone())
    }

    fn is(roles: &str, groups: &str, tenant: &str) -> (String, String, String) {
        (roles.to_owned(), groups.to_owned(), tenant.to_owned())
    }

    #[test]
    fn what_is_given_joins_what_the_credential_says() {
        let mut alice = user("editor", "");
        alice.groups = set("staff");
        assert_eq!(
            enriched(alice.clone()),
            is("admin,editor,viewer", "ops,staff", "acme")
        );
        alice.tenant = "of-the-token".to_owned();
        assert_eq!(enriched(alice).2, "of-the-token");
    }

    #[test]
    fn a_client_lends_its_facts_to_whoever_acts_through_it() {
        let mut bob = user("", "");
        bob.id = "https://idp.example#bob".to_owned();
        bob.client_id = "inspector".to_owned();
        assert_eq!(enriched(bob), is("reader,viewer", "", "other"));
        let mut alice = user("", "");
        alice.client_id = "inspector".to_owned();
        assert_eq!(
            enriched(alice),
            is("admin,reader,viewer", "ops", "acme"),
            "the user's own entry comes first"
        );
        let itself = client("https://idp.example", "inspector");
        assert_eq!(enriched(itself.clone()), is("reader,viewer", "", "other"));
        let unnamed = Principal {
            client_id: String::new(),
            subject: "inspector".to_owned(),
            ..itself
        };
        assert_eq!(enriched(unnamed), is("reader,viewer", "", "other"));
    }

    #[test]
    fn every_kind_of_caller_has_its_section() {
        let mesh = client("spiffe://example.org", "spiffe://example.org/ns/a");
        assert_eq!(enriched(mesh), is("", "mesh", ""));
        let mut key = nobody(PrincipalKind::ApiKey);
        key.id = "frontend-app".to_owned();
        assert_eq!(enriched(key.clone()), is("", "web", ""));
        let mut operator = user("", "");
        operator.id = "mesh#operator".to_owned();
        operator.issuer = "mesh".to_owned();
        assert_eq!(enriched(operator), is("operator", "", ""));
    }

    #[test]
    fn nobody_gets_what_is_meant_for_another() {
        let table = table();
        let other_issuer = Principal {
            id: "https://other.example#u1".to_owned(),
            issuer: "https://other.example".to_owned(),
            client_id: "inspector".to_owned(),
            ..user("", "")
        };
        let like_a_user = client("https://idp.example", "u1");
        let mut like_a_client = user("", "");
        like_a_client.id = "https://idp.example#inspector".to_owned();
        let mut like_a_key = user("", "");
        like_a_key.id = "frontend-app".to_owned();
        let mut key_like_a_user = nobody(PrincipalKind::ApiKey);
        key_like_a_user.id = "mesh#operator".to_owned();
        for principal in [
            other_issuer,
            like_a_user,
            like_a_client,
            like_a_key,
            key_like_a_user,
            nobody(PrincipalKind::User),
            nobody(PrincipalKind::Client),
        ] {
            let principal = Arc::new(principal);
            let same = table.enrich(&principal);
            assert!(Arc::ptr_eq(&principal, &same), "{principal:?}");
        }
    }
}
