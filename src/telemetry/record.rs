//! One decision as it is recorded: a single JSON object on a single line.

mod arguments;
mod principal;
mod shadow;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use self::arguments::Value;
use self::shadow::Shadow;
use crate::decision::Decision;
use crate::decision::shadow::Opinion;
use crate::request::AccessRequest;
use crate::request::Operation;
use crate::request::Target;

pub use self::arguments::Arguments;
pub use self::principal::principal;

/// Longest text of a request that is recorded, in bytes; a longer one ends in `…`.
const LONGEST_TEXT: usize = 256;
/// Most operations of a request that are recorded beside its first.
const MOST_OPERATIONS: usize = 16;
/// What a text ends in that was longer.
const CUT: char = '\u{2026}';

/// Everything that is known about a decision when it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Ties the answer, the record and the log together.
    pub decision_id: &'a str,
    /// What was decided.
    pub decision: &'a Decision,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// Name of the resource; empty when none was found.
    pub resource: &'a str,
    /// What was asked, when it could be read that far.
    pub request: Option<&'a AccessRequest>,
    /// The HTTP side of the request.
    pub http: HttpFacts<'a>,
    /// The caller as [`principal`] writes it, when it was established.
    pub principal: Option<&'a RawValue>,
    /// Generation of the policies.
    pub policy_generation: u64,
    /// Generation of the keys.
    pub key_generation: u64,
    /// From the first byte read to the answer, in microseconds.
    pub duration_us: u64,
    /// What of the arguments is recorded.
    pub arguments: &'a Arguments,
    /// What policies that are only tried would have decided; at most one opinion of each kind.
    pub shadow: &'a [Opinion],
}

/// The HTTP side of a request, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpFacts<'a> {
    /// Method.
    pub method: &'a str,
    /// Host.
    pub host: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// `Origin`.
    pub origin: &'a str,
    /// `MCP-Protocol-Version`.
    pub protocol_version: &'a str,
    /// The caller's address.
    pub client_ip: Option<std::net::IpAddr>,
    /// `x-request-id`.
    pub request_id: &'a str,
    /// The trace id of `traceparent`.
    pub trace_id: &'a str,
}

/// Whether a recorded text may be the beginning of a longer one only.
pub fn may_be_cut(text: &str) -> bool {
    text.len() >= LONGEST_TEXT && text.ends_with(CUT)
}

impl Facts<'_> {
    /// The record as one line, with its newline.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = Vec::with_capacity(1024);
        serde_json::to_writer(&mut line, &Line::of(self))?;
        line.push(b'\n');
        Ok(line)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    decision_id: &'a str,
    decision: &'static str,
    reason: &'static str,
    /// Why it was refused, for the operator.
    #[serde(skip_serializing_if = "str::is_empty")]
    message: Cow<'a, str>,
    transport: &'static str,
    resource: &'a str,
    action: &'static str,
    target: String,
    /// How many operations the request performs; action and target are those of the first.
    operations: usize,
    /// The next of them, in order, at most [`MOST_OPERATIONS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_operations: Vec<Another>,
    principal: Option<&'a RawValue>,
    context: Context<'a>,
    policies: &'a [Arc<str>],
    forbidden_by: &'a [Arc<str>],
    errors: Vec<Failure<'a>>,
    policy_generation: u64,
    key_generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<Shadow<'a>>,
    request_id: Cow<'a, str>,
    trace_id: &'a str,
    duration_us: u64,
}

#[derive(Serialize)]
struct Another {
    action: &'static str,
    target: String,
}

#[derive(Serialize)]
struct Context<'a> {
    client_ip: Option<std::net::IpAddr>,
    method: Cow<'a, str>,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
    origin: Cow<'a, str>,
    protocol_version: Cow<'a, str>,
    arguments: BTreeMap<&'a str, Value<'a>>,
    /// `some`, `none`, `unreadable` or `unknown` where that is not all that was sent.
    #[serde(skip_serializing_if = "str::is_empty")]
    arguments_recorded: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    absent_arguments: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ambiguous_arguments: &'a [String],
}

#[derive(Serialize)]
struct Failure<'a> {
    policy: &'a str,
    effect: &'static str,
    message: Cow<'a, str>,
}

struct Timestamp(i64);

