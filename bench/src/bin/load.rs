//! `cargo run --release -p cedargate-bench --bin load`: how long the first load of a policy directory
//! takes, and a reload after one policy has changed, and how much memory that needs. Arguments are
//! numbers of policies instead of the usual ones.
//!
//! Pin it to one core (`taskset -c 0`) for the figures of a container that has one. Beside each time
//! stands that of the processor, which a busy machine changes less.

use std::env;
use std::error::Error;
use std::fmt;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use cedargate::config;
use cedargate::config::Config;
use cedargate::fault::Source;
use cedargate::policy::Compiler;
use cedargate::policy::PolicyFiles;
use cedargate::policy::PolicySnapshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many policies there are, where nobody says otherwise.
const USUAL: [usize; 3] = [10, 1_000, 10_000];

/// Policies in one file.
const IN_A_FILE: usize = 500;

/// Reloads that are measured; the median counts.
const RELOADS: usize = 5;

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let config = configuration(folder.path())?;
    println!("policies | first load | reload, one changed | reload, none changed | memory, peak");
    let asked: Vec<usize> = env::args()
        .skip(1)
        .map(|number| number.parse())
        .collect::<Result<_, _>>()?;
    for count in if asked.is_empty() {
        USUAL.to_vec()
    } else {
        asked
    } {
        let mut compiler = Compiler::for_config(&config);
        let (first, mut snapshot) = compile(&mut compiler, &files(count, 0)?, 1)?;
        let mut one_changed = Vec::new();
        let mut none_changed = Vec::new();
        for generation in 0..RELOADS {
            let changed = files(count, generation.saturating_add(1))?;
            for times in [&mut one_changed, &mut none_changed] {
                let (took, next) = compile(&mut compiler, &changed, 2)?;
                times.push(took);
                // The old one is in force until the new one is there.
                snapshot = next;
            }
        }
        println!(
            "{:>8} | {first} | {} | {} | {} MiB, {} MiB",
            snapshot.policy_count(),
            median(&mut one_changed),
            median(&mut none_changed),
            memory("VmRSS:")?,
            memory("VmHWM:")?,
        );
    }
    Ok(())
}

fn compile(
    compiler: &mut Compiler,
    files: &PolicyFiles,
    generation: u64,
) -> Result<(Took, PolicySnapshot), Box<dyn Error>> {
    let before = processor()?;
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let start = Instant::now();
    let snapshot = compiler.compile(files, generation);
    let took = Took {
        wall: start.elapsed(),
        processor: processor()?.saturating_sub(before),
    };
    let snapshot = snapshot.map_err(|faults| {
        let first = faults.first().map(ToString::to_string);
        first.unwrap_or_default()
    })?;
    Ok((took, snapshot))
}

/// Permits and forbids over many servers, tools, roles and scopes; `change` is in the text of one.
fn files(count: usize, change: usize) -> Result<PolicyFiles, fmt::Error> {
    let mut files = Vec::new();
    for first in (0..count).step_by(IN_A_FILE) {
        let mut text = String::new();
        for number in first..count.min(first.saturating_add(IN_A_FILE)) {
            let change = if number == 7 { change } else { 0 };
            policy(&mut text, number, change)?;
        }
        files.push(Source {
            name: format!("{first:05}.cedar").into(),
            text: text.into(),
        });
    }
    Ok(PolicyFiles::new(files))
}

fn policy(text: &mut String, number: usize, change: usize) -> fmt::Result {
    let (tool, role, tenant) = (number % 400, number % 97, number % 31);
    let action = "action == Mcp::Action::\"tools/call\"";
    match number % 4 {
        0 => writeln!(
            text,
            "@id(\"p{number}\") permit (principal in Mcp::Role::\"role-{role}\", {action},\n  \
             resource == Mcp::Tool::\"weather/tool-{tool}\");"
        ),
        1 => writeln!(
            text,
            "@id(\"p{number}\") permit (principal, {action}, resource in Mcp::Server::\"weather\")\n\
             when {{ principal.scopes.containsAny([\"s{tool}:read\", \"s{tool}:write\"]) }};"
        ),
        2 => writeln!(
            text,
            "@id(\"p{number}\") permit (principal in Mcp::Role::\"role-{role}\", action, resource)\n\
             when {{ principal.tenant == \"t{tenant}\" && resource.tenant == principal.tenant }}\n\
             unless {{ resource.labels.contains(\"secret\") }};"
        ),
        _ => writeln!(
            text,
            "@id(\"p{number}\") forbid (principal, {action}, resource)\n\
             when {{ context has args && context.args.hasTag(\"a{tool}\")\n\
             && context.args.getTag(\"a{tool}\") has long\n\
             && context.args.getTag(\"a{tool}\").long > {change} }}\n\
             unless {{ principal in Mcp::Role::\"role-{role}\" }};"
        ),
    }
}

fn configuration(folder: &Path) -> Result<Config, Box<dyn Error>> {
    let path = folder.join("cedargate.yaml");
    fs::write(
        &path,
        "authenticators:\n  - {name: a, type: static_token, token: 0123456789abcdef0123456789abcdef, subject: s}\n\
         resources:\n  - {name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}\n",
    )?;
    config::load(&path)
        .map(|loaded| loaded.config)
        .map_err(|faults| {
            let first = faults.first().map(ToString::to_string);
            first.unwrap_or_default().into()
        })
}

/// How long something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    wall: Duration,
    /// On all threads together, to 10 ms.
    processor: Duration,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, processor) = (self.wall.as_millis(), self.processor.as_millis());
        write!(f, "{wall} ms ({processor} ms)")
    }
}

fn median(times: &mut [Took]) -> Took {
    times.sort();
    times.get(times.len() >> 1).copied().unwrap_or_default()
}

/// What this process has used of the processor (`utime` and `stime` of proc(5), hundredths of seconds).
#[expect(clippy::disallowed_methods, reason = "reads what the kernel says")]
fn processor() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program stands in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks.saturating_mul(10)))
}

/// What proc(5) says of this process, in mebibytes.
#[expect(clippy::disallowed_methods, reason = "reads what the kernel says")]
fn memory(field: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("the kernel says nothing of memory")?;
    Ok(number.parse::<u64>()? >> 10)
}
