//! Numbers (RFC 8259, section 6).

use super::JsonFault;
use super::JsonFaultKind;

/// The end of the number that starts at `start`.
pub(super) fn read(text: &str, start: usize) -> Result<usize, JsonFault> {
    let mut cursor = Cursor {
        bytes: text.as_bytes(),
        at: start,
    };
    cursor.accept(|byte| byte == b'-');
    if !cursor.accept(|byte| byte == b'0') {
        cursor.digits()?;
    }
    if cursor.accept(|byte| byte == b'.') {
        cursor.digits()?;
    }
    if cursor.accept(|byte| matches!(byte, b'e' | b'E')) {
        cursor.accept(|byte| matches!(byte, b'+' | b'-'));
        cursor.digits()?;
    }
    let finite = text
        .get(start..cursor.at)
        .and_then(|number| number.parse::<f64>().ok())
        .is_some_and(f64::is_finite);
    if finite {
        Ok(cursor.at)
    } else {
        Err(JsonFault {
            kind: JsonFaultKind::Range,
            offset: start,
        })
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn accept(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        #[cfg(test)]
        super::work::count(1);
        let found = self.bytes.get(self.at).is_some_and(|byte| wanted(*byte));
        if found {
            self.at = self.at.saturating_add(1);
        }
        found
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        if !self.accept(|byte| byte.is_ascii_digit()) {
            let kind = if self.at < self.bytes.len() {
                JsonFaultKind::Character
            } else {
                JsonFaultKind::End
            };
            return Err(JsonFault {
                kind,
                offset: self.at,
            });
        }
        while self.accept(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }
}
