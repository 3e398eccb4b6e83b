//! The same headers as the two kinds of check that Envoy sends them in, and what folds to ours.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cedargate::config::ClientIp;
use cedargate::config::McpRules;
use cedargate::proto::envoy::config::core::v3::HeaderMap;
use cedargate::proto::envoy::config::core::v3::HeaderValue;
use cedargate::proto::envoy::service::auth::v3::AttributeContext;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use cedargate::proto::envoy::service::auth::v3::attribute_context::Request;
use cedargate::request::Incoming;
use cedargate::request::envoy;
use cedargate::request::headers::HeaderBag;
use cedargate::request::headers::HeaderFault;
use cedargate::request::headers::HeaderText;
use cedargate::request::incoming::Body;
use cedargate::request::incoming::ReadOptions;
use cedargate::request::incoming::RequestError;
use cedargate::request::message;

use crate::rules;

const PREFIX: &str = "x-cedargate-";
const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What the first byte chooses: where the caller's address comes from.
const CLIENT_IP: [ClientIp; 3] = [
    ClientIp::ForwardedFor,
    ClientIp::EnvoyExternalAddress,
    ClientIp::Peer,
];

/// The first byte chooses an option; every line after it is `name: value`, as the proxy got it.
pub fn run(data: &[u8]) -> bool {
    let Some((client_ip, lines)) = rules::choose(&CLIENT_IP, data) else {
        return false;
    };
    let headers = headers(lines);
    let options = ReadOptions {
        client_ip: *client_ip,
        trusted_peers: vec!["10.0.0.0/8".parse().expect("a network")],
        identity_prefix: PREFIX.to_owned(),
        key_headers: vec!["x-api-key".to_owned()],
        ..ReadOptions::of(&rules::GATEWAY)
    };
    one_by_one(&headers);
    let separate = envoy::read(separate(&headers), &options);
    let joined = envoy::read(joined(&headers), &options);
    for incoming in [&separate, &joined].into_iter().flatten() {
        nothing_of_ours_passes(&headers, incoming);
    }
    match (separate, joined) {
        (Ok(separate), Ok(joined)) => {
            same(&separate, &joined);
            true
        }
        (separate, joined) => {
            if let (Err(refused), Ok(joined)) = (&separate, &joined) {
                let excused = match refused.error {
                    RequestError::Header(HeaderFault::TooMany) => true,
                    // Refused as one credential that cannot be read, and not as two.
                    RequestError::TwoCredentials => joined.presented.authorization.is_err(),
                    _ => false,
                };
                assert!(excused, "accepted when joined, and else: {}", refused.error);
            }
            for refused in [separate.err(), joined.err()].into_iter().flatten() {
                assert!(!refused.error.to_string().is_empty());
            }
            false
        }
    }
}

type Header = (String, Vec<u8>);

/// Names are lower case, as in HTTP/2 and in Envoy; values have no white space around them.
fn headers(lines: &[u8]) -> Vec<Header> {
    let lines = lines.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let at = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
            let (name, value) = line.split_at(at);
            let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
            Some((name, value[1..].trim_ascii().to_vec()))
        })
        .collect()
}

/// With `encode_raw_headers`.
fn separate(headers: &[Header]) -> CheckRequest {
    let headers = headers.iter().map(|(name, value)| HeaderValue {
        key: name.clone(),
        value: String::new(),
        raw_value: value.clone(),
    });
    let headers = headers.collect();
    check(HttpRequest {
        header_map: Some(HeaderMap { headers }),
        ..HttpRequest::default()
    })
}

/// Without it: repeated headers are one, and bytes that are not UTF-8 are `!`.
fn joined(headers: &[Header]) -> CheckRequest {
    check(HttpRequest {
        headers: merged(headers),
        ..HttpRequest::default()
    })
}

fn merged(headers: &[Header]) -> HashMap<String, String> {
    let mut merged: HashMap<String, String> = HashMap::new();
    for (name, value) in headers {
        let value = replaced(value);
        let entry = merged.entry(name.clone());
        entry
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert(value);
    }
    merged
}

fn replaced(value: &[u8]) -> String {
    let mut out = String::new();
    for chunk in value.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| '!'));
    }
    out
}

