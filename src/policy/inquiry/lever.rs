//! What of the circumstances a condition looks at, and a value of it with which the condition comes out
//! otherwise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: for what is not known here no value is proposed"
)]

mod nearest;

use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy::EvalResult;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;
use cedar_policy::pst::UnaryOp;
use serde_json::Value;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::nearest::address;
use self::nearest::near;
use self::nearest::quoted;
use self::nearest::sample;
use self::nearest::tested;
use self::nearest::value_near;
use super::values::is_constant;
use super::why::Scene;
use crate::policy::guard;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;
/// A condition that a change of the circumstances could make come out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lever {
    pub(super) condition: Expr,
    pub(super) wanted: bool,
    pub(super) change: Change,
}

/// A change of the circumstances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An argument, by its flat name, that is sent so or, where there is no value, not at all.
    Argument(String, Option<Value>),
    /// A text of the request.
    Text(Text, String),
    /// The client's address.
    ClientIp(IpAddr),
    /// The time, in milliseconds since 1970.
    Now(i64),
}

/// The texts of a request that policies read. A session id is as good as a credential, and so is none
/// of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Method,
    Host,
    Path,
    Origin,
    ProtocolVersion,
    RequestId,
}

/// A circumstance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A value of the argument of this flat name.
    Argument(String),
    Text(Text),
    ClientIp,
    Now,
    TimeOfDay,
    Date,
}

impl Subject {
    /// The circumstance that an expression is.
    pub(super) fn of(expression: &Expr) -> Option<Self> {
        match expression {
            Expr::UnaryOp {
                op: UnaryOp::ToTime,
                expr,
            } if is_field(expr, "now") => Some(Self::TimeOfDay),
            Expr::UnaryOp {
                op: UnaryOp::ToDate,
                expr,
            } if is_field(expr, "now") => Some(Self::Date),
            Expr::GetAttr { expr, attr } if is_context(expr) => match attr.as_str() {
                "now" => Some(Self::Now),
                "clientIp" => Some(Self::ClientIp),
                "protocolVersion" => Some(Self::Text(Text::ProtocolVersion)),
                "requestId" => Some(Self::Text(Text::RequestId)),
                _ => None,
            },
            Expr::GetAttr { expr, attr } if is_field(expr, "http") => match attr.as_str() {
                "method" => Some(Self::Text(Text::Method)),
                "host" => Some(Self::Text(Text::Host)),
                "path" => Some(Self::Text(Text::Path)),
                "origin" => Some(Self::Text(Text::Origin)),
                _ => None,
            },
            Expr::GetAttr { expr, .. } => argument(expr).map(Self::Argument),
            _ => None,
        }
    }

    /// As people call it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Argument(name) => format!("the argument `{name}`"),
            Self::Text(Text::Method) => "the HTTP method".to_owned(),
            Self::Text(Text::Host) => "the HTTP host".to_owned(),
            Self::Text(Text::Path) => "the HTTP path".to_owned(),
            Self::Text(Text::Origin) => "the origin".to_owned(),
            Self::Text(Text::ProtocolVersion) => "the protocol version".to_owned(),
            Self::Text(Text::RequestId) => "the request id".to_owned(),
            Self::ClientIp => "the client's address".to_owned(),
            Self::Now => "the time".to_owned(),
            Self::TimeOfDay => "the time of day".to_owned(),
            Self::Date => "the date".to_owned(),
        }
    }

    /// The circumstance with this value, where it can have it.
    fn set(self, value: Value) -> Option<Change> {
        match (self, value) {
            (Self::Argument(name), value) => Some(Change::Argument(name, Some(value))),
            (Self::Text(text), Value::String(value)) => Some(Change::Text(text, value)),
            (Self::Text(_) | Self::ClientIp | Self::Now | Self::TimeOfDay | Self::Date, _) => None,
        }
    }
}

impl Change {
    /// What is changed.
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Argument(name, _) => Subject::Argument(name.clone()),
            Self::Text(text, _) => Subject::Text(*text),
            Self::ClientIp(_) => Subject::ClientIp,
            Self::Now(_) => Subject::Now,
        }
    }

    /// What it is changed to, for people.
    pub(super) fn value(&self) -> String {
        match self {
            Self::Argument(_, Some(value)) => value.to_string(),
            Self::Argument(_, None) => "not sent".to_owned(),
            Self::Text(_, value) => format!("{value:?}"),
            Self::ClientIp(address) => address.to_string(),
            Self::Now(now_ms) => {
                let nanoseconds = i128::from(*now_ms).saturating_mul(1_000_000);
                let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
                let at = at.and_then(|at| at.format(&Rfc3339).ok());
                // A time beyond the years that the format has.
                at.unwrap_or_else(|| format!("{now_ms} ms since 1970"))
            }
        }
    }
}

/// The flat name of the argument that an expression is.
pub(super) fn argument(expression: &Expr) -> Option<String> {
    match expression {
        Expr::BinaryOp {
            op: BinaryOp::GetTag,
            left,
            right,
        } if is_field(left, "args") => guard::text(right),
        _ => None,
    }
}

