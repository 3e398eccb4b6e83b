//! Signed bundles of policy files: nothing of one is parsed before its signature and every digest fit.
//!
//! A bundle is a set of files by name: the policy files, `tests/*.yaml`, a [`manifest`] that lists them
//! all, and a detached signature over the manifest's exact bytes. It travels as a tarball ([`archive`])
//! or lies in a directory; this module sees names and bytes either way. What is not listed is a fault,
//! and so is what is listed and not there.

pub mod archive;
pub mod manifest;
pub mod name;
mod order;

use std::collections::BTreeMap;

pub use self::archive::ArchiveFault;
pub use self::manifest::Manifest;
pub use self::manifest::ManifestFault;
use self::name::NameFault;
pub use self::order::Accepted;
pub use self::order::OrderFault;
use super::PolicyFiles;
use crate::fault::Source;
use crate::identity::detached;
use crate::identity::detached::SignatureFault;
use crate::identity::detached::SignedBy;
use crate::identity::digest;
use crate::identity::key_set::KeySet;

/// Name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Name of the signature over the manifest.
pub const SIGNATURE_FILE: &str = "manifest.jws";
/// What the names of policy tests begin with.
pub const TESTS_PREFIX: &str = "tests/";
/// The `typ` of the signature: a key that signs other things as well cannot be made to sign a bundle.
pub const SIGNATURE_TYPE: &str = "cedargate-bundle";

/// Most bytes of a bundle, as it is sent and again once it is decompressed.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Most files of a bundle, manifest and signature among them.
pub const MAX_FILES: usize = 2_000;
/// Largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;

/// Why a bundle is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// It is not an archive that is read here.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// The system does not let it be read.
    #[error("the bundle cannot be read: {0}")]
    Unreadable(String),
    /// A name that no file of a bundle has.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// More files than are accepted.
    #[error("the bundle has more than {MAX_FILES} files")]
    TooMany,
    /// All files together are larger than is accepted.
    #[error("the files of the bundle are larger than {MAX_BYTES} bytes together")]
    TooLarge,
    /// One of the two files that every bundle has is not there.
    #[error("the bundle has no `{0}`; `cedargate bundle build` makes one that has")]
    Missing(&'static str),
    /// The manifest is larger than is accepted.
    #[error("`{MANIFEST_FILE}` is larger than {MAX_MANIFEST_BYTES} bytes")]
    LargeManifest,
    /// Nobody who is trusted has signed it.
    #[error("`{SIGNATURE_FILE}`: {0}")]
    Signature(SignatureFault),
    /// It was signed, but does not say what it must.
    #[error("`{MANIFEST_FILE}`: {0}")]
    Manifest(ManifestFault),
    /// A file is there that nobody has signed.
    #[error("`{0}` is not listed in `{MANIFEST_FILE}`")]
    Unlisted(String),
    /// A file is not there.
    #[error("`{0}` is listed in `{MANIFEST_FILE}`, and is not there")]
    Absent(String),
    /// A file is longer or shorter than was signed.
    #[error("`{name}` has {found} bytes; `{MANIFEST_FILE}` says {listed}")]
    Size {
        /// Its name.
        name: String,
        /// Its size, in bytes.
        found: usize,
        /// The size that was signed, in bytes.
        listed: usize,
    },
    /// A file is another one than was signed.
    #[error("`{0}` is not the file that was signed: its SHA-256 differs")]
    Digest(String),
    /// A file is not text.
    #[error("`{0}` is not UTF-8")]
    NotText(String),
}

// Written out, because their text is part of the message and must not be told twice as its source.
impl From<SignatureFault> for BundleFault {
    fn from(fault: SignatureFault) -> Self {
        Self::Signature(fault)
    }
}

impl From<ManifestFault> for BundleFault {
    fn from(fault: ManifestFault) -> Self {
        Self::Manifest(fault)
    }
}

impl BundleFault {
    /// The way out, where it is not plain from the message.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Signature(SignatureFault::Ambiguous | SignatureFault::UnknownKey) => Some(
                "sign it with `cedargate bundle build --kid` and a `kid` that the keys here have",
            ),
            Self::Signature(_) => Some(
                "it is accepted only as it left `cedargate bundle build`, with the private half of a key that \
                 is configured here",
            ),
            Self::Unlisted(_) | Self::Absent(_) | Self::Size { .. } | Self::Digest(_) => Some(
                "a bundle is used as it was signed or not at all: change the policies where it is built, and \
                 build it again",
            ),
            Self::Archive(_) | Self::Name(_) => {
                Some("`cedargate bundle build` packs what is read here")
            }
            Self::Unreadable(_)
            | Self::TooMany
            | Self::TooLarge
            | Self::Missing(_)
            | Self::LargeManifest
            | Self::Manifest(_)
            | Self::NotText(_) => None,
        }
    }
}

