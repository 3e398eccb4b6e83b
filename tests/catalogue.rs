//! `cedargate schema tools` against real MCP servers of both eras, and against some that mislead.

#![expect(
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use support::envoy::Envoy;
use support::fake_issuer::FakeIssuer;
use support::folder::Folder;
use support::folder::Ran;
use support::http::Request;
use support::lies;
use support::lies::JSON;
use support::lies::Lie;
use support::mcp::McpServer;
use support::process::Process;
use support::sidecar::Sidecar;
use support::stack::Stack;
use support::tools::tools;

const EVENTS: &str = "content-type: text/event-stream";

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
         resources: [{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}]\n",
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
    assert_eq!((ran.code, names(&ran.out).len()), (0, 3), "{ran:?}");
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
    let protected = Protected::start("versions: [\"2025-06-18\"]");
    let ran = protected.list("svc-admin", "mcp:read");
    assert_eq!((ran.code, names(&ran.out).len()), (0, 3), "{ran:?}");
    let requests = protected.stack.upstream.requests();
    let versions = requests
        .iter()
        .skip(1)
        .map(|one| one.header("mcp-protocol-version"));
    assert!(versions.clone().count() >= 2, "{requests:?}");
    assert!(
        versions.into_iter().all(|one| one == ["2025-06-18"]),
        "{requests:?}"
    );
}

fn page(tools: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string()
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Servers that mislead, and what is said of each.
fn liars() -> Vec<(Lie, &'static str)> {
    let good = page(&json!([{"name": "a"}]));
    let many = |count: usize| -> Value {
        (0..count)
            .map(|n| json!({"name": format!("t{n}")}))
            .collect()
    };
    let body = |what: &str, body: &str| Lie::body(what, "", body);
    let events =
        |what: &str, text: &str| Lie::new(what, "", lies::answer("200 OK", &[EVENTS], text));
    let html = lies::answer("200 OK", &["content-type: text/html"], "<html>");
    let to = ["location: https://evil.example/mcp?secret=1"];
    let redirect = lies::answer("302 Found", &to, "");
    vec![
        (
            Lie::new("HTML", "", html),
            "no MCP server: it answers 200 with `text/html`",
        ),
        (
            Lie::new("a redirect", "", redirect),
            "leads to `https://evil.example/mcp`;",
        ),
        (
            Lie::endless("100 MB", "", lies::head("200 OK", &[JSON]), " "),
            "larger than 8388608 bytes",
        ),
        (
            Lie::endless(
                "100 MB of events",
                "",
                lies::head("200 OK", &[EVENTS]),
                ": ping\n\n",
            ),
            "larger than 8388608 bytes",
        ),
        (
            Lie::new(
                "an announced 100 MB",
                "",
                lies::head("200 OK", &[JSON, "content-length: 104857600"]),
            ),
            "larger than 8388608 bytes",
        ),
        (
            body("a wrong id", &good.replace("\"id\":1", "\"id\":2")),
            "answers another request",
        ),
        (
            events("half an event", &format!("data: {good}\n")),
            "ends before the answer",
        ),
        (
            events("half an answer", "data: {\"jsonrpc\":\n\n"),
            "not well-formed JSON",
        ),
        (
            body("10,001 tools", &page(&many(10_001))),
            "more than 10000 tools",
        ),
        (
            body(
                "10,000 tools with names",
                &page(
                    &(0..10_000)
                        .map(|n| json!({"name": format!("{n:0>200}")}))
                        .collect(),
                ),
            ),
            "a file of the policy directory holds 1048576",
        ),
        (
            body(
                "one name twice",
                &page(&json!([{"name": "a"}, {"name": "b"}, {"name": "a"}])),
            ),
            "two tools are named `a`",
        ),
        (
            body(
                "one evil name twice",
                &page(&json!([{"name": "\u{1b}[2J"}, {"name": "\u{1b}[2J"}])),
            ),
            "two tools are named `\\u001b[2J`",
        ),
        (
            body("a number as name", &page(&json!([{"name": 7}]))),
            "tool number 1 has no name",
        ),
        (
            body("a list as name", &page(&json!([{"name": ["a"]}]))),
            "tool number 1 has no name",
        ),
        (
            body("no name", &page(&json!([{}]))),
            "tool number 1 has no name",
        ),
        (
            body("a long name", &page(&json!([{"name": "n".repeat(257)}]))),
            "longer than 256 bytes",
        ),
        (
            body(
                "a hint in words",
                &page(&json!([{"name": "a", "annotations": {"readOnlyHint": "yes"}}])),
            ),
            "`readOnlyHint` of tool `a` is not true or false",
        ),
        (
            body(
                "a name twice in a tool",
                &good.replace("{\"name\":\"a\"}", "{\"name\":\"a\",\"name\":\"b\"}"),
            ),
            "an object repeats a member",
        ),
        (
            body(
                "an error that obeys nobody",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"\u001b]0;x\u0007"}}"#,
            ),
            "\\u001b]0;x\\u0007 (-32022)",
        ),
        (Lie::new("nothing", "", ""), "is the server running there?"),
        (Lie::new("no HTTP", "", "hello\r\n\r\n"), "no answer"),
    ]
}

