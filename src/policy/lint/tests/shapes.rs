//! Policies whose form is wrong, whatever they name.

use super::found;

/// Names of what is found in one policy, `@id` left out, in the order of the report.
fn names(policy: &str) -> Vec<String> {
    let faults = found(&format!("@id(\"a\") {policy};"));
    let name = |fault: String| {
        let (_, rest) = fault.split_once(": ").unwrap();
        match rest.split_once('[') {
            Some((_, name)) if !rest.starts_with("error:") => {
                name.split(']').next().unwrap().to_owned()
            }
            _ => fault,
        }
    };
    faults.into_iter().map(name).collect()
}

fn judged(policy: &str, expected: &[&str]) {
    assert_eq!(names(policy), expected, "{policy}");
}

#[test]
fn a_permit_that_reaches_strangers_is_found() {
    let get = "action == Mcp::Action::\"GET\"";
    for (policy, expected) in [
        ("permit(principal, action, resource)", "permit-all"),
        (
            "permit(principal, action, resource) when { true }",
            "permit-all",
        ),
        (
            "permit(principal, action in Mcp::Action::\"any\", resource)",
            "permit-all",
        ),
        (
            "permit(principal, action, resource) when { context.http.method == \"GET\" }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource in Mcp::Server::\"shop\")",
            "permit-everyone",
        ),
        (
            "permit(principal, action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"shop/pay\")",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) unless { principal in Mcp::Group::\"banned\" }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { principal.scopes.contains(\"a\") || context.session != \"\" }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { principal.tenant == \"\" }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { if resource.tenant == \"\" then true else principal in Mcp::Role::\"r\" }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { resource in Mcp::Server::\"shop\" || principal is Mcp::Anonymous }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { context has clientIp }",
            "permit-everyone",
        ),
        (
            "permit(principal, action, resource) when { principal == principal } unless { false }",
            "permit-everyone",
        ),
        (
            &format!("permit(principal, {get}, resource is Mcp::Route)"),
            "permit-everyone",
        ),
        (
            &format!("permit(principal, {get}, resource == Mcp::Route::\"site/*\")"),
            "permit-everyone",
        ),
        (
            "permit(principal, action in [Mcp::Action::\"ping\", Mcp::Action::\"session/stream\"], resource)",
            "permit-everyone",
        ),
    ] {
        judged(policy, &[expected]);
    }
}

#[test]
fn a_permit_on_a_condition_or_for_the_public_is_not() {
    let get = "action in [Mcp::Action::\"GET\", Mcp::Action::\"HEAD\"]";
    let health = "Mcp::Route::\"site/health\"";
    for policy in [
        "forbid(principal, action, resource)",
        "permit(principal is Mcp::User, action, resource)",
        "permit(principal in Mcp::Role::\"r\", action, resource)",
        "permit(principal is Mcp::Anonymous, action, resource)",
        "permit(principal, action, resource) when { principal is Mcp::Anonymous }",
        "permit(principal, action, resource) unless { principal is Mcp::Anonymous }",
        "permit(principal, action, resource) when { principal is Mcp::Anonymous || !(principal is Mcp::Anonymous) }",
        "permit(principal, action, resource) when { principal == Mcp::Anonymous::\"anonymous\" && resource.tenant == \"\" }",
        "permit(principal, action, resource) when { principal is Mcp::Anonymous || principal in Mcp::Role::\"r\" } when { resource.tenant == \"\" }",
        "permit(principal, action, resource) unless { principal is Mcp::Anonymous && context.session == \"\" }",
        "permit(principal, action, resource) when { principal.scopes.contains(\"a\") }",
        "permit(principal, action, resource) when { principal.tenant != \"\" }",
        "permit(principal, action, resource) when { principal.tenant == resource.tenant }",
        "permit(principal, action, resource) when { principal.hasTag(\"d\") && principal.getTag(\"d\").contains(\"f\") }",
        "permit(principal, action, resource) when { context.clientIp.isInRange(ip(\"10.0.0.0/8\")) }",
        "permit(principal, action, resource) unless { principal.scopes.isEmpty() }",
        "permit(principal, action, resource) when { if principal is Mcp::User then true else principal in Mcp::Role::\"r\" }",
        &format!("permit(principal, {get}, resource == {health})"),
        &format!("permit(principal, {get}, resource) when {{ resource == {health} }}"),
        &format!(
            "permit(principal, {get}, resource) when {{ [{health}].contains(resource) && context.http.host == \"a\" }}"
        ),
        "permit(principal, action in [Mcp::Action::\"initialize\", Mcp::Action::\"server/discover\", Mcp::Action::\"ping\"], resource is Mcp::Server)",
        "permit(principal, action == Mcp::Action::\"OPTIONS\", resource is Mcp::Route)",
    ] {
        judged(policy, &[]);
    }
}

