//! `type: api_key`: keys in a header of their own.

use std::sync::Arc;

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::authorizer::authenticators::standing;
use crate::authorizer::known::Known;
use crate::config::ApiKeyRules;
use crate::decision::Denial;
use crate::identity::api_key::ApiKeys;
use crate::identity::cache::CachedToken;
use crate::source::BoxFuture;

/// The keys of one header.
pub(super) struct HeaderKeys {
    header: String,
    keys: ApiKeys,
    /// In the order of the keys.
    holders: Vec<Arc<CachedToken<Known>>>,
}

impl HeaderKeys {
    pub(super) fn new(rules: &ApiKeyRules, name: &Arc<str>) -> Self {
        let keys = ApiKeys::new(rules, name);
        let holders = keys.principals().map(standing).collect();
        Self {
            header: rules.header.clone(),
            keys,
            holders,
        }
    }
}

impl Authenticate for HeaderKeys {
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        match claim {
            Claim::Key(header, _) if *header == self.header => Answers::Yes,
            Claim::Key(..)
            | Claim::Nothing
            | Claim::Signed(..)
            | Claim::Opaque(_)
            | Claim::Workload(_) => Answers::No,
        }
    }

    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        _circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        let found = match claim {
            Claim::Key(_, key) => self.keys.find(key),
            Claim::Nothing | Claim::Signed(..) | Claim::Opaque(_) | Claim::Workload(_) => None,
        };
        let holder = found
            .and_then(|holder| self.holders.get(holder.index))
            .cloned();
        Box::pin(async move {
            holder
                .map(Proven::Standing)
                .ok_or_else(|| refused("unknown key"))
        })
    }
}
