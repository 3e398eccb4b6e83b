//! The example policies, case by case, with requests and entities held against the schema.

use std::borrow::Cow;

use cedar_policy::Entities;
use cedar_policy::Request;

use super::Evaluation;
use super::PolicySnapshot;
use super::Verdict;
use super::facts::nobody;
use super::fixtures::call;
use super::fixtures::context;
use super::fixtures::examples;
use super::fixtures::operation;
use super::fixtures::set;
use super::fixtures::user;
use super::fixtures::verified;
use super::fixtures::with_arguments;
use super::reads::Fields;
use super::reads::Names;
use super::reads::Reads;
use super::vocabulary;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Action;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Thing;

/// Evaluates after checking that everything handed to Cedar is what the schema says: that is what
/// makes the validator's verdict on the policies worth something.
fn checked(
    snapshot: &PolicySnapshot,
    operation: &Operation,
    context: &RequestContext,
    identity: &Identity,
) -> Evaluation {
    let schema = vocabulary::schema().unwrap();
    let engine = &snapshot.engine;
    let facts = snapshot.facts(identity);
    let prepared = engine.prepare(operation, &facts).unwrap();
    let mut complete = context.clone();
    complete.client_ip.get_or_insert([192, 0, 2, 1].into());
    let reads = Reads {
        fields: Fields::ALL,
        arguments: Names::All,
    };
    let (request, entities) = engine
        .question(&prepared, &reads, operation, &complete)
        .unwrap();
    Request::new(
        request.principal().unwrap().clone(),
        request.action().unwrap().clone(),
        request.resource().unwrap().clone(),
        request.context().unwrap().clone(),
        Some(&schema),
    )
    .unwrap();
    // The schema adds its own actions.
    let others = Cow::into_owned(entities)
        .into_iter()
        .filter(|entity| entity.uid().type_name().basename() != "Action");
    Entities::from_entities(others, Some(&schema)).unwrap();
    snapshot.evaluate(operation, context, &facts)
}

fn with(mut principal: Principal, change: impl FnOnce(&mut Principal)) -> Identity {
    change(&mut principal);
    verified(principal)
}

fn client(id: &str) -> Identity {
    with(nobody(PrincipalKind::Client), |client| {
        client.id = format!("https://idp.example#{id}");
        client.client_id = id.to_owned();
    })
}

fn refund(json: &str) -> Operation {
    with_arguments(call("billing/refund"), json)
}

fn at(hours: i32, minutes: i32) -> RequestContext {
    let minute: i64 = hours.saturating_mul(60).saturating_add(minutes).into();
    let since_midnight = minute.saturating_mul(60_000);
    RequestContext {
        now_ms: since_midnight.saturating_add(1_767_225_600_000),
        ..context()
    }
}

fn from(ip: &str) -> RequestContext {
    RequestContext {
        client_ip: Some(ip.parse().unwrap()),
        ..context()
    }
}

/// What happens, who asks, for what, under which circumstances, and what comes of it.
type Case = (
    &'static str,
    Identity,
    Operation,
    RequestContext,
    Verdict,
    &'static str,
);

