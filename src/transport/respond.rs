//! The wire forms of an [`Outcome`]: the `CheckResponse` of `ext_authz`, and plain HTTP.

mod allow;
mod body;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Response;
use http::StatusCode;
use prost::Message;
use prost_types::Struct;
use prost_types::Value;
use prost_types::value::Kind;

use crate::authorizer::outcome::Answer;
use crate::authorizer::outcome::Notes;
use crate::authorizer::outcome::Outcome;
use crate::authorizer::outcome::Refusal;
use crate::decision::Denial;
use crate::decision::Reason;
use crate::decision::challenge;
use crate::decision::headers::Obligation;
use crate::decision::headers::READABLE_HEADERS;
use crate::decision::status;
use crate::decision::status::DenyCode;
use crate::proto::envoy::config::core::v3::HeaderValue;
use crate::proto::envoy::config::core::v3::HeaderValueOption;
use crate::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use crate::proto::envoy::service::auth::v3::CheckResponse;
use crate::proto::envoy::service::auth::v3::DeniedHttpResponse;
use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
use crate::proto::envoy::r#type::v3::HttpStatus;
use crate::proto::google::rpc::Status;
use crate::transport::reply;
use crate::transport::reply::ReplyBody;

/// Header that ties a refusal to its record.
pub const DECISION_ID: &str = "x-cedargate-decision-id";

/// Writes the answer to the proxy. It is a `CheckResponse` with a status set; what is not an allow has
/// a code other than 0 and a `denied_response`, so that no failure mode of the proxy can open it.
pub fn check_response(outcome: Outcome, out: &mut Vec<u8>) {
    let Outcome {
        decision_id,
        answer,
        notes,
    } = outcome;
    let (code, reason, response) = match answer {
        Answer::Allow(obligations) => {
            return allow::write(&obligations, &decision_id, &notes, out);
        }
        Answer::Deny(refusal) => {
            let row = status::row(refusal.denial.reason());
            let body = body::of(&refusal, &decision_id);
            let headers = refusal_headers(&refusal, &decision_id);
            let response = denied(i32::from(row.http.number()), headers, body);
            (row.grpc, refusal.denial.reason().as_str(), response)
        }
        Answer::Document(body) => {
            let response = denied(200, document_headers(), body.to_vec());
            (DenyCode::PermissionDenied, "resource_metadata", response)
        }
        Answer::DocumentPreflight => {
            let response = denied(204, document_preflight_headers(), Vec::new());
            (DenyCode::PermissionDenied, "cors_preflight", response)
        }
        Answer::Preflight(origin) => {
            let response = denied(204, preflight_headers(&origin), Vec::new());
            (DenyCode::PermissionDenied, "cors_preflight", response)
        }
    };
    let response = CheckResponse {
        status: Some(Status {
            code: code.number(),
            message: reason.to_owned(),
        }),
        http_response: Some(response),
        dynamic_metadata: Some(metadata(reason, decision_id, notes)),
    };
    response.encode_raw(out);
}

/// The answer to a gateway that asks over HTTP: 200 allows, and only an allow is 200. What would be
/// a document or a preflight over gRPC is a refusal here, since the gateway would read it as an
/// allow.
pub fn http_response(outcome: Outcome) -> Response<ReplyBody> {
    let Outcome {
        decision_id,
        answer,
        ..
    } = outcome;
    let refusal = match answer {
        Answer::Allow(obligations) => {
            let mut response = reply::text(StatusCode::OK, "");
            for obligation in obligations.iter() {
                if let Obligation::Set(name, value) = obligation {
                    reply::set(&mut response, name, value);
                }
            }
            reply::set(&mut response, DECISION_ID, &decision_id);
            return response;
        }
        Answer::Deny(refusal) => *refusal,
        Answer::Document(_) | Answer::DocumentPreflight => not_here(
            Reason::UnknownResource,
            "route this path to the public listener: in this dialect 2xx would mean allow",
        ),
        Answer::Preflight(_) => not_here(
            Reason::NotPermitted,
            "answer CORS preflights in the gateway: in this dialect 2xx would mean allow",
        ),
    };
    let status = status::row(refusal.denial.reason()).http.number();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = body::of(&refusal, &decision_id);
    reply::with_headers(status, refusal_headers(&refusal, &decision_id), body)
}

fn not_here(reason: Reason, message: &'static str) -> Refusal {
    let denial = Denial::new(reason, message);
    Refusal {
        denial,
        challenge: None,
        rpc_id: None,
        nameless: false,
        allow_origin: None,
    }
}

