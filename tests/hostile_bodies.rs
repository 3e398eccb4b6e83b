//! Bodies that did not come whole, or that two parsers decode differently: each is refused, whoever
//! sends it.

#![expect(
    clippy::string_slice,
    clippy::too_many_lines,
    reason = "tables of attacks, in which a wrong assumption fails the test"
)]

mod support;
use support::ask::Ask;
use support::mcp;
use support::scene::bodies::with_params;
use support::scene::bodies::world;

const MIB: usize = 1 << 20;

#[test]
fn the_type_and_the_encoding_leave_no_choice() {
    let world = world();
    let call = with_params("");
    let typed = |value: &str| {
        let ask = world
            .ask(&call)
            .without("content-type")
            .header("content-type", value);
        world.asker.both(&ask).reason
    };
    for good in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        assert_eq!(typed(good), "allowed", "{good}");
    }
    for bad in [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=utf-16le",
        "application/json; charset=utf-32",
        "application/json; charset=iso-8859-1",
        "application/json; charset=",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; charset=utf8",
        "application/json;;",
        "application/json, text/plain",
        "application/json,application/json",
        "application/json+x",
        "application/vnd.api+json",
        "application/jsonx",
        "json",
        "*/*",
        "application/json; boundary=x",
        "",
    ] {
        assert_eq!(typed(bad), "malformed_request", "{bad}");
    }
    assert_eq!(
        world
            .asker
            .both(&world.ask(&call).without("content-type"))
            .reason,
        "malformed_request"
    );
    for encoding in [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "identity, gzip",
        "identity,identity",
        "GZIP",
        "x-gzip",
        "",
        "chunked",
    ] {
        let ask = world.ask(&call).header("content-encoding", encoding);
        assert_eq!(
            world.asker.both(&ask).reason,
            "malformed_request",
            "{encoding}"
        );
    }
    assert_eq!(
        world
            .asker
            .both(&world.ask(&call).header("content-encoding", "Identity"))
            .reason,
        "allowed"
    );
    let utf7 = with_params("").replace("get_forecast", "+AGQ-elete_station");
    let ask = world
        .ask(utf7)
        .without("content-type")
        .header("content-type", "application/json; charset=utf-7");
    assert_eq!(world.asker.both(&ask).reason, "malformed_request");
    let wide = |units: Vec<u16>| {
        units
            .into_iter()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    for body in [
        wide(call.encode_utf16().collect()),
        wide(std::iter::once(0xfeff).chain(call.encode_utf16()).collect()),
        [b"\xef\xbb\xbf", call.as_bytes()].concat(),
        call.bytes().flat_map(|byte| [0, 0, 0, byte]).collect(),
        call.replace("get_forecast", "get_forecast\u{e9}")
            .bytes()
            .filter(|byte| *byte != 0xa9)
            .collect(),
        b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
        vec![0xff; 100],
    ] {
        assert_eq!(world.reason(&body), "malformed_request", "{:?}", &body[..8]);
    }
}

#[test]
fn depth_and_size_have_an_end() {
    let world = world();
    let nested = |open: &str, close: &str, depth: usize| {
        with_params(&format!(
            r#","arguments":{{"a":{}1{}}}"#,
            open.repeat(depth),
            close.repeat(depth)
        ))
    };
    // The message, `params` and `arguments` are three levels themselves.
    assert_eq!(world.reason(nested("[", "]", 61)), "allowed");
    for depth in [62, 128, 1_000, 100_000] {
        assert_eq!(
            world.reason(nested("[", "]", depth)),
            "malformed_request",
            "{depth}"
        );
        assert_eq!(
            world.reason(nested("{\"a\":", "}", depth)),
            "malformed_request",
            "{depth}"
        );
        assert_eq!(
            world.reason("[".repeat(depth)),
            "malformed_request",
            "{depth}"
        );
        assert_eq!(
            world.reason(nested("[", "", depth)),
            "malformed_request",
            "{depth}"
        );
    }
    let padded = |length: usize| {
        let body = with_params(r#","arguments":{"x":"#);
        let body = body.trim_end_matches('}').to_owned();
        let room = length - body.len() - "\"\"}}}".len();
        format!("{body}\"{}\"}}}}}}", "x".repeat(room))
    };
    for (length, expected) in [
        (MIB - 1, "allowed"),
        (MIB, "allowed"),
        (MIB + 1, "malformed_request"),
        (MIB + 100_000, "malformed_request"),
    ] {
        let body = padded(length);
        assert_eq!(body.len(), length);
        assert_eq!(world.reason(body), expected, "{length}");
    }
    let many: Vec<String> = (0..60_000).map(|n| format!("\"k{n}\":0")).collect();
    assert_eq!(
        world.reason(with_params(&format!(
            ",\"arguments\":{{{}}}",
            many.join(",")
        ))),
        "allowed"
    );
    assert_eq!(
        world.reason(with_params(&format!(
            ",\"arguments\":{{{},\"k0\":0}}",
            many.join(",")
        ))),
        "malformed_request"
    );
}

#[test]
fn a_body_that_did_not_come_whole_is_not_judged() {
    let world = world();
    let call = with_params("");
    let length = i64::try_from(call.len()).expect("a small body");
    for (size, expected) in [
        (length, "allowed"),
        (0, "allowed"),
        (-1, "allowed"),
        (length + 1, "malformed_request"),
        (length - 1, "malformed_request"),
        (1, "malformed_request"),
        (i64::MAX, "malformed_request"),
    ] {
        let mut ask = world.ask(&call);
        ask.size = Some(size);
        assert_eq!(world.asker.grpc(&ask).reason, expected, "{size}");
    }
    for announced in [length + 1, length - 1, 0, 1] {
        let ask = world
            .ask(&call)
            .header("content-length", announced.to_string());
        assert_eq!(
            world.asker.grpc(&ask).reason,
            "malformed_request",
            "{announced}"
        );
    }
    for at in [1, call.len() / 2, call.len() - 1] {
        assert_eq!(
            world.reason(&call[..at]),
            "malformed_request",
            "cut at {at}"
        );
    }
    for flag in ["true", "True", "1", ""] {
        let ask = world.ask(&call).header("x-envoy-auth-partial-body", flag);
        assert_eq!(world.asker.both(&ask).reason, "malformed_request", "{flag}");
    }
    let mut swapped = world.ask(&call).grpc();
    let attributes = swapped.attributes.as_mut().and_then(|a| a.request.as_mut());
    let http = attributes
        .and_then(|request| request.http.as_mut())
        .expect("a request");
    http.body = mcp::call("delete_station", "{}");
    assert_eq!(
        world.asker.check(swapped).reason,
        "malformed_request",
        "two bodies"
    );
    for method in ["GET", "DELETE"] {
        let mut ask = world.ask(&call);
        method.clone_into(&mut ask.method);
        assert_eq!(
            world.asker.both(&ask).reason,
            "malformed_request",
            "{method} with a body"
        );
    }
    let bare = Ask::bare("POST")
        .bearer(&world.token)
        .header("content-type", "application/json");
    assert_eq!(world.asker.both(&bare).reason, "malformed_request");
    let stranger = Ask::post("{{{{");
    assert_eq!(
        world.asker.both(&stranger).reason,
        "missing_credential",
        "the credential comes first"
    );
}
