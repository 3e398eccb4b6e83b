//! What `docs/mcp.md` says: its answers are those of the program, its tables those of the source, and
//! every test that it names is there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use cedargate::config::Batches;
use cedargate::config::MessageFrom;
use cedargate::config::ResourceKind;
use cedargate::identity::session::MAX_SESSION_ID;
use cedargate::request::arguments;
use cedargate::request::headers::MAX_HEADERS;
use cedargate::request::json;
use cedargate::request::methods::METHODS;
use cedargate::request::methods::Method;
use cedargate::request::methods::REVISIONS;
use cedargate::request::methods::TargetKind;
use cedargate::request::path::MAX_PATH;
use serde_json::Value;
use serde_json::json;

use super::Block;
use super::PROGRAM;
use super::blocks;
use super::files;
use super::guide::load;
use super::support::ask::Ask;
use super::support::ask::Asker;
use super::support::ask::Verdict;
use super::support::sidecar::Sidecar;
use super::support::tokens::Key;
use super::text;

const GUIDE: &str = "docs/mcp.md";
const RESOURCE: &str = "https://mcp.example.com/mcp";

/// The line of the first configuration that a test replaces by a key of its own.
const ISSUER: &str = "  - {name: corp, type: oidc, issuer: https://auth.example.com}\n";

#[test]
fn its_blocks_are_known_and_its_configurations_load_without_a_warning() {
    let mut seen = BTreeMap::new();
    for block in guide() {
        let first = block.text.lines().next().unwrap_or_default();
        let kind = match (&*block.language, first) {
            ("yaml", "# cedargate.yaml") => {
                let loaded = load(&block.text).unwrap_or_else(|faults| panic!("{faults:#?}"));
                assert_eq!(loaded.warnings, [], "{}", block.text);
                "configuration"
            }
            ("yaml", line) if line.starts_with("# envoy.yaml: in ") => "Envoy",
            (language @ ("cedar" | "http" | "sh"), _) => language,
            other => panic!("{GUIDE}, block at line {}: {other:?}", block.line),
        };
        *seen.entry(kind.to_owned()).or_insert(0) += 1;
    }
    let expected = [
        ("Envoy", 2),
        ("cedar", 1),
        ("configuration", 2),
        ("http", 5),
        ("sh", 1),
    ];
    let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(seen, BTreeMap::from(expected));
}

#[test]
fn what_it_calls_a_default_is_one() {
    let first = &guide()[0].text;
    let shown = load(first).expect("a configuration").config;
    let bare = load(&format!(
        "authenticators:\n{ISSUER}resources: [{{name: weather, url: {RESOURCE}, kind: mcp}}]\n"
    ));
    let bare = bare.expect("a configuration").config;
    let [shown_rules, rules] = [&shown, &bare].map(|config| match &config.resources[0].kind {
        ResourceKind::Mcp(rules) => rules.clone(),
        ResourceKind::Http { .. } => panic!("an MCP resource"),
    });
    assert_eq!(rules.allowed_origins, [""; 0], "none");
    assert_eq!(rules.versions, [""; 0], "all");
    assert_eq!(rules.batches, Batches::Deny);
    assert_eq!(rules.message_from, MessageFrom::Body);
    assert_eq!(shown_rules.batches, rules.batches);
    assert_eq!(shown_rules.message_from, rules.message_from);
    assert_eq!(shown_rules.sessions, rules.sessions);
    let sessions = |config: &cedargate::config::Config| format!("{:?}", config.sessions);
    assert_eq!(sessions(&shown), sessions(&bare));
    assert_eq!(shown.limits.body, bare.limits.body);
}

#[test]
fn its_table_of_methods_is_the_programs() {
    let guide = text(GUIDE);
    let table: Vec<&str> = section(&guide, "## Methods")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let rows: Vec<String> = METHODS.iter().map(row).collect();
    assert_eq!(table, rows);
}

