//! Reads mappings key by key and gathers every fault on the way.

use std::ops::Range;
use std::sync::Arc;

use crate::config::redact;
use crate::config::suggest;
use crate::config::yaml::Entry;
use crate::config::yaml::Node;
use crate::config::yaml::SECRET_KEYS;
use crate::config::yaml::Value;
use crate::fault::Fault;
use crate::fault::Severity;
use crate::fault::Source;

/// More faults than this help nobody.
const MOST_FAULTS: usize = 100;

/// Longer values are cut in messages, in characters.
const SHOWN: usize = 80;

/// Where something stands, and whether it may be shown.
#[derive(Clone, Default)]
pub(super) struct Place {
    span: Range<usize>,
    /// Set when it does not stand in the file: the flag, and the text it was given.
    flag: Option<Source>,
    hidden: bool,
}

impl Place {
    pub(super) fn at(span: Range<usize>) -> Self {
        Self {
            span,
            flag: None,
            hidden: false,
        }
    }

    /// The whole argument of a command-line flag.
    pub(super) fn flag(name: &str, text: &str) -> Self {
        Self {
            span: 0..text.len(),
            flag: Some(Source {
                name: name.into(),
                text: text.into(),
            }),
            hidden: false,
        }
    }

    /// The same place, of which nothing is ever shown.
    #[must_use]
    pub(super) fn hide(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// Gathers faults.
pub(super) struct Faults<'s> {
    source: &'s Source,
    found: Vec<Fault>,
    /// Bytes of the file that no excerpt may touch.
    hidden: Vec<Range<usize>>,
}

impl<'s> Faults<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self {
            source,
            found: Vec::new(),
            hidden: Vec::new(),
        }
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.add(place, message.into(), Severity::Error, |fault| fault);
    }

    pub(super) fn error_help(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(place, message.into(), Severity::Error, |fault| {
            fault.help(help)
        });
    }

    pub(super) fn warning(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(place, message.into(), Severity::Warning, |fault| {
            fault.help(help).warning()
        });
    }

    pub(super) fn duplicate_key(&mut self, place: &Place, key: &str) {
        self.error(place, format!("duplicate key `{}`", cut(key)));
    }

    pub(super) fn second(&mut self, what: &str, name: &str, place: &Place) {
        if place.hidden {
            self.error(place, format!("a second {what} of this name"));
        } else {
            self.error(place, format!("a second {what} named `{name}`"));
        }
    }

    /// A fault before the tree is known, and with it the places of secrets: in a file that names one
    /// anywhere, no line is shown.
    pub(super) fn syntax(&mut self, span: Range<usize>, message: &str) {
        let mut place = Place::at(span);
        let text = self.source.text.to_lowercase();
        if SECRET_KEYS
            .iter()
            .chain(&["secret", "passw", "redis"])
            .any(|name| text.contains(name))
        {
            place = place.hide();
        }
        self.error(&place, format!("not valid YAML: {}", lower_first(message)));
    }

    /// Keeps what stands at `span`, and every line that it touches, out of the faults.
    pub(super) fn hide_lines(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// Every fault in the order of the file. None carries a secret: what is hidden is blanked in the
    /// text that excerpts are cut from, and a line with something hidden is not shown at all.
    pub(super) fn finish(self) -> Vec<Fault> {
        let Self {
            source,
            mut found,
            hidden,
        } = self;
        let text = redact::blanked(&source.text, &hidden);
        let lines = redact::Lines::touched(&source.text, &hidden);
        for fault in &mut found {
            if fault.file != source.name || fault.text.is_none() {
                continue;
            }
            let shows_secret = fault.span.as_ref().is_some_and(|span| lines.meet(span));
            fault.text = (!shows_secret).then(|| Arc::clone(&text));
        }
        found.sort_by_key(|fault| fault.position);
        found
    }

    /// Nothing is looked up for a fault that would not be kept: there may be many. Warnings are counted
    /// apart, so that they neither hide an error nor become one.
    fn add(
        &mut self,
        place: &Place,
        message: String,
        severity: Severity,
        complete: impl FnOnce(Fault) -> Fault,
    ) {
        let alike = self.found.iter().filter(|found| found.severity == severity);
        let alike = alike.count();
        if alike > MOST_FAULTS {
            return;
        }
        let source = place.flag.as_ref().unwrap_or(self.source);
        let fault = complete(Fault::error(source, Some(place.span()), message));
        if alike == MOST_FAULTS {
            let message = format!(
                "more than {MOST_FAULTS} {}; the rest is not shown",
                match severity {
                    Severity::Error => "faults",
                    Severity::Warning => "warnings",
                }
            );
            let mut last = Fault::error(self.source, None, message);
            last.severity = severity;
            last.position = fault.position;
            self.found.push(last);
        } else if place.hidden {
            self.found.push(fault.hide_excerpt());
        } else {
            self.found.push(fault);
        }
    }
}

