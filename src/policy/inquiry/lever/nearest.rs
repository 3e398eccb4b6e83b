//! The value nearest to one that stands in a policy with which a condition comes out otherwise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's operators are open-ended: for what is not known here no value is proposed"
)]

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use cedar_policy::EvalResult;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::UnaryOp;
use serde_json::Value;
use serde_json::json;

use super::Change;
use super::Subject;

/// Addresses of documentation (RFC 5737, RFC 3849).
const SOME_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SOME_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Something with this accessor, or with another one.
pub(super) fn sample(accessor: &str, wanted: bool) -> Option<Value> {
    let value = match (accessor, wanted) {
        ("string", true) | ("bool", false) => json!(""),
        ("long", true) => json!(0),
        ("decimal", true) => json!(0.5),
        ("strings", true) => json!(["-"]),
        ("longs", true) => json!([0]),
        ("bool", true) | ("string" | "long" | "decimal" | "strings" | "longs", false) => {
            json!(true)
        }
        _ => return None,
    };
    Some(value)
}

/// An address or a list that passes a test, or does not.
pub(super) fn tested(op: UnaryOp, subject: Subject, wanted: bool) -> Option<Change> {
    let address = |(so, other): (IpAddr, IpAddr)| {
        let address = if wanted { so } else { other };
        (subject == Subject::ClientIp).then_some(Change::ClientIp(address))
    };
    match op {
        UnaryOp::IsLoopback => address((Ipv4Addr::LOCALHOST.into(), SOME_V4)),
        UnaryOp::IsMulticast => address((Ipv4Addr::new(224, 0, 0, 1).into(), SOME_V4)),
        UnaryOp::IsIPv4 => address((SOME_V4, SOME_V6)),
        UnaryOp::IsIPV6 => address((SOME_V6, SOME_V4)),
        // Whether it holds texts or numbers is not known here; what does not fit is found out.
        UnaryOp::IsEmpty => subject.set(if wanted { json!([]) } else { json!(["-"]) }),
        _ => None,
    }
}

/// A value that stands in the relation to another one, or does not.
pub(super) fn value_near(op: BinaryOp, wanted: bool, value: &EvalResult) -> Option<Value> {
    let same = match op {
        BinaryOp::Eq => Some(wanted),
        BinaryOp::NotEq => Some(!wanted),
        _ => None,
    };
    match value {
        EvalResult::Long(value) => near(op, wanted, *value, 1).map(|value| json!(value)),
        EvalResult::Bool(value) => Some(Value::Bool(*value == same?)),
        EvalResult::String(text) if same? => Some(Value::String(text.clone())),
        EvalResult::String(text) => Some(Value::String(format!("{text}-"))),
        EvalResult::ExtensionValue(text) if text.starts_with("decimal") => {
            let value = near(op, wanted, ten_thousandths(quoted(text)?)?, 1)?;
            let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
            let (whole, rest) = (value.checked_div(10_000)?, value.checked_rem(10_000)?);
            serde_json::from_str(&format!("{sign}{whole}.{rest:04}")).ok()
        }
        _ => None,
    }
}

/// The value nearest to `value` that stands in the relation to it, or does not.
pub(super) fn near(op: BinaryOp, wanted: bool, value: i64, step: i64) -> Option<i64> {
    use BinaryOp as Op;
    match (op, wanted) {
        (Op::Eq | Op::LessEq | Op::GreaterEq | Op::DecimalLessEq | Op::DecimalGreaterEq, true)
        | (Op::NotEq | Op::Less | Op::Greater | Op::DecimalLessThan | Op::DecimalGreater, false) => {
            Some(value)
        }
        (Op::NotEq | Op::Greater | Op::DecimalGreater, true)
        | (Op::Eq | Op::LessEq | Op::DecimalLessEq, false) => value.checked_add(step),
        (Op::Less | Op::DecimalLessThan, true) | (Op::GreaterEq | Op::DecimalGreaterEq, false) => {
            value.checked_sub(step)
        }
        _ => None,
    }
}

/// An address in or outside a range.
pub(super) fn address(op: BinaryOp, wanted: bool, range: &str) -> Option<IpAddr> {
    let inside = match op {
        BinaryOp::Eq | BinaryOp::IsInRange => wanted,
        BinaryOp::NotEq => !wanted,
        _ => return None,
    };
    let (start, length) = range.split_once('/').unwrap_or((range, ""));
    let start: IpAddr = start.parse().ok()?;
    Some(match start {
        _ if inside => start,
        // Ranges hold addresses of one kind only.
        IpAddr::V4(_) if length == "0" => SOME_V6,
        IpAddr::V6(_) if length == "0" => SOME_V4,
        IpAddr::V4(start) => Ipv4Addr::from(u32::from(start) ^ 0x8000_0000).into(),
        IpAddr::V6(start) => Ipv6Addr::from(u128::from(start) ^ (1 << 127)).into(),
    })
}

/// `0.5` as 5000.
fn ten_thousandths(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_once('.')?;
    format!("{whole}{rest:0<4}").parse().ok()
}

/// What stands in quotation marks.
pub(super) fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}
