//! Verified tokens, remembered by a digest, for as long as their key lives.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest;
use moka::sync::Cache;

use crate::identity::Principal;
use crate::identity::credential::BearerToken;
use crate::identity::verifier::VerifiedToken;

/// Most tokens that a cache can be asked to hold.
pub const MAX_ENTRIES: u64 = 100_000;

/// What one entry costs beside its texts: the map's own, the structures, the key.
const ENTRY_BYTES: usize = 1024;

/// What one text costs beside its bytes: its place in a tree, and the allocator's rounding.
const TEXT_BYTES: usize = 64;

/// A bounded memory of tokens that verified, never of tokens that did not: whoever can invent
/// tokens cannot fill it. `F` is what the policy layer wants to keep beside a token.
pub struct TokenCache<F> {
    entries: Cache<TokenKey, Arc<CachedToken<F>>>,
}

/// The SHA-256 of a whole token, its signature included, or of what a certificate says; the token
/// itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenKey([u8; 32]);

/// A remembered token.
#[derive(Debug)]
pub struct CachedToken<F> {
    /// What was proved.
    pub token: VerifiedToken,
    /// What the policy layer made of the principal; it carries what makes it stale.
    pub facts: ArcSwapOption<F>,
}

impl TokenKey {
    /// The key of a token.
    pub fn of(token: &BearerToken) -> Self {
        Self::digest(&[b"token", token.as_str().as_bytes()])
    }

    /// The key of a certificate that the proxy verified, as the authenticator at this place of the
    /// configuration reads it.
    pub fn of_certificate(authenticator_index: usize, spiffe_id: &str) -> Self {
        let index = authenticator_index.to_be_bytes();
        Self::digest(&[b"certificate", &index, spiffe_id.as_bytes()])
    }

    /// Each part goes in with its length, so that no two lists of parts are one text.
    fn digest(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(key)
    }
}

