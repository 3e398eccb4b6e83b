//! Forbids that an argument in another form gets around: text for a number, an array of one.
//!
//! Servers convert what they get: `"1001"` is as good as `1001` to many. A forbid that holds only where it
//! could read a value in one form lets all the other forms pass.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here may come to anything"
)]

use std::collections::BTreeSet;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::tokens::Tokens;
use super::tree;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::policy::load::Loaded;
use crate::policy::plain_yaml::shown;
use crate::policy::report;

/// Most leaves of conditions in which every way to come out is tried.
const MOST_LEAVES: usize = 12;

/// Reports each argument by which the forbid is got around.
pub(super) fn lint(loaded: &Loaded, policy: &pst::Template, faults: &mut Vec<Fault>) {
    if !matches!(policy.effect, pst::Effect::Forbid) {
        return;
    }
    let mut names = BTreeSet::new();
    for clause in policy.clauses() {
        tree::visit(tree::condition(clause), &mut |expression| {
            names.extend(read(expression, BinaryOp::GetTag));
        });
    }
    for name in names {
        if !Trial::of(policy, name).is_evaded() {
            continue;
        }
        let place = Tokens::of(loaded).calls("getTag", name).into_iter().next();
        let place = place.unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start));
        let message = format!(
            "forbid `{}` is got around by sending {} in another form, such as text for a number, or an array",
            loaded.id,
            shown(name)
        );
        faults.push(
            Fault::error(&loaded.source, Some(place), message)
                .help(
                    "forbid all but what is known to be fine, with the accessor in an `unless`, or \
                     put the limit into the permit",
                )
                .named(Lint::EvadableForbid)
                .warning(),
        );
    }
}

/// The conditions of a policy, as they depend on one argument.
struct Trial<'p> {
    policy: &'p pst::Template,
    name: &'p str,
    /// What compares the argument's value.
    values: Vec<&'p Expr>,
    /// What has nothing to do with the argument.
    others: Vec<&'p Expr>,
}

/// What a condition comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    True,
    False,
    Fails,
}

/// One way that everything may be.
#[derive(Clone, Copy)]
struct Case {
    /// Whether the argument has the form that the policy reads.
    is_readable: bool,
    /// Which of the values, and of the others, are true: a bit each.
    values: u32,
    others: u32,
}

enum Leaf {
    Known(bool),
    Readable,
    Value,
    Other,
}

impl<'p> Trial<'p> {
    fn of(policy: &'p pst::Template, name: &'p str) -> Self {
        let mut trial = Self {
            policy,
            name,
            values: Vec::new(),
            others: Vec::new(),
        };
        for clause in policy.clauses() {
            trial.collect(tree::condition(clause));
        }
        trial
    }

    fn collect(&mut self, expression: &'p Expr) {
        if let Some(parts) = parts(expression) {
            for part in parts {
                self.collect(part);
            }
            return;
        }
        let list = match self.leaf(expression) {
            Leaf::Known(_) | Leaf::Readable => return,
            Leaf::Value => &mut self.values,
            Leaf::Other => &mut self.others,
        };
        if !list.contains(&expression) {
            list.push(expression);
        }
    }

    fn leaf(&self, expression: &Expr) -> Leaf {
        if let Expr::Literal(pst::Literal::Bool(value)) = expression {
            return Leaf::Known(*value);
        }
        if read(expression, BinaryOp::HasTag) == Some(self.name) {
            return Leaf::Known(true);
        }
        let is_read = |one: &Expr| read(one, BinaryOp::GetTag) == Some(self.name);
        if matches!(expression, Expr::HasAttr { expr, .. } if is_read(expr)) {
            return Leaf::Readable;
        }
        let any = |test: &dyn Fn(&Expr) -> bool| {
            expression.reduce(&|one| test(one).then_some(true), &|a, b| a || b, false)
        };
        // What asks for the form inside does not fail for lack of it.
        let asks = any(&|one| matches!(one, Expr::HasAttr { expr, .. } if is_read(expr)));
        if any(&is_read) && !asks {
            Leaf::Value
        } else {
            Leaf::Other
        }
    }

