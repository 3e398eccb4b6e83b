//! What an update keeps, what it takes over, and what a check reports; from saved answers.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::catalogue;
use super::names;
use super::page;
use super::read;
use super::schema;
use super::support::folder::Folder;
use super::validated;

#[test]
fn a_name_that_a_terminal_obeys_is_kept_exactly_and_shown_harmlessly() {
    let name = "\u{1b}[2J\u{202e}é";
    let folder = Folder::new();
    folder.write(
        "list.json",
        &json!([{"name": name, "title": "\u{7}"}]).to_string(),
    );
    let ran = schema(&folder, &["--file", "list.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        !ran.out.contains(['\u{1b}', '\u{202e}', '\u{7}']),
        "{ran:?}"
    );
    assert_eq!(names(&ran.out), [name]);
    let made = ran.out;
    assert_eq!(validated(&folder, &made).code, 0);
    folder.write("c.json", &made);
    let ran = schema(&folder, &["--file", "list.json", "--check", "c.json"]);
    assert_eq!(
        (ran.code, &*ran.out),
        (0, "nothing has changed\n"),
        "{ran:?}"
    );
    folder.write("none.json", "[]");
    let ran = schema(&folder, &["--file", "none.json", "--check", "c.json"]);
    assert_eq!(ran.out, "`\\u001b[2J\\u202eé`: no longer listed\n");
}

fn saved(read_only: bool, arguments: &Value) -> String {
    let tools = json!([
        {"name": "get", "annotations": {"readOnlyHint": read_only},
         "inputSchema": {"type": "object", "properties": arguments}},
        {"name": "put", "annotations": {"readOnlyHint": !read_only}},
    ]);
    page(&tools)
}

#[test]
#[expect(clippy::too_many_lines, reason = "the life of one file")]
fn a_catalogue_is_updated_without_losing_what_the_operator_said() {
    let folder = Folder::new();
    folder.write("list.json", &saved(true, &json!({"a": {"type": "string"}})));
    let ran = schema(&folder, &["--file", "list.json", "--out", "tools.json"]);
    assert_eq!((ran.code, &*ran.out), (0, ""), "{ran:?}");
    assert!(
        ran.err.contains("tools.json: 2 tools of `weather`"),
        "{ran:?}"
    );
    let mut file: Value = serde_json::from_str(&read(&folder, "tools.json")).expect("JSON");
    let first = file["tools"][0].as_object_mut().expect("a tool");
    first.insert("labels".to_owned(), json!(["public"]));
    first.insert("tenant".to_owned(), json!("acme"));
    let list = file["tools"].as_array_mut().expect("a list");
    list.push(json!({"server": "other", "name": "x", "annotations": {"openWorldHint": false}}));
    list.push(json!({"server": "weather", "name": "old", "groups": ["g"]}));
    folder.write("tools.json", &file.to_string());

    // Both change their hints: one way is taken over, the other is not.
    folder.write(
        "now.json",
        &saved(false, &json!({"a": {"type": "integer"}, "b": {}})),
    );
    let check = schema(&folder, &["--file", "now.json", "--check", "tools.json"]);
    let report = "\
`get`: no longer read-only (readOnlyHint true -> false)
`get`: destructive now (destructiveHint false -> true)
`put`: says that it is read-only now (readOnlyHint false -> true)
`put`: says that it is not destructive any more (destructiveHint true -> false)
`get`: argument `a` has another type: `string` -> `integer`
`get`: new optional argument `b`
`old`: no longer listed
";
    assert_eq!((check.code, &*check.out), (1, report), "{check:?}");
    let ran = schema(&folder, &["--file", "now.json", "--out", "tools.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in report.lines() {
        assert!(ran.err.contains(line), "{line}: {}", ran.err);
    }
    assert_eq!(ran.err.matches("left as it was").count(), 2, "{}", ran.err);
    assert_eq!(
        ran.err.matches("`--prune` removes it").count(),
        1,
        "{}",
        ran.err
    );
    let updated = read(&folder, "tools.json");
    let tools: BTreeMap<String, Value> = names(&updated)
        .into_iter()
        .zip(catalogue(&updated))
        .collect();
    assert_eq!(tools.keys().collect::<Vec<_>>(), ["get", "old", "put", "x"]);
    assert_eq!(tools["get"]["annotations"], json!({"readOnlyHint": false}));
    assert_eq!(tools["get"]["labels"], json!(["public"]));
    assert_eq!(tools["get"]["tenant"], "acme");
    assert_eq!(tools["put"]["annotations"], json!({"readOnlyHint": false}));
    assert_eq!(
        tools["x"],
        json!({"server": "other", "name": "x", "annotations": {"openWorldHint": false}})
    );
    assert_eq!(tools["old"]["groups"], json!(["g"]));

    let permitted = [
        "--file",
        "now.json",
        "--out",
        "tools.json",
        "--accept-safer",
        "--prune",
    ];
    assert_eq!(schema(&folder, &permitted).code, 0);
    let check = schema(
        &folder,
        &[
            "--file",
            "now.json",
            "--check",
            "tools.json",
            "--format",
            "json",
        ],
    );
    assert_eq!(check.code, 0, "{check:?}");
    let report: Value = serde_json::from_str(&check.out).expect("JSON");
    assert_eq!(
        report,
        json!({"server": "weather", "changed": false, "changes": []})
    );
    assert_eq!(names(&read(&folder, "tools.json")), ["x", "get", "put"]);
}

#[test]
fn wrong_usage_is_refused_before_anybody_is_asked() {
    let folder = Folder::new();
    folder.write("list.json", "[]");
    folder.write("bad.json", "{\"tools\": [{}]}");
    for (arguments, code, told) in [
        (&[][..], 2, "--url"),
        (
            &["--url", "http://127.0.0.1:1/", "--file", "x"],
            2,
            "cannot be used with",
        ),
        (&["--url", "127.0.0.1:1"], 2, "write a whole URL"),
        (
            &["--file", "list.json", "--check", "a", "--out", "b"],
            2,
            "cannot be used with",
        ),
        (&["--file", "list.json", "--format", "json"], 2, "--check"),
        (
            &["--url", "http://mcp.example.com/mcp"],
            1,
            "`--insecure-allow-http` sends",
        ),
        (&["--file", "none.json"], 1, "cannot read `none.json`"),
        (
            &["--file", "list.json", "--check", "none.json"],
            1,
            "cannot read `none.json`",
        ),
        (
            &["--file", "list.json", "--merge", "bad.json"],
            1,
            "the form of a catalogue",
        ),
        (
            &["--file", "list.json", "--out", "none/x.json"],
            1,
            "cannot write `none/x.json`",
        ),
    ] {
        let ran = schema(&folder, arguments);
        assert_eq!((ran.code, &*ran.out), (code, ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(told), "{arguments:?}: {ran:?}");
    }
    let piped = folder.run_with(
        &["schema", "tools", "--server", "weather", "--file", "-"],
        "{\"tools\": []}",
        &[],
    );
    assert_eq!((piped.code, &*piped.out), (0, "{\n  \"tools\": []\n}\n"));
}
