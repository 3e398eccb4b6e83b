//! Rules of tokens that somebody is asked about, and of those that are made here.

use super::*;

const RESOURCES: &str = "resources: [{name: w, url: https://m.example, kind: mcp}]";

const HASH: &str = "'sha256:0000000000000000000000000000000000000000000000000000000000000001'";

const INTROSPECTION: Cases = &[
    (
        "endpoint: https://a.example/i, client_id: rs, client_secret: s",
        "",
    ),
    (
        "endpoint: https://a.example/i?x, client_id: rs, client_secret: 's s', issuer: https://a.example",
        "",
    ),
    ("client_id: rs, client_secret: s", "missing key `endpoint`"),
    (
        "endpoint: https://a.example, client_secret: s",
        "missing key `client_id`",
    ),
    (
        "endpoint: https://a.example, client_id: rs",
        "missing key `client_secret`",
    ),
    (
        "endpoint: http://a.example, client_id: rs, client_secret: s",
        "tokens and the client secret would be sent over plain http",
    ),
    (
        "endpoint: http://a.example, client_id: rs, client_secret: s, insecure_allow_http: true",
        "warning: `insecure_allow_http` is on",
    ),
    (
        "endpoint: https://u:p@a.example, client_id: rs, client_secret: s",
        "credentials in a URL",
    ),
    (
        "endpoint: 'https://a.example/#f', client_id: rs, client_secret: s",
        "a URL with a fragment",
    ),
    (
        "endpoint: introspect, client_id: rs, client_secret: s",
        "is not an absolute URL",
    ),
    (
        "endpoint: https://a.example, client_id: '', client_secret: s",
        "empty text",
    ),
    (
        "endpoint: https://a.example, client_id: \u{e9}, client_secret: s",
        "printable ASCII",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: ''",
        "empty secret",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: \u{e9}",
        "printable ASCII",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: s, issuer: 'a#b'",
        "`a#b` cannot be an issuer",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: s, ca_file: rsa.pem",
        "holds no certificates",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: s, algorithms: [RS256]",
        "unknown key `algorithms`",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: s, insecure_skip_issuer: true",
        "unknown key `insecure_skip_issuer`",
    ),
    (
        "endpoint: https://a.example, client_id: rs, client_secret: s, insecure_skip_audience: true",
        "warning: `insecure_skip_audience` is on",
    ),
];

#[test]
fn introspection() {
    check(INTROSPECTION, |fields| {
        format!("authenticators: [{{name: a, type: introspection, {fields}}}]\n{RESOURCES}\n")
    });
}

const DEV_TOKENS: Cases = &[
    ("clients: [{client_id: a, client_secret: 12345678x}]", ""),
    (
        "lifetime: 1s, clients: [{client_id: a, client_secret: 12345678x}]",
        "",
    ),
    (
        "lifetime: 24h, clients: [{client_id: a, client_secret: 12345678x}]",
        "",
    ),
    (
        "lifetime: 25h, clients: [{client_id: a, client_secret: 12345678x}]",
        "between 1s and 24h",
    ),
    (
        "lifetime: 0s, clients: [{client_id: a, client_secret: 12345678x}]",
        "duration out of bounds",
    ),
    ("lifetime: 1h", "missing key `clients`"),
    ("clients: []", "at least one client is needed"),
    (
        "clients: [{client_id: a, client_secret: 123456x}]",
        "less than 8 bytes",
    ),
    ("clients: [{client_id: a}]", "missing key `client_secret`"),
    (
        "clients: [{client_secret: 12345678x}]",
        "missing key `client_id`",
    ),
    (
        "clients: [{client_id: 'a#', client_secret: 12345678x}]",
        "`a#` cannot name a caller",
    ),
    (
        "clients: [{client_id: a, client_secret: 12345678x, subject: 'a#b'}]",
        "`a#b` cannot name a caller",
    ),
    (
        "clients: [{client_id: a, client_secret: 12345678x}, {client_id: a, client_secret: 12345678y}]",
        "a second client named `a`",
    ),
    (
        "clients: [{client_id: a, client_secret: 12345678x, secret: x}]",
        "unknown key `secret`",
    ),
];

#[test]
fn dev_tokens() {
    check(DEV_TOKENS, |fields| {
        format!("dev_tokens: {{{fields}}}\n{RESOURCES}\n")
    });
}

const AROUND_DEV_TOKENS: Cases = &[
    ("authenticators: [{name: any, type: anonymous}]", ""),
    (
        "authenticators: [{name: k, type: api_key, keys: {a: HASH}}, {name: m, type: mtls, trust_domains: [a]}]",
        "",
    ),
    ("authenticators: null", ""),
    ("authenticators: []", "at least one authenticator is needed"),
    (
        "authenticators: [{name: corp, type: oidc, issuer: https://a.example, roles: {allow: []}}]",
        "1:1: error: `dev_tokens` beside another issuer, `corp`",
    ),
    (
        "authenticators: [{name: ci, type: jwt, issuer: ci, roles: {allow: []}, keys: [{file: rsa.pem, algorithm: RS256}]}]",
        "beside another issuer, `ci`",
    ),
    (
        "authenticators: [{name: i, type: introspection, endpoint: https://a.example, client_id: a, client_secret: b, roles: {allow: []}}]",
        "beside another issuer, `i`",
    ),
    (
        "authenticators: [{name: dev-tokens, type: anonymous}]",
        "an authenticator named `dev-tokens` beside `dev_tokens`",
    ),
    (
        "listen: {grpc: 0.0.0.0:9191}",
        "`dev_tokens` while others can reach `listen.grpc`",
    ),
    ("listen: {http: 192.0.2.1:1}", "can reach `listen.http`"),
    ("listen: {admin: '[::]:1'}", "can reach `listen.admin`"),
    ("listen: {public: 10.0.0.1:1}", "can reach `listen.public`"),
    (
        "listen: {grpc: 'unix:/g', http: '[::1]:1', public: 127.1.2.3:2, admin: '[::ffff:127.0.0.1]:3'}",
        "",
    ),
];

#[test]
fn development_tokens_mix_with_nothing() {
    check(AROUND_DEV_TOKENS, |rest| {
        let rest = rest.replace("HASH", HASH);
        format!(
            "dev_tokens: {{clients: [{{client_id: a, client_secret: 12345678x}}]}}\n{RESOURCES}\n{rest}\n"
        )
    });
}
