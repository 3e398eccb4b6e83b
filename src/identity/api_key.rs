//! API keys: who holds one, found in a time that says nothing about the keys that exist.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConditionallySelectable;
use subtle::ConstantTimeEq;

use crate::config::ApiKey;
use crate::config::ApiKeyRules;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::identity::credential::KeyText;
use crate::identity::digest::sha256;
use crate::identity::static_token::granted;

/// Length of the secret part of a key that is made here: 32 bytes, base64url.
const SECRET_CHARS: usize = 43;

/// What stands in a place that no key has. Nobody knows a key of this digest, and it would not be
/// accepted.
const NOBODY: Slot = Slot {
    tag: 0,
    digest: [0x5a; 32],
    index: u64::MAX,
};

/// The keys of one authenticator, of which only the digests are kept.
pub struct ApiKeys {
    entries: Vec<Entry>,
    /// The same by id: rows of equal length, of which an id chooses one.
    rows: Vec<Vec<Slot>>,
    hasher: RandomState,
}

/// A place in a row.
#[derive(Clone)]
struct Slot {
    /// A hash of the id under a random key.
    tag: u64,
    digest: [u8; 32],
    /// The place of the key in the configuration.
    index: u64,
}

struct Entry {
    digest: [u8; 32],
    holder: KeyHolder,
}

/// The holder of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The place of the key in the configuration, from 0.
    pub index: usize,
    /// Who holds it.
    pub principal: Arc<Principal>,
}

impl ApiKeys {
    /// The keys of this authenticator. The principal of a key has the key's id as its own id and as
    /// its subject, and neither an issuer nor a client.
    pub fn new(rules: &ApiKeyRules, authenticator: &Arc<str>) -> Self {
        let mut entries = Vec::with_capacity(rules.keys.len());
        for (index, key) in rules.keys.iter().enumerate() {
            let mut principal = granted(&key.grants, authenticator);
            principal.kind = PrincipalKind::ApiKey;
            principal.id.clone_from(&key.id);
            principal.subject.clone_from(&key.id);
            entries.push(Entry {
                digest: key.digest,
                holder: KeyHolder {
                    index,
                    principal: Arc::new(principal),
                },
            });
        }
        let hasher = RandomState::new();
        let rows = rows(&rules.keys, &hasher);
        Self {
            entries,
            rows,
            hasher,
        }
    }

    /// The holder of `key`.
    ///
    /// A key of the form that [`generate`] gives it is looked up by the id that it names: compared with
    /// every place of the one row that the id chooses, whether anything stands there or not. Any
    /// other text is compared with every entry. Neither search ends at the right one. So the time that
    /// it takes depends on the form and length of `key` and on how many entries there are, and neither
    /// on the secrets nor on which ids exist.
    pub fn find(&self, key: &KeyText) -> Option<&KeyHolder> {
        let digest = sha256(&[key.as_str().as_bytes()]);
        match looks_like_own(key.as_str()) {
            Some(id) => self.find_named(id, &digest),
            None => self.find_any(&digest),
        }
    }

    /// The holders' principals, in the order of the keys.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.entries.iter().map(|entry| &entry.holder.principal)
    }

    fn find_named(&self, id: &str, digest: &[u8; 32]) -> Option<&KeyHolder> {
        let tag = self.hasher.hash_one(id);
        let row = row_of(tag, self.rows.len());
        let mut found = u64::MAX;
        for slot in self.rows.get(row)? {
            let equal = digest.as_slice().ct_eq(slot.digest.as_slice()) & tag.ct_eq(&slot.tag);
            found.conditional_assign(&slot.index, equal);
        }
        self.holder(found)
    }

    fn find_any(&self, digest: &[u8; 32]) -> Option<&KeyHolder> {
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.entries) {
            let equal = digest.as_slice().ct_eq(entry.digest.as_slice());
            found.conditional_assign(&index, equal);
        }
        self.holder(found)
    }

    fn holder(&self, found: u64) -> Option<&KeyHolder> {
        let index = usize::try_from(found).ok()?;
        self.entries.get(index).map(|entry| &entry.holder)
    }
}

