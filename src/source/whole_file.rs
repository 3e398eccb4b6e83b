//! Writes a file whole or not at all: whoever reads it meanwhile sees the old one or the new one.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// Replaces the file, or makes it. A link stays one, and permissions stay what they are. The policy
/// directory's reader passes over the temporary file beside it, because of its name.
///
/// # Errors
///
/// The system's; nothing has changed then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (target, known) = match fs::canonicalize(path) {
        Ok(target) => {
            let permissions = fs::metadata(&target)?.permissions();
            (target, Some(permissions))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    let name = target.file_name();
    let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let beside = target.with_file_name(format!(
        ".{}.{:016x}",
        name.to_string_lossy(),
        fastrand::u64(..)
    ));
    let mut unfinished = Unfinished(Some(beside.clone()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    file.write_all(content)?;
    if let Some(permissions) = known {
        file.set_permissions(permissions)?;
    }
    file.sync_all()?;
    fs::rename(&beside, &target)?;
    unfinished.0 = None;
    // The name is only safe once the directory is; not every file system can say so.
    let directory = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    drop(File::open(directory.unwrap_or(Path::new("."))).and_then(|opened| opened.sync_all()));
    Ok(())
}

/// Removed again where it does not become the file.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            drop(fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_where_it_is_and_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.json"), folder.path().join("link"));
        replace(&file, b"one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        replace(&link, b"two").unwrap();
        let text = File::open(&file).map(io::read_to_string).unwrap().unwrap();
        assert_eq!(text, "two");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let left = folder.path().read_dir().unwrap().count();
        assert_eq!(left, 2);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(replace(&folder.path().join("none/a.json"), b"x").is_err());
        let directory = folder.path().join("directory");
        fs::create_dir(&directory).unwrap();
        assert!(replace(&directory, b"x").is_err());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
