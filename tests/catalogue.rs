//! `cedargate schema tools` against real MCP servers of both eras, and against some that mislead.

#![expect(
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

#[path = "catalogue/liars.rs"]
mod liars;
mod support;
#[path = "catalogue/updates.rs"]
mod updates;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use serde_json::json;
use support::envoy::Envoy;
use support::folder::Folder;
use support::folder::Ran;
use support::http::Request;
use support::mcp::McpServer;
use support::process::Process;
use support::sidecar::Sidecar;
use support::stack::Stack;
use support::tools::tools;

/// `schema tools --server weather` with more.
fn schema(folder: &Folder, more: &[&str]) -> Ran {
    schema_with(folder, more, &[])
}

fn schema_with(folder: &Folder, more: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut arguments = vec!["schema", "tools", "--server", "weather"];
    arguments.extend(more);
    folder.run_with(&arguments, "", variables)
}

fn catalogue(text: &str) -> Vec<Value> {
    let mut file: BTreeMap<String, Vec<Value>> = serde_json::from_str(text).expect("a catalogue");
    file.remove("tools").expect("a list")
}

fn names(text: &str) -> Vec<String> {
    let tools = catalogue(text);
    let names = tools.iter().map(|tool| tool["name"].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

#[expect(clippy::disallowed_methods, reason = "reads what the program wrote")]
fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).expect("a file")
}

/// What `validate` says of the starter policies with this catalogue.
fn validated(folder: &Folder, tools_json: &str) -> Ran {
    fs::create_dir_all(folder.path("policies")).expect("a folder");
    for name in ["10-roles.cedar", "entities.json"] {
        let from = format!("policies/{name}");
        fs::copy(&from, folder.path(&from)).expect("policies ship");
    }
    folder.write("policies/tools.json", tools_json);
    folder.write(
        "c.yaml",
        "authenticators: [{name: a, type: oidc, issuer: \"https://auth.example.com\"}]\n\
         resources: [{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}]\n\
         policies: {dir: policies, allow_warnings: [unknown-tool]}\n",
    );
    folder.run(&["validate", "--config", "c.yaml"])
}

/// A TypeScript server of the 1.x line.
struct Paged {
    _process: Process,
    port: u16,
}

