//! Ways of sending a call that not every reader of HTTP takes for the same request.

use super::bodies::call;
use super::support::http::Request;
use super::world::Row;

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

fn send(method: &str, target: &str, body: impl AsRef<[u8]>) -> Request {
    Request::new(method, target)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = targets();
    rows.extend(methods());
    rows.extend(framing());
    rows.extend(headers());
    rows
}

/// The path that is answered without a token, as a way to the server, and targets with a host.
fn targets() -> Vec<Row> {
    let refused = |method: &str, target: &str, status: u16, direct: &str| {
        let request = send(method, target, call("danger"));
        Row::refused(format!("{method} {target}"), request, status, direct)
    };
    vec![
        refused("POST", METADATA, 404, "- - -"),
        refused("GET", METADATA, 200, "- - -"),
        refused("DELETE", METADATA, 404, "- - -"),
        refused("POST", &format!("{METADATA}/mcp"), 404, "- - -"),
        refused(
            "POST",
            "/.well-known/oauth-protected-resource/%2e%2e/%2e%2e/mcp",
            403,
            "- - -",
        ),
        refused("POST", "http://mcp.example.com/mcp", 403, "- danger -"),
        refused("POST", "http://127.0.0.1/mcp", 404, "- danger -"),
        refused("POST", "http://mcp.example.com:1/mcp", 403, "- danger -"),
        refused("POST", "http://a@mcp.example.com/mcp", 403, "- danger -"),
    ]
}

/// The call under another method.
fn methods() -> Vec<Row> {
    let refused = |method: &str, status: u16| {
        let request = send(method, "/mcp", call("danger"));
        Row::refused(
            format!("{method} with a call in it"),
            request,
            status,
            "- - -",
        )
    };
    let mut rows = vec![
        refused("HEAD", 403),
        refused("OPTIONS", 403),
        refused("DELETE", 400),
        refused("PUT", 403),
        refused("PATCH", 403),
        refused("QUERY", 403),
        refused("post", 400),
        refused("TRACE", 403),
    ];
    let preflight = send("OPTIONS", "/mcp", call("danger"))
        .header("origin", "http://a")
        .header("access-control-request-method", "POST");
    rows.push(Row::refused(
        "a preflight with a call in it",
        preflight,
        403,
        "- - -",
    ));
    rows
}

/// Where the body ends.
fn framing() -> Vec<Row> {
    let chunks =
        |body: &str, trailers: &str| format!("{:x}\r\n{body}\r\n0\r\n{trailers}\r\n", body.len());
    let refused = |coding: &str, status: u16, direct: &str| {
        let request = send("POST", "/mcp", chunks(&call("danger"), ""));
        let request = request.header("transfer-encoding", coding);
        Row::refused(
            format!("Transfer-Encoding: {coding}"),
            request,
            status,
            direct,
        )
    };
    let both = send("POST", "/mcp", chunks(&call("danger"), ""))
        .header("transfer-encoding", "chunked")
        .header("content-length", "5");
    let trailers = "mcp-name: danger\r\ncontent-type: text/plain\r\n";
    let trailers = send("POST", "/mcp", chunks(&call("greet"), trailers))
        .header("transfer-encoding", "chunked");
    vec![
        refused("chunked", 403, "danger danger danger"),
        refused("CHUNKED", 403, "danger danger danger"),
        refused("gzip, chunked", 501, "- danger danger"),
        refused("chunked, chunked", 501, "- - -"),
        refused("xchunked", 501, "- - -"),
        refused("chunked, identity", 501, "- - -"),
        Row::refused("chunks and a length", both, 400, "danger - -"),
        Row::honest("greet, then trailers", trailers, "greet greet greet"),
    ]
}

/// Headers that mean something to one of the programs on the way.
fn headers() -> Vec<Row> {
    let refused = |name: &str, value: &str, status: u16| {
        let request = send("POST", "/mcp", call("danger")).header(name, value);
        Row::refused(
            format!("{name}: {value}"),
            request,
            status,
            "danger danger danger",
        )
    };
    vec![
        refused("connection", "close, authorization, content-type", 401),
        refused("connection", "content-length", 403),
        refused("upgrade", "h2c", 403),
        refused("upgrade", "websocket", 403),
        refused("x-http-method-override", "GET", 403),
        refused("x-envoy-original-path", "/mcp?x", 403),
        refused("x-original-url", "/x", 403),
        refused("x-rewrite-url", "/x", 403),
        refused("x-envoy-auth-partial-body", "false", 403),
    ]
}
