//! What flags and environment variables say instead of the file.

use std::path::PathBuf;

use crate::config::Config;
use crate::config::reader::Place;
use crate::config::yaml::Entry;
use crate::config::yaml::Node;
use crate::config::yaml::Value;
use crate::fault::Fault;
use crate::fault::Source;

/// Values that win over those of the file. They are read by the same rules, and a fault in one names
/// its flag instead of a file. `${...}` in them is not expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen-grpc`
    pub grpc: Option<String>,
    /// `--listen-http`
    pub http: Option<String>,
    /// `--listen-public`
    pub public: Option<String>,
    /// `--listen-admin`
    pub admin: Option<String>,
    /// `--policies`, relative to the working directory.
    pub policies_dir: Option<PathBuf>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// Puts the overrides into the tree. What is not a mapping is left as it is, to be reported.
pub(super) fn apply(root: &mut Node, overrides: &Overrides) {
    let Overrides {
        grpc,
        http,
        public,
        admin,
        policies_dir: _, // has another base than the paths of the file
        log_level,
        log_format,
    } = overrides;
    for (flag, section, key, value) in [
        ("--listen-grpc", "listen", "grpc", grpc),
        ("--listen-http", "listen", "http", http),
        ("--listen-public", "listen", "public", public),
        ("--listen-admin", "listen", "admin", admin),
        ("--log-level", "log", "level", log_level),
        ("--log-format", "log", "format", log_format),
    ] {
        if let Some(text) = value
            && let Some(section) = child(root, section, || Value::Mapping(Vec::new()))
            && let Some(slot) = child(section, key, || Value::Invalid)
        {
            *slot = Node {
                value: Value::Scalar {
                    text: text.clone(),
                    plain: false,
                },
                place: Place::flag(flag, text),
            };
        }
    }
}

/// A directory from the command line wins over the file, and over the signature that the file asks for.
pub(super) fn drop_bundle(
    config: &mut Config,
    overrides: &Overrides,
    source: &Source,
) -> Option<Fault> {
    overrides.policies_dir.as_ref()?;
    config.policies.bundle.take()?;
    let fault = Fault::error(source, None, "`policies.bundle` is not used");
    Some(
        fault
            .help(
                "`--policies-dir` or `CEDARGATE_POLICIES_DIR` names a directory in its place, and nobody has \
                 signed what is in there",
            )
            .warning(),
    )
}

/// The value of a key; one that is absent or null is made.
fn child<'n>(node: &'n mut Node, key: &str, new: fn() -> Value) -> Option<&'n mut Node> {
    if node.is_null() {
        node.value = Value::Mapping(Vec::new());
    }
    let Value::Mapping(entries) = &mut node.value else {
        return None;
    };
    if !entries.iter().any(|entry| entry.key == key) {
        entries.push(Entry {
            key: key.to_owned(),
            place: Place::default(),
            value: Node {
                value: new(),
                place: Place::default(),
            },
        });
    }
    entries
        .iter_mut()
        .find(|entry| entry.key == key)
        .map(|entry| &mut entry.value)
}
