//! Server-sent events (WHATWG HTML, section 9.2), read as they come: only their data matters here.

use std::mem;

/// A stream of events. How many bytes it is given is bounded by whoever gives them.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// What has come of a line that has no end yet.
    line: Vec<u8>,
    /// The data of the event that has no end yet.
    data: Vec<u8>,
    has_data: bool,
    /// The last line ended with CR: an LF after it belongs to it.
    after_return: bool,
    begun: bool,
}

impl Events {
    /// Takes the next bytes, and returns the data of each event that they complete. An event without
    /// data is none.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for &byte in bytes {
            let after_return = mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => complete.extend(self.end_line()),
                other => self.line.push(other),
            }
        }
        complete
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            let data = mem::take(&mut self.data);
            self.has_data = false;
            return (!data.is_empty()).then_some(data);
        }
        if let Some(value) = line.strip_prefix(b"data") {
            let value = match value {
                [] => Some(value),
                [b':', b' ', rest @ ..] | [b':', rest @ ..] => Some(rest),
                _ => None,
            };
            if let Some(value) = value {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        let events = Events::default().push(text.as_bytes());
        let events = events.into_iter();
        events
            .map(|data| String::from_utf8(data).unwrap())
            .collect()
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for (text, events) in [
            ("data: a\n\n", vec!["a"]),
            ("data:a\r\n\r\n", vec!["a"]),
            ("data:  a\r\rdata: b\n\n", vec![" a", "b"]),
            ("data: a\ndata: b\n\n", vec!["a\nb"]),
            ("data: {\ndata\ndata:}\n\n", vec!["{\n\n}"]),
            ("event: message\nid: 1\nretry: 5\ndata: a\n\n", vec!["a"]),
            (": ping\n\n\n", vec![]),
            ("id: 1\ndata: \n\n", vec![]),
            ("database: a\n\n", vec![]),
            ("\u{feff}data: a\n\n", vec!["a"]),
            ("data: a\n", vec![]),
            ("data: a", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(read(text), events, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_means_nothing(
            text in "(data: ?[ab]{0,3}|: x|id: 1|\r\n|\n|\r){0,20}",
            at in any::<prop::sample::Index>(),
        ) {
            let (one, two) = text.as_bytes().split_at(at.index(text.len().saturating_add(1)));
            let mut events = Events::default();
            let mut cut = events.push(one);
            cut.extend(events.push(two));
            prop_assert_eq!(cut, Events::default().push(text.as_bytes()));
        }
    }
}
