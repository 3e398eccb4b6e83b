//! Policies, callers and requests of every kind, drawn from a seed.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::identity::Identity;
use crate::identity::PrincipalKind;
use crate::policy::fixtures::context;
use crate::policy::fixtures::operation;
use crate::policy::fixtures::set;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::request::Action;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Thing;

const PRINCIPALS: [&str; 12] = [
    "principal",
    "principal",
    "principal",
    "principal is Mcp::User",
    "principal is Mcp::Client",
    "principal is Mcp::Anonymous",
    "principal == Mcp::User::\"u1\"",
    "principal == Mcp::Client::\"u1\"",
    "principal in Mcp::Role::\"a\"",
    "principal in Mcp::Role::\"top\"",
    "principal in Mcp::User::\"u1\"",
    "principal is Mcp::User in Mcp::Group::\"g\"",
];

const ACTIONS: [&str; 9] = [
    "action",
    "action",
    "action in Mcp::Action::\"mcp\"",
    "action == Mcp::Action::\"mcp\"",
    "action == Mcp::Action::\"tools/call\"",
    "action in [Mcp::Action::\"discover\", Mcp::Action::\"tools/call\"]",
    "action in Mcp::Action::\"discover\"",
    "action in Mcp::Action::\"http\"",
    "action in [Mcp::Action::\"resources/read\", Mcp::Action::\"prompts/get\"]",
];

const RESOURCES: [&str; 14] = [
    "resource",
    "resource",
    "resource",
    "resource in Mcp::Server::\"s\"",
    "resource in Mcp::Server::\"t\"",
    "resource in Mcp::ServerGroup::\"sg\"",
    "resource in Mcp::ServerGroup::\"all\"",
    "resource in Mcp::ToolGroup::\"tg\"",
    "resource == Mcp::Tool::\"s/x\"",
    "resource is Mcp::Tool",
    "resource is Mcp::Tool in Mcp::Server::\"s\"",
    "resource is Mcp::Server",
    "resource == Mcp::Route::\"s/r\"",
    "resource is Mcp::Resource in Mcp::Server::\"s\"",
];

/// Conditions; some fail for some requests, some for all. Nothing checks them beforehand.
const CONDITIONS: [&str; 64] = [
    "true",
    "false",
    "principal in Mcp::Role::\"a\"",
    "principal in Mcp::Role::\"top\"",
    "principal in [Mcp::Role::\"b\", Mcp::Group::\"g\"]",
    "principal in Mcp::User::\"u1\"",
    "principal in []",
    "principal is Mcp::User in Mcp::Role::\"c\"",
    "principal is Mcp::Client in [Mcp::Role::\"a\", Mcp::Role::\"b\"]",
    "principal is Mcp::ApiKey",
    "principal == Mcp::User::\"u1\"",
    "Mcp::User::\"u2\" == principal",
    "principal == [Mcp::User::\"u1\"]",
    "[Mcp::User::\"u1\", Mcp::Client::\"u2\"].contains(principal)",
    "principal != Mcp::User::\"u1\"",
    "principal.scopes.contains(\"p\")",
    "principal.scopes.contains(\"broad\")",
    "principal.scopes.contains(principal.clientId)",
    "principal.scopes.contains(1)",
    "principal.scopes.containsAny([\"p\", \"q\"])",
    "principal.scopes.containsAny([])",
    "principal.scopes.containsAll([\"p\", \"q\"])",
    "principal.scopes.containsAll([])",
    "[\"p\", \"r\"].containsAny(principal.scopes)",
    "[\"p\", \"q\", \"r\"].containsAll(principal.scopes)",
    "principal.scopes.isEmpty()",
    "principal.clientId == \"app\"",
    "\"\" == principal.clientId",
    "[\"app\", \"web\"].contains(principal.clientId)",
    "[].contains(principal.clientId)",
    "principal.tenant == \"t1\"",
    "principal.tenant == resource.tenant",
    "[\"u1\", \"u2\"].contains(principal.subject)",
    "principal.email like \"*@x\"",
    "principal.getTag(\"dept\").contains(\"x\")",
    "principal.getTag(\"dept\").containsAll([\"x\", \"y\"])",
    "principal.hasTag(\"dept\")",
    "(principal.hasTag(\"dept\") && principal.getTag(\"dept\").containsAny([\"x\", \"z\"]))",
    "principal.nothing == 1",
    "9223372036854775807 + 1 == 0",
    "resource.known",
    "resource.labels.contains(\"l\")",
    "resource.server == Mcp::Server::\"s\"",
    "resource.server in Mcp::ServerGroup::\"sg\"",
    "resource in [Mcp::ToolGroup::\"tg\", Mcp::Server::\"t\"]",
    "resource.path like \"/a*\"",
    "(resource has path && resource.path == \"/b\")",
    "(if resource has host then resource else resource).host == \"h2\"",
    "context.http.method == \"POST\"",
    "context.http.path == \"/a\"",
    "context.session == \"s1\"",
    "context.session == principal.clientId",
    "context.protocolVersion == \"\"",
    "context.requestId == \"r1\"",
    "context.now.toTime() < duration(\"13h\")",
    "context.clientIp.isInRange(ip(\"10.0.0.0/8\"))",
    "context has clientIp",
    "context has args",
    "(if principal.scopes.contains(\"p\") then context else context).session == \"s1\"",
    "context.args.hasTag(\"n\")",
    "context.args.getTag(\"n\").long * 4611686018427387904 > 0",
    "(context.args.hasTag(\"n\") && context.args.getTag(\"n\") has long && context.args.getTag(\"n\").long > 5)",
    "(context has args && context.args.hasTag(\"city\"))",
    "context.args.getTag(principal.clientId) has string",
];

