//! The ways of recognising callers, one a file, behind one small interface.
//!
//! Which of them answers is decided by the shape of the credential alone, and only one is ever
//! asked: a credential that it refuses is refused, and none is tried after a failure.

mod anonymous;
mod api_key;
mod introspection;
mod mtls;
mod signed;
mod static_token;

use std::sync::Arc;
use std::time::Duration;

use crate::authorizer::known::Known;
use crate::authorizer::snapshot::SnapshotCell;
use crate::config::Authenticator;
use crate::config::AuthenticatorKind;
use crate::config::Config;
use crate::config::Resource;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::identity::Principal;
use crate::identity::cache::CachedToken;
use crate::identity::credential::BearerToken;
use crate::identity::credential::KeyText;
use crate::identity::gate::UnverifiedToken;
use crate::identity::spiffe::SpiffeId;
use crate::identity::verifier::VerifiedToken;
use crate::source::BoxFuture;
use crate::source::KeySource;
use crate::source::TokenOracle;

/// When a client should try again while its credential cannot be checked.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A credential by its shape.
#[derive(Clone, Copy)]
pub(super) enum Claim<'a> {
    /// None was sent.
    Nothing,
    /// A token that is signed, by its form, and says by whom.
    Signed(&'a UnverifiedToken<'a>, &'a BearerToken),
    /// Any other bearer token.
    Opaque(&'a BearerToken),
    /// A key in this header.
    Key(&'a str, &'a KeyText),
    /// A SPIFFE ID from a certificate.
    Workload(&'a SpiffeId),
}

/// Whether an authenticator is the one for a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// It is not.
    No,
    /// It is.
    Yes,
    /// It is, unless another one is.
    Otherwise,
}

/// What an authenticator found out.
pub(super) enum Proven {
    /// The caller sent nothing, and that is accepted.
    Stranger,
    /// It was found out now, and may be remembered.
    Fresh(Box<VerifiedToken>),
    /// It is known for as long as the configuration stands.
    Standing(Arc<CachedToken<Known>>),
}

/// What an authenticator may know of a check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Milliseconds since 1970.
    pub(super) now_ms: i64,
    /// How long it may take.
    pub(super) left: Duration,
}

/// One way of recognising callers.
pub(super) trait Authenticate: Send + Sync {
    /// Whether it is the one to ask. Looks at the shape only: whether the credential is good plays
    /// no part.
    fn answers(&self, claim: &Claim<'_>) -> Answers;

    /// Finds out who the caller is.
    ///
    /// # Errors
    ///
    /// A denial that says why the credential proves nothing.
    fn prove<'a>(
        &'a self,
        claim: Claim<'a>,
        circumstances: Circumstances,
    ) -> BoxFuture<'a, Result<Proven, Denial>>;
}

/// Where authenticators get what is not in the configuration. Both lists are in its order.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Where the keys of each come from; absent when it has none, or they never change.
    pub keys: Vec<Option<Arc<dyn KeySource>>>,
    /// Whom each asks about tokens; absent when it does not ask.
    pub oracles: Vec<Option<Arc<dyn TokenOracle>>>,
}

/// Every configured authenticator, in the configuration's order.
pub(super) struct Authenticators(Vec<Box<dyn Authenticate>>);

impl Authenticators {
    pub(super) fn new(config: &Config, sources: &Sources, snapshot: &Arc<SnapshotCell>) -> Self {
        let all = config.authenticators.iter().enumerate();
        Self(
            all.map(|(index, one)| build(config, index, one, sources, snapshot))
                .collect(),
        )
    }

    /// The one authenticator of the resource that answers, with its place in the configuration. The
    /// configuration allows no two that could.
    pub(super) fn choose(
        &self,
        resource: &Resource,
        claim: &Claim<'_>,
    ) -> Option<(usize, &dyn Authenticate)> {
        let accepted = resource
            .authenticators
            .iter()
            .filter_map(|index| Some((*index, &**self.0.get(*index)?)));
        let mut otherwise = None;
        for (index, one) in accepted {
            match one.answers(claim) {
                Answers::No => {}
                Answers::Yes => return Some((index, one)),
                Answers::Otherwise => otherwise = otherwise.or(Some((index, one))),
            }
        }
        otherwise
    }
}

fn build(
    config: &Config,
    index: usize,
    one: &Arc<Authenticator>,
    sources: &Sources,
    snapshot: &Arc<SnapshotCell>,
) -> Box<dyn Authenticate> {
    match &one.kind {
        AuthenticatorKind::Jwt(_) => Box::new(signed::Signed {
            index,
            authenticator: Arc::clone(one),
            others: all_but(config, index),
            keys: sources.keys.get(index).cloned().flatten(),
            snapshot: Arc::clone(snapshot),
        }),
        AuthenticatorKind::Introspection(_) => Box::new(introspection::Introspected {
            authenticator: Arc::clone(one),
            oracle: sources.oracles.get(index).cloned().flatten(),
        }),
        AuthenticatorKind::ApiKey(rules) => Box::new(api_key::HeaderKeys::new(rules, &one.name)),
        AuthenticatorKind::StaticToken(rules) => {
            Box::new(static_token::WrittenDown::new(rules, &one.name))
        }
        AuthenticatorKind::Mtls(rules) => Box::new(mtls::Workloads {
            name: Arc::clone(&one.name),
            rules: rules.clone(),
        }),
        AuthenticatorKind::Anonymous => Box::new(anonymous::Strangers),
    }
}

/// Every other authenticator, on whatever resource.
fn all_but(config: &Config, index: usize) -> Vec<Arc<Authenticator>> {
    let all = config.authenticators.iter().enumerate();
    all.filter(|(other, _)| *other != index)
        .map(|(_, one)| Arc::clone(one))
        .collect()
}

/// An entry that lives as long as the configuration.
fn standing(principal: &Arc<Principal>) -> Arc<CachedToken<Known>> {
    Arc::new(CachedToken::new(VerifiedToken::standing(Arc::clone(
        principal,
    ))))
}

pub(super) fn refused(text: &'static str) -> Denial {
    Denial::new(Reason::InvalidCredential, text)
}

pub(super) fn unavailable() -> Denial {
    let mut denial = Denial::plain(Reason::IssuerUnavailable);
    denial.retry_after = Some(RETRY_AFTER);
    denial
}
