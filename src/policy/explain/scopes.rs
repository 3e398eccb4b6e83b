//! The scopes with which a token would be enough for everything that a request asks.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::case::Case;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::policy::context::Unusable;
use crate::policy::engine::Engine;
use crate::policy::facts;
use crate::policy::facts::PrincipalFacts;
use crate::policy::guard::Need;
use crate::policy::solve;
use crate::policy::solve::Effort;
use crate::policy::solve::Goal;
use crate::policy::solve::Goals;
use crate::request::Operations;
use crate::request::RequestContext;

/// Longest list of scopes that is asked for, in bytes with the blanks between them: it stands in a
/// header, and proxies give all headers of an answer 4 KiB or little more.
pub(in crate::policy) const MAX_BYTES: usize = 1_024;
/// Most operations of one request whose policies are worked through; what the others need is mostly
/// what these do.
const MAX_SOLVED: usize = 16;
/// Most candidate answers that are tried.
const MAX_TRIALS: usize = 16;
/// Most evaluations for one answer. A stranger's request may hold hundreds of operations.
const MAX_EVALUATIONS: usize = 1_024;

/// A scope that asks the authorization server for a refresh token and a resource for nothing: it is
/// not to be asked for (MCP 2026-07-28, basic/authorization).
const NEVER_ASKED_FOR: &str = "offline_access";

/// What tokens would need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Needed {
    /// All scopes of the smallest sufficient set, sorted; empty where no scope helps.
    pub(in crate::policy) scopes: Vec<String>,
    /// Whether the same operations need the same in all circumstances.
    pub(in crate::policy) is_timeless: bool,
}

/// What a token of this caller would need for all of these operations; a stranger could come back as
/// a user or as a client.
pub(in crate::policy) fn needed(
    engine: &Engine,
    operations: &Operations,
    context: &RequestContext,
    identity: &Identity,
) -> Needed {
    let effort = Effort::new();
    let all = std::iter::once(&operations.first).chain(&operations.rest);
    let cases: Vec<Case<'_>> = all
        .map(|operation| Case {
            engine,
            operation,
            context,
            effort: &effort,
        })
        .collect();
    let asked = Asked {
        cases: &cases,
        evaluations: Cell::new(0),
        is_timeless: Cell::new(true),
    };
    let first = |caller: &Principal| {
        let sets = asked.sets(caller, 1).unwrap_or_default();
        sets.into_iter().next().unwrap_or_default()
    };
    let scopes = match identity {
        Identity::Verified(principal) => first(principal),
        Identity::Anonymous => [PrincipalKind::User, PrincipalKind::Client]
            .into_iter()
            .map(|kind| first(&facts::nobody(kind)))
            .find(|scopes| !scopes.is_empty())
            .unwrap_or_default(),
    };
    Needed {
        scopes: scopes.into_iter().collect(),
        is_timeless: asked.is_timeless.get(),
    }
}

/// The sets of scopes that would do for one operation, the smallest first.
pub(super) fn alternatives(
    case: Case<'_>,
    caller: &Principal,
    most: usize,
) -> Result<Vec<BTreeSet<String>>, Unusable> {
    let asked = Asked {
        cases: &[case],
        evaluations: Cell::new(0),
        is_timeless: Cell::new(true),
    };
    asked.sets(caller, most)
}

/// Operations that are asked for together.
struct Asked<'a> {
    cases: &'a [Case<'a>],
    evaluations: Cell<usize>,
    is_timeless: Cell<bool>,
}

