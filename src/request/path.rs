//! The request path, read so that it has exactly one meaning, or refused.
//!
//! Proxies and upstreams disagree about dot segments, encoded separators, empty segments and path
//! parameters. A path that uses any of them is refused and never repaired: the upstream gets the
//! bytes that the client sent, so a repaired path would be one that nobody serves.

mod fold;

use std::borrow::Cow;

use thiserror::Error;

pub(crate) use self::fold::decode;
pub(crate) use self::fold::escaped;
pub(crate) use self::fold::same_segment;

/// Longest accepted path, in bytes, without the query.
pub const MAX_PATH: usize = 8 * 1024;

/// A path with one meaning: it starts with `/`, unreserved characters stand for themselves (RFC
/// 3986, section 6.2.2.2) and every other escape has upper-case digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalPath {
    text: String,
    verbatim: bool,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PathFault {
    /// No leading `/`: the asterisk form, an authority, an absolute URI, or nothing.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// Longer than [`MAX_PATH`].
    #[error("the path is longer than {MAX_PATH} bytes")]
    TooLong,
    /// A `.` or `..` segment, in any encoding.
    #[error("the path has a dot segment")]
    DotSegment,
    /// `//`
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `\`, or an encoded `/` or `\`.
    #[error("the path has an encoded or foreign separator")]
    ForeignSeparator,
    /// `;`: some servers cut the segment there.
    #[error("the path has a parameter")]
    Parameter,
    /// `#` or a control character, a space, or a character outside the grammar of RFC 3986,
    /// section 3.3.
    #[error("the path or the query has a character that must not stand there")]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("the path has an invalid percent-encoding")]
    InvalidEscape,
    /// An escape that decodes to another escape.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// An escaped control or NUL byte.
    #[error("the path has an encoded control character")]
    EncodedControl,
    /// Escapes that decode to something other than UTF-8, such as an overlong `/`: careless decoders
    /// take it for one.
    #[error("the path does not decode to UTF-8")]
    NotUtf8,
    /// A parameter `access_token` in the query (RFC 6750, section 2.3).
    #[error("a token in the query is not accepted")]
    TokenInQuery,
}

impl CanonicalPath {
    /// Reads the target of a request: the path, and the query without its `?`.
    ///
    /// # Errors
    ///
    /// Whatever two servers could read differently; see [`PathFault`].
    pub fn parse(raw: &str) -> Result<(Self, Option<&str>), PathFault> {
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        let text = canonical(path)?;
        if let Some(query) = query {
            check_query(query)?;
        }
        let verbatim = matches!(text, Cow::Borrowed(_));
        let path = Self {
            text: text.into_owned(),
            verbatim,
        };
        Ok((path, query))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the client sent exactly the bytes of `path`, a canonical path.
    pub fn is_exactly(&self, path: &str) -> bool {
        self.verbatim && self.text == path
    }

    /// Whether this is another spelling of `mcp_path` that some server would take for it: the same
    /// under ASCII case, trailing slashes and percent-encoding, but sent in other bytes.
    pub fn near_spelling(&self, mcp_path: &str) -> bool {
        !self.is_exactly(mcp_path) && fold::folded(&self.text) == fold::folded(mcp_path)
    }
}

/// The canonical spelling; borrowed when it is the one that was sent.
fn canonical(path: &str) -> Result<Cow<'_, str>, PathFault> {
    if !path.starts_with('/') {
        return Err(PathFault::NotAbsolute);
    }
    if path.len() > MAX_PATH {
        return Err(PathFault::TooLong);
    }
    let mut out: Option<String> = None;
    let mut bytes = path.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'%' {
            check_raw(byte)?;
            if let Some(out) = &mut out {
                out.push(char::from(byte));
            }
            continue;
        }
        let escape = (at, path.get(at..at.saturating_add(3)));
        let (at, Some(escape)) = escape else {
            return Err(PathFault::InvalidEscape);
        };
        let decoded = escaped(escape.as_bytes()).ok_or(PathFault::InvalidEscape)?;
        check_escaped(decoded, path.as_bytes().get(at.saturating_add(3)..))?;
        bytes.nth(1);
        if !is_unreserved(decoded) && !escape.bytes().any(|byte| byte.is_ascii_lowercase()) {
            if let Some(out) = &mut out {
                out.push_str(escape);
            }
            continue;
        }
        let out = out.get_or_insert_with(|| path.get(..at).unwrap_or_default().to_owned());
        if is_unreserved(decoded) {
            out.push(char::from(decoded));
        } else {
            out.push_str(&escape.to_ascii_uppercase());
        }
    }
    let text = out.map_or(Cow::Borrowed(path), Cow::Owned);
    check_segments(&text)?;
    if std::str::from_utf8(&decode(&text)).is_err() {
        return Err(PathFault::NotUtf8);
    }
    Ok(text)
}

