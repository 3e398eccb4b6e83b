//! The body of a message is plain UTF-8 JSON, and its headers say so.

use super::MessageFaultKind;
use super::malformed;
use crate::request::incoming::Head;

/// Checks `Content-Type` and `Content-Encoding`: some upstreams honour other character sets and
/// compression, and would then read another body than we do.
pub(super) fn check(head: &Head) -> Result<(), MessageFaultKind> {
    if !head.content_type.as_deref().is_some_and(is_json) {
        return Err(malformed("the content type is not `application/json`"));
    }
    match head.content_encoding.as_deref() {
        None => Ok(()),
        Some(encoding) if encoding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => Err(malformed("an encoded body is not accepted")),
    }
}

/// `application/json`, with no parameter but `charset=utf-8`.
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(|part| part.trim_matches([' ', '\t']));
    let media_type = parts.next().unwrap_or_default();
    let parameters = (parts.next(), parts.next());
    media_type.eq_ignore_ascii_case("application/json")
        && match parameters {
            (None, _) => true,
            (Some(parameter), None) => is_utf8(parameter),
            (Some(_), Some(_)) => false,
        }
}

fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf_8_json_is_accepted() {
        for good in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; Charset=\"utf-8\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "text/json",
            "text/plain",
            "application/json5",
            "application/json-rpc",
            "application/json;",
            "application/json; charset=utf-7",
            "application/json; charset=utf-16",
            "application/json; charset=utf-32",
            "application/json; charset=iso-8859-1",
            "application/json; charset=utf8",
            "application/json; charset",
            "application/json; charset=\"utf-8",
            "application/json; charset=utf-8; charset=utf-7",
            "application/json; boundary=x",
            "application/json,application/json",
            "application/json application/xml",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
