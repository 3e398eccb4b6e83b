//! `cedargate bundle build`

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::cli::policies;
use crate::cli::sign::Named;
use crate::cli::sign::SignError;
use crate::cli::sign::SigningKey;
use crate::config::Algorithm;
use crate::config::LocalKey;
use crate::config::LocalMaterial;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::identity::crypto;
use crate::identity::crypto::CryptoFault;
use crate::identity::key_set::KeySet;
use crate::identity::key_set::KeySetFault;
use crate::policy::bundle::BundleFault;
use crate::policy::bundle::MANIFEST_FILE;
use crate::policy::bundle::Manifest;
use crate::policy::bundle::SIGNATURE_FILE;
use crate::policy::bundle::SIGNATURE_TYPE;
use crate::policy::bundle::TESTS_PREFIX;
use crate::policy::bundle::UnverifiedBundle;
use crate::policy::bundle::archive;
use crate::policy::bundle::manifest::MAX_REVISION;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;
use crate::source::policy_files;
use crate::source::policy_files::TESTS_DIRECTORY;
use crate::source::whole_file;

/// Sign the policies of a directory, and pack them
///
/// The bundle holds what `serve` reads of a policy directory, and the policy tests. Policies with errors
/// are not signed. The same directory, revision and `--not-after` give the same bytes, but for the
/// signature.
///
/// A sidecar takes no bundle of a lower revision than the last one, so that nobody can bring back what a
/// newer one has taken away; without `--revision` it is the number of seconds since 1970.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate bundle build policies --key release.key --out policies.tar.gz
  cedargate bundle build policies --key release.key --out policies.tar --revision 42 --kid 2026
  cedargate bundle build policies --key release.key --out policies.tar.gz --not-after 2027-01-31T00:00:00Z

`cedargate token mint --new-key FILE` makes a key; its public half belongs into `policies.bundle.keys`.

Exit codes: 0 written; 1 failure; 2 wrong usage; 3 invalid policies.")]
pub(in crate::cli) struct Build {
    /// The policy directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The private key: PKCS#8 in PEM form; RSA, P-256, P-384 or Ed25519
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the bundle goes: a name that ends in `.tar`, `.tar.gz` or `.tgz`
    #[arg(long, value_name = "FILE", value_parser = out)]
    out: Out,
    /// The revision, higher than every one before [default: seconds since 1970]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MAX_REVISION))]
    revision: Option<u64>,
    /// A time (RFC 3339) after which no sidecar puts the bundle in force; one in force stays
    #[arg(long, value_name = "TIME", value_parser = moment)]
    not_after: Option<OffsetDateTime>,
    /// The name of the key, as a configuration with several keys knows it
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// The algorithm [default: the usual one of the key: ES256, ES384, `EdDSA` or RS256]
    #[arg(
        long,
        value_name = "ALGORITHM",
        ignore_case = true,
        hide_possible_values = true
    )]
    algorithm: Option<Named>,
}

/// Where the bundle goes, and how it is packed.
#[derive(Clone, Debug)]
struct Out {
    path: PathBuf,
    is_compressed: bool,
}

