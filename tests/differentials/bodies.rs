//! Bodies of messages, on the path of the older revisions: no header says which.

use super::support::http::Request;
use super::world::Row;

/// Members of the smallest call.
const START: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"#;

/// A call with this text for `params`, and no more than that.
pub(crate) fn with_params(params: &str) -> String {
    format!("{START}{params}}}")
}

/// A call of `danger` with more members beside `params`.
fn with_top(more: &str) -> String {
    format!(r#"{START}{{"name":"danger"}}{more}}}"#)
}

/// The smallest call of a tool.
pub(crate) fn call(tool: &str) -> String {
    with_params(&format!(r#"{{"name":"{tool}"}}"#))
}

pub(crate) fn call_with_id(id: &str, tool: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
}

/// `danger` with more members in its `arguments`.
pub(crate) fn with_argument(more: &str) -> String {
    with_params(&format!(r#"{{"name":"danger","arguments":{{{more}}}}}"#))
}

/// What every client sends with a body.
pub(crate) fn post(body: impl AsRef<[u8]>) -> Request {
    Request::new("POST", "/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = plain();
    rows.extend(members());
    rows.extend(documents());
    rows.extend(batches());
    rows
}

fn plain() -> Vec<Row> {
    let name = |name: &str| post(with_params(&format!(r#"{{"name":"{name}"}}"#)));
    vec![
        Row::honest("greet", post(call("greet")), "greet greet greet"),
        Row::refused("danger", post(call("danger")), 403, "danger danger danger"),
        Row::honest(
            "greet, with space around every token",
            post(
                "\r\n\t { \"jsonrpc\" : \"2.0\" ,\n\"id\":1, \"method\":\"tools/call\",\t\"params\":{ \"name\" :\"greet\"} }\r\n",
            ),
            "greet greet greet",
        ),
        Row::honest(
            "greet, spelled with escapes, members in another order",
            post(
                r#"{"params":{"n\u0061me":"gr\u0065et"},"method":"tools\/call","id":"a","jsonrpc":"2.0"}"#,
            ),
            "greet greet greet",
        ),
        Row::honest(
            "greet, with arguments and a progress token",
            post(with_params(
                r#"{"_meta":{"progressToken":7},"name":"greet","arguments":{}}"#,
            )),
            "greet greet greet",
        ),
        Row::refused(
            "danger, spelled with an escape",
            name(r"d\u0061nger"),
            403,
            "danger danger danger",
        ),
        Row::honest("DANGER", name("DANGER"), "- - -"),
        Row::honest("danger and a blank", name("danger "), "- - -"),
        Row::honest("danger and a NUL", name(r"danger\u0000"), "- - -"),
        Row::honest("danger, full width", name("\u{ff44}anger"), "- - -"),
        Row::honest("danger, zero-width joiner", name(r"dang\u200der"), "- - -"),
        Row::honest("weather/danger", name("weather/danger"), "- - -"),
        Row::refused(
            "a list for a name",
            post(with_params(r#"{"name":["danger"]}"#)),
            400,
            "- - -",
        ),
        Row::refused("no name", post(with_params("{}")), 400, "- - -"),
        Row::refused(
            "params is a list",
            post(with_params(r#"["danger"]"#)),
            400,
            "- - -",
        ),
        Row::refused(
            "the method with a blank after it",
            post(call("danger").replace("tools/call", "tools/call ")),
            403,
            "- - -",
        ),
        Row::refused(
            "the method in capitals",
            post(call("danger").replace("tools/call", "Tools/Call")),
            403,
            "- - -",
        ),
    ]
}

/// Who reads the first member of a name, who the last, and who a name in another spelling.
fn members() -> Vec<Row> {
    let refused =
        |name: &str, body: String, direct: &str| Row::refused(name, post(body), 400, direct);
    let params = |params: &str| with_params(params);
    vec![
        refused("name: greet, then danger", params(r#"{"name":"greet","name":"danger"}"#), "danger danger danger"),
        refused("name: danger, then greet", params(r#"{"name":"danger","name":"greet"}"#), "greet greet greet"),
        refused("name twice, the second escaped", params(r#"{"name":"greet","n\u0061me":"danger"}"#), "danger danger danger"),
        refused("name twice, the first escaped", params(r#"{"\u006eame":"greet","name":"danger"}"#), "danger danger danger"),
        refused("params twice", with_params(r#"{"name":"greet"},"params":{"name":"danger"}"#), "danger danger danger"),
        refused(
            "method twice",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"danger"}}"#.to_owned(),
            "danger danger danger",
        ),
        refused("id twice", call_with_id("1,\"id\":2", "danger"), "danger danger danger"),
        refused("an argument twice", with_argument(r#""a":1,"a":2"#), "danger danger danger"),
        refused("an argument twice, deep", with_argument(r#""a":[{"b":1,"b":2}]"#), "danger danger danger"),
        refused("name: greet and Name: danger", params(r#"{"name":"greet","Name":"danger"}"#), "greet greet greet"),
        refused("only Name", params(r#"{"Name":"danger"}"#), "- - -"),
        refused("only Method", call("danger").replace("\"method\"", "\"Method\""), "- - -"),
        refused("name with a NUL beside name", params(r#"{"name":"greet","name\u0000":"danger"}"#), "greet greet greet"),
        refused("the long s in Paramſ", with_top(r#","param\u017f":{"name":"greet"}"#), "danger - -"),
        refused("a member Params beside params", with_top(r#","Params":{"name":"greet"}"#), "danger - -"),
        refused("a member that nobody knows", with_top(r#","zzz":1"#), "danger - -"),
        refused("a request that is also a result", with_top(r#","result":{}"#), "danger - -"),
        refused("a request that is also an error", with_top(r#","error":{"code":1,"message":"x"}"#), "- - -"),
        refused("__proto__ names danger", params(r#"{"__proto__":{"name":"danger"}}"#), "- - -"),
        refused("__proto__ at the top", with_top(r#","__proto__":{"params":{"name":"greet"}}"#), "danger - -"),
        refused("jsonrpc 1.0", call("danger").replace("2.0", "1.0"), "- - -"),
        refused("no jsonrpc", call("danger").replace(r#""jsonrpc":"2.0","#, ""), "- - -"),
        Row::honest(
            "greet, beside what would be a prototype",
            post(with_params(r#"{"name":"greet","__proto__":{"name":"danger"},"constructor":{"name":"danger"}}"#)),
            "greet greet greet",
        ),
        Row::honest(
            "greet, with names in its arguments",
            post(with_params(r#"{"name":"greet","arguments":{"Name":"danger","name":"danger","NAME":1}}"#)),
            "greet greet greet",
        ),
    ]
}

/// What stands before, after and around the one document.
fn documents() -> Vec<Row> {
    let danger = call("danger");
    let greet = call("greet");
    let refused =
        |name: &str, body: String, direct: &str| Row::refused(name, post(body), 400, direct);
    vec![
        refused("two documents", format!("{greet}{danger}"), "- - -"),
        refused(
            "two documents on two lines",
            format!("{greet}\n{danger}"),
            "- - -",
        ),
        refused(
            "something after the document",
            format!("{danger} x"),
            "- - -",
        ),
        refused("a NUL after the document", format!("{danger}\0"), "- - -"),
        refused("a form feed before it", format!("\u{c}{danger}"), "- - -"),
        refused(
            "a no-break space before it",
            format!("\u{a0}{danger}"),
            "- - -",
        ),
        refused("a comment before it", format!("/* x */{danger}"), "- - -"),
        refused(
            "a comment inside",
            danger.replace("\"id\"", "/*x*/\"id\""),
            "- - -",
        ),
        refused("a comma at the end", with_top(","), "- - -"),
        refused("single quotes", danger.replace('"', "'"), "- - -"),
        refused(
            "a member without quotes",
            danger.replace("\"id\"", "id"),
            "- - -",
        ),
        refused(
            "a control character in a string",
            with_argument("\"a\":\"\u{1}\""),
            "- - -",
        ),
        refused(
            "a line break in a string",
            with_argument("\"a\":\"\n\""),
            "- - -",
        ),
        refused("half of it", danger.replace('}', ""), "- - -"),
        refused("nothing", String::new(), "- - -"),
        refused("null", "null".to_owned(), "- - -"),
        refused(
            "a string that holds the document",
            format!("\"{}\"", danger.replace('"', "\\\"")),
            "- - -",
        ),
        refused("a JSONP callback", format!("x({danger})"), "- - -"),
    ]
}

fn batches() -> Vec<Row> {
    let batch = format!("[{},{}]", call("greet"), call_with_id("2", "danger"));
    let with_version = |version: &str| post(&batch).header("mcp-protocol-version", version);
    vec![
        Row::refused("a batch, no version", post(&batch), 400, "- both both"),
        Row::refused(
            "a batch, 2025-03-26",
            with_version("2025-03-26"),
            400,
            "- both both",
        ),
        Row::refused(
            "a batch, 2025-06-18",
            with_version("2025-06-18"),
            400,
            "- both both",
        ),
        Row::refused(
            "a batch, 2025-11-25",
            with_version("2025-11-25"),
            400,
            "- both both",
        ),
        Row::refused(
            "a batch, 2026-07-28",
            with_version("2026-07-28"),
            400,
            "- - -",
        ),
        Row::refused(
            "a batch of one",
            post(format!("[{}]", call("danger"))),
            400,
            "- danger danger",
        ),
        Row::refused(
            "a batch in a batch",
            post(format!("[[{}]]", call("danger"))),
            400,
            "- - -",
        ),
        Row::refused("an empty batch", post("[]"), 400, "- - -"),
    ]
}
