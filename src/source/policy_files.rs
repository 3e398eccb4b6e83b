//! The policy directory, read whole: every file that has a meaning, or none.

mod watcher;

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

pub use self::watcher::PolicyWatcher;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::PolicyFiles;
use crate::policy::files::ENTITIES_FILE;
use crate::policy::files::MAX_FILE_BYTES;
use crate::policy::files::MAX_FILES;
use crate::policy::files::POLICY_SUFFIX;
use crate::policy::files::SCHEMA_FILE;
use crate::policy::files::TOOLS_FILE;

/// Facts about principals. This version has no use for them, and compiling says so: a file that
/// takes someone's access away must not be passed over in silence.
const PRINCIPALS_FILE: &str = "principals.yaml";
/// The subdirectory that holds tests, and therefore no policies.
const TESTS_DIRECTORY: &str = "tests";
/// A mounted Kubernetes `ConfigMap` keeps its files behind this link, and swaps the link.
const MOUNT_LINK: &str = "..data";
/// Deepest accepted subdirectory.
const MAX_DEPTH: usize = 8;
/// Most entries that are looked at, those that are then ignored included.
const MAX_ENTRIES: usize = 20_000;
/// Most bytes in all files together.
const MAX_TOTAL_BYTES: usize = 32 * 1024 * 1024;

/// Reads the directory: every file that has a meaning, or none.
///
/// Links are followed. Names that begin with a dot are left out, and so is the subdirectory
/// `tests`.
///
/// # Errors
///
/// Every file that could not be read, is not UTF-8 or is over a bound, by name.
pub fn read(dir: &Path) -> Result<PolicyFiles, Vec<Fault>> {
    // Resolved once, so that a swap of the link in the middle cannot mix two states.
    let mounted = fs::canonicalize(dir.join(MOUNT_LINK));
    let mut walk = Walk::default();
    walk.directory(mounted.as_deref().unwrap_or(dir), "", 0);
    if walk.faults.is_empty() {
        Ok(PolicyFiles::new(walk.files))
    } else {
        Err(walk.faults)
    }
}

#[derive(Debug, Default)]
struct Walk {
    files: Vec<Source>,
    faults: Vec<Fault>,
    entries: usize,
    bytes: usize,
    /// A bound is broken: one fault says so, and nothing more is looked at. A few links that lead in
    /// a circle make thousands of paths.
    over: bool,
}

impl Walk {
    fn directory(&mut self, dir: &Path, below: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.give_up(below, "the directory is nested too deeply");
        }
        let mut entries = match list(dir) {
            Ok(entries) => entries,
            Err(error) => {
                let name = if below.is_empty() {
                    dir.to_string_lossy()
                } else {
                    below.into()
                };
                return self.fault(&name, &format!("the directory cannot be read: {error}"));
            }
        };
        entries.sort();
        for path in entries {
            if self.over {
                return;
            }
            self.entries = self.entries.saturating_add(1);
            if self.entries > MAX_ENTRIES || self.files.len() > MAX_FILES {
                return self.give_up(below, "there are too many files");
            }
            self.entry(&path, below, depth);
        }
    }

    fn entry(&mut self, path: &Path, below: &str, depth: usize) {
        let Some(file_name) = path.file_name() else {
            return;
        };
        let shown = format!("{below}{}", file_name.to_string_lossy());
        let Some(name) = file_name.to_str() else {
            return self.fault(&shown, "the name is not UTF-8");
        };
        if name.starts_with('.') {
            return;
        }
        // Follows links, and so does everything below.
        let kind = match fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if has_meaning(name) => {
                return self.fault(&shown, &format!("the file cannot be read: {error}"));
            }
            // A dangling link, or a file that has just gone, of no meaning here.
            Err(_) => return,
        };
        if kind.is_dir() && !has_meaning(name) {
            if !(below.is_empty() && name == TESTS_DIRECTORY) {
                let below = format!("{shown}/");
                self.directory(path, &below, depth.saturating_add(1));
            }
        } else if has_meaning(name) {
            if kind.is_file() {
                self.file(path, shown);
            } else {
                // A folder in the place of a file would take the file out of force without a word,
                // and opening a pipe could wait for ever.
                self.fault(&shown, "this is not a regular file");
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        match text(path) {
            Ok(text) => {
                self.bytes = self.bytes.saturating_add(text.len());
                if self.bytes > MAX_TOTAL_BYTES {
                    return self.give_up(&name, "the files are too large together");
                }
                self.files.push(Source {
                    name: name.into(),
                    text: text.into(),
                });
            }
            Err(error) => self.fault(&name, &format!("the file cannot be read: {error}")),
        }
    }

    fn give_up(&mut self, name: &str, message: &str) {
        self.over = true;
        self.fault(name, message);
    }

    fn fault(&mut self, name: &str, message: &str) {
        let source = Source {
            name: name.into(),
            text: "".into(),
        };
        self.faults
            .push(Fault::error(&source, None, message).hide_excerpt());
    }
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where policies are read from"
    )]
    let entries = fs::read_dir(dir)?;
    entries
        .take(MAX_ENTRIES.saturating_add(1))
        .map(|entry| Ok(entry?.path()))
        .collect()
}

/// The text of a file that may be growing.
fn text(path: &Path) -> io::Result<String> {
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("it is larger than {MAX_FILE_BYTES} bytes");
        return Err(io::Error::other(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8 at byte {at}"))
    })
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
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff.cedar");
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
