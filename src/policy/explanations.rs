//! What the explanations of the examples and of the starter set say, and those of every shape of policy.

mod scopes;
mod shapes;

use crate::identity::Identity;
use crate::policy::PolicyFiles;
use crate::policy::PolicySnapshot;
use crate::policy::Verdict;
use crate::policy::fixtures::all;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::examples;
use crate::policy::fixtures::operation;
use crate::policy::fixtures::resource;
use crate::policy::fixtures::resources;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::fixtures::with_arguments;
use crate::request::Action;
use crate::request::RequestContext;
use crate::request::Thing;

/// What every call carries; only the policy on refunds reads it.
const REFUND: &str = "{\"amount\": 900}";

fn told(snapshot: &PolicySnapshot, tool: &str, context: &RequestContext, who: &Identity) -> String {
    snapshot
        .explain(&with_arguments(call(tool), REFUND), context, who)
        .message(who, true)
}

#[test]
fn the_examples_explain_themselves() {
    let snapshot = examples();
    let outside = RequestContext {
        client_ip: Some([192, 0, 2, 1].into()),
        ..context()
    };
    for (roles, scopes, tool, context, expected) in [
        (
            "viewer",
            "",
            "crm/export",
            &context(),
            "requires any of roles [admin, manager], but client has [viewer]",
        ),
        (
            "viewer",
            "",
            "crm/export",
            &outside,
            "forbidden by policy admin-ip-allowlist: The crm server can be called only from the office network or the VPN.",
        ),
        (
            "",
            "docs:read",
            "docs/update",
            &context(),
            "requires all of scopes [docs:read, docs:write], but token has [docs:read], missing [docs:write]",
        ),
        (
            "hr",
            "",
            "payroll/run",
            &context(),
            "requires all of roles [finance, hr], but client has [hr], missing [finance]",
        ),
        (
            "",
            "",
            "payroll/run",
            &context(),
            "requires all of roles [finance, hr], but client has [], missing [finance, hr]",
        ),
        (
            "support",
            "",
            "billing/refund",
            &context(),
            "no policy allows this for any role, scope or client; policy refund-small depends on the arguments",
        ),
        (
            "contractor",
            "",
            "build/wipe",
            &context(),
            "requires any of scopes [mcp:destructive], but token has []; forbidden by policy \
          no-destructive-without-scope: Destructive tools need the scope mcp:destructive.",
        ),
    ] {
        let caller = verified(user(roles, scopes));
        assert_eq!(told(&snapshot, tool, context, &caller), expected);
    }
}

#[test]
fn other_answers_of_the_examples() {
    let snapshot = examples();
    let admin = verified(user("admin", ""));
    let explanation = snapshot.explain(&call("crm/export"), &context(), &admin);
    assert_eq!(
        explanation,
        crate::policy::Explanation::default(),
        "it is allowed"
    );
    let list = operation(Action::ToolsList, "build", Thing::Server);
    let caller = verified(user("", ""));
    let explanation = snapshot.explain(&list, &context(), &caller);
    assert_eq!(explanation.clients_any, ["claude-desktop", "vscode"]);
    let docs = operation(Action::ToolsList, "docs", Thing::Server);
    let challenged = snapshot.challenge_scopes(&all(&[docs]), &context());
    assert_eq!(*challenged, ["docs:read"]);
}