fn denied(status: i32, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> HttpResponse {
    HttpResponse::DeniedResponse(DeniedHttpResponse {
        status: Some(HttpStatus { code: status }),
        headers: headers
            .into_iter()
            .map(|(name, value)| header(name.to_owned(), value))
            .collect(),
        body: String::from_utf8(body).unwrap_or_default(),
    })
}

/// One header, in the form that every proxy of the protocol understands: `append` unset, `value` and
/// not `raw_value`. It overwrites what the answer would have; of several with one name, all stay.
fn header(key: String, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key,
            value,
            raw_value: Vec::new(),
        }),
        append: None,
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn refusal_headers(refusal: &Refusal, decision_id: &str) -> Vec<(&'static str, String)> {
    // The challenge comes first: what a client cannot do without is the last to be cut off.
    let challenge = refusal.challenge.iter();
    let mut headers: Vec<_> = challenge
        .map(|line| ("www-authenticate", line.clone()))
        .collect();
    headers.extend([
        ("content-type", "application/json".to_owned()),
        ("cache-control", "no-store".to_owned()),
        (DECISION_ID, decision_id.to_owned()),
    ]);
    if let Some(nonce) = challenge::nonce(&refusal.denial) {
        headers.push(("dpop-nonce", nonce.to_owned()));
    }
    if let Some(wait) = refusal.denial.retry_after {
        headers.push(("retry-after", wait.as_secs().max(1).to_string()));
    }
    if let Some(origin) = &refusal.allow_origin {
        headers.push(("access-control-allow-origin", origin.clone()));
        headers.push(("access-control-expose-headers", READABLE_HEADERS.to_owned()));
        headers.push(("vary", "origin".to_owned()));
    }
    headers
}

fn preflight_headers(origin: &str) -> Vec<(&'static str, String)> {
    [
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", "GET, POST, DELETE"),
        (
            "access-control-allow-headers",
            "authorization, dpop, content-type, accept, last-event-id, mcp-protocol-version, \
             mcp-session-id, mcp-method, mcp-name, *",
        ),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// The answer to a preflight for a public document: any page may ask for it, with the header that MCP
/// clients add to everything (MCP 2025-06-18, basic/transports).
pub fn document_preflight_headers() -> Vec<(&'static str, String)> {
    [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", DOCUMENT_METHODS),
        ("access-control-allow-headers", "MCP-Protocol-Version"),
        ("access-control-max-age", "600"),
        ("cache-control", "no-store"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// What a public document answers.
pub const DOCUMENT_METHODS: &str = "GET, HEAD, OPTIONS";

/// The headers of a public document: any page may read it.
pub fn document_headers() -> Vec<(&'static str, String)> {
    [
        ("content-type", "application/json"),
        ("cache-control", "max-age=300"),
        ("access-control-allow-origin", "*"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// Facts for the proxy's access log and later filters: small and flat.
fn metadata(reason: &str, decision_id: String, notes: Notes) -> Struct {
    let text = |value: String| Value {
        kind: Some(Kind::StringValue(value)),
    };
    let generation = generation(&notes);
    let policies = notes
        .policies
        .iter()
        .map(|id: &Arc<str>| text(id.to_string()))
        .collect();
    let fields = BTreeMap::from([
        ("decision".to_owned(), text("deny".to_owned())),
        ("decision_id".to_owned(), text(decision_id)),
        (
            "generation".to_owned(),
            Value {
                kind: Some(Kind::NumberValue(generation)),
            },
        ),
        (
            "policies".to_owned(),
            Value {
                kind: Some(Kind::ListValue(prost_types::ListValue { values: policies })),
            },
        ),
        ("reason".to_owned(), text(reason.to_owned())),
        ("subject".to_owned(), text(notes.subject)),
    ]);
    Struct { fields }
}

fn generation(notes: &Notes) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "the wire knows only doubles; a generation stays far below 2^53"
    )]
    let generation = notes.generation as f64;
    generation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::challenge::DpopChallenge;
    use crate::decision::challenge::ProtectionSpace;
    use crate::decision::headers::Obligations;
    use crate::identity::dpop::DpopError;

    fn outcome(answer: Answer) -> Outcome {
        Outcome {
            decision_id: "d-1".to_owned(),
            answer,
            notes: Notes::default(),
        }
    }

    #[test]
    fn a_nonce_reaches_the_client_in_both_dialects_and_only_with_a_challenge() {
        let mut denial = Denial::plain(Reason::InvalidCredential);
        denial.dpop = Some(DpopChallenge {
            error: DpopError::UseNonce,
            nonce: Some("n-1".to_owned()),
            as_bearer: false,
        });
        let refused = outcome(Answer::Deny(Box::new(Refusal {
            challenge: ProtectionSpace::default().challenge(&denial),
            denial,
            rpc_id: None,
            nameless: false,
            allow_origin: Some("https://app.example".to_owned()),
        })));
        let over_http = http_response(refused.clone());
        let header = |name: &str| {
            let value = over_http.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("dpop-nonce").as_deref(), Some("n-1"));
        assert!(header("www-authenticate").is_some_and(|line| line.starts_with("DPoP ")));
        let exposed = header("access-control-expose-headers");
        assert!(exposed.is_some_and(|names| names.contains("DPoP-Nonce")));
        let mut written = Vec::new();
        check_response(refused, &mut written);
        let response = CheckResponse::decode(&*written).unwrap();
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else {
            panic!("a refusal is denied");
        };
        let sent = denied.headers.iter().filter_map(|o| o.header.as_ref());
        let nonces: Vec<_> = sent.filter(|h| h.key == "dpop-nonce").collect();
        assert_eq!(nonces.len(), 1);
        assert_eq!(nonces[0].value, "n-1");
        let allowed = http_response(outcome(Answer::Allow(Obligations::default())));
        assert_eq!(allowed.headers().get("dpop-nonce"), None);
    }
}
