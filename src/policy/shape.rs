//! A policy as a tree: what it comes to before a request is there, and where it waits for one.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is one leaf"
)]

mod waits;

use std::sync::Arc;

use cedar_policy::Authorizer;
use cedar_policy::Decision;
use cedar_policy::Entities;
use cedar_policy::Policy;
use cedar_policy::PolicySet;
use cedar_policy::Request;
use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use self::waits::Waits;

/// Stands for what waits for a request, and then depends on caller or target as well.
pub(super) const REACHES: char = '*';

/// The conditions of a policy.
#[derive(Debug)]
pub(super) struct Shape {
    root: Node,
    /// The conditions as text, whatever their layout.
    pub(super) text: Arc<str>,
}

/// What evaluating something may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcomes(u8);

/// A caller, an action and a target, and what of them is left open.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) request: &'a Request,
    pub(super) entities: &'a Entities,
    /// The target stands for every target of its kind.
    pub(super) any_name: bool,
    /// The target says something that is different in every request.
    pub(super) any_path: bool,
}

#[derive(Debug)]
enum Node {
    Leaf(Box<Leaf>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    If(Box<[Self; 3]>),
}

#[derive(Debug)]
struct Leaf {
    /// A policy that holds where the expression is true; absent where it cannot be told.
    asked: Option<PolicySet>,
    waits: Waits,
}

impl Outcomes {
    pub(super) const TRUE: Self = Self(1);
    pub(super) const FALSE: Self = Self(2);
    pub(super) const FAILS: Self = Self(4);
    pub(super) const UNKNOWN: Self = Self(7);

    /// Whether all of `other` may come out.
    pub(super) fn may(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without `other`.
    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn negated(self) -> Self {
        let to = |from, to: Self| if self.may(from) { to.0 } else { 0 };
        let kept = self.0 & Self::FAILS.0;
        Self(kept | to(Self::TRUE, Self::FALSE) | to(Self::FALSE, Self::TRUE))
    }

    /// `first`, then `more` where the first does not settle it.
    pub(super) fn and(self, more: impl FnOnce() -> Self) -> Self {
        if self.may(Self::TRUE) {
            self.without(Self::TRUE).union(more())
        } else {
            self
        }
    }

    fn letter(self) -> char {
        match self {
            Self::TRUE => 't',
            Self::FALSE => 'f',
            Self::FAILS => 'e',
            _ => '?',
        }
    }
}

impl Shape {
    /// The conditions of `policy`.
    pub(super) fn of(policy: &Policy) -> Self {
        let Ok(tree) = policy.to_pst() else {
            // Every policy in force has a tree; one without would be unknown.
            return Self {
                root: Node::Leaf(Box::new(Leaf {
                    asked: None,
                    waits: Waits::default(),
                })),
                text: "".into(),
            };
        };
        let clauses = tree.body().clauses();
        let text: Vec<String> = clauses.iter().map(ToString::to_string).collect();
        let nodes = clauses.iter().map(|clause| match clause {
            pst::Clause::When(condition) => node(condition),
            pst::Clause::Unless(condition) => Node::Not(Box::new(node(condition))),
        });
        Self {
            root: Node::All(nodes.collect()),
            text: text.join(" ").into(),
        }
    }

    /// Whether the conditions wait for what `world` leaves open of the target.
    pub(super) fn reads_target(&self, world: World<'_>) -> bool {
        self.root.reads_target(world)
    }

