//! The keys of one issuer, each pinned to the algorithms that it may be used with.

pub(super) mod jwk;
mod local;
mod material;
mod secret;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jsonwebtoken::DecodingKey;

use self::material::Material;
use crate::config::Algorithm;
use crate::config::JwtRules;
use crate::config::LocalKey;
use crate::json;
use crate::json::JsonFault;
use crate::json::StrictValue;

/// Largest accepted JWK set, in bytes.
pub const MAX_SET_BYTES: usize = 256 * 1024;

/// Most keys in a JWK set.
pub const MAX_KEYS: usize = 100;

const MAX_DEPTH: usize = 16;

/// What tells one key from another: the SHA-256 thumbprint of a public key (RFC 7638), or a MAC made
/// with a secret.
pub type Thumbprint = [u8; 32];

/// The keys of one issuer at one time. Replaced whole, never merged.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    generation: u64,
    keys: Vec<PinnedKey>,
}

/// One usable key.
#[derive(Clone, Debug)]
pub struct PinnedKey {
    name: KeyName,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
    thumbprint: Thumbprint,
}

/// How tokens name a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyName {
    /// By this `kid`.
    Named(String),
    /// A published key without a `kid`: only tokens without one can mean it.
    Unnamed,
    /// A key that the operator wrote down without a `kid`: whatever the token says.
    Any,
}

/// A key of a set that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Why.
    pub fault: KeyFault,
}

/// Why one key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// A kind of key or a curve that no accepted algorithm uses.
    #[error("the kind of key is not used here")]
    UnknownKind,
    /// `oct`: a shared secret, published.
    #[error("a symmetric key in a published set")]
    Symmetric,
    /// The private half has been published.
    #[error("a private key in a published set")]
    PrivateMember,
    /// `use` or `key_ops` rule out the checking of signatures.
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// `kid` is not a short printable string.
    #[error("the `kid` is malformed")]
    KeyId,
    /// Another key of the set has the same `kid`.
    #[error("two keys of the set have one `kid`")]
    RepeatedKeyId,
    /// None of the accepted algorithms fits the key and its `alg`.
    #[error("no accepted algorithm fits the key")]
    AlgorithmNotAccepted,
    /// RSA: not 2048 to 8192 bits.
    #[error("an RSA modulus of {0} bits; 2048 to 8192 are accepted")]
    ModulusSize(usize),
    /// RSA: even, below 65537, or too large.
    #[error("the RSA exponent is not accepted")]
    Exponent,
    /// RSA: made by the faulty library of CVE-2017-15361.
    #[error("the RSA modulus has the mark of CVE-2017-15361")]
    Roca,
    /// A coordinate whose length does not fit the curve.
    #[error("a coordinate of the wrong length for the curve")]
    CoordinateLength,
    /// A shared secret that is shorter than the hash of its algorithm (RFC 7518, section 3.2).
    #[error("a secret of {0} bytes, which is shorter than the hash")]
    SecretTooShort(usize),
    /// Members are missing or malformed, or the point is not on the curve.
    #[error("not a well-formed public key")]
    NotAKey,
}

/// Why a whole set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// Larger than [`MAX_SET_BYTES`].
    #[error("the key set is larger than {MAX_SET_BYTES} bytes")]
    TooLarge,
    /// Not strict JSON.
    #[error("the key set is refused: {0}")]
    Json(JsonFault),
    /// Not an object with an array `keys`.
    #[error("the key set has no array `keys`")]
    NotAKeySet,
    /// More than [`MAX_KEYS`] keys.
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// No key of the set can be used; the reason is that of the first.
    #[error("no key of the set can be used{}", first_reason(.0.as_ref()))]
    NoUsableKey(Option<KeyFault>),
    /// A key in the configuration cannot be used.
    #[error("key {index} in the configuration: {fault}")]
    Local {
        /// Its place in the list, from 0.
        index: usize,
        /// Why.
        fault: KeyFault,
    },
}

impl KeySet {
    /// No keys at all: what is known of an issuer before the first fetch, and after the last good
    /// set has grown too old.
    pub fn empty(generation: u64) -> Self {
        Self {
            generation,
            keys: Vec::new(),
        }
    }

    /// Reads a published JWK set (RFC 7517, section 5). A key that cannot be used is skipped and
    /// never costs the others; a key is pinned to its `alg`, or without one to those of the
    /// issuer's algorithms that fit its type.
    ///
    /// # Errors
    ///
    /// [`KeySetFault`] when the set as a whole cannot be used.
    pub fn from_jwks(
        bytes: &[u8],
        rules: &JwtRules,
        generation: u64,
    ) -> Result<(Self, Vec<SkippedKey>), KeySetFault> {
        if bytes.len() > MAX_SET_BYTES {
            return Err(KeySetFault::TooLarge);
        }
        let document = json::parse(bytes, MAX_DEPTH).map_err(KeySetFault::Json)?;
        let listed = document
            .get("keys")
            .and_then(StrictValue::as_array)
            .ok_or(KeySetFault::NotAKeySet)?;
        if listed.len() > MAX_KEYS {
            return Err(KeySetFault::TooManyKeys);
        }
        let mut read = Vec::new();
        let mut skipped = Vec::new();
        for (index, jwk) in listed.iter().enumerate() {
            match jwk::read(jwk, &rules.algorithms) {
                Ok(key) => read.push((index, key)),
                Err(fault) => skipped.push(SkippedKey { index, fault }),
            }
        }
        let keys = drop_repeated(read, &mut skipped);
        if keys.is_empty() {
            let first = skipped.first().map(|key| key.fault);
            return Err(KeySetFault::NoUsableKey(first));
        }
        Ok((Self { generation, keys }, skipped))
    }