impl<F: Send + Sync + 'static> TokenCache<F> {
    /// A cache of at most `max_entries` tokens, never more than [`MAX_ENTRIES`], that take about
    /// `max_bytes` together.
    pub fn new(max_entries: u64, max_bytes: u64) -> Self {
        let max_entries = max_entries.clamp(1, MAX_ENTRIES);
        // One capacity bounds both: no entry weighs less than its share of the bytes.
        let share = max_bytes.checked_div(max_entries).unwrap_or(1).max(1);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        Self {
            entries: Cache::builder()
                .max_capacity(u64::from(share).saturating_mul(max_entries))
                .support_invalidation_closures()
                .weigher(move |_, entry: &Arc<CachedToken<F>>| entry.weight().max(share))
                .build(),
        }
    }

    /// The token under `key`, if `is_current` still holds of it: usually
    /// [`VerifiedToken::is_current`] on the present keys of its authenticator. An entry of
    /// which it does not hold is removed. Window and audience are the caller's to check, with
    /// [`VerifiedToken::admits`].
    pub fn get(
        &self,
        key: &TokenKey,
        is_current: impl FnOnce(&VerifiedToken) -> bool,
    ) -> Option<Arc<CachedToken<F>>> {
        let found = self.entries.get(key)?;
        if is_current(&found.token) {
            return Some(found);
        }
        self.entries.invalidate(key);
        None
    }

    /// Remembers a token that verified.
    pub fn insert(&self, key: TokenKey, entry: CachedToken<F>) -> Arc<CachedToken<F>> {
        let entry = Arc::new(entry);
        self.entries.insert(key, Arc::clone(&entry));
        entry
    }

    /// Forgets every token of which `is_over` holds: none of them is found from now on, and their
    /// room is given back by and by.
    pub fn clear_of(&self, is_over: impl Fn(&VerifiedToken) -> bool + Send + Sync + 'static) {
        let asked = self
            .entries
            .invalidate_entries_if(move |_, entry| is_over(&entry.token));
        if asked.is_err() {
            // The cache was built for this, so that it cannot refuse; were it to, none is kept.
            self.entries.invalidate_all();
        }
    }

    /// How many tokens are held; close, not exact.
    pub fn len(&self) -> u64 {
        self.entries.entry_count()
    }

    /// Whether none is held; close, not exact.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F> fmt::Debug for TokenCache<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl<F> CachedToken<F> {
    /// A token of which nothing has been worked out yet.
    pub fn new(token: VerifiedToken) -> Self {
        Self {
            token,
            facts: ArcSwapOption::empty(),
        }
    }

    /// An estimate in bytes. The facts say the principal once more in Cedar's terms, so its texts
    /// count three times: here, in the facts, and for what the facts add.
    fn weight(&self) -> u32 {
        let texts = principal_bytes(&self.token.principal).saturating_mul(3);
        let id = self.token.token_id.as_ref();
        let id = id.map_or(0, |id| id.len().saturating_add(TEXT_BYTES));
        let bytes = texts.saturating_add(id).saturating_add(ENTRY_BYTES);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

fn principal_bytes(principal: &Principal) -> usize {
    let Principal {
        kind: _,
        id,
        authenticator: _,
        issuer,
        subject,
        client_id,
        tenant,
        email,
        name,
        roles,
        groups,
        scopes,
        audience,
        claims,
    } = principal;
    let plain = [id, issuer, subject, client_id, tenant, email, name];
    let sets = [roles, groups, scopes, audience];
    plain
        .into_iter()
        .chain(sets.into_iter().flatten())
        .chain(claims.keys())
        .chain(claims.values().flat_map(BTreeSet::iter))
        .fold(0, |total, text| {
            total.saturating_add(text.len()).saturating_add(TEXT_BYTES)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::credential::Authorization;
    use crate::identity::testing;

    fn key(text: &str) -> TokenKey {
        match Authorization::from_authorization(Some(&format!("Bearer {text}"))).unwrap() {
            Authorization::Bearer(token) => TokenKey::of(&token),
            Authorization::Absent | Authorization::Dpop(_) => panic!("a credential was sent"),
        }
    }

    #[test]
    fn a_token_is_found_by_all_of_its_bytes() {
        let cache = TokenCache::<()>::new(10, 1 << 20);
        cache.insert(key("a.b.c"), CachedToken::new(testing::verified(&[])));
        assert!(cache.get(&key("a.b.c"), |_| true).is_some());
        assert!(cache.get(&key("a.b.d"), |_| true).is_none());
        assert!(cache.get(&key("a.b.c="), |_| true).is_none());
    }

    #[test]
    fn an_entry_dies_with_its_key() {
        let cache = TokenCache::<()>::new(10, 1 << 20);
        cache.insert(key("a"), CachedToken::new(testing::verified(&[])));
        assert!(cache.get(&key("a"), |_| false).is_none());
        assert!(cache.get(&key("a"), |_| true).is_none(), "for good");
    }

    #[test]
    fn keys_of_different_things_differ() {
        let keys = [
            key("certificate"),
            key("a"),
            TokenKey::of_certificate(0, "spiffe://a/b"),
            TokenKey::of_certificate(1, "spiffe://a/b"),
            TokenKey::of_certificate(0, "spiffe://a/c"),
            TokenKey::of_certificate(0, ""),
            TokenKey::digest(&[b"a", b"bc"]),
            TokenKey::digest(&[b"ab", b"c"]),
            TokenKey::digest(&[b"abc"]),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(
            TokenKey::of_certificate(1, "spiffe://a/b"),
            TokenKey::of_certificate(1, "spiffe://a/b")
        );
    }

    #[test]
    fn tokens_can_be_forgotten_by_what_they_say() {
        let cache = TokenCache::<()>::new(10, 1 << 20);
        let mut revoked = testing::verified(&[]);
        revoked.token_id = Some("j1".into());
        cache.insert(key("a"), CachedToken::new(revoked.clone()));
        cache.insert(key("b"), CachedToken::new(testing::verified(&[])));
        cache.clear_of(|token| token.token_id.as_deref() == Some("j1"));
        assert!(cache.get(&key("a"), |_| true).is_none());
        assert!(cache.get(&key("b"), |_| true).is_some());
    }

    #[test]
    fn every_text_of_a_token_weighs() {
        let entry = |token| CachedToken::<()> {
            token,
            facts: ArcSwapOption::empty(),
        };
        let plain = testing::verified(&[]);
        let mut named = plain.clone();
        named.token_id = Some("j".repeat(200).into());
        let more = entry(named).weight() - entry(plain).weight();
        assert!(more >= 200, "{more}");
    }

    #[test]
    fn facts_stay_beside_their_token() {
        let cache = TokenCache::<u8>::new(10, 1 << 20);
        let entry = cache.insert(key("a"), CachedToken::new(testing::verified(&[])));
        assert!(entry.facts.load().is_none());
        entry.facts.store(Some(Arc::new(7)));
        let found = cache.get(&key("a"), |_| true).unwrap();
        assert_eq!(found.facts.load().as_deref(), Some(&7));
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let few = TokenCache::<()>::new(100, 1 << 30);
        for n in 0..1_000 {
            few.insert(
                key(&n.to_string()),
                CachedToken::new(testing::verified(&[])),
            );
        }
        few.entries.run_pending_tasks();
        assert!((1..=100).contains(&few.len()), "{}", few.len());

        let small = TokenCache::<()>::new(100_000, 1 << 20);
        let role = "r".repeat(1_000);
        for n in 0..1_000 {
            small.insert(
                key(&n.to_string()),
                CachedToken::new(testing::verified(&[&role])),
            );
        }
        small.entries.run_pending_tasks();
        assert!((1..=250).contains(&small.len()), "{}", small.len());
    }
}
