//! The wire form of an allow: a `CheckResponse`, written field by field.
//!
//! Almost every check is answered with one, and to build the message first would cost an allocation
//! for each of its texts.

use prost::bytes::BufMut;
use prost::encoding::encode_varint;
use prost::encoding::encoded_len_varint;

use crate::authorizer::outcome::Notes;
use crate::decision::Reason;
use crate::decision::headers::Obligation;
use crate::decision::headers::Obligations;
use crate::proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;

/// The keys of length-delimited fields, by the field's number.
const FIELD_1: u8 = 0x0a;
const FIELD_2: u8 = 0x12;
const FIELD_3: u8 = 0x1a;
const FIELD_4: u8 = 0x22;
const FIELD_5: u8 = 0x2a;
const FIELD_6: u8 = 0x32;

/// The key of `HeaderValueOption.append_action`, a varint.
const APPEND_ACTION: u8 = 0x18;

/// The key of `Value.number_value`, a double.
const NUMBER_VALUE: u8 = 0x11;

/// Writes the `CheckResponse` of an allow.
pub(super) fn write(
    obligations: &Obligations,
    decision_id: &str,
    notes: &Notes,
    out: &mut Vec<u8>,
) {
    let reason = Reason::Allowed.as_str();
    // `google.rpc.Status`: the code is 0, which is not written; the message is.
    let mut status = Vec::with_capacity(16);
    bytes(&mut status, FIELD_2, reason.as_bytes());
    bytes(out, FIELD_1, &status);
    let mut part = Vec::with_capacity(768);
    ok_response(obligations, &mut part);
    bytes(out, FIELD_3, &part);
    part.clear();
    metadata(reason, decision_id, notes, &mut part);
    bytes(out, FIELD_4, &part);
}

/// `OkHttpResponse`
fn ok_response(obligations: &Obligations, out: &mut Vec<u8>) {
    for obligation in obligations.iter() {
        match obligation {
            // Proxies disagree about empty values: one sets them, another ignores them.
            Obligation::Set(name, value) if value.is_empty() => {
                bytes(out, FIELD_5, name.as_bytes());
            }
            Obligation::Set(name, value) => {
                let action = HeaderAppendAction::OverwriteIfExistsOrAdd;
                header(out, FIELD_2, (name, value), action);
            }
            Obligation::Remove(name) => bytes(out, FIELD_5, name.as_bytes()),
            // Ours wins, but what the answer varies by is added up.
            Obligation::Answer(name, value) => {
                let action = if *name == "vary" {
                    HeaderAppendAction::AppendIfExistsOrAdd
                } else {
                    HeaderAppendAction::OverwriteIfExistsOrAdd
                };
                header(out, FIELD_6, (name, value), action);
            }
        }
    }
}

/// One `HeaderValueOption`, in the form that every proxy of the protocol understands: `append` unset,
/// `value` and not `raw_value`.
fn header(out: &mut Vec<u8>, key: u8, (name, value): (&str, &str), action: HeaderAppendAction) {
    let header = size(name).saturating_add(size(value));
    let action = u8::try_from(i32::from(action)).unwrap_or(0);
    open(out, key, delimited(header).saturating_add(2));
    open(out, FIELD_1, header);
    bytes(out, FIELD_1, name.as_bytes());
    bytes(out, FIELD_2, value.as_bytes());
    out.extend([APPEND_ACTION, action]);
}

/// Facts for the proxy's access log and later filters, as a `google.protobuf.Struct`: small and flat.
fn metadata(reason: &str, decision_id: &str, notes: &Notes, out: &mut Vec<u8>) {
    entry_text(out, "decision", "allow");
    entry_text(out, "decision_id", decision_id);
    entry(out, "generation", size_of::<f64>().saturating_add(1));
    out.push(NUMBER_VALUE);
    out.put_f64_le(super::generation(notes));
    let policies = notes.policies.iter();
    let list = policies.clone().fold(0, |sum: usize, policy| {
        sum.saturating_add(delimited(size(policy)))
    });
    entry(out, "policies", delimited(list));
    open(out, FIELD_6, list);
    for policy in policies {
        open(out, FIELD_1, size(policy));
        bytes(out, FIELD_3, policy.as_bytes());
    }
    entry_text(out, "reason", reason);
    entry_text(out, "subject", &notes.subject);
}

/// A member of a `Struct` whose value is a text.
fn entry_text(out: &mut Vec<u8>, name: &str, value: &str) {
    entry(out, name, size(value));
    bytes(out, FIELD_3, value.as_bytes());
}

/// The beginning of a member of a `Struct`, of which `value` bytes, its `Value`, are to follow.
fn entry(out: &mut Vec<u8>, name: &str, value: usize) {
    open(out, FIELD_1, size(name).saturating_add(delimited(value)));
    bytes(out, FIELD_1, name.as_bytes());
    open(out, FIELD_2, value);
}

