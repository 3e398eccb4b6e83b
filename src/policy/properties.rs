//! What holds for any policies and any request: the index changes no answer, a forbid only takes
//! away, and nothing that an operator writes makes the program panic.

use std::collections::BTreeSet;

use cedar_policy::Authorizer;
use cedar_policy::PolicySet;
use proptest::prelude::*;

use super::Evaluation;
use super::PolicySnapshot;
use super::Requirement;
use super::Verdict;
use super::fixtures::call;
use super::fixtures::context;
use super::fixtures::files;
use super::fixtures::operation;
use super::fixtures::resources;
use super::fixtures::set;
use super::fixtures::user;
use super::fixtures::verified;
use super::fixtures::with_arguments;
use super::reads::Fields;
use super::reads::Reads;
use crate::fault::Severity;
use crate::identity::Identity;
use crate::identity::Principal;
use crate::identity::PrincipalKind;
use crate::request::Action;
use crate::request::Operation;
use crate::request::RequestContext;
use crate::request::Thing;

/// The answer of Cedar itself over every policy, with the whole context; which arguments must be
/// beyond doubt is up to the policies that can matter.
fn whole(
    snapshot: &PolicySnapshot,
    operation: &Operation,
    context: &RequestContext,
    identity: &Identity,
) -> Evaluation {
    let engine = &snapshot.engine;
    let prepared = engine
        .prepare(operation, &snapshot.facts(identity))
        .unwrap();
    let reads = Reads {
        fields: Fields::VALUES,
        arguments: prepared.slice.reads.arguments.clone(),
    };
    let (request, entities) = match engine.question(&prepared, &reads, operation, context) {
        Ok(question) => question,
        Err(unusable) => return Evaluation::unusable(&unusable),
    };
    let all = PolicySet::from_policies(engine.policies.iter().map(|live| live.policy.clone()));
    let response = Authorizer::new().is_authorized(&request, &all.unwrap(), &entities);
    Evaluation::of(&response, engine)
}

fn principal_scope() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "principal",
        "principal",
        "principal is Mcp::User",
        "principal is Mcp::Client",
        "principal == Mcp::User::\"https://idp.example#u1\"",
        "principal in Mcp::Role::\"a\"",
        "principal in Mcp::Role::\"b\"",
        "principal is Mcp::User in Mcp::Group::\"g\"",
    ])
}

fn action_and_resource() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "action, resource",
        "action in Mcp::Action::\"mcp\", resource in Mcp::Server::\"s\"",
        "action == Mcp::Action::\"tools/call\", resource",
        "action == Mcp::Action::\"tools/call\", resource == Mcp::Tool::\"s/x\"",
        "action == Mcp::Action::\"tools/call\", resource is Mcp::Tool in Mcp::Server::\"s\"",
        "action in [Mcp::Action::\"discover\", Mcp::Action::\"tools/call\"], resource in Mcp::Server::\"t\"",
        "action in Mcp::Action::\"discover\", resource is Mcp::Server",
        "action in Mcp::Action::\"http\", resource == Mcp::Route::\"s/r\"",
    ])
}

/// A condition, some of which fail to evaluate for some requests.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "principal in Mcp::Role::\"a\"",
        "principal in [Mcp::Role::\"b\", Mcp::Group::\"g\"]",
        "principal is Mcp::User in Mcp::Role::\"c\"",
        "principal == Mcp::User::\"https://idp.example#u1\"",
        "principal.scopes.contains(\"p\")",
        "principal.scopes.containsAny([\"p\", \"q\"])",
        "principal.scopes.containsAll([\"p\", \"q\"])",
        "principal.clientId == \"app\"",
        "[\"app\", \"web\"].contains(principal.clientId)",
        "principal.tenant == \"t\"",
        "context.http.method == \"POST\"",
        "context.session == principal.clientId",
        "context.clientIp.isInRange(ip(\"10.0.0.0/8\"))",
        "context.now.toTime() < duration(\"13h\")",
        "context.session == \"s\"",
        "context.args.hasTag(\"n\")",
        "(context.args.hasTag(\"n\") && context.args.getTag(\"n\") has long && \
          context.args.getTag(\"n\").long * 2 > 1000)",
        "true",
        "false",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 10, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a} && {b})")),
            two.prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

pub(super) fn policy() -> impl Strategy<Value = String> {
    let clause = (any::<bool>(), condition()).prop_map(|(when, condition)| {
        let word = if when { "when" } else { "unless" };
        format!(" {word} {{ {condition} }}")
    });
    (
        prop::bool::weighted(0.3),
        principal_scope(),
        action_and_resource(),
        prop::collection::vec(clause, 0..3),
    )
        .prop_map(|(forbid, principal, rest, clauses)| {
            let effect = if forbid { "forbid" } else { "permit" };
            format!("{effect} ({principal}, {rest}){};", clauses.concat())
        })
}

