//! `cargo run --release -p cedargate-bench --bin policies`: what one decision costs under 10, 1,000 and
//! 10,000 policies of several shapes, in time and in allocations.
//!
//! Warm: the caller and the target are known. Cold: a caller whom nobody has seen, his facts included.
//! Read: as warm, but a policy reads the arguments, the address and the time, so that Cedar is asked
//! each time. The allocator is the one that counts, and slower than the sidecar's; compare ratios.

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cedargate::config;
use cedargate::config::Config;
use cedargate::identity::Identity;
use cedargate::identity::Principal;
use cedargate::identity::PrincipalKind;
use cedargate::policy::PolicyFiles;
use cedargate::policy::PolicySnapshot;
use cedargate::request::Action;
use cedargate::request::Arguments;
use cedargate::request::Operation;
use cedargate::request::RequestContext;
use cedargate::request::Target;
use cedargate::request::Thing;
use cedargate_bench::scene::Scene;
use cedargate_bench::scene::policy_files;

/// Timed rounds; the median counts.
const ROUNDS: usize = 41;

/// Decisions of a round.
const DECISIONS: u32 = 400;

/// The numbers of policies; the last is compared with the first.
const COUNTS: [usize; 3] = [10, 1_000, 10_000];

/// Policies of one kind, `#` being their number, on the server that is asked.
struct Shape {
    name: &'static str,
    policy: &'static str,
    /// How many roles the caller has.
    roles: usize,
    counts: &'static [usize],
}

const SHAPES: [Shape; 7] = [
    Shape {
        name: "tools of many servers",
        policy: "permit (principal in Mcp::Role::\"role-1\", action == Mcp::Action::\"tools/call\", \
                 resource == Mcp::Tool::\"server-#/tool\");",
        roles: 5,
        counts: &COUNTS,
    },
    Shape {
        name: "scopes of one role, one server",
        policy: "permit (principal in Mcp::Role::\"role-1\", action in Mcp::Action::\"mcp\", \
                 resource in Mcp::Server::\"weather\") when { principal.scopes.contains(\"scope-#\") };",
        roles: 5,
        counts: &COUNTS,
    },
    Shape {
        name: "clients, one server",
        policy: "permit (principal, action == Mcp::Action::\"tools/call\", \
                 resource in Mcp::Server::\"weather\") when { [\"client-#\"].contains(principal.clientId) };",
        roles: 5,
        counts: &COUNTS,
    },
    Shape {
        name: "tenants, any resource",
        policy: "permit (principal, action, resource) \
                 when { principal.tenant == \"tenant-#\" && resource.tenant == \"tenant-#\" };",
        roles: 5,
        counts: &COUNTS,
    },
    Shape {
        name: "roles, one server",
        policy: "permit (principal in Mcp::Role::\"other-#\", action == Mcp::Action::\"tools/call\", \
                 resource in Mcp::Server::\"weather\");",
        roles: 5,
        counts: &COUNTS,
    },
    Shape {
        name: "tools, a caller with 500 roles",
        policy: "permit (principal in Mcp::Role::\"role-#\", action == Mcp::Action::\"tools/call\", \
                 resource == Mcp::Tool::\"weather/tool-#\");",
        roles: 500,
        counts: &COUNTS,
    },
    Shape {
        name: "forbids that apply to everything",
        policy: "forbid (principal, action, resource) when { principal.tenant == \"tenant-#\" };",
        roles: 5,
        counts: &[10, 1_000],
    },
];

/// What permits the two calls, of which the second is judged by what it brings.
const ALWAYS: &str = r#"@id("forecast") permit (principal in Mcp::Role::"role-0", action == Mcp::Action::"tools/call",
resource == Mcp::Tool::"weather/get_forecast");
@id("alert") permit (principal in Mcp::Role::"role-0", action == Mcp::Action::"tools/call",
resource == Mcp::Tool::"weather/set_alert")
when { context.args.hasTag("city") && context.args.getTag("city") has string && context.args.getTag("city").string == "Berne" &&
context has clientIp && context.clientIp.isInRange(ip("10.0.0.0/8")) && context.now > datetime("2020-01-01") };
"#;

