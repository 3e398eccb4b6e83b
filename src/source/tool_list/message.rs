//! The JSON-RPC messages of the conversation: what is sent, and what an answer says.

use serde_json::Value;
use serde_json::json;

use super::fault::ToolListFault;
use crate::json;
use crate::json::DEEPEST;
use crate::json::StrictValue;

/// The revision without a handshake that is spoken.
pub(super) const MODERN: &str = "2026-07-28";

/// The revisions with a handshake, newest first.
pub(super) const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// The server does not implement the revision of the request.
const UNSUPPORTED_VERSION: i64 = -32022;
/// Headers and body do not agree.
const HEADER_MISMATCH: i64 = -32020;
/// The client lacks a capability.
const MISSING_CAPABILITY: i64 = -32021;
/// JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// Most characters of a text of the server that are kept.
const MAX_TEXT: usize = 300;

/// Most revisions of a server that are looked at.
const MAX_VERSIONS: usize = 20;

/// An error object of JSON-RPC 2.0 (section 5.1), of the server's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// Its code.
    pub code: i64,
    /// Its message, cut after 300 characters.
    pub message: String,
    /// `data.supported`: the revisions that the server speaks.
    pub supported: Vec<String>,
}

impl RpcError {
    /// Reads the object.
    pub(super) fn read(value: &StrictValue) -> Option<Self> {
        let supported = value.get("data").and_then(|data| data.get("supported"));
        let supported = supported.and_then(StrictValue::as_array).unwrap_or(&[]);
        let supported = supported.iter().filter_map(StrictValue::as_text);
        Some(Self {
            code: value.get("code")?.as_integer()?,
            message: brief(value.get("message").and_then(StrictValue::as_text)?),
            supported: supported.map(brief).take(MAX_VERSIONS).collect(),
        })
    }
}

/// What answers a request.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Result(StrictValue),
    Error(RpcError),
}

/// Reads a message that came while the request `id` waits for its answer; `None` for one that is no
/// answer, but tells or asks something. There is nothing that we would do about that.
pub(super) fn read(bytes: &[u8], id: u64) -> Result<Option<Reply>, ToolListFault> {
    let mut message = json::parse(bytes, DEEPEST).map_err(ToolListFault::Json)?;
    if message.as_object().is_none() {
        return Err(ToolListFault::Malformed("it is no single JSON-RPC message"));
    }
    if message.get("jsonrpc").and_then(StrictValue::as_text) != Some("2.0") {
        return Err(ToolListFault::Malformed("it is not JSON-RPC 2.0"));
    }
    if message.get("method").is_some() {
        return Ok(None);
    }
    let answered = match message.get("id") {
        Some(StrictValue::Integer(number)) => u64::try_from(*number).ok(),
        Some(_) | None => None,
    };
    // Who could not read the request does not know its id (JSON-RPC 2.0, section 5).
    let anonymous = matches!(message.get("id"), None | Some(StrictValue::Null));
    match (take(&mut message, "result"), take(&mut message, "error")) {
        (Some(result), None) if answered == Some(id) => Ok(Some(Reply::Result(result))),
        (None, Some(error)) => {
            let error = RpcError::read(&error).filter(|_| anonymous || answered == Some(id));
            let error = error.ok_or(ToolListFault::Malformed(
                "it is an error to another request, or none of JSON-RPC",
            ))?;
            Ok(Some(Reply::Error(error)))
        }
        (Some(_), None) => Err(ToolListFault::Malformed("it answers another request")),
        (Some(_), Some(_)) | (None, None) => Err(ToolListFault::Malformed(
            "it has neither a result nor an error, or both",
        )),
    }
}

/// Takes a member out of an object: a result may be large.
fn take(message: &mut StrictValue, name: &str) -> Option<StrictValue> {
    if let StrictValue::Object(members) = message {
        let at = members.iter().position(|(member, _)| member == name)?;
        return Some(members.swap_remove(at).1);
    }
    None
}

/// What a refusal of the first request, which is one of the modern revision, leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The handshake of an earlier revision, beginning with this one.
    Legacy(&'static str),
    /// Nothing: it is what it is.
    Stop,
}

