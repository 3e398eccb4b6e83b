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

impl Loaded {
    /// As it is written, annotations included.
    pub(super) fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or("")
    }
}

/// A policy, and its syntax tree.
pub(super) type Tree<'a> = (&'a Loaded, &'a pst::Policy);

/// Those of all files together, each id once, sorted by id. `files` are the policies and the faults
/// of each.
pub(super) fn unite<'a, T: AsRef<Loaded>>(
    files: impl IntoIterator<Item = (&'a [T], &'a [Fault])>,
    faults: &mut Vec<Fault>,
) -> Vec<&'a T> {
    let mut all: BTreeMap<&str, &T> = BTreeMap::new();
    for (policies, found) in files {
        faults.extend_from_slice(found);
        for policy in policies {
            let loaded = policy.as_ref();
            match all.get(&*loaded.id) {
                Some(first) => faults.push(duplicate(loaded, first.as_ref())),
                None => {
                    all.insert(&loaded.id, policy);
                }
            }
        }
    }
    all.into_values().collect()
}

/// Refuses more policies than there may be; those in `files` are counted.
pub(super) fn check_count(count: usize, files: &[&Source]) -> Result<(), Fault> {
    match files.first() {
        Some(source) if count > MAX_POLICIES => {
            let message = format!("there are {count} policies; the bound is {MAX_POLICIES}");
            Err(Fault::error(source, None, message).hide_excerpt())
        }
        Some(_) | None => Ok(()),
    }
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

/// Reads one file; the policies are in its order.
pub(super) fn file(source: &Source, faults: &mut Vec<Fault>) -> Vec<Loaded> {
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
    /// Span and line of the policy. Cedar keeps the exact text of each, in the order of the file. What
    /// is between two policies may hold the same text in a comment.
    fn find(&mut self, source: &Source, policy: &Policy) -> (Range<usize>, usize) {
        let text = policy.to_cedar().unwrap_or_default();
        let rest = source.text.get(self.offset..).unwrap_or("");
        let next = blank(rest);
        let is_next = rest.get(next..).is_some_and(|rest| rest.starts_with(&text));
        let skipped = if is_next {
            next
        } else {
            // A template stands in between.
            rest.find(&text).unwrap_or(0)
        };
        let start = self.offset.saturating_add(skipped);
        let line = self
            .line
            .saturating_add(newlines(rest.get(..skipped).unwrap_or("")));
        self.offset = start.saturating_add(text.len());
        self.line = line.saturating_add(newlines(&text));
        (start..self.offset, line)
    }
}

/// How many bytes of white space and comments the text begins with.
fn blank(text: &str) -> usize {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        let end = comment.find(['\n', '\r']).unwrap_or(comment.len());
        rest = comment.get(end..).unwrap_or("").trim_start();
    }
    text.len().saturating_sub(rest.len())
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

/// Reads every file; the result is sorted by id.
#[cfg(test)]
pub(super) fn policies(files: &[&Source], faults: &mut Vec<Fault>) -> Vec<Loaded> {
    let read: Vec<_> = files
        .iter()
        .map(|source| {
            let mut found = Vec::new();
            (file(source, &mut found), found)
        })
        .collect();
    let slices = read.iter().map(|(policies, found)| (&**policies, &**found));
    unite(slices, faults).into_iter().cloned().collect()
}

impl AsRef<Self> for Loaded {
    fn as_ref(&self) -> &Self {
        self
    }
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
    fn a_copy_in_a_comment_is_not_taken_for_the_policy() {
        let own = "@id(\"a\") permit(principal, action, resource);";
        let text = format!(
            "// {own}\r\n\t//\n{own}// {own}\n\n {}",
            own.replace("\"a", "\"b")
        );
        let (loaded, faults) = load(&[("x.cedar", &text)]);
        assert_eq!(faults, Vec::<String>::new());
        let lines: Vec<_> = loaded.iter().map(|one| one.line).collect();
        assert_eq!(lines, [3, 5]);
        assert_eq!(loaded.first().map(Loaded::text), Some(own));
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