#[expect(clippy::print_stdout, reason = "the figures are this program's result")]
fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let scene = Scene::write(dir.path(), 3, "127.0.0.1:0")?;
    let config = config::load(&scene.config).map_err(|faults| format!("{faults:?}"))?;
    let config = &config.config;
    println!("us (allocations) a decision   policies        warm        cold        read");
    for shape in SHAPES {
        println!("{}", shape.name);
        let mut costs = Vec::new();
        for count in shape.counts {
            let cost = measure(&shape, *count, config)?;
            println!("{:>38}  {}", count, cost.map(shown).join("  "));
            costs.push(cost);
        }
        if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
            let ratios = first.iter().zip(last);
            let ratios = ratios.map(|((few, _), (many, _))| format!("{:>10.2}", few / many));
            println!("{:>38}  {}", "ratio", ratios.collect::<Vec<_>>().join("  "));
        }
    }
    Ok(())
}

/// Microseconds, and allocations.
type Cost = (f64, f64);

fn shown((time, allocations): Cost) -> String {
    format!("{time:.2} ({allocations:.0})")
}

fn measure(shape: &Shape, count: usize, config: &Config) -> Result<[Cost; 3], Box<dyn Error>> {
    let mut text = ALWAYS.to_owned();
    for number in 2..count {
        let policy = shape.policy.replace('#', &number.to_string());
        writeln!(text, "@id(\"p{number}\") {policy}")?;
    }
    let files = PolicyFiles::new(policy_files(&text));
    let policies = PolicySnapshot::compile(&files, &config.resources, 1)
        .map_err(|faults| format!("{:?}", faults.first()))?;
    let identity = caller(shape.roles);
    let context = RequestContext {
        client_ip: Some([10, 1, 2, 3].into()),
        now_ms: 1_767_268_800_000,
        ..RequestContext::default()
    };
    let facts = policies.facts(&identity);
    let (forecast, alert) = (call("get_forecast"), call("set_alert"));
    for operation in [&forecast, &alert] {
        let evaluation = policies.evaluate(operation, &context, &facts);
        if !evaluation.allows() {
            return Err(format!("{} is not allowed: {evaluation:?}", shape.name).into());
        }
    }
    Ok([
        cost(|| policies.evaluate(&forecast, &context, &facts)),
        cost(|| policies.evaluate(&forecast, &context, &policies.facts(&identity))),
        cost(|| policies.evaluate(&alert, &context, &facts)),
    ])
}

/// The median time of a run of `decide`, and its allocations.
#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn cost<T>(mut decide: impl FnMut() -> T) -> Cost {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..DECISIONS {
                drop(black_box(decide()));
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(ROUNDS / 2).copied().unwrap_or(f64::NAN);
    let counted = allocation_counter::measure(|| {
        for _ in 0..DECISIONS {
            drop(black_box(decide()));
        }
    });
    let allocations = u32::try_from(counted.count_total).unwrap_or(u32::MAX);
    (median, f64::from(allocations) / f64::from(DECISIONS))
}

fn call(tool: &str) -> Operation {
    Operation {
        action: Action::ToolsCall,
        target: Target {
            server: "weather".into(),
            thing: Thing::Tool(tool.to_owned()),
        },
        arguments: Arguments::Json(r#"{"city":"Berne"}"#.into()),
    }
}

fn caller(roles: usize) -> Identity {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Identity::Verified(Arc::new(Principal {
        kind: PrincipalKind::User,
        id: "https://bench.example#alice".to_owned(),
        authenticator: "bench".into(),
        issuer: "https://bench.example".to_owned(),
        subject: "alice".to_owned(),
        client_id: "bench".to_owned(),
        tenant: "acme".to_owned(),
        email: String::new(),
        name: String::new(),
        roles: (0..roles).map(|number| format!("role-{number}")).collect(),
        groups: set(&["staff"]),
        scopes: set(&["weather:read", "weather:write", "openid", "profile"]),
        audience: set(&["https://mcp.example.com/mcp"]),
        claims: [("department".to_owned(), set(&["forecast"]))].into(),
    }))
}