/// A byte that stands for itself: pchar or `/` (RFC 3986, section 3.3), without `;`.
fn check_raw(byte: u8) -> Result<(), PathFault> {
    match byte {
        b';' => Err(PathFault::Parameter),
        b'\\' => Err(PathFault::ForeignSeparator),
        b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
        | b'=' => Ok(()),
        byte if is_unreserved(byte) => Ok(()),
        _ => Err(PathFault::Character),
    }
}

/// A byte that was escaped, and what follows the escape.
fn check_escaped(byte: u8, rest: Option<&[u8]>) -> Result<(), PathFault> {
    match byte {
        b'/' | b'\\' => Err(PathFault::ForeignSeparator),
        0..=0x1f | 0x7f => Err(PathFault::EncodedControl),
        b'%' if rest.is_some_and(starts_with_two_digits) => Err(PathFault::DoubleEncoding),
        _ => Ok(()),
    }
}

fn starts_with_two_digits(rest: &[u8]) -> bool {
    match rest {
        // The digits may be escaped themselves, so another escape is taken for one.
        [b'%', ..] | [_, b'%', ..] => true,
        [first, second, ..] => first.is_ascii_hexdigit() && second.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Refuses dot segments, also where a path parameter is hidden behind them, and empty segments.
fn check_segments(path: &str) -> Result<(), PathFault> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathFault::EmptySegment);
        }
        let name = segment.split("%3B").next().unwrap_or_default();
        if name == "." || name == ".." {
            return Err(PathFault::DotSegment);
        }
    }
    Ok(())
}