    /// Whether there are circumstances in which the argument's value decides, and where the forbid
    /// does not hold for an argument in another form.
    fn is_evaded(&self) -> bool {
        let leaves = self.values.len().saturating_add(self.others.len());
        if self.values.is_empty() || leaves > MOST_LEAVES {
            return false;
        }
        let ways = |leaves: &[&Expr]| 0..1_u32.checked_shl(count(leaves)).unwrap_or(0);
        ways(&self.others).any(|others| {
            let case = |is_readable, values| {
                self.outcome(Case {
                    is_readable,
                    values,
                    others,
                })
            };
            case(false, 0) == Outcome::False
                && ways(&self.values).any(|values| case(true, values) == Outcome::True)
                && ways(&self.values).any(|values| case(true, values) == Outcome::False)
        })
    }

    fn outcome(&self, case: Case) -> Outcome {
        let clauses = self.policy.clauses().iter();
        let mut outcomes = clauses.map(|clause| match clause {
            pst::Clause::When(condition) => self.of_expression(condition, case),
            pst::Clause::Unless(condition) => self.of_expression(condition, case).negated(),
        });
        let unless_true = outcomes.find(|outcome| *outcome != Outcome::True);
        unless_true.unwrap_or(Outcome::True)
    }

    fn of_expression(&self, expression: &Expr, case: Case) -> Outcome {
        let of = |one: &Expr| self.of_expression(one, case);
        match expression {
            Expr::UnaryOp {
                op: pst::UnaryOp::Not,
                expr,
            } => of(expr).negated(),
            Expr::BinaryOp {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                left,
                right,
            } => {
                let goes_on = if *op == BinaryOp::And {
                    Outcome::True
                } else {
                    Outcome::False
                };
                match of(left) {
                    left if left == goes_on => of(right),
                    left => left,
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => match of(cond) {
                Outcome::True => of(then_expr),
                Outcome::False => of(else_expr),
                Outcome::Fails => Outcome::Fails,
            },
            leaf => match self.leaf(leaf) {
                Leaf::Known(value) => Outcome::from(value),
                Leaf::Readable => Outcome::from(case.is_readable),
                Leaf::Value if !case.is_readable => Outcome::Fails,
                Leaf::Value => Outcome::from(bit(&self.values, leaf, case.values)),
                Leaf::Other => Outcome::from(bit(&self.others, leaf, case.others)),
            },
        }
    }
}

impl Outcome {
    fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Fails => Self::Fails,
        }
    }
}

impl From<bool> for Outcome {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// What a condition is joined from; absent for a leaf.
fn parts(expression: &Expr) -> Option<Vec<&Expr>> {
    match expression {
        Expr::UnaryOp {
            op: pst::UnaryOp::Not,
            ..
        }
        | Expr::BinaryOp {
            op: BinaryOp::And | BinaryOp::Or,
            ..
        }
        | Expr::IfThenElse { .. } => Some(tree::children(expression)),
        _ => None,
    }
}

/// The name in `context.args.hasTag("name")` or `getTag`.
fn read(expression: &Expr, wanted: BinaryOp) -> Option<&str> {
    let Expr::BinaryOp { op, left, right } = expression else {
        return None;
    };
    let of_call = matches!(&**left, Expr::GetAttr { expr, attr }
        if attr == "args" && matches!(&**expr, Expr::Var(pst::Var::Context)));
    match &**right {
        Expr::Literal(pst::Literal::String(name)) if of_call && *op == wanted => Some(name),
        _ => None,
    }
}

fn count(leaves: &[&Expr]) -> u32 {
    u32::try_from(leaves.len()).unwrap_or(u32::MAX)
}

fn bit(leaves: &[&Expr], leaf: &Expr, bits: u32) -> bool {
    let place = leaves.iter().position(|other| **other == *leaf);
    let place = place.and_then(|place| u32::try_from(place).ok());
    place.is_some_and(|place| bits.checked_shr(place).unwrap_or(0) & 1 == 1)
}
