//! Arguments, held against what tools say they take.

use super::call;
use super::found;
use super::found_with;

/// A condition that reads an argument by an accessor.
fn reads(name: &str, accessor: &str) -> String {
    let value = match accessor {
        "string" => "== \"a\"",
        "long" => "< 1",
        "decimal" => ".lessThan(decimal(\"1.0\"))",
        "bool" => "",
        _ => ".isEmpty()",
    };
    let tag = format!("context.args.getTag(\"{name}\")");
    format!(
        "when {{ context.args.hasTag(\"{name}\") && {tag} has {accessor} && {tag}.{accessor}{value} }}"
    )
}

const REFUND: &str = "resource == Mcp::Tool::\"shop/refund\"";

#[test]
fn arguments_that_no_tool_has_are_errors() {
    for (resource, name, expected) in [
        (
            REFUND,
            "amuont",
            "x.cedar:3:28: error[unknown-argument]: tool `shop/refund` has no argument `amuont` (did you mean \
             `amount`? the arguments are `amount`, `any`, `counts`, `fee`, `note`, `rush`, \
             `skipped`, `tags`, `to`, `to.iban`)",
        ),
        (
            REFUND,
            "to.bic",
            "x.cedar:3:28: error[unknown-argument]: tool `shop/refund` has no argument `to.bic` (the arguments \
             are",
        ),
        (
            "resource in Mcp::ToolGroup::\"money\"",
            "nothing-like-it",
            "x.cedar:3:28: error[unknown-argument]: none of the 2 tools that this can be about has an argument \
             `nothing-like-it` (the arguments are `amount`,",
        ),
        (
            "resource in Mcp::Server::\"mail\"",
            "body",
            "x.cedar:3:28: error[unknown-argument]: tool `mail/send` has no argument `body` (`tools.json` says that \
             there are no arguments)",
        ),
    ] {
        let faults = found(&call(resource, &reads(name, "string")));
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].starts_with(expected), "{faults:#?}");
    }
}

