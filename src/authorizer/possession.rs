//! Whether the sender of a token is the one whom it was issued to: `DPoP` (RFC 9449) and
//! certificate-bound tokens (RFC 8705).

use crate::authorizer::authenticators::refused;
use crate::config::DpopRules;
use crate::config::Resource;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::decision::challenge::DpopChallenge;
use crate::identity::credential::BearerToken;
use crate::identity::digest;
use crate::identity::dpop;
use crate::identity::dpop::DpopError;
use crate::identity::dpop::DpopFault;
use crate::identity::dpop::Expected;
use crate::identity::nonce::Nonces;
use crate::identity::replay::DEFAULT_CAPACITY;
use crate::identity::replay::ReplayFault;
use crate::identity::replay::ReplayGuard;
use crate::identity::verifier::VerifiedToken;
use crate::request::incoming::Incoming;

/// What tells a proof from its copy.
pub(super) struct Possession {
    used: ReplayGuard,
    nonces: Nonces,
}

/// The scheme that a token was sent under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// RFC 6750
    Bearer,
    /// RFC 9449, section 7.1
    Dpop,
}

/// A token as it was sent.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) scheme: Scheme,
    pub(super) token: &'a BearerToken,
    pub(super) incoming: &'a Incoming,
    pub(super) resource: &'a Resource,
    pub(super) now_s: i64,
}

impl Possession {
    /// `key` makes the nonces; it must be random.
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self {
            used: ReplayGuard::new(DEFAULT_CAPACITY),
            nonces: Nonces::new(key),
        }
    }

    /// Checks every binding that the token has. A bound token never passes for less (RFC 9449,
    /// section 7.2), and neither does an unbound one for more.
    ///
    /// # Errors
    ///
    /// The denial, with the challenge that the scheme asks for.
    pub(super) fn check(
        &self,
        token: &VerifiedToken,
        rules: DpopRules,
        sent: &Sent<'_>,
    ) -> Result<(), Denial> {
        match (sent.scheme, &token.binding.jkt) {
            (Scheme::Bearer, None) => {}
            (Scheme::Bearer, Some(_)) => {
                let text = "token needs a proof of possession";
                let mut denial = challenged(text, DpopError::InvalidToken, None);
                if let Some(dpop) = &mut denial.dpop {
                    dpop.as_bearer = true;
                }
                return Err(denial);
            }
            (Scheme::Dpop, None) => {
                let fault = DpopFault::TokenNotBound;
                return Err(self.refusal(fault, sent.now_s));
            }
            (Scheme::Dpop, Some(thumbprint)) => self.proof(thumbprint, rules, sent)?,
        }
        if let Some(bound) = &token.binding.x5t_s256 {
            let shown = sent.incoming.presented.certificate.as_ref();
            let same = shown
                .and_then(|certificate| certificate.sha256.as_ref())
                .is_some_and(|shown| digest::same(shown, bound));
            if !same {
                return Err(refused("token is bound to another certificate"));
            }
        }
        Ok(())
    }

    fn proof(
        &self,
        thumbprint: &[u8; 32],
        rules: DpopRules,
        sent: &Sent<'_>,
    ) -> Result<(), Denial> {
        let proof = match &sent.incoming.presented.proof {
            Ok(Some(proof)) => proof,
            Ok(None) => {
                return Err(challenged(
                    "proof is missing",
                    DpopError::InvalidProof,
                    None,
                ));
            }
            Err(_) => return Err(challenged("malformed proof", DpopError::InvalidProof, None)),
        };
        let head = &sent.incoming.head;
        let resource = sent.resource;
        let url = format!(
            "{}://{}{}",
            resource.scheme,
            resource.authority,
            head.path.as_str()
        );
        let expected = Expected {
            method: &head.method,
            url: &url,
            token: sent.token.as_str(),
            jkt: Some(thumbprint),
            now_s: sent.now_s,
            nonces: rules.nonce.then_some(&self.nonces),
        };
        let proven =
            dpop::verify(proof, &expected).map_err(|fault| self.refusal(fault, sent.now_s))?;
        let used = self
            .used
            .admit(&proven.id, thumbprint, proven.expires_s, sent.now_s);
        used.map_err(|fault| match fault {
            ReplayFault::Seen => challenged(fault.public(), DpopError::InvalidProof, None),
            ReplayFault::Full => Denial::new(Reason::InternalError, fault.public()),
        })
    }

    fn refusal(&self, fault: DpopFault, now_s: i64) -> Denial {
        let nonce = (fault == DpopFault::NonceWanted).then(|| self.nonces.issue(now_s));
        challenged(fault.public(), fault.error(), nonce).because(&fault)
    }
}

fn challenged(text: &'static str, error: DpopError, nonce: Option<String>) -> Denial {
    let mut denial = refused(text);
    denial.dpop = Some(DpopChallenge {
        error,
        nonce,
        as_bearer: false,
    });
    denial
}
