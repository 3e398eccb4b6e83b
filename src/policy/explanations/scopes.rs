//! The scopes that are asked for: all of them, for all operations at once, and never in vain.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::identity::Principal;
use crate::policy::PolicySnapshot;
use crate::policy::fixtures::all;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::files;
use crate::policy::fixtures::operation;
use crate::policy::fixtures::resource;
use crate::policy::fixtures::set;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::request::Action;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Thing;

/// `s/a` needs a, `s/b` b, `s/ab` both; `s/either` one of them; `s/role` a role; `s/free` nothing.
fn policies() -> String {
    let tool = |name: &str, when: &str| {
        format!(
            "@id(\"{name}\") permit (principal, action, resource == Mcp::Tool::\"s/{name}\") \
             when {{ {when} }};\n"
        )
    };
    [
        tool("a", "principal.scopes.contains(\"a\")"),
        tool("b", "principal.scopes.contains(\"b\")"),
        tool("ab", "principal.scopes.containsAll([\"a\", \"b\"])"),
        tool("either", "principal.scopes.containsAny([\"b\", \"a\"])"),
        tool("role", "principal in Mcp::Role::\"r\""),
        tool("free", "true"),
        tool(
            "offline",
            "principal.scopes.containsAll([\"a\", \"offline_access\"])",
        ),
        tool(
            "no-a",
            "principal.scopes.contains(\"b\") && !principal.scopes.contains(\"a\")",
        ),
        "@id(\"f\") forbid (principal, action, resource == Mcp::Tool::\"s/free\") \
         unless { principal.scopes.contains(\"f\") };\n"
            .to_owned(),
    ]
    .concat()
}

fn calls(tools: &str) -> Vec<Operation> {
    tools
        .split(' ')
        .map(|tool| call(&format!("s/{tool}")))
        .collect()
}

#[test]
fn the_union_over_all_operations_is_asked_for_or_nothing() {
    let snapshot = snapshot(&policies(), &["s"]);
    for (has, tools, expected) in [
        ("", "a", "a"),
        ("", "either", "a"),
        ("b", "ab", "a,b"),
        ("", "a b", "a,b"),
        ("a", "a b", "a,b"),
        ("x", "a ab b", "a,b"),
        // The smallest for all of them is not the smallest for each.
        ("", "either b", "b"),
        ("", "b either a", "a,b"),
        ("", "free b", "b,f"),
        ("", "free free", "f"),
        // Something else than scopes is needed for one of them.
        ("", "a role", ""),
        ("", "role a", ""),
        ("", "a unknown", ""),
        // A scope would have to be given up, which clients that add scopes do not.
        ("a", "no-a", ""),
        ("", "no-a", "b"),
        ("", "a no-a", ""),
        // Never asked for; who has it is asked for the rest.
        ("", "offline", ""),
        ("offline_access", "offline", "a,offline_access"),
    ] {
        let operations = all(&calls(tools));
        let caller = verified(user("", has));
        let required = snapshot.required_scopes(&operations, &context(), &caller);
        let expected: Vec<String> = set(expected).into_iter().collect();
        assert_eq!(required, expected, "{has} {tools}");
        if has.is_empty() {
            let challenged = snapshot.challenge_scopes(&operations, &context());
            assert_eq!(*challenged, *expected, "a stranger, {tools}");
        }
    }
    let holder = verified(user("r", ""));
    let operations = all(&calls("role a"));
    assert_eq!(
        snapshot.required_scopes(&operations, &context(), &holder),
        ["a"]
    );
}

#[test]
fn who_has_the_broad_scope_is_not_asked_for_the_narrow_one() {
    for (broad, has, tools, expected) in [
        ("all", "all", "ab", "all,b"),
        ("all", "all", "a b", "all,b"),
        ("all", "a,all", "ab", "a,b"),
        ("all", "", "ab", "a,b"),
        ("b", "", "ab", "b"),
        ("b", "", "a b", "b"),
        ("b", "a", "ab", "b"),
        ("b", "", "a", "a"),
    ] {
        let mut server = resource("s");
        server.scope_hierarchy = vec![(broad.to_owned(), vec!["a".to_owned()])];
        let files = files(&[("x.cedar", &policies())]);
        let snapshot = PolicySnapshot::compile(&files, &[server.into()], 1).unwrap();
        let caller = verified(user("", has));
        let required = snapshot.required_scopes(&all(&calls(tools)), &context(), &caller);
        let expected: Vec<String> = set(expected).into_iter().collect();
        assert_eq!(required, expected, "{broad} {has} {tools}");
    }
}

