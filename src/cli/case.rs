//! A request as people describe it, read from a file.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use thiserror::Error;

use crate::fault::Fault;
use crate::fault::Source;
use crate::fault::yaml;
use crate::request::case::Case;
use crate::request::case::CaseFault;
use crate::request::case::Written;

/// Largest request file, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A description that cannot be read, or not be used.
#[derive(Debug, Error)]
pub(super) enum ReadFault {
    #[error("`{path}` cannot be read")]
    Read { path: String, source: io::Error },
    #[error("`{path}` is larger than {LARGEST_FILE} bytes")]
    Large { path: String },
    #[error("{0}")]
    Form(Box<Fault>),
    #[error("`{path}`")]
    In { path: String, source: CaseFault },
    #[error(transparent)]
    Case(#[from] CaseFault),
}

/// Reads a description from a file, or from standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Case, ReadFault> {
    parse(&source(path)?)
}

/// Reads a file, or standard input for `-`.
pub(super) fn source(path: &Path) -> Result<Source, ReadFault> {
    let name = path.display().to_string();
    let failed = |source| ReadFault::Read {
        path: name.clone(),
        source,
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(LARGEST_FILE.saturating_add(1))
            .read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| {
            file.take(LARGEST_FILE.saturating_add(1))
                .read_to_string(&mut text)
        })
    };
    let length = read.map_err(failed)?;
    if u64::try_from(length).is_ok_and(|length| length > LARGEST_FILE) {
        return Err(ReadFault::Large { path: name });
    }
    Ok(Source {
        name: name.into(),
        text: text.into(),
    })
}

fn parse(source: &Source) -> Result<Case, ReadFault> {
    let options = serde_saphyr::options! { with_snippet: false };
    let written: Result<Written, _> = serde_saphyr::from_str_with_options(&source.text, options);
    let written = written.map_err(|error| ReadFault::Form(Box::new(yaml::of(source, &error))))?;
    written.case().map_err(|fault| ReadFault::In {
        path: source.name.to_string(),
        source: fault,
    })
}
