//! Checks as Envoy sends them, and what must be refused in them.

mod credentials;

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::config::ClientIp;
use crate::identity::credential::Authorization;
use crate::identity::credential::CredentialFault;
use crate::proto::envoy::config::core::v3::Pipe;
use crate::proto::envoy::config::core::v3::SocketAddress;
use crate::request::headers::HeaderFault;
use crate::request::host::HostFault;
use crate::request::incoming::Body;
use crate::request::path::PathFault;

fn options() -> ReadOptions {
    ReadOptions {
        client_ip: ClientIp::Peer,
        trusted_peers: Vec::new(),
        identity_prefix: "x-cedargate-".to_owned(),
        body_limit: 64,
        key_headers: Vec::new(),
        xfcc_peers: Vec::new(),
    }
}

fn http() -> HttpRequest {
    HttpRequest {
        id: "17".to_owned(),
        method: "POST".to_owned(),
        path: "/mcp?x=1".to_owned(),
        host: "MCP.example.com:443".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        ..HttpRequest::default()
    }
}

fn map(headers: &[(&str, &str)]) -> HashMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn raw(headers: &[(&str, &[u8])]) -> HeaderMap {
    let headers = headers.iter().map(|(name, value)| HeaderValue {
        key: (*name).to_owned(),
        value: String::new(),
        raw_value: value.to_vec(),
    });
    HeaderMap {
        headers: headers.collect(),
    }
}

fn check(http: HttpRequest) -> Result<Incoming, Box<Refused>> {
    let address = Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: "192.0.2.7".to_owned(),
            port_specifier: None,
        })),
    };
    let attributes = AttributeContext {
        source: Some(Peer {
            address: Some(address),
            ..Peer::default()
        }),
        request: Some(Request { http: Some(http) }),
        context_extensions: map(&[("resource", "weather"), ("other", "x")]),
        ..AttributeContext::default()
    };
    let request = CheckRequest {
        attributes: Some(attributes),
    };
    read(request, &options())
}

fn error(http: HttpRequest) -> RequestError {
    check(http).unwrap_err().error
}

#[test]
fn a_check_is_read_whole() {
    let headers: &[(&str, &[u8])] = &[
        (":authority", b"mcp.example.com"),
        (":path", b"/mcp?x=1"),
        (":method", b"POST"),
        (":scheme", b"https"),
        ("authorization", b"Bearer abc"),
        ("origin", b"https://app.example"),
        ("mcp-name", b"a,b!"),
        ("mcp-session-id", b"s1"),
        ("content-type", b"application/json"),
        ("content-encoding", b"gzip"),
        ("content-encoding", b"br"),
        ("x-request-id", b"r-1"),
        ("traceparent", b"00-a"),
        ("X_Cedargate.Subject", b"root"),
        ("content-length", b"2"),
        ("x-envoy-auth-partial-body", b"false"),
    ];
    let incoming = check(HttpRequest {
        header_map: Some(raw(headers)),
        raw_body: Bytes::from_static(b"{}"),
        size: 2,
        ..http()
    })
    .unwrap();
    let head = incoming.head;
    assert_eq!(head.host, "mcp.example.com");
    assert_eq!(head.path.as_str(), "/mcp");
    assert_eq!(head.origin.as_deref(), Some("https://app.example"));
    assert_eq!(head.mcp_name.as_deref(), Some("a,b!"));
    assert_eq!(head.session.as_deref(), Some("s1"));
    assert_eq!(head.content_encoding.as_deref(), Some("gzip,br"));
    assert_eq!(head.request_id, "r-1");
    assert_eq!(head.traceparent.as_deref(), Some("00-a"));
    assert_eq!(head.client_ip, client_ip::address("192.0.2.7"));
    assert_eq!(head.remove, ["X_Cedargate.Subject"]);
    assert_eq!(incoming.body, Body::Complete(Bytes::from_static(b"{}")));
    assert_eq!(incoming.resource.as_deref(), Some("weather"));
    let Ok(Authorization::Bearer(token)) = incoming.presented.authorization else {
        panic!("a bearer token was sent");
    };
    assert_eq!(token.as_str(), "abc");
}

#[test]
fn a_joined_map_is_read_too() {
    let incoming = check(HttpRequest {
        headers: map(&[("authorization", "Bearer abc"), ("accept", "a,b")]),
        body: "{}".to_owned(),
        ..http()
    })
    .unwrap();
    assert!(matches!(
        incoming.presented.authorization,
        Ok(Authorization::Bearer(_))
    ));
    assert_eq!(incoming.body, Body::Complete(Bytes::from_static(b"{}")));
}