fn check(http: HttpRequest) -> CheckRequest {
    let http = HttpRequest {
        method: "POST".to_owned(),
        path: "/mcp".to_owned(),
        host: "mcp.example".to_owned(),
        scheme: "https".to_owned(),
        raw_body: Bytes::from_static(BODY),
        ..http
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(Request { http: Some(http) }),
            ..AttributeContext::default()
        }),
    }
}

/// Each header with one value has the same one in both kinds of bag.
fn one_by_one(headers: &[Header]) {
    let raw = headers
        .iter()
        .map(|(name, value)| (name.clone(), HeaderText::Raw(value.clone())));
    let (Ok(separate), Ok(joined)) = (HeaderBag::separate(raw), HeaderBag::joined(merged(headers)))
    else {
        return;
    };
    for name in [
        "origin",
        "authorization",
        "mcp-name",
        "mcp-method",
        "mcp-protocol-version",
        "mcp-session-id",
        "x-envoy-external-address",
        "x",
    ] {
        let (one, other) = (separate.single(name), joined.single(name));
        kept(name, one.ok(), other.ok());
    }
}

/// Every header that somebody could take for one of ours is to be removed, and no other.
fn nothing_of_ours_passes(headers: &[Header], incoming: &Incoming) {
    let removed: BTreeSet<&str> = incoming.head.remove.iter().map(String::as_str).collect();
    for (name, _) in headers {
        let folded: String = name
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    byte
                } else {
                    b'-'
                }
            })
            .map(char::from)
            .collect();
        let ours = folded.starts_with(PREFIX);
        assert_eq!(removed.contains(name.as_str()), ours, "`{name}` passes");
    }
    let sent: BTreeSet<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(removed.is_subset(&sent), "removed, and never sent");
}

/// What both accept, they read alike.
fn same(separate: &Incoming, joined: &Incoming) {
    let (one, other) = (&separate.head, &joined.head);
    let asked = |incoming: &Incoming| {
        let head = &incoming.head;
        (
            head.method.clone(),
            head.scheme.clone(),
            head.host.clone(),
            head.path.clone(),
            head.origin.clone(),
            head.preflight,
            incoming.resource.clone(),
        )
    };
    assert_eq!(asked(separate), asked(joined));
    let stated = |incoming: &Incoming| {
        let head = &incoming.head;
        [
            head.protocol_version.clone(),
            head.mcp_method.clone(),
            head.mcp_name.clone(),
            head.session.clone(),
        ]
    };
    assert_eq!(stated(separate), stated(joined));
    let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&one.remove), sorted(&other.remove));
    kept("an address", one.client_ip, other.client_ip);
    kept(
        "a trace",
        one.traceparent.as_ref(),
        other.traceparent.as_ref(),
    );
    let named = |id: &str| (!id.is_empty()).then(|| id.to_owned());
    kept("an id", named(&one.request_id), named(&other.request_id));
    kept("a body", complete(&separate.body), complete(&joined.body));

    // A credential that cannot be read is none, so only two that can may be compared.
    let (one, other) = (&separate.presented, &joined.presented);
    let pair = (
        one.authorization.as_ref().ok(),
        other.authorization.as_ref().ok(),
    );
    kept("a token", pair.0, pair.1);
    kept(
        "a proof",
        one.proof.as_ref().ok(),
        other.proof.as_ref().ok(),
    );
    assert_eq!(one.keys.len(), other.keys.len(), "a key more");
    for (one, other) in one.keys.iter().zip(&other.keys) {
        assert_eq!(one.header, other.header);
        kept("a key", one.key.as_ref().ok(), other.key.as_ref().ok());
    }
    assert_eq!(one.certificate, other.certificate);

    let server: Arc<str> = Arc::from("server");
    let read = |incoming: &Incoming| {
        message::read(
            &incoming.head,
            &incoming.body,
            &McpRules::default(),
            &server,
        )
        .ok()
    };
    kept("a message", read(separate), read(joined));
}

fn complete(body: &Body) -> Option<&Bytes> {
    match body {
        Body::Complete(bytes) => Some(bytes),
        Body::Absent | Body::Withheld | Body::Partial | Body::Oversized => None,
    }
}

/// Joining loses something, so it may refuse more; what it still accepts is what was sent.
fn kept<T: PartialEq + std::fmt::Debug>(what: &str, separate: Option<T>, joined: Option<T>) {
    if joined.is_some() {
        assert_eq!(separate, joined, "two readings of {what}");
    }
}
