//! Cedar's diagnostics as faults: where, what, and the way out.

use std::ops::Range;

use miette::Diagnostic;

use super::files::SCHEMA_FILE;
use crate::fault::Fault;
use crate::fault::Source;

/// The fault that a diagnostic about `source` describes.
pub(super) fn diagnostic(source: &Source, diagnostic: &dyn Diagnostic) -> Fault {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    let span = label.as_ref().map(|label| {
        let start = label.offset().min(source.text.len());
        let end = label.offset().saturating_add(label.len());
        start..end.min(source.text.len())
    });
    let mut fault = Fault::error(source, span, message(diagnostic));
    let help = diagnostic.help().map(|help| help.to_string());
    // A parser's label says what was expected; it is the only help that a syntax error has.
    let expected = label.and_then(|label| label.label().map(str::to_owned));
    fault.help = help.or(expected);
    fault
}

/// From `start` to the end of its line: enough for a caret.
pub(super) fn first_line(source: &Source, start: usize) -> Range<usize> {
    let rest = source.text.get(start..).unwrap_or("");
    let length = rest.find('\n').unwrap_or(rest.len());
    start..start.saturating_add(length)
}

/// A fault of the program, not of the operator.
pub(super) fn broken(message: String) -> Fault {
    let schema = Source {
        name: SCHEMA_FILE.into(),
        text: "".into(),
    };
    Fault::error(&schema, None, message).hide_excerpt()
}

/// The message with its causes, on one line.
fn message(diagnostic: &dyn Diagnostic) -> String {
    let mut text = diagnostic.to_string();
    let mut cause = std::error::Error::source(diagnostic);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.replace(['\n', '\r'], " ")
}
