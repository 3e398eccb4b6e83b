//! Authenticators of type `api_key`: keys in a header of their own.

mod header;

use std::collections::BTreeSet;
use std::fmt;

use crate::config::authenticator::AuthenticatorKind;
use crate::config::authenticator::Declared;
use crate::config::grants;
use crate::config::grants::Grants;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::Place;
use crate::config::reader::wrong_shape;
use crate::config::scalar;
use crate::config::written_secret;
use crate::config::written_secret::Digest;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// The keys of one header.
#[derive(Clone, Debug)]
pub struct ApiKeyRules {
    /// The header, lower case.
    pub header: String,
    /// The keys; their ids are unique.
    pub keys: Vec<ApiKey>,
}

/// One key.
#[derive(Clone)]
pub struct ApiKey {
    /// Its id, which is also the principal's.
    pub id: String,
    /// The SHA-256 of the whole key.
    pub digest: [u8; 32],
    /// What its holder is.
    pub grants: Grants,
}

/// Without the digest: that of a short key gives it away.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// The header of keys where the file names none.
const DEFAULT_HEADER: &str = "x-api-key";

/// More keys belong into a service that issues them.
const MOST_KEYS: usize = 10_000;

/// Longest id, in bytes.
const LONGEST_ID: usize = 64;

/// Characters of 32 random bytes in base64url: the second half of a key that we made.
const RANDOM_PART: usize = 43;

const HELP: &str = "make one with `cedargate apikey new`";

/// Reads the rest of an authenticator into `declared`.
pub(super) fn read(mut map: Mapping<'_>, declared: &mut Declared, faults: &mut Faults<'_>) {
    let header = match map.optional("header") {
        Some(node) => {
            declared.place = node.place.clone();
            header::read(node, faults)
        }
        None => Some(DEFAULT_HEADER.to_owned()),
    };
    let keys = map
        .required("keys", faults)
        .and_then(|node| read_keys(node, faults));
    map.finish(faults);
    if let (Some(header), Some(keys)) = (header, keys) {
        let rules = ApiKeyRules { header, keys };
        declared.kind = Some(AuthenticatorKind::ApiKey(Box::new(rules)));
    }
}

/// A list of keys with all that is known of them, or a mapping from ids to hashes.
fn read_keys(node: &Node, faults: &mut Faults<'_>) -> Option<Vec<ApiKey>> {
    let count = match &node.value {
        Value::Sequence(items) => items.len(),
        Value::Mapping(entries) => entries.len(),
        Value::Scalar { .. } | Value::Invalid => {
            wrong_shape(
                node,
                "a list of keys, or a mapping from ids to hashes",
                faults,
            );
            return None;
        }
    };
    if count == 0 {
        faults.error(&node.place, "at least one key is needed");
        return None;
    }
    if count > MOST_KEYS {
        faults.error(&node.place, format!("more than {MOST_KEYS} keys"));
        return None;
    }
    let mut keys = Keys::default();
    match &node.value {
        Value::Sequence(items) => {
            for item in items {
                read_key(item, &mut keys, faults);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                let id = checked_id(&entry.key, &entry.place, faults);
                let digest = written_secret::read_digest(&entry.value, faults);
                if let (Some(id), Some(digest)) = (id, digest) {
                    keys.add(id, (digest, &entry.value.place), Grants::default(), faults);
                }
            }
        }
        Value::Scalar { .. } | Value::Invalid => {}
    }
    Some(keys.found)
}

/// Keys that differ from each other.
#[derive(Default)]
struct Keys {
    found: Vec<ApiKey>,
    ids: BTreeSet<String>,
    digests: BTreeSet<Digest>,
}

impl Keys {
    fn add(
        &mut self,
        id: &str,
        (digest, place): (Digest, &Place),
        grants: Grants,
        faults: &mut Faults<'_>,
    ) {
        self.ids.insert(id.to_owned());
        if !self.digests.insert(digest) {
            faults.error(place, "another id has the same key");
            return;
        }
        self.found.push(ApiKey {
            id: id.to_owned(),
            digest,
            grants,
        });
    }
}

fn read_key(node: &Node, keys: &mut Keys, faults: &mut Faults<'_>) {
    let Some(mut map) = Mapping::of(node, faults) else {
        return;
    };
    let id_node = map.required("id", faults);
    let id = id_node.and_then(|node| {
        let id = checked_id(scalar::text(node, faults)?, &node.place, faults)?;
        if keys.ids.contains(id) {
            faults.second("key", id, &node.place);
            return None;
        }
        Some(id)
    });
    let hash = map.optional("hash");
    let secret = map.optional("secret");
    let grants = grants::read(&mut map, faults);
    let place = map.place();
    map.finish(faults);
    let digest = match (hash, secret) {
        (Some(node), None) => written_secret::read_digest(node, faults).map(|d| (d, &node.place)),
        (None, Some(node)) => read_secret(node, id, faults).map(|d| (d, &node.place)),
        (Some(_), Some(node)) => {
            faults.error(&node.place, "`hash` and `secret`: only one of them");
            None
        }
        (None, None) => {
            faults.error_help(
                place,
                "no key",
                "set `hash`, as `cedargate apikey new` prints it, or `secret`",
            );
            None
        }
    };
    if let (Some(id), Some(digest)) = (id, digest) {
        keys.add(id, digest, grants, faults);
    }
}

/// A key as callers send it. One that we made begins with its id, and goes to no other.
fn read_secret(node: &Node, id: Option<&str>, faults: &mut Faults<'_>) -> Option<Digest> {
    let text = written_secret::read(node, HELP, faults)?;
    if let (Some(id), Some(own)) = (id, id_within(text))
        && id != own
    {
        faults.error_help(
            &node.place,
            "a key that was made for another id",
            "the part before the `.` is the id",
        );
        return None;
    }
    Some(written_secret::digest_of(text))
}

/// The id of a key in the form `<id>.<43 characters of base64url>`.
fn id_within(key: &str) -> Option<&str> {
    let (id, random) = key.rsplit_once('.')?;
    let ours = is_id(id) && random.len() == RANDOM_PART && random.bytes().all(is_base64url);
    ours.then_some(id)
}

/// The id, if it is one. It is not shown: it may be the key itself.
fn checked_id<'t>(text: &'t str, place: &Place, faults: &mut Faults<'_>) -> Option<&'t str> {
    if is_id(text) {
        return Some(text);
    }
    let help = format!("letters, digits, `-` and `_`, at most {LONGEST_ID}");
    faults.error_help(place, "not the id of a key", help);
    None
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_base64url)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_ours_names_its_id() {
        let random = "a".repeat(RANDOM_PART);
        for (key, id) in [
            (format!("frontend.{random}"), Some("frontend")),
            (format!("a_B-9.{random}"), Some("a_B-9")),
            (format!("a.{random}a"), None),
            (format!(".{random}"), None),
            (format!("a.b.{random}"), None),
            (format!("a.{}", "+".repeat(RANDOM_PART)), None),
            (random, None),
        ] {
            assert_eq!(id_within(&key), id, "{key}");
        }
    }
}
