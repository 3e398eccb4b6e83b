//! Reads the file strictly: every fault in it, each with its place.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::ops::Range;

use super::Given;
use super::Mentions;
use super::Principals;
use crate::fault::Fault;
use crate::fault::Source;
use crate::policy::plain_yaml::Pieces;
use crate::policy::plain_yaml::Stop;
use crate::policy::plain_yaml::found;
use crate::policy::plain_yaml::is_switch_or_number;
use crate::policy::plain_yaml::shown;
use crate::yaml::Kind;
use crate::yaml::Piece;

/// Most callers in the file.
const MAX_ENTRIES: usize = 100_000;
/// Most roles, and most groups, of one caller: as many as a token may bring.
const MAX_NAMES: usize = 256;
/// Longest role, group or tenant, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Longest id of a caller, in bytes: a SPIFFE ID alone may have 2,048 (SPIFFE ID, section 2.3).
const MAX_ID_BYTES: usize = 4_096;

/// Reads `source`; the result counts for nothing when there is a fault.
pub(super) fn read(source: &Source, faults: &mut Vec<Fault>) -> (Principals, Mentions) {
    let mut reader = Reader {
        pieces: Pieces::of(source),
        table: Principals::default(),
        mentions: Mentions::default(),
        entries: 0,
    };
    // Whatever stopped it has been reported.
    let (Ok(()) | Err(Stop)) = reader.document();
    faults.extend(reader.pieces.into_faults());
    (reader.table, reader.mentions)
}

struct Reader<'s> {
    pieces: Pieces<'s>,
    table: Principals,
    mentions: Mentions,
    entries: usize,
}

/// Which callers a section is about.
#[derive(Clone, Copy)]
enum Section {
    Users,
    Clients,
    ApiKeys,
}

impl Section {
    /// How an id is written, where a bare one could mean two callers.
    fn help(self) -> Option<&'static str> {
        match self {
            Self::Users => {
                Some("write `<issuer>#<subject>`: another issuer may know the same subject")
            }
            Self::Clients => {
                Some("write `<issuer>#<client id>`: another issuer may know the same client")
            }
            Self::ApiKeys => None,
        }
    }
}

/// A key of a mapping.
struct Key<'s> {
    text: Cow<'s, str>,
    span: Range<usize>,
}

impl<'s> Reader<'s> {
    fn document(&mut self) -> Result<(), Stop> {
        let root = self.pieces.next()?;
        if let Kind::Over = root.kind {
            return Ok(());
        }
        self.mapping(&root, &mut |reader, key| {
            let section = match &*key.text {
                "users" => Section::Users,
                "clients" => Section::Clients,
                "api_keys" => Section::ApiKeys,
                _ => return reader.unknown(key, "known here: users, clients, api_keys"),
            };
            let value = reader.pieces.next()?;
            reader.mapping(&value, &mut |reader, key| reader.entry(section, key))
        })?;
        // What follows the first document is a fault, and found by looking.
        self.pieces.next().map(drop)
    }

    fn entry(&mut self, section: Section, key: Key<'s>) -> Result<(), Stop> {
        self.entries = self.entries.saturating_add(1);
        if self.entries > MAX_ENTRIES {
            let message = format!("there are more than {MAX_ENTRIES} entries");
            self.pieces.fault(key.span, message, None);
            return Err(Stop);
        }
        let Key { text: id, span } = key;
        let parts = id.split_once('#');
        let qualified = parts.is_some_and(|(issuer, id)| !issuer.is_empty() && !id.is_empty());
        if !qualified && let Some(help) = section.help() {
            let message = format!("{} does not name an issuer", shown(&id));
            self.pieces.fault(span.clone(), message, Some(help));
        }
        let (mentions, name) = match section {
            Section::Users | Section::Clients => {
                (&mut self.mentions.issuers, parts.unwrap_or_default().0)
            }
            Section::ApiKeys => (&mut self.mentions.api_keys, &*id),
        };
        mention(mentions, name, span);
        let given = self.given()?;
        match (section, parts) {
            (Section::Users, _) => drop(self.table.users.insert(id.into_owned(), given)),
            (Section::ApiKeys, _) => drop(self.table.api_keys.insert(id.into_owned(), given)),
            (Section::Clients, Some((issuer, client))) => {
                let clients = self.table.clients.entry(issuer.to_owned()).or_default();
                clients.insert(client.to_owned(), given);
            }
            // Reported above.
            (Section::Clients, None) => {}
        }
        Ok(())
    }

    fn given(&mut self) -> Result<Given, Stop> {
        let mut given = Given::default();
        let value = self.pieces.next()?;
        self.mapping(&value, &mut |reader, key| {
            match &*key.text {
                "roles" => given.roles = reader.names(|all| &mut all.roles)?,
                "groups" => given.groups = reader.names(|all| &mut all.groups)?,
                "tenant" => {
                    let value = reader.pieces.next()?;
                    if !value.kind.is_null() {
                        given.tenant = reader.text(value, MAX_NAME_BYTES)?.map(Cow::into_owned);
                    }
                }
                _ => return reader.unknown(key, "known here: roles, groups, tenant"),
            }
            Ok(())
        })?;
        Ok(given)
    }

