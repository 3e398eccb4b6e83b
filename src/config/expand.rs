//! `${NAME}`, `${NAME:-default}`, `${file:/path}` and `$$` in values, replaced once the file is parsed.
//!
//! What a variable holds is text: it can never become a key, a list or a switch.

use std::ffi::OsString;
use std::mem;
use std::path::Path;

use crate::config::files;
use crate::config::reader::Faults;
use crate::config::reader::Place;
use crate::config::reader::cut;
use crate::config::yaml::Node;
use crate::config::yaml::Value;

/// Longest value after expansion, and largest file that a value is taken from, in bytes.
const LONGEST: usize = 64 * 1024;

/// Where variables come from.
pub trait Environment {
    /// The value of a variable; `None` when it is not set.
    fn variable(&self, name: &str) -> Option<OsString>;
}

impl<F: Fn(&str) -> Option<OsString>> Environment for F {
    fn variable(&self, name: &str) -> Option<OsString> {
        self(name)
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// What an expansion reads from.
pub(super) struct Inputs<'i> {
    pub(super) environment: &'i dyn Environment,
    /// Relative paths start here.
    pub(super) base: &'i Path,
}

/// Expands every value below `node`.
pub(super) fn expand(node: &mut Node, inputs: &Inputs<'_>, faults: &mut Faults<'_>) {
    match &mut node.value {
        Value::Sequence(items) => {
            for item in items {
                expand(item, inputs, faults);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                expand(&mut entry.value, inputs, faults);
            }
        }
        Value::Scalar { text, plain } if text.contains('$') => match replaced(text, inputs) {
            Ok(Replaced::Same) => {}
            Ok(Replaced::Escapes(literal)) => *text = literal,
            Ok(Replaced::Values(expanded)) => {
                *text = expanded;
                *plain = false;
                node.place = mem::take(&mut node.place).hide();
                faults.hide_lines(node.place.span());
            }
            Err(refusal) => {
                // A default, or what a slip made of one, may be a secret.
                if refusal.unclear || text.contains(":-") {
                    node.place = mem::take(&mut node.place).hide();
                    faults.hide_lines(node.place.span());
                }
                report(&node.place, refusal, faults);
                node.value = Value::Invalid;
            }
        },
        Value::Scalar { .. } | Value::Invalid => {}
    }
}

enum Replaced {
    Same,
    /// Only `$$` was replaced: the text is still what the operator wrote.
    Escapes(String),
    /// Something came from elsewhere.
    Values(String),
}

struct Refusal {
    message: String,
    help: Option<&'static str>,
    /// What stands there could not be read as an expansion.
    unclear: bool,
}

fn report(place: &Place, refusal: Refusal, faults: &mut Faults<'_>) {
    match refusal.help {
        Some(help) => faults.error_help(place, refusal.message, help),
        None => faults.error(place, refusal.message),
    }
}

fn replaced(text: &str, inputs: &Inputs<'_>) -> Result<Replaced, Refusal> {
    let mut out = String::new();
    let (mut escapes, mut values) = (false, false);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            escapes = true;
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let Some((expression, after)) = after.split_once('}') else {
                return Err(Refusal {
                    message: "`${` without `}`".to_owned(),
                    help: Some("write `$$` for a dollar sign"),
                    unclear: true,
                });
            };
            out.push_str(&value_of(expression, inputs)?);
            values = true;
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
        if out.len() > LONGEST {
            return Err(Refusal {
                message: format!("longer than {LONGEST} bytes after expansion"),
                help: None,
                unclear: false,
            });
        }
    }
    out.push_str(rest);
    Ok(match (values, escapes) {
        (true, _) => Replaced::Values(out),
        (false, true) => Replaced::Escapes(out),
        (false, false) => Replaced::Same,
    })
}

fn value_of(expression: &str, inputs: &Inputs<'_>) -> Result<String, Refusal> {
    if let Some(path) = expression.strip_prefix("file:") {
        return file_value(path, inputs);
    }
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    if !is_name(name) {
        // What stands here may be a default with a slip before it, so it is not shown.
        return Err(Refusal {
            message: "not a variable name within `${...}`".to_owned(),
            help: Some("write `${NAME}`, `${NAME:-default}` or `${file:/path}`"),
            unclear: true,
        });
    }
    let value = match inputs.environment.variable(name) {
        Some(value) => Some(value.into_string().map_err(|_| Refusal {
            message: format!("the environment variable `{}` is not UTF-8", cut(name)),
            help: None,
            unclear: false,
        })?),
        None => None,
    };
    match (value, default) {
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (Some(value), None) => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Refusal {
            message: format!("the environment variable `{}` is not set", cut(name)),
            help: Some("set it, or write `${NAME:-default}`"),
            unclear: false,
        }),
    }
}

/// The content of a file without one line break at its end, as editors and `echo` leave there.
fn file_value(path: &str, inputs: &Inputs<'_>) -> Result<String, Refusal> {
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let text = files::text(&inputs.base.join(path), limit).map_err(|error| Refusal {
        message: error.to_string(),
        help: None,
        unclear: false,
    })?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name
            .chars()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "from file\n").unwrap();
        let environment = |name: &str| match name {
            "A" => Some(OsString::from("alpha")),
            "EMPTY" => Some(OsString::new()),
            "LOOP" => Some(OsString::from("${A}")),
            _ => None,
        };
        let inputs = Inputs {
            environment: &environment,
            base: dir.path(),
        };
        match replaced(text, &inputs) {
            Ok(Replaced::Same) => Ok(text.to_owned()),
            Ok(Replaced::Escapes(text) | Replaced::Values(text)) => Ok(text),
            Err(refusal) => Err(refusal.message),
        }
    }

    #[test]
    fn values_are_replaced_once() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${A}", "alpha"),
            ("x-${A}-${A}", "x-alpha-alpha"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NONE:-d:-e}", "d:-e"),
            ("${NONE:-}", ""),
            ("${A:-d}", "alpha"),
            ("$${A}", "${A}"),
            ("$$$${A}", "$${A}"),
            ("$A costs 5$", "$A costs 5$"),
            ("${LOOP}", "${A}"),
            ("${file:secret}", "from file"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_else_is() {
        for (text, expected) in [
            ("${NONE}", "the environment variable `NONE` is not set"),
            ("${A", "`${` without `}`"),
            ("${}", "not a variable name within `${...}`"),
            ("${1A}", "not a variable name within `${...}`"),
            ("${A-hunter2}", "not a variable name within `${...}`"),
        ] {
            assert_eq!(expanded(text), Err(expected.to_owned()), "{text}");
        }
        let missing = expanded("${file:none}").unwrap_err();
        assert!(missing.starts_with("cannot read `"), "{missing}");
    }

    #[test]
    fn expansion_is_bounded() {
        let text = "${A}".repeat(LONGEST / 4);
        assert_eq!(
            expanded(&text).unwrap_err(),
            format!("longer than {LONGEST} bytes after expansion")
        );
    }
}
