//! Fetching from servers that misbehave.

mod tls;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::address::ForbiddenAddress;
use super::*;
use crate::source::testing::Answer;
use crate::source::testing::Server;
use crate::source::testing::ok;
use crate::source::testing::response;

fn fetcher() -> Fetcher {
    Fetcher::new(&Remote {
        ca_pem: None,
        insecure_allow_http: true,
    })
    .unwrap()
}

async fn label(answer: Answer) -> &'static str {
    let server = Server::start(move |_| answer.clone()).await;
    let fetcher = fetcher().within(Duration::from_millis(400));
    match fetcher.get(&server.url("/k")).await {
        Ok(_) => "ok",
        Err(fault) => fault.label(),
    }
}

#[tokio::test]
async fn a_document_is_fetched() {
    let server = Server::start(|_| {
        Answer::Bytes(response(
            "200 OK",
            &[
                "content-type: application/jwk-set+json; charset=utf-8",
                "cache-control: max-age=90",
            ],
            b"{}",
        ))
    })
    .await;
    let document = fetcher().get(&server.url("/keys?x=1")).await.unwrap();
    assert_eq!(document.body, b"{}");
    assert_eq!(document.lifetime, Some(Duration::from_secs(90)));
    let head = server.heads().concat().to_ascii_lowercase();
    assert!(head.starts_with("get /keys?x=1 http/1.1\r\n"), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn answers_that_are_refused() {
    let json = "content-type: application/json";
    let large = "x".repeat(MAX_BODY_BYTES + 1);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\n{json}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    for (answer, expected) in [
        (response("204 No Content", &[json], b""), "status"),
        (response("206 Partial Content", &[json], b"{}"), "status"),
        (response("304 Not Modified", &[json], b""), "status"),
        (response("401 Unauthorized", &[json], b"{}"), "status"),
        (response("404 Not Found", &[json], b"{}"), "status"),
        (
            response("500 Internal Server Error", &[json], b"{}"),
            "status",
        ),
        (
            response("200 OK", &["content-type: text/html"], b"{}"),
            "content_type",
        ),
        (
            response("200 OK", &["content-type: text/json"], b"{}"),
            "content_type",
        ),
        (
            response("200 OK", &["content-type: application/jsonx"], b"{}"),
            "content_type",
        ),
        (response("200 OK", &[], b"{}"), "content_type"),
        (
            response("200 OK", &[json, "content-encoding: gzip"], b"{}"),
            "content_type",
        ),
        (response("200 OK", &[json], large.as_bytes()), "too_large"),
        (
            response("200 OK", &[json, "content-length: 99999999999"], b""),
            "too_large",
        ),
        (chunked.into_bytes(), "too_large"),
        (
            response("200 OK", &[json, "content-length: 9"], b"{}"),
            "connect",
        ),
        (b"\x16\x03\x01junk\r\n\r\n".to_vec(), "connect"),
        (Vec::new(), "connect"),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(label(Answer::Bytes(answer)).await, expected, "{shown:.120}");
    }
}

#[tokio::test]
async fn slow_answers_are_cut_short() {
    let slow = response("200 OK", &["content-type: application/json"], b"{}");
    assert_eq!(label(Answer::Hang).await, "timeout");
    assert_eq!(
        label(Answer::Drip(slow, Duration::from_millis(20))).await,
        "timeout"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::start(|_| ok("{}")).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let location = format!("location: {}", target.url("/k"));
        let answer = response(
            status,
            &[&location, "content-type: application/json"],
            b"{}",
        );
        assert_eq!(label(Answer::Bytes(answer)).await, "status", "{status}");
    }
    assert_eq!(target.heads().len(), 0);
}

#[tokio::test]
async fn addresses_that_are_not_asked() {
    let https = Fetcher::new(&Remote {
        ca_pem: None,
        insecure_allow_http: false,
    })
    .unwrap();
    for (url, expected) in [
        ("http://127.0.0.1/", "url"),
        ("ftp://issuer.example/", "url"),
        ("file:///etc/passwd", "url"),
        ("https://user@issuer.example/", "url"),
        ("https://:secret@issuer.example/", "url"),
        ("https://169.254.169.254/latest", "address"),
        ("https://2852039166/", "address"),
        ("https://[fe80::1]/", "address"),
        ("https://[::ffff:169.254.169.254]/", "address"),
        ("https://0.0.0.0/", "address"),
    ] {
        let found = https.get(&url.parse().unwrap()).await.unwrap_err();
        assert_eq!(found.label(), expected, "{url}");
        assert!(!found.to_string().contains("secret"), "{found}");
    }
}

#[tokio::test]
async fn names_are_checked_when_they_are_resolved() {
    use reqwest::dns::Resolve;
    let local = CheckedResolver.resolve("localhost".parse().unwrap()).await;
    assert!(local.is_ok_and(|mut found| found.next().is_some()));
    // The system's resolver takes an address for its own name.
    let metadata = CheckedResolver
        .resolve("169.254.169.254".parse().unwrap())
        .await;
    assert!(metadata.is_err_and(|error| error.is::<ForbiddenAddress>()));
}

#[tokio::test]
async fn tls_is_required_of_https() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let plain = response("200 OK", &["content-type: application/json"], b"{}");
        stream.write_all(&plain).await.unwrap();
    });
    let found = fetcher().get(&url.parse().unwrap()).await.unwrap_err();
    assert_eq!(found.label(), "tls");
    server.await.unwrap();
}

#[test]
fn authorities_must_be_certificates() {
    for pem in [
        &b""[..],
        b"junk",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let found = Fetcher::new(&Remote {
            ca_pem: Some(pem.to_vec()),
            insecure_allow_http: false,
        });
        assert!(matches!(found, Err(FetchFault::Client(_))), "{pem:?}");
    }
}
