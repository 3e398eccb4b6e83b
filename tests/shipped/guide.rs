//! What `docs/authentication.md` says: its configurations load, its messages are those of the reader,
//! and its tables are those of the program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cedargate::config;
use cedargate::config::AuthenticatorKind;
use cedargate::config::ClaimPath;
use cedargate::config::ClaimPaths;
use cedargate::config::Config;
use cedargate::config::KeyOrigin;
use cedargate::config::Loaded;
use cedargate::config::LocalMaterial;
use cedargate::fault::Fault;
use cedargate::fault::Source;
use cedargate::identity::revocation::Revocations;

use super::DOCUMENTS;
use super::PROGRAM;
use super::blocks;
use super::text;

const GUIDE: &str = "docs/authentication.md";

/// What the tests below put behind the authenticators that they try.
const WEATHER: &str =
    "\nresources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]\n";

/// What stands behind `authenticators:`, and what is said of it. The one that is only warned of has a
/// mistake beside it.
const REFUSED: [(&str, &str); 24] = [
    (
        "[{name: corp, type: anonymous}]",
        "no authenticator answers for this resource",
    ),
    (
        r#"[{name: corp, type: oidc, issuer: "http://e.com"}]"#,
        "keys would be fetched over plain http",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com?a=1}]",
        "an issuer has no query",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com, leeway: 6m}]",
        "duration out of bounds",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com, rfc9068: true, token_types: [JWT]}]",
        "`rfc9068` knows the token type `at+jwt` only",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com, algorithms: [HS256]}]",
        "`HS256` is symmetric: who can verify a token could also forge one",
    ),
    (
        "[{name: corp, type: jwt, issuer: i, keys: [{file: issuer.pem, algorithm: HS256}]}]",
        "`HS256` is symmetric: who can verify a token could also forge one",
    ),
    (
        "[{name: corp, type: jwt, issuer: i, keys: [{secret: short, algorithm: HS256}]}]",
        "`HS256` needs a secret of at least 32 bytes",
    ),
    (
        r#"[{name: corp, type: jwt, issuer: i, keys: [{secret: "-----BEGIN PUBLIC KEY-----", algorithm: HS256}]}]"#,
        "a key in PEM form where a secret is wanted",
    ),
    (
        r#"[{name: corp, type: jwt, issuer: i, keys: [{pem: "-----BEGIN PRIVATE KEY-----", algorithm: ES256}]}]"#,
        "a private key where a public key is wanted",
    ),
    (
        "[{name: corp, type: jwt, issuer: i, keys: [{file: ca.pem, algorithm: ES256}]}]",
        "no public key in PEM form, or none that fits `ES256`",
    ),
    (
        r#"[{name: corp, type: introspection, client_id: c, client_secret: s, endpoint: "http://e.com"}]"#,
        "tokens and the client secret would be sent over plain http",
    ),
    (
        r#"[{name: corp, type: api_key, header: authorization, keys: {a: "sha256:49b2d8a33074033240b1c5b840d5d5eb30640448d9f701c96740f44d9c2ec95b"}}]"#,
        "`authorization` cannot be the header of keys",
    ),
    (
        "[{name: corp, type: api_key, keys: [{id: a, secret: short}]}]",
        "a secret of less than 8 bytes",
    ),
    (
        "[{name: corp, type: api_key, keys: [{id: a, secret: b.ccccccccccccccccccccccccccccccccccccccccccc}]}]",
        "a key that was made for another id",
    ),
    (
        "[{name: corp, type: static_token, token: eyJhbGciOiJub25lIn0.e30.c2ln, subject: a}]",
        "a token in the form of a signed JWT",
    ),
    (
        "[{name: corp, type: mtls, trust_domains: []}]",
        "at least one trust domain is needed",
    ),
    (
        r#"[{name: corp, type: mtls, trust_domains: ["spiffe://Example.org/a"]}]"#,
        "`spiffe://Example.org/a` is not a trust domain",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com}]\nlisten: {xfcc_peers: [0.0.0.0/0]}\nadmin: 1",
        "whoever calls from `0.0.0.0/0` may claim any client certificate",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://e.com}]\ndev_tokens: {clients: [{client_id: a, client_secret: not-a-secret}]}",
        "`dev_tokens` beside another issuer, `corp`",
    ),
    (
        r#"[]
dev_tokens: {clients: [{client_id: a, client_secret: not-a-secret}]}
listen: {http: "0.0.0.0:1"}"#,
        "`dev_tokens` while others can reach `listen.http`",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://a.com}, {name: partner, type: oidc, issuer: https://b.com}]",
        "`corp` and `partner` could each assert the roles of the other on this resource",
    ),
    (
        "[{name: corp, type: oidc, issuer: https://a.com}, {name: partner, type: oidc, issuer: https://a.com/}]",
        "`corp` and `partner` have issuers that differ only in case or in a slash at the end, and resource `weather` accepts both",
    ),
    (
        r#"[{name: corp, type: introspection, client_id: c, client_secret: s, endpoint: "https://a.com"}, {name: partner, type: introspection, client_id: c, client_secret: s, endpoint: "https://b.com"}]"#,
        "`corp` and `partner` would both be asked about a token without a known form, and resource `weather` accepts both",
    ),
];