/// The keys by id, about two in a row; every row is as long as the longest.
fn rows(keys: &[ApiKey], hasher: &RandomState) -> Vec<Vec<Slot>> {
    let count = keys.len().div_ceil(2).max(1).next_power_of_two();
    let mut rows = vec![Vec::new(); count];
    for (index, key) in (0_u64..).zip(keys) {
        let tag = hasher.hash_one(&key.id);
        if let Some(row) = rows.get_mut(row_of(tag, count)) {
            row.push(Slot {
                tag,
                digest: key.digest,
                index,
            });
        }
    }
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    for row in &mut rows {
        row.resize(longest, NOBODY);
    }
    rows
}

fn row_of(tag: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let row = tag.checked_rem(count).unwrap_or(0);
    usize::try_from(row).unwrap_or(0)
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holders = self.entries.iter().map(|entry| &entry.holder);
        f.debug_list().entries(holders).finish()
    }
}

/// A new key for the holder `id`, and the line that stands for it in the configuration. `random`
/// must come from a secure source; the key is a secret, the line is not.
pub fn generate(id: &str, random: &[u8; 32]) -> (String, String) {
    let key = format!("{id}.{}", URL_SAFE_NO_PAD.encode(random));
    let line = hash_line(&key);
    (key, line)
}

/// The line that stands for `key` in the configuration: `sha256:` and 64 lower-case hexadecimal
/// digits.
pub fn hash_line(key: &str) -> String {
    use std::fmt::Write;

    let mut line = String::from("sha256:");
    for byte in sha256(&[key.as_bytes()]) {
        // Writing to a string cannot fail.
        let _written = write!(line, "{byte:02x}");
    }
    line
}

