//! `cedargate token mint`

use std::path::PathBuf;

use thiserror::Error;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::cli::sign::Named;
use crate::cli::sign::SignError;
use crate::cli::sign::SigningKey;
use crate::cli::token::content::Content;
use crate::cli::token::new_key;
use crate::config::Algorithm;
use crate::config::Environment as _;
use crate::config::ProcessEnvironment;
use crate::source::Clock as _;
use crate::source::clock::SystemClock;

/// Where a shared secret may be, instead of in a file.
const SECRET_VARIABLE: &str = "CEDARGATE_MINT_SECRET";

/// Sign a token for tests, or make the key that signs
///
/// The token is an access token in the form of RFC 9068, with what the flags say; `iat`, `exp` and
/// `jti` are added. It is printed on standard output and nothing else is. Whoever holds the key is
/// an issuer: keep test keys out of configurations that real callers meet.
///
/// A secret is never a flag, because other users of a machine can read command lines: give it as a
/// file, or in `CEDARGATE_MINT_SECRET`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate token mint --new-key ci.key > ci.pem     a key; what to configure is said beside it
  cedargate token mint --key ci.key --issuer test --audience https://mcp.example.com/mcp \\
      --subject alice --client-id app --role viewer --scope weather:read
  cedargate token mint --key ci.key --issuer test --expires-in -5m     a token that has expired
  cedargate token mint --key ci.key --issuer test --claim 'realm_access={\"roles\":[\"viewer\"]}'

Exit codes: 0 printed; 1 failure; 2 wrong usage.")]
pub(in crate::cli) struct Mint {
    #[command(flatten)]
    key: KeyFlags,
    #[command(flatten)]
    content: Content,
}

#[derive(Debug, clap::Args)]
struct KeyFlags {
    /// A private key to sign with: PKCS#8 in PEM form; RSA, P-256, P-384 or Ed25519
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    key: Option<PathBuf>,
    /// A file with a secret of 32 bytes or more to sign with (HS256, HS384, HS512) [env: `CEDARGATE_MINT_SECRET`, the secret itself]
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "key",
        help_heading = "Key"
    )]
    secret_file: Option<PathBuf>,
    /// Make a new key: the private one into FILE, readable by its owner only; the public one is printed
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["key", "secret_file", "content"],
        help_heading = "Key"
    )]
    new_key: Option<PathBuf>,
    /// The algorithm [default: the usual one of the key: RS256, ES256, ES384, `EdDSA` or HS256; of a new key ES256]
    #[arg(
        long,
        value_name = "ALGORITHM",
        ignore_case = true,
        hide_possible_values = true,
        help_heading = "Key"
    )]
    algorithm: Option<Named>,
}

#[derive(Debug, Error)]
enum MintError {
    #[error(
        "nothing to sign with: name a private key with `--key` or a secret with `--secret-file` \
         or `{SECRET_VARIABLE}`; `--new-key FILE` makes a key"
    )]
    NoKey,
    #[error("`{SECRET_VARIABLE}` is not UTF-8")]
    Variable,
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("`{path}`")]
    Key { path: String, source: SignError },
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Mint {
    pub(super) fn run(self, output: Output) -> Exit {
        if let Some(path) = &self.key.new_key {
            let algorithm = self.key.algorithm.map_or(Algorithm::Es256, |named| named.0);
            return new_key::make(path, algorithm, output);
        }
        let now_s = SystemClock::new().now_ms().div_euclid(1000);
        let minted = self.key.read().and_then(|key| {
            let algorithm = self.key.algorithm.map(|named| named.0);
            let algorithm = algorithm.unwrap_or_else(|| key.usual_algorithm());
            let claims = self.content.claims(now_s)?;
            Ok(key.compact(algorithm, self.content.header(), &claims)?)
        });
        match minted {
            Ok(token) => {
                if self.content.lacks_audience() {
                    output.notice("the token names no audience; `--audience URL` names the resource that it is for");
                }
                output.data(&token)
            }
            Err(error @ (MintError::NoKey | MintError::Sign(SignError::Algorithm { .. }))) => {
                output.usage(&error)
            }
            Err(error) => output.failure(&error),
        }
    }
}

impl KeyFlags {
    fn read(&self) -> Result<SigningKey, MintError> {
        if let Some(path) = &self.key {
            let text = input::file(path, input::KEY_FILE)?;
            return SigningKey::from_pem(&text).map_err(|source| MintError::Key {
                path: path.display().to_string(),
                source,
            });
        }
        let secret = match &self.secret_file {
            Some(path) => input::secret_file(path)?,
            None => ProcessEnvironment
                .variable(SECRET_VARIABLE)
                .filter(|value| !value.is_empty())
                .ok_or(MintError::NoKey)?
                .into_string()
                .map_err(|_| MintError::Variable)?
                .into(),
        };
        Ok(SigningKey::from_secret(secret)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _mint: Mint,
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            &["mint", "--key", "k"][..],
            &["mint", "--key", "k", "--secret-file", "s", "--issuer", "i"],
            &["mint", "--new-key", "k", "--key", "k"],
            &["mint", "--new-key", "k", "--subject", "alice"],
            &["mint", "--key", "k", "--issuer", "i", "--claim", "x"],
            &["mint", "--key", "k", "--issuer", "i", "--claim", "=x"],
            &["mint", "--key", "k", "--issuer", "i", "--expires-in", "5"],
            &["mint", "--key", "k", "--issuer", "i", "--algorithm", "none"],
        ] {
            assert!(Line::try_parse_from(line).is_err(), "{line:?}");
        }
        assert!(Line::try_parse_from(["mint", "--new-key", "k", "--algorithm", "eddsa"]).is_ok());
    }
}
