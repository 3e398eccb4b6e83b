//! `cedargate login` against a real authorization server; fakes only for what a good one never does.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::authorization_server::AuthorizationServer;
use support::authorization_server::jwt_part;
use support::fake_issuer::FakeIssuer;
use support::fake_issuer::json_document;
use support::http::Request;
use support::http::Response;
use support::port;
use support::process::Process;
use support::process::READY;
use support::sidecar::PROGRAM;
use support::sidecar::Sidecar;
use url::Url;

const RESOURCE: &str = "https://mcp.example.com/mcp";

/// A login under way.
struct Login(Process);

impl Login {
    fn start(issuer: &str, more: &[&str]) -> Self {
        Self::start_with(issuer, more, &[])
    }

    fn start_with(issuer: &str, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(["login", "--issuer", issuer, "--client-id", "app"])
            .args(["--insecure-allow-http"])
            .args(more)
            .env_remove("CEDARGATE_ERROR_FORMAT")
            .env_remove("CEDARGATE_CLIENT_SECRET")
            .envs(variables.iter().copied());
        Self(Process::spawn("cedargate login", &mut command))
    }

    /// The URL that is to be opened.
    fn url(&self) -> Url {
        let found = self.0.stderr().wait(READY, |lines| {
            let line = lines.iter().find(|line| line.starts_with("  http"))?;
            Url::parse(line.trim()).ok()
        });
        found.unwrap_or_else(|| panic!("no URL in:\n{}", self.0.stderr().text()))
    }

    /// How it ended: exit code, standard output, standard error.
    fn end(mut self) -> (i32, String, String) {
        let status = self.0.wait(READY).expect("it ends");
        let printed = self.0.stderr();
        assert!(printed.wait_closed(READY), "its messages end too");
        let (out, err) = (self.0.stdout().text(), self.0.stderr().text());
        (
            status.code().expect("it was not killed"),
            out.trim().to_owned(),
            err,
        )
    }
}

fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// Where the server sends the browser: to the redirect URI with `answer` beside the right state.
fn back_to(url: &Url, answer: &str) -> Url {
    let asked = query(url);
    let of = |name: &str| asked.get(name).expect("it is asked for");
    let back = format!("{}?{answer}&state={}", of("redirect_uri"), of("state"));
    Url::parse(&back).expect("a URL")
}

/// The port and target of a URL on loopback.
fn target(url: &Url) -> (u16, String) {
    let query = url.query().map(|query| format!("?{query}"));
    let target = format!("{}{}", url.path(), query.unwrap_or_default());
    (url.port().expect("a port"), target)
}

fn open(url: &Url) -> Response {
    let (port, target) = target(url);
    let opened = Request::new("GET", &target).send(port);
    opened.expect("the login listens")
}

/// Requests that are not the answer: each gets a page, and none of them ends the wait.
fn knock(port: u16, good: &str) {
    let status = |request: Request| request.send(port).expect("an answer").status;
    let get = |target: &str| status(Request::new("GET", target));
    assert_eq!(get("/favicon.ico"), 404);
    assert_eq!(get("/callback"), 400);
    assert_eq!(get("/callback?code=x&state=y"), 400);
    assert_eq!(get("/callback?error=access_denied&state=y"), 400);
    assert_eq!(get(&format!("{good}&code=x")), 400);
    assert_eq!(get(&format!("/{}", "x".repeat(200_000))), 431);
    assert_eq!(status(Request::new("POST", good)), 405);
    for host in ["evil.example", &format!("localhost:{port}"), "127.0.0.1"] {
        assert_eq!(status(Request::new("GET", good).header("host", host)), 421);
    }
}

