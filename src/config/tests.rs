//! The configuration as a whole: what is accepted, what is refused, and how a report reads.

mod credentials;
mod described;
mod report;
mod rules;
mod schema;
mod secrets;

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;
use crate::fault::Lint;

/// The least that a file must say, but for what is under test.
const REST: &str = "
authenticators: [{name: corp, type: oidc, issuer: https://auth.example.com}]
resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]
";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn source(text: &str) -> Source {
    Source {
        name: "cedargate.yaml".into(),
        text: text.into(),
    }
}

fn environment(name: &str) -> Option<OsString> {
    match name {
        "SHARED_SECRET" => Some("correct-horse-battery".into()),
        "LONG_SECRET" => Some("hunter2-0123456789-0123456789-0123456789".into()),
        "WORD" => Some("hunter2".into()),
        _ => None,
    }
}

fn parsed(text: &str) -> Result<Loaded, Vec<Fault>> {
    parse(&source(text), &fixtures(), &environment)
}

fn full() -> Loaded {
    let path = fixtures().join("full.yaml");
    parsed(&files::text(&path, LARGEST).unwrap()).unwrap()
}

#[test]
fn every_key_of_the_full_example_arrives() {
    let Loaded { config, warnings } = full();
    assert_eq!(warnings, []);
    assert_eq!(config.danger(), Vec::<String>::new());
    assert_eq!(
        config.listen.http,
        Address::Unix("/run/cedargate/http.sock".into())
    );
    assert_eq!(config.listen.public.unwrap().to_string(), "[::1]:9194");
    assert_eq!(config.listen.trusted_peers.len(), 3);
    assert_eq!(config.listen.drain, Duration::from_secs(10));
    let secret = config.listen.shared_secret.unwrap();
    assert_eq!(secret.expose_secret(), "correct-horse-battery");
    let token = config.admin_token.unwrap();
    assert_eq!(token.expose_secret(), "0123456789abcdef0123456789abcdef");
    assert_eq!(config.client_ip, ClientIp::ForwardedFor);
    assert_eq!(config.limits.body, 256 * 1024);
    assert_eq!(config.limits.token, 8192);
    assert_eq!(config.limits.deadline, Duration::from_secs(1));
    assert_eq!(config.policies.dir, fixtures().join("policies"));
    assert!(config.policies.require_manifest);
    let allowed = [Lint::UnknownRole, Lint::LikeOnUri];
    assert_eq!(config.policies.allow_warnings, allowed);
    let file = fixtures().join("decisions.ndjson");
    assert_eq!(config.decision_log.to, DecisionSink::File(file));
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(config.explain_to_anonymous);
    assert_eq!(config.identity_headers.prefix, "x-caller-");
    assert_eq!(config.identity_headers.send.len(), 9);
    assert_eq!(config.listen.xfcc_peers.len(), 1);
    assert_eq!(config.revocations, Some(fixtures().join("revoked.txt")));
    assert!(config.dev_tokens.is_none());
    let sessions = config.sessions;
    assert_eq!(sessions.idle, Duration::from_secs(12 * 3_600));
    assert_eq!(sessions.per_principal, 50);
    let SessionStoreKind::Redis(redis) = sessions.store else {
        panic!("a Redis");
    };
    let url = "rediss://gate:hunter2@redis.example.com:6380/2";
    assert_eq!(redis.url.expose_secret(), url);
    assert_eq!(redis.prefix, "gate:");
    assert!(redis.ca_pem.is_some());
    let names: Vec<&str> = config.authenticators.iter().map(|one| &*one.name).collect();
    assert_eq!(
        names.join(" "),
        "corp partner ci legacy opaque keys more-keys shared mesh strangers"
    );
    assert_eq!(config.resources[0].authenticators, [0, 1, 9]);
    assert_eq!(
        config.resources[1].authenticators,
        [0, 1, 2, 3, 4, 5, 6, 7, 8]
    );
}

