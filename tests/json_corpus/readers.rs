//! What we accept, `serde_json`, Python's `json` and `JSON.parse` accept and read alike.

use std::io::Write as _;
use std::process::Command;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::case::Case;
use crate::case::Verdict;
use crate::dump;
use crate::support::tools::tools;

/// Every document, and what a program says of each.
fn answers(corpus: &[Case], mut command: Command) -> Vec<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("its input");
    let lines: Vec<_> = corpus
        .iter()
        .map(|case| STANDARD.encode(&case.document))
        .collect();
    // Written beside the reading: both pipes are short.
    let writer = std::thread::spawn(move || input.write_all((lines.join("\n") + "\n").as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    writer
        .join()
        .expect("the writer ends")
        .expect("all was written");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("lines of ASCII");
    let answers: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), corpus.len());
    answers
}

/// The accepted documents of which another reader says something else.
fn disagreements<'a>(corpus: &'a [Case], answers: &[String]) -> Vec<(&'a str, Verdict)> {
    let pairs = corpus.iter().zip(answers);
    pairs
        .filter_map(|(case, answer)| {
            let ours = dump::ours(&case.document).ok()?;
            (ours != *answer).then_some((case.name, case.verdict))
        })
        .collect()
}

#[test]
fn javascript_reads_what_we_accept_alike_and_refuses_what_is_no_json() {
    let corpus = crate::corpus();
    let answers = answers(&corpus, tools().node("json_readers.mjs"));
    assert_eq!(disagreements(&corpus, &answers), []);
    // JSON.parse is the grammar and no more, so it can say whether the corpus calls things by
    // their names: what the profile refuses is JSON, and what else is refused is not.
    for (case, answer) in corpus.iter().zip(&answers) {
        let is_json = match case.verdict {
            Verdict::Accept | Verdict::Rounds | Verdict::Profile(_) => true,
            Verdict::Refuse(_) | Verdict::RefuseAlone(_) => false,
        };
        let name = case.name;
        assert_eq!(answer != "refused", is_json, "{}: {name}", case.class);
    }
}

#[test]
fn python_reads_what_we_accept_alike() {
    let corpus = crate::corpus();
    let answers = answers(&corpus, tools().python("json_readers.py"));
    assert_eq!(disagreements(&corpus, &answers), []);
    // The reason to be strict: it takes this for JSON, in whatever width of characters it comes.
    let taken: Vec<_> = corpus
        .iter()
        .zip(&answers)
        .filter(|(case, answer)| matches!(case.verdict, Verdict::Refuse(_)) && *answer != "refused")
        .map(|(case, _)| case.name)
        .collect();
    let expected = [
        "mark",
        "mark-before-a-scalar",
        "mark-before-white-space",
        "utf-16-little-endian",
        "utf-16-big-endian",
        "utf-16-little-endian-with-mark",
        "utf-16-big-endian-with-mark",
        "utf-16-of-a-number",
        "utf-32-little-endian",
        "utf-32-big-endian",
        "utf-32-little-endian-with-mark",
        "utf-32-big-endian-with-mark",
        "surrogate-high-encoded",
        "surrogate-low-encoded",
        "surrogate-pair-encoded",
        "not-a-number",
        "infinity",
        "negative-infinity",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn serde_json_reads_what_we_accept_alike() {
    let corpus = crate::corpus();
    let answers: Vec<_> = corpus
        .iter()
        .map(
            |case| match serde_json::from_slice::<Value>(&case.document) {
                Ok(value) => dump::theirs(&value),
                Err(_) => "refused".to_owned(),
            },
        )
        .collect();
    // Without its feature `float_roundtrip` it is now and then off by the last place of a double,
    // and so takes a number just below the largest for one past it.
    let expected = [
        ("power-of-two-53-and-one-as-fraction", Verdict::Rounds),
        ("half-way-to-the-next", Verdict::Rounds),
        ("long-fraction", Verdict::Rounds),
        ("halves-that-a-double-has", Verdict::Accept),
        ("past-the-largest-double-and-rounds-down", Verdict::Rounds),
    ];
    assert_eq!(disagreements(&corpus, &answers), expected);
}
