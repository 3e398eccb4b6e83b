//! What `validate` and `serve` say of policies that Cedar finds nothing wrong with.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "what the tests stand on fails them, and the message says why"
)]

#[path = "lints/each.rs"]
mod each;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::envoy::poll;
use support::folder::copy_policies;
use support::sidecar::PROGRAM;
use support::sidecar::Sidecar;
use support::tokens::Key;
use tempfile::TempDir;

/// An issuer that says which roles and scopes it may assert, another one that may say anything under
/// its prefix, a key, and a token that the operator wrote down.
const CONFIG: &str = r#"
authenticators:
- {name: corp, type: oidc, issuer: "https://auth.example.com", roles: {allow: [viewer, editor, admin]}}
- {name: partner, type: oidc, issuer: "https://partner.example", roles: {prefix: "partner:"}, scopes: {prefix: "partner:"}}
- name: keys
  type: api_key
  keys: [{id: frontend-app, hash: "sha256:52197f89e065556ed6a0fc8e6946d3e3e076255b435f5669de19692f49f598dc", roles: [web]}]
- {name: shared, type: static_token, token: "0123456789abcdef0123456789abcdef", subject: operator}
resources:
- name: weather
  url: https://mcp.example.com/mcp
  kind: mcp
  authenticators: [corp, partner, keys, shared]
  scopes: {hierarchy: {"weather:write": ["weather:read"]}}
- {name: news, url: "https://news.example.com/mcp", kind: mcp, authenticators: [corp]}
policies: {dir: policies}
"#;

/// What a command did.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// The starter policies, this configuration, and these files beside them.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("a file can be written");
    };
    copy_policies(&folder.path().join("policies"));
    write("cedargate.yaml", CONFIG);
    for (name, text) in files {
        write(name, text);
    }
    folder
}

