//! Conversations with servers of either era, and with some that mislead.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::*;
use crate::source::testing::Answer;
use crate::source::testing::Server;
use crate::source::testing::response;

const JSON: &str = "content-type: application/json";
const EVENTS: &str = "content-type: text/event-stream";

/// Gives these answers, one after the other, and the last one from then on.
async fn server(answers: Vec<Answer>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let at = next.fetch_add(1, Ordering::SeqCst);
        answers.get(at).or(answers.last()).unwrap().clone()
    })
    .await
}

fn ok(body: &str) -> Answer {
    Answer::Bytes(response("200 OK", &[JSON], body.as_bytes()))
}

fn refused(status: &str, body: &str) -> Answer {
    Answer::Bytes(response(status, &[JSON], body.as_bytes()))
}

fn page(id: u64, name: &str, next: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[{{"name":"{name}"}}]{next}}}}}"#)
}

async fn list(server: &Server) -> Result<Vec<String>, String> {
    let remote = Remote {
        ca_pem: None,
        insecure_allow_http: false,
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", "k".parse().unwrap());
    let asked = ToolServer::new(server.url("/mcp"), headers, &remote).unwrap();
    let tools = asked.list(Duration::from_secs(2)).await;
    let tools = tools.map_err(|fault| fault.to_string())?;
    Ok(tools.into_iter().map(|tool| tool.name).collect())
}

#[tokio::test]
async fn a_modern_server_is_asked_page_by_page_and_nothing_else() {
    let stream = ": hi\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
    let stream = format!("{stream}event: message\ndata: {}\n\n", page(2, "b", ""));
    let answers = vec![
        ok(&page(1, "a", r#","nextCursor":"c2""#)),
        Answer::Bytes(response("200 OK", &[EVENTS], stream.as_bytes())),
    ];
    let server = server(answers).await;
    assert_eq!(
        list(&server).await,
        Ok(vec!["a".to_owned(), "b".to_owned()])
    );
    let heads = server.heads();
    assert_eq!(heads.len(), 2);
    for head in heads {
        let head = head.to_ascii_lowercase();
        for line in [
            "post /mcp ",
            "mcp-protocol-version: 2026-07-28\r\n",
            "mcp-method: tools/list\r\n",
            "accept: application/json, text/event-stream\r\n",
            "content-type: application/json\r\n",
            "x-api-key: k\r\n",
        ] {
            assert!(head.contains(line), "{line}: {head}");
        }
        assert!(!head.contains("mcp-session-id"), "{head}");
    }
    assert!(server.bodies()[1].contains(r#""cursor":"c2""#));
}

#[tokio::test]
async fn a_legacy_server_gets_its_handshake_and_its_session_an_end() {
    let agreed = r#"{"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-06-18"}}"#;
    let session = "mcp-session-id: s-1";
    let good = |last: Answer| {
        vec![
            refused(
                "400 Bad Request",
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no session"}}"#,
            ),
            Answer::Bytes(response("200 OK", &[JSON, session], agreed.as_bytes())),
            Answer::Bytes(response("202 Accepted", &[], b"")),
            last,
        ]
    };
    // Also where listing fails.
    for (last, expected) in [
        (ok(&page(3, "a", "")), Ok(vec!["a".to_owned()])),
        (
            ok(&page(9, "a", "")),
            Err("the answer is refused: it answers another request".to_owned()),
        ),
        (Answer::Hang, Err("no complete answer in time".to_owned())),
    ] {
        let server = server(good(last)).await;
        assert_eq!(list(&server).await, expected);
        let heads: Vec<String> = server
            .heads()
            .iter()
            .map(|head| head.to_ascii_lowercase())
            .collect();
        assert_eq!(heads.len(), 5, "{heads:?}");
        assert!(!heads[1].contains("mcp-protocol-version"), "{}", heads[1]);
        for head in &heads[2..] {
            assert!(head.contains("mcp-session-id: s-1\r\n"), "{head}");
            assert!(
                head.contains("mcp-protocol-version: 2025-06-18\r\n"),
                "{head}"
            );
            assert!(!head.contains("mcp-method"), "{head}");
        }
        assert!(heads[4].starts_with("delete /mcp "), "{}", heads[4]);
    }
}

#[tokio::test]
async fn a_server_that_names_its_revisions_is_believed() {
    let named = |versions: &str| {
        let data = format!(r#"{{"supported":[{versions}]}}"#);
        refused(
            "400 Bad Request",
            &format!(
                r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32022,"message":"m","data":{data}}}}}"#
            ),
        )
    };
    let agreed = r#"{"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-03-26"}}"#;
    let server_of_old = server(vec![
        named(r#""2024-11-05","2025-03-26""#),
        ok(agreed),
        Answer::Bytes(response("202 Accepted", &[], b"")),
        ok(&page(3, "a", "")),
    ])
    .await;
    assert_eq!(list(&server_of_old).await, Ok(vec!["a".to_owned()]));
    assert!(server_of_old.bodies()[1].contains(r#""protocolVersion":"2025-03-26""#));
    let stranger = server(vec![named(r#""2099-01-01""#)]).await;
    let told = list(&stranger).await.unwrap_err();
    assert!(
        told.ends_with("other revisions of MCP: 2099-01-01"),
        "{told}"
    );
    assert_eq!(stranger.heads().len(), 1);
    let agreed = agreed.replace("2025-03-26", "2024-11-05");
    let past = server(vec![refused("400 Bad Request", ""), ok(&agreed)]).await;
    let told = list(&past).await.unwrap_err();
    assert!(
        told.ends_with("other revisions of MCP: 2024-11-05"),
        "{told}"
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_no_answer_is_told_in_words() {
    let lie = |status: &str, headers: &[&str], body: &str| {
        Answer::Bytes(response(status, headers, body.as_bytes()))
    };
    let cut = format!("data: {}\n", page(1, "a", ""));
    let drip = [
        &response("200 OK", &[EVENTS, "content-length: 9999"], b"")[..],
        &[b':'; 900],
    ]
    .concat();
    for (answer, told) in [
        (
            lie(
                "401 Unauthorized",
                &[r#"www-authenticate: Bearer scope="a b""#],
                "",
            ),
            "the server answers 401: it wants a credential, or another one; it asks for the scopes `a b`",
        ),
        (
            lie(
                "403 Forbidden",
                &[JSON],
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":40300,"message":"no"}}"#,
            ),
            "the server answers 403: this caller may not: no",
        ),
        (
            lie(
                "307 Temporary Redirect",
                &["location: https://e.example/x?token=s"],
                "",
            ),
            "the server answers 307 and leads to `https://e.example/x`; redirects are not followed",
        ),
        (
            lie(
                "200 OK",
                &["content-type: text/html; charset=utf-8"],
                "<html>",
            ),
            "this is no MCP server: it answers 200 with `text/html`",
        ),
        (
            lie("202 Accepted", &[], ""),
            "this is no MCP server: it answers 202 with ``",
        ),
        (
            lie("404 Not Found", &["content-type: text/html"], ""),
            "the server refuses, with status 404",
        ),
        (
            lie("500 Internal Server Error", &[], ""),
            "the server refuses, with status 500",
        ),
        (
            lie(
                "404 Not Found",
                &[JSON],
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}"#,
            ),
            "the server refuses, with status 404: m (-32601)",
        ),
        (
            lie("200 OK", &[JSON, "content-encoding: gzip"], "{}"),
            "the answer is compressed",
        ),
        (
            lie("200 OK", &[JSON], "{"),
            "the answer is refused: not well-formed JSON",
        ),
        (
            lie("200 OK", &[EVENTS], &cut),
            "the answer is refused: the stream of events ends",
        ),
        (
            lie("200 OK", &[EVENTS], "data: [\n\n"),
            "the answer is refused: not well-formed JSON",
        ),
        (
            lie("200 OK", &[JSON, "content-length: 104857600"], "{}"),
            "the answers of the server are larger than 8388608 bytes",
        ),
        (
            lie("200 OK", &[JSON], &page(1, "a", r#","nextCursor":7"#)),
            "the list of tools is refused: `nextCursor`",
        ),
        (
            Answer::Drip(drip, Duration::from_millis(20)),
            "no complete answer in time",
        ),
    ] {
        let server = server(vec![answer]).await;
        let said = list(&server).await.unwrap_err();
        assert!(said.starts_with(told), "{said} is not {told}");
    }
}

#[test]
fn plain_http_is_for_this_machine() {
    let new = |url: &str, insecure_allow_http| {
        let remote = Remote {
            ca_pem: None,
            insecure_allow_http,
        };
        let url = Url::parse(url).unwrap();
        ToolServer::new(url, HeaderMap::new(), &remote).is_ok()
    };
    for (url, allowed) in [
        ("http://127.0.0.1:1/mcp", true),
        ("http://127.9.9.9/mcp", true),
        ("http://[::1]/mcp", true),
        ("http://localhost/mcp", true),
        ("http://localhost.example.com/mcp", false),
        ("http://10.0.0.1/mcp", false),
        ("http://mcp.example.com/mcp", false),
        ("https://mcp.example.com/mcp", true),
    ] {
        assert_eq!(new(url, false), allowed, "{url}");
        assert!(new(url, true), "{url}");
    }
    assert!(!new("http://169.254.169.254/mcp", true));
    assert!(!new("https://u:p@mcp.example.com/mcp", true));
}

#[test]
fn a_saved_answer_may_be_whole_or_in_part() {
    let names = |text: &str| {
        let tools = read_saved(text.as_bytes()).map_err(|fault| fault.to_string())?;
        Ok::<_, String>(tools.into_iter().map(|tool| tool.name).collect::<Vec<_>>())
    };
    let expected = Ok(vec!["a".to_owned()]);
    assert_eq!(names(&page(7, "a", "")), expected);
    assert_eq!(names(r#"{"tools":[{"name":"a"}]}"#), expected);
    assert_eq!(names(r#"[{"name":"a"}]"#), expected);
    for (text, fault) in [
        ("", "the answer is refused"),
        ("7", "the list of tools is refused: the result has no list"),
        (
            r#"{"tools":[],"nextCursor":"x"}"#,
            "the list of tools is refused: it has a",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#,
            "the server refuses, with status 200: m (-1)",
        ),
        (r#"{"error":"m"}"#, "the answer is refused: its `error`"),
        (
            r#"[{"name":"a"},{"name":"a"}]"#,
            "the list of tools is refused: two tools",
        ),
    ] {
        let refused = names(text).unwrap_err();
        assert!(refused.starts_with(fault), "{text}: {refused}");
    }
}