#[test]
fn an_incomplete_check_is_refused() {
    let empty = |attributes| {
        let request = CheckRequest { attributes };
        read(request, &options()).unwrap_err().error
    };
    let missing = RequestError::MissingAttribute;
    assert_eq!(empty(None), missing("attributes"));
    assert_eq!(empty(Some(AttributeContext::default())), missing("request"));
    let no_http = AttributeContext {
        request: Some(Request { http: None }),
        ..AttributeContext::default()
    };
    assert_eq!(empty(Some(no_http)), missing("request.http"));
    let without = |change: fn(&mut HttpRequest)| {
        let mut http = http();
        change(&mut http);
        error(http)
    };
    assert_eq!(without(|http| http.method.clear()), missing("method"));
    assert_eq!(without(|http| http.path.clear()), missing("path"));
    assert_eq!(without(|http| http.host.clear()), HostFault::Empty.into());
    assert_eq!(
        without(|http| "*".clone_into(&mut http.path)),
        PathFault::NotAbsolute.into()
    );
    for method in ["get", "GE T", "P\u{d6}ST", &"A".repeat(33)] {
        let http = HttpRequest {
            method: method.to_owned(),
            ..http()
        };
        assert_eq!(error(http), RequestError::Method, "{method}");
    }
    assert_eq!(
        without(|http| "ftp".clone_into(&mut http.scheme)),
        RequestError::Scheme
    );
}

#[test]
fn pseudo_headers_must_agree_with_the_request_line() {
    for (name, value) in [
        (":method", "GET"),
        (":path", "/other"),
        (":path", "/mcp"),
        (":authority", "other.example"),
        ("host", "other.example"),
        (":scheme", "http"),
    ] {
        let http = HttpRequest {
            headers: map(&[(name, value)]),
            ..http()
        };
        assert_eq!(error(http), RequestError::Disagreement(name), "{value}");
    }
}

#[test]
fn two_readings_of_a_header_are_refused() {
    let two: &[(&str, &[u8])] = &[
        ("authorization", b"Bearer a"),
        ("Authorization", b"Bearer b"),
    ];
    let separate = HttpRequest {
        header_map: Some(raw(two)),
        ..http()
    };
    assert_eq!(error(separate), RequestError::TwoCredentials);
    let joined = |name: &str, value: &str| {
        error(HttpRequest {
            headers: map(&[(name, value)]),
            ..http()
        })
    };
    assert_eq!(
        joined("authorization", "Bearer a,Bearer b"),
        RequestError::TwoCredentials
    );
    for (name, value) in [
        ("mcp-protocol-version", "2025-11-25,2026-07-28"),
        ("mcp-method", "tools/list,tools/call"),
        ("mcp-name", "danger,greet"),
        ("mcp-session-id", "a,b"),
        ("content-length", "2,2"),
        ("origin", "https://a.example,https://b.example"),
        ("host", "mcp.example.com,mcp.example.com"),
    ] {
        assert_eq!(
            joined(name, value),
            HeaderFault::Repeated(name).into(),
            "{name}"
        );
    }
    for length in ["-1", "+2", "0x2", "", "99999999999999999999"] {
        let fault = HeaderFault::Value("content-length");
        assert_eq!(joined("content-length", length), fault.into(), "{length}");
    }
    assert_eq!(
        joined("connection", "close, X_Cedargate-Subject"),
        RequestError::ProtectedConnection
    );
    let both = HttpRequest {
        headers: map(&[("a", "b")]),
        header_map: Some(raw(&[("a", b"b")])),
        ..http()
    };
    assert_eq!(error(both), RequestError::TwoHeaderSets);
    let many = (0..300).map(|n| (n.to_string(), String::new())).collect();
    let many = HttpRequest {
        headers: many,
        ..http()
    };
    assert_eq!(error(many), HeaderFault::TooMany.into());
}

