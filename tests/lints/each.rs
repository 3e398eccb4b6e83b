//! Each warning by its name: a policy that has it, one that only looks so, and what allows it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use cedargate::fault::Lint;
use serde_json::Value;
use tempfile::TempDir;

use super::CONFIG;
use super::PROGRAM;
use super::folder;

/// A warning, the file that has it, and what is written there: once with it, once without.
struct Case {
    lint: Lint,
    file: &'static str,
    wrong: String,
    right: String,
}

/// A permit for somebody who is signed in.
fn permit(scope: &str, conditions: &str) -> String {
    let who = if scope.contains("principal") {
        ""
    } else {
        "principal is Mcp::User, "
    };
    format!("@id(\"a\") permit({who}{scope}) {conditions};")
}

fn on(condition: &str) -> String {
    permit("action, resource", &format!("when {{ {condition} }}"))
}

fn about(resource: &str) -> String {
    permit(&format!("action, resource == {resource}"), "")
}

fn alert(effect: &str, conditions: &str) -> String {
    format!(
        "@id(\"a\") {effect}(principal is Mcp::User, action == Mcp::Action::\"tools/call\", \
         resource == Mcp::Tool::\"weather/set_alert\") {conditions};"
    )
}

fn argument(name: &str, accessor: &str, test: &str) -> String {
    let tag = format!("context.args.getTag(\"{name}\")");
    format!("context.args.hasTag(\"{name}\") && {tag} has {accessor} && {tag}.{accessor}{test}")
}

/// The catalogue with an argument `threshold` of another type.
fn catalogue(schema: &str) -> String {
    format!(
        "{{\"tools\": [{{\"server\": \"weather\", \"name\": \"get_forecast\"}}, \
         {{\"server\": \"weather\", \"name\": \"set_alert\", \"annotations\": {{\"destructiveHint\": false}}, \
         \"inputSchema\": {schema}}}]}}"
    )
}

fn case(lint: Lint, wrong: String, right: String) -> Case {
    Case {
        lint,
        file: "policies/a.cedar",
        wrong,
        right,
    }
}

fn of_form() -> Vec<Case> {
    let limit = |test: &str| format!("unless {{ {} }}", argument("threshold", "long", test));
    let read = |condition: &str| {
        permit(
            "action == Mcp::Action::\"resources/read\", resource",
            &format!("when {{ {condition} }}"),
        )
    };
    vec![
        case(
            Lint::PermitEveryone,
            permit("principal, action, resource is Mcp::Route", ""),
            permit(
                "principal, action, resource is Mcp::Route",
                "unless { principal is Mcp::Anonymous }",
            ),
        ),
        case(
            Lint::PermitAll,
            permit("principal, action, resource", ""),
            permit("principal in Mcp::Role::\"admin\", action, resource", ""),
        ),
        case(
            Lint::ImpossiblePolicy,
            on("principal.tenant == \"x\" && principal.tenant == \"y\""),
            on("principal.tenant == \"x\" || principal.tenant == \"y\""),
        ),
        case(
            Lint::EvadableForbid,
            alert(
                "forbid",
                &format!("when {{ {} }}", argument("threshold", "long", " > 9")),
            ),
            alert("forbid", &limit(" <= 9")),
        ),
        case(
            Lint::ArithmeticInForbid,
            alert("forbid", &limit(" * 2 <= 18")),
            alert("forbid", &limit(" <= 2 * 9")),
        ),
        case(
            Lint::LikeOnScope,
            on(&argument("scope", "string", " like \"*write*\"")),
            on(&argument("place", "string", " like \"*write*\"")),
        ),
        case(
            Lint::LikeOnUri,
            read("resource.uri like \"file:///public/*\""),
            read("resource.uri == \"file:///public/a\""),
        ),
    ]
}

fn of_letters() -> Vec<Case> {
    let annotated = |name: &str| format!("@{name}(\"log_only\")\n{}", on("true"));
    vec![
        case(
            Lint::UnknownAnnotation,
            annotated("modes"),
            annotated("rollout"),
        ),
        case(
            Lint::MixedScript,
            on("principal.tenant == \"\u{430}dmin\""),
            on("principal.tenant == \"\u{430}\u{43a}\u{43c}\u{435}\""),
        ),
        case(
            Lint::BidiCharacters,
            on("principal.tenant == \"a\u{202e}b\""),
            on("principal.tenant == \"a\u{e9}b\""),
        ),
        case(
            Lint::ConfusableIdentifier,
            on("principal has \"say\u{1d421}n\" || true"),
            on("true"),
        ),
    ]
}

