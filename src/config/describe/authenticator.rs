//! Authenticators as the file would say them.

use url::Url;

use crate::config::api_key::ApiKeyRules;
use crate::config::authenticator::Authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::authenticator::LocalKey;
use crate::config::authenticator::LocalMaterial;
use crate::config::authenticator::Remote;
use crate::config::claims::Assertions;
use crate::config::claims::ClaimPaths;
use crate::config::claims::PRESETS;
use crate::config::danger;
use crate::config::describe::duration;
use crate::config::describe::secret;
use crate::config::describe::word;
use crate::config::emit::Out;
use crate::config::emit::list;
use crate::config::emit::map;
use crate::config::emit::text;
use crate::config::grants::Grants;
use crate::config::introspection::IntrospectionRules;
use crate::config::token_rules::TokenRules;

type Entries = Vec<(&'static str, Out)>;

pub(super) fn one(one: &Authenticator) -> Out {
    let (kind, own) = match &one.kind {
        AuthenticatorKind::Jwt(rules) => jwt(rules),
        AuthenticatorKind::Introspection(rules) => ("introspection", introspection(rules)),
        AuthenticatorKind::ApiKey(rules) => ("api_key", api_keys(rules)),
        AuthenticatorKind::StaticToken(rules) => {
            let mut entries = vec![("token", secret(true)), ("subject", text(&rules.subject))];
            entries.extend(grants(&rules.grants));
            ("static_token", entries)
        }
        AuthenticatorKind::Mtls(rules) => {
            ("mtls", vec![("trust_domains", list(&rules.trust_domains))])
        }
        AuthenticatorKind::Anonymous => ("anonymous", Vec::new()),
    };
    let mut entries = vec![("name", text(&one.name)), ("type", text(kind))];
    entries.extend(own);
    let switches = danger::switches(&one.kind).into_iter();
    entries.extend(switches.map(|switch| (switch, Out::Switch(true))));
    map(entries)
}

/// What the operator says of a caller.
pub(super) fn grants(grants: &Grants) -> Entries {
    vec![
        ("roles", list(&grants.roles)),
        ("groups", list(&grants.groups)),
        ("scopes", list(&grants.scopes)),
        ("tenant", text(&grants.tenant)),
    ]
}

fn jwt(rules: &JwtRules) -> (&'static str, Entries) {
    let mut entries = vec![("issuer", text(&rules.tokens.issuer))];
    let kind = match &rules.keys {
        KeyOrigin::Discovery(remote) => {
            entries.push(ca_file(remote));
            "oidc"
        }
        KeyOrigin::JwksUri(url, remote) => {
            entries.extend([("jwks_uri", text(&without_query(url))), ca_file(remote)]);
            "jwt"
        }
        KeyOrigin::Local(keys) => {
            let keys = keys.iter().map(local_key).collect();
            entries.push(("keys", Out::List(keys)));
            "jwt"
        }
        KeyOrigin::Development => "jwt",
    };
    let algorithms = rules.algorithms.iter().map(|one| one.name());
    entries.extend([
        ("algorithms", list(algorithms)),
        ("token_types", list(&rules.token_types)),
        ("rfc9068", Out::Switch(rules.rfc9068)),
    ]);
    entries.extend(tokens(&rules.tokens));
    (kind, entries)
}

fn local_key(key: &LocalKey) -> Out {
    let material = match &key.material {
        LocalMaterial::Pem(pem) => ("pem", text(&String::from_utf8_lossy(pem))),
        LocalMaterial::Secret(_) => ("secret", secret(true)),
    };
    map([
        material,
        ("algorithm", text(key.algorithm.name())),
        ("kid", key.kid.as_ref().map_or(Out::Null, text)),
    ])
}

fn introspection(rules: &IntrospectionRules) -> Entries {
    let issuer = rules.issuer_is_configured.then_some(&rules.tokens.issuer);
    let mut entries = vec![
        ("endpoint", text(&without_query(&rules.endpoint))),
        ("client_id", text(&rules.client_id)),
        ("client_secret", secret(true)),
        ("issuer", issuer.map_or(Out::Null, text)),
        ca_file(&rules.remote),
    ];
    entries.extend(tokens(&rules.tokens));
    entries
}

/// An address without what may hold a key.
pub(super) fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.query().is_some() {
        shown.set_query(Some("redacted"));
    }
    shown.into()
}

/// Keys are known by their hashes only, and those of short ones give them away.
fn api_keys(rules: &ApiKeyRules) -> Entries {
    let keys = rules.keys.iter().map(|key| {
        let mut entries = vec![("id", text(&key.id)), ("hash", secret(true))];
        entries.extend(grants(&key.grants));
        map(entries)
    });
    vec![
        ("header", text(&rules.header)),
        ("keys", Out::List(keys.collect())),
    ]
}

fn tokens(rules: &TokenRules) -> Entries {
    vec![
        ("audiences", list(&rules.audiences)),
        ("claims", claims(rules)),
        ("roles", assertions(&rules.roles)),
        ("groups", assertions(&rules.groups)),
        ("scopes", assertions(&rules.scopes)),
        ("leeway", duration(rules.leeway)),
        ("max_lifetime", duration(rules.max_lifetime)),
        (
            "dpop",
            map([
                ("required", Out::Switch(rules.dpop.required)),
                ("nonce", Out::Switch(rules.dpop.nonce)),
            ]),
        ),
    ]
}

pub(super) fn ca_file(remote: &Remote) -> (&'static str, Out) {
    let shown = match &remote.ca_pem {
        Some(_) => text("<set>"),
        None => Out::Null,
    };
    ("ca_file", shown)
}

fn claims(rules: &TokenRules) -> Out {
    let ClaimPaths {
        subject,
        client_id,
        roles,
        groups,
        scopes,
        tenant,
        email,
        name,
    } = &rules.claims;
    let preset = rules.preset.map_or(Out::Null, |one| word(&PRESETS, one));
    map([
        ("preset", preset),
        ("subject", list(subject)),
        ("client_id", list(client_id)),
        ("roles", list(roles)),
        ("groups", list(groups)),
        ("scopes", list(scopes)),
        ("tenant", list(tenant)),
        ("email", list(email)),
        ("name", list(name)),
    ])
}

fn assertions(assertions: &Assertions) -> Out {
    let allow = assertions.allow.as_ref().map_or(Out::Null, list);
    map([("allow", allow), ("prefix", text(&assertions.prefix))])
}
