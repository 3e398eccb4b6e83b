//! Tokens that were active when last asked about: their holders are let in when strangers crowd the
//! door.

use std::collections::HashSet;
use std::mem;
use std::time::Duration;

use crate::identity::cache::TokenKey;

/// Most tokens of one generation; of two, 20,000 tokens of 32 bytes are remembered at most.
const MOST: usize = 10_000;

/// How long one generation lasts. A token is known for that long at least, and twice that at most
/// while others come.
const GENERATION: Duration = Duration::from_secs(600);

/// Two generations of tokens, by their digests; the older one goes whole. Times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Regulars {
    recent: HashSet<TokenKey>,
    older: HashSet<TokenKey>,
    since: Duration,
}

impl Regulars {
    /// The issuer has answered about a token.
    pub(super) fn note(&mut self, token: TokenKey, active: bool, now: Duration) {
        if !active {
            self.recent.remove(&token);
            self.older.remove(&token);
            return;
        }
        if self.recent.len() >= MOST || now.saturating_sub(self.since) >= GENERATION {
            self.older = mem::take(&mut self.recent);
            self.since = now;
        }
        self.recent.insert(token);
    }

    /// Whether a token was active when last asked about.
    pub(super) fn know(&self, token: &TokenKey) -> bool {
        self.recent.contains(token) || self.older.contains(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(n: usize) -> TokenKey {
        TokenKey::of_certificate(n, "")
    }

    #[test]
    fn only_active_tokens_are_known_and_only_until_they_are_not() {
        let mut regulars = Regulars::default();
        regulars.note(token(1), false, Duration::ZERO);
        assert!(!regulars.know(&token(1)));
        regulars.note(token(1), true, Duration::ZERO);
        assert!(regulars.know(&token(1)) && !regulars.know(&token(2)));
        regulars.note(token(2), true, GENERATION);
        assert!(regulars.know(&token(1)), "a generation ago");
        regulars.note(token(1), false, GENERATION);
        assert!(!regulars.know(&token(1)));
        regulars.note(token(3), true, GENERATION * 2);
        regulars.note(token(3), true, GENERATION * 3);
        assert!(!regulars.know(&token(2)), "two generations ago");
    }

    #[test]
    fn whoever_has_many_tokens_does_not_fill_the_memory() {
        let mut regulars = Regulars::default();
        for n in 0..(3 * MOST) {
            regulars.note(token(n), true, Duration::ZERO);
        }
        assert!(regulars.recent.len() <= MOST && regulars.older.len() <= MOST);
        assert!(regulars.know(&token(3 * MOST - 1)));
    }
}
