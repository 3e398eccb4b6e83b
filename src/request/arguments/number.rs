//! A JSON number by its exact value, not by what a double makes of it.

/// Digits after the point in a Cedar decimal.
const PLACES: i64 = 4;
/// More digits than this fit neither reading.
const MAX_DIGITS: usize = 24;

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

    proptest! {
        #[test]
        fn integers_are_exact(value: i64, zeros in 0_usize..6) {
            let point = format!("{value}.{}", "0".repeat(zeros.max(1)));
            prop_assert_eq!(Number::read(&value.to_string()).long(), Some(value));
            prop_assert_eq!(Number::read(&point).long(), Some(value));
        }

        #[test]
        fn no_text_panics(text in "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,30})?") {
            let number = Number::read(&text);
            let _ = (number.long(), number.decimal());
        }
    }
}
