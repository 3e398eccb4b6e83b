//! `docs/cedar-model.md` lists what the schema has, each thing once; its arguments are those of the reader,
//! and its bounds those of the source.

use std::collections::BTreeMap;
use std::fs;

use cedar_policy::SchemaFragment;
use cedargate::request::arguments;
use cedargate::request::arguments::ArgumentValue;
use serde_json::Map;
use serde_json::Value;

const MODEL: &str = include_str!("../../docs/cedar-model.md");
const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// An entity type or a record: what it can be in, its tags, and its attributes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    above: Vec<String>,
    tags: Option<String>,
    attributes: BTreeMap<String, String>,
}

/// The schema in Cedar's JSON form, below its one namespace.
fn schema() -> Value {
    let (fragment, _) = SchemaFragment::from_cedarschema_str(SCHEMA).expect("a schema");
    let mut json = fragment.to_json_value().expect("JSON");
    let namespaces = json.as_object_mut().expect("namespaces");
    assert_eq!(namespaces.len(), 1, "only `Mcp`");
    namespaces.remove("Mcp").expect("the namespace")
}

fn members<'a>(value: &'a Value, name: &str) -> &'a Map<String, Value> {
    value[name].as_object().expect("an object")
}

/// A type as the document writes it.
fn written(kind: &Value) -> String {
    let element = &kind["element"];
    if element.is_null() {
        kind["name"].as_str().expect("a name").to_owned()
    } else {
        format!("Set<{}>", written(element))
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}

fn shape(entry: &Value, record: &Value) -> Shape {
    let attributes = record["attributes"].as_object().into_iter().flatten();
    Shape {
        above: texts(&entry["memberOfTypes"]),
        tags: (!entry["tags"].is_null()).then(|| written(&entry["tags"])),
        attributes: attributes
            .map(|(name, kind)| (name.clone(), written(kind)))
            .collect(),
    }
}

/// What stands below each heading of the third level.
fn sections() -> Vec<(&'static str, &'static str)> {
    let all = MODEL.split("\n### ").skip(1);
    all.map(|section| {
        let (heading, text) = section.split_once('\n').expect("a heading has a line");
        (heading, text.split("\n## ").next().unwrap_or_default())
    })
    .collect()
}

/// What is between back quotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The rows of the table with these first columns, as cells.
fn rows(text: &'static str, columns: &str) -> Vec<Vec<&'static str>> {
    let Some((_, table)) = text.split_once(&format!("\n| {columns} |")) else {
        return Vec::new();
    };
    let lines = table.lines().skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(str::trim).collect()
        })
        .collect()
}

fn described(text: &'static str) -> Shape {
    let said = |word: &str| {
        let line = text.lines().find(|line| line.contains(word))?;
        let (_, rest) = line.split_once(word)?;
        Some(quoted(rest.split(". ").next().unwrap_or_default()))
    };
    let mut attributes = BTreeMap::new();
    for row in rows(text, "attribute | type | value | when absent") {
        let [name, kind, value, absent] = row[..] else {
            panic!("four cells: {row:?}");
        };
        assert!(!value.is_empty() && !absent.is_empty(), "{row:?}");
        let name = quoted(name).remove(0);
        let twice = attributes.insert(name, quoted(kind).remove(0));
        assert_eq!(twice, None, "{row:?}");
    }
    Shape {
        above: said("In: ").unwrap_or_default(),
        tags: said("Tags: ").map(|mut tags| tags.remove(0)),
        attributes,
    }
}

#[test]
fn every_type_and_attribute_is_listed_once() {
    let schema = schema();
    let mut expected = BTreeMap::new();
    for (name, entry) in members(&schema, "entityTypes") {
        expected.insert(name.clone(), shape(entry, &entry["shape"]));
    }
    for (name, record) in members(&schema, "commonTypes") {
        expected.insert(name.clone(), shape(&Value::Null, record));
    }
    let mut found = BTreeMap::new();
    for (heading, text) in sections() {
        for name in quoted(heading) {
            let twice = found.insert(name, described(text));
            assert!(twice.is_none(), "{heading}");
        }
    }
    assert_eq!(found, expected);
    // What a policy may leave unasked, and what not.
    let optional = members(&schema, "commonTypes")
        .iter()
        .filter(|(_, record)| {
            let mut all = members(record, "attributes").values();
            all.any(|kind| kind["required"] == false)
        });
    let optional: Vec<_> = optional.map(|(name, _)| name.as_str()).collect();
    assert_eq!(optional, ["Arg"]);
}

