//! When a token may be used.

use crate::config::TokenRules;
use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// Numbers up to here survive every JSON library (RFC 8259, section 6).
const MAX_NUMERIC_DATE: i64 = (1 << 53) - 1;

/// The times between which a token may be used, in seconds since 1970, and the tolerated difference
/// of clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// `exp`; absent under `insecure_skip_expiry`, and where an introspection gave none.
    pub expires_s: Option<i64>,
    /// `nbf`
    pub not_before_s: Option<i64>,
    /// Seconds.
    pub leeway_s: i64,
}

/// Whether a token must say when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// `exp` must be there, unless `insecure_skip_expiry` says otherwise.
    Required,
    /// Its issuer may leave `exp` out (RFC 7662, section 2.2).
    Optional,
}

impl Window {
    /// Reads `exp`, `nbf` and `iat` (RFC 7519, section 4.1) and checks them at `now_s`.
    ///
    /// # Errors
    ///
    /// [`TokenFault`]: absent, malformed, out of range, past, to come, or too far away.
    pub(super) fn read(
        claims: &StrictValue,
        rules: &TokenRules,
        expiry: Expiry,
        now_s: i64,
    ) -> Result<Self, TokenFault> {
        let expires_s = numeric_date(claims, "exp")?;
        let not_before_s = numeric_date(claims, "nbf")?;
        let issued_s = numeric_date(claims, "iat")?;
        let leeway_s = i64::try_from(rules.leeway.as_secs()).unwrap_or(i64::MAX);
        if !rules.insecure_skip_issued_at
            && issued_s.is_some_and(|issued| issued > now_s.saturating_add(leeway_s))
        {
            return Err(TokenFault::IssuedInFuture);
        }
        if expires_s.is_none() && expiry == Expiry::Required && !rules.insecure_skip_expiry {
            return Err(TokenFault::ClaimMissing("exp"));
        }
        let expires_s = expires_s.filter(|_| !rules.insecure_skip_expiry);
        if let Some(expires) = expires_s {
            // A clock that is behind the issuer's by the leeway sees that much more.
            let furthest = i64::try_from(rules.max_lifetime.as_secs())
                .unwrap_or(i64::MAX)
                .saturating_add(leeway_s);
            if expires.saturating_sub(now_s) > furthest {
                return Err(TokenFault::LifetimeTooLong);
            }
        }
        let window = Self {
            expires_s,
            not_before_s,
            leeway_s,
        };
        window.admits(now_s)?;
        Ok(window)
    }

    /// Whether `now_s` lies in the window. The token ends at `exp` plus the leeway: at that second
    /// it is no longer accepted (RFC 7519, section 4.1.4, "on or after").
    ///
    /// # Errors
    ///
    /// [`TokenFault::Expired`], [`TokenFault::NotYetValid`].
    pub fn admits(&self, now_s: i64) -> Result<(), TokenFault> {
        if self
            .expires_s
            .is_some_and(|expires| now_s >= expires.saturating_add(self.leeway_s))
        {
            return Err(TokenFault::Expired);
        }
        if self
            .not_before_s
            .is_some_and(|not_before| now_s.saturating_add(self.leeway_s) < not_before)
        {
            return Err(TokenFault::NotYetValid);
        }
        Ok(())
    }
}

fn numeric_date(claims: &StrictValue, name: &'static str) -> Result<Option<i64>, TokenFault> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value
        .as_integer()
        .filter(|seconds| (0..=MAX_NUMERIC_DATE).contains(seconds))
        .map(Some)
        .ok_or(TokenFault::ClaimMalformed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_have_leeway() {
        let window = Window {
            expires_s: Some(1_000),
            not_before_s: Some(500),
            leeway_s: 30,
        };
        for (now_s, verdict) in [
            (469, Err(TokenFault::NotYetValid)),
            (470, Ok(())),
            (1_029, Ok(())),
            (1_030, Err(TokenFault::Expired)),
            (i64::MAX, Err(TokenFault::Expired)),
            (i64::MIN, Err(TokenFault::NotYetValid)),
        ] {
            assert_eq!(window.admits(now_s), verdict, "{now_s}");
        }
    }

    #[test]
    fn no_ends_no_limits() {
        let window = Window {
            expires_s: None,
            not_before_s: None,
            leeway_s: 0,
        };
        assert_eq!(window.admits(i64::MAX), Ok(()));
        assert_eq!(window.admits(i64::MIN), Ok(()));
    }
}
