//! The X-Forwarded dialect of `/check`: the request is described by `X-Forwarded-Method`,
//! `-Proto`, `-Host` and `-Uri`, and its own headers are those of the check.

use bytes::Bytes;
use http::request::Parts;

use crate::config::ClientIp;
use crate::request::client_ip;
use crate::request::headers::HeaderBag;
use crate::request::headers::HeaderFault;
use crate::request::headers::HeaderText;
use crate::request::incoming::Incoming;
use crate::request::incoming::ReadOptions;
use crate::request::incoming::Refused;
use crate::request::wire;
use crate::request::wire::Wire;

/// Reads a check. The method, the path and the query of the check itself mean nothing: gateways
/// append the client's query to it.
///
/// The caller must have made sure that a trusted gateway asks, for it can ask about anything.
///
/// # Errors
///
/// Whatever has two readings, or is not there; with the parts that an answer needs.
pub fn read(parts: Parts, body: Bytes, options: &ReadOptions) -> Result<Incoming, Box<Refused>> {
    let wire = match bag(parts) {
        Ok(headers) => described(headers, body, options),
        Err(fault) => Wire {
            fault: Some(fault.into()),
            ..Wire::default()
        },
    };
    wire::assemble(wire, options)
}

fn described(mut headers: HeaderBag, body: Bytes, options: &ReadOptions) -> Wire {
    let mut wire = Wire {
        body,
        ..Wire::default()
    };
    let mut fault = None;
    for (name, part) in [
        ("x-forwarded-method", &mut wire.method),
        ("x-forwarded-proto", &mut wire.scheme),
        ("x-forwarded-host", &mut wire.host),
        ("x-forwarded-uri", &mut wire.target),
    ] {
        match headers.require(name) {
            Ok(value) => *part = value,
            Err(error) => fault = fault.or(Some(error)),
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
    wire.headers = headers;
    wire.fault = fault.map(Into::into);
    wire
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
    use crate::request::incoming::RequestError;

    fn options(client_ip: ClientIp) -> ReadOptions {
        ReadOptions {
            client_ip,
            trusted_peers: vec!["10.0.0.0/8".parse().unwrap()],
            identity_prefix: "x-cedargate-".to_owned(),
            body_limit: 1024,
            key_headers: Vec::new(),
        }
    }

    const GOOD: [(&str, &str); 4] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "MCP.example.com"),
        ("x-forwarded-uri", "/mcp?x=1"),
    ];

    fn check(headers: &[(&str, &str)], body: &'static [u8]) -> Result<Incoming, Box<Refused>> {
        let mut request = http::Request::builder()
            .method("GET")
            .uri("/check?access_token=caddy-appends-this")
            .header("host", "127.0.0.1:9192");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        read(parts, Bytes::from_static(body), &options(ClientIp::Peer))
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
        assert_eq!(check(&with("9"), b"").unwrap().body, Body::Partial);
        assert_eq!(check(&with("9"), b"{}").unwrap().body, Body::Partial);
        let complete = Body::Complete(Bytes::from_static(b"{}"));
        assert_eq!(check(&GOOD, b"{}").unwrap().body, complete, "chunked");
    }

    proptest! {
        #[test]
        fn no_input_panics(
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 4),
        ) {
            let mut request = http::Request::builder();
            for ((name, _), value) in GOOD.iter().zip(&values) {
                if let Ok(value) = http::HeaderValue::from_bytes(value) {
                    request = request.header(*name, value);
                }
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            drop(read(parts, Bytes::new(), &options(ClientIp::ForwardedFor)));
        }
    }
}