pub(super) fn request() -> impl Strategy<Value = (Identity, Operation, RequestContext)> {
    let some = |names: &'static [&'static str]| {
        prop::sample::subsequence(names, 0..=names.len()).prop_map(|names| names.join(","))
    };
    let caller = (
        some(&["a", "b", "c", "d"]),
        some(&["p", "q", "r"]),
        some(&["g", "h"]),
        prop::sample::select(vec!["", "app", "web", "other"]),
        any::<Option<bool>>(),
    )
        .prop_map(|(roles, scopes, groups, client, kind)| {
            let mut principal = user(&roles, &scopes);
            principal.groups = set(&groups);
            principal.client_id = client.to_owned();
            match kind {
                None => return Identity::Anonymous,
                Some(true) => {}
                Some(false) => principal.kind = PrincipalKind::Client,
            }
            verified(principal)
        });
    let what = prop::sample::select(vec![
        call("s/x"),
        call("s/y"),
        call("t/x"),
        operation(Action::ToolsList, "s", Thing::Server),
        operation(Action::Initialize, "t", Thing::Server),
        operation(Action::Get, "s", Thing::Route("r".into())),
    ]);
    let arguments = prop::sample::select(vec![
        "{}",
        "{\"n\": 600}",
        // Overflows where it is doubled.
        "{\"n\": 5000000000000000000}",
        // 9007199254740992 to others.
        "{\"n\": 9007199254740993}",
        "{\"n\": 600, \"id\": 9007199254740993}",
    ]);
    (caller, what, arguments, any::<bool>()).prop_map(|(caller, what, arguments, known)| {
        let mut context = context();
        context.client_ip = context.client_ip.filter(|_| known);
        (caller, with_arguments(what, arguments), context)
    })
}

/// Policies by number, without those that the validator refuses as impossible.
pub(super) fn compile(policies: &[String]) -> Option<PolicySnapshot> {
    let text: Vec<String> = (0..)
        .zip(policies)
        .map(|(n, policy): (usize, _)| format!("@id(\"p{n:03}\") {policy}\n"))
        .collect();
    let resources = resources(&["s", "t"]);
    let compile =
        |text: String| PolicySnapshot::compile(&files(&[("x.cedar", &text)]), &resources, 1);
    match compile(text.concat()) {
        Ok(snapshot) => Some(snapshot),
        Err(faults) => {
            let bad: BTreeSet<usize> = faults
                .iter()
                .filter(|fault| fault.severity == Severity::Error)
                .filter_map(|fault| fault.position)
                .map(|position| position.line.saturating_sub(1))
                .collect();
            let good = (0..).zip(text).filter(|(line, _)| !bad.contains(line));
            compile(good.map(|(_, text)| text).collect()).ok()
        }
    }
}

fn give(who: &mut Principal, part: &Requirement) {
    match part {
        Requirement::Role(name) => drop(who.roles.replace(name.clone())),
        Requirement::Group(name) => drop(who.groups.replace(name.clone())),
        Requirement::Scope(name) => drop(who.scopes.replace(name.clone())),
        Requirement::Client(name) => who.client_id.clone_from(name),
    }
}

