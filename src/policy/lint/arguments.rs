//! Holds the arguments that a policy reads against what the tools it is about say they take.
//!
//! A misspelt argument is absent in every call: a limit on it never holds, or holds for nobody.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "Cedar's syntax tree is open-ended: what is not known here reads no argument"
)]

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::ops::Range;

use cedar_policy::pst;
use cedar_policy::pst::BinaryOp;
use cedar_policy::pst::Expr;

use super::about::About;
use super::accessor::Accessor;
use super::listing::listing;
use super::tokens::Tokens;
use super::tools::Listed;
use super::tools::Tools;
use super::tree;
use crate::config::suggest;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::policy::catalogue::inputs::Argument;
use crate::policy::catalogue::inputs::Inputs;
use crate::policy::catalogue::inputs::Types;
use crate::policy::load::Loaded;
use crate::policy::plain_yaml::shown;
use crate::policy::reads;
use crate::policy::reads::Fields;
use crate::policy::report;

/// Reports what the policy reads of arguments that no call can bring.
pub(super) fn lint(
    loaded: &Loaded,
    policy: &pst::Template,
    tools: &Tools<'_>,
    faults: &mut Vec<Fault>,
) {
    if !reads::of_policy(policy).fields.contains(Fields::ARGS) {
        return;
    }
    let about = About::of_policy(policy, tools);
    let mut found = Vec::new();
    for clause in policy.clauses() {
        read(tree::condition(clause), &about, tools, &mut found);
    }
    let decimals: HashSet<&str> = found
        .iter()
        .filter(|access| access.accessor == Some(Accessor::Decimal))
        .map(|access| access.name)
        .collect();
    // Whoever only asks whether it is there may want to keep out what nobody declares.
    let valued: HashSet<&str> = found
        .iter()
        .filter(|access| access.method == GET)
        .map(|access| access.name)
        .collect();
    let mut tokens = None;
    let mut reported = HashSet::new();
    for (index, access) in found.iter().enumerate() {
        let beside = Beside {
            decimal: decimals.contains(access.name),
            value: valued.contains(access.name),
        };
        let Some(finding) = access.judge(tools, beside) else {
            continue;
        };
        if !reported.insert((access.name, finding.message.clone())) {
            continue;
        }
        let tokens = tokens.get_or_insert_with(|| Tokens::of(loaded));
        let fault = Fault::error(
            &loaded.source,
            Some(place(loaded, tokens, &found, index)),
            finding.message,
        )
        .help(finding.help)
        .named(finding.lint);
        faults.push(if finding.is_certain {
            fault
        } else {
            fault.warning()
        });
    }
}

/// One place where a policy reads an argument.
struct Access<'p> {
    method: &'static str,
    name: &'p str,
    accessor: Option<Accessor>,
    about: About,
}

/// What the policy reads of the same argument elsewhere.
#[derive(Clone, Copy)]
struct Beside {
    decimal: bool,
    value: bool,
}

const HAS: &str = "hasTag";
const GET: &str = "getTag";

struct Finding {
    lint: Lint,
    message: String,
    help: String,
    /// Whether the policy cannot mean this.
    is_certain: bool,
}

/// Collects what is read, in the order of the text.
fn read<'p>(expression: &'p Expr, about: &About, tools: &Tools<'_>, found: &mut Vec<Access<'p>>) {
    let (argument, accessor) = match expression {
        Expr::GetAttr { expr, attr } => (&**expr, Accessor::named(attr)),
        Expr::HasAttr { expr, attrs } => (&**expr, Accessor::named(&attrs.head)),
        other => (other, None),
    };
    if let Some((method, name)) = argument_read(argument) {
        found.push(Access {
            method,
            name,
            accessor,
            about: about.clone(),
        });
        return;
    }
    match expression {
        Expr::BinaryOp {
            op: op @ (BinaryOp::And | BinaryOp::Or),
            left,
            right,
        } => {
            // Each side counts only where the other one leaves the outcome open.
            let open = *op == BinaryOp::And;
            let beside = |other: &Expr| about.clone().where_it_is(other, open, tools);
            read(left, &beside(right), tools, found);
            read(right, &beside(left), tools, found);
        }
        Expr::IfThenElse {
            cond,
            then_expr,
            else_expr,
        } => {
            read(cond, about, tools, found);
            let given = |value| about.clone().where_it_is(cond, value, tools);
            read(then_expr, &given(true), tools, found);
            read(else_expr, &given(false), tools, found);
        }
        other => {
            for child in tree::children(other) {
                read(child, about, tools, found);
            }
        }
    }
}

