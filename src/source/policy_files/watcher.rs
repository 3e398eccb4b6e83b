//! The policy directory, watched by looking again.
//!
//! Polling and comparing content needs no help from the file system, and it sees the way in which
//! Kubernetes updates a mounted `ConfigMap`: by turning a link to a directory around. What is read
//! while files are being written is not offered, because content must be read twice in a row.

use std::path::PathBuf;

use super::read_stamped;
use crate::policy::PolicyFiles;
use crate::source::settling::Digest;
use crate::source::settling::Poll;
use crate::source::settling::Settling;
use crate::source::settling::Stamp;
use crate::source::settling::Watched;

/// Looks at a directory again and again. The caller waits in between.
#[derive(Debug)]
pub struct PolicyWatcher {
    dir: PathBuf,
    seen: Settling,
}

impl PolicyWatcher {
    /// Watches for anything but `current`, the [digest](PolicyFiles::digest) of what is in force.
    pub fn new(dir: PathBuf, current: Digest) -> Self {
        Self {
            dir,
            seen: Settling::new(current),
        }
    }
}

impl Watched for PolicyWatcher {
    type Found = PolicyFiles;

    fn poll(&mut self) -> Poll<PolicyFiles> {
        let mut stamp = Stamp::default();
        let found = read_stamped(&self.dir, &mut stamp).map(|files| (files.digest(), files));
        self.seen.look(&stamp, found, Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use tempfile::TempDir;
    use tempfile::tempdir;

    use super::*;
    use crate::source::policy_files::read;

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

    #[test]
    fn what_changes_is_offered_when_it_has_settled() {
        let dir = with(&[("a.cedar", "1")]);
        let start = read(dir.path()).unwrap();
        let mut watcher = PolicyWatcher::new(dir.path().to_owned(), start.digest());
        assert_eq!(watcher.poll(), Poll::Unchanged);
        write(dir.path(), "a.cedar", "2");
        assert_eq!(watcher.poll(), Poll::Settling);
        write(dir.path(), "a.cedar", "3");
        assert_eq!(watcher.poll(), Poll::Settling, "it is still changing");
        let Poll::Changed(files) = watcher.poll() else {
            panic!("settled content is offered");
        };
        assert_eq!(files.files.first().map(|file| &*file.text), Some("3"));
        assert_eq!(watcher.poll(), Poll::Unchanged, "and offered once");
        write(dir.path(), "a.cedar", "4");
        assert_eq!(watcher.poll(), Poll::Settling);
        write(dir.path(), "a.cedar", "3");
        assert_eq!(watcher.poll(), Poll::Unchanged, "as if nothing had been");
        write(dir.path(), "a.cedar", "4");
        assert_eq!(
            watcher.poll(),
            Poll::Settling,
            "what was seen before that does not count"
        );
    }

    #[test]
    fn a_failure_is_told_once_and_changes_nothing() {
        let dir = with(&[("a.cedar", "1")]);
        let start = read(dir.path()).unwrap();
        let mut watcher = PolicyWatcher::new(dir.path().to_owned(), start.digest());
        fs::write(dir.path().join("b.cedar"), b"\xff").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(matches!(watcher.poll(), Poll::Failed(_)));
        assert_eq!(watcher.poll(), Poll::Unchanged);
        fs::remove_file(dir.path().join("b.cedar")).unwrap();
        assert_eq!(
            watcher.poll(),
            Poll::Recovered,
            "the good content is still in force"
        );
        fs::write(dir.path().join("b.cedar"), b"\xff").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(
            matches!(watcher.poll(), Poll::Failed(_)),
            "a new failure is told"
        );
    }

    #[test]
    fn a_mounted_config_map_is_followed() {
        let dir = with(&[("..1/a.cedar", "1"), ("..2/a.cedar", "2")]);
        let data = dir.path().join("..data");
        symlink("..1", &data).unwrap();
        symlink("..data/a.cedar", dir.path().join("a.cedar")).unwrap();
        let before = read(dir.path()).unwrap();
        assert_eq!(before.files.len(), 1);
        let mut watcher = PolicyWatcher::new(dir.path().to_owned(), before.digest());
        let turned = dir.path().join("..data_tmp");
        symlink("..2", &turned).unwrap();
        fs::rename(turned, data).unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        let Poll::Changed(files) = watcher.poll() else {
            panic!("the new directory is offered");
        };
        assert_eq!(files.files.first().map(|file| &*file.text), Some("2"));
    }
}