    /// A list of names; `null` is an empty one.
    fn names(
        &mut self,
        mentions: fn(&mut Mentions) -> &mut BTreeMap<String, Range<usize>>,
    ) -> Result<BTreeSet<String>, Stop> {
        let mut names = BTreeSet::new();
        let opened = self.pieces.next()?;
        let Kind::List = opened.kind else {
            self.unless_null(
                &opened,
                "a list",
                Some("write it in brackets, as in `[admin]`"),
            )?;
            return Ok(names);
        };
        loop {
            let item = self.pieces.next()?;
            if let Kind::End = item.kind {
                return Ok(names);
            }
            let span = item.span.clone();
            let Some(name) = self.text(item, MAX_NAME_BYTES)? else {
                continue;
            };
            let message = if names.len() >= MAX_NAMES {
                format!("more than {MAX_NAMES} names of one caller")
            } else if names.contains(&*name) {
                format!("{} is listed twice", shown(&name))
            } else {
                mention(mentions(&mut self.mentions), &name, span);
                names.insert(name.into_owned());
                continue;
            };
            self.pieces.fault(span, message, None);
        }
    }

    /// Hands each key of a mapping to `each`, which reads its value. `null` is an empty mapping.
    fn mapping(
        &mut self,
        opened: &Piece<'s>,
        each: &mut dyn FnMut(&mut Self, Key<'s>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Kind::Mapping = opened.kind else {
            return self.unless_null(opened, "a mapping", None);
        };
        let mut seen = HashSet::new();
        loop {
            let piece = self.pieces.next()?;
            if let Kind::End = piece.kind {
                return Ok(());
            }
            if let Some(key) = self.key(piece, &mut seen)? {
                each(self, key)?;
            } else {
                let value = self.pieces.next()?;
                self.pieces.skip(&value)?;
            }
        }
    }

    /// A key that stands here for the first time; anything else is reported.
    fn key(
        &mut self,
        piece: Piece<'s>,
        seen: &mut HashSet<String>,
    ) -> Result<Option<Key<'s>>, Stop> {
        let span = piece.span.clone();
        if let Kind::Scalar { text, plain: true } = &piece.kind
            && text == "<<"
        {
            let help = Some("write the keys out");
            self.pieces
                .fault(span, "merge keys are not supported".to_owned(), help);
            return Ok(None);
        }
        let Some(text) = self.text(piece, MAX_ID_BYTES)? else {
            return Ok(None);
        };
        if !seen.insert(text.to_string()) {
            let message = format!("duplicate key {}", shown(&text));
            self.pieces.fault(span, message, None);
            return Ok(None);
        }
        Ok(Some(Key { text, span }))
    }

    /// Text, and nothing that only looks like it; anything else is reported.
    fn text(&mut self, piece: Piece<'s>, longest: usize) -> Result<Option<Cow<'s, str>>, Stop> {
        if piece.kind.is_null() || !matches!(piece.kind, Kind::Scalar { .. }) {
            self.refuse(&piece, "text", None)?;
            return Ok(None);
        }
        let Kind::Scalar { text, plain } = piece.kind else {
            return Ok(None);
        };
        let (message, help) = if plain && is_switch_or_number(&text) {
            let message = format!("expected text, found {}", shown(&text));
            (message, Some("put it in quotes"))
        } else if text.is_empty() {
            ("empty text".to_owned(), None)
        } else if text.chars().any(char::is_control) {
            ("control characters in text".to_owned(), None)
        } else if text.len() > longest {
            (format!("longer than {longest} bytes"), None)
        } else {
            return Ok(Some(text));
        };
        self.pieces.fault(piece.span, message, help);
        Ok(None)
    }

    /// `null` is as good as absent; anything else here is reported.
    fn unless_null(
        &mut self,
        piece: &Piece<'s>,
        wanted: &str,
        help: Option<&str>,
    ) -> Result<(), Stop> {
        if piece.kind.is_null() {
            return Ok(());
        }
        self.refuse(piece, wanted, help)
    }

    /// Reports a value of the wrong kind, unless it has been, and passes over it.
    fn refuse(&mut self, piece: &Piece<'s>, wanted: &str, help: Option<&str>) -> Result<(), Stop> {
        if !matches!(piece.kind, Kind::Alias) {
            let message = format!("expected {wanted}, found {}", found(&piece.kind));
            self.pieces.fault(piece.span.clone(), message, help);
        }
        self.pieces.skip(piece)
    }

    fn unknown(&mut self, key: Key<'s>, help: &str) -> Result<(), Stop> {
        let message = format!("unknown key {}", shown(&key.text));
        self.pieces.fault(key.span, message, Some(help));
        let value = self.pieces.next()?;
        self.pieces.skip(&value)
    }
}

fn mention(mentions: &mut BTreeMap<String, Range<usize>>, name: &str, span: Range<usize>) {
    if !mentions.contains_key(name) {
        mentions.insert(name.to_owned(), span);
    }
}

#[cfg(test)]
mod tests;
