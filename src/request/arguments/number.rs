//! A JSON number by its exact value, and whether a double makes another of it.

/// Digits after the point in a Cedar decimal.
const PLACES: i64 = 4;
/// More digits than this fit neither reading.
const MAX_DIGITS: usize = 24;
/// Numbers of fewer digits than this has (15) are told apart by doubles (IEEE 754, 53 bits)...
const HELD_DIGITS: u128 = 1_000_000_000_000_000;
/// ... between these powers of ten, whatever the digits are.
const HELD_EXPONENTS: std::ops::RangeInclusive<i64> = -300..=290;
/// Doubles are exact for smaller integers, and for their products with powers of two.
const HELD_INTEGER: u64 = 1 << 53;

/// A value of `digits` x 10^`exponent`, where `digits` does not end in zero; or one that is out of
/// every range that policies know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// An exact value.
    Exact {
        /// The digits, with the sign.
        digits: i128,
        /// The power of ten.
        exponent: i64,
    },
    /// Something larger, or finer.
    Unreadable,
}

impl Number {
    /// Reads a number of valid JSON.
    pub(super) fn read(text: &str) -> Self {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
            None => (text, Some(0)),
        };
        let (sign, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let dropped = all.len().saturating_sub(significant.len());
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Self::Exact {
                digits: 0,
                exponent: 0,
            };
        }
        let digits = match significant.parse::<i128>() {
            Ok(digits) if significant.len() <= MAX_DIGITS => digits,
            Ok(_) | Err(_) => return Self::Unreadable,
        };
        let shift = i64::try_from(dropped)
            .ok()
            .zip(i64::try_from(fraction.len()).ok())
            .map(|(dropped, fraction)| dropped.saturating_sub(fraction));
        match (exponent, shift) {
            (Some(exponent), Some(shift)) => Self::Exact {
                digits: digits.saturating_mul(sign),
                exponent: exponent.saturating_add(shift),
            },
            (_, _) => Self::Unreadable,
        }
    }

    /// The value as an integer of 64 bits.
    pub(super) fn long(self) -> Option<i64> {
        self.scaled(0)
    }

    /// The value as the text of a Cedar decimal: four places, and within 64 bits with them.
    pub(super) fn decimal(self) -> Option<String> {
        let scaled = self.scaled(PLACES)?;
        let sign = if scaled < 0 { "-" } else { "" };
        let magnitude = scaled.unsigned_abs();
        let whole = magnitude.checked_div(10_000)?;
        let fraction = magnitude.checked_rem(10_000)?;
        Some(format!("{sign}{whole}.{fraction:04}"))
    }

    /// Whether a reader that keeps doubles reads another number than one that keeps every digit;
    /// `text` is what `self` was read from.
    ///
    /// That is so where the shortest spelling of the nearest double is another number, which is what
    /// such a reader writes again, and where that double is another integer, which is what it
    /// compares and converts: 2^53 + 1 by both, 2^60 by the first, 2^55 + 2 by the second. Beyond 64
    /// bits neither reading is one that policies know, so only the first counts.
    pub(super) fn is_ambiguous(self, text: &str) -> bool {
        let Self::Exact { digits, exponent } = self else {
            return true;
        };
        if self.long().is_some_and(|long| !is_double(long)) {
            return true;
        }
        if digits.unsigned_abs() < HELD_DIGITS && HELD_EXPONENTS.contains(&exponent) {
            return false;
        }
        text.parse().map_or(true, |double: f64| {
            Self::read(&format!("{double:e}")) != self
        })
    }

    /// The value times 10^`places`, when that is an integer of 64 bits.
    fn scaled(self, places: i64) -> Option<i64> {
        let Self::Exact { digits, exponent } = self else {
            return None;
        };
        let power = u32::try_from(exponent.checked_add(places)?).ok()?;
        let scaled = digits.checked_mul(10_i128.checked_pow(power)?)?;
        i64::try_from(scaled).ok()
    }
}

