//! Reads the list of resources.

use std::sync::Arc;

use url::Url;

use crate::config::danger;
use crate::config::danger::INSECURE_HEADERS;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::reader::shown;
use crate::config::resource::Batches;
use crate::config::resource::McpRules;
use crate::config::resource::MessageFrom;
use crate::config::resource::Resource;
use crate::config::resource::ResourceKind;
use crate::config::resource::ResourceMetadata;
use crate::config::resource::SessionRule;
use crate::config::resource::address;
use crate::config::resource::address::Parts;
use crate::config::resource::route;
use crate::config::resource::scopes;
use crate::config::scalar;
use crate::config::scalar::Kind;
use crate::config::yaml::Node;

/// What the file says of one resource; its authenticators are still names.
pub(in crate::config) struct Declared<'t> {
    pub(in crate::config) resource: Resource,
    /// The list of names as written; absent: the default.
    pub(in crate::config) authenticators: Option<&'t Node>,
    /// Where its name stands.
    pub(in crate::config) place: Place,
}

/// A fault in one resource does not keep it, or the others, from being read on.
pub(in crate::config) fn read_all<'t>(
    node: &'t Node,
    faults: &mut Faults<'_>,
) -> Vec<Declared<'t>> {
    let Some(items) = scalar::list(node, faults) else {
        return Vec::new();
    };
    if items.is_empty() {
        faults.error(&node.place, "at least one resource is needed");
    }
    let mut declared: Vec<Declared<'t>> = Vec::new();
    for item in items {
        let Some(one) = read(item, faults) else {
            continue;
        };
        for other in &declared {
            let (a, b) = (&one.resource, &other.resource);
            if a.name == b.name && !a.name.is_empty() {
                faults.second("resource", &a.name, &one.place);
            }
            let same = (&a.scheme, &a.authority, &a.path) == (&b.scheme, &b.authority, &b.path);
            if same && !a.authority.is_empty() {
                let message = format!("`{}` and `{}` have the same url", b.name, a.name);
                faults.error(&one.place, message);
            }
        }
        declared.push(one);
    }
    declared
}

const KINDS: [(&str, bool); 2] = [("mcp", true), ("http", false)];

fn read<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<Declared<'t>> {
    let mut map = Mapping::of(node, faults)?.later(&["upstream", "rate_limit"]);
    let name_node = map.required("name", faults);
    let name = name_node.and_then(|node| scalar::name(node, faults));
    let place = name_node.map_or(map.place(), |node| &node.place).clone();
    let url = map.required("url", faults);
    let is_mcp = map
        .required("kind", faults)
        .and_then(|node| scalar::word(node, &KINDS, faults));
    let parts = url.and_then(|node| read_url(node, is_mcp.unwrap_or(true), faults));
    let kind = read_kind(&mut map, is_mcp, faults);
    let audiences = texts(&mut map, "audiences", faults);
    let authenticators = map.optional("authenticators");
    let tenant = map
        .optional("tenant")
        .and_then(|node| scalar::text(node, faults))
        .unwrap_or_default()
        .to_owned();
    let labels = texts(&mut map, "labels", faults);
    let groups = texts(&mut map, "groups", faults);
    let scope_hierarchy = map
        .optional("scopes")
        .map(|node| scopes::read(node, faults))
        .unwrap_or_default();
    let metadata = map
        .optional("metadata")
        .map(|node| read_metadata(node, faults))
        .unwrap_or_default();
    map.finish(faults);
    // What is missing has been reported. The rest is kept, to be held against the authenticators.
    let (url, parts) = parts.unwrap_or_default();
    Some(Declared {
        resource: Resource {
            name: Arc::from(name.unwrap_or_default()),
            audiences: if audiences.is_empty() {
                vec![url.clone()]
            } else {
                audiences
            },
            url,
            scheme: parts.scheme,
            authority: parts.authority,
            path: parts.path,
            kind: kind.unwrap_or(ResourceKind::Http { routes: Vec::new() }),
            authenticators: Vec::new(),
            tenant,
            labels,
            groups,
            scope_hierarchy,
            metadata,
        },
        authenticators,
        place,
    })
}

fn texts(map: &mut Mapping<'_>, key: &'static str, faults: &mut Faults<'_>) -> Vec<String> {
    map.optional(key)
        .and_then(|node| scalar::texts(node, faults))
        .unwrap_or_default()
}

fn read_url(node: &Node, is_mcp: bool, faults: &mut Faults<'_>) -> Option<(String, Parts)> {
    let text = scalar::filled(node, faults)?;
    match address::parts(text, is_mcp) {
        Ok(parts) => Some((text.to_owned(), parts)),
        Err(fault) => {
            if fault == address::AddressFault::Credentials {
                faults.hide_lines(node.place.span());
            }
            faults.error_help(&node.place, fault.to_string(), fault.help());
            None
        }
    }
}

fn read_kind(
    map: &mut Mapping<'_>,
    is_mcp: Option<bool>,
    faults: &mut Faults<'_>,
) -> Option<ResourceKind> {
    let mcp = map.optional("mcp");
    let routes = map.optional("routes");
    let misplaced = |key, kind, map: &Mapping<'_>, faults: &mut Faults<'_>| {
        if let Some(place) = map.place_of(key) {
            let message = format!("`{key}` on a resource of kind `{kind}`");
            faults.error(place, message);
        }
    };
    match is_mcp {
        Some(true) => {
            misplaced("routes", "mcp", map, faults);
            let rules = mcp.map(|node| read_mcp(node, faults)).unwrap_or_default();
            Some(ResourceKind::Mcp(rules))
        }
        Some(false) => {
            misplaced("mcp", "http", map, faults);
            let routes = routes
                .map(|node| route::read_all(node, faults))
                .unwrap_or_default();
            Some(ResourceKind::Http { routes })
        }
        None => None,
    }
}

