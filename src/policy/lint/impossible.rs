//! Policies that match no request, where Cedar's validator cannot see it.

use std::sync::Arc;

use cedar_policy::pst;
use cedar_policy::pst::Expr;

use super::claims::Claims;
use super::stranger::Stranger;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::fault::Severity;
use crate::policy::load::Loaded;
use crate::policy::report;

/// More ways for the conditions to hold are not looked at.
const MOST_WAYS: usize = 64;

/// Reports a policy of which every way to hold contradicts itself.
pub(super) fn lint(
    loaded: &Loaded,
    policy: &pst::Template,
    stranger: &Stranger<'_>,
    faults: &mut Vec<Fault>,
) {
    let scope = scope(policy);
    let Some(ways) = ways(policy) else { return };
    let contradicts = |way: &Way<'_>| {
        let mut claims = Claims::default();
        let in_scope = scope.iter().map(|expression| (expression, true));
        let all: Vec<_> = in_scope.chain(way.iter().copied()).collect();
        for (expression, wanted) in &all {
            claims.add(expression, *wanted);
        }
        claims.contradict() || claims.contradict_of_strangers(&all, stranger)
    };
    if !ways.iter().all(contradicts) || is_reported(loaded, faults) {
        return;
    }
    let place = report::first_line(&loaded.source, loaded.span.start);
    let message = format!("policy `{}` matches no request", loaded.id);
    faults.push(
        Fault::error(&loaded.source, Some(place), message)
            .help("what it demands cannot all be so at once")
            .named(Lint::ImpossiblePolicy),
    );
}

/// What must be true and what false for the conditions to hold.
type Way<'p> = Vec<(&'p Arc<Expr>, bool)>;

/// Every way; absent where there are too many.
fn ways(policy: &pst::Template) -> Option<Vec<Way<'_>>> {
    let mut all = vec![Vec::new()];
    for clause in policy.clauses() {
        let more = match clause {
            pst::Clause::When(condition) => of(condition, true)?,
            pst::Clause::Unless(condition) => of(condition, false)?,
        };
        all = both(&all, &more)?;
    }
    Some(all)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is a claim of its own"
)]
fn of(expression: &Arc<Expr>, wanted: bool) -> Option<Vec<Way<'_>>> {
    use pst::BinaryOp;
    match &**expression {
        Expr::UnaryOp {
            op: pst::UnaryOp::Not,
            expr,
        } => of(expr, !wanted),
        Expr::BinaryOp {
            op: op @ (BinaryOp::And | BinaryOp::Or),
            left,
            right,
        } => {
            let (left, right) = (of(left, wanted)?, of(right, wanted)?);
            if (*op == BinaryOp::And) == wanted {
                both(&left, &right)
            } else {
                either(left, right)
            }
        }
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => either(
            both(&of(cond, true)?, &of(then_expr, wanted)?)?,
            both(&of(cond, false)?, &of(else_expr, wanted)?)?,
        ),
        _ => Some(vec![vec![(expression, wanted)]]),
    }
}

fn both<'p>(left: &[Way<'p>], right: &[Way<'p>]) -> Option<Vec<Way<'p>>> {
    if left.len().saturating_mul(right.len()) > MOST_WAYS {
        return None;
    }
    let join = |one: &Way<'p>, other: &Way<'p>| one.iter().chain(other).copied().collect();
    let of_one = |one| right.iter().map(move |other| join(one, other));
    Some(left.iter().flat_map(of_one).collect())
}

fn either<'p>(mut left: Vec<Way<'p>>, right: Vec<Way<'p>>) -> Option<Vec<Way<'p>>> {
    left.extend(right);
    (left.len() <= MOST_WAYS).then_some(left)
}

/// The scope, as conditions. That of the action is left to Cedar, which looks at each action.
fn scope(policy: &pst::Template) -> Vec<Arc<Expr>> {
    use pst::PrincipalConstraint as Who;
    use pst::ResourceConstraint as What;
    let who = || Arc::new(Expr::Var(pst::Var::Principal));
    let what = || Arc::new(Expr::Var(pst::Var::Resource));
    let mut all = Vec::new();
    match &policy.principal {
        Who::Any => {}
        Who::Eq(entity) => all.extend(compared(who(), pst::BinaryOp::Eq, entity)),
        Who::In(entity) => all.extend(compared(who(), pst::BinaryOp::In, entity)),
        Who::Is(kind) => all.push(is(who(), kind)),
        Who::IsIn(kind, entity) => {
            all.push(is(who(), kind));
            all.extend(compared(who(), pst::BinaryOp::In, entity));
        }
    }
    match &policy.resource {
        What::Any => {}
        What::Eq(entity) => all.extend(compared(what(), pst::BinaryOp::Eq, entity)),
        What::In(entity) => all.extend(compared(what(), pst::BinaryOp::In, entity)),
        What::Is(kind) => all.push(is(what(), kind)),
        What::IsIn(kind, entity) => {
            all.push(is(what(), kind));
            all.extend(compared(what(), pst::BinaryOp::In, entity));
        }
    }
    all
}

fn is(expr: Arc<Expr>, kind: &pst::EntityType) -> Arc<Expr> {
    Arc::new(Expr::Is {
        expr,
        entity_type: kind.clone(),
        in_expr: None,
    })
}

fn compared(left: Arc<Expr>, op: pst::BinaryOp, entity: &pst::EntityOrSlot) -> Option<Arc<Expr>> {
    match entity {
        pst::EntityOrSlot::Entity(uid) => {
            let right = Arc::new(Expr::Literal(pst::Literal::EntityUID(uid.clone())));
            Some(Arc::new(Expr::BinaryOp { op, left, right }))
        }
        // Templates are refused when they are read.
        pst::EntityOrSlot::Slot(_) => None,
    }
}

/// Whether it is said already, or something else that must be mended first.
fn is_reported(loaded: &Loaded, faults: &[Fault]) -> bool {
    faults.iter().any(|fault| {
        let is_here = fault.file == loaded.source.name
            && (fault.span.as_ref()).is_some_and(|span| loaded.span.contains(&span.start));
        let is_unnamed_error = fault.lint.is_none() && fault.severity == Severity::Error;
        is_here && (is_unnamed_error || fault.lint == Some(Lint::ImpossiblePolicy))
    })
}
