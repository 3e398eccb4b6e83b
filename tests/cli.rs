//! The command line as a stranger meets it: exit codes, messages, help and listeners of the real program.

#![expect(
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use cedargate::proto::envoy::service::auth::v3::CheckRequest;
use cedargate::proto::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::Value;
use support::envoy::poll;
use support::folder::copy_policies;
use support::port;
use support::process::Process;
use support::process::READY;
use support::sidecar::PROGRAM;
use support::sidecar::Sidecar;
use support::tokens::Key;
use tempfile::TempDir;

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// A folder with a configuration and the starter policies.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let shipped = Path::new("deploy/envoy/cedargate.yaml");
        fs::copy(shipped, folder.path("cedargate.yaml")).expect("the configuration ships");
        copy_policies(&folder.path("policies"));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// The program, in this folder, with none of its variables set.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.0.path());
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }
}

const VARIABLES: [&str; 10] = [
    "CEDARGATE_CONFIG",
    "CEDARGATE_ERROR_FORMAT",
    "CEDARGATE_POLICIES_DIR",
    "CEDARGATE_LISTEN_GRPC",
    "CEDARGATE_LISTEN_HTTP",
    "CEDARGATE_LISTEN_PUBLIC",
    "CEDARGATE_LISTEN_ADMIN",
    "CEDARGATE_LOG_LEVEL",
    "CEDARGATE_LOG_FORMAT",
    "NO_COLOR",
];

