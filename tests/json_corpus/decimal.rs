//! Whether a double holds a number as it is written.

/// Whether the shortest spelling of the nearest double is the number that is written: readers that
/// keep every digit and readers that keep doubles then cannot be told apart.
pub(crate) fn holds(text: &str) -> bool {
    let double: f64 = text.parse().expect("a number");
    normal(text) == normal(&format!("{double:e}"))
}

/// Sign, digits without zeros at either end, and the power of ten that they are multiplied with.
fn normal(text: &str) -> Option<(bool, String, i128)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return None;
    }
    let shift = i128::try_from(dropped).ok()? - i128::try_from(fraction.len()).ok()?;
    let exponent: i128 = exponent.parse().expect("an exponent of a few digits");
    Some((
        mantissa != unsigned,
        significant.to_owned(),
        exponent + shift,
    ))
}
