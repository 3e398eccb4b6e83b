//! The values that a condition met, as an operator reads them.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here has no parts to show"
)]

use std::collections::BTreeSet;

use cedar_policy::EntityUid;
use cedar_policy::EvalResult;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::Value;
use super::why::Scene;
use super::why::shorten;
use crate::identity::Identity;
use crate::policy::guard;
use crate::policy::reads;
use crate::policy::reads::Fields;
use crate::request::Arguments;
use crate::request::arguments;

/// Most values of one condition.
const MAX_VALUES: usize = 4;
/// Most members of a list.
const MAX_MEMBERS: usize = 20;

impl Scene<'_> {
    /// What the condition compares, beside what stands in the policy itself.
    pub(super) fn values(&self, condition: &Expr) -> Vec<Value> {
        let mut values = self.in_words(condition);
        if values.is_empty() {
            for operand in operands(condition) {
                let inner = if is_path(operand) {
                    Vec::new()
                } else {
                    paths(operand)
                };
                for part in std::iter::once(operand).chain(inner) {
                    values.extend(self.value(part));
                }
            }
        }
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.of.clone()));
        values.truncate(MAX_VALUES);
        values
    }

    /// Roles, groups and names, where the value in Cedar's terms would say nothing.
    fn in_words(&self, condition: &Expr) -> Vec<Value> {
        match condition {
            Expr::BinaryOp {
                op: BinaryOp::In,
                left,
                right,
            } => self.memberships(left, right),
            Expr::Is {
                expr,
                in_expr: Some(group),
                ..
            } => {
                let mut values = self.memberships(expr, group);
                values.extend(self.value(expr));
                values
            }
            Expr::BinaryOp {
                op: BinaryOp::HasTag,
                left,
                ..
            } if guard::is_principal(left) => match self.question.identity {
                Identity::Anonymous => Vec::new(),
                Identity::Verified(principal) => {
                    vec![named("the caller's claims", principal.claims.keys())]
                }
            },
            Expr::BinaryOp {
                op: BinaryOp::HasTag,
                left,
                ..
            } if reads::of(left) == Fields::ARGS => self.argument_names().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// What the caller, or the target, is in.
    fn memberships(&self, member: &Expr, groups: &Expr) -> Vec<Value> {
        let groups = guard::entities(groups).unwrap_or_default();
        if guard::is_principal(member) {
            let Some(caller) = self.request.principal() else {
                return Vec::new();
            };
            let kinds = [
                ("Role", "the caller's roles"),
                ("Group", "the caller's groups"),
            ];
            let asked = |kind: &str| groups.iter().any(|uid| uid.type_name().basename() == kind);
            let kinds = kinds.into_iter().filter(|(kind, _)| asked(kind));
            return kinds
                .map(|(kind, of)| {
                    let above = self.above(caller);
                    let all = above
                        .iter()
                        .filter(|uid| uid.type_name().basename() == kind);
                    named(of, all.map(|uid| uid.id().unescaped()))
                })
                .collect();
        }
        match (member, self.request.resource()) {
            (Expr::Var(pst::Var::Resource), Some(target)) => {
                let above = self.above(target);
                let all: Vec<String> = above.iter().map(ToString::to_string).collect();
                vec![named("what the target is in", &all)]
            }
            _ => Vec::new(),
        }
    }

    fn above(&self, uid: &EntityUid) -> BTreeSet<EntityUid> {
        let above = self.entities.ancestors(uid);
        above.into_iter().flatten().cloned().collect()
    }

    fn argument_names(&self) -> Option<Value> {
        let sent = match &self.question.operation.arguments {
            Arguments::Json(bytes) => arguments::parse(bytes).ok()?,
            Arguments::None => Vec::new(),
            Arguments::Unknown => return None,
        };
        let names = sent.iter().map(|(name, _)| name);
        Some(named("the names of the arguments", names))
    }

    /// The value of a part; nothing where it stands in the policy itself, or has none.
    fn value(&self, part: &Expr) -> Option<Value> {
        // A session id is as good as a credential.
        if is_constant(part) || reads::of(part).contains(Fields::SESSION) {
            return None;
        }
        let is = match part {
            Expr::Var(pst::Var::Principal) => self.request.principal()?.to_string(),
            Expr::Var(pst::Var::Action) => self.request.action()?.to_string(),
            Expr::Var(pst::Var::Resource) => self.request.resource()?.to_string(),
            Expr::Var(pst::Var::Context) => return None,
            _ => shown(&self.evaluate(part)?.ok()?),
        };
        Some(Value {
            of: shorten(&part.to_string()),
            is: shorten(&is),
        })
    }
}

/// What an expression works on.
fn operands(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::UnaryOp { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::Is { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        _ => Vec::new(),
    }
}

/// `context.args.getTag("amount").long` and the like.
fn is_path(expression: &Expr) -> bool {
    match expression {
        Expr::Var(_) => true,
        Expr::GetAttr { expr, .. } => is_path(expr),
        Expr::BinaryOp {
            op: BinaryOp::GetTag,
            left,
            ..
        } => is_path(left),
        _ => false,
    }
}

/// The longest paths inside, in order.
fn paths(expression: &Expr) -> Vec<&Expr> {
    if is_path(expression) {
        return vec![expression];
    }
    let inside: Vec<&Expr> = match expression {
        Expr::GetAttr { expr, .. } => vec![expr],
        Expr::Set(items) => items.iter().map(AsRef::as_ref).collect(),
        Expr::Record(fields) => fields.values().map(AsRef::as_ref).collect(),
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => vec![cond, then_expr, else_expr],
        _ => operands(expression),
    };
    inside.into_iter().flat_map(paths).collect()
}

/// Whether an expression is the same for every request.
pub(super) fn is_constant(expression: &Expr) -> bool {
    let variable = |part: &Expr| matches!(part, Expr::Var(_)).then_some(true);
    !expression.reduce(&variable, &|a, b| a || b, false)
}

/// A list of names: `[a, b, and 3 more]`.
fn named<S: AsRef<str>>(of: &str, names: impl IntoIterator<Item = S>) -> Value {
    let is = list(names.into_iter().map(|name| name.as_ref().to_owned()));
    Value {
        of: of.to_owned(),
        is: shorten(&is),
    }
}

fn list(members: impl Iterator<Item = String>) -> String {
    let mut members = members;
    let told: Vec<String> = members.by_ref().take(MAX_MEMBERS).collect();
    let told = told.join(", ");
    match members.count() {
        0 => format!("[{told}]"),
        more => format!("[{told}, and {more} more]"),
    }
}

/// A value in Cedar's notation.
fn shown(value: &EvalResult) -> String {
    match value {
        EvalResult::Bool(value) => value.to_string(),
        EvalResult::Long(value) => value.to_string(),
        EvalResult::String(text) => format!("{text:?}"),
        EvalResult::EntityUid(uid) => uid.to_string(),
        EvalResult::Set(set) => list(set.iter().map(shown)),
        EvalResult::Record(record) => {
            let member =
                |(name, value): (&String, &EvalResult)| format!("{name}: {}", shown(value));
            let members: Vec<String> = record.iter().take(MAX_MEMBERS).map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        EvalResult::ExtensionValue(text) => text.clone(),
    }
}