#[test]
fn every_action_is_listed_once() {
    let schema = schema();
    let mut groups = BTreeMap::new();
    let mut methods = BTreeMap::new();
    for (name, action) in members(&schema, "actions") {
        let above = action["memberOf"].as_array().into_iter().flatten();
        let above: Vec<String> = above
            .map(|one| one["id"].as_str().expect("an id").to_owned())
            .collect();
        let applies = &action["appliesTo"];
        let on = texts(&applies["resourceTypes"]);
        if on.is_empty() {
            groups.insert(name.clone(), above);
        } else {
            let callers = texts(&applies["principalTypes"]);
            assert_eq!(callers, ["User", "Client", "ApiKey", "Anonymous"]);
            assert_eq!(applies["context"]["type"], "Ctx");
            methods.insert(name.clone(), (above, on));
        }
    }
    let mut found = BTreeMap::new();
    for row in rows(MODEL, "group | in") {
        let twice = found.insert(quoted(row[0]).remove(0), quoted(row[1]));
        assert_eq!(twice, None, "{row:?}");
    }
    assert_eq!(found, groups);
    let mut found = BTreeMap::new();
    for row in rows(MODEL, "action | in | on | is") {
        let twice = found.insert(quoted(row[0]).remove(0), (quoted(row[1]), quoted(row[2])));
        assert_eq!(twice, None, "{row:?}");
    }
    assert_eq!(found, methods);
}

#[test]
fn every_argument_is_read_as_the_table_says() {
    let table = rows(MODEL, "JSON | has");
    assert!(table.len() >= 15, "{table:?}");
    for row in table {
        let json = quoted(row[0]).remove(0);
        let read = arguments::parse(format!("{{\"a\": {json}}}").as_bytes());
        let read = read.expect("arguments");
        let (name, value) = read.first().expect("an argument");
        assert_eq!(name, "a");
        let has: Vec<&str> = match value {
            ArgumentValue::Empty => Vec::new(),
            ArgumentValue::Number { long, decimal } => {
                let long = long.map(|_| "long");
                let decimal = decimal.as_ref().map(|_| "decimal");
                long.into_iter().chain(decimal).collect()
            }
            ArgumentValue::Bool(_) => vec!["bool"],
            ArgumentValue::String(_) => vec!["string"],
            ArgumentValue::Strings(_) => vec!["strings"],
            ArgumentValue::Longs(_) => vec!["longs"],
            ArgumentValue::EmptyArray => vec!["strings", "longs"],
        };
        assert_eq!(quoted(row[1]), has, "{json}");
        assert_eq!(row[1] == "nothing", has.is_empty(), "{json}");
    }
    let names = arguments::parse(br#"{"a": {"b": 1}, "a.b": 2}"#).expect("arguments");
    let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "a.b", r"a\.b"]);
}

#[test]
fn every_bound_is_that_of_the_source() {
    let table = rows(MODEL, "of | at most | then | bound");
    assert!(table.len() >= 15, "{table:?}");
    for row in table {
        let [_, most, _, bound] = row[..] else {
            panic!("four cells: {row:?}");
        };
        let [name, file] = &quoted(bound)[..] else {
            panic!("a constant and a file: {row:?}");
        };
        let source = fs::read_to_string(file).expect("a source file");
        let (_, rest) = source
            .split_once(&format!("const {name}: usize = "))
            .unwrap_or_else(|| panic!("{file} has no {name}"));
        let value = rest.split(';').next().unwrap_or_default().replace('_', "");
        let value: usize = value
            .split('*')
            .map(|factor| factor.trim().parse::<usize>().expect("a number"))
            .product();
        assert_eq!(most, value.to_string(), "{row:?}");
    }
}
