//! The effective configuration as YAML, with every default filled in and every secret left out.

use std::time::Duration;

use crate::config::Config;
use crate::config::authenticator::Authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::authenticator::LocalMaterial;
use crate::config::authenticator::Remote;
use crate::config::claims::Assertions;
use crate::config::claims::ClaimPaths;
use crate::config::danger;
use crate::config::emit::Out;
use crate::config::emit::document;
use crate::config::emit::list;
use crate::config::emit::map;
use crate::config::emit::text;
use crate::config::identity_headers::FIELDS;
use crate::config::listen::CLIENT_IP;
use crate::config::listen::Listen;
use crate::config::resource::Resource;
use crate::config::resource::ResourceKind;
use crate::config::resource::ResourceMetadata;
use crate::config::scalar::duration_text;
use crate::config::scalar::size_text;
use crate::config::settings::DecisionSink;
use crate::config::settings::FORMATS;

/// What stands where a secret is set.
const REDACTED: &str = "<redacted>";

/// The configuration as a file that would produce it, but for secrets and `ca_file`, which say only
/// that they are set.
pub fn describe(config: &Config) -> String {
    let authenticators = config.authenticators.iter();
    let resources = config.resources.iter();
    let mut entries = vec![
        ("listen", listen(&config.listen)),
        (
            "client_ip",
            map([("from", word(&CLIENT_IP, config.client_ip))]),
        ),
        (
            "authenticators",
            Out::List(authenticators.map(|one| authenticator(one)).collect()),
        ),
        (
            "resources",
            Out::List(resources.map(|one| resource(one, config)).collect()),
        ),
    ];
    entries.extend(settings(config));
    document(&map(entries))
}

