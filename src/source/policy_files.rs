//! Reads a policy directory, every file or none, and tells when it has settled on another state.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::PolicyFiles;
use crate::policy::files::ENTITIES_FILE;
use crate::policy::files::MAX_FILE_BYTES;
use crate::policy::files::MAX_FILES;
use crate::policy::files::POLICY_SUFFIX;
use crate::policy::files::SCHEMA_FILE;
use crate::policy::files::TOOLS_FILE;

/// Folders inside one another.
const DEEPEST: usize = 8;

/// Folder of the policy tests, which decide nothing.
const TESTS: &str = "tests";

/// A mounted Kubernetes `ConfigMap` keeps its files behind this link, and swaps the link.
const MOUNT_LINK: &str = "..data";

/// What a look at the directory found.
#[derive(Debug)]
pub enum Poll {
    /// What was offered last, or what failed last.
    Unchanged,
    /// Something else, seen for the first time: it may be half written.
    Settling,
    /// Something else, seen twice in a row.
    Changed(PolicyFiles),
    /// The directory cannot be read, twice in a row.
    Failed(Vec<Fault>),
}

/// Watches one directory by looking at it; the caller waits between looks.
#[derive(Debug)]
pub struct PolicyWatcher {
    dir: PathBuf,
    offered: Look,
    seen: Option<Look>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    Files([u8; 32]),
    Faults(Vec<Fault>),
}

impl PolicyWatcher {
    /// Watches `dir`, of which `current` is in force.
    pub fn new(dir: PathBuf, current: &PolicyFiles) -> Self {
        Self {
            dir,
            offered: Look::Files(current.digest()),
            seen: None,
        }
    }

    /// Looks once. Another state is offered once, when two looks in a row have found it.
    pub fn poll(&mut self) -> Poll {
        let (look, found) = match read_dir(&self.dir) {
            Ok(files) => (Look::Files(files.digest()), Poll::Changed(files)),
            Err(faults) => (Look::Faults(faults.clone()), Poll::Failed(faults)),
        };
        if look == self.offered {
            self.seen = None;
            return Poll::Unchanged;
        }
        if self.seen.as_ref() != Some(&look) {
            self.seen = Some(look);
            return Poll::Settling;
        }
        self.seen = None;
        self.offered = look;
        found
    }
}

/// Reads every file of a policy directory that means something there.
///
/// # Errors
///
/// A fault for each file that cannot be read; then none of the others counts either. A fault names
/// the file relative to the directory, or the directory itself.
pub fn read_dir(dir: &Path) -> Result<PolicyFiles, Vec<Fault>> {
    // Resolved once, so that a swap of the link in the middle cannot mix two states.
    let root = fs::canonicalize(dir.join(MOUNT_LINK)).unwrap_or_else(|_| dir.to_owned());
    let mut reading = Reading {
        dir: dir.to_owned(),
        root,
        files: Vec::new(),
        faults: Vec::new(),
    };
    reading.folder(Path::new(""), 0);
    if reading.faults.is_empty() {
        Ok(PolicyFiles::new(reading.files))
    } else {
        Err(reading.faults)
    }
}

struct Reading {
    /// As the operator named it.
    dir: PathBuf,
    /// Where it really is.
    root: PathBuf,
    files: Vec<Source>,
    faults: Vec<Fault>,
}

impl Reading {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where policy directories are read"
    )]
    fn folder(&mut self, below: &Path, depth: usize) {
        let entries = fs::read_dir(self.root.join(below));
        let entries = match entries.and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                let named = if depth == 0 { &*self.dir } else { below }.to_owned();
                return self.fault(&named, &format!("the folder cannot be read: {error}"));
            }
        };
        let mut paths: Vec<PathBuf> = entries
            .into_iter()
            .map(|entry| below.join(entry.file_name()))
            .collect();
        paths.sort();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.fault(&path, "the name is not UTF-8");
                continue;
            };
            if name.starts_with('.') || (depth == 0 && name == TESTS) {
                continue;
            }
            match fs::metadata(self.root.join(&path)) {
                Ok(found) if found.is_dir() && depth >= DEEPEST => {
                    self.fault(&path, "the folders are nested too deep");
                }
                Ok(found) if found.is_dir() => self.folder(&path, depth.saturating_add(1)),
                Ok(_) if has_meaning(name, depth) => self.file(&path),
                Err(error) if has_meaning(name, depth) => {
                    self.fault(&path, &format!("the file cannot be read: {error}"));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        if self.files.len() >= MAX_FILES {
            return self.fault(path, &format!("there are more than {MAX_FILES} files"));
        }
        match read(&self.root.join(path)) {
            Ok(text) => {
                let name = path.to_string_lossy();
                self.files.push(Source {
                    name: Arc::from(&*name),
                    text: text.into(),
                });
            }
            Err(error) => self.fault(path, &format!("the file cannot be read: {error}")),
        }
    }

    fn fault(&mut self, path: &Path, message: &str) {
        let source = Source {
            name: path.to_string_lossy().into(),
            text: "".into(),
        };
        self.faults
            .push(Fault::error(&source, None, message).hide_excerpt());
    }
}

