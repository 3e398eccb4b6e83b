//! `cedargate apikey`

use std::io;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use aws_lc_rs::rand;
use clap::Subcommand;
use clap::ValueEnum;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::json;
use thiserror::Error;

use crate::cli::Exit;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::output::Output;
use crate::identity::api_key;

/// Longest id, in bytes.
const LONGEST_ID: usize = 64;

/// Longest key, in bytes.
const LONGEST_KEY: u64 = 4 * 1024;

/// Shortest key that is hashed, in characters: what can be guessed is not hidden by its hash.
const SHORTEST_KEY: usize = 16;

/// Make and hash API keys
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  cedargate apikey new --id frontend-app --role viewer
  cedargate apikey hash < key.txt

Exit codes: 0 done; 1 failure; 2 wrong usage.")]
pub(super) enum ApiKey {
    New(New),
    Hash(Hash),
}

/// Make a new key
///
/// Prints the key on standard output, this once: only its hash goes into the configuration, in the
/// line on standard error. The key is `<id>.<43 characters>`, 256 random bits behind its id.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate apikey new --id frontend-app --role viewer
  cedargate apikey new --id frontend-app > key.txt     the key into a file, the line on the screen

The line belongs into the configuration:
  authenticators:
    - name: keys
      type: api_key
      header: x-api-key
      keys:
        - {id: frontend-app, hash: \"sha256:...\", roles: [viewer]}

Exit codes: 0 printed; 1 failure; 2 wrong usage.")]
pub(super) struct New {
    /// Who the key is for: letters, digits, `-` and `_`
    #[arg(long, value_name = "ID", value_parser = id)]
    id: String,
    /// A role of its holder; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// A group of its holder; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// A scope of its holder; may be repeated
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The tenant of its holder
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Key)]
    format: Format,
}

/// Print the hash of a key, as the configuration takes it
///
/// The key comes from standard input or a file, never from the command line, which other users of
/// the machine can read. One line break at its end is not part of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cedargate apikey hash < key.txt
  cedargate apikey hash --key-file key.txt

Exit codes: 0 printed; 1 failure; 2 wrong usage.")]
pub(super) struct Hash {
    /// A file that holds the key, instead of standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// What `apikey new` prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The key on standard output, the line for the configuration on standard error
    Key,
    /// The line for the configuration on standard output, the key on standard error
    Yaml,
    /// Both as one JSON object on standard output
    Json,
}

#[derive(Debug, Error)]
enum KeyError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("there is no key: the input is empty")]
    Empty,
    #[error(
        "a key of less than {SHORTEST_KEY} characters can be found from its hash by trying; \
         `cedargate apikey new --id ID` makes a good one"
    )]
    Short,
    #[error("a key is sent in a header: visible ASCII characters only, and no space")]
    Characters,
    #[error("no random numbers are to be had")]
    Random,
}

impl ApiKey {
    pub(super) fn run(self, output: Output) -> Exit {
        match self {
            Self::New(command) => command.run(output),
            Self::Hash(command) => command.run(output),
        }
    }
}

impl New {
    fn run(self, output: Output) -> Exit {
        let (key, hash) = match generate(&self.id) {
            Ok(made) => made,
            Err(error) => return output.failure(&error),
        };
        let key = key.expose_secret();
        match self.format {
            Format::Key => {
                output.notice(&format!(
                    "The key is shown this once. Its line in the configuration:\n\n{}\n",
                    self.line(&hash)
                ));
                output.data(key)
            }
            Format::Yaml => {
                output.notice(&format!("The key, shown this once: {key}"));
                output.data(&self.line(&hash))
            }
            Format::Json => output.data(
                &json!({
                    "id": self.id,
                    "key": key,
                    "hash": hash,
                    "roles": self.role,
                    "groups": self.group,
                    "scopes": self.scope,
                    "tenant": self.tenant,
                })
                .to_string(),
            ),
        }
    }

    /// `- {id: frontend-app, hash: "sha256:...", roles: [viewer]}`
    fn line(&self, hash: &str) -> String {
        let mut members = vec![
            format!("id: {}", yaml(&self.id)),
            format!("hash: \"{hash}\""),
        ];
        for (name, items) in [
            ("roles", &self.role),
            ("groups", &self.group),
            ("scopes", &self.scope),
        ] {
            if !items.is_empty() {
                let items: Vec<String> = items.iter().map(|item| yaml(item)).collect();
                members.push(format!("{name}: [{}]", items.join(", ")));
            }
        }
        if let Some(tenant) = &self.tenant {
            members.push(format!("tenant: {}", yaml(tenant)));
        }
        format!("- {{{}}}", members.join(", "))
    }
}

