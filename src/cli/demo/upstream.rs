//! The demo's MCP server: three tools of a weather service, stateless, one JSON answer a request.

use axum::Json;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

/// Largest request body, as in the shipped Envoy configuration.
pub(super) const LARGEST_BODY: usize = 1024 * 1024;

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    method: String,
    #[serde(default)]
    params: Params,
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "protocolVersion")]
    protocol_version: Option<String>,
}

/// The server by itself, for a proxy that asks the sidecar on its own.
pub(super) fn router() -> Router {
    Router::new().fallback(async |request: Request| {
        let (head, body) = request.into_parts();
        match to_bytes(body, LARGEST_BODY).await {
            Ok(body) => answer(&head, &body),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    })
}

/// Answers a request that the sidecar has let pass.
pub(super) fn answer(head: &Parts, body: &Bytes) -> Response {
    if head.method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Ok(call) = serde_json::from_slice::<Call<'_>>(body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(id) = call.id else {
        return StatusCode::ACCEPTED.into_response();
    };
    let outcome = match call.method.as_str() {
        "initialize" => Ok(json!({
            "protocolVersion": call.params.protocol_version.unwrap_or("2025-11-25".to_owned()),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "weather", "version": env!("CARGO_PKG_VERSION")},
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": tools()})),
        "tools/call" => run(&call.params.name, head).ok_or((-32602, "unknown tool")),
        _ => Err((-32601, "unknown method")),
    };
    let answer = match outcome {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, message)) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    };
    Json(answer).into_response()
}

fn tools() -> Value {
    let tool = |name: &str, what: &str, argument: &str, hints: Value| {
        json!({
            "name": name,
            "description": what,
            "inputSchema": {"type": "object", "properties": {argument: {"type": "string"}}},
            "annotations": hints,
        })
    };
    json!([
        tool(
            "get_forecast",
            "The weather of tomorrow",
            "city",
            json!({"readOnlyHint": true})
        ),
        tool(
            "set_alert",
            "Warn of a storm",
            "city",
            json!({"idempotentHint": true})
        ),
        tool(
            "delete_station",
            "Remove a station",
            "id",
            json!({"destructiveHint": true})
        ),
    ])
}

/// What the tool says, and what the server was told about the caller.
fn run(tool: &str, head: &Parts) -> Option<Value> {
    let said = match tool {
        "get_forecast" => "sunny, 21 degrees",
        "set_alert" => "alert set",
        "delete_station" => "station deleted",
        _ => return None,
    };
    let mut text = said.to_owned();
    for (name, value) in &head.headers {
        if name.as_str().starts_with("x-cedargate-") || name == "authorization" {
            let value = String::from_utf8_lossy(value.as_bytes());
            text.extend([
                "
",
                name.as_str(),
                ": ",
                &*value,
            ]);
        }
    }
    Some(json!({"content": [{"type": "text", "text": text}], "isError": false}))
}
