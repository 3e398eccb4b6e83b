//! The caller's address, where it is known for certain.

use std::net::IpAddr;
use std::net::SocketAddr;

use ipnet::IpNet;

use crate::config::ClientIp;
use crate::request::headers::HeaderBag;
use crate::request::incoming::ReadOptions;

/// Most hops of `x-forwarded-for` that are followed.
const MAX_HOPS: usize = 32;

/// The address that the configuration says to use. `peer` is the one that the proxy saw.
pub(super) fn find(
    headers: &HeaderBag,
    peer: Option<IpAddr>,
    options: &ReadOptions,
) -> Option<IpAddr> {
    match options.client_ip {
        ClientIp::Peer => peer,
        ClientIp::EnvoyExternalAddress => headers
            .single("x-envoy-external-address")
            .ok()
            .flatten()
            .and_then(address),
        ClientIp::ForwardedFor => forwarded(headers, peer?, &options.trusted_peers),
    }
}

/// The last hop of `x-forwarded-for`: the peer of the gateway that wrote it.
pub(super) fn last_hop(headers: &HeaderBag) -> Option<IpAddr> {
    let value = headers.values("x-forwarded-for").last()?;
    hop(value.rsplit(|byte| *byte == b',').next()?)
}

/// The right-most hop that is not trusted; when all are, the left-most, for which trusted ones
/// vouch. A hop that cannot be read hides whatever stands to the left of it.
fn forwarded(headers: &HeaderBag, peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer;
    let mut values: Vec<&[u8]> = headers.values("x-forwarded-for").collect();
    values.reverse();
    let mut hops = values
        .into_iter()
        .flat_map(|value| value.rsplit(|byte| *byte == b','));
    for _ in 0..MAX_HOPS {
        if !trusted.iter().any(|net| net.contains(&client)) {
            return Some(client);
        }
        match hops.next() {
            Some(text) => client = hop(text)?,
            None => return Some(client),
        }
    }
    None
}

fn hop(text: &[u8]) -> Option<IpAddr> {
    address(std::str::from_utf8(text).ok()?.trim())
}

/// An address, with or without a port; an IPv4 address in IPv6 clothes is an IPv4 address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(from: ClientIp, headers: &[(&str, &str)], peer: &str) -> Option<String> {
        let bag = HeaderBag::joined(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
        .unwrap();
        let options = ReadOptions {
            client_ip: from,
            trusted_peers: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            identity_prefix: "x-cedargate-".to_owned(),
            body_limit: 0,
            key_headers: Vec::new(),
            xfcc_peers: Vec::new(),
        };
        find(&bag, address(peer), &options).map(|address| address.to_string())
    }

    #[test]
    fn the_peer_is_what_the_proxy_saw() {
        let spoofed = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-envoy-external-address", "1.2.3.4"),
        ];
        let found = find_in(ClientIp::Peer, &spoofed, "192.0.2.7");
        assert_eq!(found.as_deref(), Some("192.0.2.7"));
        assert_eq!(find_in(ClientIp::Peer, &spoofed, "not an address"), None);
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_caller() {
        for (hops, peer, expected) in [
            ("6.6.6.6, 192.0.2.7", "10.0.0.1", Some("192.0.2.7")),
            ("6.6.6.6,192.0.2.7,10.0.0.9", "10.0.0.1", Some("192.0.2.7")),
            ("6.6.6.6", "192.0.2.7", Some("192.0.2.7")),
            ("10.0.0.3,10.0.0.2", "10.0.0.1", Some("10.0.0.3")),
            ("6.6.6.6,unknown", "10.0.0.1", None),
            ("6.6.6.6,", "10.0.0.1", None),
            ("6.6.6.6:5000", "10.0.0.1", Some("6.6.6.6")),
            ("::ffff:192.0.2.7", "::1", Some("192.0.2.7")),
            ("2001:db8::1", "::1", Some("2001:db8::1")),
        ] {
            let headers = [("x-forwarded-for", hops)];
            let found = find_in(ClientIp::ForwardedFor, &headers, peer);
            assert_eq!(found.as_deref(), expected, "{hops}");
        }
        let endless = vec!["10.0.0.1"; 1000].join(",");
        let headers = [("x-forwarded-for", endless.as_str())];
        assert_eq!(find_in(ClientIp::ForwardedFor, &headers, "10.0.0.1"), None);
        let none = find_in(ClientIp::ForwardedFor, &[], "10.0.0.1");
        assert_eq!(none.as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn two_external_addresses_are_none() {
        let from = ClientIp::EnvoyExternalAddress;
        let name = "x-envoy-external-address";
        let one = find_in(from, &[(name, "198.51.100.9")], "10.0.0.1");
        assert_eq!(one.as_deref(), Some("198.51.100.9"));
        assert_eq!(
            find_in(from, &[(name, "1.1.1.1,2.2.2.2")], "10.0.0.1"),
            None
        );
        assert_eq!(find_in(from, &[], "10.0.0.1"), None);
    }
}
