//! What a check records of policies that are only tried, and that it changes nothing else.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::PERMIT;
use super::Stage;
use super::reason;
use super::stage_under;
use crate::decision::Reason;
use crate::source::Refresh;

/// Without what is different at every check, or may be.
fn comparable(mut record: Value) -> (Value, Option<Value>) {
    let fields = record.as_object_mut().unwrap();
    let shadow = fields.remove("shadow");
    for name in ["decision_id", "request_id"] {
        fields.remove(name);
    }
    (record, shadow)
}

const NONE: &str = "";
const FORBID: &str = "@id(\"no\") forbid (principal, action, resource);";
/// The address is not known: this cannot be evaluated.
const ADDRESS: &str = "@id(\"at\") permit (principal, action, resource) \
                       when { context has clientIp && context.clientIp.isInRange(ip(\"10.0.0.0/8\")) };";

/// What is in force, what is tried by `log_only` and by `shadow_dir`; what is then recorded, whose
/// opinion, what it says, by which policies; and the policy that is counted.
type Tried = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<(&'static str, &'static str, &'static [&'static str])>,
    Option<&'static str>,
);

const TRIED: [Tried; 11] = [
    (PERMIT, NONE, None, None, None),
    (
        PERMIT,
        NONE,
        Some(PERMIT),
        Some(("shadow_dir", "allow", &["all"])),
        None,
    ),
    (
        PERMIT,
        NONE,
        Some(FORBID),
        Some(("shadow_dir", "deny", &["no"])),
        Some("no"),
    ),
    (
        PERMIT,
        NONE,
        Some(NONE),
        Some(("shadow_dir", "deny", &[])),
        Some("all"),
    ),
    (
        NONE,
        NONE,
        Some(PERMIT),
        Some(("shadow_dir", "allow", &["all"])),
        Some("all"),
    ),
    (
        PERMIT,
        FORBID,
        None,
        Some(("log_only", "deny", &["no"])),
        Some("no"),
    ),
    (
        NONE,
        PERMIT,
        None,
        Some(("log_only", "allow", &["all"])),
        Some("all"),
    ),
    (
        NONE,
        FORBID,
        None,
        Some(("log_only", "deny", &["no"])),
        None,
    ),
    (
        PERMIT,
        NONE,
        Some(ADDRESS),
        Some(("shadow_dir", "error", &[])),
        Some(""),
    ),
    (
        PERMIT,
        ADDRESS,
        None,
        Some(("log_only", "error", &[])),
        Some(""),
    ),
    (NONE, ADDRESS, None, Some(("log_only", "error", &[])), None),
];

#[test]
fn what_is_tried_is_recorded_and_changes_nothing_else() {
    for (live, tried, dir, expected, counted) in TRIED {
        let what = format!("{live} {tried} {dir:?}");
        let expected = expected.map(|(of, decision, policies)| match decision {
            "error" => {
                json!({"of": of, "decision": "deny", "reason": "policy_error", "policies": policies})
            }
            decision => json!({"of": of, "decision": decision, "policies": policies}),
        });
        let plain = stage_under(live, None, vec![], None);
        let answer = plain.check(None).unwrap();
        let log_only = tried.replace("@id", "@mode(\"log_only\") @id");
        let stage = stage_under(&format!("{live}{log_only}"), dir, vec![], None);
        let beside = stage.check(None).unwrap();
        assert_eq!(reason(&beside), reason(&answer), "{what}");
        let text = stage.metrics.text().unwrap();
        for policy in ["all", "no", "at", ""] {
            let line = format!("shadow_differences_total{{policy=\"{policy}\"}} 1\n");
            let is_counted = text.contains(&line);
            assert_eq!(is_counted, counted == Some(policy), "{policy}: {text}");
        }
        assert!(!text.contains("policy_errors_total{"), "{text}");
        let [record] = &mut *stage.records() else {
            panic!("one record")
        };
        let (record, seen) = comparable(record.take());
        assert_eq!(seen, expected, "{what}");
        assert_eq!((record, None), comparable(plain.records()[0].take()));
    }
}

#[test]
fn what_is_not_decided_by_policies_is_not_tried() {
    let forbid = "@id(\"no\") forbid (principal, action, resource);";
    // A bad credential, and an allow that comes too late.
    let stage = stage_under(PERMIT, Some(forbid), vec![], Some(Refresh::Fetched));
    assert_eq!(
        reason(&stage.check(Some("opaque")).unwrap()),
        Reason::InvalidCredential
    );
    assert!(stage.records()[0].get("shadow").is_none());
    let late = vec![Some(0), Some(0), Some(10_000)];
    let stage = stage_under(PERMIT, Some(forbid), late, None);
    assert_eq!(reason(&stage.check(None).unwrap()), Reason::InternalError);
    assert!(!stage.metrics.text().unwrap().contains("differences_total{"));
    assert!(stage.records()[0].get("shadow").is_none());
}

/// Policies of which any may be in force, or tried in either way.
const POOL: [&str; 10] = [
    PERMIT,
    FORBID,
    ADDRESS,
    "@id(\"ping\") permit (principal, action == Mcp::Action::\"ping\", resource);",
    "@id(\"role\") permit (principal in Mcp::Role::\"r\", action, resource);",
    "@id(\"server\") permit (principal, action, resource in Mcp::Server::\"open\");",
    "@id(\"scope\") permit (principal, action, resource) when { principal.scopes.contains(\"s\") };",
    "@id(\"why\") @reason(\"why\") forbid (principal, action, resource) \
     when { context.http.method == \"POST\" };",
    "@id(\"late\") forbid (principal, action, resource) \
     unless { context.now.toTime() < duration(\"13h\") };",
    "@id(\"over\") forbid (principal, action, resource) \
     when { context.now.toTime().toMilliseconds() * 9223372036854775807 > 0 };",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn no_policy_that_is_tried_changes_an_answer_or_the_rest_of_its_record(
        modes in prop::collection::vec((any::<Option<bool>>(), any::<bool>()), POOL.len()),
    ) {
        let (mut live, mut both, mut dir) = (String::new(), String::new(), String::new());
        for (policy, (enforced, in_dir)) in POOL.iter().zip(modes) {
            match enforced {
                Some(true) => {
                    live.push_str(policy);
                    both.push_str(policy);
                }
                Some(false) => both.push_str(&policy.replace("@id", "@mode(\"log_only\") @id")),
                None => {}
            }
            if in_dir {
                dir.push_str(policy);
            }
        }
        let plain = stage_under(&live, None, vec![], None);
        let beside = stage_under(&both, Some(&dir), vec![], None);
        let ask = |stage: &Stage| {
            // Again, so that what is remembered counts as well.
            let outcomes = [stage.check(None).unwrap(), stage.check(None).unwrap()];
            outcomes.map(|outcome| {
                let id = outcome.decision_id.clone();
                format!("{outcome:?}").replace(&id, "ID")
            })
        };
        prop_assert_eq!(ask(&plain), ask(&beside));
        for (plain, beside) in plain.records().into_iter().zip(beside.records()) {
            let (record, seen) = comparable(beside);
            prop_assert!(seen.is_some_and(|seen| seen["of"] == "shadow_dir"));
            prop_assert_eq!((record, None), comparable(plain));
        }
    }
}
