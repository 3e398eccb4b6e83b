//! One fault in a file that an operator wrote: where it is, what is wrong, and the way out.

mod lint;
pub mod render;
pub mod yaml;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use self::lint::Lint;

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but something in it is probably not meant.
    Warning,
}

impl Severity {
    /// The word that a report begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a file, as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line number, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A file by name, with the text that faults point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that a report shows: the path as the operator gave it, or one relative to the
    /// policy directory.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// What is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Error or warning.
    pub severity: Severity,
    /// Which warning it is, where it is one by nature: such a fault can be allowed, and is an error
    /// only as long as it is not.
    pub lint: Option<Lint>,
    /// The file's name.
    pub file: Arc<str>,
    /// The text of the file; absent where an excerpt could print a secret.
    pub text: Option<Arc<str>>,
    /// The bytes of the text that are wrong; absent when the whole file is.
    pub span: Option<Range<usize>>,
    /// Line and column of the start of the span.
    pub position: Option<Position>,
    /// What is wrong: lower case, no full stop, input in backticks.
    pub message: String,
    /// The way out, when one is known.
    pub help: Option<String>,
}

impl Fault {
    /// An error at `span` of `source`.
    pub fn error(source: &Source, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        let position = span.as_ref().map(|span| position(&source.text, span.start));
        Self {
            severity: Severity::Error,
            lint: None,
            file: Arc::clone(&source.name),
            text: Some(Arc::clone(&source.text)),
            span,
            position,
            message: message.into(),
            help: None,
        }
    }

    /// The same fault with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same fault as one of a kind that has a name.
    #[must_use]
    pub fn named(mut self, lint: Lint) -> Self {
        self.lint = Some(lint);
        self
    }

    /// The same fault as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same fault without its excerpt, for a place that may hold a secret.
    #[must_use]
    pub fn hide_excerpt(mut self) -> Self {
        self.text = None;
        self
    }
}

/// `file:line:column: error[name]: message (help)`, on one line, for logs.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        write!(f, ": {}", self.severity.word())?;
        if let Some(lint) = self.lint {
            write!(f, "[{}]", lint.name())?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Line and column of byte `offset` in `text`; an offset past the end, or inside a character, is
/// moved back to the nearest place that exists.
pub fn position(text: &str, offset: usize) -> Position {
    let before = (0..=offset.min(text.len()))
        .rev()
        .find_map(|at| text.get(..at))
        .unwrap_or("");
    let line_start = before
        .rfind('\n')
        .map_or(0, |newline| newline.saturating_add(1));
    let column = before
        .get(line_start..)
        .map_or(0, |line| line.chars().count());
    Position {
        line: before.matches('\n').count().saturating_add(1),
        column: column.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "ab\ncd\u{e9}f\n";
        assert_eq!(position(text, 0), Position { line: 1, column: 1 });
        assert_eq!(position(text, 3), Position { line: 2, column: 1 });
        assert_eq!(position(text, 7), Position { line: 2, column: 4 });
        assert_eq!(position(text, 6), position(text, 5), "inside a character");
        assert_eq!(position(text, 999), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_fault_prints_on_one_line() {
        let source = Source {
            name: "a.cedar".into(),
            text: "x\nyz".into(),
        };
        let fault = Fault::error(&source, Some(2..4), "unknown `yz`").help("did you mean `xy`?");
        assert_eq!(
            fault.to_string(),
            "a.cedar:2:1: error: unknown `yz` (did you mean `xy`?)"
        );
        let named = fault.named(Lint::UnknownRole).warning();
        assert_eq!(
            named.to_string(),
            "a.cedar:2:1: warning[unknown-role]: unknown `yz` (did you mean `xy`?)"
        );
    }
}
