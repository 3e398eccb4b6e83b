//! Targets of requests: path and query.

use cedargate::request::path::CanonicalPath;
use cedargate::request::path::MAX_PATH;
use url::Url;

/// The text is the target of a request.
pub fn run(data: &[u8]) -> bool {
    let Ok(raw) = std::str::from_utf8(data) else {
        return false;
    };
    let (path, query) = match CanonicalPath::parse(raw) {
        Ok(read) => read,
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            return false;
        }
    };
    let (sent, asked) = match raw.split_once('?') {
        Some((sent, asked)) => (sent, Some(asked)),
        None => (raw, None),
    };
    assert_eq!(query, asked, "another query");
    canonical(&path, sent);
    if let Some(query) = query {
        no_token(query);
    }
    reread(&path, sent, raw);
    true
}

/// It reads as itself, and there is nothing in it that servers are known to read differently.
fn canonical(path: &CanonicalPath, sent: &str) {
    let text = path.as_str();
    let (again, _) = CanonicalPath::parse(text).expect("it is canonical");
    assert_eq!(again.as_str(), text, "not a fixed point");
    assert!(again.is_exactly(text) && !again.near_spelling(text));
    assert_eq!(path.is_exactly(text), sent == text);
    assert_eq!(
        path.near_spelling(text),
        sent != text,
        "sent in other bytes"
    );
    assert!(text.starts_with('/') && sent.len() <= MAX_PATH);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!text.contains(['\\', ';', '#', '?', '"', '<', '>', '|', '^', '`', '{', '}']));

    let decoded = decode(text);
    assert_eq!(decoded, decode(sent), "something was changed");
    let decoded = String::from_utf8(decoded).expect("UTF-8");
    assert!(!decoded.chars().any(|c| c.is_ascii_control()), "a control");
    assert_eq!(
        decoded.matches('/').count(),
        text.matches('/').count(),
        "an escaped separator"
    );
    assert!(!decoded.contains(['\\']), "a separator of other systems");
    // Not even for those who cut parameters off after decoding.
    for (at, segment) in decoded.split('/').enumerate() {
        let name = segment.split(';').next().unwrap_or_default();
        assert!(name != "." && name != "..", "a dot segment");
        let last = at == decoded.matches('/').count();
        assert!(at == 0 || last || !segment.is_empty(), "an empty segment");
    }
    // Nor for those who decode twice.
    assert_eq!(decode(&decoded), decoded.as_bytes(), "escaped twice");
}

/// Another library leaves the path as it is, and takes what was sent for the same.
fn reread(path: &CanonicalPath, sent: &str, raw: &str) {
    let whole = Url::parse(&format!("https://mcp.example{raw}")).expect("a URL");
    assert_eq!(whole.host_str(), Some("mcp.example"), "another host");
    assert_eq!(whole.path(), sent, "two readings of the path");
    let url = Url::parse(&format!("https://mcp.example{}", path.as_str())).expect("a URL");
    assert_eq!(url.path(), path.as_str());
    let joined = url.join(sent).expect("a reference");
    assert_eq!(joined.path(), sent, "resolved to something else");
}

/// No parameter of the query is a token, for anybody who reads forms.
fn no_token(query: &str) {
    for part in query.split(';') {
        for (name, _) in url::form_urlencoded::parse(part.as_bytes()) {
            assert!(!name.eq_ignore_ascii_case("access_token"), "a token");
        }
    }
}

/// Every escape, once.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escape = bytes.get(at..at + 3).filter(|escape| escape[0] == b'%');
        let digits = escape.and_then(|escape| std::str::from_utf8(&escape[1..]).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}
