//! The table for a spreadsheet (RFC 4180).

use crate::cli::matrix::changes::Changes;
use crate::cli::matrix::table::Table;

/// A line for each caller, a column for each `<server>/<name>`.
pub(super) fn table(table: &Table<'_>, explain: bool) -> String {
    let name = |column: &_| place(column);
    let head = std::iter::once("caller".to_owned()).chain(table.columns.iter().map(name));
    let mut text = line(head);
    let mut cells = table.cells().peekable();
    for row in table.rows {
        let mut fields = vec![row.name.clone()];
        while let Some((_, _, cell)) = cells.next_if(|(of, _, _)| of.name == row.name) {
            let shown = cell.class().shown();
            fields.push(if explain {
                format!("{shown}: {}", cell.why())
            } else {
                shown.to_owned()
            });
        }
        text.push_str(&line(fields));
    }
    text
}

/// A line for each cell that differs.
pub(super) fn changes(changes: &Changes<'_>) -> String {
    let head = ["before", "after", "caller", "what", "why"].map(str::to_owned);
    let mut text = line(head);
    for change in &changes.cells {
        text.push_str(&line([
            change.before.class().shown().to_owned(),
            change.after.class().shown().to_owned(),
            change.row.name.clone(),
            change.place(),
            change.why(),
        ]));
    }
    text
}

/// `<server>/<name>`
pub(super) fn place(column: &crate::cli::matrix::columns::Column) -> String {
    format!("{}/{}", column.server.name, column.name)
}

fn line(fields: impl IntoIterator<Item = String>) -> String {
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    format!("{}\n", fields.join(","))
}

/// Quoted where it must be. A spreadsheet runs what begins like a formula, so that gets a quote of
/// its own in front.
fn field(text: String) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_run_nothing() {
        for (text, expected) in [
            ("a", "a"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("=1+1", "'=1+1"),
            ("@a,b", "\"'@a,b\""),
        ] {
            assert_eq!(field(text.to_owned()), expected);
        }
    }
}
