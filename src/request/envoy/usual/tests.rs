//! What is read off the wire is what the generated code reads, for good messages and for bad ones.

use proptest::prelude::*;

use super::super::taken_apart;
use super::*;
use crate::proto::envoy::config::core::v3::HeaderMap;
use crate::proto::envoy::config::core::v3::HeaderValue;
use crate::proto::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::proto::envoy::service::auth::v3::attribute_context::Peer;
use crate::proto::envoy::service::auth::v3::attribute_context::Request;

fn header(key: &str, value: &str, raw_value: &[u8]) -> HeaderValue {
    HeaderValue {
        key: key.to_owned(),
        value: value.to_owned(),
        raw_value: raw_value.to_vec(),
    }
}

fn http(headers: Vec<HeaderValue>) -> HttpRequest {
    HttpRequest {
        id: "17".to_owned(),
        method: "POST".to_owned(),
        path: "/mcp?x=1".to_owned(),
        host: "mcp.example.com".to_owned(),
        scheme: "https".to_owned(),
        size: 2,
        protocol: "HTTP/2".to_owned(),
        raw_body: Bytes::from_static(b"{}"),
        header_map: Some(HeaderMap { headers }),
        ..HttpRequest::default()
    }
}

fn encoded(http: HttpRequest) -> Vec<u8> {
    let source = Peer {
        principal: "spiffe://a/b".to_owned(),
        ..Peer::default()
    };
    let context_extensions = [("resource".to_owned(), "weather".to_owned())];
    let attributes = AttributeContext {
        source: Some(source),
        request: Some(Request { http: Some(http) }),
        context_extensions: context_extensions.into(),
        ..AttributeContext::default()
    };
    let request = CheckRequest {
        attributes: Some(attributes),
    };
    request.encode_to_vec()
}

fn quick(bytes: &[u8]) -> Result<Wire, Unusual> {
    read(&Bytes::copy_from_slice(bytes))
}

/// Everything that a [`Wire`] holds.
fn shown(wire: &Wire) -> String {
    let Wire { headers, .. } = wire;
    let values: Vec<&[u8]> = headers
        .names()
        .flat_map(|name| headers.values(name))
        .collect();
    format!("{wire:?} {values:?}")
}

/// Whether a message is usual; if so, the generated code must read the same.
fn agree(bytes: &[u8]) -> bool {
    let Ok(quick) = quick(bytes) else {
        return false;
    };
    let slow = CheckRequest::decode(bytes).expect("the generated code reads it too");
    assert_eq!(shown(&quick), shown(&taken_apart(slow)));
    true
}

/// Field 11 of the attributes, `metadata_context`: a value of so many lists in each other.
fn nested(lists: usize) -> Vec<u8> {
    let within = |key: u8, inner: &[u8]| {
        let mut outer = vec![key];
        encode_varint(u64::try_from(inner.len()).unwrap(), &mut outer);
        outer.extend(inner);
        outer
    };
    let mut value = vec![0x20, 0x01];
    for _ in 0..lists {
        value = within(0x32, &within(0x0a, &value));
    }
    let member = [within(0x0a, b"a"), within(0x12, &value)].concat();
    let entry = [within(0x0a, b"other"), within(0x12, &within(0x0a, &member))];
    within(0x5a, &within(0x0a, &entry.concat()))
}

#[test]
fn what_is_too_deep_for_the_generated_code_is_too_deep() {
    let usual = encoded(http(vec![header("a", "", b"b")]));
    let inner = CheckRequest::decode(&*usual).unwrap().attributes.unwrap();
    let mut refused = 0;
    for lists in 30..60 {
        let attributes = [inner.encode_to_vec(), nested(lists)].concat();
        let mut bytes = vec![ATTRIBUTES];
        encode_varint(u64::try_from(attributes.len()).unwrap(), &mut bytes);
        bytes.extend(attributes);
        if CheckRequest::decode(&*bytes).is_ok() {
            assert!(agree(&bytes), "{lists}");
        } else {
            refused += 1;
            assert!(quick(&bytes).is_err(), "{lists}");
        }
    }
    assert!((1..30).contains(&refused), "{refused}");
}