#[test]
fn a_bad_credential_does_not_hide_a_path_fault_and_is_not_fatal() {
    let bad = [("authorization", "Bearer a b")];
    let credential = |headers: &[(&str, &str)], path: &str| {
        let http = HttpRequest {
            headers: map(headers),
            path: path.to_owned(),
            ..http()
        };
        check(http).map(|incoming| incoming.presented.authorization)
    };
    let malformed = credential(&bad, "/mcp").unwrap();
    assert_eq!(malformed, Err(CredentialFault::Malformed));
    let sanitised = credential(&[("authorization", "Bearer a!")], "/mcp").unwrap();
    assert_eq!(sanitised, Err(CredentialFault::Malformed));
    let refused = credential(&bad, "/x/../mcp").unwrap_err();
    assert_eq!(refused.error, PathFault::DotSegment.into());
    let refused = credential(&[], "/mcp?access_token=x").unwrap_err();
    assert!(refused.error.is_credential_fault());
    assert_eq!(refused.path, "/mcp");
}

#[test]
fn a_body_is_complete_only_if_every_length_agrees() {
    let body = |headers: &[(&str, &str)], size: i64, bytes: &'static [u8]| {
        let http = HttpRequest {
            headers: map(headers),
            size,
            raw_body: Bytes::from_static(bytes),
            ..http()
        };
        check(http).unwrap().body
    };
    let complete = Body::Complete(Bytes::from_static(b"{}"));
    for size in [-1, 0, 2] {
        assert_eq!(body(&[], size, b"{}"), complete);
    }
    assert_eq!(body(&[], 0, b""), Body::Absent);
    assert_eq!(body(&[("content-length", "0")], 0, b""), Body::Absent);
    assert_eq!(body(&[("content-length", "9")], 0, b""), Body::Withheld);
    assert_eq!(body(&[], 9, b""), Body::Withheld);
    assert_eq!(body(&[("content-length", "9")], 0, b"{}"), Body::Partial);
    assert_eq!(body(&[], 9, b"{}"), Body::Partial);
    let says = |value| body(&[("x-envoy-auth-partial-body", value)], 2, b"{}");
    let none = |value| body(&[("x-envoy-auth-partial-body", value)], 2, b"");
    assert_eq!(none("false"), Body::Withheld);
    assert_eq!(none("true"), Body::Partial);
    assert_eq!(says("false"), complete);
    assert_eq!(says("true"), Body::Partial);
    assert_eq!(says("false,true"), Body::Partial);
    assert_eq!(body(&[], 0, &[b' '; 65]), Body::Oversized);
}

#[test]
fn a_refusal_keeps_what_an_answer_needs_and_no_more() {
    let refused = check(HttpRequest {
        path: format!("//{}?secret", "\u{e9}".repeat(400)),
        headers: map(&[("x-request-id", "r-1"), ("authorization", "Bearer abc")]),
        ..http()
    })
    .unwrap_err();
    assert_eq!(refused.method, "POST");
    assert_eq!(refused.host, "MCP.example.com:443");
    assert_eq!(refused.path.len(), 256);
    assert_eq!(refused.request_id, "r-1");
    assert_eq!(refused.resource.as_deref(), Some("weather"));
    assert!(!format!("{refused:?}").contains("abc"));
}

#[test]
fn only_a_decent_request_id_is_taken_over() {
    let id = |value: &str| {
        let headers = map(&[("x-request-id", value)]);
        check(HttpRequest { headers, ..http() })
            .unwrap()
            .head
            .request_id
    };
    assert_eq!(id(&"a".repeat(128)), "a".repeat(128));
    for bad in [&"a".repeat(129), "a b", "a\nb", "a,b", "\u{e9}"] {
        assert_eq!(id(bad), "", "{bad:?}");
    }
}

#[test]
fn a_peer_without_an_address_is_unknown() {
    let pipe = Address {
        address: Some(address::Address::Pipe(Pipe {
            path: "/run/x".to_owned(),
        })),
    };
    for address in [Address { address: None }, pipe] {
        assert_eq!(ip(address), None);
    }
}

proptest! {
    #[test]
    fn no_check_panics(
        method in any::<String>(),
        path in any::<String>(),
        host in any::<String>(),
        headers in proptest::collection::vec(
            ("(authorization|content-length|:authority|host|x-forwarded-for|[a-z_]{0,6})",
             proptest::collection::vec(any::<u8>(), 0..12)), 0..6),
        size: i64,
    ) {
        let separate = headers.into_iter().map(|(key, raw_value)| HeaderValue {
            key,
            value: String::new(),
            raw_value,
        });
        let header_map = Some(HeaderMap { headers: separate.collect() });
        drop(check(HttpRequest { method, path, host, size, header_map, ..HttpRequest::default() }));
    }
}
