//! Three real servers, each with the shipped Envoy in front and alone, and what a row does to them.

use std::fmt;
use std::fmt::Display;
use std::fmt::Formatter;
use std::fmt::Write as _;
use std::thread;
use std::thread::ScopedJoinHandle;

use serde_json::json;

use super::support::envoy::Envoy;
use super::support::envoy::EnvoyConfig;
use super::support::http::Request;
use super::support::sidecar::Sidecar;
use super::support::tokens::Key;
use super::support::two_tools::Kind;
use super::support::two_tools::TwoTools;
use super::support::two_tools::only_policy;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// Who is signed in may shake hands, and call everything but `danger`: so a body that hides the name
/// from us is let through, as well as one that shows us another.
const POLICY: &str = r#"
@id("handshake")
permit (principal is Mcp::User, action in [Mcp::Action::"lifecycle", Mcp::Action::"discover"],
  resource is Mcp::Server);
@id("tools")
permit (principal is Mcp::User, action == Mcp::Action::"tools/call", resource is Mcp::Tool);
@id("never-danger")
forbid (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/danger");
"#;

/// One request, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    request: Request,
    /// What each server runs when it is asked without a front door, in the order of [`Kind::ALL`]:
    /// `greet`, `danger`, `both`, or `-`.
    direct: [String; 3],
    door: Door,
}

/// What the front door makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Answers with this status, and no server runs anything.
    Refuses(u16),
    /// Lets it pass: each server does what it does without a front door.
    Passes,
}

impl Row {
    /// A request that must not get through; `direct` has a word for each server.
    pub(crate) fn refused(
        name: impl Into<String>,
        request: Request,
        door: u16,
        direct: &str,
    ) -> Self {
        Self::new(name.into(), request, Door::Refuses(door), direct)
    }

    /// An honest request, however unusual.
    pub(crate) fn honest(name: impl Into<String>, request: Request, direct: &str) -> Self {
        Self::new(name.into(), request, Door::Passes, direct)
    }

    fn new(name: String, request: Request, door: Door, direct: &str) -> Self {
        let words: Vec<String> = direct.split(' ').map(str::to_owned).collect();
        let direct = words.try_into().expect("a word for each server");
        Self {
            name,
            request,
            direct,
            door,
        }
    }
}

/// One server, its front door, and a way past it.
struct Place {
    index: usize,
    kind: Kind,
    server: TwoTools,
    envoy: Envoy,
}

/// Everything that the rows are sent to.
pub(crate) struct World {
    places: Vec<Place>,
    token: String,
    _sidecar: Sidecar,
}

/// What a server did with a row: the status, and the tools that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    ran: String,
}

impl Display for Outcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status, self.ran)
    }
}

impl World {
    /// Starts it all.
    pub(crate) fn start() -> Self {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp}}\n\
             limits: {{deadline: 2s}}\npolicies: {{allow_warnings: [unknown-tool]}}\n",
            key.authenticator()
        );
        let sidecar = Sidecar::launch_in(&config, |folder| only_policy(folder, POLICY));
        let sidecar = sidecar.until_ready();
        let authorizer = sidecar.grpc;
        let places = thread::scope(|scope| {
            let started = Kind::ALL.map(|kind| scope.spawn(move || Place::start(kind, authorizer)));
            let joined = started.into_iter().map(ScopedJoinHandle::join);
            joined.map(|place| place.expect("it starts")).collect()
        });
        Self {
            places,
            token: key.token(RESOURCE, &json!({})),
            _sidecar: sidecar,
        }
    }

    /// Sends every row to every server, directly and through its front door; returns what was not as
    /// the row says, and the whole as a table.
    pub(crate) fn replay(&self, rows: &[Row]) -> (Vec<String>, String) {
        let done: Vec<Vec<Replayed>> = thread::scope(|scope| {
            let places = self.places.iter();
            let started = places.map(|place| scope.spawn(|| place.replay(rows, &self.token)));
            let threads: Vec<_> = started.collect();
            let joined = threads.into_iter().map(ScopedJoinHandle::join);
            joined
                .map(|place| place.expect("every request is answered"))
                .collect()
        });
        let faults = done.iter().flatten().flat_map(|one| one.faults.clone());
        let crossed = self.places.iter().flat_map(Place::crossed);
        (faults.chain(crossed).collect(), table(rows, &done))
    }
}

