//! `cedargate demo`: the very lines that it prints do what it says they do.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::http::Request;
use support::http::Response;
use support::process::Process;
use support::process::READY;
use support::sidecar::PROGRAM;
use url::Url;

/// A line that the demo prints, taken apart.
#[derive(Debug)]
struct Curl {
    line: String,
    url: Url,
    headers: Vec<(String, String)>,
    body: String,
}

impl Curl {
    fn read(line: &str) -> Self {
        let mut words = words(line).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
        let (mut url, mut headers, mut body) = (None, Vec::new(), String::new());
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("an option has a value");
            match &*word {
                "-sS" | "-i" => {}
                "-H" => {
                    let header = value();
                    let (name, value) = header.split_once(": ").expect("`name: value`");
                    headers.push((name.to_owned(), value.to_owned()));
                }
                "-d" => body = value(),
                other => url = Some(Url::parse(other).expect("the rest is the URL")),
            }
        }
        Self {
            line: line.to_owned(),
            url: url.expect("a URL"),
            headers,
            body,
        }
    }

    /// Sends it as curl would: with data and no method, it is a POST.
    fn send(&self) -> Response {
        let mut request = Request::new("POST", self.url.path()).body(&self.body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
            .send(port(&self.url))
            .expect("the demo's server answers")
    }

    /// Runs the line itself, where there is a curl.
    fn run(&self) -> Option<String> {
        let found = Command::new("curl").arg("--version").output();
        found.ok().filter(|found| found.status.success())?;
        let output = Command::new("sh")
            .args(["-c", &self.line])
            .output()
            .expect("`sh` runs");
        assert!(output.status.success(), "{}: {output:?}", self.line);
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Splits a line as a shell would that knows single quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("never empty").push(c),
        }
    }
    assert!(!quoted, "an open quote: {line}");
    words
}

fn port(url: &Url) -> u16 {
    assert_eq!(url.host_str(), Some("127.0.0.1"), "{url}");
    url.port().expect("a port of its own")
}

fn start() -> (Process, Vec<Curl>) {
    let process = Process::spawn("demo", Command::new(PROGRAM).arg("demo"));
    let lines = process.stdout().wait(READY, |lines| {
        lines.iter().find(|line| line.contains("Ctrl-C"))?;
        let curl = lines.iter().filter(|line| line.starts_with("curl "));
        Some(curl.map(|line| Curl::read(line)).collect())
    });
    let lines = lines.unwrap_or_else(|| panic!("no instructions: {}", process.stderr().text()));
    (process, lines)
}

fn interrupt(process: &mut Process) {
    process.signal("INT");
    let ended = process.wait(Duration::from_secs(20)).expect("it ends");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(process.stderr().text(), "\n", "nothing went wrong");
}

fn error(answer: &Response) -> Value {
    let found = answer.json().pointer("/error/data/error").cloned();
    found.unwrap_or_else(|| panic!("no reason in {}", answer.text()))
}

/// The document that the challenge names.
fn metadata(answer: &Response) -> Value {
    let challenge = answer.header("www-authenticate").concat();
    let (url, _) = challenge
        .split_once("resource_metadata=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .unwrap_or_else(|| panic!("no metadata in `{challenge}`"));
    let url = Url::parse(url).expect("a URL");
    let document = Request::new("GET", url.path()).send(port(&url));
    let document = document.expect("the metadata can be fetched");
    assert_eq!(document.status, 200, "{}", document.text());
    document.json()
}

#[test]
fn its_lines_show_an_allow_a_401_and_a_403() {
    let (mut process, lines) = start();
    let [allow, stranger, forbidden] = &lines[..] else {
        panic!("three lines: {lines:#?}")
    };
    let token = &allow
        .headers
        .iter()
        .find(|(name, _)| name == "authorization");
    let (_, token) = token.expect("the first has a token");

    let answer = allow.send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.json()["result"]["content"][0]["text"].clone();
    let text = text.as_str().expect("the tool answers in text");
    assert!(text.starts_with("sunny, 21 degrees"), "{text}");
    assert!(text.contains("\nx-cedargate-subject: alice"), "{text}");
    assert!(text.contains("\nx-cedargate-roles: viewer"), "{text}");
    assert!(!text.contains("authorization"), "{text}");

    let answer = stranger.send();
    assert_eq!(answer.status, 401);
    assert_eq!(error(&answer), "missing_credential");
    let document = metadata(&answer);
    assert_eq!(document["resource"], allow.url.as_str());
    assert!(
        document["authorization_servers"][0].is_string(),
        "{document}"
    );

    let answer = forbidden.send();
    assert_eq!(answer.status, 403);
    assert_eq!(error(&answer), "not_permitted");
    let body = answer.text();
    assert!(
        body.contains("requires any of roles [admin], but client has [viewer]"),
        "{body}"
    );
    assert!(body.contains("Only an admin may call"), "{body}");

    for (line, status) in [(allow, "200"), (stranger, "401"), (forbidden, "403")] {
        if let Some(text) = line.run() {
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        }
    }
    interrupt(&mut process);
    let printed = process.stdout().snapshot();
    let decisions: Vec<Value> = printed
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(decisions[0]["decision"], "allow");
    let secret = token.rsplit('.').next().expect("a signature");
    let shown = printed.iter().filter(|line| line.contains(secret)).count();
    assert_eq!(
        shown, 2,
        "the token is in the lines to copy, and nowhere else"
    );
}

#[test]
fn two_at_once_do_not_meet() {
    let (mut one, first) = start();
    let (mut two, second) = start();
    assert_ne!(first[0].url, second[0].url);
    assert_eq!(second[0].send().status, 200);
    interrupt(&mut one);
    assert_eq!(second[0].send().status, 200);
    // A token of the other demo is nobody's here.
    let mut foreign = Curl::read(&first[0].line);
    foreign.url = second[0].url.clone();
    assert_eq!(foreign.send().status, 401);
    interrupt(&mut two);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for (flag, says) in [
        ("--port", format!("cannot listen at port {port}")),
        (
            "--grpc-port",
            format!("cannot listen at `127.0.0.1:{port}`"),
        ),
    ] {
        let output = Command::new(PROGRAM).args(["demo", flag, &port]).output();
        let output = output.expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&says), "{said}");
        assert!(output.stdout.is_empty());
    }
}