fn run(folder: &TempDir, command: &str) -> Ran {
    let output = Command::new(PROGRAM)
        .arg(command)
        .current_dir(folder.path())
        .env_remove("CEDARGATE_CONFIG")
        .env_remove("CEDARGATE_POLICIES_DIR")
        .output()
        .expect("the program runs");
    Ran {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn validate(files: &[(&str, &str)]) -> Ran {
    run(&folder(files), "validate")
}

/// A limit on an alert, written carelessly.
const MISSPELT: &str = r#"@id("no-loud-alerts")
forbid (
  principal,
  action == Mcp::Action::"tools/call",
  resource == Mcp::Tool::"weather/set_alert"
)
when
{
  context.args.hasTag("treshold") &&
  context.args.getTag("treshold") has long &&
  context.args.getTag("treshold").long > 100
};
"#;

#[test]
fn the_starter_set_is_free_of_findings() {
    let ran = validate(&[]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
}

#[test]
fn a_misspelt_argument_is_an_error_with_the_right_one() {
    let ran = validate(&[("policies/a.cedar", MISSPELT)]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    insta::assert_snapshot!(ran.err, @r#"
    error[unknown-argument]: tool `weather/set_alert` has no argument `treshold`
     --> policies/a.cedar:9:23
      |
    9 |   context.args.hasTag("treshold") &&
      |                       ^^^^^^^^^^
      |
      = help: did you mean `threshold`? the arguments are `city`, `threshold`; if it is meant so, allow it with `@allow("unknown-argument")` on the policy or `policies.allow_warnings: [unknown-argument]`

    error[evadable-forbid]: forbid `no-loud-alerts` is got around by sending `treshold` in another form, as text for a number
      --> policies/a.cedar:10:23
       |
    10 |   context.args.getTag("treshold") has long &&
       |                       ^^^^^^^^^^
       |
       = help: forbid all but what is known to be fine, with the accessor in an `unless`, or put the limit into the permit; if it is meant so, allow it with `@allow("evadable-forbid")` on the policy or `policies.allow_warnings: [evadable-forbid]`

    2 errors
    "#);
}

#[test]
fn an_argument_of_another_type_is_an_error_with_the_right_accessor() {
    let policy = MISSPELT
        .replace("treshold", "threshold")
        .replace("has long", "has decimal")
        .replace(".long > 100", ".decimal.lessThan(decimal(\"100.0\"))")
        .replace("when", "unless");
    assert_eq!(validate(&[("policies/a.cedar", &policy)]).code, 0);
    let policy = MISSPELT
        .replace("treshold", "city")
        .replace("when", "unless")
        .replace("> 100", "<= 100");
    let ran = validate(&[("policies/a.cedar", &policy)]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    insta::assert_snapshot!(ran.err, @r#"
    error[argument-type]: argument `city` of tool `weather/set_alert` is a string, and `.long` is never there
      --> policies/a.cedar:10:23
       |
    10 |   context.args.getTag("city") has long &&
       |                       ^^^^^^
       |
       = help: read `.string`; if it is meant so, allow it with `@allow("argument-type")` on the policy or `policies.allow_warnings: [argument-type]`

    1 error
    "#);
}

#[test]
fn serve_does_not_start_with_a_limit_that_never_holds() {
    let ran = run(&folder(&[("policies/a.cedar", MISSPELT)]), "serve");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("has no argument `treshold`"),
        "{}",
        ran.err
    );
}

#[test]
fn a_reload_refuses_a_warning_until_it_is_allowed() {
    let config = format!(
        "authenticators:\n{}resources:\n\
         - {{name: weather, url: \"https://mcp.example.com/mcp\", kind: mcp}}\n\
         policies: {{dir: policies, reload_interval: 100ms, allow_warnings: [unknown-scope]}}\n",
        Key::new().authenticator()
    );
    let policy = |annotation: &str, role: &str| {
        format!(
            "@id(\"a\")\n{annotation}permit(principal in Mcp::Role::\"{role}\", action, resource);\n"
        )
    };
    let sidecar = Sidecar::start(&config);
    let says = |text: &str| {
        let said = poll(Duration::from_secs(8), || sidecar.printed().contains(text));
        assert!(said, "`{text}` is not said: {}", sidecar.printed());
    };
    let write = |text: &str| {
        fs::write(sidecar.policies().join("a.cedar"), text).expect("a policy can be written");
    };
    let in_force = |generation: u64, faults: &[&str]| {
        let status = sidecar.status();
        let policies = &status["policies"];
        assert_eq!(policies["generation"], generation, "{status}");
        let said = policies["faults"].as_array().expect("a list");
        assert_eq!(said.len(), faults.len(), "{status}");
        for (said, fault) in said.iter().zip(faults) {
            let said = said.as_str().expect("text");
            assert!(said.contains(fault), "{said} has no {fault}");
        }
    };
    write(&policy("", "veiwer"));
    says("error[unknown-role]: nobody is known to have the role `veiwer`");
    let way_out =
        "`@allow(\\\"unknown-role\\\")` on the policy or `policies.allow_warnings: [unknown-role]`";
    says(way_out);
    in_force(
        1,
        &["a.cedar:2:21: error[unknown-role]: nobody is known to have the role `veiwer`"],
    );
    write(&policy("@allow(\"unknown-role\")\n", "veiwer"));
    says("warning[unknown-role]: nobody is known to have the role `veiwer`");
    says("policies reloaded");
    in_force(2, &[]);
    write(&policy("@allow(\"unknown-role\")\n", "viewer"));
    says("there is no warning `unknown-role` here to allow");
    in_force(
        2,
        &["a.cedar:2:8: error: there is no warning `unknown-role` here to allow"],
    );
    write(MISSPELT);
    says("has no argument `treshold`");
    in_force(2, &["error[unknown-argument]", "error[evadable-forbid]"]);
    assert!(sidecar.is_live());
}

/// The Cedar blocks of the documentation, in its order.
fn documented() -> Vec<String> {
    let text = fs::read_to_string("docs/lints.md").expect("the documentation ships");
    let lines = text.lines().map(|line| line.trim_start().to_owned() + "\n");
    let text: String = lines.collect();
    let blocks = text.split("```cedar\n").skip(1);
    let block = |rest: &str| rest.split("```").next().unwrap_or("").to_owned();
    blocks.map(block).collect()
}

#[test]
fn the_documented_policies_are_what_they_are_said_to_be() {
    let blocks = documented();
    let expected = [
        (0, "warning[permit-everyone]"),
        (3, "error[evadable-forbid]"),
        (0, ""),
    ];
    assert_eq!(blocks.len(), expected.len());
    for (block, (code, said)) in blocks.iter().zip(expected) {
        let ran = validate(&[("policies/a.cedar", block)]);
        assert_eq!(ran.code, code, "{block}\n{}", ran.err);
        assert!(ran.err.starts_with(said), "{block}\n{}", ran.err);
        assert_eq!(ran.err.is_empty(), said.is_empty(), "{}", ran.err);
    }
}

#[test]
fn a_documented_forbid_is_evaded_and_the_other_is_not() {
    let denied = |policy: &str, threshold: &str| {
        let tests = format!(
            "- name: a loud alert\n  principal: {{issuer: https://auth.example.com, subject: e, roles: [editor]}}\n  \
             tool: weather/set_alert\n  arguments: {{city: Berne, threshold: {threshold}}}\n  expect: deny\n"
        );
        let config = CONFIG.replace(
            "{dir: policies}",
            "{dir: policies, allow_warnings: [evadable-forbid]}",
        );
        let folder = folder(&[("policies/a.cedar", policy), ("cedargate.yaml", &config)]);
        fs::create_dir(folder.path().join("policies/tests")).expect("a folder");
        fs::write(folder.path().join("policies/tests/a.yaml"), tests).expect("a file");
        let ran = run(&folder, "test");
        assert!([0, 4].contains(&ran.code), "{}{}", ran.out, ran.err);
        ran.code == 0
    };
    let blocks = documented();
    let [_, evaded, strict] = &*blocks else {
        panic!("three policies");
    };
    assert!(denied(evaded, "1000") && denied(strict, "1000"));
    for form in ["\"1000\"", "1e300", "[1000]"] {
        assert!(!denied(evaded, form), "{form}");
        assert!(denied(strict, form), "{form}");
    }
    assert!(!denied(strict, "100"));
}

#[test]
fn every_command_that_decides_refuses_and_prints() {
    let policy = "@id(\"a\") permit(principal in Mcp::Role::\"veiwer\", action, resource);\n";
    let test = "- name: nobody\n  principal: {type: Anonymous}\n  tool: weather/get_forecast\n  expect: deny\n";
    for allowed in [false, true] {
        let names = if allowed { "unknown-role" } else { "" };
        let config = CONFIG.replace(
            "{dir: policies}",
            &format!("{{dir: policies, allow_warnings: [{names}]}}"),
        );
        let folder = folder(&[("policies/a.cedar", policy), ("cedargate.yaml", &config)]);
        fs::create_dir(folder.path().join("policies/tests")).expect("a folder");
        for (name, text) in [
            ("policies/tests/a.yaml", test),
            ("log.ndjson", "{}\n"),
            (
                "asked.yaml",
                "principal: {type: User, subject: a, roles: [viewer]}\ntool: weather/get_forecast\n",
            ),
        ] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        for (arguments, code) in [
            (&["validate"][..], 0),
            (&["test"], 0),
            (&["matrix"], 0),
            (&["matrix", "--against", "policies"], 0),
            (&["check", "--request", "asked.yaml"], 0),
            // The line is no record.
            (
                &["replay", "--log", "log.ndjson", "--policies", "policies"],
                1,
            ),
        ] {
            let output = Command::new(PROGRAM)
                .args(arguments)
                .current_dir(folder.path())
                .output()
                .expect("the program runs");
            let said = String::from_utf8_lossy(&output.stderr);
            let (code, word) = if allowed {
                (code, "warning")
            } else {
                (3, "error")
            };
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
            let wanted = format!("{word}[unknown-role]: nobody is known to have the role `veiwer`");
            assert!(said.contains(&wanted), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn the_shipped_configurations_are_free_of_findings() {
    let mut seen = 0;
    for entry in Path::new("deploy/examples")
        .read_dir()
        .expect("examples ship")
    {
        let from = entry.expect("an entry").path();
        if from.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let output = Command::new(PROGRAM)
            .args(["validate", "--policies-dir", "policies", "--config"])
            .arg(&from)
            .env("INTROSPECTION_SECRET", "a-secret-of-this-test")
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*said),
            (Some(0), ""),
            "{}",
            from.display()
        );
        seen += 1;
    }
    assert!(seen > 5, "{seen} examples");
}

#[test]
fn every_name_that_nothing_knows_is_refused() {
    let policy = r#"@id("a")
permit (
  principal in Mcp::Role::"editr",
  action == Mcp::Action::"tools/call",
  resource == Mcp::Tool::"weather/get_forcast"
)
when { principal.scopes.containsAny(["weather:raed", "partner:any"]) }
unless { principal in [Mcp::User::"https://auth.exmaple.com#u", Mcp::User::"shared#root"] };

@id("b")
permit (principal == Mcp::ApiKey::"fronted-app", action, resource in Mcp::Server::"newz")
when { principal in [Mcp::Role::"partner:any", Mcp::Role::"web"] || principal in Mcp::Group::"g" };

@id("c")
permit (principal is Mcp::Client, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"news/unlisted")
when { principal.issuer == "https://partner.exmple" && principal.clientId == "any" };
"#;
    let ran = validate(&[("policies/a.cedar", policy)]);
    assert_eq!((ran.code, &*ran.out), (3, ""), "{}", ran.err);
    let folder = folder(&[("policies/a.cedar", policy)]);
    let output = Command::new(PROGRAM)
        .args(["validate", "--error-format", "json"])
        .current_dir(folder.path())
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    insta::assert_snapshot!(text, @r#"
    {"severity":"error","name":"unknown-role","file":"policies/a.cedar","line":3,"column":16,"message":"nobody is known to have the role `editr`","help":"did you mean `editor`? if a token may say so, list it in `entities.json`; if it is meant so, allow it with `@allow(\"unknown-role\")` on the policy or `policies.allow_warnings: [unknown-role]`"}
    {"severity":"error","name":"unknown-tool","file":"policies/a.cedar","line":5,"column":15,"message":"`tools.json` lists other tools of `weather`, but no `get_forcast`","help":"did you mean `get_forecast`? if it is meant so, allow it with `@allow(\"unknown-tool\")` on the policy or `policies.allow_warnings: [unknown-tool]`"}
    {"severity":"error","name":"unknown-scope","file":"policies/a.cedar","line":7,"column":38,"message":"nobody is known to have the scope `weather:raed`","help":"did you mean `weather:read`? if a token may have it, list it in `metadata.scopes_supported` of its resource; if it is meant so, allow it with `@allow(\"unknown-scope\")` on the policy or `policies.allow_warnings: [unknown-scope]`"}
    {"severity":"error","name":"unknown-issuer","file":"policies/a.cedar","line":8,"column":24,"message":"no authenticator has the issuer `https://auth.exmaple.com`","help":"did you mean `https://auth.example.com`? if it is meant so, allow it with `@allow(\"unknown-issuer\")` on the policy or `policies.allow_warnings: [unknown-issuer]`"}
    {"severity":"error","name":"unknown-user","file":"policies/a.cedar","line":8,"column":65,"message":"no static token stands for `shared#root`","help":"they stand for `shared#operator`; if it is meant so, allow it with `@allow(\"unknown-user\")` on the policy or `policies.allow_warnings: [unknown-user]`"}
    {"severity":"error","name":"unknown-api-key","file":"policies/a.cedar","line":11,"column":22,"message":"the configuration has no API key `fronted-app`","help":"did you mean `frontend-app`? if it is meant so, allow it with `@allow(\"unknown-api-key\")` on the policy or `policies.allow_warnings: [unknown-api-key]`"}
    {"severity":"error","name":"unknown-server","file":"policies/a.cedar","line":11,"column":70,"message":"no resource of the configuration is named `newz`","help":"did you mean `news`? if it is meant so, allow it with `@allow(\"unknown-server\")` on the policy or `policies.allow_warnings: [unknown-server]`"}
    {"severity":"error","name":"unknown-issuer","file":"policies/a.cedar","line":16,"column":28,"message":"no authenticator has the issuer `https://partner.exmple`","help":"did you mean `https://partner.example`? if it is meant so, allow it with `@allow(\"unknown-issuer\")` on the policy or `policies.allow_warnings: [unknown-issuer]`"}
    "#);
}

#[test]
fn the_files_beside_the_policies_are_read_too() {
    let principals = "users:\n  https://auth.exmple.com#u: {roles: [admn]}\n  \
                      shared#operator: {roles: [web, admin], groups: [any]}\n\
                      api_keys:\n  frontend: {roles: [partner:x]}\n";
    let entities = r#"[{"uid": {"type": "Mcp::Role", "id": "editor"},
  "parents": [{"type": "Mcp::Role", "id": "veiwer"}]}]"#;
    let ran = validate(&[
        ("policies/principals.yaml", principals),
        ("policies/entities.json", entities),
    ]);
    assert_eq!((ran.code, &*ran.out), (3, ""));
    insta::assert_snapshot!(ran.err, @r#"
    error[unknown-role]: no policy names `Mcp::Role` `veiwer`, nor is it listed
     --> policies/entities.json:2:43
      |
    2 |   "parents": [{"type": "Mcp::Role", "id": "veiwer"}]}]
      |                                           ^^^^^^^^
      |
      = help: did you mean `viewer`? if it is meant so, allow it with `policies.allow_warnings: [unknown-role]`

    error[unknown-issuer]: no authenticator has the issuer `https://auth.exmple.com`
     --> policies/principals.yaml:2:3
      |
    2 |   https://auth.exmple.com#u: {roles: [admn]}
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `https://auth.example.com`? if it is meant so, allow it with `policies.allow_warnings: [unknown-issuer]`

    error[unknown-role]: no policy names the role `admn`, nor does `entities.json`
     --> policies/principals.yaml:2:39
      |
    2 |   https://auth.exmple.com#u: {roles: [admn]}
      |                                       ^^^^
      |
      = help: did you mean `admin`? if it is meant so, allow it with `policies.allow_warnings: [unknown-role]`

    error[unknown-api-key]: the configuration has no API key `frontend`
     --> policies/principals.yaml:5:3
      |
    5 |   frontend: {roles: [partner:x]}
      |   ^^^^^^^^
      |
      = help: its keys are `frontend-app`; if it is meant so, allow it with `policies.allow_warnings: [unknown-api-key]`

    4 errors
    "#);
}

#[test]
fn a_configuration_that_lists_nothing_finds_nothing_missing() {
    let config = CONFIG
        .replace(", roles: {allow: [viewer, editor, admin]}", "")
        .replace(
            "\n  scopes: {hierarchy: {\"weather:write\": [\"weather:read\"]}}",
            "",
        );
    let policy = "@id(\"a\") permit(principal in Mcp::Role::\"any\", action, resource)\n\
                  when { principal.scopes.contains(\"any\") && principal in Mcp::Group::\"any\" };";
    let ran = validate(&[
        ("cedargate.yaml", &config),
        ("policies/entities.json", "[]"),
        ("policies/a.cedar", policy),
    ]);
    assert_eq!((ran.code, &*ran.err), (0, ""));
}

#[test]
fn development_clients_are_all_the_clients_there_are() {
    let config = r#"
dev_tokens: {clients: [{client_id: alice-cli, client_secret: not-a-secret, subject: alice}]}
resources: [{name: weather, url: "http://127.0.0.1:8080/mcp", kind: mcp}]
policies: {dir: policies}
"#;
    let policy = "@id(\"a\") permit(principal, action, resource)\n\
                  when { [\"alice-cli\", \"alice-clu\"].contains(principal.clientId) };";
    let ran = validate(&[("cedargate.yaml", config), ("policies/a.cedar", policy)]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("`dev_tokens` has no client `alice-clu`"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("no client `alice-cli`"), "{}", ran.err);
}
