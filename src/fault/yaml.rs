//! What the YAML library finds wrong with a file, in the form of our own faults.

use std::ops::Range;

use crate::fault::Fault;
use crate::fault::Source;

/// The word at a line and a column, both from 1.
pub fn span(source: &Source, line: u64, column: u64) -> Range<usize> {
    let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let start = source.text.split_inclusive('\n').take(line);
    let start = start.map(str::len).fold(0, usize::saturating_add);
    let rest = source.text.get(start..).unwrap_or("");
    let within = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(at, _)| at);
    let start = start.saturating_add(within);
    let word = rest.get(within..).unwrap_or("");
    let word = word
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(word.len());
    start..start.saturating_add(word.max(1))
}

/// The reader's fault in our form.
pub fn of(source: &Source, error: &serde_saphyr::Error) -> Fault {
    let span = error
        .location()
        .map(|at| span(source, at.line(), at.column()));
    let message = error.render();
    // The place in front of the message is the fault's own.
    let message = match message.split_once(": ") {
        Some((place, rest)) if place.starts_with("error: line") || place.starts_with("line ") => {
            rest
        }
        _ => &message,
    };
    Fault::error(source, span, message.trim_end())
}
