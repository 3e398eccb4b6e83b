//! Policies that are only tried: asked about every check that the policies in force decide, after
//! these have, so that whatever goes wrong with them stays without effect.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::authorizer::snapshot::Snapshot;
use crate::decision::shadow::Opinion;
use crate::decision::shadow::Tried;
use crate::identity::Identity;
use crate::policy::Evaluation;
use crate::policy::PrincipalFacts;
use crate::request::AccessRequest;
use crate::request::Operation;
use crate::request::Operations;

/// The same policy is named in the log this often.
const PERIOD: Duration = Duration::from_secs(60);

/// Most policies that are named in the log in that time.
const MOST_TOLD: usize = 1_024;

/// What the policies that are tried need to know of a caller.
#[derive(Debug, Default)]
pub(super) struct TriedFacts {
    log_only: Option<PrincipalFacts>,
    shadow_dir: Option<PrincipalFacts>,
}

impl TriedFacts {
    /// About the caller as the credential says, `own`, and with what the policies in force add.
    pub(super) fn of(own: &Identity, enriched: &Identity, snapshot: &Snapshot) -> Self {
        let trial = snapshot.policies.trial();
        let shadow = snapshot.shadow.as_deref();
        Self {
            log_only: trial.and_then(|trial| unharmed(|| trial.facts(enriched))),
            shadow_dir: shadow
                .and_then(|shadow| unharmed(|| shadow.facts(&shadow.enrich_identity(own)))),
        }
    }

    /// Whether they were made by what is tried now.
    pub(super) fn are_current(&self, snapshot: &Snapshot) -> bool {
        let log_only = match (snapshot.policies.trial(), &self.log_only) {
            (None, None) => true,
            (Some(trial), Some(facts)) => trial.made(facts),
            (None, Some(_)) | (Some(_), None) => false,
        };
        let shadow_dir = match (&snapshot.shadow, &self.shadow_dir) {
            (None, None) => true,
            (Some(shadow), Some(facts)) => shadow.made(facts),
            (None, Some(_)) | (Some(_), None) => false,
        };
        log_only && shadow_dir
    }
}

/// A question to the policies that are tried, not yet asked.
#[derive(Debug)]
pub(super) struct Attempt {
    snapshot: Arc<Snapshot>,
    /// What those in force said.
    live: Vec<Evaluation>,
}

impl Attempt {
    /// The question that goes with an answer; absent where nothing is tried.
    pub(super) fn beside(snapshot: &Arc<Snapshot>, live: &[Evaluation]) -> Option<Self> {
        let tries = snapshot.shadow.is_some() || snapshot.policies.trial().is_some();
        tries.then(|| Self {
            snapshot: Arc::clone(snapshot),
            live: live.to_vec(),
        })
    }

    /// What is tried says, that of `shadow_dir` first; nothing of it where the time is over, or where
    /// something else than the policies has decided the check.
    pub(super) fn ask(
        &self,
        allowed: bool,
        request: &AccessRequest,
        facts: &TriedFacts,
        in_time: &dyn Fn() -> bool,
    ) -> Vec<Opinion> {
        if self.live.iter().all(Evaluation::allows) != allowed {
            return Vec::new();
        }
        let context = &request.context;
        let shadow_dir = self.snapshot.shadow.as_deref().map(|shadow| {
            let facts = facts.shadow_dir.as_ref();
            self.opinion(
                Tried::ShadowDir,
                &request.operations,
                in_time,
                |_, operation| shadow.evaluate_tried(operation, context, facts?),
            )
        });
        let log_only = self.snapshot.policies.trial().map(|trial| {
            let facts = facts.log_only.as_ref();
            self.opinion(
                Tried::LogOnly,
                &request.operations,
                in_time,
                |live, operation| trial.evaluate(live, operation, context, facts?),
            )
        });
        shadow_dir.into_iter().chain(log_only).flatten().collect()
    }

