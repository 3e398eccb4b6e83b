//! What names one state of a document, so that it is only sent again if it has changed (RFC 9110,
//! section 13.1).

use reqwest::header;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;

/// Longest validator that is worth keeping, in bytes.
const MAX_BYTES: usize = 1024;

/// The `ETag` and `Last-Modified` of a document, at least one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Validators {
    /// What the headers of an answer say; `None` where they say nothing usable.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let found = Self {
            etag: only(headers, header::ETAG),
            modified: only(headers, header::LAST_MODIFIED),
        };
        (found.etag.is_some() || found.modified.is_some()).then_some(found)
    }

    /// The headers that make a request conditional.
    pub(super) fn headers(&self) -> HeaderMap {
        let named = [
            (header::IF_NONE_MATCH, &self.etag),
            (header::IF_MODIFIED_SINCE, &self.modified),
        ];
        named
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }
}

/// The value of a header that was sent once and is not too long.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    let usable = values.next().is_none() && !value.is_empty() && value.len() <= MAX_BYTES;
    usable.then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_asked_with() {
        let long = "x".repeat(MAX_BYTES + 1);
        for (sent, expected) in [
            (&[("etag", "\"a\"")][..], &[("if-none-match", "\"a\"")][..]),
            (&[("etag", "W/\"a\"")], &[("if-none-match", "W/\"a\"")]),
            (
                &[("etag", "\"a\""), ("last-modified", "b")],
                &[("if-none-match", "\"a\""), ("if-modified-since", "b")],
            ),
            (
                &[("etag", ""), ("last-modified", "b")],
                &[("if-modified-since", "b")],
            ),
            (&[("etag", "\"a\""), ("etag", "\"b\"")], &[]),
            (&[("etag", &long)], &[]),
            (&[], &[]),
        ] {
            let headers = |pairs: &[(&str, &str)]| -> HeaderMap {
                let mut map = HeaderMap::new();
                for (name, value) in pairs {
                    let name: HeaderName = name.parse().unwrap();
                    map.append(name, value.parse().unwrap());
                }
                map
            };
            let read = Validators::read(&headers(sent));
            let asked = read.map(|read| read.headers()).unwrap_or_default();
            assert_eq!(asked, headers(expected), "{sent:?}");
        }
    }
}
