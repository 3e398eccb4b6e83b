//! Rules of the sections that are neither authenticators nor resources.

use super::*;

const LISTENERS: Cases = &[
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
    ("listen: {xfcc_peers: [10.0.0.0/8, '2001:db8::/32']}", ""),
    (
        "listen: {xfcc_peers: [10.0.0.0/8, 0.0.0.0/7]}",
        "warning: whoever calls from `0.0.0.0/7` may claim any client certificate",
    ),
    (
        "listen: {xfcc_peers: ['::/0']}",
        "1:22: warning: whoever calls from `::/0`",
    ),
    (
        "listen: {xfcc_peers: [proxy]}",
        "`proxy` is not an address or a network",
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
];

#[test]
fn listeners() {
    check(LISTENERS, beside_the_rest);
}

const SMALLER_SECTIONS: Cases = &[
    ("policies: {dir: ''}", "error: empty text"),
    ("policies: {shadow_dir: x}", ""),
    ("policies: {shadow_dir: null}", ""),
    ("policies: {shadow_dir: ''}", "error: empty text"),
    (
        "policies: {shadow_dir: policies/next}",
        "1:24: error: `shadow_dir` and `dir` lie in each other",
    ),
    (
        "policies: {dir: a/b, shadow_dir: a}",
        "1:34: error: `shadow_dir` and `dir` lie in each other",
    ),
    ("policies: {allow_warnings: []}", ""),
    ("policies: {allow_warnings: [permit-all, mixed-script]}", ""),
    (
        "policies: {allow_warnings: [permit-al]}",
        "1:29: error: `permit-al` is not known here (did you mean `permit-all`?)",
    ),
    (
        "policies: {allow_warnings: [everything]}",
        "`everything` is not known here (one of: permit-everyone, permit-all, ",
    ),
    (
        "policies: {allow_warnings: [permit-all, like-on-uri, permit-all]}",
        "1:54: error: `permit-all` is listed twice",
    ),
    ("policies: {allow_warnings: permit-all}", "expected a list"),
    (
        "policies: {reload_interval: 50ms}",
        "between 100ms and 8784h",
    ),
    ("policies: {require_manifest: true}", ""),
    ("policies: {require_manifest: 'true'}", "`true` or `false`"),
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
    ("revocations: revoked.txt", ""),
    ("revocations: null", ""),
    ("revocations: none.txt", "1:14: error: cannot read"),
    ("revocations: ca", "cannot read"),
    ("revocations: ''", "error: empty text"),
    ("revocations: [a]", "expected text, found a list"),
    (
        "resourecs: []",
        "1:1: error: unknown key `resourecs` (did you mean `resources`?)",
    ),
];

#[test]
fn smaller_sections() {
    check(SMALLER_SECTIONS, beside_the_rest);
}

const IDENTITY_HEADERS: Cases = &[
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
];

const IDENTITY_HEADERS_2: Cases = &[
    ("[]", ""),
    ("[email, name]", ""),
    ("[subject, subject]", "listed twice"),
    ("[client_id]", "did you mean `client-id`?"),
];

#[test]
fn identity_headers() {
    check(IDENTITY_HEADERS, |prefix| {
        beside_the_rest(&format!("identity_headers: {{prefix: '{prefix}'}}"))
    });
    check(IDENTITY_HEADERS_2, |send| {
        beside_the_rest(&format!("identity_headers: {{send: {send}}}"))
    });
}
