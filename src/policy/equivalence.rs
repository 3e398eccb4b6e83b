//! The index and the memory change no answer: random policies and requests, each decided as ever and
//! by Cedar alone over every policy.
//!
//! `PAIRS` in the environment says how many pairs of policies and request there are, and `SEED`
//! where they begin; the default is what fits into every run of the tests. A million take some
//! minutes with `--release`. The policies are not validated, as that takes longer than everything
//! else, and as policies that the validator refuses fail in more ways.

mod arbitrary;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;

use cedar_policy::ActionConstraint;
use cedar_policy::Authorizer;
use cedar_policy::Entities;
use cedar_policy::EntityUid;
use cedar_policy::PolicySet;
use cedar_policy::PrincipalConstraint;
use cedar_policy::ResourceConstraint;
use cedar_policy::Schema;
use fastrand::Rng;

use super::catalogue::Catalogue;
use super::compile;
use super::compile::Surroundings;
use super::context::Unusable;
use super::engine::Engine;
use super::engine::Live;
use super::evaluation::Evaluation;
use super::evaluation::Recall;
use super::evaluation::Verdict;
use super::facts::PrincipalFacts;
use super::fixtures::resource;
use super::hierarchy::Hierarchy;
use super::load;
use super::memory::Known;
use super::prepared::Prepared;
use super::prepared::per_request;
use super::reads::Fields;
use super::reads::Reads;
use super::targets::Targets;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use super::worked::Worked;
use crate::fault::Source;
use crate::identity::Identity;
use crate::request::Operation;
use crate::request::RequestContext;

/// Pairs in a run that does not say how many.
const PAIRS: usize = 10_000;
/// Requests to one set of policies and its successor.
const REQUESTS: usize = 250;

static SCHEMA: OnceLock<Schema> = OnceLock::new();

const HIERARCHY: &str = r#"[
    {"uid": {"type": "Mcp::Role", "id": "leaf"}, "parents": [{"type": "Mcp::Role", "id": "b"}]},
    {"uid": {"type": "Mcp::Role", "id": "b"}, "parents": [{"type": "Mcp::Role", "id": "top"}]},
    {"uid": {"type": "Mcp::Role", "id": "c"}, "parents": [{"type": "Mcp::Role", "id": "top"}]},
    {"uid": {"type": "Mcp::Role", "id": "top"}},
    {"uid": {"type": "Mcp::ServerGroup", "id": "sg"}, "parents": [{"type": "Mcp::ServerGroup", "id": "all"}]},
    {"uid": {"type": "Mcp::ServerGroup", "id": "all"}},
    {"uid": {"type": "Mcp::ToolGroup", "id": "part"}, "parents": [{"type": "Mcp::ToolGroup", "id": "tg"}]},
    {"uid": {"type": "Mcp::ToolGroup", "id": "tg"}}
]"#;

const TOOLS: &str = r#"{"tools": [
    {"server": "s", "name": "x", "groups": ["part"], "labels": ["l"]},
    {"server": "t", "name": "y", "groups": ["tg"], "tenant": "t1"}
]}"#;

/// How often each thing happened, so that a test in which it does not happen fails.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, usize>);

/// Everything that has to happen.
const HAPPENS: [&str; 11] = [
    "hit",
    "miss",
    "bypass",
    "allowed",
    "forbidden",
    "not permitted",
    "forbid failed",
    "no form in Cedar",
    "permit failed",
    "permit left out by its conditions",
    "facts of an earlier generation",
];

impl Tally {
    fn add(&mut self, what: &'static str, times: usize) {
        let count = self.0.entry(what).or_default();
        *count = count.saturating_add(times);
    }

    fn note(&mut self, evaluation: &Evaluation) {
        self.add(
            match evaluation.recall {
                Recall::Hit => "hit",
                Recall::Miss => "miss",
                Recall::Bypass => "bypass",
            },
            1,
        );
        self.add(
            match evaluation.verdict {
                Verdict::Allow => "allowed",
                Verdict::Forbidden => "forbidden",
                Verdict::NotPermitted => "not permitted",
                Verdict::ForbidFailed => "forbid failed",
            },
            1,
        );
        let mut errors = evaluation.errors.iter();
        let unusable = errors.clone().any(|error| error.policy.is_empty());
        self.add("no form in Cedar", usize::from(unusable));
        let permit = errors.any(|error| !error.forbid);
        self.add("permit failed", usize::from(permit));
    }
}