fn ran(command: &mut Command) -> Ran {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

const BAD_CONFIG: &str = "listen:\n  grcp: 127.0.0.1:1\n\
    authenticators: [{name: corp, type: oidc, issuer: \"https://auth.example.com\"}]\n\
    resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mpc}]\n";
const BAD_POLICY: &str = "@id(\"a\")\npermit(principal, action, resource)\nwhen { principal.rols };\n\
    permit(principal, action, resource);\n";

#[test]
fn validate_says_that_a_good_set_is_good() {
    let ran = Folder::new().run(&["validate"]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
    assert_eq!(ran.out, "cedargate.yaml: valid, 7 policies\n");
}

#[test]
fn validate_reports_every_fault_of_the_configuration_and_of_the_policies() {
    let folder = Folder::new();
    folder.write("cedargate.yaml", BAD_CONFIG);
    folder.write("policies/a.cedar", BAD_POLICY);
    let ran = folder.run(&["validate"]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    insta::assert_snapshot!(ran.err, @r#"
    error: unknown key `grcp`
     --> cedargate.yaml:2:3
      |
    2 |   grcp: 127.0.0.1:1
      |   ^^^^
      |
      = help: did you mean `grpc`?

    error: `mpc` is not known here
     --> cedargate.yaml:4:69
      |
    4 | resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mpc}]
      |                                                                     ^^^
      |
      = help: did you mean `mcp`?

    error: the policy has no `@id`
     --> policies/a.cedar:4:1
      |
    4 | permit(principal, action, resource);
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `@id("a-unique-name")` in front of it; logs and tests name it so

    error: for policy `a`, attribute `rols` on entity type `Mcp::Anonymous` not found
     --> policies/a.cedar:3:8
      |
    3 | when { principal.rols };
      |        ^^^^^^^^^^^^^^
      |
      = help: did you mean `scopes`?

    4 errors
    "#);
}

#[test]
fn validate_reports_to_programs_as_one_json_object_a_line() {
    let folder = Folder::new();
    folder.write("cedargate.yaml", BAD_CONFIG);
    folder.write("policies/a.cedar", BAD_POLICY);
    let ran = folder.run(&["validate", "--error-format", "json"]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    let faults: Vec<Value> = ran
        .err
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    let places: Vec<String> = faults
        .iter()
        .map(|fault| {
            format!(
                "{}:{}:{}",
                fault["file"].as_str().unwrap_or(""),
                fault["line"],
                fault["column"]
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            "cedargate.yaml:2:3",
            "cedargate.yaml:4:69",
            "policies/a.cedar:4:1",
            "policies/a.cedar:3:8"
        ]
    );
}

#[test]
fn validate_looks_where_the_policies_are_or_says_nothing_of_them() {
    let folder = Folder::new();
    folder.write("elsewhere/a.cedar", BAD_POLICY);
    let named = |dir: &str| format!("{BAD_CONFIG}policies: {{dir: {dir}}}\n");
    for (config, arguments, files) in [
        (
            named("elsewhere"),
            &["validate"][..],
            vec!["elsewhere/a.cedar"; 2],
        ),
        (named("[elsewhere]"), &["validate"], vec![]),
        (named("gone"), &["validate"], vec!["gone"]),
        (named("\"${NOT_SET_ANYWHERE}\""), &["validate"], vec![]),
        ("{".to_owned(), &["validate"], vec![]),
        (
            named("gone"),
            &["validate", "--policies-dir", "elsewhere"],
            vec!["elsewhere/a.cedar"; 2],
        ),
    ] {
        folder.write("cedargate.yaml", &config);
        let mut arguments = arguments.to_vec();
        arguments.extend(["--error-format", "json"]);
        let ran = folder.run(&arguments);
        assert_eq!(ran.code, 3);
        let seen: Vec<String> = ran
            .err
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["file"].to_string())
            .filter(|file| file != "\"cedargate.yaml\"")
            .collect();
        let files: Vec<String> = files.iter().map(|file| format!("\"{file}\"")).collect();
        assert_eq!(seen, files, "{config}{}", ran.err);
    }
}

#[test]
fn a_missing_configuration_is_named_by_every_command_that_reads_one() {
    let folder = Folder::new();
    for command in ["serve", "validate", "health"] {
        let ran = folder.run(&[command, "--config", "gone.yaml"]);
        assert_eq!((ran.code, &*ran.out), (3, ""), "{command}");
        assert!(
            ran.err.contains("cannot read `gone.yaml`: No such file"),
            "{}",
            ran.err
        );
    }
    let arguments = ["check", "--config", "gone.yaml", "--tool", "weather/x"];
    assert_eq!(folder.run(&arguments).code, 3);
}

#[test]
fn check_decides_by_flags() {
    let folder = Folder::new();
    let viewer = ["check", "--role", "viewer", "--tool"];
    let ran = folder.run(&[&viewer[..], &["weather/get_forecast"]].concat());
    assert_eq!((ran.code, &*ran.err), (0, ""));
    insta::assert_snapshot!(ran.out, @r#"
    allow
      action  tools/call
      target  Mcp::Tool::"weather/get_forecast"
      policy  viewer-reads (10-roles.cedar:3)

    forbids that do not hold, the nearest first
      forbid no-destructive-without-admin (90-forbid.cedar:3)
        "Only an admin may call a tool that destroys something."
        resource.destructiveHint is false
    "#);
    let ran = folder.run(&[&viewer[..], &["weather/delete_station"]].concat());
    assert_eq!((ran.code, &*ran.err), (5, ""));
    insta::assert_snapshot!(ran.out, @r#"
    deny: not_permitted
      requires any of roles [admin], but client has [viewer]; forbidden by policy no-destructive-without-admin: Only an admin may call a tool that destroys something.
      action  tools/call
      target  Mcp::Tool::"weather/delete_station"
      policy  no-destructive-without-admin (90-forbid.cedar:3)

    decided by
      forbid no-destructive-without-admin (90-forbid.cedar:3)
        "Only an admin may call a tool that destroys something."
        resource.destructiveHint is true
        principal in Mcp::Role::"admin" is false
          the caller's roles  [viewer]

    permits that do not hold, the nearest first
      permit admin-everything (10-roles.cedar:17)
        principal in Mcp::Role::"admin" is false
          the caller's roles  [viewer]
      permit scope-reads (20-scopes.cedar:2)
        resource == Mcp::Tool::"weather/get_forecast" is false
          resource  Mcp::Tool::"weather/delete_station"
      permit scope-writes (20-scopes.cedar:10)
        resource == Mcp::Tool::"weather/set_alert" is false
          resource  Mcp::Tool::"weather/delete_station"
      permit viewer-reads (10-roles.cedar:3)
        resource == Mcp::Tool::"weather/get_forecast" is false
          resource  Mcp::Tool::"weather/delete_station"
      permit editor-writes (10-roles.cedar:10)
        principal in Mcp::Role::"editor" is false
          the caller's roles  [viewer]
        resource == Mcp::Tool::"weather/set_alert" is false
          resource  Mcp::Tool::"weather/delete_station"

    what would help
      the role admin
    "#);
}

#[test]
fn check_prints_a_json_object() {
    let folder = Folder::new();
    let lacking = [
        "check",
        "--json",
        "--subject",
        "a",
        "--tool",
        "weather/set_alert",
    ];
    let ran = folder.run(&lacking);
    assert_eq!((ran.code, &*ran.err), (5, ""));
    let said: Value = serde_json::from_str(&ran.out).expect("a JSON object");
    assert_eq!(said["decision"], "deny");
    assert_eq!(said["reason"], "insufficient_scope");
    assert_eq!(
        said["required_scopes"],
        serde_json::json!(["weather:write"])
    );
}

#[test]
fn check_adds_the_facts_of_the_policy_folder() {
    let folder = Folder::new();
    let check = |subject: &str| {
        let who = ["--issuer", "https://auth.example.com", "--subject", subject];
        let what = ["--tool", "weather/get_forecast"];
        let ran = folder.run(&[&["check"][..], &who, &what].concat());
        ran.code
    };
    assert_eq!((check("alice"), check("bob")), (5, 5));
    let facts = "users: {\"https://auth.example.com#alice\": {roles: [viewer]}}\n";
    folder.write("policies/principals.yaml", facts);
    assert_eq!((check("alice"), check("bob")), (0, 5));
    folder.write("policies/principals.yaml", "users: {alice: {}}\n");
    assert_eq!(check("alice"), 3);
    let ran = folder.run(&["validate"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("principals.yaml:1:9"), "{}", ran.err);
}

#[test]
fn check_decides_by_a_request_file_or_standard_input() {
    let folder = Folder::new();
    let request = "principal: {subject: alice, roles: [editor]}\ntool: weather/set_alert\n";
    folder.write("request.yaml", request);
    assert_eq!(folder.run(&["check", "--request", "request.yaml"]).code, 0);
    let mut child = folder
        .command(&["check", "--request", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("standard input is piped");
    let anonymous = br#"{"principal": {"type": "Anonymous"}, "tool": "weather/get_forecast"}"#;
    input.write_all(anonymous).expect("it reads");
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(5));
}

#[test]
fn check_takes_no_arguments_with_two_readings() {
    let twice = r#"{"a": [{"b": 1, "b": 2}]}"#;
    let ran = Folder::new().run(&["check", "--tool", "weather/x", "--arguments", twice]);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("repeats a member"), "{}", ran.err);
}

#[test]
fn check_says_what_is_wrong_with_the_question() {
    let folder = Folder::new();
    folder.write(
        "misspelt.yaml",
        "tool: weather/x\nprincipal: {rols: [viewer]}\n",
    );
    folder.write("two.yaml", "{tool: weather/x, prompt: weather/y}");
    for (arguments, says) in [
        (&["check"][..], "as in `--tool weather/get_forecast`"),
        (&["check", "--tool", "x"], "`x` is not `<resource>/<name>`"),
        (
            &["check", "--tool", "wether/x"],
            "no resource of the configuration is named `wether`; there is `weather`",
        ),
        (&["check", "--server", "weather"], "needs an action"),
        (
            &["check", "--tool", "weather/x", "--claim", "a"],
            "NAME=VALUE",
        ),
        (
            &["check", "--tool", "weather/x", "--arguments", "[1]"],
            "not a JSON object",
        ),
        (
            &["check", "--tool", "weather/x", "--request", "y"],
            "cannot be used with",
        ),
        (
            &["check", "--request", "gone.yaml"],
            "`gone.yaml` cannot be read: No such file",
        ),
        (
            &["check", "--request", "misspelt.yaml"],
            " --> misspelt.yaml:2:13\n",
        ),
        (
            &["check", "--request", "misspelt.yaml"],
            "unknown field `rols`",
        ),
        (
            &["check", "--request", "two.yaml"],
            "`two.yaml`: name only one of",
        ),
        (&["chekc"], "unrecognized subcommand"),
        (&[], "Usage: cedargate"),
        (&["validate", "--confg", "x"], "'--config'"),
        (
            &["health", "--address", "localhost:1"],
            "neither an IP address and a port",
        ),
    ] {
        let ran = folder.run(arguments);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
    folder.write("policies/a.cedar", BAD_POLICY);
    let ran = folder.run(&["check", "--tool", "weather/x"]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    assert!(ran.err.contains("policies/a.cedar:3:8"), "{}", ran.err);
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let folder = Folder::new();
    let text = "listen: {admin: \"127.0.0.1:1001\"}\nlog: {level: warn}\npolicies: {dir: one}\n\
        authenticators: [{name: corp, type: oidc, issuer: \"https://auth.example.com\"}]\n\
        resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]\n";
    folder.write("other.yaml", text);
    let has = |ran: &Ran, lines: &[&str]| {
        assert_eq!((ran.code, &*ran.err), (0, ""));
        for line in lines {
            assert!(ran.out.contains(line), "{line} is not in {}", ran.out);
        }
    };
    let print = ["serve", "--print-config"];
    let file = ["admin: \"127.0.0.1:1001\"", "level: warn", "dir: one"];
    has(
        &ran(folder.command(&print).env("CEDARGATE_CONFIG", "other.yaml")),
        &file,
    );
    let mut command = folder.command(&print);
    command.envs([
        ("CEDARGATE_CONFIG", "other.yaml"),
        ("CEDARGATE_LISTEN_GRPC", "unix:/run/grpc"),
        ("CEDARGATE_LISTEN_HTTP", "127.0.0.1:2001"),
        ("CEDARGATE_LISTEN_PUBLIC", "127.0.0.1:2002"),
        ("CEDARGATE_LISTEN_ADMIN", "127.0.0.1:2003"),
        ("CEDARGATE_LOG_LEVEL", "debug"),
        ("CEDARGATE_LOG_FORMAT", "text"),
        ("CEDARGATE_POLICIES_DIR", "two"),
    ]);
    let environment = [
        "grpc: \"unix:/run/grpc\"",
        "http: \"127.0.0.1:2001\"",
        "public: \"127.0.0.1:2002\"",
        "admin: \"127.0.0.1:2003\"",
        "level: debug",
        "format: text",
        "dir: two",
    ];
    has(&ran(&mut command), &environment);
    command.args(["--listen-admin", "127.0.0.1:3003", "--log-level", "error"]);
    command.args(["--policies-dir", "three", "--listen-grpc", "127.0.0.1:3000"]);
    let flags = [
        "grpc: \"127.0.0.1:3000\"",
        "admin: \"127.0.0.1:3003\"",
        "level: error",
        "dir: three",
    ];
    has(&ran(&mut command), &flags);
    assert_eq!(ran(command.args(["--config", "gone.yaml"])).code, 3);
}

#[test]
fn print_config_shows_no_secret() {
    let folder = Folder::new();
    let secrets = ["plain-secret-in-the-file", "secret-of-the-environment"];
    let text = format!(
        "listen: {{shared_secret: {}}}\nadmin: {{token: \"${{ADMIN_TOKEN}}\"}}\n\
         authenticators: [{{name: corp, type: oidc, issuer: \"https://auth.example.com\"}}]\n\
         resources: [{{name: weather, url: https://mcp.example.com/mcp, kind: mcp}}]\n",
        secrets[0]
    );
    folder.write("cedargate.yaml", &text);
    let mut command = folder.command(&["serve", "--print-config"]);
    let shown = ran(command.env("ADMIN_TOKEN", secrets[1]));
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.contains("shared_secret: ") && shown.out.contains("token: "));
    for secret in secrets {
        assert!(
            !(shown.out.clone() + &shown.err).contains(secret),
            "{shown:?}"
        );
    }
}

#[test]
fn serve_says_why_it_does_not_start() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken
        .local_addr()
        .map(|at| (at.to_string(), taken))
        .expect("an address");
    folder.write("text", "not a socket");
    let text = format!("unix:{}", folder.path("text").display());
    for (arguments, code, says) in [
        (
            ["--listen-http", &*taken.0],
            1,
            format!(
                "the `http` listener cannot be opened; `listen.http` or `--listen-http` names \
                     another place: cannot listen at `{}`: Address already in use",
                taken.0
            ),
        ),
        (
            ["--listen-grpc", &text],
            1,
            "there is a file that is not a socket".to_owned(),
        ),
        (
            ["--listen-grpc", "unix:/gone/x"],
            1,
            "`unix:/gone/x`: No such file".to_owned(),
        ),
        (["--listen-admin", ""], 3, "--listen-admin:1:1".to_owned()),
        (
            ["--policies-dir", "gone"],
            3,
            "--> gone\n = help: `policies.dir`".to_owned(),
        ),
        (["--policies-dir", "text"], 3, "--> text\n".to_owned()),
    ] {
        // Free ports for the others.
        let mut command = folder.command(&["serve"]);
        for listener in ["GRPC", "HTTP", "ADMIN"] {
            command.env(format!("CEDARGATE_LISTEN_{listener}"), "127.0.0.1:0");
        }
        let ran = ran(command.args(arguments));
        assert_eq!(
            (ran.code, &*ran.out),
            (code, ""),
            "{arguments:?}: {}",
            ran.err
        );
        assert!(ran.err.contains(&says), "{arguments:?}: {}", ran.err);
    }
    let kept = folder.path("text").metadata().expect("it is still there");
    assert!(kept.is_file());
}

#[test]
fn health_tells_ready_from_unready_from_absent() {
    let folder = Folder::new();
    let ask = |port: u16| folder.run(&["health", "--address", &format!("127.0.0.1:{port}")]);
    let resources = "resources: [{name: weather, url: https://mcp.example.com/mcp, kind: mcp}]\n";
    let ready = Sidecar::start(&format!(
        "authenticators:\n{}{resources}",
        Key::new().authenticator()
    ));
    let ran = ask(ready.admin);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "ready\n", ""));
    // By the configuration, too.
    let config = ready.policies().with_file_name("cedargate.yaml");
    let config = config.display().to_string();
    assert_eq!(folder.run(&["health", "--config", &config]).code, 0);

    let nobody = port::free();
    let unready = Sidecar::launch(&format!(
        "authenticators:\n- {{name: corp, type: oidc, issuer: \"http://127.0.0.1:{nobody}\", \
         insecure_allow_http: true}}\n{resources}"
    ));
    let seen = poll(READY, || {
        ask(unready.admin)
            .err
            .contains("is not ready; it is starting")
    });
    assert!(seen, "{:?}", ask(unready.admin));
    assert_eq!(ask(unready.admin).code, 1);

    let ran = ask(nobody);
    assert_eq!((ran.code, &*ran.out), (1, ""));
    assert!(
        ran.err
            .contains("is `cedargate serve` running there?: Connection refused"),
        "{}",
        ran.err
    );
}

/// Asks over a Unix socket and returns the status line.
fn ask(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the socket is served");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: mcp.example.com\r\nconnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

fn check_over(socket: PathBuf) -> i32 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async move {
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move {
                let stream = tokio::net::UnixStream::connect(socket).await?;
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
            }
        });
        let endpoint = tonic::transport::Endpoint::from_static("http://sidecar");
        let channel = endpoint
            .connect_with_connector(connector)
            .await
            .expect("a connection");
        let answer = AuthorizationClient::new(channel)
            .check(CheckRequest::default())
            .await;
        let status = answer.expect("never an RPC error").into_inner().status;
        status.expect("a status").code
    })
}

const SOCKETS: [&str; 4] = ["grpc", "http", "public", "admin"];

/// `serve` with every listener at a Unix socket of its name, and nothing to fetch before it is ready.
fn serve_at(folder: &Folder) -> Command {
    let text = format!(
        "listen: {{drain: 0s}}\nauthenticators:\n{}resources:\n\
         - {{name: weather, url: https://mcp.example.com/mcp, kind: mcp}}\n",
        Key::new().authenticator()
    );
    folder.write("cedargate.yaml", &text);
    let mut command = folder.command(&["serve"]);
    for name in SOCKETS {
        let address = format!("unix:{}", folder.path(name).display());
        command.arg(format!("--listen-{name}")).arg(address);
    }
    command
}

#[test]
fn every_listener_can_be_a_unix_socket() {
    let folder = Folder::new();
    // A socket's file that nobody listens at any more.
    drop(UnixListener::bind(folder.path("grpc")).expect("a socket"));
    let mut first = Process::spawn("cedargate", &mut serve_at(&folder));
    let admin = format!("unix:{}", folder.path("admin").display());
    let ready = poll(READY, || {
        folder.run(&["health", "--address", &admin]).code == 0
    });
    assert!(ready, "{}", first.stderr().text());

    assert_ne!(
        check_over(folder.path("grpc")),
        0,
        "an empty request is refused, with an answer"
    );
    assert_eq!(
        ask(&folder.path("http"), "/check"),
        "HTTP/1.1 400 Bad Request"
    );
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    assert_eq!(ask(&folder.path("public"), metadata), "HTTP/1.1 200 OK");
    assert_eq!(ask(&folder.path("admin"), "/readyz"), "HTTP/1.1 200 OK");
    for name in SOCKETS {
        let mode = folder
            .path(name)
            .metadata()
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o660, "{name}");
    }

    // One that is served is not taken away.
    let second = ran(&mut serve_at(&folder));
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains("the `grpc` listener cannot be opened"),
        "{}",
        second.err
    );
    assert!(
        second.err.contains("Address already in use"),
        "{}",
        second.err
    );
    assert_eq!(ask(&folder.path("admin"), "/readyz"), "HTTP/1.1 200 OK");

    first.signal("TERM");
    let ended = first.wait(Duration::from_secs(20)).expect("it ends");
    assert_eq!(ended.code(), Some(0));
    for name in SOCKETS {
        assert!(!folder.path(name).exists(), "{name} is left behind");
    }
}