#[test]
fn the_starter_set_means_what_it_says() {
    let snapshot = PolicySnapshot::compile(&PolicyFiles::embedded(), &resources(&["weather"]), 1)
        .unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(snapshot.warnings(), []);
    let tools = ["get_forecast", "set_alert", "delete_station", "unheard_of"];
    let allowed = |who: &Identity| -> String {
        let evaluate = |operation| {
            let evaluation =
                snapshot.evaluate(&operation, &RequestContext::default(), &snapshot.facts(who));
            if evaluation.allows() { '+' } else { '-' }
        };
        let list = operation(Action::ToolsList, "weather", Thing::Server);
        let calls = tools.map(|tool| call(&format!("weather/{tool}")));
        std::iter::once(list).chain(calls).map(evaluate).collect()
    };
    for (who, expected) in [
        (Identity::Anonymous, "-----"),
        (verified(user("", "")), "+----"),
        (verified(user("viewer", "")), "++---"),
        (verified(user("editor", "")), "+++--"),
        (verified(user("admin", "")), "+++++"),
        (verified(user("", "weather:read")), "++---"),
        (verified(user("", "weather:write")), "+-+--"),
        (verified(user("viewer", "weather:write")), "+++--"),
    ] {
        assert_eq!(allowed(&who), expected, "{who:?}");
    }
    let viewer = verified(user("viewer", ""));
    let message = told(&snapshot, "weather/delete_station", &context(), &viewer);
    assert_eq!(
        message,
        "requires any of roles [admin], but client has [viewer]; forbidden by policy \
         no-destructive-without-admin: Only an admin may call a tool that destroys something."
    );
    let alert = snapshot.explain(&call("weather/set_alert"), &context(), &viewer);
    assert_eq!(alert.roles_any, ["admin", "editor"]);
    assert_eq!(alert.missing_scopes, ["weather:write"]);
    let list = operation(Action::ToolsList, "weather", Thing::Server);
    let explanation = snapshot.explain(&list, &context(), &Identity::Anonymous);
    assert!(explanation.credential_suffices);
    assert_eq!(explanation.required_scopes, Vec::<String>::new());
    let forecast = call("weather/get_forecast");
    let challenged = snapshot.challenge_scopes(&all(&[forecast]), &context());
    assert_eq!(*challenged, ["weather:read"]);
}

#[test]
fn a_mixed_need_is_no_scope_challenge() {
    let snapshot = snapshot(
        "@id(\"a\") permit(principal in Mcp::Role::\"r\", action, resource)
         when { principal.scopes.contains(\"s\") };
         @id(\"b\") permit(principal, action, resource)
         when { principal.scopes.contains(\"not a scope\") };",
        &["s"],
    );
    let caller = verified(user("", ""));
    let explanation = snapshot.explain(&call("s/x"), &context(), &caller);
    assert_eq!(explanation.required_scopes, Vec::<String>::new());
    assert_eq!(explanation.rules.len(), 1);
    let holder = verified(user("r", ""));
    let explanation = snapshot.explain(&call("s/x"), &context(), &holder);
    assert_eq!(explanation.required_scopes, ["s"]);
}

#[test]
fn broad_scopes_stand_for_narrow_ones() {
    let mut files = resource("s");
    files.scope_hierarchy = vec![
        ("admin".to_owned(), vec!["write".to_owned()]),
        ("write".to_owned(), vec!["read".to_owned()]),
    ];
    let policies = crate::policy::fixtures::files(&[(
        "x.cedar",
        "@id(\"a\") permit(principal, action == Mcp::Action::\"tools/call\", resource)
         when { principal.scopes.containsAll([\"read\", \"write\"]) };",
    )]);
    let snapshot =
        PolicySnapshot::compile(&policies, &[files.into(), resource("t").into()], 1).unwrap();
    let verdict = |tool, scopes| {
        let facts = snapshot.facts(&verified(user("", scopes)));
        snapshot.evaluate(&call(tool), &context(), &facts).verdict
    };
    assert_eq!(verdict("s/x", "admin"), Verdict::Allow);
    assert_eq!(verdict("t/x", "admin"), Verdict::NotPermitted);
    let reader = verified(user("", "read"));
    let explanation = snapshot.explain(&call("s/x"), &context(), &reader);
    assert_eq!(explanation.required_scopes, ["write"]);
    let explanation = snapshot.explain(&call("t/x"), &context(), &reader);
    assert_eq!(explanation.required_scopes, ["read", "write"]);
}
