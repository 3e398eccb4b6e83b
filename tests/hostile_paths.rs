//! Paths and hosts with two readings: none of them reaches another resource.

#![expect(
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use support::ask::Ask;
use support::ask::HOST;
use support::scene::paths::world;

#[test]
fn no_spelling_of_the_endpoint_is_a_path_of_the_site() {
    let world = world();
    let site = |path: &str| world.reason(&Ask::bare("GET").at(HOST, path));
    assert_eq!(site("/about"), "allowed", "the control");
    assert_eq!(site("/mcp"), "missing_credential", "the endpoint itself");
    for path in [
        "/mcp/",
        "/mcp//",
        "/MCP",
        "/Mcp",
        "/mCP/",
        "/%6dcp",
        "/%6Dcp",
        "/%4dcp",
        "/m%63p",
        "/%6d%63%70",
        "/mcp%2f",
        "/mcp%2F",
        "//mcp",
        "///mcp",
        "/./mcp",
        "/x/../mcp",
        "/mcp/.",
        "/mcp/..",
        "/mcp/x/..",
        "/../mcp",
        "/%2e/mcp",
        "/%2e%2e/mcp",
        "/x/%2e%2e/mcp",
        "/x/.%2e/mcp",
        "/x/%2e./mcp",
        "/x/..;/mcp",
        "/..;/mcp",
        "/mcp;",
        "/mcp;a=b",
        "/mcp;/",
        "/;a/mcp",
        "/mcp%3b",
        "/mcp%3Ba=b",
        "/%2fmcp",
        "/x%2f..%2fmcp",
        "/x/..%2fmcp",
        "/x%5c..%5cmcp",
        "/\\mcp",
        "/x\\..\\mcp",
        "/mcp\\",
        "/%5cmcp",
        "/mcp%5c",
        "/mcp%00",
        "/mcp%00.html",
        "/mcp\0",
        "/mcp%0a",
        "/mcp%0d%0a",
        "/mcp%09",
        "/mcp\t",
        "/mcp ",
        " /mcp",
        "/mcp%7f",
        "/mcp#",
        "/mcp#x",
        "/mcp?a#x",
        "/mcp%",
        "/mcp%2",
        "/mcp%zz",
        "/%u006dcp",
        "/%c0%afmcp/..%c0%af",
        "/%256dcp",
        "/x%252f..%252fmcp",
        "/%252e%252e/mcp",
        "/mcp%25%32%66",
        "mcp",
        "",
        "*",
        "?",
        "http://mcp.example.com/mcp",
        "https://mcp.example.com/mcp",
        "//mcp.example.com/mcp",
        "mcp.example.com:443",
        "/\u{ff4d}cp",
        "/mcp\u{200b}",
        "/mcp|",
        "/mcp\"",
        "/mcp<",
        "/mcp^",
        "/mcp`",
        "/mcp{",
        "/A/b.c/mcp",
        "/a/b%2ec/mcp",
        "/a/b.c/mcp/",
        "/a%2fb.c/mcp",
        "/a//b.c/mcp",
        "/a/./b.c/mcp",
        "/mcp?access_token=x",
        "/about?access_token=x",
        "/about?ACCESS%5fTOKEN=x",
        "/about/%2e%2e",
        "/about?x y",
        "/about?\n",
    ] {
        let refused = site(path);
        assert_eq!(refused, "malformed_request", "{path:?}");
        assert_eq!(
            world.reason(&world.call().at(HOST, path)),
            "malformed_request",
            "{path:?}"
        );
        let mut by_name = Ask::bare("GET").at(HOST, path);
        by_name.resource = Some("site".to_owned());
        assert_eq!(
            world.reason(&by_name),
            "malformed_request",
            "{path:?}, by name"
        );
    }
    let long = format!("/{}", "a".repeat(9_000));
    assert_eq!(site(&long), "malformed_request");
    for path in [
        "/mcpx",
        "/mcp/x",
        "/mcp.json",
        "/mcp2",
        "/x/mcp",
        "/about?x=/../mcp",
        "/about?next=//mcp",
        "/a/b",
        "/a/b.c",
    ] {
        assert_eq!(site(path), "allowed", "{path}: a path of its own");
    }
    for query in ["", "?x", "?x=%2e%2e", "?a?b", "?;", "?%00"] {
        let ask = world.call().at(HOST, &format!("/mcp{query}"));
        assert_eq!(world.asker.both(&ask).reason, "allowed", "{query}");
    }
}

#[test]
fn a_host_has_one_reading() {
    let world = world();
    for host in [
        "mcp.example.com",
        "MCP.Example.COM",
        "mcp.example.com.",
        "mcp.example.com:443",
        "mcp.example.com.:443",
    ] {
        assert_eq!(
            world.asker.both(&world.call().at(host, "/mcp")).reason,
            "allowed",
            "{host}"
        );
    }
    for (host, reason) in [
        ("", "malformed_request"),
        (".", "malformed_request"),
        (":443", "malformed_request"),
        ("mcp.example.com:", "malformed_request"),
        ("mcp.example.com:0", "malformed_request"),
        ("mcp.example.com:0443", "malformed_request"),
        ("mcp.example.com:443:443", "malformed_request"),
        ("mcp.example.com:99999", "malformed_request"),
        ("a@mcp.example.com", "malformed_request"),
        ("mcp.example.com,evil.example", "malformed_request"),
        ("mcp.example.com evil.example", "malformed_request"),
        ("mcp.example.com/mcp", "malformed_request"),
        ("mcp.example.com#", "malformed_request"),
        ("mcp.example.com%00", "malformed_request"),
        ("mcp..example.com", "malformed_request"),
        ("mcp.example.com..", "malformed_request"),
        ("\u{ff4d}cp.example.com", "malformed_request"),
        ("[::1", "malformed_request"),
        ("[fe80::1%25eth0]", "malformed_request"),
        ("mcp.example.com:8443", "unknown_resource"),
        ("mcp.example.com:80", "unknown_resource"),
        ("evil.example", "unknown_resource"),
        ("mcp.example.com.evil.example", "unknown_resource"),
        ("xmcp.example.com", "unknown_resource"),
        ("127.0.0.1", "unknown_resource"),
    ] {
        assert_eq!(
            world.reason(&world.call().at(host, "/mcp")),
            reason,
            "{host:?}"
        );
    }
    let long = "a".repeat(300);
    assert_eq!(
        world.reason(&world.call().at(&long, "/mcp")),
        "malformed_request"
    );
}
