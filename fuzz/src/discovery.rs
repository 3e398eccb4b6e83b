//! Issuers' metadata.

use cedargate::source::discovery;
use serde_json::Value;
use url::Url;

use crate::rules::ISSUER;
use crate::sound;

/// The bytes are the answer of the issuer's discovery endpoint.
pub fn run(data: &[u8]) -> bool {
    let read = discovery::read(data, ISSUER).ok();
    assert_eq!(read, discovery::read(data, ISSUER).ok(), "two readings");
    let Some(document) = read else {
        return false;
    };
    let other: Value = serde_json::from_slice(data).expect("what was accepted is JSON");
    sound::names_issuer(&other, "issuer");
    for near in [
        "https://issuer.example/",
        "https://issuer",
        "HTTPS://issuer.example",
        "",
    ] {
        assert!(discovery::read(data, near).is_err(), "taken for `{near}`");
    }
    let Ok(found) = discovery::jwks_uri(&document) else {
        return false;
    };
    let stated = other.get("jwks_uri").and_then(Value::as_str);
    let stated = stated.and_then(|uri| Url::parse(uri).ok());
    assert_eq!(stated, Some(found), "two readings of `jwks_uri`");
    true
}
