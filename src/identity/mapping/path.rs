//! Where a claim is found.

use crate::config::ClaimPath;
use crate::json::StrictValue;

/// A claim, and the members that lead to it.
pub(super) struct Found<'a> {
    pub(super) value: &'a StrictValue,
    pub(super) steps: Vec<&'a str>,
}

/// The claim that `path` names. A name is a top-level claim of exactly that name before it is a
/// path of members; a pointer (RFC 6901) is never anything else.
pub(super) fn find<'a>(claims: &'a StrictValue, path: &'a ClaimPath) -> Option<Found<'a>> {
    match path {
        ClaimPath::Name(name) => match claims.get(name) {
            Some(value) => Some(Found {
                value,
                steps: vec![name],
            }),
            None => walk(claims, name.split('.').collect()),
        },
        ClaimPath::Pointer(tokens) => walk(claims, tokens.iter().map(String::as_str).collect()),
    }
}

fn walk<'a>(claims: &'a StrictValue, steps: Vec<&'a str>) -> Option<Found<'a>> {
    let value = steps
        .iter()
        .try_fold(claims, |value, step| step_into(value, step))?;
    Some(Found { value, steps })
}

fn step_into<'a>(value: &'a StrictValue, step: &str) -> Option<&'a StrictValue> {
    match value {
        StrictValue::Object(_) => value.get(step),
        StrictValue::Array(elements) => elements.get(index(step)?),
        StrictValue::Null
        | StrictValue::Bool(_)
        | StrictValue::Integer(_)
        | StrictValue::Unsigned(_)
        | StrictValue::Float(_)
        | StrictValue::Text(_) => None,
    }
}

/// RFC 6901, section 4: digits without a leading zero.
fn index(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (step.len() > 1 && step.starts_with('0')) {
        return None;
    }
    step.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_pointers() {
        let claims = crate::json::parse(
            br#"{"a.b":1,"a":{"b":2,"c":{"d":3},"":4},"https://x/r":5,"l":[6,[7]],"":8}"#,
            16,
        )
        .unwrap();
        let name = |text: &str| ClaimPath::Name(text.into());
        let pointer =
            |steps: &[&str]| ClaimPath::Pointer(steps.iter().map(|s| (*s).into()).collect());
        for (path, expected) in [
            (name("a.b"), Some(1)),
            (name("a.c.d"), Some(3)),
            (name("a."), Some(4)),
            (name("https://x/r"), Some(5)),
            (name("l.0"), Some(6)),
            (name("a.x"), None),
            (name("a.b.c"), None),
            (name("x"), None),
            (pointer(&["a", "b"]), Some(2)),
            (pointer(&["a.b"]), Some(1)),
            (pointer(&["https://x/r"]), Some(5)),
            (pointer(&["l", "1", "0"]), Some(7)),
            (pointer(&["l", "00"]), None),
            (pointer(&["l", "+0"]), None),
            (pointer(&["l", "2"]), None),
            (pointer(&[""]), Some(8)),
        ] {
            let found = find(&claims, &path).and_then(|found| found.value.as_integer());
            assert_eq!(found, expected, "{path:?}");
        }
    }
}
