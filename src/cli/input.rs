//! What commands read beside the configuration: files and standard input, whole, up to a bound.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use secrecy::SecretString;
use thiserror::Error;

/// Largest key, certificate bundle or secret, in bytes.
pub(super) const KEY_FILE: u64 = 1 << 20;

/// Why an input cannot be used.
#[derive(Debug, Error)]
pub(super) enum InputError {
    /// The system says no.
    #[error("cannot read {name}")]
    Read { name: String, source: io::Error },
    /// It is longer than anything that is meant.
    #[error("{name} is longer than {limit} bytes")]
    Long { name: String, limit: u64 },
    /// It is not text.
    #[error("{name} is not UTF-8")]
    NotText { name: String },
}

/// A file of at most `limit` bytes.
pub(super) fn file(path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    let name = format!("`{}`", path.display());
    let file = File::open(path).map_err(|source| InputError::Read {
        name: name.clone(),
        source,
    })?;
    whole(file, name, limit)
}

/// The secret in a file, without one line break at its end, as editors and `echo` leave there.
pub(super) fn secret_file(path: &Path) -> Result<SecretString, InputError> {
    let text = text(file(path, KEY_FILE)?, || format!("`{}`", path.display()))?;
    Ok(without_line_break(&text).into())
}

/// Standard input of at most `limit` bytes, as text.
pub(super) fn standard(limit: u64) -> Result<String, InputError> {
    let name = "standard input".to_owned();
    let bytes = whole(io::stdin().lock(), name.clone(), limit)?;
    text(bytes, || name)
}

/// The text without one line break at its end.
pub(super) fn without_line_break(text: &str) -> &str {
    let trimmed = text.strip_suffix('\n').unwrap_or(text);
    trimmed.strip_suffix('\r').unwrap_or(trimmed)
}

fn whole(from: impl Read, name: String, limit: u64) -> Result<Vec<u8>, InputError> {
    let mut content = Vec::new();
    let read = from.take(limit.saturating_add(1)).read_to_end(&mut content);
    if let Err(source) = read {
        return Err(InputError::Read { name, source });
    }
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > limit {
        return Err(InputError::Long { name, limit });
    }
    Ok(content)
}

fn text(bytes: Vec<u8>, name: impl FnOnce() -> String) -> Result<String, InputError> {
    String::from_utf8(bytes).map_err(|_| InputError::NotText { name: name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_up_to_its_bound_and_no_further() {
        let read = |text: &'static str| whole(text.as_bytes(), "x".to_owned(), 4);
        assert_eq!(read("1234").unwrap(), b"1234");
        assert!(matches!(read("12345"), Err(InputError::Long { .. })));
        assert!(matches!(
            whole(io::repeat(0), "x".to_owned(), 4),
            Err(InputError::Long { .. })
        ));
        let missing = file(Path::new("/nonexistent/x"), 4).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read `/nonexistent/x`");
    }

    #[test]
    fn one_line_break_is_not_part_of_a_secret() {
        for (text, secret) in [
            ("s", "s"),
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("s\n\n", "s\n"),
            (" s ", " s "),
            ("", ""),
        ] {
            assert_eq!(without_line_break(text), secret);
        }
    }
}
