//! From a credential to a caller: the cache, the keys, and one refresh when a key is unknown.

use std::sync::Arc;
use std::time::Duration;

use crate::authorizer::Authorizer;
use crate::authorizer::known::Known;
use crate::authorizer::pending::Pending;
use crate::authorizer::snapshot::Snapshot;
use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::IdentityHeaders;
use crate::config::JwtRules;
use crate::config::Resource;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::identity::Identity;
use crate::identity::cache::CachedToken;
use crate::identity::cache::TokenKey;
use crate::identity::credential::BearerToken;
use crate::identity::credential::Credential;
use crate::identity::gate;
use crate::identity::gate::UnverifiedToken;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier;
use crate::identity::verifier::VerifiedToken;
use crate::identity::verifier::VerifyError;
use crate::policy::PolicySnapshot;
use crate::request::incoming::Incoming;
use crate::source::KeyStatus;
use crate::source::Refresh;
use crate::telemetry::metrics::CacheOutcome;

/// Longest time that a check waits for keys.
const KEY_WAIT: Duration = Duration::from_millis(150);

/// What is kept back from the deadline for the rest of the check.
const RESERVE: Duration = Duration::from_millis(20);

/// When a client should try again while keys are not to be had.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A caller with what is kept beside the token.
pub(super) struct Caller {
    pub(super) identity: Identity,
    token: Option<Arc<CachedToken<Known>>>,
}

impl Caller {
    /// The caller in the forms that a check needs.
    pub(super) fn known(&self, policies: &PolicySnapshot, sent: &IdentityHeaders) -> Arc<Known> {
        match &self.token {
            Some(token) => Known::kept(token, &self.identity, policies, sent),
            None => Known::of(&self.identity, policies, sent),
        }
    }
}

impl Authorizer {
    pub(super) async fn identify(
        &self,
        pending: &Pending,
        incoming: &Incoming,
        resource: &Resource,
    ) -> Result<Caller, Denial> {
        match incoming.presented.choose(|_| false, false) {
            Ok(Credential::Absent) => self.stranger(resource),
            Ok(Credential::Bearer(token)) => {
                let token = self.bearer(pending, token, resource).await?;
                let identity = Identity::Verified(Arc::clone(&token.token.principal));
                Ok(Caller {
                    identity,
                    token: Some(token),
                })
            }
            Ok(Credential::Dpop(_) | Credential::Key(..) | Credential::Certificate(_)) => {
                Err(refused("the credential is not one that is accepted here"))
            }
            Err(fault) => Err(Denial::new(Reason::InvalidCredential, fault.to_string())),
        }
    }

    fn stranger(&self, resource: &Resource) -> Result<Caller, Denial> {
        let accepted = self
            .accepted(resource)
            .any(|(_, authenticator)| matches!(authenticator.kind, AuthenticatorKind::Anonymous));
        if accepted {
            return Ok(Caller {
                identity: Identity::Anonymous,
                token: None,
            });
        }
        Err(Denial::plain(Reason::MissingCredential))
    }

