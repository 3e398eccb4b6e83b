//! URLs in the one spelling in which the `htu` of a proof is compared with that of the request.

use std::net::Ipv6Addr;

/// The normal form (RFC 3986, sections 6.2.2 and 6.2.3) of an absolute `http` or `https` URL: scheme
/// and host in lower case, the port always written, unreserved characters unescaped, other escapes
/// in upper case, no dot segments, and `/` for no path. A query and a fragment are ignored (RFC 9449,
/// section 4.3, rule 9).
///
/// Absent for anything else: another scheme, a user, an escape that is none, white space, or
/// characters outside ASCII. A host is a name without escapes, an IPv4 or an IPv6 address.
pub(super) fn normal(url: &str) -> Option<String> {
    let refused = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
    if url.bytes().any(refused) {
        return None;
    }
    let url = url.split(['?', '#']).next()?;
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        (format!("[{address}]"), after)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (name, after) = authority.split_at_checked(end)?;
        (normal_name(name)?, after)
    };
    let port = normal_port(port, default_port)?;
    let path = normal_path(path)?;
    Some(format!("{scheme}://{host}:{port}/{path}"))
}

fn normal_name(name: &str) -> Option<String> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (!name.is_empty() && name.bytes().all(sound)).then(|| name.to_ascii_lowercase())
}

/// Reads what follows the host: nothing, or a colon and a port, which may be left out.
fn normal_port(after: &str, default: u16) -> Option<u16> {
    if after.is_empty() {
        return Some(default);
    }
    match after.strip_prefix(':')? {
        "" => Some(default),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

/// The path without its first slash; escapes are looked at before dots are.
fn normal_path(path: &str) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let segment = normal_segment(segment)?;
        let is_dots = matches!(segment.as_str(), "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push(String::new());
        }
    }
    Some(kept.join("/"))
}

fn normal_segment(segment: &str) -> Option<String> {
    let (first, escapes) = segment
        .split_once('%')
        .map_or((segment, None), |(a, b)| (a, Some(b)));
    let mut text = first.to_owned();
    for escape in escapes.into_iter().flat_map(|escapes| escapes.split('%')) {
        let (digits, plain) = escape.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&digits.to_ascii_uppercase());
        }
        text.push_str(plain);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling() {
        for (url, expected) in [
            ("https://h/mcp", "https://h:443/mcp"),
            ("HTTPS://H.Example/Mcp", "https://h.example:443/Mcp"),
            ("https://h:443/mcp", "https://h:443/mcp"),
            ("https://h:/mcp", "https://h:443/mcp"),
            ("https://h:0443", "https://h:443/"),
            ("https://h", "https://h:443/"),
            ("http://h/", "http://h:80/"),
            ("http://h:443/", "http://h:443/"),
            ("https://h:8443//a/", "https://h:8443//a/"),
            ("https://[2001:DB8::0:1]:1/", "https://[2001:db8::1]:1/"),
            ("https://h/%7euser/%2f%2F%41", "https://h:443/~user/%2F%2FA"),
            ("https://h/%25%37e", "https://h:443/%257e"),
            ("https://h/a/../b/./c", "https://h:443/b/c"),
            ("https://h/a/%2e%2E/b", "https://h:443/b"),
            ("https://h/../..", "https://h:443/"),
            ("https://h/a/..", "https://h:443/"),
            ("https://h/a/.", "https://h:443/a/"),
            ("https://h/a//../b", "https://h:443/a/b"),
            ("https://h/a@b:c;d=e", "https://h:443/a@b:c;d=e"),
            ("https://h/?a=b", "https://h:443/"),
            ("https://h?a/b#c", "https://h:443/"),
            ("https://h/a#b?c", "https://h:443/a"),
        ] {
            assert_eq!(normal(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_target() {
        for url in [
            "",
            "/mcp",
            "h/mcp",
            "//h/mcp",
            "https:/h",
            "https:///mcp",
            "https://:443/mcp",
            "ftp://h/",
            " https://h/",
            "https://h/ ",
            "https://u@h/",
            "https://u:p@h/",
            "https://h:65536/",
            "https://h:+1/",
            "https://h:1:2/",
            "https://h\\a/",
            "https://h/a\\b",
            "https://h%2e/",
            "https://h,i/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[1.2.3.4]/",
            "https://[v1.a]/",
            "https://h/%",
            "https://h/%4",
            "https://h/%4/1",
            "https://h/%+1",
            "https://h/%zz",
            "https://h/\u{e9}",
            "https://h\u{e9}/",
            "https://h/\0",
            "https://h/a\n",
        ] {
            assert_eq!(normal(url), None, "{url}");
        }
    }

    fn urls() -> impl Strategy<Value = String> {
        let path = "(/|\\.|\\.\\.|[aZ~;:@]|%2[eEfF5]|%7[eE]|%4[1a]){0,8}";
        (
            "(https?|HTTPS)",
            "(h|H\\.x|\\[::1\\])",
            "(:|:80|:443|:1)?",
            path,
        )
            .prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}/{path}"))
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(url in urls()) {
            let once = normal(&url);
            prop_assert!(once.is_some(), "{}", url);
            prop_assert_eq!(once.as_deref().and_then(normal), once);
        }

        /// The library of the WHATWG's URLs agrees, as far as the two aim at one thing: it leaves
        /// escapes alone and reads escaped dots as dots.
        #[test]
        fn dots_and_ports_are_read_as_others_read_them(url in urls()) {
            let theirs = url::Url::parse(&url).unwrap();
            let ours = normal(&url).unwrap();
            prop_assert_eq!(normal(theirs.as_str()), Some(ours.clone()));
            prop_assert_eq!(url::Url::parse(&ours).unwrap().port_or_known_default(), theirs.port_or_known_default());
        }

        #[test]
        fn any_text_is_read_or_refused(url in "(https://|[a-z%/?#@:.\\[\\]]|.){0,20}") {
            if let Some(form) = normal(&url) {
                prop_assert!(form.is_ascii() && !form.contains(['?', '#', '@', ' ']) || url.contains('@'));
            }
        }
    }
}
