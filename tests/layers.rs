//! Imports run one way: no module uses one that stands above it in the house.

#![expect(
    clippy::expect_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test that reads the sources"
)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Bottom to top. A module may use itself and what stands before it.
const LAYERS: [&str; 17] = [
    "proto",
    "fault",
    "json",
    "yaml",
    "config",
    "identity",
    "request",
    "policy",
    "decision",
    "source",
    "telemetry",
    "authorizer",
    "transport",
    "shutdown",
    "app",
    "cli",
    "main",
];

/// The layers that decide: pure functions of their arguments.
const CORE: [&str; 4] = ["identity", "request", "policy", "decision"];

/// What the core must not touch.
const SHELL_CRATES: [&str; 9] = [
    "tokio::",
    "tonic::",
    "hyper::",
    "axum::",
    "reqwest::",
    "tracing::",
    "std::fs",
    "std::net::Tcp",
    "prometheus_client::",
];

#[test]
fn imports_run_one_way() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        let layer = layer_of(&file);
        let Some(height) = LAYERS.iter().position(|name| *name == layer) else {
            if layer != "lib" {
                faults.push(format!(
                    "{}: layer `{layer}` is not in the list",
                    file.display()
                ));
            }
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file is readable");
        for (number, line) in code_lines(&text) {
            for used in used_modules(line) {
                match LAYERS.iter().position(|name| *name == used) {
                    Some(other) if other <= height => {}
                    Some(_) => faults.push(format!(
                        "{}:{number}: `{layer}` uses `{used}`, which stands above it",
                        file.display()
                    )),
                    None => faults.push(format!(
                        "{}:{number}: `{used}` is not in the list of layers",
                        file.display()
                    )),
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_core_touches_nothing_outside_itself() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        if !CORE.contains(&layer_of(&file).as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file is readable");
        for (number, line) in code_lines(&text) {
            for name in SHELL_CRATES {
                if line.contains(name) {
                    faults.push(format!(
                        "{}:{number}: the core uses `{name}`",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for file in sources(Path::new("src")) {
        let text = fs::read_to_string(&file).expect("a source file is readable");
        if !text.starts_with("//! ") {
            faults.push(format!("{}: no sentence at the top", file.display()));
        }
        let lines = text.lines().count();
        if lines > 400 {
            faults.push(format!(
                "{}: {lines} lines; the bound is 400",
                file.display()
            ));
        }
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            faults.push(format!(
                "{}: `name.rs` beside `name/`, never `mod.rs`",
                file.display()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a source directory is readable") {
        let path = entry.expect("a directory entry is readable").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The first component below `src`, without `.rs`.
fn layer_of(file: &Path) -> String {
    let below = file.strip_prefix("src").expect("a file below src");
    let first = below.components().next().expect("a file has a name");
    let first = first.as_os_str().to_string_lossy();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

/// Lines that are code, with their numbers; what follows `mod tests` is left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .take_while(|(_, line)| !line.starts_with("mod tests"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Every `crate::NAME` and `cedargate::NAME` of a line.
fn used_modules(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .chain(line.split("cedargate::").skip(1))
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|name| !name.is_empty())
        .collect()
}