impl Hash {
    fn run(self, output: Output) -> Exit {
        match self.read(output).and_then(|key| check(&key).map(|()| key)) {
            Ok(key) => output.data(&api_key::hash_line(key.expose_secret())),
            Err(error) => output.failure(&error),
        }
    }

    fn read(&self, output: Output) -> Result<SecretString, KeyError> {
        if let Some(path) = &self.key_file {
            return Ok(input::secret_file(path)?);
        }
        if io::stdin().is_terminal() {
            output.notice("paste the key, then end the input with Ctrl-D");
        }
        let text = input::standard(LONGEST_KEY)?;
        Ok(input::without_line_break(&text).into())
    }
}

/// Whether this can be a key at all: a stray space would make a hash that nothing ever matches.
fn check(key: &SecretString) -> Result<(), KeyError> {
    let key = key.expose_secret();
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyError::Characters);
    }
    if key.len() < SHORTEST_KEY {
        return Err(KeyError::Short);
    }
    Ok(())
}

/// A new key, and its hash.
fn generate(id: &str) -> Result<(SecretString, String), KeyError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    let (key, hash) = api_key::generate(id, &bytes);
    Ok((key.into(), hash))
}

fn id(text: &str) -> Result<String, String> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > LONGEST_ID || !text.bytes().all(sound) {
        return Err(format!(
            "use letters, digits, `-` and `_`, at most {LONGEST_ID} of them"
        ));
    }
    Ok(text.to_owned())
}

/// A text as YAML reads it back, in quotes where it could be taken for something else.
fn yaml(text: &str) -> String {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'));
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let taken = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ];
    if plain && word && !taken.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(id: &str, role: &[&str]) -> New {
        New {
            id: id.to_owned(),
            role: role.iter().map(|&role| role.to_owned()).collect(),
            group: Vec::new(),
            scope: Vec::new(),
            tenant: None,
            format: Format::Key,
        }
    }

    #[test]
    fn a_key_is_its_id_and_256_random_bits() {
        let (one, hash) = generate("frontend-app").unwrap();
        let (two, _) = generate("frontend-app").unwrap();
        assert_eq!(hash, api_key::hash_line(one.expose_secret()));
        let (id, secret) = one.expose_secret().split_once('.').unwrap();
        assert_eq!((id, secret.len()), ("frontend-app", 43));
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert!(check(&one).is_ok());
    }

    #[test]
    fn the_hash_is_that_of_the_whole_key() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            api_key::hash_line("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_line_is_yaml_whatever_the_names_are() {
        assert_eq!(
            new("frontend-app", &["viewer", "a/b"]).line("sha256:00"),
            r#"- {id: frontend-app, hash: "sha256:00", roles: [viewer, a/b]}"#
        );
        let mut odd = new(
            "007",
            &["true", "a, b", "x: y", "weather:read", "#", "é\u{1b}\""],
        );
        odd.group = vec!["-".to_owned()];
        odd.scope = vec!["null".to_owned(), "1e3".to_owned()];
        odd.tenant = Some("[x]".to_owned());
        let read: Vec<serde_json::Value> = serde_saphyr::from_str(&odd.line("sha256:00")).unwrap();
        assert_eq!(
            read,
            [json!({
                "id": "007", "hash": "sha256:00",
                "roles": ["true", "a, b", "x: y", "weather:read", "#", "é\u{1b}\""],
                "groups": ["-"], "scopes": ["null", "1e3"], "tenant": "[x]",
            })]
        );
    }

    #[test]
    fn what_is_no_key_gets_no_hash() {
        for (text, sound) in [
            ("0123456789abcdef", true),
            ("0123456789abcde", false),
            ("", false),
            ("0123456789abcdef ", false),
            ("0123456789\nabcdef", false),
            ("0123456789abcdefé", false),
        ] {
            assert_eq!(check(&text.to_owned().into()).is_ok(), sound, "{text:?}");
        }
        for bad in ["", "a.b", "a b", "é", &"x".repeat(65)] {
            assert!(id(bad).is_err(), "{bad}");
        }
        assert!(id("Frontend_app-1").is_ok());
    }
}
