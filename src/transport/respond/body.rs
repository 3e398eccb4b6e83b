//! The JSON body of a refusal.

use serde::Serialize;

use crate::authorizer::outcome::Refusal;
use crate::decision::status;

/// The JSON body of a refusal; a JSON-RPC error object (JSON-RPC 2.0, section 5.1) where the
/// request's id is known, or its client would not understand anything else.
pub(super) fn of(refusal: &Refusal, decision_id: &str) -> Vec<u8> {
    let denial = &refusal.denial;
    let version = denial.unsupported.as_ref();
    let plain = Body {
        error: denial.reason().as_str(),
        message: &denial.message,
        decision_id,
        required_scopes: &denial.required_scopes,
        supported: version.map(|version| &*version.supported),
        requested: version.map(|version| &*version.requested),
    };
    let row = status::row(denial.reason());
    let nameless = refusal.nameless && row.http == status::DenyStatus::BadRequest;
    let id = refusal.rpc_id.as_deref().or(nameless.then_some("null"));
    let written = match id.and_then(|id| serde_json::from_str(id).ok()) {
        Some(id) => {
            let error = RpcError {
                code: row.rpc,
                message: &denial.message,
                data: plain,
            };
            serde_json::to_vec(&RpcBody {
                jsonrpc: "2.0",
                id,
                error,
            })
        }
        None => serde_json::to_vec(&plain),
    };
    written.unwrap_or_else(|_| br#"{"error":"internal_error"}"#.to_vec())
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    message: &'a str,
    decision_id: &'a str,
    required_scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    supported: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<&'a str>,
}

#[derive(Serialize)]
struct RpcBody<'a> {
    jsonrpc: &'static str,
    id: &'a serde_json::value::RawValue,
    error: RpcError<'a>,
}

#[derive(Serialize)]
struct RpcError<'a> {
    code: i32,
    message: &'a str,
    data: Body<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Denial;
    use crate::decision::Reason;
    use crate::decision::UnsupportedVersion;

    fn body(reason: Reason, change: impl FnOnce(&mut Refusal)) -> serde_json::Value {
        let mut refusal = Refusal {
            denial: Denial::plain(reason),
            challenge: None,
            rpc_id: None,
            nameless: false,
            allow_origin: None,
        };
        change(&mut refusal);
        serde_json::from_slice(&of(&refusal, "d-1")).unwrap()
    }

    #[test]
    fn a_client_of_a_modern_revision_gets_a_400_that_it_knows() {
        for reason in Reason::ALL {
            let plain = body(reason, |_| ());
            assert!(plain.get("jsonrpc").is_none(), "{reason:?}");
            let modern = body(reason, |refusal| refusal.nameless = true);
            if status::row(reason).http == status::DenyStatus::BadRequest {
                assert_eq!(modern["id"], serde_json::Value::Null);
                let code = modern["error"]["code"].as_i64();
                assert!(matches!(code, Some(-32020 | -32022 | -32602)), "{modern}");
                assert_eq!(modern["error"]["data"], plain);
            } else {
                assert_eq!(modern, plain, "{reason:?}");
            }
            let named = body(reason, |refusal| {
                refusal.nameless = true;
                refusal.rpc_id = Some("7".into());
            });
            assert_eq!(named["id"], 7, "{reason:?}");
        }
    }

    #[test]
    fn a_version_that_is_not_accepted_is_told_which_are() {
        let said = body(Reason::UnsupportedVersion, |refusal| {
            refusal.rpc_id = Some("1".into());
            refusal.denial.unsupported = Some(UnsupportedVersion {
                requested: "2099-01-01".to_owned(),
                supported: vec!["2025-11-25".to_owned()],
            });
        });
        assert_eq!(said["error"]["code"], -32022);
        let data = &said["error"]["data"];
        assert_eq!(data["supported"], serde_json::json!(["2025-11-25"]));
        assert_eq!(data["requested"], "2099-01-01");
        let other = body(Reason::MalformedRequest, |_| ());
        assert_eq!(
            (other.get("supported"), other.get("requested")),
            (None, None)
        );
    }
}
