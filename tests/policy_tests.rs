//! `cedargate test` as its users meet it: the shipped tests pass, a changed policy shows, and every
//! fault has its place.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use support::folder::Folder;
use support::folder::Ran;
use support::process::Process;
use support::sidecar::PROGRAM;

const CONFIG: &str = include_str!("../deploy/envoy/cedargate.yaml");
const TESTS: &str = include_str!("../policies/tests/weather.yaml");
const READER: &str =
    "principal: {subject: a, issuer: i, roles: [viewer]}, tool: weather/get_forecast";

/// A folder with the shipped configuration and policies.
fn shipped() -> Folder {
    let folder = Folder::new();
    folder.write("cedargate.yaml", CONFIG);
    fs::create_dir_all(folder.path("policies/tests")).expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in [
        "00-handshake.cedar",
        "10-roles.cedar",
        "20-scopes.cedar",
        "90-forbid.cedar",
        "entities.json",
        "tools.json",
        "tests/weather.yaml",
    ] {
        let to = folder.path("policies").join(name);
        fs::copy(from.join(name), to).expect("a shipped file");
    }
    folder
}

fn with_tests(tests: &str) -> Folder {
    let folder = shipped();
    folder.write("policies/tests/weather.yaml", tests);
    folder
}

fn results(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).expect("a JSON object")
}