impl<'a> Line<'a> {
    fn of(facts: &Facts<'a>) -> Self {
        let (policies, forbidden_by, failures): (&[Arc<str>], &[Arc<str>], _) = match facts.decision
        {
            Decision::Allow(grant) => (&grant.policies, &[], &grant.failures),
            Decision::Deny(denial) => (&[], &denial.forbidden_by, &denial.failures),
        };
        let operation = facts.request.map(|request| &request.operations.first);
        Self {
            timestamp: Timestamp(facts.now_ms),
            decision_id: facts.decision_id,
            decision: match facts.decision {
                Decision::Allow(_) => "allow",
                Decision::Deny(_) => "deny",
            },
            reason: facts.decision.reason().as_str(),
            message: match facts.decision {
                Decision::Allow(_) => Cow::Borrowed(""),
                Decision::Deny(denial) => {
                    bounded(denial.detail.as_deref().unwrap_or(&denial.message))
                }
            },
            transport: facts.transport,
            resource: facts.resource,
            action: operation.map_or("", |operation| operation.action.as_str()),
            target: operation
                .map(|operation| target_text(&operation.target))
                .unwrap_or_default(),
            operations: facts
                .request
                .map_or(0, |request| request.operations.rest.len().saturating_add(1)),
            more_operations: facts.request.map_or_else(Vec::new, others),
            principal: facts.principal,
            context: Context::of(facts),
            policies,
            forbidden_by,
            errors: failures
                .iter()
                .map(|failure| Failure {
                    policy: &failure.policy,
                    effect: if failure.forbid { "forbid" } else { "permit" },
                    message: bounded(&failure.message),
                })
                .collect(),
            policy_generation: facts.policy_generation,
            key_generation: facts.key_generation,
            shadow: Shadow::of(facts.shadow),
            request_id: bounded(facts.http.request_id),
            trace_id: facts.http.trace_id,
            duration_us: facts.duration_us,
        }
    }
}

impl<'a> Context<'a> {
    fn of(facts: &Facts<'a>) -> Self {
        let http = &facts.http;
        Self {
            client_ip: http.client_ip,
            method: bounded(http.method),
            host: bounded(http.host),
            path: bounded(http.path),
            origin: bounded(http.origin),
            protocol_version: bounded(http.protocol_version),
            arguments: facts.arguments.values(),
            arguments_recorded: facts.arguments.extent.as_str(),
            absent_arguments: &facts.arguments.absent,
            ambiguous_arguments: &facts.arguments.ambiguous,
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(27);
        let at = i128::from(self.0).saturating_mul(1_000_000);
        if let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(at) {
            let year = u32::try_from(at.year()).unwrap_or(0);
            for (number, width, end) in [
                (year, 4, '-'),
                (u32::from(u8::from(at.month())), 2, '-'),
                (u32::from(at.day()), 2, 'T'),
                (u32::from(at.hour()), 2, ':'),
                (u32::from(at.minute()), 2, ':'),
                (u32::from(at.second()), 2, '.'),
                (at.microsecond(), 6, 'Z'),
            ] {
                push_padded(&mut text, number, width);
                text.push(end);
            }
        }
        serializer.serialize_str(&text)
    }
}

/// Appends the number in `width` digits; this is done for every record, and formatting is slow.
fn push_padded(text: &mut String, number: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = 10_u32
            .checked_pow(place)
            .and_then(|power| number.checked_div(power));
        text.extend(char::from_digit(digit.unwrap_or(0) % 10, 10));
    }
}

fn others(request: &AccessRequest) -> Vec<Another> {
    let another = |operation: &Operation| Another {
        action: operation.action.as_str(),
        target: target_text(&operation.target),
    };
    let rest = request.operations.rest.iter();
    rest.take(MOST_OPERATIONS).map(another).collect()
}

fn target_text(target: &Target) -> String {
    bounded(&target.to_string()).into_owned()
}

/// The text, cut at a character's end when it is too long. JSON escapes what could break a line.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT {
        return Cow::Borrowed(text);
    }
    let cut = (0..=LONGEST_TEXT)
        .rev()
        .find_map(|end| text.get(..end))
        .unwrap_or("");
    Cow::Owned(format!("{cut}{CUT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc_with_microseconds() {
        for (ms, expected) in [
            (0, "\"1970-01-01T00:00:00.000000Z\""),
            (1_767_268_800_123, "\"2026-01-01T12:00:00.123000Z\""),
            (-1, "\"1969-12-31T23:59:59.999000Z\""),
        ] {
            assert_eq!(serde_json::to_string(&Timestamp(ms)).unwrap(), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "\u{e9}".repeat(LONGEST_TEXT);
        let cut = bounded(&long);
        assert!(cut.len() <= LONGEST_TEXT + 3 && cut.ends_with(CUT) && may_be_cut(&cut));
        assert_eq!(bounded("short"), "short");
        assert!(!may_be_cut("short\u{2026}"));
    }
}
