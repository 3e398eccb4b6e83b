//! What is said of every shape of policy: what it requires, what the caller has, and what is missing.

use crate::policy::PolicySnapshot;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::files;
use crate::policy::fixtures::resources;
use crate::policy::fixtures::set;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;

const HOPELESS: &str = "no policy allows this for any role, scope or client";

/// Policies, the caller's roles, scopes, groups and client id, and what is said.
type Row = (&'static str, [&'static str; 4], &'static str);

/// What a permit for every tool call with this condition says.
fn permit(when: &str) -> String {
    format!(
        "@id(\"p\") permit (principal, action == Mcp::Action::\"tools/call\", resource) \
         when {{ {when} }};"
    )
}

fn told(policies: &str, caller: [&str; 4]) -> String {
    told_by(&snapshot(policies, &["s"]), caller)
}

fn told_by(snapshot: &PolicySnapshot, [roles, scopes, groups, client]: [&str; 4]) -> String {
    let mut principal = user(roles, scopes);
    principal.groups = set(groups);
    principal.client_id = client.to_owned();
    let caller = verified(principal);
    snapshot
        .explain(&call("s/x"), &context(), &caller)
        .message(&caller, true)
}

const CONDITIONS: &[Row] = &[
    (
        "principal in [Mcp::Role::\"admin\", Mcp::Role::\"manager\"]",
        ["viewer", "", "", ""],
        "requires any of roles [admin, manager], but client has [viewer]",
    ),
    (
        "principal in Mcp::Role::\"a\" && principal in Mcp::Role::\"b\" && principal in Mcp::Role::\"c\"",
        ["b", "", "", ""],
        "requires all of roles [a, b, c], but client has [b], missing [a, c]",
    ),
    (
        "principal in Mcp::Role::\"a\" && principal in [Mcp::Role::\"b\", Mcp::Role::\"c\"]",
        ["a", "", "", ""],
        "requires all of roles [a, b], but client has [a], missing [b]; or requires all of roles \
         [a, c], but client has [a], missing [c]",
    ),
    (
        "principal.scopes.containsAny([\"r\", \"w\"])",
        ["", "x", "", ""],
        "requires any of scopes [r, w], but token has [x]",
    ),
    (
        "principal.scopes.containsAll([\"r\", \"w\"])",
        ["", "r", "", ""],
        "requires all of scopes [r, w], but token has [r], missing [w]",
    ),
    (
        "principal.scopes.contains(\"a\") && principal.scopes.containsAny([\"b\", \"c\"])",
        ["", "", "", ""],
        "requires all of scopes [a, b], but token has [], missing [a, b]; or requires all of \
         scopes [a, c], but token has [], missing [a, c]",
    ),
    (
        "[\"app\", \"web\"].contains(principal.clientId)",
        ["", "", "", "cli"],
        "requires any of clients [app, web], but client is [cli]",
    ),
    (
        "principal in [Mcp::Group::\"g\", Mcp::Group::\"h\"]",
        ["", "", "i", ""],
        "requires any of groups [g, h], but client has [i]",
    ),
    (
        "principal in Mcp::Group::\"g\" && principal in Mcp::Group::\"h\"",
        ["", "", "h", ""],
        "requires all of groups [g, h], but client has [h], missing [g]",
    ),
    (
        "principal in Mcp::Role::\"r\" && principal.scopes.contains(\"s\")",
        ["", "s", "", ""],
        "requires all of [role r, scope s], but client has [scope s], missing [role r]",
    ),
    (
        "principal in Mcp::Role::\"r\" && principal.scopes.contains(\"s\")",
        ["r", "", "", ""],
        "requires any of scopes [s], but token has []",
    ),
    (
        "principal in Mcp::Role::\"r\" || principal.scopes.contains(\"s\")",
        ["", "", "", ""],
        "requires any of roles [r], but client has []; or requires any of scopes [s], but token \
         has []",
    ),
    (
        "principal in Mcp::Group::\"g\" && principal.clientId == \"app\"",
        ["", "", "", "cli"],
        "requires all of [group g, client app], but client has [], missing [group g, client app]",
    ),
    // No change of the caller's roles, scopes or client helps.
    (
        "principal.tenant == \"acme\"",
        ["admin", "", "", ""],
        HOPELESS,
    ),
    ("resource.known", ["", "", "", ""], HOPELESS),
    (
        "context.clientIp.isInRange(ip(\"192.0.2.0/24\"))",
        ["", "", "", ""],
        "no policy allows this for any role, scope or client; policy p depends on the client's address",
    ),
    (
        "context.now.toTime() < duration(\"9h\") && context.http.host == \"x\"",
        ["", "", "", ""],
        "no policy allows this for any role, scope or client; policy p depends on the time and \
         the HTTP request",
    ),
    // It is not the time of which the caller lacks anything.
    (
        "context.now.toTime() < duration(\"9h\") && principal.tenant == \"acme\"",
        ["", "", "", ""],
        HOPELESS,
    ),
    // A role stands in the way, so that not nothing helps.
    (
        "!(principal in Mcp::Role::\"guest\")",
        ["guest", "", "", ""],
        "no policy allows this",
    ),
    // What cannot be read off the policy is not denied either.
    (
        "principal.scopes.containsAny(resource.labels)",
        ["", "", "", ""],
        "no policy allows this",
    ),
    (
        "[\"a\"] == [principal.clientId]",
        ["", "", "", ""],
        "no policy allows this",
    ),
];

