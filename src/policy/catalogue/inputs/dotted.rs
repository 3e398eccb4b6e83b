//! The names that arguments have as tags: a member `b` of `a` is `a.b`, a dot of its own escaped.

/// The name of a member of an object; the arguments as a whole have no name.
pub(super) fn member(object: Option<&str>, key: &str) -> String {
    let mut name = String::new();
    if let Some(object) = object {
        name.push_str(object);
        name.push('.');
    }
    for character in key.chars() {
        if matches!(character, '.' | '\\') {
            name.push('\\');
        }
        name.push(character);
    }
    name
}

/// The name of the object that this one is a member of.
pub(super) fn object_of(name: &str) -> Option<&str> {
    let mut found = None;
    let mut escaped = false;
    for (at, character) in name.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '.' => found = name.get(..at),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::request::arguments;

    proptest! {
        #[test]
        fn names_are_those_of_requests(outer in "[ab.\\\\]{0,4}", inner in "[ab.\\\\]{0,4}") {
            let body = json!({&outer: {&inner: 1}}).to_string();
            let read = arguments::parse(body.as_bytes()).unwrap();
            let object = member(None, &outer);
            let name = member(Some(&object), &inner);
            let names: Vec<_> = read.into_iter().map(|(name, _)| name).collect();
            prop_assert_eq!(names, [object.clone(), name.clone()]);
            prop_assert_eq!(object_of(&name), Some(&*object));
            prop_assert_eq!(object_of(&object), None);
        }
    }
}