#[test]
fn the_rules_of_an_issuer_arrive() {
    let config = full().config;
    let AuthenticatorKind::Jwt(corp) = &config.authenticators[0].kind else {
        panic!("a token issuer");
    };
    assert_eq!(corp.algorithms, [Algorithm::Rs256, Algorithm::Es256]);
    assert_eq!(corp.token_types, ["at+jwt", "jwt", "vnd.example+jwt"]);
    assert_eq!(corp.tokens.claims.email, []);
    assert_eq!(
        corp.tokens.claims.roles[2],
        ClaimPath::Pointer(vec!["https://example.com/roles".into()])
    );
    assert_eq!(
        corp.tokens.roles.allow,
        Some(vec!["viewer".into(), "editor".into()])
    );
    assert_eq!(corp.tokens.roles.prefix, "corp:");
    assert_eq!(corp.tokens.groups.allow, None);
    assert_eq!(corp.tokens.leeway, Duration::from_secs(60));
    assert_eq!(corp.tokens.max_lifetime, Duration::from_secs(3_600));
    let KeyOrigin::Discovery(remote) = &corp.keys else {
        panic!("by discovery");
    };
    assert!(remote.ca_pem.is_some());
    let AuthenticatorKind::Jwt(partner) = &config.authenticators[1].kind else {
        panic!("a token issuer");
    };
    assert!(matches!(
        &partner.keys,
        KeyOrigin::JwksUri(url, _) if url.as_str() == "https://p.example/jwks.json"
    ));
    let AuthenticatorKind::Jwt(ci) = &config.authenticators[2].kind else {
        panic!("a token issuer");
    };
    let KeyOrigin::Local(keys) = &ci.keys else {
        panic!("from the file");
    };
    assert_eq!(keys[0].kid.as_deref(), Some("rsa"));
    assert_eq!((keys[1].algorithm, &keys[1].kid), (Algorithm::EdDsa, &None));
    assert_eq!(ci.algorithms, Algorithm::ASYMMETRIC);
    assert_eq!(ci.token_types, ["at+jwt", "jwt"]);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parsed(REST).unwrap().config;
    assert_eq!(config.listen.grpc.to_string(), "127.0.0.1:9191");
    assert_eq!(config.listen.http.to_string(), "127.0.0.1:9192");
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:9193");
    assert_eq!(config.listen.public, None);
    let peers: Vec<String> = config
        .listen
        .trusted_peers
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(peers, ["127.0.0.0/8", "::1/128"]);
    assert_eq!(config.listen.drain, Duration::from_secs(5));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits.body, 1_048_576);
    assert_eq!(config.policies.dir, fixtures().join("policies"));
    assert!(!config.policies.require_manifest);
    let resource = &config.resources[0];
    assert_eq!(resource.audiences, ["https://mcp.example.com/mcp"]);
    assert_eq!(resource.authority, "mcp.example.com");
    assert_eq!(resource.authenticators, [0]);
    let AuthenticatorKind::Jwt(rules) = &config.authenticators[0].kind else {
        panic!("a token issuer");
    };
    assert_eq!(rules.algorithms, Algorithm::ASYMMETRIC);
    assert_eq!(rules.tokens.claims, ClaimPaths::default());
    assert_eq!(rules.tokens.leeway, Duration::from_secs(30));
    assert_eq!(rules.tokens.max_lifetime, Duration::from_secs(86_400));
    assert_eq!(rules.tokens.audiences, Vec::<String>::new());
}

#[test]
fn null_is_as_good_as_absent() {
    let text = format!("listen: null\nlog: ~\nlimits:\nadmin: {{token: null}}\n{REST}");
    let config = parsed(&text).unwrap().config;
    assert_eq!(describe(&config), describe(&parsed(REST).unwrap().config));
}

