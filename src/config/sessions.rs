//! Where it is remembered whose MCP sessions are whose.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::danger;
use crate::config::keys;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::reader::wrong_shape;
use crate::config::scalar;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// How sessions are bound to those who first use them.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Where the bindings are.
    pub store: SessionStoreKind,
    /// How long a binding outlives its last use.
    pub idle: Duration,
    /// Most sessions that one principal can hold; his oldest is forgotten beyond it.
    pub per_principal: usize,
}

/// Where bindings are.
#[derive(Clone, Debug)]
pub enum SessionStoreKind {
    /// In this process.
    Memory,
    /// In a Redis that replicas share.
    Redis(Box<RedisRules>),
}

/// How a Redis is reached.
#[derive(Clone, Debug)]
pub struct RedisRules {
    /// `redis://` or `rediss://`, with whatever credentials.
    pub url: SecretString,
    /// The same without credentials, fit to be shown.
    pub shown: String,
    /// What every key begins with.
    pub prefix: String,
    /// Certificates to trust instead of the system's, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether the URL may name another machine without TLS.
    pub insecure_allow_plaintext: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            store: SessionStoreKind::Memory,
            idle: Duration::from_secs(24 * 60 * 60),
            per_principal: 1_000,
        }
    }
}

/// A shorter time would part clients from their sessions between two calls.
const IDLE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 60 * 60);

/// One principal must not have all of the memory.
const PER_PRINCIPAL: RangeInclusive<usize> = 1..=10_000;

/// Longest prefix of keys, in bytes.
const LONGEST_PREFIX: usize = 64;

const DEFAULT_PREFIX: &str = "cedargate:";

const DEFAULT_PORT: u16 = 6379;

pub(super) const MEMORY: &str = "memory";
pub(super) const REDIS: &str = "redis";
const STORES: [(&str, bool); 2] = [(MEMORY, false), (REDIS, true)];

/// The words for the store.
pub(super) fn stores() -> [&'static str; 2] {
    STORES.map(|(word, _)| word)
}

/// Relative paths start at `base`.
pub(super) fn read(node: Option<&Node>, base: &Path, faults: &mut Faults<'_>) -> Sessions {
    let mut sessions = Sessions::default();
    let Some(mut map) = node.and_then(|node| Mapping::of(node, faults)) else {
        return sessions;
    };
    let shared = map
        .optional("store")
        .and_then(|node| scalar::word(node, &STORES, faults));
    if let Some(idle) = map
        .optional("idle")
        .and_then(|node| scalar::duration(node, IDLE, faults))
    {
        sessions.idle = idle;
    }
    if let Some(most) = map
        .optional("per_principal")
        .and_then(|node| read_count(node, PER_PRINCIPAL, faults))
    {
        sessions.per_principal = most;
    }
    let redis = map.optional("redis");
    if shared == Some(true) {
        let redis = map.required("redis", faults);
        if let Some(rules) = redis.and_then(|node| read_redis(node, base, faults)) {
            sessions.store = SessionStoreKind::Redis(Box::new(rules));
        }
    } else if let Some(node) = redis {
        faults.error_help(
            &node.place,
            "a `redis` that is not used",
            "set `store: redis`, or take it out",
        );
    }
    map.finish(faults);
    sessions
}