/// Reads of as many resources, each of which needs a scope of its own.
fn reads(count: usize) -> (PolicySnapshot, Vec<Operation>) {
    let policy = |n: usize| {
        format!(
            "@id(\"p{n}\") permit (principal, action, resource == Mcp::Resource::\"s/r{n}\") \
             when {{ principal.scopes.contains(\"scope-{n:03}\") }};"
        )
    };
    let text: String = (0..count).map(policy).collect();
    let read = |n| {
        operation(
            Action::ResourcesSubscribe,
            "s",
            Thing::Resource(format!("r{n}")),
        )
    };
    (snapshot(&text, &["s"]), (0..count).map(read).collect())
}

#[test]
fn what_would_take_too_long_or_be_too_long_is_not_said() {
    for (count, told) in [(1, true), (16, true), (17, false), (64, false)] {
        let (snapshot, operations) = reads(count);
        let scopes = snapshot.challenge_scopes(&all(&operations), &context());
        assert_eq!(!scopes.is_empty(), told, "{count}");
    }
    let (one, many) = (call("s/a"), vec![call("s/a"); 256]);
    let snapshot = snapshot(&policies(), &["s"]);
    let operations = all(&[vec![one], many].concat());
    assert_eq!(*snapshot.challenge_scopes(&operations, &context()), ["a"]);
    let long = "s".repeat(1_000);
    let text = format!(
        "@id(\"p\") permit (principal, action, resource) \
         when {{ principal.scopes.containsAll([\"{long}\", \"{}\"]) }};",
        "t".repeat(100)
    );
    let snapshot = super::snapshot(&text, &["s"]);
    assert_eq!(
        snapshot
            .challenge_scopes(&all(&calls("x")), &context())
            .len(),
        0
    );
}

#[test]
fn a_challenge_is_remembered_only_where_nothing_else_decides_it() {
    let policies = "@id(\"a\") permit (principal, action, resource == Mcp::Tool::\"s/a\")
         when { principal.scopes.contains(\"a\") };
         @id(\"t\") permit (principal, action, resource == Mcp::Tool::\"s/t\")
         when { principal.scopes.contains(\"t\") && context.now.toTime() < duration(\"13h\") };";
    let snapshot = snapshot(policies, &["s"]);
    let late = RequestContext {
        now_ms: context().now_ms + 3_600_000 * 2,
        ..context()
    };
    let ask = |tool: &str, context: &RequestContext| {
        let scopes = snapshot.challenge_scopes(&all(&calls(tool)), context);
        snapshot.challenges.run_pending_tasks();
        scopes.join(" ")
    };
    for _ in 0..2 {
        assert_eq!(ask("a", &context()), "a");
        assert_eq!(ask("t", &context()), "t");
        assert_eq!(ask("t", &late), "", "it would not be allowed then");
        assert_eq!(ask("a t", &context()), "a t");
        assert_eq!(ask("a t", &late), "");
        assert_eq!(ask(&"x".repeat(300), &context()), "");
    }
    assert_eq!(snapshot.challenges.entry_count(), 1, "only that of `s/a`");
}

static POLICIES: LazyLock<PolicySnapshot> = LazyLock::new(|| snapshot(&policies(), &["s"]));

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_scopes_that_are_asked_for_are_enough(
        has in prop::sample::subsequence(vec!["a", "b", "f", "offline_access", "x"], 0..=5),
        tools in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "ab", "either", "role", "free", "offline", "no-a"]), 1..6),
        role in any::<bool>(),
    ) {
        let operations = calls(&tools.join(" "));
        let caller = user(if role { "r" } else { "" }, &has.join(","));
        let allowed = |caller: &Principal| {
            let facts = POLICIES.facts(&verified(caller.clone()));
            let allows = |one| POLICIES.evaluate(one, &context(), &facts).allows();
            operations.iter().all(allows)
        };
        if allowed(&caller) {
            return Ok(());
        }
        let required =
            POLICIES.required_scopes(&all(&operations), &context(), &verified(caller.clone()));
        let mut renewed = caller.clone();
        renewed.scopes = required.iter().cloned().collect();
        let mut stepped_up = caller.clone();
        stepped_up.scopes.extend(required.iter().cloned());
        let enough = allowed(&renewed) && allowed(&stepped_up);
        prop_assert!(required.is_empty() || enough, "{:?}", required);
        // The other way round: what all the scopes there are would do, is asked for.
        let mut everything = caller.clone();
        everything.scopes.extend(["a", "b", "f"].map(str::to_owned));
        let needs_more = caller.scopes.contains("offline_access") || !tools.contains(&"offline");
        if allowed(&everything) && needs_more {
            prop_assert!(!required.is_empty());
        }
    }
}
