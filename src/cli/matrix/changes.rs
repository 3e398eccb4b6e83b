//! What differs between two sets of policies.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::cli::matrix::Side;
use crate::cli::matrix::cell::Cell;
use crate::cli::matrix::cell::Class;
use crate::cli::matrix::columns::Column;
use crate::cli::matrix::csv;
use crate::cli::matrix::rows::Row;
use crate::cli::matrix::table::Table;

/// Every cell that differs, and what only one side names.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    /// New access first, the widest before the others; then as in the table.
    pub(super) cells: Vec<Change<'a>>,
    /// Cells that were compared.
    pub(super) compared: usize,
    pub(super) tools: OneSided,
    pub(super) roles: OneSided,
    /// The directories, as they are shown.
    before: String,
    after: String,
}

/// A cell that differs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) row: &'a Row,
    pub(super) column: &'a Column,
    pub(super) before: &'a Cell,
    pub(super) after: &'a Cell,
}

/// Names that one side has and the other has not.
#[derive(Debug, Default)]
pub(super) struct OneSided {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
}

impl<'a> Changes<'a> {
    /// Compares the tables, which have the same rows and columns.
    pub(super) fn between(
        (before, old): (&Side, &'a Table<'a>),
        (after, new): (&Side, &'a Table<'a>),
    ) -> Self {
        let pairs = old.cells().zip(new.cells());
        let mut changes: Vec<Change<'a>> = pairs
            .filter(|((_, _, before), (_, _, after))| !before.is_alike(after))
            .map(|((row, column, before), (_, _, after))| Change {
                row,
                column,
                before,
                after,
            })
            .collect();
        changes.sort_by_key(Change::rank);
        let roles = |side: &Side| side.policies.names().roles;
        let shown: BTreeSet<&str> = new.columns.iter().map(|one| &*one.server.name).collect();
        let tools = |side: &Side| -> BTreeSet<String> {
            let tools = side.policies.tools();
            let here = tools.filter(|(server, _)| shown.contains(server));
            here.map(|(server, tool)| format!("{server}/{tool}"))
                .collect()
        };
        Self {
            cells: changes,
            compared: new.cells().count(),
            tools: OneSided::of(&tools(before), &tools(after)),
            roles: OneSided::of(&roles(before), &roles(after)),
            before: before.dir.display().to_string(),
            after: after.dir.display().to_string(),
        }
    }

    /// Whether a cell differs.
    pub(super) fn any(&self) -> bool {
        !self.cells.is_empty()
    }

    /// `only in policies: tool weather/x`, one a line.
    pub(super) fn one_sided(&self) -> impl Iterator<Item = String> {
        let named = [("tool", &self.tools), ("role", &self.roles)];
        named.into_iter().flat_map(|(kind, names)| {
            let sides = [(&self.after, &names.added), (&self.before, &names.removed)];
            sides.into_iter().flat_map(move |(dir, names)| {
                names
                    .iter()
                    .map(move |name| format!("only in {dir}: {kind} {name}"))
            })
        })
    }

    /// What it comes to.
    pub(super) fn sum(&self) -> String {
        let (before, compared) = (&self.before, self.compared);
        let changed = self.cells.len();
        if changed == 0 {
            return format!("nothing has changed against {before} ({compared} cells)");
        }
        let wider = self.cells.iter().filter(|change| change.widens()).count();
        format!(
            "{changed} of {compared} cells have changed against {before}, {wider} may give more access"
        )
    }
}

impl Change<'_> {
    /// Access that was not there comes first.
    fn rank(&self) -> (Reverse<bool>, Reverse<Class>, Class) {
        (
            Reverse(self.widens()),
            Reverse(self.after.class()),
            self.before.class(),
        )
    }

    /// Whether more may be allowed than before. Where it depended and still does, that cannot be
    /// told, and counts as more.
    pub(super) fn widens(&self) -> bool {
        let (before, after) = (self.before.class(), self.after.class());
        after > before || (after == before && after == Class::Depends)
    }

    /// `deny -> allow`
    pub(super) fn shown(&self) -> String {
        let (before, after) = (self.before.class(), self.after.class());
        if before == after {
            return format!("{} -> other conditions", before.shown());
        }
        format!("{} -> {}", before.shown(), after.shown())
    }

    /// `<server>/<name>`
    pub(super) fn place(&self) -> String {
        csv::place(self.column)
    }

    /// Why it is as it is now; for what is denied now also why it was allowed.
    pub(super) fn why(&self) -> String {
        if self.widens() {
            self.after.why()
        } else {
            format!("{}; was {}", self.after.why(), self.before.why())
        }
    }
}

impl OneSided {
    fn of(before: &BTreeSet<String>, after: &BTreeSet<String>) -> Self {
        Self {
            added: after.difference(before).cloned().collect(),
            removed: before.difference(after).cloned().collect(),
        }
    }
}
