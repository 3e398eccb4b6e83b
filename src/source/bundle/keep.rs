//! The last good bundle on disk, and which one it was: for a start without its source, and so that none
//! older may follow.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use super::about;
use super::exists;
use super::read;
use crate::fault::Fault;
use crate::identity::key_set::KeySet;
use crate::policy::bundle::Accepted;
use crate::policy::bundle::Bundle;
use crate::policy::bundle::archive;
use crate::source::whole_file;

/// The copy.
const COPY: &str = "bundle.tar";
/// Which bundle was in force last. It outlives a copy that no key verifies any more.
const NOTE: &str = "accepted.json";
/// Longest note, in bytes.
const MAX_NOTE_BYTES: u64 = 1024;

/// The directory of the last good bundle.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    dir: PathBuf,
}

impl Keep {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// What was in force last, as the note says or the copy, whichever is newer.
    ///
    /// # Errors
    ///
    /// A note that cannot be read: it may have named a revision that must not be forgotten.
    pub(super) fn accepted(&self, keys: &KeySet) -> Result<Option<Accepted>, Vec<Fault>> {
        let path = self.dir.join(NOTE);
        let noted = match note(&path) {
            Ok(text) => match Accepted::from_json(&text) {
                Some(accepted) => Some(accepted),
                None => return Err(vec![unreadable(&path, "it is not what was written there")]),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(vec![unreadable(&path, &error.to_string())]),
        };
        let copied = self.load(keys).and_then(Result::ok);
        let copied = copied.as_ref().map(Accepted::of);
        Ok(match (noted, copied) {
            (Some(noted), Some(copied)) if copied.revision > noted.revision => Some(copied),
            (noted, copied) => noted.or(copied),
        })
    }

    /// The copy, verified as if it had just come; absent where there is none.
    pub(super) fn load(&self, keys: &KeySet) -> Option<Result<Bundle, Vec<Fault>>> {
        let path = self.dir.join(COPY);
        let found = exists(&path).then(|| read(&path))?;
        let verified = found.and_then(|found| found.verify(keys));
        Some(verified.map_err(|fault| {
            let name = path.display().to_string();
            let fault = about(&name, fault.to_string());
            vec![fault.help(
                "this is the copy of the last good bundle; it is verified again at each start",
            )]
        }))
    }

    /// Whether the copy is of exactly these files, and the note of them.
    pub(super) fn holds(&self, bundle: &Bundle) -> bool {
        let noted = note(&self.dir.join(NOTE)).ok();
        noted.and_then(|text| Accepted::from_json(&text)) == Some(Accepted::of(bundle))
            && read(&self.dir.join(COPY)).is_ok_and(|copy| copy == *bundle.raw())
    }

    /// Keeps the bundle: the copy first, so that the note never names one that was not there.
    pub(super) fn store(&self, bundle: &Bundle) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let packed = archive::pack(bundle.raw())?;
        whole_file::replace(&self.dir.join(COPY), &packed)?;
        let note = Accepted::of(bundle).to_json();
        whole_file::replace(&self.dir.join(NOTE), note.as_bytes())
    }
}

fn note(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?
        .take(MAX_NOTE_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
}

fn unreadable(path: &Path, why: &str) -> Fault {
    let name = path.display().to_string();
    about(
        &name,
        format!("which bundle was in force last cannot be read: {why}"),
    )
    .help("without it an older bundle would be accepted; remove the file if that is meant")
}
