//! What is revoked by a list, what is not, and what is no list.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::identity::testing;

fn source(text: &str) -> Source {
    Source {
        name: "revoked.yaml".into(),
        text: text.into(),
    }
}

fn list(text: &str) -> Revocations {
    Revocations::parse(&source(text)).unwrap()
}

fn faults(text: &str) -> Vec<String> {
    let faults = Revocations::parse(&source(text)).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// A token of `jane` at `https://a` through the client `app`.
fn token() -> VerifiedToken {
    let mut token = testing::verified(&[]);
    token.token_id = Some("t1".into());
    let principal = Arc::make_mut(&mut token.principal);
    principal.kind = PrincipalKind::User;
    principal.issuer = "https://a".to_owned();
    principal.subject = "jane".to_owned();
    principal.id = "https://a#jane".to_owned();
    principal.client_id = "app".to_owned();
    principal.authenticator = "corp".into();
    token
}

#[test]
fn tokens_callers_and_clients_are_revoked_by_name() {
    for (text, expected) in [
        ("jti: [t1]", true),
        ("jti: [t2, t1]", true),
        ("jti:\n- t1\n", true),
        ("subjects: [jane]", true),
        ("subjects: ['https://a#jane']", true),
        ("subjects: [https://a#jane]", true),
        ("client_ids: [app]", true),
        ("client_ids: ['https://a#app']", true),
        ("jti: [T1]", false),
        ("jti: [t1.]", false),
        ("jti: ['https://a#t1']", false),
        ("jti: [jane, app]", false),
        ("subjects: [t1, app]", false),
        ("subjects: [Jane, jan, janet, ' jane', \"jane\\0\"]", false),
        ("subjects: ['https://b#jane', 'https://a#', '#jane']", false),
        (
            "client_ids: [jane, 'https://b#app', 'https://a#jane']",
            false,
        ),
        ("jti: []", false),
        ("{}", false),
    ] {
        assert_eq!(list(text).revokes(&token()), expected, "{text}");
    }
}

#[test]
fn what_a_caller_does_not_have_is_not_revoked() {
    let mut token = token();
    token.token_id = None;
    let principal = Arc::make_mut(&mut token.principal);
    principal.client_id.clear();
    principal.subject.clear();
    principal.id = "https://a#x".to_owned();
    let list = list("{jti: [t1], subjects: ['https://a#'], client_ids: ['https://a#']}");
    assert!(!list.revokes(&token));
}

/// A client's own token may name it in `sub` alone.
#[test]
fn a_client_is_revoked_by_its_id_wherever_the_token_names_it() {
    let mut own = token();
    let principal = Arc::make_mut(&mut own.principal);
    principal.kind = PrincipalKind::Client;
    principal.client_id.clear();
    for (text, expected) in [
        ("client_ids: [jane]", true),
        ("client_ids: ['https://a#jane']", true),
        ("subjects: [jane]", true),
        ("client_ids: [app]", false),
        ("client_ids: ['https://b#jane']", false),
    ] {
        assert_eq!(list(text).revokes(&own), expected, "{text}");
    }
}

#[test]
fn keys_and_static_tokens_are_revoked_among_the_subjects() {
    let mut key = token();
    let principal = Arc::make_mut(&mut key.principal);
    principal.kind = PrincipalKind::ApiKey;
    principal.id = "build-7".to_owned();
    for field in [
        &mut principal.issuer,
        &mut principal.subject,
        &mut principal.client_id,
    ] {
        field.clear();
    }
    for (text, expected) in [
        ("subjects: [build-7]", true),
        ("subjects: ['corp#build-7']", true),
        ("subjects: ['other#build-7']", false),
        ("client_ids: [build-7]", false),
    ] {
        assert_eq!(list(text).revokes(&key), expected, "{text}");
    }
    let mut fixed = token();
    let principal = Arc::make_mut(&mut fixed.principal);
    principal.issuer.clear();
    principal.id = "corp#jane".to_owned();
    assert!(list("subjects: [jane]").revokes(&fixed));
    assert!(list("subjects: ['corp#jane']").revokes(&fixed));
    assert!(!list("subjects: ['https://a#jane']").revokes(&fixed));
}

#[test]
fn text_is_taken_as_it_is_written() {
    let mut numbered = token();
    for (written, id) in [
        ("007", "007"),
        ("1e3", "1e3"),
        ("0x1f", "0x1f"),
        ("true", "true"),
        ("2026-11-21", "2026-11-21"),
        ("'~'", "~"),
        ("\"\\u00e9\"", "\u{e9}"),
    ] {
        numbered.token_id = Some(id.into());
        let list = list(&format!("jti: [{written}]"));
        assert!(list.revokes(&numbered), "{written}: {list:?}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    for (text, expected) in [
        ("", "empty"),
        ("# nothing yet\n", "empty"),
        ("null", "empty"),
        ("[t1]", "mapping"),
        ("jti:", "`[]` for none"),
        ("jti: t1", "sequence"),
        ("jti: {a: b}", "sequence"),
        ("jti: [[t1]]", "string"),
        ("jti: [null]", "null"),
        ("jti: [~]", "null"),
        ("jti: [t1", ""),
        ("jti: [t1]\njti: [t2]", "duplicate"),
        ("jtis: [t1]", "jtis"),
        ("subject: [jane]", "subject"),
        ("jti: [t1]\n---\njti: [t2]", "document"),
        ("jti: ['']", "`jti` has an entry that is empty"),
        (
            "client_ids: [a, \"\"]",
            "`client_ids` has an entry that is empty",
        ),
    ] {
        let faults = faults(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].contains(expected), "{text}: {faults:?}");
    }
}

#[test]
fn a_fault_shows_its_place() {
    let faults = faults("jti: [a]\nsubjects:\n  - [x]\n");
    assert!(
        faults[0].starts_with("revoked.yaml:3:5: error: "),
        "{faults:?}"
    );
}

#[test]
fn the_bounds() {
    let of = |count: usize| {
        let mut text = "subjects:\n".to_owned();
        for n in 0..count {
            writeln!(text, "- s{n}").unwrap();
        }
        text
    };
    assert_eq!(list(&of(MAX_ENTRIES)).len(), MAX_ENTRIES);
    let many = faults(&of(MAX_ENTRIES + 1));
    assert!(many[0].contains("100001 entries"), "{many:?}");
    let large = format!("jti: [t1] #{}", "x".repeat(MAX_BYTES));
    assert!(faults(&large)[0].contains("larger"));
    let laughs = format!("jti: [{}]", "[".repeat(1_000));
    assert_eq!(faults(&laughs).len(), 1);
}

proptest! {
    #[test]
    fn only_what_is_listed_is_revoked(
        listed in proptest::collection::btree_set("[a-c#:/]{1,4}", 0..6),
        issuer in "[a-c]{1,2}",
        subject in "[a-c#]{1,3}",
    ) {
        let text = serde_json::json!({ "subjects": listed }).to_string();
        let mut token = token();
        let id = format!("{issuer}#{subject}");
        let principal = Arc::make_mut(&mut token.principal);
        principal.id.clone_from(&id);
        principal.issuer = issuer;
        principal.subject.clone_from(&subject);
        let expected = listed.contains(&subject) || listed.contains(&id);
        prop_assert_eq!(list(&text).revokes(&token), expected);
    }
}
