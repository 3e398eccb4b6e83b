//! From what a request presents to a caller: one credential, the memory of tokens, one
//! authenticator, and the checks that hold on every request.

use std::sync::Arc;
use std::time::Duration;

use crate::authorizer::Authorizer;
use crate::authorizer::authenticators::Circumstances;
use crate::authorizer::authenticators::Claim;
use crate::authorizer::authenticators::Proven;
use crate::authorizer::authenticators::refused;
use crate::authorizer::known::Known;
use crate::authorizer::pending::Pending;
use crate::authorizer::possession::Scheme;
use crate::authorizer::possession::Sent;
use crate::authorizer::snapshot::Snapshot;
use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::IdentityHeaders;
use crate::config::Resource;
use crate::config::TokenRules;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::identity::Identity;
use crate::identity::cache::CachedToken;
use crate::identity::cache::TokenKey;
use crate::identity::credential::BearerToken;
use crate::identity::credential::Credential;
use crate::identity::credential::CredentialFault;
use crate::identity::credential::PeerCertificate;
use crate::identity::gate;
use crate::identity::gate::UnverifiedToken;
use crate::identity::spiffe::SpiffeId;
use crate::identity::token_fault::TokenFault;
use crate::identity::verifier::Evidence;
use crate::request::incoming::Incoming;
use crate::telemetry::metrics::CacheOutcome;

/// What is kept back from the deadline for the rest of the check.
pub(super) const RESERVE: Duration = Duration::from_millis(20);

/// A caller with what is kept beside the proof of who he is.
pub(super) struct Caller(Option<Entry>);

type Entry = Arc<CachedToken<Known>>;

impl Caller {
    /// Whether an issuer gave the caller his token, and could give him another.
    pub(super) fn has_issuer(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|entry| entry.token.evidence != Evidence::Configuration)
    }

    /// The caller in the forms that a check needs.
    pub(super) fn known(&self, snapshot: &Snapshot, sent: &IdentityHeaders) -> Arc<Known> {
        match &self.0 {
            Some(entry) => Known::kept(entry, snapshot, sent),
            None => Known::of(&Identity::Anonymous, snapshot, sent),
        }
    }
}

