//! What of the circumstances would turn a denial round: it does, when it is applied.

use proptest::prelude::*;

use super::ask;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;
use crate::policy::properties::compile;
use crate::policy::properties::policy;
use crate::policy::properties::request;

/// What would help somebody without any role who calls `s/x`, one way a line.
fn ways(policies: &str, arguments: &str) -> String {
    let call = with_arguments(call("s/x"), arguments);
    let policies = snapshot(policies, &["s"]);
    let inquiry = ask(&policies, &verified(user("", "")), &call, &context());
    let way = |turn: &super::super::Turn| format!("{}: {}\n", turn.policy.id, turn.must.join(", "));
    inquiry.turns.iter().map(way).collect()
}

fn permit(conditions: &str) -> String {
    format!("@id(\"p\") permit (principal, action, resource) {conditions};")
}

/// As the validator wants it: nothing is read that may not be there.
fn n(rest: &str) -> String {
    let value = "context.args.getTag(\"n\")";
    let rest = rest.replace("IT", &format!("{value}.long"));
    format!("when {{ context.args.hasTag(\"n\") && {value} has long && {rest} }}")
}

#[test]
fn a_change_shows_the_next_condition_in_the_way() {
    let small = permit(&n("IT <= 5"));
    assert_eq!(
        ways(&small, "{\"n\": 9}"),
        "p: the argument `n` must be at most 5\n"
    );
    assert_eq!(
        ways(&small, "{}"),
        "p: the argument `n` must be sent, the argument `n` must be an integer\n"
    );
    assert_eq!(
        ways(&small, "{\"n\": \"a\"}"),
        "p: the argument `n` must be an integer\n"
    );
    let large = permit(&n("IT >= 50"));
    assert_eq!(
        ways(&large, "{\"a\": {}}"),
        "p: the argument `n` must be sent, the argument `n` must be an integer, \
         the argument `n` must be at least 50\n"
    );
}

#[test]
fn each_of_several_ways_is_told_and_all_parts_of_one() {
    let office = "when { context.http.method == \"GET\" && \
                  (context.clientIp.isInRange(ip(\"192.168.0.0/16\")) || \
                   context.now.toTime() >= duration(\"18h\")) }";
    assert_eq!(
        ways(&permit(office), "{}"),
        "p: the HTTP method must be \"GET\", the client's address must be in 192.168.0.0/16\n\
         p: the HTTP method must be \"GET\", the time of day must be no earlier than 18h\n"
    );
}

#[test]
fn nothing_is_promised_that_is_not_so() {
    let get = permit("when { context.http.method == \"GET\" }");
    assert_eq!(ways(&get, "{}"), "p: the HTTP method must be \"GET\"\n");
    // A forbid is in the way of that.
    let forbid = "@id(\"f\") forbid (principal, action, resource) unless { context.http.method == \"POST\" };";
    assert_eq!(ways(&format!("{get}{forbid}"), "{}"), "");
    // So is what else the policy asks for: of the same, of the caller, of something that is not known.
    for conditions in [
        "when { context.http.method == \"GET\" && principal.tenant == \"t\" }",
        "when { context.http.method == \"GET\" && context.session == \"s\" }",
        "when { context.http.method like \"G*\" && context.http.method like \"*T\" && context.http.method != \"GT\" }",
    ] {
        assert_eq!(ways(&permit(conditions), "{}"), "", "{conditions}");
    }
}

#[test]
fn a_forbid_is_told_to_be_released_only_where_that_is_enough() {
    let night = "@id(\"f\") forbid (principal, action, resource) \
                 when { context.now.toTime() >= duration(\"9h\") };";
    assert_eq!(ways(night, "{}"), "", "nothing permits it");
    assert_eq!(
        ways(&format!("{night}{}", permit("")), "{}"),
        "f: the time of day must be before 9h\n"
    );
    let other = "@id(\"g\") forbid (principal, action, resource);";
    assert_eq!(ways(&format!("{night}{other}{}", permit("")), "{}"), "");
}

