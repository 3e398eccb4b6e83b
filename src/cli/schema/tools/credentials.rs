//! What is sent to the server beside the messages. Secrets come from the environment or from files:
//! arguments can be read by everybody on the machine.

use std::path::PathBuf;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use thiserror::Error;

use crate::cli::input;
use crate::cli::input::InputError;
use crate::config::Environment;

/// Headers that belong to the exchange itself; so does every one that begins with `mcp-`.
const RESERVED: [HeaderName; 11] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::UPGRADE,
    header::EXPECT,
];

/// A header of such a name holds a secret.
const SECRET_WORDS: [&str; 7] = [
    "auth",
    "key",
    "token",
    "secret",
    "cookie",
    "password",
    "credential",
];

/// Who asks for the tools.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Credentials {
    /// The environment variable that holds the access token
    #[arg(long, value_name = "VAR", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// The file that holds the access token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Another header, for API keys; may be repeated. In its value, `${VAR}` is a variable and
    /// `${file:PATH}` a file: put single quotes around it, so that the shell leaves that alone
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
}

/// Why something cannot be sent. No value is shown.
#[derive(Debug, Error)]
pub(super) enum CredentialFault {
    #[error("the environment variable `{0}` is not set, is empty, or is not UTF-8")]
    Variable(String),
    #[error(transparent)]
    File(#[from] InputError),
    #[error("the token is not one word of visible ASCII characters")]
    Token,
    #[error("a header has no name; write it as in `--header 'x-api-key: ${{API_KEY}}'`")]
    Form,
    #[error("`{0}` cannot be set: it belongs to the exchange itself")]
    Reserved(HeaderName),
    #[error("`{0}` is given twice")]
    Twice(HeaderName),
    #[error(
        "the value of `{0}` would be seen by everybody who lists the processes of this machine; write \
         `--header '{0}: ${{VARIABLE}}'` or `--header '{0}: ${{file:PATH}}'`, in single quotes"
    )]
    Plain(HeaderName),
    #[error("`${{` has no end in the value of `{0}`")]
    Open(HeaderName),
    #[error("the value of `{0}` is empty or holds characters that no header can")]
    Value(HeaderName),
}

impl Credentials {
    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.token_env.is_none() && self.token_file.is_none() && self.header.is_empty()
    }

    /// The headers that are sent with every request.
    pub(super) fn headers(
        &self,
        environment: &dyn Environment,
    ) -> Result<HeaderMap, CredentialFault> {
        let mut headers = HeaderMap::new();
        let token = match (&self.token_env, &self.token_file) {
            (Some(name), _) => Some(variable(environment, name)?),
            (None, Some(path)) => Some(input::secret_file(path)?),
            (None, None) => None,
        };
        if let Some(token) = token {
            let token = token.expose_secret();
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(CredentialFault::Token);
            }
            let value = format!("Bearer {token}").into();
            add(&mut headers, header::AUTHORIZATION, &value)?;
        }
        for written in &self.header {
            let (name, value) = written.split_once(':').ok_or(CredentialFault::Form)?;
            let name: HeaderName = name.trim().parse().map_err(|_| CredentialFault::Form)?;
            if RESERVED.contains(&name) || name.as_str().starts_with("mcp-") {
                return Err(CredentialFault::Reserved(name));
            }
            let secret = SECRET_WORDS.iter().any(|word| name.as_str().contains(word));
            if secret && !value.contains("${") {
                return Err(CredentialFault::Plain(name));
            }
            let value = expand(&name, value.trim(), environment)?;
            add(&mut headers, name, &value)?;
        }
        Ok(headers)
    }
}

fn add(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: &SecretString,
) -> Result<(), CredentialFault> {
    let value = HeaderValue::from_str(value.expose_secret());
    let value = value.ok().filter(|value| !value.is_empty());
    let mut value = value.ok_or_else(|| CredentialFault::Value(name.clone()))?;
    value.set_sensitive(true);
    if headers.insert(name.clone(), value).is_some() {
        return Err(CredentialFault::Twice(name));
    }
    Ok(())
}

