//! The table for a terminal.

use crate::cli::matrix::changes::Changes;
use crate::cli::matrix::notes::Notes;
use crate::cli::matrix::table::Table;
use crate::cli::printable;

/// A table for each server, and the notes.
pub(super) fn table(table: &Table<'_>, explain: bool) -> String {
    let mut notes = Notes::new(explain);
    let mut blocks = Vec::new();
    for part in table.parts() {
        let mut lines = vec![Vec::from([part.server.to_string()])];
        if let Some(head) = lines.first_mut() {
            head.extend(part.columns.iter().map(|column| column.name.clone()));
        }
        for (row, cells) in &part.lines {
            let cells = cells.iter().map(|cell| notes.marked(cell));
            lines.push(std::iter::once(row.name.clone()).chain(cells).collect());
        }
        blocks.push(aligned(&lines));
    }
    let legend: Vec<String> = notes.lines().collect();
    if !legend.is_empty() {
        blocks.push(format!("{}\n", legend.join("\n")));
    }
    blocks.join("\n")
}

/// What differs, the widest new access first, and what only one side has.
pub(super) fn changes(changes: &Changes<'_>) -> String {
    let mut lines: Vec<Vec<String>> = Vec::new();
    for change in &changes.cells {
        lines.push(vec![
            change.shown(),
            change.row.name.clone(),
            change.place(),
            change.why(),
        ]);
    }
    let mut text = aligned(&lines);
    let one_sided: Vec<String> = changes.one_sided().collect();
    if !one_sided.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&printable::lines(&one_sided.join("\n")));
        text.push('\n');
    }
    text.push_str(&changes.sum());
    text.push('\n');
    text
}

/// Columns side by side, two blanks between them.
fn aligned(lines: &[Vec<String>]) -> String {
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.iter().map(|cell| printable::line(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        for (at, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}
