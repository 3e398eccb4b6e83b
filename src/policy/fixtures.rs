//! What the tests of this layer share: resources, callers, requests and the example policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::PolicyFiles;
use super::PolicySnapshot;
use super::facts::nobody;
use crate::config::McpRules;
use crate::config::Resource;
use crate::config::ResourceKind;
use crate::config::ResourceMetadata;
use crate::fault::Source;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;
use crate::request::Target;
use crate::request::Thing;

/// A resource of this name.
pub(super) fn resource(name: &str) -> Resource {
    Resource {
        name: name.into(),
        url: format!("https://{name}.example/mcp"),
        scheme: "https".to_owned(),
        authority: format!("{name}.example"),
        path: "/mcp".to_owned(),
        kind: ResourceKind::Mcp(McpRules::default()),
        audiences: Vec::new(),
        authenticators: Vec::new(),
        tenant: String::new(),
        labels: Vec::new(),
        groups: Vec::new(),
        scope_hierarchy: Vec::new(),
        metadata: ResourceMetadata::default(),
    }
}

/// Resources of these names.
pub(super) fn resources(names: &[&str]) -> Vec<Arc<Resource>> {
    names.iter().map(|name| Arc::new(resource(name))).collect()
}

/// The files by name and text.
pub(super) fn files(files: &[(&str, &str)]) -> PolicyFiles {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).into(),
        text: (*text).into(),
    };
    PolicyFiles::new(files.iter().map(source).collect())
}

/// A snapshot of one file of policies, for these servers.
pub(super) fn snapshot(policies: &str, servers: &[&str]) -> PolicySnapshot {
    PolicySnapshot::compile(&files(&[("x.cedar", policies)]), &resources(servers), 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The example policies with a catalogue for them.
pub(super) fn examples() -> PolicySnapshot {
    macro_rules! fixture {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../tests/fixtures/policies/", $name)),
            )
        };
    }
    let tools = r#"{"tools": [
        {"server": "crm", "name": "search", "annotations": {"readOnlyHint": true}},
        {"server": "crm", "name": "export", "annotations": {"destructiveHint": false}},
        {"server": "payroll", "name": "run", "annotations": {"destructiveHint": false}},
        {"server": "docs", "name": "update", "annotations": {"destructiveHint": false}},
        {"server": "build", "name": "run", "annotations": {"destructiveHint": false}},
        {"server": "billing", "name": "refund", "annotations": {"destructiveHint": false}},
        {"server": "tenants", "name": "a", "annotations": {"destructiveHint": false},
         "groups": ["tenant-tools"], "tenant": "a"},
        {"server": "tenants", "name": "none", "annotations": {"destructiveHint": false},
         "groups": ["tenant-tools"]},
        {"server": "build", "name": "vetted", "groups": ["vetted"]},
        {"server": "build", "name": "wipe"}
    ]}"#;
    let files = files(&[
        fixture!("00-public.cedar"),
        fixture!("10-roles.cedar"),
        fixture!("20-scopes.cedar"),
        fixture!("30-clients.cedar"),
        fixture!("40-conditions.cedar"),
        fixture!("90-forbid.cedar"),
        fixture!("schema.cedarschema"),
        ("tools.json", tools),
    ]);
    let servers = [
        "crm", "payroll", "docs", "build", "billing", "tenants", "site",
    ];
    PolicySnapshot::compile(&files, &resources(&servers), 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// A set from a list of names with commas between them.
pub(super) fn set(names: &str) -> BTreeSet<String> {
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A user with these roles and scopes.
pub(super) fn user(roles: &str, scopes: &str) -> Principal {
    let mut principal = nobody(PrincipalKind::User);
    principal.id = "https://idp.example#u1".to_owned();
    principal.issuer = "https://idp.example".to_owned();
    principal.subject = "u1".to_owned();
    principal.roles = set(roles);
    principal.scopes = set(scopes);
    principal
}

/// The identity of a proved caller.
pub(super) fn verified(principal: Principal) -> Identity {
    Identity::Verified(Arc::new(principal))
}

/// A call of `<server>/<tool>`.
pub(super) fn call(tool: &str) -> Operation {
    let (server, name) = tool.split_once('/').unwrap();
    operation(Action::ToolsCall, server, Thing::Tool(name.to_owned()))
}

/// An action on a thing of a server.
pub(super) fn operation(action: Action, server: &str, thing: Thing) -> Operation {
    Operation {
        action,
        target: Target {
            server: server.into(),
            thing,
        },
        arguments: Arguments::None,
    }
}

/// These operations, all in one request.
pub(super) fn all(operations: &[Operation]) -> Operations {
    let (first, rest) = operations.split_first().unwrap();
    Operations {
        first: first.clone(),
        rest: rest.to_vec(),
    }
}

/// The same with arguments.
pub(super) fn with_arguments(operation: Operation, json: &str) -> Operation {
    Operation {
        arguments: Arguments::Json(json.to_owned().into()),
        ..operation
    }
}

/// A request from the office on 2026-01-01 at noon.
pub(super) fn context() -> RequestContext {
    RequestContext {
        method: "POST".to_owned(),
        host: "crm.example".to_owned(),
        path: "/mcp".to_owned(),
        client_ip: Some([10, 1, 2, 3].into()),
        now_ms: 1_767_268_800_000,
        ..RequestContext::default()
    }
}