#[derive(Debug, Error)]
enum BuildError {
    #[error("invalid policies")]
    Policies(Vec<Fault>),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("`{path}`")]
    Key { path: String, source: SignError },
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("`{0}` is not a directory; name the directory that holds the policies")]
    NoDirectory(String),
    #[error("the bundle would not be accepted")]
    Bundle(#[from] BundleFault),
    #[error("the key would not be accepted")]
    Keys(#[from] KeySetFault),
    #[error(transparent)]
    Crypto(#[from] CryptoFault),
    #[error("the manifest cannot be written")]
    Manifest(#[from] serde_json::Error),
    #[error("`{path}` cannot be written")]
    Write { path: String, source: io::Error },
}

/// What was written.
struct Built {
    files: usize,
    bytes: usize,
    revision: u64,
}

impl Build {
    pub(super) fn run(self, output: Output) -> Exit {
        match self.build(output) {
            Ok(built) => output.data(&format!(
                "{}: revision {}, {} files, {} bytes",
                self.out.path.display(),
                built.revision,
                built.files,
                built.bytes
            )),
            Err(BuildError::Policies(faults)) => output.faults(&faults),
            Err(
                error
                @ (BuildError::NoDirectory(_) | BuildError::Sign(SignError::Algorithm { .. })),
            ) => output.usage(&error),
            Err(error @ BuildError::Bundle(_)) => {
                output.failure(&error);
                Exit::Invalid
            }
            Err(error) => output.failure(&error),
        }
    }

    fn build(&self, output: Output) -> Result<Built, BuildError> {
        crypto::install()?;
        if !self.dir.is_dir() {
            return Err(BuildError::NoDirectory(self.dir.display().to_string()));
        }
        let text = input::file(&self.key, input::KEY_FILE)?;
        let key = SigningKey::from_pem(&text).map_err(|source| BuildError::Key {
            path: self.key.display().to_string(),
            source,
        })?;
        let algorithm = self.algorithm.map(|named| named.0);
        let algorithm = algorithm.unwrap_or_else(|| key.usual_algorithm());
        refuse_errors(&self.dir, output)?;
        let mut files = read(&self.dir)?;
        let count = files.files().len();
        let revision = self.revision.unwrap_or_else(now);
        let manifest = Manifest::of(revision, self.not_after, files.files()).to_bytes()?;
        let signature = key.detached(algorithm, self.header(), &manifest)?;
        files.insert(MANIFEST_FILE, manifest)?;
        files.insert(SIGNATURE_FILE, signature.into_bytes())?;
        // What a sidecar would refuse is not worth a file.
        files
            .clone()
            .verify(&public_half(&key, algorithm, self.kid.clone())?)?;
        let bytes = self.write(&files).map_err(|source| BuildError::Write {
            path: self.out.path.display().to_string(),
            source,
        })?;
        Ok(Built {
            files: count,
            bytes,
            revision,
        })
    }

    fn header(&self) -> serde_json::Map<String, Value> {
        let mut header = serde_json::Map::new();
        header.insert("typ".to_owned(), SIGNATURE_TYPE.into());
        if let Some(kid) = &self.kid {
            header.insert("kid".to_owned(), kid.clone().into());
        }
        header
    }

    fn write(&self, files: &UnverifiedBundle) -> io::Result<usize> {
        let packed = archive::pack(files)?;
        let packed = if self.out.is_compressed {
            archive::compress(&packed)?
        } else {
            packed
        };
        if let Some(parent) = self
            .out
            .path
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
        {
            // A directory that is missing is said to be, instead of the file beside the file.
            fs::metadata(parent)?;
        }
        whole_file::replace(&self.out.path, &packed)?;
        Ok(packed.len())
    }
}

/// Policies with errors would be refused by every sidecar. Which resources there are is not known here,
/// so that warnings mean nothing.
fn refuse_errors(dir: &Path, output: Output) -> Result<(), BuildError> {
    let is_error = |fault: &Fault| fault.severity == Severity::Error;
    let Err(faults) = policies::compile(dir, None) else {
        return Ok(());
    };
    let errors: Vec<Fault> = faults.into_iter().filter(is_error).collect();
    if errors.is_empty() {
        output.notice("the policies could not be looked at as a whole; nothing is wrong with any");
        return Ok(());
    }
    Err(BuildError::Policies(errors))
}

fn read(dir: &Path) -> Result<UnverifiedBundle, BuildError> {
    let below = |faults| BuildError::Policies(policies::below(dir, faults));
    let mut files = UnverifiedBundle::default();
    for file in policy_files::read(dir).map_err(below)?.files {
        files.insert(&file.name, file.text.as_bytes().to_vec())?;
    }
    let tests = dir.join(TESTS_DIRECTORY);
    if tests.is_dir() {
        for test in policy_files::read_tests(&tests).map_err(BuildError::Policies)? {
            let whole = Path::new(&*test.name);
            let name = whole.strip_prefix(&tests).unwrap_or(whole);
            let name = format!("{TESTS_PREFIX}{}", name.display());
            files.insert(&name, test.text.as_bytes().to_vec())?;
        }
    }
    Ok(files)
}

fn public_half(
    key: &SigningKey,
    algorithm: Algorithm,
    kid: Option<String>,
) -> Result<KeySet, BuildError> {
    let local = LocalKey {
        material: LocalMaterial::Pem(key.public_pem()?.into_bytes()),
        algorithm,
        kid,
    };
    Ok(KeySet::from_local(&[local])?)
}

fn now() -> u64 {
    let now_s = SystemClock::new().now_ms().div_euclid(1000);
    u64::try_from(now_s).unwrap_or(0)
}

fn out(text: &str) -> Result<Out, String> {
    let compressed = [".tar.gz", ".tgz"].iter().any(|end| text.ends_with(end));
    let plain = Path::new(text).extension().is_some_and(|end| end == "tar");
    if !compressed && !plain {
        return Err("a name that ends in `.tar`, `.tar.gz` or `.tgz` is wanted".to_owned());
    }
    Ok(Out {
        path: PathBuf::from(text),
        is_compressed: compressed,
    })
}

fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "a time of RFC 3339 is wanted, as in `2027-01-31T00:00:00Z`".to_owned())?;
    if u64::try_from(moment.unix_timestamp()).is_ok_and(|end| end > now()) {
        Ok(moment)
    } else {
        Err("that time has passed: no sidecar would put the bundle in force".to_owned())
    }
}
