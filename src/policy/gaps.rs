//! What a policy reads of a request, in detail, held against what is not known of the request.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here is treated as unknown"
)]

use std::collections::BTreeSet;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::guard::text;

/// The parts of a context beside the arguments; a route's `host` and `path` are the
/// context's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `context.http.method`
    Method,
    /// `context.http.host`
    Host,
    /// `context.http.path`
    Path,
    /// `context.http.origin`
    Origin,
    /// `context.protocolVersion`
    ProtocolVersion,
    /// `context.session`
    Session,
    /// `context.requestId`
    RequestId,
    /// `context.clientIp`
    ClientIp,
    /// `context.now`
    Now,
}

impl Part {
    const ALL: [Self; 9] = [
        Self::Method,
        Self::Host,
        Self::Path,
        Self::Origin,
        Self::ProtocolVersion,
        Self::Session,
        Self::RequestId,
        Self::ClientIp,
        Self::Now,
    ];

    /// As policies write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "context.http.method",
            Self::Host => "context.http.host",
            Self::Path => "context.http.path",
            Self::Origin => "context.http.origin",
            Self::ProtocolVersion => "context.protocolVersion",
            Self::Session => "context.session",
            Self::RequestId => "context.requestId",
            Self::ClientIp => "context.clientIp",
            Self::Now => "context.now",
        }
    }
}

/// What is not known of a request that took place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Parts of the context.
    pub parts: BTreeSet<Part>,
    /// The arguments.
    pub arguments: KnownArguments,
}

/// Which arguments are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KnownArguments {
    /// All of them.
    #[default]
    All,
    /// All but these.
    AllBut(BTreeSet<String>),
    /// These, be it that they were not sent.
    These(BTreeSet<String>),
    /// None, and not even whether they could be read.
    None,
}

/// What the conditions of a policy read of the context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    parts: BTreeSet<Part>,
    /// Arguments, by name.
    named: BTreeSet<String>,
    /// Any argument, or all of them.
    any: bool,
}

impl Reading {
    /// What the conditions of `policy` read.
    pub(super) fn of(policy: &pst::Template) -> Self {
        policy
            .clauses()
            .iter()
            .map(|clause| match clause {
                pst::Clause::When(condition) | pst::Clause::Unless(condition) => read(condition),
            })
            .fold(Self::default(), Self::union)
    }

    /// Everything that there is.
    pub(super) fn everything() -> Self {
        Self {
            parts: BTreeSet::from(Part::ALL),
            named: BTreeSet::new(),
            any: true,
        }
    }

    fn part(part: Part) -> Self {
        Self {
            parts: BTreeSet::from([part]),
            ..Self::default()
        }
    }

    fn any_argument() -> Self {
        Self {
            any: true,
            ..Self::default()
        }
    }

    fn union(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self.named.extend(other.named);
        self.any |= other.any;
        self
    }
}

impl Gaps {
    /// Nothing is known but who wants to do what: what holds then holds under all circumstances.
    pub fn everything() -> Self {
        Self {
            parts: BTreeSet::from(Part::ALL),
            arguments: KnownArguments::None,
        }
    }

    /// Whether something is missing that is read.
    pub(super) fn matter_for(&self, reading: &Reading) -> bool {
        self.may_spoil(reading) || !self.parts.is_disjoint(&reading.parts)
    }

    /// Whether an argument is missing that is read. It may be such that the request is denied for
    /// being read at all: arguments that cannot be read, and numbers that readers differ on.
    pub(super) fn may_spoil(&self, reading: &Reading) -> bool {
        match &self.arguments {
            KnownArguments::All => false,
            KnownArguments::AllBut(lost) => reading.any || !reading.named.is_disjoint(lost),
            KnownArguments::These(known) => reading.any || !reading.named.is_subset(known),
            KnownArguments::None => reading.any || !reading.named.is_empty(),
        }
    }

    /// What is read and missing, for people.
    pub(super) fn named(&self, reading: &Reading) -> Vec<String> {
        let parts = self.parts.intersection(&reading.parts);
        let mut all: Vec<String> = parts.map(|part| part.as_str().to_owned()).collect();
        let argument = |name: &String| format!("argument `{name}`");
        match &self.arguments {
            KnownArguments::All => {}
            KnownArguments::AllBut(lost) => {
                all.extend(reading.named.intersection(lost).map(argument));
            }
            KnownArguments::These(known) => {
                all.extend(reading.named.difference(known).map(argument));
            }
            KnownArguments::None => all.extend(reading.named.iter().map(argument)),
        }
        if reading.any && self.arguments != KnownArguments::All {
            all.push("context.args".to_owned());
        }
        all
    }
}

fn read(expression: &Expr) -> Reading {
    expression.reduce(&read_here, &Reading::union, Reading::default())
}

fn read_here(expression: &Expr) -> Option<Reading> {
    let found = match expression {
        Expr::Var(pst::Var::Context) => Reading::everything(),
        Expr::BinaryOp {
            op: BinaryOp::GetTag | BinaryOp::HasTag,
            left,
            right,
        } if is_field(left, "args") => match text(right) {
            Some(name) => Reading {
                named: BTreeSet::from([name]),
                ..Reading::default()
            },
            None => Reading::any_argument().union(read(right)),
        },
        Expr::GetAttr { expr, attr } => attribute(expr, attr)?,
        Expr::HasAttr { expr, attrs } => attribute(expr, &attrs.head)?,
        _ => return None,
    };
    Some(found)
}

