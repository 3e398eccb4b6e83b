//! The file as a tree in which every key and every value knows its place.
//!
//! Only plain data is read: one document of mappings, sequences and scalars. Anchors, aliases, merge
//! keys and tags are refused, so that what stands in the file is what the program uses.

use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use crate::config::reader::Faults;
use crate::config::reader::Place;
use crate::config::suggest;
use crate::fault::Source;
use crate::yaml;
use crate::yaml::HaltKind;
use crate::yaml::Kind;
use crate::yaml::Piece;
use crate::yaml::Pieces;

/// A value and its place.
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value as written.
pub(super) enum Value {
    /// `plain` is false for text in quotes and in blocks, and for what an expansion produced: such
    /// a scalar is text and nothing else.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Something that has been reported already.
    Invalid,
}

/// One key of a mapping with its value.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

impl Node {
    /// `null`, `~`, or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain } => *plain && yaml::is_null(text),
            Value::Sequence(_) | Value::Mapping(_) | Value::Invalid => false,
        }
    }
}

/// Reads the text of `source`. `None` when its shape cannot be known; that has been reported.
pub(super) fn tree(source: &Source, faults: &mut Faults<'_>) -> Option<Node> {
    let mut pieces = Pieces::of(&source.text);
    let mut builder = Builder::default();
    loop {
        match pieces.piece() {
            Ok(Piece {
                kind: Kind::Over, ..
            }) => break,
            Ok(piece) => builder.take(piece, faults),
            Err(halt) => {
                match halt.kind {
                    HaltKind::Syntax(message) => faults.syntax(halt.span, &message),
                    kind @ (HaltKind::SecondDocument | HaltKind::TooDeep | HaltKind::NotPlain) => {
                        faults.error(&Place::at(halt.span), kind.to_string());
                    }
                }
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or_else(|| Node {
        value: Value::Mapping(Vec::new()),
        place: Place::at(0..0),
    }))
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Node>,
}

enum Frame {
    Sequence(Range<usize>, Vec<Node>),
    Mapping(MappingFrame),
}

struct MappingFrame {
    start: Range<usize>,
    entries: Vec<Entry>,
    seen: BTreeSet<String>,
    /// A key that waits for its value.
    key: Option<Key>,
}

struct Key {
    /// Absent: a fault in the key was reported, and its value is dropped.
    text: Option<String>,
    span: Range<usize>,
}

impl Builder {
    fn take(&mut self, piece: Piece<'_>, faults: &mut Faults<'_>) {
        let Piece {
            kind,
            span,
            refused,
        } = piece;
        if let Some(refused) = refused {
            faults.error_help(&Place::at(span.clone()), refused, yaml::HELP);
        }
        match kind {
            Kind::Scalar { text, plain } => {
                let text = text.into_owned();
                self.deliver(Value::Scalar { text, plain }, span, faults);
            }
            Kind::Alias => self.deliver(Value::Invalid, span, faults),
            Kind::List => self.open.push(Frame::Sequence(span, Vec::new())),
            Kind::Mapping => self.open.push(Frame::Mapping(MappingFrame {
                start: span,
                entries: Vec::new(),
                seen: BTreeSet::new(),
                key: None,
            })),
            Kind::End => self.close(&span, faults),
            Kind::Over => {}
        }
    }

    fn close(&mut self, end: &Range<usize>, faults: &mut Faults<'_>) {
        match self.open.pop() {
            Some(Frame::Sequence(start, items)) => {
                let first = items.first().map(|item| item.place.span());
                let span = extent(&start, first, end);
                self.deliver(Value::Sequence(items), span, faults);
            }
            Some(Frame::Mapping(frame)) => {
                let first = frame.entries.first().map(|entry| entry.place.span());
                let span = extent(&frame.start, first, end);
                self.deliver(Value::Mapping(frame.entries), span, faults);
            }
            None => {}
        }
    }

    /// Hands a finished value to the collection that it stands in.
    fn deliver(&mut self, value: Value, span: Range<usize>, faults: &mut Faults<'_>) {
        let node = Node {
            value,
            place: Place::at(span),
        };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Sequence(_, items)) => items.push(node),
            Some(Frame::Mapping(frame)) => frame.take(node, faults),
        }
    }
}

impl MappingFrame {
    fn take(&mut self, node: Node, faults: &mut Faults<'_>) {
        let Some(key) = self.key.take() else {
            self.key = Some(self.key_of(&node, faults));
            return;
        };
        if let Some(text) = key.text {
            self.entries.push(Entry {
                key: text,
                place: Place::at(key.span),
                value: node,
            });
        }
    }

