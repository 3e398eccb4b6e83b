//! The rules of `policies.bundle`.

use super::*;

const KEYS: &str = "keys: [{file: p256.pem, algorithm: ES256}]";

const PLACES: Cases = &[
    ("file: a.tar.gz", ""),
    ("file: a.tar, keep: kept, interval: 1s", ""),
    (
        "file: bundle, keep: bundle/kept",
        "`keep` and `file` lie in each other (name another directory",
    ),
    (
        "file: kept/bundle.tar, keep: ./kept",
        "`keep` and `file` lie in each other",
    ),
    ("url: 'https://p.example/a.tar', keep: kept", ""),
    ("file: ''", "error: empty text"),
    ("keep: kept", "no place of the bundle (set `file` or `url`)"),
    (
        "file: a, url: 'https://p.example/a', keep: kept",
        "`file` and `url`: only one of them",
    ),
    ("url: 'https://p.example/a'", "a `url` without `keep`"),
    (
        "url: 'http://p.example/a', keep: kept",
        "policies would be fetched over plain http",
    ),
    (
        "url: 'ftp://p.example/a', keep: kept",
        "is not an absolute URL",
    ),
    (
        "url: 'https://me@p.example/a', keep: kept",
        "credentials in a URL",
    ),
    (
        "file: a, ca_file: ca.pem",
        "`ca_file` without `url` has no effect",
    ),
    (
        "file: a, insecure_allow_http: false",
        "`insecure_allow_http` without `url` has no effect",
    ),
    (
        "url: 'http://p.example/a', keep: kept, insecure_allow_http: true",
        "`insecure_allow_http` is on",
    ),
    ("file: a, interval: 999ms", "between 1s and 24h"),
    ("file: a, interval: 25h", "between 1s and 24h"),
    ("file: a, intervall: 1m", "did you mean `interval`?"),
];

#[test]
fn places() {
    check(PLACES, |text| {
        beside_the_rest(&format!("policies: {{bundle: {{{text}, {KEYS}}}}}"))
    });
}

const SIGNERS: Cases = &[
    ("{file: p256.pem, algorithm: ES256}", ""),
    (
        "{file: p256.pem, algorithm: ES256}, {file: rsa.pem, algorithm: PS512}",
        "",
    ),
    (
        "{file: p256.pem, algorithm: ES256, kid: a}, {file: p256.pem, algorithm: ES256, kid: b}",
        "",
    ),
    ("", "at least one key is needed"),
    ("{file: p256.pem}", "missing key `algorithm`"),
    ("{algorithm: ES256}", "no key (set `file` or `pem`)"),
    (
        "{algorithm: ES256, file: p256.pem, pem: x}",
        "`file` and `pem`: only one of them",
    ),
    (
        "{algorithm: RS256, file: p256.pem}",
        "none that fits `RS256`",
    ),
    ("{algorithm: ES256, file: gone.pem}", "cannot read"),
    (
        "{algorithm: HS256, file: p256.pem}",
        "`HS256` is symmetric: who can verify a bundle could also sign one",
    ),
    ("{algorithm: none, file: p256.pem}", "without a signature"),
    (
        "{algorithm: ES256, file: p256.pem, kid: a}, {algorithm: RS256, file: rsa.pem, kid: a}",
        "a second key with the same `kid`",
    ),
    (
        "{algorithm: ES256, file: p256.pem}, {algorithm: ES256, file: p256.pem, kid: b}",
        "two keys for one algorithm, and not both with a `kid`",
    ),
    (
        "{algorithm: ES256, pem: \"-----BEGIN PRIVATE KEY-----\"}",
        "a private key where a public key is wanted",
    ),
];

#[test]
fn signers() {
    check(SIGNERS, |text| {
        beside_the_rest(&format!(
            "policies: {{bundle: {{file: a, keys: [{text}]}}}}"
        ))
    });
}

#[test]
fn a_bundle_is_in_place_of_a_directory() {
    let text = |rest: &str| {
        beside_the_rest(&format!(
            "policies: {{bundle: {{file: a, {KEYS}}}, {rest}}}"
        ))
    };
    assert_eq!(faults_of(&text("dir: null")), "");
    let faults = faults_of(&text("dir: policies"));
    assert!(
        faults.contains("`dir` and `bundle`: only one of them"),
        "{faults}"
    );
    let rules = parsed(&text("reload_interval: 2s")).unwrap();
    let rules = rules.config.policies.bundle.unwrap();
    assert_eq!(rules.interval, Duration::from_secs(2), "a file, by default");
    assert_eq!(rules.place, BundlePlace::File(fixtures().join("a")));
}

#[test]
fn every_key_of_a_bundle_arrives() {
    let path = fixtures().join("bundle.yaml");
    let loaded = parsed(&files::text(&path, LARGEST).unwrap()).unwrap();
    assert_eq!(loaded.warnings, []);
    let rules = loaded.config.policies.bundle.unwrap();
    let BundlePlace::Url(url, remote) = &rules.place else {
        panic!("a URL");
    };
    assert_eq!(url.as_str(), "https://policies.example.com/weather.tar.gz");
    assert!(remote.ca_pem.is_none() && !remote.insecure_allow_http);
    assert_eq!(rules.keys[0].kid.as_deref(), Some("2026"));
    assert_eq!(rules.keys[1].algorithm, Algorithm::EdDsa);
    assert_eq!(rules.keep, Some(fixtures().join("kept")));
    assert_eq!(rules.interval, Duration::from_secs(60));
    let text =
        format!("policies: {{bundle: {{url: 'https://p.example/a', keep: k, {KEYS}}}}}\n{REST}");
    let rules = parsed(&text).unwrap().config.policies.bundle.unwrap();
    assert_eq!(rules.interval, Duration::from_secs(30), "a URL, by default");
}

/// What is not signed must not take the place of what is without a word.
#[test]
fn a_directory_on_the_command_line_wins_and_is_warned_of() {
    let text = beside_the_rest(&format!("policies: {{bundle: {{file: a, {KEYS}}}}}"));
    let overrides = Overrides {
        policies_dir: Some("elsewhere".into()),
        ..Overrides::default()
    };
    let loaded = parse_with(&source(&text), &fixtures(), &environment, &overrides).unwrap();
    assert_eq!(loaded.config.policies.dir, Path::new("elsewhere"));
    assert!(loaded.config.policies.bundle.is_none());
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("`policies.bundle` is not used"),
        "{warnings:?}"
    );
}

#[test]
fn plain_http_is_told_at_start() {
    let text = format!(
        "policies: {{bundle: {{url: 'http://p.example/a', keep: k, insecure_allow_http: true, {KEYS}}}}}"
    );
    let danger = parsed(&beside_the_rest(&text)).unwrap().config.danger();
    assert_eq!(danger.len(), 1, "{danger:?}");
    assert!(danger[0].starts_with("`policies.bundle.insecure_allow_http` is on:"));
}
