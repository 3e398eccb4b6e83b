//! The effective configuration as YAML, with every default filled in and every secret left out.

mod authenticator;
mod policies;
mod sessions;

use std::time::Duration;

use crate::config::Config;
use crate::config::dev_tokens::DEV_AUTHENTICATOR;
use crate::config::dev_tokens::DevTokens;
use crate::config::emit::Out;
use crate::config::emit::document;
use crate::config::emit::list;
use crate::config::emit::map;
use crate::config::emit::text;
use crate::config::identity_headers::FIELDS;
use crate::config::listen::CLIENT_IP;
use crate::config::listen::Listen;
use crate::config::resource::BATCHES;
use crate::config::resource::MESSAGE_FROM;
use crate::config::resource::Resource;
use crate::config::resource::ResourceKind;
use crate::config::resource::ResourceMetadata;
use crate::config::resource::SESSIONS;
use crate::config::scalar::duration_text;
use crate::config::scalar::size_text;
use crate::config::settings::DecisionSink;
use crate::config::settings::FORMATS;

/// What stands where a secret is set.
const REDACTED: &str = "<redacted>";

/// The configuration as a file that would produce it, but for secrets and `ca_file`, which say only
/// that they are set.
pub fn describe(config: &Config) -> String {
    // The authenticator of the development tokens is not written: they bring it along.
    let written = config.authenticators.iter();
    let written =
        written.filter(|one| config.dev_tokens.is_none() || *one.name != *DEV_AUTHENTICATOR);
    let authenticators: Vec<Out> = written.map(|one| authenticator::one(one)).collect();
    let resources = config.resources.iter();
    let mut entries = vec![
        ("listen", listen(&config.listen)),
        (
            "client_ip",
            map([("from", word(&CLIENT_IP, config.client_ip))]),
        ),
    ];
    if !authenticators.is_empty() {
        entries.push(("authenticators", Out::List(authenticators)));
    }
    entries.push((
        "resources",
        Out::List(resources.map(|one| resource(one, config)).collect()),
    ));
    entries.extend(settings(config));
    let revocations = config.revocations.as_ref();
    let revocations = revocations.map_or(Out::Null, |path| text(&path.display()));
    let dev_tokens = config.dev_tokens.as_ref().map_or(Out::Null, dev_tokens);
    entries.extend([
        ("revocations", revocations),
        ("sessions", sessions::section(&config.sessions)),
        ("dev_tokens", dev_tokens),
    ]);
    document(&map(entries))
}

fn settings(config: &Config) -> [(&'static str, Out); 7] {
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
        ("policies", policies::section(&config.policies)),
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
        ("xfcc_peers", list(&listen.xfcc_peers)),
        ("shared_secret", secret(listen.shared_secret.is_some())),
        ("drain", duration(listen.drain)),
    ])
}

fn dev_tokens(tokens: &DevTokens) -> Out {
    let clients = tokens.clients.iter().map(|client| {
        let mut entries = vec![
            ("client_id", text(&client.client_id)),
            ("client_secret", secret(true)),
            ("subject", client.subject.as_ref().map_or(Out::Null, text)),
        ];
        entries.extend(authenticator::grants(&client.grants));
        map(entries)
    });
    map([
        ("lifetime", duration(tokens.lifetime)),
        ("clients", Out::List(clients.collect())),
    ])
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
                ("batches", word(&BATCHES, rules.batches)),
                ("message_from", word(&MESSAGE_FROM, rules.message_from)),
                ("sessions", word(&SESSIONS, rules.sessions)),
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
