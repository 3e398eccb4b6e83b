//! YAML as plain data: one document of mappings, lists and scalars, piece by piece, each with its place.
//!
//! Anchors, aliases, merge keys and tags are refused, so that no text stands for more than itself.
//! No tree is built here: a file may be large.

use std::borrow::Cow;
use std::ops::Range;

use serde_saphyr::granit_parser::Event;
use serde_saphyr::granit_parser::Options;
use serde_saphyr::granit_parser::Parser;
use serde_saphyr::granit_parser::ScalarStyle;
use serde_saphyr::granit_parser::StrInput;
use thiserror::Error;

/// Collections within collections, those that are passed over included.
const DEPTH: usize = 32;

/// What to do about anything that is refused.
pub const HELP: &str = "write the value out";

/// One piece of the document.
#[derive(Debug)]
pub struct Piece<'s> {
    /// What it is.
    pub kind: Kind<'s>,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// Why it is not accepted, for a piece that is more than plain data; [`HELP`] says what to do.
    pub refused: Option<&'static str>,
}

/// What a piece is.
#[derive(Debug)]
pub enum Kind<'s> {
    /// A text, a number, a switch or nothing.
    Scalar {
        /// As written, without quotes.
        text: Cow<'s, str>,
        /// False for text in quotes and in blocks: such a scalar is text and nothing else.
        plain: bool,
    },
    /// A list opens.
    List,
    /// A mapping opens.
    Mapping,
    /// The innermost list or mapping closes.
    End,
    /// An alias stands where a value should.
    Alias,
    /// Nothing follows.
    Over,
}

/// Why the rest of a document cannot be read.
#[derive(Debug, Error)]
#[error("{kind}")]
pub struct Halt {
    /// What is wrong.
    pub kind: HaltKind,
    /// Where, in bytes.
    pub span: Range<usize>,
}

/// What is wrong with a document.
#[derive(Debug, Error)]
pub enum HaltKind {
    /// It is not YAML (YAML 1.2). The text may repeat what stands in the file.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// There are two.
    #[error("a second document in one file")]
    SecondDocument,
    /// Collections in collections, without end.
    #[error("nested deeper than {DEPTH} levels")]
    TooDeep,
    /// Something that the parser knows and this reader does not.
    #[error("this is not plain data")]
    NotPlain,
}

/// The pieces of a document, one by one.
pub struct Pieces<'s> {
    parser: Parser<'s, StrInput<'s>>,
    end: usize,
    depth: usize,
    documents: usize,
}

impl std::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

impl<'s> Pieces<'s> {
    /// At the start of the document.
    pub fn of(text: &'s str) -> Self {
        let mut options = Options::default();
        options.disallow_directives = true;
        options.emit_unresolved_aliases = true;
        options.set_emit_comments(false);
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            end: text.len(),
            depth: 0,
            documents: 0,
        }
    }

    /// How many collections are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece.
    ///
    /// # Errors
    ///
    /// See [`HaltKind`]; nothing can be read after one.
    pub fn piece(&mut self) -> Result<Piece<'s>, Halt> {
        loop {
            let Some(next) = self.parser.next() else {
                return Ok(Piece {
                    kind: Kind::Over,
                    span: self.end..self.end,
                    refused: None,
                });
            };
            let (event, span) = next.map_err(|error| {
                let at = error.marker().byte_offset().unwrap_or(self.end);
                Halt {
                    kind: HaltKind::Syntax(lower_first(&error.info())),
                    span: at..at.saturating_add(1),
                }
            })?;
            let span = span.byte_range().unwrap_or(0..0);
            let refused = refusal(&event);
            let halt = |kind| Halt {
                kind,
                span: span.clone(),
            };
            if let Some(kind) = self.kind(event).map_err(halt)? {
                return Ok(Piece {
                    kind,
                    span,
                    refused,
                });
            }
        }
    }

    /// What the event is in plain data; absent for one that is no data.
    fn kind(&mut self, event: Event<'s>) -> Result<Option<Kind<'s>>, HaltKind> {
        let kind = match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {
                return Ok(None);
            }
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(HaltKind::SecondDocument);
                }
                return Ok(None);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => Kind::Alias,
            Event::Scalar(text, style, ..) => Kind::Scalar {
                text,
                plain: style == ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Kind::List,
            Event::MappingStart(..) => Kind::Mapping,
            Event::SequenceEnd | Event::MappingEnd => Kind::End,
            // The parser may grow events; none of them is plain data.
            _ => return Err(HaltKind::NotPlain),
        };
        match kind {
            Kind::List | Kind::Mapping => self.depth = self.depth.saturating_add(1),
            Kind::End => self.depth = self.depth.saturating_sub(1),
            Kind::Scalar { .. } | Kind::Alias | Kind::Over => {}
        }
        if self.depth > DEPTH {
            return Err(HaltKind::TooDeep);
        }
        Ok(Some(kind))
    }
}

impl Kind<'_> {
    /// `null`, `~`, or nothing at all.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Scalar { text, plain } => *plain && is_null(text),
            Self::List | Self::Mapping | Self::End | Self::Alias | Self::Over => false,
        }
    }
}

/// Whether plain text stands for nothing (YAML 1.2, section 10.3.2).
pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
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
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut pieces = Pieces::of(text);
        let mut read = Vec::new();
        loop {
            let piece = match pieces.piece() {
                Ok(piece) => piece,
                Err(halt) => {
                    read.push(format!("! {halt}"));
                    return read.join(" ");
                }
            };
            read.push(match &piece.kind {
                Kind::Scalar { text, plain } => format!("{text}{}", if *plain { "" } else { "'" }),
                Kind::List => "[".to_owned(),
                Kind::Mapping => "{".to_owned(),
                Kind::End => ")".to_owned(),
                Kind::Alias => "*".to_owned(),
                Kind::Over => return read.join(" "),
            });
            read.extend(piece.refused.map(|why| format!("({why})")));
        }
    }

    #[test]
    fn plain_data_is_read_and_the_rest_is_marked() {
        for (text, expected) in [
            ("", ""),
            ("a: [1, 'b']\n", "{ a [ 1 b' ) )"),
            (
                "a: &x 1\nb: *x\n",
                "{ a 1 (anchors are not supported) b * (aliases are not supported) )",
            ),
            ("!!str a", "a (tags are not supported)"),
            ("a\n---\nb\n", "a ! a second document in one file"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert!(read("a: [").contains("! not valid YAML: "));
        assert!(read("%YAML 1.2\n---\na").contains("! not valid YAML: "));
        let deep = "[".repeat(DEPTH + 1) + &"]".repeat(DEPTH + 1);
        assert!(read(&deep).ends_with("! nested deeper than 32 levels"));
    }

    #[test]
    fn nothing_is_written_in_five_ways() {
        for text in ["~", "null", "Null", "NULL"] {
            assert!(Pieces::of(text).piece().unwrap().kind.is_null(), "{text}");
        }
        for text in ["'null'", "nUll", "[]"] {
            assert!(!Pieces::of(text).piece().unwrap().kind.is_null(), "{text}");
        }
    }
}