/// What a row did at one place.
struct Replayed {
    direct: Outcome,
    through: Outcome,
    faults: Vec<String>,
}

impl Place {
    fn start(kind: Kind, authorizer: u16) -> Self {
        let server = TwoTools::start(kind);
        let shipped = EnvoyConfig::shipped(server.port(), authorizer);
        // The rows are about readings, not about the patience that a busy machine needs.
        let envoy = Envoy::start(&shipped.replace("timeout: 0.25s", "timeout: 5s"));
        envoy.wait_for_authorizer(true);
        let index = Kind::ALL.iter().position(|one| *one == kind);
        Self {
            index: index.expect("one of them"),
            kind,
            server,
            envoy,
        }
    }

    fn replay(&self, rows: &[Row], token: &str) -> Vec<Replayed> {
        rows.iter().map(|row| self.replay_one(row, token)).collect()
    }

    /// What ran behind the front door so far, in whichever row, and should not have.
    fn crossed(&self) -> impl Iterator<Item = String> {
        let runs = self.server.runs().into_iter();
        let wrong = runs.filter(|run| !run.subject.is_empty() && run.tool != "greet");
        wrong.map(|run| format!("{:?}: {run:?} through the front door", self.kind))
    }

    fn replay_one(&self, row: &Row, token: &str) -> Replayed {
        let own = format!("127.0.0.1:{}", self.server.port());
        let direct = self.send(&row.request.clone().header("host", own), self.server.port());
        let front = row.request.clone().header("host", "mcp.example.com");
        let through = self.send(&front.bearer(token), self.envoy.port());
        let mut faults = Vec::new();
        let mut expect = |what: &str, holds: bool| {
            if !holds {
                let (name, kind) = (&row.name, self.kind);
                faults.push(format!(
                    "{name}, {kind:?}: {what}: {direct} => {through}, but the row says {} => {:?}",
                    row.direct.get(self.index).map_or("", String::as_str),
                    row.door
                ));
            }
        };
        expect(
            "another effect without a front door",
            row.direct.get(self.index) == Some(&direct.ran),
        );
        match row.door {
            Door::Refuses(status) => {
                expect("another status", through.status == status);
                expect("it ran", through.ran == "-");
            }
            Door::Passes => {
                expect("the front door makes a difference", through == direct);
                expect(
                    "an honest call is answered",
                    direct.ran == "-" || direct.status == 200,
                );
            }
        }
        Replayed {
            direct,
            through,
            faults,
        }
    }

    fn send(&self, request: &Request, port: u16) -> Outcome {
        let before = self.server.runs().len();
        let answer = request.send(port).expect("every request is answered");
        let runs = self.server.runs();
        let tools: Vec<&str> = runs
            .iter()
            .skip(before)
            .map(|run| run.tool.as_str())
            .collect();
        let ran = match *tools {
            [] => "-",
            ["greet"] => "greet",
            ["danger"] => "danger",
            [_, _] => "both",
            _ => "many",
        };
        Outcome {
            status: answer.status,
            ran: ran.to_owned(),
        }
    }
}

fn table(rows: &[Row], done: &[Vec<Replayed>]) -> String {
    let mut text = format!("{:<58}", "row: direct => through");
    for kind in Kind::ALL {
        write!(text, "| {:<28}", format!("{kind:?}")).expect("a string can be written");
    }
    for (index, row) in rows.iter().enumerate() {
        write!(text, "\n{:<58}", row.name).expect("a string can be written");
        for place in done {
            let cell = place
                .get(index)
                .map(|one| format!("{} => {}", one.direct, one.through));
            write!(text, "| {:<28}", cell.unwrap_or_default()).expect("a string can be written");
        }
    }
    text
}