/// `context.<name>`
pub(super) fn is_field(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if attr == name && is_context(expr))
}

/// The same relation with its sides changed.
pub(super) fn turned(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Eq | BinaryOp::NotEq => op,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEq => BinaryOp::GreaterEq,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEq => BinaryOp::LessEq,
        _ => return None,
    })
}

fn is_context(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(pst::Var::Context))
}

impl Scene<'_> {
    /// What could make the condition come out as wanted; absent where it looks at something else than
    /// the circumstances, or at them in a way that is not understood here.
    pub(super) fn lever(&self, condition: &Expr, wanted: bool) -> Option<Lever> {
        let change = match condition {
            Expr::BinaryOp {
                op: BinaryOp::HasTag,
                left,
                right,
            } if is_field(left, "args") => {
                Change::Argument(guard::text(right)?, wanted.then_some(Value::Null))
            }
            Expr::BinaryOp {
                op: BinaryOp::Contains,
                left,
                right,
            } => Subject::of(right)?.set(self.member(left, wanted)?)?,
            Expr::BinaryOp { op, left, right } => self.compared(*op, left, right, wanted)?,
            Expr::HasAttr { expr, attrs } if attrs.len() == 1 => {
                Change::Argument(argument(expr)?, Some(sample(&attrs.head, wanted)?))
            }
            Expr::UnaryOp { op, expr } if *op != UnaryOp::ToTime && *op != UnaryOp::ToDate => {
                tested(*op, Subject::of(expr)?, wanted)?
            }
            Expr::Like { expr, pattern } => {
                let fits = pattern.iter().filter_map(|part| match part {
                    pst::PatternElem::Char(character) => Some(*character),
                    pst::PatternElem::Wildcard => None,
                });
                let text: String = if wanted {
                    fits.collect()
                } else {
                    "-".to_owned()
                };
                Subject::of(expr)?.set(Value::String(text))?
            }
            other => Subject::of(other)?.set(Value::Bool(wanted))?,
        };
        Some(Lever {
            condition: condition.clone(),
            wanted,
            change,
        })
    }

    fn compared(&self, op: BinaryOp, left: &Expr, right: &Expr, wanted: bool) -> Option<Change> {
        let (op, subject, constant) = match Subject::of(left) {
            Some(subject) => (op, subject, right),
            None => (turned(op)?, Subject::of(right)?, left),
        };
        if !is_constant(constant) {
            return None;
        }
        let now = self.question.context.now_ms;
        match subject {
            Subject::ClientIp => {
                let EvalResult::ExtensionValue(text) = self.evaluate(constant)?.ok()? else {
                    return None;
                };
                address(op, wanted, quoted(&text)?).map(Change::ClientIp)
            }
            Subject::Now => near(op, wanted, self.instant(constant)?, 1).map(Change::Now),
            Subject::Date => {
                let date = near(op, wanted, self.instant(constant)?, DAY)?;
                date.checked_add(now.rem_euclid(DAY)).map(Change::Now)
            }
            Subject::TimeOfDay => {
                let time = near(op, wanted, self.milliseconds(constant)?, 1)?;
                let midnight = now.checked_sub(now.rem_euclid(DAY))?;
                let at = midnight.checked_add(time)?;
                (0..DAY).contains(&time).then_some(Change::Now(at))
            }
            Subject::Argument(_) | Subject::Text(_) => {
                let value = self.evaluate(constant)?.ok()?;
                subject.set(value_near(op, wanted, &value)?)
            }
        }
    }

    /// One of the members of a set that stands in the policy, or something that is none.
    fn member(&self, set: &Expr, wanted: bool) -> Option<Value> {
        if !is_constant(set) {
            return None;
        }
        let EvalResult::Set(set) = self.evaluate(set)?.ok()? else {
            return None;
        };
        if wanted {
            return value_near(BinaryOp::Eq, true, set.iter().next()?);
        }
        let (mut text, mut long) = (String::new(), None);
        for member in set.iter() {
            match member {
                EvalResult::String(other) => text.push_str(other),
                EvalResult::Long(other) => long = long.max(Some(*other)),
                _ => return None,
            }
        }
        match long {
            Some(long) => Some(json!(long.checked_add(1)?)),
            None => Some(Value::String(format!("{text}-"))),
        }
    }

    /// A time that stands in the policy, in milliseconds since 1970.
    fn instant(&self, time: &Expr) -> Option<i64> {
        let start = Expr::Literal(pst::Literal::String("1970-01-01".into()));
        let start = Expr::UnaryOp {
            op: UnaryOp::Datetime,
            expr: Arc::new(start),
        };
        self.milliseconds(&Expr::BinaryOp {
            op: BinaryOp::DurationSince,
            left: Arc::new(time.clone()),
            right: Arc::new(start),
        })
    }

    fn milliseconds(&self, duration: &Expr) -> Option<i64> {
        let long = Expr::UnaryOp {
            op: UnaryOp::ToMilliseconds,
            expr: Arc::new(duration.clone()),
        };
        match self.evaluate(&long)?.ok()? {
            EvalResult::Long(value) => Some(value),
            _ => None,
        }
    }
}