/// A whole field.
fn bytes(out: &mut Vec<u8>, key: u8, value: &[u8]) {
    open(out, key, value.len());
    out.extend_from_slice(value);
}

/// The beginning of a field, of which `length` bytes are to follow.
fn open(out: &mut Vec<u8>, key: u8, length: usize) {
    out.push(key);
    encode_varint(u64::try_from(length).unwrap_or(u64::MAX), out);
}

/// Bytes that a field with this text takes.
fn size(text: &str) -> usize {
    delimited(text.len())
}

/// Bytes that a field of this length takes, its key and length included.
fn delimited(length: usize) -> usize {
    let prefix = encoded_len_varint(u64::try_from(length).unwrap_or(u64::MAX));
    length.saturating_add(prefix).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::Value;
    use prost_types::value::Kind;

    use super::*;
    use crate::decision::headers;
    use crate::proto::envoy::config::core::v3::HeaderValue;
    use crate::proto::envoy::config::core::v3::HeaderValueOption;
    use crate::proto::envoy::service::auth::v3::CheckResponse;
    use crate::proto::envoy::service::auth::v3::OkHttpResponse;
    use crate::proto::envoy::service::auth::v3::check_response::HttpResponse;
    use crate::proto::google::rpc::Status;

    fn written(obligations: &Obligations, notes: &Notes) -> CheckResponse {
        let mut out = Vec::new();
        write(obligations, "d-1", notes, &mut out);
        CheckResponse::decode(&*out).unwrap()
    }

    fn option(key: &str, value: &str, append_action: HeaderAppendAction) -> HeaderValueOption {
        HeaderValueOption {
            header: Some(HeaderValue {
                key: key.to_owned(),
                value: value.to_owned(),
                raw_value: Vec::new(),
            }),
            append: None,
            append_action: append_action.into(),
        }
    }

    fn text(text: &str) -> Value {
        Value {
            kind: Some(Kind::StringValue(text.to_owned())),
        }
    }

    fn added() -> Vec<HeaderValueOption> {
        let added = headers::readable_by("https://app.example");
        let added = added.iter().map(|obligation| match obligation {
            Obligation::Answer("vary", value) => {
                option("vary", value, HeaderAppendAction::AppendIfExistsOrAdd)
            }
            Obligation::Answer(name, value) => {
                option(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)
            }
            Obligation::Set(..) | Obligation::Remove(_) => panic!("a header of the answer"),
        });
        added.collect()
    }

    fn expected_metadata(notes: &Notes) -> prost_types::Struct {
        let policies = prost_types::ListValue {
            values: notes.policies.iter().map(|policy| text(policy)).collect(),
        };
        let value = |kind| Value { kind: Some(kind) };
        let fields = [
            ("decision", text("allow")),
            ("decision_id", text("d-1")),
            ("generation", value(Kind::NumberValue(7.0))),
            ("policies", value(Kind::ListValue(policies))),
            ("reason", text("allowed")),
            ("subject", text(&notes.subject)),
        ];
        prost_types::Struct {
            fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    #[test]
    fn an_allow_is_the_message_that_says_so() {
        let overwrite = HeaderAppendAction::OverwriteIfExistsOrAdd;
        // Lengths on both sides of those where a varint grows.
        for length in [1, 100, 127, 128, 300, 20_000] {
            let long = "r".repeat(length);
            let set = |name: &str, value: &str| Obligation::Set(name.to_owned(), value.to_owned());
            let set = [set("x-a", &long), set("x-b", ""), set("x-c", "c")];
            let mut obligations = headers::obligations(&set.into(), &["X-D".to_owned()], &[]);
            obligations.extend(headers::readable_by("https://app.example"));
            let notes = Notes {
                subject: long.clone(),
                policies: vec!["p".into(), long.as_str().into()],
                generation: 7,
            };
            let removed = ["x-b", "authorization", "dpop", "x-d"];
            let expected = CheckResponse {
                status: Some(Status {
                    code: 0,
                    message: "allowed".to_owned(),
                }),
                http_response: Some(HttpResponse::OkResponse(OkHttpResponse {
                    headers: vec![
                        option("x-a", &long, overwrite),
                        option("x-c", "c", overwrite),
                    ],
                    headers_to_remove: removed.map(ToOwned::to_owned).to_vec(),
                    response_headers_to_add: added(),
                })),
                dynamic_metadata: Some(expected_metadata(&notes)),
            };
            assert_eq!(written(&obligations, &notes), expected, "{length}");
        }
    }

    #[test]
    fn an_allow_without_anything_is_still_one() {
        let response = written(&Obligations::default(), &Notes::default());
        assert_eq!(response.status.map(|status| status.code), Some(0));
        let ok = HttpResponse::OkResponse(OkHttpResponse::default());
        assert_eq!(response.http_response, Some(ok));
        let fields = response.dynamic_metadata.unwrap().fields;
        assert_eq!(fields.len(), 6);
    }
}
