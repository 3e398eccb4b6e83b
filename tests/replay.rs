//! `cedargate replay` over records that a real `serve` has made: the same policies change nothing,
//! others change what they should, and what a record does not hold is said.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use serde_json::json;
use support::ask::Ask;
use support::folder::Folder;
use support::folder::Ran;
use support::mcp;
use support::sidecar::Sidecar;
use support::tokens::ISSUER;
use support::tokens::Key;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const API_KEY: &str = "0123456789abcdef0123456789abcdef";

/// What `principals.yaml` said when the records were made.
const PRINCIPALS: &str = "users:\n  https://issuer.example#bob: {roles: [viewer]}\n";

/// What the records are about, each asked over gRPC and HTTP.
const ASKED: usize = 10;

/// A configuration, and what was recorded under it.
struct Made {
    config: String,
    log: String,
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let key = Key::new();
        let config = format!(
            "authenticators:\n{}- {{name: keys, type: api_key, header: x-api-key, \
             keys: [{{id: app, secret: {API_KEY}, roles: [editor]}}]}}\n\
             - {{name: strangers, type: anonymous}}\n\
             resources:\n- {{name: weather, url: \"{RESOURCE}\", kind: mcp, authenticators: [corp, keys]}}\n\
             - {{name: site, url: \"https://www.example.com\", kind: http}}\n\
             decision_log: {{to: {{file: decisions.ndjson}}, arguments: [threshold]}}\n",
            key.authenticator()
        );
        let mut sidecar = Sidecar::start_with(&config, &[("principals.yaml", PRINCIPALS)]);
        let asker = sidecar.asker();
        let token = |subject: &str, roles: &Value| {
            let claims = json!({"sub": subject, "roles": roles});
            key.token(RESOURCE, &claims)
        };
        let viewer = token("alice", &json!(["viewer"]));
        let bob = token("bob", &json!([]));
        let listen = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["file:///a"]}}}"#;
        let set = |threshold: &str| Ask::post(mcp::call("set_alert", threshold));
        let asks = [
            (Ask::call("get_forecast").bearer(&viewer), "allowed"),
            (Ask::call("get_forecast").bearer(&bob), "allowed"),
            (set(r#"{"threshold":3}"#).header("x-api-key", API_KEY), "allowed"),
            (set(r#"{"threshold":3}"#).bearer(&viewer), "insufficient_scope"),
            (Ask::call("delete_station").bearer(&viewer), "not_permitted"),
            (Ask::post(listen).bearer(&viewer), "not_permitted"),
            (Ask::call("get_forecast"), "missing_credential"),
            (Ask::call("get_forecast").bearer("a.b.c"), "invalid_credential"),
            (Ask::post("{").bearer(&viewer), "malformed_request"),
            (
                Ask::bare("GET")
                    .at("www.example.com", "/reports/1")
                    .header("x-api-key", API_KEY),
                "not_permitted",
            ),
        ];
        assert_eq!(asks.len(), ASKED);
        for (ask, expected) in asks {
            assert_eq!(asker.both(&ask).reason, expected, "{ask:?}");
        }
        sidecar.terminate().expect("it ends");
        let log = fs::read_to_string(sidecar.folder().join("decisions.ndjson"));
        Made {
            config,
            log: log.expect("records were written"),
        }
    })
}

/// A folder with the configuration, the log, the policies of then, and the same again as
/// `policies.next`, with these files on top.
fn folder(changes: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    folder.write("cedargate.yaml", &made().config);
    folder.write("decisions.ndjson", &made().log);
    for dir in ["policies", "policies.next"] {
        fs::create_dir(folder.path(dir)).expect("a folder");
        for entry in fs::read_dir(Path::new("policies")).expect("the starter policies") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a name");
                fs::copy(&path, folder.path(dir).join(name)).expect("a copy");
            }
        }
        folder.write(&format!("{dir}/principals.yaml"), PRINCIPALS);
    }
    for (name, text) in changes {
        folder.write(&format!("policies.next/{name}"), text);
    }
    folder
}

fn replay(folder: &Folder, more: &[&str]) -> Ran {
    let usual = [
        "replay",
        "--log",
        "decisions.ndjson",
        "--policies",
        "policies.next",
    ];
    folder.run(&[&usual[..], more].concat())
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
}