fn of_names() -> Vec<Case> {
    let role = |role: &str| on(&format!("principal in Mcp::Role::\"{role}\""));
    let scope = |scope: &str| on(&format!("principal.scopes.contains(\"{scope}\")"));
    let group = |group: &str| on(&format!("principal in Mcp::Group::\"{group}\""));
    let who = |who: &str| permit(&format!("principal == Mcp::{who}, action, resource"), "");
    let call = |condition: &str| alert("permit", &format!("when {{ {condition} }}"));
    vec![
        case(
            Lint::UnknownArgument,
            call(&argument("treshold", "long", " < 9")),
            call(&argument("threshold", "long", " < 9")),
        ),
        case(
            Lint::ArgumentType,
            call(&argument("threshold", "string", " == \"9\"")),
            call(&argument("city", "string", " == \"9\"")),
        ),
        case(
            Lint::UnknownServer,
            about("Mcp::Server::\"wether\""),
            about("Mcp::Server::\"weather\""),
        ),
        case(
            Lint::UnknownServerGroup,
            permit("action, resource in Mcp::ServerGroup::\"iner\"", ""),
            permit("action, resource in Mcp::ServerGroup::\"inner\"", ""),
        ),
        case(
            Lint::WrongResourceKind,
            about("Mcp::Tool::\"site/health\""),
            about("Mcp::Route::\"site/health\""),
        ),
        case(
            Lint::UnknownTool,
            about("Mcp::Tool::\"weather/set_alarm\""),
            about("Mcp::Tool::\"news/set_alarm\""),
        ),
        case(
            Lint::UnknownRoute,
            about("Mcp::Route::\"site/helth\""),
            about("Mcp::Route::\"site/*\""),
        ),
        case(Lint::UnknownRole, role("veiwer"), role("partner:veiwer")),
        case(Lint::UnknownGroup, group("opps"), group("ops")),
        case(
            Lint::UnknownScope,
            scope("weather:raed"),
            scope("weather:read"),
        ),
        case(
            Lint::InvalidScope,
            scope("weather:read weather:write"),
            on("principal.scopes.containsAll([\"weather:read\", \"weather:write\"])"),
        ),
        case(
            Lint::UnknownIssuer,
            who("User::\"https://auth.exmple.com#u\""),
            who("User::\"https://auth.example.com#u\""),
        ),
        case(
            Lint::UnknownUser,
            who("User::\"shared#root\""),
            who("User::\"shared#operator\""),
        ),
        case(
            Lint::UnknownApiKey,
            who("ApiKey::\"fronted-app\""),
            who("ApiKey::\"frontend-app\""),
        ),
        case(
            Lint::InvalidId,
            who("User::\"alice\""),
            who("User::\"https://partner.example#alice\""),
        ),
    ]
}

fn of_catalogue() -> Vec<Case> {
    let properties = |one: &str| {
        catalogue(&format!(
            "{{\"type\": \"object\", \"properties\": {{\"threshold\": {one}}}}}"
        ))
    };
    vec![
        Case {
            lint: Lint::ArgumentFraction,
            file: "policies/tools.json",
            wrong: properties("{\"type\": \"number\"}"),
            right: properties("{\"type\": \"integer\"}"),
        },
        Case {
            lint: Lint::UnknownToolGroup,
            file: "policies/entities.json",
            wrong: "[{\"uid\": {\"type\": \"Mcp::ToolGroup\", \"id\": \"lost\"}, \"attrs\": {}, \
                    \"parents\": []}]"
                .to_owned(),
            right: "[]".to_owned(),
        },
        Case {
            lint: Lint::InvalidInputSchema,
            file: "policies/tools.json",
            wrong: catalogue("{\"type\": \"obejct\"}"),
            right: catalogue("{\"type\": \"object\"}"),
        },
    ]
}

/// Every warning has a case; that of `dev_tokens` has a configuration of its own.
fn cases() -> Vec<Case> {
    let mut cases = of_form();
    cases.extend(of_letters());
    cases.extend(of_names());
    cases.extend(of_catalogue());
    let client = |id: &str| on(&format!("principal.clientId == \"{id}\""));
    cases.push(case(
        Lint::UnknownClient,
        client("alice-clu"),
        client("alice-cli"),
    ));
    cases
}

