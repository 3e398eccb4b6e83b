//! What callers and proxies put into headers: `Authorization`, `DPoP` proofs, and
//! `x-forwarded-client-cert`.

mod certificate;
mod proof;

use bytes::Bytes;
use cedargate::identity::credential::Authorization;
use cedargate::request::Incoming;
use cedargate::request::forwarded;
use cedargate::request::incoming::ReadOptions;
use http::HeaderValue;

use crate::rules;

/// The bytes are the value of each of these headers in turn. Several lines are also a proof's header
/// and claims, to be signed, and the names in a certificate, to be written as Envoy writes them.
pub fn run(data: &[u8]) -> bool {
    let text = std::str::from_utf8(data).ok();
    let spoken = text.is_some_and(authorization);
    sent(data);
    let proven = text.is_some_and(proof::sent);
    let vouched = certificate::sent(data);
    let composed = text.and_then(|text| text.split_once('\n'));
    let composed = composed.is_some_and(|(first, rest)| {
        // Both are tried, whatever comes of the first.
        let written = certificate::written(first, rest);
        proof::signed(first.as_bytes(), rest.as_bytes()) || written
    });
    spoken || proven || vouched || composed
}

fn authorization(text: &str) -> bool {
    let read = Authorization::from_authorization(Some(text));
    assert_eq!(read, Authorization::from_authorization(Some(text)));
    let (scheme, token) = match &read {
        Ok(Authorization::Bearer(token)) => ("bearer", token.as_str()),
        Ok(Authorization::Dpop(token)) => ("dpop", token.as_str()),
        Ok(Authorization::Absent) => panic!("a header that was sent is not absent"),
        Err(_) => return false,
    };
    let (named, rest) = text.split_once(' ').expect("a scheme and a token");
    assert!(named.eq_ignore_ascii_case(scheme), "another scheme");
    assert_eq!(
        rest.trim_start_matches(' '),
        token,
        "something was left out"
    );
    let body = token.trim_end_matches('=');
    let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    assert!(
        !body.is_empty() && body.bytes().all(is_token68),
        "no token68"
    );
    true
}

/// The header of a whole request says what it says alone.
fn sent(data: &[u8]) {
    let Some(incoming) = check("authorization", data) else {
        return;
    };
    match incoming.presented.authorization {
        Ok(read) => {
            let alone = std::str::from_utf8(data.trim_ascii()).expect("what was accepted is text");
            assert_eq!(Authorization::from_authorization(Some(alone)), Ok(read));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

/// A check with one more header, from the gateway whose word counts.
fn check(name: &str, value: &[u8]) -> Option<Incoming> {
    let value = HeaderValue::from_bytes(value).ok()?;
    let request = http::Request::builder()
        .uri("/check")
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "mcp.example")
        .header("x-forwarded-uri", "/mcp")
        .header(name, value);
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let gateway = [10, 0, 0, 5].into();
    let options = ReadOptions::of(&rules::GATEWAY);
    forwarded::read(parts, Bytes::new(), Some(gateway), &options).ok()
}