/// A forbid of calls on this condition.
fn forbid(clauses: &str) -> String {
    format!("forbid(principal, action == Mcp::Action::\"tools/call\", resource) {clauses}")
}

const LONG: &str = "context.args.hasTag(\"n\") && context.args.getTag(\"n\") has long";

#[test]
fn a_forbid_that_another_form_gets_around_is_found() {
    let n = "context.args.getTag(\"n\")";
    for clauses in [
        format!("when {{ {LONG} && {n}.long > 1000 }}"),
        format!("when {{ {LONG} }} when {{ resource.known && {n}.long > 1000 }}"),
        format!("when {{ {LONG} && {n}.long > 1000 }} unless {{ principal in Mcp::Role::\"r\" }}"),
        format!("when {{ resource.known || ({LONG} && {n}.long > 1000) }}"),
        format!("when {{ if {LONG} then {n}.long == 3 else false }}"),
        format!("unless {{ !({LONG} && {n}.long > 1000) }}"),
        format!("when {{ context.args.hasTag(\"n\") && {n} has string && {n}.string == \"x\" }}"),
        format!("when {{ context.args.hasTag(\"n\") && {n} has bool && {n}.bool }}"),
        format!(
            "when {{ ({LONG} && {n}.long > 9) || (context.args.hasTag(\"n\") && {n} has decimal && {n}.decimal.greaterThan(decimal(\"9.0\"))) }}"
        ),
    ] {
        judged(&forbid(&clauses), &["evadable-forbid"]);
    }
}

#[test]
fn a_forbid_of_all_but_what_is_fine_is_not() {
    let n = "context.args.getTag(\"n\")";
    for clauses in [
        "when { context.args.hasTag(\"n\") }".to_owned(),
        format!("when {{ {LONG} }}"),
        format!("unless {{ {LONG} && {n}.long <= 1000 }}"),
        format!("when {{ context.args.hasTag(\"n\") }} unless {{ {LONG} && {n}.long <= 1000 }}"),
        format!("when {{ !({LONG} && {n}.long <= 1000) }}"),
        format!("when {{ !({LONG}) || ({LONG} && {n}.long > 1000) }}"),
        format!(
            "when {{ context.args.hasTag(\"n\") && (if {n} has long then {n}.long > 1000 else true) }}"
        ),
        "when { resource.name == \"x\" }".to_owned(),
    ] {
        judged(&forbid(&clauses), &[]);
    }
    judged(
        &format!(
            "permit(principal is Mcp::User, action, resource) when {{ {LONG} && {n}.long > 9 }}"
        ),
        &[],
    );
}

#[test]
fn sums_of_arguments_in_a_forbid_are_found() {
    let n = "context.args.getTag(\"n\").long";
    let fine = |sum: &str| forbid(&format!("unless {{ {LONG} && {sum} }}"));
    for sum in [
        format!("{n} * 2 <= 1000"),
        format!("{n} - 1 <= 3"),
        format!("1 + {n} < 3"),
        format!("-{n} > 3"),
    ] {
        judged(&fine(&sum), &["arithmetic-in-forbid"]);
    }
    judged(&fine(&format!("{n} <= 60 * 60")), &[]);
    judged(&fine(&format!("{n} >= -5")), &[]);
    judged(
        &format!(
            "permit(principal is Mcp::User, action, resource) when {{ {LONG} && {n} * 2 < 9 }}"
        ),
        &[],
    );
}

