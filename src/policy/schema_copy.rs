//! Holds a copy of the schema, which editors read, against the built-in one.

use super::files::SCHEMA;
use crate::fault::Fault;
use crate::fault::Source;

/// A copy of the schema that says something else would mislead whoever edits by it.
pub(super) fn check(copy: &Source, faults: &mut Vec<Fault>) {
    let lines = |text: &str| text.replace("\r\n", "\n");
    if lines(&copy.text) == lines(SCHEMA) {
        return;
    }
    let mut start = 0_usize;
    let mut ours = SCHEMA.lines();
    let span = copy
        .text
        .split_inclusive('\n')
        .find_map(|line| {
            let here = start;
            start = start.saturating_add(line.len());
            let differs = ours.next() != Some(line.trim_end_matches(['\r', '\n']));
            differs.then_some(here..start)
        })
        .unwrap_or(copy.text.len()..copy.text.len());
    faults.push(
        Fault::error(
            copy,
            Some(span),
            "the copy differs from the built-in schema",
        )
        .help(
            "remove the file, or write it anew with `cedargate schema cedar`; the schema cannot \
             be changed",
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::files::SCHEMA_FILE;

    #[test]
    fn a_copy_of_the_schema_may_differ_in_line_ends_only() {
        let check = |text: &str| {
            let copy = Source {
                name: SCHEMA_FILE.into(),
                text: text.into(),
            };
            let mut faults = Vec::new();
            check(&copy, &mut faults);
            faults.into_iter().next().and_then(|fault| fault.position)
        };
        assert_eq!(check(SCHEMA), None);
        assert_eq!(check(&SCHEMA.replace('\n', "\r\n")), None);
        let line = |text: &str| check(text).map(|position| position.line);
        assert_eq!(
            line(&SCHEMA.replacen("entity Role", "entity Rolle", 1)),
            Some(6)
        );
        assert_eq!(line(""), Some(1));
        assert!(line(&format!("{SCHEMA}// more\n")).is_some());
    }
}
