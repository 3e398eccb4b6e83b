//! What a server says now that its catalogue does not say, the worst first.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::arguments;
use super::arguments::SchemaChange;
use super::catalogue::Catalogue;
use super::hints;
use super::hints::Hint;
use crate::cli::printable;
use crate::source::tool_list::StatedHints;
use crate::source::tool_list::StatedTool;

/// Longest name that is shown, in characters.
const SHOWN: usize = 100;

/// Something that has changed about a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) tool: String,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A hint comes to something else.
    Hint {
        hint: Hint,
        now: bool,
    },
    /// The catalogue does not have it.
    New(StatedHints),
    Schema(SchemaChange),
    /// The server does not have it any more.
    Gone,
}

/// Everything that has changed about a server's tools.
pub(super) fn between(catalogue: &Catalogue, server: &str, stated: &[StatedTool]) -> Vec<Change> {
    let known: HashMap<&str, _> = catalogue.of_server(server).collect();
    let mut changes = Vec::new();
    for tool in stated {
        let mut add = |what| {
            changes.push(Change {
                tool: tool.name.clone(),
                what,
            });
        };
        let Some(entry) = known.get(tool.name.as_str()) else {
            add(What::New(tool.hints));
            continue;
        };
        for hint in Hint::ALL {
            let now = hint.effective(tool.hints);
            if hint.effective(entry.hints()) != now {
                add(What::Hint { hint, now });
            }
        }
        let schema = arguments::changes(entry.input_schema.as_ref(), tool.input_schema.as_ref());
        schema.into_iter().map(What::Schema).for_each(add);
    }
    let listed: HashSet<&str> = stated.iter().map(|tool| tool.name.as_str()).collect();
    let gone = known.keys().filter(|name| !listed.contains(*name));
    changes.extend(gone.map(|name| Change {
        tool: (*name).to_owned(),
        what: What::Gone,
    }));
    changes.sort_by(|one, other| {
        let order = |change: &Change| change.what.rank();
        order(one)
            .cmp(&order(other))
            .then_with(|| one.tool.cmp(&other.tool))
    });
    changes
}

/// The report for programs.
pub(super) fn as_json(server: &str, changes: &[Change]) -> Value {
    let changes: Vec<Value> = changes.iter().map(Change::as_json).collect();
    json!({"server": server, "changed": !changes.is_empty(), "changes": changes})
}

impl What {
    /// The lower, the worse: what can do more harm than was known; what nobody has looked at; what is
    /// said to do less harm, which may be a lie; and then the rest.
    fn rank(&self) -> u8 {
        match self {
            Self::Hint { hint, now } => match (hint, hint.is_safe(*now)) {
                (Hint::ReadOnly | Hint::Destructive, false) => 0,
                (Hint::ReadOnly | Hint::Destructive, true) => 2,
                (Hint::Idempotent | Hint::OpenWorld, false) => 3,
                (Hint::Idempotent | Hint::OpenWorld, true) => 4,
            },
            Self::New(_) => 1,
            Self::Schema(_) => 5,
            Self::Gone => 6,
        }
    }
}

impl Change {
    /// Whether an update holds this back unless it is told to accept it.
    pub(super) fn is_safer(&self) -> bool {
        match &self.what {
            What::Hint { hint, now } => hint.is_safe(*now),
            What::New(_) | What::Schema(_) | What::Gone => false,
        }
    }

