//! Tarballs, as strictly as they can be read: plain files under plain names, and nothing after the end.

use std::io;
use std::io::Cursor;
use std::io::Read;

use flate2::Compression;
use flate2::GzBuilder;
use flate2::bufread::GzDecoder;
use tar::Archive;
use tar::Builder;
use tar::EntryType;
use tar::Header;
use tar::HeaderMode;

use super::BundleFault;
use super::MANIFEST_FILE;
use super::MAX_BYTES;
use super::MAX_FILES;
use super::SIGNATURE_FILE;
use super::UnverifiedBundle;
use super::name;
use super::name::NameFault;

/// What a gzip stream begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes of a block of a tarball.
const BLOCK: usize = 512;

/// Why bytes are not a tarball that is read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// More bytes than are accepted, as they were sent or decompressed.
    #[error("the bundle is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// It ends too early, or a checksum does not fit.
    #[error("the gzip stream is broken: {0}")]
    Gzip(String),
    /// Bytes follow the gzip stream.
    #[error("there is something after the end of the gzip stream")]
    AfterGzip,
    /// No tarball, or a broken one.
    #[error("not a tarball, or a broken one: {0}")]
    Tar(String),
    /// The last file is cut short.
    #[error("the tarball ends in the middle of `{0}`")]
    Truncated(String),
    /// The tarball has no end, so that it may have been longer.
    #[error("the tarball has no end")]
    NoEnd,
    /// Bytes follow the end, which another reader may take for files.
    #[error("there is something after the end of the tarball")]
    AfterEnd,
    /// Something that is no plain file: a link, a device, a header of an extension.
    #[error("`{name}` is {kind}; a bundle has plain files and directories only")]
    Kind {
        /// Its name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// A directory with content.
    #[error("the directory `{0}` has content")]
    Directory(String),
}

/// Reads a tarball (POSIX.1-1988 `ustar`, or what the first tar wrote), compressed by gzip or not. What
/// an entry holds is not looked at.
///
/// # Errors
///
/// [`BundleFault`]: the first thing that could mean something else to another reader.
pub fn unpack(bytes: &[u8]) -> Result<UnverifiedBundle, BundleFault> {
    if bytes.len() > MAX_BYTES {
        return Err(ArchiveFault::TooLarge.into());
    }
    if bytes.starts_with(&GZIP) {
        let bytes = decompress(bytes)?;
        return read(&bytes);
    }
    read(bytes)
}

/// The files as a tarball: manifest and signature first, then by name; no times, no owners.
///
/// # Errors
///
/// The library's; writing to memory does not fail.
pub fn pack(bundle: &UnverifiedBundle) -> io::Result<Vec<u8>> {
    let own = [MANIFEST_FILE, SIGNATURE_FILE];
    let first = own
        .iter()
        .filter_map(|name| Some((*name, bundle.files.get(*name)?)));
    let rest = bundle
        .files
        .iter()
        .map(|(name, file)| (name.as_str(), file));
    let rest = rest.filter(|(name, _)| !own.contains(name));
    let mut builder = Builder::new(Vec::new());
    builder.mode(HeaderMode::Deterministic);
    for (name, content) in first.chain(rest) {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(content.len()).map_err(io::Error::other)?);
        builder.append_data(&mut header, name, content.as_slice())?;
    }
    builder.into_inner()
}

/// The bytes, compressed by gzip: without a name and a time, so that the same bytes give the same.
///
/// # Errors
///
/// The library's; writing to memory does not fail.
pub fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .read(Cursor::new(bytes), Compression::best());
    let mut compressed = Vec::new();
    encoder.read_to_end(&mut compressed)?;
    Ok(compressed)
}

/// One gzip stream that fills `bytes`; never more than [`MAX_BYTES`] come out of it.
fn decompress(bytes: &[u8]) -> Result<Vec<u8>, ArchiveFault> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut decoder = GzDecoder::new(bytes);
    let mut out = Vec::new();
    (&mut decoder)
        .take(most.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(|error| ArchiveFault::Gzip(error.to_string()))?;
    if out.len() > MAX_BYTES {
        return Err(ArchiveFault::TooLarge);
    }
    if decoder.get_ref().is_empty() {
        Ok(out)
    } else {
        Err(ArchiveFault::AfterGzip)
    }
}

fn read(bytes: &[u8]) -> Result<UnverifiedBundle, BundleFault> {
    let broken = |error: io::Error| ArchiveFault::Tar(error.to_string());
    let mut bundle = UnverifiedBundle::default();
    let mut archive = Archive::new(bytes);
    // Raw: headers of extensions come as what they are, instead of changing the entry that follows.
    let entries = archive.entries().map_err(broken)?.raw(true);
    let mut seen = 0_usize;
    let mut end = 0_usize;
    for entry in entries {
        let mut entry = entry.map_err(broken)?;
        seen = seen.saturating_add(1);
        if seen > MAX_FILES {
            return Err(BundleFault::TooMany);
        }
        let name = entry_name(&entry.header().path_bytes())?;
        let size = usize::try_from(entry.size()).map_err(|_| ArchiveFault::TooLarge)?;
        match kind(entry.header().entry_type()) {
            Kind::File => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(broken)?;
                if content.len() != size {
                    return Err(ArchiveFault::Truncated(name).into());
                }
                bundle.insert(&name, content)?;
            }
            Kind::Directory => {
                name::check(name.strip_suffix('/').unwrap_or(&name))?;
                if size != 0 {
                    return Err(ArchiveFault::Directory(name).into());
                }
            }
            Kind::Other(kind) => {
                let name = name::shown(&name, name::MAX_NAME_BYTES);
                return Err(ArchiveFault::Kind { name, kind }.into());
            }
        }
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        end = start.saturating_add(size.checked_next_multiple_of(BLOCK).unwrap_or(usize::MAX));
    }
    check_end(bytes.get(end..).unwrap_or_default())?;
    Ok(bundle)
}

/// Two blocks of zeros end a tarball (POSIX.1, `pax`, "ustar Interchange Format"); more may fill it up.
fn check_end(rest: &[u8]) -> Result<(), ArchiveFault> {
    if rest.iter().any(|byte| *byte != 0) {
        return Err(ArchiveFault::AfterEnd);
    }
    if rest.len() < BLOCK.saturating_mul(2) {
        return Err(ArchiveFault::NoEnd);
    }
    Ok(())
}

/// A name that is not even text is refused by its place.
fn entry_name(bytes: &[u8]) -> Result<String, NameFault> {
    let text = std::str::from_utf8(bytes).map(str::to_owned);
    text.map_err(|_| {
        let lossy = String::from_utf8_lossy(bytes);
        NameFault::Unsound(name::shown(&lossy, name::MAX_NAME_BYTES))
    })
}

enum Kind {
    File,
    Directory,
    Other(&'static str),
}

fn kind(entry: EntryType) -> Kind {
    match entry.as_byte() {
        b'0' | b'\0' => Kind::File,
        b'5' => Kind::Directory,
        b'1' => Kind::Other("a hard link"),
        b'2' => Kind::Other("a symbolic link"),
        b'3' | b'4' => Kind::Other("a device"),
        b'6' => Kind::Other("a pipe"),
        b'S' => Kind::Other("a sparse file"),
        b'L' | b'K' => Kind::Other("a long name of GNU tar"),
        b'x' | b'g' | b'X' => Kind::Other("a header of the pax format"),
        _ => Kind::Other("of a kind that is not known"),
    }
}

#[cfg(test)]
mod tests;