#[test]
fn the_schemas_are_those_that_the_program_uses() {
    let folder = Folder::new();
    let cedar = folder.run(&["schema", "cedar"]);
    assert_eq!(cedar.code, 0);
    assert_eq!(cedar.out, include_str!("../policies/schema.cedarschema"));
    let config = folder.run(&["schema", "config"]);
    assert_eq!(config.code, 0);
    let schema: Value = serde_json::from_str(&config.out).expect("JSON");
    for text in [
        include_str!("../deploy/envoy/cedargate.yaml"),
        include_str!("fixtures/config/full.yaml"),
    ] {
        let file: Value = serde_saphyr::from_str(text).expect("YAML");
        assert_eq!(unknown(&[&schema], &file, ""), Vec::<String>::new());
    }
    let misspelt = serde_json::json!({"listen": {"grcp": "x"}, "resources": [{"nam": 1}]});
    assert_eq!(
        unknown(&[&schema], &misspelt, ""),
        ["/listen/grcp", "/resources/nam"]
    );
}

/// The keys of `file` that no branch of the schema names.
fn unknown(schemas: &[&Value], file: &Value, at: &str) -> Vec<String> {
    let mut branches = Vec::new();
    let mut open = schemas.to_vec();
    while let Some(schema) = open.pop() {
        for word in ["oneOf", "anyOf", "allOf"] {
            open.extend(schema[word].as_array().into_iter().flatten());
        }
        branches.push(schema);
    }
    match file {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let at = format!("{at}/{name}");
                let below: Vec<&Value> = branches
                    .iter()
                    .filter_map(|schema| {
                        let free = Some(&schema["additionalProperties"]);
                        let free = free.filter(|schema| schema.is_object());
                        schema["properties"].get(name).or(free)
                    })
                    .collect();
                if below.is_empty() {
                    return vec![at];
                }
                unknown(&below, value, &at)
            })
            .collect(),
        Value::Array(items) => {
            let below: Vec<&Value> = branches.iter().filter_map(|s| s.get("items")).collect();
            items
                .iter()
                .flat_map(|item| unknown(&below, item, at))
                .collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let folder = Folder::new();
    let version = env!("CARGO_PKG_VERSION");
    for arguments in [&["version"][..], &["--version"], &["serve", "-V"]] {
        let ran = folder.run(arguments);
        assert_eq!((ran.code, &*ran.err), (0, ""));
        assert!(ran.out.ends_with(&format!(" {version}\n")), "{}", ran.out);
    }
    let ran = folder.run(&["version", "--json"]);
    let said: Value = serde_json::from_str(&ran.out).expect("a JSON object");
    assert_eq!(said["version"], version);
    assert!(said["cedar"].is_string());
}