fn check_query(query: &str) -> Result<(), PathFault> {
    if query
        .bytes()
        .any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#')
    {
        return Err(PathFault::Character);
    }
    for pair in query.split(['&', ';']) {
        let name = pair.split('=').next().unwrap_or_default();
        if decode(name).eq_ignore_ascii_case(b"access_token") {
            return Err(PathFault::TokenInQuery);
        }
    }
    Ok(())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> Result<String, PathFault> {
        CanonicalPath::parse(raw).map(|(path, _)| path.text)
    }

    #[test]
    fn one_meaning_is_kept_or_made_canonical() {
        for (raw, expected) in [
            ("/", "/"),
            ("/mcp", "/mcp"),
            ("/mcp/", "/mcp/"),
            ("/MCP", "/MCP"),
            ("/%6dcp", "/mcp"),
            ("/%6Dcp?x=1", "/mcp"),
            ("/a%20b", "/a%20b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%7e%2Db", "/a~-b"),
            ("/a...b/.c/..d/...", "/a...b/.c/..d/..."),
            ("/a:@!$&'()*+,=b", "/a:@!$&'()*+,=b"),
            ("/100%25", "/100%25"),
            ("/100%25%", "invalid"),
            ("/a%3bb", "/a%3Bb"),
        ] {
            let read = path(raw);
            if expected == "invalid" {
                assert!(read.is_err(), "{raw}");
            } else {
                assert_eq!(read.as_deref(), Ok(expected), "{raw}");
            }
        }
    }

    #[test]
    fn what_two_servers_read_differently_is_refused() {
        use PathFault::*;
        for (raw, fault) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("?x", NotAbsolute),
            ("mcp", NotAbsolute),
            ("host.example:443", NotAbsolute),
            ("http://host/mcp", NotAbsolute),
            ("/x/../mcp", DotSegment),
            ("/noauth/../mcp", DotSegment),
            ("/./mcp", DotSegment),
            ("/mcp/.", DotSegment),
            ("/..", DotSegment),
            ("/x/%2e%2e/mcp", DotSegment),
            ("/x/%2E./mcp", DotSegment),
            ("/x/.%2e", DotSegment),
            ("/x/..%3b/mcp", DotSegment),
            ("/x/..%3Ba=b/mcp", DotSegment),
            ("/x/..;/mcp", Parameter),
            ("/mcp;a=b", Parameter),
            ("//mcp", EmptySegment),
            ("/a//b", EmptySegment),
            ("/mcp//", EmptySegment),
            ("/x%2fmcp", ForeignSeparator),
            ("/..%2Fmcp", ForeignSeparator),
            ("/x%5cmcp", ForeignSeparator),
            ("/x%5C..%5Cmcp", ForeignSeparator),
            ("/x\\mcp", ForeignSeparator),
            ("/x%252fmcp", DoubleEncoding),
            ("/x%252e%252e", DoubleEncoding),
            ("/x%25%32e", DoubleEncoding),
            ("/x%252%65", DoubleEncoding),
            ("/x%25252e", DoubleEncoding),
            ("/x%00y", EncodedControl),
            ("/x%0a", EncodedControl),
            ("/x%7f", EncodedControl),
            ("/x/..%c0%af", NotUtf8),
            ("/%e0%80%af", NotUtf8),
            ("/caf%e9", NotUtf8),
            ("/%ed%a0%80", NotUtf8),
            ("/x\0y", Character),
            ("/x\ty", Character),
            ("/x y", Character),
            ("/x\u{7f}", Character),
            ("/caf\u{e9}", Character),
            ("/mcp#x", Character),
            ("/mcp?a#x", Character),
            ("/a|b", Character),
            ("/a\"b", Character),
            ("/%", InvalidEscape),
            ("/%4", InvalidEscape),
            ("/%zz", InvalidEscape),
            ("/%u002e", InvalidEscape),
            ("/%+1", InvalidEscape),
        ] {
            assert_eq!(path(raw), Err(fault), "{raw:?}");
        }
        assert_eq!(path(&format!("/{}", "a".repeat(MAX_PATH))), Err(TooLong));
    }

    #[test]
    fn a_token_in_the_query_is_found_in_every_spelling() {
        for raw in [
            "/mcp?access_token=x",
            "/mcp?a=b&access_token=x",
            "/mcp?a=b;access_token",
            "/mcp?access%5Ftoken=x",
            "/mcp?%61ccess_toke%6e=x",
            "/mcp?Access_Token=x",
        ] {
            assert_eq!(path(raw), Err(PathFault::TokenInQuery), "{raw}");
        }
        for raw in ["/mcp?token=x", "/mcp?a=access_token", "/mcp?", "/mcp?a?b"] {
            assert!(path(raw).is_ok(), "{raw}");
        }
        let (_, query) = CanonicalPath::parse("/a?b?c").unwrap();
        assert_eq!(query, Some("b?c"));
    }

    #[test]
    fn near_spellings_of_an_endpoint_are_recognised() {
        for (raw, near) in [
            ("/mcp", false),
            ("/mcp?x=1", false),
            ("/mcp/", true),
            ("/MCP", true),
            ("/%6dcp", true),
            ("/%4Dcp/", true),
            ("/mcp%3Ba=b", true),
            ("/mcp2", false),
            ("/mcp/x", false),
            ("/", false),
        ] {
            let (path, _) = CanonicalPath::parse(raw).unwrap();
            assert_eq!(path.near_spelling("/mcp"), near, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(raw in "/[a-zA-Z0-9%./;:~ -]{0,24}") {
            if let Ok(first) = path(&raw) {
                let (again, _) = CanonicalPath::parse(&first).unwrap();
                prop_assert_eq!(&again.text, &first);
                prop_assert!(again.verbatim);
            }
        }

        #[test]
        fn no_input_panics(raw in any::<String>()) {
            drop(path(&raw));
            drop(path(&format!("/{raw}")));
        }

        #[test]
        fn escaping_unreserved_characters_changes_nothing(
            before in "[a-z0-9_~-]{0,6}",
            escaped in "[a-z0-9_~-]",
            after in "[a-z0-9_~-]{0,6}",
        ) {
            let plain = format!("/{before}{escaped}{after}");
            let escaped = format!("/{before}%{:02x}{after}", escaped.as_bytes()[0]);
            let (read, _) = CanonicalPath::parse(&escaped).unwrap();
            prop_assert_eq!(read.as_str(), plain.as_str());
            prop_assert!(read.near_spelling(&plain));
        }
    }
}