/// Policies in force, and all of them in one set.
struct Generation {
    engine: Engine,
    all: PolicySet,
}

impl Generation {
    fn of(policies: &str) -> Self {
        let source = |name: &str, text: &str| Source {
            name: name.into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        let schema = SCHEMA.get_or_init(|| vocabulary::schema().unwrap());
        let vocabulary = Vocabulary::new(schema).unwrap();
        let loaded = load::policies(&[&source("x.cedar", policies)], &mut faults);
        let known = loaded.into_iter().map(|loaded| Known {
            worked: Arc::new(Worked::unvalidated(&loaded).unwrap()),
            loaded,
        });
        let known: Vec<Known> = known.collect();
        let known: Vec<&Known> = known.iter().collect();
        let written = source("entities.json", HIERARCHY);
        let hierarchy = Hierarchy::read(&written, &vocabulary, schema, &mut faults);
        let servers: HashSet<Arc<str>> = ["s".into(), "t".into()].into();
        let catalogue = Catalogue::read(&source("tools.json", TOOLS), &servers, &mut faults);
        let (mut s, mut t) = (resource("s"), resource("t"));
        s.groups = vec!["sg".to_owned()];
        s.tenant = "t1".to_owned();
        let narrow = ["p", "q"].map(str::to_owned).to_vec();
        s.scope_hierarchy = vec![("broad".to_owned(), narrow)];
        t.labels = vec!["l".to_owned()];
        let resources = [Arc::new(s), Arc::new(t)];
        let targets = Targets::new(&resources, catalogue, &vocabulary, &hierarchy).unwrap();
        compile::refuse_strays(&known, &mut faults);
        assert!(faults.is_empty(), "{faults:#?}\n{policies}");
        let engine = Surroundings::new(vocabulary, hierarchy, targets).engine(&known);
        let all = engine.policies.iter().map(|live| live.policy.clone());
        Self {
            all: PolicySet::from_policies(all).unwrap(),
            engine,
        }
    }

    /// The answer of Cedar alone over every policy, from facts and a context made for this request;
    /// which arguments must be beyond doubt is up to the policies that can matter.
    fn whole(
        &self,
        asked: (&Operation, &RequestContext),
        prepared: &Prepared,
    ) -> Result<Evaluation, Unusable> {
        let (operation, around) = asked;
        let matter = &prepared.slice.reads;
        let asks = [Fields::HAS_ARGS, Fields::HAS_CLIENT_IP];
        let asks = asks
            .into_iter()
            .filter(|field| matter.fields.contains(*field));
        let reads = Reads {
            fields: asks.fold(Fields::VALUES, Fields::union),
            arguments: matter.arguments.clone(),
        };
        let (request, entities) = self.engine.question(prepared, &reads, operation, around)?;
        let response = Authorizer::new().is_authorized(&request, &self.all, &entities);
        Ok(Evaluation::of(&response, &self.engine))
    }

    /// Checks that what can matter is what applies by its scope, but for some permits, and returns
    /// how many those are.
    fn check_slice(&self, prepared: &Prepared) -> usize {
        let scope = Scope {
            prepared,
            entities: &prepared.entities,
        };
        let all = (0..).zip(&self.engine.policies);
        let left_out = all.filter(|(number, live)| {
            let applies = scope.applies(live);
            let is_member = prepared.slice.members.contains(number);
            assert!(applies || !is_member, "`{}` does not apply", live.id);
            let left_out = applies && !is_member;
            assert!(!(left_out && live.forbid), "`{}` is left out", live.id);
            left_out
        });
        left_out.count()
    }
}

/// What the scope of a policy says, without any index.
struct Scope<'a> {
    prepared: &'a Prepared,
    entities: &'a Entities,
}

impl Scope<'_> {
    fn applies(&self, live: &Live) -> bool {
        let Prepared {
            principal,
            action,
            resource,
            ..
        } = self.prepared;
        let who = match live.policy.principal_constraint() {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Is(kind) => principal.type_name() == &kind,
            PrincipalConstraint::Eq(uid) => *principal == uid,
            PrincipalConstraint::In(uid) => self.is_in(principal, &uid),
            PrincipalConstraint::IsIn(kind, uid) => {
                principal.type_name() == &kind && self.is_in(principal, &uid)
            }
        };
        let does = match live.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => *action == uid,
            ActionConstraint::In(all) => all.iter().any(|uid| self.is_in(action, uid)),
        };
        let on = match live.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Is(kind) => resource.type_name() == &kind,
            ResourceConstraint::Eq(uid) => *resource == uid,
            ResourceConstraint::In(uid) => self.is_in(resource, &uid),
            ResourceConstraint::IsIn(kind, uid) => {
                resource.type_name() == &kind && self.is_in(resource, &uid)
            }
        };
        who && does && on
    }

    fn is_in(&self, uid: &EntityUid, group: &EntityUid) -> bool {
        uid == group || self.entities.is_ancestor_of(group, uid)
    }
}

