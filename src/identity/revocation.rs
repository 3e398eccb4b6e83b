//! What has been taken back before its time: tokens, callers and clients, by name.

use std::collections::HashSet;
use std::ops::Range;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;

use crate::fault::Fault;
use crate::fault::Source;
use crate::identity::Principal;
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
            || names(&self.client_ids, &principal.issuer, client_of(principal))
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

/// The client that the principal is or acts through. Of one that acts for itself the id tells, even
/// where the token names none but the subject.
fn client_of(principal: &Principal) -> &str {
    match principal.kind {
        PrincipalKind::Client => principal
            .id
            .split_once('#')
            .map_or("", |(_, client)| client),
        PrincipalKind::User | PrincipalKind::ApiKey => &principal.client_id,
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
mod tests;
