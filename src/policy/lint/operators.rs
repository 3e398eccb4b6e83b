//! Operators that do not do what they seem to: `like` on what is no plain text, sums in a `forbid`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is no such operator"
)]

use std::ops::Range;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::tokens::Tokens;
use super::tree;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::policy::guard;
use crate::policy::load::Loaded;
use crate::policy::reads;
use crate::policy::reads::Fields;
use crate::policy::report;

/// Where tokens keep scopes (RFC 8693, section 4.2; `scp` is common too).
const SCOPES: [&str; 3] = ["scope", "scopes", "scp"];

/// Reports each kind of operator once.
pub(super) fn lint(loaded: &Loaded, policy: &pst::Template, faults: &mut Vec<Fault>) {
    let mut found: Vec<Lint> = Vec::new();
    let is_forbid = matches!(policy.effect, pst::Effect::Forbid);
    for clause in policy.clauses() {
        tree::visit(tree::condition(clause), &mut |expression| {
            let lint = like(expression).or_else(|| is_forbid.then(|| sum(expression)).flatten());
            found.extend(lint.filter(|lint| !found.contains(lint)));
        });
    }
    for lint in found {
        let (message, help) = in_words(lint);
        let place = place(loaded, lint)
            .unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start));
        faults.push(
            Fault::error(&loaded.source, Some(place), message)
                .help(help)
                .named(lint)
                .warning(),
        );
    }
}

/// A pattern without a wildcard is `==` in other words.
fn like(expression: &Expr) -> Option<Lint> {
    let Expr::Like { expr, pattern } = expression else {
        return None;
    };
    if !pattern.contains(&pst::PatternElem::Wildcard) {
        return None;
    }
    if matches!(&**expr, Expr::GetAttr { expr, attr }
        if attr == "uri" && matches!(&**expr, Expr::Var(pst::Var::Resource)))
    {
        return Some(Lint::LikeOnUri);
    }
    let of_scopes = |one: &Expr| match one {
        one if guard::is_attribute(one, "scopes") => Some(true),
        Expr::BinaryOp {
            op: BinaryOp::GetTag,
            right,
            ..
        } => guard::text(right).map(|name| SCOPES.contains(&&*name)),
        _ => None,
    };
    expr.reduce(&of_scopes, &|a, b| a || b, false)
        .then_some(Lint::LikeOnScope)
}

/// Only what the caller chooses can be chosen to overflow.
fn sum(expression: &Expr) -> Option<Lint> {
    let computes = match expression {
        Expr::BinaryOp { op, .. } => {
            matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul)
        }
        Expr::UnaryOp { op, .. } => matches!(op, pst::UnaryOp::Neg),
        _ => false,
    };
    (computes && reads::of(expression).contains(Fields::ARGS)).then_some(Lint::ArithmeticInForbid)
}

fn in_words(lint: Lint) -> (&'static str, &'static str) {
    if lint == Lint::LikeOnUri {
        (
            "`like` looks at the URI as the client wrote it, where `%2e%2e`, `..` and `%73` pass",
            "name the resources, or use `resource.scheme` and labels; `resource.uri == \"...\"` is \
             exact",
        )
    } else if lint == Lint::LikeOnScope {
        (
            "`like` on scopes finds parts of them: `*mail.read*` is also in `mail.readwrite`",
            "compare whole ones: `principal.scopes.contains(\"mail.read\")`",
        )
    } else {
        (
            "a caller can make this overflow, and the forbid then fails, whatever it is about",
            "compare the argument itself: `n * 2 > 1000` is `n > 500`",
        )
    }
}

fn place(loaded: &Loaded, lint: Lint) -> Option<Range<usize>> {
    (lint == Lint::LikeOnUri).then(|| Tokens::of(loaded).like("uri"))?
}
