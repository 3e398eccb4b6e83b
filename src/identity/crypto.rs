//! The cryptography behind signatures, chosen and tried once at start.

use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;

/// RFC 8037, appendix A.4: a key, a message and its signature.
const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const MESSAGE: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// Why signatures cannot be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoFault {
    /// A signature that must verify does not, or one that must not does.
    #[error("the self-test of signature verification failed")]
    SelfTest,
}

/// Installs AWS-LC for signatures and checks with a known signature that it works. Without this
/// the library picks for itself at the first token, and panics if it cannot. May be called again.
///
/// # Errors
///
/// [`CryptoFault::SelfTest`]: no token can be trusted, so the program must not start.
pub fn install() -> Result<(), CryptoFault> {
    // The answer only says whether it was the first; the self-test says whether it works.
    let _was_first = aws_lc::DEFAULT_PROVIDER.install_default().is_ok();
    if verifies(MESSAGE, SIGNATURE) && !verifies(MESSAGE, &forged()) && !verifies("", SIGNATURE) {
        Ok(())
    } else {
        Err(CryptoFault::SelfTest)
    }
}

fn verifies(message: &str, signature: &str) -> bool {
    DecodingKey::from_ed_components(KEY).is_ok_and(|key| {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::EdDSA)
            .unwrap_or(false)
    })
}

fn forged() -> String {
    SIGNATURE.replacen('h', "g", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_installed_again() {
        assert_eq!(install(), Ok(()));
        assert_eq!(install(), Ok(()));
    }

    #[test]
    fn the_known_signature_is_the_only_one() {
        assert!(verifies(MESSAGE, SIGNATURE));
        assert!(!verifies(MESSAGE, &forged()));
        assert!(!verifies(MESSAGE, ""));
    }
}
