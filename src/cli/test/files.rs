//! The files of tests, read: every test with its place, or every fault.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::config::Resource;
use crate::fault::Fault;
use crate::fault::Source;
use crate::fault::yaml;
use crate::request::case::Case;
use crate::request::case::Written;
use crate::request::case::WrittenContext;
use crate::request::case::WrittenPrincipal;
use crate::source::policy_files;

/// One test, ready to run.
#[derive(Debug)]
pub(in crate::cli) struct Test {
    /// The file, as the operator would name it.
    pub(super) file: Arc<str>,
    /// The line, from 1.
    pub(super) line: u64,
    pub(super) name: String,
    pub(super) case: Case,
    pub(super) expected: Expected,
}

/// What must come out.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) allow: bool,
    /// The determining ids, exactly; sorted.
    pub(super) policies: Option<Vec<String>>,
    /// What the caller lacks, exactly; sorted.
    pub(super) missing_scopes: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allow,
    Deny,
}

/// A test, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest {
    name: String,
    expect: Verdict,
    policies: Option<Vec<String>>,
    missing_scopes: Option<Vec<String>>,
    #[serde(default)]
    principal: WrittenPrincipal,
    action: Option<String>,
    tool: Option<String>,
    uri: Option<String>,
    prompt: Option<String>,
    server: Option<String>,
    task: Option<String>,
    route: Option<String>,
    arguments: Option<serde_json::Value>,
    #[serde(default)]
    context: WrittenContext,
}

/// Reads the tests in a folder, or in one file.
///
/// # Errors
///
/// Every fault in every file.
pub(in crate::cli) fn read_all(
    path: &Path,
    resources: &[Arc<Resource>],
) -> Result<Vec<Test>, Vec<Fault>> {
    read_sources(policy_files::read_tests(path)?, resources)
}

/// Reads the tests in these files.
///
/// # Errors
///
/// Every fault in every file.
pub(in crate::cli) fn read_sources(
    sources: Vec<Source>,
    resources: &[Arc<Resource>],
) -> Result<Vec<Test>, Vec<Fault>> {
    let mut tests = Vec::new();
    let mut faults = Vec::new();
    for source in sources {
        match read(&source, resources, &mut faults) {
            Ok(read) => tests.extend(read),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(tests)
    } else {
        Err(faults)
    }
}

fn read(
    source: &Source,
    resources: &[Arc<Resource>],
    faults: &mut Vec<Fault>,
) -> Result<Vec<Test>, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    let written: Result<Vec<Spanned<WrittenTest>>, _> =
        serde_saphyr::from_str_with_options(&source.text, options);
    let written = written.map_err(|error| yaml::of(source, &error))?;
    let mut tests = Vec::with_capacity(written.len());
    for one in written {
        let at = one.defined;
        let span = yaml::span(source, at.line(), at.column());
        match ready(one.value, source, at.line(), resources) {
            Ok(test) => tests.push(test),
            Err(message) => faults.push(Fault::error(source, Some(span), message)),
        }
    }
    Ok(tests)
}

fn ready(
    written: WrittenTest,
    source: &Source,
    line: u64,
    resources: &[Arc<Resource>],
) -> Result<Test, String> {
    let named = |fault: &dyn std::fmt::Display| format!("test `{}`: {fault}", written.name);
    let sorted = |mut list: Vec<String>| {
        list.sort_unstable();
        list
    };
    let expected = Expected {
        allow: matches!(written.expect, Verdict::Allow),
        policies: written.policies.map(sorted),
        missing_scopes: written.missing_scopes.map(sorted),
    };
    if expected.allow && expected.missing_scopes.is_some() {
        return Err(named(
            &"`missing_scopes` has a meaning only beside `expect: deny`",
        ));
    }
    let case = Written {
        principal: written.principal,
        action: written.action,
        tool: written.tool,
        uri: written.uri,
        prompt: written.prompt,
        server: written.server,
        task: written.task,
        route: written.route,
        arguments: written.arguments,
        context: written.context,
    };
    let case = case.case().map_err(|fault| named(&fault))?;
    case.is_possible(resources).map_err(|fault| named(&fault))?;
    Ok(Test {
        file: Arc::clone(&source.name),
        line,
        case,
        expected,
        name: written.name,
    })
}
