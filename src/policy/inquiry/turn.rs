//! What of the circumstances would turn a denial round: looked for by changing them, and told only
//! where the changed request is allowed.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::Map;
use serde_json::Value;

use super::Finding;
use super::Question;
use super::Weighed;
use super::lever::Change;
use super::lever::Lever;
use super::lever::Text;
use super::why::Scene;
use super::why::shorten;
use crate::policy::PolicyInfo;
use crate::policy::context::Unusable;
use crate::policy::engine::Engine;
use crate::policy::engine::Live;
use crate::policy::gaps::Gaps;
use crate::policy::solve::Effort;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::RequestContext;

/// Most changed requests that are decided.
const MAX_TRIALS: usize = 32;
/// Most ways that are told for one policy.
const MAX_WAYS: usize = 4;
/// How often a change may show the next condition that is in the way.
const MAX_ROUNDS: usize = 4;

/// A change of the circumstances with which the request is allowed.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The policy that comes out otherwise.
    pub policy: PolicyInfo,
    /// What would have to be so, all of it, for people.
    pub must: Vec<String>,
    /// The values that were tried, each circumstance once.
    pub tried: Vec<super::Value>,
    /// The operation that was tried; its arguments may differ.
    pub operation: Operation,
    /// The circumstances that were tried.
    pub context: RequestContext,
}

/// Some conditions and what each asks for, for people.
type Way<'a> = Vec<(String, &'a Lever)>;

/// Looks for changes by which any one of these policies would come out otherwise, such that the request
/// would be allowed.
pub(super) fn turns(engine: &Engine, question: Question<'_>, weighed: &[Weighed]) -> Vec<Turn> {
    let search = Search {
        engine,
        question,
        effort: Effort::new(),
        trials: Cell::new(0),
    };
    let mut found: Vec<Turn> = Vec::new();
    for one in weighed {
        let id = cedar_policy::PolicyId::new(&*one.policy.id);
        let Some(live) = engine.live(&id) else {
            continue;
        };
        let ways = if live.forbid {
            any(&one.findings)
        } else {
            all(&one.findings)
        };
        for way in ways {
            // What cannot be evaluated turns nothing round.
            let Ok(Some(turn)) = search.follow(live, &one.policy, way) else {
                continue;
            };
            let same = |other: &Turn| (&other.policy, &other.must) == (&turn.policy, &turn.must);
            if !found.iter().any(same) {
                found.push(turn);
            }
        }
    }
    found
}

/// The ways to bring one of these about.
pub(super) fn any(findings: &[Finding]) -> Vec<Way<'_>> {
    let ways = findings.iter().flat_map(Finding::ways);
    ways.take(MAX_WAYS).collect()
}

/// The ways to bring all of these about.
fn all<'a>(findings: &'a [Finding]) -> Vec<Way<'a>> {
    let mut ways: Vec<Way<'a>> = if findings.is_empty() {
        Vec::new()
    } else {
        vec![Vec::new()]
    };
    for finding in findings {
        let next = finding.ways();
        let both = ways.iter().flat_map(|way| {
            let joined = |more: &Way<'a>| [way.as_slice(), more].concat();
            next.iter().map(joined).collect::<Vec<_>>()
        });
        ways = both.take(MAX_WAYS).collect();
    }
    ways
}

impl Finding {
    /// The ways to make it come out otherwise by the circumstances alone; none where more is in its
    /// way.
    fn ways(&self) -> Vec<Way<'_>> {
        match (&self.lever, self.within.is_empty(), self.any) {
            (Some(lever), true, _) => vec![vec![(self.asks(), lever)]],
            (None, true, _) => Vec::new(),
            (_, false, true) => any(&self.within),
            (_, false, false) => all(&self.within),
        }
    }

    fn asks(&self) -> String {
        let plain = || format!("`{}` must be {}", self.condition, self.wanted);
        self.must.clone().unwrap_or_else(plain)
    }
}

struct Search<'a> {
    engine: &'a Engine,
    question: Question<'a>,
    effort: Effort,
    trials: Cell<usize>,
}

