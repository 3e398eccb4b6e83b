//! An authorization server, a server with two tools, and the shipped front door between them, at an
//! address that clients can go to.

use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::Value;

use super::support::authorization_server::AuthorizationServer;
use super::support::envoy::Envoy;
use super::support::envoy::EnvoyConfig;
use super::support::mcp::ClientOutcome;
use super::support::port;
use super::support::process::Process;
use super::support::process::READY;
use super::support::sidecar::Sidecar;
use super::support::tools::tools;
use super::support::two_tools::Kind;
use super::support::two_tools::Run;
use super::support::two_tools::TwoTools;
use super::support::two_tools::only_policy;

/// A scope for each tool, and something that no scope cures.
const POLICIES: &str = r#"
@id("handshake")
permit (principal, action in [Mcp::Action::"lifecycle", Mcp::Action::"discover"],
  resource is Mcp::Server) unless { principal is Mcp::Anonymous };
@id("greet")
permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/greet")
when { principal.scopes.contains("tool:greet") };
@id("danger")
permit (principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"weather/danger")
when { principal.scopes.contains("tool:danger") };
@id("no-danger-for-viewers")
forbid (principal in Mcp::Role::"viewer", action == Mcp::Action::"tools/call",
  resource == Mcp::Tool::"weather/danger");
@id("never-without-asking")
@reason("Ask first: scope=all, error=\"none\", resource_metadata=\"https://evil.example\" \\ é.")
forbid (principal, action == Mcp::Action::"prompts/get", resource)
unless { principal.scopes.contains("prompt:read") };
@id("prompts")
permit (principal, action == Mcp::Action::"prompts/get", resource)
unless { principal is Mcp::Anonymous };
"#;

/// Whose client it is, and which revision it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Python, 2026-07-28 if the server has it.
    Python,
    /// TypeScript, the older revisions.
    TypeScript,
    /// TypeScript, 2026-07-28 if the server has it.
    TypeScriptModern,
}

impl Client {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Python, Self::TypeScript, Self::TypeScriptModern];
}

/// What a client did, and what it caused.
#[derive(Debug)]
pub(crate) struct Journey {
    /// What it says.
    pub(crate) outcome: ClientOutcome,
    /// How often it asked for a token.
    pub(crate) tokens: u64,
    /// What it made the server run.
    pub(crate) runs: Vec<Run>,
}

/// The stack; one client goes through it at a time.
#[derive(Debug)]
pub(crate) struct House {
    /// Issues the tokens.
    pub(crate) issuer: AuthorizationServer,
    /// The shipped front door.
    pub(crate) envoy: Envoy,
    upstream: TwoTools,
    front: u16,
    turn: Mutex<()>,
    _sidecar: Sidecar,
}

/// One for every test that changes nothing of it.
pub(crate) fn shared() -> &'static House {
    static HOUSE: LazyLock<House> = LazyLock::new(|| House::start(&[]));
    &HOUSE
}

impl House {
    /// Starts it, the authorization server with more arguments.
    pub(crate) fn start(issuer: &[&str]) -> Self {
        let front = port::free();
        let resource = format!("http://127.0.0.1:{front}/mcp");
        let named = [
            "--resource",
            &resource,
            "--scope",
            "tool:greet",
            "--scope",
            "tool:danger",
        ];
        let issuer = AuthorizationServer::start(&[&named[..], issuer].concat());
        let upstream = TwoTools::start(Kind::Python);
        let config = format!(
            "authenticators:\n- {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true, leeway: 0s}}\n\
             resources:\n- name: weather\n  url: \"{resource}\"\n  kind: mcp\n  \
             metadata: {{scopes_supported: [\"tool:greet\"]}}\n\
             limits: {{deadline: 2s}}\npolicies: {{allow_warnings: [unknown-scope, unknown-tool]}}\n",
            issuer.issuer()
        );
        let sidecar = Sidecar::launch_in(&config, |folder| only_policy(folder, POLICIES));
        let sidecar = sidecar.until_ready();
        let shipped = EnvoyConfig::shipped(upstream.port(), sidecar.grpc);
        let shipped = shipped.replace("timeout: 0.25s", "timeout: 5s");
        let envoy = Envoy::start(&shipped.on_loopback().front_at(front));
        envoy.wait_for_authorizer(true);
        Self {
            issuer,
            envoy,
            upstream,
            front,
            turn: Mutex::new(()),
            _sidecar: sidecar,
        }
    }

    /// The public URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.front)
    }

    /// Sends a client on its way, with the URL and its credentials.
    pub(crate) fn send(&self, client: Client, id: &str, options: &[&str]) -> Journey {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, runs) = (self.issuer.hits("token"), self.upstream.runs().len());
        let mut command = match client {
            Client::Python => tools().python("mcp_client.py"),
            Client::TypeScript | Client::TypeScriptModern => tools().node("mcp-client.mjs"),
        };
        let issuer = self.issuer.issuer();
        command.args([&self.url(), "--issuer", &issuer, "--client-id", id]);
        command.args(["--arguments", "{}"]).args(options);
        if client == Client::TypeScriptModern {
            command.arg("--modern");
        }
        let process = Process::spawn("MCP client", &mut command);
        process.stdout().wait_closed(READY);
        let outcome = serde_json::from_value(process.ready("ok"));
        let asked = self.issuer.hits("token").checked_sub(tokens);
        Journey {
            outcome: outcome.expect("the client prints its outcome"),
            tokens: asked.expect("a counter only grows"),
            runs: self.upstream.runs().split_off(runs),
        }
    }
}

/// What the SDKs read in the challenges of answers, by the name of the reader.
pub(crate) fn readings(challenges: &Value) -> Vec<Value> {
    let python = tools().python("challenge_reader.py");
    let node = tools().node("challenge-reader.mjs");
    let [python, node] = [python, node].map(|mut program| {
        let process = Process::spawn("challenge reader", program.arg(challenges.to_string()));
        let read = process.ready("readings").get("readings").cloned();
        let read = read.as_ref().and_then(Value::as_array).cloned();
        read.expect("a list of readings")
    });
    let pairs = python.into_iter().zip(node);
    let merged = pairs.map(|(python, node)| {
        let mut all = python.as_object().cloned().expect("an object");
        all.extend(node.as_object().cloned().expect("an object"));
        Value::Object(all)
    });
    merged.collect()
}
