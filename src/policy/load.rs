//! Policy files to policies: each with its `@id`, its place and whether it is in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::Policy;
use cedar_policy::PolicyId;
use cedar_policy::PolicySet;
use cedar_policy::pst;

use super::report;
use crate::fault;
use crate::fault::Fault;
use crate::fault::Source;

/// Most policies in one set.
const MAX_POLICIES: usize = 10_000;
/// Deepest accepted nesting of brackets.
pub(super) const MAX_NESTING: usize = 32;
/// Most operators in one policy. A chain of operators is as deep as it is long, and parser,
/// validator and evaluator walk it recursively.
pub(super) const MAX_OPERATORS: usize = 400;

/// One policy and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) id: Arc<str>,
    pub(super) policy: Policy,
    pub(super) source: Source,
    pub(super) span: Range<usize>,
    /// Line of the policy's first character, from 1.
    pub(super) line: usize,
    /// False for `@mode("log_only")`.
    pub(super) enforced: bool,
}

/// Reads every file; the result is sorted by id.
pub(super) fn policies(files: &[&Source], faults: &mut Vec<Fault>) -> Vec<Loaded> {
    let mut all: BTreeMap<Arc<str>, Loaded> = BTreeMap::new();
    let mut read = 0_usize;
    for source in files {
        for loaded in read_file(source, faults) {
            read = read.saturating_add(1);
            match all.get(&loaded.id) {
                Some(first) => faults.push(duplicate(&loaded, first)),
                None => {
                    all.insert(Arc::clone(&loaded.id), loaded);
                }
            }
        }
    }
    if read > MAX_POLICIES
        && let Some(source) = files.first()
    {
        let message = format!("there are {read} policies; the bound is {MAX_POLICIES}");
        faults.push(Fault::error(source, None, message).hide_excerpt());
    }
    all.into_values().collect()
}

/// A policy, and its syntax tree: making that takes most of the time of a load.
pub(super) type Tree<'a> = (&'a Loaded, pst::Policy);

/// The syntax tree of each.
pub(super) fn trees<'a>(loaded: &'a [Loaded], faults: &mut Vec<Fault>) -> Vec<Tree<'a>> {
    let mut trees = Vec::new();
    for one in loaded {
        match one.policy.to_pst() {
            Ok(tree) => trees.push((one, tree)),
            Err(error) => {
                let line = report::first_line(&one.source, one.span.start);
                faults.push(Fault::error(&one.source, Some(line), error.to_string()));
            }
        }
    }
    trees
}

fn duplicate(second: &Loaded, first: &Loaded) -> Fault {
    let place = fault::position(&first.source.text, first.span.start);
    Fault::error(
        &second.source,
        Some(report::first_line(&second.source, second.span.start)),
        format!("policy id `{}` is already taken", second.id),
    )
    .help(format!(
        "it is used first at {}:{}:{}; ids are unique over all files",
        first.source.name, place.line, place.column
    ))
}

fn read_file(source: &Source, faults: &mut Vec<Fault>) -> Vec<Loaded> {
    if let Err(fault) = check_depth(source) {
        faults.push(*fault);
        return Vec::new();
    }
    let set = match PolicySet::from_str(&source.text) {
        Ok(set) => set,
        Err(errors) => {
            faults.extend(errors.iter().map(|error| report::diagnostic(source, error)));
            return Vec::new();
        }
    };
    for template in set.templates() {
        let start = source.text.find(&template.to_cedar());
        let span = start.map(|start| report::first_line(source, start));
        faults.push(
            Fault::error(source, span, "a policy template is not supported")
                .help("write the principal or resource out instead of `?principal` or `?resource`"),
        );
    }
    let mut place = Place { offset: 0, line: 1 };
    let mut loaded = Vec::new();
    for policy in set.policies() {
        let (span, line) = place.find(source, policy);
        match name(source, &span, policy) {
            Ok((id, enforced)) => loaded.push(Loaded {
                policy: policy.new_id(PolicyId::new(&*id)),
                id,
                source: source.clone(),
                span,
                line,
                enforced,
            }),
            Err(fault) => faults.push(*fault),
        }
    }
    loaded
}

/// Walks through a file once, from policy to policy.
struct Place {
    offset: usize,
    line: usize,
}

