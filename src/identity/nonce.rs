//! Nonces for `DPoP` proofs (RFC 9449, section 9): made from the time and a key, so that nothing is
//! stored and every replica with the key accepts what another has issued.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// Nonces of one period of time are the same text, in seconds.
const PERIOD_S: i64 = 30;

/// For how many periods after its own a nonce is accepted: at least 300 s, less than 330 s.
const LIFE_PERIODS: i64 = 10;

/// Bytes of the authenticator that a nonce carries.
const TAG_BYTES: usize = 16;

/// Length of a nonce: 8 bytes of time and the authenticator, base64url.
const TEXT_BYTES: usize = 32;

/// Keeps these authenticators apart from whatever else the key may come to be used for.
const PURPOSE: &[u8] = b"cedargate DPoP nonce 1\0";

/// Issues nonces and knows them again; never shows its key.
pub struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    /// Nonces under this key, which must be random.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        }
    }

    /// The nonce of the period of `now_s` (seconds since 1970): 32 characters of base64url.
    pub fn issue(&self, now_s: i64) -> String {
        self.text(now_s.div_euclid(PERIOD_S))
    }

    /// Whether `text` was issued under this key in the last 5 minutes before `now_s` (seconds since
    /// 1970). One period ahead is accepted too, for clocks that differ a little. The time that it
    /// takes does not depend on how much of a forged nonce is right.
    pub fn accepts(&self, text: &str, now_s: i64) -> bool {
        if text.len() != TEXT_BYTES {
            return false;
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else {
            return false;
        };
        let Some((time, tag)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let period = i64::from_be_bytes(*time);
        let age = now_s.div_euclid(PERIOD_S).saturating_sub(period);
        let ours: bool = self.tag(period).as_slice().ct_eq(tag).into();
        ours && (-1..=LIFE_PERIODS).contains(&age)
    }

    fn text(&self, period: i64) -> String {
        URL_SAFE_NO_PAD.encode([period.to_be_bytes().as_slice(), &self.tag(period)].concat())
    }

    fn tag(&self, period: i64) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(PURPOSE);
        context.update(&period.to_be_bytes());
        let mut tag = [0; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_nonce_lives_for_five_minutes() {
        let nonces = Nonces::new([7; 32]);
        let text = nonces.issue(NOW);
        assert_eq!(text.len(), TEXT_BYTES);
        for (now_s, accepted) in [
            (NOW, true),
            (NOW + 300, true),
            (NOW + 329, true),
            (NOW + 330, false),
            (NOW - 30, true),
            (NOW - 31, false),
            (i64::MAX, false),
            (i64::MIN, false),
        ] {
            assert_eq!(nonces.accepts(&text, now_s), accepted, "{now_s}");
        }
        let late = nonces.issue(NOW + 29);
        assert_eq!(late, text);
        assert!(nonces.accepts(&late, NOW + 29 + 300));
    }

    #[test]
    fn only_the_own_key_is_known() {
        let text = Nonces::new([7; 32]).issue(NOW);
        assert!(!Nonces::new([8; 32]).accepts(&text, NOW));
        assert!(Nonces::new([7; 32]).accepts(&text, NOW));
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert_eq!(format!("{:?}", Nonces::new([7; 32])), "Nonces([redacted])");
    }

    proptest! {
        #[test]
        fn every_nonce_is_accepted_at_once_and_for_300_s(key: [u8; 32], now_s: i64, later in 0..=300_i64) {
            let nonces = Nonces::new(key);
            prop_assert!(nonces.accepts(&nonces.issue(now_s), now_s.saturating_add(later)));
        }

        #[test]
        fn a_nonce_changed_in_any_byte_is_refused(at in 0..TEXT_BYTES, byte: u8) {
            let nonces = Nonces::new([7; 32]);
            let good = nonces.issue(NOW);
            let mut changed = good.clone().into_bytes();
            changed[at] = byte;
            if let Ok(text) = String::from_utf8(changed) {
                prop_assert_eq!(nonces.accepts(&text, NOW), text == good);
            }
        }

        #[test]
        fn any_text_is_refused(text in ".{0,40}") {
            prop_assert!(!Nonces::new([7; 32]).accepts(&text, NOW));
        }
    }
}