    /// The authenticators that the resource accepts, with their places in the configuration.
    fn accepted<'a>(
        &'a self,
        resource: &'a Resource,
    ) -> impl Iterator<Item = (usize, &'a Arc<Authenticator>)> {
        let all = &self.config().authenticators;
        resource
            .authenticators
            .iter()
            .filter_map(|index| all.get(*index).map(|a| (*index, a)))
    }

    async fn bearer(
        &self,
        pending: &Pending,
        token: &BearerToken,
        resource: &Resource,
    ) -> Result<Arc<CachedToken<Known>>, Denial> {
        let now_s = pending.now_ms().div_euclid(1000);
        let key = TokenKey::of(token);
        if let Some(found) = self.cached(&key, resource, now_s)? {
            return Ok(found);
        }
        if !gate::looks_like_jws(token.as_str()) {
            return Err(refused("the token is not one that is accepted here"));
        }
        let unverified = UnverifiedToken::parse(token.as_str(), self.config().limits.token)
            .map_err(|fault| refused(fault.public()))?;
        let (index, name, rules) = self.chosen(resource, &unverified)?;
        let trusted = Trusted { index, name, rules };
        let verified = self.verify(pending, &unverified, &trusted).await;
        let outcome = verified
            .as_ref()
            .map_or_else(|denial| denial.reason().as_str(), |_| "ok");
        self.parts.metrics.verify(name, outcome);
        let verified = verified?;
        if !verified.binding.is_empty() {
            return Err(refused(TokenFault::BoundToken.public()));
        }
        verified
            .admits(&rules.tokens, &resource.audiences, now_s)
            .map_err(|fault| refused(fault.public()))?;
        Ok(self.tokens.insert(key, verified))
    }

    /// A verified token from the cache, with everything that depends on time or on the request
    /// checked again. A token that no longer passes is refused without another verification; one
    /// whose key is gone is forgotten, and verified from the start.
    fn cached(
        &self,
        key: &TokenKey,
        resource: &Resource,
        now_s: i64,
    ) -> Result<Option<Arc<CachedToken<Known>>>, Denial> {
        let metrics = &self.parts.metrics;
        let snapshot = self.load();
        let mut outcome = CacheOutcome::Miss;
        let found = self.tokens.get(key, |token| {
            let all = &self.config().authenticators;
            let index = all
                .iter()
                .position(|a| a.name == token.principal.authenticator);
            let keys = index
                .and_then(|index| snapshot.keys.get(index))
                .and_then(Option::as_ref);
            let current = token.is_current(keys.map(|keys| &**keys), now_s);
            outcome = if current {
                CacheOutcome::Hit
            } else {
                CacheOutcome::Stale
            };
            current
        });
        metrics.token_cache(outcome);
        let Some(found) = found else { return Ok(None) };
        let token = &found.token;
        let rules = self
            .accepted(resource)
            .find(|(_, authenticator)| authenticator.name == token.principal.authenticator)
            .and_then(|(_, authenticator)| jwt_rules(authenticator));
        let Some(rules) = rules else {
            return Err(refused(TokenFault::UnknownIssuer.public()));
        };
        token
            .admits(&rules.tokens, &resource.audiences, now_s)
            .map_err(|fault| refused(fault.public()))?;
        Ok(Some(found))
    }

    /// The one authenticator whose issuer is the token's, byte for byte.
    fn chosen<'a>(
        &'a self,
        resource: &'a Resource,
        token: &UnverifiedToken<'_>,
    ) -> Result<(usize, &'a Arc<str>, &'a JwtRules), Denial> {
        self.accepted(resource)
            .find_map(|(index, authenticator)| {
                let rules = jwt_rules(authenticator)?;
                (rules.tokens.issuer == token.issuer()).then_some((
                    index,
                    &authenticator.name,
                    rules,
                ))
            })
            .ok_or_else(|| refused(TokenFault::UnknownIssuer.public()))
    }

    /// Verifies against the keys in force. A key that is unknown, or a signature that a known one
    /// does not make, asks for one refresh: the issuer may have changed its keys.
    async fn verify(
        &self,
        pending: &Pending,
        token: &UnverifiedToken<'_>,
        trusted: &Trusted<'_>,
    ) -> Result<VerifiedToken, Denial> {
        let first = attempt(&self.load(), token, trusted, pending.now_ms());
        let fault = match first {
            Attempt::Verified(verified) => return Ok(*verified),
            Attempt::Refused(text) => return Err(refused(text)),
            Attempt::Keys(fault) => fault,
        };
        let Some(source) = self
            .parts
            .key_sources
            .get(trusted.index)
            .and_then(Option::as_ref)
        else {
            return Err(fault.denial(false));
        };
        let left = pending
            .left(&*self.parts.clock)
            .saturating_sub(RESERVE)
            .min(KEY_WAIT);
        match source.refresh(left).await {
            Refresh::Fetched => match attempt(&self.load(), token, trusted, pending.now_ms()) {
                Attempt::Verified(verified) => Ok(*verified),
                Attempt::Refused(text) => Err(refused(text)),
                Attempt::Keys(fault) => Err(fault.denial(false)),
            },
            Refresh::CoolingDown => Err(fault.denial(source.status() != KeyStatus::Fresh)),
            Refresh::Failed | Refresh::TimedOut => Err(fault.denial(true)),
        }
    }
}

/// The authenticator that answers for a token.
struct Trusted<'a> {
    index: usize,
    name: &'a Arc<str>,
    rules: &'a JwtRules,
}

enum Attempt {
    Verified(Box<VerifiedToken>),
    Refused(&'static str),
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
            Self::Unknown => refused(VerifyError::UnknownKey.public()),
            Self::Mismatch => refused(VerifyError::BadSignature.public()),
        }
    }
}

fn attempt(
    snapshot: &Snapshot,
    token: &UnverifiedToken<'_>,
    trusted: &Trusted<'_>,
    now_ms: i64,
) -> Attempt {
    let keys = snapshot.keys.get(trusted.index).and_then(Option::as_ref);
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        return Attempt::Keys(KeyFault::None);
    };
    match verifier::verify(
        token,
        keys,
        trusted.rules,
        trusted.name,
        now_ms.div_euclid(1000),
    ) {
        Ok(verified) => Attempt::Verified(Box::new(verified)),
        Err(VerifyError::UnknownKey) => Attempt::Keys(KeyFault::Unknown),
        Err(VerifyError::BadSignature) => Attempt::Keys(KeyFault::Mismatch),
        Err(VerifyError::Refused(fault)) => {
            tracing::debug!(%fault, authenticator = %trusted.name, "a token was refused");
            Attempt::Refused(fault.public())
        }
    }
}

fn jwt_rules(authenticator: &Authenticator) -> Option<&JwtRules> {
    match &authenticator.kind {
        AuthenticatorKind::Jwt(rules) => Some(rules),
        AuthenticatorKind::Introspection(_)
        | AuthenticatorKind::ApiKey(_)
        | AuthenticatorKind::StaticToken(_)
        | AuthenticatorKind::Mtls(_)
        | AuthenticatorKind::Anonymous => None,
    }
}

fn refused(text: &'static str) -> Denial {
    Denial::new(Reason::InvalidCredential, text)
}

fn unavailable() -> Denial {
    let mut denial = Denial::plain(Reason::IssuerUnavailable);
    denial.retry_after = Some(RETRY_AFTER);
    denial
}
