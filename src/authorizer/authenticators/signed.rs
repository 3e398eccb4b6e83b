//! `type: oidc` and `type: jwt`: signed tokens of one issuer, and one refresh when a key is unknown.

use std::sync::Arc;
use std::time::Duration;

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::authorizer::authenticators::unavailable;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Authenticator;
use crate::config::JwtRules;
use crate::decision::Denial;
use crate::identity::gate::UnverifiedToken;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier;
use crate::identity::verifier::VerifiedToken;
use crate::identity::verifier::VerifyError;
use crate::source::BoxFuture;
use crate::source::KeySource;
use crate::source::KeyStatus;
use crate::source::Refresh;

/// Longest time that a check waits for keys.
const KEY_WAIT: Duration = Duration::from_millis(150);

/// One issuer whose tokens are signed.
pub(super) struct Signed {
    /// Its place in the configuration.
    pub(super) index: usize,
    pub(super) authenticator: Arc<Authenticator>,
    /// All the others.
    pub(super) others: Vec<Arc<Authenticator>>,
    pub(super) keys: Option<Arc<dyn KeySource>>,
    pub(super) snapshot: Arc<SnapshotCell>,
}

impl Authenticate for Signed {
    /// The issuer is compared byte for byte, before any key is looked at.
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        let (Claim::Signed(token, _), Some(rules)) = (claim, self.rules()) else {
            return Answers::No;
        };
        let issuer = token.issuer();
        if issuer == rules.tokens.issuer {
            Answers::Yes
        } else if rules.insecure_skip_issuer && !self.is_anothers(issuer) {
            Answers::Otherwise
        } else {
            Answers::No
        }
    }

    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        Box::pin(async move {
            match (claim, self.rules()) {
                (Claim::Signed(token, _), Some(rules)) => {
                    let token = self.verify(token, rules, circumstances).await?;
                    Ok(Proven::Fresh(token))
                }
                (
                    Claim::Signed(..)
                    | Claim::Nothing
                    | Claim::Opaque(_)
                    | Claim::Key(..)
                    | Claim::Workload(_),
                    _,
                ) => Err(refused("the token is not one that is accepted here")),
            }
        })
    }
}

impl Signed {
    fn rules(&self) -> Option<&JwtRules> {
        self.authenticator.kind.jwt()
    }

    /// Whether a token of this issuer would name callers of another authenticator.
    fn is_anothers(&self, issuer: &str) -> bool {
        self.others.iter().any(|other| other.vouches_as(issuer))
    }

    /// Verifies against the keys in force. A key that is unknown, or a signature that a known one
    /// does not make, asks for one refresh: the issuer may have changed its keys.
    async fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        rules: &JwtRules,
        circumstances: Circumstances,
    ) -> Result<Box<VerifiedToken>, Denial> {
        let fault = match self.attempt(token, rules, circumstances.now_ms) {
            Attempt::Verified(verified) => return Ok(verified),
            Attempt::Refused(fault) => return Err(refused(fault.public()).because(&fault)),
            Attempt::Keys(fault) => fault,
        };
        let Some(source) = &self.keys else {
            return Err(fault.denial(false));
        };
        match source.refresh(circumstances.left.min(KEY_WAIT)).await {
            Refresh::Fetched => match self.attempt(token, rules, circumstances.now_ms) {
                Attempt::Verified(verified) => Ok(verified),
                Attempt::Refused(fault) => Err(refused(fault.public()).because(&fault)),
                Attempt::Keys(fault) => Err(fault.denial(false)),
            },
            Refresh::CoolingDown => Err(fault.denial(source.status() != KeyStatus::Fresh)),
            Refresh::Failed | Refresh::TimedOut => Err(fault.denial(true)),
        }
    }

    fn attempt(&self, token: &UnverifiedToken<'_>, rules: &JwtRules, now_ms: i64) -> Attempt {
        let snapshot = self.snapshot.load();
        let keys = snapshot.keys.get(self.index).and_then(Option::as_ref);
        let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
            return Attempt::Keys(KeyFault::None);
        };
        let name = &self.authenticator.name;
        match verifier::verify(token, keys, rules, name, now_ms.div_euclid(1000)) {
            Ok(verified) => Attempt::Verified(Box::new(verified)),
            Err(VerifyError::UnknownKey) => Attempt::Keys(KeyFault::Unknown),
            Err(VerifyError::BadSignature) => Attempt::Keys(KeyFault::Mismatch),
            Err(VerifyError::Refused(fault)) => Attempt::Refused(fault),
        }
    }
}

enum Attempt {
    Verified(Box<VerifiedToken>),
    Refused(TokenFault),
    Keys(KeyFault),
}

/// What is wrong with the keys that a token was tried against.
enum KeyFault {
    None,
    Unknown,
    Mismatch,
}

impl KeyFault {
    /// A token that a key in force does not fit is bad; one whose key may exist elsewhere, while the
    /// issuer is out of reach, cannot be judged.
    fn denial(self, out_of_reach: bool) -> Denial {
        match self {
            Self::None => unavailable(),
            Self::Unknown if out_of_reach => unavailable(),
            Self::Unknown => not_signed(VerifyError::UnknownKey),
            Self::Mismatch => not_signed(VerifyError::BadSignature),
        }
    }
}

fn not_signed(fault: VerifyError) -> Denial {
    refused(fault.public()).because(&fault)
}
