//! What the file may say, and what every fault in it is called.

use std::fmt::Write as _;

use super::*;

fn read_text(text: &str) -> (Principals, Vec<String>) {
    let source = Source {
        name: "p.yaml".into(),
        text: text.into(),
    };
    let mut faults = Vec::new();
    let table = read(&source, &mut faults);
    (table.0, faults.iter().map(ToString::to_string).collect())
}

fn faults(text: &str) -> Vec<String> {
    read_text(text).1
}

#[test]
fn a_file_that_says_nothing_is_accepted() {
    for text in [
        "",
        "# users:\n",
        "---\n...\n",
        "~",
        "{}",
        "users:\nclients: {}\napi_keys: ~\n",
        "api_keys:\n  a:\n  b: {}\n  c: {roles: , groups: [], tenant: null}\n",
    ] {
        assert_eq!(faults(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let text = "\
users:
  alice: {roles: [admin]}
  https://i#: {}
  \"#bob\": {}
  https://i#a: {role: [x], roles: x, groups: [a, {b: c}, a, ''], tenant: [t]}
  https://i#a: {}
  https://i#b: [x]
  https://i#c: {roles: [1, true, ~, \"1\", \"a\\tb\"], tenant: ''}
clients: [a]
api_keys:
  7: {}
  k: {roles: [x], roles: [y]}
  ? [a]
  : {}
  <<: {}
  l: *anchor
user: {a: b}
users: {}
";
    let expected = [
        "2:3: error: `alice` does not name an issuer (write `<issuer>#<subject>`: another",
        "3:3: error: `https://i#` does not name an issuer (write",
        "4:3: error: `#bob` does not name an issuer (write",
        "5:17: error: unknown key `role` (known here: roles, groups, tenant)",
        "5:35: error: expected a list, found `x` (write it in brackets",
        "5:50: error: expected text, found a mapping",
        "5:58: error: `a` is listed twice",
        "5:61: error: empty text",
        "5:74: error: expected text, found a list",
        "6:3: error: duplicate key `https://i#a`",
        "7:16: error: expected a mapping, found a list",
        "8:25: error: expected text, found `1` (put it in quotes)",
        "8:28: error: expected text, found `true` (put it in quotes)",
        "8:34: error: expected text, found nothing",
        "8:42: error: control characters in text",
        "8:59: error: empty text",
        "9:10: error: expected a mapping, found a list",
        "11:3: error: expected text, found `7` (put it in quotes)",
        "12:19: error: duplicate key `roles`",
        "13:5: error: expected text, found a list",
        "15:3: error: merge keys are not supported (write the keys out)",
        "16:6: error: aliases are not supported (write the value out)",
        "17:1: error: unknown key `user` (known here: users, clients, api_keys)",
        "18:1: error: duplicate key `users`",
    ];
    let faults = faults(text);
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        let expected = format!("p.yaml:{expected}");
        assert!(fault.starts_with(&expected), "{fault} is not {expected}");
    }
}

#[test]
fn other_shapes_are_refused() {
    for (text, place) in [
        ("[users]", "p.yaml:1:1: error: expected a mapping"),
        ("users", "p.yaml:1:1: error: expected a mapping"),
        ("users: {}\n---\n", "p.yaml:2:1: error: a second document"),
        ("users: {\n", "p.yaml:1:8: error: not valid YAML: "),
    ] {
        let faults = read_text(text).1;
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].starts_with(place), "{faults:?}");
    }
}

#[test]
fn an_id_is_split_at_its_first_hash() {
    let (table, faults) = read_text("clients: {\"a#b#c\": {tenant: t}}\nusers: {\"a#b#c\": {}}");
    assert_eq!(faults, Vec::<String>::new());
    assert!(table.client("a", "b#c").is_some());
    assert!(table.users.contains_key("a#b#c"));
}

#[test]
fn sizes_are_bounded() {
    let of = |name: usize, id: usize, names: usize| {
        let names: Vec<_> = (0..names).map(|n| format!("n{n}")).collect();
        let text = format!(
            "api_keys:\n  k: {{roles: [{}], groups: [{}]}}\n  ? {}\n  : {{}}\n",
            "r".repeat(name),
            names.join(", "),
            "i".repeat(id),
        );
        faults(&text)
    };
    assert_eq!(
        of(MAX_NAME_BYTES, MAX_ID_BYTES, MAX_NAMES),
        Vec::<String>::new()
    );
    let over = of(MAX_NAME_BYTES + 1, MAX_ID_BYTES + 1, MAX_NAMES + 1);
    assert_eq!(over.len(), 3, "{over:?}");
    let entries = |count: usize| {
        let mut text = "api_keys:\n".to_owned();
        for n in 0..count {
            writeln!(text, "  k{n}: {{tenant: t}}").unwrap();
        }
        let (table, faults) = read_text(&text);
        (table.api_keys.len(), faults)
    };
    let (read, faults) = entries(MAX_ENTRIES + 1);
    assert_eq!((read, faults.len()), (MAX_ENTRIES, 1));
    assert!(
        faults[0].ends_with("more than 100000 entries"),
        "{faults:?}"
    );
}
