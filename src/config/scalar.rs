//! Single values: text, switches, durations, sizes, names, paths and secrets.

use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::reader::Faults;
use crate::config::reader::cut;
use crate::config::reader::shown;
use crate::config::reader::wrong_shape;
use crate::config::suggest;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// A year and a day: beyond it, a duration is a slip, and sums of durations could overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Shorter secrets can be guessed.
const SHORT_SECRET: usize = 16;

/// Text that may be empty.
pub(super) fn text<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<&'t str> {
    let Value::Scalar { text, plain } = &node.value else {
        wrong_shape(node, "text", faults);
        return None;
    };
    if node.is_null() {
        wrong_shape(node, "text", faults);
        return None;
    }
    if *plain && (is_number(text) || boolean_of(text).is_some()) {
        let message = if node.place.is_hidden() {
            "expected text".to_owned()
        } else if is_number(text) {
            format!("expected text, found the number `{}`", cut(text))
        } else {
            format!("expected text, found the switch `{text}`")
        };
        faults.error_help(&node.place, message, "put it in quotes");
        return None;
    }
    Some(text)
}

/// Text of at least one character and without controls.
pub(super) fn filled<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<&'t str> {
    let text = text(node, faults)?;
    if text.is_empty() {
        faults.error(&node.place, "empty text");
        return None;
    }
    if text.chars().any(char::is_control) {
        faults.error(&node.place, "control characters in text");
        return None;
    }
    Some(text)
}

/// `true` or `false`, written out: a switch is never taken from the environment.
pub(super) fn switch(node: &Node, faults: &mut Faults<'_>) -> Option<bool> {
    if let Value::Scalar { text, plain: true } = &node.value
        && let Some(value) = boolean_of(text)
    {
        return Some(value);
    }
    wrong_shape(node, "`true` or `false`", faults);
    None
}

/// The items of a list.
pub(super) fn list<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<&'t [Node]> {
    if let Value::Sequence(items) = &node.value {
        return Some(items);
    }
    wrong_shape(node, "a list", faults);
    None
}

/// A list of texts, none empty, none twice.
pub(super) fn texts(node: &Node, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    texts_of_a_kind(node, &Kind::ANY, faults)
}

/// What the items of a list have in common.
pub(super) struct Kind {
    pub(super) is: fn(&str) -> bool,
    /// Completes "is not ...".
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

impl Kind {
    const ANY: Self = Self {
        is: |_| true,
        name: "",
        help: "",
    };
}

/// As [`texts`], each of a kind.
pub(super) fn texts_of_a_kind(
    node: &Node,
    kind: &Kind,
    faults: &mut Faults<'_>,
) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for item in list(node, faults)? {
        let Some(text) = filled(item, faults) else {
            continue;
        };
        if !(kind.is)(text) {
            let message = format!("{} is not {}", shown(item, text), kind.name);
            faults.error_help(&item.place, message, kind.help);
        } else if found.iter().any(|other| other == text) {
            faults.error(
                &item.place,
                format!("{} is listed twice", shown(item, text)),
            );
        } else {
            found.push(text.to_owned());
        }
    }
    Some(found)
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    node: &Node,
    words: &[(&'static str, T)],
    faults: &mut Faults<'_>,
) -> Option<T> {
    let text = text(node, faults)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let help = match suggest::nearest(text, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of: {}", names.join(", ")),
    };
    let message = format!("{} is not known here", shown(node, text));
    faults.error_help(&node.place, message, help);
    None
}

/// A name: `[a-z0-9-]+`.
pub(super) fn name<'t>(node: &'t Node, faults: &mut Faults<'_>) -> Option<&'t str> {
    let text = filled(node, faults)?;
    if is_name(text) {
        return Some(text);
    }
    let message = format!("{} is not a name", shown(node, text));
    faults.error_help(&node.place, message, "lower-case letters, digits and `-`");
    None
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A duration with its unit, within bounds.
pub(super) fn duration(
    node: &Node,
    bounds: RangeInclusive<Duration>,
    faults: &mut Faults<'_>,
) -> Option<Duration> {
    let Value::Scalar { text, .. } = &node.value else {
        wrong_shape(node, "a duration", faults);
        return None;
    };
    let Some(value) = duration_of(text) else {
        let message = format!("{} is not a duration", shown(node, text));
        faults.error_help(&node.place, message, "as in `150ms`, `5s`, `1m`, `24h`");
        return None;
    };
    if bounds.contains(&value) {
        return Some(value);
    }
    let help = format!(
        "between {} and {}",
        duration_text(*bounds.start()),
        duration_text(*bounds.end())
    );
    faults.error_help(&node.place, "duration out of bounds", help);
    None
}

/// From zero to the longest duration that is meant.
pub(super) fn any_duration() -> RangeInclusive<Duration> {
    Duration::ZERO..=LONGEST
}

/// As [`duration`] reads it, in the largest unit that fits.
pub(super) fn duration_text(value: Duration) -> String {
    let millis = value.as_millis();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis != 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis.checked_div(size).unwrap_or(0));
        }
    }
    format!("{millis}ms")
}

