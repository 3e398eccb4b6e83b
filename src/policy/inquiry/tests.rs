//! What explanations say of the examples, and what holds for any policies and any request.

mod properties;
mod turns;
mod words;

use std::collections::BTreeSet;

use crate::identity::Identity;
use crate::policy::Foresight;
use crate::policy::Gaps;
use crate::policy::Inquiry;
use crate::policy::KnownArguments;
use crate::policy::Part;
use crate::policy::PolicySnapshot;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::examples;
use crate::policy::fixtures::set;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;
use crate::policy::inquiry::Finding;
use crate::policy::inquiry::Found;
use crate::policy::inquiry::Weighed;
use crate::request::Operation;
use crate::request::RequestContext;

/// Everything on a line each, parts further in.
fn lines(weighed: &[Weighed]) -> String {
    let mut all = Vec::new();
    for one in weighed {
        let policy = &one.policy;
        let effect = if policy.forbid { "forbid" } else { "permit" };
        all.push(format!(
            "{effect} {} {}:{}\n",
            policy.id, policy.file, policy.line
        ));
        tell(&one.findings, 1, &mut all);
    }
    all.concat()
}

fn tell(findings: &[Finding], depth: usize, all: &mut Vec<String>) {
    for finding in findings {
        let found = match &finding.found {
            Found::True => "true".to_owned(),
            Found::False => "false".to_owned(),
            Found::Failed(message) => format!("FAILED: {message}"),
        };
        let indent = "  ".repeat(depth);
        all.push(format!("{indent}{} is {found}\n", finding.condition));
        for value in &finding.values {
            all.push(format!("{indent}  {}: {}\n", value.of, value.is));
        }
        if let Some(must) = &finding.must {
            all.push(format!("{indent}  ({must})\n"));
        }
        tell(&finding.within, depth.saturating_add(1), all);
    }
}

fn ask(
    snapshot: &PolicySnapshot,
    who: &Identity,
    operation: &Operation,
    context: &RequestContext,
) -> Inquiry {
    snapshot.inquire(operation, context, who, &Gaps::default())
}

fn outside() -> RequestContext {
    RequestContext {
        client_ip: Some([192, 0, 2, 1].into()),
        ..context()
    }
}