#[test]
fn the_shipped_tests_pass_and_cover_every_shipped_policy() {
    let folder = shipped();
    let ran = folder.run(&["test", "--fail-under", "100"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    assert!(
        ran.out
            .starts_with("11 tests, 11 passed\ncoverage: 7 of 7 policies"),
        "{ran:?}"
    );
    for place in ["policies", "policies/tests", "policies/tests/weather.yaml"] {
        let again = folder.run(&["test", place, "--json"]);
        assert_eq!(again.code, 0, "{again:?}");
        assert_eq!(results(&again)["coverage"]["percent"], 100, "{place}");
    }
    let verbose = folder.run(&["test", "--verbose"]);
    assert!(
        verbose
            .out
            .contains("ok    a viewer reads (allow, by viewer-reads)\n"),
        "{verbose:?}"
    );
}

#[test]
fn a_changed_policy_shows() {
    let folder = shipped();
    let path = folder.path("policies/10-roles.cedar");
    let roles = fs::read_to_string(&path).expect("a policy file");
    folder.write(
        "policies/10-roles.cedar",
        &roles.replace("Mcp::Role::\"editor\"", "Mcp::Role::\"chief\""),
    );
    let path = folder.path("policies/entities.json");
    let entities = fs::read_to_string(&path).expect("the roles");
    let chief =
        "[{\"uid\": {\"type\": \"Mcp::Role\", \"id\": \"chief\"}, \"attrs\": {}, \"parents\": []},";
    folder.write("policies/entities.json", &entities.replacen('[', chief, 1));
    let ran = folder.run(&["test", "--junit", "results.xml"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    for expected in [
        "FAIL  an editor writes (policies/tests/weather.yaml:37)\n",
        "      expected allow, got deny: insufficient_scope\n",
        "      the client is told: requires any of roles [admin, chief]",
        "11 tests, 10 passed, 1 failed\n",
        "coverage: 6 of 7 policies decided a test (85 %)\n",
        "  never decisive: editor-writes (policies/10-roles.cedar:10)\n",
    ] {
        assert!(
            ran.out.contains(expected),
            "{expected} is not in {}",
            ran.out
        );
    }
    let document = fs::read_to_string(folder.path("results.xml")).expect("a file was written");
    assert!(
        document.contains("<testsuites tests=\"11\" failures=\"1\""),
        "{document}"
    );
    assert!(
        document.contains("<failure message=\"expected allow, got deny: insufficient_scope\">")
    );
}

#[test]
fn each_expectation_is_held() {
    for (expectation, code, difference) in [
        ("expect: allow", 0, ""),
        ("expect: deny", 4, "expected deny, got allow"),
        ("expect: allow, policies: [viewer-reads]", 0, ""),
        (
            "expect: allow, policies: []",
            4,
            "expected policies [], got [viewer-reads]",
        ),
        (
            "expect: allow, policies: [viewer-reads, scope-reads]",
            4,
            "expected policies [scope-reads, viewer-reads], got [viewer-reads]",
        ),
    ] {
        let folder = with_tests(&format!("- {{name: t, {READER}, {expectation}}}\n"));
        let ran = folder.run(&["test", "--json"]);
        assert_eq!(ran.code, code, "{expectation}: {ran:?}");
        let wanted = if difference.is_empty() {
            json!([])
        } else {
            json!([difference])
        };
        assert_eq!(results(&ran)["tests"][0]["differences"], wanted);
    }
    let lacks = "principal: {subject: a, issuer: i}, tool: weather/set_alert, expect: deny";
    for (missing, code) in [
        ("[\"weather:write\"]", 0),
        ("[]", 4),
        ("[\"weather:read\"]", 4),
    ] {
        let folder = with_tests(&format!(
            "- {{name: t, {lacks}, missing_scopes: {missing}}}\n"
        ));
        assert_eq!(folder.run(&["test"]).code, code, "{missing}");
    }
}

/// Tests are sent around like code, and a CI log is read on a terminal.
#[test]
fn a_name_does_nothing_to_a_terminal() {
    let name = r#""\e[2J\u202Ename\nok    forged""#;
    let folder = with_tests(&format!("- {{name: {name}, {READER}, expect: deny}}\n"));
    for flags in [&["test"][..], &["test", "--json"]] {
        let ran = folder.run(flags);
        let shown = ran.out;
        assert!(shown.contains(r"\u001b[2J\u202ename"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
        assert!(!shown.contains("\nok    forged"), "{shown}");
    }
}

#[test]
fn too_little_coverage_fails_and_says_what_is_missing() {
    let folder = with_tests(&format!("- {{name: t, {READER}, expect: allow}}\n"));
    let ran = folder.run(&["test", "--fail-under", "50"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.err
            .contains("14 % of the policies are covered, and 50 % are wanted"),
        "{ran:?}"
    );
    assert!(
        ran.out
            .contains("tools weather/delete_station, weather/set_alert\n"),
        "{ran:?}"
    );
    assert_eq!(folder.run(&["test", "--fail-under", "14"]).code, 0);
    assert_eq!(folder.run(&["test", "--fail-under", "101"]).code, 2);
}

#[test]
fn every_fault_in_a_test_file_has_its_place() {
    let folder = with_tests(
        "- {name: a, tool: nowhere/x, expect: allow}\n- {name: b, expect: deny}\n\
         - {name: c, tool: weather/x, expect: allow, missing_scopes: [s]}\n",
    );
    folder.write(
        "policies/tests/other.yaml",
        "- name: d\n  toool: weather/x\n  expect: allow\n",
    );
    let ran = folder.run(&["test"]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    for expected in [
        "test `a`: no resource of the configuration is named `nowhere`; there is `weather`",
        "test `b`: name a target",
        "test `c`: `missing_scopes` has a meaning only beside `expect: deny`",
        "toool",
        "policies/tests/other.yaml:2:3",
        "policies/tests/weather.yaml:3:3",
    ] {
        assert!(
            ran.err.contains(expected),
            "{expected} is not in {}",
            ran.err
        );
    }
    let validated = folder.run(&["validate"]);
    assert_eq!(
        validated.code, 3,
        "`validate` reads the tests: {validated:?}"
    );
    assert!(validated.err.contains("test `b`"), "{validated:?}");
}

#[test]
fn no_tests_at_all_are_a_failure() {
    let folder = with_tests("[]\n");
    let ran = folder.run(&["test"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("there are no tests in `policies/tests`"),
        "{ran:?}"
    );
    assert_eq!(folder.run(&["test", "nowhere"]).code, 3);
}

#[test]
fn a_watch_runs_again_when_something_changes() {
    let folder = shipped();
    let mut command = Command::new(PROGRAM);
    command
        .args(["test", "--watch"])
        .current_dir(folder.path(""));
    let process = Process::spawn("cedargate test", &mut command);
    let seen = |text: &str| {
        let found = process.stdout().wait(Duration::from_secs(30), |lines| {
            lines.iter().any(|line| line == text).then_some(())
        });
        assert!(found.is_some(), "{text}");
    };
    seen("11 tests, 11 passed");
    let extra =
        "- {name: more, server: weather, action: ping, principal: {subject: a}, expect: allow}\n";
    folder.write("policies/tests/weather.yaml", &format!("{TESTS}\n{extra}"));
    seen("12 tests, 12 passed");
}
