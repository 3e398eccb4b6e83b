//! Takes secrets out of the text that faults carry.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The text with stars in place of every character within `hidden`, so that all offsets hold.
pub(super) fn blanked(text: &str, hidden: &[Range<usize>]) -> Arc<str> {
    let mut hidden: Vec<&Range<usize>> = hidden.iter().collect();
    hidden.sort_by_key(|span| span.start);
    let mut out = String::with_capacity(text.len());
    let mut next = hidden.into_iter().peekable();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        while let Some(span) = next.next_if(|span| span.start <= at) {
            end = end.max(span.end);
        }
        if at < end && c != '\n' {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// The lines that something hidden stands on.
pub(super) struct Lines {
    /// Offsets of the line breaks.
    breaks: Vec<usize>,
    /// Line numbers, from 0.
    touched: BTreeSet<usize>,
}

impl Lines {
    pub(super) fn touched(text: &str, hidden: &[Range<usize>]) -> Self {
        let mut lines = Self {
            breaks: text.match_indices('\n').map(|(at, _)| at).collect(),
            touched: BTreeSet::new(),
        };
        for span in hidden {
            let of = lines.of(span);
            lines.touched.extend(of);
        }
        lines
    }

    /// Whether any line of `span` is among them.
    pub(super) fn meet(&self, span: &Range<usize>) -> bool {
        self.of(span).any(|line| self.touched.contains(&line))
    }

    fn of(&self, span: &Range<usize>) -> std::ops::RangeInclusive<usize> {
        let line = |offset: usize| self.breaks.partition_point(|at| *at < offset);
        let last = span.end.saturating_sub(1).max(span.start);
        line(span.start)..=line(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_text_is_blanked_and_offsets_hold() {
        for (text, hidden, expected) in [
            ("a: bcd", &[][..], "a: bcd"),
            ("a: bcd", &[(3, 6)][..], "a: ***"),
            ("a: b\nc", &[(3, 6)][..], "a: *\n*"),
            ("a\u{e9}b", &[(1, 3)][..], "a**b"),
            ("abcdef", &[(4, 5), (0, 3), (1, 2)][..], "***d*f"),
            ("ab", &[(1, 99)][..], "a*"),
        ] {
            let hidden: Vec<_> = hidden.iter().map(|(start, end)| *start..*end).collect();
            let blanked = blanked(text, &hidden);
            assert_eq!(&*blanked, expected);
            assert_eq!(blanked.len(), text.len());
        }
    }

    #[test]
    fn lines_with_something_hidden_are_known() {
        let text = "aa\nbb\ncc\ndd";
        let lines = Lines::touched(text, &[3..4, 7..7]);
        for (span, expected) in [
            (0..2, false),
            (0..3, false),
            (0..4, true),
            (4..5, true),
            (3..3, true),
            (6..7, true),
            (8..9, true),
            (9..11, false),
        ] {
            assert_eq!(lines.meet(&span), expected, "{span:?}");
        }
    }
}