/// What the table says of a method.
fn row(method: &Method) -> String {
    let (target, named) = match method.target {
        TargetKind::Server => ("Server", ""),
        TargetKind::Tool => ("Tool", "`params.name`"),
        TargetKind::Prompt => ("Prompt", "`params.name`"),
        TargetKind::Resource => ("Resource", "`params.uri`"),
        TargetKind::Task => ("Task", "`params.taskId`"),
        TargetKind::Reference => ("Prompt or Resource", "`params.ref`"),
        TargetKind::Subscriptions => (
            "Server, and each Resource and Task",
            "`params.notifications`",
        ),
    };
    let revisions = match method.revisions {
        all if all == REVISIONS => "all".to_owned(),
        [first, _, last] => format!("{first} to {last}"),
        few => few.join(", "),
    };
    let yes = |holds| if holds { "yes" } else { "" };
    let name_header = yes(method.name_header);
    let cells = [
        &format!("`{}`", method.name),
        target,
        named,
        &revisions,
        name_header,
        yes(method.arguments),
    ];
    let cells = cells.map(|cell| {
        if cell.is_empty() {
            " |".to_owned()
        } else {
            format!(" {cell} |")
        }
    });
    format!("|{}", cells.concat())
}

#[test]
fn its_limits_are_the_programs() {
    let guide = text(GUIDE);
    for row in [
        format!("| nesting | {} levels;", json::MAX_DEPTH),
        format!("| `Mcp-Session-Id` | {MAX_SESSION_ID} bytes"),
        format!("| path; headers | {MAX_PATH} bytes; {MAX_HEADERS} |"),
        format!(
            "| arguments that policies read | {} values, {} levels, {} bytes",
            arguments::MAX_VALUES,
            arguments::MAX_DEPTH,
            arguments::MAX_TEXT
        ),
    ] {
        assert!(guide.contains(&row), "{GUIDE} does not say: {row}");
    }
}

#[test]
fn every_test_that_it_names_is_there_and_every_label_has_one() {
    let guide = text(GUIDE);
    let (body, table) = guide
        .split_once("## Claims and their tests")
        .expect("the table at the end");
    let mut labels = BTreeSet::new();
    for line in table.lines().filter(|line| line.contains("| `--")) {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let [label, _, command] = *cells else {
            panic!("three cells: {line}");
        };
        assert!(labels.insert(label.to_owned()), "{label} twice");
        let words: Vec<&str> = command.trim_matches('`').split(' ').collect();
        let (sources, test) = match *words {
            ["--test", file, test] => (sources_of("tests", file), test),
            ["--lib", test] => {
                let module = test.split("::").next().unwrap_or_default();
                (sources_of("src", module), test)
            }
            _ => panic!("not a test: {command}"),
        };
        assert!(!sources.is_empty(), "no such file: {command}");
        let name = test.rsplit("::").next().unwrap_or_default();
        let wanted = format!("fn {name}(");
        let is_there = sources.iter().any(|source| source.contains(&wanted));
        assert!(is_there, "no such test: {command}");
    }
    let mentioned = labels_in(body);
    assert_eq!(
        mentioned.difference(&labels).collect::<Vec<_>>(),
        [""; 0],
        "without a test"
    );
    assert_eq!(
        labels.difference(&mentioned).collect::<Vec<_>>(),
        [""; 0],
        "nowhere above"
    );
}

/// The text of `folder/name.rs` and of everything in `folder/name/`.
fn sources_of(folder: &str, name: &str) -> Vec<String> {
    let file = Path::new(folder).join(name);
    let mut found = Vec::new();
    if file.with_extension("rs").is_file() {
        found.push(text(file.with_extension("rs")));
    }
    if file.is_dir() {
        found.extend(files(&file).into_iter().map(text));
    }
    found
}

