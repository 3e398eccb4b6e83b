//! The X-Forwarded dialect of `/check`: the request is described by `X-Forwarded-Method`,
//! `-Proto`, `-Host` and `-Uri`, and its own headers are those of the check.

use std::net::IpAddr;

use bytes::Bytes;
use http::request::Parts;

use crate::config::ClientIp;
use crate::identity::credential::PeerCertificate;
use crate::request::client_ip;
use crate::request::headers::HeaderBag;
use crate::request::headers::HeaderFault;
use crate::request::headers::HeaderText;
use crate::request::incoming::Incoming;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::incoming::RequestError;
use crate::request::peer_certificate::xfcc;
use crate::request::wire;
use crate::request::wire::Wire;

/// Reads a check. The method, the path and the query of the check itself mean nothing: gateways
/// append the client's query to it. `asker` is the address that the check comes from; absent over a
/// Unix socket, where nobody is named who may vouch for certificates.
///
/// The caller must have made sure that a trusted gateway asks, for it can ask about anything.
///
/// # Errors
///
/// Whatever has two readings, or is not there; with the parts that an answer needs.
pub fn read(
    parts: Parts,
    body: Bytes,
    asker: Option<IpAddr>,
    options: &ReadOptions,
) -> Result<Incoming, Box<Refused>> {
    let wire = match bag(parts) {
        Ok(headers) => described(headers, body, asker, options),
        Err(fault) => Wire {
            fault: Some(fault.into()),
            ..Wire::default()
        },
    };
    wire::assemble(wire, options)
}

