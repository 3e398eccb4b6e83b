//! What keeps cost and depth within bounds, whatever callers and operators write.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::PolicyFiles;
use super::Verdict;
use super::catalogue::Catalogue;
use super::files::SCHEMA_FILE;
use super::fixtures::call;
use super::fixtures::context;
use super::fixtures::snapshot;
use super::fixtures::user;
use super::fixtures::verified;
use super::fixtures::with_arguments;
use super::hierarchy::Hierarchy;
use super::load;
use super::load::MAX_NESTING;
use super::load::MAX_OPERATORS;
use super::reads::Fields;
use super::vocabulary;
use super::vocabulary::Vocabulary;
use crate::fault::Source;
use crate::request::Arguments;
use crate::request::Operation;
use crate::request::Operations;
use crate::request::RequestContext;

#[test]
fn arguments_that_nobody_can_tell_are_not_none() {
    use Verdict::Allow;
    use Verdict::ForbidFailed;
    use Verdict::NotPermitted;
    let tag = "context.args.hasTag(\"to\")";
    let open = "@id(\"open\") permit(principal, action, resource);";
    let permit = |when: &str| format!("@id(\"p\") permit(principal, action, resource) {when};");
    let forbid =
        |when: &str| format!("{open} @id(\"f\") forbid(principal, action, resource) {when};");
    for (policies, none, unknown) in [
        (
            permit(&format!("when {{ {tag} }}")),
            NotPermitted,
            NotPermitted,
        ),
        (permit(&format!("unless {{ {tag} }}")), Allow, NotPermitted),
        (
            permit(&format!("unless {{ context has args && {tag} }}")),
            Allow,
            ForbidFailed,
        ),
        (
            permit(&format!(
                "when {{ context.now > datetime(\"2020-01-01\") || {tag} }}"
            )),
            Allow,
            Allow,
        ),
        (forbid(&format!("when {{ {tag} }}")), Allow, ForbidFailed),
        (
            forbid(&format!("unless {{ !({tag}) }}")),
            Allow,
            ForbidFailed,
        ),
        (
            forbid(&format!("when {{ context has args && {tag} }}")),
            Allow,
            ForbidFailed,
        ),
        (open.to_owned(), Allow, Allow),
    ] {
        let snapshot = snapshot(&policies, &["s"]);
        let facts = snapshot.facts(&verified(user("", "")));
        let verdict = |arguments: Arguments| {
            let operation = Operation {
                arguments,
                ..call("s/x")
            };
            snapshot.evaluate(&operation, &context(), &facts).verdict
        };
        assert_eq!(verdict(Arguments::None), none, "{policies}");
        assert_eq!(verdict(Arguments::Unknown), unknown, "{policies}");
    }
}

#[test]
fn an_address_that_nobody_can_tell_is_not_none() {
    use Verdict::Allow;
    use Verdict::ForbidFailed;
    use Verdict::NotPermitted;
    let inside = "context.clientIp.isInRange(ip(\"192.0.2.0/24\"))";
    let open = "@id(\"open\") permit(principal, action, resource)";
    for (policies, known, unknown) in [
        (format!("{open} when {{ {inside} }};"), Allow, NotPermitted),
        (
            format!("{open} unless {{ context has clientIp && !({inside}) }};"),
            Allow,
            ForbidFailed,
        ),
        (
            format!(
                "{open}; @id(\"f\") forbid(principal, action, resource)
                 when {{ context has clientIp && !({inside}) }};"
            ),
            Allow,
            ForbidFailed,
        ),
        (format!("{open};"), Allow, Allow),
    ] {
        let snapshot = snapshot(&policies, &["s"]);
        let facts = snapshot.facts(&verified(user("", "")));
        let verdict = |client_ip| {
            let context = RequestContext {
                client_ip,
                ..context()
            };
            snapshot.evaluate(&call("s/x"), &context, &facts).verdict
        };
        assert_eq!(verdict(Some([192, 0, 2, 1].into())), known, "{policies}");
        assert_eq!(verdict(None), unknown, "{policies}");
    }
}

/// Each policy has many ways out, and all of them are wanted together: without a bound this took
/// seconds for a request of anybody with a token, and found what nobody asks for.
#[test]
fn an_explanation_takes_no_longer_than_a_request_may() {
    let mut text = "@id(\"open\") permit(principal, action, resource);".to_owned();
    for policy in 0..120 {
        let any: Vec<String> = (0..24).map(|n| format!("\"s{policy}-{n}\"")).collect();
        let any = any.join(", ");
        writeln!(
            text,
            "@id(\"f{policy}\") forbid(principal, action, resource)
             unless {{ principal.scopes.containsAny([{any}]) }};"
        )
        .unwrap();
    }
    let snapshot = snapshot(&text, &["s"]);
    let caller = verified(user("", "other"));
    let operations = Operations {
        first: call("s/x"),
        rest: (0..15).map(|n| call(&format!("s/y{n}"))).collect(),
    };
    let explained = snapshot.explain(&call("s/x"), &context(), &caller);
    let scopes = snapshot.required_scopes(&operations, &context(), &caller);
    assert_eq!(scopes, Vec::<String>::new());
    assert_eq!(explained.required_scopes, scopes);
    assert_eq!(explained.forbidden_by.len(), 120);
    assert!(!explained.nothing_helps, "nobody has looked at everything");
}

