//! The headers of 2026-07-28 that repeat the body, held against the body.

use super::bodies::call;
use super::bodies::post;
use super::support::http::Request;
use super::world::Row;

const VERSION: &str = "2026-07-28";

/// A call with what 2026-07-28 wants in `_meta`.
pub(crate) fn body(tool: &str) -> String {
    body_of(tool, VERSION)
}

fn body_of(tool: &str, version: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
}

/// A call of `tool` with every header, of which `Mcp-Name` says `name`.
pub(crate) fn modern(tool: &str, name: impl AsRef<[u8]>) -> Request {
    headers(&[VERSION], &["tools/call"], &[name.as_ref()]).body(body(tool))
}

/// One line for each value.
fn headers(versions: &[&str], methods: &[&str], names: &[&[u8]]) -> Request {
    let mut request = post("");
    for version in versions {
        request = request.header("Mcp-Protocol-Version", version);
    }
    for method in methods {
        request = request.header("Mcp-Method", method);
    }
    for name in names {
        request = request.header("Mcp-Name", name);
    }
    request
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = names();
    rows.extend(versions());
    rows.extend(methods());
    rows
}

fn names() -> Vec<Row> {
    let named = |what: &str, name: &[u8], direct: &str| {
        Row::refused(
            format!("Mcp-Name {what}"),
            modern("danger", name),
            400,
            direct,
        )
    };
    let honest = |what: &str, name: &[u8], direct: &str| {
        Row::honest(
            format!("greet, Mcp-Name {what}"),
            modern("greet", name),
            direct,
        )
    };
    let twice = |first: &str, second: &str, tool: &str, direct: &str| {
        let both = [first.as_bytes(), second.as_bytes()];
        let request = headers(&[VERSION], &["tools/call"], &both).body(body(tool));
        Row::refused(
            format!("Mcp-Name {first}, then {second}; {tool}"),
            request,
            400,
            direct,
        )
    };
    vec![
        honest("greet", b"greet", "greet - greet"),
        honest("with space around it", b" \tgreet\t ", "greet - greet"),
        honest(
            "=?base64?Z3JlZXQ=?=",
            b"=?base64?Z3JlZXQ=?=",
            "greet - greet",
        ),
        Row::refused(
            "danger, as it is",
            modern("danger", "danger"),
            403,
            "danger - danger",
        ),
        Row::refused(
            "danger, =?base64?ZGFuZ2Vy?=",
            modern("danger", "=?base64?ZGFuZ2Vy?="),
            403,
            "danger - danger",
        ),
        named("greet", b"greet", "- - -"),
        named("=?base64?Z3JlZXQ=?=", b"=?base64?Z3JlZXQ=?=", "- - -"),
        named("Danger", b"Danger", "- - -"),
        named("danger,greet", b"danger,greet", "- - -"),
        named(
            "in a nested sentinel",
            b"=?base64?PT9iYXNlNjQ/WkdGdVoyVnk/PQ==?=",
            "- - -",
        ),
        named("=?BASE64?ZGFuZ2Vy?=", b"=?BASE64?ZGFuZ2Vy?=", "- - -"),
        named("=?base64?ZGFuZ2Vy?", b"=?base64?ZGFuZ2Vy?", "- - -"),
        named("=?base64?ZGFuZ2V?=, cut", b"=?base64?ZGFuZ2V?=", "- - -"),
        named("base64 with a blank", b"=?base64?ZGFu Z2Vy?=", "- - -"),
        named(
            "base64 with needless padding",
            b"=?base64?ZGFuZ2Vy====?=",
            "- - -",
        ),
        named("not UTF-8", b"dang\xffer", "- - -"),
        named("empty", b"", "- - -"),
        Row::refused(
            "greet, base64 without its padding",
            modern("greet", "=?base64?Z3JlZXQ?="),
            400,
            "- - -",
        ),
        Row::refused(
            "greet, base64 with loose bits",
            modern("greet", "=?base64?Z3JlZXR=?="),
            400,
            "- - greet",
        ),
        twice("danger", "greet", "danger", "- - -"),
        twice("greet", "danger", "danger", "- - -"),
        twice("danger", "danger", "danger", "- - -"),
        twice("greet", "greet", "greet", "- - -"),
        Row::refused(
            "no Mcp-Name",
            headers(&[VERSION], &["tools/call"], &[]).body(body("danger")),
            400,
            "- - -",
        ),
        Row::honest(
            "greet, 2025-06-18 with Mcp-Name greet",
            headers(&["2025-06-18"], &["tools/call"], &[b"greet"]).body(call("greet")),
            "greet greet greet",
        ),
        Row::refused(
            "Mcp-Name greet, no version anywhere",
            headers(&[], &["tools/call"], &[b"greet"]).body(call("danger")),
            400,
            "danger danger danger",
        ),
        Row::refused(
            "Mcp-Name greet, 2025-06-18",
            headers(&["2025-06-18"], &["tools/call"], &[b"greet"]).body(call("danger")),
            400,
            "danger danger danger",
        ),
        Row::refused(
            "Mcp-Name greet, 2025-11-25",
            headers(&["2025-11-25"], &["tools/call"], &[b"greet"]).body(call("danger")),
            400,
            "danger danger danger",
        ),
    ]
}

