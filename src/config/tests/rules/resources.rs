//! Rules of resources, and of what stands between them and authenticators.

use super::*;

fn one_resource(fields: &str) -> String {
    format!(
        "authenticators: [{{name: corp, type: oidc, issuer: https://a.example}}, {{name: any, type: anonymous}}]\n\
         resources: [{{{fields}}}]\n"
    )
}

const RESOURCES: Cases = &[
    ("name: a, kind: mcp", "missing key `url`"),
    ("url: https://m.example, kind: mcp", "missing key `name`"),
    ("name: a, url: https://m.example", "missing key `kind`"),
    (
        "name: a, url: https://m.example, kind: grpc",
        "one of: mcp, http",
    ),
    (
        "name: a, url: m.example/mcp, kind: mcp",
        "not an absolute URL",
    ),
    (
        "name: a, url: https://m.example/mcp?x, kind: mcp",
        "a URL with a query",
    ),
    (
        "name: a, url: https://m.example/a/../b, kind: mcp",
        "a path that is not canonical",
    ),
    ("name: a, url: https://m.example/mcp/, kind: mcp", ""),
    (
        "name: a, url: https://m.example/app/, kind: http",
        "a path that is not canonical",
    ),
    ("name: a, url: https://m.example/, kind: http", ""),
    (
        "name: a, url: https://m.example, kind: mcp, routes: []",
        "`routes` on a resource of kind `mcp`",
    ),
    (
        "name: a, url: https://m.example, kind: http, mcp: {}",
        "`mcp` on a resource of kind `http`",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, upstream: {}",
        "not supported by this version",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, rate_limit: {}",
        "not supported by this version",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, audiences: []",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, tenant: 7",
        "put it in quotes",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, authenticators: [any]",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, authenticators: []",
        "no authenticator answers",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, authenticators: [crop]",
        "did you mean `corp`?",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, authenticators: [corp, corp]",
        "`corp` is listed twice",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {allowed_origins: ['*']}",
        "`*` is not an origin",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {versions: [latest]}",
        "is not a protocol revision",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: each}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: all}",
        "one of: deny, each",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: each, versions: ['2025-03-26', '2025-11-25']}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: each, versions: ['2025-11-25']}",
        "only revision 2025-03-26 has batches, and `versions` lacks it",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: deny, versions: ['2025-11-25']}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {batches: each, message_from: envoy_metadata}",
        "batches are read from the body only",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {message_from: envoy_metadata}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {message_from: envoy_metdata}",
        "did you mean `envoy_metadata`?",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {message_from: insecure_headers}",
        "warning: `insecure_headers` is on: what a request asks for is taken from its headers",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {message_from: insecure_headers, versions: ['2025-11-25']}",
        "since revision 2026-07-28, and `versions` has none so late",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {sessions: bind}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, mcp: {sessions: ignroe}",
        "did you mean `ignore`?",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, scopes: {hierarchy: {a: [a]}}",
        "in a circle",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, scopes: {hierarchy: {'a b': [c]}}",
        "this key is not a scope",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, scopes: {hierarchy: {a: ['b c']}}",
        "`b c` is not a scope",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, scopes: {hierarchy: []}",
        "expected a mapping from a scope",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, metadata: {scopes_supported: ['a b']}",
        "`a b` is not a scope",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, metadata: {scopes_supported: [x, offline_access]}",
        "`offline_access` is not a scope to tell clients of",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, metadata: {scopes_supported: ['files:*']}",
        "`files:*` is not a scope to tell clients of",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, scopes: {hierarchy: {'files:*': [offline_access]}}",
        "",
    ),
    (
        "name: a, url: https://m.example, kind: mcp, metadata: {resource_tos_uri: tos}",
        "is not an absolute URL",
    ),
];

#[test]
fn resources() {
    check(RESOURCES, one_resource);
}

