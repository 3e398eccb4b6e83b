//! Issuers over TLS: who is spoken to, who is not and for which reason, and that a certificate that
//! goes bad costs no key that is known.

#![expect(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a table of attacks, in which a wrong assumption fails the test"
)]

mod support;
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS12;
use rustls::version::TLS13;
use serde_json::json;
use support::ask::Ask;
use support::envoy::poll;
use support::fake_issuer;
use support::fake_issuer::FakeIssuer;
use support::fake_issuer::Presented;
use support::sidecar::Sidecar;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";

const SOON: Duration = Duration::from_secs(15);

type Authority = CertifiedIssuer<'static, KeyPair>;

type Versions = &'static [&'static rustls::SupportedProtocolVersion];

const BOTH: Versions = &[&TLS12, &TLS13];
const OLD: Versions = &[&TLS12];
const NEW: Versions = &[&TLS13];

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("names")
}

/// A server that presents such a certificate, signed by the authority or by nobody else, and that may
/// demand one of its clients.
fn server(
    params: &CertificateParams,
    signer: Option<&Authority>,
    versions: Versions,
    demands: Option<&Authority>,
) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let certificate = match signer {
        Some(signer) => params.signed_by(&key, signer),
        None => params.self_signed(&key),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .expect("versions");
    let builder = match demands {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let chain = vec![certificate.expect("a certificate").der().clone()];
    Arc::new(builder.with_single_cert(chain, key.into()).expect("a pair"))
}

/// What servers come to present, and the word that a fetch from them is counted under; nothing: it goes
/// well.
fn table(authority: &Authority) -> Vec<(&'static str, Option<&'static str>, Arc<ServerConfig>)> {
    let stranger = self::authority();
    let good = named(&["127.0.0.1"]);
    let mut expired = good.clone();
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut early = good.clone();
    early.not_before = date_time_ymd(4000, 1, 1);
    let signed = |params: &CertificateParams| server(params, Some(authority), BOTH, None);
    let only = |versions| server(&good, Some(authority), versions, None);
    let demanding = |versions| server(&good, Some(authority), versions, Some(authority));
    vec![
        ("another good one", None, signed(&good)),
        ("only TLS 1.2", None, only(OLD)),
        ("only TLS 1.3", None, only(NEW)),
        ("expired", Some("tls_expired"), signed(&expired)),
        ("of the future", Some("tls_expired"), signed(&early)),
        (
            "another address",
            Some("tls_name"),
            signed(&named(&["127.0.0.2"])),
        ),
        ("a name", Some("tls_name"), signed(&named(&["localhost"]))),
        ("every name", Some("tls_name"), signed(&named(&["*"]))),
        (
            "self-signed",
            Some("tls_untrusted"),
            server(&good, None, BOTH, None),
        ),
        (
            "of a stranger",
            Some("tls_untrusted"),
            server(&good, Some(&stranger), BOTH, None),
        ),
        (
            "wants ours, TLS 1.2",
            Some("tls_client_certificate"),
            demanding(OLD),
        ),
        (
            "wants ours, TLS 1.3",
            Some("tls_client_certificate"),
            demanding(NEW),
        ),
    ]
}

fn authenticator(name: &str, kind: &str, port: u16, rest: &str) -> String {
    let issuer = format!("https://127.0.0.1:{port}");
    let keys = match kind {
        "oidc" => String::new(),
        _ => format!(", jwks_uri: \"{issuer}/keys\""),
    };
    format!(
        "- {{name: {name}, type: {kind}, issuer: \"{issuer}\"{keys}{rest}, \
         roles: {{prefix: \"{name}:\"}}, groups: {{prefix: \"{name}:\"}}}}\n"
    )
}

/// Answers as an issuer does whose keys are at its own address, over this scheme.
fn documents(
    set: &str,
    scheme: &'static str,
) -> impl Fn(u16, &str) -> String + Send + Sync + use<> {
    let set = set.to_owned();
    move |port, path| {
        if path == "/keys" {
            return set.clone();
        }
        json!({"issuer": format!("https://127.0.0.1:{port}"),
            "jwks_uri": format!("{scheme}://127.0.0.1:{port}/keys")})
        .to_string()
    }
}

#[test]
fn only_an_issuer_with_a_good_certificate_is_spoken_to() {
    let authority = authority();
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    fs::write(&ca, authority.pem()).expect("written");
    let with_ca = format!(", ca_file: \"{}\"", ca.display());
    let (known, new) = (Key::new(), Key::new());
    let set = fake_issuer::key_set(&known, "known");
    let good = server(&named(&["127.0.0.1"]), Some(&authority), BOTH, None);
    let present = || -> Presented { Arc::new(Mutex::new(Arc::clone(&good))) };
    let table = table(&authority);
    let rows: Vec<(Presented, FakeIssuer)> = table
        .iter()
        .map(|_| {
            let presented = present();
            let issuer = FakeIssuer::start_tls(&presented, documents(&set, "https"));
            (presented, issuer)
        })
        .collect();
    let mut config = "authenticators:\n".to_owned();
    for (number, (_, issuer)) in rows.iter().enumerate() {
        config += &authenticator(&format!("far-{number}"), "jwt", issuer.port(), &with_ca);
    }
    // Through its metadata; with metadata that names keys without TLS; and without the authority.
    let found = FakeIssuer::start_tls(&present(), documents(&set, "https"));
    let plain = FakeIssuer::start_tls(&present(), documents(&set, "http"));
    let alone = FakeIssuer::start_tls(&present(), documents(&set, "https"));
    config += &authenticator("found", "oidc", found.port(), &with_ca);
    config += &authenticator("plain", "oidc", plain.port(), &with_ca);
    config += &authenticator("alone", "jwt", alone.port(), "");
    let config = format!(
        "{config}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\nlimits: {{deadline: 1s}}\n"
    );
    let sidecar = Sidecar::launch(&config);
    assert!(poll(SOON, || sidecar.is_live()), "{}", sidecar.printed());
    let asker = sidecar.asker();
    let ask = |port: u16, key: &Key, kid: &str| {
        let token = key.token_of(&format!("https://127.0.0.1:{port}"), kid, RESOURCE);
        let verdict = asker.grpc(&Ask::call("get_forecast").bearer(&token));
        (verdict.reason, verdict.status)
    };
    let is = |reason: &str, status: i32| (reason.to_owned(), status);
    let counted = |name: &str, outcome: &str| {
        poll(SOON, || {
            sidecar.outcomes("jwks_refresh", name).contains_key(outcome)
        })
    };
    for port in rows
        .iter()
        .map(|(_, issuer)| issuer.port())
        .chain([found.port()])
    {
        let loaded = poll(SOON, || ask(port, &known, "known") == is("allowed", 200));
        assert!(loaded, "{}", sidecar.printed());
    }
    for (name, issuer, outcome) in [("plain", &plain, "url"), ("alone", &alone, "tls_untrusted")] {
        assert_eq!(
            ask(issuer.port(), &known, "known"),
            is("issuer_unavailable", 503),
            "{name}"
        );
        assert!(
            counted(name, outcome),
            "{:?}",
            sidecar.outcomes("jwks_refresh", name)
        );
        eprintln!("TLS: {name}: refused as {outcome}");
    }
    for (number, (what, outcome, config)) in table.iter().enumerate() {
        let (presented, issuer) = &rows[number];
        *presented.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(config);
        let name = format!("far-{number}");
        let (expected, outcome) = match outcome {
            Some(outcome) => (is("issuer_unavailable", 503), *outcome),
            None => (is("invalid_credential", 401), "unchanged"),
        };
        assert_eq!(ask(issuer.port(), &new, "new"), expected, "{what}");
        assert!(
            counted(&name, outcome),
            "{what}: {:?}",
            sidecar.outcomes("jwks_refresh", &name)
        );
        assert_eq!(
            ask(issuer.port(), &known, "known"),
            is("allowed", 200),
            "{what}"
        );
        let outcomes = sidecar.outcomes("jwks_refresh", &name);
        let others = outcomes
            .keys()
            .filter(|key| *key != outcome && *key != "changed");
        assert_eq!(others.count(), 0, "{what}: {outcomes:?}");
        eprintln!("TLS: {what}: {outcome}, and the known key stays");
    }
}
