//! `cedargate matrix` as its users meet it: who may call what under the shipped policies, what a
//! changed policy changes, and what depends on the request.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "what the tests stand on fails them, and the message says why"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use support::folder::Folder;
use support::folder::Ran;

const CONFIG: &str = include_str!("../deploy/envoy/cedargate.yaml");
const GOLDEN: &str = "tests/golden/matrix.txt";

/// Every answer that a policy can give: always, never, and by each part of a request.
const CONDITIONAL: &str = "\
@id(\"small\") permit(principal in Mcp::Role::\"support\", action == Mcp::Action::\"tools/call\", \
resource == Mcp::Tool::\"weather/refund\") when { context.args.hasTag(\"amount\") && \
context.args.getTag(\"amount\") has long && context.args.getTag(\"amount\").long <= 500 };
@id(\"chief\") permit(principal in Mcp::Role::\"chief\", action, resource);
@id(\"hours\") permit(principal in Mcp::Role::\"night\", action, resource) \
when { context.now.toTime() < duration(\"6h\") };
@id(\"office\") forbid(principal, action == Mcp::Action::\"tools/call\", \
resource == Mcp::Tool::\"weather/wipe\") unless { context.clientIp.isInRange(ip(\"10.0.0.0/8\")) };
";

/// A folder with the shipped configuration and policies.
fn shipped() -> Folder {
    let folder = Folder::new();
    folder.write("cedargate.yaml", CONFIG);
    copy(&folder, "policies");
    folder
}

/// The shipped policies under another name.
fn copy(folder: &Folder, to: &str) {
    fs::create_dir_all(folder.path(to)).expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in [
        "00-handshake.cedar",
        "10-roles.cedar",
        "20-scopes.cedar",
        "90-forbid.cedar",
        "entities.json",
        "tools.json",
    ] {
        fs::copy(from.join(name), folder.path(to).join(name)).expect("a shipped file");
    }
}

/// A folder with other policies and tools.
fn with(policies: &str, tools: &[&str]) -> Folder {
    let folder = Folder::new();
    folder.write("cedargate.yaml", CONFIG);
    fs::create_dir(folder.path("policies")).expect("a folder");
    folder.write("policies/x.cedar", policies);
    let tools: Vec<Value> = tools
        .iter()
        .map(|name| json!({"server": "weather", "name": name}))
        .collect();
    folder.write("policies/tools.json", &json!({"tools": tools}).to_string());
    folder
}

fn replaced(folder: &Folder, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.path(file)).expect("a file");
    assert!(text.contains(from), "{file} has no {from}");
    folder.write(file, &text.replace(from, to));
}

fn printed(folder: &Folder, more: &[&str]) -> Ran {
    let ran = folder.run(&[&["matrix"], more].concat());
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    ran
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).expect("a JSON object")
}

/// Who may call what under the policies of a folder, in a form to review.
fn reviewed(folder: &Folder) -> String {
    let mut found = String::new();
    for arguments in [
        &["matrix", "--explain", "--role", "viewer,editor"][..],
        &["matrix", "--explain", "--by", "scopes"],
    ] {
        let ran = folder.run(arguments);
        assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
        write!(found, "$ cedargate {}\n{}\n", arguments.join(" "), ran.out).expect("text");
    }
    // Thirty columns are no table to review: a line for each, and only those who may.
    let ran = folder.run(&["matrix", "--actions", "--format", "json"]);
    found.push_str("$ cedargate matrix --actions, the callers who may\n");
    let matrix = parsed(&ran);
    for column in matrix["columns"].as_array().expect("columns") {
        let cells = matrix["cells"].as_array().expect("cells").iter();
        let may = cells
            .filter(|cell| cell["name"] == column["name"] && cell["decision"] != "deny")
            .map(|cell| {
                let open = cell["decision"] == "conditional";
                format!(
                    " {}{}",
                    cell["caller"].as_str().expect("a name"),
                    if open { "?" } else { "" }
                )
            });
        let may: String = may.collect();
        writeln!(found, "{}:{may}", column["name"].as_str().expect("a name")).expect("text");
    }
    found
}

/// The lines that are not in both, in their order: `-` as it was, `+` as it is.
fn difference(before: &str, after: &str) -> String {
    let mut changed = String::new();
    let mut next = after.lines().peekable();
    for old in before.lines() {
        let kept = next.clone().any(|new| new == old);
        if !kept {
            writeln!(changed, "- {old}").expect("text");
            continue;
        }
        while let Some(new) = next.next_if(|new| *new != old) {
            writeln!(changed, "+ {new}").expect("text");
        }
        next.next();
    }
    for new in next {
        writeln!(changed, "+ {new}").expect("text");
    }
    changed
}

/// Why the matrix is not the one that was reviewed, and how to accept it; nothing if it is.
fn objection(found: &str, golden: &str, kept: &Path) -> Option<String> {
    let kept = kept.display();
    (found != golden).then(|| {
        format!(
            "who may call what has changed:\n\n{}\nif that is meant: cp {kept} {GOLDEN}",
            difference(golden, found)
        )
    })
}

#[test]
fn who_may_call_what_under_the_shipped_policies() {
    let found = reviewed(&shipped());
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix.txt");
    if let Some(objection) = objection(&found, &golden, &kept) {
        fs::write(&kept, &found).expect("a file can be written");
        panic!("{objection}");
    }
}

#[test]
fn a_changed_policy_is_seen_in_review() {
    let golden = fs::read_to_string(GOLDEN).expect("the matrix");
    let changed = shipped();
    let head = "principal in Mcp::Role::\"editor\"";
    replaced(
        &changed,
        "policies/10-roles.cedar",
        head,
        "principal in Mcp::Role::\"viewer\"",
    );
    let said = objection(&reviewed(&changed), &golden, Path::new("kept.txt"));
    let said = said.expect("an objection");
    for line in [
        "\n- viewer           deny [4]        allow [5]     deny [7]\n",
        "\n+ viewer           deny [4]        allow [5]     allow [6]\n",
        "\n- set_alert: admin editor\n",
        "\n+ set_alert: admin editor viewer\n",
    ] {
        assert!(said.contains(line), "{line} is not in {said}");
    }
    assert!(said.ends_with("if that is meant: cp kept.txt tests/golden/matrix.txt"));
    assert!(!said.contains("get_forecast: "), "{said}");
    assert_eq!(objection(&golden, &golden, Path::new("kept.txt")), None);
}

#[test]
fn every_format_says_the_same() {
    let folder = with(CONDITIONAL, &["refund", "wipe"]);
    let run = |more: &[&str]| printed(&folder, more);
    insta::assert_snapshot!(run(&[]).out, @r"
    weather     refund      wipe
    chief       allow       allow? [1]
    night       allow? [2]  allow? [3]
    support     allow? [4]  deny
    (no role)   deny        deny
    (stranger)  deny        deny

    [1] depends on office (forbid, reads clientIp)
    [2] depends on hours (permit, reads now)
    [3] depends on hours (permit, reads now); office (forbid, reads clientIp)
    [4] depends on small (permit, reads arguments)
    ");
    insta::assert_snapshot!(run(&["--format", "markdown", "--explain"]).out, @r"
    ### weather

    |  | `refund` | `wipe` |
    | --- | --- | --- |
    | chief | allow \[1\] | allow? \[2\] |
    | night | allow? \[3\] | allow? \[4\] |
    | support | allow? \[5\] | deny \[6\] |
    | (no role) | deny \[6\] | deny \[6\] |
    | (stranger) | deny \[7\] | deny \[7\] |

    - \[1\] allowed by chief
    - \[2\] depends on office (forbid, reads clientIp)
    - \[3\] depends on hours (permit, reads now)
    - \[4\] depends on hours (permit, reads now); office (forbid, reads clientIp)
    - \[5\] depends on small (permit, reads arguments)
    - \[6\] no policy permits it
    - \[7\] the server does not accept such a credential
    ");
    insta::assert_snapshot!(run(&["--format", "csv"]).out, @r"
    caller,weather/refund,weather/wipe
    chief,allow,allow?
    night,allow?,allow?
    support,allow?,deny
    (no role),deny,deny
    (stranger),deny,deny
    ");
    assert!(
        run(&["--format", "csv", "--explain"])
            .out
            .contains("chief,allow: allowed by chief,\"allow?: depends"),
    );
    assert_eq!(run(&[]).out, run(&[]).out, "the order is stable");
}

#[test]
fn json_says_why_of_each_cell() {
    let folder = with(CONDITIONAL, &["refund", "wipe"]);
    let matrix = parsed(&printed(&folder, &["--format", "json"]));
    let cells = matrix["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 10);
    let at = |caller: &str, name: &str| {
        let mut found = cells.iter();
        let found = found.find(|cell| cell["caller"] == caller && cell["name"] == name);
        found.expect("the cell").clone()
    };
    let small = json!([{"policy": "small", "effect": "permit", "reads": ["arguments"]}]);
    let refund = at("support", "refund");
    assert_eq!(
        (&refund["decision"], &refund["depends_on"]),
        (&json!("conditional"), &small)
    );
    assert_eq!(at("chief", "refund")["policies"], json!(["chief"]));
    assert_eq!(at("support", "wipe")["reason"], "not_permitted");
    assert_eq!(
        at("(stranger)", "wipe")["reason"],
        "credential_not_accepted"
    );
}

#[test]
fn what_has_not_changed_is_no_failure() {
    let folder = shipped();
    copy(&folder, "before");
    let same = folder.run(&["matrix", "--against", "before", "--fail-on-change"]);
    let sum = "nothing has changed against before (15 cells)\n";
    assert_eq!((same.code, &*same.out), (0, sum));
}

/// The shipped policies in `before`, and changed ones with another tool in `policies`.
fn changed() -> Folder {
    let folder = shipped();
    copy(&folder, "before");
    replaced(
        &folder,
        "policies/10-roles.cedar",
        "Mcp::Role::\"editor\"",
        "Mcp::Role::\"viewer\"",
    );
    replaced(
        &folder,
        "policies/10-roles.cedar",
        "Mcp::Role::\"admin\"",
        "Mcp::Role::\"chief\"",
    );
    replaced(
        &folder,
        "policies/tools.json",
        "\"tools\": [",
        "\"tools\": [{\"server\": \"weather\", \"name\": \"a_new\"},",
    );
    folder
}

#[test]
fn a_changed_policy_changes_cells_and_new_access_comes_first() {
    let folder = changed();
    let ran = folder.run(&["matrix", "--against", "before"]);
    assert_eq!((ran.code, &*ran.err), (0, ""), "{ran:?}");
    insta::assert_snapshot!(ran.out, @r"
    deny -> allow  chief   weather/get_forecast    allowed by admin-everything
    deny -> allow  chief   weather/set_alert       allowed by admin-everything
    deny -> allow  viewer  weather/set_alert       allowed by editor-writes
    allow -> deny  admin   weather/a_new           no policy permits it; was allowed by admin-everything
    allow -> deny  admin   weather/delete_station  no policy permits it; was allowed by admin-everything

    only in policies: tool weather/a_new
    only in policies: role chief
    5 of 24 cells have changed against before, 3 may give more access
    ");
    let failed = folder.run(&[
        "matrix",
        "--against",
        "before",
        "--fail-on-change",
        "--format",
        "markdown",
    ]);
    assert_eq!(failed.code, 1, "{failed:?}");
    insta::assert_snapshot!(failed.out, @r"
    5 of 24 cells have changed against before, 3 may give more access

    | change | caller | what | why |
    | --- | --- | --- | --- |
    | **deny -> allow** | chief | `weather/get_forecast` | allowed by admin-everything |
    | **deny -> allow** | chief | `weather/set_alert` | allowed by admin-everything |
    | **deny -> allow** | viewer | `weather/set_alert` | allowed by editor-writes |
    | allow -> deny | admin | `weather/a_new` | no policy permits it; was allowed by admin-everything |
    | allow -> deny | admin | `weather/delete_station` | no policy permits it; was allowed by admin-everything |

    - only in policies: tool weather/a\_new
    - only in policies: role chief
    ");
}

#[test]
fn changes_can_be_read_by_programs() {
    let folder = changed();
    let csv = folder.run(&["matrix", "--against", "before", "--format", "csv"]);
    assert!(
        csv.out
            .starts_with("before,after,caller,what,why\ndeny,allow,"),
        "{csv:?}"
    );
    let json = parsed(&folder.run(&["matrix", "--against", "before", "--format", "json"]));
    assert_eq!(
        json["tools"],
        json!({"added": ["weather/a_new"], "removed": []})
    );
    assert_eq!(json["roles"], json!({"added": ["chief"], "removed": []}));
    assert_eq!(json["changes"][0]["before"]["decision"], "deny");
    assert_eq!(
        json["changes"][0]["after"]["policies"],
        json!(["admin-everything"])
    );
}

#[test]
fn another_condition_is_a_change_and_another_layout_is_none() {
    let folder = with(CONDITIONAL, &["refund", "wipe"]);
    fs::create_dir(folder.path("before")).expect("a folder");
    for file in ["x.cedar", "tools.json"] {
        fs::copy(
            folder.path("policies").join(file),
            folder.path("before").join(file),
        )
        .expect("a file");
    }
    replaced(
        &folder,
        "before/x.cedar",
        "when { context.now",
        "when {\n  // early\n context.now",
    );
    let same = folder.run(&["matrix", "--against", "before", "--fail-on-change"]);
    assert_eq!(same.code, 0, "{same:?}");
    replaced(&folder, "before/x.cedar", "<= 500", "<= 50");
    let ran = folder.run(&["matrix", "--against", "before", "--fail-on-change"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let change = "allow? -> other conditions  support  weather/refund  depends on small";
    assert!(ran.out.starts_with(change), "{ran:?}");
}

/// Callers of every kind, and servers that do not accept each of them.
fn many() -> Folder {
    let folder = shipped();
    folder.write(
        "cedargate.yaml",
        "authenticators:\n\
         - {name: corp, type: oidc, issuer: https://a.example, roles: {allow: [partner], prefix: 'x:'}}\n\
         - {name: keys, type: api_key, keys: [{id: robot, secret: an-api-key-of-thirty-two-characters-or-more, roles: [viewer], scopes: [jobs]}]}\n\
         - {name: strangers, type: anonymous}\n\
         resources:\n\
         - {name: weather, url: https://mcp.example.com/mcp, kind: mcp, authenticators: [corp, keys]}\n\
         - {name: open, url: https://open.example.com/mcp, kind: mcp, authenticators: [strangers, corp]}\n\
         - {name: site, url: https://www.example.com, kind: http, routes: [{name: health, path: /health}]}\n",
    );
    folder.write(
        "policies/principals.yaml",
        "users: {'https://a.example#alice': {roles: [boss, editor]}}\n",
    );
    folder.write(
        "policies/open.cedar",
        "@id(\"open\") permit(principal is Mcp::Anonymous, action, resource in Mcp::Server::\"open\");\n\
         @id(\"strangers\") permit(principal is Mcp::Anonymous, action == Mcp::Action::\"tools/call\", \
         resource in Mcp::Server::\"weather\") when { !resource.destructiveHint };\n\
         @id(\"health\") permit(principal, action in Mcp::Action::\"http/read\", \
         resource == Mcp::Route::\"site/health\");",
    );
    folder
}

#[test]
fn rows_come_from_everywhere() {
    let folder = many();
    let callers = |more: &[&str]| {
        let ran = folder.run(&[&["matrix", "--format", "json"], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        parsed(&ran)["callers"].clone()
    };
    assert_eq!(
        callers(&["--role", "b,a"]),
        json!([
            "admin",
            "boss",
            "editor",
            "viewer",
            "x:partner",
            "(no role)",
            "(stranger)",
            "a + b"
        ])
    );
    assert_eq!(
        callers(&["--by", "scopes"]),
        json!([
            "jobs",
            "weather:read",
            "weather:write",
            "(no scope)",
            "(stranger)"
        ])
    );
}

/// Caller, server, what he asks for, and the answer.
const ASKED: [[&str; 4]; 9] = [
    [
        "ApiKey robot",
        "weather",
        "get_forecast",
        "\"allow\" viewer-reads",
    ],
    [
        "ApiKey robot",
        "open",
        "ping",
        "\"deny\" credential_not_accepted",
    ],
    [
        "User https://a.example#alice",
        "weather",
        "set_alert",
        "\"allow\" editor-writes",
    ],
    [
        "(stranger)",
        "weather",
        "get_forecast",
        "\"deny\" credential_not_accepted",
    ],
    [
        "(stranger)",
        "open",
        "resources/read (any)",
        "\"allow\" open",
    ],
    [
        "(stranger)",
        "open",
        "tools/call (unlisted tool)",
        "\"deny\" forbidden",
    ],
    ["ApiKey robot", "site", "GET health", "\"allow\" health"],
    [
        "ApiKey robot",
        "site",
        "POST health",
        "\"deny\" not_permitted",
    ],
    ["ApiKey robot", "site", "GET *", "\"deny\" not_permitted"],
];

#[test]
fn a_server_is_asked_for_those_it_accepts() {
    let folder = many();
    let known = folder.run(&[
        "matrix",
        "--by",
        "principals",
        "--actions",
        "--format",
        "json",
    ]);
    let known = parsed(&known);
    let cell = |caller: &str, server: &str, name: &str| {
        let mut cells = known["cells"].as_array().expect("cells").iter();
        let found = cells.find(|cell| {
            cell["caller"] == caller && cell["server"] == server && cell["name"] == name
        });
        let found = found.unwrap_or_else(|| panic!("no {caller} {server} {name}"));
        let why = found["reason"].as_str().or(found["policies"][0].as_str());
        format!("{} {}", found["decision"], why.unwrap_or_default())
    };
    for [caller, server, name, expected] in ASKED {
        assert_eq!(
            cell(caller, server, name),
            expected,
            "{caller} {server} {name}"
        );
    }
}

#[test]
fn callers_can_be_named_in_a_file() {
    let folder = many();
    folder.write(
        "callers.yaml",
        "- {name: Alice, subject: alice, issuer: https://a.example}\n\
         - {name: the job, type: ApiKey, subject: j, roles: [admin]}\n",
    );
    let named = folder.run(&[
        "matrix",
        "--principals",
        "callers.yaml",
        "--server",
        "weather",
    ]);
    insta::assert_snapshot!(named.out, @r"
    weather  delete_station  get_forecast  set_alert
    Alice    deny            allow         allow
    the job  allow           allow         allow
    ");
}

#[test]
fn faults_say_what_to_do() {
    let folder = shipped();
    copy(&folder, "before");
    folder.write(
        "before/bad.cedar",
        "permit(principal, action, resource) when { };",
    );
    folder.write(
        "callers.yaml",
        "- {name: a, subject: a}\n- {name: a, subject: b}\n",
    );
    folder.write("odd.yaml", "- {name: a, colour: red}\n");
    folder.write("empty.yaml", "[]\n");
    for (arguments, code, expected) in [
        (&["--against", "before"][..], 3, "before/bad.cedar:1:"),
        (
            &["--against", "nowhere"],
            3,
            "`--against` names the directory",
        ),
        (&["--policies-dir", "nowhere"], 3, "`--policies-dir`"),
        (
            &["--policies-dir", "before", "--against", "nowhere"],
            3,
            "before/bad.cedar:1:",
        ),
        (&["--server", "x"], 2, "there is `weather`"),
        (&["--role", "a,,b"], 2, "write `--role editor`"),
        (&["--fail-on-change"], 2, "--against"),
        (
            &["--principals", "callers.yaml"],
            2,
            "two callers are named `a`",
        ),
        (&["--principals", "odd.yaml"], 2, "unknown field `colour`"),
        (&["--principals", "empty.yaml"], 2, "there are no callers"),
        (&["--principals", "none.yaml"], 2, "cannot be read"),
        (
            &["--principals", "callers.yaml", "--by", "roles"],
            2,
            "leave `--by` out",
        ),
    ] {
        let ran = folder.run(&[&["matrix"], arguments].concat());
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(expected), "{arguments:?}: {ran:?}");
    }
    let both = folder.run(&["matrix", "--policies-dir", "before", "--against", "nowhere"]);
    assert!(both.err.contains("nowhere"), "the faults of both: {both:?}");
}

#[test]
fn an_empty_catalogue_says_how_to_fill_it() {
    let folder = shipped();
    fs::remove_file(folder.path("policies/tools.json")).expect("a file");
    let ran = folder.run(&["matrix"]);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
    let advice = "cedargate schema tools --server weather --url URL --out policies/tools.json";
    assert!(
        ran.err.contains(advice) && ran.err.contains("--actions"),
        "{ran:?}"
    );
    let actions = folder.run(&["matrix", "--actions", "--format", "csv"]);
    assert_eq!(actions.code, 0, "{actions:?}");
    assert!(
        actions.out.starts_with("caller,weather/initialize,"),
        "{actions:?}"
    );
}

#[test]
fn a_large_matrix_takes_seconds() {
    let mut policies = String::from(
        "@id(\"office\") forbid(principal, action, resource) \
         when { context.clientIp.isMulticast() };\n",
    );
    for number in 0..1_000 {
        let (role, tool) = (number % 50, number % 100);
        let late = if number % 3 == 0 {
            "context.now > datetime(\"2026-01-01\")"
        } else {
            "true"
        };
        writeln!(
            policies,
            "@id(\"p{number}\") permit(principal in Mcp::Role::\"r{role:02}\", \
             action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"weather/t{tool:02}\") \
             when {{ {late} }};"
        )
        .expect("text");
    }
    let tools: Vec<String> = (0..100).map(|number| format!("t{number:02}")).collect();
    let folder = with(
        &policies,
        &tools.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let started = Instant::now();
    let ran = folder.run(&["matrix", "--format", "csv"]);
    let took = started.elapsed();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.lines().count(), 1 + 50 + 2);
    println!("1,000 policies, 100 tools, 52 callers: {took:?}");
    // Without optimisation, on a machine that does other things as well.
    assert!(took.as_secs() < 120, "{took:?}");
}

/// The commands that the documents show.
#[test]
fn the_documented_commands_do_what_they_say() {
    let mut seen = 0;
    for document in [
        include_str!("../README.md"),
        include_str!("../policies/README.md"),
    ] {
        let lines = document.lines().map(str::trim);
        let commands = lines.filter_map(|line| {
            line.trim_start_matches("$ ")
                .strip_prefix("cedargate matrix")
        });
        for command in commands {
            let folder = shipped();
            copy(&folder, "before");
            folder.write(
                "callers.yaml",
                "- {name: Alice, subject: alice, roles: [viewer]}\n",
            );
            let arguments = command.split('#').next().unwrap_or_default();
            let arguments = arguments.replace("../before/policies", "before");
            let arguments: Vec<&str> = std::iter::once("matrix")
                .chain(arguments.split_whitespace())
                .collect();
            let ran = folder.run(&arguments);
            assert_eq!((ran.code, &*ran.err), (0, ""), "{arguments:?}: {ran:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
    let shown = include_str!("../README.md");
    let table = shipped().run(&["matrix"]).out;
    for line in table.lines() {
        assert!(shown.contains(line), "the README does not show `{line}`");
    }
}
