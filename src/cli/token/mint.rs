//! `cedargate token mint`

use std::path::PathBuf;

use aws_lc_rs::rand;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::Map;
use serde_json::Value;
use thiserror::Error;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::cli::sign;
use crate::cli::sign::SignError;
use crate::cli::sign::SigningKey;
use crate::cli::span;
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
  cedargate token mint --key ci.key --issuer ci --audience https://mcp.example.com/mcp \\
      --subject alice --client-id app --role viewer --scope weather:read
  cedargate token mint --key ci.key --issuer ci --expires-in -5m     a token that has expired
  cedargate token mint --key ci.key --issuer ci --claim 'realm_access={\"roles\":[\"viewer\"]}'

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

#[derive(Debug, clap::Args)]
#[group(id = "content", multiple = true)]
struct Content {
    /// `iss`: who the token says has issued it
    #[arg(
        long,
        value_name = "ISSUER",
        required_unless_present = "new_key",
        help_heading = "Claims"
    )]
    issuer: Option<String>,
    /// `sub`: whom it is about
    #[arg(long, value_name = "SUB", help_heading = "Claims")]
    subject: Option<String>,
    /// `client_id`: the OAuth client that asked for it
    #[arg(long, value_name = "ID", help_heading = "Claims")]
    client_id: Option<String>,
    /// `aud`: a resource that it is for; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Claims")]
    audience: Vec<String>,
    /// A role, in `roles`; may be repeated
    #[arg(long, value_name = "ROLE", help_heading = "Claims")]
    role: Vec<String>,
    /// A group, in `groups`; may be repeated
    #[arg(long, value_name = "GROUP", help_heading = "Claims")]
    group: Vec<String>,
    /// A scope, in `scope`; may be repeated
    #[arg(long, value_name = "SCOPE", help_heading = "Claims")]
    scope: Vec<String>,
    /// `tenant`
    #[arg(long, value_name = "TENANT", help_heading = "Claims")]
    tenant: Option<String>,
    /// Any other claim; VALUE is JSON, or else text; wins over the other flags; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim, help_heading = "Claims")]
    claim: Vec<(String, Value)>,
    /// `jti` [default: a random one]
    #[arg(long, value_name = "ID", help_heading = "Claims")]
    jti: Option<String>,
    /// `exp`: how long it is good, as in `90s`, `5m`, `1h`, `7d`; `-5m` has expired [default: 1h]
    #[arg(long, value_name = "SPAN", value_parser = span::offset, allow_hyphen_values = true, help_heading = "Claims")]
    expires_in: Option<i64>,
    /// `nbf`: from when it is good, counted from now, as in `5m` or `-5m` [default: left out]
    #[arg(long, value_name = "SPAN", value_parser = span::offset, allow_hyphen_values = true, help_heading = "Claims")]
    not_before: Option<i64>,
    /// Leave a claim out, such as `exp`, to see it refused; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Claims")]
    without: Vec<String>,
    /// `kid`: the name of the key, where the configuration gives it one
    #[arg(long, value_name = "ID", help_heading = "Header")]
    kid: Option<String>,
    /// `typ`; empty leaves it out [default: at+jwt]
    #[arg(long = "type", value_name = "TYPE", help_heading = "Header")]
    token_type: Option<String>,
}

