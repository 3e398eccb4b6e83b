//! What `docs/policies.md` and `docs/cedar-model.md` say of policies is what the program does, and the set
//! of policies in `deploy/examples/company/` passes its own tests.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

#[path = "policy_guide/blocks.rs"]
mod blocks;
#[path = "policy_guide/company.rs"]
mod company;
#[path = "policy_guide/model.rs"]
mod model;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use blocks::Block;
use blocks::blocks;
use support::folder::Folder;
use support::folder::Ran;
use support::sidecar::PROGRAM;

const GUIDE: &str = include_str!("../docs/policies.md");

/// The directory that every example is put into.
const COMPANY: &str = "deploy/examples/company";

/// What a block of the guide is for; each needs what follows it.
#[derive(Debug)]
enum Step<'a> {
    /// Policies and their tests, which all pass.
    Example(&'a Block, &'a Block),
    /// A policy with a mistake, and how it is reported.
    Faulty(&'a Block, &'a Block),
    /// Tests of the example before, some of which fail, and the report.
    Failing(&'a Block, &'a Block, &'a Block),
    /// Another text for the example before, and what that changes.
    Changed(&'a Block, &'a Block, &'a Block),
    /// A file of the company.
    File(&'a Block, &'static str),
    /// Commands.
    Commands(&'a Block),
}

/// Every block of a document, or what is wrong with the first that has no use.
fn steps(all: &[Block]) -> Result<Vec<Step<'_>>, String> {
    let mut steps = Vec::new();
    let mut example = None;
    let mut rest = all.iter();
    while let Some(block) = rest.next() {
        let mut next = |language: &str| match rest.next() {
            Some(next) if next.language == language => Ok(next),
            Some(_) | None => Err(format!(
                "line {}: a block `{}` is not followed by one of `{language}`",
                block.line, block.language
            )),
        };
        let before = || example.ok_or_else(|| format!("line {}: no example before it", block.line));
        steps.push(match &*block.language {
            "cedar" => {
                let tests = next("yaml")?;
                if !tests.text.starts_with("- ") {
                    return Err(format!("line {}: no tests beside it", block.line));
                }
                example = Some(block);
                Step::Example(block, tests)
            }
            "cedar faulty" => Step::Faulty(block, next("text")?),
            "yaml failing" => Step::Failing(before()?, block, next("text")?),
            "cedar changed" => Step::Changed(before()?, block, next("text")?),
            "sh" => Step::Commands(block),
            "json" if block.text.contains("\"uid\"") => Step::File(block, "policies/entities.json"),
            "json" => Step::File(block, "policies/tools.json"),
            "yaml" if block.text.starts_with("users:") => {
                Step::File(block, "policies/principals.yaml")
            }
            "yaml" => Step::File(block, "cedargate.yaml"),
            other => return Err(format!("line {}: what is `{other}`?", block.line)),
        });
    }
    Ok(steps)
}

/// The company without its policies, with these instead.
fn company(policies: &str, tests: &str) -> Folder {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("policies/tests")).expect("a folder");
    for file in [
        "cedargate.yaml",
        "policies/entities.json",
        "policies/principals.yaml",
        "policies/tools.json",
    ] {
        fs::copy(Path::new(COMPANY).join(file), folder.path(file)).expect("a shipped file");
    }
    folder.write("policies/example.cedar", policies);
    folder.write("policies/tests/example.yaml", tests);
    folder
}

