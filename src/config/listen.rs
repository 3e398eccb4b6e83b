//! Where to listen, and whom to trust there.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use ipnet::Ipv4Net;
use secrecy::SecretString;

use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::yaml::Node;

/// The listeners.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Envoy `ext_authz` and gRPC health.
    pub grpc: Address,
    /// Checks for other gateways.
    pub http: Address,
    /// Resource metadata and health for strangers.
    pub public: Option<Address>,
    /// Probes, metrics and status.
    pub admin: Address,
    /// Who may call `http`, and whose forwarded headers are believed.
    pub trusted_peers: Vec<IpNet>,
    /// Who may say in `x-forwarded-client-cert` which certificate the client presented; nobody, unless
    /// named.
    pub xfcc_peers: Vec<IpNet>,
    /// What callers of `http` must send in `x-cedargate-secret`.
    pub shared_secret: Option<SecretString>,
    /// How long to serve on after readiness has been withdrawn.
    pub drain: Duration,
}

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`, an IP address and a port.
    Tcp(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
}

/// Where the caller's address is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIp {
    /// The peer that the proxy saw.
    Peer,
    /// The header that Envoy sets when `use_remote_address` is on.
    EnvoyExternalAddress,
    /// The right-most untrusted hop of `x-forwarded-for`.
    ForwardedFor,
}

/// Bytes of `sun_path` on Linux, less the one that ends it.
const UNIX_PATH: usize = 107;

/// Shorter prefixes hold more than one operator's addresses.
const BROAD: u8 = 8;

impl Default for Listen {
    fn default() -> Self {
        let local = |port| Address::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
        Self {
            grpc: local(9191),
            http: local(9192),
            public: None,
            admin: local(9193),
            trusted_peers: vec![
                IpNet::V4(Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8).unwrap_or_default()),
                IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ],
            xfcc_peers: Vec::new(),
            shared_secret: None,
            drain: Duration::from_secs(5),
        }
    }
}

impl Address {
    /// Reads `host:port`, with an IP address, or `unix:/path`; absent when the text is neither.
    pub fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') && path.len() <= UNIX_PATH => {
                Some(Self::Unix(PathBuf::from(path)))
            }
            Some(_) => None,
            None => text.parse().ok().map(Self::Tcp),
        }
    }

    /// Whether nobody but this machine can reach it.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// `host:port` or `unix:/path`, as it is written.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(super) fn read(node: &Node, faults: &mut Faults<'_>) -> Listen {
    let mut listen = Listen::default();
    let Some(map) = Mapping::of(node, faults) else {
        return listen;
    };
    let mut map = map.later(&["tls"]);
    let mut taken = Vec::new();
    let mut address = |map: &mut Mapping<'_>, key, default, faults: &mut Faults<'_>| {
        let node = map.optional(key);
        let address = node.and_then(|node| read_address(node, faults)).or(default);
        if let Some(address) = &address {
            let place = node.map_or(map.place(), |node| &node.place).clone();
            taken.push((key, address.clone(), place));
        }
        address
    };
    let Listen {
        grpc, http, admin, ..
    } = Listen::default();
    if let Some(grpc) = address(&mut map, "grpc", Some(grpc), faults) {
        listen.grpc = grpc;
    }
    if let Some(http) = address(&mut map, "http", Some(http), faults) {
        listen.http = http;
    }
    listen.public = address(&mut map, "public", None, faults);
    if let Some(admin) = address(&mut map, "admin", Some(admin), faults) {
        listen.admin = admin;
    }
    refuse_collisions(&taken, faults);
    if let Some(node) = map.optional("trusted_peers") {
        listen.trusted_peers = read_peers(node, faults);
    }
    if let Some(node) = map.optional("xfcc_peers") {
        listen.xfcc_peers = read_peers(node, faults);
        warn_of_broad_peers(node, &listen, faults);
    }
    listen.shared_secret = map
        .optional("shared_secret")
        .and_then(|node| scalar::secret(node, faults));
    if let Some(drain) = map
        .optional("drain")
        .and_then(|node| scalar::duration(node, scalar::any_duration(), faults))
    {
        listen.drain = drain;
    }
    if listen.trusts_everybody()
        && let Some(place) = map.place_of("trusted_peers")
    {
        faults.warning(
            place,
            "everybody may call the http listener",
            "name the proxies, or set `shared_secret`",
        );
    }
    map.finish(faults);
    listen
}

fn warn_of_broad_peers(node: &Node, listen: &Listen, faults: &mut Faults<'_>) {
    if let Some(net) = listen.broad_xfcc_peer() {
        let message = format!(
            "whoever calls from {} may claim any client certificate",
            shown(node, &net.to_string())
        );
        faults.warning(&node.place, message, "name the proxies that set the header");
    }
}

impl Listen {
    /// The first network of `xfcc_peers` that is too broad to be a proxy's.
    pub(super) fn broad_xfcc_peer(&self) -> Option<&IpNet> {
        self.xfcc_peers.iter().find(|net| net.prefix_len() < BROAD)
    }

    /// Every listener, by its key.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&'static str, &Address)> {
        let public = self.public.as_ref().map(|public| ("public", public));
        [
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("admin", &self.admin),
        ]
        .into_iter()
        .chain(public)
    }

    /// Whether any address may call `http` without a secret.
    pub(super) fn trusts_everybody(&self) -> bool {
        self.shared_secret.is_none() && self.trusted_peers.iter().any(|net| net.prefix_len() == 0)
    }
}

pub(super) const CLIENT_IP: [(&str, ClientIp); 3] = [
    ("peer", ClientIp::Peer),
    ("x-envoy-external-address", ClientIp::EnvoyExternalAddress),
    ("x-forwarded-for", ClientIp::ForwardedFor),
];

pub(super) fn read_client_ip(node: &Node, faults: &mut Faults<'_>) -> ClientIp {
    let Some(mut map) = Mapping::of(node, faults) else {
        return ClientIp::Peer;
    };
    let from = map
        .optional("from")
        .and_then(|node| scalar::word(node, &CLIENT_IP, faults));
    map.finish(faults);
    from.unwrap_or(ClientIp::Peer)
}

fn read_address(node: &Node, faults: &mut Faults<'_>) -> Option<Address> {
    let text = scalar::filled(node, faults)?;
    if let Some(address) = Address::read(text) {
        return Some(address);
    }
    if text.starts_with("unix:") {
        let help = format!("`unix:` and an absolute path of at most {UNIX_PATH} bytes");
        let message = format!("{} is not an address", shown(node, text));
        faults.error_help(&node.place, message, help);
        return None;
    }
    let port = text
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    let help = match port {
        Some(port) if !node.place.is_hidden() => format!(
            "an IP address and a port: `127.0.0.1:{port}` for this machine, `0.0.0.0:{port}` for all"
        ),
        Some(_) | None => "an IP address and a port, or `unix:/path`".to_owned(),
    };
    let message = format!("{} is not an address", shown(node, text));
    faults.error_help(&node.place, message, help);
    None
}

fn refuse_collisions(taken: &[(&'static str, Address, Place)], faults: &mut Faults<'_>) {
    for (index, (key, address, place)) in taken.iter().enumerate() {
        let earlier = taken
            .iter()
            .take(index)
            .find(|(_, other, _)| collide(address, other));
        if let Some((other, _, _)) = earlier {
            let message = format!("`{key}` and `{other}` would listen at the same address");
            faults.error(place, message);
        }
    }
}

/// An address that stands for all of them collides with each; port 0 is a new port every time.
fn collide(left: &Address, right: &Address) -> bool {
    match (left, right) {
        (Address::Tcp(left), Address::Tcp(right)) => {
            left.port() != 0
                && left.port() == right.port()
                && (left.ip().to_canonical() == right.ip().to_canonical()
                    || left.ip().is_unspecified()
                    || right.ip().is_unspecified())
        }
        (Address::Unix(left), Address::Unix(right)) => left == right,
        (Address::Tcp(_), Address::Unix(_)) | (Address::Unix(_), Address::Tcp(_)) => false,
    }
}

fn read_peers(node: &Node, faults: &mut Faults<'_>) -> Vec<IpNet> {
    let mut peers = Vec::new();
    for item in scalar::list(node, faults).unwrap_or(&[]) {
        let Some(text) = scalar::filled(item, faults) else {
            continue;
        };
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        if let Ok(net) = net {
            peers.push(net.trunc());
        } else {
            let message = format!("{} is not an address or a network", shown(item, text));
            faults.error_help(&item.place, message, "as in `10.0.0.7` or `10.0.0.0/8`");
        }
    }
    peers
}
