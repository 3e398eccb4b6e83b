//! Rules between credentials: what could be answered twice, and who could be taken for whom.

use super::*;

const TOKEN: &str = "0123456789-0123456789-0123456789";

/// Two authenticators, and what is wrong where one resource accepts both.
const PAIRS: &[(&str, &str, &str)] = &[
    (
        "KEYS, header: x-a, keys: {k: HASH}",
        "KEYS, header: x-b, keys: {l: HASH}",
        "",
    ),
    (
        "KEYS, header: x-a, keys: {k: HASH}",
        "KEYS, header: X-A, keys: {l: HASH}",
        "take keys from the same header, and resource `w` accepts both",
    ),
    (
        "STATIC, token: TOKEN, subject: x",
        "STATIC, token: TOKEN, subject: y",
        "have the same token, and resource `w` accepts both",
    ),
    (
        "STATIC, token: TOKEN, subject: x",
        "STATIC, token: TOKEN-2, subject: x",
        "",
    ),
    (
        "MTLS, trust_domains: [a, b]",
        "MTLS, trust_domains: [c, b]",
        "share a trust domain, and resource `w` accepts both",
    ),
    ("MTLS, trust_domains: [a]", "MTLS, trust_domains: [b]", ""),
    (
        "ASK, issuer: https://a.example",
        "ASK, issuer: https://b.example, roles: {allow: []}",
        "would both be asked about a token without a known form",
    ),
    (
        "ASK, issuer: https://a.example",
        "JWT, issuer: https://a.example/, roles: {allow: []}",
        "have issuers that differ only in case or in a slash",
    ),
    (
        "JWT, issuer: https://a.example, roles: {allow: []}",
        "ASK, issuer: https://a.example",
        "have the same issuer",
    ),
    (
        "JWT, issuer: https://a.example",
        "ASK",
        "could each assert the roles of the other",
    ),
    (
        "JWT, issuer: https://a.example",
        "ASK, roles: {prefix: 'b:'}",
        "",
    ),
    (
        "JWT, issuer: https://a.example",
        "STATIC, token: TOKEN, subject: x, roles: [r]",
        "",
    ),
];

/// A pair on one resource, and the same on a resource each.
fn faults_between(one: &str, other: &str) -> (String, String) {
    let written = |text: &str| {
        text.replace("KEYS", "type: api_key")
            .replace("HASH", &format!("'sha256:{:064}'", 1))
            .replace("STATIC", "type: static_token")
            .replace("TOKEN", TOKEN)
            .replace("MTLS", "type: mtls")
            .replace("ASK", "type: introspection, endpoint: https://a.example/i, client_id: c, client_secret: s")
            .replace("JWT", "type: jwt, jwks_uri: https://a.example/k")
    };
    let head = format!(
        "authenticators:\n  - {{name: one, {}}}\n  - {{name: two, {}}}\n",
        written(one),
        written(other)
    );
    let resource = |name: &str, names: &str| {
        format!(
            "  - {{name: {name}, url: https://{name}.example, kind: mcp, authenticators: [{names}]}}\n"
        )
    };
    let together = format!("{head}resources:\n{}", resource("w", "one, two"));
    let apart = format!(
        "{head}resources:\n{}{}",
        resource("w", "one"),
        resource("v", "two")
    );
    (faults_of(&together), faults_of(&apart))
}

#[test]
fn each_credential_has_one_answer() {
    for (one, other, expected) in PAIRS {
        let (together, apart) = faults_between(one, other);
        assert_eq!(apart, "", "{one}\n{other}");
        if expected.is_empty() {
            assert_eq!(together, "", "{one}\n{other}");
        } else {
            assert!(together.contains(expected), "{one}\n{other}\n{together}");
            assert!(!together.contains('\n'), "{together}");
        }
    }
}

/// What is wrong wherever the two are accepted.
const SAME_CALLERS: &[(&str, &str, &str)] = &[
    (
        "STATIC, token: TOKEN, subject: x",
        "JWT, issuer: one",
        "the callers of `one` and of `two` would have the same ids",
    ),
    (
        "JWT, issuer: TWO, roles: {allow: []}",
        "ASK",
        "the callers of `one` and of `two` would have the same ids",
    ),
    (
        "STATIC, token: TOKEN, subject: x",
        "ASK, issuer: one",
        "the callers of `one` and of `two` would have the same ids",
    ),
    (
        "KEYS, header: x-a, keys: {k: HASH}",
        "KEYS, header: x-b, keys: [{id: k, secret: TOKEN}]",
        "`one` and `two` have different keys of the same id",
    ),
];

#[test]
fn no_two_callers_have_one_id() {
    for (one, other, expected) in SAME_CALLERS {
        let (together, apart) = faults_between(one, other);
        for faults in [together, apart] {
            assert!(faults.contains(expected), "{one}\n{other}\n{faults}");
            assert!(!faults.contains('\n'), "{faults}");
        }
    }
    let same_key = "KEYS, header: x-b, keys: {k: HASH}";
    let (together, _) = faults_between("KEYS, header: x-a, keys: {k: HASH}", same_key);
    assert_eq!(together, "");
}

#[test]
fn one_authenticator_at_most_takes_any_issuer() {
    let any = |issuer: &str| {
        format!("JWT, issuer: {issuer}, insecure_skip_issuer: true, roles: {{prefix: '{issuer}:'}}")
    };
    let (together, apart) = faults_between(&any("a"), &any("b"));
    let expected = "would both take tokens of any issuer, and resource `w` accepts both";
    assert!(together.contains(expected), "{together}");
    assert!(!apart.contains("error"), "{apart}");
}

#[test]
fn a_key_is_no_default_for_strangers() {
    let text = format!(
        "authenticators: [{{name: k, type: static_token, token: {TOKEN}, subject: x}}, {{name: any, type: anonymous}}]\n\
         resources: [{{name: w, url: https://m.example, kind: mcp}}]\n"
    );
    let config = parsed(&text).unwrap().config;
    assert_eq!(config.resources[0].authenticators, [0]);
}
