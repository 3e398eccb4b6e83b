//! Names, held against what there is.

use super::TOOLS;
use super::call;
use super::found;
use super::found_with;

/// Whether this, and only this, is said of a policy on this condition; of an empty text, nothing.
fn judged(condition: &str, expected: &str) {
    let faults = found(&call("resource", &format!("when {{ {condition} }}")));
    let count = usize::from(!expected.is_empty());
    assert_eq!(faults.len(), count, "{condition}: {faults:#?}");
    let fits = faults.iter().all(|fault| fault.starts_with(expected));
    assert!(fits, "{faults:#?} is not {expected}");
}

#[test]
fn entities_that_are_none_are_warnings() {
    for (condition, expected) in [
        (
            "resource == Mcp::Tool::\"shop/refnud\"",
            "x.cedar:3:20: warning[unknown-tool]: `tools.json` lists other tools of `shop`, but no `refnud` (did \
             you mean `refund`?)",
        ),
        (
            "resource == Mcp::Tool::\"mail/x\"",
            "x.cedar:3:20: warning[unknown-tool]: `tools.json` lists other tools of `mail`, but no `x` (they are \
             `send`)",
        ),
        ("resource == Mcp::Tool::\"crm/x\"", ""),
        (
            "resource == Mcp::Tool::\"shpo/refund\"",
            "x.cedar:3:20: warning[unknown-server]: no resource of the configuration is named `shpo` (did you mean \
             `shop`?)",
        ),
        (
            "resource == Mcp::Tool::\"refund\"",
            "x.cedar:3:20: warning[invalid-id]: `refund` does not say of which resource the tool is (the id of \
             a tool is `<resource>/<tool>`)",
        ),
        (
            "resource == Mcp::Tool::\"site/health\"",
            "x.cedar:3:20: warning[wrong-resource-kind]: resource `site` has no tools: its kind is `http`",
        ),
        (
            "resource in Mcp::Server::\"elsewhere\"",
            "x.cedar:3:20: warning[unknown-server]: no resource of the configuration is named `elsewhere` (its \
             resources are `crm`, `mail`, `shop`, `site`)",
        ),
        (
            "resource in [Mcp::Server::\"site\", Mcp::Server::\"crm\"]",
            "",
        ),
        (
            "resource in Mcp::ToolGroup::\"monye\"",
            "x.cedar:3:20: warning[unknown-tool-group]: no tool of `tools.json` is in the tool group `monye` (did you \
             mean `money`?)",
        ),
        ("resource in Mcp::ServerGroup::\"inner\"", ""),
        (
            "resource in Mcp::ServerGroup::\"outer\"",
            "x.cedar:3:20: warning[unknown-server-group]: no resource of the configuration is in the server group \
             `outer` (its server groups are `inner`)",
        ),
    ] {
        judged(condition, expected);
    }
}

#[test]
fn what_only_a_configuration_knows_is_not_missed_without_one() {
    for (condition, expected) in [
        ("principal in Mcp::Role::\"nobody\"", ""),
        ("principal == Mcp::User::\"nobody\"", ""),
        ("principal.scopes.contains(\"nothing\")", ""),
        (
            "principal.scopes.contains(\"a b\")",
            "x.cedar:3:34: warning[invalid-scope]: `a b` is not a scope (visible ASCII",
        ),
        (
            "[\"a b\"].containsAny(principal.scopes)",
            "x.cedar:3:9: warning[invalid-scope]: `a b` is not a scope (visible ASCII",
        ),
    ] {
        judged(condition, expected);
    }
}

#[test]
fn routes_are_those_of_their_resource() {
    let route = |id: &str| {
        found(&format!(
            "@id(\"a\") permit(principal is Mcp::User, action == Mcp::Action::\"GET\",\nresource == Mcp::Route::\"{id}\");"
        ))
    };
    assert_eq!(route("site/health"), Vec::<String>::new());
    assert_eq!(route("site/*"), Vec::<String>::new());
    assert_eq!(
        route("site/helth"),
        [
            "x.cedar:2:13: warning[unknown-route]: resource `site` has no route `helth` (did you mean `health`?)"
        ]
    );
    assert_eq!(
        route("shop/health"),
        [
            "x.cedar:2:13: warning[wrong-resource-kind]: resource `shop` has no routes: its kind is `mcp`"
        ]
    );
}

#[test]
fn a_hierarchy_is_looked_through() {
    let entities = r#"[
        {"uid": {"type": "Mcp::ToolGroup", "id": "money"}, "parents": [{"type": "Mcp::ToolGroup", "id": "all"}]},
        {"uid": {"type": "Mcp::ToolGroup", "id": "lost"}},
        {"uid": {"type": "Mcp::ServerGroup", "id": "inner"}, "parents": [{"type": "Mcp::ServerGroup", "id": "outer"}]},
        {"uid": {"type": "Mcp::Role", "id": "editor"}, "parents": [{"type": "Mcp::Role", "id": "veiwer"}]},
        {"uid": {"type": "Mcp::Role", "id": "viewer"}}
    ]"#;
    let policies = call(
        "resource in Mcp::ToolGroup::\"all\"",
        "when { resource in Mcp::ServerGroup::\"outer\" && context.args.hasTag(\"nothing-like-it\") }",
    );
    let faults = found_with(&[
        ("x.cedar", &policies),
        ("tools.json", TOOLS),
        ("entities.json", entities),
    ]);
    let expected = [
        "x.cedar:3:69: warning[unknown-argument]: none of the 2 tools that this can be about",
        "entities.json:3:9: warning[unknown-tool-group]: no tool of `tools.json` is in the tool group `lost`",
        "entities.json:5:96: warning[unknown-role]: no policy names `Mcp::Role` `veiwer`, nor is it listed (did you \
         mean `viewer`?)",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault} is not {expected}");
    }
}

#[test]
fn what_a_policy_that_cannot_be_read_may_name_is_not_missed() {
    let entities = r#"[{"uid": {"type": "Mcp::Role", "id": "a"}, "parents": [{"type": "Mcp::Role", "id": "b"}]}]"#;
    let good = call("resource in Mcp::Server::\"shpo\"", "");
    let all = [
        ("x.cedar", &*good),
        ("y.cedar", "@id("),
        ("entities.json", entities),
    ];
    let (broken, whole) = (found_with(&all), found_with(&[all[0], all[2]]));
    let about = |faults: &[String], what: &str| faults.iter().filter(|f| f.contains(what)).count();
    assert_eq!((about(&broken, "`b`"), about(&whole, "`b`")), (0, 1));
    assert_eq!((about(&broken, "`shpo`"), about(&whole, "`shpo`")), (1, 1));
}