/// Callers with everything that a policy here could ask for, and with nothing.
fn everybody() -> Vec<Principal> {
    let mut all = Vec::new();
    for roles in ["", "a", "b", "a,b", "c", "a,b,c"] {
        for scopes in ["", "p", "q", "p,q"] {
            for (groups, client) in [("", ""), ("g", "app"), ("g", "web"), ("", "app")] {
                let mut principal = user(roles, scopes);
                principal.groups = set(groups);
                principal.client_id = client.to_owned();
                all.push(principal);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_index_changes_no_answer(
        policies in prop::collection::vec(policy(), 1..20),
        requests in prop::collection::vec(request(), 12),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let facts = snapshot.facts(identity);
            let ours = snapshot.evaluate(operation, context, &facts);
            let theirs = whole(&snapshot, operation, context, identity);
            prop_assert_eq!(ours.verdict, theirs.verdict);
            prop_assert_eq!(&ours.determining, &theirs.determining);
            let forbids = |evaluation: &Evaluation| -> BTreeSet<_> {
                let forbids = evaluation.errors.iter().filter(|error| error.forbid);
                forbids.map(|error| error.policy.to_string()).collect()
            };
            prop_assert_eq!(forbids(&ours), forbids(&theirs));
            let again = snapshot.evaluate(operation, context, &facts);
            prop_assert_eq!(ours, again, "a remembered answer is the same");
            for (_, _, other) in &requests {
                let elsewhere = snapshot.evaluate(operation, other, &facts).verdict;
                let whole = whole(&snapshot, operation, other, identity).verdict;
                prop_assert_eq!(elsewhere, whole, "and no answer to other circumstances");
            }
        }
    }

    #[test]
    fn a_forbid_only_takes_away(
        policies in prop::collection::vec(policy(), 1..12),
        forbid in policy(),
        requests in prop::collection::vec(request(), 12),
    ) {
        let more = [policies.clone(), vec![forbid.replacen("permit", "forbid", 1)]].concat();
        let (Some(fewer), Some(more)) = (compile(&policies), compile(&more)) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let before = fewer.evaluate(operation, context, &fewer.facts(identity));
            let after = more.evaluate(operation, context, &more.facts(identity));
            prop_assert!(before.allows() || !after.allows());
        }
    }

    #[test]
    fn a_number_in_doubt_denies_where_it_is_read_and_changes_nothing_elsewhere(
        policies in prop::collection::vec(policy(), 1..12),
        requests in prop::collection::vec(request(), 12),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let facts = snapshot.facts(identity);
            let evaluate = |arguments: &str| {
                let operation = with_arguments(operation.clone(), arguments);
                snapshot.evaluate(&operation, context, &facts)
            };
            let plain = evaluate("{\"n\": 9007199254740994}");
            let beside = "{\"n\": 9007199254740994, \"id\": 9007199254740993, \"N\": [0.10000000000000000001]}";
            prop_assert_eq!(&plain, &evaluate(beside));
            let doubtful = evaluate("{\"n\": 9007199254740993}");
            let prepared = snapshot.engine.prepare(operation, &facts).unwrap();
            if prepared.slice.reads.arguments.contains("n") {
                prop_assert_eq!(doubtful.verdict, Verdict::ForbidFailed);
                prop_assert_eq!(doubtful, evaluate("{\"n\": [1, 9007199254740993]}"));
            } else {
                prop_assert_eq!(doubtful, plain);
            }
        }
    }

    #[test]
    fn what_an_explanation_promises_is_so(
        policies in prop::collection::vec(policy(), 1..12),
        requests in prop::collection::vec(request(), 6),
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        for (identity, operation, context) in &requests {
            let Identity::Verified(principal) = identity else { continue };
            let explanation = snapshot.explain(operation, context, identity);
            let allowed = |change: &dyn Fn(&mut Principal)| {
                let mut changed = (**principal).clone();
                change(&mut changed);
                let facts = snapshot.facts(&verified(changed));
                snapshot.evaluate(operation, context, &facts).allows()
            };
            for role in &explanation.roles_any {
                let promised = allowed(&|who| drop(who.roles.replace(role.clone())));
                prop_assert!(promised, "role {role}");
            }
            for client in &explanation.clients_any {
                prop_assert!(allowed(&|who| who.client_id.clone_from(client)));
            }
            for scope in &explanation.scopes_any {
                let alone = BTreeSet::from([scope.clone()]);
                prop_assert!(allowed(&|who| who.scopes.clone_from(&alone)), "scope {scope}");
                prop_assert!(allowed(&|who| drop(who.scopes.replace(scope.clone()))));
            }
            for rule in &explanation.rules {
                let promised = allowed(&|who| rule.missing.iter().for_each(|part| give(who, part)));
                prop_assert!(promised, "{rule:?}");
                prop_assert!(!rule.missing.is_empty());
                prop_assert!(rule.missing.iter().all(|part| rule.needs.contains(part)));
            }
            for who in explanation.nothing_helps.then(everybody).into_iter().flatten() {
                let change = |changed: &mut Principal| {
                    changed.roles.clone_from(&who.roles);
                    changed.scopes.clone_from(&who.scopes);
                    changed.groups.clone_from(&who.groups);
                    changed.client_id.clone_from(&who.client_id);
                };
                prop_assert!(!allowed(&change), "{who:?}");
            }
            if !explanation.required_scopes.is_empty() {
                let required: BTreeSet<_> = explanation.required_scopes.iter().cloned().collect();
                prop_assert!(allowed(&|who| who.scopes.clone_from(&required)));
                prop_assert!(!explanation.missing_scopes.is_empty());
                for missing in &explanation.missing_scopes {
                    prop_assert!(required.contains(missing) && !principal.scopes.contains(missing));
                }
            }
        }
    }
}