#[test]
fn what_a_proxy_sends_is_usual_and_read_alike() {
    let headers = vec![
        header(":path", "", b"/mcp?x=1"),
        header("Authorization", "", b"Bearer abc"),
        header("x", "text", b""),
        header("x", "text", b"\xff bytes"),
        header("", "", b""),
    ];
    let usual = http(headers[..4].to_vec());
    assert!(agree(&encoded(usual.clone())));
    for size in [0, -1, i64::MIN, i64::MAX] {
        let usual = usual.clone();
        assert!(agree(&encoded(HttpRequest { size, ..usual })), "{size}");
    }
    // `Request.time`, which the definitions here leave out.
    let bytes = encoded(usual.clone());
    let mut timed = vec![0x22];
    let inner = Request { http: Some(usual) }.encode_to_vec();
    encode_varint(u64::try_from(inner.len() + 4).unwrap(), &mut timed);
    timed.extend([0x0a, 0x02, 0x08, 0x01]);
    timed.extend(inner);
    let mut message = vec![0x0a];
    encode_varint(u64::try_from(timed.len()).unwrap(), &mut message);
    message.extend(timed);
    assert!(agree(&message));
    for unusual in [
        http(Vec::new()),
        http(headers),
        HttpRequest {
            headers: [("a".to_owned(), "b".to_owned())].into(),
            ..http(vec![header("a", "", b"b")])
        },
        HttpRequest {
            body: "{}".to_owned(),
            ..http(vec![header("a", "", b"b")])
        },
        http(vec![header("a", "", b"b"); MAX_HEADERS + 1]),
    ] {
        assert!(!agree(&encoded(unusual)));
    }
    assert!(
        !agree(&[]) && !agree(&[&bytes[..], &bytes[..]].concat()),
        "twice"
    );
}

#[test]
fn a_message_that_is_cut_off_anywhere_is_left_to_the_generated_code() {
    let whole = encoded(http(vec![header("a", "", b"b")]));
    for end in 0..whole.len() {
        assert!(!agree(&whole[..end]), "{end}");
    }
}

#[test]
fn a_number_has_at_most_64_bits() {
    let read = |bytes: &[u8]| Fields::all(bytes).varint();
    assert_eq!(read(&[0x96, 0x01]), Ok(150));
    let most = [&[0xff; 9][..], &[0x01]].concat();
    assert_eq!(read(&most), Ok(u64::MAX));
    for bad in [&[][..], &[0x80], &[0xff; 10], &[0x80; 11], &[0xff; 9]] {
        assert_eq!(read(bad), Err(Unusual));
    }
}

proptest! {
    #[test]
    fn both_readers_agree(
        headers in proptest::collection::vec(
            ("(authorization|host|x|\u{e9}|[a-z]{0,3})", "[a-z]{0,3}",
             proptest::collection::vec(any::<u8>(), 0..6)), 0..5),
        method in "[A-Z]{0,3}",
        body in proptest::collection::vec(any::<u8>(), 0..6),
        size: i64,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3_u8), 0..3),
    ) {
        let headers = headers.iter().map(|(key, value, raw)| header(key, value, raw)).collect();
        let mut bytes = encoded(HttpRequest { method, raw_body: body.into(), size, ..http(headers) });
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        agree(&bytes);
    }

    #[test]
    fn fields_in_any_order_agree(fields in proptest::collection::vec(
        (1..16_u8, 0..6_u8, proptest::collection::vec(0..24_u8, 0..6)), 0..6)) {
        // Nested four deep: fields of a header, of the map, of the request, of the attributes.
        let mut inner = Vec::new();
        for (number, kind, bytes) in &fields {
            inner.push(number << 3 | kind);
            inner.push(u8::try_from(bytes.len()).unwrap());
            inner.extend(bytes);
        }
        for numbers in [&[1, 4, 2, 13, 1][..], &[1, 4, 2, 13], &[1, 4, 2], &[1, 4], &[1], &[]] {
            let mut message = inner.clone();
            for number in numbers.iter().rev() {
                let mut outer = vec![number << 3 | 2];
                encode_varint(u64::try_from(message.len()).unwrap(), &mut outer);
                outer.extend(&message);
                message = outer;
            }
            agree(&message);
        }
    }
}
