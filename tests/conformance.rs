//! The official conformance suite, with and without us: whatever a server can do, it can do behind
//! Envoy and cedargate, and what it fails to check is checked in front of it.

mod support;

use support::authorization_server::AuthorizationServer;
use support::conformance::Report;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::injector::Injector;
use support::port;
use support::process::Process;
use support::sidecar::Sidecar;
use support::tools::tools;

/// The caller may do everything; the starter policies hold as well.
const EVERYTHING: &str = "@id(\"everything\") permit (principal in Mcp::Role::\"admin\", action, \
                          resource in Mcp::Server::\"weather\");\n";

/// How long a check may take. In a thousand of them, on a busy machine, some take longer than the
/// shipped 150 ms, and a 503 for that would be right and would say nothing of what is tested here.
const PATIENCE: &str = "10s";

/// A server program of `tests/tools`.
struct Fixture {
    _process: Process,
    port: u16,
}

impl Fixture {
    fn start(program: &str, arguments: &[&str]) -> Self {
        // A module of the other program, which must lie beside it.
        tools().node("everything-server-tasks.mjs");
        let mut command = tools().node(program);
        let process = Process::spawn(program, command.args(arguments));
        let port = process.ready_port();
        Self {
            _process: process,
            port,
        }
    }
}

/// The way to a server through the injector, Envoy with the shipped configuration, and cedargate.
struct Front {
    sidecar: Sidecar,
    envoy: Envoy,
    _issuer: AuthorizationServer,
    port: u16,
}

impl Front {
    /// `versions` is what the server speaks; `adapt` changes the shipped configuration.
    fn start(
        upstream: u16,
        versions: &[&str],
        adapt: impl FnOnce(EnvoyConfig) -> EnvoyConfig,
    ) -> Self {
        let injector = Injector::bind();
        let port = injector.port();
        let origin = format!("http://127.0.0.1:{port}");
        let resource = format!("{origin}/mcp");
        let issuer = AuthorizationServer::start(&["--resource", &resource, "--scope", "any"]);
        let config = format!(
            "authenticators:\n  \
             - {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true}}\n\
             resources:\n  \
             - name: weather\n    url: \"{resource}\"\n    kind: mcp\n    authenticators: [corp]\n    \
             mcp: {{allowed_origins: [\"{origin}\"], versions: {versions:?}}}\n\
             policies: {{dir: policies}}\n\
             limits: {{deadline: {PATIENCE}}}\n",
            issuer.issuer()
        );
        let sidecar = Sidecar::start_with(&config, &[("50-everything.cedar", EVERYTHING)]);
        let shipped = EnvoyConfig::shipped(upstream, sidecar.grpc).on_loopback();
        let patient = shipped.replace("timeout: 0.25s", &format!("timeout: {PATIENCE}"));
        let envoy = Envoy::start(&adapt(patient));
        envoy.wait_for_authorizer(true);
        injector.open(envoy.port(), &issuer.token("svc-admin", "any", &resource));
        Self {
            sidecar,
            envoy,
            _issuer: issuer,
            port,
        }
    }
}

/// Runs a revision's scenarios on a server alone and behind `front`: the same must pass, by the same
/// checks, and no fewer than the server has passed so far.
fn differs_in_nothing(server: &Fixture, front: &Front, revision: &str, scenarios: usize) {
    let direct = Report::of_revision(server.port, revision);
    let through = Report::of_revision(front.port, revision);
    let alone = direct.passed();
    assert!(
        alone.len() >= scenarios,
        "{} pass alone:\n{direct}",
        alone.len()
    );
    assert_eq!(alone, through.passed(), "behind us:\n{through}");
    for scenario in alone {
        assert_eq!(
            direct.successes(scenario),
            through.successes(scenario),
            "{scenario}:\n{through}"
        );
    }
}

#[test]
fn a_server_with_sessions_passes_behind_us_what_it_passes_alone() {
    let revision = "2025-11-25";
    let versions = ["2025-03-26", "2025-06-18", revision];
    let server = Fixture::start("everything-server.mjs", &["--revision", revision]);
    let front = Front::start(server.port, &versions, |shipped| shipped);
    differs_in_nothing(&server, &front, revision, 33);
    let without_token = Report::of_revision(front.envoy.port(), revision);
    assert_eq!(without_token.passed(), Vec::<&str>::new());
}

#[test]
fn a_server_without_sessions_passes_behind_us_what_it_passes_alone() {
    let revision = "2026-07-28";
    let server = Fixture::start("everything-server.mjs", &["--revision", revision]);
    let front = Front::start(server.port, &[revision], |shipped| shipped);
    differs_in_nothing(&server, &front, revision, 49);
}

/// What a server need not check because it is checked in front of it: the scenario, and how many of
/// its checks succeed alone and behind us, where every one does.
const CHECKED_FOR_IT: &[(&str, usize, usize)] = &[
    // Headers that contradict the body, or are missing. Alone, only what must be let in succeeds.
    ("http-header-validation", 3, 13),
    // A page of another site, under a name that leads here.
    ("dns-rebinding-protection", 1, 2),
];

#[test]
fn what_a_server_does_not_check_is_checked_in_front_of_it() {
    let revision = "2026-07-28";
    let server = Fixture::start("unvalidated-server.mjs", &[]);
    // The shipped configuration knows no such host, and Envoy would answer for us.
    let front = Front::start(server.port, &[revision], |shipped| {
        shipped.replace("\"127.0.0.1:*\"]", "\"127.0.0.1:*\", evil.example.com]")
    });
    for (scenario, alone, behind_us) in CHECKED_FOR_IT {
        let direct = Report::of_scenario(server.port, scenario, revision);
        assert_eq!(direct.successes(scenario).len(), *alone, "{direct}");
        assert_eq!(direct.passed(), Vec::<&str>::new(), "{direct}");
        let through = Report::of_scenario(front.port, scenario, revision);
        assert_eq!(through.successes(scenario).len(), *behind_us, "{through}");
        assert_eq!(through.passed(), [*scenario], "{through}");
    }
    let foreign = front
        .sidecar
        .record(|record| record["context"]["host"] == "evil.example.com");
    assert_eq!(foreign["reason"], "origin_not_allowed");
}

#[test]
fn with_nothing_listening_nothing_passes() {
    let report = Report::of_revision(port::free(), "2025-11-25");
    assert_eq!(report.passed(), Vec::<&str>::new());
}
