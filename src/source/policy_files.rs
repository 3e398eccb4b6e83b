//! The policy directory, read whole: every file that has a meaning, or none.

mod watcher;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

pub use self::watcher::PolicyWatcher;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::PolicyFiles;
use crate::policy::files::ENTITIES_FILE;
use crate::policy::files::POLICY_SUFFIX;
use crate::policy::files::SCHEMA_FILE;
use crate::policy::files::TOOLS_FILE;
use crate::source::folder;
use crate::source::folder::Wanted;
use crate::source::settling::Stamp;

/// Facts about principals. This version has no use for them, and compiling says so: a file that
/// takes someone's access away must not be passed over in silence.
const PRINCIPALS_FILE: &str = "principals.yaml";
/// The subdirectory that holds tests, and therefore no policies.
pub const TESTS_DIRECTORY: &str = "tests";
/// A mounted Kubernetes `ConfigMap` keeps its files behind this link, and swaps the link.
const MOUNT_LINK: &str = "..data";

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
    // Resolved once, so that a swap of the link in the middle cannot mix two states.
    let mounted = fs::canonicalize(dir.join(MOUNT_LINK));
    let wanted = Wanted {
        file: has_meaning,
        not_below: Some(TESTS_DIRECTORY),
    };
    folder::read_stamped(mounted.as_deref().unwrap_or(dir), wanted, stamp).map(PolicyFiles::new)
}

/// Reads the tests in a folder, or the one file of them: every `*.yaml`, named by its whole path.
///
/// # Errors
///
/// As [`read`].
pub fn read_tests(path: &Path) -> Result<Vec<Source>, Vec<Fault>> {
    let wanted = Wanted {
        file: is_test,
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

/// Whether a file of this name, in whatever case, is worth handing over. A name that is right but
/// for its case is handed over too, so that compiling can refuse it.
fn has_meaning(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(POLICY_SUFFIX)
        || [SCHEMA_FILE, ENTITIES_FILE, TOOLS_FILE, PRINCIPALS_FILE].contains(&&*lower)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;
    use tempfile::tempdir;

    use super::*;
    use crate::policy::files::MAX_FILE_BYTES;

    fn with(files: &[(&str, &str)]) -> TempDir {
        let dir = tempdir().unwrap();
        for (name, text) in files {
            write(dir.path(), name, text);
        }
        dir
    }

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let files = read(dir).unwrap().files;
        files.iter().map(|file| file.name.to_string()).collect()
    }

    fn faults(dir: &Path) -> Vec<String> {
        let faults = read(dir).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_has_a_meaning_is_read() {
        let dir = with(&[
            ("b.cedar", "b"),
            ("a/c.cedar", "c"),
            ("a/tests/d.cedar", "d"),
            ("tests/e.cedar", "e"),
            ("tools.json", "{}"),
            ("Tools.json", "{}"),
            ("principals.yaml", ""),
            ("README.md", "no"),
            ("f.cedar.bak", "no"),
            (".g.cedar", "no"),
            (".git/h.cedar", "no"),
        ]);
        assert_eq!(
            names(dir.path()),
            [
                "Tools.json",
                "a/c.cedar",
                "a/tests/d.cedar",
                "b.cedar",
                "principals.yaml",
                "tools.json"
            ]
        );
    }

    #[test]
    fn links_in_a_circle_are_one_fault() {
        let dir = with(&[("a.cedar", "a")]);
        for name in ["x", "y", "z"] {
            symlink(dir.path(), dir.path().join(name)).unwrap();
        }
        let faults = faults(dir.path());
        assert_eq!(faults.len(), 1, "{} faults", faults.len());
        assert!(faults[0].contains("nested too deeply"), "{faults:?}");
    }

    #[test]
    fn one_bad_file_fails_the_whole_read() {
        let dir = with(&[
            ("a.cedar", "a"),
            ("big.cedar", &" ".repeat(MAX_FILE_BYTES + 1)),
        ]);
        fs::write(dir.path().join("bin.cedar"), b"ab\xff").unwrap();
        symlink(dir.path().join("nowhere"), dir.path().join("gone.cedar")).unwrap();
        symlink("/dev/null", dir.path().join("null.cedar")).unwrap();
        symlink("/dev/null", dir.path().join("ignored")).unwrap();
        let odd = OsStr::from_bytes(b"odd\xff.cedar");
        fs::write(dir.path().join(odd), "").unwrap();
        let expected = [
            "big.cedar: error: the file cannot be read: it is larger than 1048576 bytes",
            "bin.cedar: error: the file cannot be read: it is not UTF-8 at byte 2",
            "gone.cedar: error: the file cannot be read: No such file",
            "null.cedar: error: this is not a regular file",
            "odd\u{fffd}.cedar: error: the name is not UTF-8",
        ];
        let faults = faults(dir.path());
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}");
        }
        let nowhere = read(&dir.path().join("nowhere")).unwrap_err();
        assert_eq!(nowhere.len(), 1);
    }

    #[test]
    fn a_directory_inside_itself_ends() {
        let dir = with(&[("a.cedar", "a")]);
        symlink(dir.path(), dir.path().join("loop")).unwrap();
        assert!(
            faults(dir.path())
                .iter()
                .any(|fault| fault.contains("too deeply"))
        );
    }
}