    /// The keys that the operator wrote down. Dates in a certificate are not looked at.
    ///
    /// # Errors
    ///
    /// [`KeySetFault::Local`] for the first key that cannot be used; [`KeySetFault::NoUsableKey`]
    /// for an empty list.
    pub fn from_local(keys: &[LocalKey]) -> Result<Self, KeySetFault> {
        let mut read = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let key = local::read(key).map_err(|fault| KeySetFault::Local { index, fault })?;
            read.push((index, key));
        }
        let mut repeated = Vec::new();
        let keys = drop_repeated(read, &mut repeated);
        if let Some(SkippedKey { index, fault }) = repeated.into_iter().next() {
            return Err(KeySetFault::Local { index, fault });
        }
        if keys.is_empty() {
            return Err(KeySetFault::NoUsableKey(None));
        }
        Ok(Self {
            generation: 1,
            keys,
        })
    }

    /// Counts the changes of this issuer's keys, from 1; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the key of this thumbprint is still here: a token whose key is gone is no longer
    /// proved.
    pub fn contains(&self, thumbprint: &Thumbprint) -> bool {
        self.keys.iter().any(|key| key.thumbprint == *thumbprint)
    }

    /// Whether both sets hold the same keys under the same names for the same algorithms, in
    /// whatever order.
    pub fn same_keys(&self, other: &Self) -> bool {
        fn facts(set: &KeySet) -> BTreeSet<(&KeyName, &[Algorithm], &Thumbprint)> {
            set.keys
                .iter()
                .map(|key| (&key.name, key.algorithms.as_slice(), &key.thumbprint))
                .collect()
        }
        facts(self) == facts(other)
    }

    /// The key that a token means by `key_id`. Without one, the only key that fits.
    pub(super) fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&PinnedKey, Selection> {
        let fits = |key: &&PinnedKey| key.algorithms.contains(&algorithm);
        let Some(wanted) = key_id else {
            let fitting = self.keys.iter().filter(fits);
            return only(fitting).unwrap_or(Err(Selection::Unknown));
        };
        let (mut named, mut unnamed) = (Vec::new(), Vec::new());
        for key in &self.keys {
            match &key.name {
                KeyName::Named(name) if name == wanted => named.push(key),
                KeyName::Any => unnamed.push(key),
                KeyName::Named(_) | KeyName::Unnamed => {}
            }
        }
        let candidates = if named.is_empty() { unnamed } else { named };
        if candidates.is_empty() {
            return Err(Selection::Unknown);
        }
        only(candidates.into_iter().filter(fits)).unwrap_or(Err(Selection::WrongAlgorithm))
    }
}

/// Why no key was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// No key of that name, or none that fits.
    Unknown,
    /// The key of that name is for another algorithm.
    WrongAlgorithm,
    /// Several keys fit, and the token does not say which.
    Ambiguous,
}

impl PinnedKey {
    fn new(
        name: KeyName,
        algorithms: Vec<Algorithm>,
        material: &Material,
    ) -> Result<Self, KeyFault> {
        if algorithms.is_empty() {
            return Err(KeyFault::AlgorithmNotAccepted);
        }
        Ok(Self {
            name,
            algorithms,
            key: material.decoding_key(),
            thumbprint: material.thumbprint(),
        })
    }

    /// A secret that is shared with the issuer, for the one algorithm.
    fn symmetric(name: KeyName, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyFault> {
        secret::check_length(algorithm, secret)?;
        Ok(Self {
            name,
            algorithms: vec![algorithm],
            key: DecodingKey::from_secret(secret),
            thumbprint: secret::thumbprint(secret),
        })
    }

    /// The key in the form that checks signatures.
    pub(super) fn decoding_key(&self) -> &DecodingKey {
        &self.key
    }

    /// What tells this key from all others.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

/// The one key among them; the same key listed twice is one.
fn only<'a>(
    mut keys: impl Iterator<Item = &'a PinnedKey>,
) -> Option<Result<&'a PinnedKey, Selection>> {
    let first = keys.next()?;
    if keys.all(|key| key.thumbprint == first.thumbprint) {
        Some(Ok(first))
    } else {
        Some(Err(Selection::Ambiguous))
    }
}

/// A `kid` that two different keys share names neither. The same key may be listed again, for
/// another algorithm.
fn drop_repeated(read: Vec<(usize, PinnedKey)>, skipped: &mut Vec<SkippedKey>) -> Vec<PinnedKey> {
    let mut owners: BTreeMap<String, BTreeSet<Thumbprint>> = BTreeMap::new();
    let mut listed = BTreeSet::new();
    for (_, key) in &read {
        if let KeyName::Named(name) = &key.name {
            owners
                .entry(name.clone())
                .or_default()
                .insert(key.thumbprint);
        }
    }
    let mut kept = Vec::new();
    for (index, key) in read {
        let shared = match &key.name {
            KeyName::Named(name) => owners.get(name).is_some_and(|keys| keys.len() > 1),
            KeyName::Unnamed | KeyName::Any => false,
        };
        if shared {
            skipped.push(SkippedKey {
                index,
                fault: KeyFault::RepeatedKeyId,
            });
        } else if listed.insert((key.name.clone(), key.algorithms.clone(), key.thumbprint)) {
            kept.push(key);
        }
    }
    kept
}

fn first_reason(fault: Option<&KeyFault>) -> String {
    fault.map_or_else(String::new, |fault| format!("; the first: {fault}"))
}

#[cfg(test)]
mod tests;
