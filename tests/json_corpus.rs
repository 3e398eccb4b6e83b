//! Documents on which JSON readers disagree: each is refused, or read as every other reader reads it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a broken corpus fails the test, and the message says where"
)]

#[path = "json_corpus/case.rs"]
mod case;
#[path = "json_corpus/dump.rs"]
mod dump;
#[path = "json_corpus/messages.rs"]
mod messages;
#[path = "json_corpus/readers.rs"]
mod readers;
mod support;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use cedargate::request::arguments;
use cedargate::request::json::Reader;
use cedargate::request::json::Token;

use crate::case::Case;
use crate::case::Verdict;

/// Every case; the corpus is small enough to be read by each test.
fn corpus() -> Vec<Case> {
    case::all().unwrap_or_else(|line| panic!("not a case: {line}"))
}

/// Runs a check on every case and reports all that fail.
fn each(check: impl Fn(&Case) -> Result<(), String>) {
    let wrong: Vec<_> = corpus()
        .iter()
        .filter_map(|case| {
            let fault = check(case).err()?;
            Some(format!("{}: {}: {fault}", case.class, case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_corpus_is_large_and_says_nothing_twice() {
    let corpus = corpus();
    let mut classes: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut documents: HashMap<&[u8], &Case> = HashMap::new();
    let mut names: HashMap<(&str, &str), &Case> = HashMap::new();
    for case in &corpus {
        let counts = classes.entry(case.class).or_default();
        match case.verdict {
            Verdict::Accept | Verdict::Rounds => counts[0] += 1,
            Verdict::Refuse(_) | Verdict::RefuseAlone(_) => counts[1] += 1,
            Verdict::Profile(_) => counts[2] += 1,
        }
        if let Some(other) = documents.insert(&case.document, case) {
            panic!("the same bytes: {case:?} {other:?}");
        }
        if let Some(other) = names.insert((case.class, case.name), case) {
            panic!("the same name: {case:?} {other:?}");
        }
    }
    for (class, [accepted, refused, by_profile]) in &classes {
        println!(
            "{class}: {accepted} accepted, {refused} refused, {by_profile} refused by profile"
        );
        assert!(accepted + refused + by_profile >= 10, "{class}");
    }
    println!("{} documents in {} classes", corpus.len(), classes.len());
    assert!(corpus.len() >= 300, "{}", corpus.len());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "looks for files that are not run"
)]
fn every_file_of_the_folder_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/json");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    found.retain(|name| name != "README.md");
    found.sort();
    let listed = case::FILES.map(|(class, _)| OsString::from(format!("{class}.txt")));
    assert_eq!(found, listed);
}

#[test]
fn every_document_gets_its_verdict() {
    each(|case| {
        let read = dump::ours(&case.document).map_err(|fault| fault.kind);
        let expected = match case.verdict {
            Verdict::Accept | Verdict::Rounds => None,
            Verdict::Refuse(fault) | Verdict::RefuseAlone(fault) | Verdict::Profile(fault) => {
                Some(fault)
            }
        };
        if read.as_ref().err() == expected.as_ref() {
            Ok(())
        } else {
            Err(format!("{read:.80?}"))
        }
    });
}

#[test]
fn a_fault_is_located_inside_the_document() {
    each(|case| match dump::ours(&case.document) {
        Err(fault) if fault.offset > case.document.len() => Err(fault.to_string()),
        Ok(_) | Err(_) => Ok(()),
    });
}

#[test]
fn numbers_of_which_doubles_make_others_are_in_doubt() {
    each(|case| {
        let Ok(numbers) = numbers(&case.document) else {
            return Ok(());
        };
        match (case.verdict, numbers.iter().find(|text| is_in_doubt(text))) {
            (Verdict::Accept, Some(text)) => Err(format!("`{text:.40}` is in doubt")),
            (Verdict::Rounds, None) => Err("no number is in doubt".to_owned()),
            (_, _) => Ok(()),
        }
    });
}

/// Whether policies are kept from an argument that is this number, and from an array that holds it.
fn is_in_doubt(number: &str) -> bool {
    let document = format!(r#"{{"alone":{number},"among":["",{number}]}}"#);
    let found = arguments::read(document.as_bytes()).expect("arguments");
    assert!(matches!(found.ambiguous.len(), 0 | 2), "{found:?}");
    !found.ambiguous.is_empty()
}

/// Every number of an acceptable document, as written.
fn numbers(document: &[u8]) -> Result<Vec<&str>, cedargate::request::json::JsonFault> {
    let mut reader = Reader::new(document)?;
    let mut numbers = Vec::new();
    while let Some(event) = reader.next()? {
        if let Token::Number(text) = event.token {
            numbers.push(text);
        }
    }
    Ok(numbers)
}