impl Search<'_> {
    /// Changes what this way asks for and decides again; where the same policy then stops at its next
    /// condition, changes what that one asks for.
    fn follow(
        &self,
        live: &Live,
        policy: &PolicyInfo,
        way: Way<'_>,
    ) -> Result<Option<Turn>, Unusable> {
        let Question {
            operation,
            context,
            identity,
            ..
        } = self.question;
        let mut turn = Turn {
            policy: policy.clone(),
            must: Vec::new(),
            tried: Vec::new(),
            operation: operation.clone(),
            context: context.clone(),
        };
        let mut pulled: Vec<Lever> = Vec::new();
        let mut next: Vec<(String, Lever)> = owned(way);
        for _ in 0..MAX_ROUNDS {
            let trials = self.trials.get();
            if next.is_empty() || trials >= MAX_TRIALS {
                return Ok(None);
            }
            self.trials.set(trials.saturating_add(1));
            for (must, lever) in next {
                if turn.change(&lever.change).is_none() {
                    return Ok(None);
                }
                turn.note(&lever.change);
                turn.must.push(must);
                pulled.push(lever);
            }
            let (operation, context) = (&turn.operation, &turn.context);
            if self
                .engine
                .evaluate_once(operation, context, identity)?
                .allows()
            {
                let so = self.within(live, &turn, |scene| {
                    pulled
                        .iter()
                        .all(|one| scene.is(&one.condition, one.wanted))
                })?;
                turn.must.dedup();
                return Ok(so.then_some(turn));
            }
            next = self
                .within(live, &turn, |scene| {
                    let failures = if live.forbid {
                        Vec::new()
                    } else {
                        scene.failures(live)
                    };
                    all(&failures).into_iter().next().map(owned)
                })?
                .unwrap_or_default();
        }
        Ok(None)
    }

    /// Looks at the changed request with the eyes of the policy.
    fn within<T>(
        &self,
        live: &Live,
        turn: &Turn,
        look: impl FnOnce(&Scene<'_>) -> T,
    ) -> Result<T, Unusable> {
        let facts = self.engine.facts(self.question.identity);
        let prepared = self.engine.prepare(&turn.operation, &facts)?;
        let (operation, context) = (&turn.operation, &turn.context);
        let question = self
            .engine
            .question(&prepared, &live.reads, operation, context)?;
        Ok(look(&Scene {
            request: &question.0,
            entities: &question.1,
            question: Question {
                operation,
                context,
                identity: self.question.identity,
                gaps: &Gaps::default(),
            },
            effort: &self.effort,
        }))
    }
}

fn owned(way: Way<'_>) -> Vec<(String, Lever)> {
    let all = way.into_iter();
    all.map(|(must, lever)| (must, lever.clone())).collect()
}

impl Turn {
    /// Notes what is tried; what was tried of it before did not last.
    fn note(&mut self, change: &Change) {
        let of = change.subject().words();
        self.tried.retain(|other| other.of != of);
        let is = shorten(&change.value());
        self.tried.push(super::Value { of, is });
    }

    /// Makes the change; absent where the arguments are not such that one can be changed.
    fn change(&mut self, change: &Change) -> Option<()> {
        match change {
            Change::Argument(name, value) => {
                let mut arguments: Value = match &self.operation.arguments {
                    Arguments::Json(sent) => serde_json::from_slice(sent).ok()?,
                    Arguments::None => Value::Object(Map::new()),
                    Arguments::Unknown => return None,
                };
                set(&mut arguments, name, value.clone())?;
                let sent = Bytes::from(arguments.to_string());
                self.operation.arguments = Arguments::Json(sent);
            }
            Change::Text(text, value) => {
                let context = &mut self.context;
                let field = match text {
                    Text::Method => &mut context.method,
                    Text::Host => &mut context.host,
                    Text::Path => &mut context.path,
                    Text::Origin => &mut context.origin,
                    Text::ProtocolVersion => &mut context.protocol_version,
                    Text::RequestId => &mut context.request_id,
                };
                field.clone_from(value);
            }
            Change::ClientIp(address) => self.context.client_ip = Some(*address),
            Change::Now(now_ms) => self.context.now_ms = *now_ms,
        }
        Some(())
    }
}

/// Sets the argument of this flat name, or takes it away.
fn set(arguments: &mut Value, name: &str, value: Option<Value>) -> Option<()> {
    // A name with a dot of its own is written with a backslash.
    if name.contains('\\') {
        return None;
    }
    let mut here = arguments;
    let (path, last) = match name.rsplit_once('.') {
        Some((path, last)) => (Some(path), last),
        None => (None, name),
    };
    for step in path.into_iter().flat_map(|path| path.split('.')) {
        let inner = here.as_object_mut()?.entry(step);
        here = inner.or_insert_with(|| Value::Object(Map::new()));
    }
    let members = here.as_object_mut()?;
    match value {
        Some(value) => members.insert(last.to_owned(), value),
        None => members.remove(last),
    };
    Some(())
}
