//! Real handshakes with a private certificate authority: who is spoken to, and why others are not.

use std::sync::Arc;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::SupportedProtocolVersion;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS12;
use rustls::version::TLS13;
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names.
fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).unwrap()
}

/// A server that presents such a certificate, signed by the authority or by nobody else.
fn server(params: &CertificateParams, signer: Option<&Authority>) -> ServerConfig {
    install_tls();
    let key = KeyPair::generate().unwrap();
    let certificate = match signer {
        Some(signer) => params.signed_by(&key, signer),
        None => params.self_signed(&key),
    };
    ServerConfig::builder_with_protocol_versions(BOTH)
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap().der().clone()], key.into())
        .unwrap()
}

/// A good server that demands a client certificate of its authority.
fn demanding(signer: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    install_tls();
    let key = KeyPair::generate().unwrap();
    let certificate = named(&["127.0.0.1"]).signed_by(&key, signer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(signer.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
    ServerConfig::builder_with_protocol_versions(versions)
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap()
}

fn trusting(authority: &Authority) -> Fetcher {
    Fetcher::new(&Remote {
        ca_pem: Some(authority.pem().into_bytes()),
        insecure_allow_http: false,
    })
    .unwrap()
}

/// What becomes of a fetch from such a server.
async fn outcome(fetcher: &Fetcher, server: ServerConfig) -> Result<Document, FetchFault> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("https://{}/k", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A handshake that fails is what most of these tests are about.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(server)).accept(stream).await else {
            return;
        };
        let mut head = [0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        assert!(head[..read].starts_with(b"GET /k "));
        let answer = response("200 OK", &["content-type: application/json"], b"{}");
        stream.write_all(&answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let found = fetcher.get(&url).await;
    serving.await.unwrap();
    found
}

#[tokio::test]
async fn an_issuer_of_the_private_authority_is_spoken_to() {
    let authority = authority();
    let fetcher = trusting(&authority);
    for versions in [BOTH, &[&TLS12], &[&TLS13]] {
        let key = KeyPair::generate().unwrap();
        let certificate = named(&["127.0.0.1"]).signed_by(&key, &authority).unwrap();
        let server = ServerConfig::builder_with_protocol_versions(versions)
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let document = outcome(&fetcher, server).await.unwrap();
        assert_eq!(document.body, b"{}");
    }
}

#[tokio::test]
async fn others_are_refused_for_a_reason() {
    let authority = authority();
    let fetcher = trusting(&authority);
    let good = named(&["127.0.0.1"]);
    let mut expired = good.clone();
    expired.not_after = date_time_ymd(2020, 1, 1);
    let mut early = good.clone();
    early.not_before = date_time_ymd(4000, 1, 1);
    let stranger = self::authority();
    for (server, label) in [
        (server(&expired, Some(&authority)), "tls_expired"),
        (server(&early, Some(&authority)), "tls_expired"),
        (server(&named(&["127.0.0.2"]), Some(&authority)), "tls_name"),
        (server(&named(&["localhost"]), Some(&authority)), "tls_name"),
        (server(&named(&["*"]), Some(&authority)), "tls_name"),
        (server(&good, None), "tls_untrusted"),
        (server(&good, Some(&stranger)), "tls_untrusted"),
        (demanding(&authority, &[&TLS13]), "tls_client_certificate"),
        (demanding(&authority, &[&TLS12]), "tls_client_certificate"),
    ] {
        let fault = outcome(&fetcher, server).await.unwrap_err();
        assert_eq!(fault.label(), label, "{fault}");
    }
}

#[tokio::test]
async fn a_private_authority_is_only_trusted_where_it_is_configured() {
    let authority = authority();
    let plain = Fetcher::new(&Remote {
        ca_pem: None,
        insecure_allow_http: true,
    });
    let server = server(&named(&["127.0.0.1"]), Some(&authority));
    let fault = outcome(&plain.unwrap(), server).await.unwrap_err();
    assert_eq!(fault.label(), "tls_untrusted", "{fault}");
}

/// The TLS library cannot be made to speak TLS 1.1, so these are its bytes.
#[tokio::test]
async fn old_versions_are_not_spoken() {
    let hello = [
        &b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02"[..],
        &[7; 32],
        b"\x00\xc0\x14\x00",
    ]
    .concat();
    let refusal = b"\x15\x03\x02\x00\x02\x02\x46".to_vec();
    for answer in [hello, refusal] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 4096];
            let read = stream.read(&mut hello).await.unwrap();
            assert!(read > 0);
            stream.write_all(&answer).await.unwrap();
            // Until the client has had enough.
            drop(stream.read(&mut hello).await);
        });
        let fault = fetcher().get(&url.parse().unwrap()).await.unwrap_err();
        assert_eq!(fault.label(), "tls_incompatible", "{fault}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up_after_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("https://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let fetcher = fetcher();
    let found = tokio::time::timeout(CONNECT * 2, fetcher.get(&url)).await;
    let fault = found.expect("it is given up").unwrap_err();
    assert_eq!(fault.label(), "timeout", "{fault}");
}