#[test]
fn where_some_tool_may_have_the_argument_nothing_is_said() {
    for resource in [
        "resource",
        "resource is Mcp::Tool",
        "resource in Mcp::Server::\"shop\"",
        "resource in Mcp::Server::\"crm\"",
        "resource in Mcp::ToolGroup::\"loose\"",
        "resource == Mcp::Tool::\"shop/open\"",
        "resource == Mcp::Tool::\"shop/bare\"",
        "resource == Mcp::Tool::\"crm/any\"",
    ] {
        let faults = found(&call(resource, &reads("unheard-of", "string")));
        assert!(faults.is_empty(), "{resource}: {faults:?}");
    }
    let prompts = "@id(\"a\") permit(principal is Mcp::User, action in [Mcp::Action::\"tools/call\", \
                   Mcp::Action::\"prompts/get\"], resource)";
    for scope in [
        "@id(\"a\") permit(principal is Mcp::User, action, resource)",
        "@id(\"a\") permit(principal is Mcp::User, action, resource in Mcp::Server::\"shop\")",
        prompts,
    ] {
        let faults = found(&format!("{scope} {};", reads("unheard-of", "string")));
        assert!(faults.is_empty(), "{scope}: {faults:?}");
    }
    // One tool has it, the other does not: `hasTag` tells them apart.
    let group = "resource in Mcp::ToolGroup::\"money\"";
    for (name, accessor) in [
        ("payee", "string"),
        ("amount", "long"),
        ("amount", "string"),
        ("any", "bool"),
    ] {
        let faults = found(&call(group, &reads(name, accessor)));
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

#[test]
fn conditions_say_which_tools_a_policy_is_about() {
    let tag = "context.args.hasTag(\"payee\")";
    let (refund, pay) = ("Mcp::Tool::\"shop/refund\"", "Mcp::Tool::\"shop/pay\"");
    for (condition, is_wrong) in [
        (format!("resource == {refund} && {tag}"), true),
        (format!("{tag} && resource == {refund}"), true),
        (format!("{refund} == resource && {tag}"), true),
        (format!("resource in [{refund}] && {tag}"), true),
        (format!("[{refund}].contains(resource) && {tag}"), true),
        (
            format!("resource.name == \"refund\" && resource.known && {tag}"),
            true,
        ),
        (
            format!("[\"refund\", \"send\"].contains(resource.name) && resource.known && {tag}"),
            true,
        ),
        (
            "resource.server == Mcp::Server::\"mail\" && context.args.hasTag(\"x\")".to_owned(),
            true,
        ),
        (
            format!("(resource == {pay} || resource == {refund}) && {tag}"),
            false,
        ),
        (
            format!("resource == {pay} || resource == {refund} && {tag}"),
            true,
        ),
        (
            format!("resource == {pay} && {tag} || resource == {refund}"),
            false,
        ),
        (format!("resource != {refund} || {tag}"), true),
        (format!("!(resource == {refund}) || {tag}"), true),
        (format!("resource == {refund} || {tag}"), false),
        (
            format!("if resource == {refund} then {tag} else false"),
            true,
        ),
        (
            format!("if resource == {refund} then true else {tag}"),
            false,
        ),
        (format!("resource.name == \"refund\" && {tag}"), false),
        (format!("resource.readOnlyHint && {tag}"), false),
    ] {
        let faults = found(&call("resource", &format!("when {{ {condition} }}")));
        assert_eq!(
            faults.len(),
            usize::from(is_wrong),
            "{condition}: {faults:#?}"
        );
    }
}

#[test]
fn clauses_say_it_too() {
    let (refund, tag) = (
        "Mcp::Tool::\"shop/refund\"",
        "context.args.hasTag(\"payee\")",
    );
    let forbid = |clauses: &str| {
        let scope = "principal, action == Mcp::Action::\"tools/call\", resource";
        found(&format!("@id(\"a\") forbid({scope}) {clauses};"))
    };
    let clauses = format!("when {{ resource == {refund} }} unless {{ {tag} }}");
    assert_eq!(forbid(&clauses).len(), 1);
    let clauses = format!("unless {{ resource != {refund} }} unless {{ {tag} }}");
    assert_eq!(forbid(&clauses).len(), 1);
    let clauses = format!("unless {{ resource == {refund} }} unless {{ {tag} }}");
    assert!(forbid(&clauses).is_empty(), "{:?}", forbid(&clauses));
}

#[test]
fn accessors_that_never_fit_are_errors() {
    for (name, accessor, expected) in [
        (
            "note",
            "long",
            "is a string or null, and `.long` is never there (read `.string`)",
        ),
        ("note", "string", ""),
        ("amount", "long", ""),
        ("amount", "decimal", ""),
        (
            "amount",
            "string",
            "is an integer, and `.string` is never there (read `.long`)",
        ),
        (
            "rush",
            "decimal",
            "is a boolean, and `.decimal` is never there (read `.bool`)",
        ),
        ("rush", "bool", ""),
        ("tags", "strings", ""),
        (
            "tags",
            "longs",
            "is an array of strings, and `.longs` is never there (read `.strings`)",
        ),
        (
            "tags",
            "string",
            "is an array of strings, and `.string` is never there (read `.strings`)",
        ),
        (
            "counts",
            "strings",
            "is an array of numbers, and `.strings` is never there (read `.longs`)",
        ),
        ("fee", "decimal", ""),
        ("any", "longs", ""),
        (
            "to",
            "string",
            "is an object, and `.string` is never there (its members are arguments of their own, as in `a.b`)",
        ),
        ("to.iban", "string", ""),
        (
            "skipped",
            "bool",
            "is null, and `.bool` is never there (policies cannot read such a value, only whether it is there)",
        ),
    ] {
        let faults = found(&call(REFUND, &reads(name, accessor)));
        let column = 55 + name.len();
        let expected = (!expected.is_empty()).then(|| {
            format!("x.cedar:3:{column}: error[argument-type]: argument `{name}` of tool `shop/refund` {expected}")
        });
        assert_eq!(faults, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_loses_a_fraction_is_a_warning() {
    let fraction = |name: &str, accessor: &str| found(&call(REFUND, &reads(name, accessor)));
    assert_eq!(
        fraction("fee", "long"),
        [
            "x.cedar:3:58: warning[argument-fraction]: argument `fee` of tool `shop/refund` may have a fraction, and \
          `.long` is then not there (`.decimal` reads both, up to four digits after the point)"
        ]
    );
    assert_eq!(
        fraction("counts", "longs"),
        [
            "x.cedar:3:61: warning[argument-fraction]: argument `counts` of tool `shop/refund` may have a fraction, and \
          `.longs` is then not there (policies cannot read an array that holds a fraction)"
        ]
    );
    let both = format!("{} {}", reads("fee", "long"), reads("fee", "decimal"));
    assert_eq!(found(&call(REFUND, &both)), Vec::<String>::new());
}

#[test]
fn a_finding_stands_where_its_own_tool_is_meant() {
    let condition = "when { resource == Mcp::Tool::\"shop/pay\" && context.args.hasTag(\"payee\")\n\
                     || resource == Mcp::Tool::\"shop/refund\" && context.args.hasTag(\"payee\") }";
    let faults = found(&call("resource", condition));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("x.cedar:4:64: warning[unknown-argument]: tool `shop/refund`"),
        "{faults:?}"
    );
}

#[test]
fn what_could_not_be_read_hides_nothing_else() {
    let policies = call(REFUND, &reads("amuont", "long"));
    let faults = found_with(&[("x.cedar", &policies), ("tools.json", "{\"tools\": 1}")]);
    assert_eq!(
        faults.len(),
        1,
        "only the catalogue's own fault: {faults:?}"
    );
}

#[test]
fn conditions_within_conditions_take_no_time() {
    // `if` in the condition of `if`, as deep as a policy may be.
    let tag = "context.args.hasTag(\"payee\")";
    let nested = format!(
        "{}{tag}{}",
        "if ".repeat(60),
        " then resource.known else resource.known".repeat(60)
    );
    let condition = format!("when {{ ({nested}) && resource == Mcp::Tool::\"shop/refund\" }}");
    assert_eq!(found(&call("resource", &condition)).len(), 1);
}