#[test]
fn a_person_logs_in_and_a_real_sidecar_accepts_the_token() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let issuer = server.issuer();
    let flags = [
        "--resource",
        RESOURCE,
        "--scope",
        "mcp:read",
        "--scope",
        "mcp:tools",
    ];
    let login = Login::start(&issuer, &flags);
    let url = login.url();
    let asked = query(&url);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["resource"], RESOURCE);
    assert_eq!(asked["scope"], "mcp:read mcp:tools");
    let back = server.browse(&url);
    assert_eq!(
        query(&back)["iss"],
        issuer,
        "the server names itself (RFC 9207)"
    );

    let (port, good) = target(&back);
    knock(port, &good);
    let idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");

    let page = open(&back);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("The browser's part is done"));
    assert_eq!(page.header("cache-control"), ["no-store"]);
    assert!(page.header("content-security-policy")[0].contains("default-src 'none'"));
    let (code, token, said) = login.end();
    drop(idle);
    assert_eq!(code, 0, "{said}");
    assert_eq!(jwt_part(&token, 1)["sub"], "alice");
    assert_eq!(jwt_part(&token, 1)["aud"], RESOURCE);
    assert!(said.contains("waiting for the browser"), "{said}");
    assert!(said.contains("logged in as `alice`; good for"), "{said}");
    assert!(
        !said.contains(&token) && !said.contains("does not name"),
        "{said}"
    );

    let sidecar = Sidecar::start(&format!(
        "authenticators: [{{name: corp, type: oidc, issuer: \"{issuer}\", insecure_allow_http: true}}]\n\
         resources: [{{name: weather, url: \"{RESOURCE}\", kind: mcp}}]\n"
    ));
    let verdict = sidecar
        .asker()
        .both(&Ask::call("get_forecast").bearer(&token));
    assert_eq!(verdict.reason, "allowed", "{verdict:?}");
}

#[test]
fn the_real_server_refuses_in_words() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let login = Login::start(
        &server.issuer(),
        &["--resource", "https://unknown.example/"],
    );
    let page = open(&server.browse(&login.url()));
    assert!(page.status == 400 && page.text().contains("The login has failed"));
    let (code, token, said) = login.end();
    assert_eq!((code, &*token), (1, ""));
    assert!(said.contains("refused: `invalid_target`"), "{said}");
    assert!(said.contains("does not know the resource"), "{said}");
}

#[test]
fn a_token_without_a_resource_is_said_to_be_opaque() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let login = Login::start(&server.issuer(), &["--scope", "openid"]);
    assert_eq!(open(&server.browse(&login.url())).status, 200);
    let (code, token, said) = login.end();
    assert!(
        code == 0 && !token.is_empty() && !token.contains('.'),
        "{said}"
    );
    assert!(said.contains("the token is opaque"), "{said}");
}

#[test]
fn nobody_comes_back() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let free = port::free().to_string();
    let login = Login::start(&server.issuer(), &["--timeout", "1s", "--port", &free]);
    let redirect = query(&login.url())["redirect_uri"].clone();
    assert_eq!(redirect, format!("http://127.0.0.1:{free}/callback"));
    let (code, token, said) = login.end();
    assert_eq!((code, &*token), (1, ""));
    assert!(said.contains("did not come back within 1 second"), "{said}");
}

#[test]
fn a_port_in_use_and_a_server_without_tls_are_named() {
    let server = AuthorizationServer::start(&["--resource", RESOURCE]);
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let taken = holder.local_addr().expect("an address").port();
    let (code, _, said) = Login::start(&server.issuer(), &["--port", &taken.to_string()]).end();
    assert!(
        code == 1 && said.contains(&format!("127.0.0.1:{taken}")),
        "{said}"
    );
    drop(holder);
    let plain = Command::new(PROGRAM)
        .args(["login", "--client-id", "app", "--issuer", &server.issuer()])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&plain.stderr);
    assert!(said.contains("--insecure-allow-http"), "{said}");
    let (code, _, said) = Login::start(&format!("{}/", server.issuer()), &[]).end();
    assert!(code == 1 && said.contains("to the last slash"), "{said}");
}

/// An authorization server that lies as a test says.
struct Liar {
    issuer: String,
    _server: FakeIssuer,
    /// The request that the token endpoint got, head left out.
    form: Arc<Mutex<String>>,
}

