//! YAML as a stream of plain data, each piece with its place, and no tree: a file may be large.
//!
//! One document of mappings, lists and scalars is read. Anchors, aliases, merge keys and tags are
//! refused, so that no text stands for more than itself.

use std::ops::Range;

use crate::fault::Fault;
use crate::fault::Source;
use crate::yaml;
use crate::yaml::Kind;
use crate::yaml::Piece;

/// More faults than this help nobody, and each costs a walk through the file.
const MOST_FAULTS: usize = 100;
/// Longer text is cut in messages, in characters.
const SHOWN: usize = 80;

/// The rest of the file cannot be read, or is not worth reading; a fault says why.
#[derive(Debug)]
pub(super) struct Stop;

/// The pieces of a document, one by one, and the faults so far.
pub(super) struct Pieces<'s> {
    source: &'s Source,
    reader: yaml::Pieces<'s>,
    faults: Vec<Fault>,
}

impl<'s> Pieces<'s> {
    /// At the start of the document.
    pub(super) fn of(source: &'s Source) -> Self {
        Self {
            source,
            reader: yaml::Pieces::of(&source.text),
            faults: Vec::new(),
        }
    }

    /// The next piece. What is refused in it has been reported.
    pub(super) fn next(&mut self) -> Result<Piece<'s>, Stop> {
        if self.faults.len() > MOST_FAULTS {
            return Err(Stop);
        }
        let piece = self.reader.piece().map_err(|halt| {
            self.fault(halt.span, halt.kind.to_string(), None);
            Stop
        })?;
        if let Some(refused) = piece.refused {
            self.fault(piece.span.clone(), refused.to_owned(), Some(yaml::HELP));
        }
        Ok(piece)
    }

    /// Passes over the rest of a value that began with `piece`.
    pub(super) fn skip(&mut self, piece: &Piece<'_>) -> Result<(), Stop> {
        let outside = match piece.kind {
            Kind::List | Kind::Mapping => self.reader.depth().saturating_sub(1),
            Kind::Scalar { .. } | Kind::End | Kind::Alias | Kind::Over => return Ok(()),
        };
        while self.reader.depth() > outside {
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
}

/// What a message calls a piece.
pub(super) fn found(kind: &Kind<'_>) -> String {
    match kind {
        Kind::Scalar { .. } if kind.is_null() => "nothing".to_owned(),
        Kind::Scalar { text, .. } => shown(text),
        Kind::List => "a list".to_owned(),
        Kind::Mapping => "a mapping".to_owned(),
        Kind::End | Kind::Alias | Kind::Over => "nothing".to_owned(),
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

#[cfg(test)]
mod tests;