fn read_redis(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<RedisRules> {
    let mut map = Mapping::of(node, faults)?;
    let url_node = map.required("url", faults);
    let prefix = match map.optional("prefix") {
        Some(node) => read_prefix(node, faults),
        None => Some(DEFAULT_PREFIX.to_owned()),
    };
    let ca_node = map.optional("ca_file");
    let ca_pem = ca_node.and_then(|node| keys::read_authorities(node, base, faults));
    let insecure_allow_plaintext = danger::read(&mut map, "insecure_allow_plaintext", faults);
    map.finish(faults);
    let url_node = url_node?;
    let text = scalar::filled(url_node, faults)?;
    let url = match parse(text) {
        Ok(url) => url,
        Err((message, help)) => {
            faults.error_help(&url_node.place, message, help);
            return None;
        }
    };
    let plain = url.scheme() == "redis";
    if plain && !insecure_allow_plaintext && !is_local(&url) {
        faults.error_help(
            &url_node.place,
            "bindings and the password would be sent in plain text",
            "use `rediss://`; for experiments only, `insecure_allow_plaintext: true`",
        );
    }
    if let (true, Some(node)) = (plain, ca_node) {
        faults.error_help(
            &node.place,
            "`ca_file` has no meaning without TLS",
            "use `rediss://` in `url`",
        );
    }
    Some(RedisRules {
        url: SecretString::from(text),
        shown: without_credentials(&url),
        prefix: prefix?,
        ca_pem,
        insecure_allow_plaintext,
    })
}

/// A URL that says where a Redis is and nothing else: options in it could weaken the connection.
fn parse(text: &str) -> Result<Url, (&'static str, &'static str)> {
    const EXAMPLE: &str = "as in `rediss://user:password@redis.example.com:6379/0`";
    let url = Url::parse(text).map_err(|_| ("not the URL of a Redis", EXAMPLE))?;
    if !matches!(url.scheme(), "redis" | "rediss") || url.host_str().is_none_or(str::is_empty) {
        return Err(("not the URL of a Redis", EXAMPLE));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("a query or a fragment in the URL of a Redis", EXAMPLE));
    }
    let database = url.path().trim_start_matches('/');
    if url.path().len() > database.len().saturating_add(1)
        || !(database.is_empty() || database.parse::<u16>().is_ok())
    {
        return Err(("the path in the URL of a Redis is no number", EXAMPLE));
    }
    Ok(url)
}

/// Whether nobody but this machine can be meant.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn without_credentials(url: &Url) -> String {
    let credentials = if url.username().is_empty() && url.password().is_none() {
        ""
    } else {
        "<redacted>@"
    };
    let database = url.path().trim_start_matches('/');
    let database = if database.is_empty() { "0" } else { database };
    format!(
        "{}://{credentials}{}:{}/{database}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.port().unwrap_or(DEFAULT_PORT),
    )
}

fn read_prefix(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    if text.len() <= LONGEST_PREFIX && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    let message = format!("{} is not a prefix of keys", shown(node, text));
    let help = format!("visible ASCII, at most {LONGEST_PREFIX} bytes");
    faults.error_help(&node.place, message, help);
    None
}

fn read_count(
    node: &Node,
    bounds: RangeInclusive<usize>,
    faults: &mut Faults<'_>,
) -> Option<usize> {
    let count = match &node.value {
        Value::Scalar { text, .. } => text.parse().ok(),
        Value::Sequence(_) | Value::Mapping(_) | Value::Invalid => None,
    };
    let Some(count) = count else {
        wrong_shape(node, "a whole number", faults);
        return None;
    };
    if bounds.contains(&count) {
        return Some(count);
    }
    let help = format!("between {} and {}", bounds.start(), bounds.end());
    faults.error_help(&node.place, "number out of bounds", help);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (url, local) in [
            ("redis://127.0.0.1", true),
            ("redis://127.8.9.1:7000/1", true),
            ("redis://[::1]:6379", true),
            ("redis://[::ffff:127.0.0.1]", true),
            ("redis://localhost", true),
            ("redis://u:p@localhost:1", true),
            ("redis://localhost.example", false),
            ("redis://localhost.", false),
            ("redis://10.0.0.1", false),
            ("redis://0.0.0.0", false),
            ("redis://[::]", false),
            ("redis://127.0.0.1.example", false),
            ("redis://127.0.0.1@10.0.0.1", false),
            ("redis://127.1", false),
            ("redis://redis", false),
        ] {
            assert_eq!(is_local(&parse(url).unwrap()), local, "{url}");
        }
    }

    #[test]
    fn a_url_says_where_and_no_more() {
        for url in [
            "redis",
            "redis:",
            "redis:///0",
            "redis://:6379",
            "http://127.0.0.1",
            "unix:///run/redis.sock",
            "redis+unix:///run/redis.sock",
            "redis://h/x",
            "redis://h//0",
            "redis://h/0/1",
            "redis://h/-1",
            "redis://h/70000",
            "redis://h:70000",
            "redis://h?protocol=resp3",
            "rediss://h/#insecure",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_is_shown_has_no_credentials() {
        for (url, shown) in [
            ("redis://h", "redis://h:6379/0"),
            ("rediss://[::1]:7000/3", "rediss://[::1]:7000/3"),
            ("redis://:hunter2@h", "redis://<redacted>@h:6379/0"),
            ("redis://hunter2@h", "redis://<redacted>@h:6379/0"),
            ("redis://u:hunter2@h/1", "redis://<redacted>@h:6379/1"),
        ] {
            assert_eq!(without_credentials(&parse(url).unwrap()), shown);
        }
    }
}