#[test]
fn overrides_win_and_name_their_flag() {
    let overrides = Overrides {
        grpc: Some("127.0.0.1:1".into()),
        http: Some("127.0.0.1:2".into()),
        public: Some("unix:/p".into()),
        admin: Some("127.0.0.1:3".into()),
        policies_dir: Some("elsewhere".into()),
        log_level: Some("debug".into()),
        log_format: Some("text".into()),
    };
    for text in [
        REST.to_owned(),
        format!("{REST}listen:\nlog: {{level: warn}}\n"),
    ] {
        let loaded = parse_with(&source(&text), &fixtures(), &environment, &overrides);
        let config = loaded.unwrap().config;
        let listen = &config.listen;
        assert_eq!(listen.grpc.to_string(), "127.0.0.1:1");
        assert_eq!(listen.http.to_string(), "127.0.0.1:2");
        assert_eq!(listen.public.as_ref().unwrap().to_string(), "unix:/p");
        assert_eq!(listen.admin.to_string(), "127.0.0.1:3");
        assert_eq!(config.policies.dir, Path::new("elsewhere"));
        assert_eq!(config.log.level, "debug");
        assert_eq!(config.log.format, LogFormat::Text);
    }
    let wrong = Overrides {
        grpc: Some("${WORD}:1".into()),
        log_level: Some("loud".into()),
        ..Overrides::default()
    };
    let faults = parse_with(&source(REST), &fixtures(), &environment, &wrong).unwrap_err();
    insta::assert_snapshot!(crate::fault::render::render(&faults, false), @r"
    error: `${WORD}:1` is not an address
     --> --listen-grpc:1:1
      |
    1 | ${WORD}:1
      | ^^^^^^^^^
      |
      = help: an IP address and a port: `127.0.0.1:1` for this machine, `0.0.0.0:1` for all

    error: `loud` is not a log level
     --> --log-level:1:1
      |
    1 | loud
      | ^^^^
      |
      = help: error, warn, info, debug, trace, or a filter such as `info,cedargate=debug`
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_of_that_file() {
    let faults = load(Path::new("/nonexistent/cedargate.yaml")).unwrap_err();
    assert_eq!(faults.len(), 1);
    let text = faults[0].to_string();
    assert!(
        text.starts_with("/nonexistent/cedargate.yaml: error: cannot read"),
        "{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::write(&path, REST).unwrap();
    let config = load(&path).unwrap().config;
    assert_eq!(config.policies.dir, dir.path().join("policies"));
    std::fs::write(&path, vec![b'#'; 1_048_577]).unwrap();
    assert!(
        load(&path).unwrap_err()[0]
            .message
            .contains("larger than 1048576 bytes")
    );
}

#[test]
fn danger_is_warned_of_and_told_at_start() {
    let text = "
listen:
  trusted_peers: [0.0.0.0/0]
  xfcc_peers: [10.0.0.0/8, 10.0.0.0/7]
authenticators:
  - name: lab
    type: oidc
    issuer: http://lab.example
    insecure_skip_audience: true
    insecure_skip_expiry: true
    insecure_skip_issued_at: true
    insecure_skip_issuer: true
    insecure_allow_http: true
  - name: lab-2
    type: introspection
    endpoint: http://lab.example/introspect
    client_id: a
    client_secret: b
    roles: {allow: []}
    insecure_allow_http: true
    insecure_skip_expiry: true
sessions: {store: redis, redis: {url: 'redis://10.0.0.7', insecure_allow_plaintext: true}}
resources:
- name: weather
  url: https://mcp.example.com/mcp
  kind: mcp
  mcp: {message_from: insecure_headers}
";
    let Loaded { config, warnings } = parsed(text).unwrap();
    let places: Vec<usize> = warnings
        .iter()
        .filter_map(|one| one.position)
        .map(|at| at.line)
        .collect();
    assert_eq!(places, [3, 4, 9, 10, 11, 12, 13, 20, 21, 22, 27]);
    insta::assert_snapshot!(config.danger().join("\n"), @r"
    authenticator `lab`: `insecure_skip_audience` is on: tokens that were issued for other services are accepted
    authenticator `lab`: `insecure_skip_expiry` is on: expired tokens, and tokens that never expire, are accepted
    authenticator `lab`: `insecure_skip_issued_at` is on: tokens that were issued in the future are accepted
    authenticator `lab`: `insecure_skip_issuer` is on: tokens of any issuer are accepted that no other authenticator has, if the keys fit
    authenticator `lab`: `insecure_allow_http` is on: whoever is on the network path can replace what the issuer says, and read what it is asked
    authenticator `lab-2`: `insecure_skip_expiry` is on: expired tokens, and tokens that never expire, are accepted
    authenticator `lab-2`: `insecure_allow_http` is on: whoever is on the network path can replace what the issuer says, and read what it is asked
    `sessions.redis.insecure_allow_plaintext` is on: whoever is on the network path to Redis can take over sessions, and read the password
    resource `weather`: `message_from: insecure_headers`: what a request asks for is taken from its headers, and only the server itself compares them with the body
    `listen.trusted_peers` holds every address and there is no `shared_secret`: everybody may call the http listener
    `listen.xfcc_peers` holds `10.0.0.0/7`: whoever calls from there may claim any client certificate
    ");
}
