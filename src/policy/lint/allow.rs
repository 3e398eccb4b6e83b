//! Which warnings are allowed, by the configuration or by `@allow` on the policy: all others are errors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::KnownNames;
use super::tokens::Tokens;
use crate::config::suggest;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::fault::Severity;
use crate::policy::load::Loaded;
use crate::policy::plain_yaml::shown;
use crate::policy::report;

/// Makes an error of each warning that nothing allows, and a warning of each that something does.
///
/// Where the configuration is not known, nothing says what it allows: there, what is not allowed by the
/// policy stays as it is.
pub(in crate::policy) fn settle<'l>(
    policies: impl IntoIterator<Item = &'l Loaded>,
    known: Option<&KnownNames>,
    faults: &mut Vec<Fault>,
) {
    let mut notes = Vec::new();
    let mut policies: Policies<'_> = policies
        .into_iter()
        .map(|loaded| {
            let place = (Arc::clone(&loaded.source.name), loaded.span.start);
            (place, Annotation::of(loaded, &mut notes))
        })
        .collect();
    // Of policies that were not read to the end there is no saying what they lack.
    let is_whole = !faults.iter().any(is_unnamed_error);
    for fault in faults.iter_mut() {
        let Some(lint) = fault.lint else { continue };
        let annotation = own(&mut policies, fault);
        let is_of_policy = annotation.is_some();
        if annotation.is_some_and(|own| own.allows(lint)) {
            fault.severity = Severity::Warning;
        } else if let Some(known) = known {
            if known.allowed.contains(&lint) {
                fault.severity = Severity::Warning;
            } else {
                fault.severity = Severity::Error;
                fault.help = Some(way_out(fault.help.as_deref(), lint, is_of_policy));
            }
        }
    }
    if known.is_some() && is_whole {
        notes.extend(policies.values().flat_map(Annotation::useless));
    }
    faults.append(&mut notes);
}

/// The policies by file and first byte.
type Policies<'l> = BTreeMap<(Arc<str>, usize), Annotation<'l>>;

/// `@allow("name, name")` on a policy, or that there is none.
struct Annotation<'l> {
    loaded: &'l Loaded,
    /// Each name with whether it has allowed something.
    allowed: Vec<(Lint, bool)>,
}

impl<'l> Annotation<'l> {
    fn of(loaded: &'l Loaded, faults: &mut Vec<Fault>) -> Self {
        let mut allowed: Vec<(Lint, bool)> = Vec::new();
        let names = loaded.policy.annotation("allow").map(str::trim);
        for name in names.into_iter().flat_map(|names| names.split(',')) {
            let name = name.trim();
            match Lint::named(name) {
                Some(lint) if allowed.iter().any(|(other, _)| *other == lint) => {
                    let message = format!("`@allow` names {} twice", shown(name));
                    faults.push(fault(loaded, message, "once is enough"));
                }
                Some(lint) => allowed.push((lint, false)),
                None => faults.push(unknown(loaded, name)),
            }
        }
        Self { loaded, allowed }
    }

    fn allows(&mut self, lint: Lint) -> bool {
        let named = self.allowed.iter_mut().find(|(other, _)| *other == lint);
        named.map(|(_, used)| *used = true).is_some()
    }

    fn useless(&self) -> impl Iterator<Item = Fault> {
        let unused = self.allowed.iter().filter(|(_, used)| !used);
        unused.map(|(lint, _)| {
            let message = format!("there is no warning `{}` here to allow", lint.name());
            let help = "take the name out of `@allow`: it would hide the next one";
            fault(self.loaded, message, help)
        })
    }
}

/// The annotation of the policy that a fault stands in.
fn own<'p, 'l>(policies: &'p mut Policies<'l>, fault: &Fault) -> Option<&'p mut Annotation<'l>> {
    let start = fault.span.as_ref()?.start;
    let file = Arc::clone(&fault.file);
    let before = (Arc::clone(&file), 0)..=(file, start);
    let (_, annotation) = policies.range_mut(before).next_back()?;
    annotation
        .loaded
        .span
        .contains(&start)
        .then_some(annotation)
}

fn unknown(loaded: &Loaded, name: &str) -> Fault {
    let names = Lint::names();
    if name.is_empty() {
        let help = "write `@allow(\"name\")`, several names with commas between them";
        return fault(loaded, "`@allow` lacks a name".to_owned(), help);
    }
    let message = format!("`@allow` names {}, which is no warning", shown(name));
    let help = match suggest::nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of: {}", names.join(", ")),
    };
    fault(loaded, message, &help)
}

/// A fault of the annotation.
fn fault(loaded: &Loaded, message: String, help: &str) -> Fault {
    let place =
        place(loaded).unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start));
    Fault::error(&loaded.source, Some(place), message).help(help)
}

fn place(loaded: &Loaded) -> Option<Range<usize>> {
    Tokens::of(loaded).annotation("allow")
}

fn is_unnamed_error(fault: &Fault) -> bool {
    fault.lint.is_none() && fault.severity == Severity::Error
}

fn way_out(help: Option<&str>, lint: Lint, is_of_policy: bool) -> String {
    let name = lint.name();
    let before = help.map_or_else(String::new, |help| {
        let end = if help.ends_with('?') { "" } else { ";" };
        format!("{help}{end} ")
    });
    let annotation = if is_of_policy {
        format!("`@allow(\"{name}\")` on the policy or ")
    } else {
        String::new()
    };
    format!(
        "{before}if it is meant so, allow it with {annotation}`policies.allow_warnings: [{name}]`"
    )
}