impl Authorizer {
    /// Finds out who sends a request, from the one credential that it has at this resource.
    pub(super) async fn identify(
        &self,
        pending: &Pending,
        incoming: &Incoming,
        resource: &Resource,
    ) -> Result<Caller, Denial> {
        let takes_key = |header: &str| {
            self.accepted(resource)
                .filter_map(|(_, one)| one.kind.api_key())
                .any(|rules| rules.header == header)
        };
        let takes_certificate = self
            .accepted(resource)
            .any(|(_, one)| matches!(one.kind, AuthenticatorKind::Mtls(_)));
        let presented = &incoming.presented;
        let credential = presented
            .choose(takes_key, takes_certificate)
            .map_err(unreadable)?;
        let check = Check {
            pending,
            incoming,
            resource,
        };
        let entry = match credential {
            Credential::Absent => return self.stranger(check).await,
            Credential::Bearer(token) => self.token(check, Scheme::Bearer, token).await?,
            Credential::Dpop(token) => self.token(check, Scheme::Dpop, token).await?,
            Credential::Key(header, key) => {
                self.fresh(check, Claim::Key(header, key), None).await?
            }
            Credential::Certificate(certificate) => self.workload(check, certificate).await?,
        };
        Ok(Caller(Some(entry)))
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

    /// Whether the resource accepts tokens that an issuer gives.
    pub(super) fn has_issuer(&self, resource: &Resource) -> bool {
        self.accepted(resource)
            .any(|(_, one)| one.kind.tokens().is_some())
    }

    async fn stranger(&self, check: Check<'_>) -> Result<Caller, Denial> {
        let claim = Claim::Nothing;
        let Some((_, one)) = self.authenticators.choose(check.resource, &claim) else {
            return Err(Denial::plain(Reason::MissingCredential));
        };
        match one.prove(claim, self.circumstances(check.pending)).await? {
            Proven::Stranger => Ok(Caller(None)),
            Proven::Fresh(_) | Proven::Standing(_) => Err(Denial::plain(Reason::MissingCredential)),
        }
    }

    async fn token(
        &self,
        check: Check<'_>,
        scheme: Scheme,
        token: &BearerToken,
    ) -> Result<Entry, Denial> {
        let longest = self.config().limits.token;
        if token.as_str().len() > longest {
            return Err(refused("token too long"));
        }
        let key = TokenKey::of(token);
        let entry = match self.remembered(check, &key)? {
            Some(entry) => entry,
            None if gate::looks_like_jws(token.as_str()) => {
                let unverified = UnverifiedToken::parse(token.as_str(), longest)
                    .map_err(|fault| refused(fault.public()).because(&fault))?;
                let claim = Claim::Signed(&unverified, token);
                self.fresh(check, claim, Some(key)).await?
            }
            None => self.fresh(check, Claim::Opaque(token), Some(key)).await?,
        };
        let sent = Sent {
            scheme,
            token,
            incoming: check.incoming,
            resource: check.resource,
            now_s: check.now_s(),
        };
        let rules = self
            .accepted_rules(check.resource, &entry)
            .map(|rules| rules.dpop)
            .unwrap_or_default();
        self.possession.check(&entry.token, rules, &sent)?;
        Ok(entry)
    }

    async fn workload(
        &self,
        check: Check<'_>,
        certificate: &PeerCertificate,
    ) -> Result<Entry, Denial> {
        let unknown = || refused("the certificate is not one that is accepted here");
        let principal = certificate.principal.as_deref().ok_or_else(unknown)?;
        let id = SpiffeId::parse(principal).map_err(|fault| unknown().because(&fault))?;
        let claim = Claim::Workload(&id);
        let (index, _) = self
            .authenticators
            .choose(check.resource, &claim)
            .ok_or_else(unknown)?;
        let key = TokenKey::of_certificate(index, id.as_str());
        match self.remembered(check, &key)? {
            Some(entry) => Ok(entry),
            None => self.fresh(check, claim, Some(key)).await,
        }
    }

    /// Asks the one authenticator that answers for a credential. What it proves is remembered under
    /// `key`, once everything that does not depend on the caller's other headers has been checked.
    async fn fresh(
        &self,
        check: Check<'_>,
        claim: Claim<'_>,
        key: Option<TokenKey>,
    ) -> Result<Entry, Denial> {
        let Some((index, one)) = self.authenticators.choose(check.resource, &claim) else {
            return Err(refused(match claim {
                Claim::Signed(..) => TokenFault::UnknownIssuer.public(),
                Claim::Nothing | Claim::Opaque(_) | Claim::Key(..) | Claim::Workload(_) => {
                    "the credential is not one that is accepted here"
                }
            }));
        };
        let authenticator = self.config().authenticators.get(index);
        let mut proven = one.prove(claim, self.circumstances(check.pending)).await;
        if let (Err(denial), Some(authenticator)) = (&mut proven, authenticator) {
            let why = denial.detail.as_deref().unwrap_or(&denial.message);
            denial.detail = Some(format!("{}: {why}", authenticator.name));
        }
        let outcome = proven
            .as_ref()
            .map_or_else(|denial| denial.reason().as_str(), |_| "ok");
        if let Some(authenticator) = authenticator {
            self.parts.metrics.verify(&authenticator.name, outcome);
        }
        match proven? {
            Proven::Stranger => Err(Denial::plain(Reason::InternalError)),
            Proven::Standing(entry) => {
                self.admit(check, &entry)?;
                Ok(entry)
            }
            Proven::Fresh(token) => {
                let entry = CachedToken::new(*token);
                self.admit(check, &entry)?;
                Ok(match key {
                    Some(key) => self.tokens.insert(key, entry),
                    None => Arc::new(entry),
                })
            }
        }
    }

    /// A proof from memory, with everything that depends on time or on the resource checked again.
    /// One that no longer passes is refused without another verification; one that no longer stands,
    /// or that another authenticator made than this resource accepts, is as good as none.
    fn remembered(&self, check: Check<'_>, key: &TokenKey) -> Result<Option<Entry>, Denial> {
        let snapshot = self.load();
        let mut outcome = CacheOutcome::Miss;
        let found = self.tokens.get(key, |token| {
            let name = &token.principal.authenticator;
            let index = self
                .config()
                .authenticators
                .iter()
                .position(|one| one.name == *name);
            let keys = index
                .and_then(|index| snapshot.keys.get(index))
                .and_then(Option::as_ref);
            let current = token.is_current(keys.map(|keys| &**keys), check.now_s());
            outcome = if current {
                CacheOutcome::Hit
            } else {
                CacheOutcome::Stale
            };
            current
        });
        let found = found.filter(|entry| {
            let name = &entry.token.principal.authenticator;
            let accepted = self
                .accepted(check.resource)
                .any(|(_, one)| one.name == *name);
            if !accepted {
                outcome = CacheOutcome::Miss;
            }
            accepted
        });
        self.parts.metrics.token_cache(outcome);
        if let Some(entry) = &found {
            self.admit(check, entry)?;
        }
        Ok(found)
    }

    /// What is checked on every request, for a fresh proof and for a remembered one alike: the window,
    /// the audience, and that nothing of it has been revoked.
    fn admit(&self, check: Check<'_>, entry: &CachedToken<Known>) -> Result<(), Denial> {
        let token = &entry.token;
        if let Some(rules) = self.accepted_rules(check.resource, entry) {
            token
                .admits(rules, &check.resource.audiences, check.now_s())
                .map_err(|fault| refused(fault.public()).because(&fault))?;
        }
        if self.load().revocations.revokes(token) {
            let id = &token.principal.id;
            return Err(refused("revoked").because(&format_args!("revoked: {id}")));
        }
        Ok(())
    }

    /// The rules of the issuer that vouches for a proof, where there is one.
    fn accepted_rules<'a>(
        &'a self,
        resource: &'a Resource,
        entry: &CachedToken<Known>,
    ) -> Option<&'a TokenRules> {
        let name = &entry.token.principal.authenticator;
        self.accepted(resource)
            .find(|(_, one)| one.name == *name)
            .and_then(|(_, one)| one.kind.tokens())
    }

    fn circumstances(&self, pending: &Pending) -> Circumstances {
        Circumstances {
            now_ms: pending.now_ms(),
            left: pending.left(&*self.parts.clock).saturating_sub(RESERVE),
        }
    }
}

/// The check that a caller is identified for.
#[derive(Clone, Copy)]
struct Check<'a> {
    pending: &'a Pending,
    incoming: &'a Incoming,
    resource: &'a Resource,
}

impl Check<'_> {
    fn now_s(self) -> i64 {
        self.pending.now_ms().div_euclid(1000)
    }
}

/// Two credentials are a bad request (RFC 6750, section 3.1); one that cannot be read is a bad
/// credential.
fn unreadable(fault: CredentialFault) -> Denial {
    match fault {
        CredentialFault::Several => {
            let mut denial = Denial::new(Reason::MalformedRequest, fault.to_string());
            denial.credential_fault = true;
            denial
        }
        CredentialFault::UnsupportedScheme
        | CredentialFault::Malformed
        | CredentialFault::TooLong => Denial::new(Reason::InvalidCredential, fault.to_string()),
    }
}
