//! Faults as people and programs read them.

use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Level;
use annotate_snippets::Origin;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;
use annotate_snippets::renderer::DecorStyle;
use serde_json::json;

use crate::fault::Fault;
use crate::fault::Lint;
use crate::fault::Severity;

/// Longest excerpt of one line, in characters on either side of the start of a fault.
const AROUND: usize = 100;

/// A report in the style of `rustc`: message, `file:line:column`, the line with a caret, the way
/// out. `colour` puts ANSI escapes in.
pub fn render(faults: &[Fault], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for (index, fault) in faults.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&one(fault, &renderer));
        out.push('\n');
    }
    out
}

/// One JSON object a line: `severity`, `name`, `file`, `line`, `column`, `message`, `help`; what is not
/// known is null. `name` is that of a warning that can be allowed.
pub fn render_json(faults: &[Fault]) -> String {
    let mut out = String::new();
    for fault in faults {
        let object = json!({
            "severity": fault.severity.word(),
            "name": fault.lint.map(Lint::name),
            "file": *fault.file,
            "line": fault.position.map(|position| position.line),
            "column": fault.position.map(|position| position.column),
            "message": fault.message,
            "help": fault.help,
        });
        out.push_str(&object.to_string());
        out.push('\n');
    }
    out
}

fn one(fault: &Fault, renderer: &Renderer) -> String {
    let level = match fault.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let help = fault
        .help
        .as_ref()
        .map(|help| Level::HELP.message(printable(help)));
    let file = printable(&fault.file);
    let mut title = level.primary_title(printable(&fault.message));
    if let Some(lint) = fault.lint {
        title = title.id(lint.name());
    }
    let Some(excerpt) = excerpt(fault) else {
        let group = title.element(origin(fault, file));
        return renderer.render(&[group.elements(help)]);
    };
    let mut snippet = Snippet::source(excerpt.text)
        .line_start(excerpt.line)
        .annotation(AnnotationKind::Primary.span(excerpt.span));
    let group = if excerpt.is_cut {
        // The column of the excerpt is not that of the file.
        title.element(origin(fault, file)).element(snippet)
    } else {
        snippet = snippet.path(file);
        title.element(snippet)
    };
    renderer.render(&[group.elements(help)])
}

fn origin(fault: &Fault, file: String) -> Origin<'static> {
    let origin = Origin::path(file);
    match fault.position {
        Some(position) => origin.line(position.line).char_column(position.column),
        None => origin,
    }
}

/// A part of one line.
struct Excerpt {
    text: String,
    line: usize,
    /// Whether the line begins before the text.
    is_cut: bool,
    /// In bytes of `text`.
    span: Range<usize>,
}

/// The line that the fault begins on, or as much of it as people can read; `None` where it may not be
/// shown.
fn excerpt(fault: &Fault) -> Option<Excerpt> {
    let text = fault.text.as_deref()?;
    let span = fault.span.as_ref()?;
    let before = text.get(..span.start)?;
    let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let before = before.get(line_start..)?;
    let rest = text.get(span.start..)?;
    let rest = rest.split(['\n', '\r']).next().unwrap_or(rest);
    let length = span.end.saturating_sub(span.start);
    let marked = rest.get(..length).unwrap_or(rest);
    let mut excerpt = String::new();
    let skipped = before.chars().count().saturating_sub(AROUND);
    if skipped > 0 {
        excerpt.push_str("...");
    }
    excerpt.extend(before.chars().skip(skipped).map(visible));
    let start = excerpt.len();
    excerpt.extend(marked.chars().take(AROUND).map(visible));
    let end = excerpt.len();
    let after = rest.get(marked.len()..).unwrap_or("");
    let left = AROUND.saturating_sub(marked.chars().count());
    excerpt.extend(after.chars().take(left).map(visible));
    if rest.chars().nth(AROUND).is_some() {
        excerpt.push_str("...");
    }
    Some(Excerpt {
        text: excerpt,
        line: fault.position?.line,
        is_cut: skipped > 0,
        span: start..end,
    })
}

/// A file may hold escapes that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Source;

    fn source(text: &str) -> Source {
        Source {
            name: "cedargate.yaml".into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_report_shows_the_place_the_line_and_the_way_out() {
        let source = source("listen:\n  grcp: 127.0.0.1:1\n");
        let faults = [
            Fault::error(&source, Some(10..14), "unknown key `grcp`").help("did you mean `grpc`?"),
            Fault::error(&source, Some(16..27), "a secret").hide_excerpt(),
            Fault::error(&source, None, "cannot read it")
                .named(Lint::UnknownRole)
                .warning(),
        ];
        insta::assert_snapshot!(render(&faults, false), @r"
        error: unknown key `grcp`
         --> cedargate.yaml:2:3
          |
        2 |   grcp: 127.0.0.1:1
          |   ^^^^
          |
          = help: did you mean `grpc`?

        error: a secret
        --> cedargate.yaml:2:9

        warning[unknown-role]: cannot read it
        --> cedargate.yaml
        ");
        insta::assert_snapshot!(render_json(&faults), @r#"
        {"severity":"error","name":null,"file":"cedargate.yaml","line":2,"column":3,"message":"unknown key `grcp`","help":"did you mean `grpc`?"}
        {"severity":"error","name":null,"file":"cedargate.yaml","line":2,"column":9,"message":"a secret","help":null}
        {"severity":"warning","name":"unknown-role","file":"cedargate.yaml","line":null,"column":null,"message":"cannot read it","help":null}
        "#);
        let coloured = render(&faults, true);
        assert!(coloured.contains("\u{1b}["));
        assert!(!render(&faults, false).contains('\u{1b}'));
    }

    #[test]
    fn a_report_stays_small_and_prints_no_controls() {
        let long = format!("{}\u{1b}[31m\t{}", "a".repeat(100_000), "b".repeat(100_000));
        let source = source(&long);
        for span in [0..5, 100_000..100_005, 199_999..500_000, 0..200_000] {
            let fault = Fault::error(&source, Some(span.clone()), "m\u{1b}n");
            let text = render(&[fault], false);
            assert!(text.len() < 2_000, "{}", text.len());
            assert!(!text.contains('\u{1b}'));
            let place = format!("cedargate.yaml:1:{}", span.start + 1);
            assert!(text.contains(&place), "{text}");
        }
    }

    #[test]
    fn odd_spans_are_survived() {
        let source = source("\u{e9}a\r\nb");
        for span in [0..0, 0..1, 1..2, 2..9, 6..6, 99..100] {
            let fault = Fault::error(&source, Some(span), "m");
            assert!(render(&[fault], false).starts_with("error: m"));
        }
    }
}
