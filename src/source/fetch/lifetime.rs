//! How long an answer may be kept, as its headers say (RFC 9111).

use std::time::Duration;

use reqwest::header;
use reqwest::header::HeaderMap;

/// `max-age` less `Age`; zero for `no-store` and `no-cache`; `None` where nothing readable is said.
/// Of several values the smallest counts.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime: Option<Duration> = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            if let Some(said) = read_directive(directive) {
                lifetime = Some(lifetime.map_or(said, |other| other.min(said)));
            }
        }
    }
    let age = headers
        .get(header::AGE)
        .and_then(|value| seconds(value.to_str().ok()?))
        .unwrap_or_default();
    lifetime.map(|lifetime| lifetime.saturating_sub(age))
}

fn read_directive(directive: &str) -> Option<Duration> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "max-age" => seconds(value.trim().trim_matches('"')),
        "no-store" | "no-cache" => Some(Duration::ZERO),
        _ => None,
    }
}

/// Digits alone; a number too large to hold is as good as the largest.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_headers_say() {
        for (cache, age, expected) in [
            (&["max-age=300"][..], None, Some(300)),
            (
                &["public, Max-Age = \"300\" , must-revalidate"],
                None,
                Some(300),
            ),
            (&["max-age=300"], Some("100"), Some(200)),
            (&["max-age=300"], Some("400"), Some(0)),
            (&["max-age=300"], Some("-1"), Some(300)),
            (&["no-store"], None, Some(0)),
            (&["max-age=300", "no-cache"], None, Some(0)),
            (&["max-age=300, max-age=60"], None, Some(60)),
            (&["max-age=99999999999999999999"], None, Some(u64::MAX)),
            (&["max-age=-1"], None, None),
            (&["max-age=1.5"], None, None),
            (&["max-age"], None, None),
            (&["s-maxage=5, private"], None, None),
            (&[], Some("5"), None),
        ] {
            let mut headers = HeaderMap::new();
            for value in cache {
                headers.append(header::CACHE_CONTROL, value.parse().unwrap());
            }
            if let Some(age) = age {
                headers.insert(header::AGE, age.parse().unwrap());
            }
            let expected = expected.map(Duration::from_secs);
            assert_eq!(read(&headers), expected, "{cache:?} {age:?}");
        }
    }
}