#[test]
fn like_on_uris_and_scopes_is_found() {
    let read = |effect: &str, condition: &str| {
        format!(
            "{effect}(principal is Mcp::User, action == Mcp::Action::\"resources/read\", resource) \
             when {{ {condition} }}"
        )
    };
    for effect in ["permit", "forbid"] {
        judged(
            &read(effect, "resource.uri like \"file:///public/*\""),
            &["like-on-uri"],
        );
        judged(&read(effect, "resource.uri == \"file:///a\""), &[]);
        judged(&read(effect, "resource.uri like \"file:///a\""), &[]);
        judged(&read(effect, "resource.scheme like \"http*\""), &[]);
        judged(&read(effect, "context.http.path like \"/a/*\""), &[]);
    }
    let tag = |name: &str| {
        format!(
            "permit(principal is Mcp::User, action, resource) when {{ context.args.hasTag(\"{name}\") \
             && context.args.getTag(\"{name}\") has string && \
             context.args.getTag(\"{name}\").string like \"*write*\" }}"
        )
    };
    for name in ["scope", "scopes", "scp"] {
        judged(&tag(name), &["like-on-scope"]);
    }
    judged(&tag("scopename"), &[]);
    let said = found(
        "@id(\"a\") permit(principal, action, resource) when { principal.scopes like \"*a*\" };",
    );
    assert!(
        said.iter().any(|fault| fault.contains("[like-on-scope]")),
        "{said:?}"
    );
}

#[test]
fn a_policy_that_matches_nothing_is_found() {
    let long = |demand: &str| {
        format!("permit(principal is Mcp::User, action, resource) when {{ {LONG} && {demand} }}")
    };
    let n = "context.args.getTag(\"n\").long";
    let on = |scope: &str, clauses: &str| format!("permit({scope}, action, resource) {clauses}");
    let user = "principal is Mcp::User";
    for policy in [
        // What Cedar sees.
        on("principal is Mcp::User", "when { principal is Mcp::Anonymous }"),
        on("principal is Mcp::User", "when { false }"),
        "permit(principal is Mcp::User, action == Mcp::Action::\"tools/call\", resource) when { resource is Mcp::Route }".to_owned(),
        "permit(principal is Mcp::User, action == Mcp::Action::\"mcp\", resource)".to_owned(),
        // What it does not.
        on(user, "when { \"a\" == \"b\" }"),
        on(user, "when { 1 > 2 }"),
        on(user, "unless { 1 < 2 }"),
        on(user, "when { resource.tenant == \"a\" && resource.tenant == \"b\" }"),
        on(user, "when { resource.tenant == \"a\" } unless { \"a\" == resource.tenant }"),
        on(user, "when { [\"a\", \"b\"].contains(principal.tenant) && principal.tenant == \"c\" }"),
        on(user, "when { (resource.tenant == \"a\" || resource.tenant == \"b\") && resource.tenant == \"c\" }"),
        on(user, "when { context.session == principal.tenant } unless { context.session == principal.tenant }"),
        long(&format!("{n} > 5 && {n} < 6")),
        long(&format!("{n} == 5 && !({n} >= 5)")),
        on(user, "when { principal.scopes.contains(\"a\") && !principal.scopes.containsAny([\"a\", \"b\"]) }"),
        on(user, "when { principal.scopes.containsAll([\"a\", \"b\"]) } unless { principal.scopes.contains(\"a\") }"),
        on(user, "when { principal in Mcp::Role::\"r\" } unless { principal in [Mcp::Role::\"q\", Mcp::Role::\"r\"] }"),
        on(user, "when { principal in [Mcp::Role::\"r\"] } unless { principal in Mcp::Role::\"r\" }"),
        on("principal is Mcp::Anonymous", "when { principal in Mcp::Role::\"r\" }"),
        on("principal is Mcp::Anonymous", "when { principal.scopes.contains(\"a\") }"),
        on("principal in Mcp::Role::\"r\"", "when { principal is Mcp::Anonymous }"),
        on("principal == Mcp::Client::\"i#c\"", "when { principal.clientId == \"d\" }"),
        on("principal == Mcp::User::\"i#c\"", "when { principal.issuer == \"j\" }"),
        on("principal == Mcp::User::\"i#c\"", "when { principal.subject == \"d\" }"),
        on("principal == Mcp::User::\"i#c\"", "when { principal == Mcp::User::\"i#d\" }"),
        "permit(principal is Mcp::User, action, resource == Mcp::Tool::\"shop/pay\") when { resource in Mcp::Server::\"mail\" }".to_owned(),
        "permit(principal is Mcp::User, action, resource == Mcp::Tool::\"shop/pay\") when { resource.name == \"refund\" }".to_owned(),
        "permit(principal is Mcp::User, action, resource in Mcp::Server::\"mail\") unless { resource in [Mcp::Server::\"mail\"] }".to_owned(),
        "permit(principal is Mcp::User, action, resource == Mcp::Tool::\"shop/pay\") unless { resource in Mcp::Server::\"shop\" }".to_owned(),
        "permit(principal is Mcp::User, action, resource in Mcp::Server::\"mail\") when { resource in [Mcp::Server::\"shop\", Mcp::Server::\"crm\"] }".to_owned(),
        "forbid(principal, action, resource) when { resource.tenant == \"a\" && resource.tenant == \"b\" }".to_owned(),
    ] {
        judged(&policy, &["impossible-policy"]);
    }
}

