//! `cargo run --release -p cedargate-bench --bin shadow`: what policies that are only tried cost a whole
//! check with a remembered caller under 1,000 policies, its record included, in one process.
//!
//! With the name of a case and a number, that many checks are made in that case and nothing is printed:
//! to count instructions with.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Instant;

use cedargate::authorizer::Authorizer;
use cedargate::authorizer::Parts;
use cedargate::authorizer::Sources;
use cedargate::authorizer::outcome::Answer;
use cedargate::authorizer::snapshot::SnapshotCell;
use cedargate::config;
use cedargate::config::Config;
use cedargate::policy::PolicyFiles;
use cedargate::policy::PolicySnapshot;
use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::request::envoy;
use cedargate::source::Clock;
use cedargate::source::SessionObserver;
use cedargate::source::clock::SystemClock;
use cedargate::source::sessions;
use cedargate::telemetry::decision_log::DecisionLog;
use cedargate::telemetry::metrics::Metrics;
use cedargate::telemetry::metrics::Transport;
use cedargate_bench::scene;
use prost::Message;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const POLICIES: usize = 1_000;
const ROUNDS: usize = 41;
const CHECKS: u32 = 2_000;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The cases, and what is in each beside the policies in force.
const CASES: [&str; 5] = [
    "nothing",
    "log-only",
    "log-only-context",
    "shadow-dir",
    "shadow-dir-10000",
];

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let encoded = scene::message(TOKEN);
    let request = CheckRequest::decode(encoded.get(5..).ok_or("an empty message")?)?;
    let mut arguments = env::args().skip(1);
    if let Some(case) = arguments.next() {
        let checks = arguments.next().ok_or("usage: shadow CASE CHECKS")?;
        let authorizer = authorizer(&case, dir.path())?;
        return run(&authorizer, &request, checks.parse()?);
    }
    let mut authorizers = Vec::new();
    for case in CASES {
        let authorizer = authorizer(case, dir.path())?;
        run(&authorizer, &request, CHECKS)?;
        authorizers.push((case, authorizer, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (_, authorizer, times) in &mut authorizers {
            let started = Instant::now();
            run(authorizer, &request, CHECKS)?;
            times.push(started.elapsed().as_secs_f64() / f64::from(CHECKS) * 1e6);
        }
    }
    let mut floor = None;
    for (case, _, times) in &mut authorizers {
        times.sort_by(f64::total_cmp);
        let median = *times.get(ROUNDS / 2).ok_or("no round was run")?;
        let ratio = median / *floor.get_or_insert(median);
        println!("{case}: {median:.2} us a check, {ratio:.3}");
    }
    Ok(())
}

fn run(
    authorizer: &Arc<Authorizer>,
    request: &CheckRequest,
    checks: u32,
) -> Result<(), Box<dyn Error>> {
    for _ in 0..checks {
        let arrival = authorizer.arrive(Transport::Grpc, None, None);
        let read = envoy::read(request.clone(), authorizer.read_options());
        let checked = pin!(authorizer.check(arrival, read));
        let Poll::Ready(outcome) = checked.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err("the check waits for something".into());
        };
        match &outcome.answer {
            Answer::Allow(_) => {}
            Answer::Deny(refusal) => return Err(refusal.denial.message.to_string().into()),
            Answer::Document(_) | Answer::DocumentPreflight | Answer::Preflight(_) => {
                return Err("not a check".into());
            }
        }
        black_box(outcome);
    }
    Ok(())
}

fn authorizer(case: &str, dir: &Path) -> Result<Arc<Authorizer>, Box<dyn Error>> {
    let file = dir.join(format!("{case}.yaml"));
    fs::write(&file, CONFIG)?;
    let config = Arc::new(
        config::load(&file)
            .map_err(|faults| format!("{faults:?}"))?
            .config,
    );
    let mut live = scene::policy_text(POLICIES)?;
    match case {
        "log-only" => live.push_str(&tried("principal.tenant == \"guest\"")?),
        "log-only-context" => live.push_str(&tried("context.session == \"guest\"")?),
        "nothing" | "shadow-dir" | "shadow-dir-10000" => {}
        other => return Err(format!("no such case: {other}").into()),
    }
    let snapshot = SnapshotCell::new(compile(&live, &config)?, config.authenticators.len());
    let in_dir = match case {
        "shadow-dir" => POLICIES,
        "shadow-dir-10000" => 10 * POLICIES,
        _ => 0,
    };
    if in_dir > 0 {
        snapshot.publish_shadow(compile(&scene::policy_text(in_dir)?, &config)?);
    }
    let names: Vec<_> = config
        .resources
        .iter()
        .map(|one| Arc::clone(&one.name))
        .collect();
    let metrics = Arc::new(Metrics::new(&names));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // The writer's thread lives as long as the program.
    let (decision_log, writer) =
        DecisionLog::open(&config.decision_log.to, metrics.decision_log_dropped())?;
    std::mem::forget(writer);
    let parts = Parts {
        snapshot: Arc::new(snapshot),
        sources: Sources {
            keys: vec![None],
            oracles: vec![None],
        },
        sessions: sessions::open(&config.sessions, Arc::clone(&clock), Arc::new(Unobserved))?,
        nonce_key: [7; 32],
        clock,
        metrics,
        decision_log,
        config,
    };
    Ok(Arc::new(Authorizer::new(parts)?))
}

fn compile(text: &str, config: &Config) -> Result<Arc<PolicySnapshot>, Box<dyn Error>> {
    let files = PolicyFiles::new(scene::policy_files(text));
    let compiled = PolicySnapshot::compile_for(&files, config, 1);
    Ok(Arc::new(compiled.map_err(|faults| {
        faults.first().map_or_else(String::new, ToString::to_string)
    })?))
}

/// Ten policies, of which a forbid that looks at `condition` and a permit matter for the check.
fn tried(condition: &str) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "@id(\"t0\") @mode(\"log_only\") forbid (principal, action == Mcp::Action::\"tools/call\", \
         resource) when {{ {condition} }};\n\
         @id(\"t1\") @mode(\"log_only\") permit (principal in Mcp::Role::\"reader\", action, \
         resource in Mcp::Server::\"weather\");\n"
    );
    for number in 2..10 {
        writeln!(
            text,
            "@id(\"t{number}\") @mode(\"log_only\") permit (principal in Mcp::Role::\"role-{number}\", \
             action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"weather/tool-{number}\");"
        )?;
    }
    Ok(text)
}

const CONFIG: &str = "\
authenticators:
- name: bench
  type: static_token
  token: 0123456789abcdef0123456789abcdef
  subject: alice
  roles: [viewer, reader, member, employee, berne]
resources:
- {name: weather, url: 'https://mcp.example.com/mcp', kind: mcp}
policies: {dir: policies, allow_warnings: [unknown-server]}
decision_log: {to: {file: /dev/null}}
";

#[derive(Debug)]
struct Unobserved;

impl SessionObserver for Unobserved {
    fn asked(&self, _outcome: &'static str) {}
}