#[test]
fn who_misleads_is_told_apart_and_believed_nothing() {
    for (lie, told) in liars() {
        let lie = Arc::new(lie);
        let telling = Arc::clone(&lie);
        let server = FakeIssuer::start_reading_at(0, move |_, stream| {
            telling.tell(stream);
        });
        let url = format!("http://127.0.0.1:{}/mcp", server.port());
        let folder = Folder::new();
        folder.write("tools.json", "{\"tools\": []}");
        let ran = schema(&folder, &["--url", &url, "--out", "tools.json"]);
        assert_eq!((ran.code, &*ran.out), (1, ""), "{}: {ran:?}", lie.what);
        assert!(
            ran.err.contains(told),
            "{}: {ran:?} has no {told}",
            lie.what
        );
        let control = ran.err.trim_end().chars().any(char::is_control);
        assert!(!control, "{}: {ran:?}", lie.what);
        assert_eq!(
            read(&folder, "tools.json"),
            "{\"tools\": []}",
            "{}",
            lie.what
        );
    }
}

/// Answers a page that leads on, whatever it is asked for; the cursor is made from the number of the request.
fn endless(
    cursor: impl Fn(usize) -> String + Send + Sync + 'static,
) -> (FakeIssuer, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = FakeIssuer::start_reading_at(0, move |body, stream: &mut TcpStream| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let id = serde_json::from_str::<Value>(body).map(|message| message.get("id").cloned());
        let page = json!({"jsonrpc": "2.0", "id": id.ok().flatten(), "result": {
            "tools": [{"name": format!("t{number}")}], "nextCursor": cursor(number)}});
        drop(stream.write_all(&lies::answer("200 OK", &[JSON], page.to_string())));
    });
    (server, asked)
}

#[test]
fn cursors_without_an_end_come_to_one() {
    let ask = |server: &FakeIssuer| {
        let url = format!("http://127.0.0.1:{}/mcp", server.port());
        schema(&Folder::new(), &["--url", &url])
    };
    let (circle, asked) = endless(|number| (number % 3).to_string());
    let ran = ask(&circle);
    assert_eq!((ran.code, asked.load(Ordering::SeqCst)), (1, 4), "{ran:?}");
    assert!(ran.err.contains("leads back to a page"), "{ran:?}");
    let (line, asked) = endless(|number| number.to_string());
    let ran = ask(&line);
    assert_eq!(
        (ran.code, asked.load(Ordering::SeqCst)),
        (1, 1_001),
        "{ran:?}"
    );
    assert!(ran.err.contains("more than 1000 pages"), "{ran:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long it waits")]