/// MCP 2026-07-28, Streamable HTTP, section Backward Compatibility: an error that only a modern server
/// knows is final, unless it names revisions that we speak; anything else comes from a server that
/// wants a handshake.
pub(super) fn after_refusal(status: u16, error: Option<&RpcError>) -> Next {
    let newest = LEGACY.first().copied().unwrap_or(MODERN);
    let Some(error) = error else {
        return if (400..500).contains(&status) {
            Next::Legacy(newest)
        } else {
            Next::Stop
        };
    };
    match (error.code, status) {
        // One that names none, though it must, is asked for the newest.
        (UNSUPPORTED_VERSION, _) if !error.supported.is_empty() => {
            let spoken = |one: &&&str| error.supported.iter().any(|other| other == **one);
            let common = LEGACY.iter().find(spoken);
            common.map_or(Next::Stop, |version| Next::Legacy(version))
        }
        (HEADER_MISMATCH | MISSING_CAPABILITY, _) | (METHOD_NOT_FOUND, 404) | (_, 500..) => {
            Next::Stop
        }
        (_, _) => Next::Legacy(newest),
    }
}

/// `tools/list`. Where no revision was agreed upon, it says for itself which one it is of.
pub(super) fn tools_list(id: u64, cursor: Option<&str>, modern: bool) -> Value {
    let mut params = serde_json::Map::new();
    if let Some(cursor) = cursor {
        params.insert("cursor".to_owned(), cursor.into());
    }
    if modern {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": client_info(),
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        params.insert("_meta".to_owned(), meta);
    }
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params})
}

/// `initialize`
pub(super) fn initialize(id: u64, version: &str) -> Value {
    let params = json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": client_info(),
    });
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params})
}

/// `notifications/initialized`
pub(super) fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// The start of a text, for a message.
pub(super) fn brief(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn client_info() -> Value {
    json!({"name": "cedargate", "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_the_request_is_one() {
        let result = read(br#"{"jsonrpc":"2.0","id":3,"result":{}}"#, 3).unwrap();
        assert_eq!(result, Some(Reply::Result(StrictValue::Object(vec![]))));
        for told in [
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#,
        ] {
            assert_eq!(read(told.as_bytes(), 3).unwrap(), None, "{told}");
        }
        for error in [
            r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"m","data":{"supported":7}}}"#,
        ] {
            let read = read(error.as_bytes(), 3).unwrap();
            assert!(matches!(read, Some(Reply::Error(_))), "{error}");
        }
        for text in [
            "",
            "[]",
            "7",
            "<html>",
            r#"{"id":3,"result":{}}"#,
            r#"{"jsonrpc":"1.0","id":3,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":4,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"3","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":3.0,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":-3,"result":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":3}"#,
            r#"{"jsonrpc":"2.0","id":3,"result":{},"error":{"code":-1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":4,"error":{"code":-1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":3,"error":"m"}"#,
            r#"{"jsonrpc":"2.0","id":3,"id":3,"result":{}}"#,
            r#"[{"jsonrpc":"2.0","id":3,"result":{}}]"#,
        ] {
            assert!(read(text.as_bytes(), 3).is_err(), "{text}");
        }
    }

    fn error(code: i64, supported: &[&str]) -> RpcError {
        RpcError {
            code,
            message: "m".to_owned(),
            supported: supported.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn a_modern_error_is_final_and_any_other_leads_to_the_handshake() {
        let newest = Next::Legacy("2025-11-25");
        for (status, error, next) in [
            (400, None, &newest),
            (404, None, &newest),
            (405, None, &newest),
            (500, None, &Next::Stop),
            (503, None, &Next::Stop),
            (400, Some(error(-32000, &[])), &newest),
            (200, Some(error(-32600, &[])), &newest),
            (200, Some(error(-32601, &[])), &newest),
            (404, Some(error(-32601, &[])), &Next::Stop),
            (503, Some(error(50300, &[])), &Next::Stop),
            (400, Some(error(-32020, &[])), &Next::Stop),
            (400, Some(error(-32021, &[])), &Next::Stop),
            (400, Some(error(-32022, &[])), &newest),
            (400, Some(error(-32022, &["2099-01-01"])), &Next::Stop),
            (
                400,
                Some(error(-32022, &["2025-03-26", "2025-06-18"])),
                &Next::Legacy("2025-06-18"),
            ),
        ] {
            assert_eq!(&after_refusal(status, error.as_ref()), next, "{error:?}");
        }
    }

    #[test]
    fn a_request_of_the_modern_revision_says_so_itself() {
        let request = tools_list(1, Some("c"), true);
        let meta = &request["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], MODERN);
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({})
        );
        assert_eq!(request["params"]["cursor"], "c");
        assert_eq!(tools_list(1, None, false)["params"], json!({}));
    }

    #[test]
    fn a_text_of_the_server_is_cut() {
        let text = format!(r#"{{"code":1,"message":"{}"}}"#, "é".repeat(1_000));
        let error = RpcError::read(&json::parse(text.as_bytes(), 9).unwrap()).unwrap();
        assert_eq!(error.message.chars().count(), 300);
    }
}
