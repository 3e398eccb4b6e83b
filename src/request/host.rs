//! The authority that a request asks for, in one spelling, or refused.

use std::net::Ipv6Addr;

use thiserror::Error;

/// Longest accepted host name, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// Why an authority is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostFault {
    /// No authority, or one without a host.
    #[error("the host is missing")]
    Empty,
    /// `user@host`.
    #[error("the host carries user information")]
    UserInfo,
    /// A character that no host name has: white space, a comma, anything that is not ASCII.
    #[error("the host has a character that must not stand there")]
    Character,
    /// An empty label, or a name that is too long.
    #[error("the host is not a valid name")]
    Name,
    /// An IP literal that is not a plain IPv6 address, such as one with a zone.
    #[error("the host is not a valid address")]
    Address,
    /// A port that is not a plain number from 1 to 65535.
    #[error("the port is invalid")]
    Port,
}

/// Lower case, without one trailing dot and without the default port of `scheme`.
///
/// # Errors
///
/// Whatever two servers could read differently; see [`HostFault`].
pub fn normalise(authority: &str, scheme: &str) -> Result<String, HostFault> {
    check_characters(authority)?;
    let (host, port) = split_port(authority)?;
    let host = if let Some(literal) = host.strip_prefix('[') {
        let address = literal.strip_suffix(']').ok_or(HostFault::Address)?;
        let address: Ipv6Addr = address.parse().map_err(|_| HostFault::Address)?;
        format!("[{address}]")
    } else {
        name(host)?
    };
    match port {
        Some(port) if Some(port) != default_port(scheme) => Ok(format!("{host}:{port}")),
        Some(_) | None => Ok(host),
    }
}

/// A normalised authority without the default port of `scheme`.
pub(crate) fn without_default_port<'a>(authority: &'a str, scheme: &str) -> &'a str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

fn check_characters(authority: &str) -> Result<(), HostFault> {
    if authority.is_empty() {
        return Err(HostFault::Empty);
    }
    if authority.contains('@') {
        return Err(HostFault::UserInfo);
    }
    let bracketed = authority.starts_with('[');
    let valid = authority.bytes().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b':')
            || (bracketed && matches!(byte, b'[' | b']' | b'%'))
    });
    if valid {
        Ok(())
    } else {
        Err(HostFault::Character)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), HostFault> {
    let (host, port) = if authority.starts_with('[') {
        let end = authority.find(']').ok_or(HostFault::Address)?;
        let (host, rest) = authority
            .split_at_checked(end.saturating_add(1))
            .ok_or(HostFault::Address)?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(HostFault::Port),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    Ok((host, port.map(port_number).transpose()?))
}

fn port_number(text: &str) -> Result<u16, HostFault> {
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HostFault::Port);
    }
    text.parse().map_err(|_| HostFault::Port)
}

fn name(host: &str) -> Result<String, HostFault> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return Err(HostFault::Empty);
    }
    if host.len() > MAX_HOST || host.split('.').any(str::is_empty) {
        return Err(HostFault::Name);
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling() {
        for (authority, scheme, expected) in [
            ("mcp.example.com", "https", "mcp.example.com"),
            ("MCP.Example.COM.", "https", "mcp.example.com"),
            ("mcp.example.com:443", "https", "mcp.example.com"),
            ("mcp.example.com.:443", "https", "mcp.example.com"),
            ("mcp.example.com:443", "http", "mcp.example.com:443"),
            ("mcp.example.com:80", "http", "mcp.example.com"),
            ("localhost:8080", "http", "localhost:8080"),
            ("a_b.svc", "http", "a_b.svc"),
            ("127.0.0.1:80", "http", "127.0.0.1"),
            ("[::1]", "http", "[::1]"),
            ("[0:0:0:0:0:0:0:1]:8443", "https", "[::1]:8443"),
            ("[2001:DB8::1]:443", "https", "[2001:db8::1]"),
        ] {
            assert_eq!(
                normalise(authority, scheme).as_deref(),
                Ok(expected),
                "{authority}"
            );
        }
    }

    #[test]
    fn two_readings_are_refused() {
        use HostFault::*;
        for (authority, fault) in [
            ("", Empty),
            (".", Empty),
            (":443", Empty),
            ("user@host", UserInfo),
            ("a:b@host", UserInfo),
            ("a.example,b.example", Character),
            ("a b", Character),
            (" host", Character),
            ("host\t", Character),
            ("host/x", Character),
            ("host%2e", Character),
            ("h\u{f6}st", Character),
            ("ho!st", Character),
            ("a..b", Name),
            ("host..", Name),
            (".host", Name),
            ("host:", Port),
            ("host:0", Port),
            ("host:080", Port),
            ("host:+80", Character),
            ("host:65536", Port),
            ("host:80:80", Port),
            ("host:x", Port),
            ("::1", Port),
            ("[::1", Address),
            ("[::1]x", Port),
            ("[fe80::1%25eth0]", Address),
            ("[fe80::1%eth0]", Address),
            ("[127.0.0.1]", Address),
            ("[]", Address),
        ] {
            assert_eq!(normalise(authority, "https"), Err(fault), "{authority:?}");
        }
        assert_eq!(normalise(&"a".repeat(254), "https"), Err(Name));
    }

    proptest! {
        #[test]
        fn normal_is_a_fixed_point(authority in r"[a-zA-Z0-9.:_\[\]-]{1,20}") {
            if let Ok(first) = normalise(&authority, "https") {
                prop_assert_eq!(normalise(&first, "https"), Ok(first));
            }
        }

        #[test]
        fn no_input_panics(authority in any::<String>()) {
            drop(normalise(&authority, "https"));
            drop(normalise(&format!("[{authority}]:1"), "https"));
        }
    }
}
