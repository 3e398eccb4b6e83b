//! The smaller sections: limits and the two logs.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use crate::config::files;
use crate::config::reader::Faults;
use crate::config::reader::Mapping;
use crate::config::reader::shown;
use crate::config::scalar;
use crate::config::suggest;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// Bounds on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest accepted request body, in bytes.
    pub body: usize,
    /// Longest accepted token, in bytes.
    pub token: usize,
    /// Longest time that one check may take.
    pub deadline: Duration,
}

/// Where decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionLog {
    /// The sink.
    pub to: DecisionSink,
    /// Names of the arguments whose values may be recorded.
    pub arguments: Vec<String>,
}

/// A sink for decision records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionSink {
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
    /// Nowhere.
    None,
}

/// The program's own log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter in the syntax of `RUST_LOG`.
    pub level: String,
    /// One JSON object a line, or text for people.
    pub format: LogFormat,
}

/// The form of the program's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}

/// A larger body would let a few callers fill the memory.
const LARGEST_BODY: usize = 64 << 20;

/// Parsing time grows with the token, and headers of this size are refused by most proxies anyway.
const LONGEST_TOKEN: usize = 16 << 10;

/// A proxy has given up long before.
const LONGEST_DEADLINE: Duration = Duration::from_secs(60);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) const FORMATS: [(&str, LogFormat); 2] =
    [("json", LogFormat::Json), ("text", LogFormat::Text)];

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            token: LONGEST_TOKEN,
            deadline: Duration::from_millis(150),
        }
    }
}

impl Default for DecisionLog {
    fn default() -> Self {
        Self {
            to: DecisionSink::Stdout,
            arguments: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Json,
        }
    }
}

pub(super) fn read_limits(node: &Node, faults: &mut Faults<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return limits;
    };
    if let Some(body) = map
        .optional("body")
        .and_then(|node| scalar::size(node, 1..=LARGEST_BODY, faults))
    {
        limits.body = body;
    }
    if let Some(token) = map
        .optional("token")
        .and_then(|node| scalar::size(node, 1..=LONGEST_TOKEN, faults))
    {
        limits.token = token;
    }
    if let Some(deadline) = map.optional("deadline").and_then(|node| {
        scalar::duration(node, Duration::from_millis(1)..=LONGEST_DEADLINE, faults)
    }) {
        limits.deadline = deadline;
    }
    map.finish(faults);
    limits
}

/// Relative paths start at `base`.
pub(super) fn read_decision_log(node: &Node, base: &Path, faults: &mut Faults<'_>) -> DecisionLog {
    let mut log = DecisionLog::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return log;
    };
    if let Some(to) = map
        .optional("to")
        .and_then(|node| read_sink(node, base, faults))
    {
        log.to = to;
    }
    if let Some(arguments) = map
        .optional("arguments")
        .and_then(|node| scalar::texts(node, faults))
    {
        log.arguments = arguments;
    }
    map.finish(faults);
    log
}

fn read_sink(node: &Node, base: &Path, faults: &mut Faults<'_>) -> Option<DecisionSink> {
    if matches!(node.value, Value::Mapping(_)) {
        let mut map = Mapping::of(node, faults)?;
        let file = map
            .required("file", faults)
            .and_then(|node| scalar::filled(node, faults));
        map.finish(faults);
        return file.map(|file| DecisionSink::File(base.join(file)));
    }
    match scalar::text(node, faults)? {
        "stdout" => Some(DecisionSink::Stdout),
        "none" => Some(DecisionSink::None),
        other => {
            let message = format!("{} is not known here", shown(node, other));
            faults.error_help(&node.place, message, "`stdout`, `none` or `{file: /path}`");
            None
        }
    }
}

/// The file of what was revoked, which must be readable. A relative path starts at `base`.
pub(super) fn read_revocations(
    node: &Node,
    base: &Path,
    faults: &mut Faults<'_>,
) -> Option<PathBuf> {
    let path = base.join(scalar::filled(node, faults)?);
    if let Err(error) = files::probe(&path) {
        let message = if node.place.is_hidden() {
            "the file cannot be read".to_owned()
        } else {
            error.to_string()
        };
        let help = "make it, with `{}` in it if nothing is revoked: without it nothing could be";
        faults.error_help(&node.place, message, help);
    }
    Some(path)
}

pub(super) fn read_admin(node: &Node, faults: &mut Faults<'_>) -> Option<SecretString> {
    let mut map = Mapping::of(node, faults)?;
    let token = map
        .optional("token")
        .and_then(|node| scalar::secret(node, faults));
    map.finish(faults);
    token
}

pub(super) fn read_log(node: &Node, faults: &mut Faults<'_>) -> Log {
    let mut log = Log::default();
    let Some(mut map) = Mapping::of(node, faults) else {
        return log;
    };
    if let Some(level) = map
        .optional("level")
        .and_then(|node| read_level(node, faults))
    {
        log.level = level;
    }
    if let Some(format) = map
        .optional("format")
        .and_then(|node| scalar::word(node, &FORMATS, faults))
    {
        log.format = format;
    }
    map.finish(faults);
    log
}

/// A lone word must be a level: as a filter, any word is the name of some module.
fn read_level(node: &Node, faults: &mut Faults<'_>) -> Option<String> {
    let text = scalar::filled(node, faults)?;
    let alone = !text.contains(['=', ',', '[']);
    let fine = if alone {
        LEVELS.contains(&text)
    } else {
        EnvFilter::builder().parse(text).is_ok()
    };
    if fine {
        return Some(text.to_owned());
    }
    let help = match suggest::nearest(text, &LEVELS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            "error, warn, info, debug, trace, or a filter such as `info,cedargate=debug`".into()
        }
    };
    let message = format!("{} is not a log level", shown(node, text));
    faults.error_help(&node.place, message, help);
    None
}