#[test]
fn a_policy_that_could_match_is_not() {
    let long = |demand: &str| {
        format!("permit(principal is Mcp::User, action, resource) when {{ {LONG} && {demand} }}")
    };
    let n = "context.args.getTag(\"n\").long";
    let on = |scope: &str, clauses: &str| format!("permit({scope}, action, resource) {clauses}");
    let user = "principal is Mcp::User";
    for policy in [
        on(user, "when { \"a\" == \"a\" }"),
        on(user, "when { resource.tenant == \"a\" && principal.tenant == \"b\" }"),
        on(user, "when { resource.tenant == \"a\" || resource.tenant == \"b\" }"),
        on(user, "when { resource.tenant == \"a\" && (resource.tenant == \"b\" || context.session == \"\") }"),
        on(user, "when { [\"a\", \"b\"].contains(principal.tenant) && principal.tenant != \"a\" }"),
        on(user, "when { principal.scopes.contains(\"a\") && principal.scopes.contains(\"b\") }"),
        on(user, "when { principal in Mcp::Role::\"a\" && principal in Mcp::Role::\"b\" }"),
        on(user, "when { principal in Mcp::Role::\"a\" } unless { principal in [Mcp::Role::\"b\"] }"),
        on(user, "when { principal.scopes.containsAny([\"a\", \"b\"]) } unless { principal.scopes.contains(\"a\") }"),
        on(user, "when { principal.scopes.contains(\"a\") } unless { principal.scopes.containsAll([\"a\", \"b\"]) }"),
        on(user, "when { principal in [Mcp::Role::\"a\", Mcp::Role::\"b\"] } unless { principal in Mcp::Role::\"a\" }"),
        long(&format!("{n} > 5 && {n} < 7")),
        long(&format!("{n} != 5 && {n} != 6")),
        on("principal is Mcp::Anonymous", "when { principal.scopes.isEmpty() }"),
        on("principal is Mcp::Anonymous", "unless { principal in Mcp::Role::\"r\" }"),
        on("principal == Mcp::Client::\"i#c\"", "when { principal.clientId == \"c\" }"),
        on("principal == Mcp::Client::\"i#c\"", "when { principal.clientId == \"\" }"),
        on("principal == Mcp::User::\"i#c\"", "when { principal.clientId == \"app\" && principal.issuer == \"i\" }"),
        on("principal == Mcp::User::\"i#c\"", "when { principal in [Mcp::User::\"i#c\", Mcp::User::\"i#d\"] }"),
        "permit(principal is Mcp::User, action, resource == Mcp::Tool::\"shop/pay\") when { resource in Mcp::Server::\"shop\" && resource.name == \"pay\" }".to_owned(),
        "permit(principal is Mcp::User, action, resource in Mcp::Server::\"mail\") when { resource in [Mcp::Server::\"shop\", Mcp::Server::\"mail\"] }".to_owned(),
        "permit(principal is Mcp::User, action, resource in Mcp::Server::\"mail\") unless { resource in [Mcp::Server::\"shop\"] }".to_owned(),
        "permit(principal is Mcp::User, action, resource in Mcp::ServerGroup::\"inner\") when { resource in Mcp::Server::\"shop\" }".to_owned(),
    ] {
        judged(&policy, &[]);
    }
}

#[test]
fn many_ways_to_hold_are_not_looked_at_and_take_no_time() {
    let pair = "(resource.tenant == \"a\" || resource.tenant == \"b\")";
    let many = vec![pair; 40].join(" && ");
    judged(
        &format!(
            "permit(principal is Mcp::User, action, resource) when {{ {many} && resource.tenant == \"c\" }}"
        ),
        &[],
    );
}
