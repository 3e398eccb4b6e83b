//! The exact value of a JSON number, by another way than the program's.

/// The sign, digits that neither begin nor end with a zero, and the power of ten that they are
/// multiplied with; no digits for zero.
#[derive(Debug, PartialEq, Eq)]
struct Exact<'a> {
    negative: bool,
    digits: std::borrow::Cow<'a, str>,
    exponent: i128,
}

/// That the grammar was kept (RFC 8259, section 6), and that another parser reads this double, but
/// for its last places.
pub(crate) fn check(text: &str) {
    let double: f64 = text.parse().expect("a number");
    assert!(double.is_finite(), "out of range");
    let whole = text.strip_prefix('-').unwrap_or(text);
    assert!(whole.starts_with(|first: char| first.is_ascii_digit()));
    assert!(whole.ends_with(|last: char| last.is_ascii_digit()));
    let leading = whole.strip_prefix('0').and_then(|rest| rest.chars().next());
    assert!(
        leading.is_none_or(|next| !next.is_ascii_digit()),
        "a leading zero"
    );
    if let Ok(theirs) = serde_json::from_str::<f64>(text) {
        let distance = (theirs - double).abs();
        assert!(
            distance <= double.abs() * 1e-14 || distance < 1e-300,
            "two readings of a number"
        );
    }
}

/// Whether a number is so near to the largest double that a careless rounding leaves the range.
pub(crate) fn is_at_the_edge(text: &str) -> bool {
    text.parse()
        .is_ok_and(|double: f64| double.abs() > 1.797_693_134_862_315_6e308)
}

/// The value, if it is an integer of 64 bits.
pub(crate) fn long(text: &str) -> Option<i64> {
    scaled(text, 0)
}

/// The value times ten thousand, if that is an integer of 64 bits: a Cedar decimal.
pub(crate) fn ten_thousandths(text: &str) -> Option<i64> {
    scaled(text, 4)
}

/// Whether another parser, which keeps a double, has another number than the one that is written:
/// when it writes the number again, or when it makes an integer of 64 bits of it.
pub(crate) fn is_ambiguous(text: &str) -> bool {
    let double: f64 = text.parse().expect("a number");
    let again = format!("{double:?}");
    exact(text) != exact(&again) || long(text).is_some_and(|long| double as i128 != long.into())
}

fn scaled(text: &str, places: i128) -> Option<i64> {
    let Exact {
        negative,
        digits,
        exponent,
    } = exact(text)?;
    if digits.is_empty() {
        return Some(0);
    }
    let zeros = usize::try_from(exponent + places).ok()?;
    if zeros > 20 || digits.len() > 20 {
        return None;
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{digits}{}", "0".repeat(zeros)).parse().ok()
}

/// None where the exponent itself fits nothing, and the value is not zero.
fn exact(text: &str) -> Option<Exact<'_>> {
    let lower = text.find(['e', 'E']);
    let (mantissa, exponent) = match lower {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches('-');
    let places = mantissa.find('.').map_or(0, |at| mantissa.len() - at - 1);
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0').len();
    if kept == 0 {
        return Some(Exact {
            negative: false,
            digits: "".into(),
            exponent: 0,
        });
    }
    let dropped = digits.len() - kept;
    let exponent: i128 = exponent.parse().ok()?;
    Some(Exact {
        negative,
        digits: digits[..kept].to_owned().into(),
        exponent: exponent + i128::try_from(dropped).ok()? - i128::try_from(places).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_exact() {
        for (text, expected) in [
            ("0", Some(0)),
            (
                "-0.00e99999999999999999999999999999999999999999999",
                Some(0),
            ),
            ("1.50e1", Some(15)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0.1", None),
            ("1000e-3", Some(1)),
            ("1e-99999999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(long(text), expected, "{text}");
        }
        for (text, expected) in [
            ("-0", false),
            ("19.990", false),
            ("9007199254740992", false),
            ("9007199254740993", true),
            ("36028797018963970", true),
            ("1e23", false),
            ("1e-999", true),
            ("100.00000000000000001", true),
        ] {
            assert_eq!(is_ambiguous(text), expected, "{text}");
        }
        assert_eq!(ten_thousandths("-0.0001"), Some(-1));
        assert_eq!(ten_thousandths("0.00001"), None);
        assert_eq!(ten_thousandths("922337203685477.5807"), Some(i64::MAX));
    }
}
