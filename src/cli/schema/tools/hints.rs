//! What a tool's annotations come to, and which of two is the more dangerous.

use serde_json::Map;
use serde_json::Value;

use crate::source::tool_list::StatedHints;

/// One of MCP's four hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    ReadOnly,
    Destructive,
    Idempotent,
    OpenWorld,
}

impl Hint {
    /// All; what the second means depends on the first.
    pub(super) const ALL: [Self; 4] = [
        Self::ReadOnly,
        Self::Destructive,
        Self::Idempotent,
        Self::OpenWorld,
    ];

    /// Its name in MCP.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnlyHint",
            Self::Destructive => "destructiveHint",
            Self::Idempotent => "idempotentHint",
            Self::OpenWorld => "openWorldHint",
        }
    }

    /// Whether this value is the safer of the two.
    pub(super) fn is_safe(self, value: bool) -> bool {
        match self {
            Self::ReadOnly | Self::Idempotent => value,
            Self::Destructive | Self::OpenWorld => !value,
        }
    }

    /// What is stated of it.
    pub(super) fn stated(self, hints: StatedHints) -> Option<bool> {
        match self {
            Self::ReadOnly => hints.read_only,
            Self::Destructive => hints.destructive,
            Self::Idempotent => hints.idempotent,
            Self::OpenWorld => hints.open_world,
        }
    }

    /// What it comes to, with the defaults of MCP, which are those of the policies.
    pub(super) fn effective(self, hints: StatedHints) -> bool {
        self.stated(hints).unwrap_or_else(|| match self {
            Self::ReadOnly | Self::Idempotent => false,
            Self::Destructive => hints.read_only != Some(true),
            Self::OpenWorld => true,
        })
    }

    fn state(self, hints: &mut StatedHints, value: Option<bool>) {
        *match self {
            Self::ReadOnly => &mut hints.read_only,
            Self::Destructive => &mut hints.destructive,
            Self::Idempotent => &mut hints.idempotent,
            Self::OpenWorld => &mut hints.open_world,
        } = value;
    }
}

/// The hints in the annotations of an entry; the name of one that is neither true nor false.
pub(super) fn of(annotations: &Map<String, Value>) -> Result<StatedHints, &'static str> {
    let mut hints = StatedHints::default();
    for hint in Hint::ALL {
        match annotations.get(hint.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Bool(value)) => hint.state(&mut hints, Some(*value)),
            Some(_) => return Err(hint.name()),
        }
    }
    Ok(hints)
}

/// The hints as annotations.
pub(super) fn annotations(hints: StatedHints) -> Map<String, Value> {
    let stated = Hint::ALL.into_iter();
    stated
        .filter_map(|hint| Some((hint.name().to_owned(), hint.stated(hints)?.into())))
        .collect()
}

/// What the server states now, but for what would make the tool look safer than it did: that stays as
/// it was.
pub(super) fn never_safer(old: StatedHints, new: StatedHints) -> StatedHints {
    let mut kept = new;
    for hint in Hint::ALL {
        let (before, after) = (hint.effective(old), hint.effective(new));
        let target = if hint.is_safe(before) { after } else { before };
        if target != after {
            hint.state(&mut kept, hint.stated(old));
        }
        if hint.effective(kept) != target {
            hint.state(&mut kept, Some(target));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_hints() -> impl Strategy<Value = StatedHints> {
        any::<[Option<bool>; 4]>().prop_map(|[read_only, destructive, idempotent, open_world]| {
            StatedHints {
                read_only,
                destructive,
                idempotent,
                open_world,
            }
        })
    }

    fn effective(hints: StatedHints) -> [bool; 4] {
        Hint::ALL.map(|hint| hint.effective(hints))
    }

    #[test]
    fn what_is_not_stated_is_the_worst() {
        assert_eq!(
            effective(StatedHints::default()),
            [false, true, false, true]
        );
        let read_only = StatedHints {
            read_only: Some(true),
            ..StatedHints::default()
        };
        assert_eq!(effective(read_only), [true, false, false, true]);
    }

    #[test]
    fn what_is_neither_true_nor_false_is_named() {
        let read = |text: &str| of(&serde_json::from_str(text).unwrap());
        assert_eq!(read("{}"), Ok(StatedHints::default()));
        assert_eq!(read(r#"{"idempotentHint": "yes"}"#), Err("idempotentHint"));
    }

    proptest! {
        #[test]
        fn an_update_makes_nothing_safer_and_takes_over_everything_worse(
            old in any_hints(),
            new in any_hints(),
        ) {
            let kept = never_safer(old, new);
            for hint in Hint::ALL {
                let both = [hint.effective(old), hint.effective(new)];
                let safe = both.iter().all(|value| hint.is_safe(*value));
                prop_assert_eq!(hint.is_safe(hint.effective(kept)), safe, "{:?}", hint);
            }
            prop_assert_eq!(effective(never_safer(kept, new)), effective(kept));
        }

        #[test]
        fn what_is_written_is_what_is_read(hints in any_hints()) {
            prop_assert_eq!(of(&annotations(hints)), Ok(hints));
        }
    }
}
