//! Annotations that look like one with a meaning, and have none.

use std::ops::Range;

use crate::config::suggest;
use crate::fault::Fault;
use crate::fault::Lint;
use crate::policy::load::Loaded;
use crate::policy::report;

/// Every annotation with a meaning.
const KNOWN: [&str; 4] = ["id", "mode", "reason", "allow"];

/// Values of `@mode`, and words for it, that have been taken for annotations.
const MODES: [&str; 3] = ["log_only", "shadow", "dry_run"];

/// Reports each of them.
pub(super) fn lint(loaded: &Loaded, faults: &mut Vec<Fault>) {
    for (name, _) in loaded.policy.annotations() {
        let Some(help) = meant(name) else { continue };
        let place = place(loaded, name)
            .unwrap_or_else(|| report::first_line(&loaded.source, loaded.span.start));
        let message = format!("the annotation `@{name}` means nothing");
        faults.push(
            Fault::error(&loaded.source, Some(place), message)
                .help(help)
                .named(Lint::UnknownAnnotation)
                .warning(),
        );
    }
}

/// What it was probably meant to be.
fn meant(name: &str) -> Option<String> {
    if KNOWN.contains(&name) {
        return None;
    }
    if suggest::nearest(name, &MODES).is_some() {
        return Some("`@mode(\"log_only\")` only tries a policy; this one is in force".to_owned());
    }
    let known = suggest::nearest(name, &KNOWN)?;
    Some(format!("did you mean `@{known}`?"))
}

/// Where the annotation is written.
fn place(loaded: &Loaded, name: &str) -> Option<Range<usize>> {
    let written = format!("@{name}");
    let text = loaded.text();
    let is_whole = |at: &usize| {
        let rest = text.get(at.saturating_add(written.len())..);
        let next = rest.and_then(|rest| rest.chars().next());
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
    };
    let mut places = text.match_indices(&written).map(|(at, _)| at);
    let start = loaded.span.start.saturating_add(places.find(is_whole)?);
    Some(start..start.saturating_add(written.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_told_from_words_of_ones_own() {
        for (name, expected) in [
            ("Mode", Some("@mode")),
            ("modes", Some("@mode")),
            ("raeson", Some("@reason")),
            ("ID", Some("@id")),
            ("allowed", Some("@allow")),
            ("log_only", Some("log_only")),
            ("Shadow", Some("log_only")),
            ("mode", None),
            ("description", None),
            ("owner", None),
            ("ticket", None),
        ] {
            let help = meant(name);
            match expected {
                Some(word) => assert!(help.is_some_and(|help| help.contains(word)), "{name}"),
                None => assert_eq!(help, None, "{name}"),
            }
        }
    }
}
