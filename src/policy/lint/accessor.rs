//! The fields by which a policy reads the value of an argument, and the JSON types behind each.

use crate::policy::catalogue::inputs::Types;

/// A field of `Mcp::Arg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accessor {
    String,
    Long,
    Decimal,
    Bool,
    Strings,
    Longs,
}

impl Accessor {
    const ALL: [Self; 6] = [
        Self::String,
        Self::Long,
        Self::Decimal,
        Self::Bool,
        Self::Strings,
        Self::Longs,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Long => "long",
            Self::Decimal => "decimal",
            Self::Bool => "bool",
            Self::Strings => "strings",
            Self::Longs => "longs",
        }
    }

    /// The types of which it reads at least some values.
    pub(super) fn reads(self) -> Types {
        match self {
            Self::String => Types::STRING,
            Self::Long => Types::INTEGER,
            Self::Decimal => Types::NUMBER,
            Self::Bool => Types::BOOLEAN,
            Self::Strings => Types::STRINGS,
            Self::Longs => Types::INTEGERS,
        }
    }

    /// How to read values of these types.
    pub(super) fn help_for(types: Types) -> String {
        let fit = |one: &Self| {
            let reads = one.reads();
            match one {
                // What may have a fraction is better read whole.
                Self::Long => types.overlaps(reads) && !types.overlaps(Types::FRACTION),
                Self::Decimal => types.overlaps(Types::FRACTION),
                Self::String | Self::Bool | Self::Strings | Self::Longs => types.overlaps(reads),
            }
        };
        let names: Vec<String> = Self::ALL
            .iter()
            .filter(|one| fit(one))
            .map(|one| format!("`.{}`", one.name()))
            .collect();
        if !names.is_empty() {
            format!("read {}", names.join(" or "))
        } else if types.overlaps(Types::OBJECT) {
            "its members are arguments of their own, as in `a.b`".to_owned()
        } else {
            "policies cannot read such a value, only whether it is there".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_what_fits() {
        for (types, expected) in [
            (Types::STRING.union(Types::NULL), "read `.string`"),
            (Types::INTEGER, "read `.long`"),
            (Types::NUMBER, "read `.decimal`"),
            (
                Types::BOOLEAN.union(Types::INTEGER),
                "read `.long` or `.bool`",
            ),
            (Types::STRINGS, "read `.strings`"),
            (
                Types::OBJECT,
                "its members are arguments of their own, as in `a.b`",
            ),
            (
                Types::NULL,
                "policies cannot read such a value, only whether it is there",
            ),
            (
                Types::BOOLEANS,
                "policies cannot read such a value, only whether it is there",
            ),
        ] {
            assert_eq!(Accessor::help_for(types), expected);
        }
    }

    #[test]
    fn accessors_are_those_of_the_schema() {
        let schema = crate::policy::SCHEMA;
        let (_, fields) = schema.split_once("type Arg = {").unwrap();
        let (fields, _) = fields.split_once('}').unwrap();
        let named: Vec<_> = fields
            .lines()
            .filter_map(|line| line.split_once('?'))
            .collect();
        assert_eq!(named.len(), Accessor::ALL.len());
        for (name, _) in named {
            assert!(Accessor::named(name.trim()).is_some(), "{name}");
        }
    }
}
