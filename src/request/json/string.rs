//! Strings (RFC 8259, section 7).

use std::borrow::Cow;

use super::JsonFault;
use super::JsonFaultKind;

/// The string whose opening quote stands at `start`, and the offset after its closing one. Without
/// escapes it is borrowed.
pub(super) fn read(text: &str, start: usize) -> Result<(Cow<'_, str>, usize), JsonFault> {
    let mut at = start.saturating_add(1);
    let mut unescaped: Option<String> = None;
    loop {
        let plain = plain_run(text, at)?;
        at = at.saturating_add(plain.len());
        let escape = text.as_bytes().get(at) == Some(&b'\\');
        match &mut unescaped {
            None if !escape => return Ok((Cow::Borrowed(plain), at.saturating_add(1))),
            None => unescaped = Some(plain.to_owned()),
            Some(unescaped) => unescaped.push_str(plain),
        }
        let out = unescaped.get_or_insert_default();
        if !escape {
            let string = std::mem::take(out);
            return Ok((Cow::Owned(string), at.saturating_add(1)));
        }
        let (character, end) = escaped(text, at)?;
        out.push(character);
        at = end;
    }
}

/// The characters from `at` that stand for themselves: up to a quote or a backslash.
fn plain_run(text: &str, at: usize) -> Result<&str, JsonFault> {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .bytes()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
        .ok_or(fault(JsonFaultKind::End, text.len()))?;
    #[cfg(test)]
    super::work::count(length);
    let end = at.saturating_add(length);
    match text.as_bytes().get(end) {
        Some(b'"' | b'\\') => Ok(rest.get(..length).unwrap_or_default()),
        Some(_) | None => Err(fault(JsonFaultKind::Character, end)),
    }
}

/// The character that the escape at `at` stands for, and the offset after it.
fn escaped(text: &str, at: usize) -> Result<(char, usize), JsonFault> {
    let after = at.saturating_add(2);
    let character = match text.as_bytes().get(at.saturating_add(1)) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode(text, at),
        Some(_) => return Err(fault(JsonFaultKind::Escape, at)),
        None => return Err(fault(JsonFaultKind::End, text.len())),
    };
    Ok((character, after))
}

/// `\uXXXX`, or the surrogate pair `\uXXXX\uXXXX`.
fn unicode(text: &str, at: usize) -> Result<(char, usize), JsonFault> {
    let first = unit(text, at)?;
    let next = at.saturating_add(6);
    if let Some(character) = char::from_u32(first.into()) {
        return Ok((character, next));
    }
    let paired = text.get(next..).is_some_and(|rest| rest.starts_with("\\u"));
    if !paired {
        return Err(fault(JsonFaultKind::Surrogate, at));
    }
    let second = unit(text, next)?;
    match char::decode_utf16([first, second]).next() {
        Some(Ok(character)) => Ok((character, next.saturating_add(6))),
        Some(Err(_)) | None => Err(fault(JsonFaultKind::Surrogate, at)),
    }
}

/// The four digits of the `\u` at `at`.
fn unit(text: &str, at: usize) -> Result<u16, JsonFault> {
    text.get(at.saturating_add(2)..at.saturating_add(6))
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u16::from_str_radix(digits, 16).ok())
        .ok_or(fault(JsonFaultKind::Escape, at))
}

fn fault(kind: JsonFaultKind, offset: usize) -> JsonFault {
    JsonFault { kind, offset }
}