    /// What the conditions may come to. The letters say what each leaf came to: two policies with
    /// the same text and the same letters do the same to every request, if caller and target are
    /// the same wherever there is a [`REACHES`].
    pub(super) fn outcomes(&self, world: World<'_>, letters: &mut String) -> Outcomes {
        self.root.outcomes(world, letters)
    }
}

impl Node {
    fn outcomes(&self, world: World<'_>, letters: &mut String) -> Outcomes {
        match self {
            Self::Leaf(leaf) => {
                let outcome = leaf.outcome(world);
                let open = outcome == Outcomes::UNKNOWN && leaf.waits.entities;
                letters.push(if open { REACHES } else { outcome.letter() });
                outcome
            }
            Self::Not(node) => node.outcomes(world, letters).negated(),
            Self::All(nodes) => nodes.iter().fold(Outcomes::TRUE, |before, node| {
                before.and(|| node.outcomes(world, letters))
            }),
            // Not all of them false, in the same order.
            Self::Any(nodes) => nodes
                .iter()
                .fold(Outcomes::TRUE, |before, node| {
                    before.and(|| node.outcomes(world, letters).negated())
                })
                .negated(),
            Self::If(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = condition.outcomes(world, letters);
                let mut all = Outcomes(condition.0 & Outcomes::FAILS.0);
                for (when, part) in [(Outcomes::TRUE, yes), (Outcomes::FALSE, no)] {
                    if condition.may(when) {
                        all = all.union(part.outcomes(world, letters));
                    }
                }
                all
            }
        }
    }
}

impl Node {
    fn reads_target(&self, world: World<'_>) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.reads_target(world),
            Self::Not(node) => node.reads_target(world),
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().any(|node| node.reads_target(world))
            }
            Self::If(parts) => parts.iter().any(|node| node.reads_target(world)),
        }
    }
}

impl Leaf {
    fn reads_target(&self, world: World<'_>) -> bool {
        (world.any_name && self.waits.name) || (world.any_path && self.waits.path)
    }

    fn outcome(&self, world: World<'_>) -> Outcomes {
        let open = self.waits.context || self.reads_target(world);
        let Some(asked) = self.asked.as_ref().filter(|_| !open) else {
            return Outcomes::UNKNOWN;
        };
        let response = Authorizer::new().is_authorized(world.request, asked, world.entities);
        match response.decision() {
            Decision::Allow => Outcomes::TRUE,
            Decision::Deny if response.diagnostics().errors().next().is_some() => Outcomes::FAILS,
            Decision::Deny => Outcomes::FALSE,
        }
    }
}

fn node(expression: &Arc<Expr>) -> Node {
    let waits = Waits::of(expression);
    let both = |left, right| vec![node(left), node(right)];
    match &**expression {
        // What waits for nothing is asked for as a whole.
        _ if waits.for_nothing() => leaf(expression, waits),
        Expr::UnaryOp {
            op: pst::UnaryOp::Not,
            expr,
        } => Node::Not(Box::new(node(expr))),
        Expr::BinaryOp {
            op: BinaryOp::And,
            left,
            right,
        } => Node::All(both(left, right)),
        Expr::BinaryOp {
            op: BinaryOp::Or,
            left,
            right,
        } => Node::Any(both(left, right)),
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => Node::If(Box::new([node(cond), node(then_expr), node(else_expr)])),
        _ => leaf(expression, waits),
    }
}

fn leaf(expression: &Arc<Expr>, waits: Waits) -> Node {
    let asked = (!waits.context).then(|| asked(expression)).flatten();
    Node::Leaf(Box::new(Leaf { asked, waits }))
}

