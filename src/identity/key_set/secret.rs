//! Shared secrets for HMAC (RFC 7518, section 3.2): long enough, and named without being shown.

use aws_lc_rs::hmac;

use crate::config::Algorithm;
use crate::identity::key_set::KeyFault;
use crate::identity::key_set::Thumbprint;

/// No token has this form, so that no signature is ever a thumbprint.
const LABEL: &[u8] = b"cedargate: the name of this secret";

/// A secret is at least as long as the hash that it goes into.
pub(super) fn check_length(algorithm: Algorithm, secret: &[u8]) -> Result<(), KeyFault> {
    let least = match algorithm {
        Algorithm::Hs256 => 32,
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 => 64,
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => return Err(KeyFault::AlgorithmNotAccepted),
    };
    if secret.len() < least {
        return Err(KeyFault::SecretTooShort(secret.len()));
    }
    Ok(())
}

/// A MAC of a fixed text. Whoever sees it can test guesses of the secret, as whoever has one token
/// can; it gives away no more.
pub(super) fn thumbprint(secret: &[u8]) -> Thumbprint {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut thumbprint = [0; 32];
    for (to, from) in thumbprint.iter_mut().zip(hmac::sign(&key, LABEL).as_ref()) {
        *to = *from;
    }
    thumbprint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_as_long_as_the_hash() {
        for (algorithm, least) in [
            (Algorithm::Hs256, 32),
            (Algorithm::Hs384, 48),
            (Algorithm::Hs512, 64),
        ] {
            assert_eq!(check_length(algorithm, &vec![b'x'; least]), Ok(()));
            for short in [0, 1, least - 1] {
                assert_eq!(
                    check_length(algorithm, &vec![b'x'; short]),
                    Err(KeyFault::SecretTooShort(short))
                );
            }
        }
        for algorithm in Algorithm::ASYMMETRIC {
            assert_eq!(
                check_length(algorithm, &[b'x'; 512]),
                Err(KeyFault::AlgorithmNotAccepted)
            );
        }
    }

    #[test]
    fn names_differ_as_secrets_do() {
        let (one, two) = (thumbprint(&[1; 32]), thumbprint(&[2; 32]));
        assert_eq!(one, thumbprint(&[1; 32]));
        assert_ne!(one, two);
        assert_ne!(one, [0; 32]);
    }
}
