//! What policies that are only tried would have decided, and which policies make the difference.

use std::sync::Arc;

use crate::policy::Evaluation;
use crate::policy::Verdict;

/// Which policies are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Those in force, and beside them those with `@mode("log_only")`.
    LogOnly,
    /// Those of `policies.shadow_dir`, instead of those in force.
    ShadowDir,
}

impl Tried {
    /// The name that records and logs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogOnly => "log_only",
            Self::ShadowDir => "shadow_dir",
        }
    }
}

/// What the policies that are tried say to a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Whose it is.
    pub of: Tried,
    /// Whether they allow every operation.
    pub allows: bool,
    /// Whether a forbid failed, or the evaluation as a whole: then they do not allow.
    pub failed: bool,
    /// Ids of the policies that determine it, sorted: the permits of an allow; the forbids that hold
    /// or fail.
    pub policies: Vec<Arc<str>>,
    /// Where the policies in force decide otherwise, the ids of the policies that make the
    /// difference, sorted; an empty id stands for a request that could not be evaluated. Empty where
    /// both decide alike.
    pub blamed: Vec<Arc<str>>,
}

impl Opinion {
    /// What is said where the evaluation itself broke down: as with the policies in force, that allows
    /// nothing.
    pub fn broken(of: Tried, live: &[Evaluation]) -> Self {
        let differs = live.iter().all(Evaluation::allows);
        Self {
            of,
            allows: false,
            failed: true,
            policies: Vec::new(),
            blamed: differs.then(|| Arc::from("")).into_iter().collect(),
        }
    }

    /// Compares what is in force with what is tried; both have an evaluation for each operation, in
    /// the same order. `in_force` says whether a policy of this id is.
    ///
    /// Where an operation is no longer allowed, the forbids that hold or fail make the difference, or
    /// else the permits that allow it now, which are gone, or narrower. Where it is newly allowed,
    /// these are the permits that allow it, if nothing but a permit was missing; and if a forbid was
    /// in the way, that forbid, and of those permits the ones that are new.
    pub fn compare(
        of: Tried,
        live: &[Evaluation],
        tried: &[Evaluation],
        in_force: impl Fn(&str) -> bool,
    ) -> Self {
        let allows = tried.iter().all(Evaluation::allows);
        let differs = live.iter().all(Evaluation::allows) != allows;
        let mut policies = Vec::new();
        let mut blamed = Vec::new();
        for (live, tried) in live.iter().zip(tried) {
            if tried.allows() == allows {
                policies.extend(tried.determining.iter().cloned());
            }
            if !differs || live.allows() == tried.allows() {
                continue;
            }
            let new = |id: &&Arc<str>| !in_force(id);
            match (live.verdict, tried.verdict) {
                (Verdict::Allow, Verdict::NotPermitted)
                | (Verdict::NotPermitted, Verdict::Allow) => {
                    let permits = if live.allows() { live } else { tried };
                    blamed.extend(permits.determining.iter().cloned());
                }
                (Verdict::Allow, _) => blamed.extend(culprits(tried)),
                (_, Verdict::Allow) => {
                    blamed.extend(culprits(live));
                    blamed.extend(tried.determining.iter().filter(new).cloned());
                }
                (Verdict::Forbidden | Verdict::NotPermitted | Verdict::ForbidFailed, _) => {}
            }
        }
        Self {
            of,
            allows,
            failed: tried.iter().any(|one| one.verdict == Verdict::ForbidFailed),
            policies: sorted(policies),
            blamed: sorted(blamed),
        }
    }

    /// Whether the policies in force decide otherwise.
    pub fn differs(&self) -> bool {
        !self.blamed.is_empty()
    }
}

/// The forbids that hold or fail; an empty id where the request itself could not be evaluated.
fn culprits(denied: &Evaluation) -> Vec<Arc<str>> {
    if denied.determining.is_empty() {
        vec![Arc::from("")]
    } else {
        denied.determining.clone()
    }
}

fn sorted(mut ids: Vec<Arc<str>>) -> Vec<Arc<str>> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Recall;

    const SAID: [(&str, Verdict); 4] = [
        ("allow", Verdict::Allow),
        ("forbid", Verdict::Forbidden),
        ("none", Verdict::NotPermitted),
        ("fail", Verdict::ForbidFailed),
    ];

    /// `allow a b`: allowed by `a` and `b`; `/` parts the operations of a request.
    fn said(text: &str) -> Vec<Evaluation> {
        let one = |text: &str| {
            let mut words = text.split_whitespace();
            let verdict = words.next().unwrap();
            let (_, verdict) = SAID.iter().find(|(name, _)| *name == verdict).unwrap();
            Evaluation {
                verdict: *verdict,
                determining: words.map(Into::into).collect(),
                errors: Vec::new(),
                recall: Recall::Bypass,
            }
        };
        text.split('/').map(one).collect()
    }

    fn joined(ids: &[Arc<str>]) -> String {
        ids.join(" ")
    }

    #[test]
    fn the_difference_is_put_down_to_the_policies_that_make_it() {
        for (live, tried, policies, blamed) in [
            // Alike, for whatever reason.
            ("allow a", "allow b", "b", ""),
            ("none", "none", "", ""),
            ("none", "forbid f", "f", ""),
            ("forbid f", "none", "", ""),
            ("forbid f", "fail g", "g", ""),
            // Newly denied.
            ("allow a", "forbid f g", "f g", "f g"),
            ("allow a b", "none", "", "a b"),
            ("allow a", "fail f", "f", "f"),
            // Newly allowed; `a` and `b` are in force already.
            ("none", "allow n", "n", "n"),
            ("none", "allow a n", "a n", "a n"),
            ("forbid f", "allow a", "a", "f"),
            ("forbid f g", "allow a n", "a n", "f g n"),
            ("fail f", "allow b", "b", "f"),
            // Of several operations all must be allowed.
            ("allow a/none", "allow a/allow n", "a n", "n"),
            ("allow a/allow b", "allow a/forbid f", "f", "f"),
            ("allow a/none", "forbid f/allow n", "f", ""),
            ("allow a/allow b", "none/forbid f", "f", "a f"),
            ("forbid f/none", "allow a/allow a", "a", "a f"),
        ] {
            let in_force = |id: &str| matches!(id, "a" | "b" | "f" | "g");
            let opinion = Opinion::compare(Tried::ShadowDir, &said(live), &said(tried), in_force);
            let seen = (joined(&opinion.policies), joined(&opinion.blamed));
            assert_eq!(
                seen,
                (policies.to_owned(), blamed.to_owned()),
                "{live}: {tried}"
            );
            assert_eq!(opinion.allows, said(tried).iter().all(Evaluation::allows));
            assert_eq!(opinion.failed, tried.contains("fail"), "{live}: {tried}");
            assert_eq!(opinion.differs(), !blamed.is_empty());
        }
    }

    #[test]
    fn a_request_that_cannot_be_evaluated_has_no_policy_to_blame() {
        let broken = |live: &str| Opinion::broken(Tried::LogOnly, &said(live));
        assert_eq!(broken("allow a").blamed, [Arc::from("")]);
        assert!(!broken("allow a/none").differs());
        assert!(broken("none").failed && !broken("none").allows);
        let compare = |live: &str, tried: &str| {
            Opinion::compare(Tried::LogOnly, &said(live), &said(tried), |_| true)
        };
        assert_eq!(compare("allow a", "fail").blamed, [Arc::from("")]);
        assert_eq!(compare("fail", "allow a").blamed, [Arc::from("")]);
    }
}
