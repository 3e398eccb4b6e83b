//! What a condition on the circumstances asks for, in words.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here has no words"
)]

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;
use cedar_policy::pst::UnaryOp;

use super::lever;
use super::lever::Subject;
use super::lever::is_field;
use super::lever::turned;
use super::why::shorten;
use crate::policy::guard;

/// What would have to be so for the condition to be as wanted; absent where it is about something else
/// than the circumstances, or says it better itself.
pub(super) fn must(condition: &Expr, wanted: bool) -> Option<String> {
    let text = match condition {
        Expr::BinaryOp {
            op: BinaryOp::HasTag,
            left,
            right,
        } if is_field(left, "args") => {
            let not = if wanted { "" } else { "not " };
            format!("the argument `{}` must {not}be sent", guard::text(right)?)
        }
        Expr::HasAttr { expr, attrs } if attrs.len() == 1 => {
            let kind = match attrs.head.as_str() {
                "string" => "a string",
                "long" => "an integer",
                "decimal" => "a number of at most four decimal places",
                "bool" => "true or false",
                "strings" => "a list of strings",
                "longs" => "a list of integers",
                _ => return None,
            };
            let not = if wanted { "" } else { "not " };
            format!("{} must {not}be {kind}", argument(expr)?)
        }
        Expr::UnaryOp { op, expr } => {
            let kind = match op {
                UnaryOp::IsLoopback => "a loopback address",
                UnaryOp::IsMulticast => "a multicast address",
                UnaryOp::IsIPv4 => "an IPv4 address",
                UnaryOp::IsIPV6 => "an IPv6 address",
                UnaryOp::IsEmpty => "empty",
                _ => return None,
            };
            let not = if wanted { "" } else { "not " };
            format!("{} must {not}be {kind}", subject(expr)?)
        }
        Expr::BinaryOp { op, left, right } => comparison(*op, left, right, wanted)?,
        Expr::Like { expr, pattern } => {
            let not = if wanted { "" } else { "not " };
            let pattern = pattern.iter().map(|part| match part {
                pst::PatternElem::Char('*') => "\\*".to_owned(),
                pst::PatternElem::Char(character) => character.to_string(),
                pst::PatternElem::Wildcard => "*".to_owned(),
            });
            let pattern: String = pattern.collect();
            format!("{} must {not}be like `{pattern}`", subject(expr)?)
        }
        // A circumstance that is true or false by itself.
        other => {
            let subject = subject(other)?;
            format!("{subject} must be {wanted}")
        }
    };
    Some(shorten(&text))
}

fn comparison(op: BinaryOp, left: &Expr, right: &Expr, wanted: bool) -> Option<String> {
    if let Some(of) = subject(left) {
        let value = value(right)?;
        let is_time = of.starts_with("the time") || of == "the date";
        let relation = relation(op, wanted, is_time)?;
        return Some(format!("{of} must be {relation}{value}"));
    }
    let of = subject(right)?;
    let value = value(left)?;
    let relation = match (op, wanted) {
        (BinaryOp::Contains, true) => "one of ",
        (BinaryOp::Contains, false) => "none of ",
        _ => relation(turned(op)?, wanted, of.starts_with("the time"))?,
    };
    Some(format!("{of} must be {relation}{value}"))
}

/// The words between a circumstance and a value.
fn relation(op: BinaryOp, wanted: bool, is_time: bool) -> Option<&'static str> {
    use BinaryOp as Op;
    Some(match (op, wanted) {
        (Op::Eq, true) | (Op::NotEq, false) => "",
        (Op::Eq, false) | (Op::NotEq, true) => "other than ",
        (Op::Less | Op::DecimalLessThan, true) | (Op::GreaterEq | Op::DecimalGreaterEq, false) => {
            if is_time {
                "before "
            } else {
                "less than "
            }
        }
        (Op::LessEq | Op::DecimalLessEq, true) | (Op::Greater | Op::DecimalGreater, false) => {
            if is_time {
                "no later than "
            } else {
                "at most "
            }
        }
        (Op::Greater | Op::DecimalGreater, true) | (Op::LessEq | Op::DecimalLessEq, false) => {
            if is_time {
                "later than "
            } else {
                "more than "
            }
        }
        (Op::GreaterEq | Op::DecimalGreaterEq, true) | (Op::Less | Op::DecimalLessThan, false) => {
            if is_time {
                "no earlier than "
            } else {
                "at least "
            }
        }
        (Op::IsInRange, true) => "in ",
        (Op::IsInRange, false) => "outside ",
        _ => return None,
    })
}

/// What of the circumstances an expression is, as people call it.
fn subject(expression: &Expr) -> Option<String> {
    Subject::of(expression).map(|subject| subject.words())
}

/// The argument that an expression is.
fn argument(expression: &Expr) -> Option<String> {
    lever::argument(expression).map(|name| Subject::Argument(name).words())
}

/// A value that stands in the policy.
fn value(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(pst::Literal::Bool(value)) => Some(value.to_string()),
        Expr::Literal(pst::Literal::Long(value)) => Some(value.to_string()),
        Expr::Literal(pst::Literal::String(text)) => Some(format!("{text:?}")),
        Expr::UnaryOp {
            op: UnaryOp::Neg,
            expr,
        } => Some(format!("-{}", value(expr)?)),
        Expr::UnaryOp {
            op: UnaryOp::Ip | UnaryOp::Decimal | UnaryOp::Datetime | UnaryOp::Duration,
            expr,
        } => guard::text(expr),
        Expr::Set(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| value(item)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        _ => None,
    }
}
