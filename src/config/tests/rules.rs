//! Every rule of the file, one line a rule.

use super::*;

/// The faults of a text, one a line.
fn faults_of(text: &str) -> String {
    let found = match parsed(text) {
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    };
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Each text is refused for one reason, and that is it; an empty reason means that it is accepted.
fn check(cases: &[(&str, &str)], wrap: fn(&str) -> String) {
    for (text, expected) in cases {
        let text = wrap(text);
        let faults = faults_of(&text);
        if expected.is_empty() {
            assert_eq!(faults, "", "{text}");
        } else {
            assert!(
                faults.contains(expected),
                "{text}\nwanted: {expected}\nfound: {faults}"
            );
            assert!(!faults.contains('\n'), "{text}\n{faults}");
        }
    }
}

fn beside_the_rest(text: &str) -> String {
    format!("{text}\n{REST}")
}

#[test]
fn listeners() {
    check(
        &[
            ("listen: {grpc: 0.0.0.0:9191}", ""),
            ("listen: {grpc: '[::]:50051'}", ""),
            ("listen: {grpc: 'unix:/run/a.sock'}", ""),
            (
                "listen: {grpc: 'unix:a.sock'}",
                "1:16: error: `unix:a.sock` is not an address",
            ),
            (
                "listen: {grpc: localhost:9191}",
                "1:16: error: `localhost:9191` is not an address",
            ),
            ("listen: {grpc: ':9191'}", "`0.0.0.0:9191` for all"),
            (
                "listen: {grpc: 9191}",
                "expected text, found the number `9191`",
            ),
            ("listen: {grpc: 127.0.0.1}", "is not an address"),
            (
                "listen: {grpc: {address: x, tls: {}}}",
                "expected text, found a mapping",
            ),
            (
                "listen: {tls: {}}",
                "`tls` is not supported by this version",
            ),
            (
                "listen: {grpc: 127.0.0.1:9192}",
                "`http` and `grpc` would listen at the same",
            ),
            (
                "listen: {public: 0.0.0.0:9193}",
                "`admin` and `public` would listen at the same",
            ),
            (
                "listen: {grpc: 'unix:/a', http: 'unix:/a'}",
                "1:33: error: `http` and `grpc`",
            ),
            ("listen: {grpc: 127.0.0.1:0, http: 127.0.0.1:0}", ""),
            ("listen: {grpc: 127.0.0.2:9192}", ""),
            ("listen: {trusted_peers: [10.0.0.0/8, '::1', 10.0.0.7]}", ""),
            (
                "listen: {trusted_peers: [10.0.0.0/33]}",
                "is not an address or a network",
            ),
            (
                "listen: {trusted_peers: ['*']}",
                "is not an address or a network",
            ),
            (
                "listen: {trusted_peers: 10.0.0.0/8}",
                "expected a list, found `10.0.0.0/8`",
            ),
            (
                "listen: {trusted_peers: ['::/0']}",
                "1:10: warning: everybody may call the http",
            ),
            (
                "listen: {trusted_peers: ['::/0'], shared_secret: 0123456789abcdefg}",
                "",
            ),
            ("listen: {shared_secret: ''}", "error: empty secret"),
            (
                "listen: {shared_secret: short-one}",
                "warning: a secret of less than 16",
            ),
            ("listen: {drain: 5}", "`5` is not a duration"),
            ("listen: {drain: 9000h}", "error: duration out of bounds"),
            (
                "client_ip: {from: x-real-ip}",
                "`x-real-ip` is not known here",
            ),
            ("client_ip: {from: x-forwarded-for}", ""),
        ],
        beside_the_rest,
    );
}

#[test]
fn smaller_sections() {
    check(
        &[
            ("policies: {dir: ''}", "error: empty text"),
            (
                "policies: {shadow_dir: x}",
                "`shadow_dir` is not supported by this version",
            ),
            (
                "policies: {reload_interval: 50ms}",
                "between 100ms and 8784h",
            ),
            (
                "limits: {token: 16385}",
                "1:17: error: size out of bounds (between 1 and 16KiB)",
            ),
            ("limits: {token: 16KiB, body: 64MiB, deadline: 1ms}", ""),
            ("limits: {body: 65MiB}", "size out of bounds"),
            ("limits: {body: 0}", "size out of bounds"),
            ("limits: {body: 1MB}", "`1MB` is not a size"),
            ("limits: {deadline: 0ms}", "duration out of bounds"),
            ("decision_log: {to: none}", ""),
            ("decision_log: {to: stderr}", "`stderr` is not known here"),
            ("decision_log: {to: {}}", "missing key `file`"),
            ("decision_log: {arguments: [a, a]}", "`a` is listed twice"),
            ("admin: {token: ${NONE}}", "not valid YAML"),
            (
                "admin: {token: '${NONE}'}",
                "1:16: error: the environment variable `NONE` is not set",
            ),
            ("log: {level: verbose}", "`verbose` is not a log level"),
            ("log: {level: inf}", "did you mean `info`?"),
            ("log: {level: 'cedargate=debug,warn'}", ""),
            ("log: {level: 'a=b=c'}", "is not a log level"),
            ("log: {format: jsno}", "did you mean `json`?"),
            (
                "explain_to_anonymous: yes",
                "expected `true` or `false`, found `yes`",
            ),
            ("explain_to_anonymous: 'true'", "expected `true` or `false`"),
            ("explain_to_anonymous: true", ""),
            (
                "revocations: x",
                "`revocations` is not supported by this version",
            ),
            (
                "dev_tokens: {}",
                "`dev_tokens` is not supported by this version",
            ),
            (
                "resourecs: []",
                "1:1: error: unknown key `resourecs` (did you mean `resources`?)",
            ),
        ],
        beside_the_rest,
    );
}

#[test]
fn identity_headers() {
    check(
        &[
            ("x-user-", ""),
            ("x-user", "ends in `-`"),
            ("X-User-", "lower-case letters"),
            ("x user-", "lower-case letters"),
            ("-", "it begins with a letter"),
            ("x-envoy-peer-", "`x-envoy-` is in use"),
            ("x-forwarded-", "`x-forwarded-` is in use"),
            ("x-", "`x-envoy-` is in use"),
            ("content-", "`content-type` is in use"),
            ("mcp-", "`mcp-session-id` is in use"),
        ],
        |prefix| beside_the_rest(&format!("identity_headers: {{prefix: '{prefix}'}}")),
    );
    check(
        &[
            ("[]", ""),
            ("[email, name]", ""),
            ("[subject, subject]", "listed twice"),
            ("[client_id]", "did you mean `client-id`?"),
        ],
        |send| beside_the_rest(&format!("identity_headers: {{send: {send}}}")),
    );
}

fn one_authenticator(fields: &str) -> String {
    format!(
        "authenticators: [{{{fields}}}]\n\
         resources: [{{name: weather, url: https://mcp.example.com/mcp, kind: mcp}}]\n"
    )
}

#[test]
fn authenticators() {
    check(
        &[
            ("name: a, type: oidc", "1:18: error: missing key `issuer`"),
            (
                "type: oidc, issuer: https://a.example",
                "missing key `name`",
            ),
            ("name: a, issuer: https://a.example", "missing key `type`"),
            (
                "name: A, type: oidc, issuer: https://a.example",
                "`A` is not a name",
            ),
            ("name: a, type: odic", "did you mean `oidc`?"),
            (
                "name: a, type: api_key",
                "`api_key` is not supported by this version",
            ),
            ("name: a, type: saml", "one of: oidc, jwt, anonymous"),
            (
                "name: a, type: oidc, issuer: http://127.0.0.1:1",
                "fetched over plain http",
            ),
            (
                "name: a, type: oidc, issuer: ci",
                "`ci` is not an absolute URL",
            ),
            (
                "name: a, type: oidc, issuer: 'https://a.example#f'",
                "cannot be an issuer",
            ),
            (
                "name: a, type: oidc, issuer: 'https://a.example?q'",
                "an issuer has no query",
            ),
            (
                "name: a, type: oidc, issuer: 'https://u:p@a.example'",
                "credentials in a URL",
            ),
            (
                "name: a, type: oidc, issuer: https://a.example, jwks_uri: x",
                "unknown key `jwks_uri`",
            ),
            (
                "name: a, type: jwt, issuer: a",
                "no keys to verify tokens with",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: https://a.example/k",
                "",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: http://a.example/k",
                "over plain http",
            ),
            (
                "name: a, type: jwt, issuer: 'a#b', jwks_uri: https://a.example/k",
                "cannot be an issuer",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: https://a.example/k, keys: []",
                "only one of them",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: https://a.example/k, ca_file: none.pem",
                "cannot read",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: https://a.example/k, ca_file: rsa.pem",
                "holds no certificates",
            ),
            (
                "name: a, type: jwt, issuer: a, jwks_uri: https://a.example/k, ca_file: ca.pem",
                "",
            ),
        ],
        one_authenticator,
    );
}

#[test]
fn token_rules() {
    check(
        &[
            ("algorithms: [HS256]", "`HS256` is symmetric"),
            (
                "algorithms: [none]",
                "`none` means tokens without a signature",
            ),
            ("algorithms: [rs256]", "did you mean `RS256`?"),
            ("algorithms: [ES512]", "unknown algorithm `ES512`"),
            ("algorithms: []", "at least one algorithm is needed"),
            ("algorithms: [RS256, RS256]", "`RS256` is listed twice"),
            ("token_types: []", "at least one token type is needed"),
            ("audiences: ['']", "error: empty text"),
            ("leeway: 301s", "between 0ms and 5m"),
            ("leeway: 5m", ""),
            ("max_lifetime: 0s", "duration out of bounds"),
            (
                "claims: {preset: keycloak}",
                "`preset` is not supported by this version",
            ),
            ("claims: {role: roles}", "did you mean `roles`?"),
            ("claims: {roles: '/a~2b'}", "is not a JSON pointer"),
            ("claims: {roles: ['']}", "error: empty text"),
            (
                "roles: {allow: [a], prefix: 'a b'}",
                "blanks or control characters in a prefix",
            ),
            ("roles: [a]", "expected a mapping, found a list"),
            (
                "insecure_skip_signature: true",
                "unknown key `insecure_skip_signature`",
            ),
            (
                "insecure_skip_issuer: true",
                "not supported by this version",
            ),
            (
                "insecure_skip_expiry: true",
                "warning: `insecure_skip_expiry` is on",
            ),
            ("insecure_skip_expiry: false", ""),
        ],
        |fields| {
            one_authenticator(&format!(
                "name: a, type: oidc, issuer: https://a.example, {fields}"
            ))
        },
    );
}

#[test]
fn local_keys() {
    check(
        &[
            ("[]", "at least one key is needed"),
            ("[{file: rsa.pem, algorithm: PS512}]", ""),
            (
                "[{file: rsa.pem, algorithm: ES256}]",
                "none that fits `ES256`",
            ),
            (
                "[{file: p256.pem, algorithm: ES384}]",
                "none that fits `ES384`",
            ),
            ("[{file: none.pem, algorithm: ES256}]", "cannot read"),
            ("[{file: rsa.pem}]", "missing key `algorithm`"),
            ("[{algorithm: RS256}]", "no key (set `file` or `pem`)"),
            (
                "[{file: rsa.pem, pem: x, algorithm: RS256}]",
                "only one of them",
            ),
            (
                "[{secret: x, file: rsa.pem, algorithm: RS256}]",
                "not supported by this version",
            ),
            (
                "[{file: rsa.pem, algorithm: RS256, kid: 1}]",
                "put it in quotes",
            ),
            (
                "[{file: rsa.pem, algorithm: RS256, kid: a}, {file: p256.pem, algorithm: ES256, kid: a}]",
                "a second key with the same `kid`",
            ),
            (
                "[{pem: \"-----BEGIN PRIVATE KEY-----\\nAA==\\n-----END PRIVATE KEY-----\", algorithm: RS256}]",
                "a private key where a public key is wanted",
            ),
        ],
        |keys| one_authenticator(&format!("name: a, type: jwt, issuer: a, keys: {keys}")),
    );
    let text = one_authenticator(
        "name: a, type: jwt, issuer: a, algorithms: [ES256], keys: [{file: rsa.pem, algorithm: RS256}]",
    );
    assert!(faults_of(&text).contains("`RS256` is not among `algorithms`"));
    let text = one_authenticator(
        "name: a, type: jwt, issuer: a, ca_file: ca.pem, keys: [{file: rsa.pem, algorithm: RS256}]",
    );
    assert!(faults_of(&text).contains("`ca_file` without `jwks_uri` has no effect"));
}

fn one_resource(fields: &str) -> String {
    format!(
        "authenticators: [{{name: corp, type: oidc, issuer: https://a.example}}, {{name: any, type: anonymous}}]\n\
         resources: [{{{fields}}}]\n"
    )
}

#[test]
fn resources() {
    check(
        &[
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
                "only `deny`",
            ),
            (
                "name: a, url: https://m.example, kind: mcp, mcp: {message_from: envoy_metadata}",
                "only `body`",
            ),
            (
                "name: a, url: https://m.example, kind: mcp, mcp: {sessions: bind}",
                "not supported by this version",
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
                "name: a, url: https://m.example, kind: mcp, metadata: {resource_tos_uri: tos}",
                "is not an absolute URL",
            ),
        ],
        one_resource,
    );
}