fn settings(config: &Config) -> [(&'static str, Out); 7] {
    let policies = &config.policies;
    let headers = &config.identity_headers;
    let limits = &config.limits;
    let log = &config.decision_log;
    let send = headers.send.iter().map(|field| word(&FIELDS, *field));
    let to = match &log.to {
        DecisionSink::Stdout => text("stdout"),
        DecisionSink::None => text("none"),
        DecisionSink::File(path) => map([("file", text(&path.display()))]),
    };
    [
        (
            "policies",
            map([
                ("dir", text(&policies.dir.display())),
                ("reload_interval", duration(policies.reload_interval)),
            ]),
        ),
        (
            "identity_headers",
            map([
                ("prefix", text(&headers.prefix)),
                ("send", Out::List(send.collect())),
            ]),
        ),
        (
            "limits",
            map([
                ("body", text(&size_text(limits.body))),
                ("token", text(&size_text(limits.token))),
                ("deadline", duration(limits.deadline)),
            ]),
        ),
        (
            "decision_log",
            map([("to", to), ("arguments", list(&log.arguments))]),
        ),
        (
            "admin",
            map([("token", secret(config.admin_token.is_some()))]),
        ),
        (
            "log",
            map([
                ("level", text(&config.log.level)),
                ("format", word(&FORMATS, config.log.format)),
            ]),
        ),
        (
            "explain_to_anonymous",
            Out::Switch(config.explain_to_anonymous),
        ),
    ]
}

fn listen(listen: &Listen) -> Out {
    map([
        ("grpc", text(&listen.grpc)),
        ("http", text(&listen.http)),
        ("public", listen.public.as_ref().map_or(Out::Null, text)),
        ("admin", text(&listen.admin)),
        ("trusted_peers", list(&listen.trusted_peers)),
        ("shared_secret", secret(listen.shared_secret.is_some())),
        ("drain", duration(listen.drain)),
    ])
}

fn authenticator(one: &Authenticator) -> Out {
    let name = ("name", text(&one.name));
    let rules = match &one.kind {
        AuthenticatorKind::Anonymous => return map([name, ("type", text("anonymous"))]),
        AuthenticatorKind::Jwt(rules) => rules,
        AuthenticatorKind::Introspection(_)
        | AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::StaticToken(_)
        | AuthenticatorKind::Mtls(_) => return map([name]),
    };
    let (kind, mut keys) = match &rules.keys {
        KeyOrigin::Discovery(remote) => ("oidc", vec![ca_file(remote)]),
        KeyOrigin::JwksUri(url, remote) => ("jwt", vec![("jwks_uri", text(url)), ca_file(remote)]),
        KeyOrigin::Local(keys) => {
            let keys = keys.iter().map(|key| {
                let material = match &key.material {
                    LocalMaterial::Pem(pem) => ("pem", text(&String::from_utf8_lossy(pem))),
                    LocalMaterial::Secret(_) => ("secret", text(REDACTED)),
                };
                map([
                    material,
                    ("algorithm", text(key.algorithm.name())),
                    ("kid", key.kid.as_ref().map_or(Out::Null, text)),
                ])
            });
            ("jwt", vec![("keys", Out::List(keys.collect()))])
        }
        KeyOrigin::Development => ("jwt", Vec::new()),
    };
    let mut entries = vec![
        name,
        ("type", text(kind)),
        ("issuer", text(&rules.tokens.issuer)),
    ];
    entries.append(&mut keys);
    entries.append(&mut rule_entries(rules));
    for (switch, on) in danger::switches(rules) {
        if on {
            entries.push((switch, Out::Switch(true)));
        }
    }
    map(entries)
}

fn rule_entries(rules: &JwtRules) -> Vec<(&'static str, Out)> {
    vec![
        ("audiences", list(&rules.tokens.audiences)),
        (
            "algorithms",
            list(rules.algorithms.iter().map(|one| one.name())),
        ),
        ("token_types", list(&rules.token_types)),
        ("claims", claims(&rules.tokens.claims)),
        ("roles", assertions(&rules.tokens.roles)),
        ("groups", assertions(&rules.tokens.groups)),
        ("scopes", assertions(&rules.tokens.scopes)),
        ("leeway", duration(rules.tokens.leeway)),
        ("max_lifetime", duration(rules.tokens.max_lifetime)),
    ]
}

fn ca_file(remote: &Remote) -> (&'static str, Out) {
    let shown = match &remote.ca_pem {
        Some(_) => text("<set>"),
        None => Out::Null,
    };
    ("ca_file", shown)
}

fn claims(paths: &ClaimPaths) -> Out {
    map([
        ("subject", list(&paths.subject)),
        ("client_id", list(&paths.client_id)),
        ("roles", list(&paths.roles)),
        ("groups", list(&paths.groups)),
        ("scopes", list(&paths.scopes)),
        ("tenant", list(&paths.tenant)),
        ("email", list(&paths.email)),
        ("name", list(&paths.name)),
    ])
}

fn assertions(assertions: &Assertions) -> Out {
    let allow = assertions.allow.as_ref().map_or(Out::Null, list);
    map([("allow", allow), ("prefix", text(&assertions.prefix))])
}

fn resource(one: &Resource, config: &Config) -> Out {
    let names = one
        .authenticators
        .iter()
        .filter_map(|index| config.authenticators.get(*index))
        .map(|authenticator| &authenticator.name);
    let hierarchy = one.scope_hierarchy.iter();
    let hierarchy = hierarchy.map(|(broad, narrow)| (broad.clone(), list(narrow)));
    let (own_key, own) = match &one.kind {
        ResourceKind::Mcp(rules) => (
            "mcp",
            map([
                ("allowed_origins", list(&rules.allowed_origins)),
                ("versions", list(&rules.versions)),
                ("batches", text("deny")),
                ("message_from", text("body")),
            ]),
        ),
        ResourceKind::Http { routes } => (
            "routes",
            Out::List(
                routes
                    .iter()
                    .map(|route| map([("name", text(&route.name)), ("path", text(route))]))
                    .collect(),
            ),
        ),
    };
    map([
        ("name", text(&one.name)),
        ("url", text(&one.url)),
        ("kind", text(one.kind_name())),
        ("audiences", list(&one.audiences)),
        ("authenticators", list(names)),
        ("tenant", text(&one.tenant)),
        ("labels", list(&one.labels)),
        ("groups", list(&one.groups)),
        (
            "scopes",
            map([("hierarchy", Out::Map(hierarchy.collect()))]),
        ),
        ("metadata", metadata(&one.metadata)),
        (own_key, own),
    ])
}

fn metadata(metadata: &ResourceMetadata) -> Out {
    map([
        ("scopes_supported", list(&metadata.scopes_supported)),
        ("resource_name", text(&metadata.resource_name)),
        (
            "resource_documentation",
            text(&metadata.resource_documentation),
        ),
        ("resource_policy_uri", text(&metadata.resource_policy_uri)),
        ("resource_tos_uri", text(&metadata.resource_tos_uri)),
    ])
}

fn duration(value: Duration) -> Out {
    text(&duration_text(value))
}

fn secret(is_set: bool) -> Out {
    if is_set { text(REDACTED) } else { Out::Null }
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> Out {
    text(
        words
            .iter()
            .find(|(_, other)| *other == value)
            .map_or("", |(word, _)| word),
    )
}