impl Liar {
    /// `metadata` goes on top of sound metadata; `token` is what the token endpoint does.
    fn start(metadata: &Value, token: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let port = port::free();
        let issuer = format!("http://127.0.0.1:{port}");
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "code_challenge_methods_supported": ["S256"],
        });
        let members = document.as_object_mut().expect("an object");
        members.extend(metadata.as_object().expect("an object").clone());
        let form = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&form);
        let server = FakeIssuer::start_at(port, move |path, stream| {
            if path.starts_with("/.well-known/") {
                return json_document(stream, &document.to_string());
            }
            let mut body = vec![0; 64 * 1024];
            let length = stream.read(&mut body).unwrap_or(0);
            body.truncate(length);
            *kept.lock().expect("no panic") = String::from_utf8_lossy(&body).into_owned();
            token(stream);
        });
        Self {
            issuer,
            _server: server,
            form,
        }
    }

    /// Logs in as far as the answer, which carries `answer` beside the right state.
    fn log_in(&self, answer: &str) -> (u16, (i32, String, String)) {
        let login = Login::start(&self.issuer, &["--resource", RESOURCE]);
        let page = open(&back_to(&login.url(), answer));
        assert!(!page.text().contains("<script>"), "{}", page.text());
        (page.status, login.end())
    }

    fn asked_for_a_token(&self) -> String {
        self.form.lock().expect("no panic").clone()
    }
}

const GOOD: &str = r#"{"access_token":"t0ken","token_type":"Bearer"}"#;

#[test]
fn an_answer_of_another_server_ends_the_login_before_the_code_is_used() {
    let liar = Liar::start(
        &json!({"authorization_response_iss_parameter_supported": true}),
        |stream| json_document(stream, GOOD),
    );
    let own = &liar.issuer;
    for (answer, said) in [
        (
            "code=c&iss=https://evil.example".to_owned(),
            "comes from another",
        ),
        (format!("code=c&iss={own}/"), "comes from another"),
        ("code=c".to_owned(), "does not say which"),
        (
            "error=access_denied&iss=https://evil.example".to_owned(),
            "comes from another",
        ),
        (format!("iss={own}"), "neither a usable code nor an error"),
        (
            format!("error=access_denied&error_description=<script>%1b[2J&iss={own}"),
            "refused: `access_denied`: <script>\\u001b[2J",
        ),
    ] {
        let (page, (code, token, err)) = liar.log_in(&answer);
        assert_eq!((page, code, &*token), (400, 1, ""), "{answer}: {err}");
        assert!(err.contains(said), "{answer}: {err}");
        assert_eq!(liar.asked_for_a_token(), "", "the code went out: {answer}");
    }
    let (page, (code, token, err)) = liar.log_in(&format!("code=c&iss={own}"));
    assert_eq!((page, code, &*token), (200, 0, "t0ken"), "{err}");
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(liar.asked_for_a_token().as_bytes())
        .into_owned()
        .collect();
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!((&*form["code"], &*form["client_id"]), ("c", "app"));
    assert_eq!(form["resource"], RESOURCE);
    assert_eq!(form["code_verifier"].len(), 43);
}

type Answer = fn(&mut TcpStream);

