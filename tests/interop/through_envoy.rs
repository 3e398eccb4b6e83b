//! Proof of possession as it really arrives: TLS with a client certificate ends at a real Envoy, which
//! passes on what it saw.

use std::net::Ipv4Addr;

use reqwest::Certificate;
use reqwest::Client;
use reqwest::Identity;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::RESOURCE;
use crate::oidc;
use crate::sidecar;
use crate::support::ask::HOST;
use crate::support::ask::reason;
use crate::support::authorization_server::AuthorizationServer;
use crate::support::certificates::Certificates;
use crate::support::certificates::Issued;
use crate::support::dpop::DpopKey;
use crate::support::envoy::Envoy;
use crate::support::envoy::EnvoyConfig;
use crate::support::mcp;
use crate::support::mcp::McpServer;

const OWNER: &str = "spiffe://example.org/owner";
const OTHER_CLIENT: &str = "spiffe://example.org/other";

/// The shipped configuration, ending TLS: whoever has a certificate of the authority may show it.
fn ending_tls(upstream: u16, authorizer: u16, certificates: &Certificates) -> EnvoyConfig {
    let inline = |pem: &str| json!({ "inline_string": pem });
    let server = certificates.of(HOST);
    let socket = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": false,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": inline(&server.certificate),
                    "private_key": inline(&server.key),
                }],
                "validation_context": {"trusted_ca": inline(&certificates.of("ca").certificate)},
            },
        },
    });
    EnvoyConfig::shipped(upstream, authorizer)
        .replace(
            "    - filters:\n",
            &format!("    - transport_socket: {socket}\n      filters:\n"),
        )
        .replace(
            "failure_mode_allow: false\n",
            "failure_mode_allow: false\n              include_peer_certificate: true\n",
        )
}

/// A client that trusts the authority, with a certificate of its own or none.
#[expect(clippy::expect_used, reason = "the certificates are good")]
fn client(port: u16, certificates: &Certificates, own: Option<&Issued>) -> Client {
    let authority = certificates.of("ca").certificate.as_bytes();
    let authority = Certificate::from_pem(authority).expect("a certificate");
    let mut client = Client::builder()
        .tls_certs_only([authority])
        .resolve(HOST, (Ipv4Addr::LOCALHOST, port).into());
    if let Some(own) = own {
        let pem = format!("{}{}", own.key, own.certificate);
        client = client.identity(Identity::from_pem(pem.as_bytes()).expect("an identity"));
    }
    client.build().expect("a client")
}

/// A call with these headers: its status, and the reason if it is refused.
#[expect(clippy::expect_used, reason = "Envoy answers every request")]
fn call(runtime: &Runtime, client: &Client, port: u16, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = client
        .post(format!("https://{HOST}:{port}/mcp"))
        .header("host", HOST)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(mcp::call("get_forecast", r#"{"city":"Oslo"}"#));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    runtime.block_on(async {
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.text().await.expect("a body");
        (
            status,
            if status == 200 {
                String::new()
            } else {
                reason(&body)
            },
        )
    })
}

#[test]
fn a_certificate_and_a_proof_count_where_envoy_ends_tls() {
    let issuer = AuthorizationServer::start(&["--resource", RESOURCE]);
    let certificates = Certificates::issue(&[HOST, OWNER, OTHER_CLIENT]);
    let sidecar = sidecar(&oidc(&issuer.issuer()));
    let upstream = McpServer::start();
    let envoy = Envoy::start(&ending_tls(upstream.port(), sidecar.grpc, &certificates));
    envoy.wait_for_authorizer(true);
    let runtime = Runtime::new().expect("a runtime");
    let port = envoy.port();
    let client = |own| client(port, &certificates, own);
    let clients = [
        client(Some(certificates.of(OWNER))),
        client(Some(certificates.of(OTHER_CLIENT))),
        client(None),
    ];
    let ask = |client, headers: &[(&str, &str)]| call(&runtime, client, port, headers);
    let allowed = (200, String::new());
    let refused = (401, "invalid_credential".to_owned());
    let fields = [("resource", RESOURCE)];

    let bound = issuer.certificate_token(&fields, &certificates.of(OWNER).der());
    let bearer = format!("Bearer {bound}");
    let found = clients
        .each_ref()
        .map(|client| ask(client, &[("authorization", &bearer)]));
    assert_eq!(found, [allowed.clone(), refused.clone(), refused.clone()]);

    let key = DpopKey::new();
    let token = issuer.dpop_token("svc-viewer", &fields, &key);
    let authorization = format!("DPoP {token}");
    let proof = key.proof("POST", RESOURCE, Some(&token), None);
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    assert_eq!(ask(&clients[2], &headers), allowed, "a proof");
    assert_eq!(ask(&clients[2], &headers), refused, "the same proof again");

    let seen = upstream.requests();
    assert_eq!(seen.len(), 2, "what was refused got no further");
    for request in seen {
        for gone in ["authorization", "dpop"] {
            assert!(request.header(gone).is_empty(), "{gone}");
        }
    }
}