fn has_meaning(name: &str, depth: usize) -> bool {
    let is_policy = Path::new(name).extension().is_some_and(|extension| {
        POLICY_SUFFIX
            .strip_prefix('.')
            .is_some_and(|s| extension == s)
    });
    is_policy || (depth == 0 && [SCHEMA_FILE, ENTITIES_FILE, TOOLS_FILE].contains(&name))
}

fn read(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_FILE_BYTES} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn dir(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), files);
        dir
    }

    fn write(dir: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn names(files: &PolicyFiles) -> Vec<&str> {
        files.files.iter().map(|file| &*file.name).collect()
    }

    #[test]
    fn what_means_nothing_is_left_out() {
        let dir = dir(&[
            ("b.cedar", "b"),
            ("a/x.cedar", "x"),
            ("a/tools.json", "-"),
            ("tools.json", "{}"),
            ("README.md", "-"),
            (".hidden.cedar", "-"),
            ("tests/t.cedar", "-"),
        ]);
        let files = read_dir(dir.path()).unwrap();
        assert_eq!(names(&files), ["a/x.cedar", "b.cedar", "tools.json"]);
    }

    #[test]
    fn one_unreadable_file_costs_them_all_and_is_named() {
        let dir = dir(&[("a.cedar", "a")]);
        fs::write(dir.path().join("b.cedar"), [0xff]).unwrap();
        fs::write(dir.path().join("c.cedar"), vec![b'x'; MAX_FILE_BYTES + 1]).unwrap();
        symlink("nowhere", dir.path().join("d.cedar")).unwrap();
        let faults = read_dir(dir.path()).unwrap_err();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].starts_with("b.cedar: error: the file cannot be read: it is not UTF-8"));
        assert!(
            faults[1].starts_with("c.cedar") && faults[2].starts_with("d.cedar"),
            "{faults:?}"
        );
        assert!(read_dir(&dir.path().join("gone")).is_err());
    }

    #[test]
    fn another_state_is_offered_once_when_it_was_seen_twice() {
        let dir = dir(&[("a.cedar", "1")]);
        let mut watcher = PolicyWatcher::new(dir.path().to_owned(), &read_dir(dir.path()).unwrap());
        assert!(matches!(watcher.poll(), Poll::Unchanged));
        write(dir.path(), &[("a.cedar", "2")]);
        assert!(matches!(watcher.poll(), Poll::Settling));
        write(dir.path(), &[("a.cedar", "3")]);
        assert!(
            matches!(watcher.poll(), Poll::Settling),
            "it has changed again"
        );
        assert!(matches!(watcher.poll(), Poll::Changed(files) if &*files.files[0].text == "3"));
        assert!(matches!(watcher.poll(), Poll::Unchanged));
        write(dir.path(), &[("a.cedar", "4")]);
        assert!(matches!(watcher.poll(), Poll::Settling));
        write(dir.path(), &[("a.cedar", "3")]);
        assert!(
            matches!(watcher.poll(), Poll::Unchanged),
            "it has changed back"
        );
    }

    #[test]
    fn a_directory_that_is_gone_is_reported_once_and_found_again() {
        let dir = dir(&[("p/a.cedar", "1")]);
        let policies = dir.path().join("p");
        let mut watcher = PolicyWatcher::new(policies.clone(), &read_dir(&policies).unwrap());
        fs::rename(&policies, dir.path().join("q")).unwrap();
        assert!(matches!(watcher.poll(), Poll::Settling));
        assert!(matches!(watcher.poll(), Poll::Failed(_)));
        assert!(matches!(watcher.poll(), Poll::Unchanged));
        fs::rename(dir.path().join("q"), &policies).unwrap();
        assert!(matches!(watcher.poll(), Poll::Settling));
        assert!(matches!(watcher.poll(), Poll::Changed(_)));
    }

    #[test]
    fn a_mount_is_read_through_the_link_that_is_swapped() {
        let dir = dir(&[
            ("..1/a.cedar", "old"),
            ("..2/a.cedar", "new"),
            ("..2/b.cedar", "new"),
        ]);
        let link = dir.path().join(MOUNT_LINK);
        symlink("..1", &link).unwrap();
        symlink("..data/a.cedar", dir.path().join("a.cedar")).unwrap();
        assert_eq!(names(&read_dir(dir.path()).unwrap()), ["a.cedar"]);
        symlink("..2", dir.path().join("..tmp")).unwrap();
        fs::rename(dir.path().join("..tmp"), &link).unwrap();
        let files = read_dir(dir.path()).unwrap();
        assert_eq!(names(&files), ["a.cedar", "b.cedar"]);
        assert!(files.files.iter().all(|file| &*file.text == "new"));
    }
}