#[test]
fn unrelated_policies_cost_nothing() {
    let mut text = String::new();
    for n in 0..250 {
        for policy in [
            format!(
                "permit(principal in Mcp::Role::\"r{n}\", action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"s/t{n}\")"
            ),
            format!(
                "permit(principal in Mcp::Role::\"r{n}\", action in Mcp::Action::\"mcp\", resource in Mcp::Server::\"s\")"
            ),
            format!(
                "permit(principal, action == Mcp::Action::\"tools/call\", resource) when {{ principal.scopes.contains(\"s{n}\") }}"
            ),
            format!(
                "forbid(principal, action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"s/t{n}\") when {{ context.http.origin == \"x\" }}"
            ),
        ] {
            let id = text.len();
            writeln!(text, "@id(\"p{id}\") {policy};").unwrap();
        }
    }
    let snapshot = snapshot(&text, &["s"]);
    assert_eq!(snapshot.policy_count(), 1_000);
    let caller = verified(user("r7,unknown", "s9,openid"));
    let facts = snapshot.facts(&caller);
    let prepared = snapshot.engine.remembered(&call("s/t7"), &facts).unwrap();
    assert_eq!(prepared.slice.members.len(), 4);
    assert_eq!(prepared.slice.reads.fields, Fields::HTTP);
    assert!(
        snapshot
            .evaluate(&call("s/t7"), &context(), &facts)
            .allows()
    );
}

