//! The rules that the targets judge by, read from configuration as the program reads them.

use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;

use cedargate::config;
use cedargate::config::AuthenticatorKind;
use cedargate::config::Config;
use cedargate::config::IntrospectionRules;
use cedargate::config::JwtRules;
use cedargate::config::KeyOrigin;
use cedargate::fault::Source;
use cedargate::identity::crypto;
use cedargate::identity::key_set::KeySet;

use crate::keys;

/// The time of all targets, seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const ISSUER: &str = "https://issuer.example";

/// The one resource, and so the audience.
pub(crate) const AUDIENCE: &str = "https://mcp.example/mcp";

/// What else an authenticator is told, by the number that the first byte of an input chooses.
const VARIANTS: [&str; 7] = [
    "",
    ", claims: {preset: keycloak}",
    ", claims: {preset: auth0}",
    ", claims: {preset: entra}",
    ", claims: {preset: okta}",
    ", claims: {preset: cognito}",
    ", roles: {prefix: 'p:'}, groups: {allow: [a, b]}, dpop: {required: true}",
];

/// The rules for signed tokens: each variant, and then RFC 9068.
pub(crate) static SIGNED: LazyLock<Vec<JwtRules>> = LazyLock::new(|| {
    let variants = VARIANTS.iter().chain(&[", rfc9068: true"]);
    variants
        .map(|more| jwt(&format!("jwks_uri: '{ISSUER}/jwks.json'{more}")))
        .collect()
});

/// The rules for introspection: each variant with an issuer, and then one without.
pub(crate) static INTROSPECTED: LazyLock<Vec<IntrospectionRules>> = LazyLock::new(|| {
    let known = VARIANTS
        .iter()
        .map(|more| introspection(&format!("issuer: '{ISSUER}'{more}")));
    known.chain([introspection("leeway: 30s")]).collect()
});

/// The issuer's published keys.
pub(crate) static PUBLISHED: LazyLock<KeySet> = LazyLock::new(|| {
    let rules = SIGNED.first().expect("there are rules");
    let (keys, skipped) = KeySet::from_jwks(keys::jwks().as_bytes(), rules, 1).expect("a key set");
    assert_eq!((keys.len(), skipped.len()), (3, 0));
    keys
});

/// An issuer whose key is a secret in the configuration.
pub(crate) static SECRET: LazyLock<(JwtRules, KeySet)> = LazyLock::new(|| {
    let secret = keys::SECRET;
    let rules = jwt(&format!("keys: [{{secret: '{secret}', algorithm: HS256}}]"));
    let KeyOrigin::Local(listed) = &rules.keys else {
        panic!("a key of another origin");
    };
    let keys = KeySet::from_local(listed).expect("a secret");
    (rules, keys)
});

/// The configuration of a gateway that may vouch for certificates.
pub(crate) static GATEWAY: LazyLock<Config> = LazyLock::new(|| {
    parse(
        "{name: corp, type: anonymous}",
        "{xfcc_peers: [10.0.0.5/32]}",
    )
});

pub(crate) fn authenticator() -> &'static Arc<str> {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("corp"));
    &NAME
}

/// The one that the first byte chooses (`0` is the first), and the bytes that follow.
pub(crate) fn choose<'r, 'd, T>(from: &'r [T], data: &'d [u8]) -> Option<(&'r T, &'d [u8])> {
    let (first, rest) = data.split_first()?;
    let at = usize::from(first.wrapping_sub(b'0')) % from.len();
    Some((from.get(at)?, rest))
}

fn jwt(more: &str) -> JwtRules {
    match only(&format!("type: jwt, issuer: '{ISSUER}', {more}")) {
        AuthenticatorKind::Jwt(rules) => *rules,
        other => panic!("{other:?}"),
    }
}

fn introspection(more: &str) -> IntrospectionRules {
    let endpoint = format!("endpoint: '{ISSUER}/introspect', client_id: rs, client_secret: s3cr3t");
    match only(&format!("type: introspection, {endpoint}, {more}")) {
        AuthenticatorKind::Introspection(rules) => *rules,
        other => panic!("{other:?}"),
    }
}

fn only(text: &str) -> AuthenticatorKind {
    let config = parse(&format!("{{name: corp, {text}}}"), "{}");
    match config.authenticators.as_slice() {
        [one] => one.kind.clone(),
        several => panic!("{several:?}"),
    }
}

fn parse(authenticator: &str, listen: &str) -> Config {
    // What verifies must be chosen before anything is verified; this runs before that.
    crypto::install().expect("signatures can be checked");
    let text = format!(
        "listen: {listen}\nauthenticators: [{authenticator}]\n\
         resources: [{{name: r, url: '{AUDIENCE}', kind: http, authenticators: [corp]}}]\n"
    );
    let source = Source {
        name: "fuzz.yaml".into(),
        text: text.into(),
    };
    let nothing = |_: &str| None;
    match config::parse(&source, Path::new(""), &nothing) {
        Ok(loaded) => loaded.config,
        Err(faults) => panic!("{}", cedargate::fault::render::render(&faults, false)),
    }
}
