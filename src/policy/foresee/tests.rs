//! What is foreseen holds whatever the missing part turns out to be.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::identity::Identity;
use crate::policy::fixtures::call;
use crate::policy::fixtures::context;
use crate::policy::fixtures::snapshot;
use crate::policy::fixtures::user;
use crate::policy::fixtures::verified;
use crate::policy::gaps::KnownArguments;
use crate::policy::gaps::Part;
use crate::policy::properties::compile;
use crate::policy::properties::policy;
use crate::policy::properties::request;

fn gaps(parts: &[Part], arguments: KnownArguments) -> Gaps {
    Gaps {
        parts: parts.iter().copied().collect(),
        arguments,
    }
}

#[test]
fn only_what_a_candidate_reads_is_missing() {
    const POLICIES: &str = r#"
@id("all") permit(principal in Mcp::Role::"a", action, resource);
@id("session") permit(principal in Mcp::Role::"b", action, resource) when { context.session != "" };
@id("amount") forbid(principal, action, resource == Mcp::Tool::"s/pay")
  when { context.args.hasTag("amount") };
@id("never") forbid(principal, action, resource == Mcp::Tool::"s/wipe");
@id("tied") forbid(principal, action, resource == Mcp::Tool::"s/wipe") when { context.session == "" };
"#;
    let policies = snapshot(POLICIES, &["s"]);
    let decided = |allow, policy: &str| Foresight::Decided {
        allow,
        policies: policy
            .split(' ')
            .filter(|p| !p.is_empty())
            .map(Arc::from)
            .collect(),
    };
    let unclear = |missing: &str, policy: &str| Foresight::Unclear {
        missing: BTreeSet::from([missing.to_owned()]),
        policies: BTreeSet::from([Arc::from(policy)]),
    };
    let missing = gaps(&[Part::Session], KnownArguments::None);
    for (roles, tool, expected) in [
        ("a", "s/x", Foresight::Whole),
        ("a,b", "s/x", decided(true, "all")),
        ("b", "s/x", unclear("context.session", "session")),
        // No permit, but what would help may depend on the session.
        ("", "s/x", decided(false, "")),
        ("a", "s/pay", unclear("argument `amount`", "amount")),
        ("", "s/pay", decided(false, "")),
        ("a", "s/wipe", decided(false, "never")),
    ] {
        let facts = policies.facts(&verified(user(roles, "")));
        let found = policies.foresee(&call(tool), &context(), &facts, &missing);
        assert_eq!(found, expected, "{roles} {tool}");
        let nothing = policies.foresee(&call(tool), &context(), &facts, &Gaps::default());
        assert_eq!(nothing, Foresight::Whole);
    }
}

#[test]
fn arguments_that_nobody_knows_may_deny_by_being_read() {
    let text = r#"
@id("all") permit(principal, action, resource);
@id("more") permit(principal, action, resource) when { context.args.hasTag("a") };"#;
    let policies = snapshot(text, &["s"]);
    let facts = policies.facts(&Identity::Anonymous);
    let found = |arguments| {
        let gaps = gaps(&[], arguments);
        policies.foresee(&call("s/x"), &context(), &facts, &gaps)
    };
    let known = |name: &str| KnownArguments::These(BTreeSet::from([name.to_owned()]));
    for arguments in [KnownArguments::None, known("b")] {
        assert!(matches!(found(arguments), Foresight::Unclear { .. }));
    }
    assert_eq!(found(known("a")), Foresight::Whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_foreseen_comes_to_pass(
        policies in prop::collection::vec(policy(), 1..12),
        requests in prop::collection::vec(request(), 8),
        readable: bool,
    ) {
        let Some(snapshot) = compile(&policies) else { return Ok(()) };
        let arguments = if readable {
            KnownArguments::These(BTreeSet::new())
        } else {
            KnownArguments::None
        };
        let gaps = gaps(&[Part::Session], arguments);
        let bodies = ["{}", "{\"n\": 600}", "{\"n\": 9223372036854775807}", "{\"n\": 0.5}", "[]"];
        let bodies = if readable { &bodies[..4] } else { &bodies[..] };
        for (identity, mut operation, mut context) in requests {
            let facts = snapshot.facts(&identity);
            operation.arguments = Arguments::None;
            let foresight = snapshot.foresee(&operation, &context, &facts, &gaps);
            let blind = snapshot.evaluate(&operation, &context, &facts);
            for (session, body) in ["", "s"].into_iter().flat_map(|s| bodies.iter().map(move |b| (s, b))) {
                session.clone_into(&mut context.session);
                operation.arguments = Arguments::Json(Bytes::from(*body));
                let truth = snapshot.evaluate(&operation, &context, &facts);
                match &foresight {
                    Foresight::Whole => prop_assert_eq!(&truth, &blind),
                    Foresight::Decided { allow, policies } => {
                        prop_assert_eq!(truth.allows(), *allow);
                        let subset = policies.iter().all(|id| truth.determining.contains(id));
                        prop_assert!(!allow || subset);
                    }
                    Foresight::Unclear { missing, policies } => {
                        prop_assert!(!missing.is_empty() && !policies.is_empty());
                    }
                }
            }
        }
    }
}