#[test]
fn a_completion_script_knows_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = folder.run(&["completions", shell]);
        assert_eq!((ran.code, &*ran.err), (0, ""));
        for (command, ..) in COMMANDS {
            let name = command.split(' ').next_back().expect("a word");
            assert!(ran.out.contains(name), "{shell}: {name}");
        }
    }
    assert_eq!(folder.run(&["completions", "tcsh"]).code, 2);
}

/// Every command; then what its help must name beside the flags that all have.
const COMMANDS: [(&str, &[&str]); 24] = [
    (
        "serve",
        &[
            "--config",
            "--print-config",
            "--policies-dir",
            "--listen-grpc",
            "--listen-http",
            "--listen-public",
            "--listen-admin",
            "--log-level",
            "--log-format",
            "CEDARGATE_CONFIG",
            "CEDARGATE_POLICIES_DIR",
            "CEDARGATE_LISTEN_GRPC",
            "CEDARGATE_LISTEN_HTTP",
            "CEDARGATE_LISTEN_PUBLIC",
            "CEDARGATE_LISTEN_ADMIN",
            "CEDARGATE_LOG_LEVEL",
            "CEDARGATE_LOG_FORMAT",
            "SIGTERM",
            "SIGHUP",
        ],
    ),
    ("demo", &["--port", "--grpc-port", "curl"]),
    (
        "validate",
        &[
            "--config",
            "--policies-dir",
            "CEDARGATE_CONFIG",
            "CEDARGATE_POLICIES_DIR",
        ],
    ),
    (
        "check",
        &[
            "--config",
            "--policies-dir",
            "--request",
            "--json",
            "--format",
            "--principal-type",
            "--role",
            "--scope",
            "--tool",
            "--action",
            "--arguments",
            "--now",
            "CEDARGATE_CONFIG",
            "principal: {type: User",
            "5 deny",
        ],
    ),
    (
        "test",
        &[
            "--config",
            "--policies-dir",
            "--fail-under",
            "--junit",
            "--json",
            "--verbose",
            "--watch",
            "4 a test failed",
        ],
    ),
    (
        "matrix",
        &[
            "--config",
            "CEDARGATE_CONFIG",
            "--policies-dir",
            "CEDARGATE_POLICIES_DIR",
            "--server",
            "--actions",
            "--by",
            "--role",
            "--principals",
            "--format",
            "--explain",
            "--against",
            "--fail-on-change",
            "allow?",
            "3 invalid configuration",
        ],
    ),
    (
        "replay",
        &[
            "--config",
            "--log",
            "--policies",
            "--fail-on-change",
            "--format",
            "--limit",
            "--verbose",
            "cannot tell",
            "1 failure",
        ],
    ),
    ("bundle", &["build", "verify"]),
    (
        "bundle build",
        &[
            "--key",
            "--out",
            "--revision",
            "--not-after",
            "--kid",
            "--algorithm",
            "3 invalid policies",
        ],
    ),
    (
        "bundle verify",
        &["--key", "--config", "--json", "3 an invalid bundle"],
    ),
    (
        "health",
        &["--config", "--address", "CEDARGATE_LISTEN_ADMIN"],
    ),
    ("schema", &["config", "cedar", "tools"]),
    ("schema config", &[]),
    ("schema cedar", &[]),
    (
        "schema tools",
        &[
            "--url",
            "--file",
            "--server",
            "--token-env",
            "--token-file",
            "--header",
            "--ca-file",
            "--insecure-allow-http",
            "--timeout",
            "--out",
            "--merge",
            "--accept-safer",
            "--prune",
            "--check",
            "--format",
            "changed; 2 wrong usage",
        ],
    ),
    ("token", &["mint", "inspect"]),
    (
        "token mint",
        &[
            "--key",
            "--secret-file",
            "--new-key",
            "--algorithm",
            "--issuer",
            "--audience",
            "--claim",
            "--expires-in",
            "--not-before",
            "--kid",
            "--type",
            "CEDARGATE_MINT_SECRET",
        ],
    ),
    (
        "token inspect",
        &["--json", "standard input", "1 malformed"],
    ),
    ("apikey", &["new", "hash"]),
    ("apikey new", &["--id", "--role", "--format", "x-api-key"]),
    ("apikey hash", &["--key-file", "standard input"]),
    (
        "login",
        &[
            "--issuer",
            "--client-id",
            "--resource",
            "--scope",
            "--no-browser",
            "--port",
            "--timeout",
            "--ca-file",
            "--insecure-allow-http",
            "CEDARGATE_CLIENT_SECRET",
            "http://127.0.0.1/callback",
        ],
    ),
    ("version", &["--json"]),
    ("completions", &["bash", "zsh", "fish"]),
];

