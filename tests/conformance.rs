//! The official conformance suite, with and without us: whatever a server can do, it can do behind
//! Envoy and cedargate, and what it fails to check is checked in front of it.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests; a broken fixture must fail loudly"
)]

mod support;

use std::collections::BTreeSet;

use support::authorization_server::AuthorizationServer;
use support::conformance::Check;
use support::conformance::Report;
use support::envoy::Envoy;
use support::envoy::EnvoyConfig;
use support::injector::Injector;
use support::process::Process;
use support::sidecar::Sidecar;
use support::tools::tools;

/// The caller may do everything; the starter policies hold as well.
const EVERYTHING: &str = "@id(\"everything\") permit (principal in Mcp::Role::\"admin\", action, \
                          resource in Mcp::Server::\"weather\");\n";

/// A server program of `tests/tools`.
struct Fixture {
    _process: Process,
    port: u16,
}

impl Fixture {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = tools().node(program);
        let process = Process::spawn(program, command.args(arguments));
        let port = process.ready_port();
        Self {
            _process: process,
            port,
        }
    }
}

/// The way to a server through the suite's injector, Envoy with the shipped configuration, and
/// cedargate.
struct Front {
    sidecar: Sidecar,
    _envoy: Envoy,
    _issuer: AuthorizationServer,
    port: u16,
}

impl Front {
    /// `adapt` is what the test changes of the shipped configuration.
    fn start(upstream: u16, adapt: impl FnOnce(EnvoyConfig) -> EnvoyConfig) -> Self {
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
             mcp: {{allowed_origins: [\"{origin}\"]}}\n\
             policies: {{dir: policies}}\n",
            issuer.issuer()
        );
        let sidecar = Sidecar::start_with(&config, &[("50-everything.cedar", EVERYTHING)]);
        let shipped = EnvoyConfig::shipped(upstream, sidecar.grpc).on_loopback();
        let envoy = Envoy::start(&adapt(shipped));
        envoy.wait_for_authorizer(true);
        injector.open(envoy.port(), &issuer.token("svc-admin", "any", &resource));
        Self {
            sidecar,
            _envoy: envoy,
            _issuer: issuer,
            port,
        }
    }
}

/// Runs a revision's scenarios with and without us, which must make no difference.
fn differs_in_nothing(revision: &str, scenarios: usize) {
    let server = Fixture::start("everything-server.mjs", &["--revision", revision]);
    let front = Front::start(server.port, |config| config);
    let direct = Report::of_revision(server.port, revision);
    let through = Report::of_revision(front.port, revision);
    assert!(
        direct.passed().len() >= scenarios,
        "the server itself fails more than it used to:\n{direct}"
    );
    assert_eq!(direct.passed(), through.passed(), "behind us:\n{through}");
    for scenario in direct.passed() {
        let successes = |report: &Report| -> Vec<(String, String)> {
            let checks = report.checks(scenario).iter();
            let keys = checks.filter(|check| check.succeeded()).map(Check::key);
            keys.map(|(id, name)| (id.to_owned(), name.to_owned()))
                .collect()
        };
        assert_eq!(
            successes(&direct),
            successes(&through),
            "{scenario}:\n{through}"
        );
    }
    drop(front);
}

#[test]
fn a_server_with_sessions_passes_behind_us_what_it_passes_alone() {
    differs_in_nothing("2025-11-25", 33);
}

#[test]
fn a_server_without_sessions_passes_behind_us_what_it_passes_alone() {
    differs_in_nothing("2026-07-28", 40);
}
