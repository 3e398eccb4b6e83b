//! What can be wrong with a JSON document.

use thiserror::Error;

use super::MAX_DEPTH;

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{kind} at byte {offset}")]
pub struct JsonFault {
    /// What is wrong.
    pub kind: JsonFaultKind,
    /// Offset in bytes from the start of the document.
    pub offset: usize,
}

/// What can be wrong with a document.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JsonFaultKind {
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// A byte order mark.
    #[error("a byte order mark")]
    ByteOrderMark,
    /// The document ends too early.
    #[error("unexpected end")]
    End,
    /// Something that the grammar has no place for.
    #[error("unexpected character")]
    Character,
    /// More than one document.
    #[error("text after the document")]
    Trailing,
    /// Nesting deeper than [`MAX_DEPTH`].
    #[error("nesting deeper than {MAX_DEPTH}")]
    Depth,
    /// The same name twice in one object.
    #[error("a duplicate name")]
    DuplicateKey,
    /// An escape that the grammar does not know.
    #[error("an invalid escape")]
    Escape,
    /// Half of a surrogate pair.
    #[error("a lone surrogate")]
    Surrogate,
    /// A number that no double can hold.
    #[error("a number out of range")]
    Range,
}
