//! exploration
#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::uninlined_format_args, clippy::too_many_lines, clippy::indexing_slicing)]
mod support;
use support::envoy::{Envoy, EnvoyConfig};
use support::authorizer::ScriptedAuthorizer;
use support::mcp;
use support::mcp::McpServer;
use cedargate::proto::envoy::service::auth::v3::*;
const F: &str = include_str!("../deploy/envoy/mcp-filter/envoy.yaml");
#[test]
fn explore() {
    let up = McpServer::start();
    let auth = ScriptedAuthorizer::start(|_| CheckResponse{status: Some(cedargate::proto::google::rpc::Status{code:7,message:String::new()}), ..CheckResponse::default()});
    for mode in ["REJECT_NO_MCP", "PASS_THROUGH"] {
    let c = EnvoyConfig::of(F, up.port(), auth.port()).replace("traffic_mode: REJECT_NO_MCP", &format!("traffic_mode: {mode}"));
    let envoy = Envoy::start(&c);
    envoy.wait_for_authorizer(true);
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let m = |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    for (h, b) in [
        ("", m("tools/call", r#"{"name":"a","arguments":{"x":9007199254740993,"y":0.1,"z":null,"l":[1,"a",{}],"e":{},"n":{"a.b":1}}}"#)),
        ("", m("tools/call", r#"{"name":"a"}"#)),
        ("", m("tools/call", r#"{"name":"a","arguments":null}"#)),
        ("", m("tools/call", r#"{"name":"a","arguments":[1]}"#)),
        ("", m("tools/call", r#"{"name":"a","arguments":{"x":1e999}}"#)),
        ("", m("tools/call", r#"{"name":7}"#)),
        ("", m("tools/call", r#"{"name":""}"#)),
        ("", m("tools/call", r#"{}"#)),
        ("", m("tools/call", r#"[1]"#)),
        ("", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":"s","method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":3,"method":"notifications/initialized"}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"result":{}}"#.into()),
        ("", m("ping", "{}")), ("", m("zzz", "{}")), ("", m("initialize", r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}"#)),
        ("", m("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"x","value":"y"}}"#)),
        ("", m("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["u://a"],"taskIds":["t"],"toolsListChanged":true}}"#)),
        ("", m("resources/read", r#"{"uri":"u://a"}"#)), ("", m("resources/subscribe", r#"{"uri":"u://a"}"#)), ("", m("prompts/get", r#"{"name":"p","arguments":{"a":"b"}}"#)),
        ("", m("tasks/get", r#"{"taskId":"t"}"#)),
        ("", m("tools/list", "{}")),
        ("v=2026-07-28", m("tools/call", &format!(r#"{{"name":"a",{meta}}}"#))),
        ("v=2026-07-28|m=tools/call|n=a", m("tools/call", &format!(r#"{{"name":"a",{meta}}}"#))),
        ("v=2026-07-28|m=tools/call|n=b", m("tools/call", &format!(r#"{{"name":"a",{meta}}}"#))),
        ("v=2026-07-28|m=tools/call|n=a", m("tools/call", r#"{"name":"a"}"#)),
        ("v=2025-11-25|m=tools/call|n=b", m("tools/call", r#"{"name":"a"}"#)),
        ("", m("tools/call", &format!(r#"{{"name":"a",{meta}}}"#))),
        ("", m("tools/call", r#"{"name":"a","name":"b"}"#)),
        ("", m("tools/call", r#"{"name":"a","n\u0061me":"b"}"#)),
        ("", m("tools/call", r#"{"name":"a","arguments":{"x":1,"x":2}}"#)),
        ("", m("tools/call", r#"{"name":"a","Name":"b"}"#)),
        ("", m("tools/call", r#"{"name":"\u0061"}"#)),
        ("", m("tools/call", r#"{"name":"a\ud800"}"#)),
        ("", m("tools/call", r#"{"name":"a\u0000b"}"#)),
        ("", format!("[{}]", m("tools/call", r#"{"name":"a"}"#))),
        ("", format!("{} {}", m("tools/call", r#"{"name":"a"}"#), m("tools/call", r#"{"name":"b"}"#))),
        ("", format!("\u{feff}{}", m("tools/call", r#"{"name":"a"}"#))),
        ("", "{".into()), ("", "x".into()), ("", r#"{"id":1,"method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"a"}}"#.into()),
        ("", m("tools/call", &format!(r#"{{"name":"a","x":"{}"}}"#, "x".repeat(1_100_000)))),
        ("ct=text/plain", m("tools/call", r#"{"name":"a"}"#)),
        ("ct=application/json; charset=utf-7", m("tools/call", r#"{"name":"a"}"#)),
        ("ce=gzip", m("tools/call", r#"{"name":"a"}"#)),
    ] {
        let n = auth.checks().len();
        let mut r = support::http::Request::new("POST", "/mcp").header("host","mcp.example.com").header("accept","application/json, text/event-stream");
        let mut ct = "application/json";
        for one in h.split('|').filter(|x| !x.is_empty()) { let (k,v)=one.split_once('=').expect("kv"); match k { "v" => r = r.header("mcp-protocol-version", v), "m" => r = r.header("mcp-method", v), "n" => r = r.header("mcp-name", v), "ce" => r = r.header("content-encoding", v), "ct" => ct = v, _ => panic!() } }
        let r = r.header("content-type", ct).body(b.as_str());
        let a = envoy.send(&r);
        let checks = auth.checks();
        let short: String = b.chars().take(130).collect();
        if checks.len() == n { println!("{mode} {h} {short}\n    -> {} NO CHECK {}", a.status, a.text().chars().take(200).collect::<String>()); continue; }
        let ck = checks.last().expect("c").attributes.clone().expect("a");
        let md = ck.metadata_context.map(|m| format!("{:?}", m.filter_metadata)).unwrap_or_default();
        let md = md.replace("Some(Value { kind: ", "").replace("Value { kind: Some(", "(").replace("Struct { fields: ", "").chars().take(900).collect::<String>();
        let http = ck.request.and_then(|r| r.http).expect("h");
        println!("{mode} {h} {short}\n    -> {} size={} raw={} {md}", a.status, http.size, http.raw_body.len());
    }
    }
}
