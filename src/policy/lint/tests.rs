//! Findings, each with its place and its way out.

mod allow;
mod arguments;
mod names;
mod shapes;

use crate::config::ResourceKind;
use crate::config::Route;
use crate::config::RouteSegment;
use crate::fault::Fault;
use crate::policy::PolicySnapshot;
use crate::policy::fixtures::files;
use crate::policy::fixtures::resource;

const TOOLS: &str = r#"{"tools": [
  {"server": "shop", "name": "refund", "groups": ["money"], "inputSchema": {"type": "object", "properties": {
    "amount": {"type": "integer"}, "note": {"type": ["string", "null"]}, "fee": {"type": "number"},
    "tags": {"type": "array", "items": {"type": "string"}}, "counts": {"type": "array", "items": {"type": "number"}},
    "rush": {"type": "boolean"}, "any": {}, "skipped": {"type": "null"},
    "to": {"type": "object", "properties": {"iban": {"type": "string"}}, "additionalProperties": false}
  }}},
  {"server": "shop", "name": "pay", "groups": ["money"], "inputSchema": {"type": "object", "properties": {
    "amount": {"type": "string"}, "payee": {"type": "string"}}, "additionalProperties": false}},
  {"server": "shop", "name": "open", "groups": ["loose"], "inputSchema": {"type": "object",
    "properties": {"amount": {"type": "integer"}}, "additionalProperties": true}},
  {"server": "shop", "name": "bare", "groups": ["loose"]},
  {"server": "mail", "name": "send", "inputSchema": {"type": "object", "properties": {}}}
]}"#;

/// What is said of these policies, where `crm` is a server of which no tool is listed.
fn found(policies: &str) -> Vec<String> {
    found_with(&[("x.cedar", policies), ("tools.json", TOOLS)])
}

fn found_with(texts: &[(&str, &str)]) -> Vec<String> {
    let mut site = resource("site");
    site.kind = ResourceKind::Http {
        routes: vec![Route {
            name: "health".into(),
            pattern: vec![RouteSegment::Literal("health".to_owned())],
        }],
    };
    let mut shop = resource("shop");
    shop.groups = vec!["inner".to_owned()];
    let others = ["mail", "crm"].map(resource);
    let resources: Vec<_> = others
        .into_iter()
        .chain([site, shop])
        .map(Into::into)
        .collect();
    let faults = match PolicySnapshot::compile(&files(texts), &resources, 1) {
        Ok(snapshot) => snapshot.warnings().to_vec(),
        Err(faults) => faults,
    };
    faults.iter().map(Fault::to_string).collect()
}

/// A permit to call a tool of this description, on these terms.
fn call(resource: &str, conditions: &str) -> String {
    format!(
        "@id(\"a\")\npermit(principal is Mcp::User, action == Mcp::Action::\"tools/call\", {resource})\n{conditions};"
    )
}