/// Replaces each `${VAR}` and `${file:PATH}`, as the configuration does.
fn expand(
    name: &HeaderName,
    value: &str,
    environment: &dyn Environment,
) -> Result<SecretString, CredentialFault> {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (reference, after) = after
            .split_once('}')
            .ok_or_else(|| CredentialFault::Open(name.clone()))?;
        let secret = match reference.strip_prefix("file:") {
            Some(path) => input::secret_file(&PathBuf::from(path))?,
            None => variable(environment, reference)?,
        };
        expanded.push_str(before);
        expanded.push_str(secret.expose_secret());
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded.into())
}

fn variable(environment: &dyn Environment, name: &str) -> Result<SecretString, CredentialFault> {
    let value = environment
        .variable(name)
        .map(std::ffi::OsString::into_string);
    match value {
        Some(Ok(value)) if !value.is_empty() => Ok(value.into()),
        Some(_) | None => Err(CredentialFault::Variable(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "TOKEN" => Some("s3cr3t".into()),
            "EMPTY" => Some("".into()),
            "BROKEN" => Some("s3cr3t\r\nx: y".into()),
            _ => None,
        }
    }

    fn headers(token: Option<&str>, header: &[&str]) -> Result<HeaderMap, CredentialFault> {
        let credentials = Credentials {
            token_env: token.map(str::to_owned),
            token_file: None,
            header: header.iter().map(|one| (*one).to_owned()).collect(),
        };
        credentials.headers(&environment)
    }

    #[test]
    fn secrets_come_from_elsewhere_and_are_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "fr0m-file\n").unwrap();
        let from_file = format!("x-api-key: ${{file:{}}}", file.path().display());
        let headers = headers(
            Some("TOKEN"),
            &[
                "X-Tenant: acme",
                "cookie: a=${TOKEN}; b=${TOKEN}",
                &from_file,
            ],
        )
        .unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cr3t");
        assert_eq!(headers["x-tenant"], "acme");
        assert_eq!(headers["cookie"], "a=s3cr3t; b=s3cr3t");
        assert_eq!(headers["x-api-key"], "fr0m-file");
        let shown = format!("{headers:?}");
        assert!(
            !shown.contains("s3cr3t") && !shown.contains("fr0m"),
            "{shown}"
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        for (token, header, fault) in [
            (Some("NONE"), vec![], "the environment variable `NONE`"),
            (Some("EMPTY"), vec![], "the environment variable `EMPTY`"),
            (Some("BROKEN"), vec![], "the token is not one word"),
            (None, vec!["x-api-key"], "a header has no name"),
            (None, vec!["a b: c"], "a header has no name"),
            (
                None,
                vec!["x-api-key: s3cr3t"],
                "the value of `x-api-key` would",
            ),
            (
                None,
                vec!["Authorization: Basic s3cr3t"],
                "the value of `auth",
            ),
            (None, vec!["host: ${TOKEN}"], "`host` cannot be set"),
            (
                None,
                vec!["Mcp-Session-Id: x"],
                "`mcp-session-id` cannot be",
            ),
            (None, vec!["x-api-key: ${TOKEN"], "`${` has no end"),
            (
                None,
                vec!["x-api-key: ${BROKEN}"],
                "the value of `x-api-key` is",
            ),
            (None, vec!["x-a:"], "the value of `x-a` is empty"),
            (None, vec!["x-a: 1", "X-A: 2"], "`x-a` is given twice"),
            (
                Some("TOKEN"),
                vec!["authorization: ${TOKEN}"],
                "`authorization` is given twice",
            ),
            (None, vec!["x-key: ${file:/nonexistent}"], "cannot read"),
        ] {
            let refused = headers(token, &header).unwrap_err().to_string();
            assert!(refused.starts_with(fault), "{header:?}: {refused}");
            assert!(!refused.contains("s3cr3t"), "{refused}");
        }
    }
}
