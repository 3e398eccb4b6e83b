//! Files that the configuration names, read whole and never beyond a bound.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system said no.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// As it was opened.
        path: String,
        /// In the system's words.
        reason: std::io::Error,
    },
    /// It is larger than anything that is meant.
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge {
        /// As it was opened.
        path: String,
        /// In bytes.
        limit: u64,
    },
    /// It is not text.
    #[error("`{path}` is not UTF-8")]
    NotText {
        /// As it was opened.
        path: String,
    },
}

/// Reads a file of at most `limit` bytes.
pub(super) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let shown = || path.display().to_string();
    let unreadable = |reason| FileError::Unreadable {
        path: shown(),
        reason,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut content = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(unreadable)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > limit {
        return Err(FileError::TooLarge {
            path: shown(),
            limit,
        });
    }
    Ok(content)
}

/// Whether a file can be read; of what it holds, one byte at most.
pub(super) fn probe(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|file| file.take(1).read_to_end(&mut Vec::new()))
        .map(|_| ())
        .map_err(|reason| FileError::Unreadable {
            path: path.display().to_string(),
            reason,
        })
}

/// Reads a UTF-8 file of at most `limit` bytes.
pub(super) fn text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(bytes(path, limit)?).map_err(|_| FileError::NotText {
        path: path.display().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(text(&path, 5).unwrap(), "12345");
        assert!(matches!(bytes(&path, 4), Err(FileError::TooLarge { .. })));
        std::fs::write(&path, [0xff]).unwrap();
        assert!(matches!(text(&path, 5), Err(FileError::NotText { .. })));
        let missing = bytes(&dir.path().join("none"), 5);
        assert!(matches!(missing, Err(FileError::Unreadable { .. })));
        assert!(probe(&path).is_ok());
        for not_a_file in [dir.path(), &dir.path().join("none")] {
            let probed = probe(not_a_file);
            assert!(matches!(probed, Err(FileError::Unreadable { .. })));
        }
    }
}
