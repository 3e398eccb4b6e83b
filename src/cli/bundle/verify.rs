//! `cedargate bundle verify`

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use clap::ArgGroup;
use serde_json::json;
use thiserror::Error;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::config;
use crate::config::Algorithm;
use crate::config::LocalKey;
use crate::config::LocalMaterial;
use crate::config::Overrides;
use crate::fault::Fault;
use crate::identity::crypto;
use crate::identity::crypto::CryptoFault;
use crate::identity::detached::SignatureFault;
use crate::identity::digest;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::KeySetFault;
use crate::policy::bundle::Bundle;
use crate::policy::bundle::BundleFault;
use crate::policy::bundle::UnverifiedBundle;
use crate::policy::bundle::manifest;
use crate::source::bundle;

/// Check a bundle as a sidecar would, and say what it holds
///
/// Checks the signature and every file. Whether the policies are any good is for `cedargate validate` to
/// say, and whether the bundle is newer than the one in force, for the sidecar.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("signers").args(["key", "config"]).required(true),
    after_help = "\
Examples:
  cedargate bundle verify policies.tar.gz --key release.pem
  cedargate bundle verify policies.tar.gz --config cedargate.yaml

Exit codes: 0 the bundle is sound; 1 failure; 2 wrong usage; 3 an invalid bundle or configuration."
)]
pub(in crate::cli) struct Verify {
    /// The bundle: a tarball, or a directory with the same files
    #[arg(value_name = "FILE|DIR")]
    bundle: PathBuf,
    /// A public key in PEM form; may be repeated
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// A configuration, whose `policies.bundle.keys` are taken
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Error)]
enum VerifyError {
    #[error("invalid files")]
    Files(Vec<Fault>),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Crypto(#[from] CryptoFault),
    #[error("`{0}` holds no public key in PEM form (RSA, P-256, P-384 or Ed25519)")]
    NoKey(String),
    #[error("`{0}` has no `policies.bundle`; name a key with `--key`")]
    NoBundle(String),
    #[error("the keys cannot be used")]
    Keys(#[from] KeySetFault),
    #[error("`{path}`")]
    Bundle { path: String, source: BundleFault },
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Exit {
        match self.verified() {
            Ok(bundle) => output.data(&self.shown(&bundle)),
            Err(VerifyError::Files(faults)) => output.faults(&faults),
            Err(
                error @ VerifyError::Bundle {
                    source: BundleFault::Unreadable(_),
                    ..
                },
            ) => output.failure(&error),
            Err(VerifyError::Bundle { path, source }) => {
                output.faults(&[bundle::refusal(&path, &source)])
            }
            Err(error @ VerifyError::NoBundle(_)) => output.usage(&error),
            Err(error) => output.failure(&error),
        }
    }

    fn verified(&self) -> Result<Bundle, VerifyError> {
        crypto::install()?;
        // One set for each: two keys without names would leave it open whose signature it is.
        let mut sets = Vec::new();
        for path in &self.key {
            sets.push(KeySet::from_local(&of_file(path)?)?);
        }
        if let Some(path) = &self.config {
            let loaded = config::load_with(path, &Overrides::default());
            let config = loaded.map_err(VerifyError::Files)?.config;
            let rules = config.policies.bundle;
            let rules = rules.ok_or_else(|| VerifyError::NoBundle(path.display().to_string()))?;
            let keys: Vec<LocalKey> = rules.keys.iter().map(LocalKey::from).collect();
            sets.push(KeySet::from_local(&keys)?);
        }
        bundle::read(&self.bundle)
            .and_then(|found| by_any(&found, &sets))
            .map_err(|source| VerifyError::Bundle {
                path: self.bundle.display().to_string(),
                source,
            })
    }

    fn shown(&self, bundle: &Bundle) -> String {
        let manifest = &bundle.manifest;
        let end = manifest.not_after.map(manifest::time_text);
        let signed_by = &bundle.signed_by;
        if self.json {
            let files = manifest.files.iter().map(|(name, listed)| {
                let digest = digest::hex(&listed.sha256);
                json!({"name": name, "size": listed.size, "sha256": digest})
            });
            return json!({
                "revision": manifest.revision,
                "not_after": end,
                "algorithm": signed_by.algorithm.name(),
                "kid": signed_by.key_id,
                "key": signed_by.thumbprint,
                "files": files.collect::<Vec<_>>(),
            })
            .to_string();
        }
        let kid = signed_by.key_id.as_ref();
        let kid = kid.map_or_else(String::new, |kid| format!(" `{}`", kid.escape_debug()));
        let mut text = format!(
            "{}: sound, revision {}, signed with {} by the key{kid} {}\n",
            self.bundle.display(),
            manifest.revision,
            signed_by.algorithm.name(),
            signed_by.thumbprint
        );
        if let Some(end) = end {
            writeln!(text, "not to be put in force after {end}").ok();
        }
        for (name, listed) in &manifest.files {
            writeln!(
                text,
                "  {} {:>8} {name}",
                short(&listed.sha256),
                listed.size
            )
            .ok();
        }
        text
    }
}

/// Verified by the first of the sets that can; otherwise what is wrong with the bundle itself, if one of
/// them has signed it, or with the signature.
fn by_any(found: &UnverifiedBundle, sets: &[KeySet]) -> Result<Bundle, BundleFault> {
    let mut fault = BundleFault::Signature(SignatureFault::UnknownKey);
    for keys in sets {
        match found.clone().verify(keys) {
            Ok(bundle) => return Ok(bundle),
            Err(signature @ BundleFault::Signature(_)) => fault = signature,
            Err(other) => return Err(other),
        }
    }
    Err(fault)
}

/// Enough of a digest to tell two files apart by eye.
fn short(sha256: &[u8; 32]) -> String {
    digest::hex(sha256.get(..6).unwrap_or_default())
}

/// The key, for each algorithm that it fits.
fn of_file(path: &Path) -> Result<Vec<LocalKey>, VerifyError> {
    let pem = input::file(path, input::KEY_FILE)?;
    let fitting: Vec<LocalKey> = Algorithm::ASYMMETRIC
        .into_iter()
        .map(|algorithm| LocalKey {
            material: LocalMaterial::Pem(pem.clone()),
            algorithm,
            kid: None,
        })
        .filter(|key| KeySet::from_local(std::slice::from_ref(key)).is_ok())
        .collect();
    if fitting.is_empty() {
        return Err(VerifyError::NoKey(path.display().to_string()));
    }
    Ok(fitting)
}
