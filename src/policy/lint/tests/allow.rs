//! What is allowed, by the configuration and by the policy.

use std::path::Path;

use crate::config;
use crate::fault::Fault;
use crate::policy::PolicySnapshot;
use crate::policy::fixtures::files;

/// What is said of a policy under a configuration that allows these names.
fn said(policy: &str, allowed: &str) -> (bool, Vec<String>) {
    let text = format!(
        "authenticators: [{{name: a, type: oidc, issuer: \"https://a.example\"}}]\n\
         resources: [{{name: shop, url: \"https://shop.example/mcp\", kind: mcp}}]\n\
         policies: {{allow_warnings: [{allowed}]}}\n"
    );
    let source = crate::fault::Source {
        name: "cedargate.yaml".into(),
        text: text.into(),
    };
    let loaded = config::parse(&source, Path::new("."), &|_: &str| None).unwrap();
    let files = files(&[("x.cedar", policy)]);
    let (is_valid, faults) = match PolicySnapshot::compile_for(&files, &loaded.config, 1) {
        Ok(snapshot) => (true, snapshot.warnings().to_vec()),
        Err(faults) => (false, faults),
    };
    (is_valid, faults.iter().map(Fault::to_string).collect())
}

const ALL: &str = "permit(principal, action, resource)";

#[test]
fn a_warning_is_an_error_until_it_is_allowed() {
    let policy = |annotation: &str| format!("@id(\"a\")\n{annotation}{ALL};");
    let message = "policy `a` permits everything to everyone, strangers too where a resource accepts \
                   them (say who may: a role, a scope, a client, or for whoever is signed in `unless { \
                   principal is Mcp::Anonymous }`";
    let way_out = "; if it is meant so, allow it with `@allow(\"permit-all\")` on the policy or \
                   `policies.allow_warnings: [permit-all]`)";
    let error = format!("x.cedar:1:1: error[permit-all]: {message}{way_out}");
    let warning = format!("x.cedar:1:1: warning[permit-all]: {message})");
    for (annotation, allowed, expected) in [
        ("", "", (false, &error)),
        ("", "permit-everyone", (false, &error)),
        ("", "permit-all", (true, &warning)),
        ("", "unknown-role, permit-all", (true, &warning)),
        ("@allow(\"permit-all\")\n", "", (true, &warning)),
        ("@allow(\" permit-all \")\n", "permit-all", (true, &warning)),
    ] {
        let (is_valid, faults) = expected;
        assert_eq!(
            said(&policy(annotation), allowed),
            (is_valid, vec![faults.clone()]),
            "{annotation} {allowed}"
        );
    }
}

#[test]
fn an_annotation_is_of_its_own_policy() {
    let policies = format!(
        "@id(\"b\")\n@allow(\"permit-all,like-on-uri\")\n{ALL}\nwhen {{ true }};\n\
         @id(\"a\") permit(principal is Mcp::User, action, resource) when {{ resource is Mcp::Resource && resource.uri like \"a*\" }};"
    );
    let (is_valid, faults) = said(&policies, "");
    assert!(!is_valid);
    let starts = [
        "x.cedar:5:",
        "x.cedar:1:1: warning[permit-all]",
        "x.cedar:2:8: error: there is no warning `like-on-uri` here to allow (take the name out",
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault} is not {start}");
    }
}

#[test]
fn an_annotation_that_means_nothing_is_a_fault() {
    for (names, expected) in [
        (
            "permit-al",
            "`@allow` names `permit-al`, which is no warning (did you mean `permit-all`?)",
        ),
        (
            "everything",
            "`@allow` names `everything`, which is no warning (one of: permit-everyone, permit-all,",
        ),
        (
            "",
            "`@allow` lacks a name (write `@allow(\"name\")`, several names with commas between them)",
        ),
        ("permit-all,", "`@allow` lacks a name"),
        (
            "permit-all, permit-all",
            "`@allow` names `permit-all` twice (once is enough)",
        ),
        (
            "unknown-role, permit-all",
            "there is no warning `unknown-role` here to allow",
        ),
    ] {
        let (is_valid, faults) = said(
            &format!("@allow(\"{names}\") @id(\"a\") {ALL};"),
            "permit-all",
        );
        assert!(!is_valid, "{names}");
        let expected = format!("x.cedar:1:8: error: {expected}");
        assert!(
            faults.iter().any(|fault| fault.starts_with(&expected)),
            "{expected} is not among {faults:#?}"
        );
    }
}

#[test]
fn what_could_not_be_read_makes_no_annotation_useless() {
    let policies = format!("@allow(\"unknown-role\") @id(\"a\") {ALL};\n{ALL};");
    let (_, faults) = said(&policies, "permit-all");
    assert!(faults.iter().any(|fault| fault.contains("has no `@id`")));
    assert!(
        !faults.iter().any(|fault| fault.contains("no warning")),
        "{faults:?}"
    );
}

#[test]
fn without_a_configuration_warnings_stay_warnings() {
    let plain = files(&[("x.cedar", &format!("@id(\"a\") {ALL};"))]);
    let snapshot = PolicySnapshot::compile(&plain, &[], 1).unwrap();
    assert_eq!(snapshot.warnings().len(), 1);
    // Which names are known is not known there, so neither is what the annotation is for.
    let policy = format!("@allow(\"permit-all, unknown-role\") @id(\"a\") {ALL};");
    let annotated = files(&[("x.cedar", &policy)]);
    let snapshot = PolicySnapshot::compile(&annotated, &[], 1).unwrap();
    assert_eq!(snapshot.warnings().len(), 1);
}
