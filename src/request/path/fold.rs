//! Percent-decoding, and the foldings under which careless servers take two paths for one.

use std::borrow::Cow;

/// The byte that a complete escape, such as `%2f`, stands for.
pub(crate) fn escaped(escape: &[u8]) -> Option<u8> {
    let [b'%', high, low] = escape else {
        return None;
    };
    let high = char::from(*high).to_digit(16)?;
    let low = char::from(*low).to_digit(16)?;
    u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()
}

/// Every escape decoded once; what is not an escape stands for itself.
pub(crate) fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escape = rest
            .split_at_checked(3)
            .and_then(|(head, after)| Some((escaped(head)?, after)));
        let (byte, after) = escape.unwrap_or((*first, tail));
        out.push(byte);
        rest = after;
    }
    Cow::Owned(out)
}

/// Whether two segments name the same thing, escaped or not.
pub(crate) fn same_segment(left: &str, right: &str) -> bool {
    left == right || decode(left) == decode(right)
}

/// The form in which near spellings are equal: decoded, lower case, cut at a path parameter, no
/// trailing slash.
pub(super) fn folded(path: &str) -> Vec<u8> {
    let mut folded: Vec<u8> = decode(path)
        .iter()
        .take_while(|byte| **byte != b';')
        .map(u8::to_ascii_lowercase)
        .collect();
    while folded.last() == Some(&b'/') {
        folded.pop();
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        for (text, expected) in [
            ("", &b""[..]),
            ("abc", b"abc"),
            ("%61%62", b"ab"),
            ("%2561", b"%61"),
            ("%6", b"%6"),
            ("%zz%", b"%zz%"),
            ("a%ff", b"a\xff"),
        ] {
            assert_eq!(&*decode(text), expected, "{text}");
        }
    }

    #[test]
    fn segments_are_compared_decoded() {
        assert!(same_segment("a%21b", "a!b"));
        assert!(!same_segment("a%21b", "a%22b"));
        assert!(!same_segment("A", "a"));
    }
}
