//! The effective configuration as YAML, with every default filled in and every secret left out.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::config::Config;
use crate::config::authenticator::Authenticator;
use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::JwtRules;
use crate::config::authenticator::KeyOrigin;
use crate::config::authenticator::Remote;
use crate::config::claims::Assertions;
use crate::config::claims::ClaimPath;
use crate::config::claims::ClaimPaths;
use crate::config::danger;
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
    let headers = &config.identity_headers;
    let send = headers.send.iter().map(|field| word(&FIELDS, *field));
    let to = match &config.decision_log.to {
        DecisionSink::Stdout => text("stdout"),
        DecisionSink::None => text("none"),
        DecisionSink::File(path) => map([("file", text(path.display()))]),
    };
    let mut out = String::new();
    write(
        &mut out,
        0,
        &map([
            ("listen", listen(&config.listen)),
            (
                "client_ip",
                map([("from", text(word(&CLIENT_IP, config.client_ip)))]),
            ),
            (
                "authenticators",
                Out::List(
                    config
                        .authenticators
                        .iter()
                        .map(|one| authenticator(one))
                        .collect(),
                ),
            ),
            (
                "resources",
                Out::List(
                    config
                        .resources
                        .iter()
                        .map(|one| resource(one, config))
                        .collect(),
                ),
            ),
            (
                "policies",
                map([
                    ("dir", text(config.policies.dir.display())),
                    (
                        "reload_interval",
                        text(duration_text(config.policies.reload_interval)),
                    ),
                ]),
            ),
            (
                "identity_headers",
                map([("prefix", text(&headers.prefix)), ("send", list(send))]),
            ),
            (
                "limits",
                map([
                    ("body", text(size_text(config.limits.body))),
                    ("token", text(size_text(config.limits.token))),
                    ("deadline", text(duration_text(config.limits.deadline))),
                ]),
            ),
            (
                "decision_log",
                map([
                    ("to", to),
                    ("arguments", list(&config.decision_log.arguments)),
                ]),
            ),
            (
                "admin",
                map([("token", secret(config.admin_token.is_some()))]),
            ),
            (
                "log",
                map([
                    ("level", text(&config.log.level)),
                    ("format", text(word(&FORMATS, config.log.format))),
                ]),
            ),
            (
                "explain_to_anonymous",
                Out::Switch(config.explain_to_anonymous),
            ),
        ]),
    );
    out
}

fn listen(listen: &Listen) -> Out {
    map([
        ("grpc", text(&listen.grpc)),
        ("http", text(&listen.http)),
        ("public", listen.public.as_ref().map_or(Out::Null, text)),
        ("admin", text(&listen.admin)),
        ("trusted_peers", list(&listen.trusted_peers)),
        ("shared_secret", secret(listen.shared_secret.is_some())),
        ("drain", text(duration_text(listen.drain))),
    ])
}

