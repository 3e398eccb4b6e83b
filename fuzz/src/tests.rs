use std::fs;
use std::path::Path;

use crate::case;
use crate::case::Verdict;

/// What a target does with its bytes.
type Run = fn(&[u8]) -> bool;

const TARGETS: [(&str, Run); 14] = [
    ("token", crate::token::run),
    ("header", crate::header::run),
    ("claims", crate::claims::run),
    ("jwks", crate::jwks::run),
    ("discovery", crate::discovery::run),
    ("introspection", crate::introspection::run),
    ("revocations", crate::revocations::run),
    ("principals", crate::principals::run),
    ("spiffe", crate::spiffe::run),
    ("bundle", crate::bundle::run),
    ("reader", crate::reader::run),
    ("message", crate::message::run),
    ("path", crate::path::run),
    ("fold", crate::fold::run),
];

/// A seed that no longer gets where it should is worth nothing to the fuzzer, which would not say so.
#[test]
fn good_seeds_are_accepted_and_bad_ones_are_not() {
    let mut wrong = Vec::new();
    for (target, run) in TARGETS {
        let (mut good, mut bad) = (0, 0);
        for (name, bytes) in seeds(target) {
            let is_good = name.starts_with("good-");
            assert!(is_good || name.starts_with("bad-"), "{target}/{name}");
            if run(&bytes) != is_good {
                wrong.push(format!("{target}/{name}"));
            }
            if is_good { good += 1 } else { bad += 1 }
        }
        assert!(good > 0 && bad > 0, "{target}: {good} good, {bad} bad");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_target_has_its_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, ending) in [("seeds", ""), ("fuzz_targets", ".rs")] {
        let mut found: Vec<String> = names(&root.join(folder));
        let mut expected = TARGETS.map(|(target, _)| format!("{target}{ending}"));
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{folder}");
    }
}

/// What `tests/json_corpus.rs` says of each document, the targets find as well.
#[test]
fn the_corpus_of_documents_holds_the_properties() {
    let corpus = case::all().expect("a corpus");
    assert!(corpus.len() >= 300);
    for case in corpus {
        let accepted = match case.verdict {
            Verdict::Accept | Verdict::Rounds => true,
            Verdict::Refuse(_) | Verdict::RefuseAlone(_) | Verdict::Profile(_) => false,
        };
        let read = crate::reader::run(&case.document);
        assert_eq!(read, accepted, "{}: {}", case.class, case.name);
        let taken = crate::message::run(&[b"1", &*case.body()].concat());
        let alone = matches!(case.verdict, Verdict::RefuseAlone(_));
        assert!(!taken || accepted || alone, "{}: {}", case.class, case.name);
    }
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let names = names(&folder).into_iter();
    names
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).expect("a seed is readable");
            (name, bytes)
        })
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder is readable");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a plain name")
    };
    entries.map(name).collect()
}
