//! Rules of the credentials that the file itself defines.

use super::*;

const API_KEY: &str = "x0123456789012345678901234567890123456789ab";
const HASH: &str = "'sha256:0000000000000000000000000000000000000000000000000000000000000001'";

fn one(fields: &str) -> String {
    let fields = fields.replace("KEY", API_KEY).replace("HASH", HASH);
    format!(
        "authenticators: [{{name: a, {fields}}}]\n\
         resources: [{{name: weather, url: https://mcp.example.com/mcp, kind: mcp}}]\n"
    )
}

const HEADERS: Cases = &[
    ("x-api-key", ""),
    ("X-Service-Key", ""),
    ("key", ""),
    ("'x api key'", "`x api key` cannot be the header of keys"),
    ("x_api_key", "letters, digits and `-`"),
    ("'-x'", "a letter first"),
    ("''", "error: empty text"),
    ("Authorization", "it has a meaning of its own"),
    ("proxy-authorization", "it has a meaning of its own"),
    ("dpop", "it has a meaning of its own"),
    ("cookie", "it has a meaning of its own"),
    ("host", "it has a meaning of its own"),
    ("content-type", "it has a meaning of its own"),
    ("transfer-encoding", "it has a meaning of its own"),
    ("connection", "it has a meaning of its own"),
    ("x-forwarded-for", "it has a meaning of its own"),
    ("x-forwarded-client-cert", "it has a meaning of its own"),
    ("x-envoy-peer", "it has a meaning of its own"),
    ("x-request-id", "it has a meaning of its own"),
    ("traceparent", "it has a meaning of its own"),
    ("origin", "it has a meaning of its own"),
    ("mcp-session-id", "it has a meaning of its own"),
    ("x-cedargate-secret", "it has a meaning of its own"),
];

#[test]
fn headers_of_keys() {
    check(HEADERS, |header| {
        one(&format!(
            "type: api_key, header: {header}, keys: {{a: HASH}}"
        ))
    });
    let prefixed = |prefix: &str| {
        let keys = one("type: api_key, header: x-user-key, keys: {a: HASH}");
        faults_of(&format!("{keys}identity_headers: {{prefix: {prefix}}}\n"))
    };
    assert_eq!(prefixed("x-users-"), "");
    let faults = prefixed("x-user-");
    let expected = "1:51: error: the header of keys stands under the prefix of identity headers";
    assert!(faults.contains(expected), "{faults}");
}

const KEYS: Cases = &[
    (
        "[{id: a, secret: KEY, roles: [r], groups: [g], scopes: [s], tenant: t}]",
        "",
    ),
    ("[{id: a, hash: HASH}, {id: b, secret: KEY}]", ""),
    ("{a: HASH}", ""),
    ("[]", "at least one key is needed"),
    ("{}", "at least one key is needed"),
    (
        "abc",
        "expected a list of keys, or a mapping from ids to hashes",
    ),
    ("[{secret: KEY}]", "missing key `id`"),
    ("[{id: a}]", "no key (set `hash`"),
    (
        "[{id: a, hash: HASH, secret: KEY}]",
        "`hash` and `secret`: only one",
    ),
    ("[{id: a, hash: KEY}]", "not the hash of a key"),
    ("[{id: a, hash: 'sha256:00'}]", "not the hash of a key"),
    ("[{id: a, hash: 'sha512:00'}]", "64 hexadecimal digits"),
    ("{a: KEY}", "not the hash of a key"),
    ("{a: {hash: HASH}}", "expected text, found a mapping"),
    ("{a.b: HASH}", "not the id of a key"),
    ("[{id: '', hash: HASH}]", "not the id of a key"),
    ("[{id: 'a#b', hash: HASH}]", "not the id of a key"),
    (
        "[{id: KEYxxxxxxxxxxxxxxxxxxxxxx, hash: HASH}]",
        "at most 64",
    ),
    ("[{id: KEYxxxxxxxxxxxxxxxxxxxxx, hash: HASH}]", ""),
    (
        "[{id: a, hash: HASH}, {id: a, secret: KEY}]",
        "a second key named `a`",
    ),
    (
        "[{id: a, hash: HASH}, {id: b, hash: HASH}]",
        "another id has the same key",
    ),
    ("{a: HASH, b: HASH}", "another id has the same key"),
    (
        "[{id: a, secret: short12}]",
        "error: a secret of less than 8 bytes",
    ),
    (
        "[{id: a, secret: short123}]",
        "warning: a secret of less than 32 bytes can be guessed (make one with `cedargate apikey new`)",
    ),
    ("[{id: a, secret: 'KEY KEY'}]", "a header cannot carry"),
    ("[{id: a, secret: 'KEY\u{e9}'}]", "a header cannot carry"),
    ("[{id: a, secret: a.KEY}]", ""),
    (
        "[{id: b, secret: a.KEY}]",
        "a key that was made for another id",
    ),
    ("[{id: b, secret: a.KEYx}]", ""),
    (
        "[{id: a, hash: HASH, scopes: ['a b']}]",
        "`a b` is not a scope",
    ),
    (
        "[{id: a, hash: HASH, roles: [a, a]}]",
        "`a` is listed twice",
    ),
    ("[{id: a, hash: HASH, tenant: ''}]", ""),
    (
        "[{id: a, hash: HASH, tenant: \"a\\nb\"}]",
        "control characters",
    ),
    ("[{id: a, hash: HASH, role: [a]}]", "did you mean `roles`?"),
];

