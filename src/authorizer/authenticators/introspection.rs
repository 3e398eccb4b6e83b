//! `type: introspection`: tokens that their issuer is asked about (RFC 7662).

use std::sync::Arc;

use crate::authorizer::authenticators::Answers;
use crate::authorizer::authenticators::Authenticate;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::authorizer::authenticators::unavailable;
use crate::config::Authenticator;
use crate::config::IntrospectionRules;
use crate::decision::Denial;
use crate::identity::credential::BearerToken;
use crate::identity::introspection;
use crate::identity::introspection::IntrospectionFault;
use crate::source::Asked;
use crate::source::BoxFuture;
use crate::source::TokenOracle;

/// One issuer that is asked.
pub(super) struct Introspected {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) oracle: Option<Arc<dyn TokenOracle>>,
}

impl Authenticate for Introspected {
    /// A signed token is introspected only where it says that this issuer made it.
    fn answers(&self, claim: &Claim<'_>) -> Answers {
        let Some(rules) = self.rules() else {
            return Answers::No;
        };
        match claim {
            Claim::Signed(token, _)
                if rules.issuer_is_configured && token.issuer() == rules.tokens.issuer =>
            {
                Answers::Yes
            }
            Claim::Opaque(_) => Answers::Otherwise,
            Claim::Signed(..) | Claim::Nothing | Claim::Key(..) | Claim::Workload(_) => Answers::No,
        }
    }

    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>> {
        Box::pin(async move {
            match claim {
                Claim::Signed(_, token) | Claim::Opaque(token) => {
                    self.ask(token, circumstances).await
                }
                Claim::Nothing | Claim::Key(..) | Claim::Workload(_) => {
                    Err(refused("the token is not one that is accepted here"))
                }
            }
        })
    }
}

impl Introspected {
    fn rules(&self) -> Option<&IntrospectionRules> {
        self.authenticator.kind.introspection()
    }

    async fn ask(
        &self,
        token: &BearerToken,
        circumstances: Circumstances,
    ) -> Result<Proven, Denial> {
        let (Some(rules), Some(oracle)) = (self.rules(), &self.oracle) else {
            return Err(unavailable());
        };
        let answer = match oracle.ask(token, circumstances.left).await {
            Asked::Answer(body) => body,
            Asked::Unavailable(_) => return Err(unavailable()),
        };
        let name = &self.authenticator.name;
        let now_s = circumstances.now_ms.div_euclid(1000);
        match introspection::read(&answer, rules, name, now_s) {
            Ok(token) => Ok(Proven::Fresh(Box::new(token))),
            Err(IntrospectionFault::Malformed(fault)) => {
                tracing::warn!(fault, authenticator = %name, "an introspection answer cannot be used");
                Err(unavailable())
            }
            Err(fault @ (IntrospectionFault::Inactive | IntrospectionFault::Refused(_))) => {
                Err(refused(fault.public()).because(&fault))
            }
        }
    }
}
