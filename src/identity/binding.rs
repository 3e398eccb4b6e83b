//! The key or certificate that a token is bound to (RFC 7800; RFC 9449, section 6.1; RFC 8705,
//! section 3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::DpopRules;
use crate::identity::token_fault::TokenFault;
use crate::json::StrictValue;

/// What the holder of a token must prove beside having it. Empty for a bearer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// `cnf.jkt`: the SHA-256 thumbprint (RFC 7638) of the key that signs `DPoP` proofs.
    pub jkt: Option<[u8; 32]>,
    /// `cnf.x5t#S256`: the SHA-256 of the client certificate, DER.
    pub x5t_s256: Option<[u8; 32]>,
}

impl Binding {
    /// Reads `cnf`. A token without one is a bearer token; one that is bound is never taken for one
    /// because its bond cannot be read.
    ///
    /// # Errors
    ///
    /// [`TokenFault::ClaimMalformed`] when `cnf` is no object, is empty, or holds a digest that is
    /// not canonical base64url of 32 bytes; [`TokenFault::BoundToken`] when it names any other bond,
    /// alone or beside these.
    pub(super) fn read(claims: &StrictValue) -> Result<Self, TokenFault> {
        let Some(confirmation) = claims.get("cnf") else {
            return Ok(Self::default());
        };
        let malformed = TokenFault::ClaimMalformed("cnf");
        let members = confirmation.as_object().ok_or(malformed)?;
        if members.is_empty() {
            return Err(malformed);
        }
        let mut binding = Self::default();
        for (name, value) in members {
            let slot = match name.as_str() {
                "jkt" => &mut binding.jkt,
                "x5t#S256" => &mut binding.x5t_s256,
                _ => return Err(TokenFault::BoundToken),
            };
            *slot = Some(digest(value).ok_or(malformed)?);
        }
        Ok(binding)
    }

    /// Whether there is nothing to prove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a token so bound is accepted where `rules` hold.
    ///
    /// # Errors
    ///
    /// [`TokenFault::NotBound`] where `DPoP` is required and no key is named.
    pub fn fits(&self, rules: DpopRules) -> Result<(), TokenFault> {
        if rules.required && self.jkt.is_none() {
            return Err(TokenFault::NotBound);
        }
        Ok(())
    }
}

fn digest(value: &StrictValue) -> Option<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(value.as_text()?).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cnf: &str) -> Result<Binding, TokenFault> {
        let claims = format!(r#"{{"cnf":{cnf}}}"#);
        Binding::read(&crate::json::parse(claims.as_bytes(), 16).unwrap())
    }

    #[test]
    fn bonds_that_can_be_checked() {
        let (ones, twos) = ([1; 32], [2; 32]);
        let (one, two) = (URL_SAFE_NO_PAD.encode(ones), URL_SAFE_NO_PAD.encode(twos));
        for (cnf, jkt, x5t_s256) in [
            (format!(r#"{{"jkt":"{one}"}}"#), Some(ones), None),
            (format!(r#"{{"x5t#S256":"{two}"}}"#), None, Some(twos)),
            (
                format!(r#"{{"x5t#S256":"{two}","jkt":"{one}"}}"#),
                Some(ones),
                Some(twos),
            ),
        ] {
            assert_eq!(read(&cnf), Ok(Binding { jkt, x5t_s256 }), "{cnf}");
        }
        let none = crate::json::parse(b"{}", 16).unwrap();
        assert_eq!(Binding::read(&none), Ok(Binding::default()));
    }

    #[test]
    fn every_other_bond_is_a_refusal() {
        let good = URL_SAFE_NO_PAD.encode([1; 32]);
        assert!(good.ends_with("AQE"));
        let malformed = TokenFault::ClaimMalformed("cnf");
        for (cnf, expected) in [
            ("null".to_owned(), malformed),
            ("{}".to_owned(), malformed),
            ("[]".to_owned(), malformed),
            (format!(r#""{good}""#), malformed),
            (r#"{"jkt":null}"#.to_owned(), malformed),
            (r#"{"jkt":""}"#.to_owned(), malformed),
            (format!(r#"{{"jkt":["{good}"]}}"#), malformed),
            (format!(r#"{{"jkt":"{good}="}}"#), malformed),
            (format!(r#"{{"jkt":"{good}A"}}"#), malformed),
            // The last character holds two bits that mean nothing and must be zero.
            (
                format!(r#"{{"jkt":"{}F"}}"#, good.trim_end_matches('E')),
                malformed,
            ),
            (
                format!(r#"{{"jkt":"{}"}}"#, URL_SAFE_NO_PAD.encode([1; 31])),
                malformed,
            ),
            (
                format!(r#"{{"x5t#S256":"{}"}}"#, URL_SAFE_NO_PAD.encode([1; 33])),
                malformed,
            ),
            (format!(r#"{{"x5t#S256":"{good}","jkt":1}}"#), malformed),
            (r#"{"jwk":{"kty":"EC"}}"#.to_owned(), TokenFault::BoundToken),
            (r#"{"kid":"k"}"#.to_owned(), TokenFault::BoundToken),
            (format!(r#"{{"JKT":"{good}"}}"#), TokenFault::BoundToken),
            (
                format!(r#"{{"jkt":"{good}","jku":"https://x"}}"#),
                TokenFault::BoundToken,
            ),
        ] {
            assert_eq!(read(&cnf), Err(expected), "{cnf}");
        }
    }

    #[test]
    fn a_certificate_is_no_key() {
        let required = DpopRules {
            required: true,
            nonce: false,
        };
        let key = Binding {
            jkt: Some([1; 32]),
            x5t_s256: None,
        };
        let certificate = Binding {
            jkt: None,
            x5t_s256: Some([1; 32]),
        };
        assert_eq!(key.fits(required), Ok(()));
        assert_eq!(certificate.fits(required), Err(TokenFault::NotBound));
        assert_eq!(Binding::default().fits(required), Err(TokenFault::NotBound));
        assert_eq!(Binding::default().fits(DpopRules::default()), Ok(()));
        assert!(Binding::default().is_empty() && !key.is_empty() && !certificate.is_empty());
    }
}
