//! What is plain data, what is not, and where it stands.

use std::fmt::Write as _;

use super::*;

/// What the pieces are, and the faults.
fn read(text: &str) -> (String, Vec<String>) {
    let source = Source {
        name: "x.yaml".into(),
        text: text.into(),
    };
    let mut pieces = Pieces::of(&source);
    let mut seen = String::new();
    while let Ok(piece) = pieces.next() {
        match piece.kind {
            Kind::Scalar { text, plain: true } => seen.push_str(&text),
            Kind::Scalar { text, plain: false } => seen.extend(["'", &text, "'"]),
            Kind::List => seen.push('['),
            Kind::Mapping => seen.push('{'),
            Kind::End => seen.push(')'),
            Kind::Alias => seen.push('!'),
            Kind::Over => {
                seen.push('.');
                break;
            }
        }
        seen.push(' ');
    }
    let faults = pieces.into_faults();
    (seen, faults.iter().map(ToString::to_string).collect())
}

#[test]
fn plain_data_comes_piece_by_piece() {
    for (text, expected) in [
        ("", "."),
        ("# only a comment\n", "."),
        ("a: [b, \"1\"]\nc:\n", "{ a [ b '1' ) c ~ ) ."),
        ("{a: {b: c}}", "{ a { b c ) ) ."),
        ("a: |\n  b\n", "{ a 'b\n' ) ."),
    ] {
        assert_eq!(read(text), (expected.to_owned(), Vec::new()), "{text}");
    }
}

#[test]
fn no_text_stands_for_more_than_itself() {
    for (text, seen, fault) in [
        ("a: &x b\n", "{ a b ) .", "x.yaml:1:"),
        ("a: *x\n", "{ a ! ) .", "x.yaml:1:4: error: aliases"),
        ("a: !!str b\n", "{ a b ) .", "x.yaml:1:"),
        (
            "a: 1\n---\nb: 2\n",
            "{ a 1 ) ",
            "x.yaml:2:1: error: a second document",
        ),
        ("a: [\n", "{ a [ ", "x.yaml:1:4: error: not valid YAML: "),
        (
            "%YAML 1.2\n---\na: 1\n",
            "",
            "x.yaml:1:1: error: not valid YAML: ",
        ),
    ] {
        let (pieces, faults) = read(text);
        assert_eq!((&*pieces, faults.len()), (seen, 1), "{text}: {faults:?}");
        assert!(faults[0].starts_with(fault), "{faults:?}");
    }
}

#[test]
fn laughter_and_depth_are_bounded() {
    let mut laughs = "a0: &a0 lol\n".to_owned();
    for n in 1..200 {
        let before = format!("*a{},", n - 1).repeat(9);
        writeln!(laughs, "a{n}: &a{n} [{before}]").unwrap();
    }
    let (seen, faults) = read(&laughs);
    assert_eq!(faults.len(), MOST_FAULTS + 1);
    assert!(seen.len() < laughs.len(), "nothing is expanded");
    let last = faults.last().unwrap();
    assert!(
        last.ends_with("more than 100 faults; the rest is not looked for"),
        "{last}"
    );
    let (_, faults) = read(&("[".repeat(33) + &"]".repeat(33)));
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].ends_with("nested deeper than 32 levels"),
        "{faults:?}"
    );
    for deep in ["[".repeat(1_000_000), "a: {".repeat(250_000)] {
        assert_eq!(read(&deep).1.len(), 1, "however deep, it ends");
    }
}

#[test]
fn a_value_is_passed_over_whole() {
    let source = Source {
        name: "x.yaml".into(),
        text: "[a, [b, {c: [d]}], {e: f}, g]".into(),
    };
    let mut pieces = Pieces::of(&source);
    pieces.next().unwrap();
    for expected in ["`a`", "a list", "a mapping", "`g`"] {
        let piece = pieces.next().unwrap();
        assert_eq!(found(&piece.kind), expected);
        pieces.skip(&piece).unwrap();
    }
    assert!(matches!(pieces.next().unwrap().kind, Kind::End));
}

#[test]
fn numbers_and_switches_are_told_from_text() {
    for text in [
        "0", "-1", "+1.5", "1e3", ".5", "0x1F", "0o17", ".inf", "-.INF", ".nan", "true", "FALSE",
    ] {
        assert!(is_switch_or_number(text), "{text}");
    }
    for text in [
        "",
        ".",
        "-",
        "a1",
        "1.2.3",
        "127.0.0.1:80",
        "0x",
        "no",
        "on",
        "inf",
        "nan",
        "2026-01-01",
    ] {
        assert!(!is_switch_or_number(text), "{text}");
    }
}
