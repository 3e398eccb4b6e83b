//! A second identity provider, of another make than the authorization server.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::envoy::poll;
use super::http::Request;
use super::http::Response;
use super::port;
use super::process::Process;
use super::process::READY;
use super::tools::tools;

/// The client `svc` acts for itself and for the people: `alice` (admin) and `bob` (viewer), each with
/// the password `<name>-password`.
const USERS: &str = "\
config_version: 1
users:
  alice: {password: alice-password, roles: [admin], groups: [platform], tenant: acme}
  bob: {password: bob-password, roles: [viewer], groups: [staff], tenant: acme}
";

/// `svc` in HTTP's Basic form.
const CLIENT: &str = "Basic c3ZjOnN2Yy1zZWNyZXQ=";

/// A running `nanoidp`.
#[derive(Debug)]
pub(crate) struct NanoIdp {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl NanoIdp {
    /// Starts it, and returns when it answers; tokens are for `audience` unless another resource is
    /// asked for.
    pub(crate) fn start(audience: &str) -> Self {
        let folder = tempfile::tempdir().expect("cannot create a temporary folder");
        let port = port::free();
        let settings = settings(port, audience, folder.path());
        fs::write(folder.path().join("settings.yaml"), settings).expect("cannot write settings");
        fs::write(folder.path().join("users.yaml"), USERS).expect("cannot write users");
        let mut command = tools().nanoidp();
        // Its settings are ours alone: a name that it does not know is a failure.
        command.args(["--strict-config", "--config"]);
        let mut process = Process::spawn("nanoidp", command.arg(folder.path()));
        let ready = poll(READY, || {
            let answer = Request::new("GET", "/health").send(port);
            answer.is_ok_and(|answer| answer.status == 200) || !process.is_running()
        });
        assert!(
            ready && process.is_running(),
            "nanoidp did not start: {}",
            process.stderr().text()
        );
        Self {
            _process: process,
            port,
            _folder: folder,
        }
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> String {
        issuer(self.port)
    }

    /// Sends it a request.
    pub(crate) fn send(&self, request: &Request) -> Response {
        request.send(self.port).expect("nanoidp must answer")
    }

    /// What the token endpoint gives the client `svc` for itself.
    pub(crate) fn client_tokens(&self, fields: &[(&str, &str)]) -> Value {
        self.tokens("client_credentials", fields)
    }

    /// What it gives that client for a person: access token, ID token and refresh token.
    pub(crate) fn user_tokens(&self, person: &str, fields: &[(&str, &str)]) -> Value {
        let password = format!("{person}-password");
        let mut all = vec![("username", person), ("password", &password)];
        all.extend(fields);
        self.tokens("password", &all)
    }

    fn tokens(&self, grant: &str, fields: &[(&str, &str)]) -> Value {
        let mut form = vec![("grant_type", grant)];
        form.extend(fields);
        let request = Request::new("POST", "/token").form(&form);
        self.send(&request.header("authorization", CLIENT)).json()
    }

    /// Has it sign with a new key; the old one stays published.
    pub(crate) fn rotate(&self) {
        let answer = self.send(&Request::new("POST", "/api/keys/rotate"));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A member of an answer that holds a token.
pub(crate) fn token(answer: &Value, member: &str) -> String {
    let token = answer.get(member).and_then(Value::as_str);
    token
        .unwrap_or_else(|| panic!("no {member}: {answer}"))
        .to_owned()
}

fn issuer(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn settings(port: u16, audience: &str, folder: &Path) -> String {
    format!(
        "config_version: 1\n\
         server: {{host: 127.0.0.1, port: {port}}}\n\
         oauth:\n  issuer: {}\n  audience: {audience}\n  token_expiry_minutes: 5\n  \
         scopes_supported: [openid, profile, weather:read]\n  \
         clients: [{{client_id: svc, client_secret: svc-secret}}]\n\
         jwt: {{keys_dir: {}}}\n",
        issuer(port),
        folder.join("keys").display()
    )
}
