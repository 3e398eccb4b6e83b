//! Header fields as the proxy passed them on, read so that each has one value or is refused.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

/// Most header fields that one request may have.
pub const MAX_HEADERS: usize = 256;

/// The header fields of one request.
///
/// A proxy may pass each field on its own, or a map in which it has joined repeated fields with
/// commas and replaced bytes that are not UTF-8 with `!`. In a joined bag a value that holds either
/// could be something else, so [`HeaderBag::take`] refuses it.
#[derive(Clone, Default)]
pub struct HeaderBag {
    /// Where names and values stand.
    bytes: Bytes,
    entries: Vec<Span>,
    joined: bool,
}

/// Where one field stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Span {
    /// Text.
    pub(super) name: Range<usize>,
    /// Bytes of any kind.
    pub(super) value: Range<usize>,
}

/// One value, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    /// Text.
    Text(String),
    /// Bytes of any kind.
    Raw(Vec<u8>),
}

/// Why a header has no one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueFault {
    /// As [`HeaderFault::Repeated`].
    Repeated,
    /// As [`HeaderFault::Value`].
    Value,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HeaderFault {
    /// More than [`MAX_HEADERS`].
    #[error("the request has more than {MAX_HEADERS} headers")]
    TooMany,
    /// Sent twice, or joined with a comma as if it had been.
    #[error("the header `{0}` was sent more than once")]
    Repeated(&'static str),
    /// A value with something other than visible ASCII characters and inner white space, or one
    /// that the proxy may have made out of such a value.
    #[error("the header `{0}` has an invalid value")]
    Value(&'static str),
    /// Required, and not there.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
}

impl HeaderBag {
    /// Fields that the proxy passed on one by one.
    ///
    /// # Errors
    ///
    /// [`HeaderFault::TooMany`].
    pub fn separate(
        entries: impl IntoIterator<Item = (String, HeaderText)>,
    ) -> Result<Self, HeaderFault> {
        Self::new(entries, false)
    }

    /// Fields of which the proxy joined the repeated ones.
    ///
    /// # Errors
    ///
    /// [`HeaderFault::TooMany`].
    pub fn joined(
        entries: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, HeaderFault> {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (name, HeaderText::Text(value)));
        Self::new(entries, true)
    }

    /// Fields that the proxy passed on one by one, where they stand in the message.
    ///
    /// # Errors
    ///
    /// [`HeaderFault::TooMany`].
    pub(super) fn within(bytes: Bytes, entries: Vec<Span>) -> Result<Self, HeaderFault> {
        if entries.len() > MAX_HEADERS {
            return Err(HeaderFault::TooMany);
        }
        Ok(Self {
            bytes,
            entries,
            joined: false,
        })
    }

    fn new(
        fields: impl IntoIterator<Item = (String, HeaderText)>,
        joined: bool,
    ) -> Result<Self, HeaderFault> {
        let limit = MAX_HEADERS.saturating_add(1);
        let mut bytes = Vec::new();
        let mut entries = Vec::new();
        for (name, value) in fields.into_iter().take(limit) {
            let start = bytes.len();
            bytes.extend_from_slice(name.as_bytes());
            let middle = bytes.len();
            bytes.extend_from_slice(value.as_bytes());
            entries.push(Span {
                name: start..middle,
                value: middle..bytes.len(),
            });
        }
        let bag = Self::within(bytes.into(), entries)?;
        Ok(Self { joined, ..bag })
    }

    /// The one value of `name`, without surrounding white space.
    ///
    /// # Errors
    ///
    /// [`HeaderFault::Repeated`] and [`HeaderFault::Value`].
    pub fn single(&self, name: &'static str) -> Result<Option<&str>, HeaderFault> {
        self.position(name)
            .and_then(|at| {
                at.and_then(|at| self.entries.get(at))
                    .map(|entry| check(self.value(entry), self.joined))
                    .transpose()
            })
            .map_err(|fault| fault.of(name))
    }

    /// Moves the one value of `name` out, so that nothing downstream can see it.
    ///
    /// # Errors
    ///
    /// As [`HeaderBag::single`].
    pub fn take(&mut self, name: &'static str) -> Result<Option<String>, HeaderFault> {
        self.take_named(name).map_err(|fault| fault.of(name))
    }

    /// As [`HeaderBag::take`], for a header that the configuration names, and where a bad value is
    /// not a bad request.
    ///
    /// # Errors
    ///
    /// [`ValueFault`].
    pub fn take_named(&mut self, name: &str) -> Result<Option<String>, ValueFault> {
        let Some(at) = self.position(name)? else {
            return Ok(None);
        };
        let entry = self.entries.remove(at);
        check(self.value(&entry), self.joined).map(|value| Some(value.to_owned()))
    }

    /// The one value of `name`, which must be there.
    ///
    /// # Errors
    ///
    /// As [`HeaderBag::single`], and [`HeaderFault::Missing`].
    pub fn require(&mut self, name: &'static str) -> Result<String, HeaderFault> {
        self.take(name)?.ok_or(HeaderFault::Missing(name))
    }

    /// Every value of a list-valued field (RFC 9110, section 5.6.1).
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.entries
            .iter()
            .filter(move |entry| self.is_called(entry, name))
            .map(|entry| self.value(entry))
    }

    /// The names of the headers that some server would take for one that starts with `prefix`: in
    /// any case, and with whatever is no letter or digit for `-`. `prefix` is lower case.
    pub fn folding(&self, prefix: &str) -> Vec<String> {
        self.entries
            .iter()
            .map(|entry| self.name(entry))
            .filter(|name| folds_to(name, prefix))
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    /// The names, in the order in which they came.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.entries.iter().map(|entry| self.name(entry));
        names.map(|name| std::str::from_utf8(name).unwrap_or_default())
    }

    /// The place of the one header of that name.
    fn position(&self, name: &str) -> Result<Option<usize>, ValueFault> {
        let mut found = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| self.is_called(entry, name))
            .map(|(at, _)| at);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ValueFault::Repeated),
            (first, None) => Ok(first),
        }
    }

    fn name(&self, entry: &Span) -> &[u8] {
        self.bytes.get(entry.name.clone()).unwrap_or_default()
    }

    fn value(&self, entry: &Span) -> &[u8] {
        self.bytes.get(entry.value.clone()).unwrap_or_default()
    }

    fn is_called(&self, entry: &Span, name: &str) -> bool {
        // Most names differ in length, and those that do are not looked at.
        entry.name.len() == name.len() && self.name(entry).eq_ignore_ascii_case(name.as_bytes())
    }
}