/// An algorithm on the command line.
#[derive(Clone, Copy, Debug)]
struct Named(Algorithm);

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self(Algorithm::Rs256),
            Self(Algorithm::Rs384),
            Self(Algorithm::Rs512),
            Self(Algorithm::Ps256),
            Self(Algorithm::Ps384),
            Self(Algorithm::Ps512),
            Self(Algorithm::Es256),
            Self(Algorithm::Es384),
            Self(Algorithm::EdDsa),
            Self(Algorithm::Hs256),
            Self(Algorithm::Hs384),
            Self(Algorithm::Hs512),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
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
                if self.content.audience.is_empty() && !self.content.claims_name("aud") {
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

impl Content {
    fn header(&self) -> Map<String, Value> {
        let mut header = Map::new();
        let token_type = self.token_type.as_deref().unwrap_or("at+jwt");
        if !token_type.is_empty() {
            header.insert("typ".to_owned(), token_type.into());
        }
        if let Some(kid) = &self.kid {
            header.insert("kid".to_owned(), kid.as_str().into());
        }
        header
    }

    fn claims(&self, now_s: i64) -> Result<Value, SignError> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value);
            }
        };
        let text = |flag: &Option<String>| flag.as_deref().map(Value::from);
        let list = |flag: &[String]| (!flag.is_empty()).then(|| Value::from(flag.to_vec()));
        set("iss", text(&self.issuer));
        set("sub", text(&self.subject));
        set("client_id", text(&self.client_id));
        set(
            "aud",
            match &*self.audience {
                [one] => Some(one.as_str().into()),
                several => list(several),
            },
        );
        set("roles", list(&self.role));
        set("groups", list(&self.group));
        set(
            "scope",
            list(&self.scope).map(|_| self.scope.join(" ").into()),
        );
        set("tenant", text(&self.tenant));
        set("iat", Some(now_s.into()));
        let expires_in = self.expires_in.unwrap_or(3_600);
        set("exp", Some(now_s.saturating_add(expires_in).into()));
        let not_before = self.not_before.map(|from| now_s.saturating_add(from));
        set("nbf", not_before.map(Value::from));
        let jti = match &self.jti {
            Some(jti) => jti.clone(),
            None => random_id()?,
        };
        set("jti", Some(jti.into()));
        for (name, value) in &self.claim {
            set(name, Some(value.clone()));
        }
        for name in &self.without {
            claims.remove(name);
        }
        Ok(Value::Object(claims))
    }

    fn claims_name(&self, name: &str) -> bool {
        self.claim.iter().any(|(claim, _)| claim == name)
            || self.without.iter().any(|claim| claim == name)
    }
}

/// 128 random bits, so that no two tokens share one.
fn random_id() -> Result<String, SignError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| SignError::Failed)?;
    Ok(sign::encode(bytes))
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing; write it as NAME=VALUE".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        mint: Mint,
    }

    fn content(flags: &[&str]) -> Content {
        let line = ["mint", "--key", "k", "--issuer", "i"].iter().chain(flags);
        Line::try_parse_from(line).unwrap().mint.content
    }

    fn claims(flags: &[&str]) -> Value {
        content(flags).claims(1_000).unwrap()
    }

    #[test]
    fn a_token_has_what_rfc_9068_asks_for() {
        let mut said = claims(&[
            "--subject",
            "alice",
            "--client-id",
            "app",
            "--audience",
            "a",
            "--role",
            "r1",
            "--role",
            "r2",
            "--group",
            "g",
            "--scope",
            "s1",
            "--scope",
            "s2",
            "--tenant",
            "t",
        ]);
        let jti = said.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(jti.as_str().unwrap().len(), 22);
        assert_ne!(claims(&[])["jti"], claims(&[])["jti"]);
        assert_eq!(
            said,
            json!({
                "iss": "i", "sub": "alice", "client_id": "app", "aud": "a", "roles": ["r1", "r2"],
                "groups": ["g"], "scope": "s1 s2", "tenant": "t", "iat": 1_000, "exp": 4_600,
            })
        );
    }

    #[test]
    fn flags_change_one_thing_each() {
        for (flags, name, value) in [
            (
                &["--audience", "a", "--audience", "b"][..],
                "aud",
                json!(["a", "b"]),
            ),
            (&[], "aud", Value::Null),
            (&["--jti", "1"], "jti", json!("1")),
            (&["--expires-in", "-5m"], "exp", json!(700)),
            (&["--expires-in", "1d"], "exp", json!(87_400)),
            (&["--not-before", "5m"], "nbf", json!(1_300)),
            (&[], "nbf", Value::Null),
            (&["--claim", "x=1"], "x", json!(1)),
            (&["--claim", "x=a=b"], "x", json!("a=b")),
            (&["--claim", "x=\"1\""], "x", json!("1")),
            (
                &["--claim", "x={\"roles\":[\"r\"]}"],
                "x",
                json!({"roles": ["r"]}),
            ),
            (&["--claim", "iss=other"], "iss", json!("other")),
            (
                &["--claim", "exp=1", "--without", "exp"],
                "exp",
                Value::Null,
            ),
        ] {
            assert_eq!(claims(flags)[name], value, "{flags:?}");
        }
        let header = |flags| Value::Object(content(flags).header());
        assert_eq!(header(&[]), json!({"typ": "at+jwt"}));
        assert_eq!(
            header(&["--type", "JWT", "--kid", "k"]),
            json!({"typ": "JWT", "kid": "k"})
        );
        assert_eq!(header(&["--type", ""]), json!({}));
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