    /// Whether an update keeps the tool unless it is told to remove it.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.what, What::Gone)
    }

    fn as_json(&self) -> Value {
        let mut facts: Map<String, Value> = Map::new();
        facts.insert("tool".to_owned(), self.tool.as_str().into());
        let mut fact = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
        match &self.what {
            What::Hint { hint, now } => {
                fact("change", "hint".into());
                fact("hint", hint.name().into());
                fact("from", (!now).into());
                fact("to", (*now).into());
                fact("safer", hint.is_safe(*now).into());
            }
            What::New(stated) => {
                fact("change", "new_tool".into());
                fact("annotations", hints::annotations(*stated).into());
            }
            What::Gone => fact("change", "gone_tool".into()),
            What::Schema(change) => match change {
                SchemaChange::Added { argument, required } => {
                    fact("change", "argument_added".into());
                    fact("argument", argument.as_str().into());
                    fact("required", (*required).into());
                }
                SchemaChange::Type { argument, from, to } => {
                    fact("change", "argument_type".into());
                    fact("argument", argument.as_str().into());
                    fact("from", from.as_str().into());
                    fact("to", to.as_str().into());
                }
                SchemaChange::Required(argument) => {
                    fact("change", "argument_required".into());
                    fact("argument", argument.as_str().into());
                }
                SchemaChange::Optional(argument) => {
                    fact("change", "argument_optional".into());
                    fact("argument", argument.as_str().into());
                }
                SchemaChange::Argument(argument) => {
                    fact("change", "argument_changed".into());
                    fact("argument", argument.as_str().into());
                }
                SchemaChange::Removed(argument) => {
                    fact("change", "argument_removed".into());
                    fact("argument", argument.as_str().into());
                }
                SchemaChange::Elsewhere => fact("change", "schema_changed".into()),
                SchemaChange::Gone => fact("change", "schema_removed".into()),
            },
        }
        Value::Object(facts)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", shown(&self.tool))?;
        match &self.what {
            What::Hint { hint, now } => {
                f.write_str(said(*hint, *now))?;
                write!(f, " ({} {} -> {now})", hint.name(), !now)
            }
            What::New(stated) => {
                f.write_str("new tool")?;
                let stated = hints::annotations(*stated);
                if stated.is_empty() {
                    return f.write_str(", says nothing of what it does");
                }
                let stated = stated.iter();
                let stated: Vec<String> = stated
                    .map(|(name, value)| format!("{name} {value}"))
                    .collect();
                write!(f, ", says {}", stated.join(", "))
            }
            What::Gone => f.write_str("no longer listed"),
            What::Schema(change) => match change {
                SchemaChange::Added { argument, required } => {
                    let kind = if *required { "required" } else { "optional" };
                    write!(f, "new {kind} argument {}", shown(argument))
                }
                SchemaChange::Type { argument, from, to } => {
                    let (from, to) = (shown(from), shown(to));
                    write!(
                        f,
                        "argument {} has another type: {from} -> {to}",
                        shown(argument)
                    )
                }
                SchemaChange::Required(argument) => {
                    write!(f, "argument {} must be given now", shown(argument))
                }
                SchemaChange::Optional(argument) => {
                    write!(f, "argument {} may be left out now", shown(argument))
                }
                SchemaChange::Argument(argument) => {
                    write!(f, "argument {} is described otherwise", shown(argument))
                }
                SchemaChange::Removed(argument) => {
                    write!(f, "argument {} is gone", shown(argument))
                }
                SchemaChange::Elsewhere => f.write_str("the input schema is another one"),
                SchemaChange::Gone => f.write_str("there is no input schema any more"),
            },
        }
    }
}

fn said(hint: Hint, now: bool) -> &'static str {
    match (hint, now) {
        (Hint::ReadOnly, true) => "says that it is read-only now",
        (Hint::ReadOnly, false) => "no longer read-only",
        (Hint::Destructive, true) => "destructive now",
        (Hint::Destructive, false) => "says that it is not destructive any more",
        (Hint::Idempotent, true) => "says that it is idempotent now",
        (Hint::Idempotent, false) => "no longer idempotent",
        (Hint::OpenWorld, true) => "reaches beyond the server now",
        (Hint::OpenWorld, false) => "says that it stays within the server now",
    }
}

fn shown(name: &str) -> String {
    format!("`{}`", printable::cut(name, SHOWN))
}

#[cfg(test)]
mod tests;
