//! A new signing key: the private half into a file, the public half to whoever configures it.

use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use thiserror::Error;

use crate::cli::Exit;
use crate::cli::output::Output;
use crate::cli::sign::SignError;
use crate::cli::sign::SigningKey;
use crate::config::Algorithm;

#[derive(Debug, Error)]
enum NewKeyError {
    #[error(
        "`{path}` exists, and keys are not overwritten; name another file, or remove it \
             first; `openssl pkey -in {path} -pubout` writes its public half again"
    )]
    Exists { path: String },
    #[error("cannot write `{path}`")]
    Write { path: String, source: io::Error },
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Makes a key for `algorithm`, and says how it is used.
pub(super) fn make(path: &Path, algorithm: Algorithm, output: Output) -> Exit {
    let public = SigningKey::generate(algorithm)
        .map_err(NewKeyError::from)
        .and_then(|key| {
            let public = key.public_pem()?;
            write(path, &key.private_pem()?)?;
            Ok(public)
        });
    match public {
        Ok(public) => {
            output.notice(&usage(path, algorithm));
            output.data(&public)
        }
        Err(error @ NewKeyError::Sign(SignError::NoPair(_))) => output.usage(&error),
        Err(error) => output.failure(&error),
    }
}

/// A file of mode 0600 that was not there before; where that fails half way, none is left.
fn write(path: &Path, pem: &str) -> Result<(), NewKeyError> {
    let shown = || path.display().to_string();
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = created.map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return NewKeyError::Exists { path: shown() };
        }
        NewKeyError::Write {
            path: shown(),
            source,
        }
    })?;
    let written = file
        .write_all(pem.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|source| {
        // What matters is reported; a half-written key is of no use.
        drop(fs::remove_file(path));
        NewKeyError::Write {
            path: shown(),
            source,
        }
    })
}

fn usage(path: &Path, algorithm: Algorithm) -> String {
    let private = path.display();
    let public = path.with_extension("pem");
    let public = if public == path {
        path.with_extension("pub.pem")
    } else {
        public
    };
    let public = serde_json::Value::from(public.display().to_string());
    format!(
        "`{private}` holds the private key; the public one is on standard output. Saved as {public}, it is\n\
         configured among the `authenticators` with\n\n  \
         - {{name: test, type: jwt, issuer: test, keys: [{{file: {public}, algorithm: {}}}]}}\n\n\
         and `cedargate token mint --key {private} --issuer test` signs tokens for it.\n",
        algorithm.name()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_for_its_owner_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        write(&path, "one").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = write(&path, "two").unwrap_err();
        assert!(matches!(again, NewKeyError::Exists { .. }), "{again}");
        assert!(again.to_string().contains("name another file"));
        let nowhere = write(&folder.path().join("no/k"), "one").unwrap_err();
        assert!(matches!(nowhere, NewKeyError::Write { .. }), "{nowhere}");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
        assert!(matches!(write(&link, "x"), Err(NewKeyError::Exists { .. })));
    }

    #[test]
    fn the_line_for_the_configuration_does_not_name_the_private_key() {
        for (path, public) in [
            ("ci.key", "ci.pem"),
            ("ci", "ci.pem"),
            ("ci.pem", "ci.pub.pem"),
        ] {
            let text = usage(Path::new(path), Algorithm::Es384);
            let line = format!("keys: [{{file: \"{public}\", algorithm: ES384}}]}}");
            assert!(text.contains(&line), "{text}");
        }
    }
}
