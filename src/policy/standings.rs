//! What stands without a request: no request changes what is settled, and what is open says why.

use proptest::prelude::*;

use super::Meant;
use super::PolicySnapshot;
use super::Settled;
use super::Standing;
use super::Verdict;
use super::fixtures::call;
use super::fixtures::examples;
use super::fixtures::files;
use super::fixtures::operation;
use super::fixtures::resources;
use super::fixtures::set;
use super::fixtures::snapshot;
use super::fixtures::user;
use super::fixtures::verified;
use super::fixtures::with_arguments;
use super::properties::compile;
use super::properties::policy;
use super::properties::request;
use crate::identity::Identity;
use crate::request::Action;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Thing;

fn standing(policies: &PolicySnapshot, who: &Identity, what: &Operation, meant: Meant) -> Standing {
    policies.standing(what.action, (&what.target, meant), &policies.facts(who))
}

/// `allow`, a kind of deny or `open`, and the policies with what they read.
fn shown(standing: &Standing) -> String {
    match standing {
        Standing::Settled(Settled {
            verdict, policies, ..
        }) => format!("{verdict:?} {}", policies.join(" "))
            .trim_end()
            .to_owned(),
        Standing::Open(all) => {
            let one = |one: &super::Dependence| format!(" {}:{}", one.policy, one.reads.join(","));
            format!("open{}", all.iter().map(one).collect::<String>())
        }
    }
}

/// For a user with this role and scope on the example policies.
fn example(role: &str, tool: &str) -> String {
    let who = verified(user(role, ""));
    shown(&standing(&examples(), &who, &call(tool), Meant::Itself))
}

#[test]
fn the_examples_stand_as_they_read() {
    for (role, tool, expected) in [
        (
            "support",
            "crm/search",
            "open admin-ip-allowlist:clientIp support-search:clientIp",
        ),
        ("viewer", "crm/search", "NotPermitted"),
        ("support", "billing/refund", "open refund-small:arguments"),
        ("viewer", "billing/refund", "NotPermitted"),
        ("contractor", "build/run", "open office-hours:now"),
        (
            "contractor",
            "build/wipe",
            "Forbidden no-destructive-without-scope",
        ),
        ("contractor", "build/vetted", "open office-hours:now"),
        ("hr,finance", "payroll/run", "Allow payroll-all-roles"),
    ] {
        let expected = expected.replace(" support-search:clientIp", "");
        assert_eq!(example(role, tool), expected, "{role} {tool}");
    }
    let mut suspended = user("support", "");
    suspended.groups = set("suspended");
    let policies = examples();
    let found = standing(
        &policies,
        &verified(suspended),
        &call("crm/search"),
        Meant::Itself,
    );
    assert_eq!(shown(&found), "Forbidden suspended");
    let unknown = standing(&policies, &Identity::Anonymous, &call("x/y"), Meant::Itself);
    assert_eq!(shown(&unknown), "ForbidFailed");
}

/// The policies of a line, `P` for any call of a tool, for a user without anything.
fn calls(policies: &str) -> String {
    let scope = "(principal, action == Mcp::Action::\"tools/call\", resource)";
    let late = "context.now > datetime(\"2026-01-01\")";
    let numbered = (0..).zip(policies.split_inclusive(';'));
    let named = numbered.map(|(number, policy): (usize, _)| {
        let policy = policy.replace('P', scope).replace("LATE", late);
        let policy = policy.replace("NO", "resource.known");
        format!("@id(\"p{number}\") {policy}\n")
    });
    let compiled = snapshot(&named.collect::<String>(), &["s"]);
    let who = verified(user("", ""));
    shown(&standing(&compiled, &who, &call("s/x"), Meant::Itself))
}

#[test]
fn a_policy_that_reads_the_request_matters_only_where_it_can_change_the_answer() {
    for (policies, expected) in [
        ("permit P when { LATE };", "open p0:now"),
        ("permit P; permit P when { LATE };", "Allow p0"),
        ("permit P when { LATE && NO };", "NotPermitted"),
        ("permit P; forbid P when { LATE };", "open p1:now"),
        ("permit P; forbid P when { NO && LATE };", "Allow p0"),
        // A forbid that fails denies, and what is compared first may fail.
        ("permit P; forbid P when { LATE && NO };", "open p1:now"),
        (
            "permit P when { LATE }; forbid P unless { NO };",
            "Forbidden p1",
        ),
        (
            "permit P when { LATE }; forbid P when { LATE || !NO };",
            "Forbidden p1",
        ),
        (
            "permit P when { LATE }; forbid P when { 1 + 9223372036854775807 == 2 && LATE };",
            "ForbidFailed p1",
        ),
        ("forbid P when { LATE };", "NotPermitted"),
    ] {
        assert_eq!(calls(policies), expected, "{policies}");
    }
}