#[test]
fn a_value_is_found_for_every_kind_of_condition() {
    let sent = "{\"s\": \"a\", \"b\": false, \"d\": 0.5, \"l\": [\"x\"], \"o\": {\"n\": 1}}";
    let read = |name: &str, field: &str, rest: &str| {
        let value = format!("context.args.getTag(\"{name}\")");
        let rest = rest.replace("IT", &format!("{value}.{field}"));
        format!("when {{ context.args.hasTag(\"{name}\") && {value} has {field} && {rest} }}")
    };
    for conditions in [
        read("s", "string", "IT == \"b\""),
        read("s", "string", "IT != \"a\""),
        read("s", "string", "[\"b\", \"c\"].contains(IT)"),
        read("s", "string", "!([\"a\", \"c\"].contains(IT))"),
        read("s", "string", "IT like \"b*c\""),
        read("s", "string", "!(IT like \"a*\")"),
        read("s", "long", "IT == -5"),
        read("b", "bool", "IT"),
        read("d", "decimal", "IT.greaterThan(decimal(\"0.5\"))"),
        read("d", "decimal", "IT.lessThan(decimal(\"-1.25\"))"),
        read("d", "long", "[1, 7].contains(IT)"),
        read("d", "long", "!([0, 7].contains(IT))"),
        read("l", "strings", "IT.isEmpty()"),
        read("o.n", "long", "IT > 1"),
        read("new.n", "long", "7 < IT"),
        "unless { context.args.hasTag(\"s\") }".to_owned(),
        "unless { context.args.hasTag(\"d\") && context.args.getTag(\"d\") has decimal }"
            .to_owned(),
        "when { context.clientIp == ip(\"10.0.0.1\") }".to_owned(),
        "unless { context.clientIp.isInRange(ip(\"10.0.0.0/8\")) }".to_owned(),
        "unless { context.clientIp.isInRange(ip(\"0.0.0.0/0\")) }".to_owned(),
        "when { context.clientIp.isInRange(ip(\"2001:db8::/32\")) }".to_owned(),
        "when { context.clientIp.isLoopback() }".to_owned(),
        "when { context.clientIp.isMulticast() }".to_owned(),
        "when { context.clientIp.isIpv6() }".to_owned(),
        "when { context.now < datetime(\"2025-06-01\") }".to_owned(),
        "when { context.now.toDate() > datetime(\"2026-02-01\") }".to_owned(),
        "when { context.now.toDate() == datetime(\"2027-02-01\") }".to_owned(),
        "when { context.now.toTime() < duration(\"30m\") }".to_owned(),
        "when { context.http.host == \"h\" && context.http.path like \"/a/*\" }".to_owned(),
        "when { context.http.origin == \"o\" && context.requestId != \"\" }".to_owned(),
        "when { [\"2025-06-18\"].contains(context.protocolVersion) }".to_owned(),
    ] {
        let found = ways(&permit(&conditions), sent);
        assert!(found.starts_with("p: "), "{conditions}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_would_turn_it_round_does(
        policies in prop::collection::vec(policy(), 1..10),
        requests in prop::collection::vec(request(), 4),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let inquiry = ask(&snapshot, identity, operation, context);
            let facts = snapshot.facts(identity);
            let is_denied = !snapshot.evaluate(operation, context, &facts).allows();
            prop_assert!(is_denied || inquiry.turns.is_empty());
            for turn in &inquiry.turns {
                let asked = (&turn.operation.action, &turn.operation.target, &turn.context.session);
                prop_assert_eq!(asked, (&operation.action, &operation.target, &context.session));
                let now = snapshot.evaluate(&turn.operation, &turn.context, &facts);
                prop_assert!(now.allows(), "{turn:?}");
                prop_assert!(!turn.must.is_empty());
                prop_assert!(!turn.tried.is_empty());
                let (tried, asked) = (format!("{:?}", turn.context), format!("{context:?}"));
                prop_assert!(turn.operation != *operation || tried != asked, "{turn:?}");
                // The policy that is named has turned: a permit holds, a forbid does not.
                prop_assert_eq!(now.determining.contains(&turn.policy.id), !turn.policy.forbid);
            }
        }
    }
}
