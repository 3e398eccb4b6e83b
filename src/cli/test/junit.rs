//! The results as `JUnit` XML, which most CI systems show.

use std::fmt::Write as _;

use crate::cli::test::files::Test;
use crate::cli::test::report::Report;
use crate::cli::test::run::Outcome;

/// The document; one suite a file.
pub(super) fn document(report: &Report<'_>) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // A `String` takes everything that is written to it, here and below.
    let written = writeln!(
        text,
        "<testsuites tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
        report.results.len(),
        report.failed(),
        report.took.as_secs_f64()
    );
    debug_assert!(written.is_ok());
    for suite in report.results.chunk_by(|(a, _), (b, _)| a.file == b.file) {
        suite_of(suite, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite_of(suite: &[(&Test, Outcome)], text: &mut String) {
    let Some((first, _)) = suite.first() else {
        return;
    };
    let failures = suite
        .iter()
        .filter(|(_, outcome)| !outcome.differences.is_empty());
    let written = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">",
        escaped(&first.file),
        suite.len(),
        failures.count()
    );
    debug_assert!(written.is_ok());
    for (test, outcome) in suite {
        let opening = format!(
            "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\"",
            escaped(&test.name),
            escaped(&test.file),
            escaped(&test.file),
            test.line
        );
        text.push_str(&opening);
        if outcome.differences.is_empty() {
            text.push_str("/>\n");
            continue;
        }
        let mut told = outcome.differences.clone();
        told.push(outcome.message.clone());
        let failure = format!(
            ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
            escaped(&outcome.differences.join("; ")),
            escaped(&told.join("\n"))
        );
        text.push_str(&failure);
    }
    text.push_str("  </testsuite>\n");
}

/// Text for XML 1.0: what it has no form for becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_the_document() {
        assert_eq!(
            escaped("a<b> & \"c\"\n\u{1b}[31m\u{0}"),
            "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}[31m\u{fffd}"
        );
    }
}
