//! What a check presents beside the `Authorization` header.

use super::*;
use crate::request::peer_certificate::CertificateFault;
use crate::request::peer_certificate::testing::PEM;

#[test]
fn the_clients_certificate_is_what_envoy_says_it_is() {
    let certificate = |principal: &str, certificate: &str, xfcc: &str| {
        let attributes = AttributeContext {
            source: Some(Peer {
                principal: principal.to_owned(),
                certificate: certificate.to_owned(),
                ..Peer::default()
            }),
            request: Some(Request {
                http: Some(HttpRequest {
                    headers: map(&[("x-forwarded-client-cert", xfcc)]),
                    ..http()
                }),
            }),
            ..AttributeContext::default()
        };
        let mut options = options();
        options.xfcc_peers = vec!["0.0.0.0/0".parse().unwrap()];
        let request = CheckRequest {
            attributes: Some(attributes),
        };
        read(request, &options).map(|incoming| incoming.presented.certificate)
    };
    assert_eq!(certificate("", "", "URI=spiffe://acme/root").unwrap(), None);
    let found = certificate("spiffe://acme/cli", PEM, "URI=spiffe://acme/root");
    let found = found.unwrap().unwrap();
    assert_eq!(found.principal.as_deref(), Some("spiffe://acme/cli"));
    assert!(found.sha256.is_some());
    let refused = certificate("spiffe://acme/cli", "no certificate", "").unwrap_err();
    assert_eq!(refused.error, CertificateFault::Encoding.into());
}

#[test]
fn keys_and_proofs_are_moved_out_of_the_headers() {
    let mut options = options();
    options.key_headers = vec!["x-api-key".to_owned(), "origin".to_owned()];
    let attributes = AttributeContext {
        request: Some(Request {
            http: Some(HttpRequest {
                headers: map(&[
                    ("x-api-key", "cg_1,cg_2"),
                    ("origin", "https://app.example"),
                    ("dpop", "a.b.c"),
                ]),
                ..http()
            }),
        }),
        ..AttributeContext::default()
    };
    let request = CheckRequest {
        attributes: Some(attributes),
    };
    let incoming = read(request, &options).unwrap();
    let keys = incoming.presented.keys;
    assert_eq!(keys.len(), 1, "a header with a meaning keeps it");
    assert_eq!(keys[0].key, Err(CredentialFault::Several));
    assert_eq!(incoming.head.origin.as_deref(), Some("https://app.example"));
    assert!(matches!(incoming.presented.proof, Ok(Some(_))));
    assert_eq!(incoming.presented.authorization, Ok(Authorization::Absent));
}
