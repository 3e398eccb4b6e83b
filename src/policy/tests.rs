//! What a snapshot does with a directory and with requests at the edge.

use super::fixtures::call;
use super::fixtures::context;
use super::fixtures::resources;
use super::fixtures::snapshot;
use super::fixtures::user;
use super::fixtures::verified;
use super::*;

const ALL: &str = "@id(\"all\") permit(principal, action, resource);";

#[test]
fn every_fault_of_a_directory_is_reported_at_once() {
    let files = fixtures::files(&[
        ("a.cedar", "permit(principal, action, resource);"),
        (
            "b.cedar",
            "@id(\"b\") permit(principal, action, resource) when { principal.nope };",
        ),
        ("entities.json", "{}"),
        ("principals.yaml", "users: {alice: {}}"),
        ("schema.cedarschema", "namespace Mcp {}"),
        ("tools.json", "{\"tools\": [{}]}"),
    ]);
    let faults = PolicySnapshot::compile(&files, &resources(&["s"]), 1).unwrap_err();
    let named: std::collections::BTreeSet<_> = faults.iter().map(|fault| &*fault.file).collect();
    let all: std::collections::BTreeSet<_> = files.files.iter().map(|file| &*file.name).collect();
    assert_eq!(named, all, "{faults:#?}");
}

#[test]
fn a_policy_that_is_only_logged_is_not_in_force() {
    let text =
        format!("{ALL} @id(\"no\") @mode(\"log_only\") forbid(principal, action, resource);");
    let snapshot = snapshot(&text, &["s"]);
    let facts = snapshot.facts(&verified(user("", "")));
    let evaluation = snapshot.evaluate(&call("s/x"), &context(), &facts);
    assert_eq!(
        (evaluation.verdict, evaluation.determining.len()),
        (Verdict::Allow, 1)
    );
    let listed: Vec<_> = snapshot
        .policies()
        .map(|one| (&*one.id, one.enforced))
        .collect();
    assert_eq!(listed, [("all", true), ("no", false)]);
    assert_eq!(snapshot.policy_count(), 2);
}

#[test]
fn facts_of_another_snapshot_give_the_answers_of_this_one() {
    let old = snapshot(
        "@id(\"a\") permit(principal in Mcp::Role::\"a\", action, resource);",
        &["s"],
    );
    let new = snapshot(
        "@id(\"b\") permit(principal in Mcp::Role::\"b\", action, resource);",
        &["s"],
    );
    for (role, expected) in [("a", Verdict::NotPermitted), ("b", Verdict::Allow)] {
        let facts = old.facts(&verified(user(role, "")));
        assert_eq!(
            new.evaluate(&call("s/x"), &context(), &facts).verdict,
            expected
        );
    }
}

#[test]
fn what_has_no_form_in_cedar_is_denied() {
    let snapshot = snapshot(ALL, &["s"]);
    let facts = snapshot.facts(&Identity::Anonymous);
    assert!(snapshot.evaluate(&call("s/x"), &context(), &facts).allows());
    let elsewhere = snapshot.evaluate(&call("other/x"), &context(), &facts);
    assert_eq!(elsewhere.verdict, Verdict::ForbidFailed);
    assert_eq!(elsewhere.errors.len(), 1);
}

#[test]
fn a_name_of_any_length_gets_an_answer() {
    let snapshot = snapshot(ALL, &["s"]);
    let facts = snapshot.facts(&Identity::Anonymous);
    let long = format!("s/{}", "x\"\\".repeat(10_000));
    assert!(snapshot.evaluate(&call(&long), &context(), &facts).allows());
}

#[test]
fn a_snapshot_prints_no_policy() {
    let snapshot = snapshot(ALL, &["s"]);
    assert_eq!(snapshot.digest().len(), 64);
    let printed = format!("{snapshot:?}");
    assert!(
        printed.contains("generation: 1") && !printed.contains("permit"),
        "{printed}"
    );
}

#[test]
fn a_forbid_that_fails_denies_whatever_else_it_asks() {
    // By its second half the forbid is about editors only, but nobody gets to the second half.
    let text = format!(
        "{ALL} @id(\"no\") forbid(principal, action, resource)
         when {{ context.clientIp.isLoopback() && principal in Mcp::Role::\"editor\" }};"
    );
    let snapshot = snapshot(&text, &["s"]);
    let facts = snapshot.facts(&verified(user("viewer", "")));
    assert!(snapshot.evaluate(&call("s/x"), &context(), &facts).allows());
    let unknown = RequestContext {
        client_ip: None,
        ..context()
    };
    let evaluation = snapshot.evaluate(&call("s/x"), &unknown, &facts);
    assert_eq!(evaluation.verdict, Verdict::ForbidFailed);
    assert_eq!(evaluation.determining, [Arc::<str>::from("no")]);
}

#[test]
fn a_permit_that_fails_has_no_effect() {
    let text =
        "@id(\"a\") permit(principal, action, resource) when { context.clientIp.isLoopback() };
        @id(\"b\") permit(principal in Mcp::Role::\"b\", action, resource);";
    let snapshot = snapshot(text, &["s"]);
    let unknown = RequestContext::default();
    for (role, expected) in [("a", Verdict::NotPermitted), ("b", Verdict::Allow)] {
        let facts = snapshot.facts(&verified(user(role, "")));
        let evaluation = snapshot.evaluate(&call("s/x"), &unknown, &facts);
        assert_eq!(evaluation.verdict, expected);
        let failed: Vec<_> = evaluation
            .errors
            .iter()
            .map(|e| (&*e.policy, e.forbid))
            .collect();
        assert_eq!(failed, [("a", false)]);
    }
}

#[test]
fn a_policy_that_looks_elsewhere_is_refused() {
    let text = "@id(\"a\") forbid(principal, action, resource)
        when { Mcp::Server::\"s\".tenant == principal.tenant };";
    let files = fixtures::files(&[("x.cedar", text)]);
    let faults = PolicySnapshot::compile(&files, &resources(&["s"]), 1).unwrap_err();
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(
        shown.iter().any(|fault| fault.starts_with(
            "x.cedar:1:1: error: policy `a` looks into an entity that it names itself"
        )),
        "{shown:#?}"
    );
}

#[test]
fn facts_about_principals_are_part_of_the_set() {
    let with = |principals: &str| {
        let admins = "@id(\"a\") permit(principal in Mcp::Role::\"admin\", action, resource);";
        let files = fixtures::files(&[("a.cedar", admins), ("principals.yaml", principals)]);
        PolicySnapshot::compile(&files, &resources(&["s"]), 1)
    };
    let allows = |snapshot: &PolicySnapshot, identity: &Identity| {
        let facts = snapshot.facts(&snapshot.enrich_identity(identity));
        let evaluation = snapshot.evaluate(&call("s/x"), &context(), &facts);
        evaluation.allows()
    };
    let silent = with("").unwrap();
    let telling = with("users: {\"https://idp.example#u1\": {roles: [admin]}}").unwrap();
    assert_ne!(silent.digest(), telling.digest());
    let caller = verified(user("", ""));
    assert!(!allows(&silent, &caller) && allows(&telling, &caller));
    assert!(!allows(&telling, &Identity::Anonymous));
    assert_eq!(
        telling.enrich_identity(&Identity::Anonymous),
        Identity::Anonymous
    );
    let faults = with("users:\n  u1: {roles: [admin]}\n").unwrap_err();
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("principals.yaml:2:3: error: `u1` does not name an issuer"),
        "{faults:?}"
    );
}
