//! `cedargate schema tools`

mod advice;
mod arguments;
mod catalogue;
mod credentials;
mod drift;
mod hints;

use std::error::Error;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgGroup;
use clap::ValueEnum;
use thiserror::Error as ThisError;
use url::Url;

use self::advice::Advised;
use self::catalogue::Catalogue;
use self::catalogue::Permit;
use self::credentials::Credentials;
use self::drift::Change;
use crate::cli::Exit;
use crate::cli::input;
use crate::cli::output::Output;
use crate::cli::printable;
use crate::cli::span;
use crate::config::ProcessEnvironment;
use crate::config::Remote;
use crate::policy::files::MAX_FILE_BYTES;
use crate::source::tool_list;
use crate::source::tool_list::MAX_ANSWERS_BYTES;
use crate::source::tool_list::StatedTool;
use crate::source::tool_list::ToolListFault;
use crate::source::tool_list::ToolServer;
use crate::source::whole_file;

/// Make the catalogue of a server's tools, or say what has changed since
///
/// Asks an MCP server for its tools, as any client would, and prints them as the `tools.json` of a
/// policy directory: with the hints that the server states, its input schemas, and `labels` and
/// `groups` to fill in. Read it before you use it: hints are the word of the server, and policies
/// believe what is in the file.
///
/// An update (`--out` on a file that exists, or `--merge`) keeps the entries of other servers, and the
/// labels, groups and tenant that you gave to a tool. It never makes a tool look safer than before: a
/// hint that would is reported and left out unless `--accept-safer` says otherwise. Hints that make it
/// look more dangerous are taken over. Tools that are no longer listed stay, with their labels, until
/// `--prune`.
///
/// With `--check` nothing is written: what has changed is printed, a line each, the worst first.
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("from").required(true).args(["url", "file"]),
    after_help = "\
Examples:
  cedargate schema tools --server weather --url http://127.0.0.1:8000/mcp --out policies/tools.json
  TOKEN=$(cedargate login --issuer https://auth.example.com --client-id cli) \\
    cedargate schema tools --server weather --url https://mcp.example.com/mcp --token-env TOKEN
  cedargate schema tools --server weather --file list.json --merge policies/tools.json
  cedargate schema tools --server weather --url https://mcp.example.com/mcp \\
      --header 'x-api-key: ${API_KEY}' --check policies/tools.json

Exit codes: 0 printed, written, or nothing has changed; 1 failure, or with `--check` something has
            changed; 2 wrong usage."
)]
pub(in crate::cli) struct Tools {
    /// The MCP endpoint to ask
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    url: Option<Url>,
    /// A saved answer to `tools/list` instead; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The name of the resource in the configuration
    #[arg(long, value_name = "NAME", value_parser = resource)]
    server: String,
    #[command(flatten)]
    credentials: Credentials,
    /// More certificate authorities to trust, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Ask without TLS, also beyond this machine: whoever is on the network path can read and change
    /// everything
    #[arg(long)]
    insecure_allow_http: bool,
    /// How long everything may take
    #[arg(long, value_name = "SPAN", value_parser = span::duration, default_value = "30s")]
    timeout: Duration,
    /// Write the catalogue there; one that exists is updated
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Update this catalogue, instead of the one in `--out`
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    merge: Option<PathBuf>,
    /// Take over hints that make a known tool look safer than before
    #[arg(long, conflicts_with = "check")]
    accept_safer: bool,
    /// Remove tools that the server no longer lists
    #[arg(long, conflicts_with = "check")]
    prune: bool,
    /// Print what has changed since this catalogue was written
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// How `--check` prints
    #[arg(long, value_enum, default_value_t = Format::Human, requires = "check")]
    format: Format,
}

/// How changes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each
    Human,
    /// One JSON object
    Json,
}

#[derive(Debug, ThisError)]
enum ToolsError {
    #[error("cannot write `{name}`")]
    Write { name: String, source: io::Error },
}

impl Tools {
    pub(super) fn run(self, output: Output) -> Exit {
        let done = match &self.check {
            Some(file) => self.check(file, output),
            None => self.make(output),
        };
        done.unwrap_or_else(|error| output.failure(&*error))
    }

    fn check(&self, file: &Path, output: Output) -> Result<Exit, Box<dyn Error>> {
        let catalogue = read(file)?;
        let changes = drift::between(&catalogue, &self.server, &self.stated()?);
        let report = match self.format {
            Format::Json => serde_json::to_string_pretty(&drift::as_json(&self.server, &changes))?,
            Format::Human if changes.is_empty() => "nothing has changed".to_owned(),
            Format::Human => in_words(&changes),
        };
        let printed = output.data(&printable::lines(&report));
        if changes.is_empty() {
            return Ok(printed);
        }
        Ok(Exit::Failure)
    }

