//! Every rule of the file, one line a rule.

mod asked_and_made;
mod authenticators;
mod bundle;
mod credentials;
mod resources;
mod rivals;
mod sections;
mod sessions;

use super::*;

/// A piece of a file, and what is wrong with it; nothing, where it is fine.
type Cases = &'static [(&'static str, &'static str)];

/// The faults of a text, one a line.
fn faults_of(text: &str) -> String {
    let found = match parsed(text) {
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    };
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Each text has the one fault that is expected, and no other.
fn check(cases: Cases, wrap: fn(&str) -> String) {
    for (text, expected) in cases {
        let text = wrap(text);
        let faults = faults_of(&text);
        if expected.is_empty() {
            assert_eq!(faults, "", "{text}");
        } else {
            assert!(
                faults.contains(expected),
                "{text}\nwanted: {expected}\nfound: {faults}"
            );
            assert!(!faults.contains('\n'), "{text}\n{faults}");
        }
    }
}

fn beside_the_rest(text: &str) -> String {
    format!("{text}\n{REST}")
}
