//! The rows: whom the table is about.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::cli::case;
use crate::cli::case::ReadFault;
use crate::cli::matrix::MatrixFault;
use crate::cli::matrix::Side;
use crate::config::AuthenticatorKind;
use crate::config::Config;
use crate::config::Grants;
use crate::fault::yaml;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::api_key::ApiKeys;
use crate::identity::static_token::StaticToken;
use crate::request::case::WrittenPrincipal;

/// A caller of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What a table calls him; unique.
    pub(super) name: String,
    /// As his credential says, before `principals.yaml` adds to it.
    pub(super) identity: Identity,
    /// The authenticators that know him, as indices; absent: any.
    pub(super) through: Option<Vec<usize>>,
}

/// A row for each role, one for no role, one for a stranger.
pub(super) fn by_roles(config: &Config, sides: &[&Side]) -> Vec<Row> {
    let mut roles: BTreeSet<String> = BTreeSet::new();
    for side in sides {
        roles.extend(side.policies.names().roles);
    }
    for grants in granted(config) {
        roles.extend(grants.roles.iter().cloned());
    }
    for authenticator in &config.authenticators {
        if let Some(tokens) = authenticator.kind.tokens() {
            let allowed = tokens.roles.allow.iter().flatten();
            roles.extend(allowed.map(|role| format!("{}{role}", tokens.roles.prefix)));
        }
    }
    let each = roles.into_iter().map(|role| {
        let roles = BTreeSet::from([role.clone()]);
        user(role, roles, BTreeSet::new())
    });
    let nobody = user("(no role)".to_owned(), BTreeSet::new(), BTreeSet::new());
    each.chain([nobody, stranger(config)]).collect()
}

/// A row for each scope, one for no scope, one for a stranger.
pub(super) fn by_scopes(config: &Config, sides: &[&Side]) -> Vec<Row> {
    let mut scopes: BTreeSet<String> = BTreeSet::new();
    for side in sides {
        scopes.extend(side.policies.names().scopes);
    }
    for grants in granted(config) {
        scopes.extend(grants.scopes.iter().cloned());
    }
    for resource in &config.resources {
        scopes.extend(resource.metadata.scopes_supported.iter().cloned());
        for (broad, narrow) in &resource.scope_hierarchy {
            scopes.insert(broad.clone());
            scopes.extend(narrow.iter().cloned());
        }
    }
    for authenticator in &config.authenticators {
        if let Some(rules) = authenticator.kind.tokens() {
            let allowed = rules.scopes.allow.iter().flatten();
            scopes.extend(allowed.map(|scope| format!("{}{scope}", rules.scopes.prefix)));
        }
    }
    let each = scopes.into_iter().map(|scope| {
        let scopes = BTreeSet::from([scope.clone()]);
        user(scope, BTreeSet::new(), scopes)
    });
    let nobody = user("(no scope)".to_owned(), BTreeSet::new(), BTreeSet::new());
    each.chain([nobody, stranger(config)]).collect()
}

/// A row for each caller of `principals.yaml` and of the configuration, one for a stranger.
pub(super) fn by_principals(config: &Config, sides: &[&Side]) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (index, authenticator) in config.authenticators.iter().enumerate() {
        let principals: Vec<Arc<Principal>> = match &authenticator.kind {
            AuthenticatorKind::ApiKey(rules) => {
                let keys = ApiKeys::new(rules, &authenticator.name);
                keys.principals().cloned().collect()
            }
            AuthenticatorKind::StaticToken(rules) => {
                let token = StaticToken::new(rules, &authenticator.name);
                vec![Arc::clone(token.principal())]
            }
            AuthenticatorKind::Jwt(_)
            | AuthenticatorKind::Introspection(_)
            | AuthenticatorKind::Mtls(_)
            | AuthenticatorKind::Anonymous => Vec::new(),
        };
        for principal in principals {
            // Two authenticators may know keys of one id: they are two callers.
            let name = match rows.get(&shown(&principal)) {
                Some(_) => format!("{} ({})", shown(&principal), authenticator.name),
                None => shown(&principal),
            };
            let identity = Identity::Verified(principal);
            let through = Some(vec![index]);
            let row = Row {
                name: name.clone(),
                identity,
                through,
            };
            rows.insert(name, row);
        }
    }
    for side in sides {
        for (kind, issuer, id) in side.policies.known_callers() {
            let principal = known(kind, issuer, id);
            let name = shown(&principal);
            let identity = Identity::Verified(Arc::new(principal));
            let row = Row {
                name: name.clone(),
                identity,
                through: None,
            };
            rows.entry(name).or_insert(row);
        }
    }
    rows.into_values().chain([stranger(config)]).collect()
}

