//! `type: anonymous`: callers who send nothing.

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::decision::Denial;
use crate::source::BoxFuture;

pub(super) struct Strangers;

impl Authenticate for Strangers {
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        match claim {
            Claim::Nothing => Answers::Yes,
            Claim::Signed(..) | Claim::Opaque(_) | Claim::Key(..) | Claim::Workload(_) => {
                Answers::No
            }
        }
    }

    fn prove<'a>(
        &'a self,
        _claim: Claim<'a>,
        _circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        Box::pin(async { Ok(Proven::Stranger) })
    }
}
