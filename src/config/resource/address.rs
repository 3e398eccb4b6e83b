//! The URL of a resource: one spelling, and no other that means the same.

use url::Url;

/// A URL, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) path: String,
}

/// Why a URL cannot name a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AddressFault {
    #[error("not an absolute URL")]
    NotAbsolute,
    #[error("a URL with credentials")]
    Credentials,
    #[error("a URL with a query or a fragment")]
    Query,
    #[error("a host that is not written in its canonical form")]
    Host,
    #[error("a path that is not canonical")]
    Path,
}

impl AddressFault {
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::NotAbsolute => "as in `https://mcp.example.com/mcp`",
            Self::Credentials => "a resource is named without them",
            Self::Query => "a resource is its scheme, host and path (RFC 8707, section 2)",
            Self::Host => "a plain host name or address, ASCII, without a dot at the end",
            Self::Path => {
                "no empty or dot segments, no `;`, `\\` or percent-encoding, and no `/` at the end \
                 of the path of an http resource"
            }
        }
    }
}

/// Takes `text` apart. `slash` says whether a path may end in `/`.
pub(super) fn parts(text: &str, slash: bool) -> Result<Parts, AddressFault> {
    let (scheme, rest) = text.split_once("://").ok_or(AddressFault::NotAbsolute)?;
    if !matches!(scheme, "http" | "https") {
        return Err(AddressFault::NotAbsolute);
    }
    if rest.contains(['?', '#']) {
        return Err(AddressFault::Query);
    }
    let end = rest.find('/').unwrap_or(rest.len());
    let (written, path) = rest
        .split_at_checked(end)
        .ok_or(AddressFault::NotAbsolute)?;
    if written.contains('@') {
        return Err(AddressFault::Credentials);
    }
    if written.is_empty() {
        return Err(AddressFault::NotAbsolute);
    }
    let url = Url::parse(text).map_err(|_| AddressFault::NotAbsolute)?;
    let host = url.host_str().ok_or(AddressFault::NotAbsolute)?;
    let lower = written.to_ascii_lowercase();
    let port = lower.strip_prefix(host).ok_or(AddressFault::Host)?;
    if host.ends_with('.') || !is_plain_host(host) || !(port.is_empty() || port.starts_with(':')) {
        return Err(AddressFault::Host);
    }
    let path = if path.is_empty() { "/" } else { path };
    if !is_canonical(path, slash) {
        return Err(AddressFault::Path);
    }
    Ok(Parts {
        scheme: scheme.to_owned(),
        authority: match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        },
        path: path.to_owned(),
    })
}

/// Whether a path has one reading only.
fn is_canonical(path: &str, slash: bool) -> bool {
    if path == "/" {
        return true;
    }
    let Some(path) = path.strip_prefix('/') else {
        return false;
    };
    let path = match path.strip_suffix('/') {
        Some(without) if slash => without,
        Some(_) => return false,
        None => path,
    };
    path.split('/').all(is_plain_segment)
}

/// A path segment of unreserved characters, sub-delimiters but `;`, `:` and `@` (RFC 3986, section
/// 3.3), that is neither empty nor of dots.
pub(super) fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~!$&'()*+,=:@".contains(c))
}

/// The URL parser lets more through than any name or address needs, `*` for one.
fn is_plain_host(host: &str) -> bool {
    host.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}

/// Whether `text` is an origin as browsers send it (RFC 6454, section 6.2).
pub(super) fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.host_str().is_some_and(is_plain_host)
            && url.origin().is_tuple()
            && url.origin().ascii_serialization() == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, scheme, authority, path) in [
            ("https://a.example", "https", "a.example", "/"),
            ("https://a.example/", "https", "a.example", "/"),
            ("https://A.example:443/mcp", "https", "a.example", "/mcp"),
            ("http://a.example:80/x", "http", "a.example", "/x"),
            ("http://a.example:443/x", "http", "a.example:443", "/x"),
            (
                "https://a.example:8443/a/b",
                "https",
                "a.example:8443",
                "/a/b",
            ),
            (
                "http://127.0.0.1:8080/mcp",
                "http",
                "127.0.0.1:8080",
                "/mcp",
            ),
            ("http://[::1]:8080/mcp", "http", "[::1]:8080", "/mcp"),
            ("https://a.example/mcp/", "https", "a.example", "/mcp/"),
        ] {
            let expected = Parts {
                scheme: scheme.into(),
                authority: authority.into(),
                path: path.into(),
            };
            assert_eq!(parts(text, true), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_url_with_two_readings_is_refused() {
        for (text, fault) in [
            ("", AddressFault::NotAbsolute),
            ("mcp.example.com/mcp", AddressFault::NotAbsolute),
            ("/mcp", AddressFault::NotAbsolute),
            ("ftp://a.example/", AddressFault::NotAbsolute),
            ("HTTPS://a.example/", AddressFault::NotAbsolute),
            ("https://", AddressFault::NotAbsolute),
            ("https:///x", AddressFault::NotAbsolute),
            ("https://a.example:99999/", AddressFault::NotAbsolute),
            ("https://u:p@a.example/", AddressFault::Credentials),
            ("https://a.example/?q", AddressFault::Query),
            ("https://a.example/#f", AddressFault::Query),
            ("https://a.example?", AddressFault::Query),
            ("https://a.example./", AddressFault::Host),
            ("https://b\u{fc}cher.example/", AddressFault::Host),
            ("https://0x7f.1/", AddressFault::Host),
            ("https://*.example/", AddressFault::Host),
            ("https://a%2eexample/", AddressFault::Host),
            ("https://a.example//", AddressFault::Path),
            ("https://a.example//x", AddressFault::Path),
            ("https://a.example/a/../b", AddressFault::Path),
            ("https://a.example/./b", AddressFault::Path),
            ("https://a.example/a%2fb", AddressFault::Path),
            ("https://a.example/%61", AddressFault::Path),
            ("https://a.example/a;b", AddressFault::Path),
            ("https://a.example/a\\b", AddressFault::Path),
            ("https://a.example/\u{e9}", AddressFault::Path),
            ("https://a.example/a b", AddressFault::Path),
            ("https://a.example/a//", AddressFault::Path),
        ] {
            assert_eq!(parts(text, true), Err(fault), "{text}");
        }
        let slash = parts("https://a.example/a/", false);
        assert_eq!(slash, Err(AddressFault::Path));
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for text in [
            "https://a.example",
            "http://localhost:3000",
            "http://[::1]:1",
        ] {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "a.example",
            "https://a.example/",
            "https://a.example:443",
            "https://A.example",
            "https://*.example",
            "data:x",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