    fn key_of(&mut self, node: &Node, faults: &mut Faults<'_>) -> Key {
        let span = node.place.span();
        let text = match &node.value {
            Value::Scalar { text, plain } if *plain && text == "<<" => {
                faults.error_help(
                    &node.place,
                    "merge keys are not supported",
                    "write the keys out",
                );
                None
            }
            Value::Scalar { plain, .. } if *plain && node.is_null() => {
                faults.error(&node.place, "a key without a name");
                None
            }
            Value::Scalar { text, .. } if self.seen.insert(text.clone()) => Some(text.clone()),
            Value::Scalar { text, .. } => {
                faults.duplicate_key(&node.place, text);
                None
            }
            Value::Sequence(_) | Value::Mapping(_) => {
                faults.error(&node.place, "a key must be text");
                None
            }
            Value::Invalid => None,
        };
        Key { text, span }
    }
}

/// Marks every value that holds a secret, so that no fault shows it or a line that it stands on.
pub(super) fn hide_secrets(node: &mut Node, parent: &str, faults: &mut Faults<'_>) {
    match &mut node.value {
        Value::Scalar { text, .. } if is_redis_url(text) => hide_all(node, faults),
        Value::Scalar { .. } | Value::Invalid => {}
        Value::Sequence(items) => {
            for item in items {
                hide_secrets(item, parent, faults);
            }
        }
        Value::Mapping(entries) => {
            for entry in entries {
                if secret_name(parent, &entry.key) {
                    hide_all(&mut entry.value, faults);
                } else if names_keys(&entry.key) {
                    hide_keys(&mut entry.value, &entry.key, faults);
                } else {
                    hide_secrets(&mut entry.value, &entry.key, faults);
                }
            }
        }
    }
}

/// Hides what stands under `keys` by itself: what is no mapping with keys of its own may be a secret, or
/// a mapping from ids to secrets.
fn hide_keys(node: &mut Node, key: &str, faults: &mut Faults<'_>) {
    let Value::Sequence(items) = &mut node.value else {
        hide_all(node, faults);
        return;
    };
    for item in items {
        match &item.value {
            Value::Mapping(_) => hide_secrets(item, key, faults),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Invalid => hide_all(item, faults),
        }
    }
}

fn hide_all(node: &mut Node, faults: &mut Faults<'_>) {
    node.place = mem::take(&mut node.place).hide();
    faults.hide_lines(node.place.span());
    match &mut node.value {
        Value::Scalar { .. } | Value::Invalid => {}
        Value::Sequence(items) => items.iter_mut().for_each(|item| hide_all(item, faults)),
        Value::Mapping(entries) => {
            for entry in entries {
                faults.hide_lines(entry.place.span());
                hide_all(&mut entry.value, faults);
            }
        }
    }
}

/// The keys that hold secrets, or what a secret is easily mistaken for. A misspelt one holds a secret
/// as well.
pub(super) const SECRET_KEYS: [&str; 6] = [
    "shared_secret",
    "token",
    "secret",
    "client_secret",
    "pem",
    "hash",
];

fn secret_name(parent: &str, key: &str) -> bool {
    if parent == "limits" {
        return false; // `limits.token` is a size
    }
    let lower = key.to_lowercase();
    if parent == "redis" {
        // The URL may hold a password, and so may a misspelt one.
        return !REDIS_KEYS.iter().any(|name| near(&lower, name));
    }
    SECRET_KEYS.iter().any(|name| near(&lower, name))
        || matches!(lower.as_str(), "key" | "value" | "apikey" | "api_key")
        || [
            "secret",
            "password",
            "passwd",
            "credential",
            "private",
            "bearer",
        ]
        .iter()
        .any(|word| lower.contains(word))
}

/// What stands beside the URL of a Redis.
const REDIS_KEYS: [&str; 3] = ["prefix", "ca_file", "insecure_allow_plaintext"];

/// Wherever it stands, there may be a password in it.
fn is_redis_url(text: &str) -> bool {
    text.contains("://") && text.to_lowercase().contains("redis")
}

fn names_keys(key: &str) -> bool {
    let lower = key.to_lowercase();
    near(&lower, "keys") || lower.ends_with("keys")
}

/// Within a few slips; a short name has too many neighbours.
fn near(key: &str, name: &str) -> bool {
    let slips = match name.len() {
        0..=3 => 0,
        4 => 1,
        _ => 2,
    };
    suggest::distance(key, name) <= slips
}

/// From the start to the end of a collection in brackets; of one without brackets, its first item.
fn extent(start: &Range<usize>, first: Option<Range<usize>>, end: &Range<usize>) -> Range<usize> {
    if start.is_empty() {
        first.unwrap_or_else(|| start.clone())
    } else {
        start.start..end.end.max(start.end)
    }
}
