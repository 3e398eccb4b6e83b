//! Why a condition did not come out as wanted: taken apart, and each part put to Cedar by itself.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is put to Cedar as a whole"
)]

use std::str::FromStr;

use cedar_policy::Entities;
use cedar_policy::EvalResult;
use cedar_policy::Expression;
use cedar_policy::Request;
use cedar_policy::eval_expression;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;
use cedar_policy::pst::UnaryOp;

use super::Finding;
use super::Found;
use super::Question;
use super::Value;
use super::scope;
use super::words;
use crate::policy::engine::Live;
use crate::policy::solve::Effort;

/// Most findings on one level.
const MAX_FINDINGS: usize = 8;
/// Deepest level of parts.
const MAX_DEPTH: usize = 4;
/// Longest condition, message or value that is told, in characters.
const MAX_TEXT: usize = 300;
/// What it takes to read and to evaluate an expression, beside its length.
const STEPS_AN_EXPRESSION: usize = 50;

/// What conditions are put to.
pub(super) struct Scene<'a> {
    pub(super) request: &'a Request,
    pub(super) entities: &'a Entities,
    pub(super) question: Question<'a>,
    pub(super) effort: &'a Effort,
}

impl Scene<'_> {
    /// Why the policy does not hold; empty where it does, or where there is no time.
    pub(super) fn failures(&self, live: &Live) -> Vec<Finding> {
        let Ok(tree) = live.policy.to_pst() else {
            return Vec::new();
        };
        let body = tree.body();
        let head = scope::conditions(body);
        let head = head.iter().map(|condition| (condition, true));
        let clauses = body.clauses().iter().map(|clause| match clause {
            pst::Clause::When(condition) => (&**condition, true),
            pst::Clause::Unless(condition) => (&**condition, false),
        });
        self.every(head.chain(clauses), 0)
    }

    /// Why the policy is about something else than this request.
    pub(super) fn strays(&self, live: &Live) -> Vec<Finding> {
        let Ok(tree) = live.policy.to_pst() else {
            return Vec::new();
        };
        let head = scope::conditions(tree.body());
        self.every(head.iter().map(|condition| (condition, true)), 0)
    }

    /// For a forbid, what would have to be otherwise for it not to hold, or what fails; nothing for a
    /// permit.
    pub(super) fn releases(&self, live: &Live) -> Vec<Finding> {
        if !live.forbid {
            return Vec::new();
        }
        let failing = self.failures(live);
        if !failing.is_empty() {
            return failing;
        }
        let Ok(tree) = live.policy.to_pst() else {
            return Vec::new();
        };
        let head = scope::principal(&tree.body().principal);
        let head = head.iter().map(|condition| (condition, false));
        let clauses = tree.body().clauses().iter().map(|clause| match clause {
            pst::Clause::When(condition) => (&**condition, false),
            pst::Clause::Unless(condition) => (&**condition, true),
        });
        let all = head.chain(clauses);
        let mut found: Vec<Finding> = all
            .flat_map(|(condition, wanted)| self.alternative(condition, wanted, 0))
            .collect();
        found.truncate(MAX_FINDINGS);
        found
    }

    /// All of these have to come out as wanted, in this order. Cedar stops at the first that does not.
    /// Of those behind it, what can be evaluated by itself is told as well: it would be next.
    fn every<'e>(
        &self,
        parts: impl IntoIterator<Item = (&'e Expr, bool)>,
        depth: usize,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        for (part, wanted) in parts {
            let more = self.why(part, wanted, depth);
            if found.is_empty() || more.iter().all(Finding::is_clean) {
                found.extend(more);
            }
            if found.len() >= MAX_FINDINGS {
                break;
            }
        }
        found.truncate(MAX_FINDINGS);
        found
    }

    /// Why the condition is not as wanted; empty where it is, or where there is no time.
    fn why(&self, condition: &Expr, wanted: bool, depth: usize) -> Vec<Finding> {
        match condition {
            Expr::UnaryOp {
                op: UnaryOp::Not,
                expr,
            } => self.why(expr, !wanted, depth),
            Expr::BinaryOp {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                ..
            } => {
                let parts = chain(condition, *op);
                if (*op == BinaryOp::And) == wanted {
                    self.every(parts.into_iter().map(|part| (part, wanted)), depth)
                } else {
                    self.any(condition, &parts, wanted, depth)
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => {
                let (branch, taken) = match self.put(cond) {
                    None => return Vec::new(),
                    Some(Found::True) => (then_expr, "true"),
                    Some(Found::False) => (else_expr, "false"),
                    Some(Found::Failed(_)) => return self.why(cond, wanted, depth),
                };
                let within = self.why(branch, wanted, depth.saturating_add(1));
                let of = shorten(&cond.to_string());
                let is = taken.to_owned();
                self.composed(condition, wanted, within, vec![Value { of, is }])
            }
            _ => self.leaf(condition, wanted),
        }
    }

    /// One of these has to come out as wanted.
    fn any(&self, whole: &Expr, parts: &[&Expr], wanted: bool, depth: usize) -> Vec<Finding> {
        let Some(found) = self.put(whole).filter(|found| !found.is(wanted)) else {
            return Vec::new();
        };
        let mut within = Vec::new();
        if depth < MAX_DEPTH {
            let deeper = depth.saturating_add(1);
            for part in parts {
                within.extend(self.alternative(part, wanted, deeper));
            }
            within.truncate(MAX_FINDINGS);
        }
        vec![Finding {
            condition: shorten(&whole.to_string()),
            wanted,
            found,
            values: Vec::new(),
            must: None,
            lever: None,
            within,
            any: true,
        }]
    }

    /// What keeps one of several from coming out as wanted, as one finding.
    fn alternative(&self, part: &Expr, wanted: bool, depth: usize) -> Vec<Finding> {
        let found = self.why(part, wanted, depth);
        if found.len() > 1 {
            return self.composed(part, wanted, found, Vec::new());
        }
        found
    }

    /// A condition that is not as wanted because none of these parts is; nothing without any.
    fn composed(
        &self,
        condition: &Expr,
        wanted: bool,
        within: Vec<Finding>,
        values: Vec<Value>,
    ) -> Vec<Finding> {
        let found = self.put(condition).filter(|found| !found.is(wanted));
        let (Some(found), false) = (found, within.is_empty()) else {
            return Vec::new();
        };
        vec![Finding {
            condition: shorten(&condition.to_string()),
            wanted,
            found,
            values,
            must: None,
            lever: None,
            within,
            any: false,
        }]
    }

    fn leaf(&self, condition: &Expr, wanted: bool) -> Vec<Finding> {
        let Some(found) = self.put(condition).filter(|found| !found.is(wanted)) else {
            return Vec::new();
        };
        vec![Finding {
            condition: shorten(&condition.to_string()),
            wanted,
            values: self.values(condition),
            must: match found {
                Found::True | Found::False => words::must(condition, wanted),
                // That it cannot be evaluated is what stands in the way.
                Found::Failed(_) => None,
            },
            lever: match found {
                Found::True | Found::False => self.lever(condition, wanted),
                Found::Failed(_) => None,
            },
            found,
            within: Vec::new(),
            any: false,
        }]
    }

    /// Whether the condition is as wanted.
    pub(super) fn is(&self, condition: &Expr, wanted: bool) -> bool {
        self.put(condition).is_some_and(|found| found.is(wanted))
    }

    /// What the condition comes out as; absent where there is no time.
    fn put(&self, condition: &Expr) -> Option<Found> {
        Some(match self.evaluate(condition)? {
            Ok(EvalResult::Bool(true)) => Found::True,
            Ok(EvalResult::Bool(false)) => Found::False,
            // The validator lets no such condition pass.
            Ok(_) => Found::Failed("it is neither true nor false".to_owned()),
            Err(message) => Found::Failed(message),
        })
    }

    /// The value of an expression, or what Cedar has to say; absent where there is no time.
    pub(super) fn evaluate(&self, expression: &Expr) -> Option<Result<EvalResult, String>> {
        let text = expression.to_string();
        let steps = text
            .len()
            .saturating_mul(2)
            .saturating_add(STEPS_AN_EXPRESSION);
        if !self.effort.spend(steps) {
            return None;
        }
        // It is the operator's own text, printed by Cedar.
        Some(match Expression::from_str(&text) {
            Ok(parsed) => eval_expression(self.request, self.entities, &parsed)
                .map_err(|error| shorten(&error.to_string())),
            Err(_) => Err("it cannot be evaluated by itself".to_owned()),
        })
    }
}

impl Found {
    /// Whether it is as wanted.
    pub(super) fn is(&self, wanted: bool) -> bool {
        match self {
            Self::True => wanted,
            Self::False => !wanted,
            Self::Failed(_) => false,
        }
    }
}

/// `a && b && c`, taken apart.
fn chain(expression: &Expr, op: BinaryOp) -> Vec<&Expr> {
    let mut parts = Vec::new();
    let mut open = vec![expression];
    while let Some(next) = open.pop() {
        match next {
            Expr::BinaryOp {
                op: this,
                left,
                right,
            } if *this == op => open.extend([&**right, &**left]),
            part => parts.push(part),
        }
    }
    parts
}

/// At most so much of it that an answer stays readable.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