/// `context.args.hasTag("...")` and `context.args.getTag("...")`
fn argument_read(expression: &Expr) -> Option<(&'static str, &str)> {
    let Expr::BinaryOp { op, left, right } = expression else {
        return None;
    };
    let method = match op {
        BinaryOp::HasTag => HAS,
        BinaryOp::GetTag => GET,
        _ => return None,
    };
    let of_call = matches!(&**left, Expr::GetAttr { expr, attr }
        if attr == "args" && matches!(&**expr, Expr::Var(pst::Var::Context)));
    match &**right {
        Expr::Literal(pst::Literal::String(name)) if of_call => Some((method, name)),
        _ => None,
    }
}

impl Access<'_> {
    fn judge(&self, tools: &Tools<'_>, beside: Beside) -> Option<Finding> {
        if self.about.unlisted || self.about.prompt || self.about.listed.is_empty() {
            return None;
        }
        let mut declared = Types::NONE;
        let mut declaring = Vec::new();
        let mut all = Vec::new();
        for number in &self.about.listed {
            let tool = tools.get(*number)?;
            match tool.tool.inputs.as_ref()?.argument(self.name) {
                Argument::Anything => return None,
                Argument::Undeclared => {}
                Argument::Declared(types) => {
                    declared = declared.union(types);
                    declaring.push(tool);
                }
            }
            all.push(tool);
        }
        if declaring.is_empty() {
            return Some(self.undeclared(&all, beside.value));
        }
        self.accessor?
            .judge(self.name, declared, &declaring, beside.decimal)
    }

    fn undeclared(&self, tools: &[&Listed<'_>], is_certain: bool) -> Finding {
        let name = shown(self.name);
        let message = match tools {
            [one] => format!("tool {} has no argument {name}", shown(&one.id())),
            many => format!(
                "none of the {} tools that this can be about has an argument {name}",
                many.len()
            ),
        };
        let known: BTreeSet<&str> = tools
            .iter()
            .filter_map(|tool| tool.tool.inputs.as_ref())
            .flat_map(Inputs::names)
            .collect();
        let known: Vec<&str> = known.into_iter().collect();
        let mut help = String::new();
        if let Some(near) = suggest::nearest(self.name, &known) {
            help = format!("did you mean {}? ", shown(near));
        }
        if known.is_empty() {
            help.push_str("`tools.json` says that there are no arguments");
        } else {
            help.push_str("the arguments are ");
            help.push_str(&listing(&known));
        }
        Finding {
            lint: Lint::UnknownArgument,
            message,
            help,
            is_certain,
        }
    }
}

impl Accessor {
    fn judge(
        self,
        name: &str,
        types: Types,
        declaring: &[&Listed<'_>],
        has_decimal: bool,
    ) -> Option<Finding> {
        let of = match declaring {
            [one] => format!("of tool {}", shown(&one.id())),
            many => format!("of all {} tools that declare it", many.len()),
        };
        let name = shown(name);
        if !types.overlaps(self.reads()) {
            return Some(Finding {
                lint: Lint::ArgumentType,
                message: format!(
                    "argument {name} {of} is {types}, and `.{}` is never there",
                    self.name()
                ),
                help: Self::help_for(types),
                is_certain: true,
            });
        }
        // Where nothing is said of the type, nothing is said of fractions either.
        let (may_be_loose, help) = match self {
            Self::Long => (
                types.overlaps(Types::FRACTION) && types != Types::ANY && !has_decimal,
                "`.decimal` reads both, up to four digits after the point",
            ),
            Self::Longs => (
                types.intersection(Types::ARRAY) == Types::INTEGERS.union(Types::FRACTIONS),
                "policies cannot read an array that holds a fraction",
            ),
            Self::String | Self::Decimal | Self::Bool | Self::Strings => return None,
        };
        may_be_loose.then(|| Finding {
            lint: Lint::ArgumentFraction,
            message: format!(
                "argument {name} {of} may have a fraction, and `.{}` is then not there",
                self.name()
            ),
            help: help.to_owned(),
            is_certain: false,
        })
    }
}

/// Where the access stands, or else the first line of the policy.
fn place(loaded: &Loaded, tokens: &Tokens<'_>, found: &[Access<'_>], index: usize) -> Range<usize> {
    let Some(access) = found.get(index) else {
        return report::first_line(&loaded.source, loaded.span.start);
    };
    let same = |other: &&Access<'_>| (other.method, other.name) == (access.method, access.name);
    let before = found.iter().take(index).filter(same).count();
    let mut places = tokens.calls(access.method, access.name).into_iter();
    let in_tree = found.iter().filter(same).count();
    // The text may call a tag of something else by that name; the first is then near enough.
    let skip = if places.len() == in_tree { before } else { 0 };
    places
        .nth(skip)
        .unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start))
}
