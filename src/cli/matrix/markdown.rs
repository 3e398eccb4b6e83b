//! The table for a pull request.

use crate::cli::matrix::changes::Changes;
use crate::cli::matrix::notes::Notes;
use crate::cli::matrix::table::Table;
use crate::cli::printable;

/// A table for each server, and the notes.
pub(super) fn table(table: &Table<'_>, explain: bool) -> String {
    let mut notes = Notes::new(explain);
    let mut blocks = Vec::new();
    for part in table.parts() {
        let names = part.columns.iter().map(|column| code(&column.name));
        let head: Vec<String> = std::iter::once(String::new()).chain(names).collect();
        blocks.push(format!("### {}\n", escaped(&part.server)));
        let body = part.lines.iter().map(|(row, cells)| {
            let cells = cells.iter().map(|cell| escaped(&notes.marked(cell)));
            std::iter::once(escaped(&row.name)).chain(cells).collect()
        });
        blocks.push(lines(&head, body));
    }
    blocks.push(list(notes.lines()));
    joined(&blocks)
}

/// What differs, new access first, and what only one side has.
pub(super) fn changes(changes: &Changes<'_>) -> String {
    let mut blocks = vec![format!("{}\n", escaped(&changes.sum()))];
    if changes.any() {
        let head = ["change", "caller", "what", "why"].map(str::to_owned);
        let each = changes.cells.iter().map(|change| {
            let shown = change.shown();
            // New access is what a reviewer must not miss.
            let shown = if change.widens() {
                format!("**{shown}**")
            } else {
                shown
            };
            vec![
                shown,
                escaped(&change.row.name),
                code(&change.place()),
                escaped(&change.why()),
            ]
        });
        blocks.push(lines(&head, each));
    }
    blocks.push(list(changes.one_sided()));
    joined(&blocks)
}

/// Blocks with an empty line between them.
fn joined(blocks: &[String]) -> String {
    let blocks = blocks.iter().map(String::as_str);
    let filled: Vec<&str> = blocks.filter(|one| !one.is_empty()).collect();
    filled.join("\n")
}

fn list(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |mut text, line| {
        text.extend(["- ", &escaped(&line), "\n"]);
        text
    })
}

fn lines(head: &[String], body: impl Iterator<Item = Vec<String>>) -> String {
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let all = [head.to_vec(), rule].into_iter().chain(body);
    all.fold(String::new(), |mut text, cells| {
        text.extend([
            "| ",
            &cells.join(" | "),
            " |
",
        ]);
        text
    })
}

/// Text that Markdown takes literally: names are somebody's choice.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in printable::line(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '<' | '>' | '|' | '[' | ']' | '#' | '&' | '~' | '@'
        ) {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// The same as code. A backtick would end it, and a bar the cell.
fn code(text: &str) -> String {
    let text = printable::line(text);
    if text.contains(['`', '|', '\\']) {
        escaped(&text)
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_write_markdown() {
        for (text, as_text, as_code) in [
            ("a", "a", "`a`"),
            ("a_b", "a\\_b", "`a_b`"),
            ("a|b", "a\\|b", "a\\|b"),
            ("`a`", "\\`a\\`", "\\`a\\`"),
            ("[x](y)", "\\[x\\](y)", "`[x](y)`"),
            ("<img>", "\\<img\\>", "`<img>`"),
            ("a\nb", "a\\\\u000ab", "a\\\\u000ab"),
        ] {
            assert_eq!(
                (&*escaped(text), &*code(text)),
                (as_text, as_code),
                "{text}"
            );
        }
    }
}
