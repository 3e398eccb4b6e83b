//! The set of policies to copy: it is clean, each policy decides a test, and it stands on its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use tempfile::TempDir;

use super::COMPANY;
use super::support::sidecar::PROGRAM;

/// What the tests are about, by a name of at least one test each; a case that goes needs another.
const CASES: [&str; 35] = [
    "the health page is open",
    "a stranger may say hello",
    "a stranger sees no tools",
    "the first of several roles",
    "none of several roles",
    "one role",
    "both of two roles",
    "one of two roles",
    "either scope reads",
    "no scope",
    "a scope that begins like the one that is needed",
    "both scopes",
    "one of both scopes",
    "the machine itself",
    "another machine",
    "through an editor",
    "through another program",
    "a small amount",
    "a large amount",
    "no amount",
    "an amount as text",
    "the own tenant",
    "another tenant",
    "no tenant on either side",
    "before the day begins",
    "the day begins",
    "a tool that changes nothing",
    "a tool that nobody has listed",
    "the claim says so",
    "from outside, by version 4",
    "from inside, by version 6",
    "destructive, without the scope",
    "destructive, with the scope",
    "destructive, and reviewed",
    "a suspended account",
];

/// A folder of someone's own with a copy of what ships at these places.
fn copied(from: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (from, to) in from {
        let done = Command::new("cp")
            .arg("-r")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(from))
            .arg(folder.path().join(to))
            .status();
        assert!(done.expect("cp runs").success());
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = Command::new(PROGRAM)
        .args(arguments)
        .current_dir(folder)
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = ran.expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        status.code().expect("it was not killed"),
        text(stdout),
        text(stderr),
    )
}

#[test]
fn the_company_passes_its_tests() {
    let folder = copied(&[(COMPANY, "my")]);
    let my = folder.path().join("my");
    let valid = (
        0,
        "cedargate.yaml: valid, 18 policies\n".to_owned(),
        String::new(),
    );
    assert_eq!(run(&my, &["validate"]), valid);
    let (code, out, err) = run(&my, &["test", "--verbose", "--fail-under", "100"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let sums = "\n50 tests, 50 passed\ncoverage: 18 of 18 policies decided a test (100 %)\n";
    assert!(out.contains(sums), "{out}");
    for case in CASES {
        assert!(out.contains(&format!("ok    {case} (")), "{case}");
    }
}

/// Each policy is needed: without any one of them, some test fails.
#[test]
fn without_any_policy_a_test_of_the_company_fails() {
    let folder = copied(&[(COMPANY, "my")]);
    let my = folder.path().join("my");
    let mut tried = 0;
    for entry in fs::read_dir(my.join("policies")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path
            .extension()
            .is_none_or(|extension| extension != "cedar")
        {
            continue;
        }
        let whole = fs::read_to_string(&path).expect("a file");
        for policy in whole.split("@id(").skip(1) {
            let end = policy.find(";\n").expect("its end").saturating_add(2);
            let policy = format!("@id({}", policy.get(..end).expect("a policy"));
            fs::write(&path, whole.replace(&policy, "")).expect("a file can be written");
            let (code, out, err) = run(&my, &["test"]);
            assert_eq!(code, 4, "{policy}{out}{err}");
            tried += 1;
        }
        fs::write(&path, whole).expect("a file can be written");
    }
    assert_eq!(tried, 18);
}

/// The words of `policies/README.md`.
#[test]
fn the_starter_policies_are_ready_to_be_copied() {
    let folder = copied(&[
        ("policies", "my"),
        ("deploy/envoy/cedargate.yaml", "cedargate.yaml"),
    ]);
    let (code, out, err) = run(folder.path(), &["validate", "--policies-dir", "my"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let (code, out, err) = run(folder.path(), &["test", "my", "--fail-under", "100"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let said = include_str!("../../policies/README.md");
    for command in [
        "cp -r policies my",
        "cedargate validate --policies-dir my",
        "cedargate test my --fail-under 100",
    ] {
        assert!(said.contains(command), "{command}");
    }
}