/// A number of bytes, within bounds.
pub(super) fn size(
    node: &Node,
    bounds: RangeInclusive<usize>,
    faults: &mut Faults<'_>,
) -> Option<usize> {
    let Value::Scalar { text, .. } = &node.value else {
        wrong_shape(node, "a size", faults);
        return None;
    };
    let Some(value) = size_of(text) else {
        let message = format!("{} is not a size", shown(node, text));
        faults.error_help(&node.place, message, "as in `512`, `64KiB`, `1MiB`");
        return None;
    };
    if bounds.contains(&value) {
        return Some(value);
    }
    let help = format!(
        "between {} and {}",
        size_text(*bounds.start()),
        size_text(*bounds.end())
    );
    faults.error_help(&node.place, "size out of bounds", help);
    None
}

/// As [`size`] reads it, in the largest unit that fits.
pub(super) fn size_text(value: usize) -> String {
    for (unit, size) in [("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if value != 0 && value.is_multiple_of(size) {
            return format!("{}{unit}", value.checked_div(size).unwrap_or(0));
        }
    }
    value.to_string()
}

/// A secret that travels in a header: visible ASCII, never empty.
pub(super) fn secret(node: &Node, faults: &mut Faults<'_>) -> Option<SecretString> {
    let text = text(node, faults)?;
    if text.is_empty() {
        faults.error_help(&node.place, "empty secret", "leave the key out, or set it");
        return None;
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        faults.error_help(
            &node.place,
            "a secret with characters that a header cannot carry",
            "visible ASCII only",
        );
        return None;
    }
    if text.len() < SHORT_SECRET {
        faults.warning(
            &node.place,
            format!("a secret of less than {SHORT_SECRET} characters can be guessed"),
            "make one with `openssl rand -hex 32`",
        );
    }
    Some(SecretString::from(text))
}

fn boolean_of(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn duration_of(text: &str) -> Option<Duration> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let count: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3_600).map(Duration::from_secs),
        _ => None,
    }
}

fn size_of(text: &str) -> Option<usize> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let count: usize = digits.parse().ok()?;
    match unit {
        "" => Some(count),
        "KiB" => count.checked_mul(1 << 10),
        "MiB" => count.checked_mul(1 << 20),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_print_as_they_are_read() {
        for (text, millis) in [
            ("150ms", 150),
            ("0s", 0),
            ("5s", 5_000),
            ("24h", 86_400_000),
        ] {
            assert_eq!(duration_of(text), Some(Duration::from_millis(millis)));
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "5 s",
            "5S",
            "1d",
            "99999999999999999999s",
        ] {
            assert_eq!(duration_of(text), None, "{text}");
        }
        for text in ["150ms", "0ms", "5s", "1m", "24h", "90s"] {
            assert_eq!(duration_text(duration_of(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_are_binary_and_print_as_they_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64KiB", 65_536),
            ("1MiB", 1_048_576),
        ] {
            assert_eq!(size_of(text), Some(bytes));
            assert_eq!(size_text(bytes), text);
        }
        for text in [
            "",
            "KiB",
            "1KB",
            "1kib",
            "1 KiB",
            "-1",
            "1.5MiB",
            "99999999999999999MiB",
        ] {
            assert_eq!(size_of(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_not_text() {
        for text in ["1", "-1", "+1", "1.5", "1e3"] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "",
            "-",
            "2025-06-18",
            "127.0.0.1:80",
            "inf",
            "nan",
            "1MiB",
            "x1",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