/// What the program prints, as a block of a document.
fn shown(text: &str) -> String {
    text.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// A last line `...` stands for the rest of what is printed.
fn compare(block: &Block, found: &str, faults: &mut Vec<String>) {
    let found = &shown(found);
    let same = match block.text.strip_suffix("\n...\n") {
        Some(beginning) => found.starts_with(&format!("{beginning}\n")),
        None => block.text == *found,
    };
    if !same {
        faults.push(format!("line {}: it prints\n{found}", block.line));
    }
}

/// What is wrong with an example.
fn try_example(policies: &Block, tests: &Block) -> Result<(), String> {
    let folder = company(&policies.text, &tests.text);
    let failed = |ran: Ran| Err(format!("line {}: {}{}", policies.line, ran.err, ran.out));
    let validated = folder.run(&["validate"]);
    if validated.code != 0 || !validated.err.is_empty() {
        return failed(validated);
    }
    let ran = folder.run(&["test", "--fail-under", "100"]);
    if ran.code != 0 || !ran.err.is_empty() {
        return failed(ran);
    }
    for verdict in ["expect: allow", "expect: deny"] {
        if !tests.text.contains(verdict) {
            return Err(format!("line {}: no test has `{verdict}`", tests.line));
        }
    }
    Ok(())
}

#[test]
fn every_block_of_the_guide_holds() {
    let all = blocks(GUIDE);
    let steps = steps(&all).unwrap_or_else(|fault| panic!("{fault}"));
    let mut faults = Vec::new();
    let mut examples = 0;
    for step in &steps {
        match step {
            Step::Example(policies, tests) => {
                examples += 1;
                faults.extend(try_example(policies, tests).err());
            }
            Step::Faulty(policies, output) => {
                let folder = company(&policies.text, "[]\n");
                let ran = folder.run(&["validate"]);
                assert_eq!(ran.code, 3, "{ran:?}");
                compare(output, &ran.err, &mut faults);
            }
            Step::Failing(policies, tests, output) => {
                let folder = company(&policies.text, &tests.text);
                let ran = folder.run(&["test"]);
                assert_eq!(ran.code, 4, "{ran:?}");
                compare(output, &ran.out, &mut faults);
            }
            Step::Changed(before, after, output) => {
                let folder = company(&before.text, "[]\n");
                fs::rename(folder.path("policies"), folder.path("before")).expect("a folder");
                let now = company(&with(&before.text, &after.text), "[]\n");
                fs::rename(now.path("policies"), folder.path("policies")).expect("a folder");
                let ran = folder.run(&["matrix", "--against", "before", "--fail-on-change"]);
                assert_eq!(ran.code, 1, "{ran:?}");
                compare(output, &ran.out, &mut faults);
            }
            Step::File(block, file) => {
                let shipped = fs::read_to_string(Path::new(COMPANY).join(file)).expect("a file");
                if block.text != shipped {
                    faults.push(format!("line {}: that is not {file}", block.line));
                }
            }
            Step::Commands(block) => faults.extend(commands(block)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(examples >= 38, "{examples}");
}

/// The policies with the one of the same id replaced.
fn with(policies: &str, changed: &str) -> String {
    let id = changed.lines().next().expect("a policy begins with its id");
    assert!(policies.contains(id), "{id}");
    let kept = policies.split("\n\n").map(|one| {
        if one.starts_with(id) {
            changed.trim_end()
        } else {
            one
        }
    });
    kept.collect::<Vec<_>>().join("\n\n")
}

/// Flags in commands of ours that the program does not have.
fn commands(block: &Block) -> Vec<String> {
    let mut faults = Vec::new();
    for line in block.text.lines() {
        let Some(command) = line.trim_start_matches("$ ").strip_prefix("cedargate ") else {
            continue;
        };
        let command = command.split(" #").next().unwrap_or_default();
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        let help = Command::new(PROGRAM).args([name, "--help"]).output();
        let help = help.expect("the program runs");
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let known: BTreeSet<&str> = help.split_whitespace().collect();
        let flags = words.filter(|word| word.starts_with("--"));
        let unknown = flags.filter(|flag| !known.contains(flag));
        faults.extend(unknown.map(|flag| format!("line {}: {name} {flag}", block.line)));
        if !help.contains("Usage: ") {
            faults.push(format!("line {}: there is no `{name}`", block.line));
        }
    }
    faults
}

#[test]
fn a_guide_that_is_wrong_is_noticed() {
    let tests = "```yaml\n- {name: a, expect: allow}\n```\n";
    let cedar = "```cedar\n@id(\"a\") permit(principal, action, resource);\n```\n";
    for (document, fault) in [
        (cedar.to_owned(), "line 1: a block `cedar` is not followed"),
        (format!("{cedar}{cedar}{tests}"), "line 1: a block `cedar`"),
        (
            format!("{cedar}```yaml\nusers: {{}}\n```\n"),
            "line 1: no tests",
        ),
        ("```yaml failing\n```\n".to_owned(), "line 1: no example"),
        ("```text\n```\n".to_owned(), "line 1: what is `text`?"),
    ] {
        let all = blocks(&document);
        let found = steps(&all).expect_err(&document);
        assert!(found.starts_with(fault), "{document}: {found}");
    }
    let id = "@id(\"a\") permit(principal in Mcp::Role::\"hr\", action, resource == Mcp::Server::\"crm\");";
    let hit = "- {name: a, server: crm, action: ping, principal: {roles: [hr]}, expect: allow}\n";
    let miss = "- {name: b, server: crm, action: ping, expect: deny}\n";
    let block = |text: &str| Block {
        line: 7,
        language: String::new(),
        text: text.to_owned(),
    };
    let said = |policies: &str, tests: &str| {
        let tried = try_example(&block(policies), &block(tests));
        tried.err().unwrap_or_default()
    };
    assert_eq!(said(id, &format!("{hit}{miss}")), "");
    for (policies, tests, fault) in [
        (id.to_owned(), hit.to_owned(), "no test has `expect: deny`"),
        (id.to_owned(), miss.to_owned(), "never decisive"),
        (
            id.to_owned(),
            format!("{hit}{miss}").replace("deny", "allow"),
            "FAIL",
        ),
        (id.replace("\"hr\"", "\"hrr\""), miss.to_owned(), "warning"),
        (id.replace("action,", "actio,"), miss.to_owned(), "error"),
    ] {
        let found = said(&policies, &tests);
        assert!(found.contains(fault), "{fault}: {found}");
    }
}

#[test]
fn every_link_to_a_heading_and_every_file_exists() {
    for document in ["docs/policies.md", "docs/cedar-model.md"] {
        let text = fs::read_to_string(document).expect("a document");
        let headings: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("##"))
            .map(|heading| {
                let plain = heading.trim_start_matches('#').trim().to_lowercase();
                let kept = plain
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -".contains(*c));
                kept.collect::<String>().replace(' ', "-")
            })
            .collect();
        for link in text.split("](#").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            assert!(headings.contains(link), "{document}: #{link}");
        }
        let code = text.split('`').skip(1).step_by(2);
        for name in code.filter(|code| code.starts_with("docs/") || code.starts_with("deploy/")) {
            assert!(Path::new(name).exists(), "{document}: {name}");
        }
    }
}
