//! The part of a record that says what policies which are only tried would have decided.

use std::sync::Arc;

use serde::Serialize;

use crate::decision::Reason;
use crate::decision::shadow::Opinion;
use crate::decision::shadow::Tried;

/// Of `shadow_dir` where there is one, with that of the `log_only` policies inside; else theirs.
#[derive(Serialize)]
pub(super) struct Shadow<'a> {
    of: &'static str,
    #[serde(flatten)]
    said: Said<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_only: Option<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    decision: &'static str,
    /// `policy_error`, where that is why it is no allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    policies: &'a [Arc<str>],
}

impl<'a> Shadow<'a> {
    pub(super) fn of(opinions: &'a [Opinion]) -> Option<Self> {
        let of = |tried| opinions.iter().find(move |opinion| opinion.of == tried);
        let (shadow_dir, log_only) = (of(Tried::ShadowDir), of(Tried::LogOnly));
        let first = shadow_dir.or(log_only)?;
        Some(Self {
            of: first.of.as_str(),
            said: Said::of(first),
            log_only: shadow_dir.and(log_only).map(Said::of),
        })
    }
}

impl<'a> Said<'a> {
    fn of(opinion: &'a Opinion) -> Self {
        Self {
            decision: if opinion.allows { "allow" } else { "deny" },
            reason: opinion.failed.then_some(Reason::PolicyError.as_str()),
            policies: &opinion.policies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whose_opinion_it_is() {
        let opinion = |of, allows| Opinion {
            of,
            allows,
            failed: !allows,
            policies: vec!["p".into()],
            blamed: Vec::new(),
        };
        let dir = opinion(Tried::ShadowDir, true);
        let log_only = opinion(Tried::LogOnly, false);
        let deny = r#""decision":"deny","reason":"policy_error","policies":["p"]"#;
        let allow = r#""decision":"allow","policies":["p"]"#;
        for (opinions, expected) in [
            (vec![], "null".to_owned()),
            (
                vec![log_only.clone()],
                format!(r#"{{"of":"log_only",{deny}}}"#),
            ),
            (
                vec![dir.clone()],
                format!(r#"{{"of":"shadow_dir",{allow}}}"#),
            ),
            (
                vec![dir, log_only],
                format!(r#"{{"of":"shadow_dir",{allow},"log_only":{{{deny}}}}}"#),
            ),
        ] {
            let written = serde_json::to_string(&Shadow::of(&opinions)).unwrap();
            assert_eq!(written, expected);
        }
    }
}