#[test]
fn every_kind_of_authenticator_has_a_whole_configuration() {
    let mut seen = BTreeSet::new();
    for block in whole_configurations() {
        let Loaded { config, warnings } =
            load(&block).unwrap_or_else(|faults| panic!("{block}{faults:#?}"));
        let warned = !warnings.is_empty();
        assert_eq!(warned, block.contains("insecure_"), "{block}{warnings:#?}");
        seen.extend(kinds(&config));
    }
    let expected = BTreeSet::from([
        "anonymous",
        "api_key",
        "dev_tokens",
        "introspection",
        "jwt: a PEM file",
        "jwt: a secret",
        "jwt: jwks_uri",
        "mtls",
        "oidc",
        "static_token",
    ]);
    assert_eq!(seen, expected);
}

#[test]
fn a_configuration_of_the_guide_is_called_one() {
    let guide = text(GUIDE);
    for block in blocks(&guide) {
        let first = block.text.lines().next().unwrap_or_default();
        let known = ["# cedargate.yaml", "# revoked.yaml"].contains(&first);
        let is_yaml = block.language == "yaml";
        assert_eq!(known, is_yaml, "{GUIDE}, block at line {}", block.line);
    }
}

#[test]
fn its_list_of_revocations_is_one() {
    let guide = text(GUIDE);
    let mut lists = blocks(&guide)
        .into_iter()
        .filter(|block| block.text.starts_with("# revoked.yaml\n"));
    let list = lists.next().expect("the guide shows a list");
    let source = Source {
        name: "revoked.yaml".into(),
        text: list.text.into(),
    };
    assert_eq!(Revocations::parse(&source).expect("a list").len(), 7);
    assert!(lists.next().is_none());
}

#[test]
fn validate_reads_the_list_of_revocations_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cedargate.yaml");
    let policies = std::env::current_dir().expect("a folder").join("policies");
    let text = format!(
        "authenticators: [{{name: corp, type: oidc, issuer: https://auth.example.com}}]{WEATHER}\
         policies: {{dir: {}}}\nrevocations: revoked.yaml\n",
        policies.display()
    );
    std::fs::write(&file, text).expect("a file can be written");
    for (list, code, said) in [
        ("{}", 0, ""),
        ("", 3, "the list is empty"),
        ("jit: [a]", 3, "unknown field `jit`"),
    ] {
        std::fs::write(folder.path().join("revoked.yaml"), list).expect("a file can be written");
        for command in ["validate", "serve"] {
            if (command, code) == ("serve", 0) {
                continue;
            }
            let mut program = Command::new(PROGRAM);
            let output = program.args([command, "--config"]).arg(&file).output();
            let output = output.expect("the program runs");
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{command} {list}: {err}");
            assert!(err.contains(said), "{command} {list}: {err}");
        }
    }
}

