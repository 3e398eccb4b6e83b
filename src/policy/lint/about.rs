//! Which tools a policy, or a part of one, can be about.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here rules nothing out"
)]

use std::collections::BTreeSet;

use cedar_policy::EntityUid;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::tools::Tools;
use super::tree;
use crate::policy::guard;

/// What an operation with arguments can be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Tools of the catalogue, by number.
    pub(super) listed: BTreeSet<usize>,
    /// A tool that the catalogue does not list.
    pub(super) unlisted: bool,
    /// A prompt, whose arguments nobody describes here.
    pub(super) prompt: bool,
}

impl About {
    /// What the policy as a whole can be about.
    pub(super) fn of_policy(policy: &pst::Template, tools: &Tools<'_>) -> Self {
        let mut about = tools.actions(&policy.action);
        about = match &policy.resource {
            pst::ResourceConstraint::Any => about,
            pst::ResourceConstraint::Eq(entity) => about.meet(&tools.equal(&literals(entity))),
            pst::ResourceConstraint::In(entity) => about.meet(&tools.within(&literals(entity))),
            pst::ResourceConstraint::Is(kind) => about.meet(&tools.of_kind(&kind.to_string())),
            pst::ResourceConstraint::IsIn(kind, entity) => about
                .meet(&tools.of_kind(&kind.to_string()))
                .meet(&tools.within(&literals(entity))),
        };
        policy
            .clauses()
            .iter()
            .fold(about, |about, clause| match clause {
                pst::Clause::When(condition) => about.where_it_is(condition, true, tools),
                pst::Clause::Unless(condition) => about.where_it_is(condition, false, tools),
            })
    }

    /// What is left where the expression evaluates to `value`.
    pub(super) fn where_it_is(self, expression: &Expr, value: bool, tools: &Tools<'_>) -> Self {
        match expression {
            Expr::Literal(pst::Literal::Bool(literal)) if *literal != value => Self::default(),
            Expr::UnaryOp {
                op: pst::UnaryOp::Not,
                expr,
            } => self.where_it_is(expr, !value, tools),
            Expr::BinaryOp {
                op: op @ (BinaryOp::And | BinaryOp::Or),
                left,
                right,
            } => {
                if (*op == BinaryOp::And) == value {
                    self.where_it_is(left, value, tools)
                        .where_it_is(right, value, tools)
                } else {
                    let other = self.clone().where_it_is(left, value, tools);
                    self.where_it_is(right, value, tools).join(other)
                }
            }
            Expr::IfThenElse {
                cond,
                then_expr,
                else_expr,
            } => {
                // To look at a condition for both outcomes takes twice as long with each `if` in it.
                let given = |about: Self, outcome| {
                    if tree::branches(cond) {
                        about
                    } else {
                        about.where_it_is(cond, outcome, tools)
                    }
                };
                let otherwise = given(self.clone(), false).where_it_is(else_expr, value, tools);
                given(self, true)
                    .where_it_is(then_expr, value, tools)
                    .join(otherwise)
            }
            Expr::BinaryOp {
                op: BinaryOp::NotEq,
                left,
                right,
            } => self.limit(equal(left, right, tools), !value),
            _ => self.limit(test(expression, tools), value),
        }
    }

    /// With what a test lets through, or without it.
    fn limit(self, test: Option<Self>, value: bool) -> Self {
        match test {
            None => self,
            Some(passing) if value => self.meet(&passing),
            // What is listed is known to pass; of the rest some may not.
            Some(passing) => Self {
                listed: self.listed.difference(&passing.listed).copied().collect(),
                ..self
            },
        }
    }

    fn meet(self, other: &Self) -> Self {
        Self {
            listed: self.listed.intersection(&other.listed).copied().collect(),
            unlisted: self.unlisted && other.unlisted,
            prompt: self.prompt && other.prompt,
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        Self {
            listed: self.listed,
            unlisted: self.unlisted || other.unlisted,
            prompt: self.prompt || other.prompt,
        }
    }
}

/// What passes a test of the resource or the action; absent where it is not understood.
fn test(expression: &Expr, tools: &Tools<'_>) -> Option<About> {
    match expression {
        Expr::BinaryOp {
            op: BinaryOp::Eq,
            left,
            right,
        } => equal(left, right, tools),
        Expr::BinaryOp {
            op: BinaryOp::In,
            left,
            right,
        } => match &**left {
            Expr::Var(pst::Var::Resource) => Some(tools.within(&guard::entities(right)?)),
            Expr::Var(pst::Var::Action) => Some(tools.action_in(&guard::entities(right)?)),
            left if is_server(left) => Some(tools.within(&guard::entities(right)?)),
            _ => None,
        },
        Expr::BinaryOp {
            op: BinaryOp::Contains,
            left,
            right,
        } if is_name(right) => Some(tools.named(&guard::texts(left)?)),
        Expr::BinaryOp {
            op: BinaryOp::Contains,
            left,
            right,
        } if is_resource(right) => Some(tools.equal(&guard::entities(left)?)),
        Expr::Is {
            expr,
            entity_type,
            in_expr,
        } if is_resource(expr) => {
            let of_kind = tools.of_kind(&entity_type.to_string());
            match in_expr {
                Some(group) => Some(of_kind.meet(&tools.within(&guard::entities(group)?))),
                None => Some(of_kind),
            }
        }
        Expr::GetAttr { expr, attr } if attr == "known" && is_resource(expr) => Some(tools.known()),
        _ => None,
    }
}

/// What passes `left == right`, whichever side the literal is on.
fn equal(left: &Expr, right: &Expr, tools: &Tools<'_>) -> Option<About> {
    [(left, right), (right, left)]
        .into_iter()
        .find_map(|(tested, literal)| match tested {
            Expr::Var(pst::Var::Resource) => Some(tools.equal(&guard::entities(literal)?)),
            Expr::Var(pst::Var::Action) => Some(tools.action_in(&guard::entities(literal)?)),
            tested if is_name(tested) => Some(tools.named(&[guard::text(literal)?])),
            tested if is_server(tested) => Some(tools.within(&guard::entities(literal)?)),
            _ => None,
        })
}

fn is_resource(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(pst::Var::Resource))
}

fn is_name(expression: &Expr) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if attr == "name" && is_resource(expr))
}

fn is_server(expression: &Expr) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if attr == "server" && is_resource(expr))
}

fn literals(entity: &pst::EntityOrSlot) -> Vec<EntityUid> {
    match entity {
        pst::EntityOrSlot::Entity(uid) => guard::uid(uid).into_iter().collect(),
        // Templates are refused when they are read.
        pst::EntityOrSlot::Slot(_) => Vec::new(),
    }
}
