//! The file of revocations, read whole, and watched by looking again.
//!
//! As with policies, content must be read twice in a row before it is offered, so that half of a list
//! that is being written does not go live; and a list that is missing or faulty changes nothing.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::digest;

use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::revocation::MAX_BYTES;
use crate::identity::revocation::Revocations;
use crate::source::settling::Digest;
use crate::source::settling::Poll;
use crate::source::settling::Settling;
use crate::source::settling::Stamp;
use crate::source::settling::Watched;

/// Reads the list, and what a [`RevocationWatcher`] knows it by. Links are followed. It blocks on the
/// file system.
///
/// # Errors
///
/// Why the file cannot be read, or every fault in it.
pub fn load(path: &Path) -> Result<(Revocations, Digest), Vec<Fault>> {
    let source = read(path).map_err(|fault| vec![fault])?;
    let revocations = Revocations::parse(&source)?;
    Ok((revocations, digest(&source)))
}

/// Looks at a file again and again. The caller waits in between.
#[derive(Debug)]
pub struct RevocationWatcher {
    path: PathBuf,
    seen: Settling,
}

impl RevocationWatcher {
    /// Watches for anything but `current`, the digest of what is in force.
    pub fn new(path: PathBuf, current: Digest) -> Self {
        Self {
            path,
            seen: Settling::new(current),
        }
    }
}

impl Watched for RevocationWatcher {
    type Found = Revocations;

    fn poll(&mut self) -> Poll<Revocations> {
        let mut stamp = Stamp::default();
        if let Ok(metadata) = fs::metadata(&self.path) {
            stamp.add(&metadata);
        }
        let found = read(&self.path).map(|source| (digest(&source), source));
        let found = found.map_err(|fault| vec![fault]);
        let accept = |source| Revocations::parse(&source);
        self.seen.look(&stamp, found, accept)
    }
}

fn read(path: &Path) -> Result<Source, Fault> {
    let name = path.display().to_string();
    match text(path) {
        Ok(text) => Ok(Source {
            name: name.into(),
            text: text.into(),
        }),
        Err(error) => {
            let source = Source {
                name: name.into(),
                text: "".into(),
            };
            let message = format!("the file cannot be read: {error}");
            Err(Fault::error(&source, None, message).hide_excerpt())
        }
    }
}

/// The text of a file that may be growing.
fn text(path: &Path) -> io::Result<String> {
    // Opening a pipe could wait for ever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        let message = format!("it is larger than {MAX_BYTES} bytes");
        return Err(io::Error::other(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8 at byte {at}"))
    })
}

