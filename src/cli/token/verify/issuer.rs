//! What `token verify` asks an issuer: its keys, or what it says of a token.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::Notify;

use crate::cli::output::Output;
use crate::config::IntrospectionRules;
use crate::config::JwtRules;
use crate::config::KeyOrigin;
use crate::identity::credential::BearerToken;
use crate::identity::key_set::KeySet;
use crate::source::Asked;
use crate::source::IntrospectionObserver;
use crate::source::KeyObserver;
use crate::source::RefreshOutcome;
use crate::source::clock::SystemClock;
use crate::source::fetch::FetchFault;
use crate::source::introspection;
use crate::source::jwks;
use crate::source::jwks::SourceFault;
use crate::source::jwks::Surroundings;

/// How long an issuer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often its keys are asked for.
const ATTEMPTS: usize = 2;

/// An issuer could not be asked, or did not answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    #[error(
        "the keys of `{authenticator}` were not to be had{}",
        because(*.why)
    )]
    Keys {
        authenticator: Arc<str>,
        why: Option<&'static str>,
    },
    #[error("the issuer of `{authenticator}` could not be asked: {why}")]
    Introspection {
        authenticator: Arc<str>,
        why: &'static str,
    },
    #[error("development tokens are signed with a key that only the running sidecar has")]
    Development,
    #[error("the keys cannot be asked for")]
    Source(#[from] SourceFault),
    #[error("the issuer cannot be asked")]
    Fetch(#[from] FetchFault),
    #[error("the system refused")]
    System(#[from] std::io::Error),
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(" ({why})"))
}

/// What a source says while it fetches.
#[derive(Debug, Default)]
struct Heard {
    keys: Mutex<Option<Arc<KeySet>>>,
    /// Every attempt that failed, as a word.
    failures: Mutex<Vec<&'static str>>,
    arrived: Notify,
}

impl KeyObserver for Heard {
    fn refreshed(&self, _authenticator: &str, outcome: RefreshOutcome) {
        if let RefreshOutcome::Failed(why) = outcome {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.push(why);
            self.arrived.notify_one();
        }
    }
}

impl IntrospectionObserver for Heard {
    fn called(&self, _authenticator: &str, _outcome: &'static str, _took: Duration) {}

    fn circuit(&self, _authenticator: &str, _open: bool) {}
}

/// The keys of an issuer, fetched now.
pub(super) fn keys(
    authenticator: &Arc<str>,
    rules: &JwtRules,
    output: Output,
) -> Result<Arc<KeySet>, NoAnswer> {
    match &rules.keys {
        KeyOrigin::Development => return Err(NoAnswer::Development),
        KeyOrigin::Discovery(_) => output.notice(&format!("asking {} ...", rules.tokens.issuer)),
        KeyOrigin::JwksUri(url, _) => output.notice(&format!("asking {url} ...")),
        KeyOrigin::Local(_) => {}
    }
    runtime()?.block_on(async {
        let heard = Arc::new(Heard::default());
        let told = Arc::clone(&heard);
        let surroundings = Surroundings {
            clock: Arc::new(SystemClock::new()),
            publisher: Arc::new(move |keys: Arc<KeySet>| {
                let mut slot = told.keys.lock().unwrap_or_else(PoisonError::into_inner);
                *slot = Some(keys).filter(|keys| !keys.is_empty());
                told.arrived.notify_one();
            }),
            observer: Arc::<Heard>::clone(&heard),
        };
        let _source = jwks::open(authenticator, rules, surroundings)?;
        let unanswered = || {
            let failures = heard
                .failures
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            NoAnswer::Keys {
                authenticator: Arc::clone(authenticator),
                why: failures.last().copied(),
            }
        };
        let wait = async {
            loop {
                let found = heard
                    .keys
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some(keys) = found {
                    return Ok(keys);
                }
                let failed = heard
                    .failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .len();
                if failed >= ATTEMPTS {
                    return Err(unanswered());
                }
                heard.arrived.notified().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| Err(unanswered()))
    })
}

/// What an issuer says of a token.
pub(super) fn answer(
    authenticator: &Arc<str>,
    rules: &IntrospectionRules,
    token: &BearerToken,
    output: Output,
) -> Result<Bytes, NoAnswer> {
    output.notice(&format!("asking {} ...", rules.endpoint));
    runtime()?.block_on(async {
        let heard = Arc::new(Heard::default());
        let clock = Arc::new(SystemClock::new());
        let oracle = introspection::open(authenticator, rules, clock, heard)?;
        match oracle.ask(token, PATIENCE).await {
            Asked::Answer(body) => Ok(body),
            Asked::Unavailable(why) => Err(NoAnswer::Introspection {
                authenticator: Arc::clone(authenticator),
                why,
            }),
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, std::io::Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