#[test]
fn a_forbid_that_overflows_denies() {
    let snapshot = snapshot(
        "@id(\"all\") permit(principal, action, resource);
         @id(\"limit\") forbid(principal, action == Mcp::Action::\"tools/call\", resource)
         when { context.args.hasTag(\"n\") && context.args.getTag(\"n\") has long &&
                context.args.getTag(\"n\").long * 2 > 1000 };",
        &["s"],
    );
    let facts = snapshot.facts(&verified(user("", "")));
    for (arguments, verdict) in [
        ("{\"n\": 5}", Verdict::Allow),
        ("{\"n\": 600}", Verdict::Forbidden),
        ("{\"n\": 5000000000000000000}", Verdict::ForbidFailed),
        ("[1]", Verdict::ForbidFailed),
        // A limit in a forbid is passed by another type: that is why limits belong in permits.
        ("{\"n\": \"600\"}", Verdict::Allow),
    ] {
        let operation = with_arguments(call("s/x"), arguments);
        let evaluation = snapshot.evaluate(&operation, &context(), &facts);
        assert_eq!(evaluation.verdict, verdict, "{arguments}");
        assert_eq!(
            evaluation.errors.iter().any(|error| error.forbid),
            verdict == Verdict::ForbidFailed
        );
    }
}

#[rustfmt::skip] // a table with a line for each case
#[test]
fn a_number_that_others_read_differently_denies_where_it_is_read() {
    use Verdict::Allow;
    use Verdict::ForbidFailed;
    use Verdict::Forbidden;
    use Verdict::NotPermitted;
    let snapshot = snapshot(
        r#"@id("limit") permit(principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"s/pay")
           when { context.args.hasTag("amount") && context.args.getTag("amount") has decimal &&
                  context.args.getTag("amount").decimal.lessThan(decimal("500.0")) };
           @id("others") permit(principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"s/get");
           @id("not-this") forbid(principal, action == Mcp::Action::"tools/call", resource == Mcp::Tool::"s/get")
           when { context.args.hasTag("o.id") && context.args.getTag("o.id") has long &&
                  context.args.getTag("o.id").long == 9007199254740992 };
           @id("chosen") forbid(principal in Mcp::Role::"odd", action, resource)
           when { context.args.hasTag(principal.tenant) };"#,
        &["s"],
    );
    let plain = snapshot.facts(&verified(user("", "")));
    let odd = snapshot.facts(&verified(user("odd", "")));
    for (tool, arguments, verdict, for_odd) in [
        ("s/pay", r#"{"amount": 100.5}"#, Allow, Allow),
        ("s/pay", r#"{"amount": 500}"#, NotPermitted, NotPermitted),
        ("s/pay", r#"{"amount": 100.00000000000000001}"#, ForbidFailed, ForbidFailed),
        ("s/pay", r#"{"amount": 1e-400}"#, ForbidFailed, ForbidFailed),
        ("s/pay", r#"{"amount": [1, 9007199254740993]}"#, ForbidFailed, ForbidFailed),
        ("s/pay", r#"{"amount": ["9007199254740993"]}"#, NotPermitted, NotPermitted),
        ("s/pay", r#"{"amount": 1, "id": 1234567890123456789}"#, Allow, ForbidFailed),
        ("s/pay", r#"{"amount": 1, "o": {"amount": 9007199254740993}}"#, Allow, ForbidFailed),
        ("s/pay", r#"{"amount": 1, "l": [[9007199254740993]]}"#, Allow, Allow),
        ("s/get", r#"{"o": {"id": 9007199254740992}}"#, Forbidden, Forbidden),
        ("s/get", r#"{"o": {"id": 9007199254740993}}"#, ForbidFailed, ForbidFailed),
        ("s/get", r#"{"o": {"id": 9007199254740992.5}}"#, ForbidFailed, ForbidFailed),
        ("s/get", r#"{"o": {"id": 9007199254740994}}"#, Allow, Allow),
        ("s/get", r#"{"o.id": 9007199254740993}"#, Allow, ForbidFailed),
        ("s/get", r#"{"id": 9007199254740993}"#, Allow, ForbidFailed),
    ] {
        let operation = with_arguments(call(tool), arguments);
        for (facts, verdict) in [(&plain, verdict), (&odd, for_odd)] {
            let evaluation = snapshot.evaluate(&operation, &context(), facts);
            assert_eq!(evaluation.verdict, verdict, "{arguments}: {evaluation:?}");
            let told = evaluation.errors.iter().map(|error| &*error.message);
            let told: Vec<_> = told
                .filter(|text| text.contains("readers differ"))
                .collect();
            assert_eq!(told.len(), usize::from(verdict == ForbidFailed), "{told:?}");
        }
    }
}

#[test]
fn no_prefix_of_a_file_panics() {
    let schema = vocabulary::schema().unwrap();
    let vocabulary = Vocabulary::new(&schema).unwrap();
    let read = |name: &str, text: &str| {
        let source = Source {
            name: name.into(),
            text: text.into(),
        };
        let mut faults = Vec::new();
        match name {
            "entities.json" => {
                Hierarchy::read(&source, &vocabulary, &schema, &mut faults);
            }
            "tools.json" => {
                Catalogue::read(&source, &HashSet::new(), &mut faults);
            }
            _ => {
                load::policies(&[&source], &mut faults);
            }
        }
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for file in PolicyFiles::embedded().files {
        if &*file.name == SCHEMA_FILE {
            continue;
        }
        let broken = (0..file.text.len())
            .filter_map(|end| file.text.get(..end))
            .filter(|cut| !read(&file.name, cut).is_empty())
            .count();
        assert!(broken > file.text.len() / 3, "{}: {broken}", file.name);
    }
}

#[test]
fn the_deepest_accepted_policies_fit_the_smallest_stack() {
    let most = MAX_OPERATORS - 20;
    let chain = |part: &str, cost: usize, last: &str| format!("{}{last}", part.repeat(most / cost));
    let deep = MAX_NESTING - 4;
    let client = "principal.clientId == \"b\"";
    let conditions = [
        chain("true && ", 1, client),
        chain("false || ", 1, client),
        chain("!(principal.clientId == \"a\") && ", 4, client),
        chain("if false then true else ", 1, client),
        chain(&format!("{client} }} when {{ "), 3, client),
        format!("{}{client}{}", "(true && ".repeat(deep), ")".repeat(deep)),
        format!(
            "{}{client}{}",
            "(if true then ".repeat(deep),
            " else false)".repeat(deep)
        ),
        format!("1 {} < 5 || {client}", chain("+ 1 ", 1, "")),
    ];
    for condition in conditions {
        let text =
            format!("@id(\"a\") permit(principal, action, resource) when {{ {condition} }};");
        let snapshot = snapshot(&text, &["s"]);
        let caller = verified(user("", ""));
        let explain = move |stack: usize| {
            let caller = caller.clone();
            let facts = snapshot.facts(&caller);
            let evaluate = || {
                let evaluation = snapshot.evaluate(&call("s/x"), &context(), &facts);
                let explanation = snapshot.explain(&call("s/x"), &context(), &caller);
                (evaluation, explanation)
            };
            std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(stack);
                thread
                    .spawn_scoped(scope, evaluate)
                    .unwrap()
                    .join()
                    .unwrap()
            })
        };
        // Tests run without optimisation, where the frames of Cedar are many times larger.
        let (evaluation, explanation) = explain(32 * 1024 * 1024);
        assert_eq!(evaluation.verdict, Verdict::NotPermitted);
        assert_eq!(evaluation.errors, []);
        assert_eq!(explanation.clients_any, ["b"]);
        // A stack that is too small for the policy is an error of the policy, never an abort.
        let (evaluation, _) = explain(2 * 1024 * 1024);
        assert!(!evaluation.allows());
    }
}