fn authenticator(one: &Authenticator) -> Out {
    let name = ("name", text(&one.name));
    let rules = match &one.kind {
        AuthenticatorKind::Anonymous => return map([name, ("type", text("anonymous"))]),
        AuthenticatorKind::Jwt(rules) => rules,
    };
    let (kind, mut keys) = match &rules.keys {
        KeyOrigin::Discovery(remote) => ("oidc", vec![ca_file(remote)]),
        KeyOrigin::JwksUri(url, remote) => ("jwt", vec![("jwks_uri", text(url)), ca_file(remote)]),
        KeyOrigin::Local(keys) => {
            let keys = keys.iter().map(|key| {
                map([
                    ("pem", text(String::from_utf8_lossy(&key.pem))),
                    ("algorithm", text(key.algorithm.name())),
                    ("kid", key.kid.as_ref().map_or(Out::Null, text)),
                ])
            });
            ("jwt", vec![("keys", Out::List(keys.collect()))])
        }
    };
    let mut entries = vec![name, ("type", text(kind)), ("issuer", text(&rules.issuer))];
    entries.append(&mut keys);
    entries.append(&mut rule_entries(rules));
    for (switch, on) in danger::switches(rules) {
        if on {
            entries.push((switch, Out::Switch(true)));
        }
    }
    Out::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn rule_entries(rules: &JwtRules) -> Vec<(&'static str, Out)> {
    vec![
        ("audiences", list(&rules.audiences)),
        (
            "algorithms",
            list(rules.algorithms.iter().map(|one| one.name())),
        ),
        ("token_types", list(&rules.token_types)),
        ("claims", claims(&rules.claims)),
        ("roles", assertions(&rules.roles)),
        ("groups", assertions(&rules.groups)),
        ("scopes", assertions(&rules.scopes)),
        ("leeway", text(duration_text(rules.leeway))),
        ("max_lifetime", text(duration_text(rules.max_lifetime))),
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
    let paths_of = |paths: &[ClaimPath]| list(paths);
    map([
        ("subject", paths_of(&paths.subject)),
        ("client_id", paths_of(&paths.client_id)),
        ("roles", paths_of(&paths.roles)),
        ("groups", paths_of(&paths.groups)),
        ("scopes", paths_of(&paths.scopes)),
        ("tenant", paths_of(&paths.tenant)),
        ("email", paths_of(&paths.email)),
        ("name", paths_of(&paths.name)),
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
    let (kind, own) = match &one.kind {
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
        (kind, own),
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

/// What is written, in the order in which it is written.
enum Out {
    Null,
    Switch(bool),
    Text(String),
    List(Vec<Out>),
    Map(Vec<(String, Out)>),
}

fn text(value: impl ToString) -> Out {
    Out::Text(value.to_string())
}

fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Out {
    Out::List(values.into_iter().map(text).collect())
}

fn map<const N: usize>(entries: [(&str, Out); N]) -> Out {
    Out::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

fn secret(is_set: bool) -> Out {
    if is_set { text(REDACTED) } else { Out::Null }
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words
        .iter()
        .find(|(_, other)| *other == value)
        .map_or("", |(word, _)| word)
}

/// Blocks for mappings and for lists of mappings, brackets for lists of texts.
fn write(out: &mut String, indent: usize, value: &Out) {
    match value {
        Out::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str(&scalar(key));
                out.push(':');
                write_nested(out, indent.saturating_add(2), value);
            }
        }
        Out::List(items) if items.iter().any(|item| matches!(item, Out::Map(_))) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                write(out, indent.saturating_add(2), item);
            }
        }
        Out::Null | Out::Switch(_) | Out::Text(_) | Out::List(_) | Out::Map(_) => {
            out.push_str(&inline(value));
            out.push('\n');
        }
    }
}

fn write_nested(out: &mut String, indent: usize, value: &Out) {
    let block = match value {
        Out::Map(entries) => !entries.is_empty(),
        Out::List(items) => items.iter().any(|item| matches!(item, Out::Map(_))),
        Out::Null | Out::Switch(_) | Out::Text(_) => false,
    };
    if block {
        out.push('\n');
        pad(out, indent);
    } else {
        out.push(' ');
    }
    write(out, indent, value);
}

fn pad(out: &mut String, indent: usize) {
    let end = out.len().saturating_add(indent);
    while out.len() < end {
        out.push(' ');
    }
}

fn inline(value: &Out) -> String {
    match value {
        Out::Null => "null".to_owned(),
        Out::Switch(on) => on.to_string(),
        Out::Text(text) => scalar(text),
        Out::List(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Out::Map(entries) => {
            let mut inside = String::new();
            for (key, value) in entries {
                let comma = if inside.is_empty() { "" } else { ", " };
                let written = write!(inside, "{comma}{}: {}", scalar(key), inline(value));
                debug_assert!(written.is_ok(), "a string takes any text");
            }
            format!("{{{inside}}}")
        }
    }
}

/// Plain where nothing could be misread, else in quotes, which JSON and YAML share.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return text.to_owned();
    }
    // What the file says is expanded when it is read; this is what came of it.
    let escaped = text.replace('$', "$$");
    Json::String(escaped).to_string()
}
