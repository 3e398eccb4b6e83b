//! Names of files in a bundle: those that mean the same on every file system.

use std::collections::BTreeMap;

/// Longest name, in bytes: what the first form of a tar header holds.
pub const MAX_NAME_BYTES: usize = 100;
/// Most directories above a file.
const MAX_DEPTH: usize = 8;

/// Why a name is refused. Names are shown without what could harm a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Empty, absolute, with `..`, or with a character that is not accepted.
    #[error(
        "`{0}` is not the name of a file in a bundle: parts of `A-Z a-z 0-9 _ . -` that begin with no dot, \
         with `/` between them"
    )]
    Unsound(String),
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("`{0}...` is longer than {MAX_NAME_BYTES} bytes")]
    Long(String),
    /// Below too many directories.
    #[error("`{0}` is nested deeper than {MAX_DEPTH} directories")]
    Deep(String),
    /// Two files have it.
    #[error("`{0}` is there twice")]
    Repeated(String),
    /// Some file systems would take two files for one.
    #[error("`{0}` and `{1}` differ in case only")]
    Case(String, String),
    /// A file has the name of a directory.
    #[error("`{0}` is a file, and a directory above `{1}`")]
    Above(String, String),
}

/// Whether a file of a bundle may have this name.
///
/// # Errors
///
/// [`NameFault`].
pub fn check(name: &str) -> Result<(), NameFault> {
    if name.len() > MAX_NAME_BYTES {
        return Err(NameFault::Long(shown(name, 40)));
    }
    let sound = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
    };
    if !name.split('/').all(sound) {
        return Err(NameFault::Unsound(shown(name, MAX_NAME_BYTES)));
    }
    if name.matches('/').count() > MAX_DEPTH {
        return Err(NameFault::Deep(name.to_owned()));
    }
    Ok(())
}

/// Whether no file system takes one of the names for another.
///
/// # Errors
///
/// [`NameFault::Case`], [`NameFault::Above`].
pub fn check_apart<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), NameFault> {
    let mut folded: BTreeMap<String, &String> = BTreeMap::new();
    let mut parents: BTreeMap<String, &String> = BTreeMap::new();
    for name in names {
        let lower = name.to_ascii_lowercase();
        for (at, _) in lower.match_indices('/') {
            let parent = lower.get(..at).unwrap_or_default().to_owned();
            let first = parents.entry(parent).or_insert(name);
            if first.get(..at) != name.get(..at) {
                return Err(NameFault::Case((*first).clone(), name.clone()));
            }
        }
        if let Some(other) = folded.insert(lower, name) {
            return Err(NameFault::Case(other.clone(), name.clone()));
        }
    }
    for (lower, name) in &folded {
        if let Some(below) = parents.get(lower) {
            return Err(NameFault::Above((*name).clone(), (*below).clone()));
        }
    }
    Ok(())
}

/// A name from outside, cut, without controls.
pub(super) fn shown(name: &str, most: usize) -> String {
    let visible = |c: char| {
        if c.is_ascii_graphic() && c != '`' {
            c
        } else {
            '?'
        }
    };
    name.chars().take(most).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "a".repeat(MAX_NAME_BYTES);
        let deep = format!("{}c.cedar", "d/".repeat(MAX_DEPTH));
        for (name, sound) in [
            ("a.cedar", true),
            ("00-public_x.cedar", true),
            ("team/b.cedar", true),
            ("tests/x.yaml", true),
            (&long, true),
            (&deep, true),
            (&format!("{long}a"), false),
            (&format!("d/{deep}"), false),
            ("", false),
            ("/etc/passwd", false),
            ("../a.cedar", false),
            ("a/../b.cedar", false),
            ("./a.cedar", false),
            ("a//b.cedar", false),
            ("a/", false),
            (".hidden.cedar", false),
            ("a/.b", false),
            ("a\\b.cedar", false),
            ("C:a.cedar", false),
            ("a b.cedar", false),
            ("a\0.cedar", false),
            ("a\n.cedar", false),
            ("\u{202e}radec.a", false),
            ("ä.cedar", false),
        ] {
            assert_eq!(check(name).is_ok(), sound, "{name:?}");
        }
        let fault = check("a\u{1b}[2J`").unwrap_err().to_string();
        assert!(fault.starts_with("`a?[2J?` is not"), "{fault}");
    }

    #[test]
    fn names_that_some_file_system_confuses() {
        let apart = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            check_apart(names.iter()).is_ok()
        };
        assert!(apart(&["a.cedar", "b.cedar", "d/a.cedar", "d/b.cedar"]));
        assert!(!apart(&["A.cedar", "a.cedar"]));
        assert!(!apart(&["D/a.cedar", "d/b.cedar"]));
        assert!(!apart(&["a", "a/b.cedar"]));
        assert!(!apart(&["A", "a/b.cedar"]));
        assert!(apart(&["a", "ab/b.cedar"]));
    }
}
