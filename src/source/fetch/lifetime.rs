//! How long an answer may be kept, as its headers say (RFC 9111).

use std::time::Duration;

use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// `max-age`, or without one `Expires`, less `Age`; zero for `no-store` and `no-cache`; `None` where
/// nothing readable is said. Of several `max-age` the smallest counts.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let lifetime = cache_control(headers).or_else(|| expires(headers))?;
    let age = headers
        .get(header::AGE)
        .and_then(|value| seconds(value.to_str().ok()?))
        .unwrap_or_default();
    Some(lifetime.saturating_sub(age))
}

fn cache_control(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime: Option<Duration> = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            if let Some(said) = read_directive(directive) {
                lifetime = Some(lifetime.map_or(said, |other| other.min(said)));
            }
        }
    }
    lifetime
}

/// From `Date` to `Expires`, so that the sender's clock is compared with itself. An `Expires` that is
/// no date means that it is past (RFC 9111, section 5.3); without a `Date` there is nothing to
/// compare with.
fn expires(headers: &HeaderMap) -> Option<Duration> {
    if !headers.contains_key(header::EXPIRES) {
        return None;
    }
    let Some(end) = date(headers, &header::EXPIRES) else {
        return Some(Duration::ZERO);
    };
    let start = date(headers, &header::DATE)?;
    let seconds = end.unix_timestamp().saturating_sub(start.unix_timestamp());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// The form that senders must use (RFC 9110, section 5.6.7), which is one of RFC 2822.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<OffsetDateTime> {
    let text = headers.get(name)?.to_str().ok()?;
    OffsetDateTime::parse(text, &Rfc2822).ok()
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

    #[test]
    fn expires_counts_where_there_is_no_max_age() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (cache, expires, date, expected) in [
            (None, "Sun, 06 Nov 1994 08:59:37 GMT", Some(date), Some(600)),
            (
                Some("public"),
                "Sun, 06 Nov 1994 08:50:37 GMT",
                Some(date),
                Some(60),
            ),
            (
                Some("max-age=5"),
                "Sun, 06 Nov 1994 08:59:37 GMT",
                Some(date),
                Some(5),
            ),
            (
                Some("no-cache"),
                "Sun, 06 Nov 1994 08:59:37 GMT",
                Some(date),
                Some(0),
            ),
            (None, "Sun, 06 Nov 1994 08:49:36 GMT", Some(date), Some(0)),
            (None, "0", Some(date), Some(0)),
            (None, "-1", None, Some(0)),
            (None, "Sun, 06 Nov 1994 08:59:37 GMT", None, None),
            (
                None,
                "Sun, 06 Nov 1994 08:59:37 GMT",
                Some("yesterday"),
                None,
            ),
            (
                None,
                "Fri, 31 Dec 9999 23:59:59 GMT",
                Some(date),
                Some(252_618_189_022),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::EXPIRES, expires.parse().unwrap());
            if let Some(cache) = cache {
                headers.insert(header::CACHE_CONTROL, cache.parse().unwrap());
            }
            if let Some(date) = date {
                headers.insert(header::DATE, date.parse().unwrap());
            }
            let expected = expected.map(Duration::from_secs);
            assert_eq!(read(&headers), expected, "{cache:?} {expires} {date:?}");
            headers.insert(header::AGE, "50".parse().unwrap());
            let aged = expected.map(|said| said.saturating_sub(Duration::from_secs(50)));
            assert_eq!(read(&headers), aged, "{expires} and aged");
        }
    }
}