impl HeaderText {
    /// The bytes, as they arrived.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }
}

impl fmt::Debug for HeaderBag {
    /// The names alone: what was taken out still stands in the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.entries.iter().map(|entry| self.name(entry));
        f.debug_list()
            .entries(names.map(String::from_utf8_lossy))
            .finish()
    }
}

impl ValueFault {
    fn of(self, name: &'static str) -> HeaderFault {
        match self {
            Self::Repeated => HeaderFault::Repeated(name),
            Self::Value => HeaderFault::Value(name),
        }
    }
}

/// Whether a header called `name` could be taken for one that starts with `prefix`.
pub(crate) fn folds_to(name: &[u8], prefix: &str) -> bool {
    let Some(start) = name.get(..prefix.len()) else {
        return false;
    };
    start.iter().zip(prefix.bytes()).all(|(byte, expected)| {
        // Gateway interfaces in the tradition of CGI make one character of all the others.
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase() == expected
        } else {
            !expected.is_ascii_alphanumeric()
        }
    })
}

/// The value without surrounding white space (RFC 9110, section 5.5), if it has one reading.
fn check(value: &[u8], joined: bool) -> Result<&str, ValueFault> {
    let value = value.trim_ascii();
    // Every byte is looked at, whatever the others are: the compiler then looks at many at once.
    let visible = |byte: u8| byte.wrapping_sub(b' ') <= b'~'.wrapping_sub(b' ');
    if !value.iter().fold(true, |all, byte| all & visible(*byte)) {
        return Err(ValueFault::Value);
    }
    if joined && value.contains(&b',') {
        return Err(ValueFault::Repeated);
    }
    if joined && value.contains(&b'!') {
        return Err(ValueFault::Value);
    }
    std::str::from_utf8(value).map_err(|_| ValueFault::Value)
}

#[cfg(test)]
mod tests;
