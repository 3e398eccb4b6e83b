//! The table for programs.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::cli::matrix::cell;
use crate::cli::matrix::cell::Cell;
use crate::cli::matrix::cell::Refusal;
use crate::cli::matrix::changes::Changes;
use crate::cli::matrix::changes::OneSided;
use crate::cli::matrix::columns::Column;
use crate::cli::matrix::rows::Row;
use crate::cli::matrix::table::Table;
use crate::policy::Dependence;

/// One object; the cells row by row.
pub(super) fn table(table: &Table<'_>) -> String {
    let callers: Vec<&str> = table.rows.iter().map(|row| &*row.name).collect();
    let columns: Vec<Value> = table.columns.iter().map(place).collect();
    let cells: Vec<Value> = table
        .cells()
        .map(|(row, column, cell)| joined(&[at(row, column), of_cell(cell)]))
        .collect();
    document(&json!({"callers": callers, "columns": columns, "cells": cells}))
}

/// One object; the changes in their order.
pub(super) fn changes(changes: &Changes<'_>) -> String {
    let each: Vec<Value> = changes
        .cells
        .iter()
        .map(|change| {
            let sides = json!({
                "widens": change.widens(),
                "before": of_cell(change.before),
                "after": of_cell(change.after),
            });
            joined(&[at(change.row, change.column), sides])
        })
        .collect();
    document(&json!({
        "changes": each,
        "compared": changes.compared,
        "tools": one_sided(&changes.tools),
        "roles": one_sided(&changes.roles),
    }))
}

fn document(value: &Value) -> String {
    format!("{value:#}\n")
}

fn one_sided(names: &OneSided) -> Value {
    json!({"added": names.added, "removed": names.removed})
}

fn at(row: &Row, column: &Column) -> Value {
    joined(&[json!({"caller": row.name}), place(column)])
}

fn place(column: &Column) -> Value {
    json!({
        "server": &*column.server.name,
        "action": column.action.as_str(),
        "name": column.name,
    })
}

fn of_cell(cell: &Cell) -> Value {
    let decision = json!({"decision": cell.class().name()});
    let why = match cell {
        Cell::Allow(by) => json!({"policies": strings(by)}),
        Cell::Deny(refusal) => {
            let (reason, by) = match refusal {
                Refusal::NotPermitted => ("not_permitted", Vec::new()),
                Refusal::Forbidden(by) => ("forbidden", strings(by)),
                Refusal::Failed(by) => ("policy_error", strings(by)),
                Refusal::NotAccepted => ("credential_not_accepted", Vec::new()),
            };
            json!({"reason": reason, "policies": by})
        }
        Cell::Depends(all) => {
            json!({"depends_on": all.iter().map(dependence).collect::<Vec<_>>()})
        }
    };
    joined(&[decision, why])
}

fn dependence(one: &Dependence) -> Value {
    json!({"policy": &*one.policy, "effect": cell::effect(one), "reads": one.reads})
}

fn strings(ids: &[Arc<str>]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

/// One object with the members of all.
fn joined(objects: &[Value]) -> Value {
    let members = objects.iter().filter_map(Value::as_object).flatten();
    members
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