#[test]
fn the_help_of_each_command_names_flags_variables_and_exit_codes() {
    let folder = Folder::new();
    let general = folder.run(&["--help"]);
    assert_eq!((general.code, &*general.err), (0, ""));
    for (command, names) in COMMANDS {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        assert!(general.out.contains(arguments[0]), "{command}");
        arguments.push("--help");
        let ran = folder.run(&arguments);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{command}");
        // Lines are broken for the width of the terminal.
        let help = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let common = [
            "--error-format",
            "CEDARGATE_ERROR_FORMAT",
            "Exit codes: 0 ",
            "2 wrong usage",
        ];
        for name in names.iter().chain(&common) {
            assert!(
                help.contains(name),
                "`{name}` is not in the help of {command}:\n{}",
                ran.out
            );
        }
    }
    // A command that is added needs a line above.
    let listed = general.out.split("Commands:").nth(1).expect("a list");
    let listed = listed.split("\n\n").next().expect("its end");
    let listed = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let listed: Vec<&str> = listed
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut tested: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
    tested.retain(|name| !name.contains(' '));
    tested.push("help");
    assert_eq!(listed, tested);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = Folder::new();
    folder.write("cedargate.yaml", BAD_CONFIG);
    // Runs its arguments with a terminal on all three streams.
    let terminal =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let run = |variables: &[(&str, &str)]| {
        let mut python = Command::new("python3");
        python.args(["-c", terminal, PROGRAM, "validate"]);
        python.current_dir(folder.0.path());
        for name in VARIABLES {
            python.env_remove(name);
        }
        ran(python.env("TERM", "xterm").envs(variables.iter().copied()))
    };
    let shown = run(&[]);
    assert_eq!(shown.code, 3, "{shown:?}");
    assert!(shown.out.contains("\u{1b}["), "{shown:?}");
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let shown = run(&variables);
        assert_eq!(shown.code, 3, "{shown:?}");
        assert!(shown.out.contains("unknown key `grcp`"), "{shown:?}");
        assert!(!shown.out.contains('\u{1b}'), "{shown:?}");
    }
    assert!(!folder.run(&["validate"]).err.contains('\u{1b}'));
}

#[test]
fn what_serve_warns_of_stands_in_its_log() {
    let config = "authenticators: [{name: a, type: static_token, token: 0123456789abcdef, subject: s}]\n\
                  resources: [{name: weather, url: \"https://r.example/mcp\", kind: mcp}]\n";
    let mut sidecar = Sidecar::start(config);
    let log = sidecar.process().stderr().text();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is a JSON object"))
        .collect();
    let warned = |line: &Value| {
        let warning = line["warning"].as_str().unwrap_or_default();
        line["level"] == "WARN" && warning.contains("can be guessed")
    };
    assert!(lines.iter().any(warned), "{log}");
}