#[test]
fn routes() {
    check(
        &[
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
        ],
        |routes| {
            one_resource(&format!(
                "name: a, url: https://m.example, kind: http, routes: [{routes}]"
            ))
        },
    );
}

#[test]
fn what_must_hold_between_parts() {
    let corp = "{name: corp, type: oidc, issuer: https://a.example}";
    let weather = "{name: weather, url: https://m.example/mcp, kind: mcp}";
    let named = "{name: weather, url: https://m.example/mcp, kind: mcp, authenticators: [corp]}";
    let other = |issuer: &str| {
        format!("{corp}, {{name: b, type: oidc, issuer: '{issuer}', roles: {{prefix: 'b:'}}}}")
    };
    for (authenticators, resources, expected) in [
        ("", weather, "at least one authenticator is needed"),
        (corp, "", "at least one resource is needed"),
        (
            &format!("{corp}, {corp}"),
            weather,
            "a second authenticator named `corp`",
        ),
        (
            corp,
            &format!("{weather}, {weather}"),
            "a second resource named `weather`",
        ),
        (
            corp,
            &format!("{weather}, {{name: b, url: 'https://M.example:443/mcp', kind: mcp}}"),
            "`weather` and `b` have the same url",
        ),
        (&other("https://b.example"), weather, ""),
        (&other("https://a.example"), weather, "have the same issuer"),
        (
            &other("https://a.example/"),
            weather,
            "only in case or in a slash",
        ),
        (
            &other("https://A.example"),
            weather,
            "only in case or in a slash",
        ),
        (&other("https://a.example"), named, ""),
        (
            &format!("{corp}, {{name: b, type: oidc, issuer: https://b.example}}"),
            weather,
            "`corp` and `b` could each assert the roles of the other",
        ),
        (
            &format!(
                "{corp}, {{name: b, type: oidc, issuer: https://b.example, roles: {{allow: []}}}}"
            ),
            weather,
            "",
        ),
        (
            &format!("{corp}, {{name: b, type: oidc, issuer: https://b.example}}"),
            named,
            "",
        ),
        (
            "{name: any, type: anonymous}",
            weather,
            "no authenticator answers for this resource",
        ),
        (
            "{name: a, type: anonymous}, {name: b, type: anonymous}",
            "{name: w, url: https://m.example, kind: mcp, authenticators: [a, b]}",
            "two anonymous authenticators on one resource",
        ),
    ] {
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
fn an_authenticator_that_is_faulty_is_still_known_by_name() {
    let text = "authenticators: [{name: corp, type: oidc, issuer: ci}]\n\
                resources: [{name: w, url: https://m.example, kind: mcp, authenticators: [corp]}]\n";
    let faults = faults_of(text);
    assert!(faults.contains("is not an absolute URL"), "{faults}");
    assert!(!faults.contains("no authenticator"), "{faults}");
}
