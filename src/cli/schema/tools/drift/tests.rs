//! What is reported of a server that has changed, and in which order.

use super::*;

fn stated(value: &Value) -> Vec<StatedTool> {
    crate::source::tool_list::read_saved(value.to_string().as_bytes()).unwrap()
}

fn catalogue(value: &Value) -> Catalogue {
    let text = json!({"tools": value}).to_string();
    Catalogue::read(text.as_bytes()).unwrap()
}

fn old() -> Catalogue {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    catalogue(&json!([
        {"server": "s", "name": "closed", "annotations": {"openWorldHint": false}},
        {"server": "s", "name": "gone"},
        {"server": "s", "name": "read", "annotations": {"readOnlyHint": true}},
        {"server": "s", "name": "same", "labels": ["x"], "inputSchema": schema},
        {"server": "s", "name": "schema", "inputSchema": schema},
        {"server": "s", "name": "write"},
        {"server": "t", "name": "other"},
    ]))
}

fn now() -> Vec<StatedTool> {
    let schema = json!({"properties": {"city": {"type": "string"}}, "type": "object"});
    let other = json!({"type": "object", "properties": {"town": {"type": "string"}}});
    stated(&json!({"tools": [
        {"name": "write", "annotations": {"readOnlyHint": true}},
        {"name": "schema", "inputSchema": other},
        {"name": "same", "annotations": {"destructiveHint": true}, "inputSchema": schema,
         "description": "another"},
        {"name": "read", "annotations": {"readOnlyHint": false}},
        {"name": "new\u{1b}[2J", "annotations": {"readOnlyHint": true}},
        {"name": "closed"},
        {"name": "another"},
    ]}))
}

#[test]
fn the_worst_comes_first() {
    let changes = between(&old(), "s", &now());
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    `read`: no longer read-only (readOnlyHint true -> false)
    `read`: destructive now (destructiveHint false -> true)
    `another`: new tool, says nothing of what it does
    `new\u001b[2J`: new tool, says readOnlyHint true
    `write`: says that it is read-only now (readOnlyHint false -> true)
    `write`: says that it is not destructive any more (destructiveHint true -> false)
    `closed`: reaches beyond the server now (openWorldHint false -> true)
    `schema`: new optional argument `town`
    `schema`: argument `city` is gone
    `gone`: no longer listed
    ");
}

#[test]
fn programs_are_told_the_same() {
    let changes = between(&old(), "s", &now());
    let report = as_json("s", &changes);
    assert_eq!(report["changed"], true);
    let told = report["changes"].as_array().unwrap();
    assert_eq!(told.len(), changes.len());
    let kinds: Vec<&str> = told
        .iter()
        .map(|one| one["change"].as_str().unwrap())
        .collect();
    insta::assert_snapshot!(kinds.join(" "), @"hint hint new_tool new_tool hint hint hint argument_added argument_removed gone_tool");
    assert_eq!(
        told[0],
        json!({"tool": "read", "change": "hint", "hint": "readOnlyHint", "from": true, "to": false,
            "safer": false})
    );
    assert_eq!(
        told[3],
        json!({"tool": "new\u{1b}[2J", "change": "new_tool", "annotations": {"readOnlyHint": true}})
    );
    let nothing = json!({"server": "t", "changed": false, "changes": []});
    assert_eq!(as_json("t", &[]), nothing);
}

#[test]
fn only_what_looks_safer_is_held_back() {
    let changes = between(&old(), "s", &now());
    let held = changes.iter().filter(|change| change.is_safer());
    let held: Vec<&str> = held.map(|change| change.tool.as_str()).collect();
    assert_eq!(held, ["write", "write"]);
}

#[test]
fn every_change_of_a_schema_has_a_line_and_a_word() {
    let name = || "a\n".to_owned();
    let mut words = HashSet::new();
    for change in [
        SchemaChange::Added {
            argument: name(),
            required: true,
        },
        SchemaChange::Type {
            argument: name(),
            from: name(),
            to: name(),
        },
        SchemaChange::Required(name()),
        SchemaChange::Optional(name()),
        SchemaChange::Argument(name()),
        SchemaChange::Removed(name()),
        SchemaChange::Elsewhere,
        SchemaChange::Gone,
    ] {
        let change = Change {
            tool: name(),
            what: What::Schema(change),
        };
        let line = change.to_string();
        assert!(
            !line.contains('\n') && line.starts_with("`a\\u000a`: "),
            "{line}"
        );
        assert!(
            words.insert(change.as_json()["change"].to_string()),
            "{line}"
        );
    }
}