const DEV: &str = r#"
dev_tokens: {clients: [{client_id: alice-cli, client_secret: not-a-secret, subject: alice}]}
resources: [{name: weather, url: "http://127.0.0.1:8080/mcp", kind: mcp}]
policies: {dir: policies}
"#;

/// A world in which something is listed of every kind.
fn config(lint: Lint, allowed: &str) -> String {
    let text = if lint == Lint::UnknownClient {
        DEV.to_owned()
    } else {
        CONFIG
            .replace(
                "roles: {allow: [viewer, editor, admin]}",
                "roles: {allow: [viewer, editor, admin]}, groups: {allow: [ops]}",
            )
            .replace(
                "resources:\n",
                "resources:\n- {name: site, url: \"https://site.example.com\", kind: http, \
                 authenticators: [corp], groups: [inner], routes: [{name: health, path: /health}]}\n",
            )
    };
    text.replace(
        "policies: {dir: policies}",
        &format!("policies: {{dir: policies, allow_warnings: [{allowed}]}}"),
    )
}

/// A policy that reads the argument of which the catalogues say something.
const LIMIT: &str = "@id(\"limit\") permit(principal is Mcp::User, action == Mcp::Action::\"tools/call\", \
    resource == Mcp::Tool::\"weather/set_alert\") when { context.args.hasTag(\"threshold\") && \
    context.args.getTag(\"threshold\") has long && context.args.getTag(\"threshold\").long < 9 };";

/// The exit code, and severity and name of what is reported.
fn validated(folder: &TempDir) -> (Option<i32>, BTreeSet<(String, String)>) {
    let output = Command::new(PROGRAM)
        .args(["validate", "--error-format", "json"])
        .current_dir(folder.path())
        .env_remove("CEDARGATE_CONFIG")
        .env_remove("CEDARGATE_POLICIES_DIR")
        .output()
        .expect("the program runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let faults = said.lines().map(|line| {
        let fault: Value = serde_json::from_str(line).expect("JSON");
        let of = |key: &str| {
            fault
                .get(key)
                .and_then(Value::as_str)
                .map_or_else(|| fault.to_string(), str::to_owned)
        };
        (of("severity"), of("name"))
    });
    (output.status.code(), faults.collect())
}

#[test]
fn each_is_found_where_it_is_and_only_there_and_can_be_allowed() {
    let cases = cases();
    let covered: BTreeSet<Lint> = cases.iter().map(|case| case.lint).collect();
    assert_eq!(covered.len(), Lint::ALL.len(), "{covered:?}");
    for Case {
        lint,
        file,
        wrong,
        right,
    } in cases
    {
        let name = lint.name();
        let folder = folder(&[("policies/limit.cedar", LIMIT)]);
        let write = |file: &str, text: &str| {
            fs::write(folder.path().join(file), text).expect("a file can be written");
        };
        let found = |severity: &str| BTreeSet::from([(severity.to_owned(), name.to_owned())]);
        write("cedargate.yaml", &config(lint, ""));
        write(file, &right);
        assert_eq!(
            validated(&folder),
            (Some(0), BTreeSet::new()),
            "{name}: {right}"
        );
        write(file, &wrong);
        assert_eq!(
            validated(&folder),
            (Some(3), found("error")),
            "{name}: {wrong}"
        );
        write("cedargate.yaml", &config(lint, name));
        assert_eq!(
            validated(&folder),
            (Some(0), found("warning")),
            "{name}, allowed"
        );
        if file == "policies/a.cedar" {
            write("cedargate.yaml", &config(lint, ""));
            write(file, &format!("@allow(\"{name}\")\n{wrong}"));
            assert_eq!(
                validated(&folder),
                (Some(0), found("warning")),
                "{name}, annotated"
            );
        }
    }
}

#[test]
fn the_documentation_lists_them_all() {
    let text = fs::read_to_string("docs/lints.md").expect("the documentation ships");
    let (_, table) = text.split_once("\n## The names\n").expect("the section");
    let rows = table.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let names: Vec<&str> = rows
        .map(|row| {
            assert_eq!(row.matches(" | ").count(), 3, "{row}");
            row.split('`').nth(1).expect("a name")
        })
        .collect();
    assert_eq!(names, Lint::names());
}
