//! Servers that mislead: each is told apart, none is believed, and none costs more than a bound.

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

use super::page;
use super::read;
use super::schema;
use super::support::fake_issuer::FakeIssuer;
use super::support::folder::Folder;
use super::support::lies;
use super::support::lies::JSON;
use super::support::lies::Lie;

const EVENTS: &str = "content-type: text/event-stream";

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
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"\u001b]0;x\u0007"}}"#,
            ),
            "\\u001b]0;x\\u0007 (-32020)",
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