fn digest(source: &Source) -> Digest {
    let mut made = [0; 32];
    let digest = digest::digest(&digest::SHA256, source.text.as_bytes());
    for (to, from) in made.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    made
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;
    use tempfile::tempdir;

    use super::*;
    use crate::identity::testing;

    fn file(text: &str) -> (TempDir, PathBuf) {
        let dir = tempdir().unwrap();
        let path = dir.path().join("revoked.yaml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    fn watch(path: &Path) -> RevocationWatcher {
        let (_, digest) = load(path).unwrap();
        RevocationWatcher::new(path.to_owned(), digest)
    }

    /// Whether the list revokes the token of that id.
    fn revokes(list: &Revocations, id: &str) -> bool {
        let mut token = testing::verified(&[]);
        token.token_id = Some(id.into());
        list.revokes(&token)
    }

    fn changed(poll: Poll<Revocations>) -> Revocations {
        match poll {
            Poll::Changed(list) => list,
            other @ (Poll::Unchanged | Poll::Recovered | Poll::Settling | Poll::Failed(_)) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn a_list_that_has_settled_is_offered_once() {
        let (_dir, path) = file("jti: [a]");
        assert!(revokes(&load(&path).unwrap().0, "a"));
        let mut watcher = watch(&path);
        assert_eq!(watcher.poll(), Poll::Unchanged);
        fs::write(&path, "jti: [a, b]").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        fs::write(&path, "jti: [a, b, c]").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling, "it is still changing");
        assert!(revokes(&changed(watcher.poll()), "c"));
        assert_eq!(watcher.poll(), Poll::Unchanged);
        fs::write(&path, "jti: [a]").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        fs::write(&path, "jti: [a, b, c]").unwrap();
        assert_eq!(watcher.poll(), Poll::Unchanged, "as if nothing had been");
        fs::write(&path, "jti: [a]").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling, "and it must settle again");
        assert!(!revokes(&changed(watcher.poll()), "b"));
    }

    #[test]
    fn no_bad_file_is_offered() {
        let (dir, path) = file("jti: [a]");
        let mut watcher = watch(&path);
        let large = " ".repeat(MAX_BYTES + 1);
        let bad: [(&[u8], &str); 6] = [
            (b"", "empty"),
            (b"jti: [a", ""),
            (b"jti: [\xff]", "not UTF-8 at byte 6"),
            (b"jtis: [a]", "jtis"),
            (b"jti: [a]\njti: [b]", "duplicate"),
            (large.as_bytes(), "larger than"),
        ];
        for (content, expected) in bad {
            fs::write(&path, content).unwrap();
            assert_eq!(watcher.poll(), Poll::Settling);
            let Poll::Failed(faults) = watcher.poll() else {
                panic!("{expected} is a failure");
            };
            assert!(faults[0].to_string().contains(expected), "{}", faults[0]);
            assert_eq!(watcher.poll(), Poll::Unchanged, "told once");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(matches!(watcher.poll(), Poll::Failed(_)));
        symlink(dir.path(), &path).unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(matches!(watcher.poll(), Poll::Failed(_)), "a directory");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "jti: [a]").unwrap();
        assert_eq!(
            watcher.poll(),
            Poll::Recovered,
            "it was in force throughout"
        );
        fs::write(&path, "").unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(matches!(watcher.poll(), Poll::Failed(_)), "told anew");
    }

    #[test]
    fn a_file_that_is_not_there_at_start_is_a_fault() {
        let (dir, _) = file("");
        let faults = load(&dir.path().join("nowhere.yaml")).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0]
                .to_string()
                .contains("nowhere.yaml: error: the file cannot be read")
        );
    }

    #[test]
    fn a_mounted_config_map_is_followed() {
        let dir = tempdir().unwrap();
        for (version, id) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(dir.path().join(version)).unwrap();
            let path = dir.path().join(version).join("revoked.yaml");
            fs::write(path, format!("jti: [{id}]")).unwrap();
        }
        let data = dir.path().join("..data");
        let path = dir.path().join("revoked.yaml");
        symlink("..1", &data).unwrap();
        symlink("..data/revoked.yaml", &path).unwrap();
        let mut watcher = watch(&path);
        let turned = dir.path().join("..data_tmp");
        symlink("..2", &turned).unwrap();
        fs::rename(turned, data).unwrap();
        assert_eq!(watcher.poll(), Poll::Settling);
        assert!(revokes(&changed(watcher.poll()), "b"));
    }

    #[test]
    fn a_writer_who_is_looked_at_after_each_byte_shows_no_half_of_a_list() {
        let (_dir, path) = file("jti: [old]");
        let mut watcher = watch(&path);
        let whole = "# of today\njti:\n- first\n- second\nsubjects: [jane, 'https://a#joe']\n";
        let mut writer = File::create(&path).unwrap();
        for byte in whole.as_bytes() {
            assert_eq!(watcher.poll(), Poll::Settling);
            writer.write_all(&[*byte]).unwrap();
        }
        assert_eq!(watcher.poll(), Poll::Settling);
        let list = changed(watcher.poll());
        assert_eq!(list.len(), 4);
        assert!(revokes(&list, "second") && !revokes(&list, "old"));
    }

    /// A writer who stops for longer than two looks is not told from one who has finished. What he
    /// leaves is then a list or it is not; never does a part of it empty the list that is in force.
    #[test]
    fn a_writer_who_stops_half_way_does_not_empty_the_list() {
        let whole = "jti:\n- first\n- second\n";
        for length in 0..whole.len() {
            let part = whole.get(..length).unwrap();
            let (_dir, path) = file("jti: [old]");
            let mut watcher = watch(&path);
            fs::write(&path, part).unwrap();
            assert_eq!(watcher.poll(), Poll::Settling);
            match watcher.poll() {
                Poll::Failed(_) => {}
                Poll::Changed(list) => assert!(!list.is_empty(), "{length}"),
                other @ (Poll::Unchanged | Poll::Recovered | Poll::Settling) => {
                    panic!("{length}: {other:?}")
                }
            }
        }
    }
}
