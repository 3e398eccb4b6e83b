//! Which arguments a policy reads, so that what is wrong with another stops nobody.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::Fields;
use super::is_context;

/// A set of arguments, by their dotted names. A policy has no more of them than operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Names {
    /// No others than these.
    These(BTreeSet<Arc<str>>),
    /// All of them, or which is not known before the policy is evaluated.
    All,
}

impl Names {
    pub(in crate::policy) const NONE: Self = Self::These(BTreeSet::new());

    pub(in crate::policy) fn contains(&self, name: &str) -> bool {
        match self {
            Self::These(names) => names.contains(name),
            Self::All => true,
        }
    }

    /// How many names are kept.
    pub(in crate::policy) fn count(&self) -> usize {
        match self {
            Self::These(names) => names.len(),
            Self::All => 0,
        }
    }

    pub(super) fn union(self, other: &Self) -> Self {
        match (self, other) {
            (Self::These(mut names), Self::These(more)) => {
                names.extend(more.iter().cloned());
                Self::These(names)
            }
            (Self::All, _) | (Self::These(_), Self::All) => Self::All,
        }
    }
}

/// The arguments that an expression reads.
pub(super) fn of(expression: &Expr) -> Names {
    expression.reduce(&read_here, &|one, other| one.union(&other), Names::NONE)
}

fn read_here(expression: &Expr) -> Option<Names> {
    match expression {
        Expr::BinaryOp {
            op: BinaryOp::GetTag | BinaryOp::HasTag,
            left,
            right,
        } if is_args(left) => match &**right {
            Expr::Literal(pst::Literal::String(name)) => {
                Some(Names::These(BTreeSet::from([Arc::from(name.as_str())])))
            }
            // `None` goes on to what is inside, and there to the arguments as a whole.
            _ => None,
        },
        Expr::GetAttr { expr, attr } if is_context(expr) => Some(whole(attr)),
        // Whether there are arguments is nothing that one of them says.
        Expr::HasAttr { expr, attrs } if is_context(expr) && attrs.len() == 1 => Some(Names::NONE),
        Expr::HasAttr { expr, attrs } if is_context(expr) => Some(whole(&attrs.head)),
        Expr::Var(pst::Var::Context) => Some(Names::All),
        _ => None,
    }
}

/// The arguments that are in a field of the context.
fn whole(field: &str) -> Names {
    if Fields::named(field).contains(Fields::ARGS) {
        Names::All
    } else {
        Names::NONE
    }
}

fn is_args(expression: &Expr) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if is_context(expr) && attr == "args")
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::super::Reads;
    use super::super::of_policy;
    use super::*;

    fn reads(conditions: &str) -> Reads {
        let text = format!("permit(principal, action, resource) {conditions};");
        let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
        of_policy(policy.body())
    }

    #[test]
    fn arguments_are_known_by_the_names_that_stand_there() {
        for (conditions, expected) in [
            ("", Some(&[][..])),
            ("when { principal.getTag(\"a\") == \"b\" }", Some(&[])),
            ("when { context has args }", Some(&[])),
            ("when { context.http.method == \"GET\" }", Some(&[])),
            ("when { context.args.hasTag(\"a\") }", Some(&["a"])),
            (
                "when { context.args.getTag(\"a\\\\.b.c\").long > 1 } unless { context.args.hasTag(\"d\") }",
                Some(&["a\\.b.c", "d"]),
            ),
            (
                "when { context has args && [1, if context.args.hasTag(\"a\") then 2 else \
                 {\"x\": context.args.getTag(\"b\").long}.x].contains(3) }",
                Some(&["a", "b"]),
            ),
            (
                "when { principal.hasTag(\"x\") && context.args.getTag(\"a\") == \
                 context.args.getTag(\"b\") }",
                Some(&["a", "b"]),
            ),
            ("when { context.args.hasTag(principal.tenant) }", None),
            (
                "when { context.args.hasTag(if true then \"a\" else \"b\") }",
                None,
            ),
            (
                "when { context.args.hasTag(context.args.getTag(\"a\").string) }",
                None,
            ),
            (
                "when { (if true then context.args else context.args).hasTag(\"a\") }",
                None,
            ),
            ("when { context.args == resource }", None),
            ("when { [context.args].contains(resource) }", None),
            ("when { context.args has a }", None),
            ("when { context has args.a }", None),
            ("when { context == {} }", None),
            (
                "when { context.args.hasTag(\"a\") } unless { context.unheard_of }",
                None,
            ),
        ] {
            let expected = expected.map_or(Names::All, |names| {
                Names::These(names.iter().map(|name| Arc::from(*name)).collect())
            });
            assert_eq!(reads(conditions).arguments, expected, "{conditions}");
        }
    }

    #[test]
    fn several_policies_read_what_each_of_them_reads() {
        let one = reads("when { context.args.hasTag(\"a\") }");
        let two = reads("when { context.args.hasTag(\"b\") }");
        let all = reads("when { context.args.hasTag(principal.tenant) }");
        let names = |policies: &[&Reads]| Reads::together(policies.iter().copied()).arguments;
        let both = names(&[&one, &two]);
        assert_eq!(both.count(), 2);
        for (name, expected) in [("a", true), ("b", true), ("c", false), ("", false)] {
            assert_eq!(both.contains(name), expected, "{name}");
        }
        assert_eq!(names(&[&one, &all]), Names::All);
        assert_eq!(names(&[&all, &one]), Names::All);
        assert_eq!(names(&[]), Names::NONE);
    }
}