/// A mapping whose keys are asked for one by one; what nobody asked for is unknown.
pub(super) struct Mapping<'t> {
    place: &'t Place,
    entries: &'t [Entry],
    known: Vec<&'static str>,
    later: &'static [&'static str],
}

impl<'t> Mapping<'t> {
    /// `None`, and a fault, when the node is something else.
    pub(super) fn of(node: &'t Node, faults: &mut Faults<'_>) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            wrong_shape(node, "a mapping", faults);
            return None;
        };
        Some(Self {
            place: &node.place,
            entries,
            known: Vec::new(),
            later: &[],
        })
    }

    /// Names keys that a later version will know.
    #[must_use]
    pub(super) fn later(mut self, keys: &'static [&'static str]) -> Self {
        self.later = keys;
        self
    }

    /// The value of a key; `null` is as good as absent.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<&'t Node> {
        self.known.push(key);
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
            .filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        faults: &mut Faults<'_>,
    ) -> Option<&'t Node> {
        let value = self.optional(key);
        if value.is_none() {
            let place = self.place_of(key).unwrap_or(self.place).clone();
            faults.error(&place, format!("missing key `{key}`"));
        }
        value
    }

    /// Where a key stands, if it does.
    pub(super) fn place_of(&self, key: &str) -> Option<&'t Place> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.place)
    }

    /// Where the mapping begins.
    pub(super) fn place(&self) -> &'t Place {
        self.place
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, faults: &mut Faults<'_>) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) {
                continue;
            }
            let message = format!("unknown key `{}`", cut(key));
            let help = if self.later.contains(&key) {
                format!("`{key}` is not supported by this version")
            } else if let Some(near) = suggest::nearest(key, &self.known) {
                format!("did you mean `{near}`?")
            } else {
                format!("known here: {}", self.known.join(", "))
            };
            faults.error_help(&entry.place, message, help);
        }
    }
}

/// Reports a value of the wrong kind.
pub(super) fn wrong_shape(node: &Node, wanted: &str, faults: &mut Faults<'_>) {
    let message = match &node.value {
        Value::Invalid => return,
        Value::Scalar { .. } if node.is_null() => format!("expected {wanted}, found nothing"),
        Value::Scalar { .. } if node.place.hidden => format!("expected {wanted}"),
        Value::Scalar { text, .. } => format!("expected {wanted}, found `{}`", cut(text)),
        Value::Sequence(_) => format!("expected {wanted}, found a list"),
        Value::Mapping(_) => format!("expected {wanted}, found a mapping"),
    };
    faults.error(&node.place, message);
}

/// The value for a message: in backticks, or without its text where that may not be shown.
pub(super) fn shown(node: &Node, text: &str) -> String {
    if node.place.hidden {
        "the value".to_owned()
    } else {
        format!("`{}`", cut(text))
    }
}

/// One line of at most [`SHOWN`] characters, without controls.
pub(super) fn cut(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("...");
    }
    short
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}