/// The files of a bundle as they came. Nobody has vouched for them, and nobody has read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnverifiedBundle {
    files: BTreeMap<String, Vec<u8>>,
}

/// A bundle whose signature and files were checked.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// What was signed.
    pub manifest: Manifest,
    /// Who signed it.
    pub signed_by: SignedBy,
    /// The policy files. Nobody has parsed them.
    pub policies: PolicyFiles,
    /// The policy tests, each with its name in the bundle.
    pub tests: Vec<Source>,
    digest: [u8; 32],
    raw: UnverifiedBundle,
}

impl UnverifiedBundle {
    /// Takes a file.
    ///
    /// # Errors
    ///
    /// [`BundleFault::Name`], [`BundleFault::TooMany`].
    pub fn insert(&mut self, name: &str, content: Vec<u8>) -> Result<(), BundleFault> {
        name::check(name)?;
        if self.files.len() >= MAX_FILES {
            return Err(BundleFault::TooMany);
        }
        if self.files.contains_key(name) {
            return Err(NameFault::Repeated(name.to_owned()).into());
        }
        self.files.insert(name.to_owned(), content);
        Ok(())
    }

    /// The files, by name.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Checks the signature over the manifest and then every file against the manifest.
    ///
    /// # Errors
    ///
    /// [`BundleFault`], the first that is met.
    pub fn verify(self, keys: &KeySet) -> Result<Bundle, BundleFault> {
        let total = self.files.values().fold(0_usize, |sum, content| {
            // Whatever overflows is too large.
            sum.saturating_add(content.len())
        });
        if total > MAX_BYTES {
            return Err(BundleFault::TooLarge);
        }
        name::check_apart(self.files.keys())?;
        let manifest = self.required(MANIFEST_FILE)?;
        if manifest.len() > MAX_MANIFEST_BYTES {
            return Err(BundleFault::LargeManifest);
        }
        let signature = std::str::from_utf8(self.required(SIGNATURE_FILE)?)
            .map_err(|_| SignatureFault::NotDetached)?;
        let signature = signature.strip_suffix('\n').unwrap_or(signature);
        let signed_by = detached::verify(signature, manifest, SIGNATURE_TYPE, keys)?;
        // Only now does anything read what the bundle holds.
        let digest = digest::sha256(&[manifest]);
        let manifest = Manifest::parse(manifest)?;
        self.compare(&manifest)?;
        let (mut policies, mut tests) = (Vec::new(), Vec::new());
        for name in manifest.files.keys() {
            let file = self.source(name)?;
            if name.starts_with(TESTS_PREFIX) {
                tests.push(file);
            } else {
                policies.push(file);
            }
        }
        Ok(Bundle {
            manifest,
            signed_by,
            policies: PolicyFiles::new(policies),
            tests,
            digest,
            raw: self,
        })
    }

    /// Every file listed, every listed file there, and each the one that was signed.
    fn compare(&self, manifest: &Manifest) -> Result<(), BundleFault> {
        let own = |name: &str| matches!(name, MANIFEST_FILE | SIGNATURE_FILE);
        let mut names = self.files.keys().filter(|name| !own(name));
        if let Some(name) = names.find(|name| !manifest.files.contains_key(*name)) {
            return Err(BundleFault::Unlisted(name.clone()));
        }
        for (name, listed) in &manifest.files {
            let content = self.files.get(name);
            let content = content.ok_or_else(|| BundleFault::Absent(name.clone()))?;
            if content.len() != listed.size {
                return Err(BundleFault::Size {
                    name: name.clone(),
                    found: content.len(),
                    listed: listed.size,
                });
            }
            if !digest::same(&digest::sha256(&[content]), &listed.sha256) {
                return Err(BundleFault::Digest(name.clone()));
            }
        }
        Ok(())
    }

    fn required(&self, name: &'static str) -> Result<&[u8], BundleFault> {
        let content = self.files.get(name).ok_or(BundleFault::Missing(name))?;
        Ok(content)
    }

    fn source(&self, name: &str) -> Result<Source, BundleFault> {
        let content = self.files.get(name).map(Vec::as_slice).unwrap_or_default();
        let text =
            std::str::from_utf8(content).map_err(|_| BundleFault::NotText(name.to_owned()))?;
        Ok(Source {
            name: name.into(),
            text: text.into(),
        })
    }
}

impl Bundle {
    /// The SHA-256 of the manifest: what tells this bundle from every other, however it is packed and
    /// whoever signed it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The files as they came, signature included: what has to be kept to verify it again.
    pub fn raw(&self) -> &UnverifiedBundle {
        &self.raw
    }
}

#[cfg(test)]
mod tests;