#[expect(clippy::too_many_lines, reason = "a table")]
#[rustfmt::skip] // a table with a line for each case
fn cases() -> Vec<Case> {
    use Verdict::Allow;
    use Verdict::Forbidden;
    use Verdict::NotPermitted;
    let any = Identity::Anonymous;
    let route = |action, name: &str| operation(action, "site", Thing::Route(name.into()));
    let server = |action, name| operation(action, name, Thing::Server);
    let read = |uri: &str| operation(Action::ResourcesRead, "docs", Thing::Resource(uri.into()));
    let roles = |roles| verified(user(roles, ""));
    let scopes = |scopes| verified(user("", scopes));
    let through = |client: &str| with(user("", ""), |user| user.client_id = client.to_owned());
    let tenant = |tenant: &str| with(user("", ""), |user| user.tenant = tenant.to_owned());
    let suspended = |roles| with(user(roles, ""), |user| user.groups = set("suspended"));
    let department = |names| {
        with(user("", ""), |user| {
            user.claims.insert("department".to_owned(), set(names));
        })
    };
    let here = context;
    vec![
        ("health is open", any.clone(), route(Action::Get, "health"), here(), Allow, "public-health"),
        ("another route is not", any.clone(), route(Action::Get, "reports"), here(), NotPermitted, ""),
        ("nor another method", any.clone(), route(Action::Post, "health"), here(), NotPermitted, ""),
        ("a stranger may initialize", any.clone(), server(Action::Initialize, "crm"), here(), Allow, "public-initialize"),
        ("a stranger may not list", any.clone(), server(Action::ToolsList, "docs"), here(), NotPermitted, ""),
        ("nor end a session", any.clone(), server(Action::SessionDelete, "docs"), here(), NotPermitted, ""),
        ("any role of several", roles("manager"), call("crm/export"), here(), Allow, "crm-any-role"),
        ("none of several", roles("viewer"), call("crm/export"), here(), NotPermitted, ""),
        ("one role", roles("support"), call("crm/search"), here(), Allow, "support-search"),
        ("one role, another tool", roles("support"), call("crm/export"), here(), NotPermitted, ""),
        ("all roles", roles("hr,finance"), call("payroll/run"), here(), Allow, "payroll-all-roles"),
        ("one of all roles", roles("hr"), call("payroll/run"), here(), NotPermitted, ""),
        ("any scope of several", scopes("docs:write"), read("file:///a"), here(), Allow, "docs-any-scope"),
        ("any scope, listing", scopes("docs:read"), server(Action::ResourcesList, "docs"), here(), Allow, "docs-any-scope"),
        ("none of the scopes", scopes("mail:read"), read("file:///a"), here(), NotPermitted, ""),
        ("a longer scope is another", scopes("docs:read-all"), read("file:///a"), here(), NotPermitted, ""),
        ("all scopes", scopes("docs:read,docs:write"), call("docs/update"), here(), Allow, "docs-write-all-scopes"),
        ("one of all scopes", scopes("docs:read"), call("docs/update"), here(), NotPermitted, ""),
        ("a machine client", client("ci-bot"), call("build/run"), here(), Allow, "ci-bot"),
        ("another machine client", client("ci-bot2"), call("build/run"), here(), NotPermitted, ""),
        ("the app of a user", through("vscode"), server(Action::ToolsList, "build"), here(), Allow, "desktop-clients"),
        ("another app", through("curl"), server(Action::ToolsList, "build"), here(), NotPermitted, ""),
        ("a small argument", roles("support"), refund("{\"amount\": 500}"), here(), Allow, "refund-small"),
        ("a large argument", roles("support"), refund("{\"amount\": 501}"), here(), NotPermitted, ""),
        ("no argument", roles("support"), call("billing/refund"), here(), NotPermitted, ""),
        ("an argument of another type", roles("support"), refund("{\"amount\": \"5\"}"), here(), NotPermitted, ""),
        ("the same tenant", tenant("a"), call("tenants/a"), here(), Allow, "tenant-tools"),
        ("another tenant", tenant("b"), call("tenants/a"), here(), NotPermitted, ""),
        ("no tenant on either side", tenant(""), call("tenants/none"), here(), NotPermitted, ""),
        ("office hours begin", roles("contractor"), call("build/run"), at(9, 0), Allow, "office-hours"),
        ("before office hours", roles("contractor"), call("build/run"), at(8, 59), NotPermitted, ""),
        ("office hours are over", roles("contractor"), call("build/run"), at(17, 0), NotPermitted, ""),
        ("a read-only tool", scopes("mcp:read"), call("crm/search"), here(), Allow, "read-only-tools"),
        ("a tool nobody listed", scopes("mcp:read"), call("crm/unheard-of"), here(), Forbidden, "no-destructive-without-scope"),
        ("a claim", department("finance,it"), route(Action::Get, "reports"), here(), Allow, "dept-claim"),
        ("another value of the claim", department("it"), route(Action::Get, "reports"), here(), NotPermitted, ""),
        ("no such claim", roles("admin"), route(Action::Get, "reports"), here(), NotPermitted, ""),
        ("outside the network", roles("admin"), call("crm/export"), from("192.0.2.1"), Forbidden, "admin-ip-allowlist"),
        ("inside, version 6", roles("admin"), call("crm/export"), from("2001:db8::1"), Allow, "crm-any-role"),
        ("destructive", roles("contractor"), call("build/wipe"), here(), Forbidden, "no-destructive-without-scope"),
        ("destructive, with the scope", with(user("contractor", "mcp:destructive"), |_| {}), call("build/wipe"), here(), Allow, "office-hours"),
        ("destructive, but vetted", roles("contractor"), call("build/vetted"), here(), Allow, "office-hours"),
        ("suspended", suspended("admin"), call("crm/export"), here(), Forbidden, "suspended"),
        ("address unknown", roles("admin"), call("crm/export"), RequestContext { client_ip: None, ..here() }, Verdict::ForbidFailed, "admin-ip-allowlist"),
    ]
}

#[test]
fn the_examples_decide_as_they_say() {
    let snapshot = examples();
    for (name, identity, operation, context, verdict, determining) in cases() {
        let evaluation = checked(&snapshot, &operation, &context, &identity);
        let ids: Vec<_> = evaluation.determining.iter().map(|id| &**id).collect();
        assert_eq!(
            (evaluation.verdict, ids.join(",")),
            (verdict, determining.to_owned()),
            "{name}: {evaluation:?}"
        );
    }
}
