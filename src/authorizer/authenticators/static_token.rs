//! `type: static_token`: one bearer token that the operator wrote down.

use std::sync::Arc;

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::authorizer::authenticators::standing;
use crate::authorizer::known::Known;
use crate::config::StaticTokenRules;
use crate::decision::Denial;
use crate::identity::cache::CachedToken;
use crate::identity::static_token::StaticToken;
use crate::source::BoxFuture;

/// The token and its holder.
pub(super) struct WrittenDown {
    token: StaticToken,
    holder: Arc<CachedToken<Known>>,
}

impl WrittenDown {
    pub(super) fn new(rules: &StaticTokenRules, name: &Arc<str>) -> Self {
        let token = StaticToken::new(rules, name);
        let holder = standing(token.principal());
        Self { token, holder }
    }
}

impl Authenticate for WrittenDown {
    /// An opaque token is one of the tokens that are written down, or nobody's here: so this one
    /// answers for exactly its own. The comparison takes the same time for every token.
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        match claim {
            Claim::Opaque(token) if self.token.matches(token) => Answers::Yes,
            Claim::Opaque(_)
            | Claim::Nothing
            | Claim::Signed(..)
            | Claim::Key(..)
            | Claim::Workload(_) => Answers::No,
        }
    }

    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        _circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        let own = self.answers(&claim) == Answers::Yes;
        Box::pin(async move {
            if own {
                Ok(Proven::Standing(Arc::clone(&self.holder)))
            } else {
                Err(refused("unknown token"))
            }
        })
    }
}