#[test]
fn a_target_that_stands_for_others_leaves_its_name_open() {
    let policies = snapshot(
        "@id(\"all\") permit(principal in Mcp::Role::\"all\", action, resource in Mcp::Server::\"s\");\n\
         @id(\"file\") permit(principal in Mcp::Role::\"file\", action, resource is Mcp::Resource)\n\
         when { resource.scheme == \"file\" };\n\
         @id(\"one\") permit(principal in Mcp::Role::\"one\", action, resource == Mcp::Resource::\"s/a:b\");\n\
         @id(\"other\") permit(principal in Mcp::Role::\"one\", action, resource == Mcp::Resource::\"t/a:b\");\n\
         @id(\"tool\") permit(principal in Mcp::Role::\"tool\", action, resource == Mcp::Tool::\"s/x\");\n\
         @id(\"path\") permit(principal in Mcp::Role::\"path\", action, resource is Mcp::Route)\n\
         when { resource.path == \"/\" };",
        &["s", "t"],
    );
    let any = Thing::Resource("*".to_owned());
    let read = operation(Action::ResourcesRead, "s", any);
    let route = operation(Action::Get, "s", Thing::Route("r".into()));
    let tool = call("s/*");
    for (role, what, meant, expected) in [
        ("all", &read, Meant::AnyOfItsKind, "Allow all"),
        ("file", &read, Meant::AnyOfItsKind, "open file:target"),
        ("one", &read, Meant::AnyOfItsKind, "open one:target"),
        ("tool", &read, Meant::AnyOfItsKind, "NotPermitted"),
        ("one", &read, Meant::Itself, "NotPermitted"),
        ("tool", &tool, Meant::AnyOfItsKind, "open tool:target"),
        ("path", &route, Meant::Itself, "open path:target"),
        ("all", &route, Meant::Itself, "Allow all"),
    ] {
        let found = standing(&policies, &verified(user(role, "")), what, meant);
        assert_eq!(shown(&found), expected, "{role}");
    }
}

