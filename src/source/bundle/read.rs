//! A bundle on disk: a tarball, or a directory that holds the same files.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use crate::identity::digest;
use crate::policy::bundle::ArchiveFault;
use crate::policy::bundle::BundleFault;
use crate::policy::bundle::MAX_BYTES;
use crate::policy::bundle::UnverifiedBundle;
use crate::policy::bundle::archive;
use crate::source::folder;
use crate::source::folder::Wanted;
use crate::source::policy_files::MOUNT_LINK;

/// Reads the bundle at `path`, whichever form it has. Nobody has vouched for what comes out.
///
/// In a directory links are followed and names that begin with a dot are left out, as in a policy
/// directory, so that a mounted `ConfigMap` can be one.
///
/// # Errors
///
/// [`BundleFault`]; [`BundleFault::Unreadable`] where the system says no.
pub fn read(path: &Path) -> Result<UnverifiedBundle, BundleFault> {
    if path.is_dir() {
        return directory(path);
    }
    let unreadable = |error: io::Error| BundleFault::Unreadable(error.to_string());
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // Asked before it is opened: opening a pipe waits for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        let message = "it is neither a file nor a directory";
        return Err(BundleFault::Unreadable(message.to_owned()));
    }
    let file = File::open(path).map_err(unreadable)?;
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(ArchiveFault::TooLarge.into());
    }
    archive::unpack(&bytes)
}

fn directory(dir: &Path) -> Result<UnverifiedBundle, BundleFault> {
    let mounted = fs::canonicalize(dir.join(MOUNT_LINK));
    let wanted = Wanted {
        file: |_| true,
        any_folder: true,
        not_below: None,
    };
    let files = folder::read(mounted.as_deref().unwrap_or(dir), wanted).map_err(|faults| {
        let first = faults.first();
        let message = first.map(|fault| format!("{}: {}", fault.file, fault.message));
        BundleFault::Unreadable(message.unwrap_or_default())
    })?;
    let mut bundle = UnverifiedBundle::default();
    for file in files {
        bundle.insert(&file.name, file.text.as_bytes().to_vec())?;
    }
    Ok(bundle)
}

/// The SHA-256 over names and contents; equal only for equal files.
pub(super) fn digest(bundle: &UnverifiedBundle) -> [u8; 32] {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (name, content) in bundle.files() {
        // A name holds no line break, and the length says where the content ends.
        parts.push(format!("{name}\n{}\n", content.len()).into_bytes());
        parts.push(digest::sha256(&[content]).to_vec());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    digest::sha256(&parts)
}