    /// One opinion; `evaluate` has nothing to say where it lacks the caller's facts, or where there are
    /// too many policies to ask.
    fn opinion(
        &self,
        of: Tried,
        operations: &Operations,
        in_time: &dyn Fn() -> bool,
        evaluate: impl Fn(&Evaluation, &Operation) -> Option<Evaluation>,
    ) -> Option<Opinion> {
        let asked = unharmed(|| {
            let mut said = Vec::with_capacity(self.live.len());
            for (live, operation) in self.live.iter().zip(operations.iter()) {
                if !in_time() {
                    return Asked::TooLate;
                }
                match evaluate(live, operation) {
                    Some(evaluation) => said.push(evaluation),
                    None => return Asked::Broken,
                }
            }
            Asked::Said(said)
        });
        match asked.unwrap_or(Asked::Broken) {
            Asked::TooLate => None,
            Asked::Broken => Some(Opinion::broken(of, &self.live)),
            Asked::Said(said) => {
                let in_force = |id: &str| self.snapshot.policies.enforces(id);
                Some(Opinion::compare(of, &self.live, &said, in_force))
            }
        }
    }
}

/// What became of a question.
enum Asked {
    Said(Vec<Evaluation>),
    Broken,
    TooLate,
}

/// What `work` makes, unless it panics.
fn unharmed<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    if done.is_err() {
        tracing::error!("policies that are only tried could not be asked: a panic");
    }
    done.ok()
}

/// When each policy was last named in the log. Times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<Arc<str>, Duration>>);

impl Told {
    /// Whether to tell of a policy at `now`: not twice in a minute, and not of too many.
    pub(super) fn tell(&self, policy: &Arc<str>, now: Duration) -> bool {
        let recent = |then: &Duration| now.saturating_sub(*then) < PERIOD;
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(policy).is_some_and(recent) {
            return false;
        }
        if told.len() >= MOST_TOLD {
            told.retain(|_, then| recent(then));
        }
        if told.len() >= MOST_TOLD {
            return false;
        }
        told.insert(Arc::clone(policy), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::snapshot::SnapshotCell;
    use crate::fault::Source;
    use crate::policy::PolicyFiles;
    use crate::policy::PolicySnapshot;
    use crate::policy::Recall;
    use crate::policy::Verdict;
    use crate::request::Action;
    use crate::request::Arguments;
    use crate::request::Target;
    use crate::request::Thing;

    #[test]
    fn a_panic_and_missing_facts_are_an_opinion_that_allows_nothing_and_time_ends_the_rest() {
        let permit = "@id(\"all\") permit (principal, action, resource);";
        let files = PolicyFiles::new(vec![Source {
            name: "a.cedar".into(),
            text: permit.into(),
        }]);
        let policies = Arc::new(PolicySnapshot::compile(&files, &[], 1).unwrap());
        let cell = SnapshotCell::new(Arc::clone(&policies), 0);
        assert!(
            Attempt::beside(&cell.load(), &[]).is_none(),
            "nothing is tried"
        );
        cell.publish_shadow(policies);
        let allow = Evaluation {
            verdict: Verdict::Allow,
            determining: vec!["all".into()],
            errors: Vec::new(),
            recall: Recall::Bypass,
        };
        let live = [allow.clone(), allow.clone()];
        let attempt = Attempt::beside(&cell.load(), &live).unwrap();
        let operation = Operation {
            action: Action::Ping,
            target: Target {
                server: "s".into(),
                thing: Thing::Server,
            },
            arguments: Arguments::None,
        };
        let operations = Operations {
            first: operation.clone(),
            rest: vec![operation],
        };
        let of = Tried::ShadowDir;
        let panics = attempt.opinion(of, &operations, &|| true, |_, _| panic!("on purpose"));
        let lacks = attempt.opinion(of, &operations, &|| true, |_, _| None);
        assert_eq!(panics, Some(Opinion::broken(of, &live)));
        assert_eq!(lacks, panics);
        let says = |_: &Evaluation, _: &Operation| Some(allow.clone());
        let opinion = attempt.opinion(of, &operations, &|| true, says);
        assert!(opinion.is_some_and(|opinion| opinion.allows));
        assert_eq!(attempt.opinion(of, &operations, &|| false, says), None);
    }

    #[test]
    fn a_policy_is_told_of_once_a_minute_and_not_too_many_are() {
        let told = Told::default();
        let at = Duration::from_secs;
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let seen = [(&one, 0), (&one, 59), (&other, 59), (&one, 60), (&one, 61)]
            .map(|(policy, second)| told.tell(policy, at(second)));
        assert_eq!(seen, [true, false, true, true, false]);
        let many = (0..2 * MOST_TOLD).filter(|n| told.tell(&format!("p{n}").into(), at(62)));
        assert_eq!(many.count(), MOST_TOLD - 2);
        assert!(told.tell(&"late".into(), at(122)), "there is room again");
        assert_eq!(told.0.lock().unwrap().len(), 1);
    }
}
