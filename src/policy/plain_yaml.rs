//! YAML as a stream of plain data, each piece with its place, and no tree: a file may be large.
//!
//! One document of mappings, lists and scalars is read. Anchors, aliases, merge keys and tags are
//! refused, so that no text stands for more than itself.

use std::borrow::Cow;
use std::ops::Range;

use serde_saphyr::granit_parser::Event;
use serde_saphyr::granit_parser::Options;
use serde_saphyr::granit_parser::Parser;
use serde_saphyr::granit_parser::ScalarStyle;
use serde_saphyr::granit_parser::StrInput;

use crate::fault::Fault;
use crate::fault::Source;

/// More faults than this help nobody, and each costs a walk through the file.
const MOST_FAULTS: usize = 100;
/// Collections within collections, those that are passed over included.
const DEPTH: usize = 32;
/// Longer text is cut in messages, in characters.
const SHOWN: usize = 80;

/// One piece of the document.
#[derive(Debug)]
pub(super) struct Piece<'s> {
    pub(super) kind: Kind<'s>,
    pub(super) span: Range<usize>,
}

/// What a piece is.
#[derive(Debug)]
pub(super) enum Kind<'s> {
    /// `plain` is false for text in quotes and in blocks: such a scalar is text and nothing else.
    Scalar { text: Cow<'s, str>, plain: bool },
    /// A list opens.
    List,
    /// A mapping opens.
    Mapping,
    /// The innermost list or mapping closes.
    End,
    /// Stands where a value should; it has been reported.
    Refused,
    /// Nothing follows.
    Over,
}

/// The rest of the file cannot be read, or is not worth reading; a fault says why.
#[derive(Debug)]
pub(super) struct Stop;

/// The pieces of a document, one by one, and the faults so far.
pub(super) struct Pieces<'s> {
    source: &'s Source,
    parser: Parser<'s, StrInput<'s>>,
    faults: Vec<Fault>,
    depth: usize,
    documents: usize,
}

impl<'s> Pieces<'s> {
    /// At the start of the document.
    pub(super) fn of(source: &'s Source) -> Self {
        let mut options = Options::default();
        options.disallow_directives = true;
        options.emit_unresolved_aliases = true;
        options.set_emit_comments(false);
        Self {
            source,
            parser: Parser::new_from_str_with_options(&source.text, options),
            faults: Vec::new(),
            depth: 0,
            documents: 0,
        }
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Result<Piece<'s>, Stop> {
        if self.faults.len() > MOST_FAULTS {
            return Err(Stop);
        }
        loop {
            let Some(next) = self.parser.next() else {
                let end = self.source.text.len();
                return Ok(Piece {
                    kind: Kind::Over,
                    span: end..end,
                });
            };
            let (event, span) = next.map_err(|error| {
                let at = error.marker().byte_offset();
                let at = at.unwrap_or(self.source.text.len());
                let message = format!("not valid YAML: {}", lower_first(&error.info()));
                self.fault(at..at.saturating_add(1), message, None);
                Stop
            })?;
            let span = span.byte_range().unwrap_or(0..0);
            if let Some(kind) = self.kind(event, &span)? {
                return Ok(Piece { kind, span });
            }
        }
    }

    /// Passes over the rest of a value that began with `piece`.
    pub(super) fn skip(&mut self, piece: &Piece<'_>) -> Result<(), Stop> {
        let outside = match piece.kind {
            Kind::List | Kind::Mapping => self.depth.saturating_sub(1),
            Kind::Scalar { .. } | Kind::End | Kind::Refused | Kind::Over => return Ok(()),
        };
        while self.depth > outside {
            if let Kind::Over = self.next()?.kind {
                return Err(Stop);
            }
        }
        Ok(())
    }

    /// Reports an error.
    pub(super) fn fault(&mut self, span: Range<usize>, message: String, help: Option<&str>) {
        if self.faults.len() > MOST_FAULTS {
            return;
        }
        let mut fault = Fault::error(self.source, Some(span), message);
        if self.faults.len() == MOST_FAULTS {
            fault.message = format!("more than {MOST_FAULTS} faults; the rest is not looked for");
        } else {
            fault.help = help.map(str::to_owned);
        }
        self.faults.push(fault);
    }

    /// Everything that was reported, in the order of the file.
    pub(super) fn into_faults(mut self) -> Vec<Fault> {
        self.faults.sort_by_key(|fault| fault.position);
        self.faults
    }

    /// What the event is in plain data; absent for one that is no data.
    fn kind(&mut self, event: Event<'s>, span: &Range<usize>) -> Result<Option<Kind<'s>>, Stop> {
        if let Some(refusal) = refusal(&event) {
            self.fault(
                span.clone(),
                refusal.to_owned(),
                Some("write the value out"),
            );
        }
        let kind = match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {
                return Ok(None);
            }
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    self.fault(
                        span.clone(),
                        "a second document in one file".to_owned(),
                        None,
                    );
                    return Err(Stop);
                }
                return Ok(None);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Kind::Refused,
            Event::Scalar(text, style, ..) => Kind::Scalar {
                text,
                plain: style == ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Kind::List,
            Event::MappingStart(..) => Kind::Mapping,
            Event::SequenceEnd | Event::MappingEnd => Kind::End,
            // The parser may grow events; none of them is plain data.
            _ => {
                self.fault(span.clone(), "this is not plain data".to_owned(), None);
                return Err(Stop);
            }
        };
        match kind {
            Kind::List | Kind::Mapping => self.depth = self.depth.saturating_add(1),
            Kind::End => self.depth = self.depth.saturating_sub(1),
            Kind::Scalar { .. } | Kind::Refused | Kind::Over => {}
        }
        if self.depth > DEPTH {
            let message = format!("nested deeper than {DEPTH} levels");
            self.fault(span.clone(), message, None);
            return Err(Stop);
        }
        Ok(Some(kind))
    }
}

impl Kind<'_> {
    /// `null`, `~`, or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Scalar { text, plain } => {
                *plain && matches!(&**text, "" | "~" | "null" | "Null" | "NULL")
            }
            Self::List | Self::Mapping | Self::End | Self::Refused | Self::Over => false,
        }
    }

    /// What a message calls it.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Scalar { .. } if self.is_null() => "nothing".to_owned(),
            Self::Scalar { text, .. } => shown(text),
            Self::List => "a list".to_owned(),
            Self::Mapping => "a mapping".to_owned(),
            Self::End | Self::Refused | Self::Over => "nothing".to_owned(),
        }
    }
}

/// Text in backticks, on one line and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}

/// Whether plain text reads as a switch or a number (YAML 1.2, section 10.3).
pub(super) fn is_switch_or_number(text: &str) -> bool {
    if matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") {
        return true;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok()
    {
        return true;
    }
    let radix = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix).unwrap_or("");
        !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix))
    };
    let special = digits.to_ascii_lowercase();
    radix("0x", 16) || radix("0o", 8) || matches!(&*special, ".inf" | ".nan")
}

fn refusal(event: &Event<'_>) -> Option<&'static str> {
    match event {
        Event::Alias(_) | Event::UnresolvedAlias(_) => Some("aliases are not supported"),
        Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) => {
            if *anchor != 0 {
                Some("anchors are not supported")
            } else {
                tag.as_ref().map(|_| "tags are not supported")
            }
        }
        Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(..)
        | Event::DocumentEnd
        | Event::Anchor(..)
        | Event::SequenceEnd
        | Event::MappingEnd
        | _ => None,
    }
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests;