#[test]
fn what_it_says_is_refused_is_refused_in_these_words() {
    // Lines are broken where they are full.
    let guide = text(GUIDE).split_whitespace().collect::<Vec<_>>().join(" ");
    for (authenticators, message) in REFUSED {
        let faults = load(&format!("authenticators: {authenticators}{WEATHER}"))
            .expect_err("something is refused");
        let found = faults.iter().any(|fault| fault.message == message);
        assert!(found, "{authenticators}: {message}\n{faults:#?}");
        assert!(guide.contains(message), "{GUIDE} does not say: {message}");
    }
}

#[test]
fn its_table_of_products_is_the_programs() {
    let guide = text(GUIDE);
    for preset in ["none", "keycloak", "auth0", "entra", "okta", "cognito"] {
        let claims = match preset {
            "none" => String::new(),
            product => format!(", claims: {{preset: {product}}}"),
        };
        let file = format!(
            "authenticators: [{{name: a, type: oidc, issuer: https://e.com{claims}}}]{WEATHER}"
        );
        let config = load(&file).expect("a preset").config;
        let AuthenticatorKind::Jwt(rules) = &config.authenticators[0].kind else {
            panic!("signed tokens");
        };
        let ClaimPaths {
            subject,
            client_id,
            roles,
            groups,
            scopes,
            tenant,
            email,
            name,
        } = &rules.tokens.claims;
        let columns = [client_id, roles, groups, scopes, tenant].map(|paths| shown(paths));
        let row = format!("| {preset} | {} |\n", columns.join(" | "));
        assert!(guide.contains(&row), "{GUIDE} lacks the row {row}");
        let same = [subject, name, email].map(|paths| shown(paths));
        assert_eq!(same, ["sub", "name", "email"], "{preset}");
    }
}

#[test]
fn the_dangers_are_told_in_the_words_of_the_log() {
    let guide = text(GUIDE);
    for switch in [
        "insecure_allow_http",
        "insecure_skip_audience",
        "insecure_skip_expiry",
        "insecure_skip_issued_at",
        "insecure_skip_issuer",
    ] {
        let file = format!(
            "authenticators: [{{name: a, type: oidc, issuer: https://e.com, {switch}: true}}]{WEATHER}"
        );
        let danger = load(&file).expect("a switch").config.danger();
        let meaning = danger[0].rsplit(" is on: ").next().unwrap_or_default();
        let row = format!("| `{switch}` | {meaning}");
        assert!(guide.contains(&row), "{GUIDE} lacks the row {row}");
    }
}

fn whole_configurations() -> Vec<String> {
    let found = blocks(&text(GUIDE)).into_iter().map(|block| block.text);
    found
        .filter(|text| text.starts_with("# cedargate.yaml\n"))
        .collect()
}

pub(super) fn load(file: &str) -> Result<Loaded, Vec<Fault>> {
    let source = Source {
        name: "cedargate.yaml".into(),
        text: file.into(),
    };
    let secret = "a-secret-that-is-long-enough-for-any-use";
    config::parse(&source, Path::new(DOCUMENTS), &|_: &str| {
        Some(secret.into())
    })
}

fn kinds(config: &Config) -> Vec<&'static str> {
    let all = config.authenticators.iter();
    all.map(|one| match &one.kind {
        AuthenticatorKind::Jwt(rules) => match &rules.keys {
            KeyOrigin::Discovery(_) => "oidc",
            KeyOrigin::JwksUri(..) => "jwt: jwks_uri",
            KeyOrigin::Local(keys) => match keys.first().map(|key| &key.material) {
                Some(LocalMaterial::Pem(_)) => "jwt: a PEM file",
                Some(LocalMaterial::Secret(_)) => "jwt: a secret",
                None => "jwt: no key",
            },
            KeyOrigin::Development => "dev_tokens",
        },
        AuthenticatorKind::Introspection(_) => "introspection",
        AuthenticatorKind::ApiKey(_) => "api_key",
        AuthenticatorKind::StaticToken(_) => "static_token",
        AuthenticatorKind::Mtls(_) => "mtls",
        AuthenticatorKind::Anonymous => "anonymous",
    })
    .collect()
}

fn shown(paths: &[ClaimPath]) -> String {
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    paths.join(", ")
}
