//! Spans of time, as flags give them and as people say them.

use std::time::Duration;

/// A hundred years: beyond it, a span is a slip.
const LONGEST_S: i64 = 100 * 366 * 86_400;

/// Reads a span such as `90s`, `5m`, `1h` or `7d`; not zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match seconds(text).map(u64::try_from) {
        Some(Ok(seconds)) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err("write it as in `90s`, `5m`, `1h` or `7d`".to_owned()),
    }
}

/// Reads a span from now in seconds; with `-` in front it lies in the past.
pub(super) fn offset(text: &str) -> Result<i64, String> {
    let read = match text.strip_prefix('-') {
        Some(past) => seconds(past).and_then(i64::checked_neg),
        None => seconds(text),
    };
    read.ok_or_else(|| "write it as in `90s`, `5m`, `1h`, `7d` or, for the past, `-5m`".to_owned())
}

fn seconds(text: &str) -> Option<i64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let count: i64 = digits.parse().ok()?;
    let size = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    count.checked_mul(size).filter(|span| *span <= LONGEST_S)
}

/// A span in the largest unit of which there are two or more: `1 second`, `90 minutes`, `3 days`.
pub(super) fn words(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("day", 86_400),
        ("hour", 3_600),
        ("minute", 60),
        ("second", 1),
    ];
    for (unit, size) in UNITS {
        let count = seconds.checked_div(size).unwrap_or_default();
        // `1 hour` for an hour on the dot; `61 minutes` a little later.
        if count > 1 || (count == 1 && seconds == size) {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {unit}{plural}");
        }
    }
    "0 seconds".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("7d", Some(604_800)),
            ("0s", Some(0)),
            ("-5m", Some(-300)),
            ("", None),
            ("-", None),
            ("--5m", None),
            ("5", None),
            ("m", None),
            ("5 m", None),
            ("1.5h", None),
            ("5ms", None),
            ("99999999999999999999s", None),
            ("9223372036854775807d", None),
            ("40000d", None),
        ] {
            assert_eq!(offset(text).ok(), expected, "{text}");
        }
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert!(duration("0s").is_err() && duration("-5m").is_err());
    }

    #[test]
    fn spans_are_said_in_the_largest_unit_that_says_something() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "61 seconds"),
            (119, "119 seconds"),
            (299, "4 minutes"),
            (3_600, "1 hour"),
            (3_601, "60 minutes"),
            (10_800, "3 hours"),
            (86_400, "1 day"),
            (200_000, "2 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(words(seconds), said);
        }
    }
}