/// A set of policies and the next, and callers who come again and again.
fn play(seed: usize, tally: &mut Tally) {
    let mut rng = Rng::with_seed(u64::try_from(seed).unwrap());
    let texts = arbitrary::policies(&mut rng);
    let generations = [Generation::of(&texts[0]), Generation::of(&texts[1])];
    let callers: Vec<Identity> = (0..6).map(|_| arbitrary::caller(&mut rng)).collect();
    let operations: Vec<Operation> = (0..6).map(|_| arbitrary::what(&mut rng)).collect();
    let around: Vec<RequestContext> = (0..4).map(|_| arbitrary::circumstances(&mut rng)).collect();
    let mut known: Vec<Option<PrincipalFacts>> = vec![None; callers.len()];
    for turn in 0..REQUESTS {
        let later = usize::from(turn >= REQUESTS / 2);
        let generation = &generations[later];
        let engine = &generation.engine;
        let who = rng.usize(0..callers.len());
        let facts = match &known[who] {
            // What is kept of a caller may be of the policies before these.
            Some(facts) if engine.made(facts) || rng.bool() => facts.clone(),
            _ => engine.facts(&callers[who]),
        };
        let outdated = usize::from(!engine.made(&facts));
        tally.add("facts of an earlier generation", outdated);
        known[who] = Some(facts.clone());
        let operation = &operations[rng.usize(0..operations.len())];
        let context = &around[rng.usize(0..around.len())];
        let ours = engine.evaluate(operation, context, &facts);
        let fresh = engine.prepare(operation, &engine.facts(&callers[who]));
        let prepared = fresh.unwrap();
        let theirs = generation
            .whole((operation, context), &prepared)
            .unwrap_or_else(|unusable| Evaluation::unusable(&unusable));
        tally.note(&ours);
        let at = || {
            let who = &callers[who];
            let text = &texts[later];
            format!("SEED={seed} turn {turn}\n{text}\n{who:?}\n{operation:?}\n{context:?}")
        };
        assert_eq!(ours.verdict, theirs.verdict, "{}", at());
        assert_eq!(ours.determining, theirs.determining, "{}", at());
        assert_eq!(failed(&ours, true), failed(&theirs, true), "{}", at());
        let permits = failed(&ours, false);
        assert!(permits.is_subset(&failed(&theirs, false)), "{}", at());
        if !per_request(&operation.target.thing) {
            let left_out = generation.check_slice(&prepared);
            tally.add("permit left out by its conditions", left_out);
        }
    }
}

fn failed(evaluation: &Evaluation, forbid: bool) -> BTreeSet<&str> {
    let errors = evaluation.errors.iter();
    let errors = errors.filter(|error| error.forbid == forbid);
    errors.map(|error| &*error.policy).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the test says how much of it"
)]
fn asked(name: &str, otherwise: usize) -> usize {
    let text = std::env::var(name);
    text.map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn index_and_memory_change_no_answer() {
    let sets = asked("PAIRS", PAIRS).div_ceil(REQUESTS);
    let first = asked("SEED", 1);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let run = |lane: usize| {
            let mut tally = Tally::default();
            for number in (lane..sets).step_by(threads) {
                play(first.saturating_add(number), &mut tally);
            }
            tally
        };
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                // Without optimisation the frames of Cedar are many times larger.
                let builder = thread::Builder::new().stack_size(16 * 1024 * 1024);
                builder.spawn_scoped(scope, move || run(lane)).unwrap()
            })
            .collect();
        for lane in lanes {
            let Tally(counts) = lane.join().unwrap();
            for (what, times) in counts {
                tally.add(what, times);
            }
        }
    });
    eprintln!("{tally:?}");
    for what in HAPPENS {
        assert!(tally.0.get(what) > Some(&sets), "`{what}` is too rare");
    }
}