impl Paged {
    fn start(arguments: &[&str]) -> Self {
        let mut command = tools().node("catalogue-server.mjs");
        let process = Process::spawn("catalogue server", command.args(arguments));
        let port = process.ready_port();
        Self {
            _process: process,
            port,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    fn ask(&self, path: &str) -> Value {
        let answer = Request::new("GET", path).send(self.port);
        answer.expect("an answer").json()
    }
}

#[test]
fn a_modern_server_is_asked_once_and_its_catalogue_is_valid() {
    let server = McpServer::start();
    let url = format!("http://127.0.0.1:{}/mcp", server.port());
    let folder = Folder::new();
    let ran = schema(&folder, &["--url", &url]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    assert_eq!(
        names(&ran.out),
        ["delete_station", "get_forecast", "set_alert"]
    );
    let tool = &catalogue(&ran.out)[2];
    assert_eq!(tool["server"], "weather");
    assert_eq!(tool["annotations"], json!({}));
    assert_eq!((&tool["labels"], &tool["groups"]), (&json!([]), &json!([])));
    assert_eq!(tool["tenant"], Value::Null);
    let threshold = &tool["inputSchema"]["properties"]["threshold"];
    assert_eq!(threshold["type"], "integer");

    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let head = requests.first().expect("a request");
    assert_eq!(head.header("mcp-protocol-version"), ["2026-07-28"]);
    assert_eq!(head.header("mcp-method"), ["tools/list"]);

    let ran = validated(&folder, &ran.out);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
}

#[test]
fn sessions_are_opened_read_page_by_page_and_closed() {
    for (arguments, sessions) in [
        (&["--tools", "7", "--page", "3"][..], true),
        (&["--tools", "7", "--page", "3", "--json"], true),
        (&["--tools", "7", "--page", "3", "--stateless"], false),
        (&["--tools", "2000", "--page", "500"], true),
    ] {
        let server = Paged::start(arguments);
        let folder = Folder::new();
        let ran = schema(&folder, &["--url", &server.url()]);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{arguments:?}: {ran:?}");
        let count: usize = arguments[1].parse().expect("a number");
        let listed = catalogue(&ran.out);
        assert_eq!(listed.len(), count);
        assert_eq!(listed[1]["title"], "Tool 1");
        assert_eq!(listed[1]["annotations"], json!({"readOnlyHint": false}));
        let log = server.ask("/_test/log");
        let log: Vec<(String, Option<String>, bool, u16)> =
            serde_json::from_value(log).expect("a log");
        let pages = count.div_ceil(arguments[3].parse().expect("a number"));
        let asked: Vec<&str> = log.iter().filter_map(|one| one.1.as_deref()).collect();
        assert_eq!(log.first().map(|one| one.3), Some(400), "{log:?}");
        let handshake = ["tools/list", "initialize", "notifications/initialized"];
        let expected = [&handshake[..], &vec!["tools/list"; pages]].concat();
        assert_eq!(asked, expected);
        let last = log.last().expect("a request");
        assert_eq!(
            (last.0 == "DELETE", last.2),
            (sessions, sessions),
            "{log:?}"
        );
        assert_eq!(server.ask("/_test/sessions"), 0);
    }
}

#[test]
fn an_api_key_is_sent_and_seen_by_nobody() {
    let server = Paged::start(&["--key", "s3cr3t-key"]);
    let folder = Folder::new();
    folder.write("key.txt", "s3cr3t-key\n");
    let ask = |header: &[&str]| {
        let mut arguments = vec!["--url".to_owned(), server.url()];
        arguments.extend(header.iter().map(|one| (*one).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        schema_with(&folder, &arguments, &[("API_KEY", "s3cr3t-key")])
    };
    for header in ["x-api-key: ${API_KEY}", "x-api-key: ${file:key.txt}"] {
        assert_eq!(ask(&["--header", header]).code, 0, "{header}");
    }
    let refused = ask(&[]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("401") && refused.err.contains("--token-env"),
        "{refused:?}"
    );
    let plain = ask(&["--header", "x-api-key: s3cr3t-key"]);
    assert_eq!(plain.code, 1);
    assert!(plain.err.contains("${file:PATH}"), "{plain:?}");
    for ran in [refused, plain] {
        assert!(!ran.err.contains("s3cr3t"), "{ran:?}");
    }
    let unset = schema(
        &folder,
        &["--url", &server.url(), "--token-env", "CEDARGATE_NO_SUCH"],
    );
    assert!(
        unset.err.contains("`CEDARGATE_NO_SUCH` is not set"),
        "{unset:?}"
    );
}

struct Protected {
    stack: Stack,
    _sidecar: Sidecar,
    _envoy: Envoy,
}

impl Protected {
    /// A server that only some may list, and only in these revisions.
    fn start(versions: &str) -> Self {
        let stack = Stack::start();
        let config = format!(
            "authenticators:\n  - {{name: corp, type: oidc, issuer: \"{}\", insecure_allow_http: true}}\n\
             resources:\n  - {{name: weather, url: \"{}\", kind: mcp, mcp: {{{versions}}}}}\n",
            stack.issuer.issuer(),
            stack.resource_url()
        );
        let only_scope = "@id(\"listing\")\nforbid(principal, action == Mcp::Action::\"tools/list\", resource)\n\
                          unless { principal.scopes.contains(\"mcp:read\") };\n";
        let sidecar = Sidecar::start_with(&config, &[("95-listing.cedar", only_scope)]);
        let envoy = stack.open(sidecar.grpc);
        Self {
            stack,
            _sidecar: sidecar,
            _envoy: envoy,
        }
    }

    fn list(&self, client: &str, scope: &str) -> Ran {
        let folder = Folder::new();
        let url = self.stack.resource_url();
        let token = self.stack.issuer.token(client, scope, &url);
        folder.write("token.txt", &format!("{token}\n"));
        schema(&folder, &["--url", &url, "--token-file", "token.txt"])
    }
}

#[test]
fn a_protected_server_wants_a_token_and_says_which() {
    let protected = Protected::start("");
    let ran = protected.list("svc-admin", "mcp:read");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(names(&ran.out).len(), 3);
    let folder = Folder::new();
    let url = protected.stack.resource_url();
    let stranger = schema(&folder, &["--url", &url]);
    assert_eq!((stranger.code, &*stranger.out), (1, ""));
    assert!(
        stranger.err.contains("401") && stranger.err.contains("--token-file"),
        "{stranger:?}"
    );
    let expired = schema_with(
        &folder,
        &["--url", &url, "--token-env", "TOKEN"],
        &[("TOKEN", "nonsense")],
    );
    assert_eq!(expired.code, 1);
    assert!(expired.err.contains("may have expired"), "{expired:?}");
    assert!(!expired.err.contains("nonsense"), "{expired:?}");
    let poor = protected.list("svc-admin", "");
    assert_eq!((poor.code, &*poor.out), (1, ""));
    assert!(poor.err.contains("403"), "{poor:?}");
}

#[test]
fn a_gateway_of_older_revisions_leads_to_the_handshake() {
    let protected = Protected::start("versions: [\"2025-11-25\"]");
    let ran = protected.list("svc-admin", "mcp:read");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(names(&ran.out).len(), 3);
    let requests = protected.stack.upstream.requests();
    let versions = requests
        .iter()
        .skip(1)
        .map(|one| one.header("mcp-protocol-version"));
    assert!(versions.clone().count() >= 2, "{requests:?}");
    assert!(
        versions.into_iter().all(|one| one == ["2025-11-25"]),
        "{requests:?}"
    );
}

fn page(tools: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
}

#[test]
fn a_real_server_that_changes_is_noticed() {
    let folder = Folder::new();
    let before = Paged::start(&["--tools", "3", "--page", "0"]);
    let made = schema(&folder, &["--url", &before.url(), "--out", "tools.json"]);
    assert_eq!(made.code, 0, "{made:?}");
    let same = schema(&folder, &["--url", &before.url(), "--check", "tools.json"]);
    assert_eq!((same.code, &*same.out), (0, "nothing has changed\n"));
    let after = Paged::start(&["--tools", "4", "--page", "2"]);
    let changed = schema(
        &folder,
        &[
            "--url",
            &after.url(),
            "--check",
            "tools.json",
            "--format",
            "json",
        ],
    );
    assert_eq!(changed.code, 1);
    let report: Value = serde_json::from_str(&changed.out).expect("JSON");
    let new =
        json!({"tool": "tool-3", "change": "new_tool", "annotations": {"readOnlyHint": false}});
    assert_eq!(report["changes"], json!([new]));
}

/// The commands that the documentation shows, in its order.
fn documented() -> Vec<Vec<String>> {
    let guide = include_str!("../policies/README.md");
    let lines = guide.lines();
    lines
        .filter_map(|line| line.strip_prefix("cedargate schema tools "))
        .map(|line| {
            let (plain, quoted) = line.split_once('\'').unwrap_or((line, ""));
            let (quoted, rest) = quoted.split_once('\'').unwrap_or(("", ""));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
            let mut arguments: Vec<String> = words(plain);
            if !quoted.is_empty() {
                arguments.push(quoted.to_owned());
            }
            arguments.extend::<Vec<String>>(words(rest));
            arguments
        })
        .collect()
}

#[test]
fn the_documented_commands_do_what_they_say() {
    let server = McpServer::start();
    let here = format!("http://127.0.0.1:{}/mcp", server.port());
    let folder = Folder::new();
    fs::create_dir(folder.path("policies")).expect("a folder");
    folder.write("list.json", &page(&json!([{"name": "another"}])));
    let variables = [("TOKEN", "t0ken"), ("API_KEY", "k3y")];
    let commands = documented();
    assert_eq!(commands.len(), 4);
    for arguments in &commands {
        let arguments = arguments.iter().map(|one| match one.as_str() {
            "http://127.0.0.1:8000/mcp" => &here,
            other => other,
        });
        let arguments: Vec<&str> = ["schema", "tools"].into_iter().chain(arguments).collect();
        let ran = folder.run_with(&arguments, "", &variables);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }
    let sent = server.requests();
    let sent: Vec<&str> = sent
        .iter()
        .flat_map(|one| [one.header("authorization"), one.header("x-api-key")].concat())
        .collect();
    assert_eq!(sent, ["Bearer t0ken", "k3y"]);
    assert_eq!(names(&read(&folder, "policies/tools.json")).len(), 3);
}