fn described(
    mut headers: HeaderBag,
    body: Bytes,
    asker: Option<IpAddr>,
    options: &ReadOptions,
) -> Wire {
    let mut wire = Wire {
        body,
        ..Wire::default()
    };
    let mut fault: Option<RequestError> = None;
    for (name, part) in [
        ("x-forwarded-method", &mut wire.method),
        ("x-forwarded-proto", &mut wire.scheme),
        ("x-forwarded-host", &mut wire.host),
        ("x-forwarded-uri", &mut wire.target),
    ] {
        match headers.require(name) {
            Ok(value) => *part = value,
            Err(error) => fault = fault.or(Some(error.into())),
        }
    }
    // Web sockets begin as HTTP, and some gateways name them here.
    if let Some(http) = match wire.scheme.as_str() {
        "ws" => Some("http"),
        "wss" => Some("https"),
        _ => None,
    } {
        http.clone_into(&mut wire.scheme);
    }
    // The gateway adds its own peer as the last hop, and is trusted itself.
    wire.peer = match options.client_ip {
        ClientIp::Peer | ClientIp::ForwardedFor => client_ip::last_hop(&headers),
        ClientIp::EnvoyExternalAddress => None,
    };
    // Anybody else may have let the client's own header through.
    if asker.is_some_and(|asker| options.xfcc_peers.iter().any(|net| net.contains(&asker))) {
        match certificate(&mut headers) {
            Ok(certificate) => wire.certificate = certificate,
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    wire.headers = headers;
    wire.fault = fault;
    wire
}

fn certificate(headers: &mut HeaderBag) -> Result<Option<PeerCertificate>, RequestError> {
    let header = headers.take("x-forwarded-client-cert")?;
    Ok(header.as_deref().map(xfcc::read).transpose()?)
}

fn bag(parts: Parts) -> Result<HeaderBag, HeaderFault> {
    let mut last = None;
    HeaderBag::separate(parts.headers.into_iter().map(move |(name, value)| {
        // A repeated name is given once, with the first of its values.
        if let Some(name) = name {
            last = Some(name);
        }
        let name = last.as_ref().map_or("", http::HeaderName::as_str);
        (name.to_owned(), HeaderText::Raw(value.as_bytes().to_vec()))
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::incoming::Body;
    use crate::request::peer_certificate::CertificateFault;

    fn options(client_ip: ClientIp) -> ReadOptions {
        ReadOptions {
            client_ip,
            trusted_peers: vec!["10.0.0.0/8".parse().unwrap()],
            identity_prefix: "x-cedargate-".to_owned(),
            body_limit: 1024,
            key_headers: Vec::new(),
            xfcc_peers: vec!["10.0.0.5/32".parse().unwrap()],
        }
    }

    const GOOD: [(&str, &str); 4] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "MCP.example.com"),
        ("x-forwarded-uri", "/mcp?x=1"),
    ];

    fn check(headers: &[(&str, &str)], body: &'static [u8]) -> Result<Incoming, Box<Refused>> {
        check_from(None, headers, body)
    }

    fn check_from(
        asker: Option<&str>,
        headers: &[(&str, &str)],
        body: &'static [u8],
    ) -> Result<Incoming, Box<Refused>> {
        let mut request = http::Request::builder()
            .method("GET")
            .uri("/check?access_token=caddy-appends-this")
            .header("host", "127.0.0.1:9192");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let asker = asker.map(|address| address.parse().unwrap());
        read(
            parts,
            Bytes::from_static(body),
            asker,
            &options(ClientIp::Peer),
        )
    }

    #[test]
    fn the_forwarded_request_is_read_and_not_the_check_itself() {
        let mut headers = GOOD.to_vec();
        headers.extend([
            ("x-forwarded-for", "6.6.6.6, 192.0.2.7"),
            ("authorization", "Bearer abc"),
            ("x-cedargate-subject", "root"),
            ("content-length", "2"),
        ]);
        let incoming = check(&headers, b"{}").unwrap();
        assert_eq!(incoming.head.method, "POST");
        assert_eq!(incoming.head.host, "mcp.example.com");
        assert_eq!(incoming.head.path.as_str(), "/mcp");
        assert_eq!(
            incoming.head.client_ip.map(|ip| ip.to_string()).as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(incoming.head.remove, ["x-cedargate-subject"]);
        assert_eq!(incoming.body, Body::Complete(Bytes::from_static(b"{}")));
        assert!(incoming.presented.authorization.is_ok());
    }

    #[test]
    fn each_part_is_needed_exactly_once() {
        for (at, (name, value)) in GOOD.iter().enumerate() {
            let mut without = GOOD.to_vec();
            without.remove(at);
            let refused = check(&without, b"").unwrap_err();
            assert_eq!(refused.error, HeaderFault::Missing(name).into());
            let mut twice = GOOD.to_vec();
            twice.push((name, value));
            let refused = check(&twice, b"").unwrap_err();
            assert_eq!(refused.error, HeaderFault::Repeated(name).into());
        }
    }

    #[test]
    fn two_authorization_headers_are_refused() {
        let mut headers = GOOD.to_vec();
        headers.extend([("authorization", "Bearer a"), ("Authorization", "Bearer b")]);
        let refused = check(&headers, b"").unwrap_err();
        assert_eq!(refused.error, RequestError::TwoCredentials);
        assert!(refused.error.is_credential_fault());
        assert_eq!(refused.path, "/mcp", "the query is not kept");
    }

    #[test]
    fn a_body_that_is_not_forwarded_is_absent_or_partial() {
        let with = |length: &'static str| {
            let mut headers = GOOD.to_vec();
            headers.push(("content-length", length));
            headers
        };
        assert_eq!(check(&GOOD, b"").unwrap().body, Body::Absent);
        assert_eq!(check(&with("0"), b"").unwrap().body, Body::Absent);
        assert_eq!(check(&with("9"), b"").unwrap().body, Body::Withheld);
        assert_eq!(check(&with("9"), b"{}").unwrap().body, Body::Partial);
        let complete = Body::Complete(Bytes::from_static(b"{}"));
        assert_eq!(check(&GOOD, b"{}").unwrap().body, complete, "chunked");
    }

    #[test]
    fn only_a_named_proxy_vouches_for_a_certificate() {
        const XFCC: &str = "x-forwarded-client-cert";
        let of = |asker, values: &[&'static str]| {
            let mut headers = GOOD.to_vec();
            headers.extend(values.iter().map(|value| (XFCC, *value)));
            check_from(asker, &headers, b"").map(|incoming| incoming.presented.certificate)
        };
        let one = ["By=a;URI=spiffe://acme/cli"];
        let found = of(Some("10.0.0.5"), &one).unwrap().unwrap();
        assert_eq!(found.principal.as_deref(), Some("spiffe://acme/cli"));
        for asker in [None, Some("10.0.0.6"), Some("127.0.0.1"), Some("::1")] {
            assert_eq!(of(asker, &one).unwrap(), None, "{asker:?}");
            assert_eq!(of(asker, &["junk"]).unwrap(), None, "{asker:?}");
        }
        assert_eq!(of(Some("10.0.0.5"), &[]).unwrap(), None);
        let refused = of(Some("10.0.0.5"), &["junk"]).unwrap_err();
        assert_eq!(refused.error, CertificateFault::Syntax.into());
        let refused = of(Some("10.0.0.5"), &[one[0], one[0]]).unwrap_err();
        assert_eq!(refused.error, HeaderFault::Repeated(XFCC).into());
    }

    proptest! {
        #[test]
        fn no_input_panics(
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 5),
        ) {
            let mut request = http::Request::builder();
            let names = GOOD.iter().map(|(name, _)| *name).chain(["x-forwarded-client-cert"]);
            for (name, value) in names.zip(&values) {
                if let Ok(value) = http::HeaderValue::from_bytes(value) {
                    request = request.header(name, value);
                }
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let asker = Some(IpAddr::from([10, 0, 0, 5]));
            drop(read(parts, Bytes::new(), asker, &options(ClientIp::ForwardedFor)));
        }
    }
}
