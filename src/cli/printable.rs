//! Text that somebody else chose, made harmless for a terminal.

/// The text with every character that a terminal may act upon, or that nobody sees, as `\uXXXX`.
pub(super) fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for several lines: line breaks stay. JSON remains the JSON that it was, because such
/// characters can only stand in its strings.
pub(super) fn lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

/// The same, cut after `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", line(text.get(..end).unwrap_or_default())),
        None => line(text),
    }
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if stays(c) || !is_treacherous(c) {
            shown.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let escape = format!("\\u{unit:04x}");
            shown.push_str(&escape);
        }
    }
    shown
}

/// Controls, marks that turn the direction of text, and characters without a width.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_may_act_upon_is_written_out() {
        for (text, shown) in [
            ("plain é 名", "plain é 名"),
            ("\u{1b}[2J", "\\u001b[2J"),
            ("a\r\nb", "a\\u000d\\u000ab"),
            ("\u{9b}1m\u{7f}", "\\u009b1m\\u007f"),
            ("\u{202e}evil", "\\u202eevil"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(lines("a\n\tb"), "a\n\\u0009b");
        assert_eq!(cut("aé\u{1b}b", 3), "aé\\u001b...");
        assert_eq!(cut("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn json_stays_what_it_was(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let shown = lines(&json);
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
            prop_assert!(!shown.chars().any(is_treacherous));
        }
    }
}