#[test]
fn a_large_refund_is_too_large() {
    let support = verified(user("support", ""));
    let refund = with_arguments(call("billing/refund"), "{\"amount\": 900}");
    let inquiry = ask(&examples(), &support, &refund, &context());
    assert!(inquiry.is_complete);
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    permit refund-small 40-conditions.cedar:2
      context.args.getTag("amount").long <= 500 is false
        context.args.getTag("amount").long: 900
        (the argument `amount` must be at most 500)
    permit read-only-tools 40-conditions.cedar:38
      resource.readOnlyHint is false
      principal.scopes.contains("mcp:read") is false
        principal.scopes: []
    permit tenant-tools 40-conditions.cedar:16
      resource in Mcp::ToolGroup::"tenant-tools" is false
        what the target is in: [Mcp::Server::"billing"]
    "#);
    let text = with_arguments(call("billing/refund"), "{\"amount\": \"900\"}");
    let inquiry = ask(&examples(), &support, &text, &context());
    insta::assert_snapshot!(lines(&inquiry.near[..1]), @r#"
    permit refund-small 40-conditions.cedar:2
      context.args.getTag("amount") has long is false
        context.args.getTag("amount"): {string: "900"}
        (the argument `amount` must be an integer)
    "#);
    let inquiry = ask(&examples(), &support, &call("billing/refund"), &context());
    insta::assert_snapshot!(lines(&inquiry.near[..1]), @r#"
    permit refund-small 40-conditions.cedar:2
      context.args.hasTag("amount") is false
        the names of the arguments: []
        (the argument `amount` must be sent)
    "#);
}

#[test]
fn a_forbid_says_what_would_release_it() {
    let admin = verified(user("admin", ""));
    let inquiry = ask(&examples(), &admin, &call("crm/export"), &outside());
    insta::assert_snapshot!(lines(&inquiry.determining), @r#"
    forbid admin-ip-allowlist 90-forbid.cedar:2
      context.clientIp.isInRange(ip("10.0.0.0/8")) || context.clientIp.isInRange(ip("2001:db8::/32")) is false
        context.clientIp.isInRange(ip("10.0.0.0/8")) is false
          context.clientIp: ip("192.0.2.1")
          (the client's address must be in 10.0.0.0/8)
        context.clientIp.isInRange(ip("2001:db8::/32")) is false
          context.clientIp: ip("192.0.2.1")
          (the client's address must be in 2001:db8::/32)
    "#);
    assert_eq!(
        lines(&inquiry.overruled),
        "permit crm-any-role 10-roles.cedar:2\n"
    );
    let unknown = RequestContext {
        client_ip: None,
        ..context()
    };
    let inquiry = ask(&examples(), &admin, &call("crm/export"), &unknown);
    insta::assert_snapshot!(lines(&inquiry.determining), @r#"
    forbid admin-ip-allowlist 90-forbid.cedar:2
      context.clientIp.isInRange(ip("10.0.0.0/8")) is FAILED: record does not have the attribute `clientIp`
    "#);
    let mut suspended = user("admin", "");
    suspended.groups = set("suspended,staff");
    let inquiry = ask(
        &examples(),
        &verified(suspended),
        &call("crm/export"),
        &context(),
    );
    insta::assert_snapshot!(lines(&inquiry.determining), @r#"
    forbid suspended 90-forbid.cedar:30
      principal in Mcp::Group::"suspended" is true
        the caller's groups: [staff, suspended]
    "#);
}

#[test]
fn an_allow_says_which_forbids_nearly_held() {
    let admin = verified(user("admin", ""));
    let inquiry = ask(&examples(), &admin, &call("crm/export"), &context());
    insta::assert_snapshot!(lines(&inquiry.determining), @r#"permit crm-any-role 10-roles.cedar:2"#);
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    forbid admin-ip-allowlist 90-forbid.cedar:2
      context.clientIp.isInRange(ip("10.0.0.0/8")) is true
        context.clientIp: ip("10.1.2.3")
        (the client's address must be outside 10.0.0.0/8)
    forbid no-destructive-without-scope 90-forbid.cedar:16
      resource.destructiveHint is false
    forbid suspended 90-forbid.cedar:30
      principal in Mcp::Group::"suspended" is false
        the caller's groups: []
    "#);
}

#[test]
fn times_are_shown_as_people_write_them() {
    let early = RequestContext {
        now_ms: 1_767_257_940_500,
        ..context()
    };
    let contractor = verified(user("contractor", ""));
    let inquiry = ask(&examples(), &contractor, &call("build/run"), &early);
    insta::assert_snapshot!(lines(&inquiry.near[..1]), @r#"
    permit office-hours 40-conditions.cedar:25
      context.now.toTime() >= duration("9h") is false
        context.now.toTime(): duration("32340500ms")
        context.now: datetime("2026-01-01T08:59:00.500Z")
        (the time of day must be no earlier than 9h)
    "#);
    let policies = "@id(\"p\") permit (principal, action, resource) when { context.now < datetime(\"2026-01-01\") };";
    let inquiry = ask(
        &snapshot(policies, &["s"]),
        &contractor,
        &call("s/x"),
        &early,
    );
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    permit p x.cedar:1
      context.now < datetime("2026-01-01") is false
        context.now: datetime("2026-01-01T08:59:00.500Z")
        (the time must be before 2026-01-01)
    "#);
}

#[test]
fn the_nearest_come_first() {
    let viewer = verified(user("viewer", "docs:read"));
    let inquiry = ask(&examples(), &viewer, &call("crm/export"), &context());
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    permit crm-any-role 10-roles.cedar:2
      principal in [Mcp::Role::"admin", Mcp::Role::"manager"] is false
        the caller's roles: [viewer]
    permit read-only-tools 40-conditions.cedar:38
      resource.readOnlyHint is false
      principal.scopes.contains("mcp:read") is false
        principal.scopes: ["docs:read"]
    permit support-search 10-roles.cedar:11
      principal in Mcp::Role::"support" is false
        the caller's roles: [viewer]
      resource == Mcp::Tool::"crm/search" is false
        resource: Mcp::Tool::"crm/export"
    permit tenant-tools 40-conditions.cedar:16
      resource in Mcp::ToolGroup::"tenant-tools" is false
        what the target is in: [Mcp::Server::"crm"]
    "#);
    insta::assert_snapshot!(format!("{} more, {} elsewhere", inquiry.more, inquiry.elsewhere), @r#"0 more, 10 elsewhere"#);
    let nobody = Identity::Anonymous;
    let inquiry = ask(&examples(), &nobody, &call("build/run"), &context());
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    permit ci-bot 30-clients.cedar:2
      principal == Mcp::Client::"https://idp.example#ci-bot" is false
        principal: Mcp::Anonymous::"anonymous"
    permit office-hours 40-conditions.cedar:25
      principal in Mcp::Role::"contractor" is false
        the caller's roles: []
    permit read-only-tools 40-conditions.cedar:38
      principal is Mcp::User is false
        principal: Mcp::Anonymous::"anonymous"
      resource.readOnlyHint is false
      principal.scopes.contains("mcp:read") is false
        principal.scopes: []
    permit tenant-tools 40-conditions.cedar:16
      principal is Mcp::User is false
        principal: Mcp::Anonymous::"anonymous"
      resource in Mcp::ToolGroup::"tenant-tools" is false
        what the target is in: [Mcp::Server::"build"]
    permit desktop-clients 30-clients.cedar:10
      principal is Mcp::User is false
        principal: Mcp::Anonymous::"anonymous"
      action in Mcp::Action::"discover" is false
        action: Mcp::Action::"tools/call"
    "#);
}

#[test]
fn conditions_are_taken_apart_as_cedar_reads_them() {
    let policies = r#"
        @id("either") permit (principal, action, resource)
        when { principal.tenant == "a" || (context.args.hasTag("n") && context.args.getTag("n") has long && context.args.getTag("n").long > 5) };
        @id("branch") permit (principal, action, resource)
        when { if context.http.method == "POST" then principal.email like "*@a.example" else true };
        @id("not") permit (principal, action, resource)
        unless { context.http.method == "POST" && !(principal is Mcp::Client) };
        @id("overflow") permit (principal, action, resource)
        when { context.args.hasTag("n") && context.args.getTag("n") has long &&
               context.args.getTag("n").long * 9223372036854775807 > 0 };
    "#;
    let snapshot = snapshot(policies, &["s"]);
    let mut who = user("", "");
    who.email = "u@b.example".to_owned();
    let call = with_arguments(call("s/x"), "{\"n\": 3}");
    let inquiry = ask(&snapshot, &verified(who), &call, &context());
    insta::assert_snapshot!(lines(&inquiry.near), @r#"
    permit branch x.cedar:4
      if context.http.method == "POST" then principal.email like "*@a.example" else true is false
        context.http.method == "POST": true
        principal.email like "*@a.example" is false
          principal.email: "u@b.example"
    permit either x.cedar:2
      (principal.tenant == "a") || (context.args.hasTag("n") && (context.args.getTag("n") has long) && (context.args.getTag("n").long > 5)) is false
        principal.tenant == "a" is false
          principal.tenant: ""
        context.args.getTag("n").long > 5 is false
          context.args.getTag("n").long: 3
          (the argument `n` must be more than 5)
    permit not x.cedar:6
      (context.http.method == "POST") && (!(principal is Mcp::Client)) is true
        context.http.method == "POST" is true
          context.http.method: "POST"
          (the HTTP method must be other than "POST")
        principal is Mcp::Client is false
          principal: Mcp::User::"https://idp.example#u1"
    permit overflow x.cedar:8
      (context.args.getTag("n").long * 9223372036854775807) > 0 is FAILED: integer overflow while attempting to multiply the values `3` and `9223372036854775807`
        context.args.getTag("n").long: 3
    "#);
}

#[test]
fn what_is_not_known_is_left_alone() {
    let snapshot = examples();
    let gaps = Gaps {
        parts: BTreeSet::from([Part::ClientIp]),
        arguments: KnownArguments::None,
    };
    let support = verified(user("support", ""));
    let inquiry = snapshot.inquire(&call("billing/refund"), &context(), &support, &gaps);
    assert!(matches!(inquiry.foresight, Foresight::Unclear { .. }));
    assert!(inquiry.evaluation.is_none() && inquiry.determining.is_empty());
    let unclear: Vec<_> = inquiry
        .unclear
        .iter()
        .map(|(one, what)| (&*one.id, &**what))
        .collect();
    assert_eq!(
        unclear,
        [("refund-small", &["argument `amount`".to_owned()][..])]
    );
    assert!(
        inquiry
            .near
            .iter()
            .all(|one| &*one.policy.id != "refund-small")
    );
    let viewer = verified(user("viewer", ""));
    let inquiry = snapshot.inquire(&call("build/wipe"), &context(), &viewer, &gaps);
    assert!(matches!(
        inquiry.foresight,
        Foresight::Decided { allow: false, .. } | Foresight::Whole
    ));
    assert_eq!(
        &*inquiry.determining[0].policy.id,
        "no-destructive-without-scope"
    );
}

#[test]
fn a_request_without_a_form_in_cedar_says_why_and_no_more() {
    let refund = with_arguments(call("billing/refund"), "{\"amount\": 9007199254740993}");
    let support = verified(user("support", ""));
    let inquiry = ask(&examples(), &support, &refund, &context());
    let evaluation = inquiry.evaluation.expect("it is decided");
    assert!(
        evaluation.errors[0].message.contains("`amount`"),
        "{evaluation:?}"
    );
    assert!(inquiry.near.is_empty() && inquiry.determining.is_empty());
}

#[test]
fn a_session_id_is_never_shown() {
    let policies =
        "@id(\"p\") permit (principal, action, resource) when { context.session == \"other\" };";
    let context = RequestContext {
        session: "s3cret".to_owned(),
        ..context()
    };
    let inquiry = ask(
        &snapshot(policies, &["s"]),
        &Identity::Anonymous,
        &call("s/x"),
        &context,
    );
    assert_eq!(inquiry.near.len(), 1);
    assert!(!format!("{inquiry:?}").contains("s3cret"), "{inquiry:?}");
}

#[test]
fn policies_that_ask_for_more_than_there_is_time_for_are_cut_off() {
    let clause = "(principal.tenant == \"a\" && principal.email == \"b\")";
    let long = [clause; 30].join(" || ");
    let one = |n: i32| {
        format!(
            "@id(\"p{n:03}\") permit (principal is Mcp::User, action, resource is Mcp::Tool) when {{ {long} }};\n"
        )
    };
    let policies: String = (0..100).map(one).collect();
    let inquiry = ask(
        &snapshot(&policies, &["s"]),
        &verified(user("", "")),
        &call("s/x"),
        &context(),
    );
    assert!(!inquiry.is_complete);
    assert!(inquiry.near.len() <= 10);
    assert_eq!(inquiry.near.len() + inquiry.more, 100);
    assert!(inquiry.near[0].findings.len() <= 8);
}