/// The id in a key of the form `<id>.<43 characters of base64url>`, which is the form of those that
/// [`generate`] makes. Such a key is only ever found under that id.
pub fn looks_like_own(key: &str) -> Option<&str> {
    let (id, secret) = key.rsplit_once('.')?;
    let is_secret = secret.len() == SECRET_CHARS
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (is_secret && !id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Grants;

    const LEGACY: &str = "legacy-key";

    fn key(text: &str) -> KeyText {
        KeyText::new(text.to_owned()).unwrap()
    }

    fn entry(id: &str, text: &str) -> ApiKey {
        ApiKey {
            id: id.into(),
            digest: sha256(&[text.as_bytes()]),
            grants: Grants {
                roles: [format!("role-of-{id}")].into(),
                groups: ["g".to_owned()].into(),
                scopes: ["s".to_owned()].into(),
                tenant: "t".into(),
            },
        }
    }

    fn made(id: &str) -> String {
        generate(id, &[u8::try_from(id.len()).unwrap(); 32]).0
    }

    fn keys() -> ApiKeys {
        let rules = ApiKeyRules {
            header: "x-api-key".into(),
            keys: vec![
                entry("front", &made("front")),
                entry("old", LEGACY),
                entry("back-office", &made("back-office")),
                entry("other", "another-key"),
            ],
        };
        ApiKeys::new(&rules, &"keys".into())
    }

    fn found(text: &str) -> Option<String> {
        keys()
            .find(&key(text))
            .map(|holder| holder.principal.id.clone())
    }

    #[test]
    fn each_key_finds_its_holder() {
        for (text, id) in [
            (made("front").as_str(), "front"),
            (made("back-office").as_str(), "back-office"),
            (LEGACY, "old"),
            ("another-key", "other"),
        ] {
            assert_eq!(found(text).as_deref(), Some(id));
        }
    }

    #[test]
    fn no_other_key_finds_anyone() {
        let front = made("front");
        let (_, secret) = front.split_once('.').unwrap();
        for text in [
            made("nobody"),
            format!("old.{secret}"),
            format!("back-office.{secret}"),
            format!(".{secret}"),
            secret.to_owned(),
            format!("{front}a"),
            front.to_uppercase(),
            "front".into(),
            "legacy-keY".into(),
            "legacy-key ".trim().repeat(2),
        ] {
            assert_eq!(found(&text), None, "{text}");
        }
        let none = ApiKeys::new(
            &ApiKeyRules {
                header: "x-api-key".into(),
                keys: Vec::new(),
            },
            &"keys".into(),
        );
        assert_eq!(none.find(&key(LEGACY)), None);
        assert_eq!(none.find(&key(&front)), None);
    }

    /// A key of our form is looked up by the id in it: an entry of another id that has its digest
    /// is not found.
    #[test]
    fn a_key_of_our_form_is_found_under_its_looks_like_own_only() {
        let rules = ApiKeyRules {
            header: "x-api-key".into(),
            keys: vec![entry("renamed", &made("front")), entry("front", LEGACY)],
        };
        let keys = ApiKeys::new(&rules, &"keys".into());
        assert_eq!(keys.find(&key(&made("front"))), None);
        assert_eq!(keys.find(&key(LEGACY)).map(|holder| holder.index), Some(1));
    }

    #[test]
    fn the_decoy_admits_nobody() {
        let keys = keys();
        assert_eq!(keys.find_named("nobody", &NOBODY.digest), None);
        assert_eq!(keys.find_named("front", &NOBODY.digest), None);
        assert_eq!(keys.find_any(&NOBODY.digest), None);
    }

    #[test]
    fn a_holder_is_what_the_operator_says() {
        let keys = keys();
        let holder = keys.find(&key(LEGACY)).unwrap();
        assert_eq!(holder.index, 1);
        let principal = &holder.principal;
        assert_eq!(principal.kind, PrincipalKind::ApiKey);
        assert_eq!(
            (principal.id.as_str(), principal.subject.as_str()),
            ("old", "old")
        );
        assert_eq!(
            (principal.issuer.as_str(), principal.client_id.as_str()),
            ("", "")
        );
        assert_eq!(&*principal.authenticator, "keys");
        assert_eq!(principal.tenant, "t");
        assert!(principal.roles.contains("role-of-old"));
        assert!(principal.groups.contains("g") && principal.scopes.contains("s"));
    }

    #[test]
    fn the_lines_for_the_configuration() {
        assert_eq!(
            hash_line("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let (key, line) = generate("a", &[0; 32]);
        assert_eq!(key, format!("a.{}", "A".repeat(43)));
        assert_eq!(line, hash_line(&key));
    }

    #[test]
    fn the_form_of_own_keys() {
        let secret = "-_aA0".repeat(9).split_off(2);
        for (text, id) in [
            (format!("a.{secret}"), Some("a")),
            (format!("a.b.{secret}"), Some("a.b")),
            (format!(".{secret}"), None),
            (secret.clone(), None),
            (format!("a.{secret}x"), None),
            (format!("a.{}", secret.replacen('-', "+", 1)), None),
            (format!("a.{}=", secret.trim_end_matches('0')), None),
        ] {
            assert_eq!(looks_like_own(&text), id, "{text}");
        }
    }

    #[test]
    fn debug_shows_no_digest() {
        let shown = format!("{:?}", keys());
        assert!(
            shown.contains("front") && !shown.contains("digest"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn what_is_made_is_found_and_nothing_else(
            id in "[a-z0-9-]{1,12}",
            random: [u8; 32],
            at: prop::sample::Index,
            byte in b'!'..=b'~',
        ) {
            let (text, line) = generate(&id, &random);
            prop_assert_eq!(looks_like_own(&text), Some(id.as_str()));
            prop_assert_eq!(line, hash_line(&text));
            let rules = ApiKeyRules { header: "x-api-key".into(), keys: vec![entry(&id, &text)] };
            let keys = ApiKeys::new(&rules, &"keys".into());
            prop_assert!(keys.find(&key(&text)).is_some());
            let mut changed = text.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(keys.find(&key(&changed)).is_some(), changed == text);
        }
    }
}
