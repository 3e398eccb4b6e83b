//! Paths that are nearly the endpoint's.

use super::bodies::call;
use super::support::http::Request;
use super::world::Row;

fn post(target: &str, tool: &str) -> Request {
    Request::new("POST", target)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(call(tool))
}

pub(crate) fn rows() -> Vec<Row> {
    let refused = |target: &str, status: u16, direct: &str| {
        Row::refused(
            format!("danger, {target}"),
            post(target, "danger"),
            status,
            direct,
        )
    };
    let greet = |target: &str, status: u16, direct: &str| {
        Row::refused(
            format!("greet, {target}"),
            post(target, "greet"),
            status,
            direct,
        )
    };
    vec![
        Row::honest("greet, /mcp", post("/mcp", "greet"), "greet greet greet"),
        Row::honest(
            "greet, /mcp?x=1",
            post("/mcp?x=1", "greet"),
            "greet greet greet",
        ),
        Row::honest("greet, /mcp?", post("/mcp?", "greet"), "greet greet greet"),
        refused("/mcp?x=1", 403, "danger danger danger"),
        refused("/mcp/", 404, "- danger danger"),
        greet("/mcp/", 404, "- greet greet"),
        refused("/MCP", 404, "- danger danger"),
        greet("/MCP", 404, "- greet greet"),
        refused("/%6dcp", 403, "danger - -"),
        refused("/%6Dcp", 403, "danger - -"),
        refused("//mcp", 403, "- - -"),
        refused("/x/../mcp", 403, "- - -"),
        refused("/./mcp", 403, "- - -"),
        refused("/mcp;a=b", 404, "- - -"),
        refused("/mcp%2f", 400, "- - -"),
        refused("/mcp%5c", 400, "- - -"),
        refused("/mcp%00", 400, "- - -"),
        refused("/mcp%20", 404, "- - -"),
        refused("/mcp#x", 400, "- danger danger"),
        refused("/mcp?access_token=x", 400, "danger danger danger"),
        greet("/mcp?access_token=x", 400, "greet greet greet"),
        refused("/", 404, "- - -"),
        refused(
            "/.well-known/oauth-protected-resource/../../mcp",
            403,
            "- - -",
        ),
        refused("http://mcp.example.com/mcp", 403, "- danger -"),
        refused("http://other.example/mcp", 404, "- danger -"),
    ]
}