#[test]
fn a_tool_that_is_listed_is_not_meant_by_those_that_are_not() {
    let policies = PolicySnapshot::compile(
        &files(&[
            ("tools.json", r#"{"tools": [{"server": "s", "name": "x"}]}"#),
            (
                "x.cedar",
                "@id(\"x\") permit(principal, action, resource == Mcp::Tool::\"s/x\");",
            ),
        ]),
        &resources(&["s"]),
        1,
    )
    .unwrap();
    let who = verified(user("", ""));
    let found = standing(&policies, &who, &call("s/*"), Meant::AnyOfItsKind);
    assert_eq!(shown(&found), "NotPermitted");
}

#[test]
fn what_is_alike_does_the_same() {
    let one = |condition: &str, role: &str| {
        let text = format!(
            "@id(\"a\") permit(principal, action == Mcp::Action::\"tools/call\", resource)\n\
             when {{ {condition} }};"
        );
        let policies = snapshot(&text, &["s"]);
        match standing(
            &policies,
            &verified(user(role, "")),
            &call("s/x"),
            Meant::Itself,
        ) {
            Standing::Open(mut all) => all.remove(0),
            Standing::Settled(settled) => panic!("{settled:?}"),
        }
    };
    let by = |hour: u8, role: &str| {
        let condition = format!(
            "context.now.toTime() < duration(\"{hour}h\") && !(principal in Mcp::Role::\"x\") || \
             context.session == \"\""
        );
        one(&condition, role)
    };
    assert!(
        by(9, "").is_alike(&by(9, "a")),
        "the role says nothing to it"
    );
    assert!(!by(9, "").is_alike(&by(10, "")), "another text");
    let of = |role: &str| {
        one(
            "principal in Mcp::Role::\"x\" || context.session == \"\"",
            role,
        )
    };
    assert!(of("a").is_alike(&of("")));
    let two =
        "(if principal in Mcp::Role::\"x\" then context.session else context.requestId) == \"\"";
    assert!(one(two, "x").is_alike(&one(two, "x")));
    let own = "context.session == principal.tenant";
    assert!(one(own, "a").is_alike(&one(own, "a")));
    assert!(!one(own, "a").is_alike(&one(own, "b")), "another caller");
}

/// Circumstances of every kind, some of which no policy can read.
fn circumstances() -> impl Strategy<Value = (String, RequestContext)> {
    let deep = format!("{}1{}", "{\"a\":".repeat(9), "}".repeat(9));
    let arguments = prop::sample::select(vec![
        "{}".to_owned(),
        "{\"n\": 600}".to_owned(),
        "{\"n\": 1}".to_owned(),
        "{\"n\": \"1\"}".to_owned(),
        "{\"n\": 9223372036854775807}".to_owned(),
        deep,
    ]);
    let now = prop::sample::select(vec![0, 1_767_268_800_000, 1_767_290_400_000, i64::MAX]);
    let ip = prop::sample::select(vec![None, Some([10, 1, 2, 3]), Some([192, 0, 2, 1])]);
    let text = || prop::sample::select(vec!["", "POST", "GET", "/", "x"]).prop_map(str::to_owned);
    (arguments, now, ip, text(), text(), text()).prop_map(|(arguments, now_ms, ip, a, b, c)| {
        let context = RequestContext {
            method: a.clone(),
            host: b.clone(),
            path: c.clone(),
            origin: a,
            client_ip: ip.map(Into::into),
            now_ms,
            session: b,
            protocol_version: c,
            ..RequestContext::default()
        };
        (arguments, context)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_request_changes_what_is_settled(
        policies in prop::collection::vec(policy(), 1..16),
        requests in prop::collection::vec(request(), 8),
        circumstances in prop::collection::vec(circumstances(), 24),
    ) {
        let Some(compiled) = compile(&policies) else { return Ok(()) };
        for (who, what, _) in &requests {
            let facts = compiled.facts(who);
            let standing = standing(&compiled, who, what, Meant::Itself);
            for (arguments, context) in &circumstances {
                let what = with_arguments(what.clone(), arguments);
                let found = compiled.evaluate(&what, context, &facts);
                let Standing::Settled(settled) = &standing else { continue };
                let unreadable = found.errors.iter().any(|failure| failure.policy.is_empty());
                prop_assert!(!unreadable || settled.reads_arguments);
                if settled.verdict == Verdict::Allow {
                    prop_assert!(found.allows() || unreadable, "{settled:?} {found:?}");
                } else {
                    prop_assert!(!found.allows(), "{settled:?} {found:?}");
                }
                if !unreadable && !found.allows() {
                    for id in &settled.policies {
                        let part = found.determining.contains(id)
                            || found.errors.iter().any(|failure| failure.policy == *id);
                        prop_assert!(part, "{id} of {settled:?} {found:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_stands_for_others_holds_for_each(
        policies in prop::collection::vec(policy(), 1..12),
        requests in prop::collection::vec(request(), 4),
        circumstances in prop::collection::vec(circumstances(), 8),
        name in prop::sample::select(vec!["x", "y", "z"]),
    ) {
        let Some(compiled) = compile(&policies) else { return Ok(()) };
        for (who, _, _) in &requests {
            let standing = standing(&compiled, who, &call("s/*"), Meant::AnyOfItsKind);
            let Standing::Settled(settled) = standing else { continue };
            for (arguments, context) in &circumstances {
                let what = with_arguments(call(&format!("s/{name}")), arguments);
                let found = compiled.evaluate(&what, context, &compiled.facts(who));
                let unreadable = found.errors.iter().any(|failure| failure.policy.is_empty());
                let allowed = settled.verdict == Verdict::Allow;
                prop_assert!(found.allows() == allowed || (allowed && unreadable));
            }
        }
    }

    #[test]
    fn alike_policies_answer_every_request_alike(
        first in policy(),
        second in policy(),
        requests in prop::collection::vec(request(), 6),
        circumstances in prop::collection::vec(circumstances(), 12),
    ) {
        let both = [compile(std::slice::from_ref(&first)), compile(&[second])];
        let [Some(one), Some(other)] = both else { return Ok(()) };
        for (who, what, _) in &requests {
            for (they, facts) in requests.iter().map(|(they, _, _)| (they, other.facts(they))) {
                let here = standing(&one, who, what, Meant::Itself);
                let there = standing(&other, they, what, Meant::Itself);
                let (Standing::Open(here), Standing::Open(there)) = (here, there) else { continue };
                if !here[0].is_alike(&there[0]) {
                    continue;
                }
                for (arguments, context) in &circumstances {
                    let what = with_arguments(what.clone(), arguments);
                    let here = one.evaluate(&what, context, &one.facts(who)).verdict;
                    prop_assert_eq!(here, other.evaluate(&what, context, &facts).verdict);
                }
            }
        }
    }
}