/// A policy with the expression as its only condition.
pub(super) fn asked(expression: &Arc<Expr>) -> Option<PolicySet> {
    let template = pst::Template::new(
        pst::PolicyID("asked".into()),
        pst::Effect::Permit,
        pst::PrincipalConstraint::Any,
        pst::ActionConstraint::Any,
        pst::ResourceConstraint::Any,
    );
    let condition = pst::Clause::When(Arc::clone(expression));
    let template = template.try_with_clauses([condition]).ok()?;
    let policy = pst::StaticPolicy::try_from(template).ok()?;
    let policy = Policy::from_pst(pst::Policy::Static(policy)).ok()?;
    PolicySet::from_policies([policy]).ok()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Context;

    use super::*;

    /// What conditions may come to, as `t`, `f` and `e`, for `A::"a"` acting on `R::"r"`.
    fn outcomes(conditions: &str, any_name: bool, any_path: bool) -> (String, String) {
        let policy = Policy::from_str(&format!(
            "permit(principal, action, resource) {conditions};"
        ));
        let uid = |text: &str| text.parse().unwrap();
        let request = Request::new(
            uid("Mcp::User::\"u\""),
            uid("Mcp::Action::\"tools/call\""),
            uid("Mcp::Tool::\"s/t\""),
            Context::empty(),
            None,
        );
        let world = World {
            request: &request.unwrap(),
            entities: &Entities::empty(),
            any_name,
            any_path,
        };
        let mut letters = String::new();
        let found = Shape::of(&policy.unwrap()).outcomes(world, &mut letters);
        let may = |one, letter: &str| if found.may(one) { letter } else { "" }.to_owned();
        let text =
            may(Outcomes::TRUE, "t") + &may(Outcomes::FALSE, "f") + &may(Outcomes::FAILS, "e");
        (text, letters)
    }

    #[test]
    fn what_reads_the_request_may_come_to_anything() {
        for (conditions, expected, letters) in [
            ("", "t", ""),
            ("when { 1 == 1 }", "t", "t"),
            ("unless { 1 == 1 }", "f", "t"),
            ("when { 1 + 9223372036854775807 == 1 }", "e", "e"),
            ("when { context.session == \"\" }", "tfe", "?"),
            ("when { 1 == 2 && context.session == \"\" }", "f", "f"),
            ("when { context.session == \"\" && 1 == 2 }", "fe", "?f"),
            ("when { 1 == 1 || context.session == \"\" }", "t", "t"),
            ("when { context.session == \"\" || 1 == 1 }", "te", "?t"),
            ("when { !(context.session == \"\") }", "tfe", "?"),
            ("when { 1 == 2 } when { context.session == \"\" }", "f", "f"),
            ("unless { 1 == 1 || context.session == \"\" }", "f", "t"),
            (
                "when { if 1 == 1 then context.session == \"\" else 1 == 2 }",
                "tfe",
                "t?",
            ),
            (
                "when { if context.session == \"\" then 1 == 1 else 2 == 2 }",
                "te",
                "?tt",
            ),
            (
                "when { context.now < datetime(\"2026-01-01\") && resource.nothing }",
                "fe",
                "?e",
            ),
        ] {
            let found = outcomes(conditions, false, false);
            assert_eq!(
                found,
                (expected.to_owned(), letters.to_owned()),
                "{conditions}"
            );
        }
    }

    #[test]
    fn a_name_or_a_path_that_is_left_open_may_be_anything() {
        for (condition, name, path) in [
            ("resource == Mcp::Tool::\"s/t\"", true, false),
            ("resource in Mcp::Tool::\"s/t\"", true, false),
            ("resource in Mcp::Server::\"s\"", false, false),
            (
                "resource in [Mcp::Server::\"s\", Mcp::Tool::\"s/x\"]",
                true,
                false,
            ),
            ("resource is Mcp::Tool in Mcp::Server::\"s\"", true, false),
            ("resource is Mcp::Tool", false, false),
            ("resource has name", false, false),
            ("resource.uri like \"file:*\"", true, false),
            ("resource.tenant == principal.tenant", false, false),
            (
                "(if true then resource else resource).tenant == \"a\"",
                true,
                false,
            ),
            ("resource.path == \"/\"", false, true),
            ("{path: resource.host}.path == \"\"", false, true),
        ] {
            let conditions = format!("when {{ {condition} }}");
            let open = |any_name, any_path| outcomes(&conditions, any_name, any_path).0 == "tfe";
            assert!(!open(false, false), "{condition}");
            assert_eq!(
                (open(true, false), open(false, true)),
                (name, path),
                "{condition}"
            );
        }
    }
}
