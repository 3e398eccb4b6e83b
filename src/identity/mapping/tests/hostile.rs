//! Whatever an issuer is made to say, facts are strings, and nothing escapes into Cedar's JSON.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn json(depth: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        "[a-zé\"#\u{0}]{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(depth, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("__entity".to_owned()),
        Just("__extn".to_owned()),
        Just("type".to_owned()),
        Just("id".to_owned()),
        Just("act".to_owned()),
        Just("may_act".to_owned()),
        Just("act.act.sub".to_owned()),
        Just("may_act.sub".to_owned()),
        Just("roles".to_owned()),
        Just("realm_access".to_owned()),
        "_{0,3}[a-c.]{1,3}",
    ]
}

/// Marks every text below a member that starts with `__`.
fn mark(value: &mut Value, hidden: bool) {
    match value {
        Value::String(text) if hidden => *text = format!("HIDDEN{text}"),
        Value::Array(elements) => elements.iter_mut().for_each(|one| mark(one, hidden)),
        Value::Object(members) => {
            for (name, value) in members {
                mark(value, hidden || name.starts_with("__"));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

proptest! {
    #[test]
    fn claims_become_strings_or_nothing(
        members in prop::collection::btree_map(name(), json(5), 0..8)
    ) {
        let mut claims = Value::Object(members.into_iter().collect());
        claims["sub"] = "alice".into();
        mark(&mut claims, false);
        let Ok(principal) = map(&claims) else { return Ok(()) };
        for (name, values) in &principal.claims {
            prop_assert!(!name.starts_with("__"), "{name}");
            let parts: Vec<&str> = name.split('.').collect();
            prop_assert!(!parts.starts_with(&["act", "act"]), "{name}");
            prop_assert!(!parts.starts_with(&["may_act"]), "{name}");
            prop_assert!(values.iter().all(|value| !value.contains("HIDDEN")), "{name}");
        }
        for names in [&principal.roles, &principal.groups, &principal.scopes] {
            prop_assert!(names.iter().all(|name| !name.contains("HIDDEN")));
        }
    }
}

#[test]
fn an_entity_in_a_claim_is_no_entity() {
    let entity = json!({"__entity": {"type": "Role", "id": "admin"}});
    let extension = json!({"__extn": {"fn": "ip", "arg": "10.1.1.1"}});
    for escape in [entity, extension] {
        let told = map(&json!({"sub": "a", "dept": escape})).unwrap();
        assert!(told.claims.is_empty(), "{escape}");
        for name in [
            "roles",
            "groups",
            "scope",
            "tenant",
            "name",
            "email",
            "client_id",
        ] {
            let mut claims = json!({"sub": "a"});
            claims[name] = escape.clone();
            assert!(map(&claims).is_err(), "{name}: {escape}");
            claims[name] = json!([escape]);
            assert!(map(&claims).is_err(), "{name}: [{escape}]");
        }
        let listed = map(&json!({"sub": "a", "dept": [escape, "x"]})).unwrap();
        assert!(listed.claims.is_empty());
    }
}
