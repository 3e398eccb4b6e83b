//! Rules of authenticators.

use super::*;

fn one_authenticator(fields: &str) -> String {
    format!(
        "authenticators: [{{{fields}}}]\n\
         resources: [{{name: weather, url: https://mcp.example.com/mcp, kind: mcp}}]\n"
    )
}

const AUTHENTICATORS: Cases = &[
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
];

#[test]
fn authenticators() {
    check(AUTHENTICATORS, one_authenticator);
}

const TOKEN_RULES: Cases = &[
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
];

#[test]
fn token_rules() {
    check(TOKEN_RULES, |fields| {
        one_authenticator(&format!(
            "name: a, type: oidc, issuer: https://a.example, {fields}"
        ))
    });
}

const LOCAL_KEYS: Cases = &[
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
];

#[test]
fn local_keys() {
    check(LOCAL_KEYS, |keys| {
        one_authenticator(&format!("name: a, type: jwt, issuer: a, keys: {keys}"))
    });
    let text = one_authenticator(
        "name: a, type: jwt, issuer: a, algorithms: [ES256], keys: [{file: rsa.pem, algorithm: RS256}]",
    );
    assert!(faults_of(&text).contains("`RS256` is not among `algorithms`"));
    let text = one_authenticator(
        "name: a, type: jwt, issuer: a, ca_file: ca.pem, keys: [{file: rsa.pem, algorithm: RS256}]",
    );
    assert!(faults_of(&text).contains("`ca_file` without `jwks_uri` has no effect"));
}
