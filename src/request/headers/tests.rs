//! One value for each header, or none.

use proptest::prelude::*;

use super::*;

fn separate(entries: &[(&str, &[u8])]) -> HeaderBag {
    let entries = entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), HeaderText::Raw(value.to_vec())));
    HeaderBag::separate(entries).unwrap()
}

fn joined(entries: &[(&str, &str)]) -> HeaderBag {
    let entries = entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HeaderBag::joined(entries).unwrap()
}

#[test]
fn one_value_or_none() {
    let mut bag = separate(&[
        ("Mcp-Name", b" a,b! "),
        ("x", b"1"),
        ("X", b"1"),
        ("y", b"\xff"),
    ]);
    assert_eq!(bag.single("mcp-name"), Ok(Some("a,b!")));
    assert_eq!(bag.single("absent"), Ok(None));
    assert_eq!(bag.single("x"), Err(HeaderFault::Repeated("x")));
    assert_eq!(bag.single("y"), Err(HeaderFault::Value("y")));
    assert_eq!(bag.require("z"), Err(HeaderFault::Missing("z")));
    assert_eq!(bag.take("mcp-name"), Ok(Some("a,b!".to_owned())));
    assert_eq!(bag.take("mcp-name"), Ok(None), "it was moved out");
    assert_eq!(bag.take_named("x"), Err(ValueFault::Repeated));
    assert_eq!(bag.take_named("Y"), Err(ValueFault::Value));
}

#[test]
fn a_joined_bag_refuses_what_could_be_two_values_or_other_bytes() {
    let bag = joined(&[
        ("authorization", "Bearer a,Bearer b"),
        ("mcp-name", "danger,greet"),
        ("mcp-session-id", "a!"),
        ("origin", "https://a.example"),
    ]);
    for name in ["authorization", "mcp-name"] {
        assert_eq!(bag.single(name), Err(HeaderFault::Repeated(name)));
    }
    assert_eq!(
        bag.single("mcp-session-id"),
        Err(HeaderFault::Value("mcp-session-id"))
    );
    assert_eq!(bag.single("origin"), Ok(Some("https://a.example")));
}

#[test]
fn controls_are_never_part_of_a_value() {
    for value in [&b"a\0b"[..], b"a\nb", b"a\tb", b"\x7f", b"\xc3\xa9"] {
        assert_eq!(
            separate(&[("x", value)]).single("x"),
            Err(HeaderFault::Value("x"))
        );
    }
}

#[test]
fn every_spelling_of_a_protected_header_is_found() {
    let spoofed = [
        "x-cedargate-subject",
        "X-Cedargate-Subject",
        "x_cedargate_subject",
        "x.cedargate.subject",
        "X-CEDARGATE_subject",
        "x_cedargate-roles",
        "x-cedargate.roles",
        "x~cedargate!subject",
        "x-cedargate-",
    ];
    let others = [
        "x-cedargat",
        "x-cedargate",
        "cedargate-subject",
        "x-cedargated",
        "",
    ];
    let entries: Vec<_> = spoofed
        .iter()
        .chain(&others)
        .map(|name| (*name, ""))
        .collect();
    assert_eq!(joined(&entries).folding("x-cedargate-"), spoofed);
}

#[test]
fn the_number_of_headers_is_bounded() {
    let entries = |count: usize| (0..count).map(|n| (n.to_string(), String::new()));
    assert!(HeaderBag::joined(entries(MAX_HEADERS)).is_ok());
    assert_eq!(
        HeaderBag::joined(entries(MAX_HEADERS + 1)).err(),
        Some(HeaderFault::TooMany)
    );
}

proptest! {
    #[test]
    fn order_does_not_matter_and_nothing_panics(
        mut entries in proptest::collection::vec(
            ("(authorization|Origin|x)", proptest::collection::vec(any::<u8>(), 0..8)), 0..5),
    ) {
        let read = |entries: &[(String, Vec<u8>)]| {
            let bag = HeaderBag::separate(
                entries.iter().map(|(k, v)| (k.clone(), HeaderText::Raw(v.clone())))).unwrap();
            ["authorization", "origin", "x"].map(|name| bag.single(name).map(|v| v.map(str::to_owned)))
        };
        let forward = read(&entries);
        entries.reverse();
        prop_assert_eq!(forward, read(&entries));
    }
}

#[test]
fn what_was_taken_out_is_not_shown() {
    let mut bag = separate(&[("authorization", b"s3cr3t"), ("x", b"s3cr3t")]);
    assert!(bag.take("authorization").is_ok());
    assert_eq!(format!("{bag:?}"), r#"["x"]"#);
}