/// A caller with all of some roles with commas between them; none where that is no role.
pub(super) fn with_roles(text: &str) -> Option<Row> {
    let roles: BTreeSet<String> = text.split(',').map(|role| role.trim().to_owned()).collect();
    if roles.contains("") {
        return None;
    }
    let names: Vec<&str> = roles.iter().map(String::as_str).collect();
    Some(user(names.join(" + "), roles.clone(), BTreeSet::new()))
}

/// The callers of a file, in its order.
pub(super) fn of_file(path: &Path) -> Result<Vec<Row>, MatrixFault> {
    let source = case::source(path)?;
    let options = serde_saphyr::options! { with_snippet: false };
    let read: Result<Vec<Named>, _> = serde_saphyr::from_str_with_options(&source.text, options);
    let read = read.map_err(|error| ReadFault::Form(Box::new(yaml::of(&source, &error))))?;
    let within = |fault| ReadFault::In {
        path: source.name.to_string(),
        source: fault,
    };
    let mut names = BTreeSet::new();
    let mut rows = Vec::with_capacity(read.len());
    for one in read {
        let name = one.name.clone();
        if !names.insert(name.clone()) {
            let path = source.name.to_string();
            return Err(MatrixFault::SameName { path, name });
        }
        let identity = one.principal().identity().map_err(within)?;
        rows.push(Row {
            name,
            identity,
            through: None,
        });
    }
    if rows.is_empty() {
        return Err(MatrixFault::Nobody(source.name.to_string()));
    }
    Ok(rows)
}

fn user(name: String, roles: BTreeSet<String>, scopes: BTreeSet<String>) -> Row {
    let principal = Principal {
        roles,
        scopes,
        ..nobody(PrincipalKind::User)
    };
    Row {
        name,
        identity: Identity::Verified(Arc::new(principal)),
        through: None,
    }
}

fn stranger(config: &Config) -> Row {
    let each = config.authenticators.iter().enumerate();
    let anonymous = each.filter(|(_, one)| matches!(one.kind, AuthenticatorKind::Anonymous));
    Row {
        name: "(stranger)".to_owned(),
        identity: Identity::Anonymous,
        through: Some(anonymous.map(|(index, _)| index).collect()),
    }
}

/// What the configuration says of callers who bring no token that says it.
fn granted(config: &Config) -> impl Iterator<Item = &Grants> {
    let written = config
        .authenticators
        .iter()
        .flat_map(|one| match &one.kind {
            AuthenticatorKind::ApiKey(rules) => rules.keys.iter().map(|key| &key.grants).collect(),
            AuthenticatorKind::StaticToken(rules) => vec![&rules.grants],
            AuthenticatorKind::Jwt(_)
            | AuthenticatorKind::Introspection(_)
            | AuthenticatorKind::Mtls(_)
            | AuthenticatorKind::Anonymous => Vec::new(),
        });
    let clients = config.dev_tokens.iter().flat_map(|dev| &dev.clients);
    written.chain(clients.map(|client| &client.grants))
}

/// A caller whom `principals.yaml` knows.
fn known(kind: PrincipalKind, issuer: String, id: String) -> Principal {
    let mut principal = nobody(kind);
    match kind {
        PrincipalKind::User => {
            principal.id = format!("{issuer}#{id}");
            principal.subject = id;
        }
        PrincipalKind::Client => {
            principal.id = format!("{issuer}#{id}");
            principal.client_id = id;
        }
        PrincipalKind::ApiKey => {
            principal.id.clone_from(&id);
            principal.subject = id;
        }
    }
    principal.issuer = issuer;
    principal
}

/// The Cedar entity, as policies name it.
fn shown(principal: &Principal) -> String {
    let kind = match principal.kind {
        PrincipalKind::User => "User",
        PrincipalKind::Client => "Client",
        PrincipalKind::ApiKey => "ApiKey",
    };
    format!("{kind} {}", principal.id)
}

fn nobody(kind: PrincipalKind) -> Principal {
    Principal {
        kind,
        id: "#".to_owned(),
        authenticator: Arc::from(""),
        issuer: String::new(),
        subject: String::new(),
        client_id: String::new(),
        tenant: String::new(),
        email: String::new(),
        name: String::new(),
        roles: BTreeSet::new(),
        groups: BTreeSet::new(),
        scopes: BTreeSet::new(),
        audience: BTreeSet::new(),
        claims: BTreeMap::new(),
    }
}

/// A policy test's `principal`, with a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    roles: BTreeSet<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    scopes: BTreeSet<String>,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    audience: BTreeSet<String>,
    #[serde(default)]
    claims: BTreeMap<String, BTreeSet<String>>,
}

impl Named {
    fn principal(self) -> WrittenPrincipal {
        WrittenPrincipal {
            kind: self.kind,
            issuer: self.issuer,
            subject: self.subject,
            client_id: self.client_id,
            roles: self.roles,
            groups: self.groups,
            scopes: self.scopes,
            tenant: self.tenant,
            email: self.email,
            audience: self.audience,
            claims: self.claims,
        }
    }
}
