//! The policy directory, read whole: every file that has a meaning, or none.

#[cfg(test)]
mod scene;
mod watcher;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

pub use self::watcher::PolicyWatcher;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::PolicyFiles;
pub use crate::policy::files::TESTS_DIRECTORY;
use crate::policy::files::has_meaning;
use crate::source::folder;
use crate::source::folder::Wanted;
use crate::source::settling::Stamp;

/// A mounted Kubernetes `ConfigMap` keeps its files behind this link, and swaps the link.
pub(super) const MOUNT_LINK: &str = "..data";

/// Reads the directory: every file that has a meaning, or none.
///
/// Links are followed. Names that begin with a dot are left out, and so is the subdirectory
/// `tests`.
///
/// # Errors
///
/// Every file that could not be read, is not UTF-8 or is over a bound, by name.
pub fn read(dir: &Path) -> Result<PolicyFiles, Vec<Fault>> {
    read_stamped(dir, &mut Stamp::default())
}

fn read_stamped(dir: &Path, stamp: &mut Stamp) -> Result<PolicyFiles, Vec<Fault>> {
    // Resolved once, so that a swap of a link in the middle cannot mix two states.
    let place = place(dir);
    let wanted = Wanted {
        file: has_meaning,
        any_folder: false,
        not_below: Some(TESTS_DIRECTORY),
    };
    let real = place.as_deref().unwrap_or(dir);
    let files =
        folder::read_stamped(real, wanted, stamp).map_err(|faults| renamed(faults, real, dir))?;
    // What a link has turned away from is soon removed, file by file, and what is left looks whole.
    if self::place(dir) != place {
        return Err(vec![about(dir, "it was replaced while it was read")]);
    }
    Ok(PolicyFiles::new(files))
}

/// Where the files really are; absent where there is no directory.
fn place(dir: &Path) -> Option<PathBuf> {
    let mounted = fs::canonicalize(dir.join(MOUNT_LINK));
    mounted.or_else(|_| fs::canonicalize(dir)).ok()
}

/// The faults of the directory itself under the name that the operator knows.
fn renamed(mut faults: Vec<Fault>, real: &Path, dir: &Path) -> Vec<Fault> {
    for fault in &mut faults {
        if Path::new(&*fault.file) == real {
            fault.file = dir.to_string_lossy().into();
        }
    }
    faults
}

/// A fault of the directory itself.
fn about(dir: &Path, message: &str) -> Fault {
    let source = Source {
        name: dir.to_string_lossy().into(),
        text: "".into(),
    };
    Fault::error(&source, None, message).hide_excerpt()
}

/// Reads the tests in a folder, or the one file of them: every `*.yaml`, named by its whole path.
///
/// # Errors
///
/// As [`read`].
pub fn read_tests(path: &Path) -> Result<Vec<Source>, Vec<Fault>> {
    let wanted = Wanted {
        file: is_test,
        any_folder: false,
        not_below: None,
    };
    if path.is_dir() {
        return folder::read(path, wanted).map(|files| {
            let whole = |file: Source| Source {
                name: path.join(&*file.name).display().to_string().into(),
                ..file
            };
            files.into_iter().map(whole).collect()
        });
    }
    folder::read_one(path).map(|file| vec![file])
}

fn is_test(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| matches!(extension, "yaml" | "yml"))
}

#[cfg(test)]
mod tests;
