//! Every caller against everything that can be asked for.

use std::sync::Arc;

use crate::cli::matrix::cell::Cell;
use crate::cli::matrix::columns::Column;
use crate::cli::matrix::rows::Row;
use crate::policy::PolicySnapshot;

/// The answers.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) rows: &'a [Row],
    pub(super) columns: &'a [Column],
    /// Row by row, in the order of the columns.
    cells: Vec<Vec<Cell>>,
}

/// A server's part of a table.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) server: Arc<str>,
    pub(super) columns: Vec<&'a Column>,
    /// Every row, with its cells on this server.
    pub(super) lines: Vec<(&'a Row, Vec<&'a Cell>)>,
}

impl<'a> Table<'a> {
    /// Asks the policies for each.
    pub(super) fn of(policies: &PolicySnapshot, rows: &'a [Row], columns: &'a [Column]) -> Self {
        let line = |row: &Row| {
            let facts = policies.facts(&policies.enrich_identity(&row.identity));
            let cell = |column: &Column| Cell::of(policies, (row, &facts), column);
            columns.iter().map(cell).collect()
        };
        Self {
            rows,
            columns,
            cells: rows.iter().map(line).collect(),
        }
    }

    /// Every cell with its place, row by row.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&'a Row, &'a Column, &Cell)> {
        let lines = self.rows.iter().zip(&self.cells);
        lines.flat_map(|(row, cells)| {
            let places = self.columns.iter().zip(cells);
            places.map(move |(column, cell)| (row, column, cell))
        })
    }

    /// Server by server, in the order of the columns.
    pub(super) fn parts(&self) -> Vec<Part<'_>> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        for column in self.columns {
            let name = &column.server.name;
            match parts.last_mut() {
                Some(part) if part.server == *name => part.columns.push(column),
                Some(_) | None => parts.push(Part {
                    server: Arc::clone(name),
                    columns: vec![column],
                    lines: Vec::new(),
                }),
            }
        }
        for part in &mut parts {
            for (row, cells) in self.rows.iter().zip(&self.cells) {
                let pairs = self.columns.iter().zip(cells);
                let here = pairs.filter(|(column, _)| column.server.name == part.server);
                part.lines.push((row, here.map(|(_, cell)| cell).collect()));
            }
        }
        parts
    }
}