impl Asked<'_> {
    /// Sets of scopes of which each makes every operation allowed: as the only scopes of a token, and
    /// together with those that the caller has, since clients do either. The smallest come first,
    /// and among those of one size the first in order.
    fn sets(&self, caller: &Principal, most: usize) -> Result<Vec<BTreeSet<String>>, Unusable> {
        let mut found = Vec::new();
        for set in self.candidates(caller)?.into_iter().take(MAX_TRIALS) {
            let mut both = caller.scopes.clone();
            both.extend(set.iter().cloned());
            let enough = self.all_allow(&with(caller, &set))?
                && (both == set || self.all_allow(&with(caller, &both))?);
            if enough {
                found.push(set);
            }
            if found.len() == most {
                break;
            }
        }
        Ok(found)
    }

    /// What could be enough, going by the formulas; nothing where something else than scopes is
    /// needed for one of the operations.
    fn candidates(&self, caller: &Principal) -> Result<Vec<BTreeSet<String>>, Unusable> {
        let bare = with(caller, &BTreeSet::new());
        let mut goals = solve::given(true);
        let mut solved = 0_usize;
        for (index, case) in self.cases.iter().enumerate() {
            if index != 0 && self.already(case, &bare, &goals)? {
                continue;
            }
            if solved == MAX_SOLVED {
                return Ok(Vec::new());
            }
            solved = solved.saturating_add(1);
            let related = case.related()?;
            if !case.is_timeless(&related) {
                self.is_timeless.set(false);
            }
            let mut own = case.goals(&bare, &related)?;
            own.retain(|goal| goal.iter().all(|need| matches!(need, Need::Scope(_))));
            goals = solve::both(case.effort, &goals, &own);
            case.in_time()?;
            goals.retain(|goal| bytes(names(goal)) <= MAX_BYTES);
            if goals.is_empty() {
                return Ok(Vec::new());
            }
        }
        let mut sets = Vec::new();
        for goal in &goals {
            sets.extend(self.set(goal, caller)?);
        }
        sets.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        sets.dedup();
        Ok(sets)
    }

    /// Whether an operation asks for nothing beyond what those before it need.
    fn already(&self, case: &Case<'_>, bare: &Principal, goals: &Goals) -> Result<bool, Unusable> {
        const FEW: usize = 4;
        if goals.len() > FEW {
            return Ok(false);
        }
        for goal in goals {
            let scopes = names(goal).cloned().collect();
            if !self.allows(*case, &facts_of(case, with(bare, &scopes)))? {
                return Ok(false);
            }
        }
        if !case.is_timeless(&case.related()?) {
            self.is_timeless.set(false);
        }
        Ok(true)
    }

    /// The goal as it is asked for: without scopes that others of it imply, and with the caller's own
    /// scope where that implies one. Nothing where the caller has it all, or where a scope cannot be
    /// asked for.
    fn set(&self, goal: &Goal, caller: &Principal) -> Result<Option<BTreeSet<String>>, Unusable> {
        let Some(case) = self.cases.first() else {
            return Ok(None);
        };
        let server = case.server()?;
        let implies = |broad: &String, narrow: &String| {
            server
                .implied_scopes(&BTreeSet::from([broad.clone()]))
                .contains(narrow)
        };
        let mut set = BTreeSet::new();
        for scope in names(&case.reduced(goal)?) {
            let owned = caller.scopes.contains(scope);
            let broad = caller.scopes.iter().find(|broad| implies(broad, scope));
            set.insert(match broad {
                Some(broad) if !owned => broad.clone(),
                Some(_) | None => scope.clone(),
            });
        }
        let mut missing = set.difference(&caller.scopes).peekable();
        let helps = missing.peek().is_some() && missing.all(|scope| scope != NEVER_ASKED_FOR);
        let fits = set.iter().all(|scope| is_token(scope)) && bytes(&set) <= MAX_BYTES;
        Ok((helps && fits).then_some(set))
    }

    fn all_allow(&self, caller: &Principal) -> Result<bool, Unusable> {
        let Some(first) = self.cases.first() else {
            return Ok(false);
        };
        let facts = facts_of(first, caller.clone());
        for case in self.cases {
            if !self.allows(*case, &facts)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn allows(&self, case: Case<'_>, facts: &PrincipalFacts) -> Result<bool, Unusable> {
        let before = self.evaluations.get();
        if before == MAX_EVALUATIONS {
            return Err(Unusable::Value("too much to be explained".to_owned()));
        }
        self.evaluations.set(before.saturating_add(1));
        case.allows(facts)
    }
}

fn facts_of(case: &Case<'_>, caller: Principal) -> PrincipalFacts {
    case.engine.facts(&Identity::Verified(Arc::new(caller)))
}

/// The caller with a token of these scopes.
fn with(caller: &Principal, scopes: &BTreeSet<String>) -> Principal {
    Principal {
        scopes: scopes.clone(),
        ..caller.clone()
    }
}

fn names(goal: &Goal) -> impl Iterator<Item = &String> {
    goal.iter().filter_map(|need| match need {
        Need::Scope(scope) => Some(scope),
        Need::Member(_) | Need::Client(_) => None,
    })
}

/// The length of a list of scopes as a challenge writes it.
fn bytes<'a>(scopes: impl IntoIterator<Item = &'a String>) -> usize {
    let lengths = scopes
        .into_iter()
        .map(|scope| scope.len().saturating_add(1));
    lengths
        .fold(0_usize, usize::saturating_add)
        .saturating_sub(1)
}

/// Whether a name can stand in a challenge (RFC 6749, section 3.3).
fn is_token(scope: &str) -> bool {
    let part = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !scope.is_empty() && scope.bytes().all(part)
}