#[test]
fn the_same_policies_change_nothing() {
    let ran = replay(&folder(&[]), &["--fail-on-change", "--format", "json"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    let expected = json!({"deny_to_allow": 0, "allow_to_deny": 0, "other_reason": 0,
        "unchanged": 14, "cannot_tell": 0, "not_by_policy": 6, "broken_lines": 0});
    let document = document(&ran);
    assert_eq!(document["counts"], expected);
    let outside = json!({"invalid_credential": 2, "malformed_request": 2, "missing_credential": 2});
    assert_eq!(document["not_by_policy"], outside);
}

/// Viewers write and do not read, and scopes are worth nothing.
fn upside_down() -> Folder {
    folder(&[
        (
            "10-roles.cedar",
            "@id(\"viewer-writes\") permit(principal in Mcp::Role::\"viewer\", \
             action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"weather/set_alert\");",
        ),
        ("20-scopes.cedar", ""),
    ])
}

#[test]
fn what_would_be_opened_comes_first() {
    let folder = upside_down();
    let ran = replay(&folder, &["--limit", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        &lines[..3],
        [
            "deny -> allow: 2",
            &format!("      2  User {ISSUER}#alice  tools/call  Mcp::Tool::\"weather/set_alert\""),
            "         was insufficient_scope, would be allowed by viewer-writes",
        ],
        "{ran:?}"
    );
    assert!(lines[3].starts_with("         line 7, 20"), "{}", lines[3]);
    assert_eq!((lines[4], lines[5]), ("", "allow -> deny: 4"));
    for (who, by) in [("alice", "viewer-reads"), ("bob", "viewer-reads")] {
        let group = format!(
            "      2  User {ISSUER}#{who}  tools/call  Mcp::Tool::\"weather/get_forecast\""
        );
        let at = lines
            .iter()
            .position(|line| *line == group)
            .expect("a group");
        let why = format!("         was allowed by {by}, would be not_permitted");
        assert_eq!(lines[at.saturating_add(1)], why);
    }
    assert_eq!(
        &lines[lines.len().saturating_sub(2)..],
        [
            "20 decisions: 2 deny -> allow, 4 allow -> deny, 8 unchanged (2 for another reason), \
             0 cannot tell, 6 not decided by policies",
            "not decided by policies: invalid_credential 2, malformed_request 2, missing_credential 2",
        ]
    );
    assert!(!ran.out.contains("another reason:"));
}

#[test]
fn flags_say_what_is_named_and_what_fails() {
    let folder = upside_down();
    let verbose = replay(&folder, &["--verbose"]);
    assert!(
        verbose.out.contains(
            "the same decision for another reason: 2\n      2  ApiKey app  tools/call  \
             Mcp::Tool::\"weather/set_alert\"\n         was allowed by editor-writes, would be \
             allowed by viewer-writes\n"
        ),
        "{verbose:?}"
    );
    let failing = replay(&folder, &["--fail-on-change"]);
    assert_eq!(failing.code, 1);
    assert!(
        failing.err.contains("6 decisions would change"),
        "{failing:?}"
    );
    let json = document(&replay(&folder, &["--format", "json", "--limit", "0"]));
    let opened = &json["deny_to_allow"][0];
    assert_eq!(opened["count"], 2);
    assert_eq!(
        opened["now"],
        json!({"reason": "allowed", "policies": ["viewer-writes"]})
    );
    assert_eq!(opened["examples"], json!([]));
}

#[test]
fn facts_of_principals_are_those_of_the_other_directory() {
    let gone = replay(&folder(&[("principals.yaml", "{}")]), &["--format", "json"]);
    let gone = document(&gone);
    assert_eq!(gone["counts"]["allow_to_deny"], 2, "{gone}");
    assert_eq!(
        gone["allow_to_deny"][0]["principal"],
        format!("User {ISSUER}#bob")
    );
    let more = "users: {'https://issuer.example#alice': {roles: [admin]}, \
                'https://issuer.example#bob': {roles: [viewer]}}";
    let more = document(&replay(
        &folder(&[("principals.yaml", more)]),
        &["--format", "json"],
    ));
    assert_eq!(more["counts"]["deny_to_allow"], 4, "{more}");
    assert_eq!(
        more["deny_to_allow"][0]["now"]["policies"],
        json!(["admin-everything"])
    );
}

#[test]
fn what_is_not_recorded_cannot_be_told() {
    let told = "@allow(\"evadable-forbid\") forbid(principal, action, resource == Mcp::Tool::\"weather/set_alert\") \
                when { context.args.hasTag(\"threshold\") && context.args.getTag(\"threshold\") has long \
                && context.args.getTag(\"threshold\").long > 2 };";
    let cases = [
        (format!("@id(\"new\") {told}"), 2, 0, ""),
        (format!("@id(\"new\") {}", told.replace("> 2", "> 3")), 0, 0, ""),
        (
            "@id(\"new\") forbid(principal, action, resource == Mcp::Tool::\"weather/get_forecast\") \
             when { context.args.hasTag(\"city\") };"
                .to_owned(),
            0,
            4,
            "not recorded: argument `city`",
        ),
        (
            "@id(\"new\") forbid(principal, action, resource) when { context.session == \"x\" };".to_owned(),
            0,
            6,
            "not recorded: context.session",
        ),
    ];
    for (policy, closed, unclear, why) in cases {
        let ran = replay(&folder(&[("99-new.cedar", &policy)]), &["--format", "json"]);
        let document = document(&ran);
        let counts = &document["counts"];
        assert_eq!(counts["allow_to_deny"], closed, "{policy}: {document}");
        assert_eq!(counts["deny_to_allow"], 0, "{policy}: {document}");
        assert_eq!(counts["cannot_tell"], unclear, "{policy}: {document}");
        if !why.is_empty() {
            let groups = document["cannot_tell"].as_array().expect("groups");
            assert!(groups.iter().any(|group| group["why"] == why), "{document}");
        }
    }
}

#[test]
fn a_route_is_told_by_its_path() {
    let reports = "@id(\"reports\") permit(principal is Mcp::ApiKey, action == Mcp::Action::\"GET\", \
                   resource is Mcp::Route) when { resource.path like \"/reports/*\" };";
    let ran = replay(&folder(&[("99-new.cedar", reports)]), &["--format", "json"]);
    let document = document(&ran);
    assert_eq!(document["counts"]["deny_to_allow"], 2, "{document}");
    assert_eq!(
        document["deny_to_allow"][0]["now"]["policies"],
        json!(["reports"])
    );
}

#[test]
fn a_subscription_is_told_with_everything_that_it_names() {
    let all = "@id(\"subscribers\") permit(principal is Mcp::User, \
               action == Mcp::Action::\"resources/subscribe\", resource);";
    let ran = replay(&folder(&[("99-new.cedar", all)]), &["--format", "json"]);
    let document = document(&ran);
    assert_eq!(document["counts"]["deny_to_allow"], 2, "{document}");
    let group = &document["deny_to_allow"][0];
    assert_eq!(group["action"], "subscriptions/listen");
    assert_eq!(
        group["now"]["policies"],
        json!(["signed-in-handshake", "subscribers"])
    );
}

#[test]
fn lines_that_cannot_be_read_are_named_and_stop_nothing() {
    let folder = folder(&[]);
    let whole = &made().log;
    let endless = "x".repeat(1024 * 1024 + 1);
    let cut = whole.get(..40).expect("a longer log");
    let log = format!("nonsense\n{whole}\n[1]\n{endless}\n{{\"a\":1}}\n{whole}{cut}");
    folder.write("decisions.ndjson", &log);
    let ran = replay(&folder, &["--format", "json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = document(&ran);
    assert_eq!(document["counts"]["unchanged"], 28, "{document}");
    assert_eq!(document["counts"]["broken_lines"], 5, "{document}");
    for line in [1, 23, 24, 25, 46] {
        assert!(ran.err.contains(&format!("line {line}: ")), "{}", ran.err);
    }
    assert!(ran.err.contains("line 24: longer than 1048576 bytes\n"));
    assert!(
        ran.err.ends_with("5 lines could not be read\n"),
        "{}",
        ran.err
    );
}

#[test]
fn faults_have_their_exit_codes() {
    let folder = folder(&[("99-new.cedar", "permit(")]);
    assert_eq!(replay(&folder, &[]).code, 3);
    let run = |arguments: &[&str], input: &str| folder.run_with(arguments, input, &[]);
    let piped = ["replay", "--log", "-", "--policies", "policies"];
    assert_eq!(run(&piped, &made().log).code, 0);
    let empty = run(&piped, "\n\n");
    assert_eq!(empty.code, 1);
    assert!(empty.err.contains("`-` holds no decision"), "{empty:?}");
    let none = run(&["replay", "--log", "none", "--policies", "policies"], "");
    assert_eq!(none.code, 1);
    assert!(none.err.contains("`none` cannot be read"), "{none:?}");
    assert_eq!(run(&["replay", "--log", "-"], "").code, 2);
    let nowhere = run(&["replay", "--log", "-", "--policies", "nowhere"], "");
    assert_eq!(nowhere.code, 3);
}

#[test]
fn names_from_outside_do_nothing_to_a_terminal() {
    let folder = folder(&[]);
    let log = made().log.replace("#alice", "#al\\u001b[2Jice\\u202e");
    folder.write("decisions.ndjson", &log);
    folder.write("policies.next/10-roles.cedar", "");
    let ran = replay(&folder, &[]);
    assert!(ran.out.contains("#al\\u001b[2Jice\\u202e"), "{ran:?}");
    assert!(!ran.out.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn the_commands_of_the_documents_run() {
    let folder = folder(&[]);
    for document in ["README.md", "policies/README.md"] {
        let text = fs::read_to_string(document).expect("a document");
        let command = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("$ cedargate replay "))
            .expect("a command");
        let words: Vec<&str> = ["replay"].into_iter().chain(command.split(' ')).collect();
        let ran = folder.run(&words);
        assert_eq!(ran.code, 0, "{document}: {ran:?}");
        assert!(
            ran.out.contains("20 decisions: 0 deny -> allow, "),
            "{ran:?}"
        );
    }
}