    fn make(&self, output: Output) -> Result<Exit, Box<dyn Error>> {
        let known = match (&self.merge, &self.out) {
            (Some(file), _) => Some(read(file)?),
            (None, Some(file)) if file.exists() => Some(read(file)?),
            (None, Some(_) | None) => None,
        };
        let stated = self.stated()?;
        let updates = known.is_some();
        let mut catalogue = known.unwrap_or_default();
        let changes = if updates {
            drift::between(&catalogue, &self.server, &stated)
        } else {
            Vec::new()
        };
        let permit = Permit {
            safer: self.accept_safer,
            gone: self.prune,
        };
        catalogue.update(&self.server, &stated, permit);
        let name = self.out.as_deref().unwrap_or(Path::new("-"));
        let name = name.display().to_string();
        let text = catalogue.text();
        let text = text.map_err(|fault| Advised::of_file(&name, &fault))?;
        self.report(&changes, output);
        let Some(out) = &self.out else {
            return Ok(output.data(&text));
        };
        whole_file::replace(out, text.as_bytes())
            .map_err(|source| ToolsError::Write { name, source })?;
        output.notice(&format!(
            "{}: {} of `{}`; hints are the word of the server, so read them before you rely on them",
            out.display(),
            counted(stated.len()),
            self.server,
        ));
        Ok(Exit::Done)
    }

    /// Says what an update changes, and what it leaves as it was.
    fn report(&self, changes: &[Change], output: Output) {
        for change in changes {
            let left = if change.is_safer() && !self.accept_safer {
                "; left as it was (`--accept-safer` takes it over)"
            } else if change.is_gone() && !self.prune {
                "; kept (`--prune` removes it)"
            } else {
                ""
            };
            output.notice(&format!("{change}{left}"));
        }
    }

    /// What the server or the saved answer says.
    fn stated(&self) -> Result<Vec<StatedTool>, Box<dyn Error>> {
        let anonymous = self.credentials.is_empty();
        let advised = |fault: ToolListFault| Advised::of(&fault, anonymous);
        if let Some(file) = &self.file {
            let limit = u64::try_from(MAX_ANSWERS_BYTES)?;
            let text = if file == Path::new("-") {
                input::standard(limit)?.into_bytes()
            } else {
                input::file(file, limit)?
            };
            return Ok(tool_list::read_saved(&text).map_err(advised)?);
        }
        let url = self.url.clone().ok_or("`--url` is missing")?;
        let ca_pem = self.ca_file.as_deref();
        let remote = Remote {
            ca_pem: ca_pem
                .map(|path| input::file(path, input::KEY_FILE))
                .transpose()?,
            insecure_allow_http: self.insecure_allow_http,
        };
        let headers = self.credentials.headers(&ProcessEnvironment)?;
        let server = ToolServer::new(url, headers, &remote);
        let server = server.map_err(|fault| advised(fault.into()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(runtime
            .block_on(server.list(self.timeout))
            .map_err(advised)?)
    }
}

fn read(file: &Path) -> Result<Catalogue, Box<dyn Error>> {
    let bytes = input::file(file, u64::try_from(MAX_FILE_BYTES)?)?;
    let name = file.display().to_string();
    let read = Catalogue::read(&bytes);
    Ok(read.map_err(|fault| Advised::of_file(&name, &fault))?)
}

fn in_words(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn counted(tools: usize) -> String {
    match tools {
        1 => "1 tool".to_owned(),
        many => format!("{many} tools"),
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
            if url.username().is_empty() && url.password().is_none() {
                return Ok(url);
            }
            Err(
                "credentials do not belong into a URL; `--token-env` and `--header` take them"
                    .to_owned(),
            )
        }
        Ok(_) | Err(_) => Err("write a whole URL, as in `https://mcp.example.com/mcp`".to_owned()),
    }
}

/// As the configuration names its resources.
fn resource(text: &str) -> Result<String, String> {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.bytes().all(sound) {
        return Ok(text.to_owned());
    }
    Err("a resource is named with lower-case letters, digits and `-`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_cannot_be_meant_are_refused() {
        for (text, sound) in [
            ("https://mcp.example.com/mcp", true),
            ("http://127.0.0.1:8000/mcp?x=1", true),
            ("mcp.example.com", false),
            ("/mcp", false),
            ("ftp://mcp.example.com/mcp", false),
            ("https://u:p@mcp.example.com/mcp", false),
        ] {
            assert_eq!(endpoint(text).is_ok(), sound, "{text}");
        }
        for (text, sound) in [
            ("weather-2", true),
            ("", false),
            ("Weather", false),
            ("a/b", false),
        ] {
            assert_eq!(resource(text).is_ok(), sound, "{text}");
        }
    }
}