const BAD_ANSWERS: [(Answer, &str); 9] = [
    (
        |stream| {
            raw(
                stream,
                "200 OK\r\ncontent-type: text/html",
                "<h1>hello</h1>",
            );
        },
        "status 200 and `text/html`",
    ),
    (
        |stream| raw(stream, "302 Found\r\nlocation: http://127.0.0.1:1/", ""),
        "status 302",
    ),
    (
        |stream| {
            raw(
                stream,
                "400 Bad\r\ncontent-type: application/json",
                NO_GRANT,
            );
        },
        "refused: `invalid_grant`; the code was used already",
    ),
    (
        |stream| json_document(stream, r#"{"access_token":"t","token_type":"DPoP"}"#),
        "DPoP",
    ),
    (
        |stream| {
            json_document(
                stream,
                r#"{"access_token":"a\u001b","token_type":"Bearer"}"#,
            );
        },
        "visible ASCII",
    ),
    (
        |stream| json_document(stream, r#"{"access_token":"t","access_token":"u"}"#),
        "not strict JSON",
    ),
    (
        |stream| json_document(stream, &"x".repeat(70_000)),
        "larger than 65536 bytes",
    ),
    (|_| {}, "no answer from the token endpoint"),
    (|_| thread::sleep(Duration::from_secs(12)), "within 10 s"),
];

const NO_GRANT: &str = r#"{"error":"invalid_grant"}"#;

fn raw(stream: &mut TcpStream, head: &str, body: &str) {
    let length = body.len();
    let wire =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    drop(stream.write_all(wire.as_bytes()));
}

#[test]
fn a_token_endpoint_that_answers_badly_is_named() {
    for (answer, said) in BAD_ANSWERS {
        let liar = Liar::start(&json!({}), answer);
        let (page, (code, token, err)) = liar.log_in("code=c");
        assert_eq!((page, code, &*token), (200, 1, ""), "{said}: {err}");
        assert!(err.contains(said), "{said}: {err}");
    }
}

#[test]
fn metadata_that_cannot_be_trusted_is_refused_before_anything_is_opened() {
    for (metadata, said) in [
        (
            json!({"issuer": "https://other.example"}),
            "it names another issuer",
        ),
        (
            json!({"code_challenge_methods_supported": ["plain"]}),
            "PKCE",
        ),
        (
            json!({"response_types_supported": ["token"]}),
            "response_types_supported",
        ),
        (
            json!({"token_endpoint": null}),
            "no usable `token_endpoint`",
        ),
        (
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            "authorization_endpoint",
        ),
        (
            json!({"token_endpoint": "http://169.254.169.254/"}),
            "token_endpoint",
        ),
    ] {
        let liar = Liar::start(&metadata, |_| {});
        let (code, token, err) = Login::start(&liar.issuer, &[]).end();
        assert_eq!((code, &*token), (1, ""), "{metadata}");
        assert!(err.contains(said), "{metadata}: {err}");
        assert!(!err.contains("Open this page"), "{metadata}: {err}");
    }
}

#[test]
fn a_confidential_client_sends_its_secret_in_the_header_only() {
    let liar = Liar::start(&json!({}), |stream| json_document(stream, GOOD));
    let variables = [("CEDARGATE_CLIENT_SECRET", "s3cr3t")];
    let login = Login::start_with(&liar.issuer, &[], &variables);
    assert_eq!(open(&back_to(&login.url(), "code=c")).status, 200);
    let (code, token, err) = login.end();
    assert_eq!((code, &*token), (0, "t0ken"), "{err}");
    let form = liar.asked_for_a_token();
    assert!(
        form.contains("code_verifier=") && !form.contains("client_id"),
        "{form}"
    );
    assert!(!form.contains("s3cr3t") && !err.contains("s3cr3t"));
}

#[test]
fn a_browser_is_opened_for_whoever_sits_at_a_terminal() {
    let liar = Liar::start(&json!({}), |_| {});
    let folder = tempfile::tempdir().expect("a temporary folder");
    let browser = folder.path().join("xdg-open");
    std::fs::write(&browser, "#!/bin/sh\nprintf '%s' \"$*\" > \"$OPENED\"\n").expect("a script");
    let executable = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&browser, executable).expect("it can be run");
    let path = std::env::join_paths([folder.path(), Path::new("/usr/bin"), Path::new("/bin")]);
    let path = path.expect("a path");
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    for (more, opens) in [(&[][..], true), (&["--no-browser"], false)] {
        let opened = folder.path().join(format!("opened-{opens}"));
        let mut python = Command::new("python3");
        python
            .args(["-c", spawn, PROGRAM, "login", "--client-id", "app"])
            .args(["--insecure-allow-http", "--timeout", "2s", "--issuer"])
            .arg(&liar.issuer)
            .args(more)
            .env("PATH", &path)
            .env("OPENED", &opened);
        let ended = python.stdin(Stdio::null()).output().expect("it runs");
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert_eq!(opened.exists(), opens);
        if opens {
            let url = File::open(opened).and_then(std::io::read_to_string);
            let url = Url::parse(&url.expect("the URL")).expect("one URL and nothing else");
            assert_eq!(url.path(), "/auth");
            assert!(String::from_utf8_lossy(&ended.stdout).contains(url.as_str()));
        }
    }
}
