//! What a policy reads of the context, so that nothing else is built for it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is treated as unknown"
)]

mod names;

use cedar_policy::pst;

pub(super) use self::names::Names;

/// What policies read of a request, the caller and the target aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// The fields of the context.
    pub(super) fields: Fields,
    /// Of the arguments, where those are among the fields.
    pub(super) arguments: Names,
}

impl Reads {
    /// Nothing at all.
    pub(super) const NONE: Self = Self {
        fields: Fields::NONE,
        arguments: Names::NONE,
    };

    /// What some policies read together.
    pub(super) fn together<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        all.fold(Self::NONE, |so_far, one| Self {
            fields: so_far.fields.union(one.fields),
            arguments: so_far.arguments.union(&one.arguments),
        })
    }
}

/// A set of context fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields(u16);

impl Fields {
    pub(super) const NONE: Self = Self(0);
    pub(super) const HTTP: Self = Self(1);
    pub(super) const CLIENT_IP: Self = Self(2);
    pub(super) const NOW: Self = Self(4);
    pub(super) const PROTOCOL_VERSION: Self = Self(8);
    pub(super) const SESSION: Self = Self(16);
    pub(super) const REQUEST_ID: Self = Self(32);
    pub(super) const ARGS: Self = Self(64);
    /// Everything that has a value.
    pub(super) const VALUES: Self = Self(127);
    /// Whether there is `args` at all: the answer of a policy that asks would depend on whether we
    /// know the arguments, which is not what it asks.
    pub(super) const HAS_ARGS: Self = Self(128);
    /// Whether there is `clientIp` at all, for the same reason.
    pub(super) const HAS_CLIENT_IP: Self = Self(256);
    pub(super) const ALL: Self = Self::VALUES
        .union(Self::HAS_ARGS)
        .union(Self::HAS_CLIENT_IP);

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn contains(self, field: Self) -> bool {
        self.0 & field.0 == field.0
    }

    /// The fields as a person would name them.
    pub(super) fn in_words(self) -> Vec<&'static str> {
        [
            (Self::ARGS, "the arguments"),
            (Self::CLIENT_IP, "the client's address"),
            (Self::NOW, "the time"),
            (Self::HTTP, "the HTTP request"),
            (Self::PROTOCOL_VERSION, "the protocol version"),
            (Self::SESSION, "the session"),
            (Self::REQUEST_ID, "the request id"),
        ]
        .into_iter()
        .filter_map(|(field, words)| self.contains(field).then_some(words))
        .collect()
    }

    /// What operators call them.
    pub(super) fn names(self) -> Vec<&'static str> {
        let all = [
            (Self::ARGS, "arguments"),
            (Self::NOW, "now"),
            (Self::CLIENT_IP, "clientIp"),
            (Self::HTTP, "http"),
            (Self::PROTOCOL_VERSION, "protocolVersion"),
            (Self::SESSION, "session"),
            (Self::REQUEST_ID, "requestId"),
        ];
        let read = all.into_iter().filter(|(field, _)| self.contains(*field));
        read.map(|(_, name)| name).collect()
    }

    fn named(name: &str) -> Self {
        match name {
            "http" => Self::HTTP,
            "clientIp" => Self::CLIENT_IP,
            "now" => Self::NOW,
            "protocolVersion" => Self::PROTOCOL_VERSION,
            "session" => Self::SESSION,
            "requestId" => Self::REQUEST_ID,
            "args" => Self::ARGS,
            // The schema has no other; if that changes before this does, too much is built.
            _ => Self::ALL,
        }
    }
}

/// What the conditions of `policy` read.
pub(super) fn of_policy(policy: &pst::Template) -> Reads {
    let conditions = policy.clauses().iter().map(|clause| match clause {
        pst::Clause::When(condition) | pst::Clause::Unless(condition) => condition,
    });
    let reads: Vec<Reads> = conditions
        .map(|condition| Reads {
            fields: of(condition),
            arguments: names::of(condition),
        })
        .collect();
    Reads::together(reads.iter())
}

/// The fields that an expression reads.
pub(super) fn of(expression: &pst::Expr) -> Fields {
    expression.reduce(&read_here, &Fields::union, Fields::NONE)
}

fn read_here(expression: &pst::Expr) -> Option<Fields> {
    match expression {
        pst::Expr::GetAttr { expr, attr } if is_context(expr) => Some(Fields::named(attr)),
        pst::Expr::HasAttr { expr, attrs } if is_context(expr) => {
            Some(match Fields::named(&attrs.head) {
                Fields::ARGS => Fields::ARGS.union(Fields::HAS_ARGS),
                Fields::CLIENT_IP => Fields::CLIENT_IP.union(Fields::HAS_CLIENT_IP),
                other => other,
            })
        }
        // The context as a whole, as in `context == ...` or behind an `if`.
        pst::Expr::Var(pst::Var::Context) => Some(Fields::ALL),
        _ => None,
    }
}

fn is_context(expression: &pst::Expr) -> bool {
    matches!(expression, pst::Expr::Var(pst::Var::Context))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::*;

    #[test]
    fn only_what_is_read_is_named() {
        for (conditions, expected) in [
            ("", Fields::NONE),
            ("when { principal.tenant == \"a\" }", Fields::NONE),
            ("when { context.http.method == \"GET\" }", Fields::HTTP),
            (
                "when { context.now > datetime(\"2026-01-01\") } unless { !(context.clientIp.isLoopback()) }",
                Fields::NOW.union(Fields::CLIENT_IP),
            ),
            (
                "when { if context has args then context.args.hasTag(\"a\") else [context.session].isEmpty() }",
                Fields::ARGS.union(Fields::HAS_ARGS).union(Fields::SESSION),
            ),
            ("when { context has http.host }", Fields::HTTP),
            (
                "unless { context has clientIp }",
                Fields::CLIENT_IP.union(Fields::HAS_CLIENT_IP),
            ),
            ("when { context.args.hasTag(\"a\") }", Fields::ARGS),
            (
                "when { {\"a\": context.requestId} == {\"a\": context.protocolVersion} }",
                Fields::REQUEST_ID.union(Fields::PROTOCOL_VERSION),
            ),
            (
                "when { (if true then context else context).session == \"\" }",
                Fields::ALL,
            ),
            ("when { context == {} }", Fields::ALL),
            ("when { context.unheard_of }", Fields::ALL),
        ] {
            let text = format!("permit(principal, action, resource) {conditions};");
            let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
            assert_eq!(of_policy(policy.body()).fields, expected, "{conditions}");
        }
    }
}