fn a_slow_drip_is_left_in_time() {
    let server = FakeIssuer::start_reading_at(0, |_, stream| {
        drop(stream.write_all(&lies::head("200 OK", &[EVENTS])));
        while stream.write_all(b":\n").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let url = format!("http://127.0.0.1:{}/mcp", server.port());
    let began = Instant::now();
    let ran = schema(&Folder::new(), &["--url", &url, "--timeout", "2s"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`--timeout` waits longer"), "{ran:?}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_name_that_a_terminal_obeys_is_kept_exactly_and_shown_harmlessly() {
    let name = "\u{1b}[2J\u{202e}é";
    let folder = Folder::new();
    folder.write(
        "list.json",
        &json!([{"name": name, "title": "\u{7}"}]).to_string(),
    );
    let ran = schema(&folder, &["--file", "list.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.out.contains(['\u{1b}', '\u{202e}', '\u{7}']),
        "{ran:?}"
    );
    assert_eq!(names(&ran.out), [name]);
    let made = ran.out;
    assert_eq!(validated(&folder, &made).code, 0);
    folder.write("c.json", &made);
    let ran = schema(&folder, &["--file", "list.json", "--check", "c.json"]);
    assert_eq!(
        (ran.code, &*ran.out),
        (0, "nothing has changed\n"),
        "{ran:?}"
    );
    folder.write("none.json", "[]");
    let ran = schema(&folder, &["--file", "none.json", "--check", "c.json"]);
    assert_eq!(ran.out, "`\\u001b[2J\\u202eé`: no longer listed\n");
}

fn saved(read_only: bool, arguments: &Value) -> String {
    let tools = json!([
        {"name": "get", "annotations": {"readOnlyHint": read_only},
         "inputSchema": {"type": "object", "properties": arguments}},
        {"name": "put", "annotations": {"readOnlyHint": !read_only}},
    ]);
    page(&tools)
}

#[test]
#[expect(clippy::too_many_lines, reason = "the life of one file")]
fn a_catalogue_is_updated_without_losing_what_the_operator_said() {
    let folder = Folder::new();
    folder.write("list.json", &saved(true, &json!({"a": {"type": "string"}})));
    let ran = schema(&folder, &["--file", "list.json", "--out", "tools.json"]);
    assert_eq!((ran.code, &*ran.out), (0, ""), "{ran:?}");
    assert!(
        ran.err.contains("tools.json: 2 tools of `weather`"),
        "{ran:?}"
    );
    let mut file: Value = serde_json::from_str(&read(&folder, "tools.json")).expect("JSON");
    let first = file["tools"][0].as_object_mut().expect("a tool");
    first.insert("labels".to_owned(), json!(["public"]));
    first.insert("tenant".to_owned(), json!("acme"));
    let list = file["tools"].as_array_mut().expect("a list");
    list.push(json!({"server": "other", "name": "x", "annotations": {"openWorldHint": false}}));
    list.push(json!({"server": "weather", "name": "old", "groups": ["g"]}));
    folder.write("tools.json", &file.to_string());

    // Both change their hints: one way is taken over, the other is not.
    folder.write(
        "now.json",
        &saved(false, &json!({"a": {"type": "integer"}, "b": {}})),
    );
    let check = schema(&folder, &["--file", "now.json", "--check", "tools.json"]);
    let report = "\
`get`: no longer read-only (readOnlyHint true -> false)
`get`: destructive now (destructiveHint false -> true)
`put`: says that it is read-only now (readOnlyHint false -> true)
`put`: says that it is not destructive any more (destructiveHint true -> false)
`get`: argument `a` has another type: `string` -> `integer`
`get`: new optional argument `b`
`old`: no longer listed
";
    assert_eq!((check.code, &*check.out), (1, report), "{check:?}");
    let ran = schema(&folder, &["--file", "now.json", "--out", "tools.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in report.lines() {
        assert!(ran.err.contains(line), "{line}: {}", ran.err);
    }
    assert_eq!(ran.err.matches("left as it was").count(), 2, "{}", ran.err);
    assert_eq!(
        ran.err.matches("`--prune` removes it").count(),
        1,
        "{}",
        ran.err
    );
    let updated = read(&folder, "tools.json");
    let tools: BTreeMap<String, Value> = names(&updated)
        .into_iter()
        .zip(catalogue(&updated))
        .collect();
    assert_eq!(tools.keys().collect::<Vec<_>>(), ["get", "old", "put", "x"]);
    assert_eq!(tools["get"]["annotations"], json!({"readOnlyHint": false}));
    assert_eq!(tools["get"]["labels"], json!(["public"]));
    assert_eq!(tools["get"]["tenant"], "acme");
    assert_eq!(tools["put"]["annotations"], json!({"readOnlyHint": false}));
    assert_eq!(
        tools["x"],
        json!({"server": "other", "name": "x", "annotations": {"openWorldHint": false}})
    );
    assert_eq!(tools["old"]["groups"], json!(["g"]));

    let permitted = [
        "--file",
        "now.json",
        "--out",
        "tools.json",
        "--accept-safer",
        "--prune",
    ];
    assert_eq!(schema(&folder, &permitted).code, 0);
    let check = schema(
        &folder,
        &[
            "--file",
            "now.json",
            "--check",
            "tools.json",
            "--format",
            "json",
        ],
    );
    assert_eq!(check.code, 0, "{check:?}");
    let report: Value = serde_json::from_str(&check.out).expect("JSON");
    assert_eq!(
        report,
        json!({"server": "weather", "changed": false, "changes": []})
    );
    assert_eq!(names(&read(&folder, "tools.json")), ["x", "get", "put"]);
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

#[test]
fn wrong_usage_is_refused_before_anybody_is_asked() {
    let folder = Folder::new();
    folder.write("list.json", "[]");
    folder.write("bad.json", "{\"tools\": [{}]}");
    for (arguments, code, told) in [
        (&[][..], 2, "--url"),
        (
            &["--url", "http://127.0.0.1:1/", "--file", "x"],
            2,
            "cannot be used with",
        ),
        (&["--url", "127.0.0.1:1"], 2, "write a whole URL"),
        (
            &["--file", "list.json", "--check", "a", "--out", "b"],
            2,
            "cannot be used with",
        ),
        (&["--file", "list.json", "--format", "json"], 2, "--check"),
        (
            &["--url", "http://mcp.example.com/mcp"],
            1,
            "`--insecure-allow-http` sends",
        ),
        (&["--file", "none.json"], 1, "cannot read `none.json`"),
        (
            &["--file", "list.json", "--check", "none.json"],
            1,
            "cannot read `none.json`",
        ),
        (
            &["--file", "list.json", "--merge", "bad.json"],
            1,
            "the form of a catalogue",
        ),
        (
            &["--file", "list.json", "--out", "none/x.json"],
            1,
            "cannot write `none/x.json`",
        ),
    ] {
        let ran = schema(&folder, arguments);
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(told), "{arguments:?}: {ran:?}");
    }
    let piped = folder.run_with(
        &["schema", "tools", "--server", "weather", "--file", "-"],
        "{\"tools\": []}",
        &[],
    );
    assert_eq!((piped.code, &*piped.out), (0, "{\n  \"tools\": []\n}\n"));
}