#[test]
fn what_conditions_say() {
    for (when, caller, expected) in CONDITIONS {
        assert_eq!(told(&permit(when), *caller), *expected, "{when}");
    }
}

const POLICIES: &[Row] = &[
    (
        "@id(\"a\") permit (principal in Mcp::Role::\"r\", action, resource);
         @id(\"f\") @reason(\"Only on call.\") forbid (principal, action, resource)
         unless { principal in Mcp::Role::\"oncall\" };",
        ["r", "", "", ""],
        "requires all of roles [oncall, r], but client has [r], missing [oncall]; forbidden by \
         policy f: Only on call.",
    ),
    (
        "@id(\"a\") permit (principal, action, resource);
         @id(\"f\") @reason(\"Not from there.\") forbid (principal, action, resource)
         unless { context.clientIp.isInRange(ip(\"192.0.2.0/24\")) };",
        ["r", "", "", ""],
        "forbidden by policy f: Not from there.",
    ),
    (
        "@id(\"a\") permit (principal in Mcp::Role::\"r\", action, resource);
         @id(\"f\") @reason(\"Suspended.\") forbid (principal in Mcp::Group::\"bad\", action, resource);",
        ["", "", "bad", ""],
        "forbidden by policy f: Suspended.",
    ),
    // A `@reason` is heard of forbids only.
    (
        "@id(\"a\") @reason(\"Because.\") permit (principal in Mcp::Role::\"r\", action, resource);",
        ["", "", "", ""],
        "requires any of roles [r], but client has []",
    ),
    (
        "@id(\"a\") permit (principal == Mcp::User::\"https://idp.example#u2\", action, resource);",
        ["", "", "", ""],
        HOPELESS,
    ),
    ("@id(\"a\") permit (principal is Mcp::Client, action, resource);", ["", "", "", ""], HOPELESS),
];

#[test]
fn what_policies_say_together() {
    for (policies, caller, expected) in POLICIES {
        assert_eq!(told(policies, *caller), *expected, "{policies}");
    }
}

#[test]
fn inherited_roles_count_and_are_not_asked_for() {
    let entities = r#"[
        {"uid": {"type": "Mcp::Role", "id": "admin"}, "parents": [{"type": "Mcp::Role", "id": "editor"}]},
        {"uid": {"type": "Mcp::Role", "id": "editor"}, "parents": []}
    ]"#;
    let compile = |when: &str| {
        let files = files(&[("x.cedar", &permit(when)), ("entities.json", entities)]);
        PolicySnapshot::compile(&files, &resources(&["s"]), 1).unwrap()
    };
    let both = compile("principal in Mcp::Role::\"editor\" && principal in Mcp::Role::\"hr\"");
    assert_eq!(
        told_by(&both, ["admin", "", "", ""]),
        "requires all of roles [editor, hr], but client has [admin], missing [hr]"
    );
    let nested = compile("principal in Mcp::Role::\"editor\" && principal in Mcp::Role::\"admin\"");
    assert_eq!(
        told_by(&nested, ["editor", "", "", ""]),
        "requires any of roles [admin], but client has [editor]",
        "who is an admin is an editor"
    );
}

#[test]
fn the_arguments_are_named_only_where_they_are_the_hurdle() {
    let policies = snapshot(
        "@id(\"small\") permit (principal in Mcp::Role::\"r\", action, resource)
         when { context.args.hasTag(\"n\") && context.args.getTag(\"n\") has long &&
                context.args.getTag(\"n\").long <= 500 };",
        &["s"],
    );
    let told = |roles, arguments| {
        let caller = verified(user(roles, ""));
        policies
            .explain(&with_arguments(call("s/x"), arguments), &context(), &caller)
            .message(&caller, true)
    };
    assert_eq!(
        told("r", "{\"n\": 900}"),
        "no policy allows this for any role, scope or client; policy small depends on the arguments"
    );
    assert_eq!(
        told("", "{\"n\": 1}"),
        "requires any of roles [r], but client has []"
    );
    assert_eq!(
        told("", "{\"n\": 900}"),
        HOPELESS,
        "that alone would not do"
    );
}
