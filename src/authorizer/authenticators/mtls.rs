//! `type: mtls`: workloads of trusted domains, by the certificate that the proxy verified.

use std::sync::Arc;

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::config::MtlsRules;
use crate::decision::Denial;
use crate::identity::verifier::VerifiedToken;
use crate::source::BoxFuture;

/// The trust domains of one authenticator.
pub(super) struct Workloads {
    pub(super) name: Arc<str>,
    pub(super) rules: MtlsRules,
}

impl Authenticate for Workloads {
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        match claim {
            Claim::Workload(id)
                if self
                    .rules
                    .trust_domains
                    .iter()
                    .any(|domain| domain == id.trust_domain()) =>
            {
                Answers::Yes
            }
            Claim::Workload(_)
            | Claim::Nothing
            | Claim::Signed(..)
            | Claim::Opaque(_)
            | Claim::Key(..) => Answers::No,
        }
    }

    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        _circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        let proven = match claim {
            Claim::Workload(id) => {
                let principal = Arc::new(id.principal(&self.name));
                Ok(Proven::Fresh(Box::new(VerifiedToken::standing(principal))))
            }
            Claim::Nothing | Claim::Signed(..) | Claim::Opaque(_) | Claim::Key(..) => {
                Err(refused("the certificate is not one that is accepted here"))
            }
        };
        Box::pin(async move { proven })
    }
}
