//! What has been taken back before its time: tokens, callers and clients, by name.

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;

use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::PrincipalKind;
use crate::identity::verifier::VerifiedToken;

/// Most entries of a list, all kinds together.
pub const MAX_ENTRIES: usize = 100_000;

/// Largest list, in bytes.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A list of what has been revoked. Everything is compared byte for byte.
///
/// An entry of `subjects` or `client_ids` is the bare value, whatever the issuer, or
/// `<issuer>#<value>`; an entry of `subjects` may also be the id of a principal, as the decision log
/// shows it. An API key is revoked by its id, bare or as `<authenticator>#<id>`, and a static token by
/// its subject, both among the subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    token_ids: HashSet<Box<str>>,
    subjects: HashSet<Box<str>>,
    client_ids: HashSet<Box<str>>,
}

/// The list as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "list")]
    jti: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    subjects: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    client_ids: Vec<String>,
}

impl Revocations {
    /// Reads a list in YAML: a mapping with any of `jti`, `subjects` and `client_ids`, each a list of
    /// texts. A list that revokes nothing says so with an empty list or `{}`; an empty file is none,
    /// for it may be one that is about to be written.
    ///
    /// # Errors
    ///
    /// Every fault that was found.
    pub fn parse(source: &Source) -> Result<Self, Vec<Fault>> {
        if source.text.len() > MAX_BYTES {
            let message = format!("the list is larger than {MAX_BYTES} bytes");
            return Err(vec![Fault::error(source, None, message)]);
        }
        let written = read(source).map_err(|fault| vec![fault])?;
        let lists = [
            ("jti", &written.jti),
            ("subjects", &written.subjects),
            ("client_ids", &written.client_ids),
        ];
        let mut faults = Vec::new();
        let count = lists
            .iter()
            .fold(0, |sum: usize, (_, list)| sum.saturating_add(list.len()));
        if count > MAX_ENTRIES {
            let message = format!("there are {count} entries; {MAX_ENTRIES} are accepted");
            faults.push(Fault::error(source, None, message));
        }
        for (name, list) in lists {
            if list.iter().any(String::is_empty) {
                let message = format!("`{name}` has an entry that is empty");
                faults.push(Fault::error(source, None, message));
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            token_ids: set(written.jti),
            subjects: set(written.subjects),
            client_ids: set(written.client_ids),
        })
    }

    /// Whether the token, its caller or its client has been revoked.
    pub fn revokes(&self, token: &VerifiedToken) -> bool {
        let principal = &*token.principal;
        let by_id = token
            .token_id
            .as_ref()
            .is_some_and(|id| self.token_ids.contains(id));
        by_id
            || names(&self.subjects, &principal.issuer, &principal.subject)
            || names(&self.client_ids, &principal.issuer, &principal.client_id)
            || self.subjects.contains(principal.id.as_str())
            || match principal.kind {
                PrincipalKind::ApiKey => {
                    names(&self.subjects, &principal.authenticator, &principal.id)
                }
                PrincipalKind::User | PrincipalKind::Client => false,
            }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        [&self.token_ids, &self.subjects, &self.client_ids]
            .iter()
            .fold(0, |sum: usize, set| sum.saturating_add(set.len()))
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether the set has the value, bare or behind the issuer. Joined text is compared as a whole, so
/// that a value which itself holds a `#` cannot slip through by being split elsewhere.
fn names(set: &HashSet<Box<str>>, issuer: &str, value: &str) -> bool {
    if set.is_empty() || value.is_empty() {
        return false;
    }
    set.contains(value) || set.contains(format!("{issuer}#{value}").as_str())
}

/// A list that is there. A key without a value may be one that is about to be written.
fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(from)?
        .ok_or_else(|| D::Error::custom("a list is expected; write `[]` for none"))
}

fn set(list: Vec<String>) -> HashSet<Box<str>> {
    list.into_iter().map(String::into_boxed_str).collect()
}

fn read(source: &Source) -> Result<Written, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    let written: Result<Option<Written>, _> =
        serde_saphyr::from_str_with_options(&source.text, options);
    let written = written.map_err(|error| {
        let span = error
            .location()
            .map(|at| span(&source.text, at.line(), at.column()));
        let message = error.render();
        // The place in front of the message is the fault's own.
        let message = match message.split_once(": ") {
            Some((place, rest))
                if place.starts_with("error: line") || place.starts_with("line ") =>
            {
                rest
            }
            Some(_) | None => &message,
        };
        Fault::error(source, span, message.trim_end())
    })?;
    written.ok_or_else(|| {
        Fault::error(source, None, "the list is empty").help("write `{}` to revoke nothing")
    })
}

/// The character at a line and a column, both counted from 1.
fn span(text: &str, line: u64, column: u64) -> Range<usize> {
    let skipped = |count: u64| usize::try_from(count).unwrap_or(1).saturating_sub(1);
    let lines = text.split_inclusive('\n').take(skipped(line));
    let line_start = lines.map(str::len).fold(0, usize::saturating_add);
    let rest = text.get(line_start..).unwrap_or("");
    let within = rest
        .char_indices()
        .nth(skipped(column))
        .map_or(rest.len(), |(at, _)| at);
    let start = line_start.saturating_add(within);
    start..start.saturating_add(1)
}

#[cfg(test)]
mod tests {
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
}
