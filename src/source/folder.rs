//! A folder of text files, read whole: every file that is wanted, or none.

use std::borrow::Cow;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::files::MAX_FILES;
use crate::policy::files::max_bytes;
use crate::source::settling::Stamp;

/// Deepest accepted subdirectory.
const MAX_DEPTH: usize = 8;
/// Most entries that are looked at, those that are then ignored included.
const MAX_ENTRIES: usize = 20_000;
/// Most bytes in all files together.
const MAX_TOTAL_BYTES: usize = 32 * 1024 * 1024;

/// Which files are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// By their name.
    pub(super) file: fn(&str) -> bool,
    /// Whether a folder is looked into although a file of its name would be wanted.
    pub(super) any_folder: bool,
    /// A subdirectory of the folder that is left out.
    pub(super) not_below: Option<&'static str>,
}

/// Reads the folder, in the order of the names, each of them relative to it.
///
/// Links are followed. Names that begin with a dot are left out.
///
/// # Errors
///
/// Every file that could not be read, is not UTF-8 or is over a bound, by name.
pub(super) fn read(dir: &Path, wanted: Wanted) -> Result<Vec<Source>, Vec<Fault>> {
    read_stamped(dir, wanted, &mut Stamp::default())
}

/// [`read`], with a stamp of every folder that was looked into and every file that was read.
///
/// # Errors
///
/// As there.
pub(super) fn read_stamped(
    dir: &Path,
    wanted: Wanted,
    stamp: &mut Stamp,
) -> Result<Vec<Source>, Vec<Fault>> {
    let mut walk = Walk::new(wanted, stamp);
    walk.directory(dir, "", 0);
    walk.end()
}

/// Reads one file, named by its whole path.
///
/// # Errors
///
/// As [`read`].
pub(super) fn read_one(path: &Path) -> Result<Source, Vec<Fault>> {
    let wanted = Wanted {
        file: |_| true,
        any_folder: false,
        not_below: None,
    };
    let mut stamp = Stamp::default();
    let mut walk = Walk::new(wanted, &mut stamp);
    walk.file(path, path.display().to_string());
    walk.end()
        .and_then(|files| files.into_iter().next().ok_or_else(Vec::new))
}

#[derive(Debug)]
struct Walk<'a> {
    wanted: Wanted,
    stamp: &'a mut Stamp,
    files: Vec<Source>,
    faults: Vec<Fault>,
    entries: usize,
    bytes: usize,
    /// A bound is broken: one fault says so, and nothing more is looked at. A few links that lead in
    /// a circle make thousands of paths.
    over: bool,
}

impl<'a> Walk<'a> {
    fn new(wanted: Wanted, stamp: &'a mut Stamp) -> Self {
        Self {
            wanted,
            stamp,
            files: Vec::new(),
            faults: Vec::new(),
            entries: 0,
            bytes: 0,
            over: false,
        }
    }

    fn end(self) -> Result<Vec<Source>, Vec<Fault>> {
        if self.faults.is_empty() {
            Ok(self.files)
        } else {
            Err(self.faults)
        }
    }

    fn directory(&mut self, dir: &Path, below: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return self.give_up(below, "the directory is nested too deeply");
        }
        if let Ok(metadata) = fs::metadata(dir) {
            self.stamp.add(&metadata);
        }
        let mut entries = match list(dir) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("the directory cannot be read: {error}");
                return self.fault(&shown(dir, below), &message);
            }
        };
        entries.sort();
        for path in entries {
            if self.over {
                return;
            }
            self.entries = self.entries.saturating_add(1);
            if self.entries > MAX_ENTRIES {
                return self.give_up(&shown(dir, below), "there are too many files");
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
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if (self.wanted.file)(name) => {
                return self.fault(&shown, &format!("the file cannot be read: {error}"));
            }
            // It was listed, and has just gone.
            Err(_) if fs::symlink_metadata(path).is_err() => return,
            // A link to nowhere may stand for a folder with policies in it.
            Err(error) => return self.fault(&shown, &format!("it cannot be looked into: {error}")),
        };
        let kind = metadata.file_type();
        if kind.is_dir() && (self.wanted.any_folder || !(self.wanted.file)(name)) {
            if !(below.is_empty() && Some(name) == self.wanted.not_below) {
                let below = format!("{shown}/");
                self.directory(path, &below, depth.saturating_add(1));
            }
        } else if (self.wanted.file)(name) {
            if kind.is_file() {
                self.stamp.add(&metadata);
                self.file(path, shown);
            } else {
                // A folder in the place of a file would take the file out of force without a word,
                // and opening a pipe could wait for ever.
                self.fault(&shown, "this is not a regular file");
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        match text(path, max_bytes(&name)) {
            Ok(text) => {
                self.bytes = self.bytes.saturating_add(text.len());
                if self.bytes > MAX_TOTAL_BYTES {
                    return self.give_up(&name, "the files are too large together");
                }
                if self.files.len() >= MAX_FILES {
                    return self.give_up(&name, "there are too many files");
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

/// The name of a folder; of the first one it is the whole path.
fn shown<'a>(dir: &'a Path, below: &'a str) -> Cow<'a, str> {
    if below.is_empty() {
        dir.to_string_lossy()
    } else {
        below.into()
    }
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "this is where folders are read")]
    let entries = fs::read_dir(dir)?;
    entries
        .take(MAX_ENTRIES.saturating_add(1))
        .map(|entry| Ok(entry?.path()))
        .collect()
}

/// The text of a file that may be growing, up to `most` bytes.
fn text(path: &Path, most: usize) -> io::Result<String> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let message = format!("it is larger than {most} bytes");
        return Err(io::Error::other(message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8 at byte {at}"))
    })
}