#[test]
fn keys() {
    check(KEYS, |keys| one(&format!("type: api_key, keys: {keys}")));
    let text = one("type: api_key, header: x-key");
    assert!(faults_of(&text).contains("missing key `keys`"));
}

#[test]
fn keys_have_a_bound() {
    let with = |count: u32| {
        let keys: Vec<String> = (0..count)
            .map(|n| format!("k{n}: 'sha256:{n:064}'"))
            .collect();
        let text = one(&format!("type: api_key, keys: {{{}}}", keys.join(", ")));
        faults_of(&text)
    };
    assert_eq!(with(10_000), "");
    assert!(with(10_001).contains("more than 10000 keys"));
}

const STATIC_TOKENS: Cases = &[
    ("token: KEY, subject: operator, roles: [admin]", ""),
    ("token: KEY==, subject: operator", ""),
    ("token: KEY", "missing key `subject`"),
    ("subject: operator", "missing key `token`"),
    ("token: KEY, subject: 'a#b'", "`a#b` cannot name a caller"),
    ("token: KEY, subject: \"a\\tb\"", "control characters"),
    ("token: KEY, subject: ''", "empty text"),
    (
        "token: KEY=a, subject: a",
        "characters that no bearer token has",
    ),
    (
        "token: 'KEY,', subject: a",
        "characters that no bearer token has",
    ),
    ("token: 'KEY a', subject: a", "a header cannot carry"),
    (
        "token: short12, subject: a",
        "error: a secret of less than 8 bytes",
    ),
    (
        "token: short123, subject: a",
        "warning: a secret of less than 32 bytes",
    ),
    (
        "token: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.KEY, subject: a",
        "a token in the form of a signed JWT",
    ),
    ("token: abcdefghijklmnop.abc.KEY, subject: a", ""),
    ("token: KEY, subject: a, header: x", "unknown key `header`"),
];

#[test]
fn static_tokens() {
    check(STATIC_TOKENS, |fields| {
        one(&format!("type: static_token, {fields}"))
    });
}

const TRUST_DOMAINS: Cases = &[
    ("[example.org]", ""),
    ("[example.org, prod_1.example-2.com]", ""),
    ("[]", "at least one trust domain is needed"),
    ("example.org", "expected a list"),
    ("[spiffe://example.org]", "did you mean `example.org`?"),
    ("[spiffe://example.org/ns/a]", "did you mean `example.org`?"),
    ("[Example.org]", "did you mean `example.org`?"),
    (
        "['example.org:443']",
        "lower-case letters, digits, `.`, `-` and `_`",
    ),
    ("[a, a]", "`a` is listed twice"),
];

#[test]
fn trust_domains() {
    check(TRUST_DOMAINS, |domains| {
        one(&format!("type: mtls, trust_domains: {domains}"))
    });
    let with = |length: usize| {
        let domain = "a".repeat(length);
        faults_of(&one(&format!("type: mtls, trust_domains: [{domain}]")))
    };
    assert_eq!(with(255), "");
    assert!(with(256).contains("is not a trust domain"));
}