/// A letter that begins labels and a number, between characters that are neither.
fn labels_in(body: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = body
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
        .filter(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .is_some_and(|first| "EBMHVCFSAKDX".contains(first))
                && word.len() == 2
                && letters.all(|letter| letter.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect();
    // `B1 to B3` means the one between as well.
    found.insert("B2".to_owned());
    found
}

#[test]
fn every_key_that_it_names_is_one_of_the_configuration() {
    let schema = std::process::Command::new(PROGRAM)
        .args(["schema", "config"])
        .output()
        .expect("the program runs");
    let schema = String::from_utf8(schema.stdout).expect("UTF-8");
    let guide = text(GUIDE);
    let mut checked = 0;
    for prefix in [
        "limits.",
        "mcp.",
        "sessions.",
        "redis.",
        "scopes.",
        "listen.",
    ] {
        for found in guide.split(&format!("`{prefix}")).skip(1) {
            let key: String = found
                .chars()
                .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
                .collect();
            assert!(schema.contains(&format!("\"{key}\"")), "{prefix}{key}");
            checked += 1;
        }
    }
    assert!(checked > 6, "{checked}");
}

#[test]
fn its_envoy_settings_are_those_that_ship() {
    let guide = text(GUIDE);
    let shipped = text("deploy/envoy/envoy.yaml");
    let table = section(&guide, "## Envoy");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let settings = rows.flat_map(|row| {
        let first = row.trim_start_matches('|').split('|').next();
        first.unwrap_or_default().split('`').skip(1).step_by(2)
    });
    let mut count = 0;
    for setting in settings {
        assert!(shipped.contains(setting), "not in envoy.yaml: {setting}");
        count += 1;
    }
    assert!(count >= 15, "{count}");
    let filters: BTreeSet<&str> = shipped
        .split("- name: envoy.filters.http.")
        .skip(1)
        .filter_map(|rest| rest.lines().next())
        .collect();
    assert_eq!(filters, BTreeSet::from(["ext_authz", "router"]));
}

#[test]
fn its_answers_are_the_programs() {
    let key = Key::new();
    let config = &guide()[0].text;
    assert!(config.contains(ISSUER), "the issuer's line");
    let config = config.replace(ISSUER, &key.authenticator());
    let sidecar = Sidecar::start(&config);
    let asker = sidecar.asker();
    let stating = |ask: Ask| ask.header("mcp-protocol-version", "2025-11-25");
    let with = |scope: &str, tool: &str| {
        Ask::call(tool).bearer(&key.token(RESOURCE, &json!({"scope": scope})))
    };
    let asks = [
        stating(Ask::call("get_forecast")),
        stating(with("weather:read", "set_alert")),
        stating(with("weather:read", "delete_station")),
        stating(with("weather:read", "get_forecast")).header("mcp-name", "set_alert"),
        with("weather:read", "get_forecast").header("mcp-protocol-version", "2099-01-01"),
    ];
    let written: Vec<Block> = guide()
        .into_iter()
        .filter(|block| block.language == "http")
        .collect();
    assert_eq!(written.len(), asks.len());
    let written: Vec<&str> = written.iter().map(|block| &*block.text).collect();
    let answers = asks.map(|ask| answer(&asker, &ask));
    assert_eq!(written, answers);
    let broad = asker.both(&stating(with("weather:write", "get_forecast")));
    assert_eq!(broad.reason, "allowed", "the broad scope is enough");
}

/// An answer as the document writes it: its status, its challenges, its body on one line.
fn answer(asker: &Asker, ask: &Ask) -> String {
    let Verdict {
        status,
        headers,
        body,
        ..
    } = asker.grpc(ask);
    let phrase = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "another one",
    };
    let challenges: String = headers
        .iter()
        .filter(|(name, _)| name == "www-authenticate")
        .map(|(name, value)| name.to_owned() + ": " + value + "\n")
        .collect();
    let uncached = ("cache-control".to_owned(), "no-store".to_owned());
    assert!(headers.contains(&uncached), "{headers:?}");
    let id = headers
        .iter()
        .find(|(name, _)| name == "x-cedargate-decision-id")
        .map(|(_, id)| id.clone())
        .expect("a decision id");
    let parsed: Value = serde_json::from_str(&body).expect("JSON");
    let named = parsed.pointer("/error/data/decision_id");
    assert_eq!(named.and_then(Value::as_str), Some(&*id));
    let body = body.replace(&id, "...");
    format!("HTTP/1.1 {status} {phrase}\n{challenges}\n{body}\n")
}

fn guide() -> Vec<Block> {
    blocks(&text(GUIDE))
}

/// What stands below a heading, up to the next one.
fn section<'a>(guide: &'a str, heading: &str) -> &'a str {
    let (_, rest) = guide
        .split_once(&format!("\n{heading}\n"))
        .expect("a heading");
    rest.split("\n## ").next().unwrap_or_default()
}