fn versions() -> Vec<Row> {
    let versions = |versions: &[&str], name: &str, text: String| {
        headers(versions, &["tools/call"], &[name.as_bytes()]).body(text)
    };
    let honest = |version: &str| {
        let request = headers(&[version], &[], &[]).body(call("greet"));
        Row::honest(format!("greet, {version}"), request, "greet greet greet")
    };
    vec![
        honest("2025-03-26"),
        honest("2025-06-18"),
        honest("2025-11-25"),
        Row::refused(
            "_meta 2026-07-28, no version header",
            versions(&[], "greet", body("danger")),
            400,
            "danger danger -",
        ),
        Row::refused(
            "_meta 2026-07-28, no version header, all else right",
            versions(&[], "danger", body("danger")),
            400,
            "danger danger -",
        ),
        Row::refused(
            "_meta 2026-07-28, header 2025-11-25, Mcp-Name greet",
            versions(&["2025-11-25"], "greet", body("danger")),
            400,
            "danger danger -",
        ),
        Row::refused(
            "_meta 2025-11-25, header 2026-07-28",
            versions(&[VERSION], "danger", body_of("danger", "2025-11-25")),
            400,
            "- - -",
        ),
        Row::refused(
            "2025-11-25, then 2026-07-28, Mcp-Name greet",
            versions(&["2025-11-25", VERSION], "greet", body("danger")),
            400,
            "danger - -",
        ),
        Row::refused(
            "2026-07-28, then 2025-11-25, Mcp-Name greet",
            versions(&[VERSION, "2025-11-25"], "greet", body("danger")),
            400,
            "- - -",
        ),
        Row::refused(
            "2025-11-25,2026-07-28 on one line, Mcp-Name greet",
            versions(&["2025-11-25,2026-07-28"], "greet", body("danger")),
            400,
            "- - -",
        ),
        Row::refused(
            "2026-07-28 twice",
            versions(&[VERSION, VERSION], "danger", body("danger")),
            400,
            "- - -",
        ),
        Row::refused(
            "2026-07-28, no _meta",
            versions(&[VERSION], "danger", call("danger")),
            400,
            "- - -",
        ),
        Row::refused(
            "2024-01-01",
            versions(&["2024-01-01"], "danger", call("danger")),
            400,
            "- - -",
        ),
        Row::refused(
            "2027-01-01",
            versions(&["2027-01-01"], "danger", body_of("danger", "2027-01-01")),
            400,
            "- - -",
        ),
        Row::refused(
            "_meta twice, the second 2026-07-28",
            versions(
                &["2025-11-25"],
                "danger",
                body("danger").replace("\"_meta\"", "\"_meta\":{},\"_meta\""),
            ),
            400,
            "danger danger -",
        ),
        Row::refused(
            "the version in _meta is a number",
            versions(
                &[VERSION],
                "danger",
                body("danger").replace("\"2026-07-28\"", "20260728"),
            ),
            400,
            "- - -",
        ),
        Row::refused(
            "2026-07-28, a response",
            versions(
                &[VERSION],
                "danger",
                r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned(),
            ),
            400,
            "- - -",
        ),
    ]
}

fn methods() -> Vec<Row> {
    let methods =
        |methods: &[&str]| headers(&[VERSION], methods, &[b"danger"]).body(body("danger"));
    let old = |method: &str| headers(&["2025-11-25"], &[method], &[]).body(call("danger"));
    vec![
        Row::refused(
            "Mcp-Method tools/list",
            methods(&["tools/list"]),
            400,
            "- - -",
        ),
        Row::refused(
            "Mcp-Method TOOLS/CALL",
            methods(&["TOOLS/CALL"]),
            400,
            "- - -",
        ),
        Row::refused("no Mcp-Method", methods(&[]), 400, "- - -"),
        Row::refused(
            "Mcp-Method twice",
            methods(&["tools/call", "tools/list"]),
            400,
            "- - -",
        ),
        Row::refused(
            "Mcp-Method twice, turned round",
            methods(&["tools/list", "tools/call"]),
            400,
            "- - -",
        ),
        Row::refused(
            "Mcp-Method ping, 2025-11-25",
            old("ping"),
            400,
            "danger danger danger",
        ),
        Row::honest(
            "GET, which nobody serves",
            Request::new("GET", "/mcp").header("Mcp-Protocol-Version", VERSION),
            "- - -",
        ),
        Row::refused(
            "a method that nobody knows",
            headers(&[VERSION], &["tools/run"], &[])
                .body(body("danger").replace("tools/call", "tools/run")),
            403,
            "- - -",
        ),
        Row::refused(
            "PUT",
            Request::new("PUT", "/mcp")
                .header("content-type", "application/json")
                .body(call("danger")),
            403,
            "- - -",
        ),
        Row::refused(
            "X-HTTP-Method-Override",
            Request::new("GET", "/mcp")
                .header("x-http-method-override", "POST")
                .header("content-type", "application/json")
                .body(call("danger")),
            400,
            "- - -",
        ),
    ]
}
