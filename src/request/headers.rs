//! Header fields as the proxy passed them on, read so that each has one value or is refused.

use bytes::Bytes;
use thiserror::Error;

/// Most header fields that one request may have.
pub const MAX_HEADERS: usize = 256;

/// The header fields of one request.
///
/// A proxy may pass each field on its own, or a map in which it has joined repeated fields with
/// commas and replaced bytes that are not UTF-8 with `!`. In a joined bag a value that holds either
/// could be something else, so [`HeaderBag::take`] refuses it.
#[derive(Clone, Debug, Default)]
pub struct HeaderBag {
    entries: Vec<(String, HeaderText)>,
    joined: bool,
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

    fn new(
        entries: impl IntoIterator<Item = (String, HeaderText)>,
        joined: bool,
    ) -> Result<Self, HeaderFault> {
        let limit = MAX_HEADERS.saturating_add(1);
        let entries: Vec<_> = entries.into_iter().take(limit).collect();
        if entries.len() > MAX_HEADERS {
            return Err(HeaderFault::TooMany);
        }
        Ok(Self { entries, joined })
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
                    .map(|(_, value)| check(value.as_bytes(), self.joined))
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
        let (_, value) = self.entries.remove(at);
        let trimmed = check(value.as_bytes(), self.joined)?;
        if trimmed.len() == value.as_bytes().len() {
            value.into_string().map(Some)
        } else {
            Ok(Some(trimmed.to_owned()))
        }
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
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }

    /// The names of the headers that some server would take for one that starts with `prefix`: in
    /// any case, and with whatever is no letter or digit for `-`. `prefix` is lower case.
    pub fn folding(&self, prefix: &str) -> Vec<String> {
        self.entries
            .iter()
            .filter(|(name, _)| folds_to(name.as_bytes(), prefix))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The place of the one header of that name.
    fn position(&self, name: &str) -> Result<Option<usize>, ValueFault> {
        let mut found = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, (key, _))| key.eq_ignore_ascii_case(name))
            .map(|(at, _)| at);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ValueFault::Repeated),
            (first, None) => Ok(first),
        }
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

    fn into_string(self) -> Result<String, ValueFault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Raw(bytes) => String::from_utf8(bytes).map_err(|_| ValueFault::Value),
        }
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

impl From<Bytes> for HeaderText {
    fn from(bytes: Bytes) -> Self {
        Self::Raw(bytes.into())
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn separate(entries: &[(&str, &[u8])]) -> HeaderBag {
        let entries = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), HeaderText::Raw(value.to_vec())));
        HeaderBag::separate(entries).unwrap()
    }

    fn joined(entries: &[(&str, &str)]) -> HeaderBag {
        let entries = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        HeaderBag::joined(entries).unwrap()
    }

    #[test]
    fn one_value_or_none() {
        let mut bag = separate(&[
            ("Mcp-Name", b" a,b! "),
            ("x", b"1"),
            ("X", b"1"),
            ("y", b"\xff"),
        ]);
        assert_eq!(bag.single("mcp-name"), Ok(Some("a,b!")));
        assert_eq!(bag.single("absent"), Ok(None));
        assert_eq!(bag.single("x"), Err(HeaderFault::Repeated("x")));
        assert_eq!(bag.single("y"), Err(HeaderFault::Value("y")));
        assert_eq!(bag.require("z"), Err(HeaderFault::Missing("z")));
        assert_eq!(bag.take("mcp-name"), Ok(Some("a,b!".to_owned())));
        assert_eq!(bag.take("mcp-name"), Ok(None), "it was moved out");
        assert_eq!(bag.take_named("x"), Err(ValueFault::Repeated));
        assert_eq!(bag.take_named("Y"), Err(ValueFault::Value));
    }

    #[test]
    fn a_joined_bag_refuses_what_could_be_two_values_or_other_bytes() {
        let bag = joined(&[
            ("authorization", "Bearer a,Bearer b"),
            ("mcp-name", "danger,greet"),
            ("mcp-session-id", "a!"),
            ("origin", "https://a.example"),
        ]);
        for name in ["authorization", "mcp-name"] {
            assert_eq!(bag.single(name), Err(HeaderFault::Repeated(name)));
        }
        assert_eq!(
            bag.single("mcp-session-id"),
            Err(HeaderFault::Value("mcp-session-id"))
        );
        assert_eq!(bag.single("origin"), Ok(Some("https://a.example")));
    }

    #[test]
    fn controls_are_never_part_of_a_value() {
        for value in [&b"a\0b"[..], b"a\nb", b"a\tb", b"\x7f", b"\xc3\xa9"] {
            assert_eq!(
                separate(&[("x", value)]).single("x"),
                Err(HeaderFault::Value("x"))
            );
        }
    }

    #[test]
    fn every_spelling_of_a_protected_header_is_found() {
        let spoofed = [
            "x-cedargate-subject",
            "X-Cedargate-Subject",
            "x_cedargate_subject",
            "x.cedargate.subject",
            "X-CEDARGATE_subject",
            "x_cedargate-roles",
            "x-cedargate.roles",
            "x~cedargate!subject",
            "x-cedargate-",
        ];
        let others = [
            "x-cedargat",
            "x-cedargate",
            "cedargate-subject",
            "x-cedargated",
            "",
        ];
        let entries: Vec<_> = spoofed
            .iter()
            .chain(&others)
            .map(|name| (*name, ""))
            .collect();
        assert_eq!(joined(&entries).folding("x-cedargate-"), spoofed);
    }

    #[test]
    fn the_number_of_headers_is_bounded() {
        let entries = |count: usize| (0..count).map(|n| (n.to_string(), String::new()));
        assert!(HeaderBag::joined(entries(MAX_HEADERS)).is_ok());
        assert_eq!(
            HeaderBag::joined(entries(MAX_HEADERS + 1)).err(),
            Some(HeaderFault::TooMany)
        );
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_nothing_panics(
            mut entries in proptest::collection::vec(
                ("(authorization|Origin|x)", proptest::collection::vec(any::<u8>(), 0..8)), 0..5),
        ) {
            let read = |entries: &[(String, Vec<u8>)]| {
                let bag = HeaderBag::separate(
                    entries.iter().map(|(k, v)| (k.clone(), HeaderText::Raw(v.clone())))).unwrap();
                ["authorization", "origin", "x"].map(|name| bag.single(name).map(|v| v.map(str::to_owned)))
            };
            let forward = read(&entries);
            entries.reverse();
            prop_assert_eq!(forward, read(&entries));
        }
    }
}
