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
    ("name: a, type: apikey", "did you mean `api_key`?"),
    (
        "name: a, type: saml",
        "one of: oidc, jwt, introspection, api_key, static_token, mtls, anonymous",
    ),
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
    ("claims: {preset: keycloak}", ""),
    ("claims: {preset: null}", ""),
    ("claims: {preset: keyclok}", "did you mean `keycloak`?"),
    (
        "claims: {preset: ping}",
        "one of: keycloak, auth0, entra, okta, cognito",
    ),
    (
        "revocations: a",
        "1:67: error: unknown key `revocations` (known here:",
    ),
    ("dpop: {required: true, nonce: false}", ""),
    ("dpop: true", "expected a mapping, found `true`"),
    ("dpop: {required: 1}", "expected `true` or `false`"),
    ("rfc9068: true", ""),
    ("rfc9068: true, token_types: [application/at+JWT]", ""),
    (
        "rfc9068: true, token_types: [at+jwt, jwt]",
        "`rfc9068` knows the token type `at+jwt` only",
    ),
    ("rfc9068: false, token_types: [jwt]", ""),
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
        "warning: `insecure_skip_issuer` is on: tokens of any issuer",
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
    (
        "[{algorithm: RS256}]",
        "no key (set `file`, `pem` or `secret`)",
    ),
    (
        "[{file: rsa.pem, pem: x, algorithm: RS256}]",
        "only one of them",
    ),
    (
        "[{secret: x, file: rsa.pem, algorithm: RS256}]",
        "only one of them",
    ),
    (
        "[{file: rsa.pem, algorithm: HS256}]",
        "`HS256` is symmetric: who can verify",
    ),
    (
        "[{secret: \"-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA\\n\", algorithm: HS256}]",
        "a key in PEM form where a secret is wanted",
    ),
    (
        "[{secret: '${file:p256.pem}', algorithm: HS256}]",
        "a key in PEM form where a secret is wanted",
    ),
    (
        "[{secret: 0123456789-0123456789-0123456789, algorithm: RS256}]",
        "`RS256` is not for a secret (one of: HS256, HS384, HS512)",
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
    let faults = faults_of(&text);
    let expected = "1:50: error: `RS256` is not among `algorithms`, and one of `keys` is for it";
    assert!(faults.contains(expected), "{faults}");
    let text = one_authenticator(
        "name: a, type: jwt, issuer: a, ca_file: ca.pem, keys: [{file: rsa.pem, algorithm: RS256}]",
    );
    assert!(faults_of(&text).contains("`ca_file` without `jwks_uri` has no effect"));
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    for (algorithm, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let faults = |secret: &str| {
            faults_of(&one_authenticator(&format!(
                "name: a, type: jwt, issuer: a, keys: [{{secret: '{secret}', algorithm: {algorithm}}}]"
            )))
        };
        let secret: String = "0123456789abcdef".chars().cycle().take(least).collect();
        assert_eq!(faults(&secret), "");
        let short = faults(secret.strip_prefix('0').unwrap());
        let expected = format!("`{algorithm}` needs a secret of at least {least} bytes");
        assert!(short.contains(&expected), "{short}");
        let repeated = faults(&"a".repeat(least));
        assert!(
            repeated.contains("a secret of one byte, repeated"),
            "{repeated}"
        );
    }
}

#[test]
fn symmetric_algorithms_are_for_secrets_of_the_file() {
    let secret = "0123456789-0123456789-0123456789";
    let with = |algorithms: &str, keys: &str| {
        faults_of(&one_authenticator(&format!(
            "name: a, type: jwt, issuer: a, algorithms: [{algorithms}], {keys}"
        )))
    };
    let local = format!("keys: [{{secret: {secret}, algorithm: HS256}}]");
    assert_eq!(with("HS256", &local), "");
    assert_eq!(with("HS256, RS256", &local), "");
    let faults = with("RS256", &local);
    assert!(
        faults.contains("`HS256` is not among `algorithms`"),
        "{faults}"
    );
    let faults = with("HS256", "jwks_uri: https://a.example/k");
    assert!(faults.contains("`HS256` is symmetric"), "{faults}");
}
