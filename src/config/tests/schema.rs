//! The schema and the reader know the same keys, and the schema accepts what the reader accepts.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::*;
use crate::config::yaml::Value;

const PROBE: &str = "qqqqqqqq";

/// A file with an unknown key in every mapping; what the reader knows there is in the help.
const PROBES: &str = "
qqqqqqqq: 1
listen: {qqqqqqqq: 1}
client_ip: {qqqqqqqq: 1}
authenticators:
  - {qqqqqqqq: 1, name: a, type: oidc, issuer: https://a.example, claims: {qqqqqqqq: 1}, roles: {qqqqqqqq: 1}, dpop: {qqqqqqqq: 1}}
  - {qqqqqqqq: 1, name: b, type: jwt, issuer: b, keys: [{qqqqqqqq: 1, file: rsa.pem, algorithm: RS256}]}
  - {qqqqqqqq: 1, name: c, type: anonymous}
  - {qqqqqqqq: 1, name: d, type: introspection}
  - {qqqqqqqq: 1, name: e, type: api_key, keys: [{qqqqqqqq: 1}]}
  - {qqqqqqqq: 1, name: f, type: static_token}
  - {qqqqqqqq: 1, name: g, type: mtls}
resources:
  - {qqqqqqqq: 1, name: a, url: https://a.example, kind: mcp, scopes: {qqqqqqqq: 1}, metadata: {qqqqqqqq: 1}, mcp: {qqqqqqqq: 1}}
  - {qqqqqqqq: 1, name: b, url: https://b.example, kind: http, routes: [{qqqqqqqq: 1, name: a, path: /}]}
policies: {qqqqqqqq: 1, bundle: {qqqqqqqq: 1, keys: [{qqqqqqqq: 1}]}}
identity_headers: {qqqqqqqq: 1}
limits: {qqqqqqqq: 1}
decision_log: {qqqqqqqq: 1, to: {qqqqqqqq: 1, file: x}}
admin: {qqqqqqqq: 1}
log: {qqqqqqqq: 1}
sessions: {qqqqqqqq: 1, store: redis, redis: {qqqqqqqq: 1}}
dev_tokens: {qqqqqqqq: 1, clients: [{qqqqqqqq: 1}]}
";

#[test]
fn the_schema_and_the_reader_know_the_same_keys() {
    let mut read = BTreeSet::new();
    for fault in parsed(PROBES).unwrap_err() {
        if fault.message == format!("unknown key `{PROBE}`") {
            let help = fault.help.unwrap();
            let known = help.strip_prefix("known here: ").unwrap();
            read.insert(
                known
                    .split(", ")
                    .map(str::to_owned)
                    .collect::<BTreeSet<_>>(),
            );
        }
    }
    // A resource of either kind is asked for the keys of both, to say where they belong.
    let both = |keys: &BTreeSet<String>| keys.contains("mcp") && keys.contains("routes");
    let resource = read.iter().find(|keys| both(keys)).unwrap().clone();
    read.remove(&resource);
    for own in ["mcp", "routes"] {
        let mut keys = resource.clone();
        keys.remove(own);
        read.insert(keys);
    }
    let mut written = BTreeSet::new();
    objects(&json_schema(), &mut written);
    assert_eq!(read, written);
    assert_eq!(
        PROBES.matches("qqqqqqqq: 1").count(),
        34,
        "a probe in every mapping"
    );
    assert_eq!(written.len(), 34, "every mapping has a probe");
}

/// The keys of every object of the schema; each but free maps must be closed.
fn objects(schema: &Json, found: &mut BTreeSet<BTreeSet<String>>) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::Object(properties)) = members.get("properties")
                && members.get("type") == Some(&Json::from("object"))
            {
                assert_eq!(members["additionalProperties"], false, "{schema}");
                found.insert(properties.keys().cloned().collect());
            }
            for member in members.values() {
                objects(member, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| objects(item, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[test]
fn the_full_example_and_the_least_one_fit_the_schema() {
    let file = |name: &str| files::text(&fixtures().join(name), LARGEST).unwrap();
    for text in [
        &file("full.yaml"),
        &file("dev.yaml"),
        &file("bundle.yaml"),
        REST,
    ] {
        let value = json(text);
        assert_eq!(fits(&json_schema(), &value), Ok(()), "{text}");
    }
}

#[test]
fn what_the_reader_refuses_for_its_shape_does_not_fit_the_schema() {
    for text in [
        "bogus: 1",
        "listen: {grcp: x}",
        "listen: []",
        "limits: {body: true}",
        "explain_to_anonymous: 1",
        "log: {format: xml}",
        "identity_headers: {send: [subjects]}",
        "decision_log: {to: stderr}",
        "decision_log: {to: {}}",
        "sessions: {store: file}",
        "sessions: {store: redis, redis: {prefix: a}}",
        "sessions: {per_principal: true}",
        "policies: {bundle: {file: a.tar}}",
        "policies: {bundle: {keys: [{file: p256.pem, algorithm: ES256}]}}",
        "policies: {bundle: {file: a.tar, keys: []}}",
        "policies: {bundle: {file: a.tar, keys: [{algorithm: ES256}]}}",
        "policies: {bundle: a.tar}",
    ] {
        let text = format!("{text}\n{REST}");
        assert!(fits(&json_schema(), &json(&text)).is_err(), "{text}");
        assert!(parsed(&text).is_err(), "{text}");
    }
    for text in ["{}", "authenticators: []", "resources: []"] {
        assert!(fits(&json_schema(), &json(text)).is_err(), "{text}");
    }
}

/// The text as JSON, as an editor would see it.
fn json(text: &str) -> Json {
    let source = source(text);
    let mut faults = Faults::new(&source);
    let node = yaml::tree(&source, &mut faults).unwrap();
    assert_eq!(faults.finish(), []);
    json_of(&node)
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Invalid => panic!("no fault was reported"),
        Value::Scalar { .. } if node.is_null() => Json::Null,
        Value::Scalar { text, plain: true } => {
            serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str()))
        }
        Value::Scalar { text, plain: false } => Json::from(text.as_str()),
        Value::Sequence(items) => items.iter().map(json_of).collect(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json_of(&entry.value)))
            .collect(),
    }
}

/// As much of JSON Schema as ours uses.
fn fits(schema: &Json, value: &Json) -> Result<(), String> {
    let Json::Object(members) = schema else {
        let refusal = Err(format!("{value} is refused"));
        return if schema == &Json::from(true) {
            Ok(())
        } else {
            refusal
        };
    };
    for (keyword, argument) in members {
        let fine = match keyword.as_str() {
            "type" => types(argument).iter().any(|name| is_type(name, value)),
            "enum" => argument.as_array().unwrap().contains(value),
            "const" => argument == value,
            "pattern" => {
                assert_eq!(argument, "\\$\\{");
                value.as_str().is_none_or(|text| text.contains("${"))
            }
            "anyOf" => how_many_fit(argument, value) > 0,
            "oneOf" => how_many_fit(argument, value) == 1,
            "required" => value.as_object().is_none_or(|map| {
                let keys: Vec<&str> = types(argument);
                keys.iter().all(|key| map.contains_key(*key))
            }),
            "minItems" => {
                assert_eq!(argument, 1);
                value.as_array().is_none_or(|items| !items.is_empty())
            }
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.try_for_each(|item| fits(argument, item))?;
                true
            }
            "properties" => members_fit(argument, value)?,
            "additionalProperties" => others_fit(members.get("properties"), argument, value)?,
            "description" | "default" | "title" | "$schema" => true,
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if !fine {
            return Err(format!("{value} does not fit {keyword}: {argument}"));
        }
    }
    Ok(())
}

fn how_many_fit(schemas: &Json, value: &Json) -> usize {
    let schemas = schemas.as_array().unwrap().iter();
    schemas.filter(|one| fits(one, value).is_ok()).count()
}

fn members_fit(properties: &Json, value: &Json) -> Result<bool, String> {
    for (key, schema) in properties.as_object().unwrap() {
        if let Some(value) = value.get(key) {
            fits(schema, value).map_err(|reason| format!("{key}: {reason}"))?;
        }
    }
    Ok(true)
}

fn others_fit(known: Option<&Json>, schema: &Json, value: &Json) -> Result<bool, String> {
    for (key, value) in value.as_object().into_iter().flatten() {
        if known.is_none_or(|known| known.get(key).is_none()) {
            fits(schema, value).map_err(|_| format!("unknown key {key}"))?;
        }
    }
    Ok(true)
}

/// One word, or a list of them.
fn types(argument: &Json) -> Vec<&str> {
    match argument.as_array() {
        Some(names) => names.iter().filter_map(Json::as_str).collect(),
        None => vec![argument.as_str().unwrap()],
    }
}

fn is_type(name: &str, value: &Json) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the schema uses the type `{other}`"),
    }
}
