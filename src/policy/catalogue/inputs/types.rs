//! The JSON types that a value may have, arrays told apart by what they hold.

use std::fmt;

/// A set of JSON types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) struct Types(u16);

impl Types {
    pub(in crate::policy) const NONE: Self = Self(0);
    pub(in crate::policy) const STRING: Self = Self(1);
    /// A number without a fraction, as JSON Schema sees it: `1.0` is one.
    pub(in crate::policy) const INTEGER: Self = Self(1 << 1);
    /// A number with a fraction.
    pub(in crate::policy) const FRACTION: Self = Self(1 << 2);
    pub(in crate::policy) const BOOLEAN: Self = Self(1 << 3);
    pub(in crate::policy) const NULL: Self = Self(1 << 4);
    pub(in crate::policy) const OBJECT: Self = Self(1 << 5);
    /// An array that may hold a string; likewise below.
    pub(in crate::policy) const STRINGS: Self = Self(1 << 6);
    pub(in crate::policy) const INTEGERS: Self = Self(1 << 7);
    pub(in crate::policy) const FRACTIONS: Self = Self(1 << 8);
    pub(in crate::policy) const BOOLEANS: Self = Self(1 << 9);
    /// An array that may hold `null`, an object or an array.
    pub(in crate::policy) const OTHERS: Self = Self(1 << 10);
    pub(in crate::policy) const NUMBER: Self = Self(Self::INTEGER.0 | Self::FRACTION.0);
    pub(in crate::policy) const ARRAY: Self = Self(
        Self::STRINGS.0 | Self::INTEGERS.0 | Self::FRACTIONS.0 | Self::BOOLEANS.0 | Self::OTHERS.0,
    );
    pub(in crate::policy) const ANY: Self = Self((1 << 11) - 1);

    pub(in crate::policy) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::policy) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(in crate::policy) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(in crate::policy) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(in crate::policy) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Arrays of values of these types.
    pub(super) fn array(self) -> Self {
        let pairs = [
            (Self::STRING, Self::STRINGS),
            (Self::INTEGER, Self::INTEGERS),
            (Self::FRACTION, Self::FRACTIONS),
            (Self::BOOLEAN, Self::BOOLEANS),
            (
                Self::NULL.union(Self::OBJECT).union(Self::ARRAY),
                Self::OTHERS,
            ),
        ];
        pairs
            .into_iter()
            .filter(|(item, _)| self.overlaps(*item))
            .fold(Self::NONE, |all, (_, array)| all.union(array))
    }
}

/// As a person would say it: `a string or null`.
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("anything");
        }
        let mut words = Vec::new();
        let mut left = *self;
        for (types, word) in [
            (Self::STRING, "a string"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "an integer"),
            (Self::FRACTION, "a number with a fraction"),
            (Self::BOOLEAN, "a boolean"),
            (Self::OBJECT, "an object"),
            (Self::ARRAY, "an array"),
            (Self::STRINGS, "an array of strings"),
            (Self::INTEGERS.union(Self::FRACTIONS), "an array of numbers"),
            (Self::INTEGERS, "an array of integers"),
            (Self::FRACTIONS, "an array of numbers with a fraction"),
            (Self::BOOLEANS, "an array of booleans"),
            (Self::OTHERS, "an array of other things"),
            (Self::NULL, "null"),
        ] {
            if left.intersection(types) == types {
                words.push(word);
                left = left.without(types);
            }
        }
        f.write_str(&words.join(" or "))
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Types({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_as_people_say_them() {
        for (types, expected) in [
            (Types::NONE, ""),
            (Types::ANY, "anything"),
            (Types::STRING.union(Types::NULL), "a string or null"),
            (Types::NUMBER, "a number"),
            (Types::INTEGER, "an integer"),
            (Types::ARRAY, "an array"),
            (Types::STRING.array(), "an array of strings"),
            (Types::NUMBER.array(), "an array of numbers"),
            (
                Types::INTEGER.union(Types::STRING.array()),
                "an integer or an array of strings",
            ),
        ] {
            assert_eq!(types.to_string(), expected);
        }
        assert_eq!(Types::ANY.array(), Types::ARRAY);
    }
}