/// Whether a double has exactly this value.
fn is_double(long: i64) -> bool {
    let magnitude = long.unsigned_abs();
    magnitude
        .checked_shr(magnitude.trailing_zeros())
        .is_none_or(|odd| odd < HELD_INTEGER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_value_counts_and_not_the_spelling() {
        for (text, long, decimal) in [
            ("0", Some(0), Some("0.0000")),
            ("-0", Some(0), Some("0.0000")),
            ("0.000e999", Some(0), Some("0.0000")),
            ("1", Some(1), Some("1.0000")),
            ("1.0", Some(1), Some("1.0000")),
            ("1e3", Some(1000), Some("1000.0000")),
            ("1000e-3", Some(1), Some("1.0000")),
            ("12.5", None, Some("12.5000")),
            ("-0.25", None, Some("-0.2500")),
            ("0.0001", None, Some("0.0001")),
            ("0.00010", None, Some("0.0001")),
            ("0.00001", None, None),
            ("1.00001", None, None),
            ("9223372036854775807", Some(i64::MAX), None),
            ("-9223372036854775808", Some(i64::MIN), None),
            ("9223372036854775808", None, None),
            ("922337203685477.5807", None, Some("922337203685477.5807")),
            ("-922337203685477.5808", None, Some("-922337203685477.5808")),
            ("922337203685477.5808", None, None),
            ("922337203685478", Some(922_337_203_685_478), None),
            ("1e18", Some(1_000_000_000_000_000_000), None),
            ("1e19", None, None),
            ("1e308", None, None),
            ("1e-308", None, None),
            ("1e-99999999999999999999", None, None),
            ("123456789012345678901234567890", None, None),
        ] {
            let number = Number::read(text);
            assert_eq!(number.long(), long, "{text}");
            assert_eq!(number.decimal().as_deref(), decimal, "{text}");
        }
    }

    fn is_ambiguous(text: &str) -> bool {
        Number::read(text).is_ambiguous(text)
    }

    #[test]
    fn numbers_of_which_doubles_make_others_are_ambiguous() {
        for (text, expected) in [
            ("0", false),
            ("-0.0", false),
            ("0e999999999999999999999999", false),
            ("0.1", false),
            ("19.99", false),
            ("1.10", false),
            ("123456789012345.6", false),
            ("0.10000000000000002", false),
            ("0.100000000000000005", true),
            ("0.1000000000000000055511151231257827", true),
            ("100.00000000000000001", true),
            ("0.99999999999999999999", true),
            ("9007199254740991", false),
            ("9007199254740992", false),
            ("9007199254740993", true),
            ("-9007199254740993", true),
            ("9007199254740993.0", true),
            ("900719925474099.3e1", true),
            ("9007199254740994", false),
            ("1000000000000000000", false),
            ("1e18", false),
            ("1234567890123456789", true),
            // A double, but one that is written 1152921504606847000, which is none.
            ("1152921504606846976", true),
            ("1152921504606847000", true),
            // The double is 36028797018963968, and written 36028797018963970.
            ("36028797018963968", true),
            ("36028797018963970", true),
            ("36028797018963976", false),
            ("9223372036854775807", true),
            ("-9223372036854775808", true),
            ("1e23", false),
            ("123456789012345678901234567890", true),
            ("922337203685477.5807", true),
            ("1.7976931348623157e308", false),
            ("5e-324", false),
            ("2e-324", true),
            ("1e-999", true),
            ("1e-99999999999999999999", true),
        ] {
            assert_eq!(is_ambiguous(text), expected, "{text}");
        }
    }

    /// The other ways to write 10^`exponent` times the digits.
    fn spellings(digits: i64, exponent: i64) -> [String; 3] {
        [
            format!("{digits}e{exponent}"),
            format!("{digits}00E{}", exponent.saturating_sub(2)),
            format!("{digits}.000e+0{exponent}").replace("+0-", "-0"),
        ]
    }

    proptest! {
        #[test]
        fn integers_that_all_doubles_hold_are_fine(value in -(1_i64 << 53)..=1 << 53) {
            for text in [format!("{value}"), format!("{value}.0")] {
                prop_assert!(!is_ambiguous(&text), "{}", text);
            }
        }

        #[test]
        fn fifteen_digits_are_fine(
            digits in -999_999_999_999_999_i64..=999_999_999_999_999,
            exponent in -300_i64..=290,
        ) {
            for text in spellings(digits, exponent) {
                // But for integers of more than 53 bits, which 15 digits and zeros can be.
                let long = Number::read(&text).long();
                let expected = long.is_some_and(|long| !is_double(long));
                prop_assert_eq!(is_ambiguous(&text), expected, "{}", text);
                prop_assert!(exponent > 0 || !expected, "{}", text);
            }
        }

        #[test]
        fn what_doubles_hold_is_fine(bits: u64) {
            let double = f64::from_bits(bits);
            if double.is_finite() {
                for text in [format!("{double}"), format!("{double:e}")] {
                    let long = Number::read(&text).long();
                    let expected = long.is_some_and(|long| !is_double(long));
                    prop_assert_eq!(is_ambiguous(&text), expected, "{}", text);
                    prop_assert!(double.abs() > 9e15 || !expected, "{}", text);
                }
            }
        }

        #[test]
        fn integers_that_doubles_change_are_ambiguous(value: i64, less in 0_u32..11) {
            let value = value >> less;
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "the other way to find out"
            )]
            let (double, back) = (value as f64, (value as f64) as i128);
            let shortest = format!("{double}");
            let same = back == i128::from(value) && shortest == value.to_string();
            prop_assert_eq!(is_ambiguous(&value.to_string()), !same);
        }

        #[test]
        fn more_digits_than_doubles_tell_apart_are_ambiguous(
            text in "-?[1-9][0-9]{0,3}\\.[0-9]{14,17}[1-9]",
        ) {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(is_ambiguous(&text) || digits <= 17, "{}", text);
        }

        #[test]
        fn integers_are_exact(value: i64, zeros in 0_usize..6) {
            let point = format!("{value}.{}", "0".repeat(zeros.max(1)));
            prop_assert_eq!(Number::read(&value.to_string()).long(), Some(value));
            prop_assert_eq!(Number::read(&point).long(), Some(value));
        }

        #[test]
        fn no_text_panics(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,30})?") {
            let number = Number::read(&text);
            let _ = (number.long(), number.decimal(), number.is_ambiguous(&text));
        }
    }
}