fn read_mcp(node: &Node, faults: &mut Faults<'_>) -> McpRules {
    let mut rules = McpRules::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return rules;
    };
    if let Some(node) = map.optional("allowed_origins") {
        rules.allowed_origins = scalar::texts_of_a_kind(node, &ORIGIN, faults).unwrap_or_default();
    }
    if let Some(node) = map.optional("versions") {
        rules.versions = scalar::texts_of_a_kind(node, &REVISION, faults).unwrap_or_default();
    }
    if let Some(sessions) = map
        .optional("sessions")
        .and_then(|node| scalar::word(node, &SESSIONS, faults))
    {
        rules.sessions = sessions;
    }
    let batches = map.optional("batches");
    if let Some(word) = batches.and_then(|node| scalar::word(node, &BATCHES, faults)) {
        rules.batches = word;
    }
    let message_from = map.optional("message_from");
    if let Some(word) = message_from.and_then(|node| scalar::word(node, &MESSAGE_FROM, faults)) {
        rules.message_from = word;
    }
    if let Some(node) = batches {
        check_batches(&rules, node, faults);
    }
    if let Some(node) = message_from {
        check_message_from(&rules, node, faults);
    }
    map.finish(faults);
    rules
}

pub(in crate::config) const SESSIONS: [(&str, SessionRule); 2] =
    [("bind", SessionRule::Bind), ("ignore", SessionRule::Ignore)];
/// The words of `batches`.
pub(in crate::config) const BATCHES: [(&str, Batches); 2] =
    [("deny", Batches::Deny), ("each", Batches::Each)];

/// The words of `message_from`.
pub(in crate::config) const MESSAGE_FROM: [(&str, MessageFrom); 3] = [
    ("body", MessageFrom::Body),
    ("envoy_metadata", MessageFrom::EnvoyMetadata),
    ("insecure_headers", MessageFrom::InsecureHeaders),
];

/// The revision that has batches.
const WITH_BATCHES: &str = "2025-03-26";

/// The first revision in which headers repeat the body.
const WITH_HEADERS: &str = "2026-07-28";

fn check_batches(rules: &McpRules, node: &Node, faults: &mut Faults<'_>) {
    if rules.batches == Batches::Deny {
        return;
    }
    if !rules.versions.is_empty() && !rules.versions.iter().any(|it| it == WITH_BATCHES) {
        faults.error_help(
            &node.place,
            format!("only revision {WITH_BATCHES} has batches, and `versions` lacks it"),
            "leave `batches` out, or list the revision",
        );
    }
    if rules.message_from != MessageFrom::Body {
        faults.error_help(
            &node.place,
            "batches are read from the body only",
            "leave `batches` out, or `message_from`",
        );
    }
}

fn check_message_from(rules: &McpRules, node: &Node, faults: &mut Faults<'_>) {
    if rules.message_from != MessageFrom::InsecureHeaders {
        return;
    }
    // Revisions are dates, so the order of text is the order of time.
    if !rules.versions.is_empty() && !rules.versions.iter().any(|it| &**it >= WITH_HEADERS) {
        let message = format!(
            "headers repeat the body since revision {WITH_HEADERS}, and `versions` has none so late"
        );
        faults.error_help(&node.place, message, "list the revision");
        return;
    }
    let meaning = danger::meaning(INSECURE_HEADERS);
    faults.warning(
        &node.place,
        format!("`{INSECURE_HEADERS}` is on: {meaning}"),
        "only for gateways that cannot pass the body",
    );
}

const ORIGIN: Kind = Kind {
    is: address::is_origin,
    name: "an origin",
    help: "as browsers send it: `https://app.example.com`, without a default port or a wildcard",
};

const REVISION: Kind = Kind {
    is: is_revision,
    name: "a protocol revision",
    help: "as in `2025-06-18`",
};

/// A date, as every revision of the protocol is named; which of them are known is not our matter.
fn is_revision(text: &str) -> bool {
    text.len() == 10
        && text.chars().enumerate().all(|(index, c)| match index {
            4 | 7 => c == '-',
            _ => c.is_ascii_digit(),
        })
}

fn read_metadata(node: &Node, faults: &mut Faults<'_>) -> ResourceMetadata {
    let mut metadata = ResourceMetadata::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return metadata;
    };
    if let Some(node) = map.optional("scopes_supported") {
        metadata.scopes_supported = scopes::read_supported(node, faults);
    }
    if let Some(node) = map.optional("resource_name") {
        scalar::text(node, faults)
            .unwrap_or_default()
            .clone_into(&mut metadata.resource_name);
    }
    for (key, slot) in [
        (
            "resource_documentation",
            &mut metadata.resource_documentation,
        ),
        ("resource_policy_uri", &mut metadata.resource_policy_uri),
        ("resource_tos_uri", &mut metadata.resource_tos_uri),
    ] {
        if let Some(node) = map.optional(key) {
            *slot = read_page(node, faults);
        }
    }
    map.finish(faults);
    metadata
}

/// The URL of a page for people; empty is as good as absent.
fn read_page(node: &Node, faults: &mut Faults<'_>) -> String {
    let text = scalar::text(node, faults).unwrap_or_default();
    let fine = text.is_empty()
        || Url::parse(text)
            .is_ok_and(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    if !fine {
        let message = format!("{} is not an absolute URL", shown(node, text));
        faults.error(&node.place, message);
    }
    text.to_owned()
}