impl Place {
    /// Span and line of the policy. Cedar keeps the exact text of each, in the order of the file.
    fn find(&mut self, source: &Source, policy: &Policy) -> (Range<usize>, usize) {
        let text = policy.to_cedar().unwrap_or_default();
        let rest = source.text.get(self.offset..).unwrap_or("");
        let skipped = rest.find(&text).unwrap_or(0);
        let start = self.offset.saturating_add(skipped);
        let line = self
            .line
            .saturating_add(newlines(rest.get(..skipped).unwrap_or("")));
        self.offset = start.saturating_add(text.len());
        self.line = line.saturating_add(newlines(&text));
        (start..self.offset, line)
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// The `@id`, and whether the policy is in force.
fn name(
    source: &Source,
    span: &Range<usize>,
    policy: &Policy,
) -> Result<(Arc<str>, bool), Box<Fault>> {
    let fault = |message: &str| {
        let line = report::first_line(source, span.start);
        Fault::error(source, Some(line), message)
    };
    let Some(id) = policy.annotation("id") else {
        return Err(Box::new(fault("the policy has no `@id`").help(
            "write `@id(\"a-unique-name\")` in front of it; logs and tests name it so",
        )));
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if id.is_empty() || id.len() > 128 || !id.chars().all(allowed) {
        return Err(Box::new(
            fault("the policy's `@id` is not a name")
                .help("1 to 128 of the characters A-Z a-z 0-9 _ . - are accepted"),
        ));
    }
    match policy.annotation("mode") {
        None => Ok((id.into(), true)),
        Some("log_only") => Ok((id.into(), false)),
        Some(_) => Err(Box::new(fault("the policy's `@mode` is not known").help(
            "`@mode(\"log_only\")` takes a policy out of force; leave it out otherwise",
        ))),
    }
}

/// Refuses text that is nested so deeply that a recursive walk could exhaust a thread's stack.
/// It looks at characters only, because parsing is the first such walk.
fn check_depth(source: &Source) -> Result<(), Box<Fault>> {
    let mut depth = 0_usize;
    let mut operators = 0_usize;
    let mut characters = source.text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => {
                while let Some((_, inside)) = characters.next() {
                    match inside {
                        '\\' => {
                            characters.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if characters.peek().is_some_and(|(_, next)| *next == '/') => {
                while characters.next_if(|(_, inside)| *inside != '\n').is_some() {}
            }
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '&' | '|' | '!' | '-' | '+' | '*' | '.' | '=' | '<' | '>' => {
                operators = operators.saturating_add(1);
                characters.next_if(|(_, next)| matches!(next, '&' | '|' | '='));
            }
            ';' => operators = 0,
            'a'..='z' => {
                let mut word = String::from(c);
                while let Some((_, more)) =
                    characters.next_if(|(_, next)| next.is_alphanumeric() || *next == '_')
                {
                    word.push(more);
                }
                // Conditionals nest without brackets, and clauses are joined like `&&`.
                if matches!(&*word, "if" | "when" | "unless") {
                    operators = operators.saturating_add(1);
                }
            }
            _ => {}
        }
        if depth > MAX_NESTING || operators > MAX_OPERATORS {
            let span = report::first_line(source, at);
            return Err(Box::new(
                Fault::error(source, Some(span), "the policy is too deeply nested")
                    .help("write a long `||` as a set or split it into several policies"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> (Vec<Loaded>, Vec<String>) {
        let sources: Vec<_> = files
            .iter()
            .map(|(name, text)| Source {
                name: (*name).into(),
                text: (*text).into(),
            })
            .collect();
        let mut faults = Vec::new();
        let loaded = policies(&sources.iter().collect::<Vec<_>>(), &mut faults);
        (loaded, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn policies_carry_their_place() {
        let text = "// one\n@id(\"b\") permit(principal, action, resource);\n\n  @id(\"a\")\n\
                    @mode(\"log_only\")\nforbid(principal, action, resource);\n";
        let (loaded, faults) = load(&[("x.cedar", text)]);
        assert_eq!(faults, Vec::<String>::new());
        let seen: Vec<_> = loaded
            .iter()
            .map(|one| (&*one.id, one.line, one.enforced))
            .collect();
        assert_eq!(seen, [("a", 4, false), ("b", 2, true)]);
        assert!(loaded.iter().all(|one| {
            text.get(one.span.clone())
                .is_some_and(|own| own.starts_with("@id("))
        }));
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let any = "permit(principal, action, resource);";
        let (_, faults) = load(&[
            ("1.cedar", &format!("@id(\"a\") {any}\n@id(\"a\") {any}")),
            (
                "2.cedar",
                &format!("\n@id(\"a\") {any}\n{any}\n@id(\"a b\") {any}"),
            ),
            (
                "3.cedar",
                "@id(\"c\")\npermit(principal, action, resource) when { }",
            ),
            (
                "4.cedar",
                "@id(\"d\") permit(principal == ?principal, action, resource);",
            ),
            ("5.cedar", &format!("@id(\"e\") @mode(\"off\") {any}")),
        ]);
        let starts = [
            "3.cedar:2:",
            "4.cedar:1:1: error: a policy template is not supported",
            "5.cedar:1:1: error: the policy's `@mode` is not known",
            "1.cedar:2:1: error: policy id `a` is already taken (it is used first at 1.cedar:1:1",
            "2.cedar:2:1: error: policy id `a` is already taken (it is used first at 1.cedar:1:1",
            "2.cedar:3:1: error: the policy has no `@id`",
            "2.cedar:4:1: error: the policy's `@id` is not a name",
        ];
        for start in starts {
            assert!(
                faults.iter().any(|fault| fault.starts_with(start)),
                "{start} is not among {faults:#?}"
            );
        }
        assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    }

    #[test]
    fn depth_is_bounded_before_anything_recurses() {
        let wrap = |condition: &str| {
            format!("@id(\"a\") permit(principal, action, resource) when {{ {condition} }};")
        };
        let deep = [
            "(".repeat(500_000),
            format!("{}true", "!".repeat(500_000)),
            vec!["true"; 100_000].join(" && "),
            format!("{}1 == 1", "-".repeat(500_000)),
            format!("context{}", ".a".repeat(300_000)),
            "[".repeat(500_000),
            format!("{}true", "if true then true else ".repeat(40_000)),
            format!("true }} {} when {{ true", "when { true }".repeat(60_000)),
        ];
        for condition in deep {
            let (_, faults) = load(&[("x.cedar", &wrap(&condition))]);
            assert!(
                faults
                    .iter()
                    .any(|fault| fault.contains("too deeply nested")),
                "{faults:?}"
            );
        }
        let harmless =
            wrap("\"((((((((((((((((((((((((((((((((((((((((((((((((((((\" == \"\\\"!\" // {{");
        let harmless = harmless.replace(" };", "\n};");
        assert_eq!(load(&[("x.cedar", &harmless)]).1, Vec::<String>::new());
    }
}