const ROUTES: Cases = &[
    ("{name: a, path: /a}", ""),
    ("{name: '*', path: /a}", "`*` is not a name"),
    ("{name: a, path: a}", "`a` is not a route pattern"),
    (
        "{name: a, path: /a}, {name: a, path: /b}",
        "a second route named `a`",
    ),
    (
        "{name: a, path: '/{x}'}, {name: b, path: /b}",
        "never matches: the route `a`",
    ),
    (
        "{name: a, path: /a, methods: [GET]}",
        "unknown key `methods`",
    ),
];

#[test]
fn routes() {
    check(ROUTES, |routes| {
        one_resource(&format!(
            "name: a, url: https://m.example, kind: http, routes: [{routes}]"
        ))
    });
}

const CORP: &str = "{name: corp, type: oidc, issuer: https://a.example}";
const WEATHER: &str = "{name: weather, url: https://m.example/mcp, kind: mcp}";
const CORP_ONLY: &str =
    "{name: weather, url: https://m.example/mcp, kind: mcp, authenticators: [corp]}";

/// Authenticators, resources, and the fault between them.
fn check_together(cases: &[(&str, &str, &str)]) {
    for (authenticators, resources, expected) in cases {
        let text = format!("authenticators: [{authenticators}]\nresources: [{resources}]\n");
        let faults = faults_of(&text);
        if expected.is_empty() {
            assert_eq!(faults, "", "{text}");
        } else {
            assert!(faults.contains(expected), "{text}\n{faults}");
        }
    }
}

#[test]
fn names_and_urls_are_unique() {
    let same_url = format!("{WEATHER}, {{name: b, url: 'https://M.example:443/mcp', kind: mcp}}");
    let corp_twice = format!("{CORP}, {CORP}");
    let weather_twice = format!("{WEATHER}, {WEATHER}");
    check_together(&[
        ("", WEATHER, "at least one authenticator is needed"),
        (CORP, "", "at least one resource is needed"),
        (&corp_twice, WEATHER, "a second authenticator named `corp`"),
        (CORP, &weather_twice, "a second resource named `weather`"),
        (CORP, &same_url, "`weather` and `b` have the same url"),
    ]);
}

#[test]
fn authenticators_of_one_resource_are_told_apart() {
    let other = |issuer: &str| {
        format!("{CORP}, {{name: b, type: oidc, issuer: '{issuer}', roles: {{prefix: 'b:'}}}}")
    };
    let open = format!("{CORP}, {{name: b, type: oidc, issuer: https://b.example}}");
    let none = "{name: b, type: oidc, issuer: https://b.example, roles: {allow: []}}";
    let strangers = "{name: a, type: anonymous}, {name: b, type: anonymous}";
    let both = "{name: w, url: https://m.example, kind: mcp, authenticators: [a, b]}";
    let alike = "only in case or in a slash";
    check_together(&[
        (&other("https://b.example"), WEATHER, ""),
        (&other("https://a.example"), WEATHER, "have the same issuer"),
        (&other("https://a.example/"), WEATHER, alike),
        (&other("https://A.example"), WEATHER, alike),
        (&other("https://a.example"), CORP_ONLY, ""),
        (&open, WEATHER, "could each assert the roles of the other"),
        (&open, CORP_ONLY, ""),
        (&format!("{CORP}, {none}"), WEATHER, ""),
        (strangers, WEATHER, "no authenticator answers for this"),
        (strangers, both, "two anonymous authenticators"),
    ]);
}

#[test]
fn an_authenticator_that_is_faulty_is_still_known_by_name() {
    let text = "authenticators: [{name: corp, type: oidc, issuer: ci}]\n\
                resources: [{name: w, url: https://m.example, kind: mcp, authenticators: [corp]}]\n";
    let faults = faults_of(text);
    assert!(faults.contains("is not an absolute URL"), "{faults}");
    assert!(!faults.contains("no authenticator"), "{faults}");
}