fn attribute(of: &Expr, name: &str) -> Option<Reading> {
    if is_context(of) {
        return Some(field(name));
    }
    let part = match name {
        "method" => Part::Method,
        "host" => Part::Host,
        "path" => Part::Path,
        "origin" => Part::Origin,
        _ => return None,
    };
    if is_field(of, "http") {
        return Some(Reading::part(part));
    }
    // The attribute of a route, or of a record that was made of something else.
    Some(Reading::part(part).union(read(of)))
}

fn field(name: &str) -> Reading {
    match name {
        "protocolVersion" => Reading::part(Part::ProtocolVersion),
        "session" => Reading::part(Part::Session),
        "requestId" => Reading::part(Part::RequestId),
        "clientIp" => Reading::part(Part::ClientIp),
        "now" => Reading::part(Part::Now),
        "http" => Reading {
            parts: BTreeSet::from([Part::Method, Part::Host, Part::Path, Part::Origin]),
            ..Reading::default()
        },
        "args" => Reading::any_argument(),
        _ => Reading::everything(),
    }
}

fn is_context(expression: &Expr) -> bool {
    matches!(expression, Expr::Var(pst::Var::Context))
}

/// `context.<name>`
fn is_field(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::GetAttr { expr, attr } if attr == name && is_context(expr))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::Policy;

    use super::*;

    fn reading(conditions: &str) -> Reading {
        let text = format!("permit(principal, action, resource) {conditions};");
        let policy = Policy::from_str(&text).unwrap().to_pst().unwrap();
        Reading::of(policy.body())
    }

    /// Everything is missing but these arguments.
    fn missing(conditions: &str, known: &[&str]) -> String {
        let gaps = Gaps {
            parts: BTreeSet::from(Part::ALL),
            arguments: KnownArguments::These(known.iter().map(|n| (*n).to_owned()).collect()),
        };
        let reading = reading(conditions);
        let named = gaps.named(&reading);
        assert_eq!(gaps.matter_for(&reading), !named.is_empty(), "{conditions}");
        named.join(", ")
    }

    #[test]
    fn what_is_read_is_named() {
        for (conditions, expected) in [
            ("", ""),
            ("when { principal.tenant == resource.tenant }", ""),
            (
                "when { context.now > datetime(\"2026-01-01\") } unless { context.clientIp.isLoopback() }",
                "context.clientIp, context.now",
            ),
            (
                "when { context.http.path like \"/a*\" && context.session == \"\" }",
                "context.http.path, context.session",
            ),
            ("when { resource.host == \"a\" }", "context.http.host"),
            (
                "when { (if context.requestId == \"\" then resource else resource).path == \"a\" }",
                "context.http.path, context.requestId",
            ),
            (
                "when { {\"a\": context.http}.a.method == \"GET\" }",
                "context.http.method, context.http.host, context.http.path, context.http.origin",
            ),
            (
                "when { context.args.hasTag(\"a\") && context.args.getTag(\"b\").long > 1 }",
                "argument `b`",
            ),
            (
                "when { context.args.hasTag(principal.tenant) }",
                "context.args",
            ),
            (
                "when { context.args.hasTag(context.session) }",
                "context.session, context.args",
            ),
            (
                "when { context.args == Mcp::Args::\"call\" }",
                "context.args",
            ),
            (
                "when { (if true then context else context).protocolVersion == \"\" }",
                "context.http.method, context.http.host, context.http.path, context.http.origin, \
                 context.protocolVersion, context.session, context.requestId, context.clientIp, context.now, context.args",
            ),
        ] {
            assert_eq!(missing(conditions, &["a"]), expected, "{conditions}");
        }
    }

    #[test]
    fn an_argument_that_was_lost_matters_to_its_readers_only() {
        let gaps = Gaps {
            arguments: KnownArguments::AllBut(BTreeSet::from(["a".to_owned()])),
            ..Gaps::default()
        };
        for (condition, expected) in [
            ("context.args.hasTag(\"a\")", &["argument `a`"][..]),
            ("context.args.hasTag(\"b\")", &[]),
            ("context.args.hasTag(principal.tenant)", &["context.args"]),
        ] {
            let reading = reading(&format!("when {{ {condition} }}"));
            assert_eq!(gaps.matter_for(&reading), !expected.is_empty());
            assert_eq!(gaps.named(&reading), expected);
        }
    }

    #[test]
    fn arguments_that_may_be_unreadable_spoil_what_reads_any() {
        let none = Gaps {
            arguments: KnownArguments::None,
            ..Gaps::default()
        };
        for (conditions, spoils) in [
            ("when { context.args.hasTag(\"a\") }", true),
            ("when { context.session == \"\" }", false),
        ] {
            let reading = reading(conditions);
            assert_eq!(none.may_spoil(&reading), spoils);
            assert_eq!(none.matter_for(&reading), spoils);
            assert!(!Gaps::default().matter_for(&reading));
        }
    }
}