const ARGUMENTS: [&str; 6] = [
    "{}",
    "{\"n\": 1}",
    "{\"n\": 600, \"city\": \"Berne\"}",
    "{\"app\": \"x\"}",
    "{\"n\": 9007199254740993}",
    "{\"city\": \"Berne\", \"m\": 9007199254740993}",
];

/// A file of policies, each on its line, and the same with one of them turned into its opposite.
pub(super) fn policies(rng: &mut Rng) -> [String; 2] {
    let count = rng.usize(1..24);
    let mut lines: Vec<String> = (0..count)
        .map(|n| format!("@id(\"p{n:02}\") {}\n", policy(rng)))
        .collect();
    let first = lines.concat();
    let line = &mut lines[rng.usize(0..count)];
    *line = if line.contains(" permit (") {
        line.replacen(" permit (", " forbid (", 1)
    } else {
        line.replacen(" forbid (", " permit (", 1)
    };
    [first, lines.concat()]
}

fn policy(rng: &mut Rng) -> String {
    let effect = if rng.u8(0..10) < 3 {
        "forbid"
    } else {
        "permit"
    };
    let scope = [&PRINCIPALS[..], &ACTIONS, &RESOURCES].map(|all| one(rng, all));
    let clauses: Vec<String> = (0..rng.u8(0..3))
        .map(|_| {
            let word = if rng.u8(0..4) == 0 { "unless" } else { "when" };
            format!(" {word} {{ {} }}", condition(rng, 3))
        })
        .collect();
    format!("{effect} ({}){};", scope.join(", "), clauses.concat())
}

fn condition(rng: &mut Rng, depth: u8) -> String {
    let kind = if depth == 0 { 0 } else { rng.u8(0..10) };
    let mut part = || condition(rng, depth.saturating_sub(1));
    match kind {
        6 => format!("({} && {})", part(), part()),
        7 => format!("({} || {})", part(), part()),
        8 => format!("!({})", part()),
        9 => format!("(if {} then {} else {})", part(), part(), part()),
        _ => one(rng, &CONDITIONS).to_owned(),
    }
}

fn one<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(0..all.len())]
}

/// Some of these names, with commas between them.
fn some(rng: &mut Rng, all: &[&str]) -> String {
    let picked = all.iter().filter(|_| rng.bool());
    picked.copied().collect::<Vec<_>>().join(",")
}

/// A caller.
pub(super) fn caller(rng: &mut Rng) -> Identity {
    let kind = match rng.u8(0..8) {
        0 => return Identity::Anonymous,
        1 | 2 => PrincipalKind::Client,
        3 => PrincipalKind::ApiKey,
        _ => PrincipalKind::User,
    };
    let roles = some(rng, &["a", "b", "c", "leaf"]);
    let mut who = user(&roles, &some(rng, &["p", "q", "r", "broad"]));
    who.kind = kind;
    who.id = one(rng, &["u1", "u2", "u3"]).to_owned();
    who.subject.clone_from(&who.id);
    who.groups = set(&some(rng, &["g", "h"]));
    who.client_id = one(rng, &["", "app", "web", "other"]).to_owned();
    who.tenant = one(rng, &["", "t1", "t2"]).to_owned();
    who.email = one(rng, &["", "u@x"]).to_owned();
    if rng.bool() {
        who.claims = BTreeMap::from([("dept".to_owned(), set(&some(rng, &["x", "y"])))]);
    }
    verified(who)
}

/// An action on a target.
pub(super) fn what(rng: &mut Rng) -> Operation {
    let server = one(rng, &["s", "s", "t"]);
    let name = one(rng, &["x", "x", "y", "z"]).to_owned();
    let (action, thing) = match rng.u8(0..10) {
        0..=3 => (Action::ToolsCall, Thing::Tool(name)),
        // A name that is not worth remembering.
        4 => (Action::ToolsCall, Thing::Tool(name.repeat(300))),
        5 => (Action::ToolsList, Thing::Server),
        6 => (Action::Initialize, Thing::Server),
        7 => (
            Action::ResourcesRead,
            Thing::Resource(format!("file:///{name}")),
        ),
        8 => (Action::PromptsGet, Thing::Prompt(name)),
        _ => (Action::Get, Thing::Route("r".into())),
    };
    let arguments = match rng.u8(0..8) {
        0 => Arguments::None,
        1 => Arguments::Unknown,
        _ => Arguments::Json(one(rng, &ARGUMENTS).to_owned().into()),
    };
    Operation {
        arguments,
        ..operation(action, server, thing)
    }
}

/// Everything else about a request.
pub(super) fn circumstances(rng: &mut Rng) -> RequestContext {
    let mut around = context();
    around.path = one(rng, &["/a", "/b"]).to_owned();
    around.host = one(rng, &["h1", "h2"]).to_owned();
    around.method = one(rng, &["GET", "POST"]).to_owned();
    around.session = one(rng, &["", "s1", "app"]).to_owned();
    around.request_id = one(rng, &["r1", "r2"]).to_owned();
    around.client_ip = match rng.u8(0..3) {
        0 => None,
        1 => Some([10, 0, 0, 1].into()),
        _ => Some([192, 0, 2, 1].into()),
    };
    let hours = i64::from(rng.u8(0..24));
    around.now_ms = around
        .now_ms
        .saturating_add(hours.saturating_mul(3_600_000));
    around
}
